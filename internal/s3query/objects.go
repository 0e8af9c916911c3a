package s3query

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"bulkpresign/internal/s3op"
)

// Object is what S3 says of one.
type Object struct {
	Key          string
	Size         int64  // bytes
	ETag         string // without quotation marks
	LastModified time.Time
	StorageClass string // empty is STANDARD
	Restored     bool   // an archived object has a copy that can be read, for a while
	Archived     bool   // it is archived and has none: a GET is refused
}

// IsFolder tells whether an object is a folder's marker, as the S3 console and others make
// them: no bytes under a key that ends in a slash.
func (o *Object) IsFolder() bool { return o.Size == 0 && strings.HasSuffix(o.Key, "/") }

// MayBeArchived tells whether a listing leaves open that the object must be restored first: it
// says neither what has been restored nor what S3 itself has archived.
func (o *Object) MayBeArchived() bool {
	switch o.StorageClass {
	case "GLACIER", "DEEP_ARCHIVE", "INTELLIGENT_TIERING":
		return true
	}
	return false
}

// PageSize is the most keys that a page of a listing has.
const PageSize = 1000

// Listing says which keys of the bucket.
type Listing struct {
	Prefix       string
	StartAfter   string        // keys that come after this one; or
	Continuation string        // S3's own token of where a page ended
	Most         int           // keys, 1 to PageSize
	Options      []s3op.Option // settled, of ListObjectsV2
}

// Page is a part of a listing, in the order of S3: that of the keys' bytes.
type Page struct {
	Objects []Object
	Next    string // S3's token of where the next page begins; empty at the end
}

// Options of a listing, and what they are called.
var listOptions = [...]string{"continuation_token", "encoding_type", "max_keys", "start_after"}

// List asks for a page. The role needs s3:ListBucket on the bucket; a condition on s3:prefix
// sees Prefix as it is. The error is an *awserr.Error.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
func (b *Bucket) List(ctx context.Context, l *Listing) (*Page, error) {
	options := append([]s3op.Option(nil), l.Options...)
	for i, value := range [...]string{l.Continuation, "url", strconv.Itoa(l.Most), l.StartAfter} {
		if id, ok := s3op.Lookup(listOptions[i]); ok && value != "" {
			options = append(options, s3op.Option{ID: id, Value: value})
		}
	}
	s3op.Sort(options)
	answer, err := b.Ask(ctx, &Query{Operation: s3op.ListObjectsV2, Options: options, Key: l.Prefix, Call: "list a prefix"})
	if err != nil {
		return nil, err
	}
	var listed struct {
		EncodingType          string
		IsTruncated           bool
		NextContinuationToken string
		Contents              []struct {
			Key, ETag, StorageClass string
			Size                    int64
			LastModified            time.Time
		}
	}
	if err := answer.Decode(&listed); err != nil {
		return nil, err
	}
	page := &Page{Objects: make([]Object, len(listed.Contents))}
	for i, o := range listed.Contents {
		key := o.Key
		if listed.EncodingType == "url" { // XML cannot hold all that a key can
			if key, err = url.QueryUnescape(key); err != nil {
				return nil, errors.New("s3query: S3 listed a key that is not encoded as it should be")
			}
		}
		page.Objects[i] = Object{Key: key, Size: o.Size, ETag: strings.Trim(o.ETag, `"`), LastModified: o.LastModified, StorageClass: o.StorageClass}
	}
	if listed.IsTruncated {
		page.Next = listed.NextContinuationToken
	}
	return page, nil
}

// Head asks about one object. Options are settled, of HeadObject. The role needs
// s3:GetObject; without s3:ListBucket S3 says 403 of an object that is not there. The error
// is an *awserr.Error.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
func (b *Bucket) Head(ctx context.Context, key string, options []s3op.Option) (Object, error) {
	answer, err := b.Ask(ctx, &Query{Operation: s3op.HeadObject, Options: options, Key: key, Call: "look at an object"})
	if err != nil {
		return Object{}, err
	}
	h := answer.Header
	o := Object{Key: key, ETag: strings.Trim(h.Get("ETag"), `"`), StorageClass: h.Get("X-Amz-Storage-Class")}
	o.Size, _ = strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	o.LastModified, _ = http.ParseTime(h.Get("Last-Modified"))
	o.Restored = strings.Contains(h.Get("X-Amz-Restore"), `ongoing-request="false"`)
	switch {
	case o.StorageClass == "GLACIER", o.StorageClass == "DEEP_ARCHIVE":
		o.Archived = !o.Restored
	case h.Get("X-Amz-Archive-Status") != "": // of INTELLIGENT_TIERING
		o.Archived = !o.Restored
	}
	return o, nil
}

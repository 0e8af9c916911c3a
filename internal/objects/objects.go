// Package objects reads what lies in S3: an object as a stream that outlives cut
// connections, and the keys under a prefix.
package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"bulkpresign/internal/awserr"
)

// Store is S3 as the function's role sees it. It is safe for concurrent use.
type Store struct {
	// Load gives the SDK's configuration when it is first needed.
	Load func(context.Context) (aws.Config, error)
	// Region of a bucket, or empty for the function's own.
	Region func(bucket string) string

	mu      sync.Mutex
	clients map[string]*s3.Client // by region
}

func (s *Store) client(ctx context.Context, bucket string) (*s3.Client, error) {
	c, err := s.Load(ctx)
	if err != nil {
		return nil, err
	}
	region := c.Region
	if s.Region != nil {
		if r := s.Region(bucket); r != "" {
			region = r
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients == nil {
		s.clients = make(map[string]*s3.Client)
	}
	if s.clients[region] == nil {
		s.clients[region] = s3.NewFromConfig(c, func(o *s3.Options) {
			o.Region = region
			o.UsePathStyle = o.BaseEndpoint != nil                                    // an endpoint of one's own, by AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_S3
			o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired // a part of an object has none
		})
	}
	return s.clients[region], nil
}

// Ref names one object, and which of its versions or contents.
type Ref struct {
	Bucket  string `json:"bucket"`
	Key     string `json:"key"`
	Version string `json:"version_id,omitempty"`
	ETag    string `json:"etag,omitempty"` // without quotation marks; empty: whatever it is
}

// Object is an open object. Read it to its end, or Close it.
type Object struct {
	Ref      Ref // with the ETag that S3 gave
	Metadata map[string]string
	Size     int64 // of what is read: the whole, or a part

	begin  int64 // of the part
	ctx    context.Context
	client *s3.Client
	body   io.ReadCloser
	read   int64
	tries  int // left, for the bytes since the last success
}

// reopenings is how often in a row a broken connection is made anew.
const reopenings = 4

// Open opens an object. The role needs s3:GetObject, or s3:GetObjectVersion where a
// version is named. The error is an *awserr.Error: 404 or 403 when there is none, 412
// when its content is another one than Ref says.
func (s *Store) Open(ctx context.Context, r Ref) (*Object, error) {
	return s.open(ctx, r, 0, "")
}

// OpenRange opens a part of an object: the bytes from begin on that are before end. The error
// is as of Open; 416 when the object ends before begin.
func (s *Store) OpenRange(ctx context.Context, r Ref, begin, end int64) (*Object, error) {
	return s.open(ctx, r, begin, fmt.Sprintf("bytes=%d-%d", begin, end-1))
}

func (s *Store) open(ctx context.Context, r Ref, begin int64, byteRange string) (*Object, error) {
	client, err := s.client(ctx, r.Bucket)
	if err != nil {
		return nil, err
	}
	o := &Object{Ref: r, begin: begin, ctx: ctx, client: client, tries: reopenings}
	got, err := o.get(byteRange)
	if err != nil {
		return nil, err
	}
	o.body = got.Body
	o.Ref.ETag = strings.Trim(aws.ToString(got.ETag), `"`)
	o.Metadata = got.Metadata
	o.Size = aws.ToInt64(got.ContentLength)
	return o, nil
}

func (o *Object) get(byteRange string) (*s3.GetObjectOutput, error) {
	in := &s3.GetObjectInput{Bucket: aws.String(o.Ref.Bucket), Key: aws.String(o.Ref.Key)}
	if o.Ref.Version != "" {
		in.VersionId = aws.String(o.Ref.Version)
	}
	if o.Ref.ETag != "" {
		in.IfMatch = aws.String(`"` + o.Ref.ETag + `"`)
	}
	if byteRange != "" {
		in.Range = aws.String(byteRange)
	}
	got, err := o.client.GetObject(o.ctx, in)
	return got, awserr.Wrap("read an object", err)
}

// Read makes a connection that breaks anew, from where it broke and for the same
// content. What it returns in the end, beside io.EOF, is an *awserr.Error, so that a cut
// connection can be told from a file that is cut short.
func (o *Object) Read(p []byte) (int, error) {
	for {
		if o.body == nil {
			if o.tries--; o.tries < 0 {
				return 0, &awserr.Error{Call: "read an object to its end"}
			}
			got, err := o.get(fmt.Sprintf("bytes=%d-%d", o.begin+o.read, o.begin+o.Size-1))
			if err != nil {
				return 0, err
			}
			o.body = got.Body
		}
		n, err := o.body.Read(p)
		o.read += int64(n)
		if n > 0 {
			o.tries = reopenings
		}
		switch {
		case err == nil:
			return n, nil
		case o.read >= o.Size:
			return n, io.EOF
		case o.ctx.Err() != nil:
			return n, awserr.Wrap("read an object", o.ctx.Err())
		}
		o.body.Close()
		o.body = nil
		if n > 0 {
			return n, nil
		}
	}
}

// Close lets go of an object that is not read to its end.
func (o *Object) Close() error {
	if o.body == nil {
		return nil
	}
	return o.body.Close()
}

// ReaderAt reads an object piece by piece. Each piece is a request of its own. Errors
// other than io.EOF are *awserr.Error.
func (s *Store) ReaderAt(ctx context.Context, r Ref) io.ReaderAt {
	return &readerAt{ctx: ctx, store: s, ref: r}
}

type readerAt struct {
	ctx   context.Context
	store *Store
	ref   Ref
}

func (a *readerAt) ReadAt(p []byte, offset int64) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	client, err := a.store.client(a.ctx, a.ref.Bucket)
	if err != nil {
		return 0, err
	}
	for range reopenings {
		o := &Object{Ref: a.ref, ctx: a.ctx, client: client}
		got, err := o.get(fmt.Sprintf("bytes=%d-%d", offset+int64(n), offset+int64(len(p))-1))
		var e *awserr.Error
		if errors.As(err, &e) && e.Status == http.StatusRequestedRangeNotSatisfiable {
			return n, io.EOF
		}
		if err != nil {
			return n, err
		}
		want := int(aws.ToInt64(got.ContentLength))
		read, err := io.ReadFull(got.Body, p[n:min(n+want, len(p))])
		got.Body.Close()
		if n += read; n == len(p) {
			return n, nil
		}
		if read == want && err == nil { // the object ends here
			return n, io.EOF
		}
	}
	return n, &awserr.Error{Call: "read a part of an object"}
}

// Listed is an object as a listing tells of it.
type Listed struct {
	Key  string
	ETag string // without quotation marks
	Size int64
}

// List visits every object under a prefix whose key comes after another, in the order of
// S3, which is bytewise. The role needs s3:ListBucket. It stops when visit returns an error.
//
// Keys are asked for in their encoded form, since XML cannot hold all that a key can.
func (s *Store) List(ctx context.Context, bucket, prefix, after string, visit func(Listed) error) error {
	in := listing(bucket, prefix, after)
	for {
		page, err := s.page(ctx, in)
		if err != nil {
			return err
		}
		for _, o := range page.Objects {
			if err := visit(o); err != nil {
				return err
			}
		}
		if page.next == nil {
			return nil
		}
		in.ContinuationToken = page.next
	}
}

// Page is some of what a prefix holds, in S3's order.
type Page struct {
	Objects  []Listed
	Prefixes []string // with the delimiter: what keys have in common up to it
	More     bool

	next *string
}

// Look is the first page of what is under a prefix and comes after a key, at most as many
// (S3 gives 1,000). With a delimiter, keys that have it behind the prefix are told of as one.
func (s *Store) Look(ctx context.Context, bucket, prefix, after, delimiter string, most int32) (Page, error) {
	in := listing(bucket, prefix, after)
	in.MaxKeys = aws.Int32(most)
	if delimiter != "" {
		in.Delimiter = aws.String(delimiter)
	}
	return s.page(ctx, in)
}

func listing(bucket, prefix, after string) *s3.ListObjectsV2Input {
	in := &s3.ListObjectsV2Input{
		Bucket:       aws.String(bucket),
		Prefix:       aws.String(prefix),
		EncodingType: types.EncodingTypeUrl,
	}
	if after != "" {
		in.StartAfter = aws.String(after)
	}
	return in
}

func (s *Store) page(ctx context.Context, in *s3.ListObjectsV2Input) (p Page, err error) {
	client, err := s.client(ctx, *in.Bucket)
	if err != nil {
		return p, err
	}
	page, err := client.ListObjectsV2(ctx, in)
	if err != nil {
		return p, awserr.Wrap("list a prefix", err)
	}
	decode := func(encoded *string) (key string) {
		key, e := url.QueryUnescape(aws.ToString(encoded))
		if e != nil {
			err = errors.New("list a prefix: S3 gave a key that is not encoded as it should be")
		}
		return key
	}
	for _, o := range page.Contents {
		p.Objects = append(p.Objects, Listed{Key: decode(o.Key), ETag: strings.Trim(aws.ToString(o.ETag), `"`), Size: aws.ToInt64(o.Size)})
	}
	for _, c := range page.CommonPrefixes {
		p.Prefixes = append(p.Prefixes, decode(c.Prefix))
	}
	p.More = aws.ToBool(page.IsTruncated)
	if p.More {
		p.next = page.NextContinuationToken
	}
	return p, err
}

package s3server

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"sort"
	"strings"
	"sync"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"
)

// minPart is the least that a part may have which is not the last.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
const minPart = 5 << 20

// store is s3mem with multipart uploads as S3 has them: parts may not be too small, and to complete an upload does not
// copy it, so that results of a thousand megabytes take no time and no more memory than they have bytes.
//
// An object that was uploaded in parts lies in s3mem as a stub, which keeps its place in listings and its dates.
type store struct {
	*s3mem.Backend

	mu      sync.RWMutex
	uploads map[gofakes3.UploadID]*upload
	whole   map[place]*assembled
}

type place struct{ bucket, key string }

type upload struct {
	meta  map[string]string
	parts map[int]part
}

type part struct {
	body []byte
	sum  [md5.Size]byte
}

func (p part) etag() string { return hex.EncodeToString(p.sum[:]) }

// assembled is an object in parts.
type assembled struct {
	parts [][]byte
	size  int64
	hash  []byte // MD5 of the parts' MD5s; S3 adds their number, for which gofakes3 has no room: the gate does
}

// etag is as S3 gives it: with the number of parts.
func (a *assembled) etag() string {
	return fmt.Sprintf(`"%x-%d"`, a.hash, len(a.parts))
}

// numbered is the ETag of an object in parts, if that is what an ETag without the number is of.
func (s *store) numbered(at place, etag string) (string, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	a := s.whole[at]
	if a == nil || strings.Trim(etag, `"`) != hex.EncodeToString(a.hash) {
		return "", false
	}
	return a.etag(), true
}

func newStore(clock gofakes3.TimeSource) *store {
	return &store{
		Backend: s3mem.New(s3mem.WithTimeSource(clock)),
		uploads: map[gofakes3.UploadID]*upload{},
		whole:   map[place]*assembled{},
	}
}

// CreateMultipartUpload begins an upload.
func (s *store) CreateMultipartUpload(_ context.Context, _, _ string, meta map[string]string) (gofakes3.UploadID, error) {
	id := gofakes3.UploadID(rand.Text())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uploads[id] = &upload{meta: meta, parts: map[int]part{}}
	return id, nil
}

// UploadPart keeps a part, if it came whole.
func (s *store) UploadPart(_ context.Context, _, _ string, id gofakes3.UploadID, number int, length int64, body io.Reader) (string, error) {
	p := part{body: make([]byte, length)}
	if _, err := io.ReadFull(body, p.body); err != nil {
		return "", gofakes3.ErrIncompleteBody
	}
	if _, err := io.Copy(io.Discard, body); err != nil { // at its end the reader compares a Content-MD5
		return "", err
	}
	p.sum = md5.Sum(p.body)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uploads[id]
	if u == nil {
		return "", gofakes3.ErrNoSuchUpload
	}
	u.parts[number] = p
	return `"` + p.etag() + `"`, nil
}

// CompleteMultipartUpload makes the object visible.
func (s *store) CompleteMultipartUpload(ctx context.Context, bucket, key string, id gofakes3.UploadID, in *gofakes3.CompleteMultipartUploadRequest) (gofakes3.VersionID, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uploads[id]
	if u == nil {
		return "", "", gofakes3.ErrNoSuchUpload
	}
	if len(in.Parts) == 0 {
		return "", "", gofakes3.ErrMalformedXML
	}
	a := &assembled{}
	sums := md5.New()
	for i, listed := range in.Parts {
		p, ok := u.parts[listed.PartNumber]
		switch {
		case i > 0 && listed.PartNumber <= in.Parts[i-1].PartNumber:
			return "", "", gofakes3.ErrInvalidPartOrder
		case !ok || strings.Trim(listed.ETag, `"`) != p.etag():
			return "", "", gofakes3.ErrInvalidPart
		case i < len(in.Parts)-1 && len(p.body) < minPart:
			return "", "", gofakes3.ErrorMessage(gofakes3.ErrInvalidPart, "EntityTooSmall: Your proposed upload is smaller than the minimum allowed size") // gofakes3 has no such code
		}
		a.parts = append(a.parts, p.body)
		a.size += int64(len(p.body))
		sums.Write(p.sum[:])
	}
	a.hash = sums.Sum(nil)
	if _, err := s.Backend.PutObject(ctx, bucket, key, u.meta, strings.NewReader(""), 0); err != nil {
		return "", "", err
	}
	s.whole[place{bucket, key}] = a
	delete(s.uploads, id)
	return "", a.etag(), nil
}

// AbortMultipartUpload drops an upload.
func (s *store) AbortMultipartUpload(_ context.Context, _, _ string, id gofakes3.UploadID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.uploads, id)
	return nil
}

// PutObject stores an object in one piece.
func (s *store) PutObject(ctx context.Context, bucket, key string, meta map[string]string, body io.Reader, size int64) (gofakes3.PutObjectResult, error) {
	text, err := gofakes3.ReadAll(body, size) // not under the lock: it may take as long as the client likes
	if err != nil {
		return gofakes3.PutObjectResult{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	result, err := s.Backend.PutObject(ctx, bucket, key, meta, bytes.NewReader(text), size)
	if err == nil {
		delete(s.whole, place{bucket, key})
	}
	return result, err
}

// DeleteObject deletes an object.
func (s *store) DeleteObject(ctx context.Context, bucket, key string) (gofakes3.ObjectDeleteResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.whole, place{bucket, key})
	return s.Backend.DeleteObject(ctx, bucket, key)
}

// DeleteMulti deletes objects.
func (s *store) DeleteMulti(ctx context.Context, bucket string, keys ...string) (gofakes3.MultiDeleteResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		delete(s.whole, place{bucket, key})
	}
	return s.Backend.DeleteMulti(ctx, bucket, keys...)
}

// CopyObject copies an object.
func (s *store) CopyObject(ctx context.Context, bucket, key, toBucket, toKey string, meta map[string]string) (gofakes3.CopyObjectResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	result, err := s.Backend.CopyObject(ctx, bucket, key, toBucket, toKey, meta)
	if err != nil {
		return result, err
	}
	delete(s.whole, place{toBucket, toKey})
	if a := s.whole[place{bucket, key}]; a != nil {
		s.whole[place{toBucket, toKey}] = a
		result.ETag = a.etag()
	}
	return result, nil
}

// HeadObject tells of an object.
func (s *store) HeadObject(ctx context.Context, bucket, key string) (*gofakes3.Object, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, err := s.Backend.HeadObject(ctx, bucket, key)
	if a := s.whole[place{bucket, key}]; err == nil && a != nil {
		o.Size, o.Hash = a.size, a.hash
	}
	return o, err
}

// GetObject opens an object.
func (s *store) GetObject(ctx context.Context, bucket, key string, wanted *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	a := s.whole[place{bucket, key}]
	if a == nil {
		return s.Backend.GetObject(ctx, bucket, key, wanted)
	}
	o, err := s.Backend.GetObject(ctx, bucket, key, nil)
	if err != nil {
		return nil, err
	}
	o.Size, o.Hash = a.size, a.hash
	if o.Range, err = wanted.Range(a.size); err != nil {
		return nil, err
	}
	start, length := int64(0), a.size
	if o.Range != nil {
		start, length = o.Range.Start, o.Range.Length
	}
	var readers []io.Reader
	for _, p := range a.parts {
		skip := min(start, int64(len(p)))
		start -= skip
		readers = append(readers, bytes.NewReader(p[skip:]))
	}
	o.Contents = io.NopCloser(io.LimitReader(io.MultiReader(readers...), length))
	return o, nil
}

// ListBucket lists a bucket.
func (s *store) ListBucket(ctx context.Context, bucket string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage) (*gofakes3.ObjectList, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.from(ctx, bucket, &page); err != nil {
		return nil, err
	}
	list, err := s.Backend.ListBucket(ctx, bucket, prefix, page)
	if err != nil {
		return nil, err
	}
	for _, c := range list.Contents {
		if a := s.whole[place{bucket, c.Key}]; a != nil {
			c.Size, c.ETag = a.size, a.etag()
		}
	}
	return list, nil
}

// from moves where a listing begins to a key that is there: S3 begins behind any text, and s3mem passes over the
// first key behind one that is not there.
func (s *store) from(ctx context.Context, bucket string, page *gofakes3.ListBucketPage) error {
	if page.Marker == "" {
		return nil
	}
	if o, err := s.Backend.HeadObject(ctx, bucket, page.Marker); err == nil {
		return o.Contents.Close()
	}
	all, err := s.Backend.ListBucket(ctx, bucket, nil, gofakes3.ListBucketPage{})
	if err != nil {
		return err
	}
	behind := sort.Search(len(all.Contents), func(i int) bool { return all.Contents[i].Key > page.Marker })
	page.Marker, page.HasMarker = "", behind > 0
	if behind > 0 {
		page.Marker = all.Contents[behind-1].Key
	}
	return nil
}

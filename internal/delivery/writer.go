package delivery

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"bulkpresign/internal/awserr"
)

// S3's limits of a multipart upload.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
const (
	minPart  = 5 << 20
	maxParts = 10_000
)

// inFlight is how many parts are on their way while the next one is being made.
const inFlight = 2

// partSize is how many bytes part n, from 1, should have. The first thousand are as small
// as S3 takes them, so that memory stays low; then they grow, so that ten thousand hold
// 160 GiB, over a thousand million URLs.
func partSize(n int) int { return minPart + max(0, n-1000)*minPart/2000 }

// Object is what was written.
type Object struct {
	Bucket  string `json:"bucket"`
	Key     string `json:"key"`
	ETag    string `json:"etag,omitempty"` // without quotation marks
	Version string `json:"version_id,omitempty"`
	Size    int64  `json:"size"`
}

// UploadState is all that must be known of an upload to go on with it elsewhere.
type UploadState struct {
	ID    string   `json:"id"`
	Size  int64    `json:"size"`
	ETags []string `json:"etags"` // of the parts, without quotation marks
}

// Writer writes one object that may be large: one PutObject when it is a single piece,
// else a multipart upload, of which nothing is visible before Complete. Pieces are sent
// while the next one is being made, at most inFlight at once. It serves one goroutine.
type Writer struct {
	bucket              *Bucket
	key                 string
	mediaType, encoding string
	state               UploadState
	free                chan []byte // buffers
	sending             sync.WaitGroup

	mu     sync.Mutex
	failed error // of a part; mu guards the ETags, too
}

// Writer begins an object under the prefix. The function's role needs s3:PutObject and
// s3:AbortMultipartUpload there.
func (b *Bucket) Writer(name, mediaType, encoding string) *Writer {
	w := &Writer{bucket: b, key: b.Prefix + name, mediaType: mediaType, encoding: encoding}
	w.free = make(chan []byte, inFlight+1) // one more than is taken from it: the first piece has memory of its own
	for range inFlight {
		w.free <- nil
	}
	return w
}

// Resume goes on with an upload that another Writer of the same object began.
func (w *Writer) Resume(s UploadState) { w.state = s }

// PartSize is how many bytes the next piece must have, unless it is the last.
func (w *Writer) PartSize() int { return partSize(len(w.state.ETags) + 1) }

// Full tells whether S3 takes no more pieces but the last.
func (w *Writer) Full() bool { return len(w.state.ETags) >= maxParts-1 }

// Buffer is empty memory for the next piece. It waits until there is some.
func (w *Writer) Buffer(ctx context.Context) ([]byte, error) {
	select {
	case b := <-w.free:
		if b == nil {
			b = make([]byte, 0, w.PartSize()+1<<20)
		}
		return b[:0], nil
	case <-ctx.Done():
		return nil, awserr.Wrap("upload a part of a result", ctx.Err())
	}
}

// Part sends a piece, which is the Writer's from now on. An error may be that of an
// earlier piece.
func (w *Writer) Part(ctx context.Context, piece []byte) error {
	client, err := w.bucket.connect(ctx)
	if err != nil {
		return err
	}
	if w.state.ID == "" {
		created, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
			ExpectedBucketOwner: w.bucket.owner(),
			Bucket:              aws.String(w.bucket.Folder.Bucket),
			Key:                 aws.String(w.key),
			ContentType:         aws.String(w.mediaType),
			ContentEncoding:     aws.String(w.encoding),
			CacheControl:        aws.String("no-store"),
		})
		if err != nil {
			return awserr.Wrap("begin the upload of a result", err)
		}
		w.state.ID = aws.ToString(created.UploadId)
	}
	w.mu.Lock()
	at := len(w.state.ETags)
	w.state.ETags = append(w.state.ETags, "")
	w.mu.Unlock()
	w.state.Size += int64(len(piece))
	w.sending.Go(func() {
		sent, err := client.UploadPart(ctx, &s3.UploadPartInput{
			ExpectedBucketOwner: w.bucket.owner(),
			Bucket:              aws.String(w.bucket.Folder.Bucket),
			Key:                 aws.String(w.key),
			UploadId:            aws.String(w.state.ID),
			PartNumber:          aws.Int32(int32(at + 1)),
			Body:                bytes.NewReader(piece),
		})
		w.mu.Lock()
		defer w.mu.Unlock()
		if err != nil && w.failed == nil {
			w.failed = awserr.Wrap("upload a part of a result", err)
		}
		if err == nil {
			w.state.ETags[at] = strings.Trim(aws.ToString(sent.ETag), `"`)
		}
		w.free <- piece
	})
	return w.error()
}

func (w *Writer) error() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

// State waits for the pieces on their way and tells what there is.
func (w *Writer) State() (UploadState, error) {
	w.sending.Wait()
	return w.state, w.error()
}

// Complete sends the last piece and makes the object visible.
func (w *Writer) Complete(ctx context.Context, last []byte) (Object, error) {
	o := Object{Bucket: w.bucket.Folder.Bucket, Key: w.key, Size: w.state.Size + int64(len(last))}
	client, err := w.bucket.connect(ctx)
	if err != nil {
		return o, err
	}
	if w.state.ID == "" {
		put, err := client.PutObject(ctx, &s3.PutObjectInput{
			ExpectedBucketOwner: w.bucket.owner(),
			Bucket:              aws.String(o.Bucket),
			Key:                 aws.String(o.Key),
			Body:                bytes.NewReader(last),
			ContentType:         aws.String(w.mediaType),
			ContentEncoding:     aws.String(w.encoding),
			CacheControl:        aws.String("no-store"),
		})
		if err != nil {
			return o, awserr.Wrap("put a result into the results bucket", err)
		}
		o.ETag, o.Version = strings.Trim(aws.ToString(put.ETag), `"`), aws.ToString(put.VersionId)
		return o, nil
	}
	if err := w.Part(ctx, last); err != nil {
		return o, err
	}
	state, err := w.State()
	if err != nil {
		return o, err
	}
	parts := make([]types.CompletedPart, len(state.ETags))
	for i, etag := range state.ETags {
		parts[i] = types.CompletedPart{ETag: aws.String(`"` + etag + `"`), PartNumber: aws.Int32(int32(i + 1))}
	}
	done, err := client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		ExpectedBucketOwner: w.bucket.owner(),
		Bucket:              aws.String(o.Bucket),
		Key:                 aws.String(o.Key),
		UploadId:            aws.String(state.ID),
		MultipartUpload:     &types.CompletedMultipartUpload{Parts: parts},
	})
	if err != nil {
		return o, awserr.Wrap("complete the upload of a result", err)
	}
	o.ETag, o.Version = strings.Trim(aws.ToString(done.ETag), `"`), aws.ToString(done.VersionId)
	return o, nil
}

// Abort drops what was uploaded, so that no half of a result stays behind. It is for
// after an error, and works when ctx has ended, too.
func (w *Writer) Abort(ctx context.Context) error {
	w.sending.Wait()
	if w.state.ID == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	client, err := w.bucket.connect(ctx)
	if err != nil {
		return err
	}
	_, err = client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		ExpectedBucketOwner: w.bucket.owner(),
		Bucket:              aws.String(w.bucket.Folder.Bucket),
		Key:                 aws.String(w.key),
		UploadId:            aws.String(w.state.ID),
	})
	var gone *types.NoSuchUpload
	if errors.As(err, &gone) {
		return nil
	}
	return awserr.Wrap("abort the upload of a result", err)
}

// Get reads a small object under the prefix. The function's role needs s3:GetObject there.
// The error is an *awserr.Error, of status 404 when there is none; but without
// s3:ListBucket S3 says 403 then, as it does of one that may not be read.
func (b *Bucket) Get(ctx context.Context, name string) ([]byte, error) {
	client, err := b.connect(ctx)
	if err != nil {
		return nil, err
	}
	const call = "read from the results bucket"
	got, err := client.GetObject(ctx, &s3.GetObjectInput{
		Bucket:              aws.String(b.Folder.Bucket),
		Key:                 aws.String(b.Prefix + name),
		ExpectedBucketOwner: b.owner(),
	})
	if err != nil {
		return nil, awserr.Wrap(call, err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	return text, awserr.Wrap(call, err)
}

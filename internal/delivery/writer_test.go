package delivery_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"bulkpresign/internal/delivery"
	"bulkpresign/internal/s3url"
	"bulkpresign/internal/standin/s3server"
)

const region = "eu-west-1"

// newBucket is a results bucket on a server of its own.
func newBucket(t *testing.T) (*delivery.Bucket, *s3server.Server) {
	t.Helper()
	c := s3server.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}
	s, err := s3server.Start(s3server.Config{Region: region, Buckets: []string{"results"}, Credentials: []s3server.Credentials{c}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	b := delivery.To(&s3url.Folder{Bucket: "results", Prefix: "r/", Region: region}, func(context.Context) (aws.Config, error) {
		return aws.Config{
			Region: region, BaseEndpoint: aws.String(s.Endpoint()),
			Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, ""),
		}, nil
	})
	return b, s
}

// An object of any number of pieces is their sum, and memory for the next is always found.
func TestWriter(t *testing.T) {
	b, s := newBucket(t)
	for pieces := range 7 {
		t.Run(fmt.Sprint(pieces, " and the last"), func(t *testing.T) {
			name := fmt.Sprint(pieces)
			w := b.Writer(name, "application/x-ndjson", "gzip")
			var whole []byte
			var piece []byte // the first has no memory yet, as in a stream
			for i := range pieces {
				piece = append(piece, bytes.Repeat([]byte{byte('a' + i)}, w.PartSize())...)
				whole = append(whole, piece...)
				next, err := w.Buffer(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if err := w.Part(t.Context(), piece); err != nil {
					t.Fatal(err)
				}
				piece = next
			}
			piece = append(piece, "the last"...)
			whole = append(whole, piece...)
			o, err := w.Complete(t.Context(), piece)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := s.Get("results", "r/"+name); err != nil || !bytes.Equal(got, whole) || o.Size != int64(len(whole)) {
				t.Errorf("%d bytes stored, error %v, want the %d that were written", len(got), err, len(whole))
			}
		})
	}
}

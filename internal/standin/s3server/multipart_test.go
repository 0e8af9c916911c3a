package s3server_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"bulkpresign/internal/standin/s3server"
)

// An upload in parts is invisible until it is complete, then one object; small parts, missing parts and dropped
// uploads are refused.
func TestMultipartUpload(t *testing.T) {
	s, err := s3server.Start(s3server.Config{Region: region, Buckets: []string{bucket}, Credentials: []s3server.Credentials{permanent}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	c := s3.New(s3.Options{
		Region: region, BaseEndpoint: aws.String(s.Endpoint()), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(permanent.AccessKeyID, permanent.SecretAccessKey, ""),
	})
	ctx := t.Context()
	begin := func(key string) *string {
		out, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		return out.UploadId
	}
	upload := func(key string, id *string, bodies ...[]byte) (parts []types.CompletedPart, err error) {
		for i, body := range bodies {
			number := aws.Int32(int32(i + 1))
			out, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: aws.String(bucket), Key: &key, UploadId: id, PartNumber: number, Body: bytes.NewReader(body)})
			if err != nil {
				return nil, err
			}
			parts = append(parts, types.CompletedPart{PartNumber: number, ETag: out.ETag})
		}
		return parts, nil
	}
	complete := func(key string, id *string, parts []types.CompletedPart) (*s3.CompleteMultipartUploadOutput, error) {
		return c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: aws.String(bucket), Key: &key, UploadId: id, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
		})
	}
	code := func(err error) string {
		var e smithy.APIError
		if errors.As(err, &e) {
			return e.ErrorCode()
		}
		return fmt.Sprint(err)
	}
	first, last := bytes.Repeat([]byte("a"), 5<<20), []byte("the last part")
	whole := append(bytes.Clone(first), last...)

	damaged := begin("damaged")
	if _, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: aws.String(bucket), Key: aws.String("damaged"), UploadId: damaged, PartNumber: aws.Int32(1),
		Body: bytes.NewReader(last), ContentMD5: aws.String("1B2M2Y8AsgTpgAmY7PhCfg==")}); code(err) != "BadDigest" { // of nothing
		t.Errorf("a part with the MD5 of another: %v", code(err))
	}
	if _, err := c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String("damaged"), UploadId: damaged}); err != nil {
		t.Fatal(err)
	}

	id := begin("k")
	parts, err := upload("k", id, first, last)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(bucket, "k"); !s3server.NotExist(err) {
		t.Errorf("visible before it is complete: %v", err)
	}
	wrong := []types.CompletedPart{parts[0], {PartNumber: aws.Int32(2), ETag: parts[0].ETag}}
	if _, err := complete("k", id, wrong); code(err) != "InvalidPart" {
		t.Errorf("a part of another ETag: %v", code(err))
	}
	done, err := complete("k", id, parts)
	if err != nil {
		t.Fatal(err)
	}
	again, err := complete("k", id, parts) // a client that did not get the answer asks again
	if err != nil || *again.ETag != *done.ETag {
		t.Errorf("completed again: %v", err)
	}

	get := func(byteRange *string) []byte {
		out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Range: byteRange})
		if err != nil {
			t.Fatal(err)
		}
		defer out.Body.Close()
		text, err := io.ReadAll(out.Body)
		if err != nil || *out.ETag != *done.ETag {
			t.Fatalf("read: %v", err)
		}
		return text
	}
	if !bytes.Equal(get(nil), whole) {
		t.Error("the object is not its parts")
	}
	if got := get(aws.String("bytes=5242878-5242882")); string(got) != "aathe" {
		t.Errorf("a range over the end of a part is %q", got)
	}
	list, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
	if err != nil || len(list.Contents) != 1 || *list.Contents[0].Size != int64(len(whole)) || *list.Contents[0].ETag != *done.ETag {
		t.Errorf("listed otherwise: %v", err)
	}
	if head, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")}); err != nil || *head.ContentLength != int64(len(whole)) {
		t.Errorf("HEAD: %v", err)
	}

	// What is put over it takes its place.
	if err := s.Put(bucket, "k", []byte("new")); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(bucket, "k"); string(got) != "new" {
		t.Errorf("put over it: %q, %v", got, err)
	}

	id = begin("small")
	parts, _ = upload("small", id, []byte("small"), last)
	if _, err := complete("small", id, parts); code(err) != "InvalidPart" {
		t.Errorf("a part of 5 bytes that is not the last: %v", code(err))
	}
	uploads := func() int {
		out, err := c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: aws.String(bucket)})
		if err != nil {
			t.Fatal(err)
		}
		return len(out.Uploads)
	}
	if n := uploads(); n != 1 {
		t.Errorf("%d uploads are open, want 1", n)
	}
	if _, err := c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String("small"), UploadId: id}); err != nil {
		t.Fatal(err)
	}
	if _, err := upload("small", id, last); code(err) != "NoSuchUpload" {
		t.Errorf("a part for a dropped upload: %v", code(err))
	}
	if n := uploads(); n != 0 {
		t.Errorf("%d uploads are open, want none", n)
	}
}

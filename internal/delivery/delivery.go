// Package delivery puts results where they outlive the invocation: into the results
// bucket.
package delivery

import (
	"bytes"
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bulkpresign/internal/awserr"
	"bulkpresign/internal/s3url"
)

// Bucket is the results bucket. What lies in it are live URLs, so it must be private
// and should expire its objects.
type Bucket struct {
	s3url.Folder
	load func(context.Context) (aws.Config, error) // the SDK's configuration

	mu     sync.Mutex
	client *s3.Client
}

// To makes a Bucket of what is configured, nil for nil.
func To(folder *s3url.Folder, load func(context.Context) (aws.Config, error)) *Bucket {
	if folder == nil {
		return nil
	}
	return &Bucket{Folder: *folder, load: load}
}

// Put stores body as one object and returns its key. The function's role needs
// s3:PutObject under the prefix.
func (b *Bucket) Put(ctx context.Context, name string, body []byte, mediaType, encoding string) (key string, err error) {
	return b.put(ctx, name, body, mediaType, encoding, nil)
}

// PutNew is Put where there is no such object. The error is an *awserr.Error of status 412
// where there is one. Stores without conditional writes write over it.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
func (b *Bucket) PutNew(ctx context.Context, name string, body []byte, mediaType string) error {
	_, err := b.put(ctx, name, body, mediaType, "", aws.String("*"))
	return err
}

func (b *Bucket) put(ctx context.Context, name string, body []byte, mediaType, encoding string, unless *string) (key string, err error) {
	client, err := b.connect(ctx)
	if err != nil {
		return "", err
	}
	key = b.Prefix + name
	_, err = client.PutObject(ctx, &s3.PutObjectInput{
		Bucket:              aws.String(b.Folder.Bucket),
		Key:                 aws.String(key),
		Body:                bytes.NewReader(body),
		ContentType:         aws.String(mediaType),
		ContentEncoding:     aws.String(encoding),
		CacheControl:        aws.String("no-store"),
		IfNoneMatch:         unless,
		ExpectedBucketOwner: b.owner(),
	})
	if err != nil {
		return "", awserr.Wrap("put a result into the results bucket", err)
	}
	return key, nil
}

// owner is the account that must own the bucket, lest results go to whoever took its name
// when it was given up; nil where it is not known.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
func (b *Bucket) owner() *string {
	if b.Owner == "" {
		return nil
	}
	return &b.Owner
}

// connect makes the client when the first result needs it: most environments of the
// function never do.
func (b *Bucket) connect(ctx context.Context) (*s3.Client, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.client == nil {
		c, err := b.load(ctx)
		if err != nil {
			return nil, err
		}
		b.client = s3.NewFromConfig(c, func(o *s3.Options) {
			o.Region = b.Region
			o.UsePathStyle = o.BaseEndpoint != nil // an endpoint of one's own, by AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_S3
			o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
			o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		})
	}
	return b.client, nil
}

package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bulkpresign/internal/standin/s3server"
)

const (
	region   = "eu-west-1"
	photos   = "photos"  // may be signed for
	lists    = "lists"   // where manifests lie
	results  = "results" // where results go
	manifest = "manifests/"
)

// newS3 starts an S3 server with the three buckets, which accepts one set of temporary credentials.
func newS3() (*s3server.Server, s3server.Credentials, error) {
	c := s3server.Credentials{
		AccessKeyID:     "ASIA" + rand.Text()[:16],
		SecretAccessKey: rand.Text() + rand.Text()[:14],
		SessionToken:    sessionToken(1000), // as long as a Lambda's
		Expires:         time.Now().Add(12 * time.Hour),
	}
	s, err := s3server.Start(s3server.Config{
		Region: region, Buckets: []string{photos, lists, results}, Credentials: []s3server.Credentials{c},
	})
	return s, c, err
}

func sessionToken(n int) string {
	t := ""
	for len(t) < n {
		t += rand.Text()
	}
	return t[:n]
}

// environment is the functions' own: what the template sets, and this machine's endpoints in the place of AWS. api is
// the S3 that the function itself calls; URLs lead to the server itself.
func environment(c s3server.Credentials, s *s3server.Server, api string, more ...string) []string {
	return append([]string{
		"AWS_ACCESS_KEY_ID=" + c.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + c.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + c.SessionToken,
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_ENDPOINT_URL_S3=" + api,
		"PRESIGN_ENDPOINT_URL=" + s.Endpoint(),
		"PRESIGN_ADDRESSING=path",
		"PRESIGN_BUCKETS=" + photos,
		"PRESIGN_OPERATIONS=GetObject,PutObject",
		"PRESIGN_RESULTS_BUCKET=" + results,
		"PRESIGN_MANIFEST_BUCKET=" + lists,
		"PRESIGN_MANIFEST_PREFIX=" + manifest,
	}, more...)
}

func s3Client(c s3server.Credentials, endpoint string) *s3.Client {
	return s3.New(s3.Options{
		Region: region, BaseEndpoint: &endpoint, UsePathStyle: true,
		Credentials:                credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	})
}

// put stores an object and returns its ETag, without quotation marks.
func put(ctx context.Context, c *s3.Client, bucket, key string, body io.ReadSeeker, metadata map[string]string) (etag string, err error) {
	out, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: body, Metadata: metadata})
	if err != nil {
		return "", fmt.Errorf("put %s: %w", key, err)
	}
	tag := aws.ToString(out.ETag)
	return tag[1 : len(tag)-1], nil
}

// keysOf lists a bucket.
func keysOf(ctx context.Context, c *s3.Client, bucket string) (keys []string, err error) {
	pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", bucket, err)
		}
		for _, o := range page.Contents {
			keys = append(keys, *o.Key)
		}
	}
	return keys, nil
}

// created is the notification that S3 sends of a new object.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
func created(bucket, key, etag string, size int64, sequencer string) []byte {
	record := map[string]any{
		"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": region,
		"eventTime": "2026-11-23T08:00:00.000Z", "eventName": "ObjectCreated:Put",
		"userIdentity":      map[string]string{"principalId": "AWS:AIDAINPONIXQXHT3IKHL2"},
		"requestParameters": map[string]string{"sourceIPAddress": "192.0.2.1"},
		"responseElements":  map[string]string{"x-amz-request-id": "0123456789ABCDEF", "x-amz-id-2": "id"},
		"s3": map[string]any{
			"s3SchemaVersion": "1.0", "configurationId": "lists",
			"bucket": map[string]any{"name": bucket, "ownerIdentity": map[string]string{"principalId": "A3NL1KOZZKExample"}, "arn": "arn:aws:s3:::" + bucket},
			"object": map[string]any{"key": url.QueryEscape(key), "size": size, "eTag": etag, "sequencer": sequencer},
		},
	}
	event, err := json.Marshal(map[string]any{"Records": []any{record}})
	if err != nil {
		panic(err) // maps of strings
	}
	return event
}

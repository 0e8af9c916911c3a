package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"bulkpresign/internal/check/rawhttp"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/standin/runtimeapi"
)

// The buckets of the cases.
const (
	plainBucket  = "verify"
	lockedBucket = "verify-locked" // with versions and object lock
)

// startFunction starts the function as Lambda would: with credentials in its environment, of which it knows no end.
func startFunction(ctx context.Context, binary, endpoint, region string, c aws.Credentials, log io.Writer, env ...string) (*runtimeapi.Function, error) {
	return runtimeapi.Start(ctx, runtimeapi.Config{
		Binary:  binary,
		Log:     log,
		Region:  region,
		Timeout: 29 * time.Second, // as in template.yaml
		Env: append([]string{
			"AWS_ACCESS_KEY_ID=" + c.AccessKeyID,
			"AWS_SECRET_ACCESS_KEY=" + c.SecretAccessKey,
			"AWS_SESSION_TOKEN=" + c.SessionToken,
			"PRESIGN_BUCKETS=" + plainBucket + "," + lockedBucket,
			"PRESIGN_OPERATIONS=GetObject,HeadObject,PutObject,DeleteObject,UploadPart",
			"PRESIGN_ENDPOINT_URL=" + endpoint,
			"PRESIGN_ADDRESSING=path",
			"AWS_CONFIG_FILE=" + os.DevNull,
			"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
			"AWS_EC2_METADATA_DISABLED=true",
		}, env...),
	})
}

// A batch is the function's answer to a direct invoke.
type batch struct {
	Operation   string
	ExpiresAt   time.Time                    `json:"expires_at"`
	Basis       string                       `json:"expires_at_basis"`
	URLs        map[string]string            `json:"urls"`
	PartURLs    map[string]map[string]string `json:"part_urls"`
	Posts       map[string]signedForm
	Uploads     map[string]signedUpload
	Headers     map[string]string            `json:"headers"`
	ItemHeaders map[string]map[string]string `json:"item_headers"`
	Errors      map[string]struct{ Code, Message string }
}

// sign asks the function. A key that was not signed is an error: every key and option here can be.
func sign(ctx context.Context, f *runtimeapi.Function, event map[string]any) (*batch, error) {
	payload, err := json.Marshal(event)
	if err != nil {
		return nil, err
	}
	answer, err := f.Invoke(ctx, payload)
	if err != nil {
		return nil, err
	}
	b := new(batch)
	if err := json.Unmarshal(answer, b); err != nil {
		return nil, errors.New("the function's answer is not the JSON that was promised")
	}
	for key, e := range b.Errors {
		return nil, fmt.Errorf("the function does not sign %q: %s: %s", key, e.Code, e.Message)
	}
	return b, nil
}

// A request is what the holder of a URL sends.
type request struct {
	method, url string
	headers     map[string]string
	body        []byte
}

// request is the one for a key, with the headers that the answer names for it.
func (b *batch) request(key string, body []byte) (request, error) {
	url, ok := b.URLs[key]
	if !ok {
		return request{}, errors.New("the function's answer lacks a key")
	}
	return b.fill(key, url, body), nil
}

func (b *batch) fill(key, url string, body []byte) request {
	headers := b.Headers
	if h, ok := b.ItemHeaders[key]; ok {
		headers = h
	}
	operation, _ := s3op.ParseOperation(b.Operation)
	return request{method: operation.Method(), url: url, headers: clone(headers), body: body}
}

func clone(headers map[string]string) map[string]string {
	c := maps.Clone(headers)
	if c == nil {
		c = map[string]string{}
	}
	return c
}

// requestTimeout is for a server that hangs. None of them takes a second.
const requestTimeout = time.Minute

// send sends a request as it stands. Errors do not show the URL.
func (q request) send(ctx context.Context) (*rawhttp.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return rawhttp.Do(ctx, q.method, q.url, q.headers, q.body)
}

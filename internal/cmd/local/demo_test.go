package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// The function in these tests is this test binary, started again under a name that says what is wrong with it. It
// signs with the SDK. The real function is in real_test.go; here the demo itself is tested: it must fail when the
// function is wrong in any way.
func TestMain(m *testing.M) {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		code := m.Run()
		removeFunction()
		os.Exit(code)
	}
	f := standIn{fault: filepath.Base(os.Args[0])}
	if f.fault == "cannot start" {
		fmt.Println(`{"msg":"no configuration"}`)
		os.Exit(4)
	}
	lambda.Start(f.handle)
}

type standIn struct{ fault string }

type batch struct {
	Operation   string   `json:"operation"`
	Keys        []string `json:"keys"`
	ContentType string   `json:"content_type"`
}

func (f standIn) handle(ctx context.Context, event json.RawMessage) (any, error) {
	var http struct {
		RequestContext json.RawMessage
		Body           string
	}
	if err := json.Unmarshal(event, &http); err != nil {
		return nil, err
	}
	overHTTP := http.RequestContext != nil
	if overHTTP {
		event = json.RawMessage(http.Body)
	}
	var b batch
	if err := json.Unmarshal(event, &b); err != nil {
		return nil, err
	}
	if f.fault == "refuses events" && len(b.Keys) == 2 { // those of the sample events
		if !overHTTP {
			return nil, fmt.Errorf("refused")
		}
		return map[string]any{"statusCode": 400, "body": `{"code":"InvalidRequest"}`}, nil
	}
	answer, err := f.sign(ctx, b)
	if err != nil || !overHTTP {
		return answer, err
	}
	body, err := json.Marshal(answer)
	return map[string]any{"statusCode": 200, "headers": map[string]string{"content-type": "application/json"}, "body": string(body)}, err
}

func (f standIn) sign(ctx context.Context, b batch) (any, error) {
	p := s3.NewPresignClient(s3.New(s3.Options{
		Region:       os.Getenv("AWS_REGION"),
		BaseEndpoint: aws.String(os.Getenv("PRESIGN_ENDPOINT_URL")),
		UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(
			os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
	}))
	if b.Operation == "" {
		b.Operation = "GetObject"
	}
	bucket := aws.String(os.Getenv("PRESIGN_BUCKETS"))
	urls, headers := map[string]string{}, map[string]string{}
	errs := map[string]map[string]string{}
	for i, k := range b.Keys {
		if strings.Contains(k, "../") && f.fault != "signs unsafe keys" {
			errs[k] = map[string]string{"code": "UnsafeKey", "message": "has a dot segment"}
			continue
		}
		if f.fault == "leaves one out" && i == 1 {
			continue
		}
		key := aws.String(k)
		if f.fault == "signs another key" && b.Operation == "GetObject" {
			key = aws.String(strings.ReplaceAll(k, " ", "+"))
		}
		var req *v4.PresignedHTTPRequest
		var err error
		switch b.Operation {
		case "GetObject":
			req, err = p.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key})
		case "HeadObject":
			req, err = p.PresignHeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: key})
		case "DeleteObject":
			req, err = p.PresignDeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: key})
		case "PutObject":
			in := &s3.PutObjectInput{Bucket: bucket, Key: key}
			if b.ContentType != "" {
				in.ContentType = &b.ContentType
			}
			req, err = p.PresignPutObject(ctx, in)
		}
		if err != nil {
			return nil, err
		}
		urls[k] = req.URL
		if f.fault == "breaks signatures" {
			urls[k] = strings.Replace(req.URL, "X-Amz-Signature=", "X-Amz-Signature=0", 1)
		}
		for name, values := range req.SignedHeader {
			if name != "Host" && f.fault != "hides headers" {
				headers[strings.ToLower(name)] = strings.Join(values, ",")
			}
		}
	}
	return map[string]any{"bucket": *bucket, "operation": b.Operation, "urls": urls, "headers": headers, "errors": errs}, nil
}

// binary is this test binary under the name of a fault.
func binary(t *testing.T, fault string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), fault)
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	return path
}

var sampleEvents = map[string]string{
	"direct.json": `{"keys":["a b.txt","c.txt"]}`,
	"http.json":   `{"version":"2.0","requestContext":{"http":{"method":"POST"}},"body":"{\"keys\":[\"a b.txt\",\"d.txt\"]}"}`,
	"put.json":    `{"operation":"PutObject","content_type":"image/png","keys":["e.png","f.png"]}`,
	"head.json":   `{"operation":"HeadObject","keys":["a b.txt","g.txt"]}`,
	"delete.json": `{"operation":"DeleteObject","keys":["a b.txt","h.txt"]}`,
	"sqs.json":    `{"Records":[]}`,
}

func eventFolder(t *testing.T, events map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, event := range events {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(event), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDemo(t *testing.T) {
	var out strings.Builder
	if err := demo(t.Context(), alone(binary(t, "good")), eventFolder(t, sampleEvents), true, &out); err != nil {
		t.Fatalf("%v", err) // not the output, since it shows URLs
	}
	// 7 files up and down; 2 keys in 5 events, for 4 of which the objects are uploaded first.
	const want = "\ndemo: 32/32 URLs worked, 1 tampered URL refused, 1 unsafe key refused\nnext: "
	if !strings.Contains(out.String(), want) {
		t.Errorf("the last lines are not %q", want)
	}
	for _, want := range []string{
		"S3 says 403 SignatureDoesNotMatch",
		"the pre-signer says UnsafeKey",
		"is for the functions that do jobs",
		`"urls": {`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q", want)
		}
	}
	if strings.Contains(out.String(), "FAILED") {
		t.Error("the output says that something failed")
	}
}

func TestDemoFails(t *testing.T) {
	tests := []struct {
		fault string
		says  string // in the output or the error
	}{
		{"breaks signatures", "PUT: S3 answered 403 SignatureDoesNotMatch"},
		{"signs another key", "GET: S3 answered 404 NoSuchKey"},
		{"signs unsafe keys", `the key ../x: error "", want UnsafeKey`},
		{"leaves one out", "no URL for it"},
		{"hides headers", "FAILED"},
		{"refuses events", "400 InvalidRequest"},
		{"cannot start", `{"msg":"no configuration"}`},
	}
	for _, tt := range tests {
		t.Run(tt.fault, func(t *testing.T) {
			var out strings.Builder
			err := demo(t.Context(), alone(binary(t, tt.fault)), eventFolder(t, sampleEvents), false, &out)
			if err == nil {
				t.Fatal("the demo says that all is well")
			}
			if !strings.Contains(out.String()+err.Error(), tt.says) {
				t.Errorf("the demo does not say %q; the error is %v", tt.says, err)
			}
			if strings.Contains(err.Error(), "X-Amz-") {
				t.Error("the error shows a URL")
			}
		})
	}

	t.Run("no events", func(t *testing.T) {
		if err := demo(t.Context(), alone(binary(t, "good")), t.TempDir(), false, io.Discard); err == nil {
			t.Error("the demo says that all is well")
		}
	})
	t.Run("only others' events", func(t *testing.T) {
		events := maps.Clone(sampleEvents)
		maps.DeleteFunc(events, func(name, _ string) bool { return name != "sqs.json" })
		if err := demo(t.Context(), alone(binary(t, "good")), eventFolder(t, events), false, io.Discard); err == nil {
			t.Error("the demo says that all is well")
		}
	})
	t.Run("an event that is not JSON", func(t *testing.T) {
		if err := demo(t.Context(), alone(binary(t, "good")), eventFolder(t, map[string]string{"a.json": "{"}), false, io.Discard); err == nil {
			t.Error("the demo says that all is well")
		}
	})
	t.Run("no binary", func(t *testing.T) {
		err := demo(t.Context(), alone(filepath.Join(t.TempDir(), "bootstrap")), t.TempDir(), false, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "make build") {
			t.Errorf("got %v, want a hint", err)
		}
	})
}

// alone is a machine with an api function and no other.
func alone(api string) setup {
	return setup{api: api, addr: "127.0.0.1:0", operations: "GetObject,HeadObject,PutObject,DeleteObject"}
}

// serve is up until its context ends, and leaves nothing behind.
func TestServe(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		set := alone(binary(t, "good"))
		set.log = lines{io.Discard}
		done <- serve(ctx, set, w)
		w.Close()
	}()
	var greeting bytes.Buffer
	buf := make([]byte, 4096)
	for !strings.Contains(greeting.String(), "A line for each request") {
		n, err := r.Read(buf)
		if err != nil {
			t.Fatalf("%v before it was up: %v", err, <-done)
		}
		greeting.Write(buf[:n])
	}
	_, rest, _ := strings.Cut(greeting.String(), "HTTP    ")
	url, _, _ := strings.Cut(rest, "/presign")
	resp, err := http.Post(url+"/presign", "application/json", strings.NewReader(`{"keys":["a"]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer result
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != 200 || answer.URLs["a"] == "" {
		t.Errorf("answer is %d with %d URLs, %v", resp.StatusCode, len(answer.URLs), err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("serve ended with %v", err)
	}
	if _, err := http.Get(url); err == nil {
		t.Error("somebody still listens")
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"help"}, {"demo", "extra"}, {"serve", "-nope"}} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

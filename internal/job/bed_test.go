// The tests of this package run the real binary of the jobs function under a local Lambda
// runtime, with an S3 server behind it that verifies signatures, and a queue in front.
package job_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/check/logcheck"
	"bulkpresign/internal/check/openapi"
	"bulkpresign/internal/check/rawhttp"
	"bulkpresign/internal/standin/runtimeapi"
	"bulkpresign/internal/standin/s3server"
	"bulkpresign/internal/standin/sqsserver"
)

const region = "eu-west-1"

var (
	binary string // the function, built as it is deployed
	logs   logcheck.Book
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "job")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(folder)
	binary = filepath.Join(folder, "bootstrap")
	build := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", binary, "bulkpresign/functions/jobs")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Printf("go build: %v\n%s", err, out)
		return 1
	}
	code := m.Run()
	for _, p := range logs.Problems() {
		fmt.Println("FAIL: the log:", p)
		code = 1
	}
	return code
}

// bed is S3, SQS and the function. Buckets: photos is signed for, lists has
// lists under manifests/, results the results.
type bed struct {
	s3server *s3server.Server
	s3       *s3.Client
	sqs      *sqs.Client
	queueURL string // the function's own queue
	notes    string // the notifications' queue
	env      []string
	log      logcheck.Book // what its functions wrote
}

// newBed starts S3 and SQS. front, if it is not nil, stands before S3.
func newBed(t *testing.T, front func(http.Handler) http.Handler) *bed {
	t.Helper()
	c := s3server.Credentials{
		AccessKeyID: "ASIA" + rand.Text()[:16], SecretAccessKey: rand.Text() + "/+" + rand.Text(), SessionToken: rand.Text() + "/+=" + rand.Text(),
	}
	logs.KeepOut(c.SecretAccessKey, c.SessionToken, c.SessionToken[:20])
	b := new(bed)
	var err error
	b.s3server, err = s3server.Start(s3server.Config{Region: region, Buckets: []string{"photos", "other", "lists", "results"}, Credentials: []s3server.Credentials{c}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.s3server.Close)
	queues, err := sqsserver.Start(sqsserver.Config{Region: region})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(queues.Close)
	s3Endpoint := b.s3server.Endpoint()
	if front != nil {
		s3Endpoint = listen(t, front(b.s3server))
	}
	static := credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)
	b.s3 = s3.New(s3.Options{BaseEndpoint: aws.String(b.s3server.Endpoint()), Region: region, Credentials: static, UsePathStyle: true})
	b.sqs = sqs.New(sqs.Options{BaseEndpoint: aws.String(queues.Endpoint()), Region: region, Credentials: static})
	for _, q := range []struct {
		name string
		url  *string
	}{{"jobs", &b.queueURL}, {"notes", &b.notes}} {
		out, err := b.sqs.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &q.name})
		if err != nil {
			t.Fatal(err)
		}
		*q.url = *out.QueueUrl
	}
	b.env = []string{
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID=" + c.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + c.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + c.SessionToken,
		"AWS_ENDPOINT_URL_S3=" + s3Endpoint,
		"AWS_ENDPOINT_URL_SQS=" + queues.Endpoint(),
		"PRESIGN_ENDPOINT_URL=" + b.s3server.Endpoint(),
		"PRESIGN_BUCKETS=photos",
		"PRESIGN_OPERATIONS=GetObject,PutObject",
		"PRESIGN_RESULTS_BUCKET=results",
		"PRESIGN_MANIFEST_BUCKET=lists",
		"PRESIGN_QUEUE_URL=" + b.queueURL,
	}
	return b
}

// listen serves on a free port until the test ends.
func listen(t *testing.T, h http.Handler) (endpoint string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// start starts the function. env comes on top of the bed's.
func (b *bed) start(t *testing.T, timeout time.Duration, env ...string) *runtimeapi.Function {
	t.Helper()
	fn, err := runtimeapi.Start(context.WithoutCancel(t.Context()), runtimeapi.Config{
		Binary: binary, Name: "jobs", Log: io.MultiWriter(&b.log, &logs), Timeout: timeout, Region: region, MemoryMB: 1769,
		Env: append(b.env[:len(b.env):len(b.env)], env...),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fn.Close)
	return fn
}

// put stores an object and gives its ETag without quotation marks.
func (b *bed) put(t *testing.T, bucket, key string, body []byte, metadata map[string]string) string {
	t.Helper()
	out, err := b.s3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(body), Metadata: metadata})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Trim(*out.ETag, `"`)
}

// keys are those of a bucket.
func (b *bed) keys(t *testing.T, bucket string) (keys []string) {
	t.Helper()
	pages := s3.NewListObjectsV2Paginator(b.s3, &s3.ListObjectsV2Input{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			keys = append(keys, *o.Key)
		}
	}
	return keys
}

// uploads is how many uploads to the results bucket were begun and not ended.
func (b *bed) uploads(t *testing.T) int {
	t.Helper()
	out, err := b.s3.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String("results")})
	if answer := smithy.APIError(nil); errors.As(err, &answer) && answer.ErrorCode() == "NoSuchUpload" {
		return 0 // gofakes3's answer for a bucket that never had one
	}
	if err != nil {
		t.Fatal(err)
	}
	return len(out.Uploads)
}

// summary is summary.json.
type summary struct {
	Source struct {
		Kind     string
		Manifest *struct{ Bucket, Key, ETag string }
		Prefix   *string
		Object   *struct{ Bucket, Key, ETag string }
	}
	Bucket, Operation string
	SignedAt          time.Time  `json:"signed_at"`
	ExpiresIn         int64      `json:"expires_in"`
	ExpiresAt         time.Time  `json:"expires_at"`
	Basis             bulk.Basis `json:"expires_at_basis"`
	Entries, Signed   int64
	Failed            map[string]int64
	Errors            []bulk.Failure
	Warnings          *struct {
		Count int64
		First []struct {
			Line         int64
			Key, Message string
		}
	}
	Headers map[string]string
	Result  *result
	Parts   []struct {
		result
		Entries, Signed int64
		Failed          map[string]int64
		ExpiresAt       time.Time `json:"expires_at"`
	}
	Error *struct {
		Code, Message string
		Line          int64
	}
	URL string `json:"result_url"` // of notifications
}

// result is where one lies.
type result struct {
	Bucket, Key, ETag, Format, Encoding string
	Size                                int64
}

// only is the summary of the one job there was, and its folder.
func (b *bed) only(t *testing.T) (*summary, string) {
	t.Helper()
	var found []string
	for _, key := range b.keys(t, "results") {
		if folder, ok := strings.CutSuffix(key, "/summary.json"); ok {
			found = append(found, folder)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d summaries, want one", len(found))
	}
	return b.summary(t, found[0]), found[0]
}

func (b *bed) summary(t *testing.T, folder string) *summary {
	t.Helper()
	text, err := b.s3server.Get("results", folder+"/summary.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"X-Amz-", "http://"} {
		if bytes.Contains(text, []byte(secret)) {
			t.Error("the summary holds a URL")
		}
	}
	schema, err := openapi.ReadSchema("../../docs/schemas/summary.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := openapi.Validate(schema, text); err != nil {
		t.Errorf("the summary is not as docs/schemas describes it: %v", err)
	}
	s := new(summary)
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		t.Fatal(err)
	}
	return s
}

// line is one of a result.
type line struct {
	Key, URL string
	Headers  map[string]string
	Error    struct{ Code, Message string }
}

// lines reads a result that has a line for each entry.
func (b *bed) lines(t *testing.T, s *summary) []line {
	t.Helper()
	lines := b.allLines(t, s)
	if int64(len(lines)) != s.Entries {
		t.Errorf("the result has %d lines, the summary says %d", len(lines), s.Entries)
	}
	return lines
}

// allLines reads a result.
func (b *bed) allLines(t *testing.T, s *summary) (lines []line) {
	t.Helper()
	if s.Result == nil {
		t.Fatalf("there is no result: %+v", s.Error)
	}
	body, err := b.s3server.Get(s.Result.Bucket, s.Result.Key)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(body)) != s.Result.Size {
		t.Errorf("the result has %d bytes, the summary says %d", len(body), s.Result.Size)
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	z.Multistream(false) // as browsers read it
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	for text := range strings.Lines(string(text)) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		if (l.URL == "") == (l.Error.Code == "") {
			t.Fatalf("the line of %q has neither URL nor error, or both", l.Key)
		}
		lines = append(lines, l)
	}
	return lines
}

// works tells whether a URL leads to an object with this content.
func works(t *testing.T, url, content string) {
	t.Helper()
	r, err := rawhttp.Do(t.Context(), "GET", url, nil, nil)
	if err != nil || r.Status != 200 || string(r.Body) != content {
		t.Errorf("a URL does not work: error %v, answer %+v", err, r != nil && r.Status == 200)
	}
}

// receive takes the messages that wait in a queue.
func (b *bed) receive(t *testing.T, url string) (bodies []string) {
	t.Helper()
	for {
		out, err := b.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			return bodies
		}
		for _, m := range out.Messages {
			bodies = append(bodies, *m.Body)
			if _, err := b.sqs.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// deliver has a function answer a message, which must not come again.
func deliver(t *testing.T, fn *runtimeapi.Function, bodies ...string) {
	t.Helper()
	answer, err := fn.Invoke(t.Context(), sqsEvent(bodies...))
	if err != nil || string(answer) != `{"batchItemFailures":[]}` {
		t.Fatalf("%s, %v", answer, err)
	}
}

// withoutHost is what the lines of two servers have in common, signatures aside.
func withoutHost(lines []line) (all []string) {
	for _, l := range lines {
		url, _, _ := strings.Cut(strings.TrimPrefix(l.URL, "http://"), "?")
		_, path, _ := strings.Cut(url, "/")
		all = append(all, strings.Join([]string{l.Key, path, l.Error.Code, l.Error.Message}, " | "))
	}
	return all
}

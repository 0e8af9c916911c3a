// The tests of this package run the real binary under a local Lambda runtime API, with an S3 server behind it that
// verifies what was signed. Nothing of the function's own code is linked into them.
package main_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bulkpresign/internal/check/logcheck"
	"bulkpresign/internal/standin/runtimeapi"
	"bulkpresign/internal/standin/s3server"
)

const region = "eu-west-1"

// binary is the function as the template deploys it.
var binary string

// logs is everything that any function of this test run wrote.
var logs logcheck.Book

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "api")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "bootstrap")
	build := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Printf("go build: %v\n%s", err, out)
		return 1
	}
	code := m.Run()
	closeAll() // so that every line has been written
	problems := logs.Problems()
	for _, p := range problems {
		fmt.Println("FAIL: the log:", p)
	}
	if len(problems) > 0 {
		return 1
	}
	return code
}

// A system is a function and the S3 server that its URLs lead to.
type system struct {
	s3          *s3server.Server
	clock       *atomic.Int64 // seconds that the server's clock is ahead
	fn          *runtimeapi.Function
	credentials s3server.Credentials
	log         *logcheck.Book // what the function wrote
}

// records waits for so many lines of the function's log that have a member: they may be
// written after an answer is read.
func (s *system) records(t *testing.T, n int, member string) []map[string]any {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		r := s.log.Records(member)
		if len(r) >= n {
			return r
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d lines have the member %s, want %d", len(r), member, n)
		}
	}
}

var (
	running   []*system
	runningMu sync.Mutex
)

func closeAll() {
	runningMu.Lock()
	defer runningMu.Unlock()
	for _, s := range running {
		s.fn.Close()
		s.s3.Close()
	}
}

func newCredentials() s3server.Credentials {
	c := s3server.Credentials{
		AccessKeyID:     "ASIA" + rand.Text()[:16],
		SecretAccessKey: rand.Text() + "/+" + rand.Text(),
		SessionToken:    rand.Text() + "/+=" + rand.Text(),
	}
	logs.KeepOut(c.SecretAccessKey, c.SessionToken, c.SessionToken[:20])
	return c
}

// credentialsOf is how Lambda hands a role's credentials out.
func credentialsOf(c s3server.Credentials) []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + c.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + c.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + c.SessionToken,
	}
}

// start starts a system that lives until the end of the test run. credentials are
// accepted by S3; the function gets what env says, in which {endpoint} is S3's.
func start(c s3server.Credentials, env ...string) *system {
	return startWith([]s3server.Credentials{c}, env...)
}

// startWith is start for a function that signs with different credentials over time.
func startWith(accepted []s3server.Credentials, env ...string) *system {
	s := &system{clock: new(atomic.Int64), credentials: accepted[0], log: new(logcheck.Book)}
	var err error
	s.s3, err = s3server.Start(s3server.Config{
		Region:      region,
		Buckets:     []string{"photos", "other"},
		Credentials: accepted,
		Now:         func() time.Time { return time.Now().Add(time.Duration(s.clock.Load()) * time.Second) },
	})
	if err != nil {
		panic(err)
	}
	for i := range env {
		env[i] = strings.ReplaceAll(env[i], "{endpoint}", s.s3.Endpoint())
	}
	s.fn, err = runtimeapi.Start(context.Background(), runtimeapi.Config{
		Binary:   binary,
		Log:      io.MultiWriter(s.log, &logs),
		Timeout:  29 * time.Second,
		Region:   region,
		MemoryMB: 1769,
		Env: append([]string{
			"AWS_CONFIG_FILE=" + os.DevNull,
			"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
			"AWS_EC2_METADATA_DISABLED=true",
			"PRESIGN_ENDPOINT_URL=" + s.s3.Endpoint(),
		}, env...),
	})
	if err != nil {
		s.s3.Close()
		panic(err)
	}
	runningMu.Lock()
	running = append(running, s)
	runningMu.Unlock()
	return s
}

// open is a system that allows everything.
var open = sync.OnceValue(func() *system {
	c := newCredentials()
	return start(c, append(credentialsOf(c),
		"PRESIGN_BUCKETS=photos",
		"PRESIGN_OPERATIONS=GetObject,HeadObject,PutObject,DeleteObject,UploadPart",
		"PRESIGN_MAX_EXPIRES_IN=604800",
	)...)
})

// narrow is a system that allows little.
var narrow = sync.OnceValue(func() *system {
	c := newCredentials()
	return start(c, append(credentialsOf(c),
		"PRESIGN_BUCKETS=photos,other",
		"PRESIGN_OPERATIONS=GET,PUT",
		"PRESIGN_KEY_PREFIX=in/",
		"PRESIGN_MAX_EXPIRES_IN=600",
		"PRESIGN_MAX_KEYS=12",
	)...)
})

// result is the answer of the contract.
type result struct {
	Bucket         string                       `json:"bucket"`
	Operation      string                       `json:"operation"`
	SignedAt       time.Time                    `json:"signed_at"`
	ExpiresIn      int64                        `json:"expires_in"`
	ExpiresAt      time.Time                    `json:"expires_at"`
	ExpiresAtBasis string                       `json:"expires_at_basis"`
	URLs           urls                         `json:"urls"`
	PartURLs       map[string]map[string]string `json:"part_urls"`
	Headers        map[string]string            `json:"headers"`
	ItemHeaders    map[string]map[string]string `json:"item_headers"`
	Errors         map[string]keyError          `json:"errors"`
	Warnings       map[string]string            `json:"warnings"`
	Objects        map[string]object            `json:"objects"`
	Next           string                       `json:"continuation_token"`
}

// object is what S3 says of one.
type object struct {
	Size         int64     `json:"size"`
	ETag         string    `json:"etag"`
	LastModified time.Time `json:"last_modified"`
	StorageClass string    `json:"storage_class"`
}

type keyError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// urls is an object whose order counts.
type urls struct {
	keys []string
	of   map[string]string
}

func (u *urls) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("urls is no object")
	}
	u.of = map[string]string{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		var url string
		if err := d.Decode(&url); err != nil {
			return err
		}
		u.keys = append(u.keys, key.(string))
		u.of[key.(string)] = url
	}
	if len(u.of) != len(u.keys) {
		return errors.New("urls has a key twice")
	}
	return nil
}

// headersFor is what the client must send with the URL of a key.
func (r *result) headersFor(key string) map[string]string {
	if h, ok := r.ItemHeaders[key]; ok {
		return h
	}
	return r.Headers
}

// failure is a request that failed, however it was sent.
type failure struct {
	code, detail string
}

func decodeResult(t *testing.T, text []byte) *result {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	r := new(result)
	if err := d.Decode(r); err != nil {
		t.Fatalf("the answer is not the contract's: %v", err)
	}
	if r.URLs.of == nil {
		t.Fatal("the answer has no urls")
	}
	for key := range r.Errors {
		if _, both := r.URLs.of[key]; both {
			t.Errorf("key %q is in urls and in errors", key)
		}
	}
	return r
}

// direct invokes the function with a request.
func (s *system) direct(t *testing.T, request string) (*result, *failure) {
	t.Helper()
	payload, err := s.fn.Invoke(t.Context(), []byte(request))
	var f *runtimeapi.FunctionError
	switch {
	case errors.As(err, &f):
		return nil, &failure{f.Type, f.Message}
	case err != nil:
		t.Fatalf("invoke: %v", err)
	}
	return decodeResult(t, payload), nil
}

// mustSign is direct for a request that must be answered.
func (s *system) mustSign(t *testing.T, request string) *result {
	t.Helper()
	r, f := s.direct(t, request)
	if f != nil {
		t.Fatalf("the request failed: %s: %s", f.code, f.detail)
	}
	return r
}

// response is a proxy integration's answer.
type response struct {
	StatusCode      int               `json:"statusCode"`
	Headers         map[string]string `json:"headers"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
	Body            string            `json:"body"`
}

func (r *response) header(name string) string {
	for n, v := range r.Headers {
		if strings.EqualFold(n, name) {
			return v
		}
	}
	return ""
}

func (r *response) body(t *testing.T) []byte {
	t.Helper()
	if !r.IsBase64Encoded {
		return []byte(r.Body)
	}
	b, err := base64.StdEncoding.DecodeString(r.Body)
	if err != nil {
		t.Fatal("the body is not base64")
	}
	return b
}

// decodeResponse reads what API Gateway would.
func decodeResponse(t *testing.T, payload []byte) *response {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	r := new(response)
	if err := d.Decode(r); err != nil || r.StatusCode == 0 {
		t.Fatalf("the answer is not a proxy integration's (error: %v)", err != nil)
	}
	return r
}

// send invokes the function with an HTTP event. Whatever the request, the answer is
// HTTP too.
func (s *system) send(t *testing.T, event []byte) *response {
	t.Helper()
	payload, err := s.fn.Invoke(t.Context(), event)
	if err != nil {
		t.Fatalf("an HTTP event failed the function: %v", err)
	}
	return decodeResponse(t, payload)
}

// httpAPI is an HTTP API's event, and a Function URL's: payload 2.0.
func httpAPI(method, body string, headers map[string]string) []byte {
	return mustJSON(map[string]any{
		"version": "2.0", "routeKey": "$default", "rawPath": "/", "rawQueryString": "", "headers": headers,
		"requestContext": map[string]any{
			"accountId": "123456789012", "requestId": "id", "http": map[string]any{"method": method, "path": "/"},
		},
		"body": body, "isBase64Encoded": false,
	})
}

// restAPI is a REST API's event.
func restAPI(method, body string, headers map[string]string) []byte {
	multi := map[string][]string{}
	for name, value := range headers {
		multi[name] = []string{value}
	}
	return mustJSON(map[string]any{
		"resource": "/", "path": "/", "httpMethod": method, "headers": headers, "multiValueHeaders": multi,
		"queryStringParameters": nil, "pathParameters": nil, "stageVariables": nil,
		"requestContext": map[string]any{"httpMethod": method, "stage": "prod", "identity": map[string]any{}},
		"body":           body, "isBase64Encoded": false,
	})
}

// inBase64 sends an event's body as API Gateway sends what is no text.
func inBase64(event []byte) []byte {
	var e map[string]any
	if err := json.Unmarshal(event, &e); err != nil {
		panic(err)
	}
	e["body"] = base64.StdEncoding.EncodeToString([]byte(e["body"].(string)))
	e["isBase64Encoded"] = true
	return mustJSON(e)
}

func mustJSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// problem is the contract's answer to a request that failed.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
	Fits   *int   `json:"fits"`
}

// decodeProblem checks all that every problem must have.
func decodeProblem(t *testing.T, r *response) *problem {
	t.Helper()
	if got := r.header("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type is %q, want application/problem+json", got)
	}
	p := new(problem)
	d := json.NewDecoder(bytes.NewReader(r.body(t)))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		t.Fatalf("the body is no problem of the contract: %v", err)
	}
	if p.Status != r.StatusCode {
		t.Errorf("status is %d in the body and %d in HTTP", p.Status, r.StatusCode)
	}
	if p.Title == "" || p.Detail == "" {
		t.Errorf("the problem lacks a member: title %q, detail %q", p.Title, p.Detail)
	}
	if want := "docs/reference.md#" + strings.ToLower(p.Code); p.Type != want {
		t.Errorf("type is %q, want the address of the code's section, %q", p.Type, want)
	}
	if got := r.header("Allow"); (got == "POST") != (p.Status == 405) {
		t.Errorf("Allow is %q with status %d", got, p.Status)
	}
	if (p.Fits != nil) != (p.Code == "ResponseTooLarge") {
		t.Errorf("fits is there: %v, with code %s", p.Fits != nil, p.Code)
	}
	return p
}

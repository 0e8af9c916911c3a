package gatewayevent_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/gatewayevent"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/s3url"
	"bulkpresign/internal/sigv4"
)

const (
	secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	token  = "FwoGZXIvYXdzEXAMPLETOKEN"
)

type fixed struct{ now bulk.Credentials }

func (f fixed) Credentials(context.Context, *bulk.Need) (bulk.Credentials, error) { return f.now, nil }

// handler is the real thing with a clock and credentials that stand still.
func handler(log io.Writer) *gatewayevent.Handler {
	return &gatewayevent.Handler{
		Service: &bulk.Service{
			Policy: policy.Policy{
				Buckets:          []string{"photos"},
				Operations:       []s3op.Operation{s3op.GetObject, s3op.HeadObject, s3op.PutObject, s3op.DeleteObject, s3op.UploadPart},
				DefaultExpiresIn: 900 * time.Second,
				MaxExpiresIn:     policy.MaxExpiresIn,
				MaxKeys:          1000,
			},
			Locate: func(bucket string) (s3url.Location, error) {
				return s3url.Resolve(context.Background(), bucket, s3url.Settings{Region: "eu-west-1"})
			},
			Credentials: credentials(),
			Now:         func() time.Time { return time.Date(2026, 11, 23, 8, 0, 0, 999, time.UTC) },
		},
		Log: slog.New(slog.NewJSONHandler(log, nil)),
	}
}

// invoke gives the answer of one piece.
func invoke(h *gatewayevent.Handler, ctx context.Context, event []byte) ([]byte, error) {
	answer, err := h.Invoke(ctx, event)
	return answer.Whole, err
}

func credentials() bulk.CredentialsSource {
	return fixed{bulk.Credentials{Credentials: sigv4.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: secret, SessionToken: token}}}
}

// callersFault are the codes of whole requests that are the caller's to mend.
var callersFault = []string{
	"InvalidRequest", "MethodNotAllowed", "InvalidOption", "ExpiryTooLong", "BucketNotAllowed", "OperationNotAllowed",
	"TooManyKeys", "ResponseTooLarge",
}

// checkAnswer holds any answer to what every answer must be. Here nothing is wrong but
// the event, so nothing may be anyone's fault but the caller's.
func checkAnswer(t *testing.T, event, answer []byte, err error) {
	t.Helper()
	var failed messages.InvokeResponse_Error
	switch {
	case errors.As(err, &failed):
		if !slices.Contains(callersFault, failed.Type) || failed.Message == "" || answer != nil {
			t.Errorf("function error %s (%s), with an answer: %v", failed.Type, failed.Message, answer != nil)
		}
	case err != nil:
		t.Errorf("a failure of no type: %v", err)
	case !json.Valid(answer):
		t.Error("the answer is not JSON")
	case len(answer) > gatewayevent.MaxResponse:
		t.Errorf("the answer has %d bytes", len(answer))
	}
	var probe struct {
		StatusCode *int
		Body       string
	}
	isHTTP := err == nil && json.Unmarshal(answer, &probe) == nil && probe.StatusCode != nil
	if isHTTP && (*probe.StatusCode < 200 || *probe.StatusCode >= 500) {
		t.Errorf("status %d", *probe.StatusCode)
	}
	if isHTTP && *probe.StatusCode != 200 && !strings.Contains(probe.Body, `"code":`) {
		t.Errorf("status %d without a problem", *probe.StatusCode)
	}
	// An object with a requestContext and nothing of a request is an HTTP event, and a
	// gateway makes a 502 of everything but an HTTP answer.
	// (None of them escapes a name's letters, so an escaped one is another name here.)
	var members map[string]json.RawMessage
	if json.Unmarshal(bytes.ReplaceAll(event, []byte(`\u`), []byte(`\\u`)), &members) != nil || members["requestContext"] == nil {
		return
	}
	for name := range members {
		if bulk.IsField(name) {
			return
		}
	}
	if !isHTTP {
		t.Errorf("an HTTP event has no HTTP answer: %v", err)
	}
}

// Any bytes as an event: no panic, and no 5xx for what is the caller's mistake.
func FuzzInvoke(f *testing.F) {
	samples, err := filepath.Glob("../../events/*.json")
	if err != nil || len(samples) == 0 {
		f.Fatalf("no samples: %v", err)
	}
	for _, name := range samples {
		event, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(event)
	}
	for _, s := range []string{
		``, ` `, `{}`, `[]`, `null`, `{"requestContext":null}`, `{"requestContext":{}}`, `{"requestContext":{"http":1}}`,
		`{"requestContext":{"http":{"method":"POST"}},"body":"{\"keys\":[\"a\"]}"}`,
		`{"httpMethod":"POST","requestContext":{},"isBase64Encoded":true,"body":"eyJrZXlzIjpbImEiXX0="}`,
		`{"httpMethod":"POST","requestContext":{},"isBase64Encoded":true,"body":"="}`,
		`{"headers":{"x":"\ud800"},"requestContext":{"http":{"method":"POST"}},"body":"{}"}`,
		`{"headers":{"accept":"text/csv;q=x,*/*;q=0"},"requestContext":{"http":{"method":"POST"}},"body":"{\"keys\":[\"a\"]}"}`,
		`{"a":{"requestContext":{}},"keys":["a"]}`, `{"keys":["requestContext"]}`, `{"request\u0043ontext":{}}`,
		`{"keys":["a","a",{"key":"a","version_id":"1"}],"format":"csv"}`,
		`{"operation":"UploadPart","upload_id":"u","part_numbers":[1,2],"keys":["a",{"key":"b","part_numbers":[1]}],"format":"ndjson"}`,
		`{"operation":"PUT","metadata":{"a":"1","B":null},"create_only":true,"keys":[{"key":"a","if_none_match":"*"}],"format":"curl"}`,
		`{"keys":["a"],"encoding":"gzip","format":"uri-list"}`, `{"keys":["` + strings.Repeat("a", 1025) + `"],"format":"aria2"}`,
		`{"keys":["\ud83d\ude00"],"filename":"\u0000","format":"compact"}`,
	} {
		f.Add([]byte(s))
	}
	h := handler(io.Discard)
	f.Fuzz(func(t *testing.T, event []byte) {
		answer, err := invoke(h, t.Context(), bytes.Clone(event)) // it takes the event over
		checkAnswer(t, event, answer, err)
		// The same bytes as the body of an HTTP event, in base64.
		answer, err = invoke(h, t.Context(), []byte(`{"requestContext":{"http":{"method":"POST"}},"isBase64Encoded":true,"body":"`+
			base64.StdEncoding.EncodeToString(event)+`"}`))
		checkAnswer(t, []byte(`{"requestContext":{}}`), answer, err)
	})
}

// A mistake of ours is InternalError: its text is in the log, not in the answer, and
// the process lives on.
func TestInternalErrors(t *testing.T) {
	const inside = "the inside story"
	var log bytes.Buffer
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "request-1"})
	for name, locate := range map[string]func(string) (s3url.Location, error){
		"error":             func(string) (s3url.Location, error) { return s3url.Location{}, errors.New(inside) },
		"panic":             func(string) (s3url.Location, error) { panic(inside) },
		"panic of an error": func(string) (s3url.Location, error) { panic(fmt.Errorf("%s\nsecond line", inside)) },
		"nil dereference":   func(string) (s3url.Location, error) { var l *s3url.Location; return *l, nil },
	} {
		t.Run(name, func(t *testing.T) {
			log.Reset()
			h := handler(&log)
			h.Service.Locate = locate
			_, err := invoke(h, ctx, []byte(`{"keys":["k"]}`))
			var failed messages.InvokeResponse_Error
			if !errors.As(err, &failed) || failed.Type != "InternalError" {
				t.Fatalf("direct: %v, want InternalError", err)
			}
			answer, err := invoke(h, ctx, []byte(`{"requestContext":{"http":{"method":"POST"}},"body":"{\"keys\":[\"k\"]}"}`))
			if err != nil || !bytes.Contains(answer, []byte(`"statusCode":500`)) || !bytes.Contains(answer, []byte("InternalError")) {
				t.Errorf("HTTP: error %v, or no InternalError of status 500", err)
			}
			for _, text := range []string{failed.Message, string(answer)} {
				if strings.Contains(text, "inside") || strings.Contains(text, "runtime error") || strings.Contains(text, ".go:") {
					t.Error("internal text leaves")
				}
				if !strings.Contains(text, "request-1") {
					t.Error("the answer does not name the request")
				}
			}
			if name != "nil dereference" && !strings.Contains(log.String(), inside) {
				t.Error("the log does not say what happened")
			}
			for line := range bytes.Lines(log.Bytes()) {
				var object map[string]any
				if err := json.Unmarshal(line, &object); err != nil {
					t.Errorf("a line of the log is not a JSON object: %v", err)
				}
			}
			if s := log.String(); strings.Contains(s, secret) || strings.Contains(s, token) {
				t.Error("a secret is in the log")
			}
		})
	}
}

// An answer that does not say what it is good for must not be kept by a cache.
func TestAnswersAreNotStored(t *testing.T) {
	h := handler(io.Discard)
	for _, body := range []string{`{\"keys\":[\"k\"]}`, `{}`} {
		answer, err := invoke(h, t.Context(), []byte(`{"requestContext":{"http":{"method":"POST"}},"body":"`+body+`"}`))
		var r struct{ Headers map[string]string }
		if err != nil || json.Unmarshal(answer, &r) != nil || r.Headers["cache-control"] != "no-store" {
			t.Errorf("cache-control is %q, error %v", r.Headers["cache-control"], err)
		}
	}
}

// Which Accept-Encoding has an answer compressed (RFC 9110, section 12.5.3).
func TestAcceptEncoding(t *testing.T) {
	keys := make([]string, 100)
	for i := range keys {
		keys[i] = fmt.Sprintf("%d.jpg", i)
	}
	body, _ := json.Marshal(map[string]any{"keys": keys})
	h := handler(io.Discard)
	for header, want := range map[string]bool{
		"gzip": true, "GZip": true, "x-gzip": true, "*": true, "br, gzip": true, "gzip;q=0.1": true, "gzip ; Q=1": true,
		"deflate;q=0, gzip": true, "*;q=0, gzip": true, "identity;q=0, gzip;q=0.001": true,
		"": false, "identity": false, "br": false, "gzip;q=0": false, "gzip;q=0.000": false, "gzip; q=0": false,
		"*, gzip;q=0": false, "*;q=0": false, "gzippy": false, "gzip;q=x": false,
	} {
		event, _ := json.Marshal(map[string]any{
			"requestContext": map[string]any{"http": map[string]any{"method": "POST"}},
			"headers":        map[string]any{"Accept-Encoding": header}, "body": string(body),
		})
		answer, err := invoke(h, t.Context(), event)
		var r struct {
			StatusCode      int
			Headers         map[string]string
			IsBase64Encoded bool
			Body            string
		}
		if err != nil || json.Unmarshal(answer, &r) != nil || r.StatusCode != 200 {
			t.Fatalf("%q: status %d, error %v", header, r.StatusCode, err)
		}
		if got := r.Headers["content-encoding"] == "gzip"; got != want || r.IsBase64Encoded != want {
			t.Errorf("%q: compressed is %v, in base64 %v, want %v", header, got, r.IsBase64Encoded, want)
		}
		text := []byte(r.Body)
		if r.IsBase64Encoded {
			zipped, err := base64.StdEncoding.DecodeString(r.Body)
			if err != nil {
				t.Fatalf("%q: not base64", header)
			}
			z, err := gzip.NewReader(bytes.NewReader(zipped))
			if err != nil {
				t.Fatalf("%q: %v", header, err)
			}
			if text, err = io.ReadAll(z); err != nil {
				t.Fatalf("%q: %v", header, err)
			}
		}
		var result struct{ URLs map[string]string }
		if err := json.Unmarshal(text, &result); err != nil || len(result.URLs) != len(keys) {
			t.Errorf("%q: %d URLs, error %v", header, len(result.URLs), err != nil)
		}
	}
}

// What tells an HTTP event from a request.
func TestIsHTTP(t *testing.T) {
	h := handler(io.Discard)
	for event, want := range map[string]bool{
		`{"requestContext":{"http":{"method":"POST"}},"body":"{}"}`:                    true,
		`{"headers":{"keys":"requestContext"},"requestContext":{},"httpMethod":"GET"}`: true,
		`{"headers":{"x":"a\"b\\"},"requestContext":{},"httpMethod":"GET"}`:            true,
		`{"multiValueHeaders":{"a":["}","]"]},"requestContext":{},"httpMethod":"GET"}`: true,
		`{"stageVariables":{"requestContext":"x"},"requestContext" : {}}`:              true,
		`{"keys":["requestContext"]}`:                                                  false,
		`{"keys":[{"key":"requestContext"}]}`:                                          false,
		`{"operation":"PUT","metadata":{"requestContext":"x"},"keys":["k"]}`:           false,
		`{"keys":["k"],"requestContext":{}}`:                                           false,
		`{"colour":"requestContext","keys":["k"]}`:                                     false,
		`["requestContext"]`: false,
		`"requestContext"`:   false,
		`{}`:                 false,
	} {
		answer, err := invoke(h, t.Context(), []byte(event))
		var r struct{ StatusCode int }
		_ = json.Unmarshal(answer, &r)
		if got := err == nil && r.StatusCode != 0; got != want {
			t.Errorf("%s: answered over HTTP: %v, want %v", event, got, want)
		}
	}
}

// A REST API passes base64 on as text unless it is told otherwise, so what fits goes plain.
func TestCompressedWhereItArrives(t *testing.T) {
	keys := make([]string, 100)
	for i := range keys {
		keys[i] = fmt.Sprintf("%q", fmt.Sprint("photo-", i))
	}
	body, err := json.Marshal(`{"keys":[` + strings.Join(keys, ",") + `]}`)
	if err != nil {
		t.Fatal(err)
	}
	for event, zipped := range map[string]bool{
		`{"version":"2.0","headers":{"accept-encoding":"gzip"},"requestContext":{"http":{"method":"POST"}},"body":%s}`: true,
		`{"httpMethod":"POST","headers":{"Accept-Encoding":"gzip"},"requestContext":{"stage":"prod"},"body":%s}`:       false,
	} {
		answer, err := invoke(handler(io.Discard), t.Context(), fmt.Appendf(nil, event, body))
		var response struct {
			StatusCode      int               `json:"statusCode"`
			Headers         map[string]string `json:"headers"`
			IsBase64Encoded bool              `json:"isBase64Encoded"`
		}
		if err != nil || json.Unmarshal(answer, &response) != nil || response.StatusCode != 200 {
			t.Fatalf("no answer: %v", err)
		}
		if response.IsBase64Encoded != zipped || (response.Headers["content-encoding"] == "gzip") != zipped {
			t.Errorf("%.20s...: compressed %v, want %v", event, response.IsBase64Encoded, zipped)
		}
	}
}

// Query parameters would be ignored, so they are refused, in each form in which an API hands them on.
func TestQueryParameters(t *testing.T) {
	for _, event := range []string{
		`{"version":"2.0","rawQueryString":"format=csv","requestContext":{"http":{"method":"POST"}},"body":"{\"keys\":[\"a\"]}"}`,
		`{"version":"2.0","rawQueryString":"format=csv","queryStringParameters":{"format":"csv"},"requestContext":{"http":{"method":"POST"}},"body":"{\"keys\":[\"a\"]}"}`,
		`{"httpMethod":"POST","queryStringParameters":{"format":"csv"},"requestContext":{},"body":"{\"keys\":[\"a\"]}"}`,
	} {
		answer, err := handler(io.Discard).Invoke(t.Context(), []byte(event))
		if err != nil || !strings.Contains(string(answer.Whole), `"statusCode":400`) || !strings.Contains(string(answer.Whole), "query parameters") {
			t.Errorf("%s: %.200s, %v", event, answer.Whole, err)
		}
	}
	for _, event := range []string{
		`{"version":"2.0","rawQueryString":"","requestContext":{"http":{"method":"POST"}},"body":"{\"keys\":[\"a\"]}"}`,
		`{"httpMethod":"POST","queryStringParameters":null,"requestContext":{},"body":"{\"keys\":[\"a\"]}"}`,
		`{"httpMethod":"POST","queryStringParameters":{},"requestContext":{},"body":"{\"keys\":[\"a\"]}"}`,
	} {
		if answer, err := handler(io.Discard).Invoke(t.Context(), []byte(event)); err != nil || !strings.Contains(string(answer.Whole), `"statusCode":200`) {
			t.Errorf("%s: %.200s, %v", event, answer.Whole, err)
		}
	}
}

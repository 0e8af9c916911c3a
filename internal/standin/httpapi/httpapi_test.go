package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/standin/httpapi"
	"bulkpresign/internal/standin/runtimeapi"
)

var now = time.Date(2026, 11, 23, 8, 0, 0, 5e6, time.UTC)

// The whole event, so that a member that is missing or too many is seen.
func TestEvent(t *testing.T) {
	r := httptest.NewRequest("POST", "/a%20b/c?x=1&y=&x=2%2F3", nil)
	r.Host = "127.0.0.1:3000"
	r.RemoteAddr = "127.0.0.1:54321"
	r.Header = http.Header{
		"Content-Type":    {"application/json"},
		"User-Agent":      {"curl/8"},
		"Accept":          {"application/json", "text/csv"},
		"Cookie":          {"a=b; c=d", "e=f"},
		"X-Forwarded-For": {"203.0.113.1"},
	}
	payload, err := httpapi.Event(r, []byte(`{"keys":["ä&b"]}`), now)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(payload, &got); err != nil {
		t.Fatal(err)
	}
	// Not the same twice.
	if id, _ := got["requestContext"].(map[string]any)["requestId"].(string); len(id) != 16 {
		t.Errorf("request id %q", id)
	}
	delete(got["requestContext"].(map[string]any), "requestId")
	delete(got["headers"].(map[string]any), "x-amzn-trace-id")

	var want map[string]any
	err = json.Unmarshal([]byte(`{
		"version": "2.0",
		"routeKey": "$default",
		"rawPath": "/a b/c",
		"rawQueryString": "x=1&y=&x=2%2F3",
		"cookies": ["a=b", "c=d", "e=f"],
		"headers": {
			"accept": "application/json,text/csv",
			"content-length": "17",
			"content-type": "application/json",
			"host": "127.0.0.1:3000",
			"user-agent": "curl/8",
			"x-forwarded-for": "203.0.113.1, 127.0.0.1",
			"x-forwarded-port": "3000",
			"x-forwarded-proto": "http"
		},
		"queryStringParameters": {"x": "1,2/3", "y": ""},
		"requestContext": {
			"accountId": "000000000000",
			"apiId": "local",
			"authorizer": {"iam": {
				"accessKey": "AKIALOCALEXAMPLE0000",
				"accountId": "000000000000",
				"callerId": "AIDALOCALEXAMPLE0000",
				"cognitoIdentity": null,
				"principalOrgId": null,
				"userArn": "arn:aws:iam::000000000000:user/local",
				"userId": "AIDALOCALEXAMPLE0000"
			}},
			"domainName": "127.0.0.1:3000",
			"domainPrefix": "local",
			"http": {"method": "POST", "path": "/a b/c", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "curl/8"},
			"routeKey": "$default",
			"stage": "$default",
			"time": "23/Nov/2026:08:00:00 +0000",
			"timeEpoch": 1795420800005
		},
		"body": "{\"keys\":[\"ä&b\"]}",
		"isBase64Encoded": false
	}`), &want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestEventBody(t *testing.T) {
	tests := []struct {
		contentType, body string
		want              string
		isBase64          bool
	}{
		{"application/json", "{}", "{}", false},
		{"application/json; charset=utf-8", "{}", "{}", false},
		{"application/problem+json", "{}", "{}", false},
		{"text/plain", "{}", "{}", false},
		{"application/xml", "<a/>", "<a/>", false},
		{"application/javascript", "1", "1", false},
		{"application/octet-stream", "{}", "e30=", true},
		{"application/x-www-form-urlencoded", "{}", "e30=", true}, // what curl -d says unless told otherwise
		{"", "{}", "e30=", true},
		{"application/json", "\xff", "/w==", true},
		{"application/octet-stream", "", "", false},
	}
	for _, tt := range tests {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Content-Type", tt.contentType)
		payload, err := httpapi.Event(r, []byte(tt.body), now)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Body            string
			IsBase64Encoded bool
		}
		if err := json.Unmarshal(payload, &got); err != nil {
			t.Fatal(err)
		}
		if got.Body != tt.want || got.IsBase64Encoded != tt.isBase64 {
			t.Errorf("%q, %q: body %q, base64 %t; want %q, %t", tt.contentType, tt.body, got.Body, got.IsBase64Encoded, tt.want, tt.isBase64)
		}
	}
}

func TestParseResponse(t *testing.T) {
	const zeros = "\x00\x00\x00\x00\x00\x00\x00\x00"
	jsonType := http.Header{"Content-Type": {"application/json"}}
	tests := []struct {
		name, payload string
		want          httpapi.Response
	}{
		{"whole", `{"statusCode":403,"headers":{"content-type":"application/problem+json","x-n":5},"cookies":["a=b","c=d"],"body":"{}"}`,
			httpapi.Response{403, http.Header{"Content-Type": {"application/problem+json"}, "X-N": {"5"}, "Set-Cookie": {"a=b", "c=d"}}, []byte("{}")}},
		{"base64", `{"statusCode":200,"headers":{"content-type":"application/json","content-encoding":"gzip"},"body":"H4s=","isBase64Encoded":true}`,
			httpapi.Response{200, http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, []byte("\x1f\x8b")}},
		{"lengths are ours", `{"statusCode":200,"headers":{"Content-Length":"99","Transfer-Encoding":"chunked"},"body":"a"}`,
			httpapi.Response{200, http.Header{"Content-Type": {"text/plain;charset=UTF-8"}}, []byte("a")}},
		{"REST API", `{"statusCode":200,"multiValueHeaders":{"content-type":["text/csv"]},"body":"a"}`,
			httpapi.Response{200, http.Header{"Content-Type": {"text/csv"}}, []byte("a")}},
		{"no status code", `{"urls":{}}`, httpapi.Response{200, jsonType, []byte(`{"urls":{}}`)}},
		{"string", `"hello"`, httpapi.Response{200, jsonType, []byte("hello")}},
		{"streamed", `{"statusCode":200,"headers":{"content-type":"text/csv"}}` + zeros + "a\x00" + zeros + "b",
			httpapi.Response{200, http.Header{"Content-Type": {"text/csv"}}, []byte("a\x00" + zeros + "b")}},
		{"number", ` 5`, httpapi.Response{200, jsonType, []byte(" 5")}},
	}
	for _, tt := range tests {
		got, err := httpapi.ParseResponse([]byte(tt.payload))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.name, diff)
		}
	}
	for _, bad := range []string{``, `{`, `{"statusCode":"200"}`, `{"statusCode":null}`, `{"statusCode":0}`, `{"statusCode":200,"body":{}}`,
		`{"statusCode":200,"body":"!","isBase64Encoded":true}`} {
		if _, err := httpapi.ParseResponse([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

type function func(ctx context.Context, event []byte) ([]byte, error)

func (f function) Invoke(ctx context.Context, event []byte) ([]byte, error) { return f(ctx, event) }

func TestHandler(t *testing.T) {
	answers := func(payload string, err error) function {
		return func(context.Context, []byte) ([]byte, error) { return []byte(payload), err }
	}
	const internal, unavailable, tooLarge = `{"message":"Internal Server Error"}`, `{"message":"Service Unavailable"}`, `{"message":"Request Entity Too Large"}`
	tests := []struct {
		name     string
		function function
		size     int
		status   int
		body     string
	}{
		{"answer", answers(`{"statusCode":201,"body":"made"}`, nil), 2, 201, "made"},
		{"malformed answer", answers(`{"statusCode":"x"}`, nil), 2, 500, internal},
		{"function error", answers("", &runtimeapi.FunctionError{Type: "Secret", Message: "secret"}), 2, 500, internal},
		{"function gone", answers("", errors.New("secret")), 2, 500, internal},
		{"event too large", answers("", runtimeapi.ErrEventTooLarge), 2, 413, tooLarge},
		{"largest body", answers(`{"statusCode":200,"body":"ok"}`, nil), 10 << 20, 200, "ok"},
		{"body too large", answers(`{"statusCode":200,"body":"ok"}`, nil), 10<<20 + 1, 413, tooLarge},
		{"too slow", func(ctx context.Context, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }, 2, 503, unavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := &httpapi.Handler{Function: tt.function}
			if tt.status == 503 {
				h.Timeout = time.Millisecond
			}
			s := httptest.NewServer(h)
			defer s.Close()
			resp, err := http.Post(s.URL, "text/plain", strings.NewReader(strings.Repeat("x", tt.size)))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tt.status || string(body) != tt.body {
				t.Errorf("%d %s, want %d %s", resp.StatusCode, body, tt.status, tt.body)
			}
		})
	}
}

// Compressed answers must arrive as they are: the front neither compresses nor unpacks.
func TestEncodedBodyIsLeftAlone(t *testing.T) {
	s := httptest.NewServer(&httpapi.Handler{Function: function(func(context.Context, []byte) ([]byte, error) {
		return []byte(`{"statusCode":200,"headers":{"content-encoding":"gzip"},"body":"H4s=","isBase64Encoded":true}`), nil
	})})
	defer s.Close()
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "gzip") // set by hand, net/http leaves the body to us
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Equal(body, []byte("\x1f\x8b")) || resp.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("%q, %v, %v", body, resp.Header, err)
	}
}

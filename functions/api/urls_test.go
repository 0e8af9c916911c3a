package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/check/awkward"
	"bulkpresign/internal/check/rawhttp"
	"bulkpresign/internal/standin/runtimeapi"
)

// Whatever can be a key goes up through a signed PUT and comes back through a signed
// GET, both sent as they are.
func TestAwkwardKeys(t *testing.T) {
	s := open()
	all := awkward.Keys()
	keys := make([]string, len(all))
	for i, k := range all {
		keys[i] = k.Key
	}
	request := func(operation string) string {
		return string(mustJSON(map[string]any{"operation": operation, "keys": keys}))
	}
	put := s.mustSign(t, request("PutObject"))
	get := s.mustSign(t, request("GetObject"))
	for _, r := range []*result{put, get} {
		if d := cmp.Diff(keys, r.URLs.keys); d != "" {
			t.Fatalf("the keys of urls are not those of the request, in order (-want +got):\n%s", d)
		}
	}
	body := func(i int) string { return fmt.Sprintf("object %d", i) }
	for i, k := range all {
		r, err := rawhttp.Do(t.Context(), "PUT", put.URLs.of[k.Key], put.Headers, []byte(body(i)))
		if err != nil || r.Status != 200 {
			t.Errorf("%s: PUT: error %v, status %d", k.Name, err, statusOf(r))
			continue
		}
		if stored, err := s.s3.Get("photos", k.Key); err != nil || string(stored) != body(i) {
			t.Errorf("%s: the object does not lie under its key (error: %v)", k.Name, err)
		}
	}
	for i, k := range all {
		r, err := rawhttp.Do(t.Context(), "GET", get.URLs.of[k.Key], get.Headers, nil)
		if err != nil || r.Status != 200 || string(r.Body) != body(i) {
			t.Errorf("%s: GET: error %v, status %d", k.Name, err, statusOf(r))
		}
	}
}

func statusOf(r *rawhttp.Response) int {
	if r == nil {
		return 0
	}
	return r.Status
}

// Dot segments are refused, and signed all the same where the caller says so.
func TestDotSegments(t *testing.T) {
	t.Parallel()
	var keys []string
	for _, k := range awkward.DotSegments() {
		keys = append(keys, k.Key)
	}
	r := open().mustSign(t, string(mustJSON(map[string]any{"keys": keys})))
	for _, key := range keys {
		if got := r.Errors[key].Code; got != "UnsafeKey" {
			t.Errorf("%q: %q, want UnsafeKey", key, got)
		}
	}
	if r.URLs.of == nil || len(r.URLs.of) != 0 {
		t.Error("urls is not {}")
	}
	r = open().mustSign(t, string(mustJSON(map[string]any{"keys": keys, "allow_dot_segments": true})))
	if d := cmp.Diff(keys, r.URLs.keys); d != "" || r.Errors != nil {
		t.Errorf("with allow_dot_segments (-want +got):\n%s", d)
	}
	for _, key := range keys {
		u, err := url.Parse(r.URLs.of[key])
		if err != nil || u.Path != "/photos/"+key {
			t.Errorf("%q: the URL has another path", key)
		}
	}
}

// Every sample is answered, in the manner of its event, and its URLs work.
func TestSampleEvents(t *testing.T) {
	s := open()
	samples, err := filepath.Glob("../../events/*.json")
	if err != nil || len(samples) < 6 {
		t.Fatalf("%d samples, error %v", len(samples), err)
	}
	for _, name := range samples {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".json"), func(t *testing.T) {
			event, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var isFor struct{ RequestContext, Keys json.RawMessage }
			if err := json.Unmarshal(event, &isFor); err != nil {
				t.Fatal(err)
			}
			payload, err := s.fn.Invoke(t.Context(), event)
			if isFor.RequestContext == nil && isFor.Keys == nil { // an event of the other functions
				var f *runtimeapi.FunctionError
				if !errors.As(err, &f) || f.Type != "InvalidRequest" {
					t.Errorf("%s, %v", payload, err)
				}
				return
			}
			if err != nil {
				t.Fatalf("invoke: %v", err)
			}
			if isFor.RequestContext != nil {
				answer := decodeResponse(t, payload)
				if answer.StatusCode != 200 || answer.header("content-type") != "application/json" {
					t.Fatalf("status %d, type %q", answer.StatusCode, answer.header("content-type"))
				}
				payload = answer.body(t)
			}
			r := decodeResult(t, payload)
			if len(r.URLs.keys) == 0 || r.Errors != nil {
				t.Fatalf("%d URLs, %d errors", len(r.URLs.keys), len(r.Errors))
			}
			for _, key := range r.URLs.keys {
				method := map[string]string{"GetObject": "GET", "HeadObject": "HEAD", "PutObject": "PUT"}[r.Operation]
				if method != "PUT" {
					if err := s.s3.Put("photos", key, []byte(key)); err != nil {
						t.Fatal(err)
					}
				}
				answer, err := rawhttp.Do(t.Context(), method, r.URLs.of[key], r.headersFor(key), nil)
				if err != nil || answer.Status != 200 {
					t.Errorf("%s %q: error %v, status %d", method, key, err, statusOf(answer))
				}
			}
		})
	}
}

// The same request has the same answer however it comes.
func TestTransports(t *testing.T) {
	t.Parallel()
	const request = `{"operation":"PutObject","expires_in":60,"content_type":"text/plain",` +
		`"keys":["a \"b\"\\\u0001\u2028é😀","../x",{"key":"c","content_type":"image/png"}]}`
	normal := func(r *result) *result { // all that does not depend on the second
		for _, key := range r.URLs.keys {
			u, err := url.Parse(r.URLs.of[key])
			if err != nil {
				t.Fatal("a URL is none")
			}
			q := u.Query()
			if q.Get("X-Amz-Date") != r.SignedAt.Format("20060102T150405Z") {
				t.Error("X-Amz-Date is not signed_at")
			}
			r.URLs.of[key] = u.Scheme + u.Host + u.EscapedPath()
		}
		if want := r.SignedAt.Unix() + r.ExpiresIn; r.ExpiresAt.Unix() != want {
			t.Errorf("expires_at is not signed_at and expires_in")
		}
		r.SignedAt, r.ExpiresAt = time.Time{}, time.Time{}
		return r
	}
	want := normal(open().mustSign(t, request))
	for name, event := range map[string][]byte{
		"HTTP API":           httpAPI("POST", request, nil),
		"HTTP API in base64": inBase64(httpAPI("POST", request, nil)),
		"REST API":           restAPI("POST", request, nil),
		"REST API in base64": inBase64(restAPI("POST", request, nil)),
		"gzip not needed":    httpAPI("POST", request, map[string]string{"accept-encoding": "gzip"}),
	} {
		answer := open().send(t, event)
		if answer.StatusCode != 200 || answer.header("content-type") != "application/json" {
			t.Errorf("%s: status %d, type %q", name, answer.StatusCode, answer.header("content-type"))
		}
		got := normal(decodeResult(t, answer.body(t)))
		if d := cmp.Diff(want, got, cmp.AllowUnexported(urls{})); d != "" {
			t.Errorf("%s (-direct +this):\n%s", name, d)
		}
	}
}

// A URL is good for what was signed and for nothing else.
func TestRefusals(t *testing.T) {
	s := open()
	const key = "refusals/a b.txt"
	if err := s.s3.Put("photos", key, []byte("old")); err != nil {
		t.Fatal(err)
	}
	r := s.mustSign(t, `{"operation":"PutObject","expires_in":60,"content_type":"text/plain","metadata":{"Colour":"red"},"keys":["`+key+`"]}`)
	signed := r.URLs.of[key]
	if d := cmp.Diff(map[string]string{"content-type": "text/plain", "x-amz-meta-colour": "red"}, r.Headers); d != "" {
		t.Fatalf("headers (-want +got):\n%s", d)
	}

	// swap exchanges one part of the URL for another, and makes sure that it did.
	swap := func(old, new string) string {
		changed := strings.Replace(signed, old, new, 1)
		if changed == signed {
			t.Fatal("the URL does not have what the test wants to change")
		}
		return changed
	}
	otherLast := func(s string) string {
		if strings.HasSuffix(s, "0") {
			return s[:len(s)-1] + "1"
		}
		return s[:len(s)-1] + "0"
	}
	u, err := url.Parse(signed)
	if err != nil {
		t.Fatal("the URL is none")
	}
	token := url.QueryEscape(u.Query().Get("X-Amz-Security-Token"))
	with := func(name, value string) map[string]string {
		h := maps.Clone(r.Headers)
		if h[name] = value; value == "" {
			delete(h, name)
		}
		return h
	}
	for _, test := range []struct {
		name, method, url string
		headers           map[string]string
		ahead             int64 // seconds that pass
	}{
		{name: "signature", url: otherLast(signed)},
		{name: "method", method: "DELETE"},
		{name: "method GET", method: "GET"},
		{name: "key", url: swap("a%20b.txt", "a%20c.txt")},
		{name: "bucket", url: swap("/photos/", "/other/")},
		{name: "host", headers: with("Host", "localhost:1")},
		{name: "header's value", headers: with("content-type", "text/html")},
		{name: "metadata's value", headers: with("x-amz-meta-colour", "blue")},
		{name: "header left out", headers: with("x-amz-meta-colour", "")},
		{name: "region", url: swap(region, "us-east-1")},
		{name: "date of the scope", url: swap(r.SignedAt.Format("20060102")+"%2F", "20200101%2F")},
		{name: "token", url: swap(token, otherLast(token))},
		{name: "no token", url: swap("&X-Amz-Security-Token="+token, "")},
		{name: "longer life", url: swap("X-Amz-Expires=60", "X-Amz-Expires=600")},
		{name: "another parameter", url: swap("&x-id=PutObject", "&versionId=1&x-id=PutObject")},
		{name: "parameter left out", url: swap("&x-id=PutObject", "")},
		{name: "expired", ahead: 3600},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.clock.Store(test.ahead)
			defer s.clock.Store(0)
			method, target, headers := "PUT", signed, r.Headers
			if test.method != "" {
				method = test.method
			}
			if test.url != "" {
				target = test.url
			}
			if test.headers != nil {
				headers = test.headers
			}
			answer, err := rawhttp.Do(t.Context(), method, target, headers, []byte("new"))
			if err != nil {
				t.Fatal(err)
			}
			if answer.Status != 403 && answer.Status != 400 {
				t.Errorf("status %d, want 403 or 400", answer.Status)
			}
			if stored, err := s.s3.Get("photos", key); err != nil || string(stored) != "old" {
				t.Errorf("the object was changed (error: %v)", err)
			}
		})
	}
	answer, err := rawhttp.Do(t.Context(), "PUT", signed, r.Headers, []byte("new"))
	if err != nil || answer.Status != 200 {
		t.Errorf("unchanged: error %v, status %d", err, statusOf(answer))
	}
}

// What the client must send stands in the answer, and S3 takes it.
func TestHeadersWork(t *testing.T) {
	t.Parallel()
	s := open()
	r := s.mustSign(t, `{"operation":"PUT","content_type":"text/plain","keys":[
		"headers/plain",
		{"key":"headers/same","content_type":"text/plain"},
		{"key":"headers/own","content_type":"image/png","metadata":{"A":"1"}},
		{"key":"headers/longer","content_length":4},
		{"key":"headers/new","create_only":true}]}`)
	if d := cmp.Diff(map[string]string{"content-type": "text/plain"}, r.Headers); d != "" {
		t.Errorf("headers (-want +got):\n%s", d)
	}
	want := map[string]map[string]string{
		"headers/own":    {"content-type": "image/png", "x-amz-meta-a": "1"},
		"headers/longer": {"content-type": "text/plain", "content-length": "4"},
		"headers/new":    {"content-type": "text/plain", "if-none-match": "*"},
	}
	if d := cmp.Diff(want, r.ItemHeaders); d != "" {
		t.Errorf("item_headers (-want +got):\n%s", d)
	}
	for _, key := range r.URLs.keys {
		answer, err := rawhttp.Do(t.Context(), "PUT", r.URLs.of[key], r.headersFor(key), []byte("body"))
		if err != nil || answer.Status != 200 {
			t.Errorf("PUT %q: error %v, status %d", key, err, statusOf(answer))
		}
	}
	get := s.mustSign(t, `{"filename":"Grüße & \"50 %\".txt","keys":["headers/own"]}`)
	answer, err := rawhttp.Do(t.Context(), "GET", get.URLs.of["headers/own"], nil, nil)
	if err != nil || answer.Status != 200 {
		t.Fatalf("GET: error %v, status %d", err, statusOf(answer))
	}
	if got := answer.Header.Get("Content-Type"); got != "image/png" {
		t.Errorf("Content-Type %q", got)
	}
	if get.Headers != nil || get.ItemHeaders != nil {
		t.Error("a GET has no headers to send")
	}

	head := s.mustSign(t, `{"operation":"HEAD","keys":["headers/own"]}`)
	if answer, err := rawhttp.Do(t.Context(), "HEAD", head.URLs.of["headers/own"], nil, nil); err != nil || answer.Status != 200 {
		t.Errorf("HEAD: error %v, status %d", err, statusOf(answer))
	}
	del := s.mustSign(t, `{"operation":"DELETE","keys":["headers/own"]}`)
	if answer, err := rawhttp.Do(t.Context(), "DELETE", del.URLs.of["headers/own"], nil, nil); err != nil || answer.Status != 204 {
		t.Errorf("DELETE: error %v, status %d", err, statusOf(answer))
	}
	if _, err := s.s3.Get("photos", "headers/own"); err == nil {
		t.Error("the object is still there")
	}
}

// part_numbers has a URL for each part, and only where it was asked for.
func TestPartURLs(t *testing.T) {
	t.Parallel()
	r := open().mustSign(t, `{"operation":"UploadPart","upload_id":"u/1","part_numbers":[1,2,10000],"content_length":5,"keys":[
		"big", {"key":"bigger","part_numbers":[7]}, {"key":"wrong","part_numbers":[]}, {"key":"both","part_number":3}]}`)
	if len(r.URLs.keys) != 0 {
		t.Errorf("urls has %v", r.URLs.keys)
	}
	for key, want := range map[string][]string{"big": {"1", "10000", "2"}, "bigger": {"7"}} {
		if got := slices.Sorted(maps.Keys(r.PartURLs[key])); !slices.Equal(got, want) {
			t.Errorf("%s: parts %v, want %v", key, got, want)
		}
		for number, signed := range r.PartURLs[key] {
			u, err := url.Parse(signed)
			if err != nil || u.Query().Get("partNumber") != number || u.Query().Get("uploadId") != "u/1" {
				t.Errorf("%s: the URL of part %s is for another part or upload", key, number)
			}
		}
	}
	if len(r.PartURLs) != 2 || r.Errors["wrong"].Code != "InvalidOption" || r.Errors["both"].Code != "InvalidOption" {
		t.Errorf("%d keys with parts, errors %v", len(r.PartURLs), r.Errors)
	}
	if r.Headers["content-length"] != "5" {
		t.Errorf("headers %v", r.Headers)
	}
	one := open().mustSign(t, `{"operation":"UploadPart","keys":[{"key":"a","upload_id":"u","part_number":3},"b",{"key":"c","upload_id":"u"},{"key":"d","part_numbers":[1]}]}`)
	if len(one.URLs.keys) != 1 || one.PartURLs != nil {
		t.Errorf("urls %v, %d keys with parts", one.URLs.keys, len(one.PartURLs))
	}
	for _, key := range []string{"b", "c", "d"} {
		if got := one.Errors[key].Code; got != "InvalidOption" {
			t.Errorf("%s: %q, want InvalidOption", key, got)
		}
	}
}

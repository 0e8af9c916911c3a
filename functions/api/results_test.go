package main_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"bulkpresign/internal/check/rawhttp"
	"bulkpresign/internal/standin/runtimeapi"
)

// delivering is a system that has a place for answers that do not fit.
var delivering = sync.OnceValue(func() *system {
	c := newCredentials()
	return start(c, append(credentialsOf(c),
		"PRESIGN_BUCKETS=photos",
		"PRESIGN_OPERATIONS=GET,UploadPart",
		"PRESIGN_RESULTS_BUCKET=other",
		"AWS_ENDPOINT_URL_S3={endpoint}",
	)...)
})

// delivered is an answer that went into the results bucket.
type delivered struct {
	Bucket         string    `json:"bucket"`
	Operation      string    `json:"operation"`
	SignedAt       time.Time `json:"signed_at"`
	ExpiresIn      int64     `json:"expires_in"`
	ExpiresAt      time.Time `json:"expires_at"`
	ExpiresAtBasis string    `json:"expires_at_basis"`
	Results        *struct {
		URL       string    `json:"url"`
		Format    string    `json:"format"`
		Count     int       `json:"count"`
		ExpiresAt time.Time `json:"expires_at"`
	} `json:"results"`
}

func decodeDelivered(t *testing.T, text []byte) *delivered {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	r := new(delivered)
	if err := d.Decode(r); err != nil || r.Results == nil {
		t.Fatalf("the answer does not say where the results are (error: %v)", err != nil)
	}
	return r
}

// An answer that does not fit goes into the results bucket, and its URL leads there.
func TestResults(t *testing.T) {
	t.Parallel()
	s := delivering()
	keys := make([]string, 15_000)
	for i := range keys {
		keys[i] = fmt.Sprintf("2026/%06d.jpg", i)
	}
	request := mustJSON(map[string]any{"keys": append(keys[:len(keys):len(keys)], "../x")})

	direct, err := s.fn.Invoke(t.Context(), request)
	if err != nil {
		t.Fatalf("direct: %v", err)
	}
	overHTTP := s.send(t, httpAPI("POST", string(request), nil))
	if overHTTP.StatusCode != 200 || overHTTP.header("content-type") != "application/json" {
		t.Fatalf("HTTP: status %d, type %q", overHTTP.StatusCode, overHTTP.header("content-type"))
	}
	for name, text := range map[string][]byte{"direct": direct, "HTTP": overHTTP.body(t)} {
		r := decodeDelivered(t, text)
		if r.Results.Count != len(keys) || r.Results.Format != "json" {
			t.Errorf("%s: %d results as %s", name, r.Results.Count, r.Results.Format)
		}
		if !strings.HasPrefix(r.Results.URL, s.s3.Endpoint()+"/other/results/") {
			t.Errorf("%s: the results lie elsewhere than under the prefix", name)
		}
		answer, err := rawhttp.Do(t.Context(), "GET", r.Results.URL, nil, nil)
		if err != nil || answer.Status != 200 {
			t.Fatalf("%s: GET of the results: error %v, status %d", name, err, statusOf(answer))
		}
		text := answer.Body
		if answer.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(bytes.NewReader(text))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if text, err = io.ReadAll(z); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		whole := decodeResult(t, text)
		if len(whole.URLs.keys) != len(keys) || whole.Errors["../x"].Code != "UnsafeKey" {
			t.Errorf("%s: %d URLs, errors %v", name, len(whole.URLs.keys), whole.Errors)
		}
		for i, key := range whole.URLs.keys {
			if key != keys[i] {
				t.Fatalf("%s: key %d is another", name, i)
			}
		}
		if err := s.s3.Put("photos", keys[7], []byte("seven")); err != nil {
			t.Fatal(err)
		}
		if answer, err := rawhttp.Do(t.Context(), "GET", whole.URLs.of[keys[7]], nil, nil); err != nil || string(answer.Body) != "seven" {
			t.Errorf("%s: a URL of the results: error %v, status %d", name, err, statusOf(answer))
		}
	}

	// gzip comes first where the client takes it, and what fits stays here.
	zipped := s.send(t, httpAPI("POST", string(request), map[string]string{"accept-encoding": "gzip"}))
	if zipped.StatusCode != 200 || zipped.header("content-encoding") != "gzip" {
		t.Errorf("with gzip: status %d, content-encoding %q", zipped.StatusCode, zipped.header("content-encoding"))
	}
	if r := s.mustSign(t, `{"keys":["k"]}`); len(r.URLs.keys) != 1 {
		t.Error("a small answer went away")
	}
}

// A results bucket is no reason to make a thousand million URLs.
func TestResultsBeyondAllMeasure(t *testing.T) {
	t.Parallel()
	parts := make([]int, 10_000)
	for i := range parts {
		parts[i] = i + 1
	}
	keys := make([]string, 5_000)
	for i := range keys {
		keys[i] = fmt.Sprint(i)
	}
	_, err := delivering().fn.Invoke(t.Context(), mustJSON(map[string]any{
		"operation": "UploadPart", "upload_id": "u", "part_numbers": parts, "keys": keys,
	}))
	var f *runtimeapi.FunctionError
	if !errors.As(err, &f) || f.Type != "ResponseTooLarge" {
		t.Errorf("%v, want ResponseTooLarge", err)
	}
}

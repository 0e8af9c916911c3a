package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Keys whose URLs would not work are errors, and the others are described.
func TestVerify(t *testing.T) {
	s := open()
	s.s3.Put("photos", "verify/a b.jpg", []byte("four"))
	s.s3.Put("photos", "verify/empty", nil)
	r := s.mustSign(t, `{"keys": ["verify/a b.jpg", "verify/none", "verify/empty", "../x"], "verify": "head"}`)
	if len(r.URLs.of) != 2 || r.Errors["verify/none"].Code != "NotFound" || r.Errors["../x"].Code != "UnsafeKey" || r.Objects != nil {
		t.Errorf("head: %d URLs, errors %v, %d objects", len(r.URLs.of), r.Errors, len(r.Objects))
	}
	r = s.mustSign(t, `{"keys": ["verify/a b.jpg", "verify/none", "verify/empty"], "verify": "describe"}`)
	if o := r.Objects["verify/a b.jpg"]; len(r.Objects) != 2 || o.Size != 4 || o.ETag != "8cbad96aced40b3838dd9f07f6ef5772" || o.LastModified.IsZero() {
		t.Errorf("describe: %+v", r.Objects)
	}
	for _, tt := range [][2]string{
		{`{"keys": ["a"], "verify": "maybe"}`, `must be one of head, describe`},
		{`{"keys": ["a"], "verify": "head", "operation": "PUT"}`, `for GetObject and HeadObject`},
		{`{"keys": ["a"], "verify": "describe", "format": "csv"}`, `json, compact and ndjson`},
	} {
		if _, f := s.direct(t, tt[0]); f == nil || f.code != "InvalidRequest" || !strings.Contains(f.detail, tt[1]) {
			t.Errorf("%s: %v", tt[0], f)
		}
	}
	// What a listing says is not asked again.
	l := listing()
	if r := l.mustSign(t, `{"prefix": "r/", "verify": "describe"}`); len(r.Objects) != 4 || r.Objects["r/a.txt"].Size != int64(len("of r/a.txt")) {
		t.Errorf("of a prefix: %+v", r.Objects)
	}
}

// Each answer of S3 has its code, and a question that S3 does not answer has one too.
func TestVerifyCodes(t *testing.T) {
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch key := strings.TrimPrefix(r.URL.Path, "/photos/"); key {
		case "forbidden":
			w.WriteHeader(403)
		case "gone":
			w.WriteHeader(404)
		case "glacier":
			w.Header().Set("x-amz-storage-class", "GLACIER")
		case "restored":
			w.Header().Set("x-amz-storage-class", "GLACIER")
			w.Header().Set("x-amz-restore", `ongoing-request="false", expiry-date="Fri, 21 Dec 2029 00:00:00 GMT"`)
		case "busy":
			w.WriteHeader(503)
		case "marker":
			w.WriteHeader(405)
		}
	}))
	t.Cleanup(front.Close)
	c := newCredentials()
	s := start(c, append(credentialsOf(c), "PRESIGN_BUCKETS=photos", "PRESIGN_ENDPOINT_URL="+front.URL)...)
	r := s.mustSign(t, `{"keys": ["there", "restored", "forbidden", "gone", "glacier", "busy", "marker"], "verify": "head"}`)
	for key, want := range map[string]string{"forbidden": "Forbidden", "gone": "NotFound", "glacier": "Archived", "busy": "NotVerified", "marker": "NotFound"} {
		if got := r.Errors[key].Code; got != want {
			t.Errorf("%s: %q, want %s", key, got, want)
		}
	}
	if len(r.URLs.of) != 2 || r.URLs.of["there"] == "" || r.URLs.of["restored"] == "" {
		t.Errorf("%d URLs", len(r.URLs.of))
	}
	if m := r.Errors["forbidden"].Message; !strings.Contains(m, "s3:ListBucket") {
		t.Errorf("Forbidden says %q", m)
	}
	// The record counts each code.
	if got := s.records(t, 1, "RefusedNotFound")[0]; got["RefusedNotFound"] != 2.0 || got["RefusedForbidden"] != 1.0 {
		t.Error("the record does not count the codes")
	}
}

// BenchmarkVerify asks the S3 server in this process, which verifies each signature, about 3,500 keys in one call:
//
//	go test ./functions/api -run - -bench Verify
func BenchmarkVerify(b *testing.B) {
	c := newCredentials()
	s := start(c, append(credentialsOf(c), "PRESIGN_BUCKETS=photos")...)
	keys := make([]string, 3500)
	for i := range keys {
		keys[i] = fmt.Sprintf("verify/%05d.jpg", i)
		if err := s.s3.Put("photos", keys[i], []byte("text")); err != nil {
			b.Fatal(err)
		}
	}
	request, err := json.Marshal(map[string]any{"keys": keys, "verify": "head"})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		answer, err := s.fn.Invoke(b.Context(), request)
		if err != nil {
			b.Fatal("the call failed")
		}
		if n := strings.Count(string(answer), "X-Amz-Signature="); n != len(keys) {
			b.Fatalf("%d URLs, want %d", n, len(keys))
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/call")
	b.ReportMetric(float64(b.N*len(keys))/b.Elapsed().Seconds(), "keys/s")
}

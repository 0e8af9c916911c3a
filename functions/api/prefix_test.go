package main_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// listing is a system that lists: 2,500 objects under p/, one of them a folder's marker, and some beside.
var listing = sync.OnceValue(func() *system {
	c := newCredentials()
	s := start(c, append(credentialsOf(c), "PRESIGN_BUCKETS=photos", "PRESIGN_LIST_KEYS=true", "PRESIGN_MAX_KEYS=100000")...)
	for _, key := range append(listedKeys(), "p/folder/", "o", "q/a", "r/a b.jpg", "r/a.txt", "r/b+c.jpg", "r/é.jpg") {
		if err := s.s3.Put("photos", key, []byte(strings.TrimSuffix("of "+key, "of p/folder/"))); err != nil {
			panic(err)
		}
	}
	return s
})

func listedKeys() (keys []string) {
	for i := range 2499 {
		keys = append(keys, fmt.Sprintf("p/%05d.jpg", i))
	}
	return keys
}

// pages asks until the end, and gives the keys and the number of answers.
func (s *system) pages(t *testing.T, request map[string]any) (keys []string, answers int) {
	t.Helper()
	for {
		text, _ := json.Marshal(request)
		r := s.mustSign(t, string(text))
		if len(r.Errors) > 0 {
			t.Errorf("errors: %v", r.Errors)
		}
		keys, answers = append(keys, r.URLs.keys...), answers+1
		if r.Next == "" {
			return keys, answers
		}
		request["continuation_token"] = r.Next
	}
}

// Everything under a prefix comes in as many answers as it takes, in the order of S3, and works.
func TestPrefix(t *testing.T) {
	s := listing()
	keys, answers := s.pages(t, map[string]any{"prefix": "p/"})
	if !slices.Equal(keys, listedKeys()) || answers != 1 {
		t.Errorf("%d keys in %d answers, want %d in one", len(keys), answers, len(listedKeys()))
	}
	r := s.mustSign(t, `{"prefix": "r/"}`)
	for _, key := range r.URLs.keys {
		resp, err := http.Get(r.URLs.of[key])
		if err != nil {
			t.Fatal("no answer")
		}
		resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("%q: %d", key, resp.StatusCode)
		}
	}
	tests := []struct {
		request string
		want    []string
	}{
		{`{"prefix": "r/", "suffix": ".jpg"}`, []string{"r/a b.jpg", "r/b+c.jpg", "r/é.jpg"}},
		{`{"prefix": "r/", "start_after": "r/a.txt"}`, []string{"r/b+c.jpg", "r/é.jpg"}},
		{`{"prefix": "p/folder"}`, nil},
		{`{"prefix": "p/folder", "folder_markers": true}`, []string{"p/folder/"}},
		{`{"prefix": "nothing/"}`, nil},
		{`{"prefix": "p/0249", "operation": "GET", "expires_in": 60}`, []string{"p/02490.jpg", "p/02491.jpg", "p/02492.jpg", "p/02493.jpg", "p/02494.jpg", "p/02495.jpg", "p/02496.jpg", "p/02497.jpg", "p/02498.jpg"}},
	}
	for _, tt := range tests {
		r := s.mustSign(t, tt.request)
		if diff := cmp.Diff(tt.want, r.URLs.keys); diff != "" || r.Next != "" {
			t.Errorf("%s: next %q, keys (-want +got):\n%s", tt.request, r.Next, diff)
		}
	}
}

// An answer holds the maximum of keys, or what fits into 6 MB, and says where to go on.
func TestPrefixInParts(t *testing.T) {
	c := newCredentials()
	few := start(c, append(credentialsOf(c), "PRESIGN_BUCKETS=photos", "PRESIGN_LIST_KEYS=true", "PRESIGN_MAX_KEYS=700")...)
	c = newCredentials()
	c.SessionToken = strings.Repeat("a", 3000) // so that 2,499 URLs do not fit
	long := start(c, append(credentialsOf(c), "PRESIGN_BUCKETS=photos", "PRESIGN_LIST_KEYS=true")...)
	for _, key := range listedKeys() {
		few.s3.Put("photos", key, nil)
		long.s3.Put("photos", key, nil)
	}
	if keys, answers := few.pages(t, map[string]any{"prefix": "p/"}); !slices.Equal(keys, listedKeys()) || answers != 4 {
		t.Errorf("%d keys in %d answers, want %d in 4", len(keys), answers, len(listedKeys()))
	}
	if keys, answers := long.pages(t, map[string]any{"prefix": "p/"}); !slices.Equal(keys, listedKeys()) || answers != 2 {
		t.Errorf("%d keys in %d answers, want %d in 2", len(keys), answers, len(listedKeys()))
	}
	// What is handed out is what the record counts.
	signed := 0.0
	for _, r := range long.records(t, 2, "KeysSigned") {
		signed += r["KeysSigned"].(float64)
	}
	if int(signed) != len(listedKeys()) {
		t.Errorf("the records count %v keys, want %d", signed, len(listedKeys()))
	}
}

// A token is for the request that it answered, by the same caller, as it was given.
func TestContinuationToken(t *testing.T) {
	c := newCredentials()
	s := start(c, append(credentialsOf(c), "PRESIGN_BUCKETS=photos,other", "PRESIGN_LIST_KEYS=true", "PRESIGN_MAX_KEYS=2")...)
	for _, key := range []string{"a/1", "a/2", "a/3"} {
		s.s3.Put("photos", key, nil)
	}
	token := s.mustSign(t, `{"bucket": "photos", "prefix": "a/"}`).Next
	if token == "" {
		t.Fatal("no token")
	}
	changed := []byte(token)
	changed[len(changed)/2] ^= 1
	tests := []struct{ name, request, want string }{
		{"as it is", `{"bucket": "photos", "prefix": "a/", "continuation_token": "` + token + `"}`, ""},
		{"another prefix", `{"bucket": "photos", "prefix": "", "continuation_token": "` + token + `"}`, "belongs to another"},
		{"another bucket", `{"bucket": "other", "prefix": "a/", "continuation_token": "` + token + `"}`, "belongs to another"},
		{"another suffix", `{"bucket": "photos", "prefix": "a/", "suffix": "1", "continuation_token": "` + token + `"}`, "belongs to another"},
		{"changed", `{"bucket": "photos", "prefix": "a/", "continuation_token": "` + string(changed) + `"}`, "was changed on the way"},
		{"cut", `{"bucket": "photos", "prefix": "a/", "continuation_token": "` + token[:20] + `"}`, "none that this service gave"},
		{"made up", `{"bucket": "photos", "prefix": "a/", "continuation_token": "next"}`, "none that this service gave"},
		{"with keys", `{"bucket": "photos", "keys": ["a"], "continuation_token": "` + token + `"}`, "goes with"},
		{"start_after with keys", `{"bucket": "photos", "keys": ["a"], "start_after": "b"}`, "goes with"},
		{"as CSV", `{"bucket": "photos", "prefix": "a/", "format": "csv"}`, "json and compact"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, f := s.direct(t, tt.request)
			if tt.want == "" && f == nil {
				return
			}
			if f == nil || f.code != "InvalidRequest" || !strings.Contains(f.detail, tt.want) {
				t.Errorf("failure %v, want InvalidRequest with %q", f, tt.want)
			}
		})
	}
	// The same request by somebody else, over HTTP.
	body, _ := json.Marshal(`{"bucket": "photos", "prefix": "a/", "continuation_token": "` + token + `"}`)
	payload, err := s.fn.Invoke(t.Context(), []byte(`{"version":"2.0","requestContext":{"http":{"method":"POST"},"authorizer":{"iam":{"userArn":"arn:aws:iam::000000000000:user/a"}}},"body":`+string(body)+`}`))
	if err != nil || !strings.Contains(string(payload), "belongs to another") {
		t.Errorf("another caller goes on with it: error %v", err)
	}
}

// Nobody learns of keys that are none of theirs: neither of a prefix, nor among those that it has.
func TestPrefixPolicy(t *testing.T) {
	c := newCredentials()
	s := start(c, append(credentialsOf(c), "PRESIGN_BUCKETS=photos", "PRESIGN_LIST_KEYS=true", "PRESIGN_MAX_KEYS=2",
		`PRESIGN_POLICY={"rules": [
			{"name": "all", "effect": "allow", "callers": "*", "prefixes": ["a/"]},
			{"name": "not", "effect": "deny", "callers": "*", "prefixes": ["a/secret/"]}
		]}`)...)
	for _, key := range []string{"a/1", "a/2", "a/secret/x", "a/t", "b/1"} {
		s.s3.Put("photos", key, nil)
	}
	keys, _ := s.pages(t, map[string]any{"prefix": "a/"})
	if want := []string{"a/1", "a/2", "a/t"}; !slices.Equal(keys, want) {
		t.Errorf("keys %q, want %q", keys, want)
	}
	if raw, _ := base64.RawURLEncoding.DecodeString(s.mustSign(t, `{"prefix": "a/"}`).Next); strings.Contains(string(raw), "secret") {
		t.Error("the token names a key that is denied")
	}
	for _, prefix := range []string{"", "b/", "a", "a/secret/"} {
		if _, f := s.direct(t, `{"prefix": "`+prefix+`"}`); f == nil || f.code != "KeyNotAllowed" {
			t.Errorf("prefix %q: %v, want KeyNotAllowed", prefix, f)
		}
	}
}

// What is missing is told: the parameter, the permission, the bucket.
func TestPrefixRefused(t *testing.T) {
	if _, f := open().direct(t, `{"prefix": "a/"}`); f == nil || f.code != "InvalidRequest" || !strings.Contains(f.detail, "ListKeys=true") {
		t.Errorf("a service that may not list: %v", f)
	}
	answer := new(atomic.Value)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := answer.Load().([2]string)
		w.WriteHeader(map[string]int{"AccessDenied": 403, "NoSuchBucket": 404, "PermanentRedirect": 301}[a[0]])
		fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", a[0])
	}))
	t.Cleanup(front.Close)
	c := newCredentials()
	s := start(c, append(credentialsOf(c), "PRESIGN_BUCKETS=photos", "PRESIGN_LIST_KEYS=true", "PRESIGN_ENDPOINT_URL="+front.URL)...)
	for _, tt := range [][2]string{
		{"AccessDenied", "its role needs s3:ListBucket on the bucket \"photos\", with s3:prefix under the prefix"},
		{"NoSuchBucket", "the bucket \"photos\" is not there"},
		{"PermanentRedirect", "is in another region"},
	} {
		answer.Store(tt)
		if _, f := s.direct(t, `{"prefix": "a/"}`); f == nil || f.code != "BucketNotAllowed" || !strings.Contains(f.detail, tt[1]) {
			t.Errorf("%s: %v", tt[0], f)
		}
	}
}

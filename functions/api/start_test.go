package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bulkpresign/internal/check/rawhttp"
	"bulkpresign/internal/standin/runtimeapi"
	"bulkpresign/internal/standin/s3server"
)

// A function that is configured wrongly says all that is wrong in one line, and ends
// before it takes an event.
func TestStartReportsAllProblems(t *testing.T) {
	t.Parallel()
	const secret = "hunter2hunter2"
	logs.KeepOut(secret)
	var own bytes.Buffer
	fn, err := runtimeapi.Start(t.Context(), runtimeapi.Config{
		Binary: binary,
		Log:    io.MultiWriter(&own, &logs),
		Region: region,
		Env: []string{
			"PRESIGN_BUCKETS=photos,Not A Bucket",
			"PRESIGN_OPERATIONS=GetObject,CopyPart",
			"PRESIGN_DEFAULT_EXPIRES_IN=half an hour",
			"PRESIGN_MAX_EXPIRES_IN=604801",
			"PRESIGN_MAX_KEYS=0",
			"PRESIGN_ADDRESSING=virtuel",
			"PRESIGN_ENDPOINT_URL=https://user:" + secret + "@example.com",
			"PRESIGN_ACCELERATE=1",
			"AWS_USE_FIPS_ENDPOINT=yes",
			"AWS_USE_DUALSTACK_ENDPOINT=no",
		},
	})
	if err == nil {
		fn.Close()
		t.Fatal("the function started")
	}
	var failed *runtimeapi.InitError
	if !errors.As(err, &failed) || failed.ExitCode < 1 {
		t.Errorf("want an exit code over 0 before the first poll, got %v", err)
	}
	line, rest, _ := bytes.Cut(own.Bytes(), []byte("\n"))
	if len(rest) > 0 {
		t.Error("there is more than one line")
	}
	var record struct{ Problems []string }
	if err := json.Unmarshal(line, &record); err != nil {
		t.Fatalf("the line is not JSON (error: %v)", err)
	}
	for _, variable := range []string{
		"PRESIGN_BUCKETS", "PRESIGN_OPERATIONS", "PRESIGN_DEFAULT_EXPIRES_IN", "PRESIGN_MAX_EXPIRES_IN", "PRESIGN_MAX_KEYS",
		"PRESIGN_ADDRESSING", "PRESIGN_ENDPOINT_URL", "PRESIGN_ACCELERATE", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT",
	} {
		if !slices.ContainsFunc(record.Problems, func(p string) bool { return strings.Contains(p, variable) }) {
			t.Errorf("no problem names %s", variable)
		}
	}
}

// Without credentials nothing is signed, and nothing but that is wrong.
func TestNoCredentials(t *testing.T) {
	t.Parallel()
	s := start(newCredentials(), "PRESIGN_BUCKETS=photos")
	for range 2 {
		_, f := s.direct(t, `{"keys":["k"]}`)
		if f == nil || f.code != "CredentialsUnavailable" {
			t.Fatalf("%v, want CredentialsUnavailable", f)
		}
		if p := decodeProblem(t, s.send(t, httpAPI("POST", `{"keys":["k"]}`, nil))); p.Code != "CredentialsUnavailable" || p.Status != 503 || p.Detail != f.detail {
			t.Errorf("over HTTP: %+v", p)
		}
	}
	// A caller's mistake stays his own.
	if _, f := s.direct(t, `{"keys":[]}`); f == nil || f.code != "InvalidRequest" {
		t.Errorf("%v, want InvalidRequest", f)
	}
}

// containerMargin is how long before their end the SDK takes container credentials to
// have ended.
const containerMargin = 5 * time.Minute

// container is a credential endpoint such as ECS and EKS have.
type container struct {
	*httptest.Server
	lifetime atomic.Int64 // seconds, 0: there are none; -1: an answer that cannot be read
	asked    atomic.Int64
	c        s3server.Credentials
}

func newContainer(t *testing.T, c s3server.Credentials) *container {
	p := &container{c: c}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		lifetime := p.lifetime.Load()
		switch {
		case lifetime == 0:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprintf(w, `{"code":"NotFound","message":%q}`, "token "+c.SessionToken)
			return
		case lifetime < 0:
			fmt.Fprintf(w, `{"SecretAccessKey":%q,"Token":{%q:1}}`, c.SecretAccessKey, c.SessionToken)
			return
		}
		w.Write(mustJSON(map[string]string{
			"AccessKeyId": c.AccessKeyID, "SecretAccessKey": c.SecretAccessKey, "Token": c.SessionToken,
			"Expiration": time.Now().Add(time.Duration(lifetime) * time.Second).UTC().Format(time.RFC3339),
		}))
	}))
	t.Cleanup(p.Close)
	return p
}

// Credentials that come, end and come anew, and what their end means for the URLs.
func TestCredentialsWithAnEnd(t *testing.T) {
	t.Parallel()
	c := newCredentials()
	credentials := newContainer(t, c)
	s := start(c, "PRESIGN_BUCKETS=photos", "AWS_CONTAINER_CREDENTIALS_FULL_URI="+credentials.URL)
	if err := s.s3.Put("photos", "k", []byte("k")); err != nil {
		t.Fatal(err)
	}
	margin := int64(containerMargin / time.Second)

	// There are none yet, or none that hold; neither is remembered.
	for _, lifetime := range []int64{0, -1, margin - 60} {
		credentials.lifetime.Store(lifetime)
		if _, f := s.direct(t, `{"keys":["k"]}`); f == nil || f.code != "CredentialsUnavailable" {
			t.Errorf("with credentials of %d seconds: %v, want CredentialsUnavailable", lifetime, f)
		}
	}

	const remaining = 1000
	credentials.lifetime.Store(margin + remaining)
	before := credentials.asked.Load()
	for _, test := range []struct {
		request string
		basis   string
		clamped bool
	}{
		{`{"keys":["k"],"expires_in":60}`, "signature", false},
		{`{"keys":["k"],"expires_in":60,"strict_expiry":true}`, "signature", false},
		{`{"keys":["k"]}`, "signature", false},
		{`{"keys":["k"],"expires_in":3600}`, "credentials", true},
		{`{"keys":["k",{"key":"k2","version_id":"1"}],"expires_in":1001}`, "credentials", true},
		{`{"keys":["k"],"expires_in":3600,"strict_expiry":false}`, "credentials", true},
	} {
		r := s.mustSign(t, test.request)
		if r.ExpiresAtBasis != test.basis {
			t.Errorf("%s: basis %s, want %s", test.request, r.ExpiresAtBasis, test.basis)
		}
		if test.clamped && (r.ExpiresIn > remaining || r.ExpiresIn < remaining-60) {
			t.Errorf("%s: expires_in %d, want what is left of %d", test.request, r.ExpiresIn, remaining)
		}
		if r.ExpiresAt.Sub(r.SignedAt) != time.Duration(r.ExpiresIn)*time.Second {
			t.Errorf("%s: expires_at is not signed_at and expires_in", test.request)
		}
		for _, key := range r.URLs.keys {
			u, err := url.Parse(r.URLs.of[key])
			if err != nil || u.Query().Get("X-Amz-Expires") != strconv.FormatInt(r.ExpiresIn, 10) {
				t.Errorf("%s: X-Amz-Expires is not expires_in", test.request)
			}
		}
		if answer, err := rawhttp.Do(t.Context(), "GET", r.URLs.of["k"], nil, nil); err != nil || answer.Status != 200 {
			t.Errorf("%s: error %v, status %d", test.request, err, statusOf(answer))
		}
	}
	if asked := credentials.asked.Load() - before; asked != 1 {
		t.Errorf("credentials that hold were fetched %d times", asked)
	}
	const strict = `{"keys":["k"],"expires_in":3600,"strict_expiry":true}`
	if _, f := s.direct(t, strict); f == nil || f.code != "ExpiryTooLong" {
		t.Errorf("%v, want ExpiryTooLong", f)
	}
	if p := decodeProblem(t, s.send(t, httpAPI("POST", strict, nil))); p.Code != "ExpiryTooLong" || p.Status != 400 {
		t.Errorf("over HTTP: %+v", p)
	}
}

// All URLs of a batch are of one second and of one set of credentials.
func TestOneSnapshot(t *testing.T) {
	t.Parallel()
	keys := make([]any, 3000)
	for i := range keys {
		keys[i] = strconv.Itoa(i)
		if i%3 == 0 {
			keys[i] = map[string]any{"key": strconv.Itoa(i), "version_id": "v"}
		}
	}
	r := open().mustSign(t, string(mustJSON(map[string]any{"keys": keys})))
	if len(r.URLs.keys) != len(keys) {
		t.Fatalf("%d URLs, want %d", len(r.URLs.keys), len(keys))
	}
	for _, key := range r.URLs.keys {
		u, err := url.Parse(r.URLs.of[key])
		if err != nil {
			t.Fatal("a URL is none")
		}
		q := u.Query()
		if q.Get("X-Amz-Date") != r.SignedAt.Format("20060102T150405Z") ||
			q.Get("X-Amz-Credential") != open().credentials.AccessKeyID+r.SignedAt.Format("/20060102/")+region+"/s3/aws4_request" ||
			q.Get("X-Amz-Security-Token") != open().credentials.SessionToken {
			t.Fatalf("key %s is of another time or other credentials", key)
		}
	}
}

// A credential endpoint that is not there has an address, which is not for the log.
func TestUnreachableCredentials(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(nil)
	gone.Close()
	s := start(newCredentials(), "PRESIGN_BUCKETS=photos", "AWS_CONTAINER_CREDENTIALS_FULL_URI="+gone.URL+"/credentials")
	if _, f := s.direct(t, `{"keys":["k"]}`); f == nil || f.code != "CredentialsUnavailable" {
		t.Errorf("%v, want CredentialsUnavailable", f)
	}
}

// A host whose AWS configuration is broken has no credentials; it does not fail.
func TestBrokenSDKConfiguration(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/config"
	if err := os.WriteFile(file, []byte("[default]\nrole_arn = x\nsource_profile = none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(newCredentials(), "PRESIGN_BUCKETS=photos", "AWS_CONFIG_FILE="+file)
	if _, f := s.direct(t, `{"keys":["k"]}`); f == nil || f.code != "CredentialsUnavailable" {
		t.Errorf("%v, want CredentialsUnavailable", f)
	}
}

package main_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// built are the program that make local runs and the function behind it, once for all tests.
var built = sync.OnceValues(func() (string, error) {
	dir := filepath.Dir(binary)
	for from, to := range map[string]string{"../../functions/api": "bin/api/bootstrap", "../../functions/jobs": "bin/jobs/bootstrap", "../../internal/cmd/local": "local"} {
		build := exec.Command("go", "build", "-o", filepath.Join(dir, to), from)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w: %s", err, out)
		}
	}
	return dir, nil
})

// front is a deployed service on this machine, and something before it that can get in the way.
type front struct {
	*httptest.Server
	service  http.Handler
	inTheWay atomic.Value // func(w http.ResponseWriter, r *http.Request, keys int) (done bool)
	requests atomic.Int64
}

var addressOf = regexp.MustCompile(`HTTP +(http://[^/]+)/presign`)

// serveLocal starts the service as make local does, and hands over what it prints until that is enough.
func serveLocal(t *testing.T, b *bed, enough func(line string) bool, flags ...string) {
	t.Helper()
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	serve := exec.CommandContext(t.Context(), filepath.Join(dir, "local"), append([]string{"serve", "-functions", filepath.Join(dir, "bin"), "-addr", "127.0.0.1:0"}, flags...)...)
	serve.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.home}
	serve.Cancel = func() error { return serve.Process.Signal(os.Interrupt) }
	out, err := serve.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { serve.Wait() })
	for s := bufio.NewScanner(out); s.Scan() && !enough(s.Text()); {
	}
	go io.Copy(io.Discard, out)
}

func newFront(t *testing.T, b *bed, flags ...string) *front {
	t.Helper()
	var address string
	serveLocal(t, b, func(line string) bool {
		if found := addressOf.FindStringSubmatch(line); found != nil {
			address = found[1]
		}
		return address != ""
	}, flags...)
	target, err := url.Parse(address)
	if err != nil || address == "" {
		t.Fatal("the service does not start")
	}
	f := new(front)
	f.inTheWay.Store(func(http.ResponseWriter, *http.Request, int) bool { return false })
	f.service = httputil.NewSingleHostReverseProxy(target)
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.requests.Add(1)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		text := body
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(strings.NewReader(string(body)))
			if err == nil {
				text, err = io.ReadAll(z)
			}
			if err != nil {
				t.Error(err)
			}
		}
		var request struct{ Keys []json.RawMessage }
		if err := json.Unmarshal(text, &request); err != nil {
			t.Error(err)
		}
		if !f.inTheWay.Load().(func(http.ResponseWriter, *http.Request, int) bool)(w, r, len(request.Keys)) {
			f.service.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(f.Close)
	b.env = append(b.env, "AWS_ENDPOINT_URL_LAMBDA="+f.URL)
	return f
}

// ways are those to ask the same service.
func (f *front) ways() map[string][]string {
	return map[string][]string{"-url": {"-url", f.URL + "/presign"}, "-function": {"-function", "bulkpresign-api"}}
}

// The answers are those of the service, by both ways, in each format, and the URLs work.
func TestService(t *testing.T) {
	b := newBed(t)
	f := newFront(t, b)
	f.inTheWay.Store(func(_ http.ResponseWriter, r *http.Request, _ int) bool {
		if strings.HasPrefix(r.URL.Path, "/2015-03-31/") && !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/lambda/aws4_request, SignedHeaders=") {
			t.Error("Invoke is not signed for Lambda")
		}
		return false
	})
	for name, way := range f.ways() {
		t.Run(name, func(t *testing.T) {
			get := append([]string{"get", "s3://photos"}, way...)
			r := b.run(t, "", append(get, "hello world.txt", "../x")...)
			if r.status != 1 || !strings.Contains(r.err, "../x: UnsafeKey") || !strings.Contains(r.err, "1 of 2 keys failed") {
				t.Fatalf("status %d: %s", r.status, r.err)
			}
			if body := fetch(t, strings.TrimSpace(r.out)); !strings.HasPrefix(body, "Hello") {
				t.Errorf("another object: %q", body)
			}
			r = b.run(t, "", append(get, "hello world.txt", "../x", "-format", "json")...)
			var whole struct {
				Bucket string
				URLs   map[string]string
				Errors map[string]struct{ Code string }
			}
			if err := json.Unmarshal([]byte(r.out), &whole); err != nil || whole.Bucket != "photos" || len(whole.URLs) != 1 || whole.Errors["../x"].Code != "UnsafeKey" {
				t.Errorf("json: %v, %+v", err, whole.Errors)
			}
			r = b.run(t, "", append(get, "a", "-format", "uri-list", "-o", "range=bytes=0-1")...)
			if r.status != 0 || !strings.HasPrefix(r.out, "# send with header range: bytes=0-1\r\nhttp") {
				t.Errorf("uri-list: status %d: %s", r.status, r.err)
			}
			r = b.run(t, "", append(get, "a", "-format", "aria2")...)
			if r.status != 2 || !strings.Contains(r.err, "not joined to aria2") {
				t.Errorf("aria2: status %d: %s", r.status, r.err)
			}
			r = b.run(t, "", append([]string{"get", "s3://others", "a"}, way...)...)
			if r.status != 2 || r.out != "" || !strings.Contains(r.err, "BucketNotAllowed") || !strings.Contains(r.err, "settings and policy") {
				t.Errorf("another bucket: status %d: %s", r.status, r.err)
			}
		})
	}
}

// A long list goes in several requests at a time, through throttling, broken connections and a service that takes no more
// than 700 keys at once; what comes is every key in its order.
func TestServiceInTheWay(t *testing.T) {
	t.Parallel() // it waits for most of its time
	b := newBed(t)
	f := newFront(t, b)
	const count = 12_000
	var list strings.Builder
	for i := range count {
		fmt.Fprintf(&list, "key %d\n", i)
	}
	list.WriteString("key 0\n")
	b.write(t, "keys.txt", []byte(list.String()))
	for name, way := range f.ways() {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int64
			f.inTheWay.Store(func(w http.ResponseWriter, r *http.Request, keys int) bool {
				switch calls.Add(1) {
				case 1:
					w.Header().Set("X-Amzn-Errortype", "TooManyRequestsException:")
					w.WriteHeader(http.StatusTooManyRequests)
					io.WriteString(w, `{"message":"Rate exceeded"}`)
				case 3:
					w.WriteHeader(http.StatusServiceUnavailable)
				case 5:
					panic(http.ErrAbortHandler)
				default:
					if keys <= 700 {
						return false
					}
					if name == "-function" {
						w.Header().Set("X-Amz-Function-Error", "Unhandled")
						io.WriteString(w, `{"errorType":"TooManyKeys","errorMessage":"at most 700"}`)
						return true
					}
					w.WriteHeader(http.StatusRequestEntityTooLarge)
					io.WriteString(w, `{"code":"ResponseTooLarge","detail":"700 would fit","fits":700}`)
				}
				return true
			})
			r := b.run(t, "", append([]string{"get", "s3://photos", "-f", "keys.txt", "-format", "ndjson"}, way...)...)
			if r.status != 0 || r.err != "" {
				t.Fatalf("status %d: %s", r.status, r.err)
			}
			got := urls(r.out) // without the first key, which is there again at the end
			if len(got) != count {
				t.Fatalf("%d lines, want %d", len(got), count)
			}
			for i, line := range got {
				if !strings.HasPrefix(line, fmt.Sprintf(`{"key":"key %d","url":"http`, i)) {
					t.Fatalf("line %d is of another key", i)
				}
			}
		})
	}
}

// What a service refuses for good is not asked again; what was signed before it is written, and the status is 1.
func TestServiceRefuses(t *testing.T) {
	b := newBed(t)
	f := newFront(t, b)
	f.inTheWay.Store(func(w http.ResponseWriter, r *http.Request, keys int) bool {
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, `{"message":"Forbidden"}`)
		return true
	})
	out := filepath.Join(b.home, "out")
	r := b.run(t, "", "get", "s3://photos", "a", "-url", f.URL, "-out", out)
	if r.status != 2 || r.out != "" || !strings.Contains(r.err, "Forbidden") || !strings.Contains(r.err, "-token-file") || f.requests.Load() != 1 {
		t.Errorf("status %d after %d requests: %s", r.status, f.requests.Load(), r.err)
	}
	if left, _ := filepath.Glob(filepath.Join(b.home, ".presign-*")); len(left) > 0 {
		t.Error("an unfinished file is left")
	}
	f.inTheWay.Store(func(w http.ResponseWriter, r *http.Request, keys int) bool {
		if keys == 5000 {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	var list strings.Builder
	for i := range 5001 {
		fmt.Fprintln(&list, i)
	}
	r = b.run(t, list.String(), "get", "s3://photos", "-", "-url", f.URL+"/presign")
	if r.status != 1 || len(urls(r.out)) != 5000 || !strings.Contains(r.err, "keys behind were not signed") {
		t.Errorf("status %d: %s", r.status, r.err)
	}
}

// A token is sent as it is in a file or a variable, in place of a signature; a result behind a URL is fetched; a prefix
// follows its continuation tokens.
func TestServiceAnswers(t *testing.T) {
	b := newBed(t)
	var authorization atomic.Value
	var server *httptest.Server
	answer := func(urls, more string) string {
		return `{"bucket":"photos","operation":"GetObject","signed_at":"2026-11-01T00:00:00Z","expires_in":900,"expires_at":"2026-11-01T00:15:00Z","expires_at_basis":"signature",` + more + `"urls":{` + urls + `}}`
	}
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			if r.Header.Get("Authorization") != "" {
				t.Error("the token went to the result's URL")
			}
			io.WriteString(w, answer(`"a":"https://example.com/a"`, ""))
			return
		}
		authorization.Store(r.Header.Get("Authorization"))
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		body, _ := io.ReadAll(z)
		switch text := string(body); {
		case strings.Contains(text, `"continuation_token":"two"`):
			io.WriteString(w, answer(`"in/2":"https://example.com/2"`, ""))
		case strings.Contains(text, `"prefix":"in/"`):
			io.WriteString(w, answer(`"in/1":"https://example.com/1"`, `"continuation_token":"two",`))
		default:
			fmt.Fprintf(w, `{"bucket":"photos","results":{"url":"%s/result"}}`, server.URL)
		}
	}))
	t.Cleanup(server.Close)
	b.write(t, "token", []byte("abc.def\n"))
	r := b.run(t, "", "get", "s3://photos", "a", "-url", server.URL, "-token-file", "token")
	if r.status != 0 || r.out != "https://example.com/a\n" || authorization.Load() != "Bearer abc.def" {
		t.Errorf("a result: status %d: %s", r.status, r.err)
	}
	b.env = append(b.env, "TOKEN=ghi")
	r = b.run(t, "", "get", "s3://photos/in/", "-url", server.URL, "-token-env", "TOKEN")
	if r.status != 0 || r.out != "https://example.com/1\nhttps://example.com/2\n" || authorization.Load() != "Bearer ghi" {
		t.Errorf("a prefix: status %d: %s", r.status, r.err)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"-url", "http://example.com/"}, "https://"},
		{[]string{"-url", server.URL, "-function", "f"}, "two services"},
		{[]string{"-url", server.URL, "-token-env", "NONE"}, "token is empty"},
		{[]string{"-function", "f", "-token-env", "TOKEN"}, "function takes no token"},
	} {
		if r := b.run(t, "", append([]string{"get", "s3://photos", "a"}, test.args...)...); r.status != 2 || !strings.Contains(r.err, test.want) {
			t.Errorf("%v: status %d: %s", test.args, r.status, r.err)
		}
	}
}

package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"

	"bulkpresign/internal/check/rawhttp"
	"bulkpresign/internal/standin/httpapi"
	"bulkpresign/internal/standin/runtimeapi"
)

// streaming is a system behind a REST API that takes streamed answers, with a token as
// long as Lambda's.
var streaming = sync.OnceValue(func() *system { return startWithLongToken("PRESIGN_RESPONSE_STREAM=true") })

func startWithLongToken(env ...string) *system {
	c := newCredentials()
	for len(c.SessionToken) < 1000 {
		c.SessionToken += newCredentials().SessionToken
	}
	logs.KeepOut(c.SessionToken[:1000])
	return start(c, append(append(credentialsOf(c), "PRESIGN_BUCKETS=photos"), env...)...)
}

// manyKeys are distinct.
func manyKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("album/%02d/photo %06d.jpg", i%100, i)
	}
	return keys
}

func restRequest(fields map[string]any) []byte {
	return restAPI("POST", string(mustJSON(fields)), map[string]string{"Accept-Encoding": "gzip"})
}

// stream sends an event whose answer must be streamed.
func (s *system) stream(t *testing.T, event []byte) (httpapi.Response, int) {
	t.Helper()
	answer, err := s.fn.Call(t.Context(), event)
	if err != nil {
		t.Fatalf("the function failed: %v", err)
	}
	if !answer.Streamed {
		t.Fatal("the answer is not streamed")
	}
	r, err := httpapi.ParseResponse(answer.Payload)
	if err != nil {
		t.Fatal(err)
	}
	return r, len(answer.Payload)
}

// One call carries 100,000 plain URLs, which are right to the last.
func TestStream(t *testing.T) {
	s, keys := streaming(), manyKeys(100_000)
	for i := 0; i < len(keys); i += 9_999 {
		if err := s.s3.Put("photos", keys[i], []byte(keys[i])); err != nil {
			t.Fatal(err)
		}
	}
	r, size := s.stream(t, restRequest(map[string]any{"keys": append([]string{"../no"}, keys...)[:100_000], "format": "ndjson"}))
	if r.Status != http.StatusOK || r.Header.Get("Content-Type") != "application/x-ndjson" || r.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("status %d, %v", r.Status, r.Header)
	}
	if size < 120_000_000 {
		t.Errorf("the answer has %d bytes, which is less than was to be tried", size)
	}
	lines := bufio.NewScanner(bytes.NewReader(r.Body))
	if !lines.Scan() {
		t.Fatal("no line")
	}
	refused, _ := parseLine(t, lines.Bytes())
	if refused.Key != "../no" || refused.Error == nil || refused.Error.Code != "UnsafeKey" || refused.URL != "" {
		t.Error("the first line does not say that its key is refused")
	}
	n, query := 0, ""
	for ; lines.Scan(); n++ {
		text := lines.Text()
		if n%9_999 == 0 {
			line, url := parseLine(t, lines.Bytes())
			if line.Key != keys[n] || line.Error != nil {
				t.Fatalf("line %d is not that of key %q", n+2, keys[n])
			}
			got, err := rawhttp.Do(t.Context(), http.MethodGet, line.URL, nil, nil)
			if err != nil || got.Status != http.StatusOK || string(got.Body) != keys[n] {
				t.Errorf("line %d: status %d, %v", n+2, statusOf(got), err)
			}
			query, _, _ = strings.Cut(url.RawQuery, "X-Amz-Signature=")
		}
		// Parsing all of it as JSON would take the race detector half a minute; every line
		// is known but for its signature.
		want := `{"key":"` + keys[n] + `","url":"` + s.s3.Endpoint() + "/photos/" + strings.ReplaceAll(keys[n], " ", "%20") + "?" + query + "X-Amz-Signature="
		signature, ok := strings.CutPrefix(text, want)
		if !ok || len(signature) != 64+len(`"}`) || strings.Trim(signature[:64], "0123456789abcdef") != "" || signature[64:] != `"}` {
			t.Fatalf("line %d is not what key %q should have", n+2, keys[n])
		}
	}
	if err := lines.Err(); err != nil || n != len(keys)-1 {
		t.Errorf("%d lines with URLs, want %d; %v", n, len(keys)-1, err)
	}
}

type ndjsonLine struct {
	Key, URL string
	Error    *keyError
}

func parseLine(t *testing.T, text []byte) (line ndjsonLine, u *url.URL) {
	t.Helper()
	if err := json.Unmarshal(text, &line); err != nil {
		t.Fatal("a line is not JSON")
	}
	u, err := url.Parse(line.URL)
	if err != nil {
		t.Fatal("a line has no URL")
	}
	return line, u
}

// Whatever is asked for is streamed, and errors too, while there is a status yet.
func TestStreamedAnswers(t *testing.T) {
	s := streaming()
	whole := func(event []byte) []byte { return []byte(open().send(t, event).Body) }
	for _, format := range []string{"json", "compact", "ndjson", "csv", "uri-list", "aria2", "curl"} {
		r, _ := s.stream(t, restRequest(map[string]any{"keys": []string{"a", "..", "é\"\n"}, "format": format}))
		buffered := whole(httpAPI("POST", string(mustJSON(map[string]any{"keys": []string{"a", "..", "é\"\n"}, "format": format})), nil))
		if r.Status != 200 || bytes.Count(r.Body, []byte("X-Amz-Expires=900")) != bytes.Count(buffered, []byte("X-Amz-Expires=900")) ||
			r.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: status %d, %v", format, r.Status, r.Header)
		}
	}
	for _, test := range []struct {
		event  []byte
		status int
		code   string
	}{
		{restAPI("GET", "", nil), 405, "MethodNotAllowed"},
		{restAPI("POST", "{", nil), 400, "InvalidRequest"},
		{restRequest(map[string]any{"keys": []string{"a"}, "bucket": "secret"}), 403, "BucketNotAllowed"},
		{restRequest(map[string]any{"keys": []string{"a"}, "encoding": "gzip"}), 400, "InvalidRequest"},
	} {
		r, _ := s.stream(t, test.event)
		var p problem
		if err := json.Unmarshal(r.Body, &p); err != nil || r.Status != test.status || p.Status != test.status || p.Code != test.code ||
			r.Header.Get("Content-Type") != "application/problem+json" || (r.Header.Get("Allow") == "POST") != (test.status == 405) {
			t.Errorf("status %d, code %q, %v, want %d, %s", r.Status, p.Code, err, test.status, test.code)
		}
	}

	// What comes another way is answered as ever.
	if r := s.send(t, httpAPI("POST", `{"keys":["a"]}`, nil)); r.StatusCode != 200 {
		t.Errorf("an HTTP API's event: status %d", r.StatusCode)
	}
	if r := s.mustSign(t, `{"keys":["a"]}`); len(r.URLs.keys) != 1 {
		t.Errorf("a direct invoke: %d URLs", len(r.URLs.keys))
	}
}

// More than a stream may carry is refused before the first byte.
func TestStreamTooLarge(t *testing.T) {
	s := startWithLongToken("PRESIGN_RESPONSE_STREAM=true", "PRESIGN_MAX_KEYS=200000")
	r, _ := s.stream(t, restRequest(map[string]any{"keys": manyKeys(170_000), "format": "ndjson"}))
	var p problem
	if err := json.Unmarshal(r.Body, &p); err != nil || r.Status != 413 || p.Code != "ResponseTooLarge" || p.Fits == nil {
		t.Fatalf("status %d, %+v, %v", r.Status, p, err)
	}
	one, size := s.stream(t, restRequest(map[string]any{"keys": manyKeys(1), "format": "ndjson"}))
	line := len(one.Body) // as long as every other
	if want := (200<<20 - (size - line)) / line; *p.Fits != want {
		t.Errorf("%d keys are said to fit, and %d do", *p.Fits, want)
	}
}

// A stream's memory does not grow with its URLs: 90,000 more, which are 130 MB, cost what
// their keys cost where they are refused.
func TestStreamMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the kernel does not tell a process's peak memory in /proc")
	}
	peak := func(n int, env string, wantStatus int) int {
		s := startWithLongToken(env)
		answer, err := s.fn.Call(t.Context(), restAPI("POST", string(mustJSON(map[string]any{"keys": manyKeys(n), "format": "ndjson"})), nil))
		if err != nil {
			t.Fatal(err)
		}
		if r, err := httpapi.ParseResponse(answer.Payload); err != nil || r.Status != wantStatus {
			t.Fatalf("status %d, %v", r.Status, err)
		}
		return peakMemory(t, s.fn)
	}
	var grown [2]int
	for i, n := range []int{10_000, 100_000} {
		streamed := peak(n, "PRESIGN_RESPONSE_STREAM=true", 200)
		refused := peak(n, "PRESIGN_RESPONSE_STREAM=false", 413)
		t.Logf("%d keys: %d kB streamed, %d kB when it is judged and refused", n, streamed>>10, refused>>10)
		grown[i] = streamed - refused
	}
	if most := 8 << 20; grown[1]-grown[0] > most || grown[1] > 2*most {
		t.Errorf("the answer takes %d kB with 10,000 keys and %d kB with 100,000", grown[0]>>10, grown[1]>>10)
	}
}

// peakMemory is in bytes.
func peakMemory(t *testing.T, f *runtimeapi.Function) int {
	t.Helper()
	p, err := f.Process()
	if err != nil {
		t.Fatal(err)
	}
	peak, err := runtimeapi.PeakMemory(p.ID)
	if err != nil {
		t.Fatal(err)
	}
	return int(peak)
}

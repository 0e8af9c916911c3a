package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// The page is at the root, and may reach its own host and S3. A page of another origin may call too where ORIGINS says
// so, with a compressed body, and reads what went wrong.
func TestPage(t *testing.T) {
	s := whole(t)
	s.origins = "https://app.example.com"
	m, err := startMachine(s)
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	send := func(method, path, body string, headers ...string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, m.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(text)
	}
	if resp, text := send("GET", "/", ""); resp.StatusCode != 200 || !strings.Contains(text, "<title>Bulk pre-signer</title>") ||
		!strings.Contains(resp.Header.Get("Content-Security-Policy"), "connect-src 'self' "+m.s3.Endpoint()+";") {
		t.Errorf("the page: %d, policy %q", resp.StatusCode, resp.Header.Get("Content-Security-Policy"))
	}
	if resp, text := send("GET", "/config.json", ""); resp.StatusCode != 200 || !strings.Contains(text, `"PutObject"`) {
		t.Errorf("its settings: %d %s", resp.StatusCode, text)
	}
	resp, _ := send("OPTIONS", "/presign", "", "Origin", s.origins, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-encoding,content-type")
	if allowed := "," + resp.Header.Get("Access-Control-Allow-Headers") + ","; resp.StatusCode != 204 ||
		!strings.Contains(allowed, ",authorization,") || !strings.Contains(allowed, ",content-encoding,") || !strings.Contains(allowed, ",content-type,") {
		t.Errorf("preflight: %d, allows %q", resp.StatusCode, allowed)
	}
	resp, text := send("POST", "/presign", `{"keys":["a"],"expiresIn":1}`, "Origin", s.origins, "Content-Type", "application/json")
	if resp.StatusCode != 400 || resp.Header.Get("Access-Control-Allow-Origin") != s.origins || resp.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(text, "InvalidRequest") {
		t.Errorf("a problem: %d, for %q, %q", resp.StatusCode, resp.Header.Get("Access-Control-Allow-Origin"), resp.Header.Get("Content-Type"))
	}
	if resp, _ := send("POST", "/doctor", "{}", "Origin", "https://else.example", "Content-Type", "text/plain"); resp.StatusCode != 415 {
		t.Errorf("the doctor for a page elsewhere: %d", resp.StatusCode)
	}
}

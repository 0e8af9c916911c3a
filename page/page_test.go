package page_test

import (
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bulkpresign/internal/s3op"
	"bulkpresign/page"
)

var update = flag.Bool("update", false, "write site/options.json anew")

func served(t *testing.T, method, path, contentType, body string) *http.Response {
	t.Helper()
	mux := http.NewServeMux()
	page.Register(mux, page.Settings{Service: "presign", Operations: []string{"GetObject"}, Storage: []string{"http://127.0.0.1:9"}})
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w.Result()
}

// Every file comes with its type and a policy that lets nothing in but what the page needs.
func TestFiles(t *testing.T) {
	for path, kind := range map[string]string{"/": "text/html; charset=utf-8", "/index.html": "text/html; charset=utf-8", "/page.css": "text/css; charset=utf-8",
		"/page.js": "text/javascript; charset=utf-8", "/options.json": "application/json", "/config.json": "application/json"} {
		resp := served(t, "GET", path, "", "")
		csp := resp.Header.Get("Content-Security-Policy")
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != kind {
			t.Errorf("%s: %d, %q", path, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
		if !strings.Contains(csp, "connect-src 'self' http://127.0.0.1:9;") || !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", path, csp)
		}
	}
	var settings page.Settings
	if err := json.NewDecoder(served(t, "GET", "/config.json", "", "").Body).Decode(&settings); err != nil || settings.Service != "presign" || settings.Doctor != "doctor" {
		t.Errorf("%+v, %v", settings, err)
	}
}

// Whatever the page sends to the service a browser lets through: the HTTP API's rules, the function's own behind a REST API, and
// those of make local are the same, and have it.
func TestHeadersAreAllowed(t *testing.T) {
	found := func(file, expression string) []string {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		match := regexp.MustCompile(expression).FindSubmatch(text)
		if match == nil {
			t.Fatalf("%s has no list of headers", file)
		}
		return strings.FieldsFunc(string(match[1]), func(c rune) bool { return strings.ContainsRune(`", `, c) })
	}
	template := found("../template.yaml", `allowHeaders:\s*\[([^]]*)\]`)
	for file, expression := range map[string]string{
		"../internal/gatewayevent/cors.go": `"access-control-allow-headers", "([^"]*)"`,
		"../internal/cmd/local/machine.go": `Headers: +\[\]string\{([^}]*)\}`,
	} {
		if other := found(file, expression); !slices.Equal(other, template) {
			t.Errorf("%s lets pages send %q, the template %q", file, other, template)
		}
	}
	script, err := os.ReadFile("site/service.js")
	if err != nil {
		t.Fatal(err)
	}
	sent := []string{"content-type", "accept"}
	if !strings.Contains(string(script), `const headers = {'content-type': 'application/json', accept}`) {
		t.Error("service.js begins its headers otherwise than is looked for here")
	}
	for _, match := range regexp.MustCompile(`headers(?:\.|\[')([a-z-]+)(?:'\])? = `).FindAllStringSubmatch(string(script), -1) {
		sent = append(sent, match[1])
	}
	if len(sent) != 4 {
		t.Errorf("the page sends %q", sent)
	}
	for _, header := range sent {
		if !slices.Contains(template, header) {
			t.Errorf("the page sends %s, which the service does not allow", header)
		}
	}
}

// The page has neither scripts nor styles within, which its policy would refuse, and loads nothing from elsewhere.
func TestStandsAlone(t *testing.T) {
	entries, err := os.ReadDir("site")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		text, err := os.ReadFile("site/" + entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, never := range []string{"<style", " style=", "onclick=", "<script>", "innerHTML", "eval(", "@import", "cdn.", "src=\"http", "href=\"http:"} {
			if strings.Contains(string(text), never) {
				t.Errorf("%s has %q", entry.Name(), never)
			}
		}
	}
}

func TestDoctor(t *testing.T) {
	resp := served(t, "POST", "/doctor", "application/json", `{"url":"https://photos.s3.eu-west-1.amazonaws.com/a.jpg"}`)
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 || !strings.Contains(string(body), "there is no query") || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	for _, tt := range []struct {
		kind, body string
		status     int
	}{
		{"text/plain", `{"url":"x"}`, 415}, // what a page elsewhere could send unasked
		{"application/json", `{"url":`, 400},
		{"application/json", `{"url":"` + strings.Repeat("x", 1<<20) + `"}`, 400},
	} {
		if resp := served(t, "POST", "/doctor", tt.kind, tt.body); resp.StatusCode != tt.status {
			t.Errorf("%s: %d, want %d", tt.kind, resp.StatusCode, tt.status)
		}
	}
}

// The options that the page suggests are those of the signer, with their types.
func TestOptions(t *testing.T) {
	kinds := map[s3op.Kind]string{s3op.Text: "text", s3op.Timestamp: "time", s3op.Integer: "integer", s3op.Boolean: "boolean",
		s3op.StringMap: "map", s3op.Integers: "integers", s3op.Texts: "texts"}
	ids := s3op.Options()
	slices.SortFunc(ids, func(a, b s3op.ID) int { return strings.Compare(a.String(), b.String()) })
	var b strings.Builder
	b.WriteString("{\n")
	for i, id := range ids {
		var operations []string
		for _, o := range s3op.Operations() {
			if o.Has(id) {
				operations = append(operations, o.String())
			}
		}
		row, err := json.Marshal(map[string]any{"type": kinds[id.Kind()], "operations": operations})
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			b.WriteString(",\n")
		}
		b.WriteString(`"` + id.String() + `": ` + string(row))
	}
	b.WriteString("\n}\n")
	if *update {
		if err := os.WriteFile("site/options.json", []byte(b.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile("site/options.json"); err != nil || string(text) != b.String() {
		t.Error("site/options.json is not what the signer has; go test ./page -run TestOptions -update writes it")
	}
}

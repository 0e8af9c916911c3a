package answer_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bulkpresign/internal/answer"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/check/batches"
)

// Of several transfers that fail, curl names each, and says nothing of those that work: downloads and uploads, also with
// names that its configuration and its templates would read otherwise.
func TestCurlNamesFailures(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is missing: it reads what is tested here")
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "bad") {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer server.Close()
	for _, operation := range []string{"GetObject", "PutObject"} {
		p, err := batches.Plan(batches.Standing(), []byte(`{"operation":"`+operation+`","keys":["good.txt","dir/bad \"1\" 100%.txt","also good","bad%{url}","é bad\\n"]}`))
		if err != nil {
			t.Fatal(err)
		}
		text := answer.Append(nil, p, bulk.Curl, answer.Bare)
		// The same list for a server that is here: the signature is none of curl's business.
		text = bytes.ReplaceAll(text, p.Presigner().Base(), []byte(server.URL+"/"))
		folder := t.TempDir()
		list := filepath.Join(folder, "list")
		if err := os.WriteFile(list, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if operation == "PutObject" {
			for line := range strings.Lines(string(text)) {
				if name, ok := strings.CutPrefix(line, `upload-file = "`); ok {
					name = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(strings.TrimSuffix(name, "\"\n"))
					if err := os.MkdirAll(filepath.Join(folder, filepath.Dir(name)), 0o700); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(filepath.Join(folder, name), []byte("x"), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		curl := exec.CommandContext(t.Context(), "curl", "--disable", "-Z", "-K", list) // as the list's first line says
		curl.Dir = folder
		var out, errs bytes.Buffer
		curl.Stdout, curl.Stderr = &out, &errs
		_ = curl.Run() // its status is that of the last transfer
		var failed []string
		for line := range strings.Lines(errs.String()) {
			if name, rest, ok := strings.Cut(line, " failed: curl says 22, HTTP 403"); ok && rest == "\n" {
				failed = append(failed, name)
			} else if strings.Contains(line, "failed") { // else it is the meter, or the empty line before a name
				t.Errorf("%s: curl says it another way, or with something behind it", operation)
			}
		}
		slices.Sort(failed) // they went in parallel
		want := []string{`bad%{url}`, `dir/bad %221%22 100%.txt`, `é bad%5Cn`}
		if strings.Join(failed, "|") != strings.Join(want, "|") {
			t.Errorf("%s: failed are %q, want %q", operation, failed, want)
		}
		if out.Len() > 0 {
			t.Errorf("%s: %d bytes on standard output", operation, out.Len())
		}
	}
}

// Package page is a page to try the service with: it signs keys, uploads files through what was signed, and takes a failing
// URL apart. It is the folder site, files as they are, which works on any static host as well (docs/page.md); the handler
// here adds what such a host cannot: settings of its own, the doctor, and a policy that names the hosts that may be reached.
package page

import (
	"embed"
	"encoding/json"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"bulkpresign/internal/doctor"
)

//go:embed site
var embedded embed.FS

// maxQuestion is more than a URL with a token and S3's error document ever have, in bytes.
const maxQuestion = 1 << 20

// Settings are what the page is told by its config.json.
type Settings struct {
	Service    string   `json:"service"`              // where requests go: a URL, or a path on the page's own host; "" has people write it
	Doctor     string   `json:"doctor,omitempty"`     // where URLs are examined; "" hides the doctor
	Bucket     string   `json:"bucket,omitempty"`     // what is signed for, to be shown
	Operations []string `json:"operations,omitempty"` // that the service signs; empty: nobody knows, and all are offered
	MaxExpires int      `json:"max_expires_in,omitempty"`

	// Storage are the origins that signed URLs lead to, for the policy of the page (CSP). It may reach no others.
	Storage []string `json:"-"`
}

// Register adds the page to the root of a mux: each of its files, its settings, and POST /doctor.
func Register(mux *http.ServeMux, s Settings) {
	site, err := fs.Sub(embedded, "site")
	if err != nil {
		panic(err) // the folder is in the binary
	}
	s.Doctor = "doctor"
	settings, err := json.Marshal(s)
	if err != nil {
		panic(err) // texts and numbers
	}
	// Each file by its name: a pattern for all would meet those of other methods and paths.
	names, err := fs.ReadDir(site, ".")
	if err != nil {
		panic(err)
	}
	for _, entry := range names {
		text, err := fs.ReadFile(site, entry.Name())
		if err != nil {
			panic(err)
		}
		if entry.Name() == "config.json" {
			text = settings
		}
		handler := file(entry.Name(), text, policy(s.Storage))
		mux.Handle("GET /"+entry.Name(), handler)
		if entry.Name() == "index.html" {
			mux.Handle("GET /{$}", handler)
		}
	}
	mux.HandleFunc("POST /doctor", examine)
}

// policy lets the page load its own files and reach its own host and S3, and nothing else.
//
// https://www.w3.org/TR/CSP3/
func policy(storage []string) string {
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src " +
		strings.Join(append([]string{"'self'"}, storage...), " ") +
		"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
}

func file(name string, text []byte, policy string) http.HandlerFunc {
	kind := mime.TypeByExtension(path.Ext(name))
	switch path.Ext(name) { // a machine's own table may say otherwise
	case ".js":
		kind = "text/javascript; charset=utf-8"
	case ".json":
		kind = "application/json"
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", kind)
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		w.Write(text)
	}
}

// examine answers with the doctor's report. Nothing of the question is kept or logged: a URL is a secret. Only a page of
// this host can ask, since others may not send JSON here.
func examine(w http.ResponseWriter, r *http.Request) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		http.Error(w, "send application/json", http.StatusUnsupportedMediaType)
		return
	}
	var question struct{ URL, Response string }
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxQuestion))
	if err != nil || json.Unmarshal(text, &question) != nil {
		http.Error(w, `send {"url": ..., "response": ...}, at most 1 MiB`, http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(doctor.Examine(question.URL, []byte(question.Response), time.Now()))
}

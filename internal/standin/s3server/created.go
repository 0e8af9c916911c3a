package s3server

import (
	"encoding/hex"
	"net/http"
	"strings"
)

// tellCreated tells Config.Created of what a request has made, after it was answered.
func (s *Server) tellCreated(r *http.Request, status int) {
	if s.cfg.Created == nil || status != http.StatusOK {
		return
	}
	query := r.URL.Query()
	switch {
	case r.Method == http.MethodPut && !query.Has("partNumber") && !query.Has("tagging") && !query.Has("acl"):
	case r.Method == http.MethodPost && query.Has("uploadId"):
	default:
		return
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	o, err := s.backend.HeadObject(r.Context(), bucket, key)
	if key == "" || err != nil {
		return
	}
	o.Contents.Close()
	s.cfg.Created(Created{Bucket: bucket, Key: key, ETag: hex.EncodeToString(o.Hash), Size: o.Size})
}

// Created is an object that a request has made.
type Created struct {
	Bucket, Key string
	ETag        string // without quotation marks
	Size        int64
}

// statusWriter notes the status of an answer, and gives the ETag of an object in parts their number.
type statusWriter struct {
	http.ResponseWriter
	status int
	etag   func(etag string) (numbered string, inParts bool)
	begun  bool
}

func (w *statusWriter) Write(p []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(p)
}

func (w *statusWriter) begin() {
	if w.begun {
		return
	}
	w.begun = true
	w.Header().Set("Access-Control-Expose-Headers", exposed) // gofakes3 has set its own
	if numbered, ok := w.etag(w.Header().Get("ETag")); ok {
		w.Header().Set("ETag", numbered)
	}
}

func (w *statusWriter) WriteHeader(status int) {
	w.begin()
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

package httpapi

import (
	"net/http"
	"slices"
	"strings"
)

// CORS says which pages elsewhere may call. API Gateway itself answers a browser's question, and adds what lets a page
// read an answer.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
type CORS struct {
	Origins []string // "*" is every one
	Methods []string
	Headers []string // that a page may send, in lower case
	Expose  []string // that it may read
	MaxAge  string   // seconds that a browser may remember
}

// answer adds the headers, and reports whether the request was a question that it answered.
func (c *CORS) answer(w http.ResponseWriter, r *http.Request) bool {
	if c == nil {
		return false
	}
	isQuestion := r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
	origin := r.Header.Get("Origin")
	if origin != "" && (slices.Contains(c.Origins, origin) || slices.Contains(c.Origins, "*")) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", origin)
		h.Add("Vary", "Origin")
		h.Set("Access-Control-Expose-Headers", strings.Join(c.Expose, ","))
		if isQuestion {
			h.Set("Access-Control-Allow-Methods", strings.Join(c.Methods, ","))
			h.Set("Access-Control-Allow-Headers", strings.Join(c.Headers, ","))
			h.Set("Access-Control-Max-Age", c.MaxAge)
		}
	}
	if isQuestion {
		w.WriteHeader(http.StatusNoContent)
	}
	return isQuestion
}

package gatewayevent

import (
	"io"
	"net/http"
	"slices"
	"strings"

	"bulkpresign/internal/runtimeclient"
)

// An HTTP API answers a browser's question itself, and lets pages read what the function
// answers; a REST API leaves both to the function. Who calls authenticates by a header, so
// no cookies are allowed.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-cors.html
// https://fetch.spec.whatwg.org/#http-cors-protocol

// allowedOrigin is what pages of the event's origin are told: its own name, "*" where all
// may call, or "" where it may not or is no page's.
func (h *Handler) allowedOrigin(e *httpEvent) string {
	switch scheme, _, _ := strings.Cut(e.origin, "://"); {
	case !e.isREST || e.origin == "":
		return ""
	case slices.Contains(h.Origins, "*"):
		return "*"
	case slices.Contains(h.Origins, e.origin), slices.Contains(h.Origins, scheme+"://*"):
		return e.origin
	}
	return ""
}

// cors are the headers that let a page read an answer, a problem too.
func (h *Handler) cors(e *httpEvent) []string {
	if e == nil || !e.isREST || len(h.Origins) == 0 {
		return nil
	}
	var headers []string
	origin := h.allowedOrigin(e)
	if origin != "" {
		headers = append(headers, "access-control-allow-origin", origin, "access-control-expose-headers", "retry-after")
	}
	if origin != "*" { // a cache must not give one page the answer of another
		headers = append(headers, "vary", "origin")
	}
	return headers
}

// isPreflight tells whether a browser asks whether a page may call.
func (h *Handler) isPreflight(e *httpEvent) bool {
	return e.isREST && len(h.Origins) > 0 && e.method == http.MethodOptions && e.asksMethod
}

// preflight answers a browser's question. To a page that may not call it says nothing of
// CORS, which is the browser's no.
func (h *Handler) preflight(e *httpEvent) runtimeclient.Answer {
	headers := h.cors(e)
	if h.allowedOrigin(e) != "" {
		headers = append(headers,
			"access-control-allow-methods", http.MethodPost,
			"access-control-allow-headers", "accept, authorization, content-encoding, content-type, x-amz-content-sha256, x-amz-date, x-amz-security-token",
			"access-control-max-age", "3600")
	}
	if h.StreamREST {
		head := streamHead(http.StatusNoContent, "text/plain", headers...)
		return runtimeclient.Answer{Stream: func(w io.Writer) error {
			_, err := w.Write(head)
			return err
		}}
	}
	return runtimeclient.Answer{Whole: []byte(responseHead(http.StatusNoContent, "text/plain", "", headers...) + responseEnd)}
}

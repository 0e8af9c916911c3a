package gatewayevent

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/strictjson"
)

// httpEvent is what a request needs of an HTTP event.
//
//   - HTTP API and Function URL, payload 2.0:
//     https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
//   - REST API:
//     https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
type httpEvent struct {
	method         string
	isREST         bool // a REST API's, which has its own form
	body           string
	isBase64       bool
	accept         []string
	acceptEncoding []string
}

// isHTTP tells an HTTP event from a request that was invoked directly: the one has a
// requestContext, which no request may have. It is lenient, so that whatever else is
// wrong with an HTTP event is answered over HTTP, and it reads no further than it must:
// the first field of a request decides too.
func isHTTP(text []byte) bool {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			begin := i + 1
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			if i >= len(text) {
				return false
			}
			name := string(text[begin:i])
			if depth != 1 || !bytes.HasPrefix(bytes.TrimLeft(text[i+1:], " \t\r\n"), []byte(":")) {
				continue
			}
			if name == "requestContext" {
				return true
			}
			if bulk.IsField(name) {
				return false
			}
		}
	}
	return false
}

// decodeEvent reads an HTTP event. It takes text over.
func decodeEvent(text []byte) (*httpEvent, error) {
	e := &httpEvent{}
	r := strictjson.NewReader(text)
	// read reads a string, and nothing of a value of another type.
	read := func(dst *string) error {
		if r.Peek() != strictjson.String {
			return r.Skip()
		}
		s, err := r.String()
		*dst = s
		return err
	}
	err := r.Members(func(name string) error {
		switch k := r.Peek(); {
		case name == "body":
			return read(&e.body)
		case name == "isBase64Encoded" && (k == strictjson.True || k == strictjson.False):
			b, err := r.Bool()
			e.isBase64 = b
			return err
		case name == "httpMethod":
			e.isREST = true
			return read(&e.method)
		case name == "requestContext" && k == strictjson.Object:
			return r.Members(func(name string) error {
				if name != "http" || r.Peek() != strictjson.Object {
					return r.Skip()
				}
				return r.Members(func(name string) error {
					if name != "method" {
						return r.Skip()
					}
					return read(&e.method)
				})
			})
		case name == "headers" && k == strictjson.Object:
			return r.Members(func(name string) error {
				var v string
				err := read(&v)
				switch strings.ToLower(name) {
				case "accept":
					e.accept = append(e.accept, v)
				case "accept-encoding":
					e.acceptEncoding = append(e.acceptEncoding, v)
				}
				return err
			})
		}
		return r.Skip()
	})
	if err == nil {
		err = r.Finish()
	}
	return e, err
}

// request is the body's bytes.
func (e *httpEvent) request() ([]byte, error) {
	if !e.isBase64 {
		return []byte(e.body), nil
	}
	return base64.StdEncoding.DecodeString(e.body)
}

// acceptsGzip reads Accept-Encoding.
func (e *httpEvent) acceptsGzip() bool {
	named, other := -1.0, -1.0
	weights(e.acceptEncoding, func(coding string, q float64) {
		switch coding {
		case "gzip", "x-gzip":
			named = q
		case "*":
			other = q
		}
	})
	if named < 0 {
		named = other
	}
	return named > 0
}

// accepted reads Accept: the format with the highest weight, the first of several. A
// client that accepts none of them is sent JSON rather than an error, as RFC 9110,
// section 12.4.1, allows.
func (e *httpEvent) accepted() bulk.Format {
	best, bestWeight := bulk.JSON, 0.0
	weights(e.accept, func(mediaType string, q float64) {
		if f, ok := bulk.FormatOf(mediaType); ok && q > bestWeight {
			best, bestWeight = f, q
		}
	})
	return best
}

// weights reads the elements of Accept-like headers with their weights (RFC 9110,
// section 12.4.2). A weight that cannot be read counts as 0.
func weights(headers []string, visit func(name string, q float64)) {
	for _, header := range headers {
		for item := range strings.SplitSeq(header, ",") {
			name, parameters, _ := strings.Cut(item, ";")
			q := 1.0
			for parameter := range strings.SplitSeq(parameters, ";") {
				k, v, _ := strings.Cut(parameter, "=")
				if strings.EqualFold(strings.TrimSpace(k), "q") {
					q, _ = strconv.ParseFloat(strings.TrimSpace(v), 64)
				}
			}
			visit(strings.ToLower(strings.TrimSpace(name)), q)
		}
	}
}

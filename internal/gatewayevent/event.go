package gatewayevent

import (
	"encoding/base64"
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
	body           string
	isBase64       bool
	acceptEncoding []string
}

// isHTTP tells an HTTP event from a request that was invoked directly: the one has a
// requestContext, which no request may have. It leaves the text as it is, and reads
// no further than it must: the first field of a request decides too.
func isHTTP(text []byte) (found bool) {
	r := strictjson.NewReader(text)
	if r.Peek() != strictjson.Object {
		return false
	}
	// An error ends the search; what is wrong is reported by whoever reads the text.
	_ = r.Members(func(name string) error {
		switch {
		case name == "requestContext":
			found = true
			return errDecided
		case bulk.IsField(name):
			return errDecided
		}
		return r.Skip()
	})
	return found
}

var errDecided = &strictjson.SyntaxError{}

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
				if !strings.EqualFold(name, "accept-encoding") || r.Peek() != strictjson.String {
					return r.Skip()
				}
				v, err := r.String()
				e.acceptEncoding = append(e.acceptEncoding, v)
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

// acceptsGzip reads Accept-Encoding (RFC 9110, section 12.5.3).
func (e *httpEvent) acceptsGzip() bool {
	any := false
	for _, header := range e.acceptEncoding {
		for item := range strings.SplitSeq(header, ",") {
			coding, weight, _ := strings.Cut(item, ";")
			refused := isZeroWeight(weight)
			switch strings.ToLower(strings.TrimSpace(coding)) {
			case "gzip", "x-gzip":
				return !refused
			case "*":
				any = !refused
			}
		}
	}
	return any
}

func isZeroWeight(weight string) bool {
	name, value, _ := strings.Cut(weight, "=")
	if !strings.EqualFold(strings.TrimSpace(name), "q") {
		return false
	}
	return strings.Trim(strings.TrimSpace(value), "0.") == "" && strings.TrimSpace(value) != ""
}

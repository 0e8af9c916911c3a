package gatewayevent

import (
	"bytes"
	"strconv"
	"strings"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/strictjson"
)

// httpEvent is what a request needs of an HTTP event.
//
//   - HTTP API and Function URL, payload 2.0:
//     https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
//   - REST API:
//     https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
type httpEvent struct {
	method          string
	isREST          bool // a REST API's, which has its own form
	body            string
	isBase64        bool
	accept          []string
	acceptEncoding  []string
	contentEncoding []string
	origin          string // of the page that calls, as a browser says
	asksMethod      bool   // a browser asks whether a page may use a method
	query           string // the parameters of the URL that was called, or their first name
	caller          policy.Caller
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
	read := func(dst *string) error { return readString(r, dst) }
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
		case name == "rawQueryString":
			return read(&e.query)
		case name == "queryStringParameters" && k == strictjson.Object:
			return r.Members(func(name string) error {
				e.query = name
				return r.Skip()
			})
		case name == "requestContext" && k == strictjson.Object:
			return r.Members(func(name string) error {
				switch k := r.Peek(); {
				case name == "http" && k == strictjson.Object:
					return readStrings(r, map[string]*string{"method": &e.method})
				case name == "authorizer" && k == strictjson.Object:
					return readAuthorizer(r, &e.caller)
				case name == "identity" && k == strictjson.Object:
					return readIdentity(r, &e.caller)
				}
				return r.Skip()
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
				case "content-encoding":
					e.contentEncoding = append(e.contentEncoding, v)
				case "origin":
					e.origin = v
				case "access-control-request-method":
					e.asksMethod = true
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

// readString reads a string, and nothing of a value of another type.
func readString(r *strictjson.Reader, dst *string) error {
	if r.Peek() != strictjson.String {
		return r.Skip()
	}
	s, err := r.String()
	*dst = s
	return err
}

// readStrings reads some members of an object, if they are strings.
func readStrings(r *strictjson.Reader, members map[string]*string) error {
	return r.Members(func(name string) error {
		if dst := members[name]; dst != nil {
			return readString(r, dst)
		}
		return r.Skip()
	})
}

// readAuthorizer reads whom an HTTP API or a Function URL let through, or a REST API
// with a user pool's token. What a Lambda authorizer says is not AWS's word, so its
// callers stay anonymous.
//
//   - https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
//   - https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
//   - https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
//   - https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-enable-cognito-user-pool.html
func readAuthorizer(r *strictjson.Reader, c *policy.Caller) error {
	claims := func() error {
		c.Kind, c.Claims = policy.JWT, make(map[string]string)
		return r.Members(func(name string) error {
			if r.Peek() != strictjson.String {
				return r.Skip()
			}
			v, err := r.String()
			c.Claims[name] = v
			return err
		})
	}
	return r.Members(func(name string) error {
		switch k := r.Peek(); {
		case name == "iam" && k == strictjson.Object:
			return r.Members(func(name string) error {
				switch {
				case name == "userArn":
					return readPrincipal(r, c)
				case name == "accountId":
					return readString(r, &c.Account)
				case name == "userId":
					return readString(r, &c.UserID)
				case name == "cognitoIdentity" && r.Peek() == strictjson.Object:
					return readStrings(r, map[string]*string{"identityId": &c.CognitoID})
				}
				return r.Skip()
			})
		case name == "jwt" && k == strictjson.Object:
			return r.Members(func(name string) error {
				if name != "claims" || r.Peek() != strictjson.Object {
					return r.Skip()
				}
				return claims()
			})
		case name == "claims" && k == strictjson.Object:
			return claims()
		}
		return r.Skip()
	})
}

// readIdentity reads whom a REST API with IAM authorization let through.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
func readIdentity(r *strictjson.Reader, c *policy.Caller) error {
	return r.Members(func(name string) error {
		switch name {
		case "userArn":
			return readPrincipal(r, c)
		case "accountId":
			return readString(r, &c.Account)
		case "user":
			return readString(r, &c.UserID)
		case "cognitoIdentityId":
			return readString(r, &c.CognitoID)
		}
		return r.Skip()
	})
}

// readPrincipal reads the ARN that makes a caller IAM's.
func readPrincipal(r *strictjson.Reader, c *policy.Caller) error {
	err := readString(r, &c.ARN)
	if c.ARN != "" {
		c.Kind = policy.IAM
	}
	return err
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

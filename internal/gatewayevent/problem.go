package gatewayevent

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/strictjson"
)

// asError makes anything that is not for the caller an InternalError.
func asError(err error) *bulk.Error {
	var known *bulk.Error
	if errors.As(err, &known) {
		return known
	}
	return &bulk.Error{Code: bulk.InternalError, Detail: "the service failed", Cause: err}
}

// Status maps the contract's codes to HTTP.
func Status(code bulk.Code) int {
	switch code {
	case bulk.InvalidRequest, bulk.InvalidOption, bulk.ExpiryTooLong:
		return http.StatusBadRequest
	case bulk.BucketNotAllowed, bulk.OperationNotAllowed, bulk.KeyNotAllowed:
		return http.StatusForbidden
	case bulk.MethodNotAllowed:
		return http.StatusMethodNotAllowed
	case bulk.TooManyKeys, bulk.ResponseTooLarge:
		return http.StatusRequestEntityTooLarge
	case bulk.CredentialsUnavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// problem is the HTTP answer to a request that failed (RFC 9457).
func problem(e *bulk.Error, headers ...string) []byte {
	answer := []byte(responseHead(Status(e.Code), problemType, "", append(allow(e), headers...)...))
	answer = strictjson.AppendEscaped(answer, string(problemBody(e)), 1)
	return append(answer, responseEnd...)
}

const problemType = "application/problem+json"

// problemAddress is where each code has its section, with its cure, relative to the repository: which host that is
// read on nobody here knows.
const problemAddress = "docs/reference.md#"

// allow is the header that a refused method must have.
func allow(e *bulk.Error) []string {
	if e.Code == bulk.MethodNotAllowed {
		return []string{"allow", http.MethodPost}
	}
	return nil
}

func problemBody(e *bulk.Error) []byte {
	code := Status(e.Code)
	body := append([]byte(`{"type":`), strictjson.Quote(problemAddress+strings.ToLower(string(e.Code)))...)
	body = append(append(body, `,"title":`...), strictjson.Quote(http.StatusText(code))...)
	body = strconv.AppendInt(append(body, `,"status":`...), int64(code), 10)
	body = append(append(body, `,"detail":`...), strictjson.Quote(e.Detail)...)
	body = append(append(body, `,"code":`...), strictjson.Quote(string(e.Code))...)
	if e.Code == bulk.ResponseTooLarge {
		body = strconv.AppendInt(append(body, `,"fits":`...), int64(e.Fits), 10)
	}
	return append(body, '}')
}

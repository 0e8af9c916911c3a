// Package awserr makes the errors of AWS calls fit for the log, and says which of them
// may pass.
package awserr

import (
	"errors"
	"net/http"
	"slices"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Error is a call that failed. Its text holds nothing of the answer but the code: a
// message of S3 can repeat a token, and an error of the transport a URL.
type Error struct {
	Call   string // what was tried: "put a result into the results bucket"
	Code   string // AWS's, or empty when there was no answer
	Status int    // HTTP's, or 0
}

func (e *Error) Error() string {
	if e.Code == "" {
		return e.Call + ": no answer"
	}
	return e.Call + ": " + e.Code
}

// Wrap makes an *Error of what the SDK returned, nil of nil.
func Wrap(call string, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Call: call}
	var answer smithy.APIError
	if errors.As(err, &answer) {
		e.Code = answer.ErrorCode()
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		e.Status = response.HTTPStatusCode()
		if e.Code == "" {
			e.Code = http.StatusText(e.Status)
		}
	}
	return e
}

// passing are codes below status 500 that say nothing against the call itself.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var passing = []string{
	"ExpiredToken", "OperationAborted", "ConditionalRequestConflict", "RequestTimeout", "RequestTimeTooSkewed", "SlowDown",
	"RequestThrottled", "RequestThrottledException", "Throttling", "ThrottlingException", "TooManyRequestsException",
}

// Passes tells whether the same call may succeed later.
func (e *Error) Passes() bool {
	return e.Status == 0 || e.Status >= 500 || e.Status == http.StatusTooManyRequests || slices.Contains(passing, e.Code)
}

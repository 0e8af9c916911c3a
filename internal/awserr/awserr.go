// Package awserr makes the errors of AWS calls fit for the log, and says which of them
// may pass.
package awserr

import (
	"errors"
	"net/http"
	"regexp"
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
	Key    string // the action on a KMS key that was refused, as S3 says it: kms:Decrypt; or empty
}

func (e *Error) Error() string {
	if e.Code == "" {
		return e.Call + ": no answer"
	}
	if e.Key != "" {
		return e.Call + ": " + e.Code + ", of a KMS key: the role, or the key's own policy, does not allow " + e.Key
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
		e.Key = ofKey.FindString(answer.ErrorMessage())
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		e.Status = response.HTTPStatusCode()
		if e.Code == "" && e.Status < 300 {
			e.Code = cutOff
		} else if e.Code == "" {
			e.Code = http.StatusText(e.Status)
		}
	}
	return e
}

// ofKey finds what S3 says of a KMS key in the message of an AccessDenied.
var ofKey = regexp.MustCompile(`\bkms:(Decrypt|Encrypt|GenerateDataKey)\b`)

// cutOff stands for the code of an answer that begins well and cannot be read to its end.
const cutOff = "an answer that was cut off"

// passing are codes below status 500 that say nothing against the call itself. S3 can begin with 200, and tell within of
// what went wrong meanwhile.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var passing = []string{
	cutOff, "InternalError", "ServiceUnavailable", "ExpiredToken", "OperationAborted", "ConditionalRequestConflict", "RequestTimeout", "RequestTimeTooSkewed", "SlowDown",
	"RequestThrottled", "RequestThrottledException", "Throttling", "ThrottlingException", "TooManyRequestsException",
}

// Passes tells whether the same call may succeed later.
func (e *Error) Passes() bool {
	return e.Status == 0 || e.Status >= 500 || e.Status == http.StatusTooManyRequests || slices.Contains(passing, e.Code)
}

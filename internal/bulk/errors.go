package bulk

import "fmt"

// Code is a word of the contract for why a request or a key failed.
type Code string

// Codes of whole requests.
const (
	InvalidRequest         Code = "InvalidRequest"
	MethodNotAllowed       Code = "MethodNotAllowed"
	ExpiryTooLong          Code = "ExpiryTooLong"
	BucketNotAllowed       Code = "BucketNotAllowed"
	OperationNotAllowed    Code = "OperationNotAllowed"
	TooManyKeys            Code = "TooManyKeys"
	ResponseTooLarge       Code = "ResponseTooLarge"
	CredentialsUnavailable Code = "CredentialsUnavailable"
	InternalError          Code = "InternalError"
)

// Codes of single keys, in the order in which they are looked for. InvalidOption is
// also a whole request's, when an option was given for the whole batch.
const (
	EmptyKey        Code = "EmptyKey"
	KeyTooLong      Code = "KeyTooLong"
	KeyNotAllowed   Code = "KeyNotAllowed"
	UnsafeKey       Code = "UnsafeKey"
	InvalidOption   Code = "InvalidOption"
	ConflictingItem Code = "ConflictingItem"
	UploadFailed    Code = "UploadFailed" // S3 did not begin or list an upload
)

// Codes of keys that S3 was asked about.
const (
	NotFound    Code = "NotFound"    // there is no such object
	Forbidden   Code = "Forbidden"   // S3 lets the service's role not read it, or does not say that it is missing
	Archived    Code = "Archived"    // it must be restored first
	NotVerified Code = "NotVerified" // there was no time, or no answer
)

// Error is why a whole request failed. Its Detail is for the caller: it says what
// was wrong and what to do, and holds nothing internal.
type Error struct {
	Code   Code
	Detail string
	Fits   int    // with ResponseTooLarge: how many keys, from the first, would fit
	Rule   string // of the policy document, that decided; for the log
	Cause  error  // for the log alone
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Detail }

// Unwrap gives the log the cause.
func (e *Error) Unwrap() error { return e.Cause }

func failf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// TooLarge is the error of an answer that does not fit: fits keys would, and instead
// is what else the caller can do.
func TooLarge(fits int, instead string) *Error {
	detail := fmt.Sprintf("the answer would be too large: the first %d keys would fit, so split the request", fits)
	if instead != "" {
		detail += " or " + instead
	}
	return &Error{Code: ResponseTooLarge, Detail: detail, Fits: fits}
}

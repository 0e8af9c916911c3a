package job

import (
	"errors"
	"fmt"
	"net/http"

	"bulkpresign/internal/awserr"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/manifest"
)

// Codes of jobs, beside those of requests.
const (
	ManifestNotFound bulk.Code = "ManifestNotFound" // nothing is there, or nothing that the role may read
	ManifestChanged  bulk.Code = "ManifestChanged"  // its content is another than the one that was meant
	InvalidManifest  bulk.Code = "InvalidManifest"  // it cannot be read as what it says it is
	NothingToSign    bulk.Code = "NothingToSign"    // an empty list, or no object under the prefix
	OutOfTime        bulk.Code = "OutOfTime"        // longer than one invocation, and no queue to go on from
	PartMissing      bulk.Code = "PartMissing"      // finish, and not every shard is signed
	Throttled        bulk.Code = "Throttled"        // of a step: S3 asks to wait; never in a result
)

// resultsError is a failure of the results bucket or of a queue. It is never the
// input's fault, and there is no place to say it, so it is always tried again.
type resultsError struct{ error }

func (e resultsError) Unwrap() error { return e.error }

// inResults marks an error.
func inResults(err error) error {
	if err == nil {
		return nil
	}
	return resultsError{err}
}

// verdict decides, for every error of a job, whether trying again can help. If not, it
// says what the result says.
func verdict(err error) (failure *Failure, permanent bool) {
	var results resultsError
	var asked *bulk.Error
	var call *awserr.Error
	var list *manifest.BrokenError
	switch {
	case errors.As(err, &results):
		return nil, false
	case errors.As(err, &asked):
		if asked.Code == bulk.CredentialsUnavailable || asked.Code == bulk.InternalError {
			return nil, false
		}
		return &Failure{Code: asked.Code, Message: asked.Detail}, true
	case errors.As(err, &call):
		switch {
		case call.Passes():
			return nil, false
		case call.Status == http.StatusPreconditionFailed, call.Status == http.StatusRequestedRangeNotSatisfiable:
			return &Failure{Code: ManifestChanged, Message: "the list was changed after the job began, or after the event was sent: the newer one has an event of its own"}, true
		case call.Status == http.StatusNotFound, call.Status == http.StatusForbidden:
			return &Failure{Code: ManifestNotFound, Message: "what the job is to read is not there, or this service may not read it: " + why(call)}, true
		}
		return &Failure{Code: InvalidManifest, Message: fmt.Sprintf("what the job is to read cannot be read: %s", call.Code)}, true
	case errors.As(err, &list):
		return &Failure{Code: InvalidManifest, Message: list.Error(), Line: list.Line}, true
	}
	return nil, false
}

// why is S3's code, and the permission on a KMS key that is lacking.
func why(call *awserr.Error) string {
	if call.Key != "" {
		return call.Code + ", " + call.Key
	}
	return call.Code
}

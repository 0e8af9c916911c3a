package job_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	smithyhttp "github.com/aws/smithy-go/transport/http"

	"bulkpresign/internal/awserr"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/job"
	"bulkpresign/internal/manifest"
)

// What may pass comes again; what never can is told in a result.
func TestVerdict(t *testing.T) {
	call := func(status int, code string) error {
		return &awserr.Error{Call: "read an object", Code: code, Status: status}
	}
	cut := &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: 200}}, Err: io.ErrUnexpectedEOF}
	for _, test := range []struct {
		name string
		err  error
		code string // empty: it comes again
	}{
		{"S3 is slow", call(503, "SlowDown"), ""},
		{"S3 fails", call(500, "InternalError"), ""},
		{"too many requests", call(429, "TooManyRequests"), ""},
		{"S3 timed out", call(400, "RequestTimeout"), ""},
		{"the clock is wrong", call(403, "RequestTimeTooSkewed"), ""},
		{"the token has ended", call(400, "ExpiredToken"), ""},
		{"no answer", call(0, ""), ""},
		{"out of time", awserr.Wrap("read an object", context.DeadlineExceeded), ""},
		{"an answer that was cut off", awserr.Wrap("list objects", cut), ""},
		{"a failure behind a 200", call(200, "InternalError"), ""},
		{"a reader's error", fmt.Errorf("reading: %w", call(503, "SlowDown")), ""},
		{"no list", call(404, "NoSuchKey"), "ManifestNotFound"},
		{"no bucket", call(404, "NoSuchBucket"), "ManifestNotFound"},
		{"no permission, or no list", call(403, "AccessDenied"), "ManifestNotFound"},
		{"another content", call(412, "PreconditionFailed"), "ManifestChanged"},
		{"shorter than before", call(416, "InvalidRange"), "ManifestChanged"},
		{"in Glacier", call(400, "InvalidObjectState"), "InvalidManifest"},
		{"a broken list", &manifest.BrokenError{Line: 3, Reason: "x"}, "InvalidManifest"},
		{"a forbidden bucket", &bulk.Error{Code: bulk.BucketNotAllowed}, "BucketNotAllowed"},
		{"no JSON", &bulk.Error{Code: bulk.InvalidRequest}, "InvalidRequest"},
		{"too long a lifetime", &bulk.Error{Code: bulk.ExpiryTooLong}, "ExpiryTooLong"},
		{"no credentials", &bulk.Error{Code: bulk.CredentialsUnavailable}, ""},
		{"an internal error", &bulk.Error{Code: bulk.InternalError}, ""},
		{"anything else", errors.New("x"), ""},
		{"the results bucket is gone", job.InResults(call(404, "NoSuchBucket")), ""},
		{"the results bucket is closed", job.InResults(call(403, "AccessDenied")), ""},
		{"an upload is gone", job.InResults(call(404, "NoSuchUpload")), ""},
	} {
		code, permanent := job.Verdict(test.err)
		if code != test.code || permanent != (test.code != "") {
			t.Errorf("%s: %q, permanent: %v, want %q", test.name, code, permanent, test.code)
		}
	}
}

package audit_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"bulkpresign/internal/audit"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/check/logcheck"
	"bulkpresign/internal/lambdalog"
)

// Lambda counts what a direct caller is told of as one of the function's errors, and nothing
// else: only then there is a metric to subtract, by the version that the alarm on a new one
// looks at, too.
func TestInvokeErrors(t *testing.T) {
	for _, test := range []struct {
		source  string
		failure *bulk.Error
		want    bool
	}{
		{"direct", nil, false},
		{"direct", &bulk.Error{Code: bulk.InvalidRequest}, true},
		{"direct", &bulk.Error{Code: bulk.InternalError}, true},
		{"http", &bulk.Error{Code: bulk.InvalidRequest}, false},
		{"sqs", &bulk.Error{Code: bulk.InternalError}, false},
	} {
		var line bytes.Buffer
		record := audit.Begin(test.source)
		record.Failure = test.failure
		record.End(t.Context(), lambdalog.New(&line))
		if err := logcheck.Metrics(line.Bytes()); err != nil {
			t.Errorf("%s: %v", test.source, err)
		}
		var got map[string]any
		if err := json.Unmarshal(line.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(logcheck.MetricNames(got), "InvokeErrors") != test.want {
			t.Errorf("%s, %v: there is a metric InvokeErrors: %v", test.source, test.failure, !test.want)
		}
		if _, ok := got["FunctionVersion"]; ok != test.want {
			t.Errorf("%s, %v: the line names the version: %v", test.source, test.failure, ok)
		}
	}
}

// A record names the policy that decided, by the digest of its text.
func TestPolicyDigest(t *testing.T) {
	for _, test := range []struct{ document, want string }{
		{"", ""},
		{"{}", "44136fa355b3678a"}, // printf %s '{}' | sha256sum
	} {
		audit.DecidedBy([]byte(test.document), "")
		var line bytes.Buffer
		audit.Begin("http").End(t.Context(), lambdalog.New(&line))
		var got struct{ Policy string }
		if err := json.Unmarshal(line.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got.Policy != test.want {
			t.Errorf("the record names the policy %q, want %q", got.Policy, test.want)
		}
	}
	audit.DecidedBy(nil, "")
}

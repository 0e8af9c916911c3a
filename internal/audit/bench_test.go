package audit_test

import (
	"io"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"bulkpresign/internal/audit"
	"bulkpresign/internal/lambdalog"
	"bulkpresign/internal/policy"
)

// A record's cost, once a request, whatever its size.
func BenchmarkRecord(b *testing.B) {
	p := plan(b, time.Hour, `{"keys":["in/a","in/b"]}`)
	ctx := lambdacontext.NewContext(b.Context(), &lambdacontext.LambdaContext{AwsRequestID: "request-1"})
	log := lambdalog.New(io.Discard)
	b.ReportAllocs()
	for b.Loop() {
		r := audit.Begin("http")
		r.Caller = policy.Caller{Kind: policy.IAM, ARN: "arn:aws:sts::123456789012:assumed-role/web/alice"}
		r.Add(p)
		r.End(ctx, log)
	}
}

package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/audit"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/check/logcheck"
	"bulkpresign/internal/lambdalog"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/s3url"
	"bulkpresign/internal/sigv4"
)

var (
	signedAt = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	alice    = policy.Caller{Kind: policy.IAM, ARN: "arn:aws:sts::123456789012:assumed-role/web/alice"}
)

type fixed struct{ now bulk.Credentials }

func (f fixed) Credentials(context.Context, *bulk.Need) (bulk.Credentials, error) { return f.now, nil }

// plan judges a request with credentials that end after left, or nobody knows when.
func plan(t testing.TB, left time.Duration, request string) *bulk.Plan {
	t.Helper()
	now := bulk.Credentials{Credentials: sigv4.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "hunter2", SessionToken: "hunter3"}}
	if left > 0 {
		now.Expires = signedAt.Add(left)
	}
	s := &bulk.Service{
		Policy: policy.Policy{
			Buckets:          []string{"photos"},
			Operations:       []s3op.Operation{s3op.GetObject},
			KeyPrefix:        "in/",
			DefaultExpiresIn: 900 * time.Second,
			MaxExpiresIn:     time.Hour,
			MaxKeys:          100,
		},
		Locate: func(bucket string) (s3url.Location, error) {
			return s3url.Resolve(context.Background(), bucket, s3url.Settings{Region: "eu-west-1"})
		},
		Credentials: fixed{now},
		Now:         func() time.Time { return signedAt },
	}
	r, err := bulk.Decode([]byte(request), 100)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Plan(t.Context(), alice, r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// line writes a record and reads it back, less what no two runs have in common.
func line(t *testing.T, r *audit.Record) map[string]any {
	t.Helper()
	var book logcheck.Book
	var b bytes.Buffer
	book.KeepOut("hunter2", "hunter3")
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "request-1"})
	r.End(ctx, lambdalog.New(&b))
	book.Write(b.Bytes())
	if problems := book.Problems(); problems != nil {
		t.Error(problems)
	}
	var got map[string]any
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"timestamp", "Duration"} {
		if got[name] == nil {
			t.Errorf("there is no %s", name)
		}
		delete(got, name)
	}
	return got
}

// object reads the members that a line should have.
func object(t *testing.T, text string) (o map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestRecord(t *testing.T) {
	audit.Begin("direct") // so that what follows is warm
	r := audit.Begin("http")
	r.Caller, r.Items = alice, 5
	r.Add(plan(t, time.Hour, `{"keys":["in/a","in/b","in/b","secret plans.pdf","in/../x"],"expires_in":60}`))
	got := line(t, r)
	delete(got, "_aws") // TestMetricNames
	if d := cmp.Diff(object(t, `{
		"level": "INFO", "message": "request", "requestId": "request-1", "source": "http", "cold": false,
		"caller": {"kind": "iam", "principal": "arn:aws:sts::123456789012:assumed-role/web/alice", "hash": "8f872a90e2d2c7af"},
		"bucket": "photos", "operation": "GetObject",
		"signedAt": "2026-11-23T08:00:00Z", "expiresIn": 60, "expiresAt": "2026-11-23T08:01:00Z", "basis": "signature",
		"denied": [
			{"code": "KeyNotAllowed", "sha256": "f7fa23dbf1525e34", "bytes": 16},
			{"code": "UnsafeKey", "sha256": "183d240be54b4811", "bytes": 7}
		],
		"FunctionName": "unknown", "Requests": 1, "RequestsRefused": 0, "RequestsFailed": 0,
		"BatchSize": 5, "KeysRequested": 4, "KeysSigned": 2, "KeysRefused": 2, "RefusedKeyNotAllowed": 1, "RefusedUnsafeKey": 1,
		"CredentialSecondsLeft": 3600
	}`), got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// A request in several batches is one record: of the URLs that end first.
func TestSeveralBatches(t *testing.T) {
	r := audit.Begin("s3")
	r.Caller = policy.Caller{Kind: policy.Service, Service: "s3.amazonaws.com", SourceARN: "arn:aws:s3:::lists"}
	for range 4 {
		r.Add(plan(t, time.Hour, `{"keys":["in/a","x","y"],"expires_in":600}`))
	}
	r.Add(plan(t, 100*time.Second, `{"keys":["in/b"],"expires_in":300}`))
	got := line(t, r)
	for name, want := range map[string]any{
		"KeysRequested": 13.0, "KeysSigned": 5.0, "KeysRefused": 8.0, "RefusedKeyNotAllowed": 8.0,
		"expiresIn": 100.0, "expiresAt": "2026-11-23T08:01:40Z", "basis": "credentials", "CredentialSecondsLeft": 100.0,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if denied := got["denied"].([]any); len(denied) != audit.MaxDenied {
		t.Errorf("%d keys are named, want %d", len(denied), audit.MaxDenied)
	}
	if c := got["caller"].(map[string]any); c["kind"] != "service" || c["principal"] != "arn:aws:s3:::lists" {
		t.Errorf("the caller is %v", c)
	}
}

func TestFailures(t *testing.T) {
	for _, test := range []struct {
		failure *bulk.Error
		want    string
	}{
		{&bulk.Error{Code: bulk.TooManyKeys, Detail: "split it"}, `{
			"level": "INFO", "code": "TooManyKeys", "detail": "split it", "RequestsRefused": 1, "RequestsFailed": 0, "RequestTooManyKeys": 1}`},
		{&bulk.Error{Code: bulk.CredentialsUnavailable, Detail: "try again", Cause: errors.New("STS is down")}, `{
			"level": "ERROR", "code": "CredentialsUnavailable", "detail": "try again", "cause": "STS is down",
			"RequestsRefused": 0, "RequestsFailed": 1, "RequestCredentialsUnavailable": 1}`},
		{&bulk.Error{Code: bulk.ResponseTooLarge, Detail: "split it", Cause: errors.New("the results bucket is gone")}, `{
			"level": "ERROR", "code": "ResponseTooLarge", "RequestsRefused": 0, "RequestsFailed": 1, "RequestResponseTooLarge": 1}`},
	} {
		r := audit.Begin("http")
		r.Add(plan(t, 0, `{"keys":["in/a"]}`))
		r.Failure = test.failure
		got := line(t, r)
		for name, want := range object(t, test.want) {
			if got[name] != want {
				t.Errorf("%s: %s is %v, want %v", test.failure.Code, name, got[name], want)
			}
		}
		if got["KeysSigned"] != 0.0 || got["KeysRequested"] != 1.0 {
			t.Errorf("%s: URLs went out", test.failure.Code)
		}
		if _, known := got["CredentialSecondsLeft"]; known {
			t.Errorf("%s: the credentials' end is known", test.failure.Code)
		}
	}
}

// CloudWatch keeps a metric for each name, so the names are few and known: nothing that
// a caller sends becomes one.
func TestMetricNames(t *testing.T) {
	r := audit.Begin("http")
	r.Add(plan(t, time.Hour, `{"keys":["in/a","RefusedX","","in/./`+strings.Repeat("k", 10)+`"]}`))
	r.Refused["Nonsense"] = 1
	r.Failure = &bulk.Error{Code: bulk.InternalError}
	var meta struct {
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []struct{ Name, Unit string }
		}
	}
	text, _ := json.Marshal(line(t, r)["_aws"])
	if err := json.Unmarshal(text, &meta); err != nil || len(meta.CloudWatchMetrics) != 1 {
		t.Fatalf("%d directives, error %v", len(meta.CloudWatchMetrics), err)
	}
	d := meta.CloudWatchMetrics[0]
	var got []string
	for _, m := range d.Metrics {
		got = append(got, m.Name+" "+m.Unit)
	}
	want := []string{
		"Requests Count", "BatchSize Count", "KeysRequested Count", "KeysSigned Count",
		"RefusedEmptyKey Count", "RefusedKeyNotAllowed Count", "RefusedUnsafeKey Count", "KeysRefused Count",
		"RequestsRefused Count", "RequestsFailed Count", "RequestInternalError Count",
		"Duration Milliseconds", "CredentialSecondsLeft Seconds",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
	if d.Namespace != "BulkPresign" || fmt.Sprint(d.Dimensions) != "[[FunctionName]]" {
		t.Errorf("namespace %s, dimensions %v", d.Namespace, d.Dimensions)
	}
}

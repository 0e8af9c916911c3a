package job_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// batchEvent is how S3 Batch Operations invokes a function for some objects of a bucket, which
// it tells of percent-encoded.
func batchEvent(schema, bucket string, arguments map[string]string, keys ...string) []byte {
	job := map[string]any{"id": "f3cc4f60-61f6-4a2b-8a21-d07600c373ce"}
	if arguments != nil {
		job["userArguments"] = arguments
	}
	var tasks []map[string]any
	for i, key := range keys {
		task := map[string]any{"taskId": fmt.Sprint("task", i), "s3Key": url.PathEscape(key), "s3VersionId": nil}
		if schema == "1.0" {
			task["s3BucketArn"] = "arn:aws:s3:::" + bucket
		} else {
			task["s3Bucket"] = bucket
		}
		tasks = append(tasks, task)
	}
	return mustJSON(map[string]any{"invocationSchemaVersion": schema, "invocationId": "invocation", "job": job, "tasks": tasks})
}

func TestBatchOperations(t *testing.T) {
	t.Parallel()
	var fails atomic.Bool
	b := newBed(t, func(s3 http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if fails.Load() {
				http.Error(w, "", http.StatusServiceUnavailable)
				return
			}
			s3.ServeHTTP(w, r)
		})
	})
	fn := b.start(t, 20*time.Second, "AWS_MAX_ATTEMPTS=1")
	const key = "q3+q4 é/100%.pdf"
	b.put(t, "photos", key, []byte("one"), nil)
	ask := func(event []byte) events.S3BatchJobResponse {
		t.Helper()
		text, err := fn.Invoke(t.Context(), event)
		if err != nil {
			t.Fatal(err)
		}
		var answer events.S3BatchJobResponse
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&answer); err != nil {
			t.Fatal(err)
		}
		return answer
	}
	for _, schema := range []string{"1.0", "2.0"} {
		answer := ask(batchEvent(schema, "photos", nil, key, "../x"))
		if answer.InvocationSchemaVersion != schema || answer.InvocationID != "invocation" || answer.TreatMissingKeysAs != "PermanentFailure" || len(answer.Results) != 2 {
			t.Fatalf("%+v", answer)
		}
		one, two := answer.Results[0], answer.Results[1]
		if one.TaskID != "task0" || one.ResultCode != "Succeeded" || !strings.HasPrefix(one.ResultString, "s3://results/results/batch-f3cc4f60-") || strings.Contains(one.ResultString, "X-Amz-") {
			t.Errorf("%s: %+v", schema, one)
		}
		if two.TaskID != "task1" || two.ResultCode != "PermanentFailure" || !strings.HasPrefix(two.ResultString, "UnsafeKey: ") {
			t.Errorf("%s: %+v", schema, two)
		}
		at, _, _ := strings.Cut(strings.TrimPrefix(one.ResultString, "s3://results/"), " until ")
		text, err := b.s3server.Get("results", at)
		if err != nil {
			t.Fatal(err)
		}
		var l line
		if err := json.Unmarshal(text, &l); err != nil || l.Key != key {
			t.Fatalf("the result is of %q, %v", l.Key, err)
		}
		works(t, l.URL, "one")
	}
	if n := len(b.keys(t, "results")); n != 1 {
		t.Errorf("%d objects: the same object of the same job writes one", n)
	}

	// The URL is in the report when it is asked for there, and nowhere else then.
	answer := ask(batchEvent("2.0", "photos", map[string]string{"report": "url", "expires_in": "77", "response_content_type": "a/b", "treat_missing_keys_as": "TemporaryFailure"}, key))
	if r := answer.Results[0]; r.ResultCode != "Succeeded" || !strings.Contains(r.ResultString, "X-Amz-Expires=77&") || !strings.Contains(r.ResultString, "response-content-type=a%2Fb") || answer.TreatMissingKeysAs != "TemporaryFailure" {
		t.Errorf("%s, %s", r.ResultCode, answer.TreatMissingKeysAs)
	} else {
		works(t, r.ResultString, "one")
	}
	if n := len(b.keys(t, "results")); n != 1 {
		t.Errorf("%d objects", n)
	}

	for _, test := range []struct {
		name, bucket, key string
		arguments         map[string]string
		code, text        string
	}{
		{"a bucket that is not allowed", "secret", "a", nil, "PermanentFailure", "BucketNotAllowed"},
		{"an operation that is not allowed", "photos", "a", map[string]string{"operation": "DELETE"}, "PermanentFailure", "OperationNotAllowed"},
		{"a list, which is written by nobody else", "photos", "manifests/a.txt", map[string]string{"operation": "PutObject"}, "Succeeded", ""}, // lists lie in another bucket
		{"too long", "photos", "a", map[string]string{"expires_in": "604800"}, "PermanentFailure", "ExpiryTooLong"},
		{"an option that is none", "photos", "a", map[string]string{"colour": "red"}, "PermanentFailure", `InvalidRequest: userArguments: unknown field "colour"`},
		{"a report that is none", "photos", "a", map[string]string{"report": "all"}, "PermanentFailure", "InvalidRequest"},
		{"a code that is none", "photos", "a", map[string]string{"treat_missing_keys_as": "x"}, "PermanentFailure", "InvalidRequest"},
		{"a bucket of its own", "photos", "a", map[string]string{"bucket": "photos"}, "PermanentFailure", "InvalidRequest"},
		{"keys", "photos", "a", map[string]string{"keys": "[]"}, "PermanentFailure", "InvalidRequest"},
		{"an object that is missing", "photos", "a", map[string]string{"verify": "head"}, "PermanentFailure", "NotFound"},
	} {
		r := ask(batchEvent("2.0", test.bucket, test.arguments, test.key)).Results[0]
		if r.ResultCode != test.code || !strings.HasPrefix(r.ResultString, test.text) {
			t.Errorf("%s: %s, %s", test.name, r.ResultCode, r.ResultString)
		}
	}
	// A version is signed for, and a key that nobody encoded is an error of its own.
	event := strings.Replace(string(batchEvent("2.0", "photos", map[string]string{"report": "url"}, key)), `"s3VersionId":null`, `"s3VersionId":"v1"`, 1)
	if r := ask([]byte(event)).Results[0]; !strings.Contains(r.ResultString, "versionId=v1&") {
		t.Error("the version is lost")
	}
	if r := ask([]byte(strings.Replace(event, url.PathEscape(key), "100%", 1))).Results[0]; r.ResultCode != "PermanentFailure" || !strings.HasPrefix(r.ResultString, "InvalidRequest: ") {
		t.Errorf("%+v", r)
	}
	// The limits of a policy hold: here for nobody but direct callers.
	only := b.start(t, 20*time.Second, `PRESIGN_POLICY={"rules":[{"name":"people","effect":"allow","callers":[{"direct":true}]}]}`)
	text, err := only.Invoke(t.Context(), batchEvent("1.0", "photos", nil, key))
	if err != nil || !bytes.Contains(text, []byte("PermanentFailure")) || !bytes.Contains(text, []byte("NotAllowed")) {
		t.Errorf("%s, %v", text, err)
	}
	if _, err := fn.Invoke(t.Context(), []byte(`{"invocationSchemaVersion":"9","invocationId":"x","tasks":[]}`)); err == nil || !strings.Contains(err.Error(), "InvalidRequest") {
		t.Errorf("a schema that is none: %v", err)
	}
	// What may pass is tried again by the job.
	fails.Store(true)
	if r := ask(batchEvent("1.0", "photos", nil, key)).Results[0]; r.ResultCode != "TemporaryFailure" || !strings.HasPrefix(r.ResultString, "InternalError") {
		t.Errorf("S3 is down: %+v", r)
	}
	if r := ask(batchEvent("2.0", "photos", map[string]string{"verify": "head"}, key)).Results[0]; r.ResultCode != "TemporaryFailure" {
		t.Errorf("S3 is down: %+v", r)
	}
}

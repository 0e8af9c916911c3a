package batchevent_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bulkpresign/internal/batchevent"
)

func TestDecode(t *testing.T) {
	for _, test := range []struct {
		name, event string
		want        *batchevent.Invocation
		problem     string // of the first task
	}{
		// https://docs.aws.amazon.com/lambda/latest/dg/services-s3-batch.html
		{"1.0, as in AWS's documentation", `{"invocationSchemaVersion":"1.0","invocationId":"YXNkbGZqYWRm","job":{"id":"f3cc4f60"},
			"tasks":[{"taskId":"dGFzaw","s3Key":"customerImage1.jpg","s3VersionId":"1","s3BucketArn":"arn:aws:s3:us-east-1:0123456788:examplebucket"}]}`,
			&batchevent.Invocation{Schema: "1.0", ID: "YXNkbGZqYWRm", Job: "f3cc4f60", Tasks: []batchevent.Task{{ID: "dGFzaw", Bucket: "examplebucket", Key: "customerImage1.jpg", Version: "1"}}}, ""},
		{"2.0, with arguments and without a version", `{"invocationSchemaVersion":"2.0","invocationId":"i","job":{"id":"j","userArguments":{"operation":"HeadObject"}},
			"tasks":[{"taskId":"t","s3Key":"a","s3VersionId":null,"s3Bucket":"photos"}]}`,
			&batchevent.Invocation{Schema: "2.0", ID: "i", Job: "j", Arguments: map[string]string{"operation": "HeadObject"}, Tasks: []batchevent.Task{{ID: "t", Bucket: "photos", Key: "a"}}}, ""},
		// Percent-encoded, as the manifest is: a plus is a plus.
		{"a key of all sorts", `{"invocationSchemaVersion":"1.0","invocationId":"i","job":{"id":"j"},
			"tasks":[{"taskId":"t","s3Key":"a%20b+c%2Bd/%C3%A9%25%0A","s3VersionId":"null","s3BucketArn":"arn:aws-cn:s3:::photos"}]}`,
			&batchevent.Invocation{Schema: "1.0", ID: "i", Job: "j", Tasks: []batchevent.Task{{ID: "t", Bucket: "photos", Key: "a b+c+d/é%\n"}}}, ""},
		{"an access point", `{"invocationSchemaVersion":"1.0","invocationId":"i","job":{"id":"j"},"tasks":[{"taskId":"t","s3Key":"a","s3BucketArn":"arn:aws:s3:eu-west-1:123456789012:accesspoint/mine"}]}`,
			&batchevent.Invocation{Schema: "1.0", ID: "i", Job: "j", Tasks: []batchevent.Task{{ID: "t", Bucket: "arn:aws:s3:eu-west-1:123456789012:accesspoint/mine", Key: "a"}}}, ""},
		{"a bad escape", `{"invocationSchemaVersion":"2.0","invocationId":"i","job":{"id":"j"},"tasks":[{"taskId":"t","s3Key":"100%","s3Bucket":"photos"}]}`, nil, "%25"},
		{"no UTF-8", `{"invocationSchemaVersion":"2.0","invocationId":"i","job":{"id":"j"},"tasks":[{"taskId":"t","s3Key":"%FF","s3Bucket":"photos"}]}`, nil, "UTF-8"},
		{"no key", `{"invocationSchemaVersion":"2.0","invocationId":"i","job":{"id":"j"},"tasks":[{"taskId":"t","s3Bucket":"photos"}]}`, nil, "s3Key"},
		{"1.0 with the bucket of 2.0", `{"invocationSchemaVersion":"1.0","invocationId":"i","job":{"id":"j"},"tasks":[{"taskId":"t","s3Key":"a","s3Bucket":"photos"}]}`, nil, "s3BucketArn"},
		{"2.0 with the bucket of 1.0", `{"invocationSchemaVersion":"2.0","invocationId":"i","job":{"id":"j"},"tasks":[{"taskId":"t","s3Key":"a","s3BucketArn":"arn:aws:s3:::photos"}]}`, nil, "s3Bucket"},
	} {
		got, err := batchevent.Decode([]byte(test.event))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if test.problem != "" {
			if e := got.Tasks[0].Err; e == nil || !strings.Contains(e.Error(), test.problem) {
				t.Errorf("%s: %v, want what says %q", test.name, e, test.problem)
			}
			continue
		}
		if diff := cmp.Diff(test.want, got, cmpopts.EquateErrors()); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
	for event, want := range map[string]string{
		`{"invocationSchemaVersion":"3.0","invocationId":"i","tasks":[{"taskId":"t"}]}`: "neither 1.0 nor 2.0",
		`{"invocationSchemaVersion":"1.0","tasks":[{"taskId":"t"}]}`:                    "invocationId",
		`{"invocationSchemaVersion":"1.0","invocationId":"i","tasks":[]}`:               "no tasks",
		`{"invocationSchemaVersion":"1.0","invocationId":"i","tasks":[{"s3Key":"a"}]}`:  "taskId",
		`{"invocationSchemaVersion":1}`:                                                 "another type",
	} {
		if _, err := batchevent.Decode([]byte(event)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want what says %q", event, err, want)
		}
	}
}

func TestAnswer(t *testing.T) {
	v := &batchevent.Invocation{Schema: "1.0", ID: "i"}
	text, err := v.Answer([]batchevent.Result{{Task: "t", Code: batchevent.Succeeded, Text: `a "b"`}}, batchevent.PermanentFailure)
	if err != nil || !json.Valid(text) {
		t.Fatal(err)
	}
	const want = `{"invocationSchemaVersion":"1.0","treatMissingKeysAs":"PermanentFailure","invocationId":"i","results":[{"taskId":"t","resultCode":"Succeeded","resultString":"a \"b\""}]}`
	if string(text) != want {
		t.Errorf("%s, want %s", text, want)
	}
}

// Package batchevent speaks S3 Batch Operations: it reads the event with which a job invokes a
// function for some of its objects, and writes what the job is to be answered.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html
package batchevent

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Member is the member that makes a payload an event of S3 Batch Operations.
const Member = "invocationSchemaVersion"

// Invocation is one event.
type Invocation struct {
	Schema    string // 1.0 or 2.0
	ID        string
	Job       string
	Arguments map[string]string // userArguments, which schema 2.0 has
	Tasks     []Task
}

// Task is one object. Err says why it cannot be used, and nil that it can; it holds nothing of the
// event.
type Task struct {
	ID      string
	Bucket  string // or the ARN of an access point
	Key     string // decoded
	Version string
	Err     error
}

// Code is what became of a task.
type Code string

const (
	Succeeded        Code = "Succeeded"
	TemporaryFailure Code = "TemporaryFailure" // the job invokes the function for it again
	PermanentFailure Code = "PermanentFailure"
)

// ParseCode reads the name of a Code.
func ParseCode(name string) (Code, bool) {
	c := Code(name)
	return c, c == Succeeded || c == TemporaryFailure || c == PermanentFailure
}

// Result is that of a task. Text stands in the job's completion report.
type Result struct {
	Task string `json:"taskId"`
	Code Code   `json:"resultCode"`
	Text string `json:"resultString"`
}

// Decode reads an event. Schema 1.0 names a bucket by its ARN, 2.0 by its name and may have
// arguments of the user. In both, keys are percent-encoded, as in the job's own manifest, and a
// plus is a plus: what AWS's examples decode with Python's unquote.
//
// An error says why there is nothing to answer, and holds nothing of the event.
func Decode(payload []byte) (*Invocation, error) {
	var e struct {
		Schema string `json:"invocationSchemaVersion"`
		ID     string `json:"invocationId"`
		Job    struct {
			ID        string            `json:"id"`
			Arguments map[string]string `json:"userArguments"`
		} `json:"job"`
		Tasks []struct {
			ID      string  `json:"taskId"`
			Key     string  `json:"s3Key"`
			Version *string `json:"s3VersionId"`
			ARN     string  `json:"s3BucketArn"` // of 1.0
			Bucket  string  `json:"s3Bucket"`    // of 2.0
		} `json:"tasks"`
	}
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, errors.New("the event of S3 Batch Operations cannot be read: a member has another type than S3 gives it")
	}
	switch {
	case e.Schema != "1.0" && e.Schema != "2.0":
		return nil, errors.New(`the event of S3 Batch Operations has an invocationSchemaVersion that is neither 1.0 nor 2.0: create the job with one of these`)
	case e.ID == "":
		return nil, errors.New("the event of S3 Batch Operations lacks its invocationId")
	case len(e.Tasks) == 0:
		return nil, errors.New("the event of S3 Batch Operations has no tasks")
	}
	v := &Invocation{Schema: e.Schema, ID: e.ID, Job: e.Job.ID, Arguments: e.Job.Arguments}
	for i, t := range e.Tasks {
		task := Task{ID: t.ID, Bucket: t.Bucket}
		if e.Schema == "1.0" {
			task.Bucket = bucketOf(t.ARN)
		}
		if t.Version != nil && *t.Version != "null" {
			task.Version = *t.Version
		}
		key, err := url.PathUnescape(t.Key)
		switch {
		case t.ID == "":
			return nil, fmt.Errorf("task %d of the event of S3 Batch Operations lacks its taskId", i+1)
		case task.Bucket == "":
			task.Err = errors.New(map[string]string{"1.0": "the task lacks its s3BucketArn", "2.0": "the task lacks its s3Bucket"}[e.Schema])
		case t.Key == "":
			task.Err = errors.New("the task lacks its s3Key")
		case err != nil:
			task.Err = errors.New(`the key has a "%" that is not followed by two hexadecimal digits: keys are percent-encoded in a manifest of S3 Batch Operations, so write "%25" for "%"`)
		case !utf8.ValidString(key):
			task.Err = errors.New("the key is not UTF-8 once it is decoded, which S3's keys are")
		}
		task.Key = key
		v.Tasks = append(v.Tasks, task)
	}
	return v, nil
}

// bucketOf takes the bucket from its ARN. An access point is named by its own.
func bucketOf(arn string) string {
	if strings.Contains(arn, ":accesspoint/") {
		return arn
	}
	return arn[strings.LastIndexByte(arn, ':')+1:]
}

// Answer is what the job is told. Of tasks that have no result it takes missing.
func (v *Invocation) Answer(results []Result, missing Code) ([]byte, error) {
	return json.Marshal(struct {
		Schema  string   `json:"invocationSchemaVersion"`
		Missing Code     `json:"treatMissingKeysAs"`
		ID      string   `json:"invocationId"`
		Results []Result `json:"results"`
	}{v.Schema, missing, v.ID, results})
}

package job_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func newServer(h http.Handler) *httptest.Server { return httptest.NewServer(h) }

// sqsEvent is what Lambda hands over of a queue.
func sqsEvent(bodies ...string) []byte {
	var records []map[string]any
	for i, body := range bodies {
		records = append(records, map[string]any{
			"messageId": fmt.Sprintf("message-%d", i), "receiptHandle": "handle", "body": body,
			"attributes":        map[string]string{"ApproximateReceiveCount": "1"},
			"messageAttributes": map[string]any{}, "md5OfBody": "",
			"eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-west-1:000000000000:jobs", "awsRegion": region,
		})
	}
	return mustJSON(map[string]any{"Records": records})
}

// s3Event is S3's notification of a new object.
func s3Event(bucket, key, etag, sequencer string) []byte {
	return mustJSON(map[string]any{"Records": []any{map[string]any{
		"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": region, "eventTime": "2026-11-24T08:00:00.000Z",
		"eventName": "ObjectCreated:Put",
		"s3": map[string]any{
			"s3SchemaVersion": "1.0",
			"bucket":          map[string]any{"name": bucket, "arn": "arn:aws:s3:::" + bucket},
			"object":          map[string]any{"key": url.QueryEscape(key), "size": 1, "eTag": etag, "sequencer": sequencer},
		},
	}}})
}

func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

func TestQueueSignsARequest(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, "queue", 10*time.Second)
	b.put(t, "photos", "a b.jpg", []byte("one"), nil)
	answer, err := fn.Invoke(t.Context(), sqsEvent(`{"keys":["a b.jpg","../x","a b.jpg"],"expires_in":60}`))
	if err != nil || string(answer) != `{"batchItemFailures":[]}` {
		t.Fatalf("%s, %v", answer, err)
	}
	s, folder := b.only(t)
	if !strings.HasPrefix(folder, "results/request-") || s.Signed != 1 || s.Failed["UnsafeKey"] != 1 || s.ExpiresIn != 60 {
		t.Errorf("%s: %+v", folder, s)
	}
	lines := b.lines(t, s)
	if len(lines) != 2 || lines[1].Error.Code != "UnsafeKey" {
		t.Fatalf("%d lines", len(lines))
	}
	works(t, lines[0].URL, "one")
}

func TestManifestSignsAList(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, "manifest", 10*time.Second)
	b.put(t, "photos", "ü/1.jpg", []byte("one"), nil)
	etag := b.put(t, "lists", "manifests/week 1.txt", []byte("ü/1.jpg\nmissing.jpg\r\n\n../x\n"), map[string]string{"presign-expires-in": "77"})
	if _, err := fn.Invoke(t.Context(), s3Event("lists", "manifests/week 1.txt", etag, "0055AED6DCD90281E5")); err != nil {
		t.Fatal(err)
	}
	s, folder := b.only(t)
	if !strings.HasPrefix(folder, "results/week-1.txt-") || s.Signed != 2 || s.Failed["UnsafeKey"] != 1 || s.ExpiresIn != 77 {
		t.Errorf("%s: %+v", folder, s)
	}
	if s.Source.Manifest == nil || s.Source.Manifest.ETag != etag {
		t.Errorf("source: %+v", s.Source)
	}
	lines := b.lines(t, s)
	if len(lines) != 3 || !strings.HasPrefix(lines[2].Error.Message, "line 4: ") {
		t.Fatalf("%+v", lines)
	}
	works(t, lines[0].URL, "one")
}

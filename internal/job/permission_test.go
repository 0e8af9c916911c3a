package job_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bulkpresign/internal/standin/runtimeapi"
)

// gate refuses requests as S3 does when a policy does not allow them, as long as it is shut.
type gate struct {
	shut    atomic.Bool
	refuses func(*http.Request) bool
	message string
}

func (g *gate) front(s3 http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.shut.Load() || !g.refuses(r) {
			s3.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>%s</Message></Error>`, g.message)
	})
}

// delivery is an SQS event of one message that is delivered for the nth time.
func delivery(body string, n int) []byte {
	return mustJSON(map[string]any{"Records": []any{map[string]any{
		"messageId": "message-0", "receiptHandle": "handle", "body": body,
		"attributes":  map[string]string{"ApproximateReceiveCount": fmt.Sprint(n)},
		"eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-west-1:000000000000:jobs", "awsRegion": region,
	}}})
}

const (
	doneWith   = `{"batchItemFailures":[]}`
	comesAgain = `{"batchItemFailures":[{"itemIdentifier":"message-0"}]}`
)

// A checkpoint that may not be read, or is not there, is a failure: the message comes again.
// Without s3:ListBucket S3 answers both alike, and once a job was lost so, acknowledged as
// done. What is done says so itself.
func TestCheckpointMayNotBeRead(t *testing.T) {
	t.Parallel()
	list := longList()
	g := &gate{refuses: func(r *http.Request) bool {
		return r.Method == "GET" && strings.HasPrefix(r.URL.Path, "/results/results/checkpoints/")
	}}
	slow := slowly("manifests/long.txt", len(list)/10)
	b := newBed(t, func(s3 http.Handler) http.Handler { return slow(g.front(s3)) })
	b.put(t, "lists", "manifests/long.txt", list, nil)
	fn := b.start(t, 10*time.Second)
	if _, err := fn.Invoke(t.Context(), []byte(`{"manifest":"s3://lists/manifests/long.txt"}`)); err != nil {
		t.Fatal(err)
	}
	messages := b.receive(t, b.queueURL)
	if len(messages) != 1 {
		t.Fatalf("%d messages are handed on, want one", len(messages))
	}
	g.shut.Store(true)
	other := b.start(t, 60*time.Second)
	if answer, err := other.Invoke(t.Context(), delivery(messages[0], 1)); err != nil || string(answer) != comesAgain {
		t.Fatalf("with a checkpoint that may not be read: %s, %v", answer, err)
	}
	g.shut.Store(false)
	for n := 2; n < 4; n++ { // the second time it is done already
		if answer, err := other.Invoke(t.Context(), delivery(messages[0], n)); err != nil || string(answer) != doneWith {
			t.Fatalf("delivery %d: %s, %v", n, answer, err)
		}
	}
	if s, _ := b.only(t); s.Error != nil || s.Entries != 300_000 {
		t.Errorf("%d entries, error %+v", s.Entries, s.Error)
	}
	if answer, err := other.Invoke(t.Context(), delivery(`{"presign_job":"nobody-knows"}`, 1)); err != nil || string(answer) != comesAgain {
		t.Errorf("with a checkpoint that is not there: %s, %v", answer, err)
	}
}

// A summary that may not be read just now is not taken for none: a failure does not take the
// place of a result whose URLs still work.
func TestFailureKeepsResultItMayNotRead(t *testing.T) {
	t.Parallel()
	g := &gate{refuses: func(r *http.Request) bool {
		return r.Method == "GET" && strings.HasSuffix(r.URL.Path, "/summary.json") || strings.HasPrefix(r.URL.Path, "/lists/")
	}}
	b := newBed(t, g.front)
	b.put(t, "lists", "manifests/a.txt", []byte("k\n"), nil)
	fn := b.start(t, 20*time.Second)
	event := string(s3Event("lists", "manifests/a.txt", "", "01"))
	deliver(t, fn, event)
	g.shut.Store(true)
	if answer, err := fn.Invoke(t.Context(), delivery(event, 2)); err != nil || string(answer) != comesAgain {
		t.Errorf("%s, %v", answer, err)
	}
	if s, _ := b.only(t); s.Error != nil || s.Signed != 1 {
		t.Errorf("the result is gone: %+v", s.Error)
	}
	// Where there is none, the failure is told, though S3 says the same.
	other := string(s3Event("lists", "manifests/b.txt", "", "02"))
	if answer, err := fn.Invoke(t.Context(), delivery(other, 2)); err != nil || string(answer) != doneWith {
		t.Errorf("%s, %v", answer, err)
	}
	if n := len(b.keys(t, "results")); n != 3 {
		t.Errorf("there are %d objects, want a result, its summary and a failure's", n)
	}
}

// What may not be read is tried once more before that is final: right after a deployment the
// role's permissions may not be everywhere. A direct caller is told at once, and why.
func TestListMayNotBeReadYet(t *testing.T) {
	t.Parallel()
	g := &gate{
		refuses: func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/lists/") },
		message: "User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: kms:Decrypt on resource: k",
	}
	b := newBed(t, g.front)
	b.put(t, "lists", "manifests/a.txt", []byte("k\n"), nil)
	g.shut.Store(true)
	fn := b.start(t, 20*time.Second)
	event := string(s3Event("lists", "manifests/a.txt", "", "01"))
	for n, want := range []string{comesAgain, doneWith} {
		if answer, err := fn.Invoke(t.Context(), delivery(event, n+1)); err != nil || string(answer) != want {
			t.Errorf("delivery %d: %s, %v", n+1, answer, err)
		}
	}
	if s, _ := b.only(t); s.Error == nil || s.Error.Code != "ManifestNotFound" {
		t.Errorf("the summary says %+v", s.Error)
	}
	_, err := fn.Invoke(t.Context(), []byte(`{"manifest":"s3://lists/manifests/a.txt"}`))
	var failed *runtimeapi.FunctionError
	if !errors.As(err, &failed) || failed.Type != "ManifestNotFound" || !strings.Contains(failed.Message, "kms:Decrypt") {
		t.Errorf("a direct caller is told %v", err)
	}
}

// Nothing is signed that writes where the service itself reads: who may PUT and may send to
// the queue would be any caller, by a checkpoint of their own.
func TestOwnFolders(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 20*time.Second, "PRESIGN_RESULTS_BUCKET=photos", "PRESIGN_MANIFEST_BUCKET=photos",
		"PRESIGN_OPERATIONS=GetObject,PutObject,DeleteObject,UploadPart,PostObject")
	deliver(t, fn, `{"operation":"PutObject","keys":["results/checkpoints/x","manifests/x.json","a/../results/x","results","other/results/x"],"allow_dot_segments":true}`)
	var refused, signed int
	for _, key := range b.keys(t, "photos") {
		folder, ok := strings.CutSuffix(key, "/summary.json")
		if !ok {
			continue
		}
		text, err := b.s3server.Get("photos", folder+"/summary.json")
		if err != nil {
			t.Fatal(err)
		}
		var s summary
		if err := json.Unmarshal(text, &s); err != nil {
			t.Fatal(err)
		}
		for _, l := range b.allLines(t, &s) {
			switch {
			case l.Error.Code == "KeyNotAllowed" && strings.Contains(l.Error.Message, "the service's own"):
				refused++
			case l.URL != "":
				signed++
			}
		}
	}
	if refused != 3 || signed != 2 {
		t.Errorf("%d keys are refused and %d signed, want 3 and 2", refused, signed)
	}
}

package main

import (
	"encoding/json"
	"testing"
	"time"

	"bulkpresign/internal/answer"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/job"
	"bulkpresign/internal/standin/s3server"
)

// The checkpoint that the jobs function writes says how much of a list is done; one of a job that has ended says nothing.
func TestDone(t *testing.T) {
	me := s3server.Credentials{AccessKeyID: "AKIAEXAMPLEEXAMPLE00", SecretAccessKey: "nobody's"}
	server, err := s3server.Start(s3server.Config{Region: "eu-west-1", Buckets: []string{"results"}, Credentials: []s3server.Credentials{me}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": me.AccessKeyID, "AWS_SECRET_ACCESS_KEY": me.SecretAccessKey, "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "HOME": t.TempDir(),
	} {
		t.Setenv(name, value)
	}
	t.Setenv("AWS_REGION", "eu-west-1")
	t.Setenv("AWS_ENDPOINT_URL_S3", server.Endpoint())
	engine, err := newHere(t.Context(), new(options), "results")
	if err != nil {
		t.Fatal(err)
	}
	j := &waitingJob{began: time.Now(), client: engine.client, results: target{bucket: "results", prefix: "results/"}, base: "presign-0123.jsonl.gz"}
	if n := j.done(t.Context()); n != 0 {
		t.Errorf("%d are done before there is a checkpoint", n)
	}
	going, err := json.Marshal(job.Input{Identity: "x", Resume: &job.Checkpoint{Stream: answer.StreamState{Tally: bulk.Tally{Entries: 1234567}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, put := range []struct {
		key, text string
		want      int64
	}{{"presign-0123.jsonl.gz-x.json", string(going), 1234567}, {"presign-other.jsonl.gz-x.json", string(going), 1234567}, {"presign-0123.jsonl.gz-x.json", `{"done":true}`, 0}} {
		if err := server.Put("results", "results/checkpoints/"+put.key, []byte(put.text)); err != nil {
			t.Fatal(err)
		}
		if n := j.done(t.Context()); n != put.want {
			t.Errorf("%s: %d are done, want %d", put.key, n, put.want)
		}
		// A list that was put long ago, and of which nothing is heard, is put again.
		for age, want := range map[time.Duration]bool{time.Minute: false, 2 * time.Hour: put.want == 0} {
			if at := time.Now().Add(-age); j.lost(t.Context(), &at) != want {
				t.Errorf("%s, after %v: lost is %v", put.key, age, !want)
			}
		}
	}
}

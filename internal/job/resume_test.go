package job_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// slowly makes the first answer to a GET in the bucket lists as slow as bytes a second,
// so that there is no time for the whole list.
func slowly(bytes int) func(http.Handler) http.Handler {
	var gets atomic.Int64
	return func(s3 http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "GET" && strings.HasPrefix(r.URL.Path, "/lists/manifests/") && gets.Add(1) == 1 {
				w = &throttled{w, bytes}
			}
			s3.ServeHTTP(w, r)
		})
	}
}

type throttled struct {
	http.ResponseWriter
	rate int // bytes a second
}

func (t *throttled) Write(p []byte) (n int, err error) {
	for len(p) > 0 && err == nil {
		piece := p[:min(len(p), t.rate/50)]
		var m int
		m, err = t.ResponseWriter.Write(piece)
		n += m
		p = p[len(piece):]
		time.Sleep(time.Second / 50)
	}
	return n, err
}

// longList has so many keys that its result takes several parts, and some that fail.
func longList() []byte {
	var list bytes.Buffer
	for i := range 300_000 {
		if i%50_000 == 49_999 {
			list.WriteString("../escape\n")
			continue
		}
		fmt.Fprintf(&list, "2026/%x-%d.jpg\n", i*2654435761%1_000_003, i)
	}
	return list.Bytes()
}

// A job that runs out of time is handed on, and what it makes in the end is what it
// makes in one go.
func TestHandedOn(t *testing.T) {
	t.Parallel()
	list := longList()
	whole := newBed(t, nil)
	whole.put(t, "lists", "manifests/long.txt", list, nil)
	if _, err := whole.start(t, "manifest", 60*time.Second).Invoke(t.Context(), []byte(`{"manifest":"s3://lists/manifests/long.txt"}`)); err != nil {
		t.Fatal(err)
	}
	wantSummary, folder := whole.only(t)
	want := withoutHost(whole.lines(t, wantSummary))

	b := newBed(t, slowly(len(list)/4))
	b.put(t, "lists", "manifests/long.txt", list, nil)
	b.put(t, "photos", strings.Split(string(list), "\n")[299_000], []byte("late"), nil)
	fn := b.start(t, "manifest", 4*time.Second)
	if _, err := fn.Invoke(t.Context(), []byte(`{"manifest":"s3://lists/manifests/long.txt"}`)); err != nil {
		t.Fatal(err)
	}
	if keys := b.keys(t, "results"); len(keys) != 0 || b.uploads(t) != 1 {
		t.Fatalf("while the job goes on there are %d objects and %d uploads", len(keys), b.uploads(t))
	}
	rounds := 0
	for ; ; rounds++ {
		messages := b.receive(t, b.queueURL)
		if len(messages) == 0 {
			break
		}
		if len(messages) != 1 || rounds > 20 {
			t.Fatalf("round %d: %d messages", rounds, len(messages))
		}
		if strings.Contains(messages[0], "X-Amz-") {
			t.Error("the message holds a URL")
		}
		deliver(t, fn, messages[0])
	}
	if rounds == 0 {
		t.Fatal("the job was not handed on")
	}
	got, gotFolder := b.only(t)
	if gotFolder != folder {
		t.Errorf("the result is in %s, and made in one go in %s", gotFolder, folder)
	}
	lines := b.lines(t, got)
	if !slices.Equal(withoutHost(lines), want) {
		t.Error("the lines differ from those made in one go")
	}
	if got.Signed != wantSummary.Signed || got.Failed["UnsafeKey"] != 6 || len(got.Errors) != 6 || got.Errors[5].Line != 300_000 {
		t.Errorf("%d signed, failed %v, first %+v", got.Signed, got.Failed, got.Errors)
	}
	works(t, lines[299_000].URL, "late")
	if b.uploads(t) != 0 {
		t.Error("an upload is left behind")
	}
}

// What was handed on is of no use once the list is another one: the result says so, and
// holds nothing of either.
func TestChangedInBetween(t *testing.T) {
	t.Parallel()
	list := longList()
	b := newBed(t, slowly(len(list)/4))
	b.put(t, "lists", "manifests/long.txt", list, nil)
	fn := b.start(t, "manifest", 4*time.Second)
	if _, err := fn.Invoke(t.Context(), []byte(`{"manifest":"s3://lists/manifests/long.txt"}`)); err != nil {
		t.Fatal(err)
	}
	messages := b.receive(t, b.queueURL)
	if len(messages) != 1 {
		t.Fatalf("%d messages", len(messages))
	}
	b.put(t, "lists", "manifests/long.txt", append(list, "more\n"...), nil)
	deliver(t, fn, messages[0])
	s, _ := b.only(t)
	if s.Error == nil || s.Error.Code != "ManifestChanged" || s.Result != nil {
		t.Errorf("%+v", s)
	}
	if n := b.uploads(t); n != 0 {
		t.Errorf("%d uploads are left behind", n)
	}
	if keys := b.keys(t, "results"); len(keys) != 1 {
		t.Errorf("there are %d objects", len(keys))
	}
	// The same message once more changes nothing.
	deliver(t, fn, messages[0])
	if again, _ := b.only(t); again.Error == nil || again.Error.Code != "ManifestChanged" {
		t.Errorf("%+v", again)
	}
}

// A message that was handed on and comes twice makes one result, though the first
// delivery has completed the upload.
func TestHandedOnTwice(t *testing.T) {
	t.Parallel()
	list := longList()
	b := newBed(t, slowly(len(list)/4))
	b.put(t, "lists", "manifests/long.txt", list, nil)
	fn := b.start(t, "manifest", 4*time.Second)
	if _, err := fn.Invoke(t.Context(), []byte(`{"manifest":"s3://lists/manifests/long.txt"}`)); err != nil {
		t.Fatal(err)
	}
	messages := b.receive(t, b.queueURL)
	queue := b.start(t, "queue", 60*time.Second) // either function goes on with a job
	deliver(t, queue, messages...)
	first, _ := b.only(t)
	deliver(t, queue, messages...)
	second, _ := b.only(t)
	if first.Error != nil || second.Error != nil || first.Result.ETag != second.Result.ETag {
		t.Errorf("the second delivery made another result: %+v, %+v", first, second)
	}
	if n := len(b.keys(t, "results")); n != 2 {
		t.Errorf("there are %d objects, want result and summary", n)
	}
	if n := b.uploads(t); n != 0 {
		t.Errorf("%d uploads are left behind", n)
	}
}

// Without a queue a list that is too long fails, and says what helps.
func TestNoQueueToGoOnFrom(t *testing.T) {
	t.Parallel()
	list := longList()
	b := newBed(t, slowly(len(list)/4))
	b.put(t, "lists", "manifests/long.txt", list, nil)
	fn := b.start(t, "manifest", 4*time.Second, "PRESIGN_QUEUE_URL=")
	_, err := fn.Invoke(t.Context(), []byte(`{"manifest":"s3://lists/manifests/long.txt"}`))
	if err == nil || !strings.Contains(err.Error(), "OutOfTime") {
		t.Errorf("%v, want OutOfTime", err)
	}
	if s, _ := b.only(t); s.Error == nil || s.Error.Code != "OutOfTime" || b.uploads(t) != 0 {
		t.Errorf("%+v, %d uploads", s, b.uploads(t))
	}
}

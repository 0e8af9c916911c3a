package job_test

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bulkpresign/internal/standin/runtimeapi"
)

// slowly makes the first answer to a GET of a list as slow as bytes a second, so that
// there is no time for all of it. The functions here have ten seconds or so and stop after
// two thirds: a machine with other work to do must reach the first part before that, and
// hand on after it.
func slowly(key string, bytes int) func(http.Handler) http.Handler {
	var gets atomic.Int64
	return func(s3 http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "GET" && r.URL.Path == "/lists/"+key && gets.Add(1) == 1 {
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
	// Only direct callers may have anything: a job keeps the caller that it began with.
	const direct = `PRESIGN_POLICY={"rules":[{"name":"people","effect":"allow","callers":[{"direct":true}]}]}`
	if _, err := whole.start(t, 60*time.Second, direct).Invoke(t.Context(), []byte(`{"manifest":"s3://lists/manifests/long.txt"}`)); err != nil {
		t.Fatal(err)
	}
	wantSummary, folder := whole.only(t)
	want := withoutHost(whole.lines(t, wantSummary))

	b := newBed(t, slowly("manifests/long.txt", len(list)/10))
	b.put(t, "lists", "manifests/long.txt", list, nil)
	b.put(t, "photos", strings.Split(string(list), "\n")[299_000], []byte("late"), nil)
	fn := b.start(t, 10*time.Second, direct)
	if _, err := fn.Invoke(t.Context(), []byte(`{"manifest":"s3://lists/manifests/long.txt"}`)); err != nil {
		t.Fatal(err)
	}
	if keys := b.keys(t, "results"); len(keys) != 1 || !strings.HasPrefix(keys[0], "results/checkpoints/") || b.uploads(t) != 1 {
		t.Fatalf("while the job goes on there are %d objects and %d uploads, want a checkpoint and an upload", len(keys), b.uploads(t))
	}
	b.goOn(t, fn)
	got, gotFolder := b.only(t)
	if gotFolder != folder {
		t.Errorf("the result is in %s, and made in one go in %s", gotFolder, folder)
	}
	lines := b.lines(t, got)
	if len(lines) != len(want) {
		t.Fatalf("%d lines, and %d made in one go", len(lines), len(want))
	}
	for i, line := range withoutHost(lines) {
		if line != want[i] {
			t.Errorf("line %d differs from that made in one go: %s", i+1, line)
			break
		}
	}
	if got.Signed != wantSummary.Signed || got.Failed["UnsafeKey"] != 6 || len(got.Errors) != 6 || got.Errors[5].Line != 300_000 {
		t.Errorf("%d signed, failed %v, first %+v", got.Signed, got.Failed, got.Errors)
	}
	works(t, lines[299_000].URL, "late")
	if b.uploads(t) != 0 {
		t.Error("an upload is left behind")
	}
	fn.Close() // so that all of its log has been read
	b.counted(t, got)
}

// counted checks that the records of a job's invocations add up to the job.
func (b *bed) counted(t *testing.T, s *summary) {
	t.Helper()
	var signed, refused float64
	records := b.log.Records("KeysSigned")
	for _, r := range records {
		signed += r["KeysSigned"].(float64)
		refused += r["KeysRefused"].(float64)
	}
	if len(records) < 2 || signed != float64(s.Signed) || signed+refused != float64(s.Entries) {
		t.Errorf("%d records have %v keys signed and %v refused, the job %d of %d", len(records), signed, refused, s.Signed, s.Entries)
	}
}

// goOn delivers what was handed on until nothing is any more.
func (b *bed) goOn(t *testing.T, fn *runtimeapi.Function) {
	t.Helper()
	for round := 0; ; round++ {
		messages := b.receive(t, b.queueURL)
		switch {
		case len(messages) == 0 && round == 0:
			t.Fatal("the job was not handed on")
		case len(messages) == 0:
			return
		case len(messages) != 1 || round > 20:
			t.Fatalf("round %d: %d messages", round, len(messages))
		case strings.Contains(messages[0], "X-Amz-"):
			t.Error("the message holds a URL")
		}
		deliver(t, fn, messages[0])
	}
}

// A prefix goes on behind the key that was signed last.
func TestPrefixHandedOn(t *testing.T) {
	t.Parallel()
	var pages atomic.Int64
	var began time.Time
	b := newBed(t, func(s3 http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("list-type") {
				switch pages.Add(1) {
				case 1:
					began = time.Now()
				case 2: // comes when it is time to hand on, after 8 of 12 seconds
					time.Sleep(time.Until(began.Add(8600 * time.Millisecond)))
				}
			}
			s3.ServeHTTP(w, r)
		})
	})
	const keys, parts = 1200, 200
	for i := range keys {
		if err := b.s3server.Put("photos", fmt.Sprintf("in/%04d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	numbers := make([]int, parts)
	for i := range numbers {
		numbers[i] = i + 1
	}
	fn := b.start(t, 12*time.Second, "PRESIGN_OPERATIONS=UploadPart")
	request := mustJSON(map[string]any{"prefix": "in/", "operation": "UploadPart", "upload_id": "u", "part_numbers": numbers})
	if _, err := fn.Invoke(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	b.goOn(t, fn)
	s, _ := b.only(t)
	if s.Entries != keys || s.Signed != keys {
		t.Errorf("%d entries, %d signed", s.Entries, s.Signed)
	}
	lines := b.allLines(t, s)
	if len(lines) != keys*parts {
		t.Fatalf("%d lines", len(lines))
	}
	for i, l := range lines {
		if want := fmt.Sprintf("in/%04d", i/parts); l.Key != want || !strings.Contains(l.URL, fmt.Sprintf("partNumber=%d&", i%parts+1)) {
			t.Fatalf("line %d is of %s, want part %d of %s", i, l.Key, i%parts+1, want)
		}
	}
}

// An inventory goes on in the file where it stopped.
func TestInventoryHandedOn(t *testing.T) {
	t.Parallel()
	const folder, second = "manifests/photos/all/", "manifests/photos/all/data/2.csv.gz"
	var want []string
	var files []map[string]any
	shards := map[string][]byte{}
	for i, key := range []string{folder + "data/1.csv.gz", second} {
		var rows strings.Builder
		for j := range 130_000 {
			fmt.Fprintf(&rows, `"photos","in/%d+%d"`+"\n", i, j)
			want = append(want, fmt.Sprintf("in/%d %d", i, j))
		}
		shards[key] = gzipped(rows.String())
		files = append(files, map[string]any{"key": key, "size": len(shards[key]), "MD5checksum": fmt.Sprintf("%x", md5.Sum(shards[key]))})
	}
	manifest := mustJSON(map[string]any{
		"sourceBucket": "photos", "destinationBucket": "arn:aws:s3:::lists", "fileFormat": "CSV", "fileSchema": "Bucket, Key", "files": files,
	})
	b := newBed(t, slowly(second, len(shards[second])/10))
	for key, text := range shards {
		b.put(t, "lists", key, text, nil)
	}
	b.put(t, "lists", folder+"2026-11-24T01-00Z/manifest.json", manifest, nil)
	b.put(t, "lists", folder+"2026-11-24T01-00Z/manifest.checksum", fmt.Appendf(nil, "%x", md5.Sum(manifest)), nil)
	fn := b.start(t, 10*time.Second)
	if _, err := fn.Invoke(t.Context(), []byte(`{"manifest":"s3://lists/`+folder+`2026-11-24T01-00Z/manifest.json"}`)); err != nil {
		t.Fatal(err)
	}
	b.goOn(t, fn)
	s, _ := b.only(t)
	var got []string
	for _, l := range b.lines(t, s) {
		got = append(got, l.Key)
	}
	if !slices.Equal(got, want) || s.Signed != int64(len(want)) {
		t.Errorf("%d lines, %d signed; the same keys: %v", len(got), s.Signed, slices.Equal(got, want))
	}
}

// What was handed on is of no use once the list is another one: the result says so, and
// holds nothing of either.
func TestChangedInBetween(t *testing.T) {
	t.Parallel()
	list := longList()
	b := newBed(t, slowly("manifests/long.txt", len(list)/10))
	b.put(t, "lists", "manifests/long.txt", list, nil)
	fn := b.start(t, 10*time.Second)
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
	if keys := b.keys(t, "results"); len(keys) != 2 {
		t.Errorf("there are %d objects, want the summary and the word that it is done", len(keys))
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
	b := newBed(t, slowly("manifests/long.txt", len(list)/10))
	b.put(t, "lists", "manifests/long.txt", list, nil)
	fn := b.start(t, 10*time.Second)
	if _, err := fn.Invoke(t.Context(), []byte(`{"manifest":"s3://lists/manifests/long.txt"}`)); err != nil {
		t.Fatal(err)
	}
	messages := b.receive(t, b.queueURL)
	other := b.start(t, 60*time.Second)
	deliver(t, other, messages...)
	first, _ := b.only(t)
	deliver(t, other, messages...)
	second, _ := b.only(t)
	if first.Error != nil || second.Error != nil || first.Result.ETag != second.Result.ETag {
		t.Errorf("the second delivery made another result: %+v, %+v", first, second)
	}
	if n := len(b.keys(t, "results")); n != 3 {
		t.Errorf("there are %d objects, want result, summary and the word that it is done", n)
	}
	if n := b.uploads(t); n != 0 {
		t.Errorf("%d uploads are left behind", n)
	}
}

// Without a queue a list that is too long fails, and says what helps.
func TestNoQueueToGoOnFrom(t *testing.T) {
	t.Parallel()
	list := longList()
	b := newBed(t, slowly("manifests/long.txt", len(list)/10))
	b.put(t, "lists", "manifests/long.txt", list, nil)
	fn := b.start(t, 10*time.Second, "PRESIGN_QUEUE_URL=")
	_, err := fn.Invoke(t.Context(), []byte(`{"manifest":"s3://lists/manifests/long.txt"}`))
	if err == nil || !strings.Contains(err.Error(), "OutOfTime") {
		t.Errorf("%v, want OutOfTime", err)
	}
	if s, _ := b.only(t); s.Error == nil || s.Error.Code != "OutOfTime" || b.uploads(t) != 0 {
		t.Errorf("%+v, %d uploads", s, b.uploads(t))
	}
}

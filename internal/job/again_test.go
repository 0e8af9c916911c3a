package job_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// The keys of an earlier result are signed again: of a job, of all parts of a run, of one part; by
// a job or by the state machine.
func TestSignAgain(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 20*time.Second)
	var list strings.Builder
	var want []string
	for i := range 200 {
		fmt.Fprintf(&list, "photos,%d é,v%d\n", i, i)
		want = append(want, fmt.Sprintf("%d é", i))
	}
	list.WriteString("photos,../x\nphotos\n")
	b.put(t, "lists", "manifests/a.csv", []byte(list.String()), nil)
	b.put(t, "lists", "manifests/b.txt", []byte("one\ntwo\n"), nil)
	b.put(t, "photos", "two", []byte("two"), nil)

	f, parts, first := b.scale(t, fn, `{"manifest":"s3://lists/manifests/a.csv","expires_in":60}`, 1000)
	if len(parts) < 3 || f.Errors["UnsafeKey"] != 1 || f.Errors["InvalidLine"] != 1 {
		t.Fatalf("%d parts, %+v", len(parts), f)
	}
	want = append(want, "../x", "")
	same := func(name string, lines []line) {
		t.Helper()
		if got := keysOf(lines); !slices.Equal(got, want) {
			t.Errorf("%s: other keys: %q", name, got)
			return
		}
		if !strings.Contains(lines[7].URL, "versionId=v7&") || lines[7].URL == first[7].URL || !strings.Contains(lines[7].URL, "X-Amz-Expires=1800&") {
			t.Errorf("%s: the version is lost, or it was not signed again", name)
		}
		if lines[200].Error.Code != "UnsafeKey" || lines[201].Error.Code != "InvalidLine" {
			t.Errorf("%s: %+v", name, lines[200:])
		}
	}
	again := fmt.Sprintf(`{"manifest":"s3://%s/%s","expires_in":1800}`, f.Summary.Bucket, f.Summary.Key)
	_, parts2, lines := b.scale(t, fn, again, 64<<20)
	if len(parts2) != len(parts) {
		t.Errorf("%d parts again, %d before", len(parts2), len(parts))
	}
	same("a run of a run", lines)

	before := b.keys(t, "results")
	job := func(request string) []line {
		t.Helper()
		if _, err := fn.Invoke(t.Context(), []byte(request)); err != nil {
			t.Fatal(err)
		}
		for _, key := range b.keys(t, "results") {
			if folder, ok := strings.CutSuffix(key, "/summary.json"); ok && !slices.Contains(before, key) {
				before = b.keys(t, "results")
				return b.lines(t, b.summary(t, folder))
			}
		}
		t.Fatal("there is no summary")
		return nil
	}
	same("a job of a run", job(again))
	one := parts[1].Part
	if got := keysOf(job(fmt.Sprintf(`{"manifest":"s3://%s/%s"}`, one.Bucket, one.Key))); !slices.Equal(got, keysOf(b.partLines(t, one.Key))) || len(got) < 10 {
		t.Errorf("a job of a part: %q", got)
	}
	job(`{"manifest":"s3://lists/manifests/b.txt"}`)
	var summary, result string
	for _, key := range before {
		switch {
		case strings.HasPrefix(key, "results/request-") && strings.HasSuffix(key, "/summary.json"):
			if s := b.summary(t, strings.TrimSuffix(key, "/summary.json")); s.Entries == 2 {
				summary, result = key, s.Result.Key
			}
		}
	}
	for _, key := range []string{summary, result} {
		lines := job(`{"manifest":"s3://results/` + key + `","expires_in":61}`)
		if !slices.Equal(keysOf(lines), []string{"one", "two"}) {
			t.Errorf("a job of a job, %s: %q", key, keysOf(lines))
		}
		works(t, lines[1].URL, "two")
	}
	_, parts3, lines := b.scale(t, fn, `{"manifest":"s3://results/`+summary+`"}`, 64<<20)
	if len(parts3) != 1 || !slices.Equal(keysOf(lines), []string{"one", "two"}) {
		t.Errorf("a run of a job: %d parts, %q", len(parts3), keysOf(lines))
	}
	// Nothing else among results is a list.
	for _, key := range []string{strings.TrimSuffix(f.Summary.Key, "summary.json") + "shards.json", strings.TrimSuffix(one.Key, ".ndjson.gz") + ".json", "results/x.txt"} {
		for _, event := range []string{`{"manifest":"s3://results/` + key + `"}`, `{"step":"plan","request":{"manifest":"s3://results/` + key + `"}}`} {
			if _, err := fn.Invoke(t.Context(), []byte(event)); err == nil || !strings.HasPrefix(err.Error(), failed+"InvalidRequest") {
				t.Errorf("%s: %v", event, err)
			}
		}
	}
	// A part that is another one than the summary says is no part of it.
	b.put(t, "results", parts[0].Part.Key, gzipped(`{"key":"other","url":"x"}`+"\n"), nil)
	if _, err := fn.Invoke(t.Context(), []byte(strings.Replace(again, "1800", "1801", 1))); err == nil || !strings.HasPrefix(err.Error(), failed+"ManifestChanged") {
		t.Errorf("a part that was changed: %v", err)
	}
}

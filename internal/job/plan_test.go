package job_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
)

// A folder of lists, of whatever kinds, and a list of lists are signed as one, in the order of
// their names, or in that in which they are named.
func TestShardsOfManyLists(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 20*time.Second)
	for key, text := range map[string]string{
		"a.txt": "a/1\na/2\n", "b/c.csv": "key\nb/1\n\"b/\n2\"\n", "d.jsonl": `"d/1"`, "e.txt.gz": string(gzipped("e/1\n")), "empty.txt": "", "nothing.csv": "\n\n",
		"f.json": `[{"key":"f/1"}]`, "README.md": "for people", "_SUCCESS": "", "sub/": "", "sub/g.txt": strings.Repeat("g/long\n", 400),
	} {
		b.put(t, "lists", "manifests/many/"+key, []byte(text), nil)
	}
	manifest, listed := b.inventory(t, "manifests/many/inventory", false, 2, 3)
	b.put(t, "lists", "manifests/part", []byte("photos\tp/1\n"), map[string]string{"presign-format": "tsv"})
	long := slices.Repeat([]string{"g/long"}, 400)

	want := slices.Concat([]string{"a/1", "a/2", "b/1", "b/\n2", "d/1", "e/1", "f/1"}, listed, long)
	f, parts, lines := b.scale(t, fn, `{"manifest":"s3://lists/manifests/many/"}`, 1000)
	if got := keysOf(lines); !slices.Equal(got, want) {
		t.Errorf("a folder: %s", cmp.Diff(want, got))
	}
	if len(parts) != 6+2+3 || f.Signed != int64(len(want)) { // nothing.csv is a list without entries
		t.Errorf("a folder: %d parts, %+v", len(parts), f)
	}

	lists := "# these\ns3://lists/manifests/part\n" + manifest + "\n\ns3://lists/manifests/many/sub/g.txt\ns3://lists/manifests/many/a.txt\n"
	b.put(t, "lists", "manifests/these.lists", []byte(lists), nil)
	b.put(t, "lists", "manifests/these.txt", []byte(lists), map[string]string{"presign-format": "lists"})
	want = slices.Concat([]string{"p/1"}, listed, long, []string{"a/1", "a/2"})
	for _, name := range []string{"these.lists", "these.txt"} {
		if _, _, lines := b.scale(t, fn, `{"manifest":"s3://lists/manifests/`+name+`"}`, 1000); !slices.Equal(keysOf(lines), want) {
			t.Errorf("%s: %q", name, keysOf(lines))
		}
	}

	for key, text := range map[string]string{
		"missing.lists": "s3://lists/manifests/missing.txt\n", "elsewhere.lists": "s3://lists/other/a.txt\n", "keys.lists": "a.txt\n", "nested.lists": "s3://lists/manifests/these.lists\n",
		"bad/x.xlsx": "PK", "none/README.md": "x",
	} {
		b.put(t, "lists", "manifests/"+key, []byte(text), nil)
	}
	for name, want := range map[string]string{
		"missing.lists": `InvalidManifest: "manifests/missing.txt"`, "elsewhere.lists": "InvalidManifest: the list cannot be read from line 1 on: it names a list elsewhere",
		"keys.lists": "InvalidManifest: the list cannot be read from line 1", "nested.lists": `InvalidManifest: "manifests/these.lists" cannot be read: it is a list of lists among lists`,
		"bad/": `InvalidManifest: "manifests/bad/x.xlsx"`, "none/": "ManifestNotFound", "none": "ManifestNotFound",
	} {
		_, err := step[planned](t, fn, map[string]any{"step": "plan", "request": map[string]any{"manifest": "s3://lists/manifests/" + name}})
		if err == nil || !strings.HasPrefix(err.Error(), failed+want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	// One job is not enough for a list of lists.
	if _, err := fn.Invoke(t.Context(), []byte(`{"manifest":"s3://lists/manifests/these.lists"}`)); err == nil || !strings.Contains(err.Error(), "state machine") {
		t.Errorf("a list of lists as a job: %v", err)
	}
}

// A Parquet file with several row groups is cut between them, alone and in an inventory, whose
// file is held against its MD5 once.
func TestShardsOfParquet(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 20*time.Second)
	type row struct {
		Key string `parquet:"key"`
	}
	var rows []row
	var want []string
	for i := range 1000 {
		rows = append(rows, row{fmt.Sprintf("k/%d é", i)})
		want = append(want, rows[i].Key)
	}
	var file bytes.Buffer
	if err := parquet.Write(&file, rows, parquet.MaxRowsPerRowGroup(90)); err != nil {
		t.Fatal(err)
	}
	b.put(t, "lists", "manifests/a.parquet", file.Bytes(), nil)
	if _, parts, lines := b.scale(t, fn, `{"manifest":"s3://lists/manifests/a.parquet"}`, 100*64); !slices.Equal(keysOf(lines), want) || len(parts) != 6 {
		t.Errorf("%d parts, the same keys: %v", len(parts), slices.Equal(keysOf(lines), want))
	}
	if _, parts, _ := b.scale(t, fn, `{"manifest":"s3://lists/manifests/a.parquet"}`, 1<<20); len(parts) != 1 {
		t.Errorf("%d parts of a small file", len(parts))
	}
	manifest, want := b.inventory(t, "manifests/inventory", true, 2, 600)
	if _, parts, lines := b.scale(t, fn, `{"manifest":"`+manifest+`"}`, 64); !slices.Equal(keysOf(lines), want) || len(parts) != 6 {
		t.Errorf("an inventory: %d parts, the same keys: %v", len(parts), slices.Equal(keysOf(lines), want))
	}
	_, shards := b.plan(t, fn, `{"manifest":"`+manifest+`","expires_in":61}`, 64)
	body, err := b.s3server.Get("lists", "manifests/inventory/data/0.parquet")
	if err != nil {
		t.Fatal(err)
	}
	b.put(t, "lists", "manifests/inventory/data/0.parquet", append(body[:len(body):len(body)], 0), nil)
	for i := range 3 {
		if _, err := step[signedPart](t, fn, map[string]any{"step": "sign", "shard": shards[i]}); err == nil || !strings.HasPrefix(err.Error(), failed+"ManifestChanged") {
			t.Errorf("shard %d of a file that was changed: %v", i, err)
		}
	}
}

// The objects under a prefix are cut into ranges of their keys, which together are the listing.
func TestShardsOfAPrefix(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 20*time.Second)
	var want []string
	for i := range 400 {
		want = append(want, fmt.Sprintf("in/%d/é %d.jpg", i%7, i), fmt.Sprintf("in/%d+%d", i%3, i))
	}
	want = append(want, "in/", "in//", "in/🙂/x", "in/ /x", "in/\U0010ffff")
	for _, key := range append(want, "i", "in", "in0", "io/x") {
		if err := b.s3server.Put("photos", key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(want)
	f, parts, lines := b.scale(t, fn, `{"prefix":"in/","bucket":"photos"}`, 64*20)
	if got := keysOf(lines); !slices.Equal(got, want) {
		t.Errorf("%d keys, want %d: %s", len(got), len(want), cmp.Diff(want, got))
	}
	if len(parts) < 5 || f.Signed != int64(len(want)) {
		t.Errorf("%d parts, %+v", len(parts), f)
	}
	works(t, lines[len(lines)-1].URL, "in/\U0010ffff")
	for request, want := range map[string]int{`{"prefix":"in/","suffix":"9.jpg"}`: 40, `{"prefix":"in/","start_after":"in/6/"}`: 57 + 2} {
		if _, _, lines := b.scale(t, fn, request, 64*20); len(lines) != want {
			t.Errorf("%s: %d keys, want %d", request, len(lines), want)
		}
	}
	q, shards := b.plan(t, fn, `{"prefix":"nothing/"}`, 100)
	sign(t, fn, shards[0])
	if _, err := step[finishedRun](t, fn, map[string]any{"step": "finish", "plan": q.Plan}); err == nil || !strings.HasPrefix(err.Error(), failed+"NothingToSign") {
		t.Errorf("an empty prefix: %v", err)
	}
	// Nobody learns keys that are none of his.
	narrow := b.start(t, 20*time.Second, `PRESIGN_POLICY={"rules":[{"name":"a","effect":"allow","callers":[{"direct":true}],"prefixes":["in/1/"]}]}`)
	for _, event := range []map[string]any{
		{"step": "plan", "request": map[string]any{"prefix": "in/"}},
		{"step": "sign", "shard": json.RawMessage(strings.ReplaceAll(string(shards[0]), "nothing/", "in/"))},
	} {
		if _, err := narrow.Invoke(t.Context(), mustJSON(event)); err == nil || !strings.HasPrefix(err.Error(), failed+"KeyNotAllowed") {
			t.Errorf("%s under a prefix that is not allowed: %v", event["step"], err)
		}
	}
}

// Each step leaves one record, whatever becomes of it; only that of a shard counts keys.
func TestStepRecords(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 20*time.Second, `PRESIGN_POLICY={"rules":[{"name":"ours","effect":"allow","callers":[{"direct":true}],"prefixes":["in/"]}]}`)
	b.put(t, "lists", "manifests/a.txt", []byte("in/a\nin/b\nin/../c\n"), nil)
	b.scale(t, fn, `{"manifest":"s3://lists/manifests/a.txt","bucket":"photos"}`, 1000)
	for _, event := range []string{
		`{"step":"plan","request":{"prefix":"other/"}}`,
		`{"step":"plan","request":{"manifest":"s3://lists/manifests/gone.txt"}}`,
		`{"step":"finish","plan":{"of":{"request":"{}","label":"x","shard_bytes":1},"count":1}}`,
		`{"step":"dance"}`,
	} {
		if _, err := fn.Invoke(t.Context(), []byte(event)); err == nil {
			t.Errorf("%s succeeded", event)
		}
	}
	type record struct {
		Step, Bucket, Operation, Rule, Code string
		Signed, Refused, Failed             float64
	}
	fn.Close() // so that all of its log has been read
	var got []record
	jobs := map[string]bool{}
	for _, r := range b.log.Records("KeysSigned") {
		text := func(name string) string { s, _ := r[name].(string); return s }
		got = append(got, record{
			text("step"), text("bucket"), text("operation"), text("rule"), text("code"),
			r["KeysSigned"].(float64), r["KeysRefused"].(float64), r["RequestsFailed"].(float64),
		})
		if text("source") != "states" {
			t.Errorf("a record's source is %q", text("source"))
		}
		if text("step") != "sign" && text("code") == "" {
			jobs[text("job")] = true
		}
	}
	want := []record{
		{Step: "plan", Bucket: "photos", Operation: "GetObject"},
		{Step: "sign", Bucket: "photos", Operation: "GetObject", Rule: "ours", Signed: 2, Refused: 1},
		{Step: "finish", Bucket: "photos", Operation: "GetObject"},
		{Step: "plan", Code: "KeyNotAllowed"},
		{Step: "plan", Code: "ManifestNotFound"},
		{Step: "finish", Code: "InternalError", Failed: 1},
		{Code: "InvalidRequest"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if len(jobs) != 1 || jobs[""] {
		t.Errorf("plan and finish of one execution name %d jobs", len(jobs))
	}
}

// What is put where the state machine's lists lie starts no job.
func TestScaleFolder(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 20*time.Second)
	etag := b.put(t, "lists", "manifests/scale/a.txt", []byte("a\n"), nil)
	for _, key := range []string{"manifests/scale/a.txt", "manifests/scale/photos/all/2026-11-24T01-00Z/manifest.checksum"} {
		if answer, err := fn.Invoke(t.Context(), s3Event("lists", key, etag, "01")); err != nil || string(answer) != `{}` {
			t.Errorf("%s, %v", answer, err)
		}
	}
	if keys := b.keys(t, "results"); len(keys) != 0 {
		t.Errorf("%q were made", keys)
	}
	if _, _, lines := b.scale(t, fn, `{"manifest":"s3://lists/manifests/scale/a.txt"}`, 1000); len(lines) != 1 {
		t.Errorf("%d lines", len(lines))
	}
}

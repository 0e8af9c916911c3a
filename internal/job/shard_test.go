package job_test

import (
	"bytes"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/parquet-go/parquet-go"

	"bulkpresign/internal/job"
	"bulkpresign/internal/standin/runtimeapi"
)

// failed is what the local runtime says before a function's own error.
const failed = "function failed: "

// planned is what the step plan answers.
type planned struct {
	Shards struct{ Bucket, Key string }
	Count  int
	Plan   json.RawMessage
}

// signedPart is what the step sign answers.
type signedPart struct {
	Done      bool
	Shard     json.RawMessage
	Part      *struct{ Bucket, Key string }
	Count     int64
	Signed    int64
	Errors    map[string]int64
	ExpiresAt time.Time `json:"expires_at"`
}

// finishedRun is what the step finish answers.
type finishedRun struct {
	Summary       struct{ Bucket, Key string }
	Parts         int
	Count, Signed int64
	Errors        map[string]int64
	ExpiresAt     time.Time `json:"expires_at"`
}

// step has a function do one step.
func step[T any](t *testing.T, fn *runtimeapi.Function, event any) (answer T, err error) {
	t.Helper()
	text, err := fn.Invoke(t.Context(), mustJSON(event))
	if err != nil {
		return answer, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&answer); err != nil {
		t.Fatalf("%v of %s", err, text)
	}
	return answer, nil
}

// must is for steps that succeed.
func must[T any](answer T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
}

// plan has a request's shards found.
func (b *bed) plan(t *testing.T, fn *runtimeapi.Function, request string, size int) (planned, []json.RawMessage) {
	t.Helper()
	p, err := step[planned](t, fn, map[string]any{"step": "plan", "request": json.RawMessage(request), "execution": "one", "shard_bytes": size})
	if err != nil {
		t.Fatal(err)
	}
	text, err := b.s3server.Get(p.Shards.Bucket, p.Shards.Key)
	if err != nil {
		t.Fatal(err)
	}
	var shards []json.RawMessage
	if err := json.Unmarshal(text, &shards); err != nil || len(shards) != p.Count {
		t.Fatalf("%d shards, %v; the answer says %d", len(shards), err, p.Count)
	}
	return p, shards
}

// sign signs a shard, as often as it is handed back.
func sign(t *testing.T, fn *runtimeapi.Function, shard json.RawMessage) (s signedPart) {
	t.Helper()
	for range 50 {
		s = must(step[signedPart](t, fn, map[string]any{"step": "sign", "shard": shard}))(t)
		if s.Done {
			return s
		}
		shard = s.Shard
	}
	t.Fatal("a shard never ends")
	return s
}

// scale does all that the state machine does.
func (b *bed) scale(t *testing.T, fn *runtimeapi.Function, request string, size int) (f finishedRun, parts []signedPart, lines []line) {
	t.Helper()
	p, shards := b.plan(t, fn, request, size)
	for _, shard := range shards {
		parts = append(parts, sign(t, fn, shard))
	}
	f = must(step[finishedRun](t, fn, map[string]any{"step": "finish", "plan": p.Plan}))(t)
	return f, parts, b.runLines(t, f)
}

// runLines reads the parts of a run in their order.
func (b *bed) runLines(t *testing.T, f finishedRun) (lines []line) {
	t.Helper()
	folder, ok := strings.CutSuffix(f.Summary.Key, "/summary.json")
	if !ok {
		t.Fatalf("the summary is %s", f.Summary.Key)
	}
	s := b.summary(t, folder)
	if len(s.Parts) != f.Parts || s.Entries != f.Count || s.Signed != f.Signed || !cmp.Equal(s.Failed, f.Errors) {
		t.Errorf("the answer %+v is not the summary's: %d parts, %d of %d signed, %v", f, len(s.Parts), s.Signed, s.Entries, s.Failed)
	}
	for _, part := range s.Parts {
		one := &summary{Entries: part.Entries, Result: &part.result}
		lines = append(lines, b.lines(t, one)...)
	}
	if int64(len(lines)) != s.Entries {
		t.Errorf("the parts have %d lines, the summary says %d", len(lines), s.Entries)
	}
	return lines
}

func keysOf(lines []line) (keys []string) {
	for _, l := range lines {
		keys = append(keys, l.Key)
	}
	return keys
}

// A list that is cut into many shards has the result that it has in one go, line by line, but for
// the numbers of its lines.
func TestShardsOfAList(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 20*time.Second)
	var text, csv, items strings.Builder
	var want, wantCSV []string
	csv.WriteString("filename;key\n")
	for i := range 3000 {
		key := fmt.Sprintf("ü/%d 漢 🙂.jpg", i)
		want = append(want, key)
		text.WriteString(key + []string{"\n", "\r\n", "\n\n"}[i%3])
		fmt.Fprintf(&items, "{\"key\":%q}\n", key)
		key = fmt.Sprintf("a\n%d\";\"\n", i)
		wantCSV = append(wantCSV, key)
		fmt.Fprintf(&csv, "x;\"%s\"\n", strings.ReplaceAll(key, `"`, `""`))
	}
	b.put(t, "lists", "manifests/a.txt", []byte(text.String()), nil)
	b.put(t, "lists", "manifests/a.jsonl", []byte(items.String()), nil)
	b.put(t, "lists", "manifests/a.csv", []byte(csv.String()), nil)
	b.put(t, "lists", "manifests/named-otherwise", []byte(csv.String()), map[string]string{"presign-format": "csv"})
	b.put(t, "lists", "manifests/a.txt.gz", gzipped(text.String()), nil)
	var members []byte // as of files that were joined
	for i := range 10 {
		members = append(members, gzipped(strings.Join(want[i*300:i*300+300], "\n")+"\n")...)
	}
	b.put(t, "lists", "manifests/members.txt.gz", members, nil)
	b.put(t, "photos", want[2999], []byte("late"), nil)
	for _, test := range []struct {
		name   string
		want   []string
		shards int
	}{
		{"a.txt", want, 60}, {"a.jsonl", want, 90}, {"a.csv", wantCSV, 50}, {"named-otherwise", wantCSV, 50}, {"a.txt.gz", want, 1}, {"members.txt.gz", want, 5},
	} {
		f, parts, lines := b.scale(t, fn, `{"manifest":"s3://lists/manifests/`+test.name+`","expires_in":600}`, 1000)
		if !slices.Equal(keysOf(lines), test.want) {
			t.Errorf("%s: the parts have other keys than the list", test.name)
		}
		if len(parts) < test.shards || test.shards == 1 && len(parts) != 1 {
			t.Errorf("%s: %d shards", test.name, len(parts))
		}
		if f.Signed != 3000 || f.ExpiresAt.Before(time.Now().Add(5*time.Minute)) {
			t.Errorf("%s: %+v", test.name, f)
		}
		if test.name == "a.txt" {
			works(t, lines[2999].URL, "late")
		}
		for i, p := range parts {
			if wanted := fmt.Sprintf("/parts/%05d-", i); !strings.Contains(p.Part.Key, wanted) || !strings.HasPrefix(p.Part.Key, "results/"+test.name+"-") {
				t.Errorf("part %d lies at %s", i, p.Part.Key)
			}
		}
		if test.name == "a.csv" && !strings.Contains(lines[7].URL, "response-content-disposition=attachment") {
			t.Error("the header's options are lost")
		}
	}
	if n := b.uploads(t); n != 0 {
		t.Errorf("%d uploads are left behind", n)
	}
}

// inventory puts an S3 Inventory where lists lie, half of its files CSV and half Parquet in one
// of its own each, and gives the keys of its manifest and what it lists.
func (b *bed) inventory(t *testing.T, folder string, isParquet bool, files, rows int) (manifest string, keys []string) {
	t.Helper()
	type row struct {
		Bucket string `parquet:"bucket"`
		Key    string `parquet:"key"`
	}
	var list []map[string]any
	for i := range files {
		var csv strings.Builder
		var table []row
		for j := range rows {
			key := fmt.Sprintf("in/%d é+%d,\"x\".jpg", i, j)
			keys = append(keys, key)
			fmt.Fprintf(&csv, "\"photos\",\"in/%d+%%C3%%A9%%2B%d%%2C%%22x%%22.jpg\"\n", i, j)
			table = append(table, row{"photos", key})
		}
		name, body := fmt.Sprintf("%s/data/%d.csv.gz", folder, i), gzipped(csv.String())
		if isParquet {
			var file bytes.Buffer
			if err := parquet.Write(&file, table, parquet.MaxRowsPerRowGroup(int64(rows/3+1)), parquet.Compression(&parquet.Snappy)); err != nil {
				t.Fatal(err)
			}
			name, body = fmt.Sprintf("%s/data/%d.parquet", folder, i), file.Bytes()
		}
		b.put(t, "lists", name, body, nil)
		list = append(list, map[string]any{"key": name, "size": len(body), "MD5checksum": fmt.Sprintf("%x", md5.Sum(body))})
	}
	format := map[bool]string{false: "CSV", true: "Parquet"}[isParquet]
	text := mustJSON(map[string]any{
		"sourceBucket": "photos", "destinationBucket": "arn:aws:s3:::lists", "fileFormat": format, "fileSchema": "Bucket, Key", "files": list,
	})
	b.put(t, "lists", folder+"/manifest.json", text, nil)
	b.put(t, "lists", folder+"/manifest.checksum", fmt.Appendf(nil, "%x", md5.Sum(text)), nil)
	return "s3://lists/" + folder + "/manifest.json", keys
}

// Each file of an inventory is a shard; its checksums are looked at.
func TestShardsOfAnInventory(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 20*time.Second)
	for name, isParquet := range map[string]bool{"csv": false, "parquet": true} {
		manifest, want := b.inventory(t, "manifests/"+name, isParquet, 5, 200)
		f, parts, lines := b.scale(t, fn, `{"manifest":"`+manifest+`"}`, 64<<20)
		if len(parts) != 5 || f.Signed != 1000 || !slices.Equal(keysOf(lines), want) {
			t.Errorf("%s: %d parts, %+v, the same keys: %v", name, len(parts), f, slices.Equal(keysOf(lines), want))
		}
		// A file that is another one than its manifest says is an error of its shard alone.
		_, shards := b.plan(t, fn, `{"manifest":"`+manifest+`","expires_in":61}`, 64<<20)
		extension := map[bool]string{false: "csv.gz", true: "parquet"}[isParquet]
		file := "manifests/" + name + "/data/2." + extension
		body, err := b.s3server.Get("lists", file)
		if err != nil {
			t.Fatal(err)
		}
		body[len(body)/2] ^= 1
		b.put(t, "lists", file, body, nil)
		if _, err := step[signedPart](t, fn, map[string]any{"step": "sign", "shard": shards[2]}); err == nil || !strings.HasPrefix(err.Error(), failed+"InvalidManifest") {
			t.Errorf("%s: a damaged file: %v", name, err)
		}
		sign(t, fn, shards[3])
	}
}

// A list that is another one than when it was planned is told so by every shard that reads it.
func TestShardOfAChangedList(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 20*time.Second)
	b.put(t, "lists", "manifests/a.txt", []byte("a\nb\nc\nd\n"), nil)
	_, shards := b.plan(t, fn, `{"manifest":"s3://lists/manifests/a.txt"}`, 3)
	if len(shards) != 3 {
		t.Fatalf("%d shards", len(shards))
	}
	for _, changed := range []string{"a\nb\nc\nx\n", "a\n"} {
		b.put(t, "lists", "manifests/a.txt", []byte(changed), nil)
		for i, shard := range shards {
			if _, err := step[signedPart](t, fn, map[string]any{"step": "sign", "shard": shard}); err == nil || !strings.HasPrefix(err.Error(), failed+"ManifestChanged") {
				t.Errorf("shard %d: %v, want ManifestChanged", i, err)
			}
		}
	}
}

// A shard that is asked for again is not signed again while its URLs work, so that a redrive
// signs what is missing; and it writes the same object when they do not.
func TestRedrive(t *testing.T) {
	t.Parallel()
	var gets atomic.Int64
	b := newBed(t, func(s3 http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/lists/") {
				gets.Add(1)
			}
			s3.ServeHTTP(w, r)
		})
	})
	fn := b.start(t, 20*time.Second)
	b.put(t, "lists", "manifests/a.txt", []byte("a\nb\nc\nd\n"), nil)
	p, shards := b.plan(t, fn, `{"manifest":"s3://lists/manifests/a.txt","expires_in":2}`, 4)
	first := sign(t, fn, shards[0])
	if _, err := step[finishedRun](t, fn, map[string]any{"step": "finish", "plan": p.Plan}); err == nil || !strings.HasPrefix(err.Error(), failed+"PartMissing: shard 1") {
		t.Errorf("finish before all is signed: %v", err)
	}
	read := gets.Load()
	if again := sign(t, fn, shards[0]); !cmp.Equal(first, again) || gets.Load() != read {
		t.Errorf("%+v, and before %+v; the list was read: %v", again, first, gets.Load() != read)
	}
	sign(t, fn, shards[1])
	before := b.keys(t, "results")
	time.Sleep(time.Until(first.ExpiresAt) + 100*time.Millisecond)
	again := sign(t, fn, shards[0])
	if !again.ExpiresAt.After(first.ExpiresAt) || *again.Part != *first.Part {
		t.Errorf("%+v, and before %+v", again, first)
	}
	if after := b.keys(t, "results"); !slices.Equal(before, after) {
		t.Errorf("other objects were written: %v, and before %v", after, before)
	}
	if f := must(step[finishedRun](t, fn, map[string]any{"step": "finish", "plan": p.Plan}))(t); f.Count != 4 || f.Parts != 2 {
		t.Errorf("%+v", f)
	}
	// Another execution has results of its own.
	other := must(step[planned](t, fn, map[string]any{"step": "plan", "request": json.RawMessage(`{"manifest":"s3://lists/manifests/a.txt","expires_in":2}`), "execution": "two", "shard_bytes": 4}))(t)
	if other.Shards == p.Shards {
		t.Error("two executions write the same objects")
	}
}

// A shard for which there is no time left goes on from its checkpoint, and is in the end what it
// would be in one go.
func TestShardHandedOn(t *testing.T) {
	t.Parallel()
	list := longList()
	b := newBed(t, slowly("manifests/long.txt", len(list)/10))
	b.put(t, "lists", "manifests/long.txt", list, nil)
	fn := b.start(t, 10*time.Second, "PRESIGN_QUEUE_URL=") // no queue is needed
	p, shards := b.plan(t, fn, `{"manifest":"s3://lists/manifests/long.txt"}`, 64<<20)
	// The list was slow when it was looked at, and is so no more: another one is.
	b2 := newBed(t, slowly("manifests/long.txt", len(list)/10))
	b2.put(t, "lists", "manifests/long.txt", list, nil)
	fn2 := b2.start(t, 10*time.Second, "PRESIGN_QUEUE_URL=")
	one := must(step[signedPart](t, fn2, map[string]any{"step": "sign", "shard": shards[0]}))(t)
	if one.Done || one.Count == 0 || one.Part != nil || string(compact(one.Shard)) != string(compact(shards[0])) {
		t.Fatalf("done: %v, %d signed", one.Done, one.Signed)
	}
	if n := b2.uploads(t); n != 1 {
		t.Fatalf("%d uploads while the shard goes on", n)
	}
	done := sign(t, fn2, one.Shard)
	whole := sign(t, fn, shards[0])
	if done.Count != 300_000 || done.Errors["UnsafeKey"] != 6 || !cmp.Equal(done.Errors, whole.Errors) {
		t.Errorf("%+v, in one go %+v", done, whole)
	}
	read := func(b *bed) []string {
		return withoutHost(b.partLines(t, done.Part.Key))
	}
	if !slices.Equal(read(b2), read(b)) {
		t.Error("the part that was handed on is not the one made in one go")
	}
	if n := b2.uploads(t); n != 0 {
		t.Errorf("%d uploads are left behind", n)
	}
	_ = p
}

func compact(text []byte) []byte {
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// partLines reads one part.
func (b *bed) partLines(t *testing.T, key string) (lines []line) {
	t.Helper()
	body, err := b.s3server.Get("results", key)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	for one := range strings.Lines(string(text)) {
		var l line
		if err := json.Unmarshal([]byte(one), &l); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	return lines
}

// Whatever is wrong with a step is told by the type of the function's error.
func TestBadSteps(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 20*time.Second)
	b.put(t, "lists", "manifests/a.txt", []byte("a\n"), nil)
	b.put(t, "lists", "manifests/empty.txt", []byte("\n\n"), nil)
	b.put(t, "lists", "manifests/r.json", []byte(`{"keys":["a"]}`), nil)
	b.put(t, "lists", "elsewhere/a.txt", []byte("a\n"), nil)
	p, shards := b.plan(t, fn, `{"manifest":"s3://lists/manifests/a.txt"}`, 100)
	changed := func(old, to string) string { return strings.Replace(string(shards[0]), old, to, 1) }
	for _, test := range []struct{ event, code, message string }{
		{`{"step":"go"}`, "InvalidRequest", "plan, sign or finish"},
		{`{"step":"plan"}`, "InvalidRequest", `"request"`},
		{`{"step":"sign","request":{"prefix":"a"}}`, "InvalidRequest", `"shard"`},
		{`{"step":"plan","request":{"prefix":"a"},"colour":"red"}`, "InvalidRequest", "members"},
		{`{"step":"plan","request":{"keys":["a"]}}`, "InvalidRequest", `"keys"`},
		{`{"step":"plan","request":{"prefix":"a","colour":"red"}}`, "InvalidRequest", "colour"},
		{`{"step":"plan","request":{"prefix":"a","format":"csv"}}`, "InvalidRequest", "ndjson"},
		{`{"step":"plan","request":{"manifest":"s3://lists/manifests/missing.txt"}}`, "ManifestNotFound", ""},
		{`{"step":"plan","request":{"manifest":"s3://lists/elsewhere/a.txt"}}`, "InvalidRequest", "manifests/"},
		{`{"step":"plan","request":{"manifest":"s3://lists/manifests/r.json"}}`, "InvalidRequest", "request"},
		{`{"step":"plan","request":{"manifest":"s3://lists/manifests/a.txt","bucket":"secret"}}`, "BucketNotAllowed", ""},
		{`{"step":"plan","request":{"manifest":"s3://lists/manifests/a.txt","expires_in":604800}}`, "ExpiryTooLong", ""},
		{`{"step":"sign","shard":{"of":{"request":"{}","label":"x","shard_bytes":1},"number":0}}`, "InvalidRequest", "one of"},
		{`{"step":"sign","shard":` + changed(`"key":"manifests/a.txt"`, `"key":"elsewhere/a.txt"`) + `}`, "InvalidRequest", "elsewhere"},
		{`{"step":"sign","shard":` + changed(`"list":{`, `"keys":{},"list":{`) + `}`, "InvalidRequest", "one of"},
		{`{"step":"finish","plan":` + strings.Replace(string(p.Plan), `"count":1`, `"count":2`, 1) + `}`, "PartMissing", ""},
	} {
		_, err := fn.Invoke(t.Context(), []byte(test.event))
		if err == nil || !strings.HasPrefix(err.Error(), failed+test.code+":") || !strings.Contains(err.Error(), test.message) {
			t.Errorf("%s: %v, want %s with %q", test.event, err, test.code, test.message)
		}
	}
	// A message of a queue is no step, whatever it says: its caller is the queue.
	answer, err := fn.Invoke(t.Context(), sqsEvent(`{"step":"sign","shard":`+string(shards[0])+`}`))
	if err != nil || string(answer) != `{"batchItemFailures":[]}` {
		t.Fatalf("%s, %v", answer, err)
	}
	for _, key := range b.keys(t, "results") {
		if strings.Contains(key, "/parts/") {
			t.Error("a message of a queue was done as a step")
		}
	}
	// A plan of nothing ends in an error, rather than in a summary of nothing.
	q, empty := b.plan(t, fn, `{"manifest":"s3://lists/manifests/empty.txt"}`, 100)
	sign(t, fn, empty[0])
	if _, err := step[finishedRun](t, fn, map[string]any{"step": "finish", "plan": q.Plan}); err == nil || !strings.HasPrefix(err.Error(), failed+"NothingToSign") {
		t.Errorf("nothing to sign: %v", err)
	}
}

// A plan of ten thousand shards is finished in little memory.
func TestFinishOfManyShards(t *testing.T) {
	t.Parallel()
	const many = 10_000
	b := newBed(t, nil)
	fn := b.start(t, 60*time.Second)
	b.put(t, "lists", "manifests/many.txt", bytes.Repeat([]byte("k/x\n"), many), nil)
	p, shards := b.plan(t, fn, `{"manifest":"s3://lists/manifests/many.txt","expires_in":600}`, 4)
	if len(shards) != many {
		t.Fatalf("%d shards", len(shards))
	}
	first := sign(t, fn, shards[0])
	summary, err := b.s3server.Get("results", strings.TrimSuffix(first.Part.Key, ".ndjson.gz")+".json")
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range shards[1:] { // signed elsewhere; one ended earlier than the others
		var shard job.Shard
		if err := json.Unmarshal(text, &shard); err != nil {
			t.Fatal(err)
		}
		one := summary
		if i == 4000 {
			one = regexp.MustCompile(`"expires_at": "[^"]*"`).ReplaceAll(summary, []byte(`"expires_at": "2026-01-02T03:04:05Z"`))
			one = bytes.Replace(one, []byte(`"signed": 1`), []byte(`"signed": 1, "failed": {"UnsafeKey": 7}`), 1)
		}
		if err := b.s3server.Put("results", "results/"+shard.Name()+".json", one); err != nil {
			t.Fatal(err)
		}
	}
	f := must(step[finishedRun](t, fn, map[string]any{"step": "finish", "plan": p.Plan}))(t)
	if f.Parts != many || f.Count != many || f.Signed != many || f.Errors["UnsafeKey"] != 7 || f.ExpiresAt.Format(time.RFC3339) != "2026-01-02T03:04:05Z" {
		t.Errorf("%+v", f)
	}
	s := b.summary(t, strings.TrimSuffix(f.Summary.Key, "/summary.json"))
	if len(s.Parts) != many || s.Parts[4001].Failed["UnsafeKey"] != 7 || s.Parts[0].Key != first.Part.Key {
		t.Errorf("%d parts", len(s.Parts))
	}
	if runtime.GOOS != "linux" {
		t.Log("the function's memory is not looked at: only Linux tells the most that a process had")
		return
	}
	if peak, err := runtimeapi.PeakMemory(fn.Processes()[0]); err != nil || peak > 128<<20 {
		t.Errorf("the function took %d KiB, %v", peak>>10, err)
	}
}

// What may pass has a type of its own, by which the state machine tries again.
func TestStepsThatMayPass(t *testing.T) {
	t.Parallel()
	var status atomic.Int64
	b := newBed(t, func(s3 http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if code := int(status.Load()); code != 0 {
				w.WriteHeader(code)
				return
			}
			s3.ServeHTTP(w, r)
		})
	})
	fn := b.start(t, 20*time.Second, "AWS_MAX_ATTEMPTS=1")
	b.put(t, "lists", "manifests/a.txt", []byte("a\nb\n"), nil)
	const request = `{"manifest":"s3://lists/manifests/a.txt"}`
	p, shards := b.plan(t, fn, request, 2)
	for code, want := range map[int64]string{500: "InternalError", 502: "InternalError", 503: "Throttled", 429: "Throttled"} {
		status.Store(code)
		for _, event := range []map[string]any{
			{"step": "plan", "request": json.RawMessage(request)}, {"step": "sign", "shard": shards[0]}, {"step": "finish", "plan": p.Plan},
		} {
			if _, err := fn.Invoke(t.Context(), mustJSON(event)); err == nil || !strings.HasPrefix(err.Error(), failed+want+":") {
				t.Errorf("%s, S3 answers %d: %v, want %s", event["step"], code, err, want)
			}
		}
	}
	status.Store(0)
	for _, shard := range shards {
		sign(t, fn, shard)
	}
	if f := must(step[finishedRun](t, fn, map[string]any{"step": "finish", "plan": p.Plan}))(t); f.Signed != 2 {
		t.Errorf("%+v", f)
	}
	// So do credentials that cannot be had just now; to S3 Batch Operations it is a temporary failure.
	alone := b.start(t, 20*time.Second, "PRESIGN_SIGNING_ROLE_ARN=arn:aws:iam::123456789012:role/signs", "AWS_ENDPOINT_URL_STS=http://127.0.0.1:1")
	if _, err := alone.Invoke(t.Context(), mustJSON(map[string]any{"step": "plan", "request": map[string]any{"prefix": "a/"}})); err == nil || !strings.HasPrefix(err.Error(), failed+"CredentialsUnavailable:") {
		t.Errorf("without credentials: %v", err)
	}
	answer, err := alone.Invoke(t.Context(), batchEvent("1.0", "photos", nil, "a"))
	if err != nil || !bytes.Contains(answer, []byte(`"TemporaryFailure","resultString":"CredentialsUnavailable: `)) {
		t.Errorf("without credentials: %s, %v", answer, err)
	}
}

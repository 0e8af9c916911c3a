package main

import (
	archivezip "archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/klauspost/compress/zstd"

	"bulkpresign/internal/bucketevent"
	"bulkpresign/internal/job"
	"bulkpresign/internal/objects"
)

// An input is one thing that must have exactly one result, and what that must be.
type input struct {
	kind   string
	name   string // the folder of its result
	serial int    // in the keys, so that no two inputs share one
	count  int    // lines of the result
	bad    int    // of these, at the end: keys or lines that cannot be signed
	fails  bool   // it never can be signed: a summary with an error, and no result
	put    bool   // the URLs are uploads
	looks  bool   // S3 is asked about each key; the bad ones are not there
}

// key is the i-th key of an input. Some are awkward.
func (in *input) key(i int) string {
	if i >= in.count-in.bad && !in.looks {
		return fmt.Sprintf("in/%d/../%d", in.serial, i)
	}
	awkward := [...]string{"photo", "a b+c", "été", "100%", "x&y=z", "😀", "q?#;", "'quoted'"}
	return fmt.Sprintf("in/%d/%s/%d.jpg", in.serial, awkward[i%len(awkward)], i)
}

// A delivery is a message or an event, and the inputs in it.
type delivered struct {
	body   string
	inputs []*input
}

// workload is all that is sent, in the order of sending.
type workload struct {
	random *rand.Rand
	serial int

	requests []delivered // to the queue function
	lists    []delivered // to the manifest function, through its queue
	events   []delivered // to the manifest function, invoked asynchronously
	short    []delivered // to the manifest function whose time is short, through its queue
	passed   int         // messages that ask for nothing
	twice    int         // messages that were sent twice
	inputs   []*input
}

func newWorkload(seed uint64) *workload {
	return &workload{random: rand.New(rand.NewPCG(seed, 1))}
}

func (w *workload) input(kind string) *input {
	w.serial++
	in := &input{kind: kind, serial: w.serial}
	w.inputs = append(w.inputs, in)
	return in
}

func text(v any) string {
	t, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps of strings
	}
	return string(t)
}

// requestOf fills in the name of an input that is a request.
func requestOf(in *input, body string) delivered {
	in.name = (&job.Input{Request: []byte(body), Identity: bucketevent.Identity("message", body)}).Name()
	return delivered{body, []*input{in}}
}

// fillQueue makes the messages of the queue function. sharedLists is how many lists there are that requests name.
func (w *workload) fillQueue(messages, sharedLists int, sns func(message string) string) {
	for range messages {
		var d delivered
		switch p := w.random.Float64(); {
		case p < 0.62:
			d = w.keysRequest()
		case p < 0.72:
			d = w.notification()
		case p < 0.82:
			d = w.notification()
			d.body = sns(d.body)
		case p < 0.84:
			d = w.eventBridge()
		case p < 0.85:
			d = w.prefixRequest(w.random.IntN(len(sharedPrefixes)))
		case p < 0.86:
			d = w.verifyRequest(w.random.IntN(len(sharedPrefixes)))
		case p < 0.90:
			d = w.listRequest(w.random.IntN(sharedLists))
		case p < 0.905:
			w.passed++
			d = delivered{body: text(map[string]string{"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-11-23T08:00:00.000Z", "Bucket": photos})}
		default:
			d = w.badRequest()
		}
		w.requests = append(w.requests, d)
		if w.random.IntN(100) == 0 { // its sender was not sure
			w.twice++
			w.requests = append(w.requests, d)
		}
	}
	w.random.Shuffle(len(w.requests), func(i, j int) { w.requests[i], w.requests[j] = w.requests[j], w.requests[i] })
}

func (w *workload) keysRequest() delivered {
	in := w.input("request")
	in.count = 1 + w.random.IntN(40)
	if w.random.IntN(8) == 0 {
		in.bad = w.random.IntN(in.count + 1)
	}
	keys := make([]string, in.count)
	for i := range keys {
		keys[i] = in.key(i)
	}
	request := map[string]any{"bucket": photos, "keys": keys, "expires_in": 600 + w.random.IntN(600)}
	if w.random.IntN(5) == 0 {
		in.put = true
		request["operation"] = "PutObject"
		request["content_type"] = "image/jpeg"
	}
	return requestOf(in, text(request))
}

// shared lists are named by many requests.
func sharedList(i int) string { return fmt.Sprintf("%sshared/%d.csv", manifest, i) }

func (w *workload) listRequest(list int) delivered {
	in := w.input("request with a list")
	own := in.serial
	in.serial, in.count = -1-list, sharedCount(list)
	// The note makes it another request than the next one of the same list.
	return requestOf(in, text(map[string]any{
		"manifest": "s3://" + lists + "/" + sharedList(list), "response_content_language": fmt.Sprintf("x-%d", own),
	}))
}

func sharedCount(list int) int { return 20 + 17*list }

// sharedPrefixes are how many objects lie under prefixes that many requests name: one page of a listing, and several.
var sharedPrefixes = []int{40, 990, 2_300}

func sharedPrefix(i int) *input { return &input{serial: -1_001 - i, count: sharedPrefixes[i]} }

// prefixRequest asks for all that lies under a prefix.
func (w *workload) prefixRequest(prefix int) delivered {
	in := w.input("request with a prefix")
	own := in.serial
	in.serial, in.count = sharedPrefix(prefix).serial, sharedPrefix(prefix).count
	return requestOf(in, text(map[string]any{
		"bucket": photos, "prefix": fmt.Sprintf("in/%d/", in.serial), "response_content_language": fmt.Sprintf("x-%d", own),
	}))
}

// verifyRequest has S3 asked about keys, of which the last ones are not there.
func (w *workload) verifyRequest(prefix int) delivered {
	in := w.input("request that looks")
	own := in.serial
	in.looks, in.serial, in.bad = true, sharedPrefix(prefix).serial, w.random.IntN(5)
	in.count = sharedPrefix(prefix).count + in.bad
	keys := make([]string, in.count)
	for i := range keys {
		keys[i] = in.key(i)
	}
	return requestOf(in, text(map[string]any{
		"bucket": photos, "keys": keys, "verify": "head", "response_content_language": fmt.Sprintf("x-%d", own),
	}))
}

// ref fills in the name of an input that is an object.
func ref(in *input, bucket, key, etag, sequencer string) {
	e := bucketevent.Event{Bucket: bucket, Key: key, ETag: etag, Sequencer: sequencer}
	in.name = (&job.Input{Object: objects.Ref{Bucket: bucket, Key: key}, Identity: e.Identity()}).Name()
}

func (w *workload) object() (in *input, etag, sequencer string) {
	in = w.input("object")
	in.count = 1
	etag, sequencer = fmt.Sprintf("%032x", in.serial), fmt.Sprintf("%016X", w.random.Uint64())
	ref(in, photos, in.key(0), etag, sequencer)
	return in, etag, sequencer
}

// notification is S3's own, of one to three objects.
func (w *workload) notification() (d delivered) {
	var records []json.RawMessage
	for range 1 + w.random.IntN(3) {
		in, etag, sequencer := w.object()
		d.inputs = append(d.inputs, in)
		var one struct{ Records []json.RawMessage }
		if err := json.Unmarshal(created(photos, in.key(0), etag, 1, sequencer), &one); err != nil {
			panic(err)
		}
		records = append(records, one.Records...)
	}
	d.body = text(map[string]any{"Records": records})
	return d
}

// eventBridge is the same object's event through EventBridge.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
func bridged(bucket, key, etag, sequencer string) string {
	return text(map[string]any{
		"version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103", "detail-type": "Object Created", "source": "aws.s3",
		"account": "000000000000", "time": "2026-11-23T08:00:00Z", "region": region, "resources": []string{"arn:aws:s3:::" + bucket},
		"detail": map[string]any{
			"version": "0", "bucket": map[string]string{"name": bucket}, "reason": "PutObject",
			"object": map[string]any{"key": key, "size": 1, "etag": etag, "sequencer": sequencer},
		},
	})
}

func (w *workload) eventBridge() delivered {
	in, etag, sequencer := w.object()
	return delivered{bridged(photos, in.key(0), etag, sequencer), []*input{in}}
}

// badRequest can never be signed.
func (w *workload) badRequest() delivered {
	in := w.input("bad request")
	in.fails = true
	n := in.serial
	bodies := []string{
		fmt.Sprintf("not JSON at all, %d", n),
		fmt.Sprintf(`{"keys": ["cut off %d`, n),
		fmt.Sprintf(`{"keys": ["k"], "no_such_field": %d}`, n),
		fmt.Sprintf(`{"bucket": "forbidden-%d", "keys": ["k"]}`, n),
		fmt.Sprintf(`{"keys": [], "expires_in": %d}`, n),
		fmt.Sprintf(`{"keys": ["k"], "expires_in": %d}`, 604800+n),
		fmt.Sprintf(`{"operation": "DeleteObject", "keys": ["%d"]}`, n),
		fmt.Sprintf(`{"manifest": "s3://%s/%snot-there-%d.txt"}`, lists, manifest, n),
		fmt.Sprintf(`{"manifest": "s3://%s/elsewhere/%d.txt"}`, lists, n),
	}
	return requestOf(in, bodies[w.random.IntN(len(bodies))])
}

// A written list, as it goes into S3.
type list struct {
	key  string
	body []byte
}

func zip(b []byte) []byte {
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	z.Write(b)
	z.Close()
	return out.Bytes()
}

func zstdOf(b []byte) []byte {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err) // no option was wrong
	}
	defer z.Close()
	return z.EncodeAll(b, nil)
}

// formats are those of the lists; each writes the keys of an input.
var formats = []struct {
	extension string
	write     func(b *bytes.Buffer, in *input)
}{
	{".txt", func(b *bytes.Buffer, in *input) {
		for i := range in.count {
			b.WriteString(in.key(i) + "\n")
		}
	}},
	{".csv", func(b *bytes.Buffer, in *input) {
		for i := range in.count {
			fmt.Fprintf(b, "%s,%s\r\n", photos, quoted(in.key(i)))
		}
	}},
	{"-h.csv", func(b *bytes.Buffer, in *input) { // with a header row
		b.WriteString("filename,key,bucket\n")
		for i := range in.count {
			fmt.Fprintf(b, "%d.jpg,%s,%s\n", i, quoted(in.key(i)), photos)
		}
	}},
	{".jsonl", func(b *bytes.Buffer, in *input) {
		for i := range in.count {
			b.WriteString(text(in.key(i)) + "\n")
		}
	}},
	{".ndjson", func(b *bytes.Buffer, in *input) {
		for i := range in.count {
			fmt.Fprintf(b, `{"key":%s}`+"\n", text(in.key(i)))
		}
	}},
	{".json", func(b *bytes.Buffer, in *input) {
		keys := make([]string, in.count)
		for i := range keys {
			keys[i] = in.key(i)
		}
		b.WriteString(text(map[string]any{"bucket": photos, "keys": keys}))
	}},
}

func quoted(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// fillLists makes the lists, puts them into S3 and says so in events.
func (w *workload) fillLists(ctx context.Context, c *s3.Client, manifests, sharedLists int) error {
	for i := range sharedLists {
		var b bytes.Buffer
		formats[1].write(&b, &input{serial: -1 - i, count: sharedCount(i)})
		if _, err := put(ctx, c, lists, sharedList(i), bytes.NewReader(b.Bytes()), nil); err != nil {
			return err
		}
	}
	for i := range sharedPrefixes {
		in := sharedPrefix(i)
		for k := range in.count {
			if _, err := put(ctx, c, photos, in.key(k), strings.NewReader("content of "+in.key(k)), nil); err != nil {
				return err
			}
		}
	}
	for i := range manifests {
		var err error
		switch {
		case i%100 == 3: // little time, and more work than fits in it
			err = w.list(ctx, c, i, shortKeys, &w.short)
		case i%20 == 7: // several parts
			err = w.list(ctx, c, i, 70_000+w.random.IntN(80_000), nil)
		case i%10 == 9:
			err = w.brokenList(ctx, c, i)
		default:
			err = w.list(ctx, c, i, int(math.Pow(10, w.random.Float64()*4)), nil) // 1 to 10,000
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// list makes one, for a queue or for where chance sends it.
func (w *workload) list(ctx context.Context, c *s3.Client, i, count int, to *[]delivered) error {
	in := w.input("list")
	in.count = count
	if w.random.IntN(5) == 0 {
		in.bad = min(in.count, 1+w.random.IntN(30))
	}
	format := formats[i%len(formats)]
	if count > 10_000 && format.extension == ".json" {
		format = formats[0] // a request is not for so many
	}
	var b bytes.Buffer
	format.write(&b, in)
	l := list{fmt.Sprintf("%s%d%s", manifest, i, format.extension), b.Bytes()}
	if format.extension != ".json" {
		switch w.random.IntN(4) {
		case 0, 1:
			l = list{l.key + ".gz", zip(l.body)}
		case 2:
			l = list{l.key + ".zst", zstdOf(l.body)}
		}
	}
	return w.announce(ctx, c, in, l, to)
}

// announce puts a list into S3 and makes the event of it.
func (w *workload) announce(ctx context.Context, c *s3.Client, in *input, l list, to *[]delivered) error {
	etag, err := put(ctx, c, lists, l.key, bytes.NewReader(l.body), nil)
	if err != nil {
		return err
	}
	sequencer := fmt.Sprintf("%016X", w.random.Uint64())
	ref(in, lists, l.key, etag, sequencer)
	d := delivered{string(created(lists, l.key, etag, int64(len(l.body)), sequencer)), []*input{in}}
	switch way := w.random.IntN(4); {
	case to != nil:
		*to = append(*to, d)
	case way < 2:
		w.lists = append(w.lists, d)
	case way == 2:
		w.events = append(w.events, d)
	default:
		d.body = bridged(lists, l.key, etag, sequencer)
		w.events = append(w.events, d)
	}
	return nil
}

// brokenList is one of those that can only have an error for a result.
func (w *workload) brokenList(ctx context.Context, c *s3.Client, i int) error {
	in := w.input("broken list")
	in.fails = true
	good := &input{serial: in.serial, count: 100_000}
	var b bytes.Buffer
	formats[0].write(&b, good)
	key := fmt.Sprintf("%sbroken-%d", manifest, i)
	var l list
	switch i / 10 % 5 {
	case 0: // gzip that ends too soon, after more than a part was written
		z := zip(b.Bytes())
		l = list{key + ".txt.gz", z[:len(z)*9/10]}
	case 1:
		l = list{key + ".txt", nil}
	case 2:
		l = list{key + ".pdf", []byte("%PDF-1.7")}
	case 3: // not what its name says: a workbook is a zip archive
		var book bytes.Buffer
		archive := archivezip.NewWriter(&book)
		sheet, err := archive.Create("xl/worksheets/sheet1.xml")
		if err == nil {
			_, err = sheet.Write(b.Bytes()[:1000])
		}
		if err == nil {
			err = archive.Close()
		}
		if err != nil {
			return err
		}
		l = list{key + ".csv", book.Bytes()}
	case 4: // changed after its event
		if err := w.announce(ctx, c, in, list{key + ".txt", b.Bytes()[:5000]}, nil); err != nil {
			return err
		}
		later := w.input("list")
		later.count = 3
		var other bytes.Buffer
		formats[0].write(&other, later)
		return w.announce(ctx, c, later, list{key + ".txt", other.Bytes()}, nil)
	}
	return w.announce(ctx, c, in, l, nil)
}

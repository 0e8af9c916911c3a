package job_test

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"bulkpresign/internal/standin/runtimeapi"
)

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
	fn := b.start(t, 10*time.Second)
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
	fn := b.start(t, 10*time.Second)
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

// A job looks at each object, too, where it is asked to, and its summary counts what it found.
func TestVerify(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 10*time.Second)
	b.put(t, "photos", "there", []byte("one"), nil)
	deliver(t, fn, `{"keys":["there","missing"],"verify":"head"}`)
	s, _ := b.only(t)
	if s.Signed != 1 || s.Failed["NotFound"] != 1 {
		t.Errorf("keys: %+v", s)
	}

	b = newBed(t, nil)
	fn = b.start(t, 10*time.Second)
	b.put(t, "photos", "there", []byte("one"), nil)
	b.put(t, "lists", "manifests/a.txt", []byte("missing\nthere\nmissing too\n"), nil)
	deliver(t, fn, `{"manifest":"s3://lists/manifests/a.txt","verify":"describe"}`)
	s, _ = b.only(t)
	lines := b.lines(t, s)
	if s.Signed != 1 || s.Failed["NotFound"] != 2 || len(lines) != 3 || lines[0].Error.Code != "NotFound" {
		t.Fatalf("a list: %+v", s)
	}
	works(t, lines[1].URL, "one")
}

// A manifest of S3 Batch Operations writes keys as URLs do, which its metadata says, also
// when a request names it.
func TestKeyEncoding(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 10*time.Second)
	b.put(t, "photos", "q3+q4 é.pdf", []byte("one"), nil)
	etag := b.put(t, "lists", "manifests/batch.csv", []byte("photos,q3+q4%20%C3%A9.pdf\nphotos,100%\n"), map[string]string{"presign-key-encoding": "percent"})
	for i, body := range []string{string(s3Event("lists", "manifests/batch.csv", etag, "01")), `{"manifest":"s3://lists/manifests/batch.csv"}`} {
		before := b.keys(t, "results")
		deliver(t, fn, body)
		for _, key := range b.keys(t, "results") {
			if slices.Contains(before, key) || !strings.HasSuffix(key, "/summary.json") {
				continue
			}
			lines := b.lines(t, b.summary(t, strings.TrimSuffix(key, "/summary.json")))
			if len(lines) != 2 || lines[0].Key != "q3+q4 é.pdf" || lines[1].Error.Code != "InvalidLine" {
				t.Fatalf("%d: %+v", i, lines)
			}
			works(t, lines[0].URL, "one")
		}
	}
	if n := len(b.keys(t, "results")); n != 4 {
		t.Errorf("%d objects, want two results with a summary each", n)
	}
}

// Whatever is wrong with an input is told in a result, once, and the message is done
// with.
func TestBadInput(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 20*time.Second)
	zipped := gzipped("a\nb\n" + strings.Repeat("longer\n", 10_000))
	b.put(t, "lists", "manifests/cut.txt.gz", zipped[:len(zipped)-20], nil)
	b.put(t, "lists", "manifests/noise.txt.gz", []byte("PK\x03\x04 this is no gzip"), nil)
	b.put(t, "lists", "manifests/empty.txt", nil, nil)
	b.put(t, "lists", "manifests/blank.csv", []byte("\n\n\n"), nil)
	b.put(t, "lists", "manifests/long.txt", []byte("a\nb\n"+strings.Repeat("k", 10<<20)), nil)
	b.put(t, "lists", "manifests/list.xlsx", []byte("PK"), nil)
	b.put(t, "lists", "manifests/meta.txt", []byte("a\n"), map[string]string{"presign-expires-in": "soon"})
	b.put(t, "lists", "manifests/encoding.txt", []byte("a\n"), map[string]string{"presign-key-encoding": "url"})
	b.put(t, "lists", "manifests/expiry.txt", []byte("a\n"), map[string]string{"presign-expires-in": "604800"})
	b.put(t, "lists", "manifests/request.json", []byte(`{"keys":["a"],"colour":"red"}`), nil)
	b.put(t, "lists", "manifests/chain.json", []byte(`{"manifest":"s3://lists/manifests/request.json"}`), nil)
	b.put(t, "lists", "elsewhere/list.txt", []byte("a\n"), nil)
	b.put(t, "lists", "manifests/inventory/manifest.json", []byte(`{"sourceBucket":"photos"}`), nil)
	object := func(key string) string { return string(s3Event("lists", key, "", "01")) }
	for _, test := range []struct{ body, code, message string }{
		{`hello`, "InvalidRequest", "no JSON object"},
		{`{"keys":["a"`, "InvalidRequest", "not valid JSON"},
		{`{}`, "InvalidRequest", "exactly one of"},
		{`{"keys":[]}`, "InvalidRequest", "empty"},
		{`{"keys":["a"],"bucket":"secret"}`, "BucketNotAllowed", ""},
		{`{"keys":["a"],"operation":"DELETE"}`, "OperationNotAllowed", ""},
		{`{"keys":["a"],"expires_in":604800}`, "ExpiryTooLong", ""},
		{`{"prefix":"a/","format":"csv"}`, "InvalidRequest", "ndjson"},
		{`{"prefix":"nothing/is/here/"}`, "NothingToSign", ""},
		{`{"prefix":"a/","bucket":"other"}`, "BucketNotAllowed", ""},
		{`{"prefix":"a/","continuation_token":"x"}`, "InvalidRequest", "continuation_token"},
		{`{"manifest":"s3://lists/manifests/missing.txt"}`, "ManifestNotFound", ""},
		{`{"manifest":"s3://lists/elsewhere/list.txt"}`, "InvalidRequest", "manifests/"},
		{`{"manifest":"s3://other/manifests/list.txt"}`, "InvalidRequest", "manifests/"},
		{`{"manifest":"lists/list.txt"}`, "InvalidRequest", "s3://"},
		{`{"presign_job":{"caller":{"Kind":3}}}`, "InvalidRequest", "handed on"},
		{`{"presign_job":"../x"}`, "InvalidRequest", "handed on"},
		{object("manifests/missing.csv"), "ManifestNotFound", ""},
		{object("manifests/cut.txt.gz"), "InvalidManifest", "ends too early"},
		{object("manifests/noise.txt.gz"), "InvalidManifest", "zip archive"},
		{object("manifests/empty.txt"), "InvalidManifest", "no entries"},
		{object("manifests/blank.csv"), "InvalidManifest", "no entries"},
		{object("manifests/long.txt"), "InvalidManifest", "line 3"},
		{object("manifests/list.xlsx"), "InvalidManifest", "presign-format"},
		{object("manifests/meta.txt"), "InvalidRequest", "metadata"},
		{object("manifests/encoding.txt"), "InvalidRequest", "percent"},
		{object("manifests/expiry.txt"), "ExpiryTooLong", ""},
		{object("manifests/request.json"), "InvalidRequest", "colour"},
		{object("manifests/chain.json"), "InvalidRequest", "names a request"},
		{object("manifests/inventory/manifest.json"), "InvalidManifest", "checksum"},
		{string(s3Event("secret", "a.jpg", "", "01")), "BucketNotAllowed", ""},
		{string(s3Event("lists", "manifests/changed.txt", "0123456789abcdef0123456789abcdef", "01")), "ManifestNotFound", ""},
	} {
		before := b.keys(t, "results")
		deliver(t, fn, test.body)
		var made []string
		for _, key := range b.keys(t, "results") {
			if !slices.Contains(before, key) {
				made = append(made, key)
			}
		}
		if len(made) != 1 || !strings.HasSuffix(made[0], "/summary.json") {
			t.Errorf("%.80s: %d objects were made, want a summary", test.body, len(made))
			continue
		}
		s := b.summary(t, strings.TrimSuffix(made[0], "/summary.json"))
		if s.Error == nil || s.Error.Code != test.code || !strings.Contains(s.Error.Message, test.message) || s.Result != nil {
			t.Errorf("%.80s: error %+v, want %s with %q", test.body, s.Error, test.code, test.message)
		}
	}
	if n := b.uploads(t); n != 0 {
		t.Errorf("%d uploads are left behind", n)
	}
}

func gzipped(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text))
	z.Close()
	return b.Bytes()
}

// What lies among lists and is none is passed over: nothing is written, and nothing comes
// again.
func TestNoList(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 20*time.Second)
	for _, key := range []string{"manifests/", "manifests/2026/", "manifests/.DS_Store", "manifests/README.md", "manifests/8f3c.csv.metadata", "manifests/_SUCCESS"} {
		b.put(t, "lists", key, nil, nil)
		if _, err := fn.Invoke(t.Context(), s3Event("lists", key, "", "01")); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	if made := b.keys(t, "results"); len(made) != 0 {
		t.Errorf("results: %q", made)
	}
	if lines := b.log.Count("what is no list is passed over"); lines != 6 {
		t.Errorf("%d lines of the log say so", lines)
	}
}

// Lists as tools write them, from the object to the summary: a name that says nothing,
// metadata that does, JSON that is a list, warnings.
func TestListsOfTools(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 20*time.Second)
	pandas, err := os.ReadFile("../manifest/testdata/pandas-uri.parquet")
	if err != nil {
		t.Fatal(err)
	}
	b.put(t, "photos", "a.jpg", []byte("one"), nil)
	for _, test := range []struct {
		key, text string
		metadata  map[string]string
		keys      []string
		warnings  int64
	}{
		{"manifests/20261127_q8x4k", "photos,a.jpg\n", map[string]string{"presign-format": "csv"}, []string{"a.jpg"}, 0},
		{"manifests/answer.json", `{"Contents":[{"Key":"a.jpg","Size":3}],"RequestCharged":null}`, nil, []string{"a.jpg"}, 0},
		{"manifests/answer.json.gz", string(gzipped(`[{"Path":"a.jpg","IsDir":false}]`)), map[string]string{"presign-expires-in": "60"}, []string{"a.jpg"}, 0},
		{"manifests/uris.txt", "s3://photos/a.jpg\n", nil, []string{"a.jpg"}, 0},
		{"manifests/columns.csv", "bucket,key,colour\nphotos,a.jpg,red\n", map[string]string{"presign-extra-columns": "ignore"}, []string{"a.jpg"}, 0},
		{"manifests/comments.txt", "a.jpg\n# one\n\"two\"\n", nil, []string{"a.jpg", "# one", `"two"`}, 2},
		{"manifests/pandas.parquet", string(pandas), nil, []string{"a.jpg", "b c.jpg"}, 0},
		{"manifests/part-00000", string(pandas), map[string]string{"presign-format": "parquet"}, []string{"a.jpg", "b c.jpg"}, 0},
		{"manifests/request.json.gz", string(gzipped(`{"keys":["a.jpg"]}`)), nil, []string{"a.jpg"}, 0},
	} {
		before := b.keys(t, "results")
		etag := b.put(t, "lists", test.key, []byte(test.text), test.metadata)
		if _, err := fn.Invoke(t.Context(), s3Event("lists", test.key, etag, "01")); err != nil {
			t.Fatal(err)
		}
		for _, key := range b.keys(t, "results") {
			if slices.Contains(before, key) || !strings.HasSuffix(key, "/summary.json") {
				continue
			}
			s := b.summary(t, strings.TrimSuffix(key, "/summary.json"))
			lines := b.lines(t, s)
			var keys []string
			for _, l := range lines {
				keys = append(keys, l.Key)
			}
			if d := cmp.Diff(test.keys, keys); d != "" {
				t.Fatalf("%s: (-want +got):\n%s", test.key, d)
			}
			works(t, lines[0].URL, "one")
			var n int64
			if s.Warnings != nil {
				n = s.Warnings.Count
				if s.Warnings.First[0].Line != 2 || s.Warnings.First[0].Key != "# one" {
					t.Errorf("%s: %+v", test.key, s.Warnings)
				}
			}
			if n != test.warnings {
				t.Errorf("%s: %d warnings", test.key, n)
			}
		}
	}
	if n := len(b.keys(t, "results")); n != 18 {
		t.Errorf("%d objects, want nine results with a summary each", n)
	}
}

// A line that cannot be used has a line of the result that says so, and the rest is
// signed.
func TestBadLines(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 20*time.Second, "PRESIGN_KEY_PREFIX=in/")
	etag := b.put(t, "lists", "manifests/rows.csv.gz", gzipped("bucket,key\nphotos,in/a\nphotos\nother,in/b\nphotos,out/c\nphotos,in/../d\nphotos,\"in/e,f\"\n"), nil)
	if _, err := fn.Invoke(t.Context(), s3Event("lists", "manifests/rows.csv.gz", etag, "01")); err != nil {
		t.Fatal(err)
	}
	s, _ := b.only(t)
	var got []string
	for _, l := range b.lines(t, s) {
		where, _, _ := strings.Cut(l.Error.Message, ":")
		got = append(got, strings.TrimSpace(l.Key+" "+l.Error.Code+" "+where))
	}
	want := []string{"in/a", "InvalidLine line 3", "in/b BucketNotAllowed line 4", "out/c KeyNotAllowed line 5", "in/../d UnsafeKey line 6", "in/e,f"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("lines (-want +got):\n%s", d)
	}
	if s.Signed != 2 || s.Entries != 6 || len(s.Errors) != 4 || s.Errors[0].Line != 3 {
		t.Errorf("%+v", s)
	}
}

// Every object under a prefix is signed, however its key is written, and none beside it.
func TestPrefix(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 20*time.Second)
	var want []string
	for _, name := range []string{"a b", "a+b", "a%20b", "ü", "日本", "x&y=z", `"q"`, "plain"} {
		want = append(want, "album/"+name)
	}
	for i := range 1500 { // more than a page
		want = append(want, fmt.Sprintf("album/%04d", i))
	}
	for _, key := range append(want, "albums", "other/x") {
		if err := b.s3server.Put("photos", key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := fn.Invoke(t.Context(), []byte(`{"prefix":"album/","expires_in":60}`))
	if err != nil {
		t.Fatal(err)
	}
	s, folder := b.only(t)
	if stored, err := b.s3server.Get("results", folder+"/summary.json"); err != nil || !bytes.Equal(stored, answer) {
		t.Error("a direct invoke's answer is not the summary")
	}
	slices.Sort(want)
	var got []string
	for _, l := range b.lines(t, s) {
		got = append(got, l.Key)
		if len(got)%200 == 1 {
			works(t, l.URL, l.Key)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("keys (-want +got):\n%s", d)
	}
}

// A caller may not find out what lies under a prefix for which nothing is signed.
func TestPrefixIsJudged(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 20*time.Second, "PRESIGN_KEY_PREFIX=in/")
	b.put(t, "photos", "private/x", nil, nil)
	for _, prefix := range []string{"", "i", "private/"} {
		if _, err := fn.Invoke(t.Context(), mustJSON(map[string]string{"prefix": prefix})); err == nil || !strings.Contains(err.Error(), "KeyNotAllowed") {
			t.Errorf("prefix %q: %v, want KeyNotAllowed", prefix, err)
		}
	}
}

// A message is its queue's, whatever it says of itself: not even one that has the form of
// a job that was handed on brings a caller of its own.
func TestCallerIsTheQueue(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 10*time.Second, `PRESIGN_POLICY={"rules":[
		{"name":"jobs","effect":"allow","callers":[{"service":{"principal":"sqs.amazonaws.com","source_arn":"arn:aws:sqs:*:*:*"}}],"prefixes":["in/"]},
		{"name":"people","effect":"allow","callers":[{"iam":true},{"direct":true}]}]}`)
	const request = `{"keys":["in/a","private/x"],"explain":false}`
	forged := mustJSON(map[string]any{"presign_job": map[string]any{
		"identity": "forged", "request": []byte(request),
		"caller": map[string]any{"Kind": 1, "ARN": "arn:aws:iam::123456789012:user/root", "Account": "123456789012"},
	}})
	for _, body := range []string{request, string(forged)} {
		answer, err := fn.Invoke(t.Context(), sqsEvent(body))
		if err != nil || string(answer) != `{"batchItemFailures":[]}` {
			t.Fatalf("%s, %v", answer, err)
		}
	}
	var signed, refused int
	for _, key := range b.keys(t, "results") {
		if folder, ok := strings.CutSuffix(key, "/summary.json"); ok {
			switch s := b.summary(t, folder); {
			case s.Error != nil && s.Error.Code == "InvalidRequest":
				refused++
			case s.Signed == 1 && s.Failed["KeyNotAllowed"] == 1:
				signed++
			default:
				t.Errorf("%s: %d signed, failed %v, error %+v", folder, s.Signed, s.Failed, s.Error)
			}
		}
	}
	if signed != 1 || refused != 1 {
		t.Errorf("%d requests were signed and %d messages refused", signed, refused)
	}
}

// An object that was made gets one URL, and the same event twice, or over another way,
// makes one result.
func TestObjectAndDuplicates(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 20*time.Second)
	etag := b.put(t, "photos", "new/ü 1.jpg", []byte("new"), nil)
	event := s3Event("photos", "new/ü 1.jpg", etag, "0055AED6DCD90281E5")
	deliver(t, fn, string(event))
	deliver(t, fn, string(event), string(event))
	published := mustJSON(map[string]string{"Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:eu-west-1:000000000000:t", "Message": string(event)})
	deliver(t, fn, string(published))
	bridge := mustJSON(map[string]any{"version": "0", "id": "x", "detail-type": "Object Created", "source": "aws.s3", "detail": map[string]any{
		"bucket": map[string]any{"name": "photos"},
		"object": map[string]any{"key": "new/ü 1.jpg", "size": 3, "etag": etag, "sequencer": "0055AED6DCD90281E5"},
	}})
	if _, err := fn.Invoke(t.Context(), bridge); err != nil {
		t.Fatal(err)
	}
	s, _ := b.only(t)
	lines := b.lines(t, s)
	if len(lines) != 1 || s.Source.Kind != "object" || s.Source.Object.ETag != etag {
		t.Fatalf("%d lines, source %+v", len(lines), s.Source)
	}
	works(t, lines[0].URL, "new")
	if n := len(b.keys(t, "results")); n != 2 {
		t.Errorf("there are %d objects, want result and summary", n)
	}
	// Another content of the same key is another input.
	deliver(t, fn, string(s3Event("photos", "new/ü 1.jpg", etag, "0055AED6DCD90281E6")))
	if n := len(b.keys(t, "results")); n != 4 {
		t.Errorf("there are %d objects after the next event, want 4", n)
	}
}

// A record of a notification that cannot be read (quilt #5162: a percent sign that nobody encoded) has a result that says
// which it is, with the key as it is written there; the others have theirs. So it is through SNS, which may also invoke
// the function itself.
func TestRecordsForThemselves(t *testing.T) {
	t.Parallel()
	record := func(key string) map[string]any {
		return map[string]any{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventTime": "", "s3": map[string]any{
			"bucket": map[string]any{"name": "photos"}, "object": map[string]any{"key": key, "size": "3", "eTag": "e", "sequencer": "01"}}}
	}
	notification := mustJSON(map[string]any{"Records": []any{record("a+b.jpg"), record("50%.jpg"), record("caf%C3%A9.jpg")}})
	envelope := map[string]any{"Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:eu-west-1:000000000000:t", "Timestamp": "", "Message": string(notification)}
	invoked := mustJSON(map[string]any{"Records": []any{map[string]any{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": envelope}}})
	for name, event := range map[string][]byte{
		"SQS":             sqsEvent(string(notification)),
		"SNS through SQS": sqsEvent(string(mustJSON(envelope))),
		"S3":              notification,
		"SNS":             invoked,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, nil)
			fn := b.start(t, 20*time.Second)
			b.put(t, "photos", "a b.jpg", []byte("1"), nil)
			b.put(t, "photos", "café.jpg", []byte("2"), nil)
			for range 2 { // the second delivery makes the same
				if answer, err := fn.Invoke(t.Context(), event); err != nil || strings.Contains(string(answer), "itemIdentifier") {
					t.Fatalf("%s, %v", answer, err)
				}
			}
			signed := make(map[string]string)
			failed := 0
			for _, key := range b.keys(t, "results") {
				folder, ok := strings.CutSuffix(key, "/summary.json")
				if !ok {
					continue
				}
				s := b.summary(t, folder)
				if s.Error != nil {
					failed++
					if s.Error.Code != "InvalidRequest" || !strings.Contains(s.Error.Message, "record 2 of 3") || s.Source.Object == nil || s.Source.Object.Key != "50%.jpg" {
						t.Errorf("error %+v, object %+v", s.Error, s.Source.Object)
					}
					continue
				}
				for _, l := range b.lines(t, s) {
					signed[l.Key] = l.URL
				}
			}
			if len(signed) != 2 || failed != 1 {
				t.Fatalf("%d are signed and %d failed, want 2 and 1", len(signed), failed)
			}
			works(t, signed["a b.jpg"], "1")
			works(t, signed["café.jpg"], "2")
		})
	}
}

// Keys that are signed and look like a slip are counted in the summary, with the first of them: of a request, and of a list.
func TestWarnings(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 20*time.Second)
	list := strings.Repeat("/a\n", 25) + "b\n"
	b.put(t, "lists", "manifests/slips.txt", []byte(list), nil)
	for _, test := range []struct {
		body  string
		count int64
		first int
		line  int64
	}{
		{`{"keys":["/a","b","a%20b"]}`, 2, 2, 0},
		{string(s3Event("lists", "manifests/slips.txt", "", "01")), 25, 20, 1},
	} {
		before := b.keys(t, "results")
		deliver(t, fn, test.body)
		for _, key := range b.keys(t, "results") {
			folder, ok := strings.CutSuffix(key, "/summary.json")
			if !ok || slices.Contains(before, key) {
				continue
			}
			s := b.summary(t, folder)
			if s.Warnings == nil || s.Warnings.Count != test.count || len(s.Warnings.First) != test.first || s.Warnings.First[0].Key != "/a" || s.Warnings.First[0].Line != test.line {
				t.Errorf("%.40s: %+v", test.body, s.Warnings)
			}
		}
	}
}

// What jobs write is no input, whichever way an event of it comes.
func TestResultsAreNoInput(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	env := []string{"PRESIGN_RESULTS_BUCKET=lists", "PRESIGN_RESULTS_PREFIX=manifests/results/", "PRESIGN_BUCKETS=photos,lists"}
	fn := b.start(t, 20*time.Second, env...)
	event := s3Event("lists", "manifests/results/list.txt-x/result.txt", "", "01")
	deliver(t, fn, string(event))
	if _, err := fn.Invoke(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	if keys := b.keys(t, "lists"); len(keys) != 0 {
		t.Errorf("%d objects were made", len(keys))
	}
}

// An inventory that S3 writes where lists lie is one job, which its manifest.checksum
// starts: of all that arrives, nothing else is taken for a list.
func TestInventoryArrives(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 20*time.Second)
	b.put(t, "photos", "a+b é.jpg", []byte("one"), nil)
	const folder = "manifests/photos/weekly/"
	shard := gzipped("\"photos\",\"a%2Bb+%C3%A9.jpg\",\"\",\"true\",\"false\"\n\"photos\",\"gone\",\"v2\",\"true\",\"true\"\n")
	text := mustJSON(map[string]any{
		"sourceBucket": "photos", "destinationBucket": "arn:aws:s3:::lists", "version": "2016-11-30", "fileFormat": "CSV",
		"fileSchema": "Bucket, Key, VersionId, IsLatest, IsDeleteMarker",
		"files": []any{map[string]any{
			"key": folder + "data/939c6d46-85a9-4ba8-87bd-9db705a579ce.csv.gz", "size": len(shard), "MD5checksum": fmt.Sprintf("%x", md5.Sum(shard)),
		}},
	})
	for _, o := range []struct {
		key  string
		body []byte
	}{
		{folder + "data/939c6d46-85a9-4ba8-87bd-9db705a579ce.csv.gz", shard},
		{folder + "hive/dt=2026-11-22-01-00/symlink.txt", []byte("s3://lists/" + folder + "data/939c6d46-85a9-4ba8-87bd-9db705a579ce.csv.gz\n")},
		{folder + "2026-11-22T01-00Z/manifest.json", text},
		{folder + "2026-11-22T01-00Z/manifest.checksum", fmt.Appendf(nil, "%x\n", md5.Sum(text))},
	} {
		if n := len(b.keys(t, "results")); n != 0 {
			t.Fatalf("before %s there are %d results", o.key, n)
		}
		etag := b.put(t, "lists", o.key, o.body, nil)
		if _, err := fn.Invoke(t.Context(), s3Event("lists", o.key, etag, "01")); err != nil {
			t.Fatalf("%s: %v", o.key, err)
		}
	}
	s, _ := b.only(t)
	lines := b.lines(t, s)
	if len(lines) != 1 || lines[0].Key != "a+b é.jpg" {
		t.Fatalf("%+v", lines)
	}
	works(t, lines[0].URL, "one")
}

// An inventory in Parquet has keys as they are. One whose file is not there says which.
func TestInventoryOfParquet(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 20*time.Second)
	type row struct {
		Bucket string `parquet:"bucket"`
		Key    string `parquet:"key"`
	}
	var shard bytes.Buffer
	if err := parquet.Write(&shard, []row{{"photos", "a+b é.jpg"}, {"photos", "c%2Bd"}}); err != nil {
		t.Fatal(err)
	}
	b.put(t, "photos", "a+b é.jpg", []byte("one"), nil)
	b.put(t, "photos", "c%2Bd", []byte("two"), nil)
	const folder = "manifests/photos/daily/"
	text := mustJSON(map[string]any{
		"sourceBucket": "photos", "destinationBucket": "arn:aws:s3:::lists", "version": "2016-11-30", "fileFormat": "Parquet",
		"fileSchema": "message s3.inventory { required binary bucket (STRING); required binary key (STRING); }",
		"files": []any{map[string]any{
			"key": folder + "data/1.parquet", "size": shard.Len(), "MD5checksum": fmt.Sprintf("%x", md5.Sum(shard.Bytes())),
		}},
	})
	b.put(t, "lists", folder+"2026-11-22T01-00Z/manifest.json", text, nil)
	b.put(t, "lists", folder+"2026-11-22T01-00Z/manifest.checksum", fmt.Appendf(nil, "%x\n", md5.Sum(text)), nil)
	request := []byte(`{"manifest":"s3://lists/` + folder + `2026-11-22T01-00Z/manifest.json"}`)

	_, err := fn.Invoke(t.Context(), request)
	var failed *runtimeapi.FunctionError
	if !errors.As(err, &failed) || failed.Type != "ManifestNotFound" && failed.Type != "InvalidManifest" || !strings.Contains(failed.Message, "data/1.parquet") {
		t.Errorf("without its file: %v", err)
	}
	b.put(t, "lists", folder+"data/1.parquet", shard.Bytes(), nil)
	if _, err := fn.Invoke(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	s, _ := b.only(t)
	lines := b.lines(t, s)
	if len(lines) != 2 || lines[0].Key != "a+b é.jpg" || lines[1].Key != "c%2Bd" {
		t.Fatalf("%+v", s)
	}
	works(t, lines[0].URL, "one")
	works(t, lines[1].URL, "two")
}

// A late second delivery that finds the list gone leaves the result be; a failure of
// old gives way to a result.
func TestFailureKeepsResult(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 20*time.Second)
	event := string(s3Event("lists", "manifests/a.txt", "", "01"))
	deliver(t, fn, event)
	if s, _ := b.only(t); s.Error == nil {
		t.Fatal("a list that is not there has a result")
	}
	b.put(t, "lists", "manifests/a.txt", []byte("k\n"), nil)
	deliver(t, fn, event)
	if s, _ := b.only(t); s.Error != nil || s.Signed != 1 {
		t.Fatalf("%+v", s)
	}
	if _, err := b.s3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("lists"), Key: aws.String("manifests/a.txt")}); err != nil {
		t.Fatal(err)
	}
	deliver(t, fn, event)
	if s, _ := b.only(t); s.Error != nil || s.Signed != 1 {
		t.Errorf("the result gave way to %+v", s.Error)
	}
}

// What may pass is delivered again, alone, and leaves nothing half-made.
func TestMayPass(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	broken.Store(true)
	b := newBed(t, func(s3 http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if broken.Load() && r.URL.Query().Get("partNumber") == "2" {
				http.Error(w, "<Error><Code>InternalError</Code></Error>", 500)
				return
			}
			s3.ServeHTTP(w, r)
		})
	})
	fn := b.start(t, 60*time.Second, "AWS_MAX_ATTEMPTS=2")
	b.put(t, "lists", "manifests/long.txt", longList(), nil)
	event := sqsEvent(`{"keys":["a"]}`, `{"manifest":"s3://lists/manifests/long.txt"}`, `{"keys":["b"]}`)
	answer, err := fn.Invoke(t.Context(), event)
	if err != nil || string(answer) != `{"batchItemFailures":[{"itemIdentifier":"message-1"}]}` {
		t.Fatalf("%s, %v", answer, err)
	}
	if n := b.uploads(t); n != 0 {
		t.Errorf("%d uploads are left behind", n)
	}
	if n := len(b.keys(t, "results")); n != 4 {
		t.Errorf("there are %d objects, want two results with their summaries", n)
	}
	broken.Store(false)
	deliver(t, fn, `{"manifest":"s3://lists/manifests/long.txt"}`)
	if n := len(b.keys(t, "results")); n != 6 {
		t.Errorf("there are %d objects in the end, want 6", n)
	}
}

// A message that failed comes again when the function says, later each time, and not only
// when its visibility timeout ends, which is half a minute here.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	b := newBed(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "<Error><Code>SlowDown</Code></Error>", http.StatusServiceUnavailable)
		})
	})
	fn := b.start(t, 60*time.Second, "AWS_MAX_ATTEMPTS=1", "PRESIGN_RETRY_AFTER=1")
	if _, err := b.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &b.queueURL, MessageBody: aws.String(`{"keys":["a"]}`)}); err != nil {
		t.Fatal(err)
	}
	var before, after time.Time // of the delivery before this one
	for i, want := range []time.Duration{0, 1 * time.Second, 4 * time.Second} {
		out, err := b.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: &b.queueURL, WaitTimeSeconds: 10, MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{"ApproximateReceiveCount"},
		})
		if err != nil || len(out.Messages) != 1 {
			t.Fatalf("delivery %d: %d messages, %v", i+1, len(out.Messages), err)
		}
		if i > 0 && (time.Since(before) < want || time.Since(after) > want+5*time.Second) {
			t.Errorf("delivery %d came %v to %v after the failure, want %v", i+1, time.Since(after), time.Since(before), want)
		}
		m := out.Messages[0]
		before = time.Now()
		answer, err := fn.Invoke(t.Context(), mustJSON(map[string]any{"Records": []any{map[string]any{
			"messageId": m.MessageId, "receiptHandle": m.ReceiptHandle, "body": m.Body, "attributes": m.Attributes,
			"eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-west-1:000000000000:jobs", "awsRegion": region,
		}}}))
		if err != nil || !strings.Contains(string(answer), *m.MessageId) {
			t.Fatalf("delivery %d: %s, %v", i+1, answer, err)
		}
		after = time.Now()
	}
	// A handle that is no good is no reason to fail.
	if answer, err := fn.Invoke(t.Context(), sqsEvent(`{"keys":["a"]}`)); err != nil || string(answer) != `{"batchItemFailures":[{"itemIdentifier":"message-0"}]}` {
		t.Errorf("%s, %v", answer, err)
	}
	fn.Close() // so that all of its log has been read
	if b.log.Count("ReceiptHandleIsInvalid") == 0 {
		t.Error("the log does not say that the message could not be put off")
	}
}

// The last failure that the queue allows makes a dead letter at once: without being told so, the
// queue would look only when it would deliver the message again, which is ten minutes away here.
func TestDeadLetterAtTheLastFailure(t *testing.T) {
	t.Parallel()
	b := newBed(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "<Error><Code>SlowDown</Code></Error>", http.StatusServiceUnavailable)
		})
	})
	dead, err := b.sqs.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("dead")})
	if err != nil {
		t.Fatal(err)
	}
	about, err := b.sqs.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: dead.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{"QueueArn"},
	})
	if err != nil {
		t.Fatal(err)
	}
	limited, err := b.sqs.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("limited"), Attributes: map[string]string{
		"RedrivePolicy": string(mustJSON(map[string]any{"deadLetterTargetArn": about.Attributes["QueueArn"], "maxReceiveCount": 1})),
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		receives string
		letters  int
	}{{"2", 0}, {"1", 1}} { // it fails with one delivery to go, and for the last time
		fn := b.start(t, 60*time.Second, "AWS_MAX_ATTEMPTS=1", "PRESIGN_RETRY_AFTER=600", "PRESIGN_MAX_RECEIVES="+row.receives)
		if _, err := b.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: limited.QueueUrl, MessageBody: aws.String(`{"keys":["a"]}`)}); err != nil {
			t.Fatal(err)
		}
		receive := func(queue *string) []sqstypes.Message {
			out, err := b.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
				QueueUrl: queue, WaitTimeSeconds: 1, MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{"ApproximateReceiveCount"},
			})
			if err != nil {
				t.Fatal(err)
			}
			return out.Messages
		}
		messages := receive(limited.QueueUrl)
		if len(messages) != 1 {
			t.Fatalf("%d messages, want 1", len(messages))
		}
		m := messages[0]
		answer, err := fn.Invoke(t.Context(), mustJSON(map[string]any{"Records": []any{map[string]any{
			"messageId": m.MessageId, "receiptHandle": m.ReceiptHandle, "body": m.Body, "attributes": m.Attributes,
			"eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-west-1:000000000000:limited", "awsRegion": region,
		}}}))
		if err != nil || !strings.Contains(string(answer), *m.MessageId) {
			t.Fatalf("%s, %v", answer, err)
		}
		// A queue moves what was received too often when it would deliver it.
		if again := receive(limited.QueueUrl); len(again) != 0 {
			t.Errorf("PRESIGN_MAX_RECEIVES=%s: the message is delivered again", row.receives)
		}
		if letters := receive(dead.QueueUrl); len(letters) != row.letters {
			t.Errorf("PRESIGN_MAX_RECEIVES=%s: %d dead letters, want %d", row.receives, len(letters), row.letters)
		}
	}
}

// Whatever is written for callers names the account that must own the bucket, so that nothing goes
// to whoever took the name of a bucket that was given up.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
func TestResultsNameTheirOwner(t *testing.T) {
	t.Parallel()
	const owner = "123456789012"
	var written, unnamed atomic.Int64
	b := newBed(t, func(s3 http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/results/") && r.Method != "GET" && r.Method != "HEAD" {
				written.Add(1)
				if r.Header.Get("X-Amz-Expected-Bucket-Owner") != owner {
					unnamed.Add(1)
				}
			}
			s3.ServeHTTP(w, r)
		})
	})
	fn := b.start(t, 60*time.Second, "PRESIGN_RESULTS_OWNER="+owner)
	deliver(t, fn, `{"keys":["a"]}`)
	b.put(t, "lists", "manifests/long.txt", longList(), nil) // its result is written in parts
	deliver(t, fn, `{"manifest":"s3://lists/manifests/long.txt"}`)
	if written.Load() < 6 || unnamed.Load() != 0 {
		t.Errorf("%d of %d writes name no owner", unnamed.Load(), written.Load())
	}
}

// Who wants to know is told of each result, with a URL that leads to it.
func TestNotification(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 20*time.Second, "PRESIGN_NOTIFY_QUEUE_URL="+b.notes)
	b.put(t, "lists", "manifests/a.txt", []byte("k\n"), nil)
	deliver(t, fn, `{"keys":["a"]}`, `{"manifest":"s3://lists/manifests/a.txt"}`, `{"keys":[]}`)
	notes := b.receive(t, b.notes)
	if len(notes) != 3 {
		t.Fatalf("%d notes", len(notes))
	}
	urls := 0
	for _, note := range notes {
		var s summary
		if err := json.Unmarshal([]byte(note), &s); err != nil {
			t.Fatal(err)
		}
		if (s.URL == "") != (s.Error != nil) {
			t.Errorf("a note with the error %+v has a URL: %v", s.Error, s.URL != "")
		}
		if s.URL == "" {
			continue
		}
		urls++
		body, err := b.s3server.Get(s.Result.Bucket, s.Result.Key)
		if err != nil {
			t.Fatal(err)
		}
		works(t, s.URL, string(body))
	}
	if urls != 2 {
		t.Errorf("%d notes have URLs", urls)
	}
}

// A function without a place for results does not start.
func TestResultsBucketIsRequired(t *testing.T) {
	t.Parallel()
	_, err := runtimeapi.Start(t.Context(), runtimeapi.Config{
		Binary: binary, Log: &logs, Region: region, Env: []string{"PRESIGN_BUCKETS=photos"},
	})
	var failed *runtimeapi.InitError
	if !errors.As(err, &failed) || failed.ExitCode < 1 {
		t.Errorf("%v, want an exit code over 0", err)
	}
}

// A list's URLs stay the same for as long as its metadata says.
func TestReuseFor(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	fn := b.start(t, 10*time.Second)
	b.put(t, "photos", "a", []byte("one"), nil)
	etag := b.put(t, "lists", "manifests/a.txt", []byte("a\n"), map[string]string{"presign-expires-in": "77", "presign-reuse-for": "1800"})
	if _, err := fn.Invoke(t.Context(), s3Event("lists", "manifests/a.txt", etag, "0055AED6DCD90281E5")); err != nil {
		t.Fatal(err)
	}
	s, _ := b.only(t)
	if s.ExpiresIn != 1877 || s.SignedAt.Unix()%1800 != 0 || time.Until(s.ExpiresAt) < 70*time.Second {
		t.Errorf("signed at %s for %d", s.SignedAt, s.ExpiresIn)
	}
	works(t, b.lines(t, s)[0].URL, "one")
}

package bulk_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/answer"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/check/batches"
	"bulkpresign/internal/check/sigv4verify"
	"bulkpresign/internal/deflate"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3query"
)

// storage is S3 as far as uploads in parts go. It takes query-signed requests alone.
type storage struct {
	t testing.TB

	mu      sync.Mutex
	uploads map[string]map[int]int64 // id to number to size
	begun   []http.Header
	aborted int
	asked   int
	refuse  string // keys that begin so
}

func (s *storage) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if err := sigv4verify.Verify(sigv4verify.Request{Method: r.Method, URL: r.URL.String(), Header: r.Header}, "secret", "eu-west-1", "s3"); err != nil {
		s.t.Errorf("%s: %v", r.Method, err)
	}
	answer := func(status int, body string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
	q := r.URL.Query()
	id := q.Get("uploadId")
	switch {
	case s.refuse != "" && strings.HasPrefix(r.URL.Path, "/"+s.refuse):
		return answer(403, "<Error><Code>AccessDenied</Code><Message>secret text</Message></Error>")
	case r.Method == "POST" && q.Has("uploads"):
		s.begun = append(s.begun, r.Header.Clone())
		id := fmt.Sprintf("id+%d/%s", len(s.begun), strings.Repeat("x", 60))
		s.uploads[id] = map[int]int64{}
		return answer(200, "<InitiateMultipartUploadResult><Key>\x01</Key><UploadId>"+id+"</UploadId></InitiateMultipartUploadResult>")
	case s.uploads[id] == nil:
		return answer(404, "<Error><Code>NoSuchUpload</Code></Error>")
	case r.Method == "DELETE":
		s.aborted++
		delete(s.uploads, id)
		return answer(204, "")
	case r.Method == "GET":
		marker, _ := strconv.Atoi(q.Get("part-number-marker"))
		numbers := slices.Sorted(maps.Keys(s.uploads[id]))
		numbers = slices.DeleteFunc(numbers, func(n int) bool { return n <= marker })
		var b strings.Builder
		fmt.Fprintf(&b, "<ListPartsResult><IsTruncated>%v</IsTruncated>", len(numbers) > 2)
		for _, n := range numbers[:min(2, len(numbers))] {
			fmt.Fprintf(&b, `<Part><PartNumber>%d</PartNumber><ETag>&quot;e%d&quot;</ETag><Size>%d</Size></Part>`, n, n, s.uploads[id][n])
		}
		return answer(200, b.String()+"</ListPartsResult>")
	}
	return answer(501, "")
}

func withStorage(t testing.TB, s *bulk.Service) (*bulk.Service, *storage) {
	store := &storage{t: t, uploads: map[string]map[int]int64{}}
	s.S3 = &s3query.Client{Transport: store}
	return s, store
}

// uploadAnswer is what a caller reads of an upload.
type uploadAnswer struct {
	UploadID         string            `json:"upload_id"`
	PartSize         int64             `json:"part_size"`
	PartCount        int               `json:"part_count"`
	UploadedParts    map[string]string `json:"uploaded_parts"`
	PartURLs         map[string]string `json:"part_urls"`
	PartHeaders      map[string]string `json:"part_headers"`
	CompleteURL      string            `json:"complete_url"`
	CompleteHeaders  map[string]string `json:"complete_headers"`
	AbortURL         string            `json:"abort_url"`
	ListPartsURL     string            `json:"list_parts_url"`
	ListPartsHeaders map[string]string `json:"list_parts_headers"`
}

func uploadsOf(t testing.TB, p *bulk.Plan) (uploads map[string]uploadAnswer, errors map[string]bulk.Failure) {
	t.Helper()
	text := answer.Append(nil, p, bulk.JSON, answer.Bare)
	if size, fits := answer.Size(p, bulk.JSON, answer.Bare, len(text)); size != len(text) || fits != p.Keys() {
		t.Fatalf("Size says %d bytes and that %d fit; the answer has %d for %d", size, fits, len(text), p.Keys())
	}
	var a struct {
		URLs, Headers any
		Uploads       map[string]uploadAnswer
		Errors        map[string]bulk.Failure
	}
	if err := json.Unmarshal(text, &a); err != nil || a.URLs != nil || a.Headers != nil || a.Uploads == nil {
		t.Fatalf("the answer is not one of uploads (error %v)", err)
	}
	return a.Uploads, a.Errors
}

// verified checks that a URL is signed, with these headers, and gives its query.
func verified(t testing.TB, method, text string, headers map[string]string) url.Values {
	t.Helper()
	h := http.Header{}
	for name, value := range headers {
		h.Set(name, value)
	}
	if err := sigv4verify.Verify(sigv4verify.Request{Method: method, URL: text, Header: h}, "secret", "eu-west-1", "s3"); err != nil {
		t.Errorf("%s: %v", method, err)
	}
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal("a URL does not parse")
	}
	return u.Query()
}

// An upload is begun by a URL of the function's own with what the object is to have, and every
// URL of the answer is signed for it, the parts' for their own lengths.
func TestUpload(t *testing.T) {
	s, store := withStorage(t, batches.Standing())
	p, err := batches.Plan(s, []byte(`{"operation":"MultipartUpload","content_type":"image/png","checksum_algorithm":"SHA256","create_only":true,
		"sse_customer_algorithm":"AES256","sse_customer_key":"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=","keys":[{"key":"a b","size":12000000,"part_size":5242880}]}`))
	if err != nil {
		t.Fatal(err)
	}
	uploads, _ := uploadsOf(t, p)
	u := uploads["a b"]
	if len(store.begun) != 1 || store.begun[0].Get("Content-Type") != "image/png" || store.begun[0].Get("X-Amz-Checksum-Algorithm") != "SHA256" {
		t.Fatalf("begun with %v", store.begun)
	}
	if store.uploads[u.UploadID] == nil || u.PartSize != 5242880 || u.PartCount != 3 || len(u.PartURLs) != 3 || p.URLs() != 6 {
		t.Fatalf("%d parts of %d, %d URLs of %d", u.PartCount, u.PartSize, len(u.PartURLs), p.URLs())
	}
	customer := map[string]string{
		"x-amz-server-side-encryption-customer-algorithm": "AES256",
		"x-amz-server-side-encryption-customer-key":       "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
		"x-amz-server-side-encryption-customer-key-md5":   "KYvwGXoFFJ42a2u2GDWhwQ==",
	}
	if d := cmp.Diff(customer, u.PartHeaders); d != "" {
		t.Errorf("headers of a part (-want +got):\n%s", d)
	}
	for number, length := range map[string]string{"1": "5242880", "2": "5242880", "3": "1514240"} {
		headers := maps.Clone(u.PartHeaders)
		headers["content-length"] = length
		q := verified(t, "PUT", u.PartURLs[number], headers)
		if q.Get("uploadId") != u.UploadID || q.Get("partNumber") != number {
			t.Errorf("part %s is signed for part %s", number, q.Get("partNumber"))
		}
	}
	ending := maps.Clone(customer)
	ending["if-none-match"] = "*"
	if d := cmp.Diff(ending, u.CompleteHeaders); d != "" {
		t.Errorf("headers of the end (-want +got):\n%s", d)
	}
	for method, request := range map[string]struct {
		url     string
		headers map[string]string
	}{
		"POST": {u.CompleteURL, u.CompleteHeaders}, "DELETE": {u.AbortURL, nil}, "GET": {u.ListPartsURL, u.ListPartsHeaders},
	} {
		if q := verified(t, method, request.url, request.headers); q.Get("uploadId") != u.UploadID {
			t.Errorf("%s is for another upload", method)
		}
	}
}

// More parts, or the same again, are signed without asking anybody.
func TestMoreParts(t *testing.T) {
	s, store := withStorage(t, batches.Standing())
	p, err := batches.Plan(s, []byte(`{"operation":"MultipartUpload","upload_id":"u","part_numbers":[7,2],"keys":[{"key":"a","size":104857600}]}`))
	if err != nil {
		t.Fatal(err)
	}
	uploads, _ := uploadsOf(t, p)
	if got := slices.Sorted(maps.Keys(uploads["a"].PartURLs)); !slices.Equal(got, []string{"2", "7"}) || store.asked != 0 {
		t.Errorf("parts %v, and S3 was asked %d times", got, store.asked)
	}
	verified(t, "PUT", uploads["a"].PartURLs["7"], map[string]string{"content-length": strconv.Itoa(104857600 - 6*16<<20)})
}

// Who goes on gets what is there, and URLs of the rest; a part of the wrong length is not there.
func TestResume(t *testing.T) {
	s, store := withStorage(t, batches.Standing())
	const part = 16 << 20
	store.uploads["u"] = map[int]int64{1: part, 2: part - 1, 4: part, 5: part, 9: part}
	p, err := batches.Plan(s, []byte(`{"operation":"MultipartUpload","upload_id":"u","resume":true,"keys":[{"key":"a","size":`+strconv.Itoa(6*part-5)+`},{"key":"b","size":1,"upload_id":"gone"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	uploads, errors := uploadsOf(t, p)
	if d := cmp.Diff(map[string]string{"1": `"e1"`, "4": `"e4"`, "5": `"e5"`}, uploads["a"].UploadedParts); d != "" {
		t.Errorf("what is there (-want +got):\n%s", d)
	}
	if got := slices.Sorted(maps.Keys(uploads["a"].PartURLs)); !slices.Equal(got, []string{"2", "3", "6"}) {
		t.Errorf("signed are %v", got)
	}
	if f := errors["b"]; f.Code != bulk.UploadFailed || !strings.Contains(f.Message, "no such upload") {
		t.Errorf("an upload that is gone: %+v", f)
	}
	if len(store.begun) != 0 {
		t.Error("an upload was begun")
	}
}

// What S3 refuses fails its key alone, and nothing of what it said but its code is shown.
func TestUploadsFailByKey(t *testing.T) {
	s, store := withStorage(t, batches.Standing())
	store.refuse = "no/"
	p, err := batches.Plan(s, []byte(`{"operation":"MultipartUpload","size":5,"keys":["yes/a","no/a","../x",{"key":"yes/b","size":53687091200001},{"key":"yes/c","part_numbers":[2]},{"key":"yes/d","resume":true},{"key":"yes/e","part_size":0},"yes/a"]}`))
	if err != nil {
		t.Fatal(err)
	}
	uploads, errors := uploadsOf(t, p)
	if len(uploads) != 1 || len(store.begun) != 1 {
		t.Errorf("%d uploads, %d begun", len(uploads), len(store.begun))
	}
	for key, want := range map[string]struct {
		code  bulk.Code
		words string
	}{
		"no/a": {bulk.UploadFailed, "403 AccessDenied"}, "../x": {bulk.UnsafeKey, ""}, "yes/b": {bulk.InvalidOption, "48.8 TiB"},
		"yes/c": {bulk.InvalidOption, "are 1 parts"}, "yes/d": {bulk.InvalidOption, "upload_id"}, "yes/e": {bulk.InvalidOption, "part_size"},
	} {
		if f := errors[key]; f.Code != want.code || !strings.Contains(f.Message, want.words) || strings.Contains(f.Message, "secret") {
			t.Errorf("%s: %+v", key, f)
		}
	}
}

func TestUploadsRefused(t *testing.T) {
	s, store := withStorage(t, batches.Standing())
	many := strings.Repeat(`"a",`, 0)
	for i := range 1001 {
		many += fmt.Sprintf(`"k%d",`, i)
	}
	for request, want := range map[string]string{
		`{"operation":"MultipartUpload","size":1,"format":"curl","keys":["a"]}`: `take "json" or "ndjson"`,
		`{"operation":"MultipartUpload","size":-1,"keys":["a"]}`:                `"size"`,
		`{"operation":"MultipartUpload","size":1.5,"keys":["a"]}`:               `"size"`,
		`{"operation":"MultipartUpload","size":1,"keys":[` + many + `"a"]}`:     "the most in one request is 1000",
	} {
		if _, err := batches.Plan(s, []byte(request)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v, want %s", request, err, want)
		}
	}
	p, err := batches.Plan(s, []byte(`{"operation":"MultipartUpload","keys":["a"]}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, errors := uploadsOf(t, p); errors["a"].Code != bulk.InvalidOption || !strings.Contains(errors["a"].Message, `"size" is missing`) {
		t.Errorf("without a size: %+v", errors["a"])
	}
	if store.asked != 0 {
		t.Errorf("S3 was asked %d times for what was refused", store.asked)
	}
}

// What was begun for an answer that is not given is aborted.
func TestGiveUp(t *testing.T) {
	s, store := withStorage(t, batches.Standing())
	store.uploads["u"] = map[int]int64{}
	p, err := batches.Plan(s, []byte(`{"operation":"MultipartUpload","size":5,"keys":["a","b",{"key":"c","upload_id":"u"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	s.GiveUp(context.Background(), p)
	if store.aborted != 2 || store.uploads["u"] == nil {
		t.Errorf("%d aborted", store.aborted)
	}
}

// The answer is the same however it is written, and in a stream.
func TestUploadsAreWritten(t *testing.T) {
	s, store := withStorage(t, batches.Standing())
	request := []byte(`{"operation":"MultipartUpload","size":200000000,"keys":["a","b \"ü\"",{"key":"c","size":0},"../x"]}`)
	p, err := batches.Plan(s, bytes.Clone(request))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []bulk.Format{bulk.JSON, bulk.NDJSON} {
		want := answer.Append(nil, p, f, answer.Bare)
		var streamed bytes.Buffer
		if err := answer.Write(&streamed, p, f); err != nil || !bytes.Equal(streamed.Bytes(), want) {
			t.Errorf("%s: what is streamed differs (error %v)", f, err)
		}
		r, err := gzip.NewReader(bytes.NewReader(answer.AppendGzip(nil, p, f, deflate.Tight)))
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(r); err != nil || !bytes.Equal(text, want) {
			t.Errorf("%s: what is inflated differs (error %v)", f, err)
		}
		for _, q := range []answer.Quoting{answer.Bare, answer.Quoted} {
			text := answer.Append(nil, p, f, q)
			if size, fits := answer.Size(p, f, q, len(text)); size != len(text) || fits != 4 {
				t.Errorf("%s: Size says %d, %d fit; it has %d", f, size, fits, len(text))
			}
			if _, fits := answer.Size(p, f, q, len(text)*2/3); fits != 1 {
				t.Errorf("%s: in two thirds of the room fit %d", f, fits)
			}
		}
	}

	decoded, err := bulk.Decode(request, 10)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := answer.NewStream(t.Context(), s, policy.Caller{}, decoded)
	if err != nil {
		t.Fatal(err)
	}
	before := len(store.begun)
	taken, err := stream.Append(t.Context(), []bulk.Entry{{Key: "a"}, {Key: "b"}, {Key: ""}}, 1) // room for nothing
	if err != nil || taken != 3 || len(store.begun) != before+2 {
		t.Errorf("%d taken, %d begun, error %v", taken, len(store.begun)-before, err)
	}
	r, err := gzip.NewReader(bytes.NewReader(stream.Close()))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var line struct {
		Key string
		uploadAnswer
	}
	first, _, _ := bytes.Cut(text, []byte("\n"))
	if err := json.Unmarshal(first, &line); err != nil || line.Key != "a" || line.PartCount != 12 || bytes.Count(text, []byte("\n")) != 3 {
		t.Errorf("the stream's first line is not an upload (error %v)", err)
	}
}

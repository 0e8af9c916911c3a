package answer_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"bulkpresign/internal/answer"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/check/batches"
	"bulkpresign/internal/check/sdkoracle"
	"bulkpresign/internal/deflate"
)

// What is compressed is the answer: every format, for generated batches of every
// operation, and with items that have options of their own or fail.
func TestGzipIsTheAnswer(t *testing.T) {
	mixed := func() *bulk.Plan {
		in := batches.LambdaInput()
		p, err := batches.Plan(batches.Service(in), []byte(`{"operation":"PutObject","content_type":"text/plain","keys":[
			"a","a/b \"c\"\n","../x","",{"key":"d","metadata":{"who":"me"}},{"key":"e","content_type":"x"},{"key":"f","content_length":0},"a","g"]}`))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	plans := []*bulk.Plan{mixed()}
	for _, operation := range []string{"HeadBucket", "ListObjectsV2", "CopyObject"} { // at paths with and without a bucket
		for i := range uint64(5) {
			r := rand.New(rand.NewPCG(4, i))
			in := sdkoracle.GenerateOther(r, operation)
			in.EndpointURL, in.Bucket = "http://127.0.0.1:9000", "source"
			if p, err := batches.Plan(batches.Service(in), batches.RequestFor(in, r)); err == nil {
				plans = append(plans, p)
			}
		}
	}
	for i := range uint64(40) {
		plans = append(plans, batches.Generated(rand.New(rand.NewPCG(3, i)), 1+int(i*i)))
	}
	for i, p := range plans {
		p.Sign()
		for _, name := range []string{"json", "compact", "ndjson", "csv", "uri-list", "aria2", "curl"} {
			f := formatNamed(t, name)
			want := answer.Append(nil, p, f, answer.Bare)
			r, err := gzip.NewReader(bytes.NewReader(answer.AppendGzip(nil, p, f, deflate.Effort(i%2))))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if err != nil {
				t.Fatalf("plan %d, %s: %v", i, name, err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("plan %d, %s: the inflated answer is not the plain one", i, name)
			}
			for q, text := range map[answer.Quoting][]byte{answer.Bare: want, answer.Quoted: answer.Append(nil, p, f, answer.Quoted)} {
				if size, fits := answer.Size(p, f, q, len(text)); size != len(text) || fits != p.Keys() {
					t.Errorf("plan %d, %s: Size says %d bytes, %d keys fit; it has %d with all %d", i, name, size, fits, len(text), p.Keys())
				}
				if _, fits := answer.Size(p, f, q, len(text)-1); fits >= p.Keys() {
					t.Errorf("plan %d, %s: one byte less and still all keys fit", i, name)
				}
			}
		}
	}
}

func formatNamed(t *testing.T, name string) bulk.Format {
	t.Helper()
	r, err := bulk.Decode([]byte(`{"keys":["a"],"format":"`+name+`"}`), 1)
	if err != nil {
		t.Fatal(err)
	}
	return *r.Format
}

// How many URLs one answer of 6,291,556 bytes holds, with keys of 60 bytes and a token
// of 1,000 characters: the figures that the README gives.
func TestCapacity(t *testing.T) {
	const limit = 6_291_556
	envelope := len(`{"encoding":"gzip","body":""}`)
	r := rand.New(rand.NewPCG(4, 4))
	var keys []string
	for i := range 62_000 {
		b := []byte(fmt.Sprintf("photos/2026/11/23/%05d-", i))
		for len(b) < 56 {
			b = append(b, "0123456789abcdefghijklmnopqrstuvwxyz"[r.IntN(36)])
		}
		keys = append(keys, string(b)+".jpg")
	}
	in := batches.LambdaInput()
	in.SessionToken = ""
	for len(in.SessionToken) < 1000 { // a token does not compress
		in.SessionToken += string(rune('A' + r.IntN(26)))
	}
	for _, test := range []struct {
		format string
		zipped bool
		urls   int
	}{
		{"json", true, 47_000}, {"compact", true, 62_000}, {"compact", false, 45_000}, {"json", false, 3_900},
	} {
		request, err := json.Marshal(map[string]any{"keys": keys[:test.urls]})
		if err != nil {
			t.Fatal(err)
		}
		p, err := batches.Plan(batches.Service(in), request)
		if err != nil {
			t.Fatal(err)
		}
		f := formatNamed(t, test.format)
		size, _ := answer.Size(p, f, answer.Bare, 0)
		if test.zipped {
			p.Sign()
			size = envelope + base64.StdEncoding.EncodedLen(len(answer.AppendGzip(nil, p, f, deflate.Tight)))
		}
		t.Logf("%d URLs as %s, gzip %v: %d bytes, room for about %d", test.urls, test.format, test.zipped, size, test.urls*limit/size)
		if size > limit {
			t.Errorf("%d URLs as %s, gzip %v, do not fit: %d bytes", test.urls, test.format, test.zipped, size)
		}
	}
}

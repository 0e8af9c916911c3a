package answer_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"bulkpresign/internal/answer"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/check/batches"
)

// mixed has a member in every section of the answer, and what JSON must escape.
const mixed = `{"operation":"UploadPart","upload_id":"u","content_length":9,"keys":["x",
	{"key":"a\"\\\n\u0001é😀","part_number":1},{"key":"b","part_numbers":[1,10,100]},{"key":"b","part_numbers":[1,10,100]},
	{"key":"c","part_number":2,"content_length":10},"../y",{"key":"d","part_number":0},{"key":"a\"\\\n\u0001é😀","part_number":1}]}`

// formats are all values of the field "format".
var formats = []bulk.Format{bulk.JSON, bulk.Compact, bulk.NDJSON, bulk.CSV, bulk.URIList, bulk.Curl}

// Whatever the format and the quoting, the size is known before anything is signed.
func TestSizeIsExact(t *testing.T) {
	for _, request := range []string{
		mixed, `{"keys":["a"]}`, `{"keys":[""]}`, `{"keys":["a","b","a",{"key":"b","version_id":"1"}],"filename":"é"}`,
		`{"operation":"PUT","metadata":{"a":"\"quoted\\\""},"keys":["a,\"b\"",{"key":"c\td","content_type":"a/b"}," "]}`,
	} {
		for _, f := range formats {
			for _, q := range []answer.Quoting{answer.Bare, answer.Quoted} {
				p, err := batches.Plan(batches.Standing(), []byte(request))
				if err != nil {
					t.Fatal(err)
				}
				size, fits := answer.Size(p, f, q, 1<<30)
				got := answer.Append([]byte("before"), p, f, q)
				p.Sign()
				if !bytes.Equal(answer.Append([]byte("before"), p, f, q), got) {
					t.Errorf("%s, %d: the answer of a signed batch is another one", f, q)
				}
				if len(got)-len("before") != size || !bytes.HasPrefix(got, []byte("before")) {
					t.Errorf("%s, %d: the size is %d and the answer has %d bytes", f, q, size, len(got)-len("before"))
				}
				if fits != p.Keys() {
					t.Errorf("%s: %d of %d keys fit into a gigabyte", f, fits, p.Keys())
				}
				if q == answer.Quoted && !json.Valid([]byte(`"`+string(got)+`"`)) {
					t.Errorf("%s: the quoted answer is not the inside of a JSON string", f)
				}
			}
		}
	}
}

// fits is exact at every limit: the answer to the first fits keys is within it, the
// answer to one more is not.
func TestFitsIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var items []string
	for i := range 40 {
		item := map[string]any{"key": fmt.Sprintf("%d%s", i, strings.Repeat("\"é", r.IntN(20)))}
		switch r.IntN(5) {
		case 0:
			item["content_type"] = "image/png"
		case 1:
			item["version_id"] = "not of a PUT"
		case 2:
			item["key"] = "../" + item["key"].(string)
		}
		text, err := json.Marshal(item)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, string(text))
	}
	first := func(n int) *bulk.Plan {
		p, err := batches.Plan(batches.Standing(), []byte(`{"operation":"PUT","acl":"private","keys":[`+strings.Join(items[:n], ",")+`]}`))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	whole := first(len(items))
	for _, f := range formats {
		for _, q := range []answer.Quoting{answer.Bare, answer.Quoted} {
			all, _ := answer.Size(whole, f, q, 0)
			sizes := make([]int, len(items)+1)
			for n := 1; n <= len(items); n++ {
				sizes[n], _ = answer.Size(first(n), f, q, 0)
			}
			for limit := 0; limit <= all+1; limit += 1 + r.IntN(50) {
				_, fits := answer.Size(whole, f, q, limit)
				if fits > 0 && sizes[fits] > limit || fits < len(items) && sizes[fits+1] <= limit {
					t.Errorf("%s: into %d bytes fit %d keys, it says; they take %d, one more %d",
						f, limit, fits, sizes[fits], sizes[min(fits+1, len(items))])
				}
			}
			for _, limit := range []int{all - 1, all, all + 1} {
				if _, fits := answer.Size(whole, f, q, limit); (fits == len(items)) != (limit >= all) {
					t.Errorf("%s: at %d of %d bytes %d of %d keys fit", f, limit, all, fits, len(items))
				}
			}
		}
	}
}

// The sections of an answer: each distinct key is in one, and empty ones are left out.
func TestSections(t *testing.T) {
	p, err := batches.Plan(batches.Standing(), []byte(mixed))
	if err != nil {
		t.Fatal(err)
	}
	a := batches.Finish(t, p)
	if len(a.URLs) != 2 || len(a.PartURLs) != 1 || len(a.PartURLs["b"]) != 3 || len(a.Errors) != 3 || len(a.ItemHeaders) != 1 {
		t.Errorf("%d urls, %d part_urls, %d errors, %d item_headers", len(a.URLs), len(a.PartURLs), len(a.Errors), len(a.ItemHeaders))
	}
	if a.ItemHeaders["c"]["content-length"] != "10" || a.Headers["content-length"] != "9" {
		t.Errorf("headers %v, item_headers %v", a.Headers, a.ItemHeaders)
	}
	for request, absent := range map[string][]string{
		`{"keys":["a"]}`: {"errors", "headers", "item_headers", "part_urls"},
		`{"keys":[""]}`:  {"headers", "item_headers", "part_urls"},
		`{"operation":"PUT","content_type":"a/b","keys":["a"]}`:         {"errors", "item_headers", "part_urls"},
		`{"operation":"PUT","keys":[{"key":"a","content_type":"a/b"}]}`: {"errors", "headers", "part_urls"},
	} {
		p, err := batches.Plan(batches.Standing(), []byte(request))
		if err != nil {
			t.Fatal(err)
		}
		p.Sign()
		var members map[string]json.RawMessage
		if err := json.Unmarshal(answer.Append(nil, p, bulk.JSON, answer.Bare), &members); err != nil {
			t.Fatal(err)
		}
		for _, name := range absent {
			if members[name] != nil {
				t.Errorf("%s: the answer has %q", request, name)
			}
		}
		if members["urls"] == nil {
			t.Errorf("%s: the answer lacks urls", request)
		}
	}
}

// Keys that are signed and look like a slip are in a section of their own, in the objects alone, and their size is
// foretold.
func TestWarnings(t *testing.T) {
	p, err := batches.Plan(batches.Standing(), []byte(`{"keys":["/a","b","a%20b","../x",{"key":"c ","version_id":"1"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	p.Sign()
	for f, has := range map[bulk.Format]bool{bulk.JSON: true, bulk.Compact: true, bulk.NDJSON: false, bulk.CSV: false, bulk.URIList: false, bulk.Curl: false} {
		text := answer.Append(nil, p, f, answer.Bare)
		if size, _ := answer.Size(p, f, answer.Bare, 1<<30); size != len(text) {
			t.Errorf("%s: %d bytes were foretold, and %d came", f, size, len(text))
		}
		if bytes.Contains(text, []byte("warnings")) != has {
			t.Errorf("%s speaks of warnings: %v", f, !has)
		}
		if !f.IsObject() {
			continue
		}
		var a struct{ Warnings map[string]string }
		if err := json.Unmarshal(text, &a); err != nil {
			t.Fatal(err)
		}
		if len(a.Warnings) != 3 || a.Warnings["/a"] == "" || a.Warnings["a%20b"] == "" || a.Warnings["c "] == "" {
			t.Errorf("%s: %v", f, a.Warnings)
		}
	}
}

// compact says the same as json, in fewer bytes.
func TestCompactMeansTheSame(t *testing.T) {
	p, err := batches.Plan(batches.Standing(), []byte(`{"keys":["a b","é/+\"","../x",{"key":"v","version_id":"1"},"~",{"key":"f","filename":"f"}],"expires_in":60}`))
	if err != nil {
		t.Fatal(err)
	}
	want := batches.Finish(t, p)
	var got struct {
		Base, Query string
		Signatures  map[string]string
		URLs        map[string]string
	}
	if err := json.Unmarshal(answer.Append(nil, p, bulk.Compact, answer.Bare), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Signatures) != 3 || len(got.URLs) != 2 {
		t.Errorf("%d signatures and %d urls", len(got.Signatures), len(got.URLs))
	}
	urls := got.URLs
	for key, signature := range got.Signatures {
		urls[key] = got.Base + escapeKey(key) + "?" + got.Query + "&X-Amz-Signature=" + signature
	}
	for key, url := range want.URLs {
		if urls[key] != url {
			t.Errorf("the URL of %q is another", key)
		}
	}
	if len(urls) != len(want.URLs) {
		t.Errorf("%d URLs, want %d", len(urls), len(want.URLs))
	}
}

// escapeKey is the contract's rule, written as a client would.
func escapeKey(key string) string {
	var b strings.Builder
	for _, c := range []byte(key) {
		if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// The error of an answer that is too large says how much would fit, twice.
func TestTooLarge(t *testing.T) {
	err := bulk.TooLarge(7, "wait")
	var failed *bulk.Error
	if !errors.As(err, &failed) || failed.Fits != 7 || failed.Code != bulk.ResponseTooLarge || !strings.Contains(failed.Detail, "7") || !strings.Contains(failed.Detail, "wait") {
		t.Errorf("%+v", err)
	}
}

// However an answer is written, it is the same, and a long one comes in small pieces.
func TestWrite(t *testing.T) {
	many := strings.Builder{}
	many.WriteString(`{"keys":["..",""`)
	for i := range 10_000 {
		fmt.Fprintf(&many, `,"%d/%s"`, i, strings.Repeat("x", i%50))
		if i%1000 == 0 {
			fmt.Fprintf(&many, `,{"key":"own %d","version_id":"v"},"%d/../"`, i, i)
		}
	}
	many.WriteString(`]}`)
	parts := `{"operation":"UploadPart","upload_id":"u","part_numbers":[1`
	for i := 2; i <= 3000; i++ {
		parts += fmt.Sprintf(",%d", i)
	}
	parts += `],"keys":["a","b"]}`
	for name, request := range map[string]string{"mixed": mixed, "many": many.String(), "parts": parts} {
		for _, f := range formats {
			p, err := batches.Plan(batches.Standing(), []byte(request))
			if err != nil {
				t.Fatal(err)
			}
			var got chunks
			if err := answer.Write(&got, p, f); err != nil {
				t.Fatal(err)
			}
			again := bytes.Buffer{} // with the signatures of the last part still there
			if err := answer.Write(&again, p, f); err != nil {
				t.Fatal(err)
			}
			whole, err := batches.Plan(batches.Standing(), []byte(request))
			if err != nil {
				t.Fatal(err)
			}
			whole.Sign()
			want := answer.Append(nil, whole, f, answer.Bare)
			if !bytes.Equal(got.text, want) || !bytes.Equal(again.Bytes(), want) {
				t.Errorf("%s, %s: the written answer is not the appended one", name, f)
			}
			if got.longest > 70<<10 {
				t.Errorf("%s, %s: a piece of %d bytes", name, f, got.longest)
			}
		}
	}
}

type chunks struct {
	text    []byte
	longest int
}

func (p *chunks) Write(b []byte) (int, error) {
	p.text = append(p.text, b...)
	p.longest = max(p.longest, len(b))
	return len(b), nil
}

// Who cannot be written to any more is left alone.
func TestWriteFails(t *testing.T) {
	gone := errors.New("gone")
	w := failing{err: gone}
	var many strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&many, `,"%d"`, i)
	}
	p, err := batches.Plan(batches.Standing(), []byte(`{"keys":["a"`+many.String()+`]}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Write(&w, p, bulk.NDJSON); !errors.Is(err, gone) || w.writes != 1 {
		t.Errorf("%d writes, %v", w.writes, err)
	}
}

type failing struct {
	err    error
	writes int
}

func (f *failing) Write([]byte) (int, error) {
	f.writes++
	return 0, f.err
}

// A quoted answer means the bare one, whatever the keys hold.
func TestQuoted(t *testing.T) {
	var keys []string
	for c := range 0x80 {
		keys = append(keys, string(rune(c)))
	}
	request, err := json.Marshal(map[string]any{"keys": append(keys, strings.Join(keys, ""))})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range formats {
		p, err := batches.Plan(batches.Standing(), bytes.Clone(request))
		if err != nil {
			t.Fatal(err)
		}
		p.Sign()
		var got string
		if err := json.Unmarshal([]byte(`"`+string(answer.Append(nil, p, f, answer.Quoted))+`"`), &got); err != nil {
			t.Fatal(err)
		}
		if want := string(answer.Append(nil, p, f, answer.Bare)); got != want {
			t.Errorf("%s: the quoted answer is not the bare one", f)
		}
		if f == bulk.JSON {
			var object struct{ URLs map[string]string }
			if err := json.Unmarshal([]byte(got), &object); err != nil || len(object.URLs) != len(keys) { // "." is refused, their sum is not
				t.Errorf("%d keys came through, want %d; %v", len(object.URLs), len(keys), err)
			}
		}
	}
}

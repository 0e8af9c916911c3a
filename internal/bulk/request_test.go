package bulk_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/bulk"
)

// decodeError decodes a request that must be refused for its form.
func decodeError(t testing.TB, request string) string {
	t.Helper()
	_, err := bulk.Decode([]byte(request), 1000)
	var failed *bulk.Error
	if !errors.As(err, &failed) {
		t.Fatalf("%.100s: %v, want a *bulk.Error", request, err)
	}
	if failed.Code != bulk.InvalidRequest {
		t.Fatalf("%.100s: code %s (%s)", request, failed.Code, failed.Detail)
	}
	return failed.Detail
}

// The detail says which field, and which of many.
func TestDecodeNamesTheField(t *testing.T) {
	for request, parts := range map[string][]string{
		`{"keys":["a"],"bucket":{}}`:                                         {"bucket", "a string", "an object"},
		`{"keys":["a"],"bucket":{"a":tru}}`:                                  {"bucket", "byte"},
		`{"keys":["a"],"operation":["GET"]}`:                                 {"operation", "a string", "an array"},
		`{"keys":["a"],"operation":"Fetch"}`:                                 {"operation", "GetObject", "PutObject"},
		`{"keys":["a"],"format":"yaml"}`:                                     {"format", "json"},
		`{"keys":["a"],"encoding":"deflate"}`:                                {"encoding", "identity", "gzip"},
		`{"keys":["a"],"expires_in":"900"}`:                                  {"expires_in", "a whole number", "a string"},
		`{"keys":["a"],"expires_in":9.5}`:                                    {"expires_in", "whole"},
		`{"keys":["a"],"expires_in":0}`:                                      {"expires_in", "1"},
		`{"keys":"a"}`:                                                       {"keys", "array"},
		`{"keys":["a","b",true]}`:                                            {"keys[2]", "boolean"},
		`{"keys":["a","b",{"key":"c","part_number":"1"}]}`:                   {"keys[2].part_number", "whole number"},
		`{"keys":[{"key":"c","metadata":{"x":["y"]}}]}`:                      {"keys[0].metadata.x", "an array"},
		`{"keys":[{"key":"c","part_numbers":[1,"2"]}]}`:                      {"keys[0].part_numbers[1]", "whole number"},
		`{"keys":["a"],"part_numbers":[1,2,1.5]}`:                            {"part_numbers[2]", "whole"},
		`{"keys":["a"],"part_numbers":[1,null]}`:                             {"part_numbers[1]", "null"},
		`{"keys":["a"],"part_numbers":1}`:                                    {"part_numbers", "array"},
		`{"keys":["a"],"metadata":[]}`:                                       {"metadata", "object"},
		`{"keys":["a",{"key":"b","nope":1}]}`:                                {"keys[1]", "nope"},
		`{"keys":["a",{"version_id":"1"}]}`:                                  {"keys[1]", `"key"`},
		`{"keys":["a"],"nope":1}`:                                            {"nope"},
		`{"keys":["a"],"Records":[]}`:                                        {"Records"},
		`{"keys":["a"],"keys":["b"]}`:                                        {"keys", "twice"},
		`{"keys":["a",{"key":"b","filename":"x","filename":"y"}]}`:           {"keys[1]", "filename", "twice"},
		`{"keys":["a"],"metadata":{"x":"1","x":"2"}}`:                        {"metadata", `"x"`, "twice"},
		`{"keys":["a","\ud800"]}`:                                            {"keys[1]", "surrogate"},
		`{"keys":["a",{"key":"\udc00"}]}`:                                    {"keys[1].key", "surrogate"},
		"{\"keys\":[\"a\",\"b\xff\"]}":                                       {"keys[1]", "UTF-8"},
		"{\"keys\":[\"a\"],\"filename\":\"\xc3\"}":                           {"filename", "UTF-8"},
		"{\"keys\":[\"a\",\"b\n\"]}":                                         {"keys[1]", "control"},
		`{"keys":["a"],"prefix":"b"}`:                                        {"prefix"},
		`{"prefix":"a","manifest":"s3://b/k"}`:                               {"keys", "prefix", "manifest"},
		`{"manifest":"b/k"}`:                                                 {"manifest", "s3://bucket/key"},
		`{"manifest":"s3://b/"}`:                                             {"manifest", "s3://bucket/key"},
		`{"manifest":"s3:///k"}`:                                             {"manifest", "s3://bucket/key"},
		`{"manifest":{"s3":"b"}}`:                                            {"manifest", "a string", "an object"},
		`{"prefix":["a"]}`:                                                   {"prefix", "a string", "an array"},
		`{"prefix":"a","continuation_token":""}`:                             {"continuation_token", "empty"},
		`{"manifest":"s3://b/k","continuation_token":"x"}`:                   {"continuation_token", "prefix", "manifest"},
		`{"bucket":"photos"}`:                                                {"keys", "prefix", "manifest"},
		`{"keys":[]}`:                                                        {"keys", "empty"},
		`{"keys":["a"`:                                                       {"keys", "early"},
		`{"keys":["a"]} {}`:                                                  {"byte 15"},
		`{"keys":["a"],"strict_expiry":"true"}`:                              {"strict_expiry", "true or false"},
		`{"keys":["a"],"verify":true}`:                                       {"verify"},
		`{"keys":["a"],"continuation_token":"x"}`:                            {"continuation_token"},
		`{"keys":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`: {"keys[0]"},
	} {
		detail := decodeError(t, request)
		for _, part := range parts {
			if !strings.Contains(detail, part) {
				t.Errorf("%.80s: the detail lacks %s: %s", request, part, detail)
			}
		}
		if len(detail) > 400 { // the names of all operations take 360
			t.Errorf("%.80s: the detail has %d bytes", request, len(detail))
		}
	}
}

// However long what a caller wrote is, the answer to it is short.
func TestDetailsStayShort(t *testing.T) {
	long := strings.Repeat("é", 100_000)
	for _, request := range []string{
		`{"keys":["a"],"` + long + `":1}`,
		`{"keys":[{"key":"a","` + long + `":1}]}`,
		`{"keys":["a"],"metadata":{"` + long + `":1}}`,
		`{"keys":["a"],"metadata":{"` + long + `":"1","` + long + `":"2"}}`,
		`{"keys":["a"],"operation":"` + long + `"}`,
	} {
		if detail := decodeError(t, request); len(detail) > 400 {
			t.Errorf("the detail has %d bytes", len(detail))
		}
	}
}

// Items beyond the limit are judged and counted, but they take no room.
func TestDecodeLimit(t *testing.T) {
	r, err := bulk.Decode([]byte(`{"keys":["a",{"key":"b","version_id":"1"},"c",{"key":"d","version_id":"2"},"e"]}`), 2)
	if err != nil {
		t.Fatal(err)
	}
	if r.Count != 5 || len(r.Items) != 3 {
		t.Errorf("%d items are counted and %d kept, want 5 and 3", r.Count, len(r.Items))
	}
	if _, err := bulk.Decode([]byte(`{"keys":["a","b","c","d",1]}`), 2); err == nil {
		t.Error("a mistake beyond the limit is not seen")
	}
}

// Keys are what they are, whatever the text does to write them.
func TestDecodeKeys(t *testing.T) {
	r, err := bulk.Decode([]byte(`{"keys" : [ "a" ,"\u0061","\"\\\/\b\f\n\r\t","\ud83d\ude00","é","e\u0301",""," ","\u0000","%2F","\\u0041",{"key":"\u00e9"}]}`), 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, item := range r.Items {
		got = append(got, item.Key)
	}
	want := []string{"a", "a", "\"\\/\b\f\n\r\t", "😀", "é", "e\u0301", "", " ", "\x00", "%2F", `\u0041`, "é"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// A request may have its keys elsewhere.
func TestDecodeSources(t *testing.T) {
	for text, want := range map[string]bulk.Request{
		`{"keys":["a"]}`:                              {Source: bulk.Keys},
		`{"prefix":"a/"}`:                             {Source: bulk.Prefix, Prefix: "a/"},
		`{"prefix":""}`:                               {Source: bulk.Prefix},
		`{"prefix":"a","keys":null}`:                  {Source: bulk.Prefix, Prefix: "a"},
		`{"prefix":"a","continuation_token":"t"}`:     {Source: bulk.Prefix, Prefix: "a", Continuation: "t"},
		`{"manifest":"s3://lists/a/b%20c+d.csv?v#x"}`: {Source: bulk.Manifest, Manifest: bulk.Object{Bucket: "lists", Key: "a/b%20c+d.csv?v#x"}},
		`{"manifest":"s3://lists//x","verify":null}`:  {Source: bulk.Manifest, Manifest: bulk.Object{Bucket: "lists", Key: "/x"}},
	} {
		got, err := bulk.Decode([]byte(text), 10)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got.Source != want.Source || got.Prefix != want.Prefix || got.Manifest != want.Manifest || got.Continuation != want.Continuation {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

// DecodeItem reads alone what Decode reads among "keys".
func TestDecodeItem(t *testing.T) {
	for _, item := range []string{
		`"a"`, ` "\u00e9\ud83d\ude00" `, `{"key":"a"}`, `{"version_id":"1","key":"a","metadata":{"y":"1","x":"2"},"part_number":3}`,
		`""`, `{"key":"","filename":null}`,
	} {
		request, err := bulk.Decode([]byte(`{"keys":[`+item+`]}`), 1)
		if err != nil {
			t.Fatalf("%s: %v", item, err)
		}
		key, options, err := bulk.DecodeItem([]byte(item), nil)
		if err != nil {
			t.Errorf("%s: %v", item, err)
			continue
		}
		if want := request.Items[0]; key != want.Key || !slices.Equal(options, request.OwnOptions(want)) {
			t.Errorf("%s: %q %v, want %q %v", item, key, options, want.Key, request.OwnOptions(want))
		}
	}
	for item, part := range map[string]string{
		`"a" "b"`:                       "more text",
		`"a`:                            "early",
		`"\ud800"`:                      "surrogate",
		`["a"]`:                         `the item must be a key or an object with a "key", not an array`,
		`{"key":"a"}}`:                  "more text",
		`{"key":"a","nope":1}`:          `unknown field "nope"`,
		`{"key":"a","part_number":"1"}`: `field "part_number" must be a whole number`,
		`{"version_id":"1"}`:            `the item must have a member "key"`,
		`{"key":"a","key":"b"}`:         `"key" is given twice`,
		``:                              "the item",
	} {
		_, _, err := bulk.DecodeItem([]byte(item), nil)
		var failed *bulk.Error
		if !errors.As(err, &failed) || failed.Code != bulk.InvalidRequest || !strings.Contains(failed.Detail, part) {
			t.Errorf("%s: %v, want %s", item, err, part)
		}
	}
	line := []byte(`"photos/2026/11/a-picture-0001.jpg"`)
	if n := testing.AllocsPerRun(100, func() { _, _, _ = bulk.DecodeItem(line, nil) }); n != 0 {
		t.Errorf("a string takes %g allocations", n)
	}
}

// null is as good as absent, also within a map.
func TestDecodeNull(t *testing.T) {
	r, err := bulk.Decode([]byte(`{"keys":[{"key":"a","version_id":null,"metadata":{"x":null,"y":"1"}}],"metadata":null,"expires_in":null}`), 10)
	if err != nil {
		t.Fatal(err)
	}
	own := r.OwnOptions(r.Items[0])
	if len(own) != 1 || own[0].Name != "y" || len(r.Options) != 0 || r.ExpiresIn != 0 {
		t.Errorf("own options %v, the batch's %v, expires_in %d", own, r.Options, r.ExpiresIn)
	}
	// A map of nothing but null is an empty map, which cannot be signed.
	if r, err = bulk.Decode([]byte(`{"keys":["a"],"metadata":{"x":null}}`), 10); err != nil || len(r.Options) != 1 || r.Options[0].Name != "" {
		t.Errorf("options %v, error %v", r.Options, err)
	}
}

// Any bytes as a request: no panic, and what is refused is refused in the contract's
// words.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"keys":["a"]}`, `{"keys":[{"key":"a","metadata":{"b":"c"}}],"expires_in":1}`, `{"keys":["\ud800"]}`, `[`, `{"keys":[`,
		`{"part_numbers":[1,2],"keys":[{"key":"a","part_numbers":[]}]}`, `{"keys":["a"],"format":"csv","encoding":"gzip"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		shown := fmt.Sprintf("%q", text) // Decode takes the text over
		r, err := bulk.Decode(text, 3)
		var failed *bulk.Error
		switch {
		case err == nil && (r.Count < 1 || len(r.Items) != min(r.Count, 4)):
			t.Errorf("%s: %d items of %d", shown, len(r.Items), r.Count)
		case err != nil && !errors.As(err, &failed):
			t.Errorf("%s: %v", shown, err)
		case err != nil && (failed.Code != bulk.InvalidRequest || failed.Detail == "" || failed.Cause != nil):
			t.Errorf("%s: %s (%s)", shown, failed.Code, failed.Detail)
		}
	})
}

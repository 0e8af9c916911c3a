package main_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every code of a whole request, over HTTP and as a function error. The detail must
// have what the caller needs to find the mistake.
func TestWholeRequestCodes(t *testing.T) {
	t.Parallel()
	statuses := map[string]int{
		"InvalidRequest": 400, "InvalidOption": 400, "ExpiryTooLong": 400, "BucketNotAllowed": 403,
		"OperationNotAllowed": 403, "TooManyKeys": 413,
	}
	thirteen := `["` + strings.Repeat(`in/a","`, 12) + `in/a"]`
	for _, test := range []struct {
		request, code string
		details       []string // what the detail names
	}{
		// Not JSON, or not a request.
		{``, "InvalidRequest", nil},
		{` `, "InvalidRequest", nil},
		{`{"bucket":"photos","keys":["in/a"]`, "InvalidRequest", nil},
		{`{"bucket":"photos","keys":["in/a"]} x`, "InvalidRequest", nil},
		{`{"bucket":"photos","keys":["in/a"]}{}`, "InvalidRequest", nil},
		{`{"bucket":"photos","keys":["in/a",]}`, "InvalidRequest", nil},
		{`{"bucket":"photos","keys":['in/a']}`, "InvalidRequest", nil},
		{`{"bucket":"photos","keys":[in/a]}`, "InvalidRequest", nil},
		{`["in/a"]`, "InvalidRequest", nil},
		{`"in/a"`, "InvalidRequest", nil},
		{`1`, "InvalidRequest", nil},
		{`null`, "InvalidRequest", nil},
		{`{}`, "InvalidRequest", []string{"keys", "prefix", "manifest"}},
		{strings.Repeat("[", 100_000), "InvalidRequest", nil},
		{`{"keys":` + strings.Repeat("[", 100_000), "InvalidRequest", nil},

		// Sources of keys.
		{`{"bucket":"photos"}`, "InvalidRequest", []string{"keys"}},
		{`{"bucket":"photos","keys":null}`, "InvalidRequest", []string{"keys"}},
		{`{"bucket":"photos","keys":[]}`, "InvalidRequest", []string{"keys"}},
		{`{"bucket":"photos","keys":["in/a"],"prefix":"in/"}`, "InvalidRequest", []string{"prefix"}},
		{`{"bucket":"photos","keys":["in/a"],"manifest":"s3://photos/list.txt"}`, "InvalidRequest", []string{"manifest"}},

		// Wrong types, unknown and duplicate fields, with their place.
		{`{"bucket":1,"keys":["in/a"]}`, "InvalidRequest", []string{"bucket"}},
		{`{"bucket":"","keys":["in/a"]}`, "InvalidRequest", []string{"bucket"}},
		{`{"bucket":"photos","keys":"in/a"}`, "InvalidRequest", []string{"keys"}},
		{`{"bucket":"photos","keys":{"in/a":1}}`, "InvalidRequest", []string{"keys"}},
		{`{"bucket":"photos","keys":["in/a",1]}`, "InvalidRequest", []string{"keys", "[1]"}},
		{`{"bucket":"photos","keys":["in/a","in/b",null]}`, "InvalidRequest", []string{"keys", "[2]"}},
		{`{"bucket":"photos","keys":["in/a",["in/b"]]}`, "InvalidRequest", []string{"keys", "[1]"}},
		{`{"bucket":"photos","keys":["in/a",{}]}`, "InvalidRequest", []string{"keys", "[1]", `"key"`}},
		{`{"bucket":"photos","keys":["in/a",{"key":null}]}`, "InvalidRequest", []string{"keys", "[1]", "key"}},
		{`{"bucket":"photos","keys":["in/a",{"key":1}]}`, "InvalidRequest", []string{"keys", "[1]", "key"}},
		{`{"bucket":"photos","keys":["in/a",{"key":"in/b","version_id":1}]}`, "InvalidRequest", []string{"[1]", "version_id"}},
		{`{"bucket":"photos","keys":["in/a",{"key":"in/b","colour":"red"}]}`, "InvalidRequest", []string{"[1]", "colour"}},
		{`{"bucket":"photos","keys":["in/a",{"key":"in/b","bucket":"photos"}]}`, "InvalidRequest", []string{"[1]", "bucket"}},
		{`{"bucket":"photos","keys":["in/a",{"key":"in/b","key":"in/c"}]}`, "InvalidRequest", []string{"[1]", "key"}},
		{`{"bucket":"photos","keys":["in/a",{"key":"in/b","k\u0065y":"in/c"}]}`, "InvalidRequest", []string{"[1]", "key"}},
		{`{"bucket":"photos","bucket":"photos","keys":["in/a"]}`, "InvalidRequest", []string{"bucket"}},
		{`{"bucket":null,"keys":["in/a"],"bucket":"photos"}`, "InvalidRequest", []string{"bucket"}},
		{`{"bucket":"photos","keys":["in/a"],"colour":"red"}`, "InvalidRequest", []string{"colour"}},
		{`{"bucket":"photos","keys":["in/a"],"colour":null}`, "InvalidRequest", []string{"colour"}},
		{`{"bucket":"photos","keys":["in/a"],"Bucket":"photos"}`, "InvalidRequest", []string{"Bucket"}},
		{`{"bucket":"photos","Keys":["in/a"]}`, "InvalidRequest", []string{"Keys"}},
		{`{"bucket":"photos","keys":["in/a"],"strict_expiry":"true"}`, "InvalidRequest", []string{"strict_expiry"}},
		{`{"bucket":"photos","keys":["in/a"],"strict_expiry":1}`, "InvalidRequest", []string{"strict_expiry"}},
		{`{"bucket":"photos","keys":["in/a"],"allow_dot_segments":"yes"}`, "InvalidRequest", []string{"allow_dot_segments"}},
		{`{"bucket":"photos","operation":"PutObject","metadata":"a","keys":["in/a"]}`, "InvalidRequest", []string{"metadata"}},
		{`{"bucket":"photos","operation":"PutObject","metadata":{"a":1},"keys":["in/a"]}`, "InvalidRequest", []string{"metadata", "a"}},
		{`{"bucket":"photos","operation":"PutObject","metadata":{"a":"1","a":"2"},"keys":["in/a"]}`, "InvalidRequest", []string{"metadata", "a"}},
		{`{"bucket":"photos","operation":"PutObject","content_length":"5","keys":["in/a"]}`, "InvalidRequest", []string{"content_length"}},
		{`{"bucket":"photos","operation":"PutObject","content_length":5.0,"keys":["in/a"]}`, "InvalidRequest", []string{"content_length"}},
		{`{"bucket":"photos","operation":"PutObject","create_only":"true","keys":["in/a"]}`, "InvalidRequest", []string{"create_only"}},
		{`{"bucket":"photos","keys":["in/a"],"filename":true}`, "InvalidRequest", []string{"filename"}},

		// Text that is not Unicode would be another key.
		{`{"bucket":"photos","keys":["in/a","in/\ud800"]}`, "InvalidRequest", []string{"[1]"}},
		{`{"bucket":"photos","keys":["in/\udc00\ud800"]}`, "InvalidRequest", []string{"[0]"}},
		{`{"bucket":"photos","keys":["in/\ud800\u0041"]}`, "InvalidRequest", []string{"[0]"}},
		{`{"bucket":"photos","keys":[{"key":"in/\ud800"}]}`, "InvalidRequest", []string{"[0]", "key"}},
		{`{"bucket":"photos","keys":["in/a"],"filename":"\ud83d"}`, "InvalidRequest", []string{"filename"}},
		{`{"bucket":"photos","keys":["in/a"],"\ud83d":1}`, "InvalidRequest", nil},

		// Names that do not exist.
		{`{"bucket":"photos","operation":"fetch","keys":["in/a"]}`, "InvalidRequest", []string{"operation"}},
		{`{"bucket":"photos","operation":"CopyPart","keys":["in/a"]}`, "InvalidRequest", []string{"operation"}},
		{`{"bucket":"photos","operation":"POST","keys":["in/a"]}`, "InvalidRequest", []string{"operation"}},
		{`{"bucket":"photos","operation":"","keys":["in/a"]}`, "InvalidRequest", []string{"operation"}},
		{`{"bucket":"photos","format":"xml","keys":["in/a"]}`, "InvalidRequest", []string{"format"}},
		{`{"bucket":"photos","format":"JSON","keys":["in/a"]}`, "InvalidRequest", []string{"format"}},
		{`{"bucket":"photos","encoding":"br","keys":["in/a"]}`, "InvalidRequest", []string{"encoding"}},

		// expires_in is a whole number of at least 1, written as one.
		{`{"bucket":"photos","keys":["in/a"],"expires_in":0}`, "InvalidRequest", []string{"expires_in"}},
		{`{"bucket":"photos","keys":["in/a"],"expires_in":-0}`, "InvalidRequest", []string{"expires_in"}},
		{`{"bucket":"photos","keys":["in/a"],"expires_in":-1}`, "InvalidRequest", []string{"expires_in"}},
		{`{"bucket":"photos","keys":["in/a"],"expires_in":-1000000000000000000000000000000}`, "InvalidRequest", []string{"expires_in"}},
		{`{"bucket":"photos","keys":["in/a"],"expires_in":1.0}`, "InvalidRequest", []string{"expires_in"}},
		{`{"bucket":"photos","keys":["in/a"],"expires_in":1.5}`, "InvalidRequest", []string{"expires_in"}},
		{`{"bucket":"photos","keys":["in/a"],"expires_in":1e2}`, "InvalidRequest", []string{"expires_in"}},
		{`{"bucket":"photos","keys":["in/a"],"expires_in":1E2}`, "InvalidRequest", []string{"expires_in"}},
		{`{"bucket":"photos","keys":["in/a"],"expires_in":060}`, "InvalidRequest", nil},
		{`{"bucket":"photos","keys":["in/a"],"expires_in":+60}`, "InvalidRequest", nil},
		{`{"bucket":"photos","keys":["in/a"],"expires_in":"60"}`, "InvalidRequest", []string{"expires_in"}},
		{`{"bucket":"photos","keys":["in/a"],"expires_in":true}`, "InvalidRequest", []string{"expires_in"}},
		{`{"bucket":"photos","keys":["in/a"],"expires_in":601}`, "ExpiryTooLong", []string{"expires_in", "600"}},
		{`{"bucket":"photos","keys":["in/a"],"expires_in":604801}`, "ExpiryTooLong", []string{"expires_in"}},
		{`{"bucket":"photos","keys":["in/a"],"expires_in":1000000000000000000000000000000}`, "ExpiryTooLong", []string{"expires_in"}},
		{`{"bucket":"photos","keys":["in/a"],"expires_in":9223372036854775808}`, "ExpiryTooLong", []string{"expires_in"}},
		// A plain role's credentials have no known end.
		{`{"bucket":"photos","keys":["in/a"],"strict_expiry":true}`, "ExpiryTooLong", []string{"strict_expiry"}},

		// What the policy says.
		{`{"keys":["in/a"]}`, "InvalidRequest", []string{"bucket"}},
		{`{"bucket":null,"keys":["in/a"]}`, "InvalidRequest", []string{"bucket"}},
		{`{"bucket":"elsewhere","keys":["in/a"]}`, "BucketNotAllowed", []string{"elsewhere"}},
		{`{"bucket":"Photos","keys":["in/a"]}`, "BucketNotAllowed", nil},
		{`{"bucket":"photos ","keys":["in/a"]}`, "BucketNotAllowed", nil},
		{`{"bucket":"photos","operation":"HeadObject","keys":["in/a"]}`, "OperationNotAllowed", []string{"HeadObject"}},
		{`{"bucket":"photos","operation":"DELETE","keys":["in/a"]}`, "OperationNotAllowed", []string{"DeleteObject"}},
		{`{"bucket":"photos","keys":` + thirteen + `}`, "TooManyKeys", []string{"13", "12"}}, // although it is one key

		// Options of the whole batch.
		{`{"bucket":"photos","keys":["in/a"],"content_type":"text/plain"}`, "InvalidOption", []string{"content_type", "GetObject"}},
		{`{"bucket":"photos","keys":["in/a"],"metadata":{"a":"1"}}`, "InvalidOption", []string{"metadata", "GetObject"}},
		{`{"bucket":"photos","operation":"PUT","keys":["in/a"],"version_id":"1"}`, "InvalidOption", []string{"version_id", "PutObject"}},
		{`{"bucket":"photos","operation":"PUT","keys":["in/a"],"filename":"a"}`, "InvalidOption", []string{"filename", "PutObject"}},
		{`{"bucket":"photos","keys":["in/a"],"filename":""}`, "InvalidOption", []string{"filename"}},
		{`{"bucket":"photos","keys":["in/a"],"version_id":""}`, "InvalidOption", []string{"version_id"}},
		{`{"bucket":"photos","keys":["in/a"],"version_id":"1\r\n2"}`, "InvalidOption", []string{"version_id"}},
		{`{"bucket":"photos","keys":["in/a"],"range":"bytes=0-\u00e9"}`, "InvalidOption", []string{"range"}},
		{`{"bucket":"photos","keys":["in/a"],"if_modified_since":"yesterday"}`, "InvalidOption", []string{"if_modified_since"}},
		{`{"bucket":"photos","keys":["in/a"],"filename":"a","response_content_disposition":"inline"}`, "InvalidOption", []string{"filename", "response_content_disposition"}},
		{`{"bucket":"photos","operation":"PUT","keys":["in/a"],"metadata":{}}`, "InvalidOption", []string{"metadata"}},
		{`{"bucket":"photos","operation":"PUT","keys":["in/a"],"metadata":{"a":"1","A":"2"}}`, "InvalidOption", []string{"metadata"}},
		{`{"bucket":"photos","operation":"PUT","keys":["in/a"],"grant_read":"id=1"}`, "InvalidOption", []string{"grant_read"}},
		{`{"bucket":"photos","operation":"PUT","keys":["in/a"],"create_only":true,"if_none_match":"\"x\""}`, "InvalidOption", []string{"create_only", "if_none_match"}},
	} {
		name := test.code + " " + test.request[:min(len(test.request), 90)]
		_, failed := narrow().direct(t, test.request)
		if failed == nil {
			t.Errorf("%s: the direct request did not fail", name)
			continue
		}
		if failed.code != test.code {
			t.Errorf("%s: errorType is %s (%s)", name, failed.code, failed.detail)
		}
		for _, part := range test.details {
			if !strings.Contains(failed.detail, part) {
				t.Errorf("%s: the detail does not name %s: %s", name, part, failed.detail)
			}
		}
		p := decodeProblem(t, narrow().send(t, httpAPI("POST", test.request, nil)))
		want := &problem{Type: p.Type, Title: p.Title, Status: statuses[test.code], Detail: failed.detail, Code: test.code}
		if d := cmp.Diff(want, p); d != "" {
			t.Errorf("%s: over HTTP (-want +got):\n%s", name, d)
		}
	}
}

// What JSON text cannot say in Go source, and what only HTTP has.
func TestHTTPMistakes(t *testing.T) {
	t.Parallel()
	const good = `{"bucket":"photos","keys":["in/a"]}`
	without := func(member string) []byte {
		var e map[string]any
		if err := json.Unmarshal(httpAPI("POST", good, nil), &e); err != nil {
			t.Fatal(err)
		}
		delete(e, member)
		return mustJSON(e)
	}
	replaced := func(old, new string) []byte {
		event := string(httpAPI("POST", good, map[string]string{"x-note": "note"}))
		changed := strings.Replace(event, old, new, 1)
		if changed == event {
			t.Fatal("nothing was replaced")
		}
		return []byte(changed)
	}
	for _, test := range []struct {
		name  string
		event []byte
		code  string
	}{
		{"good", httpAPI("POST", good, nil), ""},
		{"GET", httpAPI("GET", "", nil), "MethodNotAllowed"},
		{"PUT", httpAPI("PUT", good, nil), "MethodNotAllowed"},
		{"OPTIONS", httpAPI("OPTIONS", "", nil), "MethodNotAllowed"},
		{"post", httpAPI("post", good, nil), "MethodNotAllowed"},
		{"REST GET", restAPI("GET", "", nil), "MethodNotAllowed"},
		{"REST DELETE", restAPI("DELETE", good, nil), "MethodNotAllowed"},
		{"no body", without("body"), "InvalidRequest"},
		{"body of null", replaced(`"body":`, `"body":null,"ignored":`), "InvalidRequest"},
		{"not base64", replaced(`"isBase64Encoded":false`, `"isBase64Encoded":true`), "InvalidRequest"},
		{"invalid UTF-8 in base64", inBase64InvalidUTF8(), "InvalidRequest"},
		{"no headers", without("headers"), ""},
		{"headers of null", replaced(`"headers":{"x-note":"note"}`, `"headers":null`), ""},
		{"encoding", httpAPI("POST", `{"bucket":"photos","keys":["in/a"],"encoding":"gzip"}`, nil), "InvalidRequest"},
		{"encoding identity", httpAPI("POST", `{"bucket":"photos","keys":["in/a"],"encoding":"identity"}`, nil), "InvalidRequest"},
		{"encoding null", httpAPI("POST", `{"bucket":"photos","keys":["in/a"],"encoding":null}`, nil), ""},
		{"form", httpAPI("POST", "bucket=photos&keys=in/a", nil), "InvalidRequest"},
		{"an event in an event", httpAPI("POST", string(httpAPI("POST", good, nil)), nil), "InvalidRequest"},
		// A header that nobody reads must not turn an HTTP answer into a failed function, which is a 502.
		{"lone surrogate in a header", replaced(`"x-note":"note"`, `"x-note":"\ud800"`), "*"},
		{"the same header twice", replaced(`"x-note":"note"`, `"x-note":"note","x-note":"note"`), "*"},
	} {
		payload, err := narrow().fn.Invoke(t.Context(), test.event)
		if err != nil {
			t.Errorf("%s: the function failed: %v", test.name, err)
			continue
		}
		answer := decodeResponse(t, payload)
		switch {
		case test.code == "*":
			if answer.StatusCode >= 500 {
				t.Errorf("%s: status %d", test.name, answer.StatusCode)
			}
		case test.code == "":
			if answer.StatusCode != 200 {
				t.Errorf("%s: status %d", test.name, answer.StatusCode)
			}
		default:
			if p := decodeProblem(t, answer); p.Code != test.code {
				t.Errorf("%s: code %s, want %s (%s)", test.name, p.Code, test.code, p.Detail)
			}
		}
	}
}

// inBase64InvalidUTF8 is a request with a key of Latin-1.
func inBase64InvalidUTF8() []byte {
	event := httpAPI("POST", "", nil)
	return []byte(strings.Replace(strings.Replace(string(event),
		`"isBase64Encoded":false`, `"isBase64Encoded":true`, 1),
		`"body":""`, fmt.Sprintf(`"body":%q`, "eyJidWNrZXQiOiJwaG90b3MiLCJrZXlzIjpbImluL+kiXX0="), 1))
}

// The first code of the contract's list that applies is a key's, whatever else is
// wrong with it.
func TestKeyCodes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("k", 1025)
	multibyte := "in/" + strings.Repeat("é", 511) // 3+1022 bytes
	const bad = `"version_id":""`
	for _, test := range []struct{ item, key, code string }{
		{`""`, "", "EmptyKey"},
		{`{"key":"",` + bad + `}`, "", "EmptyKey"},
		{`"` + long + `"`, long, "KeyTooLong"}, // and not under the prefix
		{`{"key":"../` + long + `",` + bad + `}`, "../" + long, "KeyTooLong"},
		{`"` + multibyte + `"`, multibyte, "KeyTooLong"},
		{`"` + multibyte[:1023] + `a"`, multibyte[:1023] + "a", ""},
		{`"out"`, "out", "KeyNotAllowed"},
		{`"in"`, "in", "KeyNotAllowed"},
		{`"IN/a"`, "IN/a", "KeyNotAllowed"},
		{`" in/a"`, " in/a", "KeyNotAllowed"},
		{`"/in/a"`, "/in/a", "KeyNotAllowed"},
		{`"../x"`, "../x", "KeyNotAllowed"},
		{`{"key":"../y",` + bad + `}`, "../y", "KeyNotAllowed"},
		{`"in/../x"`, "in/../x", "UnsafeKey"},
		{`{"key":"in/./x",` + bad + `}`, "in/./x", "UnsafeKey"},
		{`{"key":"in/x",` + bad + `}`, "in/x", "InvalidOption"},
		{`{"key":"in/x","content_type":"text/plain"}`, "in/x", "InvalidOption"},
		{`{"key":"in/x","version_id":null}`, "in/x", ""},
		{`"in/"`, "in/", ""},
		{`"in/..."`, "in/...", ""},
		{`"in/\u0000"`, "in/\x00", ""},
	} {
		r := narrow().mustSign(t, `{"bucket":"photos","keys":["in/good",`+test.item+`]}`)
		if _, ok := r.URLs.of["in/good"]; !ok {
			t.Errorf("%.50s spoils the batch", test.item)
		}
		if got := r.Errors[test.key]; got.Code != test.code || (got.Message == "") != (test.code == "") {
			t.Errorf("%.50s: %q (%s), want %q", test.item, got.Code, got.Message, test.code)
		}
		if want := map[bool]int{true: 2, false: 1}[test.code == ""]; len(r.URLs.keys) != want {
			t.Errorf("%.50s: %d URLs, want %d", test.item, len(r.URLs.keys), want)
		}
	}
	// The item's mistake is named.
	r := narrow().mustSign(t, `{"bucket":"photos","keys":[{"key":"in/a","content_type":"x"}]}`)
	if m := r.Errors["in/a"].Message; !strings.Contains(m, "content_type") || !strings.Contains(m, "GetObject") {
		t.Errorf("the message names neither option nor operation: %s", m)
	}
}

// A key has one URL in an answer: given twice it collapses or contradicts itself.
func TestSameKeyTwice(t *testing.T) {
	t.Parallel()
	const collapses, conflicts = "", "ConflictingItem"
	for _, test := range []struct{ request, code string }{
		{`{"keys":["k","k","k"]}`, collapses},
		{`{"keys":["k",{"key":"k"}]}`, collapses},
		{`{"keys":[{"key":"k","version_id":null},"k"]}`, collapses},
		{`{"version_id":"1","keys":["k",{"key":"k","version_id":"1"}]}`, collapses}, // the batch's own
		{`{"keys":[{"key":"k","version_id":"1"},{"key":"k","version_id":"1"}]}`, collapses},
		{`{"keys":[{"key":"k","version_id":"1"},{"key":"k","version_id":"2"}]}`, conflicts},
		{`{"keys":["k",{"key":"k","version_id":"1"}]}`, conflicts},
		{`{"keys":[{"key":"k","version_id":"1"},"k"]}`, conflicts},
		{`{"keys":[{"key":"k","version_id":"1"},"k",{"key":"k","version_id":"1"}]}`, conflicts},
		{`{"keys":["k",{"key":"k","version_id":"1"},"k","k"]}`, conflicts},
		{`{"keys":[{"key":"k","filename":"a"},{"key":"k","response_content_disposition":"attachment; filename=\"a\"; filename*=UTF-8''a"}]}`, collapses},
		{`{"keys":[{"key":"k","if_modified_since":"2026-01-01T00:00:00Z"},{"key":"k","if_modified_since":"2026-01-01T01:00:00+01:00"}]}`, collapses},
		{`{"operation":"PUT","keys":[{"key":"k","create_only":true},{"key":"k","if_none_match":"*"}]}`, collapses},
		{`{"operation":"PUT","keys":[{"key":"k","create_only":true},{"key":"k","create_only":true,"if_none_match":"*"}]}`, collapses},
		{`{"operation":"PUT","keys":[{"key":"k","create_only":false},"k"]}`, collapses},
		{`{"operation":"PUT","create_only":true,"keys":["k",{"key":"k","if_none_match":"*"}]}`, collapses},
		{`{"operation":"PUT","keys":[{"key":"k","create_only":true},"k"]}`, conflicts},
		{`{"operation":"PUT","keys":[{"key":"k","metadata":{"a":"1","b":"2"}},{"key":"k","metadata":{"B":"2","A":"1"}}]}`, collapses},
		{`{"operation":"PUT","keys":[{"key":"k","metadata":{"a":"1"}},{"key":"k","metadata":{"a":"2"}}]}`, conflicts},
		{`{"operation":"PUT","keys":[{"key":"k","metadata":{"a":"1"}},{"key":"k","metadata":{"a":"1","b":"2"}}]}`, conflicts},
		{`{"operation":"PUT","metadata":{"a":"1"},"keys":["k",{"key":"k","metadata":{"A":"1"}}]}`, collapses},
		{`{"operation":"UploadPart","upload_id":"u","part_numbers":[1,2],"keys":["k","k",{"key":"k","part_numbers":[1,2]}]}`, collapses},
		{`{"operation":"UploadPart","upload_id":"u","part_numbers":[1,2],"keys":["k",{"key":"k","part_numbers":[1]}]}`, conflicts},
		{`{"operation":"UploadPart","upload_id":"u","keys":[{"key":"k","part_number":1},{"key":"k","part_numbers":[1]}]}`, conflicts},
		// An earlier code of the list wins over the conflict.
		{`{"keys":["k",{"key":"k","version_id":""}]}`, "InvalidOption"},
		{`{"keys":[{"key":"k","version_id":""},"k"]}`, "InvalidOption"},
		{`{"keys":["k",{"key":"k","version_id":"1"},{"key":"k","version_id":""}]}`, "InvalidOption"},
		// These are different keys.
		{`{"keys":["k","K"," k","k ","k/","/k","%6b","k\u0301"]}`, collapses},
	} {
		r := open().mustSign(t, test.request)
		if got := r.Errors["k"].Code; got != test.code {
			t.Errorf("%s: %q, want %q", test.request, got, test.code)
		}
		signed := len(r.URLs.keys) + len(r.PartURLs)
		if (signed > 0) != (test.code == "") {
			t.Errorf("%s: %d keys were signed", test.request, signed)
		}
	}
}

// urls has the order of the request, and each key as it was given.
func TestOrder(t *testing.T) {
	t.Parallel()
	r := open().mustSign(t, `{"keys":["z","a",{"key":"m","version_id":"1"},"..","a","\u0041","z",{"key":"B","filename":"b"},"","é","e\u0301"]}`)
	want := []string{"z", "a", "m", "A", "B", "\u00e9", "e\u0301"}
	if d := cmp.Diff(want, r.URLs.keys); d != "" {
		t.Errorf("keys of urls (-want +got):\n%s", d)
	}
	var failed []string
	for key := range r.Errors {
		failed = append(failed, key)
	}
	slices.Sort(failed)
	if d := cmp.Diff([]string{"", ".."}, failed); d != "" {
		t.Errorf("keys of errors (-want +got):\n%s", d)
	}
	if r.Headers != nil || r.ItemHeaders != nil || r.PartURLs != nil {
		t.Error("empty members are not left out")
	}
}

// null is as good as absent.
func TestNull(t *testing.T) {
	t.Parallel()
	r := open().mustSign(t, `{"bucket":null,"operation":null,"prefix":null,"manifest":null,"expires_in":null,"strict_expiry":null,
		"format":null,"encoding":null,"allow_dot_segments":null,"verify":null,"continuation_token":null,"version_id":null,
		"content_type":null,"metadata":null,"part_numbers":null,"create_only":null,"keys":[{"key":"k","metadata":null,"version_id":null}]}`)
	if r.Bucket != "photos" || r.Operation != "GetObject" || r.ExpiresIn != 900 || r.ExpiresAtBasis != "unknown" || len(r.URLs.keys) != 1 {
		t.Errorf("bucket %q, operation %q, expires_in %d, basis %q, %d URLs", r.Bucket, r.Operation, r.ExpiresIn, r.ExpiresAtBasis, len(r.URLs.keys))
	}
}

// What a caller writes into a request must not reach the log, since it may be a
// secret. TestMain looks whether it did.
func TestCallersTextStaysOutOfTheLog(t *testing.T) {
	t.Parallel()
	r := open().mustSign(t, `{"keys":["k"]}`)
	signed := r.URLs.of["k"]
	for name, request := range map[string]any{
		"bucket":                 map[string]any{"bucket": signed, "keys": []string{"k"}},
		"unknown field":          map[string]any{signed: 1, "keys": []string{"k"}},
		"unknown field of item":  map[string]any{"keys": []any{map[string]any{"key": "k", signed: 1}}},
		"name of metadata":       map[string]any{"operation": "PUT", "metadata": map[string]any{signed: 1}, "keys": []string{"k"}},
		"operation":              map[string]any{"operation": signed, "keys": []string{"k"}},
		"format":                 map[string]any{"format": signed, "keys": []string{"k"}},
		"value of an option":     map[string]any{"version_id": signed + "\n", "keys": []string{"k"}},
		"time":                   map[string]any{"if_modified_since": signed, "keys": []string{"k"}},
		"another option's value": map[string]any{"content_type": signed, "keys": []string{"k"}},
		"text":                   signed,
	} {
		if _, failed := open().direct(t, string(mustJSON(request))); failed == nil {
			t.Errorf("%s: the request did not fail", name)
		}
	}
	twice := fmt.Sprintf(`{%q:1,"keys":["k"],%[1]q:2}`, signed[:60])
	if _, failed := open().direct(t, `{"keys":[{"key":"k","metadata":`+twice+`}]}`); failed == nil {
		t.Error("duplicate member: the request did not fail")
	}
}

package bulk_test

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/answer"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/check/batches"
	"bulkpresign/internal/policy"
)

// Who may copy an object can read the copy, so nobody may copy what he may not read.
func TestCopySources(t *testing.T) {
	const document = `{"rules": [
		{"name": "secret", "effect": "deny", "callers": "*", "prefixes": ["in/secret/"]},
		{"name": "read", "effect": "allow", "callers": "*", "buckets": ["photos"], "prefixes": ["in/"], "operations": ["GetObject"]},
		{"name": "archive", "effect": "allow", "callers": "*", "buckets": ["archive"], "operations": ["GetObject"], "max_expires_in": 60},
		{"name": "copy", "effect": "allow", "callers": "*", "buckets": ["photos"], "prefixes": ["out/"], "operations": ["CopyObject", "UploadPartCopy"]}
	]}`
	prefixed := batches.Standing()
	prefixed.Policy.KeyPrefix = "in/"
	plainly := batches.Standing()
	for _, s := range []*bulk.Service{prefixed, plainly} {
		s.Policy.Buckets = []string{"photos", "archive"}
	}
	ruled := under(t, document)
	ruled.Policy.Buckets = []string{"photos", "archive"}
	for _, test := range []struct {
		service       *bulk.Service
		key, source   string
		code, message string
	}{
		{plainly, "out/a", "photos/in/a", "", ""},
		{plainly, "out/a", "/archive/a b", "", ""},
		{plainly, "out/a", "others/a", "KeyNotAllowed", "is in a bucket"},
		{plainly, "out/a", "photos/in/../a", "UnsafeKey", "path segment"},
		{prefixed, "in/a", "photos/in/b", "", ""},
		{prefixed, "in/a", "photos/out/b", "KeyNotAllowed", `does not begin with "in/"`},
		{ruled, "out/a", "photos/in/a", "", ""},
		{ruled, "out/a", "photos/in/secret/a", "KeyNotAllowed", "not yours to read: the policy denies you"},
		{ruled, "out/a", "photos/out/a", "KeyNotAllowed", "not yours to read: no rule"},
		{ruled, "out/a", "archive/a", "KeyNotAllowed", "60 seconds"}, // a copy would outlive that
		{ruled, "in/a", "photos/in/b", "KeyNotAllowed", "no rule of the policy allows you this key"},
	} {
		for _, request := range []string{
			`{"bucket":"photos","operation":"CopyObject","copy_source":"` + test.source + `","keys":["` + test.key + `"]}`,
			`{"bucket":"photos","operation":"CopyObject","keys":[{"key":"` + test.key + `","copy_source":"` + test.source + `"}]}`,
			`{"bucket":"photos","operation":"UploadPartCopy","upload_id":"u","part_number":1,"keys":[{"key":"` + test.key + `","copy_source":"` + test.source + `"}]}`,
		} {
			p, err := batches.PlanFor(test.service, policy.Caller{}, []byte(request))
			if err != nil {
				t.Errorf("%s: %v", request, err)
				continue
			}
			got := batches.Finish(t, p).Errors[test.key]
			if got.Code != test.code || !strings.Contains(got.Message, test.message) {
				t.Errorf("%s: %q, %s; want %q, %s", request, got.Code, got.Message, test.code, test.message)
			}
		}
	}
}

// Operations of a bucket have no key in their path: HeadBucket has none at all, and that of
// ListObjectsV2 is the prefix that is listed, perhaps empty.
func TestOperationsOfBuckets(t *testing.T) {
	prefixed := batches.Standing()
	prefixed.Policy.KeyPrefix = "in/"
	for _, test := range []struct {
		service *bulk.Service
		request string
		want    map[string]string // key to path and prefix
		errors  map[string]string
	}{
		{batches.Standing(), `{"operation":"HeadBucket"}`, map[string]string{"": "/ "}, map[string]string{}},
		{batches.Standing(), `{"operation":"HeadBucket","keys":["","a"]}`, map[string]string{"": "/ "}, map[string]string{"a": "InvalidOption"}},
		{prefixed, `{"operation":"HeadBucket"}`, map[string]string{}, map[string]string{"": "KeyNotAllowed"}},
		{batches.Standing(), `{"operation":"ListObjectsV2","keys":["","a/../b/",{"key":"c d","delimiter":"/"}]}`,
			map[string]string{"": "/ ", "a/../b/": "/ a/../b/", "c d": "/ c d"}, map[string]string{}},
		{prefixed, `{"operation":"ListObjectsV2","keys":["","in/a"]}`, map[string]string{"in/a": "/ in/a"}, map[string]string{"": "KeyNotAllowed"}},
	} {
		p, err := batches.Plan(test.service, []byte(test.request))
		if err != nil {
			t.Errorf("%s: %v", test.request, err)
			continue
		}
		a := batches.Finish(t, p)
		got, errors := map[string]string{}, map[string]string{}
		for key, text := range a.URLs {
			u, err := url.Parse(text)
			if err != nil {
				t.Fatal("a URL does not parse")
			}
			got[key] = u.Path + " " + u.Query().Get("prefix")
		}
		for key, f := range a.Errors {
			errors[key] = f.Code
		}
		if d := cmp.Diff(test.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", test.request, d)
		}
		if d := cmp.Diff(test.errors, errors); d != "" {
			t.Errorf("%s (-want +got):\n%s", test.request, d)
		}
	}
	if _, err := batches.Plan(batches.Standing(), []byte(`{"operation":"ListObjectsV2"}`)); code(t, err) != bulk.InvalidRequest {
		t.Errorf("a listing of nothing: %v", err)
	}
}

// What curl does with the operations that it can be told, and that it cannot be told others.
func TestCurlOfOperations(t *testing.T) {
	for operation, want := range map[string][]string{
		`"CreateMultipartUpload"`:                   {`request = "POST"`, `header = "content-length: 0"`},
		`"CopyObject","copy_source":"photos/b"`:     {`request = "PUT"`, `header = "content-length: 0"`, `header = "x-amz-copy-source: photos/b"`},
		`"AbortMultipartUpload","upload_id":"u"`:    {`request = "DELETE"`},
		`"ListParts","upload_id":"u"`:               {`output = "a"`},
		`"CompleteMultipartUpload","upload_id":"u"`: nil,
		`"PutObjectTagging"`:                        nil,
		`"RestoreObject"`:                           nil,
	} {
		p, err := batches.Plan(batches.Standing(), []byte(`{"operation":`+operation+`,"format":"curl","keys":["a"]}`))
		if want == nil {
			if code(t, err) != bulk.InvalidRequest || !strings.Contains(err.Error(), `"json"`) {
				t.Errorf("%s: %v", operation, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", operation, err)
			continue
		}
		lines := strings.Split(string(answer.Append(nil, p, bulk.Curl, answer.Bare)), "\n")
		for _, line := range want {
			if !slices.Contains(lines, line) {
				t.Errorf("%s: no line %s", operation, line)
			}
		}
	}
}

// An item's arrays of texts are read as such.
func TestTexts(t *testing.T) {
	p, err := batches.Plan(batches.Standing(), []byte(`{"operation":"GetObjectAttributes","object_attributes":["ETag","ObjectSize"],"keys":["a"]}`))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"x-amz-object-attributes": "ETag,ObjectSize"}, maps.Collect(maps.All(batches.Finish(t, p).Headers))); d != "" {
		t.Errorf("headers (-want +got):\n%s", d)
	}
	for request, want := range map[string]string{
		`{"operation":"GetObjectAttributes","object_attributes":"ETag","keys":["a"]}`:     `"object_attributes" must be an array of strings, not a string`,
		`{"operation":"GetObjectAttributes","object_attributes":["ETag",1],"keys":["a"]}`: `"object_attributes[1]" must be a string`,
		`{"operation":"GetObjectAttributes","object_attributes":["Size"],"keys":["a"]}`:   `"ETag" "Checksum"`,
	} {
		if _, err := batches.Plan(batches.Standing(), []byte(request)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", request, err)
		}
	}
}

package bulk_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bulkpresign/internal/bulk"
)

// A list's metadata says what a request would.
func TestFromMetadata(t *testing.T) {
	for _, test := range []struct {
		metadata map[string]string
		same     string // the request, without its keys
		problem  string
	}{
		{map[string]string{"owner": "me"}, `{}`, ""},
		{map[string]string{"presign-operation": "PUT", "presign-expires-in": "60", "presign-content-type": `text/"x"`, "Presign-Bucket": "photos"},
			`{"operation":"PUT","expires_in":60,"content_type":"text/\"x\"","bucket":"photos"}`, ""},
		{map[string]string{"presign-strict-expiry": "true", "presign-metadata": `{"a":"b"}`, "presign-allow-dot-segments": "true"},
			`{"strict_expiry":true,"metadata":{"a":"b"},"allow_dot_segments":true}`, ""},
		{map[string]string{"presign-expires-in": "soon"}, "", "metadata"},
		{map[string]string{"presign-colour": "red"}, "", `unknown field`},
		{map[string]string{"presign-keys": `["a"]`}, "", `"keys" has no place`},
		{map[string]string{"presign-expires-in": `60,"keys":["a"]`}, "", "given twice"},
		{map[string]string{"presign-expires-in": `60}`}, "", "not valid JSON"},
	} {
		got, err := bulk.FromMetadata(test.metadata)
		if test.problem != "" {
			if code(t, err) != bulk.InvalidRequest || !strings.Contains(err.Error(), test.problem) {
				t.Errorf("%v: %v, want %q", test.metadata, err, test.problem)
			}
			continue
		}
		want, err2 := bulk.Decode([]byte(withKey(test.same)), 0)
		if err != nil || err2 != nil {
			t.Errorf("%v: %v, %v", test.metadata, err, err2)
			continue
		}
		want.Items, want.Count = nil, 0
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(bulk.Request{})); diff != "" {
			t.Errorf("%v: %s", test.metadata, diff)
		}
	}
}

// withKey adds a key to a request.
func withKey(request string) string {
	if request == "{}" {
		return `{"keys":["k"]}`
	}
	return `{"keys":["k"],` + request[1:]
}

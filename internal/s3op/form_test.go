package s3op_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/s3op"
	"bulkpresign/internal/sigv4"
)

// What a form sends for each option, and what its policy says of it.
func TestForm(t *testing.T) {
	for _, test := range []struct {
		name, value string
		field       string // name=value, or nothing
		condition   string
	}{
		{"acl", "private", "acl=private", `{"acl":"private"}`},
		{"cache_control", "no-store", "Cache-Control=no-store", `{"Cache-Control":"no-store"}`},
		{"content_disposition", `a; b="<c>"`, `Content-Disposition=a; b="<c>"`, `{"Content-Disposition":"a; b=\"\u003cc\u003e\""}`},
		{"content_encoding", "gzip", "Content-Encoding=gzip", `{"Content-Encoding":"gzip"}`},
		{"content_type", "image/png", "Content-Type=image/png", `{"Content-Type":"image/png"}`},
		{"content_type_starts_with", "image/", "", `["starts-with","$Content-Type","image/"]`},
		{"content_length_range", "1,10", "", `["content-length-range",1,10]`},
		{"expires", "2026-11-23T08:00:00Z", "Expires=Mon, 23 Nov 2026 08:00:00 GMT", `{"Expires":"Mon, 23 Nov 2026 08:00:00 GMT"}`},
		{"metadata", "v", "x-amz-meta-name=v", `{"x-amz-meta-name":"v"}`},
		// A header has the parameters of a query, a form an XML document.
		{"tagging", "a=b%26c&d=%3C+%3E&e", "tagging=<Tagging><TagSet><Tag><Key>a</Key><Value>b&amp;c</Value></Tag><Tag><Key>d</Key><Value>&lt; &gt;</Value></Tag><Tag><Key>e</Key><Value></Value></Tag></TagSet></Tagging>",
			`{"tagging":"\u003cTagging\u003e\u003cTagSet\u003e\u003cTag\u003e\u003cKey\u003ea\u003c/Key\u003e\u003cValue\u003eb\u0026amp;c\u003c/Value\u003e\u003c/Tag\u003e\u003cTag\u003e\u003cKey\u003ed\u003c/Key\u003e\u003cValue\u003e\u0026lt; \u0026gt;\u003c/Value\u003e\u003c/Tag\u003e\u003cTag\u003e\u003cKey\u003ee\u003c/Key\u003e\u003cValue\u003e\u003c/Value\u003e\u003c/Tag\u003e\u003c/TagSet\u003e\u003c/Tagging\u003e"}`},
		{"storage_class", "STANDARD", "x-amz-storage-class=STANDARD", `{"x-amz-storage-class":"STANDARD"}`},
		{"server_side_encryption", "AES256", "x-amz-server-side-encryption=AES256", `{"x-amz-server-side-encryption":"AES256"}`},
		{"bucket_key_enabled", "true", "x-amz-server-side-encryption-bucket-key-enabled=true", `{"x-amz-server-side-encryption-bucket-key-enabled":"true"}`},
		{"checksum_crc32", "AAAAAA==", "x-amz-checksum-crc32=AAAAAA==", `{"x-amz-checksum-crc32":"AAAAAA=="}`},
		{"success_action_status", "201", "success_action_status=201", `{"success_action_status":"201"}`},
		{"success_action_redirect", "https://a/?b&c", "success_action_redirect=https://a/?b&c", `{"success_action_redirect":"https://a/?b\u0026c"}`},
		{"key_starts_with", "true", "", ""},
	} {
		options := []s3op.Option{option(t, test.name, test.value)}
		if err := post.Check(options); err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		settled, err := post.Settle(options)
		if err != nil {
			t.Fatal(err)
		}
		var want []sigv4.Parameter
		if name, value, ok := strings.Cut(test.field, "="); ok {
			want = []sigv4.Parameter{{Name: name, Value: value}}
		}
		if d := cmp.Diff(want, s3op.FormFields(settled)); d != "" {
			t.Errorf("%s: fields (-want +got):\n%s", test.name, d)
		}
		condition := strings.TrimPrefix(string(s3op.AppendConditions(nil, settled)), ",")
		if condition != test.condition {
			t.Errorf("%s: the condition is %s, want %s", test.name, condition, test.condition)
		}
		if got := s3op.IsKeyStart(settled); got != (test.name == "key_starts_with") {
			t.Errorf("%s: the key is a beginning: %v", test.name, got)
		}
	}
	for _, tags := range []string{"=b", "a=%zz", "a=b&&c=d"} {
		if _, err := check(t, post, "tagging", tags); err == nil {
			t.Errorf("tags %q are taken", tags)
		}
	}
}

package s3op_test

import (
	"errors"
	"fmt"
	"mime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/s3op"
	"bulkpresign/internal/sigv4"
)

const (
	get  = s3op.GetObject
	head = s3op.HeadObject
	put  = s3op.PutObject
	del  = s3op.DeleteObject
	part = s3op.UploadPart

	create   = s3op.CreateMultipartUpload
	complete = s3op.CompleteMultipartUpload
	abort    = s3op.AbortMultipartUpload
	parts    = s3op.ListParts
	copies   = s3op.CopyObject
	partCopy = s3op.UploadPartCopy
	attrs    = s3op.GetObjectAttributes
	tags     = s3op.GetObjectTagging
	setTags  = s3op.PutObjectTagging
	list     = s3op.ListObjectsV2
	bucket   = s3op.HeadBucket
	restore  = s3op.RestoreObject
	post     = s3op.PostObject
	upload   = s3op.MultipartUpload
)

var (
	all = s3op.Operations()

	object = []s3op.Operation{put, create, copies, upload}   // gives a new object its properties
	stored = append(slices.Clip(object), post)               // and forms do
	once   = []s3op.Operation{put, complete, copies, upload} // may be told to overwrite nothing
	sums   = []s3op.Operation{put, part, complete, post}     // may say what the content must be
	keyed  = append([]s3op.Operation{get, head, part, complete, parts, partCopy, attrs}, stored...)
	both   = []s3op.Operation{copies, partCopy}
)

func but(list []s3op.Operation, less ...s3op.Operation) []s3op.Operation {
	return slices.DeleteFunc(slices.Clone(list), func(o s3op.Operation) bool { return slices.Contains(less, o) })
}

func option(t testing.TB, name, value string) s3op.Option {
	t.Helper()
	id, ok := s3op.Lookup(name)
	if !ok {
		t.Fatalf("there is no option %q", name)
	}
	o := s3op.Option{ID: id, Value: value}
	if id.Kind() == s3op.StringMap {
		o.Name = "name"
	}
	return o
}

// check judges one option and gives its signed value.
func check(t testing.TB, op s3op.Operation, name, value string) (string, error) {
	t.Helper()
	options := []s3op.Option{option(t, name, value)}
	err := op.Check(options)
	return options[0].Value, err
}

// The contract's options, the operations that have each, and a value that is good.
var contract = []struct {
	name, good string
	ops        []s3op.Operation
}{
	{"version_id", "3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY", []s3op.Operation{get, head, del, attrs, tags, setTags, restore}},
	{"expected_bucket_owner", "123456789012", but(all, post)},
	{"request_payer", "requester", but(all, post, bucket)},
	{"sse_customer_algorithm", "AES256", keyed},
	{"sse_customer_key", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", keyed},
	{"sse_customer_key_md5", "KYvwGXoFFJ42a2u2GDWhwQ==", keyed},

	{"response_content_type", "image/png", []s3op.Operation{get}},
	{"response_content_disposition", "inline", []s3op.Operation{get}},
	{"response_content_encoding", "gzip", []s3op.Operation{get}},
	{"response_content_language", "de", []s3op.Operation{get}},
	{"response_cache_control", "no-store", []s3op.Operation{get}},
	{"response_expires", "2026-11-23T08:00:00Z", []s3op.Operation{get}},
	{"filename", "a.txt", []s3op.Operation{get}},
	{"part_number", "1", []s3op.Operation{get, head, part, partCopy}},
	{"range", "bytes=0-9", []s3op.Operation{get, head}},
	{"if_match", `"etag"`, append([]s3op.Operation{get, head, del}, once...)},
	{"if_none_match", `"etag"`, append([]s3op.Operation{get, head}, once...)},
	{"if_modified_since", "2026-11-23T08:00:00Z", []s3op.Operation{get, head}},
	{"if_unmodified_since", "2026-11-23T08:00:00Z", []s3op.Operation{get, head}},
	{"checksum_mode", "ENABLED", []s3op.Operation{get, head}},

	{"mfa", "20899872 301749", []s3op.Operation{del}},
	{"bypass_governance_retention", "true", []s3op.Operation{del}},

	{"content_type", "text/plain", stored},
	{"content_length", "5", []s3op.Operation{put, part}},
	{"content_md5", "1B2M2Y8AsgTpgAmY7PhCfg==", []s3op.Operation{put, part, setTags}},
	{"content_encoding", "gzip", stored},
	{"content_language", "de", object},
	{"content_disposition", "inline", stored},
	{"cache_control", "no-store", stored},
	{"expires", "2026-11-23T08:00:00Z", stored},
	{"metadata", "value", stored},
	{"tagging", "a=b&c=d", stored},
	{"storage_class", "GLACIER_IR", stored},
	{"acl", "private", stored},
	{"server_side_encryption", "aws:kms", stored},
	{"ssekms_key_id", "alias/key", stored},
	{"ssekms_encryption_context", "e30=", stored},
	{"bucket_key_enabled", "true", stored},
	{"checksum_sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", sums},
	{"checksum_sha1", "2jmj7l5rSw0yVb/vlWAYkK/YBwk=", sums},
	{"checksum_crc32", "AAAAAA==", sums},
	{"checksum_crc32c", "AAAAAA==", sums},
	{"checksum_crc64nvme", "AAAAAAAAAAA=", sums},
	{"website_redirect_location", "/elsewhere", stored},
	{"object_lock_mode", "GOVERNANCE", stored},
	{"object_lock_legal_hold_status", "ON", stored},
	{"object_lock_retain_until_date", "2026-11-23T08:00:00Z", stored},
	{"create_only", "true", once},

	{"upload_id", "VXBsb2FkIElE", []s3op.Operation{part, complete, abort, parts, partCopy, upload}},
	{"part_numbers", "1,2", []s3op.Operation{part, partCopy, upload}},

	{"checksum_algorithm", "SHA256", []s3op.Operation{create, copies, upload}},
	{"checksum_type", "FULL_OBJECT", []s3op.Operation{create, complete, upload}},
	{"mpu_object_size", "0", []s3op.Operation{complete}},
	{"max_parts", "1000", []s3op.Operation{parts}},
	{"part_number_marker", "0", []s3op.Operation{parts}},
	{"size", "0", []s3op.Operation{upload}},
	{"part_size", "5242880", []s3op.Operation{upload}},
	{"resume", "true", []s3op.Operation{upload}},

	{"copy_source", "photos/a b.jpg", both},
	{"copy_source_version_id", "null", both},
	{"copy_source_if_match", `"etag"`, both},
	{"copy_source_if_modified_since", "2026-11-23T08:00:00Z", both},
	{"copy_source_if_none_match", `"etag"`, both},
	{"copy_source_if_unmodified_since", "2026-11-23T08:00:00Z", both},
	{"copy_source_range", "bytes=0-9", []s3op.Operation{partCopy}},
	{"copy_source_sse_customer_algorithm", "AES256", both},
	{"copy_source_sse_customer_key", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", both},
	{"copy_source_sse_customer_key_md5", "KYvwGXoFFJ42a2u2GDWhwQ==", both},
	{"expected_source_bucket_owner", "123456789012", both},
	{"metadata_directive", "REPLACE", []s3op.Operation{copies}},
	{"tagging_directive", "REPLACE", []s3op.Operation{copies}},

	{"object_attributes", "ETag,ObjectSize", []s3op.Operation{attrs}},

	{"delimiter", "/", []s3op.Operation{list}},
	{"encoding_type", "url", []s3op.Operation{list}},
	{"fetch_owner", "true", []s3op.Operation{list}},
	{"max_keys", "1000", []s3op.Operation{list}},
	{"start_after", "a.jpg", []s3op.Operation{list}},
	{"continuation_token", "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=", []s3op.Operation{list}},
	{"optional_object_attributes", "RestoreStatus", []s3op.Operation{list}},

	{"content_length_range", "0,10485760", []s3op.Operation{post}},
	{"content_type_starts_with", "image/", []s3op.Operation{post}},
	{"key_starts_with", "true", []s3op.Operation{post}},
	{"success_action_status", "201", []s3op.Operation{post}},
	{"success_action_redirect", "https://example.com/done?a=b", []s3op.Operation{post}},
}

// Each operation has its options and no others, and says which it does not have.
func TestOptionsOfOperations(t *testing.T) {
	for _, o := range contract {
		for _, op := range all {
			_, err := check(t, op, o.name, o.good)
			if has := slices.Contains(o.ops, op); has != (err == nil) {
				t.Errorf("%s of %s: %v, want it to be there: %v", o.name, op, err, has)
			}
			var refused *s3op.Error
			if err != nil && (!errors.As(err, &refused) || refused.Option != o.name || !strings.Contains(err.Error(), op.String())) {
				t.Errorf("%s of %s: the error names neither option nor operation: %v", o.name, op, err)
			}
		}
	}
	for _, grant := range []string{"grant_full_control", "grant_read", "grant_read_acp", "grant_write_acp"} {
		for _, op := range all {
			if _, err := check(t, op, grant, "id=1"); err == nil {
				t.Errorf("%s of %s is signed", grant, op)
			}
		}
	}
	for _, name := range []string{"", "Version_Id", "VersionId", "versionId", "x-amz-acl", "key", "body"} {
		if _, ok := s3op.Lookup(name); ok {
			t.Errorf("there is an option %q", name)
		}
	}
}

// What no option's value may hold.
func TestValuesNobodyTakes(t *testing.T) {
	for _, o := range contract {
		id, _ := s3op.Lookup(o.name)
		if id.Kind() == s3op.Boolean { // "true" and "false" are all there is
			continue
		}
		values := []string{"", "\r", "\n", "a\r\nX-Injected: b", "a\nb", o.good + "\n", "\n" + o.good, o.good + "\r"}
		if o.name == "copy_source" { // a key may have any of that, and is escaped
			values = []string{""}
		} else if id.IsHeader() {
			values = append(values, "ü", "a\u2028b", "\xff", "a\x00b", "\x7f", "a\x1bb", " ", "\t", " "+o.good, o.good+" ", o.good+"\t")
		}
		for _, value := range values {
			if _, err := check(t, o.ops[0], o.name, value); err == nil {
				t.Errorf("%s of %s: %q is taken", o.name, o.ops[0], value)
			} else if len(value) > 2 && strings.Contains(err.Error(), value) {
				t.Errorf("%s: the error repeats the value", o.name)
			}
		}
	}
}

// Values of one kind, what is signed for them, and what is refused.
func TestValues(t *testing.T) {
	const refused = "\x00"
	for _, test := range []struct {
		op                  s3op.Operation
		name, value, signed string
	}{
		// Whole values stay as they are.
		{put, "content_type", "text/plain;  charset=utf-8", "text/plain;  charset=utf-8"},
		{put, "metadata", "a\tb", "a\tb"},
		{put, "content_type", "~!@#$%^&*()_+|}{\":?><,./;'[]\\=-`", "~!@#$%^&*()_+|}{\":?><,./;'[]\\=-`"},
		{get, "version_id", "null", "null"},
		{get, "version_id", "a b+c%20ü", "a b+c%20ü"},

		// Times are RFC 3339, and go out as HTTP has them, in UTC.
		{get, "if_modified_since", "2026-11-23T08:00:00Z", "Mon, 23 Nov 2026 08:00:00 GMT"},
		{get, "if_modified_since", "2026-11-23T08:00:00.999Z", "Mon, 23 Nov 2026 08:00:00 GMT"},
		{get, "if_modified_since", "2026-11-23T00:30:00+01:00", "Sun, 22 Nov 2026 23:30:00 GMT"},
		{get, "response_expires", "1994-11-06T08:49:37-00:00", "Sun, 06 Nov 1994 08:49:37 GMT"},
		{put, "expires", "2024-02-29T23:59:59Z", "Thu, 29 Feb 2024 23:59:59 GMT"},
		{put, "object_lock_retain_until_date", "2026-11-23T08:00:00.120Z", "2026-11-23T08:00:00.12Z"},
		{put, "object_lock_retain_until_date", "2026-11-23T09:00:00+01:00", "2026-11-23T08:00:00Z"},
		{get, "if_modified_since", "2026-11-23", refused},
		{get, "if_modified_since", "2026-11-23T08:00:00", refused},
		{get, "if_modified_since", "2026-11-23 08:00:00Z", refused},
		{get, "if_modified_since", "Mon, 23 Nov 2026 08:00:00 GMT", refused},
		{get, "if_modified_since", "1795420800", refused},
		{get, "if_modified_since", "2026-02-29T08:00:00Z", refused},
		{get, "if_modified_since", "2026-11-23T24:00:00Z", refused},
		{get, "if_modified_since", "2026-11-23T8:00:00Z", refused},
		{get, "if_modified_since", "2026-11-23T08:00:00,5Z", refused},   // RFC 3339 has no comma
		{get, "if_modified_since", "2026-11-23T08:00:00+0100", refused}, // nor zones without a colon
		{get, "if_modified_since", "2026-11-23T08:00:00+99:00", refused},
		{get, "if_modified_since", "0000-01-01T00:00:00Z", refused},
		{get, "if_modified_since", "9999-12-31T23:00:00-02:00", refused},

		// Part numbers are S3's.
		{get, "part_number", "1", "1"},
		{part, "part_number", "10000", "10000"},
		{part, "part_number", "0", refused},
		{part, "part_number", "-1", refused},
		{part, "part_number", "10001", refused},
		{part, "part_number", "99999999999999999999", refused},
		{part, "part_numbers", "3,1,2", "3,1,2"},
		{part, "part_numbers", "1,1,2,1", "1,2"},
		{part, "part_numbers", "", refused},
		{part, "part_numbers", "0", refused},
		{part, "part_numbers", "1,10001", refused},

		// The source of a copy is given as it is, and escaped as S3 reads it.
		{copies, "copy_source", "photos/a b.jpg", "photos/a%20b.jpg"},
		{copies, "copy_source", "/photos/a+b/ü?versionId=1%20.jpg", "photos/a%2Bb/%C3%BC%3FversionId%3D1%2520.jpg"},
		{copies, "copy_source", "photos//a", "photos//a"},
		{copies, "copy_source", "arn:aws:s3:eu-west-1:123456789012:accesspoint/ap/object/a/b", "arn%3Aaws%3As3%3Aeu-west-1%3A123456789012%3Aaccesspoint/ap/object/a/b"},
		{copies, "copy_source", "photos", refused},
		{copies, "copy_source", "photos/", refused},
		{copies, "copy_source", "//a", refused},
		{copies, "copy_source", "s3://photos/a", refused},
		{copies, "copy_source", "arn:aws:s3:eu-west-1:123456789012:accesspoint/ap", refused},
		{copies, "copy_source", "photos/" + strings.Repeat("a", 1025), refused},
		{copies, "metadata_directive", "replace", refused},
		{create, "checksum_algorithm", "MD5", refused},

		{post, "content_length_range", "0,0", "0,0"},
		{post, "content_length_range", "1,5368709120", "1,5368709120"},
		{post, "content_length_range", "1,5368709121", refused}, // a form takes 5 GiB
		{post, "content_length_range", "2,1", refused},
		{post, "content_length_range", "-1,1", refused},
		{post, "content_length_range", "1", refused},
		{post, "content_length_range", "1,2,3", refused},
		{post, "success_action_status", "200", "200"},
		{post, "success_action_status", "202", refused}, // S3 would answer 204
		{post, "success_action_redirect", "/done", refused},
		{post, "success_action_redirect", "javascript:alert(1)", refused},
		{list, "max_keys", "0", refused},
		{list, "max_keys", "1001", refused},
		{list, "encoding_type", "base64", refused},
		{attrs, "object_attributes", "ETag,etag", refused},
		{attrs, "object_attributes", "", refused},

		// An empty object's length pins it, too; a single PUT takes 5 GiB.
		{put, "content_length", "1", "1"},
		{put, "content_length", "5368709120", "5368709120"},
		{put, "content_length", "0", "0"},
		{part, "content_length", "0", "0"},
		{put, "content_length", "5368709121", refused},
		{put, "content_length", "-1", refused},
		{put, "content_length", "9223372036854775808", refused},
	} {
		got, err := check(t, test.op, test.name, test.value)
		switch {
		case test.signed == refused:
			if err == nil {
				t.Errorf("%s: %q is taken", test.name, test.value)
			}
		case err != nil:
			t.Errorf("%s: %q: %v", test.name, test.value, err)
		case got != test.signed:
			t.Errorf("%s: %q is signed as %q, want %q", test.name, test.value, got, test.signed)
		}
	}
}

// A file's name becomes a header that browsers read back as that name.
//
// https://www.rfc-editor.org/rfc/rfc6266
func TestFilename(t *testing.T) {
	for name, want := range map[string]string{
		"a.txt":           `attachment; filename="a.txt"; filename*=UTF-8''a.txt`,
		"a b.txt":         `attachment; filename="a b.txt"; filename*=UTF-8''a%20b.txt`,
		`say "hi".txt`:    `attachment; filename="say _hi_.txt"; filename*=UTF-8''say%20%22hi%22.txt`,
		`back\slash`:      `attachment; filename="back_slash"; filename*=UTF-8''back%5Cslash`,
		"50%.txt":         `attachment; filename="50_.txt"; filename*=UTF-8''50%25.txt`,
		"%41":             `attachment; filename="_41"; filename*=UTF-8''%2541`,
		"Grüße":           `attachment; filename="Gr__e"; filename*=UTF-8''Gr%C3%BC%C3%9Fe`,
		"日本.pdf":          `attachment; filename="__.pdf"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.pdf`,
		"😀":               `attachment; filename="_"; filename*=UTF-8''%F0%9F%98%80`,
		"a;b=c,d'e*f.txt": `attachment; filename="a;b=c,d'e*f.txt"; filename*=UTF-8''a%3Bb%3Dc%2Cd%27e%2Af.txt`,
		"a/b.txt":         `attachment; filename="a_b.txt"; filename*=UTF-8''a%2Fb.txt`,
	} {
		got, err := check(t, get, "filename", name)
		if err != nil || got != want {
			t.Errorf("%q:\n got %s (error %v)\nwant %s", name, got, err, want)
		}
		if _, parameters, err := mime.ParseMediaType(got); err != nil || parameters["filename"] != name {
			t.Errorf("%q is read back as %q (error %v)", name, parameters["filename"], err)
		}
	}
	for _, name := range []string{"", "a\nb", "a\rb", "a\x00b", "a\x7fb", "a\tb", strings.Repeat("a", 1025)} {
		if _, err := check(t, get, "filename", name); err == nil {
			t.Errorf("%.10q is taken", name)
		}
	}
}

func FuzzFilename(f *testing.F) {
	for _, s := range []string{"a.txt", `"`, "%", "ü", "😀", "a'b", " ", ".", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		value, err := check(t, get, "filename", name)
		if err != nil || !utf8.ValidString(name) { // strictjson lets no other in
			return
		}
		for _, c := range []byte(value) {
			if c < ' ' || c > '~' {
				t.Fatalf("the header has byte %#x", c)
			}
		}
		disposition, parameters, err := mime.ParseMediaType(value)
		if err != nil || disposition != "attachment" || parameters["filename"] != name {
			t.Errorf("%q is read back as %q (error %v)", name, parameters["filename"], err)
		}
	})
}

func TestMetadataNames(t *testing.T) {
	id, _ := s3op.Lookup("metadata")
	entry := func(name string) s3op.Option { return s3op.Option{ID: id, Name: name, Value: "v"} }
	for _, name := range []string{"", "a b", "a:b", "a\nb", "ü", "a\x00", "a/b", "a,b", "a(b", `a"b`, "a=b", "a\x7f"} {
		if err := put.Check([]s3op.Option{entry(name)}); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
	options := []s3op.Option{entry("Zebra"), entry("ant"), entry("Bee"), entry("a-1_~.")}
	s3op.Sort(options)
	if err := put.Check(options); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range options {
		names = append(names, o.WireName())
	}
	want := []string{"x-amz-meta-a-1_~.", "x-amz-meta-ant", "x-amz-meta-bee", "x-amz-meta-zebra"}
	if d := cmp.Diff(want, names); d != "" {
		t.Errorf("headers (-want +got):\n%s", d)
	}
	twice := []s3op.Option{entry("Name"), entry("name")}
	s3op.Sort(twice)
	if err := put.Check(twice); err == nil {
		t.Error("two names that differ in case are taken")
	}
}

// Options that stand for others, and those that contradict each other.
func TestSettle(t *testing.T) {
	type given map[string]string
	for _, test := range []struct {
		op      s3op.Operation
		options given
		want    given // nil: refused
	}{
		{put, given{}, given{}},
		{put, given{"create_only": "true"}, given{"if_none_match": "*"}},
		{put, given{"create_only": "false"}, given{}},
		{put, given{"create_only": "true", "if_none_match": "*"}, given{"if_none_match": "*"}},
		{put, given{"create_only": "false", "if_match": `"e"`}, given{"if_match": `"e"`}},
		{put, given{"create_only": "true", "if_none_match": `"e"`}, nil},
		{put, given{"create_only": "false", "if_none_match": "*"}, nil},
		{get, given{"filename": "a"}, given{"response_content_disposition": `attachment; filename="a"; filename*=UTF-8''a`}},
		{get, given{"filename": "a", "response_content_disposition": "inline"}, nil},
		{part, given{"part_number": "1", "part_numbers": "1"}, nil},
		{copies, given{"copy_source": "b/k", "copy_source_version_id": "a b"}, given{"copy_source": "b/k?versionId=a%20b"}},
		{copies, given{"copy_source_version_id": "a"}, nil},
		{post, given{"content_type": "image/png", "content_type_starts_with": "image/"}, nil},
		{part, given{"part_numbers": "2,1"}, given{"part_numbers": "2,1"}},
		{put, given{"content_type": strings.Repeat("a", 5000), "cache_control": strings.Repeat("b", 5000)}, nil}, // S3 takes 8 KB
	} {
		var options []s3op.Option
		for name, value := range test.options {
			options = append(options, option(t, name, value))
		}
		s3op.Sort(options)
		if err := test.op.Check(options); err != nil {
			t.Errorf("%v: %v", test.options, err)
			continue
		}
		settled, err := test.op.Settle(options)
		if (err == nil) != (test.want != nil) {
			t.Errorf("%.80v: %v", test.options, err)
			continue
		}
		if err != nil {
			continue
		}
		got := given{}
		for _, o := range settled {
			got[o.ID.String()] = o.Value
		}
		if d := cmp.Diff(test.want, got); d != "" {
			t.Errorf("%v (-want +got):\n%s", test.options, d)
		}
	}
}

// S3 takes 2 KB of metadata, names and values together.
func TestSettleMetadata(t *testing.T) {
	id, _ := s3op.Lookup("metadata")
	for size, ok := range map[int]bool{2048: true, 2049: false} {
		options := []s3op.Option{{ID: id, Name: "a", Value: strings.Repeat("v", 1000)}, {ID: id, Name: "bc", Value: strings.Repeat("v", size-1003)}}
		if _, err := put.Settle(options); (err == nil) != ok {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// An item's own option wins over the batch's, and a map is one option.
func TestMerge(t *testing.T) {
	id, _ := s3op.Lookup("metadata")
	meta := func(name, value string) s3op.Option { return s3op.Option{ID: id, Name: name, Value: value} }
	batch := []s3op.Option{option(t, "content_type", "a"), option(t, "acl", "private"), meta("a", "1"), meta("b", "2")}
	item := []s3op.Option{option(t, "content_type", "b"), meta("c", "3"), option(t, "tagging", "t")}
	s3op.Sort(batch)
	s3op.Sort(item)
	want := []s3op.Option{option(t, "content_type", "b"), option(t, "acl", "private"), meta("c", "3"), option(t, "tagging", "t")}
	s3op.Sort(want)
	got := s3op.Merge(nil, batch, item)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff(batch, s3op.Merge(nil, batch, nil)); d != "" {
		t.Errorf("without an item's own (-want +got):\n%s", d)
	}
	if d := cmp.Diff(item, s3op.Merge(nil, nil, item)); d != "" {
		t.Errorf("without the batch's (-want +got):\n%s", d)
	}
}

func TestComplete(t *testing.T) {
	for _, test := range []struct {
		op      s3op.Operation
		options []string
		lacks   string
	}{
		{get, nil, ""}, {put, nil, ""}, {del, nil, ""}, {head, nil, ""},
		{part, nil, "upload_id"},
		{part, []string{"part_number"}, "upload_id"},
		{part, []string{"upload_id"}, "part_number"},
		{part, []string{"upload_id", "part_number"}, ""},
		{part, []string{"upload_id", "part_numbers"}, ""},
		{create, nil, ""}, {tags, nil, ""}, {setTags, nil, ""}, {list, nil, ""}, {bucket, nil, ""}, {restore, nil, ""}, {post, nil, ""},
		{complete, nil, "upload_id"}, {complete, []string{"upload_id"}, ""},
		{abort, nil, "upload_id"}, {abort, []string{"upload_id"}, ""},
		{parts, nil, "upload_id"}, {parts, []string{"upload_id"}, ""},
		{copies, nil, "copy_source"}, {copies, []string{"copy_source"}, ""},
		{partCopy, []string{"copy_source"}, "upload_id"},
		{partCopy, []string{"copy_source", "upload_id"}, "part_number"},
		{partCopy, []string{"part_number", "upload_id"}, "copy_source"},
		{partCopy, []string{"copy_source", "part_numbers", "upload_id"}, ""},
		{attrs, nil, "object_attributes"}, {attrs, []string{"object_attributes"}, ""},
		{upload, nil, "size"}, {upload, []string{"size"}, ""},
	} {
		var options []s3op.Option
		for _, name := range test.options {
			options = append(options, option(t, name, "1"))
		}
		s3op.Sort(options)
		err := test.op.Complete(options)
		if (err == nil) != (test.lacks == "") || err != nil && !strings.Contains(err.Error(), test.lacks) {
			t.Errorf("%s with %v: %v, want a word about %q", test.op, test.options, err, test.lacks)
		}
	}
}

// What S3 tells an operation by; where it needs nothing, what aws-sdk-go-v2's serialisers
// add all the same.
var parameters = map[s3op.Operation]sigv4.Parameter{
	get: {Name: "x-id", Value: "GetObject"}, put: {Name: "x-id", Value: "PutObject"}, del: {Name: "x-id", Value: "DeleteObject"},
	part: {Name: "x-id", Value: "UploadPart"}, abort: {Name: "x-id", Value: "AbortMultipartUpload"}, parts: {Name: "x-id", Value: "ListParts"},
	copies: {Name: "x-id", Value: "CopyObject"}, partCopy: {Name: "x-id", Value: "UploadPartCopy"},
	create: {Name: "uploads"}, attrs: {Name: "attributes"}, tags: {Name: "tagging"}, setTags: {Name: "tagging"},
	restore: {Name: "restore"}, list: {Name: "list-type", Value: "2"},
}

// excluded are options that go with no other: one checksum, one encryption, one condition.
func excluded(op s3op.Operation, name string) bool {
	switch name {
	case "checksum_sha1", "checksum_crc32", "checksum_crc32c", "checksum_crc64nvme", "create_only":
		return true
	case "server_side_encryption", "ssekms_key_id", "ssekms_encryption_context":
		return op.Has(sseKey)
	}
	return false
}

var sseKey, _ = s3op.Lookup("sse_customer_key")

// Every option of every operation at once is written in the order in which it is
// signed.
func TestFillIsSorted(t *testing.T) {
	for _, op := range all {
		var options []s3op.Option
		for _, o := range contract {
			if slices.Contains(o.ops, op) && !excluded(op, o.name) && (o.name != "part_numbers" || op == upload) && o.name != "content_type_starts_with" && o.name != "response_content_disposition" && o.name != "if_none_match" {
				options = append(options, option(t, o.name, o.good))
			}
		}
		s3op.Sort(options)
		if err := op.Check(options); err != nil {
			t.Fatalf("%s: %v", op, err)
		}
		settled, err := op.Settle(options)
		if err != nil {
			t.Fatalf("%s: %v", op, err)
		}
		var r sigv4.Request
		op.Fill(&r, settled, "")
		if r.Method != op.Method() {
			t.Errorf("%s: method %s", op, r.Method)
		}
		for what, list := range map[string][]sigv4.Parameter{"query": r.Query, "headers": r.Headers} {
			var names []string
			for _, p := range list {
				names = append(names, p.Name)
			}
			if !slices.IsSorted(names) || len(slices.Compact(names)) != len(list) {
				t.Errorf("%s: %s is not sorted, or has a name twice: %v", op, what, names)
			}
		}
		if tells, ok := parameters[op]; ok && !slices.Contains(r.Query, tells) {
			t.Errorf("%s: its URL lacks %s", op, tells.Name)
		}
	}
}

func TestParseOperation(t *testing.T) {
	for name, want := range map[string]s3op.Operation{
		"GetObject": get, "HeadObject": head, "PutObject": put, "DeleteObject": del, "UploadPart": part,
		"GET": get, "HEAD": head, "PUT": put, "DELETE": del,
		"CreateMultipartUpload": create, "CompleteMultipartUpload": complete, "AbortMultipartUpload": abort, "ListParts": parts,
		"CopyObject": copies, "UploadPartCopy": partCopy, "GetObjectAttributes": attrs, "GetObjectTagging": tags,
		"PutObjectTagging": setTags, "ListObjectsV2": list, "HeadBucket": bucket, "RestoreObject": restore,
		"PostObject": post, "MultipartUpload": upload,
	} {
		if got, ok := s3op.ParseOperation(name); !ok || got != want {
			t.Errorf("%s: %v, %v", name, got, ok)
		}
		if !strings.Contains(s3op.Names(), name) {
			t.Errorf("the list of names lacks %s", name)
		}
	}
	// Any case, and boto3's names of its methods.
	for name, want := range map[string]s3op.Operation{
		"get": get, "Get": get, "getobject": get, "get_object": get, "GETOBJECT": get, "put_object": put, "delete": del,
		"list_objects_v2": list, "create_multipart_upload": create, "upload_part_copy": partCopy,
	} {
		if got, ok := s3op.ParseOperation(name); !ok || got != want {
			t.Errorf("%s: %v, %v", name, got, ok)
		}
	}
	for _, name := range []string{"", "_", "fetch", "POST", "post", "CopyPart", "UploadPart ", "ListObjects"} {
		if got, ok := s3op.ParseOperation(name); ok {
			t.Errorf("%q is read as %s", name, fmt.Sprint(got))
		}
	}
}

// What was escaped for S3 is found again for who judges it.
func TestCopySource(t *testing.T) {
	for source, want := range map[string][2]string{
		"photos/a b.jpg":         {"photos", "a b.jpg"},
		"/photos/a/ü?versionId=": {"photos", "a/ü?versionId="},
		"photos//a%2F":           {"photos", "/a%2F"},
		"arn:aws:s3:eu-west-1:123456789012:accesspoint/ap/object/a/object/b": {"arn:aws:s3:eu-west-1:123456789012:accesspoint/ap", "a/object/b"},
	} {
		options := []s3op.Option{option(t, "copy_source", source), option(t, "copy_source_version_id", "v?/")}
		if err := copies.Check(options); err != nil {
			t.Fatal(err)
		}
		settled, err := copies.Settle(options)
		if err != nil {
			t.Fatal(err)
		}
		if bucket, key, ok := s3op.CopySource(settled); !ok || [2]string{bucket, key} != want {
			t.Errorf("%s: %q, %q (%v)", source, bucket, key, ok)
		}
	}
	if _, _, ok := s3op.CopySource(nil); ok {
		t.Error("nothing has a source")
	}
}

// A listing has its prefix at its place among the parameters.
func TestFillPrefix(t *testing.T) {
	for _, test := range []struct {
		op        s3op.Operation
		key, want string
	}{
		{list, "a/b", "list-type=2 max-keys=5 prefix=a/b start-after=x"},
		{list, "", "list-type=2 max-keys=5 start-after=x"},
		{bucket, "", ""},
	} {
		var r sigv4.Request
		var options []s3op.Option
		if test.op == list {
			options = []s3op.Option{option(t, "max_keys", "5"), option(t, "start_after", "x")}
		}
		test.op.Fill(&r, options, "")
		test.op.FillPrefix(&r, test.key)
		var query []string
		for _, p := range r.Query {
			query = append(query, p.Name+"="+p.Value)
		}
		if got := strings.Join(query, " "); got != test.want {
			t.Errorf("%s: query %q", test.op, got)
		}
	}
}

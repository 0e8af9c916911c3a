package s3op_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"bulkpresign/internal/s3op"
)

const (
	key32    = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=" // of 01234567890123456789012345678901
	emptyMD5 = "1B2M2Y8AsgTpgAmY7PhCfg=="
	sha256   = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	tomorrow = "2026-11-24T08:00:00Z"
)

// Texts that S3 refuses, or takes no notice of, though they can be signed; what the message
// says in each case is what to write instead.
func TestValuesThatS3Refuses(t *testing.T) {
	for _, test := range []struct {
		op          s3op.Operation
		name, value string
		says        string // "" when it is taken
	}{
		// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
		{put, "checksum_sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "hexadecimal"}, // sha256sum prints it
		{put, "checksum_sha256", "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=", "base64 of 32"},
		{put, "checksum_sha256", "AAAAAA==", "32 bytes"},
		{put, "checksum_sha1", sha256, "20 bytes"},
		{put, "checksum_crc32", "00000000", "hexadecimal"},
		{put, "checksum_crc32c", "0", "4 bytes"},
		{put, "checksum_crc64nvme", "AAAAAA==", "8 bytes"},
		{complete, "checksum_sha256", sha256 + "-3", ""}, // of three parts
		{complete, "checksum_sha256", sha256 + "-0", "number of parts"},
		{put, "content_md5", "d41d8cd98f00b204e9800998ecf8427e", "hexadecimal"},
		{setTags, "content_md5", "x", "16 bytes"},

		// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
		{get, "sse_customer_key", "01234567890123456789012345678901", "write the base64"}, // as boto3 takes it
		{get, "sse_customer_key", "3031323334353637383930313233343536373839303132333435363738393031", "hexadecimal"},
		{get, "sse_customer_key", "MDEyMzQ1Njc4OWFiY2RlZg==", "32 bytes"},
		{get, "sse_customer_algorithm", "aws:kms", `"AES256"`},
		{get, "sse_customer_algorithm", "aes256", `"AES256"`},
		{copies, "copy_source_sse_customer_key", "x", "32 bytes"},

		// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
		{put, "ssekms_encryption_context", "eyJwcm9qZWN0IjoieCJ9", ""},
		{put, "ssekms_encryption_context", `{"team":"archive"}`, "base64 of a JSON object"},
		{put, "ssekms_encryption_context", "eyJhIjoxfQ==", "of strings"}, // {"a":1}
		{put, "ssekms_encryption_context", "eyJhIjpudWxsfQ==", "of strings"},
		{put, "ssekms_encryption_context", "bnVsbA==", "of strings"}, // null
		{put, "ssekms_encryption_context", "W10=", "of strings"},     // []
		{put, "server_side_encryption", "AES-256", `"AES256"`},
		{put, "server_side_encryption", "aes256", `"AES256"`},
		{put, "server_side_encryption", "AWS:KMS", `"aws:kms"`},
		{put, "storage_class", "standard_ia", `"STANDARD_IA"`},
		{put, "storage_class", "GLACIER-IR", `"GLACIER_IR"`},
		{put, "acl", "PublicRead", `"public-read"`},
		{put, "object_lock_mode", "governance", `"GOVERNANCE"`},
		{put, "object_lock_legal_hold_status", "on", `"ON"`},
		{get, "request_payer", "Requester", `"requester"`},
		{get, "checksum_mode", "enabled", `"ENABLED"`},

		// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
		{put, "tagging", "a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9&j=10", ""},
		{put, "tagging", "a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9&j=10&k=11", "10 tags"},
		{put, "tagging", "a=1&a=2", "twice"},
		{put, "tagging", "a=1&%61=2", "twice"},
		{put, "tagging", "a&b=", ""},
		{put, "tagging", "a=1&", "parameters of a URL"},
		{put, "tagging", "=1", "parameters of a URL"},
		{put, "tagging", "a=%zz", "parameters of a URL"},
		{put, "tagging", "a=%ff", "parameters of a URL"},
		{put, "tagging", `{"a":"%"}`, "parameters of a URL"},
		{put, "tagging", "aws%3Ax=1", "aws:"},
		{put, "tagging", strings.Repeat("k", 128) + "=" + strings.Repeat("v", 256), ""},
		{put, "tagging", strings.Repeat("k", 129) + "=v", "128"},
		{put, "tagging", "k=" + strings.Repeat("v", 257), "256"},

		// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
		{get, "range", "bytes=0-9", ""},
		{get, "range", "bytes=5-", ""},
		{get, "range", "bytes=-5", ""},
		{get, "range", "0-9", "bytes=0-9"}, // S3 would answer with the whole object
		{get, "range", "bytes 0-9", "bytes=0-9"},
		{get, "range", "bytes=0-9,20-29", "one range"},
		{get, "range", "bytes=-", "one range"},
		{get, "range", "bytes=9-0", "before it begins"},
		{head, "range", "bytes=a-b", "one range"},
		{partCopy, "copy_source_range", "bytes=5-", "first and last"},
		{partCopy, "copy_source_range", "bytes=9-0", "before it begins"},

		// S3 answers with what ISO-8859-1 has and refuses the rest (guardian/grid #1716, #1721; dataverse #4524).
		{get, "response_content_disposition", `inline; filename="über.txt"`, ""},
		{get, "response_content_type", "text/plain; title=ÿ", ""},
		{get, "response_content_disposition", `inline; filename="日本.txt"`, "filename"},
		{get, "response_content_disposition", `inline; filename="€.txt"`, "filename"},         // of Windows-1252, not of ISO-8859-1
		{get, "response_content_disposition", "inline; filename=\"u\u0308.txt\"", "filename"}, // ü in two characters
		{get, "response_cache_control", "a\u0085b", "control"},
		{put, "content_disposition", `inline; filename="über.txt"`, "outside ASCII"}, // a header that the client sends
	} {
		_, err := check(t, test.op, test.name, test.value)
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s of %s: %.60q: %v, want a word about %q", test.name, test.op, test.value, err, test.says)
		}
		if err != nil && strings.Contains(err.Error(), test.value) && len(test.value) > 9 {
			t.Errorf("%s: the error repeats the value", test.name)
		}
	}
}

// Options that S3 refuses together, or one without the other.
func TestOptionsThatS3Refuses(t *testing.T) {
	type given map[string]string
	for _, test := range []struct {
		op      s3op.Operation
		options given
		says    string // "" when they are taken
	}{
		{put, given{"if_none_match": "*"}, ""},
		{put, given{"if_none_match": `"e"`}, `"*"`},
		{complete, given{"if_none_match": `"e"`, "upload_id": "u"}, `"*"`},
		{get, given{"if_none_match": `"e"`}, ""},
		{put, given{"create_only": "true", "if_match": `"e"`}, "exclude"},
		{put, given{"if_none_match": "*", "if_match": `"e"`}, "exclude"},
		{get, given{"if_none_match": "*", "if_match": `"e"`}, ""},

		{put, given{"checksum_sha256": sha256, "content_md5": emptyMD5}, ""},
		{put, given{"checksum_sha256": sha256, "checksum_crc32": "AAAAAA=="}, "one checksum"},
		{part, given{"checksum_sha1": "2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "checksum_crc32": "AAAAAA=="}, "one checksum"},
		{put, given{"checksum_sha256": sha256 + "-3"}, "CompleteMultipartUpload"},

		{get, given{"sse_customer_algorithm": "AES256"}, "sse_customer_key"},
		{get, given{"sse_customer_key": key32}, "sse_customer_algorithm"},
		{get, given{"sse_customer_algorithm": "AES256", "sse_customer_key_md5": emptyMD5}, "sse_customer_key"},
		{get, given{"sse_customer_algorithm": "AES256", "sse_customer_key": key32, "sse_customer_key_md5": emptyMD5}, "not the MD5"},
		{copies, given{"copy_source": "b/k", "copy_source_sse_customer_algorithm": "AES256"}, "copy_source_sse_customer_key"},
		{put, given{"server_side_encryption": "aws:kms", "ssekms_key_id": "alias/key"}, ""},
		{put, given{"server_side_encryption": "AES256", "ssekms_key_id": "alias/key"}, "aws:kms"},
		{put, given{"ssekms_key_id": "alias/key"}, "server_side_encryption"},
		{put, given{"server_side_encryption": "AES256", "ssekms_encryption_context": "e30="}, "aws:kms"},
		{put, given{"ssekms_encryption_context": "e30="}, "server_side_encryption"},
		{put, given{"server_side_encryption": "AES256", "sse_customer_algorithm": "AES256", "sse_customer_key": key32}, "exclude"},

		{put, given{"object_lock_mode": "GOVERNANCE", "object_lock_retain_until_date": tomorrow, "content_md5": emptyMD5}, ""},
		{put, given{"object_lock_mode": "GOVERNANCE", "object_lock_retain_until_date": tomorrow, "checksum_crc32": "AAAAAA=="}, ""},
		{create, given{"object_lock_mode": "GOVERNANCE", "object_lock_retain_until_date": tomorrow}, ""}, // has no body
		{put, given{"object_lock_mode": "GOVERNANCE", "object_lock_retain_until_date": tomorrow}, "content_md5"},
		{put, given{"object_lock_legal_hold_status": "ON"}, "content_md5"},
		{put, given{"object_lock_mode": "GOVERNANCE", "content_md5": emptyMD5}, "object_lock_retain_until_date"},
		{put, given{"object_lock_retain_until_date": tomorrow, "content_md5": emptyMD5}, "object_lock_mode"},
	} {
		_, err := settle(t, test.op, test.options)
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s with %v: %v, want a word about %q", test.op, test.options, err, test.says)
		}
	}
}

func settle(t *testing.T, op s3op.Operation, given map[string]string) ([]s3op.Option, error) {
	t.Helper()
	var options []s3op.Option
	for name, value := range given {
		options = append(options, option(t, name, value))
	}
	s3op.Sort(options)
	if err := op.Check(options); err != nil {
		t.Fatalf("%v: %v", given, err)
	}
	settled, err := op.Settle(options)
	if err != nil {
		return nil, err
	}
	return settled, op.Complete(settled)
}

// boto3 derives the MD5 of a key of SSE-C, and so do we, in its place among the headers.
func TestDerivedMD5(t *testing.T) {
	settled, err := settle(t, copies, map[string]string{
		"copy_source":            "b/k",
		"sse_customer_algorithm": "AES256", "sse_customer_key": key32,
		"copy_source_sse_customer_algorithm": "AES256", "copy_source_sse_customer_key": key32,
		"tagging": "a=b",
	})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range settled {
		names = append(names, o.ID.String())
		if strings.HasSuffix(o.ID.String(), "md5") && o.Value != "KYvwGXoFFJ42a2u2GDWhwQ==" {
			t.Errorf("%s: not the MD5 of the key", o.ID)
		}
	}
	const want = "copy_source copy_source_sse_customer_algorithm copy_source_sse_customer_key copy_source_sse_customer_key_md5 " +
		"sse_customer_algorithm sse_customer_key sse_customer_key_md5 tagging"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("settled %s", got)
	}
}

// A lock that is over is none.
func TestCheckTime(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	for date, over := range map[string]bool{
		"2026-11-23T08:00:00Z": true, "2026-11-23T08:00:00.001Z": false, "2026-11-23T08:59:59+01:00": true, tomorrow: false, "1999-01-01T00:00:00Z": true,
	} {
		settled, err := settle(t, put, map[string]string{"object_lock_mode": "GOVERNANCE", "object_lock_retain_until_date": date, "content_md5": emptyMD5})
		if err != nil {
			t.Fatal(err)
		}
		if err := s3op.CheckTime(settled, now); (err != nil) != over {
			t.Errorf("%s: %v", date, err)
		}
	}
}

// The names that the SDK knows are taken without a word, and new ones with a warning.
func TestWarning(t *testing.T) {
	names := map[string][]string{}
	add := func(option string, values ...string) { names[option] = append(names[option], values...) }
	for _, v := range types.ObjectCannedACL("").Values() {
		add("acl", string(v))
	}
	for _, v := range types.StorageClass("").Values() {
		add("storage_class", string(v))
	}
	for _, v := range types.ServerSideEncryption("").Values() {
		add("server_side_encryption", string(v))
	}
	for _, v := range types.ObjectLockMode("").Values() {
		add("object_lock_mode", string(v))
	}
	for _, v := range types.ObjectLockLegalHoldStatus("").Values() {
		add("object_lock_legal_hold_status", string(v))
	}
	for name, values := range names {
		for _, value := range values {
			o := option(t, name, value)
			if err := put.Check([]s3op.Option{o}); err != nil || s3op.Warning([]s3op.Option{o}) != "" {
				t.Errorf("%s %q: %v, %q", name, value, err, s3op.Warning([]s3op.Option{o}))
			}
		}
		o := option(t, name, "new-in-2027")
		if err := put.Check([]s3op.Option{o}); err != nil || !strings.Contains(s3op.Warning([]s3op.Option{o}), name) {
			t.Errorf("%s: a new name: %v, %q", name, err, s3op.Warning([]s3op.Option{o}))
		}
	}
	if w := s3op.Warning([]s3op.Option{option(t, "content_type", "x")}); w != "" {
		t.Errorf("a warning of nothing: %s", w)
	}
}

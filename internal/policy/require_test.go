package policy_test

import (
	"testing"

	"bulkpresign/internal/s3op"
)

// What a rule requires of a PutObject it requires of every other way to the same object: a
// form, an upload in parts, a copy, tags that come later. Each row is a rule's requirement,
// an operation and its options, and whether that may be signed.
func TestRequireAtEveryDoor(t *testing.T) {
	const (
		put      = s3op.PutObject
		part     = s3op.UploadPart
		create   = s3op.CreateMultipartUpload
		complete = s3op.CompleteMultipartUpload
		copies   = s3op.CopyObject
		partCopy = s3op.UploadPartCopy
		setTags  = s3op.PutObjectTagging
		post     = s3op.PostObject
		upload   = s3op.MultipartUpload
	)
	o := options
	source := []string{"copy_source", "photos/a"}
	from := func(kv ...string) []s3op.Option { return options(append(kv, source...)...) }
	for _, test := range []struct {
		require string
		op      s3op.Operation
		given   []s3op.Option
		want    bool
	}{
		// A type.
		{`"content_type":"image/*"`, put, o("content_type", "image/png"), true},
		{`"content_type":"image/*"`, put, nil, false},
		{`"content_type":"image/*"`, create, o("content_type", "image/png"), true},
		{`"content_type":"image/*"`, create, o("content_type", "text/html"), false},
		{`"content_type":"image/*"`, create, nil, false},
		{`"content_type":"image/*"`, upload, o("content_type", "image/png", "size", "5"), true},
		{`"content_type":"image/*"`, upload, o("size", "5"), false},
		{`"content_type":"image/*"`, post, o("content_type", "image/png"), true},
		{`"content_type":"image/*"`, post, o("content_type", "text/html"), false},
		{`"content_type":"image/*"`, post, nil, false},
		{`"content_type":"image/*"`, post, o("content_type_starts_with", "image/"), true},
		{`"content_type":"image/*"`, post, o("content_type_starts_with", "image/svg"), true},
		{`"content_type":"image/*"`, post, o("content_type_starts_with", "im"), false}, // wider than the rule
		{`"content_type":"image/png"`, post, o("content_type_starts_with", "image/png"), false},
		{`"content_type":true`, post, o("content_type_starts_with", "i"), true},
		{`"content_type":"image/*"`, copies, from("content_type", "image/png", "metadata_directive", "REPLACE"), true},
		{`"content_type":"image/*"`, copies, from("content_type", "image/png"), false}, // S3 takes the source's
		{`"content_type":"image/*"`, copies, from("content_type", "image/png", "metadata_directive", "COPY"), false},
		{`"content_type":"image/*"`, copies, from("metadata_directive", "REPLACE"), false},
		{`"content_type":"image/*"`, part, o("part_number", "1", "upload_id", "u"), true}, // its CreateMultipartUpload had it
		{`"content_type":"image/*"`, complete, o("upload_id", "u"), true},
		{`"content_type":"image/*"`, s3op.GetObject, nil, true},

		// A size.
		{`"content_length":{"max":5}`, put, o("content_length", "5"), true},
		{`"content_length":{"max":5}`, put, o("content_length", "6"), false},
		{`"content_length":{"max":5}`, post, o("content_length_range", "0,5"), true},
		{`"content_length":{"max":5}`, post, o("content_length_range", "0,6"), false},
		{`"content_length":{"max":5}`, post, nil, false},
		{`"content_length":true`, post, o("content_length_range", "0,6"), true},
		{`"content_length":true`, post, nil, false},
		{`"content_length":{"max":5}`, upload, o("size", "5"), true},
		{`"content_length":{"max":5}`, upload, o("size", "6"), false},
		{`"content_length":{"max":5}`, part, o("part_number", "1", "upload_id", "u", "content_length", "5"), true},
		{`"content_length":{"max":5}`, part, o("part_number", "1", "upload_id", "u"), false},
		{`"content_length":{"max":5}`, create, nil, false}, // of as many parts as one likes
		{`"content_length":{"max":5}`, copies, from(), false},
		{`"content_length":{"max":5}`, partCopy, from("part_number", "1", "upload_id", "u"), false},
		{`"content_length_range":{"max":5}`, post, o("content_length_range", "0,5"), true},
		{`"content_length_range":{"max":5}`, post, o("content_length_range", "0,6"), false},
		{`"content_length_range":true`, post, nil, false},
		{`"content_length_range":true`, put, nil, true}, // only forms have it

		// A content.
		{`"checksum_sha256":true`, post, o("checksum_sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="), true},
		{`"checksum_sha256":true`, post, nil, false},
		{`"checksum_sha256":true`, create, o("checksum_algorithm", "SHA256"), false},
		{`"checksum_sha256":true`, upload, o("checksum_algorithm", "SHA256", "size", "5"), false},
		{`"checksum_sha256":true`, copies, from(), false},
		{`"checksum_sha256":true`, complete, o("upload_id", "u"), false},
		{`"content_md5":true`, post, nil, false},

		// Nothing overwritten.
		{`"create_only":true`, put, o("create_only", "true"), true},
		{`"create_only":true`, complete, o("upload_id", "u", "create_only", "true"), true},
		{`"create_only":true`, complete, o("upload_id", "u"), false},
		{`"create_only":true`, copies, from("if_none_match", "*"), true},
		{`"create_only":true`, copies, from(), false},
		{`"create_only":true`, upload, o("create_only", "true", "size", "5"), true},
		{`"create_only":true`, upload, o("size", "5"), false},
		{`"create_only":true`, create, nil, true}, // its end decides
		{`"create_only":true`, post, nil, false},  // S3 has no such condition for a form

		// Tags, which may also be set later.
		{`"tagging":"project=x"`, post, o("tagging", "project=x"), true},
		{`"tagging":"project=x"`, post, nil, false},
		{`"tagging":"project=x"`, create, o("tagging", "project=x"), true},
		{`"tagging":"project=x"`, copies, from("tagging", "project=x"), false},
		{`"tagging":"project=x"`, copies, from("tagging", "project=x", "tagging_directive", "REPLACE"), true},
		{`"tagging":"project=x"`, setTags, nil, false},
		{`"tagging":"project=x"`, s3op.GetObjectTagging, nil, true},

		// Where and how it is stored.
		{`"server_side_encryption":"aws:kms"`, create, o("server_side_encryption", "aws:kms"), true},
		{`"server_side_encryption":"aws:kms"`, create, nil, false},
		{`"server_side_encryption":"aws:kms"`, post, nil, false},
		{`"storage_class":"STANDARD"`, copies, from(), false},
		{`"storage_class":"STANDARD"`, copies, from("storage_class", "STANDARD"), true},
		{`"content_language":"de"`, post, nil, false}, // a form has no such field
		{`"expected_bucket_owner":"123456789012"`, post, nil, true},
		{`"expected_bucket_owner":"123456789012"`, create, nil, false},

		{`"max_keys":{"max":100}`, s3op.ListObjectsV2, o("max_keys", "100"), true},
		{`"max_keys":{"max":100}`, s3op.ListObjectsV2, nil, false},
	} {
		got := decide(t, allow(`"require":{`+test.require+`}`), ask{op: test.op, key: "a", batch: test.given})
		if (got == "r, 900 s") != test.want {
			t.Errorf("%s of %s with %v for the batch: %s", test.require, test.op, test.given, got)
		}
		if got := decide(t, allow(`"require":{`+test.require+`}`), ask{op: test.op, key: "a", own: test.given}); test.given != nil && (got == "r, 900 s") != test.want {
			t.Errorf("%s of %s with %v for the key: %s", test.require, test.op, test.given, got)
		}
	}
}

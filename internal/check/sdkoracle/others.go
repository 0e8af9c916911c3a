package sdkoracle

import (
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// others are operations of which the SDK's presigner knows none: its input types say which
// options there are, and another oracle what a URL looks like.
var others = map[string]operation{
	"AbortMultipartUpload":    membersOf[s3.AbortMultipartUploadInput](),
	"CompleteMultipartUpload": membersOf[s3.CompleteMultipartUploadInput](),
	"CopyObject":              membersOf[s3.CopyObjectInput](),
	"CreateMultipartUpload":   membersOf[s3.CreateMultipartUploadInput](),
	"GetObjectAttributes":     membersOf[s3.GetObjectAttributesInput](),
	"GetObjectTagging":        membersOf[s3.GetObjectTaggingInput](),
	"HeadBucket":              membersOf[s3.HeadBucketInput](),
	"ListObjectsV2":           membersOf[s3.ListObjectsV2Input](),
	"ListParts":               membersOf[s3.ListPartsInput](),
	"PutObjectTagging":        membersOf[s3.PutObjectTaggingInput](),
	"RestoreObject":           membersOf[s3.RestoreObjectInput](),
	"UploadPartCopy":          membersOf[s3.UploadPartCopyInput](),
}

// Others lists the operations that [GenerateOther] makes requests of, sorted. [Presign] does
// not know them, but for HeadBucket.
func Others() []string { return slices.Sorted(maps.Keys(others)) }

func membersOf[I any]() operation {
	fields := make(map[string]int)
	t := reflect.TypeFor[I]()
	for i := range t.NumField() {
		switch f := t.Field(i); f.Name {
		case "Bucket", "Key", "Body", "Prefix", // the item's key, or its place
			"MultipartUpload", "Tagging", "RestoreRequest": // bodies, or an option that CopyObject has as text
			if f.Type == reflect.TypeFor[*string]() && f.Name == "Tagging" {
				fields[snake(f.Name)] = i
			}
		default:
			if f.IsExported() {
				fields[snake(f.Name)] = i
			}
		}
	}
	return operation{input: t, fields: fields, members: slices.Sorted(maps.Keys(fields))}
}

// requiredOf has the options without which an operation is not signed.
var requiredOf = map[string][]string{
	"AbortMultipartUpload":    {"upload_id"},
	"CompleteMultipartUpload": {"upload_id"},
	"CopyObject":              {"copy_source"},
	"GetObjectAttributes":     {"object_attributes"},
	"ListParts":               {"upload_id"},
	"UploadPartCopy":          {"copy_source", "part_number", "upload_id"},
}

// leftOutOfOthers are members that the contract does not offer for some operations.
var leftOutOfOthers = map[string][]string{
	"AbortMultipartUpload":    {"if_match_initiated_time"}, // S3 Express only
	"CopyObject":              {"annotation_directive", "object_annotation_directive"},
	"GetObjectAttributes":     {"max_parts", "part_number_marker"}, // headers here, while ListParts has them as parameters
	"CreateMultipartUpload":   {},
	"CompleteMultipartUpload": {},
}

// OfferedOther is [Offered] for one of the [Others].
func OfferedOther(operation string) []string {
	return slices.DeleteFunc(slices.Clone(others[operation].members), func(name string) bool {
		offered := name == "checksum_algorithm" && (operation == "CopyObject" || operation == "CreateMultipartUpload")
		return LeftOut[name] != "" && !offered || slices.Contains(leftOutOfOthers[operation], name)
	})
}

// GenerateOther is [Generate] for one of the [Others], without requests that are refused.
// An array is a []string.
func GenerateOther(r *rand.Rand, operation string) Input {
	in := Input{
		Operation:       operation,
		Key:             key(r),
		Options:         make(map[string]any),
		ExpiresIn:       expiry(r),
		Time:            clock(r),
		AccessKeyID:     "AKIA" + text(r, upperDigits, 16),
		SecretAccessKey: text(r, base64Digits, 40),
	}
	if chance(r, 2) {
		in.SessionToken = text(r, base64Digits, 1+r.IntN(1000))
	}
	where(r, &in)
	if operation == "HeadBucket" {
		in.Key = ""
	}
	density := r.IntN(4)
	for _, name := range OfferedOther(operation) {
		if slices.Contains(requiredOf[operation], name) || r.IntN(8) < []int{0, 1, 4, 7}[density] {
			value := optionValues[name]
			if value == nil {
				value = otherValues[name]
			}
			in.Options[name] = value(r)
		}
	}
	consistent(r, &in)
	return in
}

// otherValues are optionValues of options that only the others have.
var otherValues = map[string]func(*rand.Rand) any{
	"checksum_algorithm":                 func(r *rand.Rand) any { return pick(r, []string{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"}) },
	"checksum_type":                      enum(types.ChecksumType("").Values()),
	"continuation_token":                 awkward,
	"copy_source":                        func(r *rand.Rand) any { return "source/" + text(r, printable, 20) },
	"copy_source_if_match":               etag,
	"copy_source_if_modified_since":      timestamp,
	"copy_source_if_none_match":          etag,
	"copy_source_if_unmodified_since":    timestamp,
	"copy_source_range":                  func(*rand.Rand) any { return "bytes=0-9" },
	"copy_source_sse_customer_algorithm": func(*rand.Rand) any { return "AES256" },
	"copy_source_sse_customer_key":       digest(32),
	"copy_source_sse_customer_key_md5":   digest(16),
	"delimiter":                          func(*rand.Rand) any { return "/" },
	"encoding_type":                      func(*rand.Rand) any { return "url" },
	"expected_source_bucket_owner":       func(r *rand.Rand) any { return text(r, digits, 12) },
	"fetch_owner":                        boolean,
	"max_keys":                           func(r *rand.Rand) any { return 1 + r.Int64N(1000) },
	"max_parts":                          func(r *rand.Rand) any { return 1 + r.Int64N(1000) },
	"metadata_directive":                 enum(types.MetadataDirective("").Values()),
	"mpu_object_size":                    func(r *rand.Rand) any { return r.Int64N(5 << 40) },
	"object_attributes":                  func(*rand.Rand) any { return []string{"ETag", "ObjectSize"} },
	"optional_object_attributes":         func(*rand.Rand) any { return []string{"RestoreStatus"} },
	"part_number_marker":                 func(r *rand.Rand) any { return r.Int64N(10_000) },
	"start_after":                        awkward,
	"tagging_directive":                  enum(types.TaggingDirective("").Values()),
}

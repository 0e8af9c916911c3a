package sdkoracle

import (
	"crypto/md5"
	"encoding/base64"
	"maps"
	"math/rand/v2"
	"time"
)

// Refusal is a request that the SDK signs though S3 always refuses it, or takes no notice of
// what it asks for; the document is S3's, and says so. They are the reviewed differences
// between the contract, which does not sign them, and the SDK.
type Refusal struct {
	Document  string
	Operation string
	Options   map[string]any
}

const (
	guide = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/"
	api   = "https://docs.aws.amazon.com/AmazonS3/latest/API/"

	keyOfZeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	md5OfEmpty = "1B2M2Y8AsgTpgAmY7PhCfg=="
	later      = "9000-01-01T00:00:00Z"
)

// Refusals are all of them, a row for each kind.
func Refusals() []Refusal {
	const customer, integrity, lock, conditional = guide + "ServerSideEncryptionCustomerKeys.html", guide + "checking-object-integrity.html", guide + "object-lock.html", guide + "conditional-writes.html"
	const put, get, tags, kms = api + "API_PutObject.html", api + "API_GetObject.html", guide + "object-tagging.html", guide + "specifying-kms-encryption.html"
	type m = map[string]any
	return []Refusal{
		{customer, "GetObject", m{"sse_customer_algorithm": "AES256"}},
		{customer, "HeadObject", m{"sse_customer_key": keyOfZeros}},
		{customer, "PutObject", m{"sse_customer_algorithm": "AES256", "sse_customer_key": "a key of 32 bytes, as it is here"}},
		{customer, "UploadPart", m{"sse_customer_algorithm": "AES256", "sse_customer_key": keyOfZeros, "sse_customer_key_md5": md5OfEmpty}},
		{customer, "GetObject", m{"sse_customer_algorithm": "aws:kms", "sse_customer_key": keyOfZeros}},
		{customer, "PutObject", m{"sse_customer_algorithm": "AES256", "sse_customer_key": keyOfZeros, "server_side_encryption": "AES256"}},
		{kms, "PutObject", m{"server_side_encryption": "aws:kms", "ssekms_encryption_context": "project=x"}},
		{kms, "PutObject", m{"server_side_encryption": "AES256", "ssekms_key_id": "alias/key"}},
		{kms, "PutObject", m{"ssekms_key_id": "alias/key"}},
		{put, "PutObject", m{"server_side_encryption": "AES-256"}},
		{put, "PutObject", m{"server_side_encryption": "aes256"}},
		{put, "PutObject", m{"storage_class": "standard_ia"}},
		{lock, "PutObject", m{"object_lock_mode": "GOVERNANCE", "content_md5": md5OfEmpty}},
		{lock, "PutObject", m{"object_lock_retain_until_date": later, "content_md5": md5OfEmpty}},
		{lock, "PutObject", m{"object_lock_mode": "GOVERNANCE", "object_lock_retain_until_date": "1999-01-01T00:00:00Z", "content_md5": md5OfEmpty}},
		{put, "PutObject", m{"object_lock_mode": "GOVERNANCE", "object_lock_retain_until_date": later}},
		{put, "PutObject", m{"object_lock_legal_hold_status": "ON"}},
		{integrity, "PutObject", m{"checksum_sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}},
		{integrity, "UploadPart", m{"checksum_crc32": "AAAA"}},
		{integrity, "PutObject", m{"content_md5": "d41d8cd98f00b204e9800998ecf8427e"}},
		{integrity, "PutObject", m{"checksum_crc32": "AAAAAA==", "checksum_crc32c": "AAAAAA=="}},
		{conditional, "PutObject", m{"if_none_match": `"etag"`}},
		{conditional, "PutObject", m{"if_none_match": "*", "if_match": `"etag"`}},
		{guide + "qfacts.html", "PutObject", m{"content_length": int64(5<<30 + 1)}},
		{guide + "qfacts.html", "UploadPart", m{"content_length": int64(5<<40 + 1)}},
		{tags, "PutObject", m{"tagging": "a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9&j=10&k=11"}},
		{tags, "PutObject", m{"tagging": "a=1&a=2"}},
		{tags, "PutObject", m{"tagging": "a=%zz"}},
		{get, "GetObject", m{"range": "0-9"}},
		{get, "HeadObject", m{"range": "bytes=0-9,20-29"}},
		{get, "GetObject", m{"response_content_disposition": `inline; filename="日本.txt"`}},
	}
}

// refuse makes of a request one of the Refusals.
func refuse(r *rand.Rand, in *Input) {
	refusal := pick(r, Refusals())
	in.Operation, in.S3Refuses = refusal.Operation, refusal.Document
	in.Options = maps.Clone(refusal.Options)
	if in.Operation == "UploadPart" {
		in.Options["part_number"], in.Options["upload_id"] = int64(1), "u"
	}
}

// consistent makes of options that were chosen each for itself such as S3 takes together.
func consistent(r *rand.Rand, in *Input) {
	o := in.Options
	has := func(names ...string) bool {
		for _, name := range names {
			if o[name] != nil {
				return true
			}
		}
		return false
	}
	for _, prefix := range []string{"", "copy_source_"} {
		algorithm, key := prefix+"sse_customer_algorithm", prefix+"sse_customer_key"
		if has(algorithm, key, key+"_md5") {
			o[algorithm], o[key] = "AES256", digest(32)(r)
			delete(o, key+"_md5") // derived, as boto3 does
			if chance(r, 2) {
				o[key+"_md5"] = md5OfKey(o[key].(string))
			}
		}
	}
	switch {
	case has("sse_customer_key"):
		delete(o, "server_side_encryption")
		delete(o, "ssekms_key_id")
		delete(o, "ssekms_encryption_context")
	case has("ssekms_key_id", "ssekms_encryption_context"):
		o["server_side_encryption"] = pick(r, []string{"aws:kms", "aws:kms:dsse"})
	}
	if has("object_lock_mode", "object_lock_retain_until_date") {
		until := in.Time.Add(pick(r, []time.Duration{time.Second, time.Duration(1 + r.Int64N(1e17))}))
		o["object_lock_mode"] = pick(r, []string{"GOVERNANCE", "COMPLIANCE"})
		o["object_lock_retain_until_date"] = until.Add(time.Millisecond * time.Duration(r.IntN(1000))).Format(time.RFC3339Nano)
	}
	if in.Operation == "PutObject" && has("object_lock_mode", "object_lock_legal_hold_status") {
		o["content_md5"] = digest(16)(r)
	}
	var sums []string
	for _, name := range []string{"checksum_crc32", "checksum_crc32c", "checksum_crc64nvme", "checksum_sha1", "checksum_sha256"} {
		if has(name) {
			sums = append(sums, name)
		}
	}
	if len(sums) > 1 {
		kept := pick(r, sums)
		for _, name := range sums {
			if name != kept {
				delete(o, name)
			}
		}
	}
	switch in.Operation {
	case "PutObject", "CompleteMultipartUpload", "CopyObject":
		if has("if_none_match") {
			o["if_none_match"] = "*"
			delete(o, "if_match")
		}
	}
}

func md5OfKey(key string) string {
	b, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		panic(err) // digest made it
	}
	sum := md5.Sum(b)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// WithDerived adds to a request the MD5 of its keys of SSE-C, which the SDK leaves out where
// it is not given, and S3 then refuses.
func WithDerived(in Input) Input {
	in.Options = maps.Clone(in.Options)
	for _, name := range []string{"sse_customer_key", "copy_source_sse_customer_key"} {
		if key, ok := in.Options[name].(string); ok && in.Options[name+"_md5"] == nil {
			in.Options[name+"_md5"] = md5OfKey(key)
		}
	}
	return in
}

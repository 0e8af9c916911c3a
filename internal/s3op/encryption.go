package s3op

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"slices"
)

// customerKey is the key of SSE-C: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
func customerKey(v string) (string, string) {
	if len(v) == 32 {
		if _, problem := base64Of(v, 32); problem != "" {
			return "", "is not base64: of a key's 32 bytes write the base64, 44 characters"
		}
	}
	return base64Of(v, 32)
}

// customerAlgorithm is the only one that S3 has.
func customerAlgorithm(v string) (string, string) {
	if v != "AES256" {
		return "", `is not "AES256", the only one that S3 has`
	}
	return v, ""
}

// encryptionContext is what KMS is told: base64 of a JSON object of strings.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html#AmazonS3-PutObject-request-header-SSEKMSEncryptionContext
func encryptionContext(v string) (string, string) {
	if _, problem := headerValue(v); problem != "" {
		return "", problem
	}
	const want = `is not base64 of a JSON object of strings, such as "eyJwcm9qZWN0IjoieCJ9" for {"project":"x"}`
	text, err := base64.StdEncoding.DecodeString(v)
	if err != nil {
		return "", want
	}
	var context map[string]*string
	if json.Unmarshal(text, &context) != nil || context == nil {
		return "", want
	}
	for _, value := range context {
		if value == nil {
			return "", want
		}
	}
	return v, ""
}

// customerKeys are the options of SSE-C, of the object and of the source of a copy.
var customerKeys = [...]struct{ algorithm, key, md5 ID }{
	{named("sse_customer_algorithm"), named("sse_customer_key"), named("sse_customer_key_md5")},
	{named("copy_source_sse_customer_algorithm"), named("copy_source_sse_customer_key"), named("copy_source_sse_customer_key_md5")},
}

var (
	idEncryption = named("server_side_encryption")
	idKMSKey     = named("ssekms_key_id")
	idKMSContext = named("ssekms_encryption_context")
)

// encryption finds what is said about keys and cannot be together.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/specifying-kms-encryption.html
func (o Operation) encryption(v *values) error {
	for _, c := range customerKeys {
		if v[c.key] != "" && v[c.md5] != "" && v[c.md5] != md5Of(v[c.key]) {
			return refuse(c.md5, "is not the MD5 of the 32 bytes that %q has: leave it out, and it is derived", c.key)
		}
	}
	for _, id := range [...]ID{idKMSKey, idKMSContext} {
		if v[id] != "" && v[idEncryption] == "AES256" {
			return refuse(id, `goes with %q "aws:kms" or "aws:kms:dsse", not with "AES256"`, idEncryption)
		}
	}
	if v[idEncryption] != "" && v[customerKeys[0].key] != "" {
		return refuse(idEncryption, "and %q exclude each other: an object has one encryption", customerKeys[0].key)
	}
	return nil
}

// lacksKey finds what is missing beside what is said about keys. S3 takes the headers of
// SSE-C together or not at all, and no client may add one that is not signed.
func (o Operation) lacksKey(v *values) error {
	for _, c := range customerKeys {
		switch {
		case v[c.algorithm] == "" && v[c.key] == "" && v[c.md5] == "":
		case v[c.algorithm] == "":
			return refuse(c.algorithm, `is missing: S3 takes it together with %q; write "AES256"`, c.key)
		case v[c.key] == "":
			return refuse(c.key, "is missing: S3 takes it together with %q, and a client cannot add it, since it is signed", c.algorithm)
		}
	}
	for _, id := range [...]ID{idKMSKey, idKMSContext} {
		if v[id] != "" && v[idEncryption] == "" {
			return refuse(id, `goes with %q, which is missing: write "aws:kms" or "aws:kms:dsse"`, idEncryption)
		}
	}
	return nil
}

// deriveMD5s adds the MD5 of keys of SSE-C that come without one, as boto3 does.
func deriveMD5s(settled []Option, v *values) []Option {
	for _, c := range customerKeys {
		if v[c.key] == "" || v[c.md5] != "" {
			continue
		}
		at := slices.IndexFunc(settled, func(o Option) bool { return o.ID == c.key }) + 1
		settled = slices.Insert(settled, at, Option{ID: c.md5, Value: md5Of(v[c.key])})
	}
	return settled
}

// md5Of is the MD5 of a checked key.
func md5Of(key string) string {
	b, _ := base64.StdEncoding.DecodeString(key)
	sum := md5.Sum(b)
	return base64.StdEncoding.EncodeToString(sum[:])
}

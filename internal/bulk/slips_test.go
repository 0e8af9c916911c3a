package bulk_test

import (
	"strings"
	"testing"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/check/batches"
)

// What callers write by mistake, and the words that lead them on.
func TestSlips(t *testing.T) {
	for request, want := range map[string]string{
		// a field by another name
		`{"key":["a"]}`:                              `did you mean "keys"?`,
		`{"Keys":["a"]}`:                             `did you mean "keys"?`,
		`{"object_keys":["a"]}`:                      `did you mean "keys"?`,
		`{"kesy":["a"]}`:                             `did you mean "keys"?`,
		`{"keys":["a"],"expiresIn":9}`:               `did you mean "expires_in"?`,
		`{"keys":["a"],"ExpiresIn":9}`:               `did you mean "expires_in"?`, // boto3
		`{"keys":["a"],"expires-in":9}`:              `did you mean "expires_in"?`,
		`{"keys":["a"],"expiration":9}`:              `did you mean "expires_in"?`,
		`{"keys":["a"],"X-Amz-Expires":9}`:           `did you mean "expires_in"?`,
		`{"keys":["a"],"bucket_name":"b"}`:           `did you mean "bucket"?`,
		`{"keys":["a"],"BucketName":"b"}`:            `did you mean "bucket"?`,
		`{"keys":["a"],"method":"GET"}`:              `did you mean "operation"?`,
		`{"keys":["a"],"ClientMethod":"get_object"}`: `did you mean "operation"?`, // boto3
		`{"keys":["a"],"fromat":"csv"}`:              `did you mean "format"?`,
		`{"prefixes":"a"}`:                           `did you mean "prefix"?`,
		// an option by another name
		`{"keys":["a"],"contentType":"a/b"}`:         `did you mean "content_type"?`,
		`{"keys":["a"],"Content-Type":"a/b"}`:        `did you mean "content_type"?`,
		`{"keys":["a"],"ResponseContentType":"a/b"}`: `did you mean "response_content_type"?`,
		`{"keys":["a"],"VersionId":"1"}`:             `did you mean "version_id"?`,
		`{"keys":["a"],"tags":"a=b"}`:                `did you mean "tagging"?`,
		`{"keys":[{"Key":"a"}]}`:                     `did you mean "key"?`,
		`{"keys":[{"name":"a"}]}`:                    `did you mean "key"?`,
		`{"keys":[{"key":"a","versionId":"1"}]}`:     `did you mean "version_id"?`,
		// a name that exists and is not meant
		`{"keys":["a"],"expires":300}`:                                           `"expires_in"`,
		`{"keys":[{"key":"a","operation":"PUT"}]}`:                               `whole request's`,
		`{"keys":[{"key":"a","expires_in":60}]}`:                                 `whole request's`,
		`{"keys":[{"key":"a","bucket":"photos"}]}`:                               `whole request's`,
		`{"keys":["a"],"content_type":"a/b"}`:                                    `PutObject`,
		`{"operation":"PUT","keys":["a"],"range":"x"}`:                           `GetObject`,
		`{"operation":"UploadPart","keys":["a"],"part_number":1,"upload_id":""}`: `UploadId that CreateMultipartUpload answered with`,
		// something that is no request
		``:                `is empty`,
		" \n":             `is empty`,
		`["a","b"]`:       `is an array`,
		`keys=a&bucket=b`: `is a form`,
		"--x\r\nContent-Disposition: form-data; name=\"keys\"\r\n\r\na\r\n--x--": `multipart form`,
		"a.jpg\nb.jpg\n":              `list of lines`,
		"\x1f\x8b\x08\x00":            `compressed with gzip`,
		"\xff\xfe{\x00}\x00":          `UTF-16`,
		"{\x00}\x00":                  `UTF-16`,
		"<a/>":                        `XML`,
		`{}`:                          `give "keys"`,
		`{"keys":null}`:               `give "keys"`,
		"{\"keys\":[\n\"a\"\n\"b\"]}": `line 3, column 1`,
		// a bucket that is none
		`{"keys":["a"],"bucket":"s3://photos"}`:         `name alone`,
		`{"keys":["a"],"bucket":"https://h/photos"}`:    `name alone`,
		`{"keys":["a"],"bucket":"arn:aws:s3:::photos"}`: `name alone`,
		`{"keys":["a"],"bucket":"photos "}`:             `white space`,
		`{"keys":["a"],"bucket":"Photos"}`:              `capitals`,
		`{"keys":["a"],"bucket":"photos/2026"}`:         `name alone`,
	} {
		_, err := batches.Plan(batches.Standing(), []byte(request))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", request, err, want)
		}
	}
	// A byte order mark is no mistake, and operations go by several names.
	for _, request := range []string{
		"\ufeff{\"keys\":[\"a\"]}", `{"keys":["a"],"operation":"get_object"}`, `{"keys":["a"],"operation":"put"}`, `{"keys":["a"],"operation":"headobject"}`,
	} {
		if _, err := batches.Plan(batches.Standing(), []byte(request)); err != nil {
			t.Errorf("%q: %v", request, err)
		}
	}
	// A line of a list too.
	if _, _, err := bulk.DecodeItem([]byte(`{"key":"a","contentType":"a/b"}`), nil); err == nil || !strings.Contains(err.Error(), `did you mean "content_type"?`) {
		t.Error(err)
	}
	// Nothing that may be a secret is repeated.
	_, err := batches.Plan(batches.Standing(), []byte(`{"keys":["a"],"https://h/a?X-Amz-Signature=hunter2":1}`))
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Error("a name that is none is repeated")
	}
}

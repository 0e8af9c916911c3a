package didyoumean_test

import (
	"testing"

	"bulkpresign/internal/didyoumean"
)

func TestName(t *testing.T) {
	known := []string{"bucket", "keys", "key", "operation", "expires_in", "expires", "content_type", "response_content_type", "version_id", "ssekms_key_id", "metadata", "part_numbers", "format"}
	words := didyoumean.Words{"expiration": "expires_in", "expiry": "expires_in", "method": "operation", "bucket_name": "bucket", "object_key": "key", "object": "keys"}
	for given, want := range map[string]string{
		"expiresIn": "expires_in", "ExpiresIn": "expires_in", "EXPIRES_IN": "expires_in", "expires-in": "expires_in", "expire_in": "expires_in", "expiresin": "expires_in",
		"Expiration": "expires_in", "method": "operation", "Bucket": "bucket", "bucket_name": "bucket", "BucketName": "bucket", "Keys": "keys", "kyes": "keys",
		"object_keys": "key", "Content-Type": "content_type", "contentType": "content_type", "contenttype": "content_type", "ResponseContentType": "response_content_type",
		"SSEKMSKeyId": "ssekms_key_id", "VersionId": "version_id", "part_number": "part_numbers", "formats": "format", "fromat": "format", "objects": "keys",
		"colour": "", "": "", "x": "", "Records": "", "a name that is so long that nobody can have meant anything by it at all": "",
	} {
		if got := didyoumean.Name(given, known, words); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}

func FuzzName(f *testing.F) {
	f.Add("expiresIn")
	f.Add("İé")
	f.Fuzz(func(t *testing.T, given string) {
		known := []string{"bucket", "expires_in"}
		if got := didyoumean.Name(given, known, nil); got != "" && got != known[0] && got != known[1] {
			t.Errorf("%q gives %q, which is not known", given, got)
		}
	})
}

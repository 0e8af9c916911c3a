package sdkoracle

import (
	"math/rand/v2"
	"net/url"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
)

// TestWrappedPresigner asks the SDK with nothing of ours in its way, reads from the URL
// which second it signed in, and wants the same from Presign with its clock at that second.
func TestWrappedPresigner(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	compared := 0
	for i := range 1000 {
		in := Generate(r)
		op := operations[in.Operation]
		params, err := op.params(in)
		if err != nil {
			continue // a spoilt request that does not get as far as the SDK
		}
		plain, plainErr := op.presign(t.Context(), s3.NewPresignClient(s3.New(options(in)), s3.WithPresignExpires(in.ExpiresIn)), params)
		if plainErr == nil {
			in.Time = signedAt(t, plain.URL)
		}
		got, err := Presign(t.Context(), in)
		if (err == nil) != (plainErr == nil) && err != ErrNotSigV4 {
			t.Fatalf("case %d: the one is refused and the other is not", i)
		}
		if err != nil {
			continue
		}
		compared++
		if got.URL != plain.URL || got.Method != plain.Method || !cmp.Equal(got.SignedHeader, plain.SignedHeader) {
			t.Fatalf("case %d (%s): URL, method or headers differ", i, in.Operation)
		}
	}
	if compared < 950 {
		t.Errorf("compared %d of 1000; the generator spoils too many", compared)
	}
}

func signedAt(t *testing.T, rawURL string) time.Time {
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal("the SDK's URL does not parse")
	}
	at := u.Query().Get("X-Amz-Date")
	if at == "" {
		return time.Time{} // SigV4A; Presign refuses it
	}
	when, err := time.Parse("20060102T150405Z", at)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func TestSnake(t *testing.T) {
	for name, want := range map[string]string{
		"VersionId":                 "version_id",
		"ACL":                       "acl",
		"MFA":                       "mfa",
		"SSECustomerKeyMD5":         "sse_customer_key_md5",
		"SSEKMSKeyId":               "ssekms_key_id",
		"SSEKMSEncryptionContext":   "ssekms_encryption_context",
		"ChecksumCRC64NVME":         "checksum_crc64nvme",
		"ChecksumSHA256":            "checksum_sha256",
		"ContentMD5":                "content_md5",
		"ObjectLockRetainUntilDate": "object_lock_retain_until_date",
		"GrantReadACP":              "grant_read_acp",
	} {
		if got := snake(name); got != want {
			t.Errorf("snake(%s) = %s, want %s", name, got, want)
		}
	}
}

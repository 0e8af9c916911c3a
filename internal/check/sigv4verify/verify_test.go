package sigv4verify_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"bulkpresign/internal/check/sigv4verify"
)

// The published example, with AWS's example credentials:
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
const (
	exampleURL = "https://examplebucket.s3.amazonaws.com/test.txt" +
		"?X-Amz-Algorithm=AWS4-HMAC-SHA256" +
		"&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" +
		"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host" +
		"&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
	exampleSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

func TestVerify(t *testing.T) {
	swap := func(old, new string) string {
		if !strings.Contains(exampleURL, old) {
			t.Fatalf("the example has no %q", old)
		}
		return strings.Replace(exampleURL, old, new, 1)
	}
	header := func(name, value string) http.Header { return http.Header{name: {value}} }

	const (
		valid     = ""
		signature = "the signature does not match"
	)
	for _, tt := range []struct {
		name   string
		method string // GET when empty
		url    string
		header http.Header
		secret string // the example's when empty
		region string // us-east-1 when empty
		want   string // part of the error
	}{
		{"the published example", "", exampleURL, nil, "", "", valid},
		{"an unsigned header that need not be signed", "", exampleURL, header("Accept", "*/*"), "", "", valid},
		{"host as sent", "", exampleURL, header("Host", "examplebucket.s3.amazonaws.com"), "", "", valid},
		{"default port", "", swap(".com/", ".com:443/"), nil, "", "", valid},
		{"parameters in another order", "", swap("X-Amz-Expires=86400&X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=host&X-Amz-Expires=86400"), nil, "", "", valid},
		{"the same path encoded otherwise", "", swap("/test.txt", "/%74est.txt"), nil, "", "", valid},

		{"other method", "HEAD", exampleURL, nil, "", "", signature},
		{"other secret", "", exampleURL, nil, "x", "", signature},
		{"other key", "", swap("/test.txt", "/Test.txt"), nil, "", "", signature},
		{"empty segment", "", swap("/test.txt", "//test.txt"), nil, "", "", signature},
		{"other host", "", swap("examplebucket", "examplebuckeu"), nil, "", "", signature},
		{"other port", "", swap(".com/", ".com:80/"), nil, "", "", signature},
		{"other host sent", "", exampleURL, header("Host", "example.com"), "", "", signature},
		{"other expiry", "", swap("=86400", "=86401"), nil, "", "", signature},
		{"a parameter more", "", swap("&X-Amz-Signature", "&a=&X-Amz-Signature"), nil, "", "", signature},
		{"a parameter after the signature", "", exampleURL + "&versionId=1", nil, "", "", signature},
		{"other signature", "", swap("f604d404", "f604d405"), nil, "", "", signature},

		{"region of another server", "", exampleURL, nil, "", "eu-west-1", "the scope is"},
		{"scope of another day", "", swap("%2F20130524", "%2F20130525"), nil, "", "", "the scope is"},
		{"an x-amz header unsigned", "", exampleURL, header("X-Amz-Acl", "private"), "", "", "x-amz-acl is sent but not signed"},
		{"content-type unsigned", "", exampleURL, header("Content-Type", "a/b"), "", "", "content-type is sent but not signed"},
		{"a signed header not sent", "", swap("=host", "=host%3Brange"), nil, "", "", "signed but not sent"},
		{"host unsigned", "", swap("=host", "=range"), header("Range", "bytes=0-1"), "", "", "host is sent but not signed"},
		{"signed headers unsorted", "", swap("=host", "=range%3Bhost"), header("Range", "bytes=0-1"), "", "", "not sorted"},
		{"expiry over a week", "", swap("=86400", "=604801"), nil, "", "", "X-Amz-Expires"},
		{"no signature", "", swap("X-Amz-Signature", "x"), nil, "", "", "X-Amz-Signature is missing"},
		{"parameter twice", "", swap("X-Amz-Expires", "X-Amz-Expires=1&X-Amz-Expires"), nil, "", "", "twice"},
		{"not a time", "", swap("20130524T000000Z", "20130524"), nil, "", "", "X-Amz-Date"},
		{"other algorithm", "", swap("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), nil, "", "", "X-Amz-Algorithm"},
		{"bad escape in the path", "", swap("/test.txt", "/%zz"), nil, "", "", "percent-encoded"},
		{"no path", "", swap("/test.txt", ""), nil, "", "", "no path"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := sigv4verify.Request{Method: or(tt.method, "GET"), URL: tt.url, Header: tt.header}
			err := sigv4verify.Verify(r, or(tt.secret, exampleSecret), or(tt.region, "us-east-1"), "s3")
			if tt.want == valid {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got error %v, want one that says %q", err, tt.want)
			}
			if (tt.want == signature) != errors.Is(err, sigv4verify.ErrSignature) {
				t.Error("ErrSignature is for a wrong signature and nothing else")
			}
		})
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

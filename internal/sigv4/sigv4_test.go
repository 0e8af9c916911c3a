package sigv4_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"bulkpresign/internal/sigv4"
)

// The example of AWS's own documentation: GET test.txt in examplebucket, 24 hours.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
func TestPublishedExample(t *testing.T) {
	signer := sigv4.NewSigner(sigv4.Credentials{
		AccessKeyID:     "AKIAIOSFODNN7EXAMPLE",
		SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
	}, sigv4.Scope{
		Time:    time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC),
		Region:  "us-east-1",
		Service: "s3",
	})
	p := signer.Presigner(&sigv4.Request{
		Method:     "GET",
		Origin:     "https://examplebucket.s3.amazonaws.com",
		Host:       "examplebucket.s3.amazonaws.com",
		PathPrefix: "/",
		ExpiresIn:  86400,
	})

	wantCanonical := strings.Join([]string{
		"GET",
		"/test.txt",
		"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host",
		"host:examplebucket.s3.amazonaws.com",
		"",
		"host",
		"UNSIGNED-PAYLOAD",
	}, "\n")
	if got := p.CanonicalRequest(sigv4.PathOf("test.txt")); got != wantCanonical {
		t.Errorf("canonical request:\n%s\nwant:\n%s", got, wantCanonical)
	}
	sig := p.Sign(sigv4.PathOf("test.txt"))
	const want = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
	if got := hex.EncodeToString(sig[:]); got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
	url := string(p.AppendURL(nil, sigv4.PathOf("test.txt"), &sig))
	if !strings.HasPrefix(url, "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=") ||
		!strings.HasSuffix(url, "&X-Amz-SignedHeaders=host&X-Amz-Signature="+want) {
		t.Errorf("URL is put together wrongly: %s", url)
	}
	if n := p.URLLen(sigv4.PathOf("test.txt")); n != len(url) {
		t.Errorf("URLLen = %d, the URL has %d bytes", n, len(url))
	}
}

// naiveEscape is UriEncode as the specification words it, byte by byte.
func naiveEscape(s string, keepSlash bool) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", c) >= 0,
			c == '/' && keepSlash:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// Every byte value at every offset of a run of plain ones, so that the eight-byte
// step meets each at each place.
func TestEscapeEveryByte(t *testing.T) {
	for c := range 256 {
		for at := range 20 {
			bytes := []byte(strings.Repeat("aZ09-./_~", 3)[:20])
			bytes[at] = byte(c)
			key := string(bytes)
			if got, want := string(sigv4.PathOf(key).Append(nil)), naiveEscape(key, true); got != want {
				t.Fatalf("path %q: got %s, want %s", key, got, want)
			}
			if got, want := string(sigv4.AppendEscaped(nil, key)), naiveEscape(key, false); got != want {
				t.Fatalf("query %q: got %s, want %s", key, got, want)
			}
		}
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("photos/2026/a b+c%2F\x00\u00e9.jpg")
	f.Fuzz(func(t *testing.T, key string) {
		if got, want := string(sigv4.PathOf(key).Append(nil)), naiveEscape(key, true); got != want {
			t.Errorf("path %q: got %s, want %s", key, got, want)
		}
	})
}

func TestNothingSecretIsPrinted(t *testing.T) {
	c := sigv4.Credentials{AccessKeyID: "AKIDSECRET", SecretAccessKey: "very-SECRET", SessionToken: "token-SECRET"}
	s := sigv4.NewSigner(c, sigv4.Scope{Time: time.Unix(0, 0), Region: "r", Service: "s3"})
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "c", c, "p", &c)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "c", c, "p", &c, "s", s)
	asJSON, err := json.Marshal(map[string]any{"c": c, "p": &c})
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{
		log.String(), string(asJSON),
		fmt.Sprint(c), fmt.Sprintf("%v %+v %#v %s %q %x %d", c, c, c, c, c, c, c), fmt.Sprintf("%+v %#v", &c, &c),
		fmt.Sprintf("%v %+v %#v", s, s, s), fmt.Sprintf("%+v", struct{ C sigv4.Credentials }{c}),
	} {
		if strings.Contains(out, "SECRET") || strings.Contains(fmt.Sprintf("%x", "SECRET"), out) {
			t.Errorf("a secret is printed: %q", out)
		}
		if !strings.Contains(out, "redacted") {
			t.Errorf("not marked as redacted: %q", out)
		}
	}
}

// benchPresigner has the shape of a Lambda's batch: a session token of 1,000 characters.
func benchPresigner() *sigv4.Presigner {
	signer := sigv4.NewSigner(sigv4.Credentials{
		AccessKeyID:     "ASIAIOSFODNN7EXAMPLE",
		SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		SessionToken:    strings.Repeat("IQoJb3JpZ2luX2VjEJ", 56)[:1000],
	}, sigv4.Scope{Time: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), Region: "eu-west-1", Service: "s3"})
	return signer.Presigner(&sigv4.Request{
		Method:     "GET",
		Origin:     "https://photos.s3.eu-west-1.amazonaws.com",
		Host:       "photos.s3.eu-west-1.amazonaws.com",
		PathPrefix: "/",
		ExpiresIn:  900,
		Query:      []sigv4.Parameter{{Name: "x-id", Value: "GetObject"}},
	})
}

// raceDetector is whether this is the race detector's build.
var raceDetector = false

func TestSigningDoesNotAllocate(t *testing.T) {
	p := benchPresigner()
	key := "2026/11/23/some album/picture-000001.jpg"
	dst := make([]byte, 0, 4096)
	n := testing.AllocsPerRun(100, func() {
		path := sigv4.PathOf(key)
		sig := p.Sign(path)
		dst = p.AppendURL(dst[:0], path, &sig)
	})
	want := 0.0
	if raceDetector {
		want = 3 // crypto/sha256's AppendBinary has an append(b, make([]byte, n)...)
	}
	if n != want {
		t.Errorf("%v allocations a URL, want %v", n, want)
	}
}

func BenchmarkSign(b *testing.B) {
	p := benchPresigner()
	key := "2026/11/23/some album/picture-000001.jpg"
	dst := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		path := sigv4.PathOf(key)
		sig := p.Sign(path)
		dst = p.AppendURL(dst[:0], path, &sig)
	}
}

package botooracle_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/check/botooracle"
	"bulkpresign/internal/check/sdkoracle"
	"bulkpresign/internal/check/sigv4verify"
)

// TestAgainstSDK takes boto3's and the Go SDK's URLs for the same requests apart. The bytes
// differ (order of the parameters, hoisting, x-id); method, host, path, credential, times
// and every option must not, and both signatures must be right.
func TestAgainstSDK(t *testing.T) {
	botooracle.Require(t)
	r := rand.New(rand.NewPCG(3, 3))
	var inputs []sdkoracle.Input
	var wants []sdkoracle.Output
	for len(inputs) < 300 {
		in := botooracle.WithoutDifferences(sdkoracle.Generate(r))
		if out, err := sdkoracle.Presign(t.Context(), in); err == nil {
			inputs, wants = append(inputs, in), append(wants, out)
		}
	}
	gots, err := botooracle.Presign(t.Context(), inputs)
	if err != nil {
		t.Fatal(err)
	}
	agreed := 0
	for i, in := range inputs {
		got, want := gots[i], wants[i]
		if got.Err != nil {
			// botocore looks a dual-stack or FIPS endpoint of S3 up in its old list of
			// endpoints as well, and that has none for the newest partitions.
			if got.Err.Error() != "EndpointVariantError" || !in.DualStack && !in.FIPS {
				t.Errorf("case %d (%s): boto3 refuses: %v", i, in.Operation, got.Err)
			}
			continue
		}
		signed := sigv4verify.Request{Method: want.Method, URL: got.URL, Header: got.Header}
		if err := sigv4verify.Verify(signed, in.SecretAccessKey, in.Region, "s3"); err != nil {
			t.Errorf("case %d (%s): boto3's URL: %v", i, in.Operation, err)
		}
		w, g := botooracle.Meaning(t, want.URL, want.SignedHeader), botooracle.Meaning(t, got.URL, got.Header)
		if names := botooracle.Differing(w, g); names != nil {
			// The names alone: values hold tokens.
			t.Errorf("case %d (%s): SDK and boto3 differ in %q", i, in.Operation, names)
			continue
		}
		agreed++
	}
	if agreed < len(inputs)*9/10 {
		t.Errorf("boto3 agrees in %d of %d cases only", agreed, len(inputs))
	}
}

// TestDifferences has a row for each thing that [botooracle.WithoutDifferences] keeps out of the
// comparison, so that none is kept out for longer than it is true.
func TestDifferences(t *testing.T) {
	botooracle.Require(t)
	options := func(kv map[string]any) func(*sdkoracle.Input) {
		return func(in *sdkoracle.Input) { in.Options = kv }
	}
	rows := []struct {
		name   string
		change func(*sdkoracle.Input)
		want   []string // in which they differ
		wrong  bool     // boto3's signature, by the letter of the specification
	}{
		{"a tab inside: botocore signs a space for it, the SDK and the specification a tab",
			options(map[string]any{"cache_control": "a\tb"}), nil, true},
		{"length 0: boto3 signs it",
			options(map[string]any{"content_length": int64(0)}), []string{"content-length"}, false},
		{"length 0 and a type: the SDK drops the type too",
			options(map[string]any{"content_length": int64(0), "content_type": "a/b"}), []string{"content-length", "content-type"}, false},
		{"a customer key without its MD5: boto3 encodes the key and adds the MD5",
			options(map[string]any{"sse_customer_key": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}),
			[]string{"x-amz-server-side-encryption-customer-key", "x-amz-server-side-encryption-customer-key-md5"}, false},
		{"milliseconds: boto3 writes microseconds",
			options(map[string]any{"object_lock_retain_until_date": "2026-01-02T03:04:05.678Z"}), []string{"x-amz-object-lock-retain-until-date"}, false},
		{"path style and an empty segment in the endpoint's path: boto3 removes it",
			func(in *sdkoracle.Input) { in.EndpointURL, in.PathStyle = "https://h/a//b", true }, []string{"path"}, false},
		{"plain HTTP and a bucket with a part under three characters: a host to boto3",
			func(in *sdkoracle.Input) { in.EndpointURL, in.Bucket = "http://h:9000", "the.b" }, []string{"host", "path"}, false},
	}
	var inputs []sdkoracle.Input
	for _, row := range rows {
		in := sdkoracle.Input{
			Operation: "PutObject", Bucket: "bucket", Key: "key", Region: "eu-west-1",
			ExpiresIn: time.Minute, Time: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC),
			AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret",
		}
		row.change(&in)
		inputs = append(inputs, in)
	}
	outputs, err := botooracle.Presign(t.Context(), inputs)
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			in, got := inputs[i], outputs[i]
			want, err := sdkoracle.Presign(t.Context(), in)
			if err != nil || got.Err != nil {
				t.Fatal("refused by the SDK or by boto3")
			}
			differ := botooracle.Differing(botooracle.Meaning(t, want.URL, want.SignedHeader), botooracle.Meaning(t, got.URL, got.Header))
			if diff := cmp.Diff(row.want, differ); diff != "" {
				t.Errorf("differing members (-want +got):\n%s", diff)
			}
			err = sigv4verify.Verify(sigv4verify.Request{Method: "PUT", URL: got.URL, Header: got.Header}, in.SecretAccessKey, in.Region, "s3")
			if row.wrong != errors.Is(err, sigv4verify.ErrSignature) || !row.wrong && err != nil {
				t.Errorf("boto3's URL: %v", err)
			}
		})
	}
}

// TestClock shows that the clock stands at each request's own time.
func TestClock(t *testing.T) {
	botooracle.Require(t)
	var inputs []sdkoracle.Input
	for _, at := range []string{"2001-02-03T23:59:59Z", "2099-12-31T00:00:00Z"} {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		inputs = append(inputs, sdkoracle.Input{
			Operation: "GetObject", Bucket: "bucket", Key: "key", Region: "eu-west-1",
			ExpiresIn: time.Minute, Time: when, AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret",
		})
	}
	outputs, err := botooracle.Presign(t.Context(), inputs)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"20010203T235959Z", "20991231T000000Z"} {
		if !strings.Contains(outputs[i].URL, "X-Amz-Date="+want+"&") {
			t.Errorf("input %d was not signed at %s", i, want)
		}
	}
}

package sigv4_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"bulkpresign/internal/check/sdkoracle"
	"bulkpresign/internal/sigv4"
	"bulkpresign/internal/sigv4/sha256x16"
)

// formFor is the form's signer for an oracle's input, with conditions as JSON.
func formFor(in sdkoracle.Input, startsWith bool, conditions string) *sigv4.PostSigner {
	signer := sigv4.NewSigner(
		sigv4.Credentials{AccessKeyID: in.AccessKeyID, SecretAccessKey: in.SecretAccessKey, SessionToken: in.SessionToken},
		sigv4.Scope{Time: in.Time, Region: in.Region, Service: "s3"})
	return signer.PostSigner(&sigv4.Post{
		Bucket: in.Bucket, Expiration: in.Time.Add(in.ExpiresIn), Conditions: []byte(conditions), KeyStartsWith: startsWith,
	})
}

// Policies, signatures and the fields beside them are byte for byte the SDK's, for awkward
// keys, every expiry, with and without a session token and conditions.
func TestPostAgainstSDK(t *testing.T) {
	signed := 0
	for i := range uint64(5_000) {
		r := rand.New(rand.NewPCG(5, i))
		in := sdkoracle.Generate(r)
		if in.Key == "" || in.Region == "" || strings.HasPrefix(in.Bucket, "arn:") {
			continue
		}
		in.EndpointURL, in.FIPS, in.DualStack, in.Accelerate = "", false, false, false
		startsWith := r.IntN(4) == 0
		var conditions []any
		ours := ""
		if r.IntN(2) == 0 {
			conditions = append(conditions, []any{"content-length-range", 1, 10}, map[string]string{"x-amz-meta-a": "<&>\u2028\""})
			ours = `,["content-length-range",1,10],{"x-amz-meta-a":"\u003c\u0026\u003e\u2028\""}`
		}
		if startsWith {
			conditions = append(conditions, []any{"starts-with", "$key", in.Key})
		}
		want, err := sdkoracle.PresignPost(t.Context(), in, conditions)
		if err != nil {
			continue // a bucket that the SDK does not sign for
		}
		signed++
		p := formFor(in, startsWith, ours)
		signature := p.Sign(in.Key)
		got := map[string]string{
			"key": in.Key, "policy": string(p.AppendPolicy(nil, in.Key)), "X-Amz-Signature": hex.EncodeToString(signature[:]),
		}
		for _, f := range p.Fields() {
			got[f.Name] = f.Value
		}
		if n := p.PolicyLen(in.Key); n != len(got["policy"]) {
			t.Errorf("case %d: a policy of %d bytes is said to have %d", i, len(got["policy"]), n)
		}
		if len(got) != len(want.Fields) {
			t.Errorf("case %d: %d fields, the SDK has %d", i, len(got), len(want.Fields))
		}
		for name, value := range want.Fields {
			if got[name] != value {
				t.Errorf("case %d (key %q): %s differs from the SDK's", i, in.Key, name)
			}
		}
	}
	if signed < 3_500 {
		t.Errorf("only %d inputs were signed", signed)
	}
}

// Every kernel signs as crypto/sha256 does, keys of every length, alone and many at once.
func TestPostLanesAreTheirTwin(t *testing.T) {
	for _, token := range []string{"", "t", "tt", "ttt", strings.Repeat("token/+", 140)} {
		in := sdkoracle.Input{
			Bucket: "photos", Region: "eu-west-1", AccessKeyID: "AKID", SecretAccessKey: "secret", SessionToken: token,
			Time: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), ExpiresIn: time.Minute,
		}
		var keys []string
		for n := range 1500 {
			keys = append(keys, strings.Repeat("ü<a\x01", n/4)[:n/4*5]+fmt.Sprint(n))
		}
		key := func(i int) string { return keys[i] }
		p := formFor(in, false, "")
		want := make([]sigv4.Signature, len(keys))
		for i := range want {
			want[i] = p.WithKernel(nil).Sign(keys[i])
		}
		for _, k := range append(sha256x16.Kernels(), nil) {
			got := make([]sigv4.Signature, len(keys))
			p.WithKernel(k).SignAll(got, key)
			for i := range got {
				if got[i] != want[i] {
					t.Fatalf("%s: key %d is signed otherwise than by crypto/sha256", k, i)
				}
			}
		}
	}
}

// What stands in a policy is what encoding/json writes.
func FuzzPolicyText(f *testing.F) {
	for _, s := range []string{"", "a", "<&>", "\u2028\u2029\u2027", "\x00\x1f\x7f", `"\`, "\b\f\n\r\t", "é日😀", "\xe2\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "")
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := `"` + string(sigv4.AppendPolicyText(nil, s)) + `"`; got != string(want) {
			t.Errorf("%q is written %s, and by encoding/json %s", s, got, want)
		}
	})
}

func BenchmarkPostSignAll(b *testing.B) {
	in := sdkoracle.Input{
		Bucket: "photos", Region: "eu-west-1", AccessKeyID: "ASIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret",
		SessionToken: strings.Repeat("IQoJb3JpZ2luX2VjEJ", 56)[:1000], Time: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), ExpiresIn: time.Minute,
	}
	p := formFor(in, false, "")
	signatures := make([]sigv4.Signature, 10_000)
	keys := make([]string, len(signatures))
	for i := range keys {
		keys[i] = fmt.Sprintf("uploads/2026/11/%032d.jpg", i)
	}
	b.ResetTimer()
	for b.Loop() {
		p.SignAll(signatures, func(i int) string { return keys[i] })
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(keys)), "ns/key")
}

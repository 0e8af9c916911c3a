package bulk_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/answer"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/check/batches"
	"bulkpresign/internal/check/botooracle"
	"bulkpresign/internal/check/sdkoracle"
	"bulkpresign/internal/check/sigv4verify"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/sigv4"
)

// The Makefile's fuzz target raises the number and changes the seed.
var (
	cases = flag.Int("cases", 5_000, "generated inputs that are compared with the SDK")
	seed  = flag.Uint64("seed", 1, "of the generated inputs")
)

// differsFromSDK says where the contract refuses what the SDK signs.
func differsFromSDK(in sdkoracle.Input) string {
	if in.S3Refuses != "" {
		return "S3 refuses it: " + in.S3Refuses
	}
	if strings.ToLower(in.EndpointURL) != in.EndpointURL {
		return "a host in upper case is signed as it is by the SDK, and browsers send it in lower case"
	}
	return ""
}

// compareWithSDK holds one input against the SDK: the canonical request first, whose
// difference shows its cause, then the URL, then what the client must send. It returns
// whether there was a URL. No failure prints a URL: the input and its seed tell which.
func compareWithSDK(in sdkoracle.Input, r *rand.Rand, t testing.TB) (signed bool, problem string) {
	in.UseARNRegion = true // as in package s3url
	oracle, empty := forSDK(in)
	want, wantErr := sdkoracle.Presign(context.Background(), oracle)
	p, err := batches.Plan(batches.Service(in), batches.RequestFor(in, r))
	reason := ""
	var got batches.Answer
	if err != nil {
		reason = err.Error()
	} else {
		got = batches.Finish(t, p)
		if f, ok := got.Errors[in.Key]; ok {
			reason = f.Code + ": " + f.Message
		}
	}
	switch {
	case differsFromSDK(in) != "":
		if reason == "" {
			return false, "was signed: " + differsFromSDK(in)
		}
		if in.S3Refuses != "" && wantErr != nil {
			return false, "the SDK does not sign it either: " + differsFromSDK(in)
		}
		if in.S3Refuses != "" && !strings.Contains(reason, "option ") && strings.ToLower(in.EndpointURL) == in.EndpointURL {
			return false, fmt.Sprintf("is refused for another reason than %s: %q", in.S3Refuses, reason)
		}
		return false, ""
	case (reason == "") != (wantErr == nil):
		return false, fmt.Sprintf("ours says %q, the SDK fails: %v", reason, wantErr != nil)
	case reason != "":
		return false, ""
	}
	if empty {
		want = emptied(want)
	}
	if canonical := p.CanonicalRequest(0); canonical != want.CanonicalRequest {
		return true, "canonical requests differ:\n" + cmp.Diff(redact(want.CanonicalRequest, in), redact(canonical, in))
	}
	if !empty && got.URLs[in.Key] != want.URL {
		return true, "the canonical requests are the same but the URLs differ"
	}
	headers := got.Headers
	if own, ok := got.ItemHeaders[in.Key]; ok {
		headers = own
	}
	sent := http.Header{}
	for name, value := range headers {
		sent.Set(name, value)
	}
	if empty { // the SDK's signature is of another length
		op, _ := s3op.ParseOperation(in.Operation)
		region := in.Region
		if arn := strings.Split(in.Bucket, ":"); len(arn) > 3 {
			region = arn[3] // an access point's own
		}
		if err := sigv4verify.Verify(sigv4verify.Request{Method: op.Method(), URL: got.URLs[in.Key], Header: sent}, in.SecretAccessKey, region, "s3"); err != nil {
			return true, err.Error()
		}
		if withoutSignature(got.URLs[in.Key]) != withoutSignature(want.URL) {
			return true, "URLs differ in more than the signature"
		}
	}
	want.SignedHeader.Del("Host")
	if d := cmp.Diff(want.SignedHeader, sent); d != "" {
		return true, "headers differ:\n" + d
	}
	return true, ""
}

// forSDK words a request so that the SDK signs what the contract does. It leaves out the MD5
// of a key of SSE-C, without which S3 refuses the request, and drops a length of 0 (with the
// type of the content, smithy-go's transport/http), so that any body could be put: it is
// asked for a length of 1, and empty is true. S3 takes the header, as it says in
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html.
func forSDK(in sdkoracle.Input) (out sdkoracle.Input, empty bool) {
	if in.S3Refuses != "" {
		return in, false
	}
	out = sdkoracle.WithDerived(in)
	if empty = out.Options["content_length"] == int64(0); empty {
		out.Options["content_length"] = int64(1)
	}
	return out, empty
}

// emptied makes of what the SDK gives for a length of 1 what it should give for one of 0.
func emptied(o sdkoracle.Output) sdkoracle.Output {
	o.CanonicalRequest = strings.Replace(o.CanonicalRequest, "\ncontent-length:1\n", "\ncontent-length:0\n", 1)
	o.SignedHeader = o.SignedHeader.Clone()
	o.SignedHeader.Set("Content-Length", "0")
	return o
}

func withoutSignature(url string) string {
	before, _, _ := strings.Cut(url, "&X-Amz-Signature=")
	return before
}

func redact(s string, in sdkoracle.Input) string {
	if in.SessionToken == "" {
		return s
	}
	return strings.ReplaceAll(s, string(sigv4.AppendEscaped(nil, in.SessionToken)), "[token]")
}

// Every operation with every option, key and endpoint, against the SDK's own presigner.
func TestAgainstSDK(t *testing.T) {
	workers := runtime.GOMAXPROCS(0)
	signed := make([]int, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < *cases && !t.Failed(); i += workers {
				r := rand.New(rand.NewPCG(*seed, uint64(i)))
				in := sdkoracle.Generate(r)
				ok, problem := compareWithSDK(in, r, t)
				if problem != "" {
					t.Errorf("seed %d, case %d: %s of %q in bucket %q, endpoint %q: %s",
						*seed, i, in.Operation, in.Key, in.Bucket, in.EndpointURL, problem)
				}
				if ok {
					signed[w]++
				}
			}
		})
	}
	wg.Wait()
	total := 0
	for _, n := range signed {
		total += n
	}
	if total < *cases*8/10 {
		t.Errorf("only %d of %d inputs were signed", total, *cases)
	}
	t.Logf("seed %d: %d inputs, %d URLs byte for byte the SDK's, the rest refused by both or as documented", *seed, *cases, total)
}

// boto3's URLs for the same inputs mean the same: method, host, path, credential, times
// and every option, and its signature is right as ours is.
func TestAgainstBoto3(t *testing.T) {
	botooracle.Require(t)
	r := rand.New(rand.NewPCG(*seed, 3))
	var inputs []sdkoracle.Input
	var ours []batches.Answer
	for len(inputs) < 300 {
		in := botooracle.WithoutDifferences(sdkoracle.Generate(r))
		in.UseARNRegion = true
		p, err := batches.Plan(batches.Service(in), batches.RequestFor(in, r))
		if err != nil || strings.Contains(in.Bucket, ":elsewhere-1:") { // is signed for a region that is not the input's
			continue
		}
		if a := batches.Finish(t, p); a.URLs[in.Key] != "" {
			inputs, ours = append(inputs, in), append(ours, a)
		}
	}
	theirs, err := botooracle.Presign(t.Context(), inputs)
	if err != nil {
		t.Fatal(err)
	}
	agreed := 0
	for i, in := range inputs {
		if theirs[i].Err != nil {
			continue // endpoints that boto3 does not know: package botooracle has them in a test
		}
		op, _ := s3op.ParseOperation(in.Operation)
		sent := http.Header{}
		headers := ours[i].Headers
		if own, ok := ours[i].ItemHeaders[in.Key]; ok {
			headers = own
		}
		for name, value := range headers {
			sent.Set(name, value)
		}
		url := ours[i].URLs[in.Key]
		for name, signed := range map[string]sigv4verify.Request{
			"ours":    {Method: op.Method(), URL: url, Header: sent},
			"boto3's": {Method: op.Method(), URL: theirs[i].URL, Header: theirs[i].Header},
		} {
			if err := sigv4verify.Verify(signed, in.SecretAccessKey, in.Region, "s3"); err != nil {
				t.Errorf("case %d (%s): %s: %v", i, in.Operation, name, err)
			}
		}
		if names := botooracle.Differing(botooracle.Meaning(t, url, sent), botooracle.Meaning(t, theirs[i].URL, theirs[i].Header)); names != nil {
			t.Errorf("case %d (%s): ours and boto3's differ in %q", i, in.Operation, names)
		}
		agreed++
	}
	if agreed < len(inputs)*9/10 {
		t.Errorf("boto3 signs %d of %d inputs only", agreed, len(inputs))
	}
}

// FuzzAgainstSDK lets the fuzzer choose key, option values and clock.
func FuzzAgainstSDK(f *testing.F) {
	for i := range uint64(20) {
		in := sdkoracle.Generate(rand.New(rand.NewPCG(7, i)))
		f.Add(i, in.Key, "a  value", in.Time.Unix(), int64(900))
	}
	f.Fuzz(func(t *testing.T, number uint64, key, value string, unix, expires int64) {
		r := rand.New(rand.NewPCG(8, number))
		in := sdkoracle.Generate(r)
		if key != "" && len(key) <= bulk.MaxKeyBytes && strings.ToValidUTF8(key, "") == key {
			in.Key = key
		}
		for name, v := range in.Options {
			if _, isText := v.(string); isText && strings.HasPrefix(name, "response_content_") || name == "content_type" {
				if plainHeader(value) {
					in.Options[name] = value
				}
			}
		}
		in.Time = time.Unix(((unix%4e9)+4e9)%4_000_000_000, 0)
		in.ExpiresIn = time.Duration((expires%604800+604800)%604800+1) * time.Second
		if _, problem := compareWithSDK(in, r, t); problem != "" {
			t.Errorf("generated input %d: %s", number, problem)
		}
	})
}

func plainHeader(v string) bool {
	for _, c := range []byte(v) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return v != "" && strings.TrimSpace(v) == v && len(v) < 1000
}

// One digest over a million URLs: any change of any byte is seen, also where the SDK is
// too slow to be asked. It changes when the generator does; then TestAgainstSDK must
// pass with a million cases before a new one is written here.
func TestMillionURLs(t *testing.T) {
	const inputs, keysEach = 2_000, 500
	digests := make([][sha256.Size]byte, inputs)
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wg.Go(func() {
			for i := w; i < inputs; i += workers {
				p := batches.Generated(rand.New(rand.NewPCG(2, uint64(i))), keysEach)
				if n := p.Signed(); n != keysEach {
					t.Errorf("input %d: %d URLs, want %d", i, n, keysEach)
				}
				p.Sign()
				digests[i] = sha256.Sum256(answer.Append(nil, p, bulk.JSON, answer.Bare))
			}
		})
	}
	wg.Wait()
	all := sha256.New()
	for i := range digests {
		all.Write(digests[i][:])
	}
	const want = "af19ec9a5852907321a6611aae9c0ef604467eca7349336921ce7a8dcb7a822d"
	if got := hex.EncodeToString(all.Sum(nil)); got != want {
		t.Errorf("the digest over %d URLs is %s, want %s", inputs*keysEach, got, want)
	}
}

// The operations that the Go SDK does not presign, against boto3: both URLs verify, and
// mean the same.
func TestOthersAgainstBoto3(t *testing.T) {
	botooracle.Require(t)
	r := rand.New(rand.NewPCG(*seed, 4))
	var inputs []sdkoracle.Input
	var ours []batches.Answer
	for _, operation := range sdkoracle.Others() {
		for signed := 0; signed < 25; {
			in := botooracle.WithoutDifferences(sdkoracle.GenerateOther(r, operation))
			in.UseARNRegion = true
			if differsFromSDK(in) != "" {
				continue
			}
			s := batches.Service(in)
			s.Policy.Buckets = []string{in.Bucket, "source"}
			request, err := bulk.Decode(batches.RequestFor(in, r), 1)
			if err != nil {
				t.Fatalf("%s: %v", operation, err)
			}
			request.Bucket = in.Bucket
			p, err := s.Plan(t.Context(), policy.Caller{}, request)
			if err != nil {
				t.Fatalf("%s with %v: %v", operation, slices.Sorted(maps.Keys(in.Options)), err)
			}
			a := batches.Finish(t, p)
			if a.URLs[in.Key] == "" {
				t.Fatalf("%s: %v", operation, a.Errors)
			}
			inputs, ours = append(inputs, in), append(ours, a)
			signed++
		}
	}
	theirs, err := botooracle.Presign(t.Context(), inputs)
	if err != nil {
		t.Fatal(err)
	}
	agreed := 0
	for i, in := range inputs {
		if theirs[i].Err != nil {
			if theirs[i].Err.Error() != "EndpointVariantError" {
				t.Errorf("case %d (%s): boto3 refuses: %v", i, in.Operation, theirs[i].Err)
			}
			continue
		}
		op, _ := s3op.ParseOperation(in.Operation)
		sent := http.Header{}
		headers := ours[i].Headers
		if own, ok := ours[i].ItemHeaders[in.Key]; ok {
			headers = own
		}
		for name, value := range headers {
			sent.Set(name, value)
		}
		url := ours[i].URLs[in.Key]
		for name, signed := range map[string]sigv4verify.Request{
			"ours":    {Method: op.Method(), URL: url, Header: sent},
			"boto3's": {Method: op.Method(), URL: theirs[i].URL, Header: theirs[i].Header},
		} {
			if err := sigv4verify.Verify(signed, in.SecretAccessKey, in.Region, "s3"); err != nil {
				t.Errorf("case %d (%s): %s: %v", i, in.Operation, name, err)
			}
		}
		if names := botooracle.Differing(botooracle.Meaning(t, url, sent), botooracle.Meaning(t, theirs[i].URL, theirs[i].Header)); names != nil {
			t.Errorf("case %d (%s): ours and boto3's differ in %q", i, in.Operation, names)
		}
		agreed++
	}
	if agreed < len(inputs)*9/10 {
		t.Errorf("boto3 signs %d of %d inputs only", agreed, len(inputs))
	}
}

// HeadBucket is the one operation of a bucket that the Go SDK presigns: byte for byte, at
// every endpoint.
func TestHeadBucketAgainstSDK(t *testing.T) {
	for i := range uint64(500) {
		in := sdkoracle.GenerateOther(rand.New(rand.NewPCG(*seed, i)), "HeadBucket")
		in.UseARNRegion = true
		want, err := sdkoracle.Presign(t.Context(), in)
		p, ourErr := batches.Plan(batches.Service(in), batches.RequestFor(in, rand.New(rand.NewPCG(*seed, i))))
		if err != nil || ourErr != nil {
			if differsFromSDK(in) == "" && (err == nil) != (ourErr == nil) {
				t.Errorf("case %d: ours: %v, the SDK fails: %v", i, ourErr, err != nil)
			}
			continue
		}
		if got := batches.Finish(t, p).URLs[""]; got != want.URL {
			before, _, _ := strings.Cut(got, "?")
			wanted, _, _ := strings.Cut(want.URL, "?")
			t.Errorf("case %d, endpoint %q: ours is %s, the SDK's %s, and the rest differs: %v", i, in.EndpointURL, before, wanted, before == wanted)
		}
	}
}

package sigv4_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"bulkpresign/internal/sigv4"
	"bulkpresign/internal/sigv4/sha256x16"
)

func pathsOf(keys []string) (paths []sigv4.Path) {
	for _, key := range keys {
		paths = append(paths, sigv4.PathOf(key))
	}
	return paths
}

// twins signs keys in every way that the machine has and compares the signatures, and
// the URLs that are written at once with those that are written afterwards. Every fifth
// URL is left out.
func twins(t *testing.T, p *sigv4.Presigner, keys []string) {
	t.Helper()
	paths := pathsOf(keys)
	want := make([]sigv4.Signature, len(keys))
	p.WithKernel(nil).SignAll(want, paths)
	var wantURLs []byte
	var at []int
	for i, path := range paths {
		wantURLs = append(wantURLs, "<"...)
		if i%5 == 4 {
			at = append(at, -1)
		} else {
			at = append(at, len(wantURLs))
			wantURLs = p.AppendURL(wantURLs, path, &want[i])
		}
	}
	wantURLs = append(wantURLs, "<"...)
	for _, k := range append(sha256x16.Kernels(), nil) {
		got := make([]sigv4.Signature, len(keys))
		p.WithKernel(k).SignAll(got, paths)
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("%s: key %d of %d, %d bytes long, is signed otherwise than by crypto/sha256", k, i, len(keys), len(keys[i]))
			}
		}
		p.Expect(len(keys))
		urls := bytes.Repeat([]byte("<"), len(wantURLs))
		p.WriteAll(urls, at, paths)
		if !bytes.Equal(urls, wantURLs) {
			t.Fatalf("%s: of %d URLs, some are written otherwise than by AppendURL", k, len(keys))
		}
	}
}

// Every length of a path from nothing to several blocks, alone and in groups that do
// not fill the lanes, for regions and prefixes that move the blocks' borders.
func TestLanesAreTheirTwin(t *testing.T) {
	at := time.Date(2026, 11, 23, 23, 59, 59, 0, time.UTC)
	for _, region := range []string{"r", "usw", "us-1", "eu-west-1", strings.Repeat("r", 59), strings.Repeat("r", 60), strings.Repeat("r", 150)} {
		for _, token := range []string{"", strings.Repeat("t/", 300)} {
			signer := sigv4.NewSigner(sigv4.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret", SessionToken: token},
				sigv4.Scope{Time: at, Region: region, Service: "s3"})
			p := signer.Presigner(&sigv4.Request{Method: "GET", Origin: "https://h", Host: "h", PathPrefix: "/" + region + "/", ExpiresIn: 1})
			var keys []string
			for length := range 200 {
				for i := range 1 + length%6 {
					keys = append(keys, strings.Repeat(string(rune('a'+i)), length))
				}
			}
			rand.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
			twins(t, p, keys)
			twins(t, p, keys[:1])
			twins(t, p, nil)
		}
	}
}

// A Presigner is used again for another request and another number of keys.
func TestLanesAfterReset(t *testing.T) {
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	p := benchPresigner()
	for i := range 5 {
		keys := benchKeys(3000 >> i)
		twins(t, p, keys)
		signer := sigv4.NewSigner(sigv4.Credentials{AccessKeyID: "AKID", SecretAccessKey: fmt.Sprint("secret", i)},
			sigv4.Scope{Time: at, Region: "us-east-1", Service: "s3"})
		p.Reset(signer, &sigv4.Request{Method: "PUT", Origin: "https://h", Host: "h", PathPrefix: "/", ExpiresIn: i + 1})
	}
	if bytes.Contains(p.Query(), []byte("Token")) {
		t.Error("the first signer's token is still in the query")
	}
}

// Helpers that were woken may have gone to sleep again, and may be waiting while p signs
// another number of keys than was expected, or another request.
func TestExpect(t *testing.T) {
	p := benchPresigner()
	keys := benchKeys(2100)
	signer := sigv4.NewSigner(sigv4.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"},
		sigv4.Scope{Time: time.Unix(0, 0), Region: "us-east-1", Service: "s3"})
	for range 20 {
		p.Expect(len(keys))
		twins(t, p, keys[:100])
		p.Expect(len(keys))
		time.Sleep(2 * time.Millisecond)
		twins(t, p, keys)
		p.Expect(len(keys))
		p.Expect(len(keys))
		p.Reset(signer, &sigv4.Request{Method: "PUT", Origin: "https://h", Host: "h", PathPrefix: "/", ExpiresIn: 1})
		twins(t, p, keys)
	}
}

// A batch too small for two processors allocates nothing, once there was one before.
func TestBatchesDoNotAllocate(t *testing.T) {
	if raceDetector {
		return // see TestSigningDoesNotAllocate
	}
	p := benchPresigner()
	for _, n := range []int{1, 10, 1000} {
		paths := pathsOf(benchKeys(n))
		signatures := make([]sigv4.Signature, n)
		for _, k := range append(sha256x16.Kernels(), nil) {
			p.WithKernel(k).SignAll(signatures, paths)
			if allocs := testing.AllocsPerRun(5, func() { p.SignAll(signatures, paths) }); allocs != 0 {
				t.Errorf("%s, %d keys: %v allocations, want none", k, n, allocs)
			}
		}
	}
}

func FuzzLanes(f *testing.F) {
	f.Add("photos/a.jpg", "eu-west-1", uint8(9), uint16(1))
	f.Add("\x00 é", "", uint8(255), uint16(604))
	f.Fuzz(func(t *testing.T, key, region string, n uint8, expires uint16) {
		if len(key) > 1024 {
			key = key[:1024]
		}
		signer := sigv4.NewSigner(sigv4.Credentials{AccessKeyID: key, SecretAccessKey: region, SessionToken: key},
			sigv4.Scope{Time: time.Unix(int64(expires)*1e5, 0), Region: region, Service: "s3"})
		p := signer.Presigner(&sigv4.Request{Method: "GET", Origin: "https://h", Host: "h", PathPrefix: "/", ExpiresIn: int(expires)})
		keys := make([]string, n)
		for i := range keys {
			keys[i] = key[:(i*7)%(len(key)+1)] + fmt.Sprint(i)
		}
		twins(t, p, keys)
	})
}

// benchKeys are distinct and 40 to 80 bytes long.
func benchKeys(n int) []string {
	r := rand.New(rand.NewPCG(1, 2))
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("2026/11/23/%s-%010d.jpg", strings.Repeat("x", 14+r.IntN(41)), i)
	}
	return keys
}

func BenchmarkSignAll(b *testing.B) {
	const n = 4000
	paths := pathsOf(benchKeys(n))
	signatures := make([]sigv4.Signature, n)
	p := benchPresigner()
	for _, k := range append(sha256x16.Kernels()[1:], nil) {
		name := "crypto/sha256"
		if k != nil {
			name = k.String()
		}
		b.Run(name, func(b *testing.B) {
			p.WithKernel(k)
			b.ReportAllocs()
			for b.Loop() {
				p.SignAll(signatures, paths)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/URL")
		})
	}
}

// Bench measures how fast URLs are signed: this project's signer against what else there
// is, all in one run. It prints one table and, last, a line that sums it up.
//
//	sh install.sh   # the contestants that are not Go, each where its language is present
//	go run .
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"bulkpresign/internal/sigv4/sha256x16"
)

// batchSizes are the sizes of batch that our signer and the SDK's client are measured with.
var batchSizes = []int{1, 10, 100, 1000, headline, 10_000}

// headline is the size of batch that the last line is about, and that rivals are measured
// with: about what fits in one answer of a function.
const headline = 4000

// A sample is at least so many keys, so that it is long against an interruption: 20 to 90
// milliseconds for ours, and 15 or more for the others.
const (
	oursAtLeast   = 64_000
	rivalsAtLeast = 1_000
	processKeys   = 500 // a sample; more than the 100 that botocore caches endpoints for
)

func main() {
	rounds := flag.Int("rounds", 15, "how many `times` each contestant is measured; the median counts")
	quick := flag.Bool("quick", false, "short for -rounds 3")
	kernel := flag.String("kernel", "", "the `name` of the SHA-256 kernel that ours uses; the fastest, unless it is given")
	pictures := flag.String("pictures", "", "draw what was measured into this `folder`")
	flag.Parse()
	if *kernel != "" {
		forced = sha256x16.Named(*kernel, sha256x16.Kernels())
	}
	if *quick {
		*rounds = 3
	}
	if flag.NArg() > 0 || *rounds < 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := bench(*rounds, *pictures); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(rounds int, pictures string) error {
	keys := workloadKeys()
	if err := checkOurs(keys); err != nil {
		return err
	}
	t := table{compressions: compressions(keys)}
	if err := t.enter(keys); err != nil {
		return err
	}
	defer t.stop()
	if err := t.enterUploads(keys); err != nil {
		return err
	}
	if err := run(t.all(), rounds); err != nil {
		return err
	}
	t.print(os.Stdout, rounds)
	if pictures == "" {
		return nil
	}
	return t.draw(pictures)
}

// coreCounts are the numbers of processors that our signer is measured with.
func coreCounts() []int {
	if runtime.NumCPU() == 1 {
		return []int{1}
	}
	return []int{1, 2}
}

// enter makes the contestants and looks at a URL or more of each.
func (t *table) enter(keys []string) error {
	now := time.Now()
	m := new(memory)
	for _, portable := range []bool{true, false} {
		name := "ours, batch"
		if portable {
			name = "ours, portable"
		}
		for _, cores := range coreCounts() {
			for _, n := range batchSizes {
				c := &contestant{name: name, cores: cores, keys: n}
				o := newOurs(portable, now, m)
				c.measure = inBatches(func(keys []string) error {
					o.sign(keys)
					return nil
				}, keys, n, cores, oursAtLeast)
				t.ours = append(t.ours, c)
				if n == headline && cores == 1 {
					if portable {
						t.portable = c
					} else {
						t.batch = c
					}
				}
			}
			fresh := &contestant{name: name + ", fresh signer", cores: cores, keys: headline}
			o := newOurs(portable, now, m)
			fresh.measure = inBatches(func(keys []string) error {
				o.fresh(time.Now())
				o.sign(keys)
				return nil
			}, keys, headline, cores, oursAtLeast)
			t.ours = append(t.ours, fresh)
		}
	}

	for _, cores := range coreCounts() {
		c := &contestant{
			name: "one stream of SHA-256, the limit", cores: cores, keys: headline,
			measure: streams(t.compressions, cores, oursAtLeast),
		}
		if cores > 1 {
			c.name = "one stream on each processor"
		}
		t.limits = append(t.limits, c)
	}

	for _, n := range batchSizes {
		c, err := inGo("Go SDK, s3.PresignClient "+version("github.com/aws/aws-sdk-go-v2/service/s3"), sdkPresignClient(nil), keys, n)
		if err != nil {
			return err
		}
		t.rivals = append(t.rivals, c)
		t.sdk = append(t.sdk, c)
	}
	minio, err := minioClient()
	if err != nil {
		return err
	}
	for _, rival := range []struct {
		name    string
		presign presignFunc
	}{
		{"minio-go, PresignedGetObject " + version("github.com/minio/minio-go/v7"), minio},
		{"Go SDK, bare v4.Signer " + version("github.com/aws/aws-sdk-go-v2"), sdkSigner(time.Now)},
	} {
		c, err := inGo(rival.name, rival.presign, keys, headline)
		if err != nil {
			return err
		}
		t.rivals = append(t.rivals, c)
	}

	return t.enterPrograms(keys)
}

// enterPrograms starts the contestants in other languages, as far as they are there.
func (t *table) enterPrograms(keys []string) error {
	for _, rival := range programs() {
		p, err := rival.start()
		if err != nil {
			fmt.Printf("%s is left out: %v (bench/install.sh installs it where its language is).\n", rival.name, err)
			continue
		}
		t.processes = append(t.processes, p)
		c := &contestant{
			name: fmt.Sprintf("%s %s (%s)", rival.name, p.version, rival.is), cores: 1, keys: rival.keys,
			measure: inProcess(p, keys, rival.keys),
		}
		urls, err := p.urls(keys[:rival.keys])
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if err := checkSignatures(c.name, urls, rival.keys); err != nil {
			return err
		}
		if rival.name == "boto3" {
			t.boto3 = c
		}
		t.rivals = append(t.rivals, c)
	}
	return nil
}

func inGo(name string, presign presignFunc, keys []string, n int) (*contestant, error) {
	some := keys[:100]
	urls, err := each(presign, some)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := checkSignatures(name, urls, len(some)); err != nil {
		return nil, err
	}
	return &contestant{
		name: name, cores: 1, keys: n,
		measure: inBatches(inLoop(presign), keys, n, 1, rivalsAtLeast),
	}, nil
}

// version is that of a module which this program is built from.
func version(module string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	i := slices.IndexFunc(info.Deps, func(m *debug.Module) bool { return m.Path == module })
	if i < 0 {
		return ""
	}
	return info.Deps[i].Version
}

package main

import (
	"crypto/sha256"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"bulkpresign/internal/sigv4"
)

// A contestant is a row of the table.
type contestant struct {
	name    string
	cores   int
	keys    int // a batch
	measure func() (cost, error)
	costs   []cost // one a round
}

// cost is what a URL costs, as the mean over a round's batches.
type cost struct {
	ns     float64
	allocs float64 // NaN where it cannot be known
}

// median is the median round's, each figure by itself.
func (c *contestant) median() cost {
	ns, allocs := make([]float64, len(c.costs)), make([]float64, len(c.costs))
	for i, x := range c.costs {
		ns[i], allocs[i] = x.ns, x.allocs
	}
	return cost{median(ns), median(allocs)}
}

// fastest is the fastest round's time.
func (c *contestant) fastest() float64 {
	ns := math.Inf(1)
	for _, x := range c.costs {
		ns = min(ns, x.ns)
	}
	return ns
}

func median(x []float64) float64 {
	slices.Sort(x)
	n := len(x)
	return (x[(n-1)/2] + x[n/2]) / 2
}

// run measures all contestants in turn, so that all of them see the machine's good and bad
// times, each round in another order. The first round warms up and does not count.
func run(contestants []*contestant, rounds int) error {
	order := rand.New(rand.NewPCG(3, 3))
	for round := range 1 + rounds {
		for _, i := range order.Perm(len(contestants)) {
			c := contestants[i]
			x, err := c.measure()
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if round > 0 {
				c.costs = append(c.costs, x)
			}
		}
	}
	return nil
}

// inBatches measures sign with batches of n keys, at least atLeast keys in all. Successive
// batches have other keys, as far as there are any.
func inBatches(sign func(keys []string) error, keys []string, n, cores, atLeast int) func() (cost, error) {
	batches := (atLeast + n - 1) / n
	next := 0
	return func() (x cost, err error) {
		onCores(cores, func() {
			// Nobody pays for another's garbage, nor for what the others' seconds did to the
			// processor: batches that are not counted come first.
			runtime.GC()
			if err = warmUp(func() error { return sign(keys[:n]) }); err != nil {
				return
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			for range batches {
				if next+n > len(keys) {
					next = 0
				}
				if err = sign(keys[next : next+n]); err != nil {
					return
				}
				next += n
			}
			elapsed := time.Since(start)
			runtime.ReadMemStats(&after)
			urls := float64(batches * n)
			x.ns = float64(elapsed) / urls
			x.allocs = float64(after.Mallocs-before.Mallocs) / urls
		})
		return x, err
	}
}

// warmUp runs f again and again for a while. One run has its caches warm, but that is not
// enough: a host gives the second processor of a virtual machine, which had nothing to
// do, its full time only after some use.
func warmUp(f func() error) error {
	for began := time.Now(); ; {
		if err := f(); err != nil || time.Since(began) > 50*time.Millisecond {
			return err
		}
	}
}

// onCores runs f with n processors: with one, the garbage collector too works on the time
// of whom it works for.
func onCores(n int, f func()) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
	f()
}

// inLoop makes a batch of a loop, with the URLs kept.
func inLoop(presign presignFunc) func(keys []string) error {
	var urls []string
	return func(keys []string) error {
		urls = urls[:0]
		for _, key := range keys {
			u, err := presign(key)
			if err != nil {
				return err
			}
			urls = append(urls, u)
		}
		return nil
	}
}

// inProcess measures a contestant in another language.
func inProcess(p *process, keys []string, n int) func() (cost, error) {
	next := 0
	return func() (cost, error) {
		if next+n > len(keys) {
			next = 0
		}
		elapsed, err := p.time(keys[next : next+n])
		next += n
		return cost{ns: float64(elapsed) / float64(n), allocs: math.NaN()}, err
	}
}

// compressions is how often a URL needs SHA-256's compression function, as the mean over
// the keys. All blocks of the canonical request must be hashed, since the path comes before
// what is constant. HMAC takes three more, if what is the same for a second is kept: the
// string to sign ends within its inner hash's fourth block, of which two are constant (the
// key and 64 bytes of the 72 before the request's hash), and the outer hash has two
// blocks, the key the first of them.
func compressions(keys []string) float64 {
	p := signer(time.Now()).Presigner(&request)
	blocks := 0
	for _, key := range keys {
		const padding = 1 + 8 // FIPS 180-4, section 5.1.1
		blocks += (len(p.CanonicalRequest(sigv4.PathOf(key))) + padding + sha256.BlockSize - 1) / sha256.BlockSize
	}
	const hmac = 3
	return float64(blocks)/float64(len(keys)) + hmac
}

// streams measures the least that a signer can cost which hashes one request after the
// other with crypto/sha256 on each of so many processors: the compressions, with nothing
// around them.
func streams(compressions float64, cores, atLeast int) func() (cost, error) {
	long := make([]byte, 64<<10) // stays in the second-level cache
	rand.NewChaCha8([32]byte{}).Read(long)
	times := 1 + atLeast*int(compressions)*sha256.BlockSize/len(long)/cores
	hash := func() error {
		var all sync.WaitGroup
		for range cores {
			all.Go(func() {
				h := sha256.New()
				for range times {
					h.Write(long)
				}
				h.Sum(nil)
			})
		}
		all.Wait()
		return nil
	}
	return func() (x cost, err error) {
		onCores(cores, func() {
			if err = warmUp(hash); err != nil {
				return
			}
			start := time.Now()
			hash()
			elapsed := time.Since(start)
			x.ns = float64(elapsed) / float64(cores*times*len(long)/sha256.BlockSize) * compressions
		})
		return x, nil
	}
}

package sha256x16

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Which kernel is the fastest differs from one processor to the next, of one vendor, too:
// of two generations of AMD's, one takes 1.5 times as long with AVX-512 as with its SHA
// instructions and the other 0.6 times. Nobody knows which a function will run on. So the
// kernels are measured where they run, and that is why this package reads a clock.

// forced is the name of the kernel to use, "crypto/sha256" for none; empty for the
// fastest. It is there for tests and benchmarks and set by the linker:
//
//	-ldflags "-X 'bulkpresign/internal/sigv4/sha256x16.forced=SHA instructions'"
var forced string

// known are the kernels of this machine. It is asked when they are needed first: a
// program's start need not wait for that.
var known = sync.OnceValue(func() (k kernels) {
	k = supported()
	k.all = append([]*Kernel{&portable}, k.all...)
	if forced != "" {
		k.candidates = []*Kernel{Named(forced, k.all)}
	}
	return k
})

type kernels struct {
	all        []*Kernel
	candidates []*Kernel // for the fastest; the first is presumed to be it
}

// presumed is nil if all is hashed with crypto/sha256.
func (k *kernels) presumed() *Kernel {
	if len(k.candidates) == 0 {
		return nil
	}
	return k.candidates[0]
}

// Named is the kernel of a name among others; nil for "crypto/sha256". It panics if there
// is none.
func Named(name string, among []*Kernel) *Kernel {
	for _, k := range append(among, nil) {
		if k.String() == name {
			return k
		}
	}
	panic(fmt.Sprintf("sha256x16: this processor has no kernel %q; it has %q", name, among))
}

// Kernels are those that this machine can run, the portable one among them.
func Kernels() []*Kernel { return slices.Clone(known().all) }

var (
	fastest    atomic.Pointer[Kernel]
	measuring  sync.Once
	unmeasured atomic.Int64 // messages for which the kernel was presumed
)

// worthMeasuring is the number of messages that win back what measuring takes, some 25
// us: each of them gains 0.1 us or more where the presumed kernel is the wrong one.
const worthMeasuring = 512

// Choose is the kernel with which to hash so many messages, of which blocks are some whole
// blocks; nil where crypto/sha256 is as fast as any. Once in a process, when it had so
// many messages to hash that they win it back, it lets the kernels compress some of the
// blocks to find the fastest, and throws the results away.
func Choose(messages int, blocks []byte) *Kernel {
	if k := fastest.Load(); k != nil {
		return k
	}
	k := known()
	if len(k.candidates) < 2 || len(blocks) < BlockSize || unmeasured.Add(int64(messages)) < worthMeasuring {
		return k.presumed()
	}
	measuring.Do(func() { fastest.Store(race(k.candidates, blocks)) })
	return fastest.Load()
}

// Best is the kernel that is chosen, or would be without measuring.
func Best() *Kernel {
	if k := fastest.Load(); k != nil {
		return k
	}
	k := known()
	return k.presumed()
}

// race gives the kernels the same work in turn: three times each, and the shortest time
// counts, so that neither a first use nor an interruption decides.
func race(kernels []*Kernel, blocks []byte) *Kernel {
	const (
		turns  = 3
		atMost = 4 // blocks with a schedule
	)
	schedules := make([]Schedule, min(atMost, len(blocks)/BlockSize))
	kernels[0].Expand(schedules, blocks)
	var msgs [Streams][]byte
	for i := range msgs {
		msgs[i] = blocks[:BlockSize]
	}
	var s State
	var fastest *Kernel
	best := time.Duration(math.MaxInt64)
	for range turns {
		for _, k := range kernels {
			// Of a canonical request with a session token about one block of five is
			// without a schedule.
			began := time.Now()
			k.Blocks(&s, &msgs, Streams)
			k.Scheduled(&s, schedules, Streams, nil)
			if took := time.Since(began); took < best {
				fastest, best = k, took
			}
		}
	}
	return fastest
}

package sigv4

import (
	"runtime"
	"sync/atomic"
	"time"
)

// helper signs parts of another Presigner's batches, in a goroutine of its own.
type helper struct {
	Presigner
	given atomic.Pointer[func()] // nil while nobody waits for work, nothing while somebody does
}

var nothing = func() {}

// patience is how long a helper waits for work: longer than it takes to prepare a batch
// for which another processor is worth it.
const patience = time.Millisecond

// Expect says that so many keys will be signed within the next millisecond. If they are
// worth other processors, these are woken now: one that sleeps takes some 0.2 ms, in
// which 400 keys are signed. They are busy waiting until then.
func (p *Presigner) Expect(keys int) {
	for _, h := range p.helpersFor(keys) {
		if h.given.CompareAndSwap(nil, &nothing) {
			go h.wait()
		}
	}
}

func (h *helper) wait() {
	for began := time.Now(); time.Since(began) < patience; runtime.Gosched() {
		if h.given.Load() != &nothing {
			break
		}
	}
	if work := h.given.Swap(nil); work != &nothing {
		(*work)()
	}
}

// run has work done in another goroutine.
func (h *helper) run(work func()) {
	if !h.given.CompareAndSwap(&nothing, &work) {
		go work()
	}
}

// helpersFor are those that p has for so many keys.
func (p *Presigner) helpersFor(keys int) []*helper {
	n := min(runtime.GOMAXPROCS(0), keys/keysPerWorker) - 1
	for len(p.helpers) < n {
		p.helpers = append(p.helpers, new(helper))
	}
	return p.helpers[:max(0, n)]
}

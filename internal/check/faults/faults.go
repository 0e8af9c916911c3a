// Package faults stands between a function and what it depends on, and makes that fail as AWS does: seldom, in many
// ways, and not always before the work is done.
//
// What happens to a request is drawn from the seed, the request's name (method, path, part) and how many of that
// name came before, not from a common stream of random numbers. So the second try of one upload meets the same fate
// in every run with the same seed, in whatever order the requests of several processes come.
package faults

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Kind is what goes wrong.
type Kind string

// Faults of a request. None of the first four has an effect at the service; the last three come after it.
const (
	InternalError Kind = "500"          // InternalError
	SlowDown      Kind = "503"          // SlowDown, for this request
	Throttled     Kind = "throttled"    // SlowDown, for every request within throttlePeriod
	CutRequest    Kind = "cut request"  // the connection ends in the middle of the request's body
	Slow          Kind = "slow"         // the answer comes, up to Slowest later
	CutResponse   Kind = "cut response" // the connection ends in the middle of the answer's body
	Lost          Kind = "lost answer"  // the connection ends before the answer
	LateError     Kind = "200 error"    // CompleteMultipartUpload: an error under status 200, which S3 may send; no effect
	Killed        Kind = "killed"       // the process that serves an invocation ends
)

// Rates are the shares of requests, or of invocations, that meet each fault. They add up to less than 1.
type Rates []Rate

// Rate is how often one fault happens.
type Rate struct {
	Kind  Kind
	Share float64
}

const throttlePeriod = 100 * time.Millisecond

// Source draws faults and counts them. It is safe for concurrent use.
type Source struct {
	// Slowest is the most that a slow answer is late; it may be changed before the first request.
	Slowest time.Duration

	seed  uint64
	rates Rates

	mu    sync.Mutex
	seen  map[string]uint64 // how many requests of a name there were
	count map[Kind]int
	until time.Time // all are throttled
}

// New makes a Source.
func New(seed uint64, rates Rates) *Source {
	return &Source{Slowest: 400 * time.Millisecond, seed: seed, rates: rates, seen: map[string]uint64{}, count: map[Kind]int{}}
}

// Counts are the faults so far.
func (s *Source) Counts() map[Kind]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := make(map[Kind]int, len(s.count))
	for k, n := range s.count {
		c[k] = n
	}
	return c
}

// draw returns what happens to the next thing of a name, "" for nothing, and random numbers for the details.
func (s *Source) draw(name string) (Kind, *rand.Rand) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.seen[name]
	s.seen[name]++
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d %s", s.seed, n, name))
	random := rand.New(rand.NewPCG(binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])))
	at := random.Float64()
	for _, r := range s.rates {
		if at < r.Share {
			return r.Kind, random
		}
		at -= r.Share
	}
	return "", random
}

func (s *Source) happened(k Kind) {
	s.mu.Lock()
	s.count[k]++
	s.mu.Unlock()
}

// throttle begins a period of throttling.
func (s *Source) throttle() {
	s.mu.Lock()
	s.until = time.Now().Add(throttlePeriod)
	s.mu.Unlock()
}

func (s *Source) throttling() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Before(s.until)
}

// Function kills the process of some invocations at a random moment. A killed invocation looks to the caller as a
// function that failed.
type Function struct {
	Next interface {
		// Invoke ends the process when the context ends, as *runtimeapi.Function does.
		Invoke(ctx context.Context, event []byte) ([]byte, error)
	}
	Faults *Source       // with a rate for Killed
	Within time.Duration // the moment is drawn between 0 and this; an invocation that is over by then has luck
}

// Invoke calls the function.
func (f *Function) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	kind, random := f.Faults.draw("invoke")
	if kind != Killed {
		return f.Next.Invoke(ctx, event)
	}
	within, cancel := context.WithTimeout(ctx, time.Duration(random.Int64N(int64(f.Within))))
	defer cancel()
	payload, err := f.Next.Invoke(within, event)
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		f.Faults.happened(Killed)
		return nil, fmt.Errorf("faults: killed: %w", err)
	}
	return payload, err
}

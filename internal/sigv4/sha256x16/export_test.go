package sha256x16

import "time"

const Assembled = assembled

var HexPortable = hexPortable

// SetEach gives each stream a chaining value of its own.
func (k *Kernel) SetEach(s *State, h *[Streams][8]uint32) {
	for i := range h {
		for j := range h[i] {
			*k.word(s, i, j) = h[i][j]
		}
	}
}

// Measured says whether the kernels were measured in this process.
func Measured() bool { return fastest.Load() != nil }

// Candidates are the kernels that may be the fastest.
func Candidates() []*Kernel { return known().candidates }

const WorthMeasuring = worthMeasuring

// Race lets kernels compete.
var Race = race

// Slowed is k with a rest in each call that uses schedules, long against any work.
func (k *Kernel) Slowed(rest time.Duration) *Kernel {
	slow := *k
	slow.scheduled = func(*chains, *Schedule, int, *[Streams]*byte) { time.Sleep(rest) }
	return &slow
}

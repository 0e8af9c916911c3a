// Package sha256x16 is the compression function of SHA-256 ([FIPS 180-4],
// section 6.2.2) over sixteen independent streams at once, twice.
//
// In one message each round needs the result of the one before, so a hash of one
// message leaves most of a processor idle. Independent messages fill it: in the lanes
// of wide vectors (AVX-512, AVX2), interleaved four by four where the processor has
// instructions for SHA-256 that take several cycles each, or both at once. Beyond that,
// the message schedule of a block does not depend on the chaining value: where many
// messages share blocks, [Kernel.Expand] computes the schedules once and
// [Kernel.Scheduled] uses them for every message.
//
// The package deals in whole blocks only. Padding is the caller's. [Choose] gives the
// kernel to use on this machine.
//
// [FIPS 180-4]: https://doi.org/10.6028/NIST.FIPS.180-4
package sha256x16

import "math/bits"

//go:generate go run -C gen . -dir ..

const (
	// Streams is the number of messages that are compressed together.
	Streams = 2 * half
	half    = 16

	// BlockSize is the size of a message block in bytes.
	BlockSize = 64
	// Size is the size of a digest in bytes.
	Size = 32
)

// State is that of all streams: the chaining values H0 to H7 of each, in an order that
// is the kernel's own, and scratch space.
type State struct {
	h     chains
	at    [Streams]*byte
	spare [2 * Size]byte
}

// chain has half of the streams.
type chain [half * 8]uint32

type chains [2]chain

// index is where a chain has word j of stream i.
func index(columns, i, j int) int { return i/columns*columns*8 + j*columns + i%columns }

// CopyFrom sets the chaining values.
func (s *State) CopyFrom(t *State) { s.h = t.h }

// Schedule is W[t]+K[t] (mod 2^32) for one block: the part of a compression
// that does not depend on the state.
type Schedule [64]uint32

// Kernel is a way to compress. The functions of these tables check nothing: n is at
// least 1, what is behind the pointers is long enough, and all pointers are good even
// where fewer streams are of interest.
type Kernel struct {
	name  string
	width int
	pays  int

	either *sixteen // of the halves of the streams

	// scheduled takes both halves together; nil where that is no faster.
	scheduled func(s *chains, w *Schedule, n int, fetch *[Streams]*byte)
}

// sixteen is a way to compress half of the streams.
type sixteen struct {
	// columns tells the order of a chain: H0 of so many streams, H1 of them, and so on;
	// or, where it is 1, one stream after the other.
	columns int

	expand     func(dst *Schedule, blocks *byte, n int)
	blocks     func(s *chain, msgs *[half]*byte, n, streams int, live uint16)
	scheduled  func(s *chain, w *Schedule, n, streams int, fetch *[half]*byte)
	digests    func(dst *[half]*[Size]byte, s *chain)
	hexDigests func(dst *[half]*[2 * Size]byte, s *chain)
}

// String names the kernel, and crypto/sha256 where there is none.
func (k *Kernel) String() string {
	if k == nil {
		return "crypto/sha256"
	}
	return k.name
}

// Width is the number of streams that take no longer than one: 16, or 4 or 8 where
// sixteen are compressed in parts.
func (k *Kernel) Width() int { return k.width }

// Pays is the number of messages from which a call with so few of them is faster than
// crypto/sha256, one after the other.
func (k *Kernel) Pays() int { return k.pays }

// IV is the initial state of a message (FIPS 180-4, section 5.3.3).
var IV = [8]uint32{
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
}

// Set gives all streams the same chaining value.
func (k *Kernel) Set(s *State, h *[8]uint32) {
	for i := range Streams {
		for j := range h {
			*k.word(s, i, j) = h[j]
		}
	}
}

// Get is the chaining value of a stream.
func (k *Kernel) Get(s *State, stream int) (h [8]uint32) {
	for j := range h {
		h[j] = *k.word(s, stream, j)
	}
	return h
}

func (k *Kernel) word(s *State, stream, j int) *uint32 {
	return &s.h[stream/half][index(k.either.columns, stream%half, j)]
}

// Expand computes the schedules of the first len(dst) blocks. It panics if there are
// fewer.
func (k *Kernel) Expand(dst []Schedule, blocks []byte) {
	if len(dst) > 0 {
		_ = blocks[len(dst)*BlockSize-1]
		k.either.expand(&dst[0], &blocks[0], len(dst))
	}
}

// Scheduled compresses the same blocks, expanded by [Kernel.Expand], into each of the
// first so many streams. The other streams' states are undefined afterwards.
//
// Hashing leaves the memory idle. So what will be needed soon can be fetched meanwhile,
// for each stream as many bytes as the blocks have from where fetch points; nil is for
// nothing.
func (k *Kernel) Scheduled(s *State, w []Schedule, streams int, fetch *[Streams]*byte) {
	if len(w) == 0 || streams == 0 {
		return
	}
	if fetch == nil {
		for i := range s.at {
			s.at[i] = &s.spare[0] // nothing is read, so it need not be as long
		}
		fetch = &s.at
	}
	if streams > half && k.scheduled != nil {
		k.scheduled(&s.h, &w[0], len(w), fetch)
		return
	}
	for i, from := 0, 0; from < streams; i, from = i+1, from+half {
		k.either.scheduled(&s.h[i], &w[0], len(w), min(half, streams-from), (*[half]*byte)(fetch[from:]))
	}
}

// Blocks compresses the first so many messages, each into its stream. A message has
// any number of whole blocks; what is left over is not looked at. The other streams'
// states are undefined afterwards.
func (k *Kernel) Blocks(s *State, msgs *[Streams][]byte, streams int) {
	for done := 0; ; {
		// As far as the shortest of the messages that go on from here.
		var live uint32
		to := 0
		for i, m := range msgs[:streams] {
			n := len(m) / BlockSize
			if n <= done {
				continue
			}
			if live == 0 || n < to {
				to = n
			}
			live |= 1 << i
		}
		if live == 0 {
			return
		}
		some := &msgs[bits.TrailingZeros32(live)][done*BlockSize]
		for i := range s.at {
			s.at[i] = some // what a stream without a message reads does not matter
			if live>>i&1 != 0 {
				s.at[i] = &msgs[i][done*BlockSize]
			}
		}
		for i, from := 0, 0; from < streams; i, from = i+1, from+half {
			if live := uint16(live >> from); live != 0 {
				k.either.blocks(&s.h[i], (*[half]*byte)(s.at[from:]), to-done, min(half, streams-from), live)
			}
		}
		done = to
	}
}

// Digests writes the chaining values of the first so many streams, which are the
// digests once the padded messages have been compressed. The other places of dst are
// overwritten.
func (k *Kernel) Digests(dst *[Streams]*[Size]byte, s *State, streams int) {
	for i := streams; i < Streams; i++ {
		dst[i] = (*[Size]byte)(s.spare[:])
	}
	for i, from := 0, 0; from < streams; i, from = i+1, from+half {
		k.either.digests((*[half]*[Size]byte)(dst[from:]), &s.h[i])
	}
}

// HexDigests writes them in lower-case hexadecimal, as SigV4 has them.
func (k *Kernel) HexDigests(dst *[Streams]*[2 * Size]byte, s *State, streams int) {
	for i := streams; i < Streams; i++ {
		dst[i] = &s.spare
	}
	for i, from := 0, 0; from < streams; i, from = i+1, from+half {
		k.either.hexDigests((*[half]*[2 * Size]byte)(dst[from:]), &s.h[i])
	}
}

// Hex writes a digest in lower-case hexadecimal.
func Hex(dst *[2 * Size]byte, digest *[Size]byte) {
	if assembled {
		hex(&dst[0], &digest[0])
		return
	}
	hexPortable(dst, digest)
}

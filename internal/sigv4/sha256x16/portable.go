package sha256x16

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// This file is the portable twin of the assembly: the plain statement of what the
// kernels do, against which they are tested. It is not there to be fast: crypto/sha256
// is faster, so it is no machine's choice.

// k holds the round constants (FIPS 180-4, section 4.2.2).
var k = [64]uint32{
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
}

// portable is a kernel of one stream after the other.
var portable = Kernel{name: "portable", width: 1, pays: Streams + 1, either: &oneByOne}

var oneByOne = sixteen{
	columns: 1,

	expand: func(dst *Schedule, blocks *byte, n int) {
		for i, b := range unsafe.Slice((*[BlockSize]byte)(unsafe.Pointer(blocks)), n) {
			schedule(&unsafe.Slice(dst, n)[i], &b)
		}
	},
	blocks: func(s *chain, msgs *[half]*byte, n, streams int, live uint16) {
		var w Schedule
		for i := range streams {
			if live>>i&1 == 0 {
				continue
			}
			for _, b := range unsafe.Slice((*[BlockSize]byte)(unsafe.Pointer(msgs[i])), n) {
				schedule(&w, &b)
				compress(s.row(i), &w)
			}
		}
	},
	scheduled: func(s *chain, w *Schedule, n, streams int, _ *[half]*byte) {
		for i := range streams {
			for b := range n {
				compress(s.row(i), &unsafe.Slice(w, n)[b])
			}
		}
	},
	digests:    digestsOf(1),
	hexDigests: hexDigestsOf(1),
}

// row is where a chain with one stream after the other has that of one.
func (s *chain) row(i int) *[8]uint32 { return (*[8]uint32)(s[8*i:]) }

// digestsOf reads the digests from a chain of a kernel with so many columns.
func digestsOf(columns int) func(*[half]*[Size]byte, *chain) {
	return func(dst *[half]*[Size]byte, s *chain) {
		for i, d := range dst {
			putDigest(d, s[index(columns, i, 0):], columns)
		}
	}
}

func hexDigestsOf(columns int) func(*[half]*[2 * Size]byte, *chain) {
	return func(dst *[half]*[2 * Size]byte, s *chain) {
		var digest [Size]byte
		for i, d := range dst {
			putDigest(&digest, s[index(columns, i, 0):], columns)
			Hex(d, &digest)
		}
	}
}

// putDigest writes the digest whose words stand columns apart.
func putDigest(dst *[Size]byte, words []uint32, columns int) {
	for j := range 8 {
		binary.BigEndian.PutUint32(dst[4*j:], words[j*columns])
	}
}

// schedule is step 1 of FIPS 180-4, section 6.2.2, with the round constants
// already added.
func schedule(dst *Schedule, block *[BlockSize]byte) {
	var w [64]uint32
	for t := range 16 {
		w[t] = binary.BigEndian.Uint32(block[4*t:])
	}
	for t := 16; t < 64; t++ {
		v0, v1 := w[t-15], w[t-2]
		s0 := bits.RotateLeft32(v0, -7) ^ bits.RotateLeft32(v0, -18) ^ v0>>3
		s1 := bits.RotateLeft32(v1, -17) ^ bits.RotateLeft32(v1, -19) ^ v1>>10
		w[t] = s1 + w[t-7] + s0 + w[t-16]
	}
	for t := range dst {
		dst[t] = w[t] + k[t]
	}
}

// compress is steps 2 to 4 of FIPS 180-4, section 6.2.2.
func compress(s *[8]uint32, w *Schedule) {
	a, b, c, d, e, f, g, h := s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
	for t := range w {
		s1 := bits.RotateLeft32(e, -6) ^ bits.RotateLeft32(e, -11) ^ bits.RotateLeft32(e, -25)
		t1 := h + s1 + (e&f ^ ^e&g) + w[t]
		s0 := bits.RotateLeft32(a, -2) ^ bits.RotateLeft32(a, -13) ^ bits.RotateLeft32(a, -22)
		t2 := s0 + (a&b ^ a&c ^ b&c)
		a, b, c, d, e, f, g, h = t1+t2, a, b, c, d+t1, e, f, g
	}
	for i, v := range [8]uint32{a, b, c, d, e, f, g, h} {
		s[i] += v
	}
}

func hexPortable(dst *[2 * Size]byte, digest *[Size]byte) {
	const digits = "0123456789abcdef"
	for i, b := range digest {
		dst[2*i], dst[2*i+1] = digits[b>>4], digits[b&15]
	}
}

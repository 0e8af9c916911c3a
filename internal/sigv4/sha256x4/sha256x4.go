// Package sha256x4 is the compression function of SHA-256 ([FIPS 180-4],
// section 6.2.2) over four independent streams at once.
//
// A processor's SHA-256 instructions have a latency of several cycles, and in
// one message each of them needs the result of the one before, so a hash of
// one message leaves the unit idle most of the time. Four interleaved messages
// fill it. Beyond that, the message schedule of a block does not depend on the
// chaining value: where many messages share blocks, [Expand] computes the
// schedules once and [Scheduled] uses them for every message.
//
// The package deals in whole blocks only. Padding is the caller's.
//
// The assembly is for amd64 (SHA extensions) and arm64 (SHA2); the build tag
// purego leaves it out. Everywhere else the functions work but are slow: see
// [Supported].
//
// [FIPS 180-4]: https://doi.org/10.6028/NIST.FIPS.180-4
package sha256x4

import (
	"encoding/binary"
	"fmt"
)

//go:generate go run -C gen . -dir ..

const (
	// Streams is the number of messages that are compressed together.
	Streams = 4
	// BlockSize is the size of a message block in bytes.
	BlockSize = 64
	// Size is the size of a digest in bytes.
	Size = 32
)

// State holds the chaining values H0..H7 of the four streams.
type State [Streams][8]uint32

// Schedule is W[t]+K[t] (mod 2^32) for one block: the part of a compression
// that does not depend on the state.
type Schedule [64]uint32

// IV is the initial state of four messages (FIPS 180-4, section 5.3.3). It is
// to be copied, not changed.
var IV = State{h0, h0, h0, h0}

var h0 = [8]uint32{
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
}

// Supported reports whether this machine has the instructions that make this
// package worth using (amd64: SHA and SSSE3; arm64: SHA2). It is looked up
// once, when the program starts. Where it is false everything still works, but
// crypto/sha256 is faster.
func Supported() bool { return supported }

// Expand computes the schedules of the first len(dst) blocks of 64 bytes in
// blocks. It panics if blocks is shorter than that.
func Expand(dst []Schedule, blocks []byte) {
	if len(blocks)/BlockSize < len(dst) {
		panic(fmt.Sprintf("sha256x4: Expand: %d schedules asked of %d bytes", len(dst), len(blocks)))
	}
	if len(dst) == 0 {
		return
	}
	if !supported {
		expandGeneric(dst, blocks)
		return
	}
	expand(&dst[0], &blocks[0], len(dst))
}

// Blocks compresses the first n blocks of msgs[i] into stream i, for each of
// the four streams. It panics if n is negative or a message is shorter than n
// blocks.
func Blocks(s *State, msgs *[Streams][]byte, n int) {
	if n < 0 {
		panic(fmt.Sprintf("sha256x4: Blocks: n is %d", n))
	}
	for i := range msgs {
		if len(msgs[i])/BlockSize < n {
			panic(fmt.Sprintf("sha256x4: Blocks: %d blocks asked of the %d bytes of message %d", n, len(msgs[i]), i))
		}
	}
	if n == 0 {
		return
	}
	if !supported {
		blocksGeneric(s, msgs, n)
		return
	}
	blocks(s, msgs, n)
}

// Scheduled compresses the same len(w) blocks, expanded by [Expand], into each
// of the four streams.
func Scheduled(s *State, w []Schedule) {
	if len(w) == 0 {
		return
	}
	if !supported {
		scheduledGeneric(s, w)
		return
	}
	scheduled(s, &w[0], len(w))
}

// PutDigest writes the chaining value of stream i, which is the digest once
// the padded message has been compressed, to dst. It panics if i is not a
// stream.
func (s *State) PutDigest(dst *[Size]byte, i int) {
	for j, h := range s[i] {
		binary.BigEndian.PutUint32(dst[4*j:], h)
	}
}

// Hex writes a digest in lower-case hexadecimal, as SigV4 has it. A signature has two
// digests in this form, so the time for it counts beside the compressions.
func Hex(dst *[2 * Size]byte, digest *[Size]byte) {
	if supported {
		hex(&dst[0], &digest[0])
		return
	}
	hexGeneric(dst, digest)
}

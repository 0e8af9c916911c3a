//go:build (amd64 || arm64) && !purego

package sha256x4

// assembled is whether this build has the kernels.
const assembled = true

// The kernels, in kernels_amd64.s and kernels_arm64.s. They check nothing: n is
// at least 1, and what is behind the pointers is long enough.

// expand sets the n schedules at dst from the n blocks at blocks.
//
//go:noescape
func expand(dst *Schedule, blocks *byte, n int)

// blocks compresses n blocks from the beginning of each message.
//
//go:noescape
func blocks(s *State, msgs *[Streams][]byte, n int)

// scheduled compresses the n blocks whose schedules are at w.
//
//go:noescape
func scheduled(s *State, w *Schedule, n int)

// hex writes the 64 digits of the 32 bytes at digest.
//
//go:noescape
func hex(dst *byte, digest *byte)

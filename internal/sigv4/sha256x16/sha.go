//go:build (amd64 || arm64) && !purego

package sha256x16

import "unsafe"

// This file is about the processors' instructions for SHA-256 (amd64: SHA extensions,
// arm64: SHA2), which are kept busy by four interleaved streams.

const assembled = true

// interleaved is the kernel of sha_amd64.s and sha_arm64.s, four streams at a time. A
// chain has the streams one after the other.
var interleaved = Kernel{name: "SHA instructions", width: 4, pays: 3, either: &fours}

var fours = sixteen{
	columns: 1,

	expand: expand4,
	blocks: func(s *chain, msgs *[half]*byte, n, streams int, live uint16) {
		for i := 0; i < streams; i += 4 {
			quad := (*[4][8]uint32)(unsafe.Pointer(s.row(i)))
			switch on := live >> i & 15; on {
			case 0:
			case 15:
				blocks4(quad, (*[4]*byte)(msgs[i:]), n)
			default:
				was := *quad
				blocks4(quad, (*[4]*byte)(msgs[i:]), n)
				for j := range was {
					if on>>j&1 == 0 {
						quad[j] = was[j]
					}
				}
			}
		}
	},
	scheduled: func(s *chain, w *Schedule, n, streams int, fetch *[half]*byte) {
		for i := 0; i < streams; i += 4 {
			scheduled4((*[4][8]uint32)(unsafe.Pointer(s.row(i))), w, n, (*[4]*byte)(fetch[i:]))
		}
	},
	digests:    digestsOf(1),
	hexDigests: hexDigestsOf(1),
}

// expand4 sets the n schedules at dst from the n blocks at blocks.
//
//go:noescape
func expand4(dst *Schedule, blocks *byte, n int)

// blocks4 compresses n blocks from the beginning of each message.
//
//go:noescape
func blocks4(s *[4][8]uint32, msgs *[4]*byte, n int)

// scheduled4 compresses the n blocks whose schedules are at w, and fetches as many bytes.
//
//go:noescape
func scheduled4(s *[4][8]uint32, w *Schedule, n int, fetch *[4]*byte)

// hex writes the 64 digits of the 32 bytes at digest.
//
//go:noescape
func hex(dst *byte, digest *byte)

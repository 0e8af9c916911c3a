//go:build !purego

package sha256x16

import "golang.org/x/sys/cpu"

// avx512 is the kernel of avx512_amd64.s. A State has the same word of all streams side
// by side.
var avx512 = Kernel{
	name:    "AVX-512",
	width:   16,
	pays:    7,
	columns: 16,

	expand: expandAny,
	blocks: func(s *chain, msgs *[Streams]*byte, n, _ int, live uint16) {
		blocksAVX512(s, msgs, n, live)
	},
	scheduled:  func(s *chain, w *Schedule, n, _ int, fetch *[Streams]*byte) { scheduledAVX512(s, w, n, fetch) },
	digests:    digestsAVX512,
	hexDigests: hexDigestsAVX512,
}

// expandAny takes what there is: schedules are computed once for many messages.
func expandAny(dst *Schedule, blocks *byte, n int) {
	if hasSHA {
		expand4(dst, blocks, n)
		return
	}
	portable.expand(dst, blocks, n)
}

// avx2 is the kernel of avx2_amd64.s. A State has the same word of eight streams side by
// side.
var avx2 = Kernel{
	name:    "AVX2",
	width:   8,
	pays:    4,
	columns: 8,

	expand: expandAny,
	blocks: func(s *chain, msgs *[Streams]*byte, n, streams int, live uint16) {
		for i := 0; i < streams; i += 8 {
			half := (*[64]uint32)(s[8*i:])
			on := live >> i & 0xff
			was := *half
			if on != 0 {
				blocksAVX2(half, (*[8]*byte)(msgs[i:]), n)
			}
			for j := 0; on != 0xff && j < len(half); j++ {
				if on>>(j%8)&1 == 0 {
					half[j] = was[j]
				}
			}
		}
	},
	scheduled: func(s *chain, w *Schedule, n, streams int, fetch *[Streams]*byte) {
		for i := 0; i < streams; i += 8 {
			scheduledAVX2((*[64]uint32)(s[8*i:]), w, n, (*[8]*byte)(fetch[i:]))
		}
	},
	digests:    digestsOf(8),
	hexDigests: hexDigestsOf(8),
}

//go:noescape
func blocksAVX2(s *[64]uint32, msgs *[8]*byte, n int)

//go:noescape
func scheduledAVX2(s *[64]uint32, w *Schedule, n int, fetch *[8]*byte)

//go:noescape
func blocksAVX512(s *chain, msgs *[Streams]*byte, n int, mask uint16)

//go:noescape
func scheduledAVX512(s *chain, w *Schedule, n int, fetch *[Streams]*byte)

//go:noescape
func digestsAVX512(dst *[Streams]*[Size]byte, s *chain)

//go:noescape
func hexDigestsAVX512(dst *[Streams]*[2 * Size]byte, s *chain)

// cpuid executes CPUID (Intel SDM, volume 2).
func cpuid(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32)

var (
	hexSupported = cpu.X86.HasSSSE3
	hasSHA       = cpu.X86.HasSSSE3 && sha()
	hasAVX512    = cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW // and the system saves the registers
)

// x/sys/cpu knows SSSE3 but not the SHA extensions: they are bit 29 of EBX in leaf 7.
func sha() bool {
	if highest, _, _, _ := cpuid(0, 0); highest < 7 {
		return false
	}
	_, ebx, _, _ := cpuid(7, 0)
	return ebx&(1<<29) != 0
}

func isIntel() bool {
	_, b, c, d := cpuid(0, 0)
	return b == 0x756e6547 && d == 0x49656e69 && c == 0x6c65746e // "GenuineIntel"
}

var supported, best = choose()

// choose lists the kernels, and says which is the best. It rests on the time for a
// scheduled block of one stream:
//
//   - Intel with AVX-512 and SHA extensions (Emerald Rapids): 10.7 ns with AVX-512, 28.2
//     with the SHA extensions, 28.3 with AVX2. One stream takes 37.6: Intel's SHA unit
//     has little room beside it.
//   - AMD with both (EPYC): 8.9 ns with the SHA extensions, 12.6 with AVX-512. One stream
//     takes 35.
//   - Without SHA extensions one stream takes 128 ns, so any vectors are faster.
//
// The benchmarks of this package measure all that a machine has.
func choose() (supported []*Kernel, best *Kernel) {
	if hasSHA {
		supported, best = append(supported, &interleaved), &interleaved
	}
	if cpu.X86.HasAVX2 {
		supported = append(supported, &avx2)
		if best == nil {
			best = &avx2
		}
	}
	if hasAVX512 {
		supported = append(supported, &avx512)
		if !hasSHA || isIntel() {
			best = &avx512
		}
	}
	return supported, best
}

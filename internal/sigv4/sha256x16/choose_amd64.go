//go:build !purego

package sha256x16

import "golang.org/x/sys/cpu"

// avx512 is the kernel of avx512_amd64.s. A State has the same word of all streams side
// by side.
var avx512 = Kernel{
	name:    "AVX-512",
	width:   16,
	pays:    7,
	columns: true,

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

// choose lists the kernels, and says which is the best. On Intel that is AVX-512, where
// it is: 11.5 ns a scheduled block and stream against 31 with the SHA extensions, whose
// unit has little room beside one stream's 41 (Emerald Rapids). On AMD it is the SHA
// extensions: 8.9 ns against 12.6 (EPYC with both). The benchmarks of this package
// measure all that a machine has.
func choose() (supported []*Kernel, best *Kernel) {
	if hasSHA {
		supported, best = append(supported, &interleaved), &interleaved
	}
	if hasAVX512 {
		supported = append(supported, &avx512)
		if best == nil || isIntel() {
			best = &avx512
		}
	}
	return supported, best
}

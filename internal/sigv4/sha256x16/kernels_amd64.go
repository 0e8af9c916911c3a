//go:build !purego

package sha256x16

// avx512 is the kernel of avx512_amd64.s. A chain has the same word of all streams side
// by side.
var avx512 = Kernel{name: "AVX-512", width: 16, pays: 7, either: &lanes16}

var lanes16 = sixteen{
	columns: 16,

	expand: oneByOne.expand,
	blocks: func(s *chain, msgs *[half]*byte, n, _ int, live uint16) {
		blocksAVX512(s, msgs, n, live)
	},
	scheduled:  func(s *chain, w *Schedule, n, _ int, fetch *[half]*byte) { scheduledAVX512(s, w, n, fetch) },
	digests:    digestsAVX512,
	hexDigests: hexDigestsAVX512,
}

// avx512Twice takes two sets of sixteen at once where schedules are at hand.
var avx512Twice = Kernel{
	name: "AVX-512, twice", width: 16, pays: 7, either: &lanes16,
	scheduled: scheduledTwiceAVX512,
}

// avx2 is the kernel of avx2_amd64.s. A chain has the same word of eight streams side by
// side.
var avx2 = Kernel{name: "AVX2", width: 8, pays: 4, either: &lanes8}

var lanes8 = sixteen{
	columns: 8,

	expand: oneByOne.expand,
	blocks: func(s *chain, msgs *[half]*byte, n, streams int, live uint16) {
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
	scheduled: func(s *chain, w *Schedule, n, streams int, fetch *[half]*byte) {
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
func blocksAVX512(s *chain, msgs *[half]*byte, n int, mask uint16)

//go:noescape
func scheduledAVX512(s *chain, w *Schedule, n int, fetch *[half]*byte)

//go:noescape
func scheduledTwiceAVX512(s *chains, w *Schedule, n int, fetch *[Streams]*byte)

//go:noescape
func digestsAVX512(dst *[half]*[Size]byte, s *chain)

//go:noescape
func hexDigestsAVX512(dst *[half]*[2 * Size]byte, s *chain)

// cpuid executes CPUID, and xgetbv XGETBV for register 0 (Intel SDM, volume 2).
func cpuid(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32)

func xgetbv() (eax, edx uint32)

// features are what the kernels need of a processor.
type features struct{ sha, avx2, avx512, intel bool }

// look asks the processor. That is done here, not by golang.org/x/sys/cpu, because that
// asks while the program starts, and in a virtual machine each question takes long.
func look() (f features) {
	highest, b, c, d := cpuid(0, 0)
	f.intel = b == 0x756e6547 && d == 0x49656e69 && c == 0x6c65746e // "GenuineIntel"
	if highest < 7 {
		return f
	}
	bits := func(of uint32, numbers ...int) bool {
		for _, n := range numbers {
			if of>>n&1 == 0 {
				return false
			}
		}
		return true
	}
	const (
		ssse3, osxsave, avx                    = 9, 27, 28         // in ECX of leaf 1
		avx2, avx512f, sha, avx512bw, avx512vl = 5, 16, 29, 30, 31 // in EBX of leaf 7
		xmm, ymm, opmask, zmmHigh, zmm16       = 1, 2, 5, 6, 7     // in XCR0
	)
	_, _, leaf1, _ := cpuid(1, 0)
	_, leaf7, _, _ := cpuid(7, 0)
	f.sha = bits(leaf1, ssse3) && bits(leaf7, sha)
	if !bits(leaf1, osxsave, avx) {
		return f
	}
	saved, _ := xgetbv() // by the system, when it switches
	f.avx2 = bits(saved, xmm, ymm) && bits(leaf7, avx2)
	f.avx512 = bits(saved, xmm, ymm, opmask, zmmHigh, zmm16) && bits(leaf7, avx512f, avx512bw, avx512vl)
	return f
}

// supported lists the kernels, and those of them that may be the fastest. Which of these
// is presumed to be it rests on the time for a scheduled block of one stream:
//
//   - Intel with AVX-512 and SHA extensions (Emerald Rapids): 10.7 ns with AVX-512, 28.2
//     with the SHA extensions, 28.3 with AVX2. One stream takes 37.6: Intel's SHA unit
//     has little room beside it.
//   - AMD with both: 9.0 ns with the SHA extensions and 13.2 with AVX-512 (Zen 4), 15.7 and
//     9.3 (Zen 5). The SHA extensions serve a few streams better.
//   - Without SHA extensions one stream takes 128 ns, so any vectors are faster.
func supported() (k kernels) {
	has := look()
	if has.sha {
		k.all = append(k.all, &interleaved)
		lanes8.expand, lanes16.expand = expand4, expand4
	}
	if has.avx2 {
		k.all = append(k.all, &avx2)
	}
	if has.avx512 {
		k.all = append(k.all, &avx512, &avx512Twice)
	}
	switch {
	case has.avx512 && has.sha && has.intel:
		k.candidates = []*Kernel{&avx512, &avx512Twice, &interleaved}
	case has.avx512 && has.sha:
		k.candidates = []*Kernel{&interleaved, &avx512Twice}
	case has.avx512:
		k.candidates = []*Kernel{&avx512, &avx512Twice}
	case has.avx2 && has.sha:
		k.candidates = []*Kernel{&interleaved, &avx2}
	default:
		k.candidates = k.all // one or none
	}
	return k
}

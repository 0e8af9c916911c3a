package sha256x16_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/sigv4/sha256x16"
)

const (
	streams   = sha256x16.Streams
	blockSize = sha256x16.BlockSize
)

// kernels are all that the machine has. TestKernels makes sure that none is missing.
var kernels = sha256x16.Kernels()

// TestKernels holds the list against what the operating system says about the
// processor, so that no other test can pass by leaving a kernel out.
func TestKernels(t *testing.T) {
	want := []string{"portable"}
	switch {
	case !sha256x16.Assembled:
	case runtime.GOOS != "linux":
		t.Skip("only Linux is asked for a second opinion on the processor")
	case runtime.GOARCH == "amd64":
		if cpuinfoHas(t, "sha_ni") && cpuinfoHas(t, "ssse3") {
			want = append(want, "SHA instructions")
		}
		if cpuinfoHas(t, "avx2") {
			want = append(want, "AVX2")
		}
		if cpuinfoHas(t, "avx512f") && cpuinfoHas(t, "avx512bw") && cpuinfoHas(t, "avx512vl") {
			want = append(want, "AVX-512", "AVX-512, twice")
		}
	case runtime.GOARCH == "arm64":
		const hwcapSHA2 = 1 << 6 // asm/hwcap.h
		if hwcap(t)&hwcapSHA2 != 0 {
			want = append(want, "SHA instructions")
		}
	}
	var got []string
	for _, k := range kernels {
		got = append(got, k.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Kernels(), against what the operating system says (-want +got):\n%s", diff)
	}
	t.Logf("%s: of %q, %v is presumed to be the fastest", runtime.GOARCH, got, sha256x16.Best())
}

// The kernels are measured once, when there is enough to hash, and not before. No other
// test chooses one.
func TestChoose(t *testing.T) {
	blocks := make([]byte, 2*blockSize)
	presumed := sha256x16.Best()
	candidates := sha256x16.Candidates()
	if len(kernels) > 1 && (len(candidates) == 0 || presumed != candidates[0]) {
		t.Errorf("of %v, %v is presumed to be the fastest", candidates, presumed)
	}
	for n := 0; n < sha256x16.WorthMeasuring; n += sha256x16.WorthMeasuring / 4 {
		if got := sha256x16.Choose(sha256x16.WorthMeasuring/4-1, blocks); got != presumed || sha256x16.Measured() {
			t.Fatalf("after some %d messages: %v, measured %v, want %v as presumed", n, got, sha256x16.Measured(), presumed)
		}
	}
	if got := sha256x16.Choose(sha256x16.WorthMeasuring, blocks[1:blockSize]); got != presumed || sha256x16.Measured() {
		t.Errorf("without a whole block: %v, measured %v", got, sha256x16.Measured())
	}
	if allocs := testing.AllocsPerRun(1, func() { sha256x16.Choose(4, blocks) }); allocs != 0 {
		t.Errorf("choosing allocates %v times", allocs)
	}
	chosen := sha256x16.Choose(sha256x16.WorthMeasuring, blocks)
	if several := len(candidates) > 1; sha256x16.Measured() != several {
		t.Errorf("of %d candidates, measured: %v", len(candidates), sha256x16.Measured())
	}
	if len(candidates) > 0 && !slices.Contains(candidates, chosen) {
		t.Errorf("%v was chosen of %v", chosen, candidates)
	}
	if again := sha256x16.Choose(1, blocks); again != chosen || sha256x16.Best() != chosen {
		t.Errorf("%v was chosen, then %v, and %v is the best", chosen, again, sha256x16.Best())
	}
}

// The faster of two wins, wherever it stands and however few blocks there are. The slow
// one rests for so long that no emulator and no busy machine turns that round.
func TestRace(t *testing.T) {
	for _, fast := range kernels {
		slow := fast.Slowed(20 * time.Millisecond)
		for _, n := range []int{1, 5} {
			blocks := make([]byte, n*blockSize)
			for _, race := range [][]*sha256x16.Kernel{{slow, fast}, {fast, slow}} {
				if got := sha256x16.Race(race, blocks); got != fast {
					t.Errorf("%d blocks: the slow %v won", n, fast)
				}
			}
		}
	}
}

func TestNamed(t *testing.T) {
	for _, k := range append(slices.Clone(kernels), nil) {
		if got := sha256x16.Named(k.String(), kernels); got != k {
			t.Errorf("%v is found as %v", k, got)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a kernel that there is not was found")
		}
	}()
	sha256x16.Named("abacus", kernels)
}

func cpuinfoHas(t *testing.T, flag string) bool {
	t.Helper()
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(info)) {
		if name, flags, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "flags" {
			return slices.Contains(strings.Fields(flags), flag)
		}
	}
	t.Fatal("/proc/cpuinfo has no flags")
	return false
}

// hwcap is AT_HWCAP of the auxiliary vector; unlike /proc/cpuinfo it is that of
// the emulated processor under qemu-user.
func hwcap(t *testing.T) uint64 {
	t.Helper()
	const atHWCAP = 16
	auxv, err := os.ReadFile("/proc/self/auxv")
	if err != nil {
		t.Fatal(err)
	}
	for ; len(auxv) >= 16; auxv = auxv[16:] {
		if binary.NativeEndian.Uint64(auxv) == atHWCAP {
			return binary.NativeEndian.Uint64(auxv[8:])
		}
	}
	t.Fatal("/proc/self/auxv has no AT_HWCAP")
	return 0
}

// pad appends the padding of FIPS 180-4, section 5.1.1.
func pad(msg []byte) []byte {
	padded := append(bytes.Clone(msg), 0x80)
	for len(padded)%blockSize != blockSize-8 {
		padded = append(padded, 0)
	}
	return binary.BigEndian.AppendUint64(padded, 8*uint64(len(msg)))
}

// hash hashes padded messages from the initial state.
func hash(k *sha256x16.Kernel, msgs *[streams][]byte, n int) (s *sha256x16.State) {
	s = new(sha256x16.State)
	k.Set(s, &sha256x16.IV)
	k.Blocks(s, msgs, n)
	return s
}

// digests are those of the first n streams, which must be written in both forms and
// into nothing else.
func digests(t *testing.T, k *sha256x16.Kernel, s *sha256x16.State, n int) (d []string) {
	t.Helper()
	var raw [streams][sha256x16.Size]byte
	var text [streams][2 * sha256x16.Size]byte
	var rawAt [streams]*[sha256x16.Size]byte
	var textAt [streams]*[2 * sha256x16.Size]byte
	for i := range streams {
		rawAt[i], textAt[i] = &raw[i], &text[i]
	}
	k.Digests(&rawAt, s, n)
	k.HexDigests(&textAt, s, n)
	for i := range streams {
		if i < n {
			d = append(d, hex.EncodeToString(raw[i][:]))
			if string(text[i][:]) != d[i] {
				t.Errorf("%s: stream %d has the digest %s, and %s in hexadecimal", k, i, d[i], text[i])
			}
		} else if raw[i] != [sha256x16.Size]byte{} || text[i] != [2 * sha256x16.Size]byte{} {
			t.Errorf("%s: of %d digests the one at %d was written, too", k, n, i)
		}
	}
	return d
}

func sum(msg []byte) string {
	d := sha256.Sum256(msg)
	return hex.EncodeToString(d[:])
}

// The examples of FIPS 180-4 are published by NIST as "SHA256.pdf" among its
// Cryptographic Standards and Guidelines; the long one is from FIPS 180-2,
// appendix B.3.
func TestPublishedExamples(t *testing.T) {
	for _, c := range []struct{ name, msg, want string }{
		{"one block", "abc",
			"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"two blocks", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
			"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
		{"a million times a", strings.Repeat("a", 1_000_000),
			"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
	} {
		msg := pad([]byte(c.msg))
		var msgs [streams][]byte
		for i := range msgs {
			msgs[i] = msg
		}
		want := slices.Repeat([]string{c.want}, streams)
		for _, k := range kernels {
			t.Run(c.name+"/"+k.String(), func(t *testing.T) {
				if diff := cmp.Diff(want, digests(t, k, hash(k, &msgs, streams), streams)); diff != "" {
					t.Errorf("Blocks (-want +got):\n%s", diff)
				}
				w := make([]sha256x16.Schedule, len(msg)/blockSize)
				k.Expand(w, msg)
				s := hash(k, new([streams][]byte), streams)
				k.Scheduled(s, w, streams, nil)
				if diff := cmp.Diff(want, digests(t, k, s, streams)); diff != "" {
					t.Errorf("Scheduled (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestEveryLength hashes different messages of each length, as many as there are
// streams and fewer.
func TestEveryLength(t *testing.T) {
	lengths := []int{1000, 1023, 1024, 1500, 4096, 9999}
	for n := range 301 {
		lengths = append(lengths, n)
	}
	for _, k := range kernels {
		t.Run(k.String(), func(t *testing.T) {
			r := random(1)
			for i, length := range lengths {
				compareSums(t, k, r, 1+i%streams, func() int { return length })
			}
		})
	}
}

// TestDifferentLengths hashes messages of different lengths together.
func TestDifferentLengths(t *testing.T) {
	for _, k := range kernels {
		t.Run(k.String(), func(t *testing.T) {
			r := random(2)
			for round := range 300 {
				longest := 1 + r.IntN(1000)
				compareSums(t, k, r, 1+round%streams, func() int { return r.IntN(longest) })
			}
		})
	}
}

func compareSums(t *testing.T, k *sha256x16.Kernel, r source, n int, length func() int) {
	t.Helper()
	var msgs [streams][]byte
	var want []string
	for i := range n {
		msg := r.bytes(length())
		want = append(want, sum(msg))
		msgs[i] = pad(msg)
	}
	if diff := cmp.Diff(want, digests(t, k, hash(k, &msgs, n), n)); diff != "" {
		t.Fatalf("%d messages (-want +got):\n%s", n, diff)
	}
}

// TestSharedMiddle hashes messages that have their middle in common, as the
// canonical requests of a batch have: blocks, scheduled, then blocks again.
func TestSharedMiddle(t *testing.T) {
	for _, k := range kernels {
		t.Run(k.String(), func(t *testing.T) {
			r := random(3)
			for round := range 200 {
				n := 1 + round%streams
				head, shared := r.IntN(3), r.IntN(25)
				middle := r.bytes(shared * blockSize)
				tail := r.IntN(3 * blockSize)

				var heads, tails [streams][]byte
				var want []string
				for i := range n {
					msg := slices.Concat(r.bytes(head*blockSize), middle, r.bytes(tail))
					want = append(want, sum(msg))
					padded := pad(msg)
					heads[i], tails[i] = padded[:head*blockSize], padded[(head+shared)*blockSize:]
				}
				w := make([]sha256x16.Schedule, shared)
				k.Expand(w, middle)

				s := hash(k, &heads, n)
				k.Scheduled(s, w, n, nil)
				k.Blocks(s, &tails, n)
				if diff := cmp.Diff(want, digests(t, k, s, n)); diff != "" {
					t.Fatalf("head %d, shared %d, tail %d (-want +got):\n%s", head, shared, tail, diff)
				}
			}
		})
	}
}

// TestTwins compares the kernels with the portable one on states that no message leads
// to, with messages at every alignment.
func TestTwins(t *testing.T) {
	r := random(4)
	for round := range 300 {
		msgs := new([streams][]byte)
		for i := range msgs {
			msgs[i] = r.bytes(round%16 + i + (1+r.IntN(8))*blockSize)[round%16+i:]
		}
		compareTwins(t, uint64(round), msgs, 1+r.IntN(streams))
	}
}

func FuzzTwins(f *testing.F) {
	f.Add(uint64(0), uint8(16), []byte{})
	f.Add(uint64(1), uint8(3), bytes.Repeat([]byte{0xff}, streams*blockSize))
	f.Add(uint64(2), uint8(15), random(5).bytes(streams*3*blockSize+5))
	f.Fuzz(func(t *testing.T, seed uint64, n uint8, data []byte) {
		r := random(seed)
		msgs := new([streams][]byte)
		for i := range msgs {
			msgs[i] = data[r.IntN(len(data)+1):]
		}
		compareTwins(t, seed, msgs, int(n)%(streams+1))
	})
}

func compareTwins(t *testing.T, seed uint64, msgs *[streams][]byte, n int) {
	t.Helper()
	portable := kernels[0]
	for _, k := range kernels[1:] {
		want, got := new(sha256x16.State), new(sha256x16.State)
		r := random(seed)
		start := r.state()
		portable.SetEach(want, &start)
		k.SetEach(got, &start)
		portable.Blocks(want, msgs, n)
		k.Blocks(got, msgs, n)
		compareStates(t, "Blocks", k, got, want, n)

		blocks := len(msgs[0]) / blockSize
		// One schedule more than is asked for, to see that it is not touched.
		wantW := make([]sha256x16.Schedule, blocks+1)
		gotW := make([]sha256x16.Schedule, blocks+1)
		portable.Expand(wantW[:blocks], msgs[0])
		k.Expand(gotW[:blocks], msgs[0])
		if !slices.Equal(wantW, gotW) {
			t.Fatalf("%s: Expand, %d blocks (-portable +it):\n%s", k, blocks, cmp.Diff(wantW, gotW))
		}
		portable.Scheduled(want, wantW[:blocks], n, nil)
		fetch := new([streams]*byte) // what is fetched is not read: any pointer will do
		for i, m := range msgs {
			fetch[i] = unsafe.SliceData(m)
		}
		k.Scheduled(got, gotW[:blocks], n, fetch)
		compareStates(t, "Scheduled", k, got, want, n)
	}
}

func compareStates(t *testing.T, what string, k *sha256x16.Kernel, got, want *sha256x16.State, n int) {
	t.Helper()
	for i := range n {
		if g, w := k.Get(got, i), kernels[0].Get(want, i); g != w {
			t.Fatalf("%s: %s, stream %d of %d: %x, want %x", k, what, i, n, g, w)
		}
	}
}

// TestUnaligned puts states and schedules at every address that a []uint32 can have,
// since vector instructions can be particular about theirs.
func TestUnaligned(t *testing.T) {
	r := random(6)
	block := r.bytes(2 * blockSize)
	for _, k := range kernels {
		for off := range 16 {
			// A State has pointers, so the runtime aligns it by eight bytes.
			states := make([]struct {
				_ [8]byte
				s sha256x16.State
			}, 16)
			words := make([]uint32, off+2*64)
			w := unsafe.Slice((*sha256x16.Schedule)(unsafe.Pointer(&words[off])), 2)
			s := &states[off].s
			start := r.state()
			k.SetEach(s, &start)
			k.Expand(w, block)
			k.Scheduled(s, w, streams, nil)
			want := new(sha256x16.State)
			kernels[0].SetEach(want, &start)
			var msgs [streams][]byte
			for i := range msgs {
				msgs[i] = block
			}
			kernels[0].Blocks(want, &msgs, streams)
			compareStates(t, "Scheduled", k, s, want, streams)
		}
	}
}

func TestNothingToDo(t *testing.T) {
	for _, k := range kernels {
		t.Run(k.String(), func(t *testing.T) {
			start := random(7).state()
			s := new(sha256x16.State)
			k.SetEach(s, &start)
			k.Expand(nil, nil)
			k.Blocks(s, new([streams][]byte), streams)
			k.Scheduled(s, nil, streams, nil)
			for i := range streams {
				if got := k.Get(s, i); got != start[i] {
					t.Errorf("stream %d changed from %x to %x", i, start[i], got)
				}
			}
		})
	}
}

func TestExpandPanics(t *testing.T) {
	for _, k := range kernels {
		t.Run(k.String(), func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("2 schedules of 127 bytes")
				}
			}()
			k.Expand(make([]sha256x16.Schedule, 2), make([]byte, 127))
		})
	}
}

func TestAllocations(t *testing.T) {
	for _, k := range kernels {
		s, w, block := new(sha256x16.State), new([1]sha256x16.Schedule), make([]byte, blockSize)
		msgs, digests := new([streams][]byte), new([streams]*[sha256x16.Size]byte)
		for i := range msgs {
			msgs[i], digests[i] = block, new([sha256x16.Size]byte)
		}
		if n := testing.AllocsPerRun(100, func() {
			k.Set(s, &sha256x16.IV)
			k.Expand(w[:], block)
			k.Blocks(s, msgs, streams)
			k.Scheduled(s, w[:], streams, nil)
			k.Digests(digests, s, streams)
		}); n != 0 {
			t.Errorf("%s: %v allocations, want none", k, n)
		}
	}
}

// source is a reproducible source of random test data.
type source struct{ *rand.Rand }

func random(seed uint64) source { return source{rand.New(rand.NewPCG(seed, 0))} }

func (r source) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func (r source) state() (s [streams][8]uint32) {
	for i := range s {
		for j := range s[i] {
			s[i][j] = r.Uint32()
		}
	}
	return s
}

// Every byte at every place.
func TestHex(t *testing.T) {
	for b := range 256 {
		for at := range sha256x16.Size {
			digest := [sha256x16.Size]byte{0: 0x0f, 15: 0xf0, 16: 0x9a, 31: 0xa9}
			digest[at] = byte(b)
			want := hex.EncodeToString(digest[:])
			var public, portable [2*sha256x16.Size + 2]byte
			sha256x16.Hex((*[2 * sha256x16.Size]byte)(public[1:]), &digest)
			sha256x16.HexPortable((*[2 * sha256x16.Size]byte)(portable[1:]), &digest)
			for name, got := range map[string][]byte{"public": public[:], "portable": portable[:]} {
				if string(got) != "\x00"+want+"\x00" {
					t.Fatalf("%s: byte %#x at %d: got %q, want %q between zeros", name, b, at, got, want)
				}
			}
		}
	}
}

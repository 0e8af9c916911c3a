package sha256x4_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/sigv4/sha256x4"
)

const (
	streams   = sha256x4.Streams
	blockSize = sha256x4.BlockSize
)

// kernel is one implementation. Every test runs with both.
type kernel struct {
	name      string
	expand    func([]sha256x4.Schedule, []byte)
	blocks    func(*sha256x4.State, *[streams][]byte, int)
	scheduled func(*sha256x4.State, []sha256x4.Schedule)
}

var (
	portable = kernel{"portable", sha256x4.ExpandGeneric, sha256x4.BlocksGeneric, sha256x4.ScheduledGeneric}
	// public is the assembly wherever TestSupported says that it must be.
	public  = kernel{"public", sha256x4.Expand, sha256x4.Blocks, sha256x4.Scheduled}
	kernels = []kernel{portable, public}
)

// TestSupported holds Supported against what the operating system says about
// the processor, so that no other test can pass by leaving the assembly out.
func TestSupported(t *testing.T) {
	want := false
	switch {
	case !sha256x4.Assembled:
	case runtime.GOOS != "linux":
		t.Skip("only Linux is asked for a second opinion on the processor")
	case runtime.GOARCH == "amd64":
		want = cpuinfoHas(t, "sha_ni") && cpuinfoHas(t, "ssse3")
	case runtime.GOARCH == "arm64":
		const hwcapSHA2 = 1 << 6 // asm/hwcap.h
		want = hwcap(t)&hwcapSHA2 != 0
	}
	if got := sha256x4.Supported(); got != want {
		t.Errorf("Supported() = %v, the operating system says %v", got, want)
	}
	t.Logf("%s: assembly in use: %v", runtime.GOARCH, sha256x4.Supported())
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

func digests(s *sha256x4.State) (d [streams]string) {
	for i := range d {
		var b [sha256x4.Size]byte
		s.PutDigest(&b, i)
		d[i] = hex.EncodeToString(b[:])
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
		n := len(msg) / blockSize
		want := [streams]string{c.want, c.want, c.want, c.want}
		for _, k := range kernels {
			t.Run(c.name+"/"+k.name, func(t *testing.T) {
				s := sha256x4.IV
				k.blocks(&s, &[streams][]byte{msg, msg, msg, msg}, n)
				if diff := cmp.Diff(want, digests(&s)); diff != "" {
					t.Errorf("blocks (-want +got):\n%s", diff)
				}

				w := make([]sha256x4.Schedule, n)
				k.expand(w, msg)
				s = sha256x4.IV
				k.scheduled(&s, w)
				if diff := cmp.Diff(want, digests(&s)); diff != "" {
					t.Errorf("scheduled (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestEveryLength hashes four different messages of each length.
func TestEveryLength(t *testing.T) {
	lengths := []int{1000, 1023, 1024, 1500, 4096, 9999}
	for n := range 301 {
		lengths = append(lengths, n)
	}
	for _, k := range kernels {
		t.Run(k.name, func(t *testing.T) {
			r := random(1)
			for _, n := range lengths {
				var msgs [streams][]byte
				var want [streams]string
				for i := range msgs {
					msg := r.bytes(n)
					want[i] = sum(msg)
					msgs[i] = pad(msg)
				}
				s := sha256x4.IV
				k.blocks(&s, &msgs, len(msgs[0])/blockSize)
				if diff := cmp.Diff(want, digests(&s)); diff != "" {
					t.Errorf("%d bytes (-want +got):\n%s", n, diff)
				}
			}
		})
	}
}

// TestSharedMiddle hashes messages that have their middle in common, as the
// canonical requests of a batch have: blocks, scheduled, then blocks again.
func TestSharedMiddle(t *testing.T) {
	for _, k := range kernels {
		t.Run(k.name, func(t *testing.T) {
			r := random(2)
			for range 200 {
				head, shared := r.IntN(3), r.IntN(25)
				middle := r.bytes(shared * blockSize)
				tail := r.IntN(3 * blockSize)

				var heads, tails [streams][]byte
				var want [streams]string
				for i := range streams {
					msg := slices.Concat(r.bytes(head*blockSize), middle, r.bytes(tail))
					want[i] = sum(msg)
					padded := pad(msg)
					heads[i], tails[i] = padded, padded[(head+shared)*blockSize:]
				}
				w := make([]sha256x4.Schedule, shared)
				k.expand(w, middle)

				s := sha256x4.IV
				k.blocks(&s, &heads, head)
				k.scheduled(&s, w)
				k.blocks(&s, &tails, len(tails[0])/blockSize)
				if diff := cmp.Diff(want, digests(&s)); diff != "" {
					t.Fatalf("head %d, shared %d, tail %d (-want +got):\n%s", head, shared, tail, diff)
				}
			}
		})
	}
}

// TestTwins compares the kernels on states that no message leads to, with
// every operand at every alignment that its type allows.
func TestTwins(t *testing.T) {
	r := random(3)
	for round := range 500 {
		n := 1 + r.IntN(8)
		compareTwins(t, r.state(), r.messages(n, round%16), n)
	}
}

func FuzzTwins(f *testing.F) {
	f.Add(uint64(0), []byte{})
	f.Add(uint64(1), bytes.Repeat([]byte{0xff}, streams*blockSize))
	f.Add(uint64(2), random(4).bytes(streams*3*blockSize+5))
	f.Fuzz(func(t *testing.T, seed uint64, data []byte) {
		n := len(data) / (streams * blockSize)
		var msgs [streams][]byte
		for i := range msgs {
			msgs[i] = data[i*n*blockSize:]
		}
		compareTwins(t, random(seed).state(), msgs, n)
	})
}

func compareTwins(t *testing.T, start sha256x4.State, msgs [streams][]byte, n int) {
	t.Helper()
	want, got := start, start
	portable.blocks(&want, &msgs, n)
	public.blocks(&got, &msgs, n)
	// cmp.Diff is for the report only: it is much slower than what is tested.
	if want != got {
		t.Fatalf("Blocks, n = %d (-portable +public):\n%s", n, cmp.Diff(want, got))
	}

	for i, msg := range msgs {
		// One schedule more than is asked for, to see that it is not touched.
		wantW := make([]sha256x4.Schedule, n+1)
		gotW := make([]sha256x4.Schedule, n+1)
		portable.expand(wantW[:n], msg)
		public.expand(gotW[:n], msg)
		if !slices.Equal(wantW, gotW) {
			t.Fatalf("Expand, %d blocks (-portable +public):\n%s", n, cmp.Diff(wantW, gotW))
		}

		wantS, gotS := start, start
		portable.scheduled(&wantS, wantW[:n])
		public.scheduled(&gotS, gotW[:n])
		if wantS != gotS {
			t.Fatalf("Scheduled, %d blocks (-portable +public):\n%s", n, cmp.Diff(wantS, gotS))
		}
		if wantS[i] != want[i] {
			t.Fatalf("stream %d: Expand and Scheduled differ from Blocks, n = %d", i, n)
		}
	}
}

// TestUnaligned puts the state and the schedules at every address that a
// []uint32 can have, since vector instructions can be particular about theirs.
func TestUnaligned(t *testing.T) {
	type shifted1 struct {
		_ uint32
		s sha256x4.State
		w [2]sha256x4.Schedule
	}
	type shifted2 struct {
		_ [2]uint32
		s sha256x4.State
		w [2]sha256x4.Schedule
	}
	type shifted3 struct {
		_ [3]uint32
		s sha256x4.State
		w [2]sha256x4.Schedule
	}
	var one shifted1
	var two shifted2
	var three shifted3

	r := random(5)
	start, msgs := r.state(), r.messages(2, 1)
	want := start
	wantW := make([]sha256x4.Schedule, 2)
	portable.expand(wantW, msgs[0])
	portable.scheduled(&want, wantW)
	portable.blocks(&want, &msgs, 2)
	for i, p := range []struct {
		s *sha256x4.State
		w []sha256x4.Schedule
	}{{&one.s, one.w[:]}, {&two.s, two.w[:]}, {&three.s, three.w[:]}} {
		*p.s = start
		sha256x4.Expand(p.w, msgs[0])
		sha256x4.Scheduled(p.s, p.w)
		sha256x4.Blocks(p.s, &msgs, 2)
		if diff := cmp.Diff(want, *p.s); diff != "" {
			t.Errorf("%d bytes off (-portable +public):\n%s", 4*(i+1), diff)
		}
	}
}

func TestNoBlocks(t *testing.T) {
	for _, k := range kernels {
		t.Run(k.name, func(t *testing.T) {
			start := random(6).state()
			s := start
			k.expand(nil, nil)
			k.blocks(&s, new([streams][]byte), 0)
			k.scheduled(&s, nil)
			if diff := cmp.Diff(start, s); diff != "" {
				t.Errorf("the state changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestPanics(t *testing.T) {
	var s sha256x4.State
	short := [streams][]byte{make([]byte, 128), make([]byte, 128), make([]byte, 127), make([]byte, 128)}
	for _, c := range []struct {
		want string
		call func()
	}{
		{"sha256x4: Expand: 2 schedules asked of 127 bytes", func() { sha256x4.Expand(make([]sha256x4.Schedule, 2), short[2]) }},
		{"sha256x4: Blocks: 2 blocks asked of the 127 bytes of message 2", func() { sha256x4.Blocks(&s, &short, 2) }},
		{"sha256x4: Blocks: n is -1", func() { sha256x4.Blocks(&s, &short, -1) }},
	} {
		t.Run(c.want, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); got != c.want {
					t.Errorf("panic %q, want %q", got, c.want)
				}
			}()
			c.call()
		})
	}
}

func TestAllocations(t *testing.T) {
	var digest [sha256x4.Size]byte
	if n := testing.AllocsPerRun(100, func() {
		s := sha256x4.IV
		var block [blockSize]byte
		var w [1]sha256x4.Schedule
		msgs := [streams][]byte{block[:], block[:], block[:], block[:]}
		sha256x4.Expand(w[:], block[:])
		sha256x4.Blocks(&s, &msgs, 1)
		sha256x4.Scheduled(&s, w[:])
		s.PutDigest(&digest, 3)
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
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

func (r source) state() (s sha256x4.State) {
	for i := range s {
		for j := range s[i] {
			s[i][j] = r.Uint32()
		}
	}
	return s
}

// messages returns messages of n blocks that begin shift bytes, and then one,
// two and three more, into their memory.
func (r source) messages(n, shift int) (msgs [streams][]byte) {
	for i := range msgs {
		msgs[i] = r.bytes(shift + i + n*blockSize)[shift+i:]
	}
	return msgs
}

// Every byte at every place.
func TestHex(t *testing.T) {
	for b := range 256 {
		for at := range sha256x4.Size {
			digest := [sha256x4.Size]byte{0: 0x0f, 15: 0xf0, 16: 0x9a, 31: 0xa9}
			digest[at] = byte(b)
			want := hex.EncodeToString(digest[:])
			var public, portable [2*sha256x4.Size + 2]byte
			sha256x4.Hex((*[2 * sha256x4.Size]byte)(public[1:]), &digest)
			sha256x4.HexGeneric((*[2 * sha256x4.Size]byte)(portable[1:]), &digest)
			for name, got := range map[string][]byte{"public": public[:], "portable": portable[:]} {
				if string(got) != "\x00"+want+"\x00" {
					t.Fatalf("%s: byte %#x at %d: got %q, want %q between zeros", name, b, at, got, want)
				}
			}
		}
	}
}

package deflate_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"testing"

	klauspost "github.com/klauspost/compress/gzip"

	"bulkpresign/internal/deflate"
)

// inflate has two decoders take a member apart. Both verify the check value and the
// length, and neither may find anything behind them.
func inflate(t testing.TB, member []byte) []byte {
	t.Helper()
	first, err := gzip.NewReader(bytes.NewReader(member))
	if err != nil {
		t.Fatalf("compress/gzip: %v", err)
	}
	text, err := io.ReadAll(first)
	if err != nil {
		t.Fatalf("compress/gzip: %v", err)
	}
	second, err := klauspost.NewReader(bytes.NewReader(member))
	if err != nil {
		t.Fatalf("klauspost/compress: %v", err)
	}
	again, err := io.ReadAll(second)
	if err != nil {
		t.Fatalf("klauspost/compress: %v", err)
	}
	if !bytes.Equal(text, again) {
		t.Fatal("the decoders differ")
	}
	return text
}

// check compares without printing: in the answers that this package is for, a text
// is a secret.
func check(t testing.TB, member, want []byte) {
	t.Helper()
	got := inflate(t, member)
	if bytes.Equal(got, want) {
		return
	}
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	t.Fatalf("%d bytes come back as %d, different from byte %d on", len(want), len(got), i)
}

// efforts are those of a Writer.
var efforts = []deflate.Effort{deflate.Fast, deflate.Tight}

func TestAnswer(t *testing.T) {
	for _, effort := range efforts {
		w := deflate.NewWriter(nil, effort)
		for _, f := range formats {
			for _, shape := range shapes {
				t.Run(f.name+"/"+shape.name, func(t *testing.T) {
					for _, n := range []int{1, 2, 3, 100, 3000} {
						a := newAnswer(rand.New(rand.NewPCG(5, uint64(n))), f, n, shape.key)
						check(t, a.gzip(w, nil), a.plain())
					}
				})
			}
		}
	}
}

// No answer, whatever its format and its keys, may be larger than compress/gzip makes it at
// level 6 if it is made with the tight effort. With the fast one, answers that have URLs (as all
// results of jobs) hold that too for the first four kinds of keys; other answers, which are
// written so where they fit anyhow, may be larger by a twentieth.
func TestSize(t *testing.T) {
	for _, f := range formats {
		for kind, shape := range shapes {
			a := newAnswer(rand.New(rand.NewPCG(18, 3)), f, 6000, shape.key)
			to := &appender{}
			general, err := gzip.NewWriterLevel(to, 6)
			if err != nil {
				t.Fatal(err)
			}
			general.Write(a.plain())
			general.Close()
			for _, effort := range efforts {
				got := len(a.gzip(deflate.NewWriter(nil, effort), nil))
				most := len(to.text)
				if effort == deflate.Fast && (kind >= 4 || !f.urls) {
					most += most / 20
				}
				if got > most {
					t.Errorf("%s, keys %s, effort %d: %d bytes, compress/gzip %d", f.name, shape.name, effort, got, len(to.text))
				}
				t.Logf("%-8s %-20s effort %d: %6.2f bytes a URL, %.4f of compress/gzip", f.name, shape.name, effort, float64(got)/6000, float64(got)/float64(len(to.text)))
			}
		}
	}
}

// twin writes the same text twice: through a Writer, and as it is.
type twin struct {
	w     *deflate.Writer
	plain []byte
	runs  [][]byte
}

func newTwin() *twin { return &twin{w: deflate.NewWriter(nil, deflate.Fast)} }

func (x *twin) learn(text []byte) deflate.Run {
	x.runs = append(x.runs, text)
	return x.w.Learn(text)
}

func (x *twin) run(name deflate.Run) {
	x.w.Run(name)
	x.plain = append(x.plain, x.runs[name]...)
}

func (x *twin) text(p []byte) {
	x.w.Text(p)
	x.plain = append(x.plain, p...)
}

func (x *twin) similar(p []byte) {
	x.w.Text(p)
	x.plain = append(x.plain, p...)
}

func (x *twin) hex(p []byte) {
	x.w.Hex(p)
	x.plain = hex.AppendEncode(x.plain, p)
}

func noise(n int) []byte {
	r := rand.NewChaCha8([32]byte{})
	p := make([]byte, n)
	r.Read(p)
	return p
}

// Lengths about the limits of the format and of the Writer: a match, the window,
// the length from which check values are combined, the block.
var lengths = []int{
	0, 1, 2, 3, 4, 191, 192, 193, 257, 258, 259, 260, 261, 262, 515, 516, 517, 518, 519, 520,
	32767, 32768, 32769, 65535, 65536, 65537, 1<<17 - 1, 1 << 17, 1<<17 + 1, 300000,
}

func TestLengths(t *testing.T) {
	for _, n := range lengths {
		for name, put := range map[string]func(x *twin){
			"text":    func(x *twin) { x.text(noise(n)); x.text(noise(n)) },
			"zeros":   func(x *twin) { x.text(make([]byte, n)) },
			"similar": func(x *twin) { x.similar(noise(n)); x.similar(noise(n + 1)); x.similar(noise(n)) },
			"hex":     func(x *twin) { x.hex(noise(n)); x.text([]byte("-")); x.hex(noise(n)) },
			"uneven":  func(x *twin) { x.hex(make([]byte, n)); x.text(noise(n)) },
			"run": func(x *twin) {
				name := x.learn(noise(n))
				for range 4 {
					x.run(name)
				}
				x.text([]byte("-"))
				x.run(name)
			},
			"distance": func(x *twin) { // n from one beginning to the next
				for _, length := range []int{min(n, 7), min(n, 300)} {
					name := x.learn(noise(length))
					for range 3 {
						x.run(name)
						x.text(noise(max(0, n-length)))
					}
				}
			},
			"similar at a distance": func(x *twin) {
				key := noise(min(n, 9))
				for range 3 {
					x.similar(key)
					x.text(noise(n - len(key)))
				}
			},
			"run after its own neighbours": func(x *twin) {
				one, two := x.learn(noise(n)), x.learn(noise(40))
				for range 3 {
					x.run(one)
					x.text([]byte("0123"))
					x.run(two)
					x.text([]byte("4567"))
				}
			},
		} {
			x := newTwin()
			put(x)
			t.Run(name, func(t *testing.T) { check(t, x.w.Close(), x.plain) })
		}
	}
}

// A run that follows itself at once makes one ever longer match.
func TestManyJoined(t *testing.T) {
	x := newTwin()
	name := x.learn(noise(32768))
	for range 40 {
		x.run(name)
	}
	check(t, x.w.Close(), x.plain)

	x = newTwin()
	short := x.learn([]byte("abc"))
	for range 100000 {
		x.run(short)
	}
	member := x.w.Close()
	check(t, member, x.plain)
	// Each 258 bytes take a match, and a match to a stretch before takes up to 16 bits.
	if len(member) > len(x.plain)/258*2 {
		t.Errorf("%d bytes repeated take %d", len(x.plain), len(member))
	}
}

// Counts that grow as Fibonacci's numbers make Huffman's tree as high as can be; it
// must be bent under the limit. Then the longest codes that there are stand side by
// side: those of the rarest literals, and of a rare length with a rare distance.
func TestLongestCodes(t *testing.T) {
	for shift := range 8 { // where in a byte they begin
		x := newTwin()
		x.text(make([]byte, shift))
		for rare := range 32 {
			x.text([]byte{byte(100 + rare)})
		}
		a, b := 1, 1
		for symbol := 22; symbol >= 0; symbol-- {
			x.text(bytes.Repeat([]byte{byte(symbol)}, a))
			a, b = b, a+b
		}
		long, short := x.learn(make([]byte, 1000)), x.learn([]byte("run"))
		x.run(long)
		for distance := 8000; distance > 10; distance /= 2 {
			x.run(short)
			x.text(make([]byte, distance-4))
			x.text([]byte{byte(distance % 23)}) // so that no zeros join the next match
		}
		for i := range 1000 {
			x.run(short)
			x.text([]byte{0, 0, 0, 0, 0, 0, byte(i % 3)})
		}
		x.run(long)
		check(t, x.w.Close(), x.plain)
	}
}

// A run takes literals before it into its match only if they are what stood before
// the last one. Here they are not, but seem to be:
func TestBeforeRun(t *testing.T) {
	long, short := noise(1000), []byte("short")
	for name, put := range map[string]func(x *twin, long, short deflate.Run){
		"a long run stood between": func(x *twin, long, short deflate.Run) {
			x.run(long)
			x.text([]byte("abc"))
			x.run(long)
			x.run(short)
			x.text([]byte("abc"))
			x.run(short)
		},
		"the block is another": func(x *twin, _, short deflate.Run) {
			x.text([]byte("a"))
			x.run(short)
			for range 8192 {
				x.hex([]byte{0xff})
			}
			x.text([]byte("f"))
			x.run(short)
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTwin()
			put(x, x.learn(long), x.learn(short))
			check(t, x.w.Close(), x.plain)
		})
	}
}

func TestReset(t *testing.T) {
	w := deflate.NewWriter([]byte("kept"), deflate.Fast)
	w.Text([]byte("once upon a time"))
	name := w.Learn([]byte("there was"))
	w.Run(name)
	w.Text([]byte("a member that is given up"))

	w.Reset([]byte("kept"))
	w.Text([]byte("once upon a time"))
	w.Run(w.Learn([]byte("there was")))
	got := w.Close()
	if !bytes.HasPrefix(got, []byte("kept")) {
		t.Fatal("what the slice held is gone")
	}
	check(t, got[len("kept"):], []byte("once upon a timethere was"))

	for _, n := range []int{1000, 500, 2000} {
		w.Reset(nil)
		name := w.Learn(noise(n))
		w.Run(name)
		w.Run(name)
		check(t, w.Close(), append(noise(n), noise(n)...))
	}
}

// A member that follows another in one slice is a valid stream, too.
func TestTwoMembers(t *testing.T) {
	w := deflate.NewWriter(nil, deflate.Fast)
	w.Text([]byte("one,"))
	w.Reset(w.Close())
	w.Text([]byte("two"))
	check(t, w.Close(), []byte("one,two"))
}

func TestNothingIsAllocated(t *testing.T) {
	a := newAnswer(rand.New(rand.NewPCG(1, 2)), formats[0], 3000, shapes[1].key)
	for _, effort := range efforts {
		w := deflate.NewWriter(nil, effort)
		var out []byte
		if n := testing.AllocsPerRun(5, func() { out = a.gzip(w, out[:0]) }); n != 0 {
			t.Errorf("effort %d: %v allocations for an answer", effort, n)
		}
		manySmall := func() {
			w.Reset(out[:0])
			for i := range 3000 {
				w.Hex(a.entries[i].sum[:1])
				w.Text([]byte(`"`))
				w.Hex(a.entries[i].sum[:1])
				w.Hex(a.entries[i].sum[:1])
				w.Hex(a.entries[i].sum[:1])
			}
			out = w.Close()
		}
		if n := testing.AllocsPerRun(5, manySmall); n != 0 {
			t.Errorf("effort %d: %v allocations for a text of small pieces", effort, n)
		}
	}
}

// What one response can carry: the answer, compressed as tightly as it can be and in base64,
// in what a synchronous Lambda response may hold less a kilobyte for what lies around it.
func TestCapacity(t *testing.T) {
	const response = 6291556 - 1024
	for _, test := range []struct {
		format int
		n      int
	}{{format: 0, n: 47000}, {format: 1, n: 62000}} {
		a := newAnswer(rand.New(rand.NewPCG(47, 62)), formats[test.format], test.n, shapes[0].key)
		member := a.gzip(deflate.NewWriter(nil, deflate.Tight), nil)
		check(t, member, a.plain())
		size := base64.StdEncoding.EncodedLen(len(member))
		t.Logf("%s: room for about %d", a.name, test.n*response/size)
		if size > response {
			t.Errorf("%s: %d entries take %d bytes, over %d", a.name, test.n, size, response)
		}
	}
}

// FuzzWriter reads its input as a program: an operation, a length or a name, and
// bytes.
func FuzzWriter(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x05hello\x02\x00\x02\x00\x01\x05hello\x01\x05hellu\x03\x04abcd\x02\x03\x04\x1d\x02\x00"))
	f.Add([]byte("\x02\x04\x00\x03abc\x02\x04\x00\x03abc\x02\x04\x02\x01\x00\x02xy\x02\x01\x00\x02xy\x02\x01"))
	f.Add([]byte("\x04\x19\x01\x09photo-001\x02\x03\x01\x09photo-001\x02\x05\x03\x20\x01\x09photo-002\x02\x03\x01\x09photo-002\x02\x05"))
	long := noise(400000)
	f.Fuzz(func(t *testing.T, program []byte) {
		x := newTwin()
		for _, n := range []int{0, 2, 3, 5, 192, 1457, 32768, 32769} {
			x.learn(long[n : 2*n])
		}
		take := func(n int) (p []byte) {
			n = min(n, len(program))
			p, program = program[:n], program[n:]
			return p
		}
		for len(program) >= 2 && len(x.plain) < 1<<19 {
			op := take(2)
			switch arg := int(op[1]); op[0] % 6 {
			case 0:
				x.text(take(arg))
			case 1:
				x.similar(take(arg))
			case 2:
				x.run(deflate.Run(arg % len(x.runs)))
			case 3:
				x.hex(take(arg))
			case 4:
				x.text(long[:lengths[arg%len(lengths)]])
			case 5:
				x.similar(long[:lengths[arg%len(lengths)]])
			}
		}
		check(t, x.w.Close(), x.plain)
	})
}

// A member is written in pieces, and some of them by another Writer that knows only the
// state: it is still one member.
func TestSyncAndResume(t *testing.T) {
	a := newAnswer(rand.New(rand.NewPCG(1, 2)), formats[0], 1, shapes[0].key)
	for _, handOn := range []bool{false, true} {
		w := deflate.NewWriter(nil, deflate.Fast)
		var member, text []byte
		query := w.Learn(a.query)
		for i := range 20 {
			for range 50 {
				w.Run(query)
				w.Text([]byte("2026/photo-"))
				w.Hex(noise(32))
				text = hex.AppendEncode(append(append(text, a.query...), "2026/photo-"...), noise(32))
			}
			if i%3 == 0 {
				continue
			}
			member = append(member, w.Sync(nil)...)
			if got := w.State().Size; got != len(text) {
				t.Fatalf("the state knows of %d bytes, want %d", got, len(text))
			}
			if handOn {
				state := w.State()
				w = deflate.NewWriter(nil, deflate.Fast)
				w.Resume(nil, state)
				query = w.Learn(a.query)
			}
		}
		check(t, append(member, w.Close()...), text)
	}
}

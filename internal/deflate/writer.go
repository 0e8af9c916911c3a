// Package deflate writes gzip members (RFC 1952) of text whose repetitions its
// caller knows.
//
// An answer with thousands of pre-signed URLs is one long text in which a few
// hundred bytes of host and a thousand bytes of query stand again and again, between
// signatures, in which nothing repeats. A general compressor looks for repetitions in
// all of it, byte by byte. This one is told: [Writer.Run] repeats a text that was named
// once; the bytes of a long one are then neither copied, nor compared, nor hashed again.
// [Writer.Hex] codes two digits at a time, and no repetition of them is looked for. What
// remains are the keys and what stands around them, and there this one looks as closely as
// a general compressor does, or closer: see [Effort].
//
// What is said of repetitions are hints. Whatever the calls and their order, the
// member inflates to the text that was given; a bad hint costs size, not truth.
package deflate

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
)

// Limits of the format (RFC 1951, section 3.2.5).
const (
	window   = 32768
	minMatch = 3
	maxMatch = 258
)

const (
	// blockText is from how many bytes beside long runs a block ends. Each block
	// has its own codes: a smaller one spends more on their description (about
	// 70 bytes), a larger one leaves the processor's cache between the two passes.
	blockText = 1 << 17
	// blockOps is from how many matches and hex texts it ends.
	blockOps = 1 << 13
	// maxMerged keeps the symbol counts of a block below 1<<32.
	maxMerged = 1 << 16
	// maxPiece is the most that a call adds to a block at a time.
	maxPiece = 1 << 14

	// longRun is the length from which it is faster to combine the check value
	// of a run than to lay the run out and hash it with its surroundings.
	longRun = 192
)

// Effort is how closely a Writer looks for repetitions that it was not told.
type Effort uint8

const (
	// Fast takes the longest of a few candidates at each place.
	Fast Effort = iota
	// Tight takes, of all ways to write a stretch of text, the one that has the fewest bits
	// by the codes of the block before.
	Tight
)

// Writer appends one gzip member to a byte slice. It serves one goroutine at a
// time and keeps about 600 KB, all of which Reset reuses: a Writer that has once
// written a member of the same shape allocates only to enlarge the slice.
type Writer struct {
	bits   bitWriter
	effort Effort
	pos    int    // how many bytes the text has
	crc    uint32 // of the text but for plain[hashed:]

	runs []run

	// plain is text in order, less the long runs: first some that was written, as far as
	// the window may reach, then the block that is being collected, of which the last is
	// a stretch that is not parsed yet.
	plain   []byte
	dropped int // how many bytes of plain stood before plain[0]
	block   int // where in plain the block begins
	stretch int // where in plain the stretch begins
	hashed  int
	ops     []op
	sums    []byte // what was given to Hex
	pending int    // how many literals, the last in plain, no op covers

	known  stretches
	finder finder
	parser *parser // of Tight, else nil

	codes codes
}

// An op is a piece of the text: literals, and what follows them.
type op struct {
	literals uint32 // how many, in plain
	length   uint32 // of the match, or how many bytes of sums
	distance uint32 // 0: not a match, but hex digits
	inPlain  uint32 // how many bytes of plain the match, or the digits, cover
}

// Run names a text that [Writer.Learn] was told.
type Run int

// noRun follows a stretch that no long run follows.
const noRun Run = -1

type run struct {
	text  []byte
	crc   uint32
	shift crcShift
	last  int // where in the text it began last; -1 is nowhere
	after int // the stretch before it then
}

// NewWriter returns a Writer that appends to dst.
func NewWriter(dst []byte, e Effort) *Writer {
	w := &Writer{
		effort: e,
		plain:  make([]byte, 0, window+blockText+3*maxPiece),
		ops:    make([]op, 0, blockOps+1<<10),
		sums:   make([]byte, 0, blockText/2+maxPiece),
	}
	if e == Tight {
		w.parser = newParser()
	}
	w.Reset(dst)
	return w
}

// Reset begins another member at the end of dst. Runs must be learned anew.
func (w *Writer) Reset(dst []byte) {
	// No name, no time; the operating system is "unknown".
	w.Resume(append(dst, 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255), State{})
}

// State is all that must be known of a member to write on where Sync left off, by
// another Writer perhaps.
type State struct {
	CRC  uint32 `json:"crc"`  // of the text
	Size int    `json:"size"` // of the text, in bytes
}

// State is that of a member whose last call was Sync.
func (w *Writer) State() State { return State{w.crc, w.pos} }

// Resume goes on with a member of which everything up to a Sync was written elsewhere:
// the rest is appended to dst. Runs must be learned anew.
func (w *Writer) Resume(dst []byte, s State) {
	w.bits = bitWriter{out: dst}
	w.pos, w.crc = s.Size, s.CRC
	w.runs = w.runs[:0]
	w.plain, w.ops, w.sums = w.plain[:0], w.ops[:0], w.sums[:0]
	w.dropped, w.block, w.stretch, w.hashed, w.pending = 0, 0, 0, 0, 0
	w.known = stretches{}
	w.finder = finder{}
	if w.parser != nil {
		w.parser.reset()
	}
}

// Sync ends a piece of the member at a whole byte, by an empty stored block (RFC 1951,
// section 3.2.4), and returns the slice with it. What follows is appended to next.
func (w *Writer) Sync(next []byte) []byte {
	w.parse(noRun, 0, 0)
	w.flush(false)
	w.bits.put(0, 3)
	w.bits.align()
	out := append(w.bits.out, 0, 0, 0xff, 0xff)
	w.bits.out = next
	return out
}

// Len is the length of the slice so far, less the block that is being collected.
func (w *Writer) Len() int { return len(w.bits.out) }

// Learn names a text for [Writer.Run]. It writes nothing. The text is not copied:
// it must not change before Close.
func (w *Writer) Learn(text []byte) Run {
	n := len(w.runs)
	if n < cap(w.runs) {
		w.runs = w.runs[:n+1] // with the tables of an earlier run in it
	} else {
		w.runs = append(w.runs, run{})
	}
	r := &w.runs[n]
	r.text, r.last = text, -1
	if len(text) >= longRun {
		r.crc = crc32.ChecksumIEEE(text)
		r.shift.reset(len(text))
	}
	return Run(n)
}

// Text writes p. Repetitions of it are looked for in what was given to Text, and in
// short runs.
func (w *Writer) Text(p []byte) {
	for len(p) > maxPiece-(len(w.plain)-w.stretch) {
		n := maxPiece - (len(w.plain) - w.stretch)
		w.append(p[:n])
		w.parse(noRun, 0, 0)
		p = p[n:]
	}
	w.append(p)
}

func (w *Writer) append(p []byte) {
	w.plain = append(w.plain, p...)
	w.pos += len(p)
}

// Run writes a learned text: a long one, the first time, in full, and from then on as a
// repetition, unless more than 32,768 bytes lie between the beginnings of the two (so
// never when the text itself is longer).
func (w *Writer) Run(name Run) {
	r := &w.runs[name]
	n := len(r.text)
	if n < longRun {
		w.Text(r.text)
		return
	}
	distance := w.pos - r.last
	if r.last < 0 || distance > window {
		w.parse(name, 0, 0)
		r.last, r.after = w.pos, w.known.count
		w.Text(r.text)
		w.parse(noRun, 0, 0)
		return
	}
	w.parse(name, n, distance)
	w.hash()
	w.crc = r.shift.apply(w.crc) ^ r.crc
	r.last, r.after = w.pos, w.known.count
	w.pos += n
	w.room()
}

// Hex writes p as lower-case hexadecimal digits. It supposes that p is random, as
// a signature is: all digits get codes as if they were equally frequent.
func (w *Writer) Hex(p []byte) {
	w.parse(noRun, 0, 0)
	for len(p) > maxPiece/2 {
		w.hex(p[:maxPiece/2])
		p = p[maxPiece/2:]
	}
	w.hex(p)
}

func (w *Writer) hex(p []byte) {
	n := len(w.plain)
	w.plain = w.plain[:n+2*len(p)]
	text := w.plain[n:]
	i := 0
	for ; i < len(p)-3; i += 4 {
		x := binary.LittleEndian.Uint32(p[i:])
		eight := uint64(hexDigits[byte(x)]) | uint64(hexDigits[byte(x>>8)])<<16 |
			uint64(hexDigits[byte(x>>16)])<<32 | uint64(hexDigits[x>>24])<<48
		binary.LittleEndian.PutUint64(text[2*i:], eight)
	}
	for ; i < len(p); i++ {
		binary.LittleEndian.PutUint16(text[2*i:], hexDigits[p[i]])
	}
	w.sums = append(w.sums, p...)
	w.push(op{length: uint32(len(p)), inPlain: uint32(len(text))})
	w.pos += len(text)
	w.stretch = len(w.plain)
	w.room()
}

// Close ends the member and returns the slice. The next call must be Reset.
func (w *Writer) Close() []byte {
	w.parse(noRun, 0, 0)
	w.flush(true)
	w.bits.align()
	out := binary.LittleEndian.AppendUint32(w.bits.out, w.crc)
	// The length is stored modulo 1<<32, so a longer text is a valid member, too.
	out = binary.LittleEndian.AppendUint32(out, uint32(w.pos))
	w.bits.out = nil
	return out
}

// parse makes literals and matches of the stretch. If follow is a run, it comes next; if
// it is to be written as a match it has a length, and began last at this distance.
func (w *Writer) parse(follow Run, length, distance int) {
	n := len(w.plain) - w.stretch
	if n == 0 && follow == noRun {
		return
	}
	w.known.add(stretch{at: w.dropped + w.stretch, pos: w.pos - n, n: n, follow: follow})
	if w.parser != nil {
		w.parseTight(length, distance)
	} else {
		w.parseFast(length, distance)
	}
	w.stretch = len(w.plain)
	if length == 0 {
		w.room()
	}
}

// room ends the block when it is full. All of it must be parsed.
func (w *Writer) room() {
	if len(w.plain)-w.block >= blockText || len(w.ops) >= blockOps {
		w.flush(false)
	}
}

func (w *Writer) push(o op) {
	o.literals = uint32(w.pending)
	w.pending = 0
	w.ops = append(w.ops, o)
}

// match adds a match of length bytes, of which so many lie in plain; the others are those
// of a long run.
func (w *Writer) match(distance, length, inPlain int) {
	if w.pending == 0 && len(w.ops) > 0 {
		last := &w.ops[len(w.ops)-1]
		if last.distance == uint32(distance) && last.length < maxMerged {
			last.length += uint32(length)
			last.inPlain += uint32(inPlain)
			return
		}
	}
	w.push(op{length: uint32(length), distance: uint32(distance), inPlain: uint32(inPlain)})
}

// hash brings the check value up to date. One call for all that lies between two
// long runs is much faster than one for each piece.
func (w *Writer) hash() {
	w.crc = crc32.Update(w.crc, crc32.IEEETable, w.plain[w.hashed:])
	w.hashed = len(w.plain)
}

// flush writes what was collected as one block, and keeps what the window may reach.
func (w *Writer) flush(final bool) {
	w.hash()
	if w.pending > 0 {
		w.push(op{})
	}
	if final || len(w.ops) > 0 {
		text := w.plain[w.block:]
		w.codes.count(text, w.ops)
		w.bits.grow(w.codes.build())
		w.codes.writeHeader(&w.bits, final)
		w.bits.writeBlock(&w.codes, text, w.ops, w.sums)
		if w.parser != nil {
			w.parser.learn(&w.codes)
		}
	}
	kept := min(len(w.plain), window)
	w.dropped += len(w.plain) - kept
	copy(w.plain, w.plain[len(w.plain)-kept:])
	w.plain, w.ops, w.sums = w.plain[:kept], w.ops[:0], w.sums[:0]
	w.block, w.stretch, w.hashed = kept, kept, kept
}

// commonPrefix is the length of the longest common prefix.
func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for ; i < n-7; i += 8 {
		if x := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); x != 0 {
			return i + bits.TrailingZeros64(x)/8
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// commonSuffix is the length of the longest common suffix.
func commonSuffix(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for i < n && a[len(a)-1-i] == b[len(b)-1-i] {
		i++
	}
	return i
}

// hexDigits has the two digits of each byte, the first in the lower half.
var hexDigits = func() (t [256]uint16) {
	const digits = "0123456789abcdef"
	for b := range t {
		t[b] = uint16(digits[b>>4]) | uint16(digits[b&15])<<8
	}
	return t
}()

// Package deflate writes gzip members (RFC 1952) of text whose repetitions its
// caller knows.
//
// An answer with thousands of pre-signed URLs is one long text in which a few
// hundred bytes of host and a thousand bytes of query stand again and again. A
// general compressor looks for these repetitions, byte by byte, each time. This
// one is told: [Writer.Run] repeats a text that was named once; the bytes of a long
// one are then neither copied, nor compared, nor hashed again. [Writer.Similar]
// compares with the last two texts of its kind only, [Writer.Hex] codes two digits
// at a time.
//
// What is said of repetitions are hints. Whatever the calls and their order, the
// member inflates to the text that was given; a bad hint costs size, not truth.
package deflate

import (
	"bytes"
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
	// blockText is how many bytes a block may hold beside long runs. Each block
	// has its own codes: a smaller one spends more on their description (about
	// 70 bytes), a larger one leaves the processor's cache between the two passes.
	blockText = 1 << 17
	// blockOps is how many matches and hex texts it may hold.
	blockOps = 1 << 13
	// maxMerged keeps the symbol counts of a block below 1<<32.
	maxMerged = 1 << 16

	// longRun is the length from which it is faster to combine the check value
	// of a run than to lay the run out and hash it with its surroundings.
	longRun = 192

	// shortSimilar is the shortest match that pays at the usual distance of
	// one or two thousand: it takes about 17 bits, a literal about 5.
	shortSimilar = 4
)

// Writer appends one gzip member to a byte slice. It serves one goroutine at a
// time and keeps about 400 KB, all of which Reset reuses: a Writer that has once
// written a member of the same shape allocates only to enlarge the slice.
type Writer struct {
	bits bitWriter
	pos  int    // how many bytes the text has
	crc  uint32 // of the text but for plain[hashed:]

	runs []run

	// The block that is being collected. plain holds its text in order, less the
	// long runs. The last pending bytes of it are literals that no op covers yet.
	block   int // counts the blocks
	plain   []byte
	ops     []op
	sums    []byte // what was given to Hex
	pending int
	hashed  int
	seam    int      // in plain; before it a long run is missing
	recent  [2]place // the texts last given to Similar, the older one first
	equal   bool     // and whether they are equal

	codes codes
}

// An op is a piece of the text: literals, and what follows them.
type op struct {
	literals uint32 // how many, in plain
	length   uint32 // of the match, or how many bytes of sums
	distance uint32 // 0: not a match, but hex digits
	inPlain  uint32 // how many bytes of plain the match, or the digits, cover
}

// A place in the text is known by both its positions.
type place struct {
	pos   int // in the text
	plain int // in plain
	n     int // length; 0 is no place
}

// Run names a text that [Writer.Learn] was told.
type Run int

type run struct {
	text  []byte
	crc   uint32
	shift crcShift

	last occurrence
}

// An occurrence of a run is where it began.
type occurrence struct {
	pos   int // in the text
	block int // which block was collected, the one that plain and seam belong to; 0 is no occurrence
	plain int // in plain
	seam  int // the Writer's seam then
}

// NewWriter returns a Writer that appends to dst.
func NewWriter(dst []byte) *Writer {
	w := &Writer{
		plain: make([]byte, 0, blockText),
		ops:   make([]op, 0, blockOps),
		sums:  make([]byte, 0, blockText/2),
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
	w.clear()
}

// Sync ends a piece of the member at a whole byte, by an empty stored block (RFC 1951,
// section 3.2.4), and returns the slice with it. What follows is appended to next.
func (w *Writer) Sync(next []byte) []byte {
	w.flush(false)
	w.bits.put(0, 3)
	w.bits.align()
	out := append(w.bits.out, 0, 0, 0xff, 0xff)
	w.bits.out = next
	return out
}

// Len is the length of the slice so far, less the block that is being collected.
func (w *Writer) Len() int { return len(w.bits.out) }

func (w *Writer) clear() {
	w.block++
	w.plain, w.ops, w.sums = w.plain[:0], w.ops[:0], w.sums[:0]
	w.pending, w.hashed, w.seam = 0, 0, 0
	w.recent, w.equal = [2]place{}, true
}

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
	r.text, r.last = text, occurrence{}
	if len(text) >= longRun {
		r.crc = crc32.ChecksumIEEE(text)
		r.shift.reset(len(text))
	}
	return Run(n)
}

// Text writes p as it is: no repetition is looked for.
func (w *Writer) Text(p []byte) {
	for len(p) > blockText-len(w.plain) {
		n := blockText - len(w.plain)
		w.literals(p[:n])
		p = p[n:]
		w.flush(false)
	}
	w.literals(p)
}

func (w *Writer) literals(p []byte) {
	w.plain = append(w.plain, p...)
	w.pending += len(p)
	w.pos += len(p)
}

// Run writes a learned text: the first time in full, from then on as a repetition,
// unless more than 32,768 bytes lie between the beginnings of the two (so never
// when the text itself is longer). The literals before it become part of the
// repetition where they, too, are what stood before the last occurrence.
func (w *Writer) Run(name Run) {
	w.room(longRun)
	r := &w.runs[name]
	last := r.last
	r.last = occurrence{pos: w.pos, block: w.block, plain: len(w.plain), seam: w.seam}
	n, distance := len(r.text), w.pos-last.pos
	if last.block == 0 || distance > window || n < minMatch {
		w.Text(r.text)
		return
	}

	before := 0
	if last.block == w.block {
		here := w.plain[len(w.plain)-w.pending:]
		there := w.plain[last.seam:last.plain]
		for before < len(here) && before < len(there) &&
			here[len(here)-1-before] == there[len(there)-1-before] {
			before++
		}
		w.pending -= before
	}

	if n < longRun {
		w.plain = append(w.plain, r.text...)
		w.match(distance, before+n, before+n)
	} else {
		w.match(distance, before+n, before)
		w.hash()
		w.crc = r.shift.apply(w.crc) ^ r.crc
		w.seam = len(w.plain)
	}
	w.pos += n
}

// Similar writes p, which probably begins as one of the last two texts given to
// Similar, or is one of them: a key and its path in a URL, then the next key.
func (w *Writer) Similar(p []byte) {
	if len(p) > blockText {
		w.Text(p)
		return
	}
	w.room(len(p))
	here := place{pos: w.pos, plain: len(w.plain), n: len(p)}
	older, newer := w.recent[0], w.recent[1]
	n, distance := 0, 0
	if text := w.textAt(newer); bytes.Equal(p, text) {
		n, distance = len(p), w.pos-newer.pos
		w.equal = true
	} else {
		// Of two equally long beginnings the older is taken: what stands around it
		// is more likely to be repeated, too, so that matches join.
		n, distance = commonPrefix(p, w.textAt(older)), w.pos-older.pos
		if !w.equal {
			if m := commonPrefix(p, text); m > n {
				n, distance = m, w.pos-newer.pos
			}
		}
		w.equal = false
	}
	if distance > window {
		n = 0
	}
	w.literals(p)
	if n >= shortSimilar || n > 0 && w.pending == len(p) && w.joins(distance) {
		w.pending -= len(p)
		w.match(distance, n, n)
		w.pending = len(p) - n
	}
	w.recent[0], w.recent[1] = newer, here
}

func (w *Writer) textAt(p place) []byte { return w.plain[p.plain : p.plain+p.n] }

// Hex writes p as lower-case hexadecimal digits. It supposes that p is random, as
// a signature is: all digits get codes as if they were equally frequent.
func (w *Writer) Hex(p []byte) {
	const most = blockText / 4
	for len(p) > most {
		w.Hex(p[:most])
		p = p[most:]
	}
	w.room(2 * len(p))
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
}

// Close ends the member and returns the slice. The next call must be Reset.
func (w *Writer) Close() []byte {
	w.flush(true)
	w.bits.align()
	out := binary.LittleEndian.AppendUint32(w.bits.out, w.crc)
	// The length is stored modulo 1<<32, so a longer text is a valid member, too.
	out = binary.LittleEndian.AppendUint32(out, uint32(w.pos))
	w.bits.out = nil
	return out
}

// room makes sure that n bytes, at most blockText, and an op fit into the block.
func (w *Writer) room(n int) {
	if n > blockText-len(w.plain) || len(w.ops) >= blockOps-1 {
		w.flush(false)
	}
}

func (w *Writer) push(o op) {
	o.literals = uint32(w.pending)
	w.pending = 0
	w.ops = append(w.ops, o)
}

// joins tells whether a match at this place would continue the last one.
func (w *Writer) joins(distance int) bool {
	return len(w.ops) > 0 && w.ops[len(w.ops)-1].distance == uint32(distance) &&
		w.ops[len(w.ops)-1].length < maxMerged
}

func (w *Writer) match(distance, length, inPlain int) {
	if w.pending == 0 && w.joins(distance) {
		last := &w.ops[len(w.ops)-1]
		last.length += uint32(length)
		last.inPlain += uint32(inPlain)
		return
	}
	w.push(op{length: uint32(length), distance: uint32(distance), inPlain: uint32(inPlain)})
}

// hash brings the check value up to date. One call for all that lies between two
// long runs is much faster than one for each piece.
func (w *Writer) hash() {
	w.crc = crc32.Update(w.crc, crc32.IEEETable, w.plain[w.hashed:])
	w.hashed = len(w.plain)
}

// flush writes what was collected as one block.
func (w *Writer) flush(final bool) {
	w.hash()
	if w.pending > 0 {
		w.push(op{})
	}
	if final || len(w.ops) > 0 {
		w.codes.count(w.plain, w.ops)
		w.bits.grow(w.codes.build())
		w.codes.writeHeader(&w.bits, final)
		w.bits.writeBlock(&w.codes, w.plain, w.ops, w.sums)
	}
	w.clear()
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

// hexDigits has the two digits of each byte, the first in the lower half.
var hexDigits = func() (t [256]uint16) {
	const digits = "0123456789abcdef"
	for b := range t {
		t[b] = uint16(digits[b>>4]) | uint16(digits[b&15])<<8
	}
	return t
}()

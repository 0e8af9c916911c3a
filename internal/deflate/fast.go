package deflate

import "encoding/binary"

// finder has, by hash, the last place of each beginning of four and of eight bytes, and of
// each longer beginning of a stretch.
type finder struct {
	four  [1 << 12]slot
	eight [1 << 12]slot
	start [1 << 11]place
}

// A slot has a place, and four of the bytes that stand there: most of what is looked for is not there, and is
// known not to be without a look at the text.
type slot struct {
	at   place
	text uint32
}

const (
	hash4 = 0x9E3779B1
	hash8 = 0x9E3779B97F4A7C15
)

func (f *finder) at4(x uint32) *slot      { return &f.four[x*hash4>>(32-12)] }
func (f *finder) at8(x uint64) *slot      { return &f.eight[x*hash8>>(64-12)] }
func (f *finder) atStart(x uint64) *place { return &f.start[x*hash8>>(64-11)] }

// remember notes that these eight bytes stand at a place.
func (f *finder) remember(at place, x uint64) {
	*f.at8(x), *f.at4(uint32(x)) = slot{at, uint32(x >> 32)}, slot{at, uint32(x)}
}

const (
	// shortFar is the shortest match that pays at a distance over nearBy: it takes about
	// 21 bits, a literal about 5.
	shortFar = 5
	nearBy   = 8192

	lazy   = 24 // a match under this length gives way to a longer one a byte later
	sparse = 4  // how far apart the places are that are remembered within a match

	// Beginnings of stretches are looked up by their first 16, 24, ... 64 bytes.
	maxStart = 64
)

// parseFast takes the longest of a few matches at each place.
func (w *Writer) parseFast(length, distance int) {
	own := w.known.last()
	text := w.plain
	begin, end := w.stretch, len(text)
	i, done := begin, begin // all before done is covered
	n, best := w.longestStart(own, begin, end)
	for i+4 <= end {
		if n == 0 {
			if n, best = w.longest(own, i, end); n == 0 {
				i++
				continue
			}
			if n < lazy && i+5 <= end {
				if m, later := w.longest(own, i+1, end); m > n {
					i, n, best = i+1, m, later
				}
			}
		}
		for i > done && best.before > 0 && text[i-1] == text[best.from-1] {
			i, n = i-1, n+1
			best.from, best.before = best.from-1, best.before-1
		}
		w.pending += i - done
		w.match(best.distance, n, n)
		if best.from < begin { // what stands twice in this stretch is known already
			for k := i + sparse; k < min(i+n, end-8); k += sparse {
				x := binary.LittleEndian.Uint64(text[k:])
				w.finder.remember(own.place(k-begin), x)
			}
		}
		i += n
		done, n = i, 0
	}
	w.pending += end - done
	if length == 0 {
		return
	}
	// The run repeats together with the literals that stood before it the last time, too.
	back := 0
	if before := w.known.get(w.runs[own.follow].after); before != nil && before.at >= w.dropped && w.pending > 0 {
		from := before.at - w.dropped
		back = commonSuffix(text[end-min(w.pending, end-begin):], text[from:from+before.n])
	}
	w.pending -= back
	w.match(distance, back+length, back)
}

// longest is the longest match at text[at], or 0, of those that begin with the same eight
// or four bytes as the last such place. It remembers this one, too.
func (w *Writer) longest(own *stretch, at, end int) (n int, best candidate) {
	text := w.plain[:end]
	here, pos := own.place(at-w.stretch), own.pos+at-w.stretch
	if at+8 <= end {
		x := binary.LittleEndian.Uint64(text[at:])
		known := w.finder.at8(x)
		before := *known
		*known = slot{here, uint32(x >> 32)}
		if before.text == uint32(x>>32) {
			if c, ok := w.find(before.at, at, pos); ok && c.room >= 8 && binary.LittleEndian.Uint64(text[c.from:]) == x {
				n, best = commonPrefix(text[at:], text[c.from:c.from+c.room]), c
			}
		}
	}
	x := binary.LittleEndian.Uint32(text[at:])
	known := w.finder.at4(x)
	before := *known
	*known = slot{here, x}
	if before.text != x {
		return n, best
	}
	if c, ok := w.find(before.at, at, pos); ok && c.distance != best.distance {
		if m := commonPrefix(text[at:], text[c.from:c.from+c.room]); m > n && (m >= shortFar || m >= 4 && c.distance <= nearBy) {
			n, best = m, c
		}
	}
	return n, best
}

// longestStart is the longest match of the stretch's beginning, if it has 16 bytes.
func (w *Writer) longestStart(own *stretch, at, end int) (n int, best candidate) {
	text := w.plain[at:end]
	var slots [maxStart / 8]*place
	var hash uint64
	k := 0
	for ; k < maxStart/8 && 8*k+8 <= len(text); k++ {
		hash = (hash ^ binary.LittleEndian.Uint64(text[8*k:])) * hash8
		hash ^= hash >> 29
		slots[k] = w.finder.atStart(hash + uint64(k))
	}
	for j := k - 1; j > 0; j-- {
		if n == 0 {
			if c, ok := w.find(*slots[j], at, own.pos); ok && c.before == 0 {
				if m := commonPrefix(text, w.plain[c.from:c.from+c.room]); m >= 16 {
					n, best = m, c
				}
			}
		}
		*slots[j] = own.place(0)
	}
	if n > 0 {
		w.finder.remember(own.place(0), binary.LittleEndian.Uint64(text))
	}
	return n, best
}

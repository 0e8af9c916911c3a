package deflate

// A stretch is a piece of the text whose bytes lie side by side in plain: what stands
// between signatures and long runs. Matches begin and end within one, except that one
// may go on into the long run that follows.
type stretch struct {
	at     int // in plain, from the beginning of the member
	pos    int // in the text
	n      int // length
	follow Run // the long run behind it, or noRun
	number int // counts the stretches, from 1; 0 is none
}

// maxStretches is how many the window looks back upon. A match is worth little at such a
// distance that more of them lie between.
const maxStretches = 512

// stretches are the last ones.
type stretches struct {
	ring  [maxStretches]stretch
	count int // the number of the last one
}

func (s *stretches) add(x stretch) {
	s.count++
	x.number = s.count
	s.ring[s.count%maxStretches] = x
}

func (s *stretches) last() *stretch { return &s.ring[s.count%maxStretches] }

// get is a stretch by its number, or nil if it is forgotten.
func (s *stretches) get(number int) *stretch {
	if x := &s.ring[number%maxStretches]; x.number == number && number > 0 {
		return x
	}
	return nil
}

// A place is a byte of a stretch: the lowest bits of the stretch's number, and an
// offset below maxPiece.
type place uint32

const placeBits = 14

func (x *stretch) place(offset int) place { return place(x.number<<placeBits | offset) }

// A candidate is where a match may come from.
type candidate struct {
	from     int // in plain
	distance int
	before   int // how many bytes of its stretch stand before it
	room     int // how many bytes of its stretch there are
}

// find is the candidate at a place, for a match at plain[at] and at pos in the text. A place
// may be stale, and stand for another than the one that was meant: what it gives is a
// candidate all the same, in the window and in plain.
func (w *Writer) find(p place, at, pos int) (c candidate, ok bool) {
	x := &w.known.ring[(p>>placeBits)%maxStretches]
	offset := int(p & (1<<placeBits - 1))
	c = candidate{from: x.at + offset - w.dropped, distance: pos - x.pos - offset, before: offset, room: x.n - offset}
	return c, c.room > 0 && c.from >= 0 && c.from < at && c.distance <= window && c.distance > 0
}

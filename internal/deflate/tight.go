package deflate

import "slices"

// parser finds, for a stretch, the literals and matches that take the fewest bits. It is
// a shortest path: each byte is a node, each literal and each match an edge whose length
// is what its codes take. The codes of the block that is being collected are not known
// yet, so those of the block before stand for them; blocks of an answer resemble each other.
type parser struct {
	head [1 << 13]place       // the last place of each beginning of three bytes, by hash
	prev [prevPlaces]place    // by position in plain: the one before
	bits [numLiteral]uint8    // of each literal, and of lengths with their extra bits
	far  [numDistance]uint8   // of distances with their extra bits
	len  [maxMatch + 1]uint16 // of each length of a match

	steps []step // [i]: how the first i bytes of the stretch are written best
	tails []tail
	path  []op // matches, the last first; literals are where they begin
}

// A step ends at a place in a stretch.
type step struct {
	cost     uint32 // bits so far
	length   uint32 // of the match that ends here; 0 is a literal
	distance uint32
}

// A tail says that the run that follows may repeat together with so many bytes before it.
type tail struct {
	n, distance int
}

const (
	// prevPlaces is no less than what plain holds of what the window reaches.
	prevPlaces = 1 << 16
	// maxTried is how many candidates are tried at a place.
	maxTried = 16
	// maxTails is how many stretches are compared from their ends.
	maxTails = 24
	// unknownBits is what a symbol is thought to take that was not in the block before.
	unknownBits = 12
)

func newParser() *parser { return &parser{} }

// reset forgets all. Before the first block, codes are guessed.
func (p *parser) reset() {
	p.head = [1 << 13]place{}
	p.prev = [prevPlaces]place{}
	for i := range p.bits {
		p.bits[i] = 6
	}
	for _, digit := range "0123456789abcdef" {
		p.bits[digit] = 5
	}
	for i := range p.far {
		p.far[i] = uint8(4 + distanceExtra(i))
	}
	p.lengths()
}

// learn takes the codes of a block for those of the next.
func (p *parser) learn(c *codes) {
	for i := range p.bits {
		p.bits[i] = unknownBits
		if n := c.literal[i].len(); n > 0 {
			p.bits[i] = uint8(n)
		}
	}
	for i := range p.far {
		n := c.distance[i].len()
		if n == 0 {
			n = unknownBits
		}
		p.far[i] = uint8(n + distanceExtra(i))
	}
	p.lengths()
}

func (p *parser) lengths() {
	for n := minMatch; n <= maxMatch; n++ {
		s := lengthSymbol[n]
		p.len[n] = uint16(p.bits[firstLength+int(s)]) + uint16(lengthExtra[s])
	}
}

func (p *parser) farBits(distance int) uint32 {
	symbol, _, _ := distanceSymbol(uint32(distance))
	return uint32(p.far[symbol])
}

// matchBits is what a match of any length takes.
func (p *parser) matchBits(length, distance int) uint32 {
	longest, last, rest := split(uint32(length))
	far := p.farBits(distance)
	n := longest*(uint32(p.len[maxMatch])+far) + uint32(p.len[last]) + far
	if rest > 0 {
		n += uint32(p.len[rest]) + far
	}
	return n
}

func hash3(text []byte) uint32 {
	return (uint32(text[0]) | uint32(text[1])<<8 | uint32(text[2])<<16) * hash4 >> (32 - 13)
}

// parseTight writes a stretch, and the run of so many bytes that follows it, with the
// fewest bits.
func (w *Writer) parseTight(length, distance int) {
	p, own := w.parser, w.known.last()
	n := own.n
	p.steps = slices.Grow(p.steps[:0], n+1)[:n+1]
	p.steps[0] = step{}
	for i := 1; i <= n; i++ {
		p.steps[i].cost = 1 << 31
	}
	text := w.plain[w.stretch:]
	skipped := 0 // up to here a match is so long that others are not looked for
	for i := range n {
		if cost := p.steps[i].cost + uint32(p.bits[text[i]]); cost < p.steps[i+1].cost {
			p.steps[i+1] = step{cost: cost}
		}
		if n-i >= minMatch {
			skipped = w.reach(own, i, skipped)
		}
	}
	end, through := n, tail{distance: distance}
	if length > 0 {
		end, through = w.intoRun(own, length, distance)
	}
	p.path = p.path[:0]
	for i := end; i > 0; {
		s := p.steps[i]
		if s.length == 0 {
			i--
			continue
		}
		i -= int(s.length)
		p.path = append(p.path, op{literals: uint32(i), length: s.length, distance: s.distance})
	}
	done := 0
	for k := len(p.path) - 1; k >= 0; k-- {
		o := p.path[k]
		w.pending += int(o.literals) - done
		w.match(int(o.distance), int(o.length), int(o.length))
		done = int(o.literals + o.length)
	}
	w.pending += end - done
	if length > 0 {
		w.match(through.distance, n-end+length, n-end)
	}
}

// reach takes all matches that begin at byte i of the stretch as steps. What is before
// skipped is only remembered.
func (w *Writer) reach(own *stretch, i, skipped int) int {
	p := w.parser
	text := w.plain
	at, pos := w.stretch+i, own.pos+i
	known := &p.head[hash3(text[at:])]
	next := *known
	*known = own.place(i)
	p.prev[(own.at+i)%prevPlaces] = next
	if i < skipped {
		return skipped
	}
	most := min(own.n-i, maxMatch)
	here := text[at : at+most]
	best, from := minMatch-1, p.steps[i].cost
	last := at
	for range maxTried {
		c, ok := w.find(next, at, pos)
		if !ok || c.from >= last {
			break
		}
		last = c.from
		if c.room > best && text[c.from+best] == here[best] {
			if n := commonPrefix(here, text[c.from:c.from+c.room]); n > best {
				base := from + p.farBits(c.distance)
				for k := best + 1; k <= n; k++ {
					if cost := base + uint32(p.len[k]); cost < p.steps[i+k].cost {
						p.steps[i+k] = step{cost, uint32(k), uint32(c.distance)}
					}
				}
				if best = n; n == most {
					break
				}
			}
		}
		next = p.prev[(c.from+w.dropped)%prevPlaces]
	}
	if best >= 32 {
		return i + best - 8
	}
	return skipped
}

// intoRun finds where in a stretch a match had best begin that goes on into the run.
func (w *Writer) intoRun(own *stretch, length, distance int) (end int, through tail) {
	p := w.parser
	text := w.plain[w.stretch:]
	p.tails = append(p.tails[:0], tail{0, distance})
	longest := 0
	for number := own.number - 1; number > own.number-maxTails; number-- {
		x := w.known.get(number)
		if x == nil || x.at < w.dropped {
			break
		}
		back := own.pos + own.n - x.pos - x.n
		if back > window {
			break
		}
		if x.follow != own.follow {
			continue
		}
		from := x.at - w.dropped
		if n := commonSuffix(text, w.plain[from:from+x.n]); n > longest {
			longest = n
			p.tails = append(p.tails, tail{n, back})
		}
	}
	least := ^uint32(0)
	k := 0
	for i := own.n; i >= own.n-longest; i-- {
		for p.tails[k].n < own.n-i {
			k++
		}
		if cost := p.steps[i].cost + p.matchBits(own.n-i+length, p.tails[k].distance); cost < least {
			least, end, through = cost, i, p.tails[k]
		}
	}
	return end, through
}

package deflate

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// The alphabets of RFC 1951, section 3.2.7.
const (
	numLiteral  = 286 // bytes, the end of the block, lengths of matches
	numDistance = 30
	numLength   = 19 // code lengths, with three that repeat

	endOfBlock  = 256
	firstLength = 257

	// maxBits is one less than the format allows, so that four literals, or a
	// whole match, fit into 64 bits beside the seven that may be left of a byte.
	maxBits       = 14
	maxLengthBits = 7
)

// codes are the Huffman codes of a block.
type codes struct {
	literalCount  [numLiteral]uint32
	distanceCount [numDistance]uint32
	lengthCount   [numLength]uint32
	digits        int // how many hexadecimal digits there are

	literal  [numLiteral]code
	distance [numDistance]code
	length   [numLength]code
	pair     [256]code // two hexadecimal digits
	maxDigit uint      // the longest code of a digit

	described []described
	room      [numLiteral + numDistance]described
	tree      tree
}

// A code is how many bits it has, at most 56, in the lowest byte, and the bits above
// it, the first in the lowest place. A processor takes a shift count modulo 64, and a
// sum of codes has the sum of their lengths in its lowest byte, so that the loops
// of bitWriter need not part the two.
type code uint64

func newCode(bits uint64, n uint) code { return code(bits<<8 | uint64(n)) }

func (c code) bits() uint64 { return uint64(c >> 8) }
func (c code) len() uint    { return uint(c & 0xff) }

func (c code) followedBy(d code) code {
	return newCode(c.bits()|d.bits()<<c.len(), c.len()+d.len())
}

// count takes stock of the symbols of a block.
func (c *codes) count(plain []byte, ops []op) {
	c.literalCount, c.distanceCount, c.digits = [numLiteral]uint32{}, [numDistance]uint32{}, 0
	// Neighbours are counted apart: if they are equal, the second count would have
	// to wait for the first.
	var odd [256]uint32
	for i := range ops {
		o := &ops[i]
		text := plain[:o.literals]
		k := 0
		for ; k < len(text)-3; k += 4 {
			x := binary.LittleEndian.Uint32(text[k:])
			c.literalCount[byte(x)]++
			odd[byte(x>>8)]++
			c.literalCount[byte(x>>16)]++
			odd[x>>24]++
		}
		for ; k < len(text); k++ {
			c.literalCount[text[k]]++
		}
		plain = plain[o.literals+o.inPlain:]

		if o.distance == 0 {
			c.digits += 2 * int(o.length)
			continue
		}
		symbol, _, _ := distanceSymbol(o.distance)
		longest, last, rest := split(o.length)
		c.literalCount[numLiteral-1] += longest
		c.literalCount[firstLength+int(lengthSymbol[last])]++
		c.distanceCount[symbol] += longest + 1
		if rest > 0 {
			c.literalCount[firstLength]++
			c.distanceCount[symbol]++
		}
	}
	for i, n := range odd {
		c.literalCount[i] += n
	}
	if c.digits > 0 {
		for _, digit := range "0123456789abcdef" {
			c.literalCount[digit] += uint32(c.digits)/16 + 1
		}
	}
	c.literalCount[endOfBlock] = 1
}

// split says how a match of length bytes, at least 3, is written: so many of 258,
// then one of last bytes, and if rest is not 0 another of rest bytes, which is 3.
func split(length uint32) (longest, last, rest uint32) {
	longest = (length - minMatch) / maxMatch
	last = length - longest*maxMatch
	if last > maxMatch { // by less than a match
		last, rest = last-minMatch, minMatch
	}
	return longest, last, rest
}

// build makes the codes. It returns no less than the number of bytes that the block
// will take.
func (c *codes) build() int {
	c.tree.code(c.literal[:], c.literalCount[:], maxBits)
	c.tree.code(c.distance[:], c.distanceCount[:], maxBits)
	c.describe()
	c.tree.code(c.length[:], c.lengthCount[:], maxLengthBits)

	total := 3 + 5 + 5 + 4 + 3*numLength + len(c.described)*(maxLengthBits+7)
	for i, n := range c.literalCount {
		total += int(n) * int(c.literal[i].len())
		if i >= firstLength {
			total += int(n) * int(lengthExtra[i-firstLength])
		}
	}
	for i, n := range c.distanceCount {
		total += int(n) * int(c.distance[i].len()+distanceExtra(i))
	}
	if c.digits > 0 {
		const digits = "0123456789abcdef"
		c.maxDigit = 0
		for i := range c.pair {
			low := c.literal[digits[i&15]]
			c.pair[i] = c.literal[digits[i>>4]].followedBy(low)
			c.maxDigit = max(c.maxDigit, low.len())
		}
		total += c.digits * int(c.maxDigit) // they need not be as evenly spread as supposed
	}
	return total/8 + 1
}

// described is one symbol of the description of the code lengths: a length, or a
// repetition with its extra bits.
type described struct {
	symbol uint8
	extra  code
}

// describe writes the two sequences of code lengths, as one, in the alphabet of
// code lengths (RFC 1951, section 3.2.7), and counts its symbols.
func (c *codes) describe() {
	var all [numLiteral + numDistance]uint8
	for i, x := range c.literal {
		all[i] = uint8(x.len())
	}
	for i, x := range c.distance {
		all[numLiteral+i] = uint8(x.len())
	}
	c.described = c.room[:0]
	c.lengthCount = [numLength]uint32{}
	add := func(symbol uint8, extra int, n uint) {
		c.described = append(c.described, described{symbol, newCode(uint64(extra), n)})
		c.lengthCount[symbol]++
	}
	for rest := all[:]; len(rest) > 0; {
		length, n := rest[0], 1
		for n < len(rest) && rest[n] == length {
			n++
		}
		rest = rest[n:]
		if length != 0 { // 16 repeats what stands before it
			add(length, 0, 0)
			n--
		}
		for n > 0 {
			m := n
			switch {
			case length == 0 && n >= 11:
				m = min(n, 138)
				add(18, m-11, 7)
			case length == 0 && n >= 3:
				add(17, m-3, 3)
			case length != 0 && n >= 3:
				m = min(n, 6)
				add(16, m-3, 2)
			default:
				m = 1
				add(length, 0, 0)
			}
			n -= m
		}
	}
}

// writeHeader begins a block with dynamic codes.
func (c *codes) writeHeader(b *bitWriter, final bool) {
	if final {
		b.put(1, 1)
	} else {
		b.put(0, 1)
	}
	b.put(2, 2)
	b.put(numLiteral-257, 5)
	b.put(numDistance-1, 5)
	// The lengths of the code lengths' own codes come in the order of their use.
	order := [numLength]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	n := numLength
	for n > 4 && c.length[order[n-1]].len() == 0 {
		n--
	}
	b.put(uint64(n-4), 4)
	for _, symbol := range order[:n] {
		b.put(uint64(c.length[symbol].len()), 3)
	}
	for _, d := range c.described {
		x := c.length[d.symbol].followedBy(d.extra)
		b.put(x.bits(), x.len())
	}
}

// tree is the room in which a code is built.
type tree struct {
	symbols [numLiteral]uint64 // count<<16 | symbol
	weight  [2 * numLiteral]uint32
	parent  [2 * numLiteral]uint16
	depth   [2 * numLiteral]uint8
}

// code gives each symbol with a count its code, none longer than limit, and the
// others none. There are never fewer than two codes: some decoders do not take an
// incomplete set.
func (t *tree) code(dst []code, counts []uint32, limit uint8) {
	used := t.symbols[:0]
	for i, n := range counts {
		if n > 0 {
			used = append(used, uint64(n)<<16|uint64(i))
		}
	}
	for i := 0; len(used) < 2; i++ {
		if counts[i] == 0 {
			used = append(used, 1<<16|uint64(i))
		}
	}
	slices.Sort(used)

	// Halving all counts brings them nearer to each other, and so the tree nearer
	// to a balanced one, until it is flat enough. That is rarely needed.
	n := len(used)
	for i, u := range used {
		t.weight[i] = uint32(u >> 16)
	}
	for t.grow(n) > limit {
		for i := range n {
			t.weight[i] = (t.weight[i] + 1) / 2
		}
	}

	// The canonical code (RFC 1951, section 3.2.2): shorter before longer, among
	// equals in the order of the symbols.
	var ofLength, next [16]uint32
	clear(dst)
	for i, u := range used {
		dst[uint16(u)] = code(t.depth[i])
		ofLength[t.depth[i]]++
	}
	for i := 1; i < 15; i++ {
		next[i+1] = (next[i] + ofLength[i]) << 1
	}
	for i, c := range dst {
		if n := c.len(); n > 0 {
			dst[i] = newCode(uint64(bits.Reverse32(next[n])>>(32-n)), n)
			next[n]++
		}
	}
}

// grow makes Huffman's tree of the first n weights, which ascend, and returns its
// height. Each step joins the two lightest trees; both the single symbols and the
// joined trees come in ascending order, so these are at the front of either queue.
func (t *tree) grow(n int) (height uint8) {
	leaf, joined := 0, n
	root := 2*n - 2
	for node := n; node <= root; node++ {
		t.weight[node] = 0
		for range 2 {
			least := joined
			if leaf < n && (joined == node || t.weight[leaf] <= t.weight[joined]) {
				least = leaf
				leaf++
			} else {
				joined++
			}
			t.weight[node] += t.weight[least]
			t.parent[least] = uint16(node)
		}
	}
	t.depth[root] = 0
	for i := root - 1; i >= 0; i-- {
		t.depth[i] = t.depth[t.parent[i]] + 1
		height = max(height, t.depth[i])
	}
	return height
}

// The extra bits of lengths 3 to 258 (RFC 1951, section 3.2.5); lengthSymbol counts
// from firstLength. 258 has a symbol of its own.
var lengthExtra = [numLiteral - firstLength]uint8{
	0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
}

var lengthSymbol, lengthBase = func() (symbol [maxMatch + 1]uint8, base [maxMatch + 1]uint16) {
	length := minMatch
	for s, extra := range lengthExtra[:len(lengthExtra)-1] {
		first := length
		for range 1 << extra {
			symbol[length], base[length] = uint8(s), uint16(first)
			length++
		}
	}
	symbol[maxMatch], base[maxMatch] = uint8(len(lengthExtra)-1), maxMatch
	return symbol, base
}()

// lengthCode is the code of the length of a match with its extra bits.
func (c *codes) lengthCode(length uint32) code {
	s := lengthSymbol[length]
	return c.literal[firstLength+int(s)].followedBy(newCode(uint64(length)-uint64(lengthBase[length]), uint(lengthExtra[s])))
}

// distanceSymbol is the symbol of a distance, 1 to 32,768, with its n extra bits.
func distanceSymbol(distance uint32) (symbol int, extra uint32, n uint) {
	d := distance - 1
	if d < 4 {
		return int(d), 0, 0
	}
	n = uint(bits.Len32(d)) - 2
	return int(2*n) + int(d>>n), d & (1<<n - 1), n
}

func distanceExtra(symbol int) uint {
	return uint(max(symbol/2-1, 0))
}

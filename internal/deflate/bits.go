package deflate

import (
	"encoding/binary"
	"slices"
)

// bitWriter appends bits, the first to the lowest place of a byte (RFC 1951,
// section 3.1.1).
type bitWriter struct {
	out []byte
	acc uint64 // the bits that do not fill a byte yet
	n   uint   // how many, 0 to 7
}

// grow makes room for n more bytes and for the rest of an 8-byte store.
func (b *bitWriter) grow(n int) { b.out = slices.Grow(b.out, n+16) }

// put appends the lowest n bits of v, at most 57; the others must be zero.
func (b *bitWriter) put(v uint64, n uint) {
	b.acc |= v << b.n
	b.n += n
	for ; b.n >= 8; b.n -= 8 {
		b.out = append(b.out, byte(b.acc))
		b.acc >>= 8
	}
}

// align fills the last byte.
func (b *bitWriter) align() {
	if b.n > 0 {
		b.put(0, 8-b.n)
	}
}

// writeBlock appends the symbols of a block and its end. There must be room for
// them.
//
// What follows is written with stores of eight bytes, of which the last ones are
// not yet valid: the next store overwrites them. Before each store at most 7 bits
// wait, so 57 more may come between two: four codes, or a match. Each of the three
// loops is a function of its own, since the compiler then keeps it in registers.
func (b *bitWriter) writeBlock(c *codes, plain []byte, ops []op, sums []byte) {
	for i := range ops {
		o := &ops[i]
		if o.literals > 0 {
			b.writeLiterals(&c.literal, plain[:o.literals])
		}
		plain = plain[o.literals+o.inPlain:]
		if o.distance > 0 {
			b.writeMatch(c, o.distance, o.length)
		} else {
			b.writeHex(c, sums[:o.length])
			sums = sums[o.length:]
		}
	}
	b.put(c.literal[endOfBlock].bits(), c.literal[endOfBlock].len())
}

func (b *bitWriter) writeLiterals(codes *[numLiteral]code, text []byte) {
	out, at, acc, n := b.out[:cap(b.out)], len(b.out), b.acc, b.n
	i := 0
	for ; i < len(text)-3; i += 4 {
		x := binary.LittleEndian.Uint32(text[i:])
		four, m := join(codes[byte(x)], codes[byte(x>>8)], codes[byte(x>>16)], codes[x>>24])
		acc |= four << (n & 63)
		at, acc, n = store(out, at, acc, n+m)
	}
	for _, x := range text[i:] { // at most 3
		acc |= codes[x].bits() << (n & 63)
		n += codes[x].len()
	}
	at, acc, n = store(out, at, acc, n)
	b.out, b.acc, b.n = out[:at], acc, n
}

func (b *bitWriter) writeHex(c *codes, sum []byte) {
	out, at, acc, n := b.out[:cap(b.out)], len(b.out), b.acc, b.n
	pairs := &c.pair
	i := 0
	if c.maxDigit <= maxBits/2 { // as nearly always: there are only 16 digits
		for ; i < len(sum)-3; i += 4 {
			x := binary.LittleEndian.Uint32(sum[i:])
			eight, m := join(pairs[byte(x)], pairs[byte(x>>8)], pairs[byte(x>>16)], pairs[x>>24])
			acc |= eight << (n & 63)
			at, acc, n = store(out, at, acc, n+m)
		}
	}
	for _, x := range sum[i:] {
		acc |= pairs[x].bits() << (n & 63)
		at, acc, n = store(out, at, acc, n+pairs[x].len())
	}
	b.out, b.acc, b.n = out[:at], acc, n
}

func (b *bitWriter) writeMatch(c *codes, distance, length uint32) {
	out, at, acc, n := b.out[:cap(b.out)], len(b.out), b.acc, b.n
	symbol, extra, extraN := distanceSymbol(distance)
	back := c.distance[symbol].followedBy(newCode(uint64(extra), extraN))
	longest, last, rest := split(length)
	if longest > 0 {
		one := c.literal[numLiteral-1].followedBy(back)
		if two := one.followedBy(one); one.len() <= 56/2 {
			for ; longest >= 2; longest -= 2 {
				acc |= two.bits() << (n & 63)
				at, acc, n = store(out, at, acc, n+two.len())
			}
		}
		for ; longest > 0; longest-- {
			acc |= one.bits() << (n & 63)
			at, acc, n = store(out, at, acc, n+one.len())
		}
	}
	x := c.lengthCode(last).followedBy(back)
	acc |= x.bits() << (n & 63)
	at, acc, n = store(out, at, acc, n+x.len())
	if rest > 0 {
		x := c.lengthCode(rest).followedBy(back)
		acc |= x.bits() << (n & 63)
		at, acc, n = store(out, at, acc, n+x.len())
	}
	b.out, b.acc, b.n = out[:at], acc, n
}

// store writes the whole bytes of acc and keeps the rest.
func store(out []byte, at int, acc uint64, n uint) (int, uint64, uint) {
	binary.LittleEndian.PutUint64(out[at:], acc)
	return at + int(n>>3), acc >> (n &^ 7 & 63), n & 7
}

// join puts four codes together, at most 57 bits. They are joined before they meet
// what waits to be stored, so that one group need not wait for another.
func join(c0, c1, c2, c3 code) (bits uint64, n uint) {
	n2, n4 := c0+c1, c2+c3
	first := c0.bits() | c1.bits()<<(c0&63)
	second := c2.bits() | c3.bits()<<(c2&63)
	return first | second<<(n2&63), (n2 + n4).len()
}

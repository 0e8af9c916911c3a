package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// exchange replaces *a and *b by what two instructions make of both, given in Go's
// order of operands.
func (g *wide) exchange(a, b *reg.VecPhysical, low, high func(b, a, dst operand.Op)) {
	free := &g.tmp[0]
	low(*b, *a, *free)
	high(*b, *a, *b)
	*free, *a = *a, *free
}

// fours transposes, in each 128-bit lane, four rows of four words.
func (g *wide) fours(r []reg.VecPhysical) {
	dwordLow := func(b, a, dst operand.Op) { g.VPUNPCKLDQ(b, a, dst) }
	dwordHigh := func(b, a, dst operand.Op) { g.VPUNPCKHDQ(b, a, dst) }
	low := func(b, a, dst operand.Op) { g.VPUNPCKLQDQ(b, a, dst) }
	high := func(b, a, dst operand.Op) { g.VPUNPCKHQDQ(b, a, dst) }
	g.exchange(&r[0], &r[1], dwordLow, dwordHigh)
	g.exchange(&r[2], &r[3], dwordLow, dwordHigh)
	g.exchange(&r[0], &r[2], low, high) // words 0 and 1
	g.exchange(&r[1], &r[3], low, high) // words 2 and 3
	r[1], r[2] = r[2], r[1]
}

// transpose turns 16 messages of 16 words into 16 words of all of them: words[i] holds
// message i before and word i afterwards. Registers change their names rather than
// their places.
func (g *wide) transpose() {
	shuffle := func(order uint64) func(b, a, dst operand.Op) {
		return func(b, a, dst operand.Op) { g.VSHUFI32X4(operand.Imm(order), b, a, dst) }
	}
	r := &g.words
	for k := 0; k < 16; k += 4 {
		g.fours(r[k : k+4])
	}
	// Lane l of r[4k+j] has word 4l+j of the messages 4k to 4k+3. So for each j, the
	// four registers are transposed by lanes.
	for j := range 4 {
		firstTwo, lastTwo := shuffle(0b01_00_01_00), shuffle(0b11_10_11_10)
		g.exchange(&r[j], &r[4+j], firstTwo, lastTwo)
		g.exchange(&r[8+j], &r[12+j], firstTwo, lastTwo)
		even, odd := shuffle(0b10_00_10_00), shuffle(0b11_01_11_01)
		g.exchange(&r[j], &r[8+j], even, odd)    // lanes 0 and 1
		g.exchange(&r[4+j], &r[12+j], even, odd) // lanes 2 and 3
		r[4+j], r[8+j] = r[8+j], r[4+j]
	}
}

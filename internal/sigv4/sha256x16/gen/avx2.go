package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
	"github.com/mmcloughlin/avo/reg"
)

// Eight streams, one in each 32-bit lane of the AVX2 registers: the same as with
// AVX-512, without its rotations and its functions of three operands. A round with its
// W+K at hand is 36 instructions on three ports. The sixteen registers hold no words of
// the message: those are in a ring in memory.

// eight is an avo context with the constants that these kernels share.
type eight struct {
	*build.Context
	k    operand.Mem // the round constants
	swap operand.Mem // the VPSHUFB mask that reverses the bytes of each word
}

var (
	working8 = [8]reg.VecPhysical{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7}
	rows8    = [8]reg.VecPhysical{reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15}
)

// avx2 returns the text of avx2_amd64.s.
func avx2() ([]byte, error) {
	g := &eight{Context: build.NewContext()}
	g.ConstraintExpr("!purego")
	g.k = g.StaticGlobal("k256y")
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for _, v := range k256() {
		g.AppendDatum(operand.U32(v))
	}
	g.swap = g.StaticGlobal("swap32x8")
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for range 2 {
		g.AppendDatum(operand.U64(0x0405060700010203))
		g.AppendDatum(operand.U64(0x0c0d0e0f08090a0b))
	}
	g.blocks()
	g.scheduled()

	f, err := g.Result()
	if err != nil {
		return nil, err
	}
	if err := pass.Compile.Execute(f); err != nil {
		return nil, err
	}
	return printer.NewGoAsm(printer.Config{Name: generatedBy, Pkg: pkg}).Print(f)
}

func (g *eight) function(name, signature string) {
	g.Function(name)
	g.Attributes(attr.NOSPLIT)
	g.SignatureExpr(signature)
}

// block8 is what the rounds of a block hand on to each other: the working variables, and
// b^c of the next round, which is a^b of this one.
type block8 struct {
	v          [8]reg.VecPhysical
	bc, free   reg.VecPhysical
	wk, t0, t1 reg.VecPhysical
}

func (g *eight) begin() *block8 {
	b := &block8{v: working8, bc: reg.Y8, free: reg.Y9, wk: reg.Y10, t0: reg.Y11, t1: reg.Y12}
	for i, v := range b.v {
		g.VMOVDQU(at(state, 32*i), v)
	}
	g.VPXOR(b.v[2], b.v[1], b.bc)
	return b
}

// end adds the working variables to the state.
func (g *eight) end() {
	for i, v := range working8 {
		g.VPADDD(at(state, 32*i), v, v)
		g.VMOVDQU(v, at(state, 32*i))
	}
}

// round is a round of FIPS 180-4, section 6.2.2, with W[t]+K[t] in b.wk.
func (g *eight) round(b *block8) {
	v := b.v
	g.VPADDD(b.wk, v[7], v[7])
	g.VPXOR(v[6], v[5], b.wk) // Ch is ((f^g) & e) ^ g
	g.VPAND(v[4], b.wk, b.wk)
	g.VPXOR(v[6], b.wk, b.wk)
	g.VPADDD(b.wk, v[7], v[7])
	g.rotations(v[4], b.t0, b.t1, b.wk, 6, 11, 25)
	g.VPADDD(b.t0, v[7], v[7])
	g.VPADDD(v[7], v[3], v[3])
	g.VPXOR(v[1], v[0], b.free) // Maj is ((a^b) & (b^c)) ^ b
	g.VPAND(b.free, b.bc, b.bc)
	g.VPXOR(v[1], b.bc, b.bc)
	g.VPADDD(b.bc, v[7], v[7])
	g.rotations(v[0], b.t0, b.t1, b.wk, 2, 13, 22)
	g.VPADDD(b.t0, v[7], v[7])
	b.bc, b.free = b.free, b.bc
	b.v = rotate(b.v)
}

// rotations sets t0 to the sum without carries of x rotated by several distances.
func (g *eight) rotations(x, t0, t1, t2 reg.VecPhysical, distances ...uint64) {
	to := t0
	for i, d := range distances {
		if i > 0 {
			to = t1
		}
		g.VPSRLD(operand.Imm(d), x, to)
		g.VPSLLD(operand.Imm(32-d), x, t2)
		g.VPXOR(t2, to, to)
		if i > 0 {
			g.VPXOR(to, t0, t0)
		}
	}
}

func (g *eight) scheduled() {
	g.function("scheduledAVX2", "func(s *[64]uint32, w *[64]uint32, n int, fetch *[8]*byte)")
	turn, fetch, line, offset := reg.RDX, reg.RBX, reg.R8, reg.R9
	g.Load(g.Param("s"), state)
	g.Load(g.Param("w"), source)
	g.Load(g.Param("n"), count)
	g.Load(g.Param("fetch"), fetch)
	g.XORQ(offset, offset)
	g.Label("block")
	b := g.begin()
	g.MOVQ(operand.U32(7), turn)
	g.Label("rounds")
	g.MOVQ(operand.Mem{Base: fetch, Index: turn, Scale: 8}, line)
	g.PREFETCHT0(operand.Mem{Base: line, Index: offset, Scale: 1})
	for t := range 8 {
		g.VPBROADCASTD(at(source, 4*t), b.wk)
		g.round(b)
	}
	g.ADDQ(operand.Imm(32), source)
	g.DECQ(turn)
	g.JGE(operand.LabelRef("rounds"))
	g.end()
	g.ADDQ(operand.Imm(64), offset)
	g.DECQ(count)
	g.JNZ(operand.LabelRef("block"))
	g.VZEROUPPER()
	g.RET()
}

func (g *eight) blocks() {
	g.function("blocksAVX2", "func(s *[64]uint32, msgs *[8]*byte, n int)")
	lane, offset, constants, turn := reg.R8, reg.R9, reg.R10, reg.RDX
	ring := g.AllocLocal(16 * 32)
	word := func(t int) operand.Mem { return ring.Offset(32 * (t % 16)) }
	g.Load(g.Param("s"), state)
	g.Load(g.Param("msgs"), source)
	g.Load(g.Param("n"), count)
	g.XORQ(offset, offset)
	g.Label("block")
	for half := range 2 {
		r := rows8
		for i, row := range r {
			g.MOVQ(at(source, 8*i), lane)
			g.VMOVDQU(operand.Mem{Base: lane, Index: offset, Scale: 1, Disp: 32 * half}, row)
		}
		g.VMOVDQU(g.swap, reg.Y0)
		for _, row := range r {
			g.VPSHUFB(reg.Y0, row, row)
		}
		free := reg.VecPhysical(reg.Y0)
		g.transpose(&r, &free)
		for i, row := range r {
			g.VMOVDQU(row, word(8*half+i))
		}
	}
	b := g.begin()
	g.LEAQ(g.k, constants)
	sixteen := func(more bool) {
		for t := range 16 {
			g.VPBROADCASTD(at(constants, 4*t), b.wk)
			g.VPADDD(word(t), b.wk, b.wk)
			g.round(b)
			if more { // W[t+16] in place of W[t]
				sum, x := reg.Y13, reg.Y14
				g.VMOVDQU(word(t), sum)
				g.VPADDD(word(t+9), sum, sum)
				for _, s := range []struct {
					from   int
					r0, r1 uint64
					shift  uint64
				}{{t + 1, 7, 18, 3}, {t + 14, 17, 19, 10}} {
					g.VMOVDQU(word(s.from), x)
					g.rotations(x, b.t0, b.t1, b.wk, s.r0, s.r1)
					g.VPSRLD(operand.Imm(s.shift), x, x)
					g.VPXOR(x, b.t0, b.t0)
					g.VPADDD(b.t0, sum, sum)
				}
				g.VMOVDQU(sum, word(t))
			}
		}
	}
	g.MOVQ(operand.U32(3), turn)
	g.Label("rounds")
	sixteen(true)
	g.ADDQ(operand.Imm(64), constants)
	g.DECQ(turn)
	g.JNZ(operand.LabelRef("rounds"))
	sixteen(false)
	g.end()
	g.ADDQ(operand.Imm(64), offset)
	g.DECQ(count)
	g.JNZ(operand.LabelRef("block"))
	g.VZEROUPPER()
	g.RET()
}

// transpose turns eight rows of eight words into columns; registers change their names.
func (g *eight) transpose(r *[8]reg.VecPhysical, free *reg.VecPhysical) {
	exchange := func(i, j int, low, high func(b, a, dst operand.Op)) {
		low(r[j], r[i], *free)
		high(r[j], r[i], r[j])
		*free, r[i] = r[i], *free
	}
	lanes := func(order uint64) func(b, a, dst operand.Op) {
		return func(b, a, dst operand.Op) { g.VPERM2I128(operand.Imm(order), b, a, dst) }
	}
	dwordLow := func(b, a, dst operand.Op) { g.VPUNPCKLDQ(b, a, dst) }
	dwordHigh := func(b, a, dst operand.Op) { g.VPUNPCKHDQ(b, a, dst) }
	low := func(b, a, dst operand.Op) { g.VPUNPCKLQDQ(b, a, dst) }
	high := func(b, a, dst operand.Op) { g.VPUNPCKHQDQ(b, a, dst) }
	for k := 0; k < 8; k += 4 {
		exchange(k, k+1, dwordLow, dwordHigh)
		exchange(k+2, k+3, dwordLow, dwordHigh)
		exchange(k, k+2, low, high)   // words 0 and 1
		exchange(k+1, k+3, low, high) // words 2 and 3
		r[k+1], r[k+2] = r[k+2], r[k+1]
	}
	// 128-bit lane l of r[4k+j] has word 4l+j of the rows 4k to 4k+3.
	for j := range 4 {
		exchange(j, 4+j, lanes(0x20), lanes(0x31))
	}
}

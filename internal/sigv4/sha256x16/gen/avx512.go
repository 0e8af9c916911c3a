package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
	"github.com/mmcloughlin/avo/reg"
)

// Sixteen streams, one in each 32-bit lane of the AVX-512 registers. A register holds
// the same variable of all streams, so a round is FIPS 180-4, section 6.2.2, as it
// stands there, sixteen times over: VPTERNLOGD is Ch, Maj or the sum of three
// rotations in one instruction, and VPRORD a rotation.
//
// A round with its W+K at hand is 16 instructions. Where two units take 512 bits (Intel)
// they are busy for eight cycles, about as long as the longest chain of results in a round:
// one set of sixteen streams fills the processor. Where four do (AMD Zen 5) it waits for
// itself more than half of the time, and on AMD Zen 4 for a fifth: there two sets at once
// are faster.

// wide is an avo context with the constants that these kernels share.
type wide struct {
	*build.Context
	k      operand.Mem // the round constants
	swap   operand.Mem // the VPSHUFB mask that reverses the bytes of each word
	digits operand.Mem // 0 to f, four times
	second operand.Mem // the second nibble of each 16 bits
	halves operand.Mem // the VPERMI2Q indices that put the halves of rows together

	words [16]reg.VecPhysical // of the message
	tmp   [8]reg.VecPhysical
}

// The immediates of VPTERNLOGD are truth tables: bit 4x+2y+z is the function's value,
// where x is the destination and z the first source in Go's order.
const (
	xor3     = 0x96 // x^y^z
	choose   = 0xca // x ? y : z
	majority = 0xe8 // of x, y and z
	orAnd    = 0xf8 // x | y&z
)

// working holds a to h of the next round.
var working = [8]reg.VecPhysical{reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7}

// avx512 returns the text of avx512_amd64.s.
func avx512() ([]byte, error) {
	g := &wide{Context: build.NewContext()}
	g.ConstraintExpr("!purego")

	g.k = g.StaticGlobal("k256x")
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for _, v := range k256() {
		g.AppendDatum(operand.U32(v))
	}
	g.swap = g.StaticGlobal("swap32x16")
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for range 4 {
		g.AppendDatum(operand.U64(0x0405060700010203))
		g.AppendDatum(operand.U64(0x0c0d0e0f08090a0b))
	}
	g.digits = g.StaticGlobal("digits64")
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for range 4 {
		g.AppendDatum(operand.String("0123456789abcdef"))
	}
	g.second = g.StaticGlobal("second")
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for range 8 {
		g.AppendDatum(operand.U64(0x0f000f000f000f00))
	}
	g.halves = g.StaticGlobal("halves")
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for _, q := range []uint64{0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15} {
		g.AppendDatum(operand.U64(q))
	}

	g.blocks()
	g.scheduled()
	g.scheduledTwice()
	g.digests()
	g.hexDigests()

	f, err := g.Result()
	if err != nil {
		return nil, err
	}
	if err := pass.Compile.Execute(f); err != nil {
		return nil, err
	}
	return printer.NewGoAsm(printer.Config{Name: generatedBy, Pkg: pkg}).Print(f)
}

func (g *wide) function(name, signature string) {
	g.Function(name)
	g.Attributes(attr.NOSPLIT)
	g.SignatureExpr(signature)
	g.words = [16]reg.VecPhysical{
		reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
		reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23,
	}
	g.tmp = [8]reg.VecPhysical{reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31}
}

func (g *wide) ret() {
	g.VZEROUPPER()
	g.RET()
}

// instructions are emitted by calling them.
type instructions []func()

func (l instructions) emit() {
	for _, f := range l {
		f()
	}
}

// merged takes an instruction of each of two equally long lists in turn, so that a
// processor sees both at the same time.
func merged(a, b instructions) (l instructions) {
	for i := range a {
		l = append(l, a[i], b[i])
	}
	return l
}

// round is round t of section 6.2.2, with W[t]+K[t] in h already. What it leaves in
// v[7] is the next round's v[0], and so on: rotate says so.
func (g *wide) round(v, t [8]reg.VecPhysical) instructions {
	a, b, c, d, e, f, gg, h := v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]
	add := func(x, y reg.VecPhysical) func() { return func() { g.VPADDD(x, y, y) } }
	l := g.sum(e, 6, 11, 25, t[0], t[1], t[2])
	l = append(l,
		func() { g.VMOVDQA32(e, t[3]) },
		func() { g.VPTERNLOGD(operand.Imm(choose), gg, f, t[3]) },
		add(t[3], h),
		add(t[0], h),
		add(h, d))
	l = append(l, g.sum(a, 2, 13, 22, t[4], t[5], t[6])...)
	return append(l,
		func() { g.VMOVDQA32(a, t[7]) },
		func() { g.VPTERNLOGD(operand.Imm(majority), c, b, t[7]) },
		add(t[7], t[4]),
		add(t[4], h))
}

// sum sets t0 to the sum without carries of x rotated by three distances.
func (g *wide) sum(x reg.VecPhysical, r0, r1, r2 uint64, t0, t1, t2 reg.VecPhysical) instructions {
	return instructions{
		func() { g.VPRORD(operand.Imm(r0), x, t0) },
		func() { g.VPRORD(operand.Imm(r1), x, t1) },
		func() { g.VPRORD(operand.Imm(r2), x, t2) },
		func() { g.VPTERNLOGD(operand.Imm(xor3), t2, t1, t0) },
	}
}

// next turns W[t-16], at words[t%16], into W[t].
func (g *wide) next(t int) {
	w := func(t int) reg.VecPhysical { return g.words[t%16] }
	x := g.tmp
	g.VPADDD(w(t+16-7), w(t), w(t))
	g.small(w(t+16-15), 7, 18, 3, x[0], x[1], x[2])
	g.VPADDD(x[0], w(t), w(t))
	g.small(w(t+16-2), 17, 19, 10, x[4], x[5], x[6])
	g.VPADDD(x[4], w(t), w(t))
}

// small is like sum, but the third distance is a shift's.
func (g *wide) small(x reg.VecPhysical, r0, r1, s uint64, t0, t1, t2 reg.VecPhysical) {
	g.VPRORD(operand.Imm(r0), x, t0)
	g.VPRORD(operand.Imm(r1), x, t1)
	g.VPSRLD(operand.Imm(s), x, t2)
	g.VPTERNLOGD(operand.Imm(xor3), t2, t1, t0)
}

func rotate(v [8]reg.VecPhysical) [8]reg.VecPhysical {
	return [8]reg.VecPhysical{v[7], v[0], v[1], v[2], v[3], v[4], v[5], v[6]}
}

func (g *wide) scheduled() {
	g.function("scheduledAVX512", "func(s *[128]uint32, w *[64]uint32, n int, fetch *[16]*byte)")
	rounds, fetch, line, offset := reg.RDX, reg.RBX, reg.R8, reg.R9 // rounds: twice the turns to go after this one
	g.Load(g.Param("fetch"), fetch)
	g.XORQ(offset, offset)
	g.Load(g.Param("s"), state)
	g.Load(g.Param("w"), source)
	g.Load(g.Param("n"), count)
	g.loadWide()
	g.Label("block")
	g.MOVQ(operand.U32(14), rounds)
	g.Label("rounds")
	v := working
	for t := range 8 {
		if t%4 == 0 { // a line of a stream's memory
			g.MOVQ(operand.Mem{Base: fetch, Disp: 2 * t, Index: rounds, Scale: 8}, line)
			g.PREFETCHT0(operand.Mem{Base: line, Index: offset, Scale: 1})
		}
		g.VPADDD_BCST(at(source, 4*t), v[7], v[7])
		g.round(v, g.tmp).emit()
		v = rotate(v)
	}
	g.ADDQ(operand.Imm(32), source)
	g.SUBQ(operand.Imm(2), rounds)
	g.JGE(operand.LabelRef("rounds"))
	g.ADDQ(operand.Imm(64), offset)
	for i, v := range working {
		g.VPADDD(at(state, 64*i), v, v)
		g.VMOVDQU32(v, at(state, 64*i))
	}
	g.DECQ(count)
	g.JNZ(operand.LabelRef("block"))
	g.ret()
}

// scheduledTwice has two sets of sixteen streams in step. There are just enough registers:
// eight for the variables and eight for what a round needs beside them, each. The schedules
// come from memory for both, so each load serves 32 streams. (The same for blocks without a
// schedule gains nothing on Zen 4: it has enough to do beside the rounds.)
func (g *wide) scheduledTwice() {
	g.function("scheduledTwiceAVX512", "func(s *[256]uint32, w *[64]uint32, n int, fetch *[32]*byte)")
	rounds, fetch, line, offset := reg.RDX, reg.RBX, reg.R8, reg.R9 // rounds: four times the turns to go after this one
	g.Load(g.Param("fetch"), fetch)
	g.XORQ(offset, offset)
	g.Load(g.Param("s"), state)
	g.Load(g.Param("w"), source)
	g.Load(g.Param("n"), count)
	both := [2]struct{ v, tmp [8]reg.VecPhysical }{
		{working, [8]reg.VecPhysical(g.words[8:])},
		{[8]reg.VecPhysical(g.words[:8]), g.tmp},
	}
	for i, set := range both {
		for j, v := range set.v {
			g.VMOVDQU32(at(state, 512*i+64*j), v)
		}
	}
	g.Label("block")
	g.MOVQ(operand.U32(28), rounds)
	g.Label("rounds")
	first, second := both[0].v, both[1].v
	for t := range 8 {
		if t%2 == 0 { // a line of a stream's memory
			g.MOVQ(operand.Mem{Base: fetch, Disp: 4 * t, Index: rounds, Scale: 8}, line)
			g.PREFETCHT0(operand.Mem{Base: line, Index: offset, Scale: 1})
		}
		g.VPADDD_BCST(at(source, 4*t), first[7], first[7])
		g.VPADDD_BCST(at(source, 4*t), second[7], second[7])
		merged(g.round(first, both[0].tmp), g.round(second, both[1].tmp)).emit()
		first, second = rotate(first), rotate(second)
	}
	g.ADDQ(operand.Imm(32), source)
	g.SUBQ(operand.Imm(4), rounds)
	g.JGE(operand.LabelRef("rounds"))
	g.ADDQ(operand.Imm(64), offset)
	for i, set := range both {
		for j, v := range set.v {
			g.VPADDD(at(state, 512*i+64*j), v, v)
			g.VMOVDQU32(v, at(state, 512*i+64*j))
		}
	}
	g.DECQ(count)
	g.JNZ(operand.LabelRef("block"))
	g.ret()
}

func (g *wide) loadWide() {
	for i, v := range working {
		g.VMOVDQU32(at(state, 64*i), v)
	}
}

func (g *wide) blocks() {
	g.function("blocksAVX512", "func(s *[128]uint32, msgs *[16]*byte, n int, mask uint16)")
	lane, offset, constants, rounds, mask := reg.R8, reg.R9, reg.R10, reg.RDX, reg.RBX
	g.Load(g.Param("s"), state)
	g.Load(g.Param("msgs"), source)
	g.Load(g.Param("n"), count)
	g.Load(g.Param("mask"), mask.As16())
	g.KMOVW(mask.As32(), reg.K1)
	g.XORQ(offset, offset)
	g.loadWide()
	g.Label("block")
	for i, w := range g.words {
		g.MOVQ(at(source, 8*i), lane)
		g.VMOVDQU32(operand.Mem{Base: lane, Index: offset, Scale: 1}, w)
	}
	g.transpose()
	g.VMOVDQU32(g.swap, g.tmp[0])
	for _, x := range g.words {
		g.VPSHUFB(g.tmp[0], x, x)
	}
	g.LEAQ(g.k, constants)
	g.MOVQ(operand.U32(3), rounds)
	g.Label("rounds")
	v := working
	for t := range 16 {
		g.VPADDD_BCST(at(constants, 4*t), v[7], v[7])
		g.VPADDD(g.words[t], v[7], v[7])
		g.round(v, g.tmp).emit()
		g.next(t)
		v = rotate(v)
	}
	g.ADDQ(operand.Imm(64), constants)
	g.DECQ(rounds)
	g.JNZ(operand.LabelRef("rounds"))
	for t := range 16 {
		g.VPADDD_BCST(at(constants, 4*t), v[7], v[7])
		g.VPADDD(g.words[t], v[7], v[7])
		g.round(v, g.tmp).emit()
		v = rotate(v)
	}
	// A stream that is not in the mask keeps its state.
	for i, v := range working {
		g.VMOVDQU32(at(state, 64*i), g.tmp[0])
		g.VPADDD(g.tmp[0], v, reg.K1, g.tmp[0])
		g.VMOVDQU32(g.tmp[0], at(state, 64*i))
		g.VMOVDQA32(g.tmp[0], v)
	}
	g.ADDQ(operand.Imm(64), offset)
	g.DECQ(count)
	g.JNZ(operand.LabelRef("block"))
	g.ret()
}

// rows leaves the digests in eight registers: that of stream i in the lower half of one
// for i in lower, in the upper half for i+4.
func (g *wide) rows() (lower [8]int, r [8]reg.VecPhysical) {
	g.loadWide()
	v := working
	mask := g.tmp[1]
	g.VMOVDQU32(g.swap, mask)
	for _, x := range v {
		g.VPSHUFB(mask, x, x)
	}
	g.fours(v[:4])
	g.fours(v[4:])
	for j := range 4 {
		for half := range 2 {
			x := g.words[2*j+half]
			g.VMOVDQU32(g.halves.Offset(64*half), x)
			g.VPERMI2Q(v[4+j], v[j], x)
			r[2*j+half], lower[2*j+half] = x, 8*half+j
		}
	}
	return lower, r
}

func (g *wide) digests() {
	g.function("digestsAVX512", "func(dst *[16]*byte, s *[128]uint32)")
	dst, p := reg.RSI, reg.R8
	g.Load(g.Param("dst"), dst)
	g.Load(g.Param("s"), state)
	lower, rows := g.rows()
	for i, r := range rows {
		g.MOVQ(at(dst, 8*lower[i]), p)
		g.VMOVDQU32(r.AsY(), at(p, 0))
		g.MOVQ(at(dst, 8*(lower[i]+4)), p)
		g.VEXTRACTI64X4(operand.Imm(1), r, at(p, 0))
	}
	g.ret()
}

func (g *wide) hexDigests() {
	g.function("hexDigestsAVX512", "func(dst *[16]*byte, s *[128]uint32)")
	dst, p := reg.RSI, reg.R8
	g.Load(g.Param("dst"), dst)
	g.Load(g.Param("s"), state)
	lower, rows := g.rows()
	digits, second, high, low := g.tmp[0], g.tmp[1], g.tmp[2], g.tmp[3]
	g.VMOVDQU32(g.digits, digits)
	g.VMOVDQU32(g.second, second)
	for i, r := range rows {
		for half := range 2 {
			if half == 1 {
				g.VEXTRACTI64X4(operand.Imm(1), r, r.AsY())
			}
			g.VPMOVZXBW(r.AsY(), high)
			g.VPSLLW(operand.Imm(8), high, low)
			g.VPSRLW(operand.Imm(4), high, high)
			g.VPTERNLOGD(operand.Imm(orAnd), second, low, high)
			g.VPSHUFB(high, digits, high)
			g.MOVQ(at(dst, 8*(lower[i]+4*half)), p)
			g.VMOVDQU32(high, at(p, 0))
		}
	}
	g.ret()
}

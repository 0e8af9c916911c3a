package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
	"github.com/mmcloughlin/avo/reg"
)

// The instructions are those of the Intel SDM, volume 2. Two things about them
// shape the code:
//
//   - SHA256RNDS2 does two rounds. It takes the eight working variables as two
//     registers, {a,b,e,f} and {c,d,g,h} (a and c in the highest lane), and
//     leaves the new {a,b,e,f} in place of {c,d,g,h}; the old {a,b,e,f} is the
//     new {c,d,g,h}. So the two change roles with every instruction and nothing
//     is moved.
//   - Its W+K operand is XMM0, always, and only the lower two lanes of it.
//
// Four streams of two registers and XMM0 leave seven registers for all else.
// All instructions are legacy SSE: the SHA extensions have no VEX form, and
// mixing the two forms can be slow.
var (
	wk   = reg.X0
	abef = [streams]reg.VecPhysical{reg.X1, reg.X3, reg.X5, reg.X7}
	cdgh = [streams]reg.VecPhysical{reg.X2, reg.X4, reg.X6, reg.X8}
)

// General-purpose registers.
var (
	state  = reg.RDI // the first argument
	source = reg.RSI // the second
	count  = reg.RCX // the third: blocks to go
	frame  = reg.RAX // scratch memory, aligned
	msg    = [streams]reg.GPPhysical{reg.R8, reg.R9, reg.R10, reg.R11}
)

// generator is an avo context with the constants that the kernels share.
type generator struct {
	*build.Context
	k    operand.Mem // the round constants
	swap operand.Mem // the PSHUFB mask that reverses the bytes of each word

	nibbles, nine, zero, gap operand.Mem // 16 bytes of 0x0f, of 9, of "0", and of what is from "9" to "a"
}

// amd64 returns the text of sha_amd64.s.
func amd64() ([]byte, error) {
	g := &generator{Context: build.NewContext()}
	g.ConstraintExpr("!purego")

	// The linker aligns data of this size to 32 bytes, so that an instruction may
	// take it as its memory operand.
	g.k = g.StaticGlobal("k256")
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for _, v := range k256() {
		g.AppendDatum(operand.U32(v))
	}
	g.swap = g.StaticGlobal("swap32")
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	g.AppendDatum(operand.U64(0x0405060700010203))
	g.AppendDatum(operand.U64(0x0c0d0e0f08090a0b))

	bytes := func(name string, b uint64) operand.Mem {
		m := g.StaticGlobal(name)
		g.DataAttributes(attr.RODATA | attr.NOPTR)
		for range 2 {
			g.AppendDatum(operand.U64(b * 0x0101010101010101))
		}
		return m
	}
	g.nibbles, g.nine = bytes("nibbles", 0x0f), bytes("nine", 9)
	g.zero, g.gap = bytes("zero", '0'), bytes("gap", 'a'-'9'-1)

	g.cpuid()
	g.xgetbv()
	g.hex()
	g.expand()
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

func (g *generator) function(name, signature string) {
	g.Function(name)
	g.Attributes(attr.NOSPLIT)
	g.SignatureExpr(signature)
}

func (g *generator) cpuid() {
	g.function("cpuid", "func(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32)")
	g.Load(g.Param("leaf"), reg.EAX)
	g.Load(g.Param("subleaf"), reg.ECX)
	g.CPUID()
	for i, r := range []reg.Register{reg.EAX, reg.EBX, reg.ECX, reg.EDX} {
		g.Store(r, g.ReturnIndex(i))
	}
	g.RET()
}

func (g *generator) xgetbv() {
	g.function("xgetbv", "func() (eax, edx uint32)")
	g.XORL(reg.ECX, reg.ECX)
	g.XGETBV()
	g.Store(reg.EAX, g.ReturnIndex(0))
	g.Store(reg.EDX, g.ReturnIndex(1))
	g.RET()
}

// hex has SSE2 alone, which every processor for amd64 has.
func (g *generator) hex() {
	g.function("hex", "func(dst *byte, digest *byte)")
	dst, digest := reg.RDI, reg.RSI
	high, low, second, letter := reg.X1, reg.X2, reg.X3, reg.X4
	nibbles, nine, zero, gap := reg.X5, reg.X6, reg.X7, reg.X8
	g.Load(g.Param("dst"), dst)
	g.Load(g.Param("digest"), digest)
	g.MOVOU(g.nibbles, nibbles)
	g.MOVOU(g.nine, nine)
	g.MOVOU(g.zero, zero)
	g.MOVOU(g.gap, gap)
	for half := range 2 {
		g.MOVOU(at(digest, 16*half), high)
		g.MOVO(high, low)
		g.PSRLW(operand.Imm(4), high)
		g.PAND(nibbles, high)
		g.PAND(nibbles, low)
		g.MOVO(high, second)
		g.PUNPCKLBW(low, high)
		g.PUNPCKHBW(low, second)
		for i, x := range []reg.VecPhysical{high, second} {
			g.MOVO(x, letter)
			g.PCMPGTB(nine, letter)
			g.PAND(gap, letter)
			g.PADDB(zero, x)
			g.PADDB(letter, x)
			g.MOVOU(x, at(dst, 32*half+16*i))
		}
	}
	g.RET()
}

func (g *generator) expand() {
	// Consecutive blocks are independent, so the processor overlaps them by
	// itself; at some 16 ns a block, once for each distinct block, interleaving
	// would not be seen.
	g.function("expand4", "func(dst *[64]uint32, blocks *byte, n int)")
	dst, blocks := reg.RDI, reg.RSI
	w := [4]reg.VecPhysical{reg.X0, reg.X1, reg.X2, reg.X3} // the last 16 words
	mask, tmp := reg.X4, reg.X5

	g.Load(g.Param("dst"), dst)
	g.Load(g.Param("blocks"), blocks)
	g.Load(g.Param("n"), count)
	g.MOVOU(g.swap, mask)
	g.Label("block")
	for j := range 16 {
		w0, w1, w2, w3 := w[j%4], w[(j+1)%4], w[(j+2)%4], w[(j+3)%4]
		g.Commentf("W[%d..%d]", 4*j, 4*j+3)
		if j < 4 {
			g.MOVOU(at(blocks, 16*j), w0)
			g.PSHUFB(mask, w0)
		} else {
			g.SHA256MSG1(w1, w0)
			g.MOVO(w3, tmp)
			g.PALIGNR(operand.Imm(4), w2, tmp) // W[t-7]
			g.PADDD(tmp, w0)
			g.SHA256MSG2(w3, w0)
		}
		g.MOVO(w0, tmp)
		g.PADDD(g.k.Offset(16*j), tmp)
		g.MOVOU(tmp, at(dst, 16*j))
	}
	g.ADDQ(operand.U32(256), dst)
	g.ADDQ(operand.Imm(64), blocks)
	g.DECQ(count)
	g.JNZ(operand.LabelRef("block"))
	g.RET()
}

func (g *generator) blocks() {
	// The 16 words that a stream's schedule looks back on do not fit into
	// registers four times over. They are in a ring in memory and come from
	// there as operands, for every instruction more costs time here; only the
	// newest four, on which the next depend, stay in a register. That took 17.6
	// ns where loading all of them into registers first took 20.4, and expanding
	// the four blocks beforehand 30.
	g.function("blocks4", "func(s *[4][8]uint32, msgs *[4]*byte, n int)")
	newest := [streams]reg.VecPhysical{reg.X9, reg.X10, reg.X11, reg.X12}
	mask, tmp := reg.X14, reg.X13
	free := reg.VecPhysical(reg.X15)

	memory := g.alignedFrame(128 + 256)
	chain, ring := memory, memory.Offset(128)
	g.Load(g.Param("s"), state)
	g.Load(g.Param("msgs"), source)
	g.Load(g.Param("n"), count)
	for i := range streams {
		g.MOVQ(at(source, 8*i), msg[i])
	}
	g.MOVOU(g.swap, mask)
	g.loadState()
	g.Label("block")
	g.save(chain)
	for j := range 16 {
		for i := range streams {
			slot := func(j int) operand.Mem { return ring.Offset(64*i + 16*(j%4)) }
			g.Commentf("Rounds %d to %d of stream %d", 4*j, 4*j+3, i)
			if j < 4 {
				g.MOVOU(at(msg[i], 16*j), newest[i])
				g.PSHUFB(mask, newest[i])
			} else {
				g.MOVO(slot(j-4), free)
				g.SHA256MSG1(slot(j-3), free)
				g.MOVO(newest[i], tmp)
				g.PALIGNR(operand.Imm(4), slot(j-2), tmp) // W[t-7]
				g.PADDD(tmp, free)
				g.SHA256MSG2(newest[i], free)
				newest[i], free = free, newest[i]
			}
			if j < 14 { // the last two are not looked back on
				g.MOVO(newest[i], slot(j))
			}
			g.MOVO(newest[i], wk)
			g.PADDD(g.k.Offset(16*j), wk)
			g.SHA256RNDS2(wk, abef[i], cdgh[i])
			g.PSHUFD(operand.Imm(0b00_00_11_10), wk, wk)
			g.SHA256RNDS2(wk, cdgh[i], abef[i])
		}
	}
	g.add(chain)
	for i := range streams {
		g.ADDQ(operand.Imm(64), msg[i])
	}
	g.DECQ(count)
	g.JNZ(operand.LabelRef("block"))
	g.storeState()
	g.RET()
}

func (g *generator) scheduled() {
	// SHA256RNDS2 has a latency of four cycles and one can begin in each (AMD
	// Zen 3), so four streams just fill the unit: 32 cycles a block and stream
	// are the limit. The upper half of W+K is a load of its own rather than a
	// shuffle, which would now and then take the cycle of a SHA256RNDS2 (10.3 ns
	// against 11.4).
	g.function("scheduled4", "func(s *[4][8]uint32, w *[64]uint32, n int, fetch *[4]*byte)")
	fetch, offset, line := reg.RDX, reg.RBX, msg
	chain := g.alignedFrame(128)
	g.Load(g.Param("s"), state)
	g.Load(g.Param("w"), source)
	g.Load(g.Param("n"), count)
	g.Load(g.Param("fetch"), fetch)
	for i := range streams {
		g.MOVQ(at(fetch, 8*i), line[i])
	}
	g.XORQ(offset, offset)
	g.loadState()
	g.Label("block")
	g.save(chain)
	for j := range 16 {
		g.Commentf("Rounds %d to %d", 4*j, 4*j+3)
		if j%4 == 0 {
			g.PREFETCHT0(operand.Mem{Base: line[j/4], Index: offset, Scale: 1})
		}
		g.MOVQ(at(source, 16*j), wk)
		for i := range streams {
			g.SHA256RNDS2(wk, abef[i], cdgh[i])
		}
		g.MOVQ(at(source, 16*j+8), wk)
		for i := range streams {
			g.SHA256RNDS2(wk, cdgh[i], abef[i])
		}
	}
	g.add(chain)
	g.ADDQ(operand.Imm(64), offset)
	g.ADDQ(operand.U32(256), source)
	g.DECQ(count)
	g.JNZ(operand.LabelRef("block"))
	g.storeState()
	g.RET()
}

// alignedFrame allocates size bytes of the stack that begin at a cache line,
// whose address it puts into frame. Go aligns a frame to eight bytes only,
// while the memory operand of an SSE instruction must be aligned to sixteen.
func (g *generator) alignedFrame(size int) operand.Mem {
	g.LEAQ(g.AllocLocal(size+64).Offset(63), frame)
	g.ANDQ(operand.I8(-64), frame)
	return at(frame, 0)
}

// The two shuffles that turn {a,b,c,d} and {e,f,g,h} into {a,b,e,f} and
// {c,d,g,h} turn them back, too.
const (
	lowLanes  = 0b00_01_00_01
	highLanes = 0b10_11_10_11
)

func (g *generator) loadState() {
	abcd := reg.X9
	for i := range streams {
		g.MOVOU(at(state, 32*i), abcd)
		g.MOVOU(at(state, 32*i+16), cdgh[i])
		g.MOVO(cdgh[i], abef[i])
		g.SHUFPS(operand.Imm(lowLanes), abcd, abef[i])
		g.SHUFPS(operand.Imm(highLanes), abcd, cdgh[i])
	}
}

func (g *generator) storeState() {
	abcd := reg.X9
	for i := range streams {
		g.MOVO(abef[i], abcd)
		g.SHUFPS(operand.Imm(highLanes), cdgh[i], abcd)
		g.SHUFPS(operand.Imm(lowLanes), cdgh[i], abef[i])
		g.MOVOU(abcd, at(state, 32*i))
		g.MOVOU(abef[i], at(state, 32*i+16))
	}
}

// save keeps the chaining values in memory while a block is compressed.
func (g *generator) save(chain operand.Mem) {
	for i := range streams {
		g.MOVO(abef[i], chain.Offset(32*i))
		g.MOVO(cdgh[i], chain.Offset(32*i+16))
	}
}

// add adds the saved chaining values to the working variables.
func (g *generator) add(chain operand.Mem) {
	for i := range streams {
		g.PADDD(chain.Offset(32*i), abef[i])
		g.PADDD(chain.Offset(32*i+16), cdgh[i])
	}
}

func at(base reg.Register, offset int) operand.Mem {
	return operand.Mem{Base: base, Disp: offset}
}

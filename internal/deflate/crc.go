package deflate

import "hash/crc32"

// A crcShift computes, from the CRC-32 of a text A, what A contributes to that of
// AB for every B of one length: crc(AB) = shift(crc(A)) ^ crc(B). The function is
// linear over GF(2), so it is the sum of four table look-ups.
//
// The mathematics: a CRC is a remainder modulo the polynomial P, and n more bytes
// behind A multiply its part by x^(8n). crc32.IEEE, like the values themselves,
// has the coefficient of x^0 in its highest bit.
type crcShift struct {
	n     int // the length that the table is for
	table [4][256]uint32
}

// reset makes s the shift by n bytes.
func (s *crcShift) reset(n int) {
	if s.n == n {
		return
	}
	s.n = n
	const x0, x8 = 1 << 31, 1 << 23
	factor, square := uint32(x0), uint32(x8)
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			factor = mulMod(factor, square)
		}
		square = mulMod(square, square)
	}
	for i := range 32 {
		t, bit := &s.table[i/8], 1<<(i%8)
		t[bit] = mulMod(factor, 1<<i)
		for low := 1; low < bit; low++ {
			t[bit|low] = t[bit] ^ t[low]
		}
	}
}

func (s *crcShift) apply(crc uint32) uint32 {
	return s.table[0][byte(crc)] ^ s.table[1][byte(crc>>8)] ^
		s.table[2][byte(crc>>16)] ^ s.table[3][crc>>24]
}

// mulMod multiplies two polynomials modulo P.
func mulMod(a, b uint32) (product uint32) {
	for ; a != 0; a <<= 1 {
		if a>>31 != 0 {
			product ^= b
		}
		b = b>>1 ^ -(b&1)&crc32.IEEE // b times x
	}
	return product
}

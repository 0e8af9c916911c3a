package strictjson

import "math/bits"

// Quote writes s as a JSON string.
func Quote(s string) []byte {
	b := append(make([]byte, 0, len(s)+2), '"')
	return append(AppendEscaped(b, s, 1), '"')
}

// AppendEscaped appends s as it stands inside so many JSON strings in one another, at most two.
func AppendEscaped(dst []byte, s string, times int) []byte {
	if times == 0 {
		return append(dst, s...)
	}
	plain := 0 // where what needs no escaping begins
	for i := 0; i < len(s); i++ {
		for i+8 <= len(s) { // eight bytes at a time while none of them needs it
			special := toEscape(load(s[i:]))
			if special != 0 {
				i += bits.TrailingZeros64(special) / 8
				break
			}
			i += 8
		}
		if i == len(s) {
			break
		}
		if c := s[i]; c < ' ' || c == '"' || c == '\\' {
			dst = append(dst, s[plain:i]...)
			dst = appendEscape(dst, c, times)
			plain = i + 1
		}
	}
	return append(dst, s[plain:]...)
}

// load is the first eight bytes of s, the first the lowest. The compiler makes one instruction of it.
func load(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// toEscape marks the high bit of each byte of x that is a quote, a backslash or a control character. A byte above a
// marked one may be marked wrongly; the lowest mark is right.
func toEscape(x uint64) uint64 {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	quote := x ^ ones*'"'
	slash := x ^ ones*'\\'
	return ((x-ones*' ')&^x | (quote-ones)&^quote | (slash-ones)&^slash) & high
}

// appendEscape appends what RFC 8259, section 7, makes of a byte that needs it.
func appendEscape(dst []byte, c byte, times int) []byte {
	const hexDigits = "0123456789abcdef"
	escape := [6]byte{'\\', c}
	n := 2
	switch c {
	case '"', '\\':
	case '\b':
		escape[1] = 'b'
	case '\f':
		escape[1] = 'f'
	case '\n':
		escape[1] = 'n'
	case '\r':
		escape[1] = 'r'
	case '\t':
		escape[1] = 't'
	default:
		n = copy(escape[1:], "u00") + 3
		escape[4], escape[5] = hexDigits[c>>4], hexDigits[c&15]
	}
	for _, b := range escape[:n] {
		if times == 2 && (b == '"' || b == '\\') {
			dst = append(dst, '\\')
		}
		dst = append(dst, b)
	}
	return dst
}

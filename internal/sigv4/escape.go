package sigv4

import "math/bits"

const upperHex = "0123456789ABCDEF"

// unreserved marks the bytes that SigV4 leaves as they are: A-Z a-z 0-9 - . _ ~
// (RFC 3986, section 2.3); every other byte is written as %XX, in upper case.
// In a path the slash stays too.
var unreserved = func() (t [256]bool) {
	for c := range t {
		switch b := byte(c); {
		case b >= 'A' && b <= 'Z', b >= 'a' && b <= 'z', b >= '0' && b <= '9',
			b == '-', b == '.', b == '_', b == '~':
			t[c] = true
		}
	}
	return t
}()

// AppendEscaped appends s as the name or value of a query parameter
// (UriEncode with encodeSlash true).
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
func AppendEscaped[T string | []byte](dst []byte, s T) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; unreserved[c] {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return dst
}

// AppendEscapedPath appends key as the path of a URL (UriEncode with
// encodeSlash false): S3 signs the path encoded once, and nothing in it is
// normalised. At most 3*len(key) bytes are appended.
func AppendEscapedPath[T string | []byte](dst []byte, key T) []byte {
	for i := 0; i < len(key); {
		// Most keys are plain ASCII: eight bytes that all stay are copied at once.
		if i+8 <= len(key) {
			if n := plainPrefix(load64(key, i)); n > 0 {
				dst = append(dst, key[i:i+n]...)
				i += n
				continue
			}
		}
		if c := key[i]; unreserved[c] || c == '/' {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
		i++
	}
	return dst
}

// EscapedPathLen is the number of bytes that AppendEscapedPath appends.
func EscapedPathLen[T string | []byte](key T) int {
	n := len(key)
	for i := 0; i < len(key); {
		if i+8 <= len(key) {
			if p := plainPrefix(load64(key, i)); p > 0 {
				i += p
				continue
			}
		}
		if c := key[i]; !unreserved[c] && c != '/' {
			n += 2
		}
		i++
	}
	return n
}

// load64 reads eight bytes; the compiler makes one load of it.
func load64[T string | []byte](s T, i int) uint64 {
	_ = s[i+7]
	return uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
		uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
}

// plainPrefix says how many of the eight bytes of x, from the lowest, certainly
// stay as they are in a path. It may be short of the truth by the rarer bytes
// ('_' and '~'), never over it.
//
// Each line marks the high bit of the bytes that lie in one range. The bytes are
// below 0x80 (others are masked out last), so byte-wise sums cannot carry.
func plainPrefix(x uint64) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	low := x &^ high
	// In range [lo, hi]: low+(0x80-lo) has the high bit, low+(0x7f-hi) has not.
	digits := (low + ones*(0x80-'-')) &^ (low + ones*(0x7f-'9')) // - . / 0-9 are adjacent
	lower := (low | ones*0x20)
	letters := (lower + ones*(0x80-'a')) &^ (lower + ones*(0x7f-'z'))
	plain := (digits | letters) &^ x & high
	return bits.TrailingZeros64(^plain&high) / 8
}

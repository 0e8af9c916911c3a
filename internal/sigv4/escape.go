package sigv4

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

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

// AppendEscapedPath appends key as the path of a URL (UriEncode with encodeSlash
// false): S3 signs the path encoded once, and nothing in it is normalised. At most
// 3*len(key) bytes are appended.
func AppendEscapedPath(dst []byte, key string) []byte {
	// Most keys have no byte to escape. So the key is copied as it is, eight bytes at a
	// time, up to such a byte.
	const word = 8
	dst = slices.Grow(dst, len(key)+word)
	n := len(dst)
	copied := dst[n:cap(dst)]
	stay := 0 // bytes that stay as they are
	for stay+word <= len(key) {
		x := littleEndian(key[stay:])
		binary.LittleEndian.PutUint64(copied[stay:], x)
		if marks := special(x); marks != 0 {
			stay += bits.TrailingZeros64(marks) / 8
			return appendEscapedPath(dst[:n+stay], key[stay:])
		}
		stay += word
	}
	if last := len(key) - word; last >= 0 { // what is left, with some that was copied before
		x := littleEndian(key[last:])
		binary.LittleEndian.PutUint64(copied[last:], x)
		marks := special(x)
		if marks == 0 {
			return dst[:n+len(key)]
		}
		stay = last + bits.TrailingZeros64(marks)/8
	}
	return appendEscapedPath(dst[:n+stay], key[stay:])
}

// appendEscapedPath is AppendEscapedPath, byte by byte.
func appendEscapedPath(dst []byte, key string) []byte {
	n := len(dst)
	dst = slices.Grow(dst, 3*len(key))
	escaped := dst[n : n+3*len(key)]
	at := 0
	for i := 0; i < len(key); i++ {
		if c := key[i]; unreserved[c] || c == '/' {
			escaped[at] = c
			at++
		} else {
			escaped[at], escaped[at+1], escaped[at+2] = '%', upperHex[c>>4], upperHex[c&15]
			at += 3
		}
	}
	return dst[:n+at]
}

func littleEndian(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

const ones, high = 0x0101010101010101, 0x8080808080808080

// special marks the high bit of each byte of x that is to be looked at: all but letters,
// digits, "-", ".", "/" and "_". (That "~" stays as it is too is for who looks.) The
// bytes that the sums see are below 0x80, so no sum carries into the next byte.
func special(x uint64) uint64 {
	low := x &^ high
	lower := low | ones*0x20
	digits := (low + ones*(0x80-'-')) &^ (low + ones*(0x7f-'9')) // - . / 0-9 are adjacent
	letters := (lower + ones*(0x80-'a')) &^ (lower + ones*(0x7f-'z'))
	notUnderscore := (low ^ ones*'_') + ones*0x7f
	return (notUnderscore&^digits&^letters | x) & high
}

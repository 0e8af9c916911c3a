package sigv4

import (
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

// Path is an object's key as the path of a URL (UriEncode with encodeSlash false): S3
// signs it encoded once, and nothing in it is normalised. It is as long as the key for
// most, which have no byte to escape; others are escaped where they are written.
type Path struct {
	key   string
	plain int // bytes that stay as they are, from the first
	len   int // of the path, at most three times the key's
}

// PathOf is the path of a key.
func PathOf(key string) Path {
	p := Path{key, plain(key), len(key)}
	for _, c := range []byte(key[p.plain:]) {
		if !staysInPath(c) {
			p.len += len("%XX") - 1
		}
	}
	return p
}

// Key is the key that the path is of.
func (p Path) Key() string { return p.key }

// Append appends the path as it stands in a URL.
func (p Path) Append(dst []byte) []byte {
	n := len(dst)
	dst = slices.Grow(dst, p.len)[:n+p.len]
	p.put(dst[n:])
	return dst
}

// put writes the path to the beginning of dst, which has room for it.
func (p Path) put(dst []byte) {
	at := copy(dst, p.key[:p.plain])
	for _, c := range []byte(p.key[p.plain:]) {
		if staysInPath(c) {
			dst[at] = c
			at++
		} else {
			dst[at], dst[at+1], dst[at+2] = '%', upperHex[c>>4], upperHex[c&15]
			at += 3
		}
	}
}

func staysInPath(c byte) bool { return unreserved[c] || c == '/' }

// plain is the number of bytes of a key, from the first, that certainly stay as they are:
// all of them for most keys.
func plain(key string) int {
	// Eight bytes at a time, and all of them: where a key ends, or has something to
	// escape, is hard to foresee for a processor.
	const word = 8
	if len(key) < word {
		return 0
	}
	last := len(key) - word
	marks := special(littleEndian(key[last:])) // some of it is seen twice
	rest := key
	for ; len(rest) >= 2*word; rest = rest[2*word:] {
		marks |= special(littleEndian(rest)) | special(littleEndian(rest[word:]))
	}
	if len(rest) >= word {
		marks |= special(littleEndian(rest))
	}
	if marks&high == 0 {
		return len(key)
	}
	for at := 0; at <= last; at += word {
		if marks := special(littleEndian(key[at:])) & high; marks != 0 {
			return at + bits.TrailingZeros64(marks)/8
		}
	}
	return last // it is among the last bytes
}

func littleEndian(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

const ones, high = 0x0101010101010101, 0x8080808080808080

// special marks, with its high bit, each byte of x that is to be looked at: all but
// letters, digits, "-", ".", "/" and "_". (That "~" stays as it is too is for who looks.)
// The bytes that the sums see are below 0x80, so no sum carries into the next byte. Of
// the two sums that are combined, one has the high bit from the first byte of a range on,
// the other from behind its last.
func special(x uint64) uint64 {
	low := x &^ high
	lower := low | ones*0x20
	digit := (low + ones*(0x80-'-')) ^ (low + ones*(0x7f-'9')) // - . / 0-9 are adjacent
	letter := (lower + ones*(0x80-'a')) ^ (lower + ones*(0x7f-'z'))
	notUnderscore := (low ^ ones*'_') + ones*0x7f
	return notUnderscore&^(digit|letter) | x
}

package answer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// maxFileName is what file systems take for a segment of a path, in bytes, less some
// for ".part10000".
const maxFileName = 255 - 15

// fileName is a relative path for a key that stays in its folder: control characters,
// empty, "." and ".." segments and spaces at either end are written as %XX, and so is
// a % that would be read as one. A segment that is too long is cut, and ends in a hash
// of the key. Different keys have different names.
func fileName(key string) string {
	var b strings.Builder
	segmentAt := 0 // in key
	written := 0   // in b, where the segment begins
	escape := func(c byte) { fmt.Fprintf(&b, "%%%02X", c) }
	isHex := func(i int) bool {
		return i < len(key) && (key[i] >= '0' && key[i] <= '9' || key[i]|0x20 >= 'a' && key[i]|0x20 <= 'f')
	}
	endSegment := func() {
		if whole := b.String(); len(whole)-written > maxFileName {
			sum := sha256.Sum256([]byte(key))
			hash := "~" + hex.EncodeToString(sum[:8])
			b.Reset()
			b.WriteString(strings.ToValidUTF8(whole[:written+maxFileName-len(hash)], "") + hash)
		}
	}
	for i := 0; i < len(key); i++ {
		c := key[i]
		switch {
		case c == '/' && (i == segmentAt || i == len(key)-1):
			escape(c) // an empty segment, or a folder's name
			segmentAt = i + 1
		case c == '/':
			endSegment()
			b.WriteByte(c)
			segmentAt, written = i+1, b.Len()
		case c == '.' && isDots(key[segmentAt:]), c < ' ', c == 0x7f,
			c == ' ' && (i == 0 || i == len(key)-1),
			c == '-' && key == "-",
			c == '%' && isHex(i+1) && isHex(i+2):
			escape(c)
		default:
			b.WriteByte(c)
		}
	}
	endSegment()
	return b.String()
}

// isDots tells whether the first segment of path is "." or "..".
func isDots(path string) bool {
	segment, _, _ := strings.Cut(path, "/")
	return segment == "." || segment == ".."
}

// Package localname says what a file is to be called that holds the object of a key. Whoever may upload chooses the
// key, and who downloads a list of them is the one whose files are at stake: a name stays in its folder on every file
// system, Windows' included, also when the list is made on another, and two keys of a list never share a file.
//
// https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file
package localname

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxSegment is the most that a segment of a name has, in bytes: what file systems take, 255 bytes or UTF-16 units,
// less some for an ending such as ".part10000".
const MaxSegment = 255 - 15

// Of is a relative path for a key, with "/" between its segments. Every other key has another one, byte by byte; Names
// sees to file systems that take different bytes for the same name.
//
// What a file system cannot store, or would take for something else, is written as %XX: control characters and those
// that turn the direction of writing, \ : * ? " < > |, empty segments, a dot or space at the end of a segment, a space
// at its beginning, the first letter of a device's name (CON, NUL, COM1 ..., with any extension), a - or ~ at the
// beginning, and a % that would be read as such an escape. A segment that is too long is cut, and ends in a hash.
func Of(key string) string {
	segments := strings.Split(key, "/")
	var b strings.Builder
	for i, segment := range segments {
		if i > 0 && segments[i-1] != "" {
			// The slash behind an empty segment was written for it.
			if i == len(segments)-1 && segment == "" {
				b.WriteString("%2F") // a folder's marker is a file
				continue
			}
			b.WriteByte('/')
		}
		if segment == "" {
			if i < len(segments)-1 {
				b.WriteString("%2F")
			}
			continue
		}
		b.WriteString(cut(escaped(segment), key))
	}
	return b.String()
}

// escaped writes a segment so that it can be stored, and only so.
func escaped(segment string) string {
	last := len(strings.TrimRight(segment, ". ")) // from here on, what Windows drops
	device := isDevice(segment)
	var b strings.Builder
	for i := 0; i < len(segment); {
		r, size := utf8.DecodeRuneInString(segment[i:])
		switch {
		case i >= last, i == 0 && (r == ' ' || r == '-' || r == '~' || device),
			unicode.IsControl(r), isDirection(r), r == utf8.RuneError && size == 1,
			strings.ContainsRune(`\:*?"<>|`, r),
			r == '%' && isEscape(segment[i:]):
			for _, c := range []byte(segment[i : i+size]) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		default:
			b.WriteString(segment[i : i+size])
		}
		i += size
	}
	return b.String()
}

// isDirection tells whether a character turns the direction in which a name is shown, so that it ends in .exe and
// seems not to: https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters
func isDirection(r rune) bool {
	return r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 || r == 0x200E || r == 0x200F || r == 0x061C
}

// isEscape tells whether s begins as %XX does.
func isEscape(s string) bool {
	hexDigit := func(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }
	return len(s) >= 3 && hexDigit(s[1]) && hexDigit(s[2])
}

// isDevice tells whether Windows takes a segment for a device, whatever extension it has.
func isDevice(segment string) bool {
	base, _, _ := strings.Cut(segment, ".")
	base = strings.ToUpper(strings.TrimRight(base, " "))
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$":
		return true
	}
	digit, ok := strings.CutPrefix(base, "COM")
	if !ok {
		digit, ok = strings.CutPrefix(base, "LPT")
	}
	return ok && len(digit) > 0 && strings.Contains("0 1 2 3 4 5 6 7 8 9 ¹ ² ³", digit) && utf8.RuneCountInString(digit) == 1
}

// cut shortens a segment that is too long, to its beginning and a hash of the key.
func cut(segment, key string) string {
	if len(segment) <= MaxSegment {
		return segment
	}
	suffix := mark(key)
	head := strings.ToValidUTF8(segment[:MaxSegment-len(suffix)], "")
	if at := strings.LastIndexByte(head, '%'); at >= len(head)-2 && at >= 0 && !isEscape(head[at:]) {
		head = head[:at] // half an escape would be read as a percent sign
	}
	return strings.TrimRight(head, ". ") + suffix
}

// mark is what tells names apart that would be one: a hash of the key, so that it does not depend on what else is in
// the list.
func mark(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "~" + hex.EncodeToString(sum[:8])
}

// Names hands out the names of one list. Of two keys whose names some file system takes for one, because it folds case
// or composes accents, or because one would have to be a file and a folder, the later gets a mark. It takes some 50 bytes
// a key. The zero value is ready.
type Names struct {
	files, folders map[uint64]struct{} // of folded names; that two differ and hash alike costs a mark, no more
}

// Of is the name of the next key of the list. The same key again has another name.
func (n *Names) Of(key string) string {
	if n.files == nil {
		n.files, n.folders = make(map[uint64]struct{}), make(map[uint64]struct{})
	}
	name := n.besideFiles(Of(key))
	for salt := key; n.taken(name); salt += "'" {
		name = marked(name, mark(salt))
	}
	n.files[fold(name)] = struct{}{}
	for at := range name {
		if name[at] == '/' {
			n.folders[fold(name[:at])] = struct{}{}
		}
	}
	return name
}

func (n *Names) taken(name string) bool {
	h := fold(name)
	_, file := n.files[h]
	_, folder := n.folders[h]
	return file || folder
}

// besideFiles marks each folder of a name that is a file already. All keys of the folder get the same mark.
func (n *Names) besideFiles(name string) string {
	for at := 0; ; at++ {
		next := strings.IndexByte(name[at:], '/')
		if next < 0 {
			return name
		}
		at += next
		if _, file := n.files[fold(name[:at])]; file {
			folder := marked(name[:at], mark(name[:at]+"/"))
			name = folder + name[at:]
			at = len(folder)
		}
	}
}

// marked puts a mark in front of the extension of a name's last segment.
func marked(name, mark string) string {
	begin := strings.LastIndexByte(name, '/') + 1
	dot := len(name)
	if at := strings.LastIndexByte(name[begin:], '.'); at > 0 && len(name)-begin-at <= 10 {
		dot = begin + at
	}
	stem, extension := name[:dot], name[dot:]
	if over := len(name) - begin + len(mark) - MaxSegment; over > 0 {
		stem = strings.ToValidUTF8(stem[:len(stem)-over], "")
		if at := strings.LastIndexByte(stem, '%'); at >= len(stem)-2 && at >= begin && !isEscape(stem[at:]) {
			stem = stem[:at]
		}
	}
	return stem + mark + extension
}

// fold is a hash of what a name has in common with all that a file system may take for it.
func fold(name string) uint64 {
	h := fnv.New64a()
	if isPlain(name) {
		_, _ = h.Write([]byte(strings.ToLower(name)))
	} else {
		// Upper case first: some letters have one only in one direction (ſ and s, the sign of kelvin and k).
		_, _ = h.Write([]byte(norm.NFD.String(strings.ToLower(strings.ToUpper(norm.NFD.String(name))))))
	}
	return h.Sum64()
}

func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Package strictjson reads JSON texts where a mistake must never pass for something
// else: it is the grammar of RFC 8259 with RFC 7493's (I-JSON) rules on top, so
// invalid UTF-8, lone surrogates and duplicate member names are errors. Where
// encoding/json would hand on U+FFFD, another key would be signed than was asked for.
//
// A Reader pulls values off a text that it owns, in place, without a tree.
// BenchmarkKeys compares it with other decoders.
package strictjson

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// MaxDepth is how deeply arrays and objects may be nested.
const MaxDepth = 64

// Kind is the type of the next value, told by its first byte.
type Kind byte

const (
	End    Kind = 0 // the text has ended
	Object Kind = '{'
	Array  Kind = '['
	String Kind = '"'
	Number Kind = '0'
	True   Kind = 't'
	False  Kind = 'f'
	Null   Kind = 'n'
	Bad    Kind = '!' // no value begins like this
)

// String names the kind for an error text.
func (k Kind) String() string {
	switch k {
	case End:
		return "the end of the text"
	case Object:
		return "an object"
	case Array:
		return "an array"
	case String:
		return "a string"
	case Number:
		return "a number"
	case True, False:
		return "a boolean"
	case Null:
		return "null"
	}
	return "something that is not JSON"
}

// SyntaxError says where a text is not strict JSON and why. It never quotes the text.
type SyntaxError struct {
	Offset       int // in bytes from the beginning
	Line, Column int // from 1; a column is a byte
	Reason       string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s at line %d, column %d (byte %d)", e.Reason, e.Line, e.Column, e.Offset)
}

// DuplicateError names a member that an object has twice.
type DuplicateError struct{ Name string }

func (e *DuplicateError) Error() string { return fmt.Sprintf("member %q is given twice", e.Name) }

// Reader reads one JSON text from its beginning to its end.
type Reader struct {
	// Duplicate, if set, is told of a member that an object has twice. The member is
	// then left out, and reading goes on: for a reader that reports all mistakes at once.
	Duplicate func(name string)

	text         []byte
	pos          int
	line, lineAt int // line breaks so far, which only stand between tokens, and where the line began
	depth        int
}

// NewReader takes text over: strings are decoded in place and share its memory, so
// the caller must not use it again.
func NewReader(text []byte) *Reader { return &Reader{text: text} }

func (r *Reader) fail(reason string) error {
	if r.pos >= len(r.text) {
		reason = "the text ends too early"
	}
	return &SyntaxError{Offset: r.pos, Line: r.line + 1, Column: r.pos - r.lineAt + 1, Reason: reason}
}

func (r *Reader) space() {
	for r.pos < len(r.text) {
		switch r.text[r.pos] {
		case '\n':
			r.pos++
			r.line, r.lineAt = r.line+1, r.pos
		case ' ', '\t', '\r':
			r.pos++
		default:
			return
		}
	}
}

// Peek tells the kind of the next value without reading it.
func (r *Reader) Peek() Kind {
	r.space()
	if r.pos >= len(r.text) {
		return End
	}
	switch c := r.text[r.pos]; c {
	case '{', '[', '"', 't', 'f', 'n':
		return Kind(c)
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return Number
	}
	return Bad
}

// Finish checks that nothing but white space follows.
func (r *Reader) Finish() error {
	if r.Peek() != End {
		return r.fail("there is more text after the value")
	}
	return nil
}

// Members reads an object and calls read for each member, which must read the
// member's value. name shares the text's memory.
func (r *Reader) Members(read func(name string) error) error {
	var seen names
	return r.list('{', '}', "an object must begin here", func(int) error {
		if r.Peek() != String {
			return r.fail("a member's name must stand here")
		}
		name, err := r.name()
		if err != nil {
			return err
		}
		isNew := seen.add(name)
		if !isNew && r.Duplicate == nil {
			return &DuplicateError{Name: name}
		}
		r.space()
		if r.pos >= len(r.text) || r.text[r.pos] != ':' {
			return r.fail("a colon must stand here")
		}
		r.pos++
		if !isNew {
			r.Duplicate(name)
			return r.Skip()
		}
		return read(name)
	})
}

// Elements reads an array and calls read for each element, which must read it.
func (r *Reader) Elements(read func(index int) error) error {
	return r.list('[', ']', "an array must begin here", read)
}

func (r *Reader) list(open, end byte, missing string, read func(index int) error) error {
	r.space()
	if r.pos >= len(r.text) || r.text[r.pos] != open {
		return r.fail(missing)
	}
	if r.depth++; r.depth > MaxDepth {
		return r.fail(fmt.Sprintf("more than %d arrays and objects lie in one another", MaxDepth))
	}
	r.pos++
	r.space()
	if r.pos < len(r.text) && r.text[r.pos] == end {
		r.pos++
		r.depth--
		return nil
	}
	for i := 0; ; i++ {
		if err := read(i); err != nil {
			return err
		}
		r.space()
		switch {
		case r.pos < len(r.text) && r.text[r.pos] == ',':
			r.pos++
		case r.pos < len(r.text) && r.text[r.pos] == end:
			r.pos++
			r.depth--
			return nil
		default:
			return r.fail("a comma or the end of the list must stand here")
		}
	}
}

// names remembers member names: a handful in a slice, more in a map, so that an
// object of a million members takes no quadratic time.
type names struct {
	few  [16]string
	n    int
	many map[string]struct{}
}

func (s *names) add(name string) bool {
	if s.many != nil {
		if _, ok := s.many[name]; ok {
			return false
		}
		s.many[name] = struct{}{}
		return true
	}
	for _, known := range s.few[:s.n] {
		if known == name {
			return false
		}
	}
	if s.n < len(s.few) {
		s.few[s.n] = name
		s.n++
		return true
	}
	s.many = make(map[string]struct{}, 4*len(s.few))
	for _, known := range s.few {
		s.many[known] = struct{}{}
	}
	s.many[name] = struct{}{}
	return true
}

// String reads a string. It shares the text's memory.
func (r *Reader) String() (string, error) {
	s, escaped, err := r.scan()
	if escaped {
		s = unescape(s[:0], s)
	}
	return shared(s), err
}

// name reads a member's name and leaves the text as it is, so that Skip does.
func (r *Reader) name() (string, error) {
	s, escaped, err := r.scan()
	if escaped {
		s = unescape(nil, s)
	}
	return shared(s), err
}

// scan reads a string, checks it and returns what stands between its quotes.
func (r *Reader) scan() (s []byte, escaped bool, err error) {
	if r.Peek() != String {
		return nil, false, r.fail("a string must begin here")
	}
	r.pos++
	start := r.pos
	// Most strings are plain ASCII: eight bytes at a time until one is not.
	for r.pos+8 <= len(r.text) {
		special := notPlain(binary.LittleEndian.Uint64(r.text[r.pos:]))
		if special != 0 {
			r.pos += bits.TrailingZeros64(special) / 8
			break
		}
		r.pos += 8
	}
	for r.pos < len(r.text) {
		c := r.text[r.pos]
		switch {
		case c == '"':
			r.pos++
			return r.text[start : r.pos-1 : r.pos-1], escaped, nil
		case c == '\\':
			escaped = true
			_, n, reason := decodeEscape(r.text[r.pos:])
			if reason != "" {
				return nil, false, r.fail(reason)
			}
			r.pos += n
		case c < ' ':
			return nil, false, r.fail("a control character stands unescaped in a string")
		case c < utf8.RuneSelf:
			r.pos++
		default:
			c, n := utf8.DecodeRune(r.text[r.pos:])
			if c == utf8.RuneError && n <= 1 {
				return nil, false, r.fail("a string is not valid UTF-8")
			}
			r.pos += n
		}
	}
	return nil, false, r.fail("")
}

// notPlain marks the high bit of each byte of x that is a quote, a backslash, a
// control character or not ASCII. A byte above a marked one may be marked wrongly;
// the lowest mark is right.
func notPlain(x uint64) uint64 {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	quote := x ^ ones*'"'
	slash := x ^ ones*'\\'
	return (x | (x - ones*' ') | (quote - ones) | (slash - ones)) & high
}

// unescape appends what a checked string means to dst. That is never longer than the
// string, so dst may be the string's own memory.
func unescape(dst, s []byte) []byte {
	for len(s) > 0 {
		plain := bytes.IndexByte(s, '\\')
		if plain < 0 {
			return append(dst, s...)
		}
		dst = append(dst, s[:plain]...)
		c, n, _ := decodeEscape(s[plain:])
		dst = utf8.AppendRune(dst, c)
		s = s[plain+n:]
	}
	return dst
}

// simpleEscapes are the sequences of two characters.
var simpleEscapes = [256]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// decodeEscape reads the escape sequence at the beginning of s, or two that are a
// surrogate pair, and says how long it is or what is wrong.
func decodeEscape(s []byte) (c rune, n int, reason string) {
	if len(s) < 2 {
		return 0, 0, "a string ends in an escape sequence"
	}
	if s[1] != 'u' {
		if c := simpleEscapes[s[1]]; c != 0 {
			return rune(c), 2, ""
		}
		return 0, 0, "no escape sequence begins like this"
	}
	c, ok := hex4(s)
	if !ok {
		return 0, 0, `\u must be followed by four hexadecimal digits`
	}
	if !utf16.IsSurrogate(c) {
		return c, 6, ""
	}
	if low, ok := hex4(s[6:]); ok {
		if pair := utf16.DecodeRune(c, low); pair != utf8.RuneError {
			return pair, 12, ""
		}
	}
	return 0, 0, "a string holds a lone surrogate, which is no character"
}

// hex4 reads the \uXXXX at the beginning of s.
func hex4(s []byte) (v rune, ok bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	for _, c := range s[2:6] {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			v = v<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

// Number reads a number and returns it as it is written. It shares the text's memory.
func (r *Reader) Number() (string, error) {
	if r.Peek() != Number {
		return "", r.fail("a number must begin here")
	}
	start := r.pos
	digits := func() bool {
		from := r.pos
		for r.pos < len(r.text) && r.text[r.pos] >= '0' && r.text[r.pos] <= '9' {
			r.pos++
		}
		return r.pos > from
	}
	next := func(set string) bool {
		for i := range len(set) {
			if r.pos < len(r.text) && r.text[r.pos] == set[i] {
				r.pos++
				return true
			}
		}
		return false
	}
	const bad = "a number is not written as JSON writes it"
	next("-")
	if !next("0") && !digits() {
		return "", r.fail(bad)
	}
	if next(".") && !digits() {
		return "", r.fail(bad)
	}
	if next("eE") {
		next("+-")
		if !digits() {
			return "", r.fail(bad)
		}
	}
	return shared(r.text[start:r.pos]), nil
}

// Bool reads true or false.
func (r *Reader) Bool() (bool, error) {
	if r.Peek() == True {
		return true, r.literal("true")
	}
	return false, r.literal("false")
}

// Null reads null.
func (r *Reader) Null() error {
	r.space()
	return r.literal("null")
}

func (r *Reader) literal(word string) error {
	if len(r.text)-r.pos < len(word) || shared(r.text[r.pos:r.pos+len(word)]) != word {
		return r.fail(word + " must stand here")
	}
	r.pos += len(word)
	return nil
}

// Skip reads any value, as strictly as if it were used, and leaves the text as it is.
func (r *Reader) Skip() error {
	switch r.Peek() {
	case Object:
		return r.Members(func(string) error { return r.Skip() })
	case Array:
		return r.Elements(func(int) error { return r.Skip() })
	case String:
		_, _, err := r.scan()
		return err
	case Number:
		_, err := r.Number()
		return err
	case True, False:
		_, err := r.Bool()
		return err
	case Null:
		return r.Null()
	}
	return r.fail("a value must stand here")
}

// shared makes a string of bytes that nobody will write to again: a string's own
// bytes are written, by String, before they are shared.
func shared(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

package bulk

import (
	"bytes"
	"encoding/hex"
	"io"
	"slices"

	"bulkpresign/internal/deflate"
	"bulkpresign/internal/sigv4"
)

// Quoting says in how many JSON strings the answer will lie: none for a direct
// invoke's object, one for the body of an HTTP response. So that nothing is escaped
// in a second pass, the answer is written as it will lie there.
type Quoting int

const (
	Bare   Quoting = 0
	Quoted Quoting = 1
)

// writer appends the answer, or a part of it, to dst. Or it only counts: then dst is
// scratch, and URLs, which are most of an answer, are not even made.
//
// Or it compresses: then dst is what the compressor has not been told yet. Or it
// streams: then dst is what has not been sent yet.
type writer struct {
	dst      []byte
	quoting  Quoting
	open     bool // the object that is being written has a member already
	counting bool
	counted  int
	zip      *zip
	apart    bool // each URL of a curl file needs options of its own

	// places, if not nil, is where in dst the URLs of batched entries go, by path. They
	// are left out at first: -1 is for a path that has no URL.
	places []int

	formText []byte            // what the forms of formsOf have in common, as it stands in the answer
	formsOf  *sigv4.PostSigner // nil before the first form

	path []byte // scratch

	to  io.Writer
	err error // of to: what follows is not written
}

// piece is about how many bytes a stream sends at a time.
const piece = 64 << 10

// spill sends what was written, when it is a piece.
func (w *writer) spill() {
	if w.to != nil && len(w.dst) >= piece {
		w.send()
	}
}

func (w *writer) send() {
	if w.err == nil {
		_, w.err = w.to.Write(w.dst)
	}
	w.dst = w.dst[:0]
}

// zip is a compressor that knows what the URLs of a batch have in common.
type zip struct {
	*deflate.Writer
	base     deflate.Run // the URL before the path
	question deflate.Run // what stands between path and signature
	auth     deflate.Run // the beginning of it that items with other options share
	shared   []byte      // the text of auth
	baseText []byte      // the text of base

	form   deflate.Run // what the batch's forms have in common
	formOf *sigv4.PostSigner
}

func newZip(dst []byte, presigner *sigv4.Presigner) *zip {
	z := &zip{Writer: deflate.NewWriter(dst)}
	z.learn(presigner)
	return z
}

// learn tells the compressor what the URLs of a presigner have in common.
func (z *zip) learn(presigner *sigv4.Presigner) {
	z.base, z.baseText = z.Learn(presigner.Base()), presigner.Base()
	z.question = z.Learn(presigner.Question())
	z.shared = nil
	if end := bytes.Index(presigner.Question(), []byte("X-Amz-SignedHeaders=")); end > 0 {
		z.shared = presigner.Question()[:end]
	}
	z.auth = z.Learn(z.shared)
}

// flush tells the compressor what was written.
func (w *writer) flush() {
	w.zip.Text(w.dst)
	w.dst = w.dst[:0]
}

// key writes a key as the name of a member, or as a JSON string.
func (w *writer) key(key string) {
	w.quote()
	begin := len(w.dst)
	w.dst = appendEscaped(w.dst, key, int(w.quoting)+1)
	w.similar(begin)
	w.quote()
}

// similar tells the compressor that what was written from begin on is like what was
// told before: keys share beginnings, and a path is mostly its key.
func (w *writer) similar(begin int) {
	if w.zip != nil {
		w.zip.Text(w.dst[:begin])
		w.zip.Similar(w.dst[begin:])
		w.dst = w.dst[:0]
	}
}

// size is the number of bytes written so far.
func (w *writer) size() int {
	if w.counting {
		w.counted += len(w.dst)
		w.dst = w.dst[:0]
		return w.counted
	}
	return len(w.dst)
}

// text writes s as it stands in the answer.
func (w *writer) text(s string) { w.dst = appendEscaped(w.dst, s, int(w.quoting)) }

// quote writes the quotation mark of a JSON string of the answer.
func (w *writer) quote() {
	if w.quoting == Quoted {
		w.dst = append(w.dst, '\\')
	}
	w.dst = append(w.dst, '"')
}

// str writes s as a JSON string of the answer.
func (w *writer) str(s string) {
	w.quote()
	w.dst = appendEscaped(w.dst, s, int(w.quoting)+1)
	w.quote()
}

func (w *writer) begin() {
	w.dst = append(w.dst, '{')
	w.open = false
}

func (w *writer) end() {
	w.dst = append(w.dst, '}')
	w.open = true
}

func (w *writer) comma() {
	if w.open {
		w.dst = append(w.dst, ',')
	}
	w.open = true
}

func (w *writer) name(s string) {
	w.comma()
	w.str(s)
	w.dst = append(w.dst, ':')
}

func (w *writer) member(name, value string) {
	w.name(name)
	w.str(value)
}

// url writes the URL of an entry. No byte of it needs escaping.
func (w *writer) url(p *Plan, e entry, number string) {
	switch {
	case w.counting:
		w.counted += p.urlLen(e, number)
	case w.err != nil:
	case w.places != nil && e.kind == batched:
		for len(w.places) < int(e.path) {
			w.places = append(w.places, -1)
		}
		w.places = append(w.places, len(w.dst))
		size := p.urlLen(e, number)
		w.dst = slices.Grow(w.dst, size)[:len(w.dst)+size]
	case w.zip == nil:
		w.dst = p.appendURL(w.dst, e, number)
		w.spill()
	case e.kind == batched:
		w.flush()
		w.zip.Run(w.zip.base)
		w.zip.Similar(p.pathText(p.paths[e.path]))
		w.zip.Run(w.zip.question)
		w.zip.Hex(p.signature(e)[:])
	default:
		w.zipURL(p.own(e, number))
	}
}

// zipURL compresses the URL of a presigner that is not the batch's.
func (w *writer) zipURL(presigner *sigv4.Presigner, path sigv4.Path) {
	w.flush()
	signature := presigner.Sign(path)
	if bytes.Equal(presigner.Base(), w.zip.baseText) {
		w.zip.Run(w.zip.base)
	} else { // an operation of a bucket, whose base may lack the last slash
		w.zip.Text(presigner.Base())
	}
	w.path = path.Append(w.path[:0])
	w.zip.Similar(w.path)
	question := presigner.Question()
	if rest, ok := bytes.CutPrefix(question, w.zip.shared); ok {
		w.zip.Run(w.zip.auth)
		question = rest
	}
	w.zip.Text(question)
	w.zip.Hex(signature[:])
}

// ownURL writes the URL of a presigner that is not the batch's as a JSON string.
func (w *writer) ownURL(presigner *sigv4.Presigner, path sigv4.Path) {
	w.quote()
	switch {
	case w.counting:
		w.counted += presigner.URLLen(path)
	case w.err != nil:
	case w.zip != nil:
		w.zipURL(presigner, path)
	default:
		signature := presigner.Sign(path)
		w.dst = presigner.AppendURL(w.dst, path, &signature)
		w.spill()
	}
	w.quote()
}

// signature writes the signature of a batched entry in hex.
func (w *writer) signature(p *Plan, e entry) {
	switch {
	case w.counting:
		w.counted += hex.EncodedLen(sigv4.SignatureSize)
	case w.err != nil:
	case w.zip == nil:
		w.dst = sigv4.AppendHex(w.dst, p.signature(e))
		w.spill()
	default:
		w.flush()
		w.zip.Hex(p.signature(e)[:])
	}
}

// Quote writes s as a JSON string.
func Quote(s string) []byte {
	w := writer{}
	w.str(s)
	return w.dst
}

// AppendQuoted appends s as it stands inside a JSON string.
func AppendQuoted(dst []byte, s string) []byte { return appendEscaped(dst, s, 1) }

// appendEscaped appends s as it stands inside so many JSON strings in one another.
func appendEscaped(dst []byte, s string, times int) []byte {
	if times == 0 {
		return append(dst, s...)
	}
	plain := 0 // where what needs no escaping begins
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' {
			dst = append(dst, s[plain:i]...)
			dst = appendEscape(dst, c, times)
			plain = i + 1
		}
	}
	return append(dst, s[plain:]...)
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

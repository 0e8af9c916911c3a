package answer

import (
	"io"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/strictjson"
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

	// places, if not nil, is where in dst the URLs of Shared keys go, for which room is
	// left.
	places *bulk.Places

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

// flush tells the compressor what was written.
func (w *writer) flush() {
	w.zip.Text(w.dst)
	w.dst = w.dst[:0]
}

// key writes a key as the name of a member, or as a JSON string.
func (w *writer) key(key string) {
	w.quote()
	w.dst = strictjson.AppendEscaped(w.dst, key, int(w.quoting)+1)
	w.quote()
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
func (w *writer) text(s string) { w.dst = strictjson.AppendEscaped(w.dst, s, int(w.quoting)) }

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
	w.dst = strictjson.AppendEscaped(w.dst, s, int(w.quoting)+1)
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

func (w *writer) pair(name, value string) {
	w.name(name)
	w.str(value)
}

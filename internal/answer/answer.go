// Package answer writes what a caller is sent: the outcome of a batch that package bulk has judged, in each format
// that a request can name. The text is bare, quoted for a JSON string, compressed, or sent piece by piece; and its size
// is known before any of it is written.
//
// A new section of the JSON object is a row in object.go, a new text format a row in text.go.
package answer

import (
	"io"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/deflate"
	"bulkpresign/internal/localname"
	"bulkpresign/internal/sigv4"
)

// rendering is an answer that is being written.
type rendering struct {
	writer
	plan   *bulk.Plan
	format bulk.Format

	withParts   bool // URLs of parts are among those of the text
	withHeaders bool // clients must send headers with some URL of the text
	apart       bool // each URL of a curl file needs options of its own

	names localname.Names // of the files of the text
	last  string          // of them
	named int             // the number of its key, from 1

	formText []byte            // what the forms of formsOf have in common, as it stands in the answer
	formsOf  *sigv4.PostSigner // nil before the first form

	path []byte // scratch of pathText
}

func rendered(p *bulk.Plan, f bulk.Format, to writer) *rendering {
	return &rendering{
		writer:      to,
		plan:        p,
		format:      f,
		withParts:   p.Any(bulk.InParts),
		withHeaders: p.Any(bulk.OwnHeaders) || len(p.BatchHeaders()) > 0,
	}
}

// Append appends the answer. If the batch has not been signed, that is done here, with
// each URL written as soon as it is signed, which is faster.
func Append(dst []byte, p *bulk.Plan, f bulk.Format, q Quoting) []byte {
	w := rendered(p, f, writer{dst: dst, quoting: q, places: p.Places()})
	w.write()
	if w.places != nil {
		p.Fill(w.dst, w.places)
	}
	return w.dst
}

// Write writes the answer piece by piece. It signs some thousand keys at a time, so that
// its memory does not grow with the batch; the batch need not have been signed. The error
// is the Writer's.
func Write(to io.Writer, p *bulk.Plan, f bulk.Format) error {
	w := rendered(p, f, writer{dst: make([]byte, 0, piece+piece/4), to: to})
	w.write()
	w.send()
	return w.err
}

// AppendGzip appends the bare answer as a gzip member (RFC 1952). The text itself is
// never made, so memory grows with what is appended alone.
func AppendGzip(dst []byte, p *bulk.Plan, f bulk.Format, e deflate.Effort) []byte {
	w := rendered(p, f, writer{zip: newZip(dst, p.Presigner(), e)})
	w.write()
	w.flush()
	return w.zip.Close()
}

// Size is the exact length of what Append appends; no signature is needed for it.
// fits says how many of the distinct keys, from the first, keep it at or under limit.
func Size(p *bulk.Plan, f bulk.Format, q Quoting, limit int) (size, fits int) {
	w := rendered(p, f, writer{quoting: q, counting: true})
	if f.IsObject() {
		return w.sizeObject(limit)
	}
	return w.sizeText(limit)
}

func (w *rendering) write() {
	if w.format.IsObject() {
		w.object()
	} else {
		w.texts()
	}
}

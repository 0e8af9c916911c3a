package answer

import (
	"strings"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/localname"
	"bulkpresign/internal/s3op"
)

// A layout is how a text format is written.
type layout struct {
	top    func(w *rendering)                        // what stands before the first key
	line   func(w *rendering, i int, part string)    // a URL of the key numbered i, and what goes with it
	failed func(w *rendering, i int, f bulk.Failure) // that the key has none, so that nothing is lost silently
}

var layouts = map[bulk.Format]layout{
	bulk.NDJSON:  {nothing, (*rendering).ndjson, (*rendering).ndjsonFailed},
	bulk.CSV:     {(*rendering).csvTop, (*rendering).csvRow, (*rendering).csvFailed},
	bulk.URIList: {nothing, (*rendering).uri, (*rendering).uriFailed},
	bulk.Aria2:   {nothing, (*rendering).aria2, (*rendering).commented},
	bulk.Curl:    {(*rendering).curlTop, (*rendering).curl, (*rendering).commented},
}

func nothing(*rendering) {}

// texts writes all formats but json and compact.
func (w *rendering) texts() {
	l := layouts[w.format]
	l.top(w)
	for i := range w.plan.Keys() {
		w.lines(&l, i)
	}
}

// sizeText foretells texts.
func (w *rendering) sizeText(limit int) (size, fits int) {
	l := layouts[w.format]
	l.top(w)
	for i := range w.plan.Keys() {
		w.lines(&l, i)
		if w.size() <= limit {
			fits = i + 1
		}
	}
	return w.size(), fits
}

// lines writes what a text says of a key.
func (w *rendering) lines(l *layout, i int) {
	switch {
	case w.plan.Is(i, bulk.Failed):
		l.failed(w, i, w.plan.Failure(i))
		w.spill()
	case w.plan.Is(i, bulk.Form|bulk.OwnForm|bulk.InUpload):
		w.objectLine(i)
	case w.plan.Is(i, bulk.InParts):
		for _, number := range s3op.PartNumbers(w.plan.Options(i)) {
			l.line(w, i, number)
		}
	default:
		l.line(w, i, "")
	}
}

// uri writes a line of a list of URLs. Headers without which S3 refuses the URL are comments
// before it, since a list has no other place for them.
//
// https://www.rfc-editor.org/rfc/rfc2483#section-5
func (w *rendering) uri(i int, part string) {
	for _, o := range w.plan.Options(i) {
		if o.ID.IsHeader() {
			w.text("# send with header " + o.WireName() + ": " + o.Value + "\r\n")
		}
	}
	w.url(i, part)
	w.text("\r\n")
}

func (w *rendering) uriFailed(i int, f bulk.Failure) {
	w.text("# " + string(f.Code) + " " + localname.Of(f.Key) + "\r\n")
}

// commented says in a comment that a key failed.
func (w *rendering) commented(i int, f bulk.Failure) {
	w.text("# " + string(f.Code) + " " + localname.Of(f.Key) + "\n")
}

// fileName is what the file of the key numbered i is to be called: a name of its own on every
// file system.
func (w *rendering) fileName(i int) string {
	if w.named != i+1 { // else the key has several URLs
		w.last, w.named = w.names.Of(w.plan.Key(i)), i+1
	}
	return w.last
}

// renamed says in a comment that a file cannot be called what its key is.
func (w *rendering) renamed(key, name string) {
	if name != key && !strings.HasPrefix(name, key+".part") {
		w.text("# saved under another name than its key, which a file cannot have: " + name + "\n")
	}
}

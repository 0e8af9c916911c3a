package manifest

import (
	"bytes"
	"errors"
	"io"
)

// Range is a part of a list that is not compressed, in bytes. Its entries are those that
// begin in it, the last of which may end behind it.
//
// A list of Text or JSONLines may be cut anywhere: an entry begins where the list does, or
// behind a line feed, and in UTF-8 no other character has a line feed's byte. So whoever
// reads a Range begins a byte before it, passes over what that byte's line has left, and
// reads on to the end of the last line. Nothing of the list but its first lines need be
// known, so that a list of any size is cut at once.
//
// A CSV may hold line feeds within quotation marks, and whether a place is within them
// depends on everything before it: `","` closes and opens a field, or is one. Two readings
// of the same rows can both be right, so no look around a place decides. Its cuts are
// therefore made by Cuts, in one pass over the list with the code that reads it.
type Range struct {
	Begin int64 `json:"begin"`
	End   int64 `json:"end"`
	Line  int64 `json:"line,omitempty"` // how many lines the list has before Begin, as far as is known
}

// Cuttable tells whether a list may be cut into ranges and, if so, whether anywhere. It must
// not be compressed.
func (d Description) Cuttable() (cuttable, anywhere bool) {
	switch d.Format {
	case Text, JSONLines:
		return true, true
	case CSV, InventoryPart, BatchReport:
		return true, false
	}
	return false, false
}

// HeadBytes is how much of a list's beginning ReadRange wants to see: more than the longest
// line.
const HeadBytes = 2 * DefaultLineBytes

// From is where the bytes begin that ReadRange reads, and To where they may end: behind the
// longest line that begins in the range.
func (g Range) From() int64 { return max(0, g.Begin-1) }
func (g Range) To() int64   { return g.End + DefaultLineBytes + 64 }

// ReadRange reads the entries that begin in a part of a list. head is the list's beginning,
// HeadBytes or all of it, which says how it is written: a header, what separates columns,
// whether keys are S3 URIs; it is not needed where the range begins with the list. r has the bytes from g.From() to g.To(), or to the list's end.
// Unlike a list, a part need have no entries.
//
// Lines are counted from those before the range, or from the range's first where these are
// not known.
//
// The error is a *BrokenError, or the source's own.
func (d Description) ReadRange(head []byte, r io.Reader, g Range, limits Limits) (*Reader, error) {
	if g.Begin == 0 {
		l, err := d.Read(r, limits)
		if err != nil {
			return nil, err
		}
		l.isPart = true
		l.lines.stop = max(g.End, l.lines.passed()+1) // the first line is this part's, though a mark comes before it
		return l, nil
	}
	if Compressed(head) {
		return nil, &BrokenError{Reason: "a part of a compressed list cannot be read: it was not compressed when it was cut"}
	}
	l, err := d.knowing(head, true, limits)
	if err != nil {
		return nil, err
	}
	l.lines.limits = limits.withDefaults()
	l.lines.source.Reader = r
	l.lines.text = &l.lines.source
	_, err = l.lines.next(false) // what the line that the byte before belongs to has left
	l.lines.feeds = g.Line
	l.lines.stop = g.End - g.From()
	if err != nil && err != io.EOF {
		return nil, err
	}
	return l, nil
}

// knowing makes a Reader for a part of a list, perhaps a later one, that knows how the list is
// written, by its beginning.
func (d Description) knowing(head []byte, later bool, limits Limits) (*Reader, error) {
	l, err := d.Read(bytes.NewReader(head), limits)
	if err != nil {
		return nil, err
	}
	if d.Format == CSV && later {
		if err := l.passHeader(); err != nil {
			return nil, err
		}
	}
	l.isPart, l.begun = true, later
	l.lines = lines{}
	return l, nil
}

// passHeader reads a list of CSV up to where its columns are known.
func (r *Reader) passHeader() error {
	var e Entry
	for !r.columns.known {
		err := r.next(&e)
		if err == io.EOF {
			if !r.columns.known {
				return &BrokenError{Line: 1, Reason: "its first row does not begin within the first 64 KiB: leave out what stands before it"}
			}
			return nil
		}
		if r.columns.known {
			return nil // whatever is wrong with the entry is for the part that has it
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Cuts reads a list that is not compressed and cuts it between its entries, into parts of so
// many bytes or a little more. It is for lists that cannot be cut anywhere: it takes flat
// memory, and the time to read the list.
//
// The error is a *BrokenError, or the source's own.
func (d Description) Cuts(r io.Reader, size int64, limits Limits) (parts []Range, err error) {
	list, err := d.Read(r, limits)
	if err != nil {
		return nil, err
	}
	var e Entry
	var at Range
	for {
		err := list.Next(&e)
		passed := list.lines.passed()
		switch {
		case err == io.EOF:
			if passed > at.Begin {
				at.End = passed
				parts = append(parts, at)
			}
			return parts, nil
		case err != nil:
			return nil, err
		case passed-at.Begin >= size:
			at.End = passed
			parts = append(parts, at)
			at = Range{Begin: passed, Line: list.lines.feeds}
		}
	}
}

// errNoPart is of a range that no cut gives.
var errNoPart = errors.New("the part of the list is none: its end must be behind its beginning")

// Check tells whether the range is one.
func (g Range) Check() error {
	if g.Begin < 0 || g.End <= g.Begin || g.Line < 0 {
		return errNoPart
	}
	return nil
}

// compressionOf tells what a list is compressed with, by its first bytes.
func compressionOf(head []byte) Compression {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return Gzip
	case bytes.HasPrefix(head, zstdMagic):
		return Zstd
	}
	return Plain
}

// Compressed tells whether a list is compressed, by its first bytes.
func Compressed(head []byte) bool { return compressionOf(head) != Plain }

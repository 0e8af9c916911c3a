package manifest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// A compressed list may be many members of gzip, or frames of zstd, one after the other: files
// that were joined, or what a writer flushed. Each can be read without those before it, so that
// such a list may be cut where a member and an entry begin at the same place.
//
// https://www.rfc-editor.org/rfc/rfc1952 (2.2) and https://www.rfc-editor.org/rfc/rfc8878 (3.1)

// MemberCuts cuts a compressed list between its members into parts of so many compressed bytes or
// more. It unpacks the list once, in flat memory, but gives up one that begins with a member of
// many times as many. r is of size bytes. What is not read when stop says so, or cannot be, is one
// part, the last: whoever reads that says why.
//
// The error is the source's own.
func (d Description) MemberCuts(r io.Reader, size, least int64, stop func() bool, limits Limits) (parts []Range, err error) {
	remembered := &source{Reader: r}
	m := &members{source: countedReader{Reader: bufio.NewReaderSize(remembered, 64<<10)}}
	var at Range
	list, err := d.Read(m, limits)
	for err == nil && !stop() && (m.several || m.source.n < oneMember*least) {
		var e Entry
		if err = list.Next(&e); err != nil {
			break
		}
		list.lines.atEnd() // reads on, so that a member that begins here has begun
		passed := list.lines.passed()
		for len(m.begun) > 0 && m.begun[0].text < passed {
			m.begun = m.begun[1:]
		}
		if len(m.begun) > 0 && m.begun[0].text == passed && m.begun[0].packed-at.Begin >= least {
			at.End = m.begun[0].packed
			parts = append(parts, at)
			at = Range{Begin: at.End, Line: list.lines.feeds}
		}
	}
	at.End = size
	return append(parts, at), remembered.err
}

// oneMember is how many shards a list's first member is as long as, when it is taken for the only one.
const oneMember = 4

// ReadMembers reads the entries of a part that MemberCuts made. head is the list's beginning, as
// it lies there, HeadBytes or all of it; r has the part's bytes, which are the list's last, or
// not. A part need have no entries.
//
// The error is a *BrokenError, or the source's own.
func (d Description) ReadMembers(head []byte, r io.Reader, g Range, last bool, limits Limits) (*Reader, error) {
	text := new(lines)
	if err := text.open(bytes.NewReader(head), limits.withDefaults()); err != nil {
		return nil, err
	}
	for text.end < HeadBytes && text.err == nil {
		text.begin = 0
		text.fill()
	}
	l, err := d.knowing(text.block[:text.end], g.Begin > 0, limits)
	if err != nil {
		return nil, err
	}
	open := l.lines.open
	if g.Begin > 0 {
		open = l.lines.unpack // a mark is text there
	}
	if err := open(r, limits.withDefaults()); err != nil {
		return nil, err
	}
	l.lines.feeds, l.lines.follows = g.Line, !last
	return l, nil
}

// members unpacks a list and notes where its members begin.
type members struct {
	source countedReader
	open   io.Reader // a member, or nil
	gzip   *gzip.Reader
	zstd   *zstd.Decoder
	text   int64 // bytes so far
	begun  []memberStart

	several bool // members have begun
}

// memberStart is where a member begins: in the list as it lies there, and in its text.
type memberStart struct{ packed, text int64 }

// countedReader counts what is read of it, byte by byte if need be.
type countedReader struct {
	*bufio.Reader
	n int64
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *countedReader) ReadByte() (byte, error) {
	b, err := c.Reader.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

func (m *members) Read(p []byte) (int, error) {
	for {
		if m.open == nil {
			if err := m.next(); err != nil {
				return 0, err
			}
		}
		n, err := m.open.Read(p)
		m.text += int64(n)
		if err == io.EOF {
			m.open, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// next begins the next member.
func (m *members) next() (err error) {
	head, err := m.source.Peek(4)
	if len(head) == 0 {
		return err
	}
	if compressionOf(head) != Plain { // a frame to skip is none that a list begins with
		m.several = m.source.n > 0
		m.begun = append(m.begun, memberStart{m.source.n, m.text})
	}
	switch {
	case compressionOf(head) == Gzip:
		if m.gzip == nil {
			m.gzip, err = gzip.NewReader(&m.source)
		} else {
			err = m.gzip.Reset(&m.source)
		}
		if err != nil {
			return err
		}
		m.gzip.Multistream(false)
		m.open = m.gzip
	default:
		frame := &zstdFrame{source: &m.source}
		if m.zstd == nil {
			m.zstd, err = zstd.NewReader(frame, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(windowBytes))
		} else {
			err = m.zstd.Reset(frame)
		}
		m.open = m.zstd
	}
	return err
}

// zstdFrame is one frame of a list, to its end.
type zstdFrame struct {
	source *countedReader
	left   int64 // of the header, or of the block, that is being read
	last   bool  // block
	sum    bool  // follows the last block
	state  frameState
}

type frameState uint8

const (
	beforeHeader frameState = iota
	beforeBlock
	inChecksum
	afterFrame
)

var errFrame = errors.New("a frame of zstd that is none")

func (f *zstdFrame) Read(p []byte) (int, error) {
	for f.left == 0 {
		if err := f.next(); err != nil {
			return 0, err
		}
	}
	n, err := f.source.Read(p[:min(int64(len(p)), f.left)])
	f.left -= int64(n)
	if err == io.EOF && (f.left > 0 || f.state != afterFrame) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// next finds out how long what follows is.
func (f *zstdFrame) next() error {
	switch f.state {
	case beforeHeader:
		var h zstd.Header
		head, _ := f.source.Peek(zstd.HeaderMaxSize)
		if err := h.Decode(head); err != nil {
			return errFrame
		}
		f.left, f.sum, f.state = int64(h.HeaderSize), h.HasCheckSum, beforeBlock
		if h.Skippable {
			f.left, f.state = int64(h.HeaderSize)+int64(h.SkippableSize), afterFrame
		}
	case beforeBlock:
		if f.last {
			f.state = inChecksum
			return nil
		}
		head, err := f.source.Peek(3)
		if err != nil {
			return io.ErrUnexpectedEOF
		}
		b := binary.LittleEndian.Uint32([]byte{head[0], head[1], head[2], 0})
		f.last = b&1 != 0
		f.left = 3 + int64(b>>3)
		if b>>1&3 == 1 { // one byte that is repeated
			f.left = 3 + 1
		}
	case inChecksum:
		f.state = afterFrame
		if f.sum {
			f.left = 4
		}
	default:
		return io.EOF
	}
	return nil
}

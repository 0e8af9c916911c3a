package manifest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
)

// What a page of a column may have. Writers make pages of some MiB at most: 1 MiB is what
// parquet-mr and Arrow aim at, and a dictionary of theirs.
const (
	maxPage       = 16 << 20 // bytes, packed and unpacked
	maxPageValues = 4 << 20
	maxPageHeader = 64 << 10 // bytes
)

// pageGate stands between a file and the library that reads it, which takes the memory that
// a page's header asks for. It looks at each header when the bytes pass where it begins,
// and at what the page unpacks to, before the library sees them.
//
// https://parquet.apache.org/docs/file-format/data-pages/
type pageGate struct {
	*sourceAt
	chunks []gatedChunk
	err    error // a *BrokenError: a page that is too large
}

// gatedChunk is one column of a row group.
type gatedChunk struct {
	begin, end int64
	next       int64 // where the next header is
	codec      format.CompressionCodec
	optional   bool // some of its values may be missing: levels, which say which, stand before the values
}

// let has a column be read.
func (g *pageGate) let(c *format.ColumnMetaData, optional bool) error {
	begin := c.DataPageOffset
	if c.DictionaryPageOffset != 0 {
		begin = c.DictionaryPageOffset
	}
	chunk := gatedChunk{begin: begin, end: begin + c.TotalCompressedSize, next: begin, codec: c.Codec, optional: optional}
	if begin < 0 || c.TotalCompressedSize < 0 || chunk.end > g.size {
		return errBadPage
	}
	for _, other := range g.chunks {
		if begin < other.end && other.begin < chunk.end {
			return errBadPage
		}
	}
	switch c.Codec {
	case format.Uncompressed, format.Snappy, format.Gzip, format.Zstd:
	default:
		g.err = &BrokenError{Reason: fmt.Sprintf("its columns are compressed with %s: write them with Snappy, gzip or zstd", c.Codec)}
		return g.err
	}
	g.chunks = append(g.chunks, chunk)
	return nil
}

// forget lets go of the columns of a row group.
func (g *pageGate) forget() { g.chunks = g.chunks[:0] }

func (g *pageGate) ReadAt(p []byte, offset int64) (int, error) {
	n, err := g.sourceAt.ReadAt(p, offset)
	for i := range g.chunks {
		c := &g.chunks[i]
		for c.next < c.end && c.next < offset+int64(n) && offset < c.end {
			if bad := g.page(c, p[:n], offset); bad != nil {
				if g.err == nil && g.sourceAt.err == nil {
					g.err = &BrokenError{Reason: bad.Error()}
				}
				return 0, bad
			}
		}
	}
	return n, err
}

var errBadPage = errors.New("it is no valid Parquet file: write it anew")

// page looks at the next page of a column, of which p, which lies at an offset, has some.
func (g *pageGate) page(c *gatedChunk, p []byte, offset int64) error {
	if c.next < offset {
		return errBadPage
	}
	text := p[c.next-offset:]
	h, size, err := readPageHeader(text)
	if err == io.ErrUnexpectedEOF {
		text = make([]byte, min(maxPageHeader, c.end-c.next))
		n, _ := g.sourceAt.ReadAt(text, c.next)
		text = text[:n]
		h, size, err = readPageHeader(text)
	}
	if err != nil {
		return errBadPage
	}
	if h.packed < 0 || h.unpacked < 0 || h.values < 0 {
		return errBadPage
	}
	if h.packed > maxPage || h.unpacked > maxPage || h.values > maxPageValues {
		return fmt.Errorf("a page of a column has %d bytes, %d unpacked, and %d values; it may have %d bytes and %d values: write the file with smaller pages", h.packed, h.unpacked, h.values, maxPage, maxPageValues)
	}
	switch h.encoding {
	case format.DeltaByteArray, format.DeltaBinaryPacked:
		return fmt.Errorf("its columns are encoded as %s, of which no bound is known before it is unpacked: write them with the version 1 of Parquet's writers", h.encoding)
	}
	if isDelta := h.encoding == format.DeltaLengthByteArray; c.codec != format.Uncompressed || isDelta {
		data := text[size:]
		if len(data) < int(h.packed) {
			data = make([]byte, h.packed)
			n, _ := g.sourceAt.ReadAt(data, c.next+int64(size))
			data = data[:n]
		} else {
			data = data[:h.packed]
		}
		codec := c.codec
		if !h.isPacked {
			codec = format.Uncompressed
		}
		if skip := h.levels; skip >= 0 && skip <= len(data) { // which version 2 does not pack
			data = data[skip:]
		}
		if codec != format.Uncompressed && unpacks(data, codec) > maxPage {
			return fmt.Errorf("a page of a column unpacks to more than %d bytes: write the file with smaller pages", maxPage)
		}
		if isDelta && !lengthsFit(data, codec, c.optional && h.isFirst, h.values) {
			return errBadPage
		}
	}
	c.next += int64(size) + int64(h.packed)
	return nil
}

// lengthsFit tells whether a page of lengths, which are written as differences, says of itself that it has as many as its
// header says, or fewer: the library takes memory for that many. hasLevels says that levels stand before them, as in version 1
// where values may be missing.
//
// https://parquet.apache.org/docs/file-format/data-pages/encodings/#DELTAENC
func lengthsFit(data []byte, codec format.CompressionCodec, hasLevels bool, values int64) bool {
	begin := 0
	if hasLevels {
		levels := beginning(data, codec, 4)
		if len(levels) < 4 {
			return false
		}
		if begin = 4 + int(binary.LittleEndian.Uint32(levels)); begin > maxPage {
			return false
		}
	}
	head := beginning(data, codec, begin+4*binary.MaxVarintLen64)
	if len(head) < begin {
		return false
	}
	t := thrift{rest: head[begin:]}
	t.varint() // of values in a block
	t.varint() // of pieces of a block
	total := t.varint()
	return t.err == nil && total <= uint64(values)
}

// beginning is the first n bytes that a page unpacks to, or all it has. What is damaged has none.
func beginning(data []byte, codec format.CompressionCodec, n int) []byte {
	var r io.Reader
	switch codec {
	case format.Snappy:
		text, err := snappy.Decode(nil, data) // no larger than maxPage
		if err != nil {
			return nil
		}
		return text[:min(n, len(text))]
	case format.Gzip:
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil
		}
		r = z
	case format.Zstd:
		z, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxPage))
		if err != nil {
			return nil
		}
		defer z.Close()
		r = z
	default:
		return data[:min(n, len(data))]
	}
	text, _ := io.ReadAll(io.LimitReader(r, int64(n)))
	return text
}

// unpacks tells how many bytes a page becomes, up to a little more than maxPage. What is
// damaged ends where the library ends.
func unpacks(data []byte, codec format.CompressionCodec) int64 {
	switch codec {
	case format.Snappy:
		n, _ := binary.Uvarint(data) // https://github.com/google/snappy/blob/main/format_description.txt
		return int64(min(n, maxPage+1))
	case format.Gzip:
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return 0
		}
		n, _ := io.CopyN(io.Discard, z, maxPage+1)
		return n
	case format.Zstd:
		z, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxPage))
		if err != nil {
			return maxPage + 1
		}
		defer z.Close()
		n, err := io.CopyN(io.Discard, z, maxPage+1)
		if errors.Is(err, zstd.ErrWindowSizeExceeded) {
			return maxPage + 1
		}
		return n
	}
	return 0
}

// pageHeader is what of a page's header asks for memory.
type pageHeader struct {
	unpacked, packed, values int64
	encoding                 format.Encoding
	levels                   int // bytes before what is packed, of version 2
	isPacked                 bool
	isFirst                  bool // a page of values of version 1
}

// readPageHeader reads a header in Thrift's compact protocol, without making anything of
// what it says. The error is io.ErrUnexpectedEOF where there is more of it.
//
// https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
// https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
func readPageHeader(text []byte) (h pageHeader, size int, err error) {
	h.isPacked = true
	t := thrift{rest: text}
	t.fields(0, func(path [2]int16, v int64) {
		switch path {
		case [2]int16{2}:
			h.unpacked = v
		case [2]int16{3}:
			h.packed = v
		case [2]int16{5, 1}, [2]int16{7, 1}, [2]int16{8, 1}:
			h.values = max(h.values, v)
		case [2]int16{5, 2}, [2]int16{8, 4}:
			h.encoding, h.isFirst = format.Encoding(v), path[0] == 5
		case [2]int16{8, 5}, [2]int16{8, 6}:
			h.levels += int(v)
		case [2]int16{8, 7}:
			h.isPacked = v != 0
		}
	}, [2]int16{})
	if h.values < 0 || h.levels < 0 {
		t.fail(errBadPage)
	}
	return h, len(text) - len(t.rest), t.err
}

// thrift reads the compact protocol.
type thrift struct {
	rest []byte
	err  error
}

func (t *thrift) fail(err error) {
	if t.err == nil {
		t.err = err
	}
	t.rest = nil
}

func (t *thrift) byte() byte {
	if len(t.rest) == 0 {
		t.fail(io.ErrUnexpectedEOF)
		return 0
	}
	b := t.rest[0]
	t.rest = t.rest[1:]
	return b
}

func (t *thrift) skip(n uint64) {
	if n > uint64(len(t.rest)) {
		t.fail(io.ErrUnexpectedEOF)
		return
	}
	t.rest = t.rest[n:]
}

func (t *thrift) varint() uint64 {
	v, n := binary.Uvarint(t.rest)
	switch {
	case n == 0:
		t.fail(io.ErrUnexpectedEOF)
	case n < 0:
		t.fail(errBadPage)
	default:
		t.rest = t.rest[n:]
	}
	return v
}

// fields visits the numbers and the booleans of a struct and of those in it.
func (t *thrift) fields(depth int, visit func([2]int16, int64), path [2]int16) {
	if depth > 8 {
		t.fail(errBadPage)
	}
	id := int16(0)
	for t.err == nil {
		head := t.byte()
		if head == 0 {
			return
		}
		if delta := head >> 4; delta != 0 {
			id += int16(delta)
		} else {
			v := t.varint()
			id = int16(v>>1) ^ -int16(v&1)
		}
		at := path
		if depth < 2 {
			at[depth] = id
		}
		t.value(head&15, depth, visit, at)
	}
}

func (t *thrift) value(kind byte, depth int, visit func([2]int16, int64), at [2]int16) {
	seen := func(v int64) {
		if depth < 2 && t.err == nil {
			visit(at, v)
		}
	}
	switch kind {
	case 1, 2: // true, false
		seen(int64(2 - kind))
	case 3:
		t.byte()
	case 4, 5, 6:
		v := t.varint()
		seen(int64(v>>1) ^ -int64(v&1))
	case 7:
		t.skip(8)
	case 8:
		t.skip(t.varint())
	case 12:
		t.fields(depth+1, visit, at)
	default: // lists, sets and maps, which no header has
		t.fail(errBadPage)
	}
}

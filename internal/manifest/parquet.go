package manifest

import (
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"bulkpresign/internal/s3op"
)

const (
	// parquetBuffer is how much of a column is read at a time, so that a range of an
	// object is worth asking for.
	parquetBuffer = 1 << 20

	// maxFooter bounds what says where the columns lie.
	maxFooter = 16 << 20
)

// OpenParquet reads a shard of an inventory that is Parquet. Keys are as they are there.
// Delete markers are left out: they are no objects. The shard is read twice: first it is
// held against its MD5 and size, from its beginning to its end, then the columns are read
// that matter, 1 MiB at a time. Of each, one page is in memory, some MiB as S3 writes
// them. A shard without entries ends with io.EOF.
//
// The error is a *BrokenError, or the source's own.
func (v *Inventory) OpenParquet(s Shard, r io.ReaderAt, limits Limits) (list *Reader, err error) {
	source := &sourceAt{ReaderAt: r, size: s.Size}
	p := &parquetReader{source: source, limits: limits}
	defer func() {
		if panicked := recover(); panicked != nil {
			err = p.broken()
		}
		if err != nil {
			list, err = nil, inFile(s.Key, err)
		}
	}()
	sum := &checkedReader{Reader: io.NewSectionReader(source, 0, s.Size), shard: s, hash: md5.New()}
	for buffer := make([]byte, parquetBuffer); err == nil; {
		_, err = sum.Read(buffer)
	}
	if source.err != nil {
		return nil, source.err
	}
	if err := sum.verify(); err != nil {
		return nil, err
	}
	if err := p.open(s.Size); err != nil {
		return nil, err
	}
	return &Reader{shard: &shardState{Shard: s, bucket: v.SourceBucket}, parquet: p}, nil
}

// ReadParquet reads a Parquet file with a column "key", and perhaps "bucket", "version_id"
// or S3 URIs, as CSV has them. It is read once, 1 MiB at a time, and of each column one
// page is in memory.
//
// The error is a *BrokenError, or the source's own.
func ReadParquet(r io.ReaderAt, size int64, limits Limits) (list *Reader, err error) {
	p := &parquetReader{source: &sourceAt{ReaderAt: r, size: size}, limits: limits}
	defer func() {
		if panicked := recover(); panicked != nil {
			list, err = nil, p.broken()
		}
	}()
	if err := p.open(size); err != nil {
		return nil, err
	}
	return &Reader{parquet: p}, nil
}

// Groups are some of the row groups of a Parquet file, from 0.
type Groups struct {
	Begin int `json:"begin"`
	End   int `json:"end"` // behind the last
}

// ParquetGroups tells how many rows each row group of a file has that ReadParquet would
// read. It reads the end of the file, which says so.
//
// The error is a *BrokenError, or the source's own.
func ParquetGroups(r io.ReaderAt, size int64) (rows []int64, err error) {
	list, err := ReadParquet(r, size, Limits{})
	if err != nil {
		return nil, err
	}
	for _, g := range list.parquet.groups {
		rows = append(rows, g.NumRows())
	}
	return rows, nil
}

// ReadParquetGroups is ReadParquet of some row groups, which need have no rows.
func ReadParquetGroups(r io.ReaderAt, size int64, g Groups, limits Limits) (*Reader, error) {
	list, err := ReadParquet(r, size, limits)
	if err != nil {
		return nil, err
	}
	p := list.parquet
	if g.Begin < 0 || g.End < g.Begin || g.End > len(p.groups) {
		return nil, &BrokenError{Reason: fmt.Sprintf("it has %d row groups, and not those from %d to %d: it is another file than the one that was cut", len(p.groups), g.Begin, g.End)}
	}
	for _, before := range p.groups[:g.Begin] {
		p.row += before.NumRows()
	}
	p.groups, p.meta = p.groups[g.Begin:g.End], p.meta[g.Begin:g.End]
	list.isPart = true
	return list, nil
}

// sourceAt remembers why reading failed. It is not asked for what cannot be there, which
// a broken file may name.
type sourceAt struct {
	io.ReaderAt
	size int64
	err  error
}

func (s *sourceAt) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 || offset >= s.size {
		return 0, io.EOF
	}
	n, err := s.ReaderAt.ReadAt(p, offset)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// parquetReader reads the columns of a flat Parquet file beside each other.
type parquetReader struct {
	source *sourceAt
	gate   *pageGate
	limits Limits
	groups []parquet.RowGroup // not begun
	left   int64              // rows of the group that was begun
	row    int64              // of the file, from 1
	meta   []format.RowGroup  // of all groups
	group  int                // how many were begun

	key, version, deleted, bucket int          // columns; -1 when there is none
	optional                      map[int]bool // columns whose values may be missing
	isURI                         bool         // the key is
	columns                       [4]parquetColumn
	arena                         []byte // where keys are put down
}

func (p *parquetReader) broken() error {
	if p.source.err != nil {
		return p.source.err
	}
	if p.gate != nil && p.gate.err != nil {
		known := *p.gate.err.(*BrokenError)
		known.Line = p.row
		return &known
	}
	return &BrokenError{Line: p.row, Reason: errBadPage.Error()}
}

func (p *parquetReader) open(size int64) error {
	var end [8]byte // the footer's size, and Parquet's mark
	if size < 12 {
		return p.broken()
	}
	if _, err := p.source.ReadAt(end[:], size-int64(len(end))); err != nil && err != io.EOF {
		return p.broken()
	}
	if footer := binary.LittleEndian.Uint32(end[:]); footer > maxFooter || int64(footer) > size {
		return p.broken()
	}
	p.gate = &pageGate{sourceAt: p.source}
	file, err := parquet.OpenFile(p.gate, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(parquetBuffer))
	if err != nil {
		return p.broken()
	}
	p.key, p.version, p.deleted, p.bucket = -1, -1, -1, -1
	p.optional = map[int]bool{}
	uri := -1
	for _, path := range file.Schema().Columns() {
		if len(path) != 1 {
			continue // within another
		}
		at, id := roleOf(path[0], s3op.GetObject)
		var column *int
		kind := parquet.ByteArray
		switch {
		case at == keyRole:
			column = &p.key
		case at == uriRole, at == pathRole:
			column = &uri
		case at == bucketRole:
			column = &p.bucket
		case at == optionRole && id == versionID:
			column = &p.version
		case at == deletedRole:
			column, kind = &p.deleted, parquet.Boolean
		default:
			continue
		}
		leaf, found := file.Schema().Lookup(path[0])
		if !found || leaf.MaxRepetitionLevel != 0 || leaf.Node.Type().Kind() != kind || *column >= 0 {
			if column == &uri {
				continue
			}
			return &BrokenError{Reason: "it is no list: its column" + shownName(path[0]) + " is there twice, or has another type than an inventory of S3 gives it"}
		}
		*column = leaf.ColumnIndex
		p.optional[leaf.ColumnIndex] = leaf.MaxDefinitionLevel > 0
	}
	if p.key < 0 {
		p.key, p.isURI = uri, true
	}
	if p.key < 0 {
		return &BrokenError{Reason: "it is no inventory of S3, nor a list: name the column that has the keys \"key\""}
	}
	p.groups = file.RowGroups()
	p.meta = file.Metadata().RowGroups
	return nil
}

// next reads the next row that is no delete marker.
func (p *parquetReader) next(e *Entry, list *Reader) (err error) {
	defer func() {
		if recover() != nil {
			err = p.broken() // the library trusts the file
		}
	}()
	for {
		for p.left == 0 {
			if len(p.groups) == 0 {
				return io.EOF
			}
			group := p.groups[0]
			p.groups = p.groups[1:]
			p.left = group.NumRows()
			p.group++
			p.gate.forget()
			for i, index := range []int{p.key, p.version, p.deleted, p.bucket} {
				p.columns[i].close()
				p.columns[i] = parquetColumn{}
				if index >= 0 {
					if p.gate.let(&p.meta[p.group-1].Columns[index].MetaData, p.optional[index]) != nil {
						return p.broken()
					}
					p.columns[i].pages = group.ColumnChunks()[index].Pages()
				}
			}
		}
		p.left--
		p.row++
		if p.limits.Lines > 0 && p.row > p.limits.Lines {
			return &BrokenError{Line: p.row, Reason: fmt.Sprintf("the file has more than %d rows", p.limits.Lines)}
		}
		var values [4]parquet.Value
		for i := range values {
			if values[i], err = p.columns[i].next(); err != nil {
				return p.broken()
			}
		}
		key, version, deleted := values[0], values[1], values[2]
		if !deleted.IsNull() && deleted.Boolean() {
			continue
		}
		*e = Entry{Line: p.row}
		if key.IsNull() {
			e.Err = errors.New("the row has no key")
			return nil
		}
		if e.Key, e.Err = p.keep(key.ByteArray()); e.Err != nil {
			return nil
		}
		if bucket := values[3]; !bucket.IsNull() {
			if e.Bucket, e.Err = p.keep(bucket.ByteArray()); e.Err != nil {
				return nil
			}
		}
		if p.isURI {
			if e.Err = e.uri([]byte(e.Key)); e.Err != nil {
				return nil
			}
		}
		if !version.IsNull() && len(version.ByteArray()) > 0 {
			o := s3op.Option{ID: versionID}
			if o.Value, e.Err = p.keep(version.ByteArray()); e.Err != nil {
				return nil
			}
			e.Options = list.keep(append(list.room(), o))
		}
		return nil
	}
}

// keep copies what lies in a page, which is written over.
func (p *parquetReader) keep(text []byte) (string, error) {
	if !utf8.Valid(text) {
		return "", errNotUTF8
	}
	if len(text) > cap(p.arena)-len(p.arena) {
		p.arena = make([]byte, 0, max(blockBytes, len(text)))
	}
	begin := len(p.arena)
	p.arena = append(p.arena, text...)
	return shared(p.arena[begin:]), nil
}

// parquetColumn reads the values of one column of a row group. Without pages they are
// all null.
type parquetColumn struct {
	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader
	buffer [256]parquet.Value
	begin  int
	end    int
}

func (c *parquetColumn) next() (parquet.Value, error) {
	if c.pages == nil {
		return parquet.Value{}, nil
	}
	for c.begin == c.end {
		if c.values == nil {
			page, err := c.pages.ReadPage()
			if err != nil {
				return parquet.Value{}, err
			}
			parquet.Release(c.page)
			c.page, c.values = page, page.Values()
		}
		n, err := c.values.ReadValues(c.buffer[:])
		c.begin, c.end = 0, n
		if err == io.EOF {
			c.values = nil
		} else if err != nil {
			return parquet.Value{}, err
		} else if n == 0 {
			return parquet.Value{}, io.ErrNoProgress
		}
	}
	c.begin++
	return c.buffer[c.begin-1], nil
}

func (c *parquetColumn) close() {
	if c.pages != nil {
		parquet.Release(c.page)
		c.pages.Close()
	}
}

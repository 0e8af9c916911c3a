package manifest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
	"unsafe"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/s3op"
)

// Reader streams the entries of a list. It serves one goroutine.
type Reader struct {
	list    Description
	lines   lines
	columns columns  // of CSV
	json    document // of JSON as a whole
	listing bool     // objects in JSON are entries of a listing, so far
	scratch []byte
	shard   *shardState
	parquet *parquetReader
	used    bool // there was an entry
	begun   bool
	isPart  bool // of a list, which need have no entries
	options []s3op.Option
	broken  error
}

// NewReader reads a list. What is compressed in truth is uncompressed whatever its name
// says, and the reverse, since gzip and zstd begin like no text.
//
// The error is a *BrokenError, or the source's own.
func NewReader(r io.Reader, f Format, c Compression, limits Limits) (*Reader, error) {
	return Description{Format: f, Compression: c}.Read(r, limits)
}

// Read reads a list that is written so, as NewReader.
func (d Description) Read(r io.Reader, limits Limits) (*Reader, error) {
	l, err := newReader(r, d, limits)
	if err != nil {
		return nil, err
	}
	head, atEnd := l.lines.head()
	if reason := noText(head); reason != "" {
		return nil, &BrokenError{Line: 1, Reason: reason}
	}
	if d.Format == Request {
		l.json.isRequest = !isListing(head)
		return l, nil
	}
	first := firstLines(head, atEnd)
	if d.Format == Text || d.Format == CSV {
		if reason := noKeys(first); reason != "" {
			return nil, &BrokenError{Line: 1, Reason: reason}
		}
	}
	if d.Keys == AsIs && (d.Format == Text || d.Format == JSONLines) && (allURIs(first) || d.Format == JSONLines && allHold(first, `"key":"s3://`)) {
		l.list.Keys = URI
	}
	if d.Format == CSV {
		if err := l.dialect(first); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// allHold tells whether a text stands in every one of the first lines.
func allHold(lines [][]byte, text string) bool {
	return len(lines) > 0 && !slices.ContainsFunc(lines, func(line []byte) bool { return !bytes.Contains(line, []byte(text)) })
}

func newReader(r io.Reader, d Description, limits Limits) (*Reader, error) {
	if d.Format == InventoryManifest || d.Format == Parquet {
		return nil, fmt.Errorf("manifest: format %d is no list to read from its beginning to its end", d.Format)
	}
	l := &Reader{list: d}
	l.columns.separator = ','
	switch d.Format {
	case InventoryPart, BatchReport:
		l.columns.known, l.columns.open = true, true
		l.columns.fields = unnamed
	}
	if err := l.lines.open(r, limits.withDefaults()); err != nil {
		return nil, err
	}
	return l, nil
}

// KeysAre tells how the list writes its keys, before the first call of Next; without it
// they are as they are.
func (r *Reader) KeysAre(e KeyEncoding) { r.list.Keys = e }

// Operation tells what the list is signed for, before the first call of Next.
func (r *Reader) Operation(op s3op.Operation) { r.list.Operation = op }

// MayBeEmpty says that the list is one of many: that it has no entries is no mistake.
func (r *Reader) MayBeEmpty() { r.isPart = true }

// Next reads the next entry. It returns io.EOF at the end of a list, and a *BrokenError
// where a list cannot be read on or has no entries. Any other error is the source's own,
// as it gave it: the list may well be good.
func (r *Reader) Next(e *Entry) error {
	if r.broken != nil {
		return r.broken
	}
	err := r.read(e)
	if err == io.EOF {
		err = r.end()
	}
	if err != nil {
		if r.shard != nil {
			err = inFile(r.shard.Key, err)
		}
		r.broken = err
		return err
	}
	r.used = true
	if r.shard != nil {
		e.Bucket = r.shard.bucket
	}
	if e.Err != nil {
		e.Bucket, e.Key, e.Options = "", "", nil
	}
	return nil
}

// end looks at the list as a whole once it is read.
func (r *Reader) end() error {
	switch {
	case r.shard == nil && !r.isPart && !r.used:
		return &BrokenError{Reason: "it has no entries: write at least one key"}
	case r.shard != nil && r.shard.verify != nil:
		if err := r.shard.verify(); err != nil {
			return err
		}
	}
	return io.EOF
}

func (r *Reader) read(e *Entry) error {
	if r.parquet != nil {
		return r.parquet.next(e, r)
	}
	return r.next(e)
}

func (r *Reader) next(e *Entry) error {
	for {
		var line []byte
		var err error
		if r.list.Format == Request {
			line, err = r.element()
		} else {
			line, err = r.lines.next(false)
		}
		if err != nil {
			return err
		}
		if len(line) == 0 {
			continue
		}
		*e = Entry{Line: r.lines.number}
		isEntry := true
		switch r.list.Format {
		case Text, Lists:
			isEntry = r.textLine(e, line)
		case JSONLines, Request:
			isEntry = r.item(e, line)
		default:
			isEntry, err = r.row(e, line)
		}
		if err != nil {
			return err
		}
		if isEntry {
			return nil
		}
	}
}

// What a line may be that looks like a slip; a key may be written so, too.
const (
	warnComment = "the line begins with # and is signed as a key: leave it out if it is a comment"
	warnHeader  = "the first line is a column's name and is signed as a key: leave it out, or end the list's name with .csv"
	warnQuoted  = "the line is in quotation marks and signed with them: leave them out, or end the list's name with .csv if it is CSV"
	warnMark    = "the line begins with a byte order mark, as where two files were joined, and is signed with it: leave it out"
	warnCtrlZ   = "the line ends with Ctrl-Z, DOS's mark of a text's end, and is signed with it: leave it out"
	ctrlZ       = 0x1a
)

var mark = []byte("\xef\xbb\xbf") // UTF-8's byte order mark

// textLine makes an entry of a line of text. A Ctrl-Z alone at the end is none.
func (r *Reader) textLine(e *Entry, line []byte) (isEntry bool) {
	switch line[0] {
	case '#':
		e.Warning = warnComment
	case '"':
		if len(line) > 1 && line[len(line)-1] == '"' {
			e.Warning = warnQuoted
		}
	case mark[0]:
		if bytes.HasPrefix(line, mark) {
			e.Warning = warnMark
		}
	}
	if !r.begun {
		r.begun = true
		if name := string(line); name == "key" || name == "Key" || name == "KEY" {
			e.Warning = warnHeader
		}
	}
	if line[len(line)-1] == ctrlZ {
		if len(line) == 1 && r.lines.atEnd() {
			return false
		}
		e.Warning = warnCtrlZ
	}
	if r.list.Keys == URI && line[0] == '#' {
		return false // no URI begins so
	}
	e.Err = r.key(e, line)
	return true
}

// errNotUTF8 is the mistake of an entry in another encoding, such as Latin-1.
var errNotUTF8 = errors.New("the line is not UTF-8, which S3's keys are: save the list as UTF-8")

// key makes a key of its bytes in the list, which it takes over.
func (r *Reader) key(e *Entry, text []byte) (err error) {
	switch r.list.Keys {
	case AsIs:
		if !utf8.Valid(text) {
			return errNotUTF8
		}
		e.Key = shared(text)
	case URI:
		return e.uri(text)
	default:
		e.Key, err = decodeKey(text, r.list.Keys)
	}
	return err
}

// uri takes the bucket and the key from an S3 URI.
func (e *Entry) uri(text []byte) error {
	if !utf8.Valid(text) {
		return errNotUTF8
	}
	bucket, key, ok := cutURI(shared(text))
	if !ok {
		return errNoURI
	}
	e.Bucket, e.Key = bucket, key
	return nil
}

// itemError leaves out the code, which is a request's.
func itemError(err error) error {
	var known *bulk.Error
	if errors.As(err, &known) {
		return errors.New(known.Detail)
	}
	return err
}

// Options of many entries lie in one slice, so that few are made.

// room is where the options of an entry are put down.
func (r *Reader) room() []s3op.Option {
	if cap(r.options)-len(r.options) < 8 {
		r.options = make([]s3op.Option, 0, 256)
	}
	return r.options[len(r.options):]
}

// keep gives an entry what was appended to its room.
func (r *Reader) keep(options []s3op.Option) []s3op.Option {
	n := len(options)
	if n == 0 {
		return nil
	}
	if n <= cap(r.options)-len(r.options) { // else they are in a slice of their own
		r.options = r.options[:len(r.options)+n]
	}
	return options[:n:n]
}

// shared makes a string of bytes that nobody will write to again.
func shared(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// lines cuts a stream into lines. They lie in blocks that are made anew rather than
// written over, so a line stays as it is: nothing is copied but the piece of a line that
// lies across two blocks.
type lines struct {
	source source
	text   io.Reader // of source, uncompressed
	limits Limits

	block  []byte
	begin  int   // in the block: of the line
	from   int   // in the block: of what was not cut off before, at or after begin
	seen   int   // in the block: there is no line feed between from and here
	end    int   // in the block: of the text
	number int64 // of the line that begins at begin
	feeds  int64 // line feeds that were passed
	total  int64 // bytes of text
	stop   int64 // no line begins so many bytes after the beginning, or later; 0: at no place

	follows bool  // more text than there is to read
	err     error // why there is no more text
}

// source counts what is read and remembers why reading ended, so that a broken
// connection can be told from a broken list.
type source struct {
	io.Reader
	n   int64
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.n += int64(n)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// blockBytes is a multiple of what decompressors give at a time.
const blockBytes = 128 << 10

// windowBytes is how far back a zstd list may refer, which a reader must remember: what
// RFC 8878, section 3.1.1.1.2, recommends to support, and what every level of zstd but
// --ultra keeps to.
const windowBytes = 8 << 20

func (l *lines) open(r io.Reader, limits Limits) error {
	if err := l.unpack(r, limits); err != nil {
		return err
	}
	return l.skipMark()
}

// unpack is open, but takes a mark for text.
func (l *lines) unpack(r io.Reader, limits Limits) error {
	l.source.Reader = r
	l.limits = limits
	buffered := bufio.NewReaderSize(&l.source, 32<<10)
	head, err := buffered.Peek(4) // or less, of a short list
	if l.source.err != nil {
		return l.source.err
	}
	c := compressionOf(head) // whatever its name says
	switch c {
	case Plain:
		l.text = buffered
	case Gzip:
		l.text, err = gzip.NewReader(buffered)
	case Zstd:
		l.text, err = zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(windowBytes))
	}
	if c != Plain && err != nil {
		if err == io.EOF { // within the header
			err = io.ErrUnexpectedEOF
		}
		return l.explain(err)
	}
	return nil
}

// skipMark skips UTF-8's byte order mark, and refuses those of UTF-16.
func (l *lines) skipMark() error {
	for l.end < 3 && l.err == nil {
		l.fill()
	}
	text := l.block[:l.end]
	switch {
	case bytes.HasPrefix(text, mark):
		l.begin, l.from, l.seen = 3, 3, 3
	case bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")):
		return &BrokenError{Line: 1, Reason: "it is UTF-16: save it as UTF-8"}
	}
	return nil
}

// head is the beginning of the text, up to sniffBytes or what a block has.
func (l *lines) head() (head []byte, atEnd bool) {
	for l.end-l.begin < sniffBytes && l.err == nil {
		l.fill()
	}
	return l.block[l.begin:min(l.end, l.begin+sniffBytes)], l.err == io.EOF && l.end-l.begin <= sniffBytes
}

// atEnd tells whether no text follows the line that was cut off last.
func (l *lines) atEnd() bool {
	for l.seen == l.end && l.err == nil {
		l.fill()
	}
	return l.seen == l.end && !l.follows
}

// next cuts off the next line, without its end; with more, it begins where the one before
// began and so holds both, with the line break between them.
func (l *lines) next(more bool) ([]byte, error) {
	if !more {
		if l.stop > 0 && l.passed() >= l.stop {
			return nil, io.EOF
		}
		l.begin = l.seen
		l.number = l.feeds + 1
	}
	l.from = l.seen
	for {
		if i := bytes.IndexByte(l.block[l.seen:l.end], '\n'); i >= 0 {
			line := l.block[l.begin : l.seen+i]
			l.seen += i + 1
			l.feeds++
			if l.limits.Lines > 0 && l.feeds > l.limits.Lines {
				return nil, l.tooManyLines()
			}
			if len(line) > l.limits.LineBytes {
				return nil, l.tooLong()
			}
			return trimCR(line), nil
		}
		l.seen = l.end
		if l.end-l.begin > l.limits.LineBytes {
			return nil, l.tooLong()
		}
		if l.err != nil {
			return l.last()
		}
		l.fill()
	}
}

// passed is how many bytes of text stand before what is cut off next.
func (l *lines) passed() int64 { return l.total - int64(l.end-l.seen) }

// last gives what stands after the last line feed.
func (l *lines) last() ([]byte, error) {
	if l.err != io.EOF {
		return nil, l.explain(l.err)
	}
	if l.from == l.end {
		return nil, io.EOF
	}
	if l.limits.Lines > 0 && l.feeds >= l.limits.Lines {
		return nil, l.tooManyLines()
	}
	return trimCR(l.block[l.begin:l.end]), nil
}

func trimCR(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}

// fill reads more text behind what there is.
func (l *lines) fill() {
	if l.end == len(l.block) {
		rest := l.block[l.begin:l.end]
		block := make([]byte, max(blockBytes, len(rest)+blockBytes/2))
		l.end = copy(block, rest)
		l.from -= l.begin
		l.seen -= l.begin
		l.begin = 0
		l.block = block
	}
	for tries := 0; ; tries++ {
		n, err := l.text.Read(l.block[l.end:])
		l.end += n
		l.total += int64(n)
		l.err = err
		if tries == 100 && n == 0 && err == nil {
			l.err = io.ErrNoProgress
		}
		if n > 0 || l.err != nil {
			break
		}
	}
	switch {
	case l.err != nil && l.err != io.EOF:
	case l.limits.Bytes > 0 && l.total > l.limits.Bytes:
		l.err = l.broken("the list has more than %d bytes: split it", l.limits.Bytes)
	case l.total > 8<<20 && l.total/l.limits.Ratio > l.source.n:
		l.err = l.broken("it unpacks to more than %d times its size, which no list of keys does: compress it anew, or not at all", l.limits.Ratio)
	}
}

func (l *lines) broken(format string, args ...any) *BrokenError {
	return &BrokenError{Line: l.feeds + 1, Reason: fmt.Sprintf(format, args...)}
}

func (l *lines) tooManyLines() error {
	return l.broken("the list has more than %d lines: split it", l.limits.Lines)
}

func (l *lines) tooLong() error {
	return &BrokenError{Line: l.number, Reason: fmt.Sprintf("the line is longer than %d bytes: write an entry a line", l.limits.LineBytes)}
}

// explain says why there is no more text.
func (l *lines) explain(err error) error {
	var known *BrokenError
	switch {
	case l.source.err != nil:
		return l.source.err
	case errors.As(err, &known):
		known.Line = l.feeds + 1
		return known
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, zstd.ErrMagicMismatch):
		return l.broken("it is not compressed as its name says, or something follows the compressed text: compress it anew")
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, zstd.ErrCRCMismatch):
		return l.broken("the compressed text is damaged (its checksum does not match): upload the list again")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return l.broken("the compressed text ends too early: upload the list again")
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return l.broken("it is compressed with a window of more than %d MiB: compress it without --ultra and --long", windowBytes>>20)
	}
	return l.broken("the compressed text is damaged: upload the list again")
}

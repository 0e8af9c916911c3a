package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"bulkpresign/internal/s3op"
)

// columns says what stands in the columns of a CSV.
type columns struct {
	separator byte
	known     bool // by a header, or because the first row is none
	named     bool // by a header
	open      bool // what follows the columns that are known is passed over
	sameFirst bool // the second row begins like the first, or there is none
	fields    []column
	scratch   [][]byte
}

type column struct {
	kind   columnKind
	option s3op.ID
	trim   bool // of spaces before the value, which the header has, too
}

type columnKind uint8

const (
	bucketColumn columnKind = iota
	keyColumn
	uriColumn
	optionColumn
	deleteMarkerColumn // of a listing
	ignoredColumn      // of a listing
)

// versionID is the option of a third column.
var versionID, _ = s3op.Lookup("version_id")

// unnamed are the columns of a CSV without a header, the last of which may be missing.
var unnamed = []column{{kind: bucketColumn}, {kind: keyColumn}, {kind: optionColumn, option: versionID}}

// separators are what may stand between fields: the comma of RFC 4180, the semicolon of
// spreadsheets where the comma is in numbers, and the tab of .tsv.
const separators = ",;\t"

var errSeparator = &BrokenError{Line: 1, Reason: "nothing that is known stands between the columns: separate them with a comma, a semicolon or a tab, and put a key that holds one into quotation marks"}

// dialect finds out from the first lines what separates columns, and whether they are S3
// URIs.
func (r *Reader) dialect(first [][]byte) error {
	if len(first) == 0 {
		return nil
	}
	c := &r.columns
	if sep, ok := separatorLine(first[0]); ok {
		if strings.IndexByte(separators, sep) < 0 {
			return errSeparator
		}
		c.separator = sep
		first = first[1:]
	} else {
		c.separator = separatorOf(first[0])
	}
	if len(first) == 0 {
		return nil
	}
	plain := bytes.IndexByte(first[0], c.separator) < 0
	switch {
	case plain && bytes.ContainsAny(first[0], "|\x01") && !bytes.ContainsAny(first[0], `"`) && r.list.Keys == AsIs && !allURIs(first):
		return errSeparator
	case plain && allURIs(first):
		c.known, c.fields = true, []column{{kind: uriColumn}}
	}
	begin := func(line []byte) string { // of a row: its first field, quotation marks and all
		field, _, _ := bytes.Cut(line, []byte{c.separator})
		return string(bytes.Trim(field, ` "`))
	}
	c.sameFirst = len(first) < 2 || begin(first[0]) == begin(first[1])
	return nil
}

// separatorLine reads a spreadsheet's line that says what separates columns: sep=;
func separatorLine(line []byte) (sep byte, ok bool) {
	line = bytes.Trim(line, `"`)
	if len(line) == 5 && bytes.EqualFold(line[:4], []byte("sep=")) {
		return line[4], true
	}
	return 0, false
}

// separatorOf finds what separates the columns of the first row: what makes a header of it,
// else what stands before or after a quotation mark, else a comma, a tab or a semicolon,
// whichever it has.
func separatorOf(row []byte) byte {
	for _, sep := range []byte(separators) {
		if bytes.IndexByte(row, sep) < 0 {
			continue
		}
		for field := range bytes.SplitSeq(row, []byte{sep}) {
			if r, _ := roleOf(strings.Trim(string(field), ` "`), s3op.GetObject); r == keyRole || r == uriRole || r == pathRole {
				return sep
			}
		}
	}
	for _, sep := range []byte(separators) {
		if bytes.Contains(row, []byte{'"', sep}) || bytes.Contains(row, []byte{sep, '"'}) {
			return sep
		}
	}
	// A bucket's name holds none of them, so the first that is there ends it.
	if i := bytes.IndexAny(row, separators); i >= 0 {
		return row[i]
	}
	return ','
}

// header reads the first row: it names the columns if one of them is a key or an S3 URI
// and the first is known, too, or has no name. Where the first is not known, a row such as
// "photos,key" may as well be an entry: it is one if the next row begins in the same way.
func (r *Reader) header(fields [][]byte) (isHeader bool, err error) {
	for len(fields) > 1 && len(fields[len(fields)-1]) == 0 {
		fields = fields[:len(fields)-1] // columns that a spreadsheet has left empty
	}
	named := make([]column, len(fields))
	rolesOf := make([]role, len(fields))
	keys, uris, listed, buckets, unknown := 0, 0, 0, 0, -1
	for i, f := range fields {
		name := string(f)
		at, id := roleOf(name, r.list.Operation)
		if at == optionRole && (id.Kind() == s3op.StringMap || id.Kind() == s3op.Integers || id.Kind() == s3op.Texts) {
			at = unknownRole // what takes JSON to write
		}
		named[i] = column{kind: ignoredColumn, trim: i > 0 && len(f) > 0 && f[0] == ' '}
		rolesOf[i] = at
		switch at {
		case keyRole:
			named[i].kind = keyColumn
			keys++
		case bucketRole:
			named[i].kind = bucketColumn
			buckets++
		case uriRole, pathRole:
			uris++
		case optionRole:
			named[i].kind, named[i].option = optionColumn, id
		case deletedRole:
			named[i].kind = deleteMarkerColumn
		case folderRole, kindRole, passedRole:
			listed++
		default:
			if strings.Trim(name, " \t") != "" && unknown < 0 {
				unknown = i
			}
		}
	}
	switch {
	case keys == 0 && uris == 0:
		if rolesOf[0] == bucketRole && listed > 0 {
			return false, &BrokenError{Line: r.lines.number, Reason: `the header has no column "key": name the one that has the keys so`}
		}
		return false, nil
	case unknown == 0 && buckets == 0 && r.columns.sameFirst:
		return false, nil
	case unknown >= 0 && !r.list.PassExtra:
		return false, &BrokenError{Line: r.lines.number, Reason: fmt.Sprintf("column %d of the header%s has a name that is neither bucket, key, a signing option nor anything that S3 lists: %sleave the column out, or set the list's metadata presign-extra-columns to ignore", unknown+1, shownName(string(fields[unknown])), meant(string(fields[unknown]), r.list.Operation))}
	}
	for i, at := range rolesOf { // the first URI is the key where there is no other
		if keys == 0 && (at == uriRole || at == pathRole) {
			named[i].kind = uriColumn
			keys++
		}
	}
	for i, a := range named {
		for j := range i {
			if a.kind != ignoredColumn && a.kind == named[j].kind && a.option == named[j].option {
				return false, &BrokenError{Line: r.lines.number, Reason: fmt.Sprintf("columns %d and %d of the header are the same: leave one out", j+1, i+1)}
			}
		}
	}
	r.columns.named = true
	r.columns.fields = named
	return true, nil
}

var (
	errBareQuote  = errors.New(`a quotation mark stands within a field that does not begin with one: put the field into quotation marks and write "" for each within it`)
	errAfterQuote = errors.New(`something follows the quotation mark that ends a field: write "" for a quotation mark within a field`)
	errThird      = errors.New("the row has three columns, and what stands in the third is no version ID: put a key that holds a comma into quotation marks, or begin the list with a row that names its columns")
)

// row reads a row that begins with line. A header and a delete marker are no entries.
// The error ends the list.
func (r *Reader) row(e *Entry, line []byte) (isEntry bool, err error) {
	c := &r.columns
	if first := line[0]; !c.known || first == '#' || first == mark[0] || first == ctrlZ {
		var skip bool
		if line, skip = r.aside(e, line); skip {
			return false, nil
		}
	}
	fields, problem, err := r.split(line)
	if err != nil {
		return false, err
	}
	if !c.known {
		isHeader := false
		if problem == nil {
			if isHeader, err = r.header(fields); err != nil {
				return false, err
			}
		}
		c.known = true
		if isHeader {
			return false, nil
		}
		c.fields = unnamed
	}
	for len(fields) > len(c.fields) && (c.open || len(fields[len(fields)-1]) == 0) {
		if r.list.Format == InventoryPart && len(fields) >= 5 && !(isBoolean(fields[3]) && isBoolean(fields[4])) {
			fields = fields[:3] // of an inventory of current versions, where the third column is none
			fields[2] = nil
			break
		}
		if r.list.Format == InventoryPart && len(fields) >= 5 && string(fields[4]) == "true" {
			return false, nil // a delete marker
		}
		if c.open {
			fields = fields[:len(c.fields)]
			break
		}
		fields = fields[:len(fields)-1] // which a spreadsheet has left empty
	}
	switch {
	case problem != nil:
		e.Err = problem
	case len(fields) > len(c.fields):
		e.Err = fmt.Errorf("the row has %d columns and there are at most %d: put a key that holds a comma into quotation marks", len(fields), len(c.fields))
	case c.named && len(fields) < len(c.fields):
		e.Err = fmt.Errorf("the row has too few columns: %d of %d", len(fields), len(c.fields))
	case len(fields) < 2 && !c.named && c.fields[0].kind != uriColumn:
		e.Err = errors.New(`the row has too few columns: write bucket,key or, in the first line, a header such as "key"`)
	case len(fields) == 3 && !c.named && !c.open && !mayBeVersion(fields[2]) && bytes.IndexByte(line, '"') < 0:
		e.Err = errThird
	default:
		return r.take(e, fields), nil
	}
	return true, nil
}

// aside deals with what stands in lists and is no row: comments, the marks of joined
// files, DOS's Ctrl-Z, a spreadsheet's sep=. Where it may be a key, it stays, with a
// warning.
func (r *Reader) aside(e *Entry, line []byte) (rest []byte, skip bool) {
	c := &r.columns
	notKey := !c.known || c.fields[0].kind != keyColumn
	switch {
	case line[0] == '#' && (notKey || c.named && bytes.IndexByte(line, c.separator) < 0 && len(c.fields) > 1):
		return line, true
	case line[0] == '#':
		e.Warning = warnComment
	case line[0] == ctrlZ && len(line) == 1 && r.lines.atEnd():
		return line, true
	case bytes.HasPrefix(line, mark):
		if notKey {
			return line[len(mark):], len(line) == len(mark)
		}
		e.Warning = warnMark
	case !c.known:
		_, skip = separatorLine(line)
	}
	return line, skip
}

func isBoolean(f []byte) bool { return string(f) == "true" || string(f) == "false" }

// mayBeVersion tells whether a third column may be a version's ID. S3's are 32 characters
// of the Base64 of URLs and a dot, or "null"; other servers' are UUIDs and the like. A name
// such as b.jpg, a size and a date are none.
func mayBeVersion(f []byte) bool {
	digits, dots := 0, 0
	for _, b := range f {
		switch {
		case b >= '0' && b <= '9':
			digits++
		case b == '.':
			dots++
		case b|0x20 >= 'a' && b|0x20 <= 'z', b == '-', b == '_', b == '+', b == '/', b == '=':
		default:
			return false
		}
	}
	return len(f) == 0 || digits < len(f) && (dots == 0 || len(f) >= 24)
}

// take makes an entry of a row's fields. A delete marker is none.
func (r *Reader) take(e *Entry, fields [][]byte) (isEntry bool) {
	var options []s3op.Option
	for i, f := range fields {
		column := &r.columns.fields[i]
		if column.trim {
			f = bytes.TrimLeft(f, " ")
		}
		switch column.kind {
		case keyColumn:
			e.Err = r.key(e, f)
		case uriColumn:
			e.Err = e.uri(f)
		case bucketColumn:
			e.Bucket = shared(f)
			if !utf8.Valid(f) {
				e.Err = errNotUTF8
			}
		case optionColumn:
			if len(f) == 0 {
				continue // not given
			}
			if options == nil {
				options = r.room()
			}
			options = append(options, s3op.Option{ID: column.option, Value: shared(f)})
			e.Err = columnValue(column.option, f)
		case deleteMarkerColumn:
			if string(f) == "true" || string(f) == "True" || string(f) == "TRUE" {
				return false
			}
		}
		if e.Err != nil {
			return true
		}
	}
	if len(options) > 1 {
		s3op.Sort(options)
	}
	e.Options = r.keep(options)
	return true
}

// columnValue judges what an option's type demands of its text, as JSON would.
func columnValue(id s3op.ID, v []byte) error {
	switch id.Kind() {
	case s3op.Boolean:
		if s := string(v); s != "true" && s != "false" {
			return fmt.Errorf("column %q must be true or false", id)
		}
	case s3op.Integer:
		for _, c := range v {
			if c < '0' || c > '9' {
				return fmt.Errorf("column %q must be a whole number", id)
			}
		}
	default:
		if !utf8.Valid(v) {
			return errNotUTF8
		}
	}
	return nil
}

// split cuts a row into its fields. A problem spoils the row, an error ends the list.
func (r *Reader) split(line []byte) (fields [][]byte, problem, err error) {
	fields = r.columns.scratch[:0]
	if bytes.IndexByte(line, '"') < 0 { // most rows, cut fast
		fields = appendFields(fields, line, r.columns.separator)
	} else if line, problem, err = r.wholeRow(line); problem == nil && err == nil {
		fields, problem = appendQuotedFields(fields, line, r.columns.separator)
	}
	r.columns.scratch = fields
	return fields, problem, err
}

// appendFields cuts a row without quotation marks.
func appendFields(dst [][]byte, row []byte, separator byte) [][]byte {
	for {
		i := bytes.IndexByte(row, separator)
		if i < 0 {
			return append(dst, row)
		}
		dst = append(dst, row[:i])
		row = row[i+1:]
	}
}

// wholeRow adds the lines that follow while a field in quotation marks is open.
func (r *Reader) wholeRow(line []byte) (row []byte, problem, err error) {
	checked, open, bare := 0, false, false
	for {
		if open, bare = quotes(line[checked:], open, r.columns.separator); bare {
			return nil, errBareQuote, nil
		}
		if !open {
			return line, nil, nil
		}
		checked = len(line)
		line, err = r.lines.next(true)
		if err == io.EOF {
			err = &BrokenError{Line: r.lines.number, Reason: `a quotation mark opens a field here and none closes it: write "" for a quotation mark within a field`}
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

// appendQuotedFields cuts a whole row and takes off the quotation marks, in place.
func appendQuotedFields(dst [][]byte, row []byte, separator byte) (fields [][]byte, problem error) {
	for {
		if len(row) == 0 || row[0] != '"' {
			field, rest, more := bytes.Cut(row, []byte{separator})
			dst = append(dst, field)
			if !more {
				return dst, nil
			}
			row = rest
			continue
		}
		field, rest := row[1:1], row[1:]
		for {
			i := bytes.IndexByte(rest, '"')
			field = append(field, rest[:i]...)
			rest = rest[i+1:]
			if len(rest) == 0 || rest[0] != '"' {
				break
			}
			field = append(field, '"')
			rest = rest[1:]
		}
		dst = append(dst, field)
		switch {
		case len(rest) == 0:
			return dst, nil
		case rest[0] != separator:
			return dst, errAfterQuote
		}
		row = rest[1:]
	}
}

// quotes tells whether a field in quotation marks is open at the end of a part of a row,
// as one may have been where it begins, and whether a quotation mark stands within a
// field that has none around it.
func quotes(part []byte, open bool, separator byte) (stillOpen, bare bool) {
	for {
		if !open && len(part) > 0 && part[0] == '"' {
			open = true
			part = part[1:]
		}
		for open {
			i := bytes.IndexByte(part, '"')
			if i < 0 {
				return true, false
			}
			part = part[i+1:]
			if len(part) > 0 && part[0] == '"' {
				part = part[1:]
				continue
			}
			if len(part) > 0 && part[0] != separator {
				return false, false // which split finds
			}
			open = false
		}
		field, rest, more := bytes.Cut(part, []byte{separator})
		if bytes.IndexByte(field, '"') >= 0 {
			return false, true
		}
		if !more {
			return false, false
		}
		part = rest
	}
}

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
	known   bool // by a header, or because the first row is none
	named   bool // by a header
	fields  []column
	scratch [][]byte
}

type column struct {
	kind   columnKind
	option s3op.ID
}

type columnKind uint8

const (
	bucketColumn columnKind = iota
	keyColumn
	optionColumn
	deleteMarkerColumn // of an inventory
	ignoredColumn      // of an inventory
)

// versionID is the option of a third column.
var versionID, _ = s3op.Lookup("version_id")

// unnamed are the columns of a CSV without a header, the last of which may be missing.
var unnamed = []column{{kind: bucketColumn}, {kind: keyColumn}, {kind: optionColumn, option: versionID}}

// columnNames are the names of columns beside those of options, in lower case and without
// spaces, hyphens and underscores. VersionId is S3's own name of version_id.
var columnNames = map[string]column{
	"bucket":     {kind: bucketColumn},
	"bucketname": {kind: bucketColumn},
	"key":        {kind: keyColumn},
	"objectkey":  {kind: keyColumn},
	"keyname":    {kind: keyColumn},
	"versionid":  {kind: optionColumn, option: versionID},
	"version":    {kind: optionColumn, option: versionID},
}

func columnNamed(name string) (column, bool) {
	name = strings.ToLower(strings.Trim(name, " \t"))
	if c, ok := columnNames[strings.NewReplacer(" ", "", "-", "", "_", "").Replace(name)]; ok {
		return c, true
	}
	id, ok := s3op.Lookup(name)
	if ok && (id.Kind() == s3op.StringMap || id.Kind() == s3op.Integers) {
		ok = false // what takes JSON to write
	}
	return column{kind: optionColumn, option: id}, ok
}

// header reads the first row: it names the columns if the first of them has a name that
// is known here and one of them is "key". So a list without a header must not begin with
// an object "key" in a bucket "bucket".
func (r *Reader) header(fields [][]byte) (isHeader bool, err error) {
	var named []column
	keys := 0
	var unknown string
	for i, f := range fields {
		found, ok := columnNamed(string(f))
		switch {
		case !ok && i == 0:
			return false, nil
		case !ok && unknown == "":
			unknown = fmt.Sprintf("column %d of the header has a name that is neither bucket, key nor a signing option: leave the column out", i+1)
		case ok && found.kind == keyColumn:
			keys++
		}
		named = append(named, found)
	}
	if keys == 0 {
		return false, nil
	}
	for i, a := range named {
		for j := range i {
			if a == named[j] && unknown == "" {
				unknown = fmt.Sprintf("columns %d and %d of the header are the same: leave one out", j+1, i+1)
			}
		}
	}
	if unknown != "" {
		return false, &BrokenError{Line: r.lines.number, Reason: unknown}
	}
	r.columns.named = true
	r.columns.fields = named
	return true, nil
}

var (
	errBareQuote  = errors.New(`a quotation mark stands within a field that does not begin with one: put the field into quotation marks and write "" for each within it`)
	errAfterQuote = errors.New(`something follows the quotation mark that ends a field: write "" for a quotation mark within a field`)
)

// row reads a row that begins with line. A header and a delete marker are no entries.
// The error ends the list.
func (r *Reader) row(e *Entry, line []byte) (isEntry bool, err error) {
	fields, problem, err := r.split(line)
	if err != nil {
		return false, err
	}
	c := &r.columns
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
	switch {
	case problem != nil:
		e.Err = problem
	case len(fields) > len(c.fields):
		e.Err = fmt.Errorf("the row has %d columns and there are at most %d: put a key that holds a comma into quotation marks", len(fields), len(c.fields))
	case c.named && len(fields) < len(c.fields):
		e.Err = fmt.Errorf("the row has too few columns: %d of %d", len(fields), len(c.fields))
	case len(fields) < 2 && !c.named:
		e.Err = errors.New(`the row has too few columns: write bucket,key or, in the first line, a header such as "key"`)
	default:
		return r.take(e, fields), nil
	}
	return true, nil
}

// take makes an entry of a row's fields. A delete marker is none.
func (r *Reader) take(e *Entry, fields [][]byte) (isEntry bool) {
	var options []s3op.Option
	for i, f := range fields {
		switch column := &r.columns.fields[i]; column.kind {
		case keyColumn:
			e.Key, e.Err = r.key(f)
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
			if string(f) == "true" {
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
		fields = appendFields(fields, line)
	} else if line, problem, err = r.wholeRow(line); problem == nil && err == nil {
		fields, problem = appendQuotedFields(fields, line)
	}
	r.columns.scratch = fields
	return fields, problem, err
}

// appendFields cuts a row without quotation marks.
func appendFields(dst [][]byte, row []byte) [][]byte {
	for {
		i := bytes.IndexByte(row, ',')
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
		if open, bare = quotes(line[checked:], open); bare {
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
func appendQuotedFields(dst [][]byte, row []byte) (fields [][]byte, problem error) {
	for {
		if len(row) == 0 || row[0] != '"' {
			field, rest, more := bytes.Cut(row, []byte(","))
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
		case rest[0] != ',':
			return dst, errAfterQuote
		}
		row = rest[1:]
	}
}

// quotes tells whether a field in quotation marks is open at the end of a part of a row,
// as one may have been where it begins, and whether a quotation mark stands within a
// field that has none around it.
func quotes(part []byte, open bool) (stillOpen, bare bool) {
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
			if len(part) > 0 && part[0] != ',' {
				return false, false // which split finds
			}
			open = false
		}
		field, rest, more := bytes.Cut(part, []byte(","))
		if bytes.IndexByte(field, '"') >= 0 {
			return false, true
		}
		if !more {
			return false, false
		}
		part = rest
	}
}

package manifest

import (
	"bytes"
	"errors"
	"net/url"
	"strings"

	"bulkpresign/internal/s3op"
	"bulkpresign/internal/strictjson"
)

var (
	partNumber, _ = s3op.Lookup("part_number")
	uploadID, _   = s3op.Lookup("upload_id")
)

// errNoKey is of a line of an earlier result that is about a line that could not be read.
var errNoKey = errors.New("the line of the earlier result has no key: the list that it was made of could not be read there")

// resultLine makes an entry of a line of an earlier result in NDJSON: its key, the version that
// its URL names and, of UploadPart, the part and the upload. What else was asked for is said by
// the request, as the first time. A key that was not signed is judged anew.
func (r *Reader) resultLine(e *Entry, line []byte) (isResult bool) {
	if !bytes.HasPrefix(line, []byte(`{"key":"`)) || !bytes.Contains(line, []byte(`"url":"`)) && !bytes.Contains(line, []byte(`"error":{`)) {
		return false
	}
	r.scratch = append(r.scratch[:0], line...)
	d := strictjson.NewReader(r.scratch) // takes it over, so what stays is copied
	var key, address, part string
	hasOutcome, other := false, false
	err := d.Members(func(name string) (err error) {
		switch name {
		case "key":
			key, err = d.String()
			key = strings.Clone(key)
		case "url":
			hasOutcome = true
			address, err = d.String()
		case "part_number":
			part, err = d.Number()
			part = strings.Clone(part)
		case "error":
			hasOutcome = true
			err = d.Skip()
		case "headers", "object":
			err = d.Skip()
		default:
			other = true
			err = d.Skip()
		}
		return err
	})
	if err != nil || d.Finish() != nil || !hasOutcome || other {
		return false
	}
	if key == "" {
		e.Err = errNoKey
		return true
	}
	e.Key = key
	options := r.room()
	_, query, _ := strings.Cut(address, "?")
	for one := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(one, "=")
		option := s3op.Option{}
		switch {
		case name == "versionId" && r.list.Operation.Has(versionID):
			option.ID = versionID
		case name == "uploadId" && r.list.Operation == s3op.UploadPart:
			option.ID = uploadID
		default:
			continue
		}
		if option.Value, err = url.QueryUnescape(strings.Clone(value)); err == nil {
			options = append(options, option)
		}
	}
	if part != "" && r.list.Operation == s3op.UploadPart {
		options = append(options, s3op.Option{ID: partNumber, Value: part})
	}
	s3op.Sort(options)
	e.Options = r.keep(options)
	return true
}

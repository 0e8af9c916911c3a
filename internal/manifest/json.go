package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/strictjson"
)

// item makes an entry of a line of JSON Lines. A folder and a delete marker are none.
func (r *Reader) item(e *Entry, line []byte) (isEntry bool) {
	if line[0] == mark[0] || line[0] == ctrlZ { // of a file that was joined to another, or DOS's end of one
		line = bytes.TrimPrefix(line, mark)
		if len(line) == 0 || len(line) == 1 && r.lines.atEnd() {
			return false
		}
	}
	if r.resultLine(e, line) {
		return true
	}
	if line[0] != '{' || !r.listing {
		if line[0] == '{' {
			r.scratch = append(r.scratch[:0], line...) // which DecodeItem takes over
		}
		key, options, err := bulk.DecodeItem(line, r.room())
		if err == nil {
			if e.Err = r.jsonKey(e, key); e.Err == nil {
				e.Options = r.keep(options)
			}
			return true
		}
		if line[0] != '{' || strictjson.NewReader(bytes.Clone(r.scratch)).Skip() != nil {
			e.Err = itemError(err)
			return true
		}
		line = bytes.Clone(r.scratch)
	}
	return r.listed(e, line)
}

// jsonKey takes a key that is a string, or the URI that it is.
func (r *Reader) jsonKey(e *Entry, key string) error {
	if r.list.Keys != URI {
		e.Key = key
		return nil
	}
	return e.uri([]byte(key))
}

// listed makes an entry of an object that is one of a listing: S3's own, mc's, s5cmd's or
// rclone's, or has a bucket.
func (r *Reader) listed(e *Entry, text []byte) (isEntry bool) {
	check := strictjson.NewReader(bytes.Clone(text))
	if err := check.Skip(); err == nil {
		err = check.Finish()
		if err != nil {
			e.Err = errors.New("the line is not valid JSON: write an object a line")
			return true
		}
	} else {
		e.Err = fmt.Errorf("the line is not valid JSON: %w", err)
		return true
	}
	var members map[string]json.RawMessage // checked above: without duplicates
	if err := json.Unmarshal(text, &members); err != nil {
		e.Err = errors.New("the line is not valid JSON: write an object a line")
		return true
	}
	item := make(map[string]json.RawMessage, 2)
	names := make(map[role]string, 4)
	for name, value := range members {
		at, id := roleOf(name, r.list.Operation)
		if at == optionRole && id == versionID && string(value) == "null" {
			continue
		}
		switch at {
		case optionRole:
			item[id.String()] = value
		case unknownRole:
			if !r.list.PassExtra {
				item[name] = value // which DecodeItem refuses, with the nearest name that it knows
			}
		case passedRole:
		case deletedRole, folderRole:
			if string(value) == "true" {
				return false
			}
		case kindRole:
			if string(value) == `"folder"` || string(value) == `"directory"` {
				return false
			}
		default:
			if names[at] != "" {
				e.Err = fmt.Errorf("members %q and %q are the same: leave one out", min(names[at], name), max(names[at], name))
				return true
			}
			names[at] = name
		}
	}
	var isURI bool
	switch {
	case names[keyRole] != "":
		item["key"] = members[names[keyRole]]
	case names[uriRole] != "":
		item["key"], isURI = members[names[uriRole]], true
	case names[pathRole] != "":
		item["key"] = members[names[pathRole]]
		isURI = bytes.HasPrefix(item["key"], []byte(`"s3://`))
	}
	text, err := json.Marshal(item)
	if err != nil {
		e.Err = errors.New("the line is not valid JSON: write an object a line")
		return true
	}
	key, options, err := bulk.DecodeItem(text, r.room())
	if err != nil {
		e.Err = itemError(err)
		return true
	}
	r.listing = true
	if name := names[bucketRole]; name != "" {
		var bucket string // e is to stay where the caller has it
		if json.Unmarshal(members[name], &bucket) != nil {
			e.Err = fmt.Errorf("member %q must be a string", name)
			return true
		}
		e.Bucket = bucket
	}
	if isURI {
		e.Err = e.uri([]byte(key))
	} else {
		e.Err = r.jsonKey(e, key)
	}
	if e.Err == nil {
		e.Options = r.keep(options)
	}
	return true
}

// listMembers are the members of S3's answers that are lists of objects:
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
var listMembers = map[string]bool{"Contents": true, "Versions": true}

// isListing tells whether a JSON text is a list rather than a request: an array, or an
// answer of S3's listings. It goes by the names of the first members.
func isListing(head []byte) bool {
	d := json.NewDecoder(bytes.NewReader(head))
	first, err := d.Token()
	if err != nil || first != json.Delim('{') {
		return err == nil && first == json.Delim('[')
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return false
		}
		switch text, _ := name.(string); text {
		case "Contents", "Versions", "DeleteMarkers", "CommonPrefixes", "IsTruncated", "KeyCount", "MaxKeys", "ResponseMetadata", "RequestCharged":
			return true
		}
		if d.Decode(new(json.RawMessage)) != nil {
			return false
		}
	}
	return false
}

// document is how far a JSON text that is read as a whole has come.
type document struct {
	isRequest bool
	state     documentState
	isArray   bool   // the text is an array, rather than an object with lists in it
	name      []byte // of the member that is being read
	more      bool   // a comma was passed, or the list has just begun
}

type documentState uint8

const (
	outside  documentState = iota // before a text
	inObject                      // among the members of an answer
	inList                        // among entries
)

// IsRequest tells whether a list that was opened as a Request is one: then Text has it,
// and Next must not be called.
func (r *Reader) IsRequest() bool { return r.json.isRequest }

// Text reads all of a request, which may have so many bytes.
func (r *Reader) Text(limit int64) ([]byte, error) {
	l := &r.lines
	text := bytes.Clone(l.block[l.begin:l.end])
	for {
		if int64(len(text)) > limit {
			return nil, &BrokenError{Reason: fmt.Sprintf("it is a request of more than %d bytes: write its keys as a list", limit)}
		}
		if l.err == io.EOF {
			return text, nil
		}
		if l.err != nil {
			return nil, l.explain(l.err)
		}
		l.begin, l.seen, l.end, l.block = 0, 0, 0, nil
		l.fill()
		text = append(text, l.block[:l.end]...)
	}
}

// element cuts off the next entry of a JSON text that is a list, however it is broken into
// lines. Several texts may follow each other, as a pager writes them.
func (r *Reader) element() ([]byte, error) {
	d := &r.json
	l := &r.lines
	for {
		c, err := l.peekToken()
		if err == io.EOF && d.state != outside {
			return nil, l.broken("the JSON ends too early: upload the list again")
		}
		if err != nil {
			return nil, err
		}
		switch {
		case d.state == outside && c == '[':
			d.state, d.isArray, d.more = inList, true, true
			l.seen++
		case d.state == outside && c == '{':
			d.state, d.isArray = inObject, false
			l.seen++
		case d.state == inObject && c == '}', d.state == inList && c == ']' && d.isArray:
			d.state = outside
			l.seen++
		case d.state == inList && c == ']':
			d.state = inObject
			l.seen++
		case d.state == inObject && (c == ',' || c == ':'):
			l.seen++
		case d.state == inObject && c == '[' && listMembers[string(d.name)]:
			d.state, d.more = inList, true
			l.seen++
		case d.state == inObject:
			value, err := l.value()
			if err != nil {
				return nil, err
			}
			d.name = nil
			if c == '"' {
				d.name = value[1 : len(value)-1]
			}
		case d.state == inList && c == ',' && !d.more:
			d.more = true
			l.seen++
		case d.state == inList && c != ',' && d.more:
			d.more = false
			return l.value()
		default:
			return nil, l.broken("it is not valid JSON: let the tool that wrote it write it again")
		}
	}
}

// peekToken is the next byte that is no white space.
func (l *lines) peekToken() (byte, error) {
	for {
		for l.seen < l.end {
			switch c := l.block[l.seen]; c {
			case '\n':
				l.feeds++
			case ' ', '\t', '\r':
			default:
				l.begin, l.from, l.number = l.seen, l.seen, l.feeds+1
				return c, nil
			}
			l.seen++
		}
		l.begin, l.from = l.seen, l.seen
		switch {
		case l.err == io.EOF:
			return 0, io.EOF
		case l.err != nil:
			return 0, l.explain(l.err)
		}
		l.fill()
	}
}

// value cuts off a value of JSON that begins where the text is. It is no more
// checked than that brackets and quotation marks match.
func (l *lines) value() ([]byte, error) {
	depth, inString := 0, false
	for at := 0; ; at++ {
		if at > l.limits.LineBytes {
			return nil, l.tooLong()
		}
		for l.begin+at >= l.end && l.err == nil {
			l.fill()
		}
		if l.begin+at >= l.end {
			if l.err != io.EOF {
				return nil, l.explain(l.err)
			}
			return nil, l.broken("the JSON ends too early: upload the list again")
		}
		end := at + 1 // of a value that ends with this byte
		switch c := l.block[l.begin+at]; {
		case inString && c == '\\':
			at++
			continue
		case inString:
			if c != '"' {
				continue
			}
			inString = false
		case c == '"':
			inString = true
			continue
		case c == '{', c == '[':
			depth++
			continue
		case depth > 0 && (c == '}' || c == ']'):
			depth--
		case depth > 0 || strings.IndexByte(",: \t\r\n}]", c) < 0:
			if c == '\n' {
				l.feeds++
			}
			continue
		default:
			end = at // of a number or a name, which what follows ends
		}
		if depth == 0 {
			if end == 0 {
				return nil, l.broken("it is not valid JSON: let the tool that wrote it write it again")
			}
			l.seen = l.begin + end
			return l.block[l.begin:l.seen:l.seen], nil
		}
	}
}

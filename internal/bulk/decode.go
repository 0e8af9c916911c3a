package bulk

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"

	"bulkpresign/internal/s3op"
	"bulkpresign/internal/strictjson"
)

// Decode reads a request. It takes text over. Items beyond limit are checked and
// counted but not kept.
func Decode(text []byte, limit int) (*Request, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // a byte order mark
	if slip := notJSON(text); slip != "" {
		return nil, failf(InvalidRequest, "%s", slip)
	}
	// A batch is mostly keys, so the commas tell how much room they take.
	room := min(bytes.Count(text, []byte(",")), limit) + 1
	d := decoder{Reader: strictjson.NewReader(text), request: &Request{}, limit: limit, room: room}
	if d.Peek() != strictjson.Object {
		if err := d.Skip(); err != nil {
			return nil, d.explain(err)
		}
		return nil, failf(InvalidRequest, `the request must be a JSON object such as {"keys": ["a.jpg"]}`)
	}
	if err := d.Members(d.member); err != nil {
		return nil, d.explain(err)
	}
	if err := d.Finish(); err != nil {
		return nil, d.explain(err)
	}
	if d.sources == 0 && d.request.Operation == s3op.HeadBucket { // there is no key to name
		d.request.Items, d.request.Count, d.sources = make([]Item, 1), 1, 1
	}
	if d.sources == 0 {
		return nil, failf(InvalidRequest, `there is nothing to sign: give "keys", an array such as ["a.jpg"] (exactly one of "keys", "prefix" and "manifest" must be given)`)
	}
	if d.sources != 1 {
		return nil, failf(InvalidRequest, `exactly one of "keys", "prefix" and "manifest" must be given`)
	}
	if err := d.request.fitSource(); err != nil {
		return nil, err
	}
	s3op.Sort(d.request.Options)
	return d.request, nil
}

type decoder struct {
	*strictjson.Reader
	request *Request
	limit   int    // items that are kept, but for one more
	room    int    // for items, at first
	sources int    // of keys that were given
	path    []step // where the reader is: keys, 3, version_id
	isItem  bool   // the text is one item rather than a request
}

// member reads a member of the request.
func (d *decoder) member(name string) error {
	return d.at(step{name: name}, func() error {
		id, isOption := s3op.Lookup(name)
		isField := slices.Contains(fields, name) // continuation_token is an item's option too
		switch {
		case !isOption && !isField:
			return d.unknown(name)
		case d.Peek() == strictjson.Null: // as if it were absent
			return d.Null()
		case !isField:
			return d.option(&d.request.Options, id)
		}
		return d.field(name)
	})
}

// field reads a member that is one of fields.
func (d *decoder) field(name string) error {
	r := d.request
	switch name {
	case "bucket":
		return d.named(&r.Bucket, "name a bucket or leave it out")
	case "operation":
		return d.operation()
	case "keys":
		d.source(Keys)
		return d.keys()
	case "prefix":
		d.source(Prefix)
		return d.text(&r.Prefix)
	case "manifest":
		d.source(Manifest)
		return d.manifest()
	case "continuation_token":
		return d.named(&r.Continuation, "leave it out to begin at the first key")
	case "suffix":
		return d.text(&r.Suffix)
	case "start_after":
		return d.text(&r.StartAfter)
	case "folder_markers":
		return d.bool(&r.FolderMarkers)
	case "verify":
		return d.verify()
	case "expires_in":
		return d.expiresIn()
	case "reuse_for":
		return d.reuseFor()
	case "strict_expiry":
		return d.bool(&r.StrictExpiry)
	case "allow_dot_segments":
		return d.bool(&r.AllowDotSegments)
	case "explain":
		return d.bool(&r.Explain)
	case "format":
		return d.format()
	case "encoding":
		return d.oneOf(&r.Encoding, "identity", "gzip")
	}
	panic("bulk: a field that is listed is not read: " + name)
}

// verify reads how S3 is to be asked about the objects.
func (d *decoder) verify() error {
	var how string
	if err := d.oneOf(&how, "head", "describe"); err != nil {
		return err
	}
	d.request.Verify = VerifyHead
	if how == "describe" {
		d.request.Verify = VerifyDescribe
	}
	return nil
}

// fitSource judges the fields that go with one source of keys alone.
func (r *Request) fitSource() error {
	if r.Source == Prefix {
		return nil
	}
	if r.StartAfter != "" && r.Operation == s3op.ListObjectsV2 { // there it is the option
		id, _ := s3op.Lookup("start_after")
		r.Options = append(r.Options, s3op.Option{ID: id, Value: r.StartAfter})
		r.StartAfter = ""
	}
	for _, f := range []struct {
		name  string
		given bool
	}{
		{"continuation_token", r.Continuation != ""}, {"suffix", r.Suffix != ""}, {"start_after", r.StartAfter != ""}, {"folder_markers", r.FolderMarkers},
	} {
		if f.given {
			return failf(InvalidRequest, `field %q goes with "prefix": leave it out with %q`, f.name, r.Source)
		}
	}
	return nil
}

// named reads a text that must not be empty; instead is what else to write.
func (d *decoder) named(dst *string, instead string) error {
	if err := d.text(dst); err != nil {
		return err
	}
	if *dst == "" {
		return failf(InvalidRequest, `field %q is empty: %s`, d.where(), instead)
	}
	return nil
}

func (d *decoder) operation() error {
	var s string
	if err := d.text(&s); err != nil {
		return err
	}
	op, ok := s3op.ParseOperation(s)
	if !ok {
		return failf(InvalidRequest, `field "operation" must be one of %s`, s3op.Names())
	}
	d.request.Operation = op
	return nil
}

func (d *decoder) format() error {
	var name string
	err := d.oneOf(&name, FormatNames()...)
	f, _ := ParseFormat(name)
	d.request.Format = &f
	return err
}

func (d *decoder) source(s Source) {
	d.sources++
	d.request.Source = s
}

func (d *decoder) manifest() error {
	var url string
	if err := d.text(&url); err != nil {
		return err
	}
	o, ok := ParseObject(url)
	if !ok {
		return failf(InvalidRequest, `field "manifest" must be written as "s3://bucket/key"`)
	}
	d.request.Manifest = o
	return nil
}

func (d *decoder) unknown(name string) error {
	if name == "Records" {
		return failf(InvalidRequest, `unknown field "Records": this function takes requests, not SQS or S3 events`)
	}
	if inItem := d.isItem || len(d.path) > 1; inItem {
		if slices.Contains(fields, name) && name != "keys" {
			return failf(InvalidRequest, "unknown field %q: %s is the whole request's, so give it beside \"keys\"", d.where(), name)
		}
		return failf(InvalidRequest, "unknown field %q%s", d.where(), meant(name, []string{"key"}, itemWords))
	}
	return failf(InvalidRequest, "unknown field %q%s", d.where(), meant(name, fields, words))
}

func (d *decoder) oneOf(dst *string, names ...string) error {
	if err := d.text(dst); err != nil {
		return err
	}
	for _, name := range names {
		if *dst == name {
			return nil
		}
	}
	return failf(InvalidRequest, "field %q must be one of %s", d.where(), strings.Join(names, ", "))
}

func (d *decoder) expiresIn() error {
	n, err := d.seconds()
	if err == nil && n < 1 {
		err = failf(InvalidRequest, `field "expires_in" must be at least 1 second`)
	}
	d.request.ExpiresIn = n
	return err
}

func (d *decoder) reuseFor() error {
	n, err := d.seconds()
	if err == nil && n < 0 {
		err = failf(InvalidRequest, `field "reuse_for" must be 0 seconds or more`)
	}
	d.request.ReuseFor = &n
	return err
}

// seconds reads a whole number; one beyond all measure is more than any maximum, and less than any sum of two overflows at.
func (d *decoder) seconds() (int64, error) {
	s, err := d.whole()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil && !strings.HasPrefix(s, "-") {
		return math.MaxInt32, nil
	}
	return n, nil // of one that is far below 0, the least
}

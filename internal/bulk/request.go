package bulk

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"bulkpresign/internal/s3op"
	"bulkpresign/internal/strictjson"
)

// Source is where a request's keys come from.
type Source uint8

const (
	Keys     Source = iota // from the request itself
	Prefix                 // every object whose key begins with Request.Prefix
	Manifest               // from a list that lies in S3, Request.Manifest
)

// sources are the fields of the request that name each.
var sources = [...]string{Keys: "keys", Prefix: "prefix", Manifest: "manifest"}

// String is the field of the request that names the source.
func (s Source) String() string { return sources[s] }

// Object is where an object lies in S3.
type Object struct{ Bucket, Key string }

// Request is one batch as it was asked for, before anything was judged but its form.
type Request struct {
	Source           Source
	Prefix           string // with the source Prefix; empty is the whole bucket
	Manifest         Object // with the source Manifest
	Continuation     string // with the source Prefix: where the last answer stopped
	Bucket           string // empty: the only one that is allowed
	Operation        s3op.Operation
	ExpiresIn        int64 // seconds; 0 is the configured default
	StrictExpiry     bool
	AllowDotSegments bool
	Explain          bool          // which rules of the policy decide
	Encoding         string        // empty, or as given: for a direct invoke
	Format           *Format       // nil: what the transport prefers
	Options          []s3op.Option // of the whole batch
	Items            []Item        // at most one more than the decoder's limit
	Count            int           // items as given

	own []s3op.Option // the items' own options, one after the other
}

// Item is a key with its own options.
type Item struct {
	Key        string
	begin, end uint32 // of Request.own
}

// OwnOptions are the options that were given for the item itself.
func (r *Request) OwnOptions(i Item) []s3op.Option { return r.own[i.begin:i.end] }

// Decode reads a request. It takes text over. Items beyond limit are checked and
// counted but not kept.
func Decode(text []byte, limit int) (*Request, error) {
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
	if d.sources != 1 {
		return nil, failf(InvalidRequest, `exactly one of "keys", "prefix" and "manifest" must be given`)
	}
	if d.request.Continuation != "" && d.request.Source != Prefix {
		return nil, failf(InvalidRequest, `field "continuation_token" goes with "prefix": leave it out with %q`, d.request.Source)
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

// DecodeItem reads a text that is one item, as it may stand in "keys": a string, or an
// object with a "key" and signing options, which are appended to own in s3op's order.
// It takes text over: what it returns shares its memory. An error is an *Error.
func DecodeItem(text []byte, own []s3op.Option) (key string, options []s3op.Option, err error) {
	if r := strictjson.NewReader(text); r.Peek() == strictjson.String {
		// The common case is spared a decoder.
		if key, err = r.String(); err == nil {
			err = r.Finish()
		}
		if err != nil {
			return "", own, (&decoder{isItem: true}).explain(err)
		}
		return key, own, nil
	}
	d := decoder{Reader: strictjson.NewReader(text), request: &Request{own: own}, isItem: true}
	if key, err = d.itemMembers(); err == nil {
		err = d.Finish()
	}
	if err != nil {
		return "", own, d.explain(err)
	}
	return key, d.request.own, nil
}

// step is a member's name or, without one, an element's index.
type step struct {
	name  string
	index int
}

// field is the path as one name: keys[3].version_id.
func (d *decoder) field() string {
	var b strings.Builder
	for i, s := range d.path {
		switch {
		case s.name == "" && i > 0:
			fmt.Fprintf(&b, "[%d]", s.index)
		case i > 0:
			b.WriteByte('.')
			fallthrough
		default:
			b.WriteString(shown(s.name))
		}
	}
	return b.String()
}

// at reads a part of the request whose place helps to find a mistake.
func (d *decoder) at(s step, read func() error) error {
	d.path = append(d.path, s)
	if err := read(); err != nil {
		return err // the path stays, for explain
	}
	d.path = d.path[:len(d.path)-1]
	return nil
}

// explain makes an error of the contract from what the reader says.
func (d *decoder) explain(err error) error {
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	where := ""
	if len(d.path) > 0 {
		where = fmt.Sprintf("field %q: ", d.field())
	}
	var duplicate *strictjson.DuplicateError
	if errors.As(err, &duplicate) {
		return failf(InvalidRequest, "%sfield %q is given twice", where, shown(duplicate.Name))
	}
	what := "the request"
	if d.isItem {
		what = "the item"
	}
	return failf(InvalidRequest, "%s is not valid JSON: %s%v", what, where, err)
}

// shown is how a name that the caller chose appears in an error text. Error texts are
// logged, and a caller may have put a URL or a token where a name belongs, so only what
// looks like a name is repeated.
func shown(name string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	if len(name) > 32 || strings.Trim(name, letters+"0123456789_-") != "" || strings.IndexAny(name, letters) != 0 {
		return "(not shown)"
	}
	return name
}

// shownBucket is how a bucket that the caller named appears in an error text.
func shownBucket(name string) string {
	if len(name) > 63 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
		return "(not shown)"
	}
	return strconv.Quote(name)
}

// expect reports a value of the wrong type, unless it is not even JSON.
func (d *decoder) expect(want string) error {
	got := d.Peek()
	if err := d.Skip(); err != nil {
		return err
	}
	if len(d.path) == 0 {
		return failf(InvalidRequest, "the item must be %s, not %s", want, got)
	}
	return failf(InvalidRequest, "field %q must be %s, not %s", d.field(), want, got)
}

func (d *decoder) text(dst *string) error {
	if d.Peek() != strictjson.String {
		return d.expect("a string")
	}
	s, err := d.String()
	*dst = s
	return err
}

func (d *decoder) bool(dst *bool) error {
	if k := d.Peek(); k != strictjson.True && k != strictjson.False {
		return d.expect("true or false")
	}
	b, err := d.Bool()
	*dst = b
	return err
}

// whole reads a whole number as it is written; 1e3 and 900.0 are not.
func (d *decoder) whole() (string, error) {
	if d.Peek() != strictjson.Number {
		return "", d.expect("a whole number")
	}
	s, err := d.Number()
	if err == nil && strings.ContainsAny(s, ".eE") {
		return "", failf(InvalidRequest, "field %q must be written as a whole number", d.field())
	}
	return s, err
}

// fields are the request's members beside the signing options.
var fields = []string{"bucket", "operation", "keys", "prefix", "manifest", "expires_in", "strict_expiry", "format",
	"encoding", "allow_dot_segments", "verify", "continuation_token", "explain"}

// IsField tells whether a request may have a member of this name.
func IsField(name string) bool {
	_, isOption := s3op.Lookup(name)
	return isOption || slices.Contains(fields, name)
}

// member reads a member of the request.
func (d *decoder) member(name string) error {
	return d.at(step{name: name}, func() error {
		r := d.request
		id, isOption := s3op.Lookup(name)
		if slices.Contains(fields, name) {
			isOption = false // continuation_token is an item's alone
		} else if !isOption {
			return d.unknown(name)
		}
		if d.Peek() == strictjson.Null { // as if it were absent
			return d.Null()
		}
		if isOption {
			return d.option(&r.Options, id)
		}
		switch name {
		case "bucket":
			if err := d.text(&r.Bucket); err != nil {
				return err
			}
			if r.Bucket == "" {
				return failf(InvalidRequest, `field "bucket" is empty: name a bucket or leave it out`)
			}
			return nil
		case "operation":
			var s string
			if err := d.text(&s); err != nil {
				return err
			}
			op, ok := s3op.ParseOperation(s)
			if !ok {
				return failf(InvalidRequest, `field "operation" must be one of %s`, s3op.Names())
			}
			r.Operation = op
			return nil
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
			if err := d.text(&r.Continuation); err != nil {
				return err
			}
			if r.Continuation == "" {
				return failf(InvalidRequest, `field "continuation_token" is empty: leave it out to begin at the first key`)
			}
			return nil
		case "expires_in":
			return d.expiresIn()
		case "strict_expiry":
			return d.bool(&r.StrictExpiry)
		case "allow_dot_segments":
			return d.bool(&r.AllowDotSegments)
		case "explain":
			return d.bool(&r.Explain)
		case "format":
			var name string
			err := d.oneOf(&name, FormatNames()...)
			f, _ := ParseFormat(name)
			r.Format = &f
			return err
		case "encoding":
			return d.oneOf(&r.Encoding, "identity", "gzip")
		}
		// verify
		if err := d.Skip(); err != nil {
			return err
		}
		return failf(InvalidRequest, `field %q is not served yet: leave it out`, name)
	})
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

// ParseObject reads s3://bucket/key. The key is taken as it is: nothing in it is
// decoded.
func ParseObject(url string) (o Object, ok bool) {
	rest, ok := strings.CutPrefix(url, "s3://")
	if !ok {
		return o, false
	}
	o.Bucket, o.Key, _ = strings.Cut(rest, "/")
	return o, o.Bucket != "" && o.Key != ""
}

func (d *decoder) unknown(name string) error {
	if name == "Records" {
		return failf(InvalidRequest, `unknown field "Records": this function takes requests, not SQS or S3 events`)
	}
	return failf(InvalidRequest, "unknown field %q", d.field())
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
	return failf(InvalidRequest, "field %q must be one of %s", d.field(), strings.Join(names, ", "))
}

func (d *decoder) expiresIn() error {
	s, err := d.whole()
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if errors.Is(err, strconv.ErrRange) && !strings.HasPrefix(s, "-") {
		n = math.MaxInt64 // too long, whatever the maximum is
	}
	if n < 1 {
		return failf(InvalidRequest, `field "expires_in" must be at least 1 second`)
	}
	d.request.ExpiresIn = n
	return nil
}

func (d *decoder) keys() error {
	if d.Peek() != strictjson.Array {
		return d.expect("an array of keys")
	}
	r := d.request
	r.Items = make([]Item, 0, d.room)
	err := d.Elements(func(i int) error {
		keep := r.Count <= d.limit
		r.Count++
		// The common case is spared the bookkeeping of a path.
		if d.Peek() == strictjson.String {
			key, err := d.String()
			if err != nil {
				d.path = append(d.path, step{index: i})
				return err
			}
			if keep {
				r.Items = append(r.Items, Item{Key: key})
			}
			return nil
		}
		return d.at(step{index: i}, func() error { return d.item(keep) })
	})
	if err == nil && r.Count == 0 {
		return failf(InvalidRequest, `field "keys" is empty: give at least one key`)
	}
	return err
}

func (d *decoder) item(keep bool) error {
	r := d.request
	begin := len(r.own)
	key, err := d.itemMembers()
	if err != nil {
		return err
	}
	if !keep {
		r.own = r.own[:begin]
		return nil
	}
	r.Items = append(r.Items, Item{Key: key, begin: uint32(begin), end: uint32(len(r.own))})
	return nil
}

// itemMembers reads an item that is an object, and its options into the request's.
func (d *decoder) itemMembers() (key string, err error) {
	if d.Peek() != strictjson.Object {
		return "", d.expect(`a key or an object with a "key"`)
	}
	r := d.request
	found := false
	begin := len(r.own)
	err = d.Members(func(name string) error {
		return d.at(step{name: name}, func() error {
			id, isOption := s3op.Lookup(name)
			switch {
			case name == "key":
				found = true
				return d.text(&key)
			case !isOption:
				return d.unknown(name)
			case d.Peek() == strictjson.Null:
				return d.Null()
			}
			return d.option(&r.own, id)
		})
	})
	if err != nil {
		return "", err
	}
	if !found {
		if len(d.path) == 0 {
			return "", failf(InvalidRequest, `the item must have a member "key"`)
		}
		return "", failf(InvalidRequest, `field %q must have a member "key"`, d.field())
	}
	s3op.Sort(r.own[begin:])
	return key, nil
}

// option reads an option's value, whose type alone is judged here.
func (d *decoder) option(dst *[]s3op.Option, id s3op.ID) error {
	o := s3op.Option{ID: id}
	var err error
	switch id.Kind() {
	case s3op.Text, s3op.Timestamp:
		err = d.text(&o.Value)
	case s3op.Integer:
		o.Value, err = d.whole()
	case s3op.Boolean:
		var b bool
		err = d.bool(&b)
		o.Value = strconv.FormatBool(b)
	case s3op.Integers:
		o.Value, err = d.joined("whole numbers", (*decoder).whole)
	case s3op.Texts:
		o.Value, err = d.joined("strings", func(d *decoder) (s string, err error) {
			err = d.text(&s)
			return s, err
		})
	case s3op.StringMap:
		return d.stringMap(dst, id)
	}
	*dst = append(*dst, o)
	return err
}

// joined reads an array as one text with commas.
func (d *decoder) joined(of string, read func(*decoder) (string, error)) (string, error) {
	if d.Peek() != strictjson.Array {
		return "", d.expect("an array of " + of)
	}
	var list []byte
	err := d.Elements(func(i int) error {
		if i > 0 {
			list = append(list, ',')
		}
		return d.at(step{index: i}, func() error {
			s, err := read(d)
			list = append(list, s...)
			return err
		})
	})
	return string(list), err
}

func (d *decoder) stringMap(dst *[]s3op.Option, id s3op.ID) error {
	if d.Peek() != strictjson.Object {
		return d.expect("an object of strings")
	}
	entries := len(*dst)
	err := d.Members(func(name string) error {
		return d.at(step{name: name}, func() error {
			if d.Peek() == strictjson.Null {
				return d.Null()
			}
			o := s3op.Option{ID: id, Name: name}
			err := d.text(&o.Value)
			*dst = append(*dst, o)
			return err
		})
	})
	if len(*dst) == entries && err == nil {
		*dst = append(*dst, s3op.Option{ID: id}) // empty, which is for s3op to judge
	}
	return err
}

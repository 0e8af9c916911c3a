package bulk

import (
	"strconv"

	"bulkpresign/internal/s3op"
	"bulkpresign/internal/strictjson"
)

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
		return "", failf(InvalidRequest, `field %q must have a member "key"`, d.where())
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
		if id.String() == "expires" && d.Peek() == strictjson.Number {
			return failf(InvalidRequest, `field %q is the Expires header of the object, a time: is "expires_in" meant, the seconds that the URLs are to live?`, d.where())
		}
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

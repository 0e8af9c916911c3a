package bulk

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"bulkpresign/internal/strictjson"
)

// step is a member's name or, without one, an element's index.
type step struct {
	name  string
	index int
}

// where is the path as one name: keys[3].version_id.
func (d *decoder) where() string {
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
		where = fmt.Sprintf("field %q: ", d.where())
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
	return failf(InvalidRequest, "field %q must be %s, not %s", d.where(), want, got)
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
		return "", failf(InvalidRequest, "field %q must be written as a whole number", d.where())
	}
	return s, err
}

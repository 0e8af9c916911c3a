package policy

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"bulkpresign/internal/s3op"
	"bulkpresign/internal/strictjson"
)

// Document is a policy of rules for callers. It only narrows what a Policy allows to
// everyone. policy.schema.json describes its form and docs/policy.md its meaning.
type Document struct{ rules []*rule }

type rule struct {
	name       string
	deny       bool
	callers    []callers // any of them; nil is everyone
	buckets    []string  // nil is all
	prefixes   []template
	operations []s3op.Operation // nil is all

	// Of a rule that allows.
	maxExpiresIn int64 // seconds; 0 is no limit of its own
	reuseFor     int64 // seconds; 0 is not at all
	maxKeys      int   // 0 is no limit of its own
	require      []requirement
	explain      bool
}

const (
	maxRules   = 1000
	maxStrings = 1000 // in an array
	maxName    = 64
	maxText    = 1024
	maxMaxKeys = 3_000_000 // as of PRESIGN_MAX_KEYS
)

// ParseDocument reads a document. The error joins all problems that were found, each
// with its place, and repeats no value. Text that is not JSON ends the reading.
func ParseDocument(text []byte) (*Document, error) {
	p := parser{Reader: strictjson.NewReader(text)}
	p.Duplicate = func(name string) { p.problem("has member %q twice", shown(name)) }
	var d Document
	err := p.object("", func(name string) (read func() error, known bool) {
		switch name {
		case "$schema":
			return func() error { _, err := p.text(math.MaxInt, nil, ""); return err }, true
		case "rules":
			return func() error { return p.rules(&d) }, true
		}
		return nil, false
	}, "rules")
	if err == nil {
		err = p.Finish()
	}
	if err != nil {
		p.problems = append(p.problems, fmt.Errorf("is not valid JSON: %w", err))
	}
	if len(p.problems) > 0 {
		return nil, errors.Join(p.problems...)
	}
	return &d, nil
}

// parser collects problems. An error that its methods return is one of the JSON text,
// after which nothing more can be read.
type parser struct {
	*strictjson.Reader
	path     []string // rules[3] (team-a), callers[0], iam
	problems []error
}

func (p *parser) problem(format string, args ...any) {
	where := ""
	if len(p.path) > 0 {
		where = strings.Join(p.path, ".") + " "
	}
	p.problems = append(p.problems, fmt.Errorf(where+format, args...))
}

// wrong reads past the next value and reports what is wrong with it.
func (p *parser) wrong(format string, args ...any) error {
	err := p.Skip()
	if err == nil {
		p.problem(format, args...)
	}
	return err
}

// in reads something that lies at a step below.
func (p *parser) in(step string, read func() error) error {
	p.path = append(p.path, step)
	err := read()
	p.path = p.path[:len(p.path)-1]
	return err
}

// object reads an object whose members are known by what says how to read them.
func (p *parser) object(what string, member func(name string) (read func() error, known bool), required ...string) error {
	if p.Peek() != strictjson.Object {
		return p.wrong("must be an object%s, not %s", what, p.Peek())
	}
	var seen []string
	err := p.Members(func(name string) error {
		read, known := member(name)
		if !known {
			return p.wrong("has an unknown member %q", shown(name))
		}
		seen = append(seen, name)
		return p.in(shown(name), read)
	})
	if err != nil {
		return err
	}
	for _, name := range required {
		if !slices.Contains(seen, name) {
			p.problem("has no member %q", name)
		}
	}
	return nil
}

// array reads an array of 1 to most elements, or 0 where none may be.
func (p *parser) array(least, most int, element func() error) error {
	if p.Peek() != strictjson.Array {
		return p.wrong("must be an array, not %s", p.Peek())
	}
	n := 0
	last := len(p.path) - 1
	step := p.path[last]
	err := p.Elements(func(i int) error {
		n++
		p.path[last] = step + "[" + strconv.Itoa(i) + "]"
		return element()
	})
	p.path[last] = step
	if err == nil && (n < least || n > most) {
		p.problem("has %d elements, and must have from %d to %d", n, least, most)
	}
	return err
}

// text reads a string of 1 to most characters that fits.
func (p *parser) text(most int, fits func(string) bool, form string) (string, error) {
	if p.Peek() != strictjson.String {
		return "", p.wrong("must be a string, not %s", p.Peek())
	}
	s, err := p.String()
	switch {
	case err != nil:
	case s == "":
		p.problem("is empty")
	case utf8.RuneCountInString(s) > most:
		p.problem("is longer than %d characters", most)
	case fits != nil && !fits(s):
		p.problem("must be %s", form)
	default:
		return s, nil
	}
	return "", err
}

// texts reads an array of different strings.
func (p *parser) texts(most int, fits func(string) bool, form string) (list []string, err error) {
	err = p.array(1, maxStrings, func() error {
		s, err := p.text(most, fits, form)
		if s != "" && slices.Contains(list, s) {
			p.problem("is there twice")
		}
		list = append(list, s)
		return err
	})
	return list, err
}

// oneOrMore reads a string or an array of different ones.
func (p *parser) oneOrMore(most int, fits func(string) bool, form string) (list []string, err error) {
	if p.Peek() == strictjson.Array {
		return p.texts(most, fits, form)
	}
	s, err := p.text(most, fits, form)
	return []string{s}, err
}

func (p *parser) number(most int64) (int64, error) {
	if p.Peek() != strictjson.Number {
		return 0, p.wrong("must be a whole number, not %s", p.Peek())
	}
	s, err := p.Number()
	if err != nil {
		return 0, err
	}
	n, bad := strconv.ParseInt(s, 10, 64)
	if bad != nil || n < 1 || n > most {
		p.problem("must be a whole number from 1 to %d", most)
		return 0, nil
	}
	return n, nil
}

// isTrue reads true, the only value of a flag that says anything.
func (p *parser) isTrue() error {
	if p.Peek() != strictjson.True {
		return p.wrong("must be true, or be left out")
	}
	_, err := p.Bool()
	return err
}

func (p *parser) rules(d *Document) error {
	names := make(map[string]int)
	return p.array(0, maxRules, func() error {
		r := &rule{}
		d.rules = append(d.rules, r)
		if err := p.rule(r); err != nil {
			return err
		}
		if first, twice := names[r.name]; twice && r.name != "" {
			p.problem("has the name of rules[%d]", first)
		}
		names[r.name] = len(d.rules) - 1
		return nil
	})
}

func (p *parser) rule(r *rule) error {
	last := len(p.path) - 1
	step := p.path[last]
	defer func() { p.path[last] = step }()
	var forAllow []string // members that only a rule that allows may have
	err := p.object("", func(name string) (func() error, bool) {
		switch name {
		case "max_expires_in", "reuse_for", "max_keys", "require":
			forAllow = append(forAllow, name)
		}
		switch name {
		case "name":
			return func() (err error) {
				r.name, err = p.text(maxName, isName, "a letter and then letters, digits and . _ -")
				if r.name != "" {
					p.path[last] = step + " (" + r.name + ")"
				}
				return err
			}, true
		case "description":
			return func() error { _, err := p.text(maxText, nil, ""); return err }, true
		case "effect":
			return func() error {
				effect, err := p.text(maxText, func(s string) bool { return s == "allow" || s == "deny" }, `"allow" or "deny"`)
				r.deny = effect == "deny"
				return err
			}, true
		case "callers":
			return func() error { return p.callers(r) }, true
		case "buckets":
			return func() (err error) {
				r.buckets, err = p.texts(255, isBucket, "a bucket's name or an access point's ARN, without wildcards")
				return err
			}, true
		case "prefixes":
			return func() error { return p.prefixes(r) }, true
		case "operations":
			return func() error { return p.operations(r) }, true
		case "max_expires_in":
			return func() (err error) { r.maxExpiresIn, err = p.number(int64(MaxExpiresIn.Seconds())); return err }, true
		case "reuse_for":
			return func() (err error) { r.reuseFor, err = p.number(int64(MaxExpiresIn.Seconds()) - 1); return err }, true
		case "max_keys":
			return func() error {
				n, err := p.number(maxMaxKeys)
				r.maxKeys = int(n)
				return err
			}, true
		case "require":
			return func() error { return p.require(r) }, true
		case "explain":
			return func() error { r.explain = true; return p.isTrue() }, true
		}
		return nil, false
	}, "name", "effect", "callers")
	if err != nil {
		return err
	}
	if r.deny {
		for _, name := range forAllow {
			p.problem("has member %q, which says nothing in a rule that denies", name)
		}
	}
	if r.maxExpiresIn > 0 && r.reuseFor >= r.maxExpiresIn {
		p.problem("has a reuse_for that is no less than its max_expires_in, and both count: a URL would have no time left")
	}
	for _, q := range r.require {
		if r.operations != nil && !slices.ContainsFunc(r.operations, func(o s3op.Operation) bool { return o.Has(q.option) || getsAround(o, q.option) }) {
			p.problem("requires option %q, which none of its operations has", q.option)
		}
	}
	return nil
}

func (p *parser) callers(r *rule) error {
	if p.Peek() == strictjson.String {
		_, err := p.text(maxText, func(s string) bool { return s == "*" }, `"*", which is everyone, or an array of callers`)
		return err
	}
	return p.array(1, maxStrings, func() error {
		var c callers
		members := 0
		err := p.object("", func(name string) (func() error, bool) {
			members++
			for kind, word := range kinds {
				if word == name {
					c.kind = Kind(kind)
					return func() error { return p.caller(&c) }, true
				}
			}
			return nil, false
		})
		if err == nil && members != 1 {
			p.problem("must have one of the members %s", strings.Join(kinds[:], ", "))
		}
		r.callers = append(r.callers, c)
		return err
	})
}

// caller reads what callers of a kind must be.
func (p *parser) caller(c *callers) (err error) {
	k := p.Peek()
	switch {
	case k == strictjson.True, c.kind == Anonymous, c.kind == Direct:
		return p.isTrue()
	case c.kind == IAM:
		if k != strictjson.String && k != strictjson.Array {
			return p.wrong("must be true, a pattern or an array of patterns")
		}
		patterns, err := p.oneOrMore(maxText, func(s string) bool { _, ok := parsePrincipal(s); return ok }, principalForm)
		for _, s := range patterns {
			pattern, _ := parsePrincipal(s)
			c.principals = append(c.principals, pattern)
		}
		return err
	case k != strictjson.Object:
		return p.wrong("must be true or an object")
	case c.kind == Service:
		return p.object("", func(name string) (func() error, bool) {
			switch name {
			case "principal":
				return func() error {
					c.service, err = p.text(maxText, isServicePrincipal, "a service's principal, such as sqs.amazonaws.com")
					return err
				}, true
			case "source_arn":
				return func() error {
					sources, err := p.oneOrMore(maxText, func(s string) bool { return isARNPattern(s) }, "an ARN, in which * and ? are wildcards within a part between colons")
					c.sources = sources
					return err
				}, true
			}
			return nil, false
		}, "principal")
	}
	return p.token(c)
}

// token reads what a token must say.
func (p *parser) token(c *callers) error {
	members := 0
	err := p.object("", func(name string) (func() error, bool) {
		members++
		switch name {
		case "issuer":
			return func() error {
				issuer, err := p.text(maxText, nil, "")
				c.claims = append(c.claims, claim{"iss", []string{issuer}})
				return err
			}, true
		case "groups":
			return func() (err error) {
				c.groups, err = p.oneOrMore(128, isGroup, "a group's name without white space, comma and brackets")
				return err
			}, true
		case "claims":
			return func() error {
				n := 0
				err := p.object(" of claims", func(name string) (func() error, bool) {
					n++
					if !isClaimName(name) {
						return nil, false
					}
					return func() error {
						values, err := p.oneOrMore(maxText, nil, "")
						c.claims = append(c.claims, claim{strings.Clone(name), values})
						return err
					}, true
				})
				if err == nil && n == 0 {
					p.problem("is empty")
				}
				return err
			}, true
		}
		return nil, false
	})
	if err == nil && members == 0 {
		p.problem("is empty: write true for every token that the API accepts")
	}
	return err
}

func (p *parser) prefixes(r *rule) error {
	_, err := p.texts(maxText, func(s string) bool {
		t, problem := parseTemplate(s)
		if problem != "" {
			p.problem("%s", problem)
		}
		r.prefixes = append(r.prefixes, t)
		return true
	}, "")
	return err
}

func (p *parser) operations(r *rule) error {
	names, err := p.texts(maxText, func(s string) bool { _, ok := s3op.ParseOperation(s); return ok }, "one of "+s3op.Names())
	for _, name := range names {
		op, _ := s3op.ParseOperation(name)
		r.operations = append(r.operations, op)
	}
	return err
}

// canRequire tells whether a rule can say what an option must be. It cannot of those
// that are never signed, are many values, are short for another, shape a list or what is
// uploaded rather than what is stored, or are a secret.
func canRequire(id s3op.ID) bool {
	switch name := id.String(); name {
	case "filename", "if_none_match", "metadata", "part_numbers", "mfa", "sse_customer_key",
		"continuation_token", "start_after", "delimiter", "encoding_type", "fetch_owner", "part_number_marker", "max_parts",
		"object_attributes", "optional_object_attributes", "metadata_directive", "tagging_directive", "mpu_object_size",
		"content_type_starts_with", "key_starts_with", "success_action_status", "part_size", "resume", "size":
		return false
	default:
		return !strings.HasPrefix(name, "grant_") && !strings.HasPrefix(name, "copy_source")
	}
}

func (p *parser) require(r *rule) error {
	n := 0
	err := p.object(" of options", func(name string) (func() error, bool) {
		n++
		id, ok := s3op.Lookup(name)
		if !ok || !canRequire(id) {
			return nil, false
		}
		return func() error {
			q := requirement{option: id}
			err := p.requirement(&q)
			r.require = append(r.require, q)
			return err
		}, true
	})
	if err == nil && n == 0 {
		p.problem("is empty")
	}
	return err
}

func (p *parser) requirement(q *requirement) (err error) {
	kind, k := q.option.Kind(), p.Peek()
	switch {
	case k == strictjson.True:
		return p.isTrue()
	case (kind == s3op.Integer || q.option == s3op.ContentLengthRange) && k == strictjson.Object:
		return p.object("", func(name string) (func() error, bool) {
			return func() (err error) { q.most, err = p.number(math.MaxInt64); return err }, name == "max"
		}, "max")
	case kind == s3op.Integer || q.option == s3op.ContentLengthRange:
		return p.wrong(`must be true or an object such as {"max": 10485760}`)
	case kind == s3op.Text && (k == strictjson.String || k == strictjson.Array):
		q.values, err = p.oneOrMore(maxText, isValuePattern, "printable ASCII, in which only the last character may be a *, for any ending")
		return err
	case kind == s3op.Text:
		return p.wrong("must be true, a string or an array of strings")
	}
	return p.wrong("must be true")
}

// shown is how a name from the document appears in an error text: only what looks like
// a name is repeated.
func shown(name string) string {
	if name != "$schema" && (len(name) > maxName || !isClaimName(name)) {
		return "(not shown)"
	}
	return name
}

const (
	digits  = "0123456789"
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// consists tells whether s is not empty and holds only characters of a set.
func consists(s, of string) bool { return s != "" && strings.Trim(s, of) == "" }

func isName(s string) bool { return consists(s, letters+digits+"._-") && consists(s[:1], letters) }

func isBucket(s string) bool { return consists(s, letters+digits+"._:/-") }

func isServicePrincipal(s string) bool { return consists(s, "abcdefghijklmnopqrstuvwxyz"+digits+".-") }

func isClaimName(s string) bool { return consists(s, letters+digits+"_:./-") }

func isGroup(s string) bool { return !strings.ContainsAny(s, " \t\r\n,[]") }

func isValuePattern(s string) bool {
	value := strings.TrimSuffix(s, "*")
	return value != "" && !strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' || c == '*' })
}

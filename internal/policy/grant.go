package policy

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"bulkpresign/internal/s3op"
)

// Refused is what the rules do not allow.
type Refused uint8

const (
	RefusedBucket    Refused = iota
	RefusedOperation         // the bucket, but not with this operation
	RefusedCount             // so many keys in one request
	RefusedExpiry            // for so long
	RefusedKey               // this key
	RefusedOption            // with these signing options
)

// Refusal is why the rules do not allow something.
type Refusal struct {
	Refused Refused
	Detail  string // for the caller: it says what to do
	Rule    string // the rule that decided; "" when none allows it
}

// Grant is what the rules let one caller do with one bucket and operation. It is
// worked out once for a request, so that a key costs a comparison of prefixes. It
// serves one goroutine.
//
// A key is allowed when no rule denies it and one rule allows all of it: the key's
// prefix, the number of keys, the expiry and the signing options. What several rules
// allow is never added up.
type Grant struct {
	// Explains tells whether the caller may know which rules decide.
	Explains bool

	deny  []scope
	allow []scope
	keys  string // what to tell of a key that no rule allows
}

// scope is a rule as it is for the caller.
type scope struct {
	*rule
	prefixes []string // any of them; never empty
	problem  string   // why it allows no key of this request, or ""
	missing  string   // what the options of the whole batch lack, or ""
	used     bool     // it has decided about a key
}

func (s *scope) covers(key string) bool {
	return slices.ContainsFunc(s.prefixes, func(p string) bool { return strings.HasPrefix(key, p) })
}

// Grant works out what a caller may do. Its methods say the rest.
func (d *Document) Grant(c *Caller, bucket string, op s3op.Operation) (*Grant, *Refusal) {
	g := &Grant{}
	var refusal *Refusal
	anyBucket := false // that a rule allows
	unusable := false  // what is known of the caller, for a rule's prefixes
	for _, r := range d.rules {
		if r.callers != nil && !slices.ContainsFunc(r.callers, func(cond callers) bool { return cond.match(c) }) {
			continue
		}
		g.Explains = g.Explains || r.explain
		if r.buckets != nil && !slices.Contains(r.buckets, bucket) {
			continue
		}
		prefixes := r.expand(c)
		if len(prefixes) == 0 {
			unusable = true
			continue
		}
		anyBucket = anyBucket || !r.deny
		switch {
		case r.operations != nil && !slices.Contains(r.operations, op):
		case !r.deny:
			g.allow = append(g.allow, scope{rule: r, prefixes: prefixes})
		case slices.Contains(prefixes, "") && refusal == nil: // all of it
			refusal = &Refusal{RefusedBucket, "the policy denies you this bucket", r.name}
			if r.operations != nil {
				refusal = &Refusal{RefusedOperation, fmt.Sprintf("the policy denies you %s on this bucket", op), r.name}
			}
		default:
			g.deny = append(g.deny, scope{rule: r, prefixes: prefixes})
		}
	}
	switch {
	case refusal != nil:
	case !anyBucket:
		refusal = &Refusal{Refused: RefusedBucket, Detail: fmt.Sprintf("no rule of the policy allows you this bucket; you are known to the service as a caller of the kind %q", c.Kind)}
		if unusable {
			refusal.Detail += ", and what a rule's prefix is made of is missing of you or has characters that may not stand there"
		}
	case len(g.allow) == 0:
		refusal = &Refusal{Refused: RefusedOperation, Detail: fmt.Sprintf("no rule of the policy allows you %s on this bucket", op)}
	}
	g.keys = "no rule of the policy allows you this key: yours begin with " + g.beginnings()
	return g, refusal
}

// expand gives the rule's prefixes for a caller. A rule with a placeholder that has no
// safe value for the caller does not allow by that prefix, and denies all that stands
// before the placeholder.
func (r *rule) expand(c *Caller) (prefixes []string) {
	if r.prefixes == nil {
		return []string{""}
	}
	for _, t := range r.prefixes {
		prefix, before, ok := t.expand(c)
		switch {
		case ok:
			prefixes = append(prefixes, prefix)
		case r.deny:
			prefixes = append(prefixes, before)
		}
	}
	return prefixes
}

// Prefixes are the fewest that begin all keys under a prefix that any rule allows: none
// of them begins another. Where no rule allows any such key it is that prefix.
func (g *Grant) Prefixes(within string) []string {
	var list []string
	for _, s := range g.allow {
		for _, p := range s.prefixes {
			switch {
			case strings.HasPrefix(p, within):
				list = append(list, p)
			case strings.HasPrefix(within, p):
				return []string{within}
			}
		}
	}
	if list == nil {
		return []string{within}
	}
	slices.Sort(list) // a prefix of others comes before them
	fewest := list[:1]
	for _, p := range list[1:] {
		if !strings.HasPrefix(p, fewest[len(fewest)-1]) {
			fewest = append(fewest, p)
		}
	}
	return fewest
}

// beginnings lists some prefixes under which the caller has keys.
func (g *Grant) beginnings() string {
	const most = 3
	list := quoted(g.Prefixes(""))
	if len(list) > most {
		return strings.Join(list[:most], ", ") + " and others"
	}
	return strings.Join(list, " or ")
}

// none tells how to refuse a whole request of which no rule is left that allows a key.
func (g *Grant) none(as Refused, detail string) *Refusal {
	if slices.ContainsFunc(g.allow, func(s scope) bool { return s.problem == "" }) {
		return nil
	}
	refusal := &Refusal{Refused: as, Detail: detail}
	if len(g.allow) == 1 {
		refusal.Rule = g.allow[0].name
	}
	return refusal
}

// LimitKeys tells the rules how many keys the request has. A negative number is that
// of a list that nobody has counted, for which a rule with a limit allows nothing.
func (g *Grant) LimitKeys(n int) *Refusal {
	most := 0
	for i := range g.allow {
		if s := &g.allow[i]; s.maxKeys > 0 && (n < 0 || n > s.maxKeys) {
			most = max(most, s.maxKeys)
			s.problem = fmt.Sprintf("the policy allows you this key in requests of at most %d keys: split the request", s.maxKeys)
		}
	}
	if n < 0 {
		return g.none(RefusedCount, fmt.Sprintf("the policy allows you at most %d keys, so no list of any length: send requests with keys", most))
	}
	return g.none(RefusedCount, fmt.Sprintf("the request has %d keys and the policy allows you at most %d: split it", n, most))
}

// ShortestExpiresIn is how long URLs live when the request does not say, in seconds:
// as long as they do otherwise, or as the strictest rule has it.
func (g *Grant) ShortestExpiresIn(otherwise int64) int64 {
	for _, s := range g.allow {
		if s.maxExpiresIn > 0 && s.problem == "" {
			otherwise = min(otherwise, s.maxExpiresIn)
		}
	}
	return otherwise
}

// ReuseFor is for how many seconds URLs stay the same when the request does not say: as
// long as every rule lets them, and all of these with the lifetime stay within the first
// limit that the lifetime alone does not pass, their own or the most there is.
func (g *Grant) ReuseFor(lifetime, most int64) int64 {
	reuse := int64(math.MaxInt64)
	for i := range g.allow {
		if s := &g.allow[i]; s.problem == "" {
			reuse = min(reuse, s.reuseFor)
			if s.maxExpiresIn >= lifetime {
				most = min(most, s.maxExpiresIn)
			}
		}
	}
	return max(0, min(reuse, most-lifetime))
}

// LimitExpiresIn tells the rules how long the URLs are to live, in seconds; reused says that some of
// it is for URLs that stay the same.
func (g *Grant) LimitExpiresIn(seconds int64, reused bool) *Refusal {
	fields, ask := `field "expires_in" is`, `a shorter "expires_in"`
	if reused {
		fields, ask = `fields "expires_in" and "reuse_for" together are`, `a shorter "expires_in" or "reuse_for"`
	}
	most := int64(0)
	for i := range g.allow {
		if s := &g.allow[i]; s.problem == "" && s.maxExpiresIn > 0 && seconds > s.maxExpiresIn {
			most = max(most, s.maxExpiresIn)
			s.problem = fmt.Sprintf("the policy allows you this key for at most %d seconds: ask for %s", s.maxExpiresIn, ask)
		}
	}
	return g.none(RefusedExpiry, fmt.Sprintf(`%s over the maximum of %d seconds that the policy allows you`, fields, most))
}

// RequireOfBatch tells the rules the settled options of the whole batch. What is
// missing there may still be given for a key; what is there must be right for a rule.
func (g *Grant) RequireOfBatch(settled []s3op.Option, op s3op.Operation) *Refusal {
	var first *Refusal
	fits := false
	for i := range g.allow {
		s := &g.allow[i]
		var isGiven bool
		s.missing, isGiven = s.check(settled, op)
		switch {
		case s.problem != "":
		case !isGiven:
			fits = true
		case first == nil:
			first = &Refusal{RefusedOption, s.missing, s.name}
		}
	}
	if fits {
		return nil
	}
	return first
}

// Key finds the first rule that allows a key, whatever its options, or tells why none
// does.
func (g *Grant) Key(key string) (at int, refusal *Refusal) {
	for i := range g.deny {
		if s := &g.deny[i]; s.covers(key) {
			s.used = true
			return 0, &Refusal{RefusedKey, "the policy denies you this key", s.name}
		}
	}
	at = g.next(key, 0)
	if at < len(g.allow) {
		return at, nil
	}
	for i := range g.allow {
		if s := &g.allow[i]; s.covers(key) {
			s.used = true
			return 0, &Refusal{RefusedKey, s.problem, s.name}
		}
	}
	return 0, &Refusal{Refused: RefusedKey, Detail: g.keys}
}

// next is the first rule from one on that allows a key, whatever its options.
func (g *Grant) next(key string, from int) int {
	for from < len(g.allow) && (g.allow[from].problem != "" || !g.allow[from].covers(key)) {
		from++
	}
	return from
}

// BatchOptions finds the first rule, from what Key found on, that allows a key with the
// batch's options, or tells what the options lack for the first.
func (g *Grant) BatchOptions(key string, at int) *Refusal {
	return g.options(key, at, func(s *scope) string { return s.missing })
}

// Options is BatchOptions for a key with other settled options.
func (g *Grant) Options(key string, at int, settled []s3op.Option, op s3op.Operation) *Refusal {
	return g.options(key, at, func(s *scope) string { missing, _ := s.check(settled, op); return missing })
}

func (g *Grant) options(key string, at int, missing func(*scope) string) *Refusal {
	for i := at; i < len(g.allow); i = g.next(key, i+1) {
		if s := &g.allow[i]; missing(s) == "" {
			s.used = true
			return nil
		}
	}
	s := &g.allow[at]
	s.used = true
	return &Refusal{RefusedOption, missing(s), s.name}
}

// Rules names the rules that have decided about a key so far: those that deny, then
// those that allow, each in the document's order.
func (g *Grant) Rules() []string {
	var names []string
	for _, s := range slices.Concat(g.deny, g.allow) {
		if s.used {
			names = append(names, s.name)
		}
	}
	return names
}

func quoted(list []string) []string {
	q := make([]string, len(list))
	for i, s := range list {
		q[i] = strconv.Quote(s)
	}
	return q
}

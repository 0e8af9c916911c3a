package policy_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"bulkpresign/internal/s3op"
)

// modelRule is a rule of which the model knows what it means without parsing it.
type modelRule struct {
	Name         string         `json:"name"`
	Effect       string         `json:"effect"`
	Callers      any            `json:"callers"`
	Buckets      []string       `json:"buckets,omitempty"`
	Prefixes     []string       `json:"prefixes,omitempty"`
	Operations   []string       `json:"operations,omitempty"`
	MaxExpiresIn int64          `json:"max_expires_in,omitempty"`
	MaxKeys      int            `json:"max_keys,omitempty"`
	Require      map[string]any `json:"require,omitempty"`
}

// covers is the definition: who, where, what and under which prefix.
func (r *modelRule) covers(a ask, role string) bool {
	callers := r.Callers == "*" || strings.Contains(string(must(json.Marshal(r.Callers))), "role/"+role)
	return callers && (r.Buckets == nil || slices.Contains(r.Buckets, a.bucket)) &&
		(r.Operations == nil || slices.Contains(r.Operations, a.op.String())) &&
		(r.Prefixes == nil || slices.ContainsFunc(r.Prefixes, func(p string) bool {
			return strings.HasPrefix(a.key, strings.ReplaceAll(p, "${iam:role}", role))
		}))
}

// allows is the definition of what one rule that allows must allow altogether.
func (r *modelRule) allows(a ask, role string) bool {
	var contentType, small bool
	for _, o := range slices.Concat(a.batch, a.own) {
		contentType = contentType || o.ID.String() == "content_type"
		small = small || o.ID.String() == "content_length" && o.Value == "5"
	}
	return r.covers(a, role) && (r.MaxExpiresIn == 0 || a.seconds <= r.MaxExpiresIn) && (r.MaxKeys == 0 || a.keys <= r.MaxKeys) &&
		(a.op != s3op.PutObject || (r.Require["content_type"] == nil || contentType) && (r.Require["content_length"] == nil || small))
}

func must(text []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return text
}

// Whatever the rules, a key is signed exactly when none denies it and one allows all of
// it. The model asks each rule about each key; the grant is worked out for the request.
func TestAgainstModel(t *testing.T) {
	const cases = 20_000
	r := rand.New(rand.NewPCG(2026, 7))
	maybe := func(list ...string) []string { // none, or some of them
		var some []string
		for _, s := range list {
			if r.IntN(3) == 0 {
				some = append(some, s)
			}
		}
		return some
	}
	signed := 0
	for range cases {
		var rules []modelRule
		for i := range 1 + r.IntN(4) {
			rule := modelRule{
				Name: "r" + string(rune('0'+i)), Effect: "allow", Callers: "*",
				Buckets:    maybe("photos", "other"),
				Prefixes:   maybe("a/", "a/b/", "${iam:role}/", "x/${iam:role}/", "c"),
				Operations: maybe("GetObject", "PutObject"),
			}
			if r.IntN(2) == 0 {
				rule.Callers = []any{map[string]any{"iam": "arn:aws:iam::123456789012:role/" + []string{"a", "b"}[r.IntN(2)]}}
			}
			if r.IntN(4) == 0 {
				rule.Effect = "deny"
			} else {
				rule.MaxExpiresIn = []int64{0, 60, 600}[r.IntN(3)]
				rule.MaxKeys = []int{0, 1, 10}[r.IntN(3)]
				if len(rule.Operations) != 1 || rule.Operations[0] != "GetObject" {
					rule.Require = []map[string]any{nil, {"content_type": true}, {"content_length": map[string]any{"max": 5}}}[r.IntN(3)]
				}
			}
			rules = append(rules, rule)
		}
		role := []string{"a", "b"}[r.IntN(2)]
		a := ask{
			caller: session(role, "s"), bucket: []string{"photos", "other"}[r.IntN(2)],
			op:      []s3op.Operation{s3op.GetObject, s3op.PutObject}[r.IntN(2)],
			key:     []string{"a/1", "a/b/1", "b/1", "x/a/1", "x/b/1", "c1", "d", "a"}[r.IntN(8)],
			seconds: []int64{60, 61, 601}[r.IntN(3)], keys: []int{1, 2, 11}[r.IntN(3)],
		}
		if a.op == s3op.PutObject {
			given := [][]s3op.Option{nil, options("content_type", "x/y"), options("content_length", "5"), options("content_length", "6"),
				options("content_type", "x/y", "content_length", "5")}[r.IntN(5)]
			if r.IntN(2) == 0 {
				a.batch = given
			} else {
				a.own = given
			}
		}
		allows := func(rule modelRule) bool { return rule.Effect == "allow" && rule.allows(a, role) }
		denies := func(rule modelRule) bool { return rule.Effect == "deny" && rule.covers(a, role) }
		want := slices.ContainsFunc(rules, allows) && !slices.ContainsFunc(rules, denies)
		document := string(must(json.Marshal(map[string]any{"rules": rules})))
		got := decide(t, document, a)
		if isSigned := !strings.HasPrefix(got, "no "); isSigned != want {
			t.Errorf("%s\n%+v: %s, and the model says %v", document, a, got, want)
		}
		if want {
			signed++
			first := slices.IndexFunc(rules, allows)
			if rule, _, _ := strings.Cut(got, ","); rule != rules[first].Name {
				t.Errorf("%s\n%+v: %s, and the first that allows is %s", document, a, got, rules[first].Name)
			}
		}
	}
	if signed < cases/20 || signed > cases*19/20 {
		t.Errorf("%d of %d are signed, so the cases say little", signed, cases)
	}
}

package bulk_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/answer"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/check/batches"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
)

// under is a service with a policy document.
func under(t testing.TB, document string) *bulk.Service {
	t.Helper()
	s := batches.Standing()
	var err error
	if s.Policy.Document, err = policy.ParseDocument([]byte(document)); err != nil {
		t.Fatal(err)
	}
	return s
}

const uploads = `{"rules": [
	{"name": "private", "effect": "deny", "callers": "*", "prefixes": ["in/private/"]},
	{"name": "own", "effect": "allow", "callers": [{"jwt": true}], "prefixes": ["users/${jwt:sub}/"], "max_expires_in": 600, "explain": true},
	{"name": "images", "effect": "allow", "callers": "*", "buckets": ["photos"], "prefixes": ["in/"], "operations": ["PutObject"], "max_expires_in": 60,
		"max_keys": 9, "require": {"content_type": "image/*", "content_length": {"max": 100}}}
]}`

// What the policy document refuses, in the words of the contract: a request fails for
// what it asks as a whole, a key for what it asks itself.
func TestPolicyDocument(t *testing.T) {
	ann := policy.Caller{Kind: policy.JWT, Claims: map[string]string{"sub": "ann"}}
	nine := strings.Repeat(`"in/a",`, 9)
	for _, test := range []struct {
		caller  policy.Caller
		request string
		code    bulk.Code
		detail  string   // a part of it
		signed  []string // keys
		errors  map[string]string
	}{
		{policy.Caller{}, `{"bucket":"other","keys":["in/a"]}`, bulk.BucketNotAllowed, "", nil, nil},
		{policy.Caller{}, `{"keys":["in/a"]}`, bulk.OperationNotAllowed, "no rule of the policy allows you GetObject", nil, nil},
		{policy.Caller{}, `{"operation":"PUT","keys":[` + nine + `"in/b"]}`, bulk.TooManyKeys, "at most 9", nil, nil},
		{policy.Caller{}, `{"operation":"PUT","expires_in":61,"keys":["in/a"]}`, bulk.ExpiryTooLong, "60 seconds", nil, nil},
		{policy.Caller{}, `{"operation":"PUT","expires_in":604801,"keys":["in/a"]}`, bulk.ExpiryTooLong, "604800 seconds", nil, nil},
		{policy.Caller{}, `{"operation":"PUT","content_type":"text/html","keys":[{"key":"in/a","content_type":"image/png"}]}`, bulk.InvalidOption, `"content_type" to be "image/*"`, nil, nil},
		{policy.Caller{}, `{"operation":"PUT","explain":true,"keys":["in/a"]}`, bulk.InvalidRequest, `"explain"`, nil, nil},
		{policy.Caller{}, `{"operation":"PUT","content_type":"image/png","content_length":100,"allow_dot_segments":true,"keys":[
			"in/a","in/private/a","out/a","in/../a","","users/ann/a",{"key":"in/b","content_length":101},{"key":"in/c","content_type":"image/gif"},{"key":"in/d","content_type":""}]}`,
			"", "", []string{"in/a", "in/c"}, map[string]string{
				"in/private/a": "KeyNotAllowed", "out/a": "KeyNotAllowed", "in/../a": "UnsafeKey", "": "EmptyKey",
				"users/ann/a": "KeyNotAllowed", "in/b": "InvalidOption", "in/d": "InvalidOption",
			}},
		{policy.Caller{}, `{"operation":"PUT","content_type":"image/png","keys":["in/a",{"key":"in/b","content_length":1}]}`,
			"", "", []string{"in/b"}, map[string]string{"in/a": "InvalidOption"}},

		{ann, `{"keys":["users/ann/a","users/bob/a","in/a"]}`, "", "", []string{"users/ann/a"},
			map[string]string{"users/bob/a": "KeyNotAllowed", "in/a": "KeyNotAllowed"}},
		{ann, `{"operation":"PUT","expires_in":61,"keys":["users/ann/a","in/a"]}`, "", "", []string{"users/ann/a"}, map[string]string{"in/a": "KeyNotAllowed"}},
		{ann, `{"operation":"PUT","content_type":"text/html","keys":["users/ann/a","in/a"]}`, "", "", []string{"users/ann/a"}, map[string]string{"in/a": "InvalidOption"}},
		{ann, `{"expires_in":601,"keys":["users/ann/a"]}`, bulk.ExpiryTooLong, "600 seconds", nil, nil},
		{ann, `{"expires_in":601,"explain":true,"keys":["users/ann/a"]}`, bulk.ExpiryTooLong, `(rule "own")`, nil, nil},
	} {
		p, err := batches.PlanFor(under(t, uploads), test.caller, []byte(test.request))
		if got := code(t, err); got != test.code {
			t.Errorf("%s: %v, want %q", test.request, err, test.code)
			continue
		}
		if err != nil {
			if !strings.Contains(err.Error(), test.detail) {
				t.Errorf("%s: %v does not say %q", test.request, err, test.detail)
			}
			continue
		}
		a := batches.Finish(t, p)
		failed := make(map[string]string)
		for key, e := range a.Errors {
			failed[key] = e.Code
		}
		if d := cmp.Diff(test.errors, failed); d != "" {
			t.Errorf("%s: errors (-want +got):\n%s", test.request, d)
		}
		for _, key := range test.signed {
			if a.URLs[key] == "" {
				t.Errorf("%s: no URL of %q", test.request, key)
			}
		}
		if len(a.URLs) != len(test.signed) {
			t.Errorf("%s: %d URLs", test.request, len(a.URLs))
		}
	}
}

// A rule's name stands beside the answer where it was asked for, in every format that
// is an object or has objects, and what it adds is foretold.
func TestExplain(t *testing.T) {
	s := under(t, uploads)
	ann := policy.Caller{Kind: policy.JWT, Claims: map[string]string{"sub": "ann"}}
	const request = `{"operation":"PUT","explain":%v,"keys":["users/ann/a","in/private/a","in/a","x"]}`
	p, err := batches.PlanFor(s, ann, fmt.Appendf(nil, request, true))
	if err != nil {
		t.Fatal(err)
	}
	a := batches.Finish(t, p)
	if a.Explain == nil || !slices.Equal(a.Explain.Rules, []string{"private", "own", "images"}) || !slices.Equal(p.Rules, a.Explain.Rules) {
		t.Errorf("explain is %v, the plan's rules are %q", a.Explain, p.Rules)
	}
	rules := make(map[string]string)
	for key, e := range a.Errors {
		rules[key] = e.Rule
	}
	if d := cmp.Diff(map[string]string{"in/private/a": "private", "in/a": "images", "x": ""}, rules); d != "" {
		t.Errorf("rules (-want +got):\n%s", d)
	}
	for _, f := range []bulk.Format{bulk.JSON, bulk.Compact, bulk.NDJSON, bulk.CSV, bulk.URIList, bulk.Curl} {
		for _, q := range []answer.Quoting{answer.Bare, answer.Quoted} {
			text := answer.Append(nil, p, f, q)
			if size, _ := answer.Size(p, f, q, 0); size != len(text) {
				t.Errorf("%v: Size says %d, the answer has %d bytes", f, size, len(text))
			}
			if got, want := bytes.Contains(text, []byte("private\"")) || bytes.Contains(text, []byte(`private\"`)), f.IsObject() || f == bulk.NDJSON; got != want {
				t.Errorf("%v names rules: %v", f, got)
			}
		}
	}

	// Who does not ask is not told, but the log is.
	p, err = batches.PlanFor(s, ann, fmt.Appendf(nil, request, false))
	if err != nil {
		t.Fatal(err)
	}
	if a := batches.Finish(t, p); a.Explain != nil || a.Errors["in/a"].Rule != "" || len(p.Rules) != 3 {
		t.Errorf("explain is %v, an error's rule %q, the plan's %q", a.Explain, a.Errors["in/a"].Rule, p.Rules)
	}
	_, err = batches.PlanFor(s, ann, []byte(`{"expires_in":601,"keys":["users/ann/a"]}`))
	var failed *bulk.Error
	if !errors.As(err, &failed) || failed.Rule != "own" || strings.Contains(failed.Detail, "own") {
		t.Errorf("%v, of rule %q", err, failed.Rule)
	}

	// Without a document no rule decides.
	p, err = batches.Plan(batches.Standing(), []byte(`{"explain":true,"keys":["a"]}`))
	if err != nil {
		t.Fatal(err)
	}
	if a := batches.Finish(t, p); a.Explain == nil || len(a.Explain.Rules) != 0 {
		t.Errorf("explain is %v", a.Explain)
	}
}

// A list is judged like a batch. A rule with max_keys allows nothing of a
// list that nobody has counted, and what is listed lies where the caller has keys.
func TestPolicyOfChunks(t *testing.T) {
	ann := policy.Caller{Kind: policy.JWT, Claims: map[string]string{"sub": "ann"}}
	for _, test := range []struct {
		caller policy.Caller
		r      bulk.Request
		code   bulk.Code
	}{
		{ann, bulk.Request{Source: bulk.Prefix, Prefix: "users/ann/2026/"}, ""},
		{ann, bulk.Request{Source: bulk.Prefix, Prefix: "users/ann/"}, ""},
		{ann, bulk.Request{Source: bulk.Prefix, Prefix: "users/a"}, bulk.KeyNotAllowed},
		{ann, bulk.Request{Source: bulk.Prefix}, bulk.KeyNotAllowed},
		{ann, bulk.Request{Source: bulk.Manifest}, ""},
		{ann, bulk.Request{Source: bulk.Manifest, ExpiresIn: 601}, bulk.ExpiryTooLong},
		{policy.Caller{}, bulk.Request{Source: bulk.Manifest, Operation: s3op.PutObject}, bulk.TooManyKeys},
		{policy.Caller{}, bulk.Request{Operation: s3op.PutObject, Count: 9}, ""},
		{policy.Caller{}, bulk.Request{Operation: s3op.PutObject, Count: 10}, bulk.TooManyKeys},
		{policy.Caller{}, bulk.Request{Source: bulk.Manifest}, bulk.OperationNotAllowed},
	} {
		if _, err := under(t, uploads).Chunks(t.Context(), test.caller, &test.r); code(t, err) != test.code {
			t.Errorf("%v, prefix %q, %d keys: %v, want %q", test.r.Source, test.r.Prefix, test.r.Count, err, test.code)
		}
	}

	limited := batches.Standing()
	limited.Policy.KeyPrefix = "in/"
	for prefix, want := range map[string]bulk.Code{"": bulk.KeyNotAllowed, "i": bulk.KeyNotAllowed, "in/": "", "in/2026": ""} {
		if _, err := limited.Chunks(t.Context(), policy.Caller{}, &bulk.Request{Source: bulk.Prefix, Prefix: prefix}); code(t, err) != want {
			t.Errorf("prefix %q: %v, want %q", prefix, err, want)
		}
	}

	chunks, err := under(t, uploads).Chunks(t.Context(), ann, &bulk.Request{Source: bulk.Manifest})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chunks.Next(t.Context(), []bulk.Entry{{Key: "users/ann/a"}, {Key: "users/bob/a"}, {Key: "users/ann/../a"}}); err != nil {
		t.Fatal(err)
	}
	tally := chunks.Plan().Tally()
	if tally.Signed != 1 || tally.Failed[bulk.KeyNotAllowed] != 1 || tally.Failed[bulk.UnsafeKey] != 1 {
		t.Errorf("signed %d, failed %v", tally.Signed, tally.Failed)
	}
	if rules := chunks.Rules(); !slices.Equal(rules, []string{"own"}) {
		t.Errorf("rules %q", rules)
	}
}

// BenchmarkPolicy is what a policy document adds to a batch, decoding and signing
// included: the best times with one of several rules and without any, turn and turn
// about.
func BenchmarkPolicy(b *testing.B) {
	request := []byte(`{"operation":"PUT","expires_in":60,"content_type":"image/png","content_length":1,"keys":[`)
	for i := range 10_000 {
		request = fmt.Appendf(request, `"in/2026/11/camera-%d/picture-%08d.png",`, i%100, i)
	}
	request = append(request[:len(request)-1], `]}`...)
	services := []*bulk.Service{batches.Standing(), under(b, strings.Replace(uploads, `"max_keys": 9, `, "", 1))}
	best := []time.Duration{time.Hour, time.Hour}
	for b.Loop() {
		for i, s := range services {
			text := bytes.Clone(request)
			began := time.Now()
			p, err := batches.Plan(s, text)
			if err != nil {
				b.Fatal(err)
			}
			p.Sign()
			best[i] = min(best[i], time.Since(began))
		}
	}
	b.ReportMetric(float64(best[0].Nanoseconds())/10_000, "ns/key-without")
	b.ReportMetric(float64(best[1].Nanoseconds())/10_000, "ns/key-with")
	b.ReportMetric(float64(best[1])/float64(best[0]), "times-without")
}

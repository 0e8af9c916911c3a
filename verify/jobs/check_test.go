package main

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The checks of a run see what they are there to see: each way in which a result can be wrong is found, and a right
// one is not.
func TestCheck(t *testing.T) {
	line := func(in *input, i int) string {
		if i >= in.count-in.bad {
			return text(map[string]any{"key": in.key(i), "error": map[string]string{"code": "UnsafeKey", "message": "m"}}) + "\n"
		}
		return text(map[string]any{"key": in.key(i), "url": "http://127.0.0.1/"}) + "\n"
	}
	good := func(in *input) string {
		var b strings.Builder
		for i := range in.count {
			b.WriteString(line(in, i))
		}
		return b.String()
	}
	tests := []struct {
		name   string
		fails  bool // the input cannot be signed
		dead   bool // it is in a dead-letter queue
		absent bool // there is no summary
		error  bool // the summary tells of an error
		lines  func(in *input) string
		cut    int // bytes at the end of the result
		extra  string
		use    bool   // a URL, which leads nowhere
		want   report // complete, failed, dead, both, lost and doubled of it
	}{
		{name: "complete", lines: good, want: report{complete: 1}},
		{name: "nothing", absent: true, want: report{lost: 1}},
		{name: "a dead letter", absent: true, dead: true, want: report{dead: 1}},
		{name: "both", lines: good, dead: true, want: report{complete: 1, both: 1}},
		{name: "a result alone", absent: true, lines: good, want: report{lost: 1}},
		{name: "a summary alone", want: report{lost: 1}},
		{name: "an error", fails: true, error: true, want: report{failed: 1}},
		{name: "an error of what can be signed", error: true, want: report{lost: 1}},
		{name: "no error of what cannot", fails: true, lines: good, want: report{lost: 1}},
		{name: "an error and a result", fails: true, error: true, lines: good, want: report{lost: 1}},
		{name: "cut off", lines: good, cut: 1, want: report{lost: 1}},
		{name: "cut off at a line", lines: func(in *input) string { return strings.TrimSuffix(good(in), line(in, in.count-1)) }, want: report{lost: 1}},
		{name: "a key twice", lines: func(in *input) string { return good(in) + line(in, 0) }, want: report{lost: 1}},
		{name: "a key for another", lines: func(in *input) string { return strings.Replace(good(in), line(in, 1), line(in, 2), 1) }, want: report{lost: 1}},
		{name: "another input's key", lines: func(in *input) string {
			return strings.Replace(good(in), line(in, 1), line(&input{serial: in.serial + 1, count: 9}, 1), 1)
		}, want: report{lost: 1}},
		{name: "an error for a URL", lines: func(in *input) string {
			return strings.Replace(good(in), line(in, 1), text(map[string]any{"key": in.key(1), "error": map[string]string{"code": "c"}})+"\n", 1)
		}, want: report{lost: 1}},
		{name: "a URL that does not work", use: true, lines: good, want: report{lost: 1}},
		{name: "of no input", lines: good, extra: "someone-else", want: report{complete: 1, doubled: 1}},
		{name: "a second result", lines: good, extra: "the-input/result-2.ndjson.gz", want: report{lost: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, session, err := newS3()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			c := &chaos{s3: s, plain: s3Client(session, s.Endpoint())}
			in := &input{kind: "list", name: "the-input", serial: 7, count: 5, bad: 2, fails: tt.fails}
			store := func(name, body string) {
				if err := s.Put(results, resultsPrefix+name, []byte(body)); err != nil {
					t.Fatal(err)
				}
			}
			summary := map[string]any{"entries": in.count, "signed": in.count - in.bad}
			if tt.lines != nil {
				object := zip([]byte(tt.lines(in)))
				object = object[:len(object)-tt.cut]
				store(in.name+"/"+resultName, string(object))
				summary["result"] = map[string]any{"bucket": results, "key": resultsPrefix + in.name + "/" + resultName, "size": len(object)}
			}
			if tt.error {
				summary["error"] = map[string]string{"code": "c", "message": "m"}
				delete(summary, "result")
			}
			if !tt.absent {
				store(in.name+"/"+summaryName, text(summary))
			}
			if tt.extra != "" {
				store(tt.extra, "{}")
			}
			dead := map[string]bool{}
			if tt.dead {
				dead[in.name] = true
			}
			if tt.use {
				c.sampled = 1
			}
			w := &workload{inputs: []*input{in}}
			r, err := c.check(t.Context(), w, dead)
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprint(r.complete, r.failed, r.dead, r.both, r.lost, r.doubled)
			if want := fmt.Sprint(tt.want.complete, tt.want.failed, tt.want.dead, tt.want.both, tt.want.lost, tt.want.doubled); got != want {
				t.Errorf("complete, failed, dead, both, lost, doubled: %s, want %s: %v", got, want, r.problems)
			}
			if (r.lost+r.doubled > 0) != (len(r.problems) > 0) {
				t.Errorf("%d lost, %d doubled and the problems %v", r.lost, r.doubled, r.problems)
			}
		})
	}
}

// Whoever looks at the results while they are written sees something whole, or the run says that it was not.
func TestWatch(t *testing.T) {
	s, session, err := newS3()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	w := &watch{s3: s}
	front := httptest.NewServer(w)
	t.Cleanup(front.Close)
	c := s3Client(session, front.URL)
	whole := zip([]byte("{}\n"))
	tests := []struct {
		key, body string
		bad       bool
	}{
		{"results/a/summary.json", `{"result":{"key":"results/a/` + resultName + `"}}`, true}, // before its result
		{"results/a/" + resultName, string(whole), false},
		{"results/a/summary.json", `{"result":{"key":"results/a/` + resultName + `"}}`, false},
		{"results/a/summary.json", `{"result":`, true},
		{"results/b/" + resultName, string(whole[:len(whole)-3]), true},
		{"results/c/" + resultName, string(zip([]byte("{}"))), true},
	}
	for _, tt := range tests {
		before := len(w.problems())
		if _, err := put(t.Context(), c, results, tt.key, strings.NewReader(tt.body), nil); err != nil {
			t.Fatal(err)
		}
		if bad := len(w.problems()) > before; bad != tt.bad {
			t.Errorf("%s of %d bytes: seen as bad: %t, want %t", tt.key, len(tt.body), bad, tt.bad)
		}
	}
	if _, err := put(t.Context(), c, photos, "k", bytes.NewReader([]byte("x")), nil); err != nil || len(w.problems()) != 4 {
		t.Errorf("another bucket is watched: %v", err)
	}
}

// The same seed makes the same inputs.
func TestWorkload(t *testing.T) {
	bodies := func(seed uint64) string {
		s, session, err := newS3()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		w := newWorkload(seed)
		w.fillQueue(200, 5, envelope)
		if err := w.fillLists(t.Context(), s3Client(session, s.Endpoint()), 3, 5); err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, d := range w.requests {
			all.WriteString(d.body)
		}
		names := map[string]bool{}
		for _, in := range w.inputs {
			all.WriteString(in.name)
			if names[in.name] {
				t.Errorf("two inputs are named %s", in.name)
			}
			names[in.name] = true
		}
		return all.String()
	}
	one := bodies(1)
	if one != bodies(1) {
		t.Error("the same seed made other inputs")
	}
	if one == bodies(2) {
		t.Error("another seed made the same inputs")
	}
}

// A bound that was missed is an error, and only then.
func TestConclude(t *testing.T) {
	m := func(keys int, took time.Duration, peak int64) measurement {
		return measurement{keys: keys, took: took, peak: peak << 20}
	}
	tests := []struct {
		name string
		all  []measurement
		want string // a part of the error
	}{
		{"good", []measurement{m(100_000, time.Second, 30), m(1_000_000, 3*time.Second, 50), m(10_000_000, 30*time.Second, 51)}, ""},
		{"slow", []measurement{m(1_000_000, 5*time.Second, 50)}, "took"},
		{"large", []measurement{m(1_000_000, 3*time.Second, 97)}, "needed"},
		{"slower", []measurement{m(1_000_000, 2*time.Second, 50), m(10_000_000, 26*time.Second, 50)}, "as long"},
		{"larger", []measurement{m(1_000_000, 2*time.Second, 50), m(10_000_000, 20*time.Second, 90)}, "memory"},
	}
	for _, tt := range tests {
		_, err := conclude(tt.all, 100)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want an error with %q", tt.name, err, tt.want)
		}
	}
}

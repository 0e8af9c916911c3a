package bulk

import (
	"maps"
	"slices"
)

// Tally is what became of the entries so far. Repeated keys count each time: a list
// has one line of result for each of its entries.
type Tally struct {
	Entries int64          `json:"entries"`
	Signed  int64          `json:"signed"`
	Failed  map[Code]int64 `json:"failed,omitempty"`
	First   []Failure      `json:"first,omitempty"` // the first failures, at most maxFirst
}

// Failure is an entry that was not signed.
type Failure struct {
	Line    int64  `json:"line,omitempty"`
	Key     string `json:"key"`
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Rule    string `json:"-"` // of the policy document, when the answer is to tell
}

// maxFirst is how many failures a Tally tells of. They travel in a queue's message when
// a job is handed on.
const maxFirst = 20

// Fail adds an entry that was not signed.
func (t *Tally) Fail(f Failure) {
	if t.Failed == nil {
		t.Failed = make(map[Code]int64)
	}
	t.Failed[f.Code]++
	if len(t.First) < maxFirst {
		t.First = append(t.First, f)
	}
}

// Tally is what became of the batch's keys.
func (p *Plan) Tally() Tally {
	t := Tally{Entries: int64(len(p.entries)), Signed: int64(p.Signed())}
	for _, at := range slices.Sorted(maps.Keys(p.failures)) {
		t.Fail(p.Failure(int(at)))
	}
	return t
}

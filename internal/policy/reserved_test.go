package policy_test

import (
	"testing"

	"bulkpresign/internal/policy"
)

func TestReserves(t *testing.T) {
	p := policy.Policy{Reserved: []policy.Folder{{Bucket: "photos", Prefix: "results/"}, {Bucket: "photos", Prefix: "in/lists/"}}}
	for _, test := range []struct {
		bucket, key string
		isStart     bool
		want        bool
	}{
		{"photos", "results/checkpoints/x", false, true},
		{"photos", "results/", false, true},
		{"photos", "in/lists/a.csv", false, true},
		{"photos", "results", false, false},
		{"photos", "resultsx", false, false},
		{"photos", "a/results/x", false, false},
		{"other", "results/x", false, false},
		{"photos", "a/../results/x", false, true}, // for servers that resolve it
		{"photos", "./in/./lists/x", false, true},
		{"photos", "results/../a", false, true}, // for servers that do not
		{"photos", "resul", true, true},         // a form whose ${filename} is "ts/checkpoints/x"
		{"photos", "", true, true},
		{"photos", "in/", true, true},
		{"photos", "in/other/", true, false},
		{"photos", "results/a", true, true},
	} {
		if got := p.Reserves(test.bucket, test.key, test.isStart); got != test.want {
			t.Errorf("%s %q, a start: %v: reserved %v, want %v", test.bucket, test.key, test.isStart, got, test.want)
		}
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const table = `# Text

## Known limits

| server | cases | what happens | reason |
|---|---|---|---|
| one | ` + "`* key NUL`" + ` | 400 or 500 | because |
| one, two | ` + "`{Put,Post}*, header (x) not sent`" + ` | 200 | because |

## More

| not | a | row | here |
`

func readTable(t *testing.T, text string) ([]limit, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "table.md")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return readLimits(file)
}

func TestJudge(t *testing.T) {
	limits, err := readTable(t, table)
	if err != nil || len(limits) != 2 {
		t.Fatalf("%d rows, %v", len(limits), err)
	}
	get, put, header := result{"Get key NUL", "400"}, result{"Put key NUL", "500"}, result{"PutObject, header (x) not sent", "200"}
	tests := []struct {
		name, server string
		results      []result
		good         int
		problem      string // part of it; "": none
	}{
		{"as the table says", "one", []result{get, put, header, {"Get key a", ""}}, 4, ""},
		{"rows of another server", "three", []result{{"Get key NUL", ""}}, 1, ""},
		{"a difference that is not in the table", "one", []result{get, put, header, {"Get key a", "403"}}, 3, "Get key a: 403"},
		{"another difference than in the table", "one", []result{get, put, header, {"Head key NUL", "404"}}, 3, "Head key NUL: 404"},
		{"no difference any more", "one", []result{get, put, header, {"Head key NUL", ""}}, 4, "stale row"},
		{"one of two that no longer happens", "one", []result{get, header}, 2, `nothing ends with "500"`},
		{"a row that no case fits", "two", []result{{"Get key a", ""}}, 1, "stale row"},
		{"a pattern is not an expression", "two", []result{{"PutObject, header x not sent", "200"}, header}, 1, "PutObject, header x not sent"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := report{server: tt.server}
			r.judge(tt.results, limits)
			if r.good != tt.good || r.all != len(tt.results) {
				t.Errorf("%d/%d cases, want %d/%d", r.good, r.all, tt.good, len(tt.results))
			}
			if r.failed() != (tt.problem != "") || !strings.Contains(strings.Join(r.problems, "\n"), tt.problem) {
				t.Errorf("problems %q, want %q", r.problems, tt.problem)
			}
		})
	}
}

func TestReadLimitsRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no section":  strings.Replace(table, "Known", "Unknown", 1),
		"no reason":   strings.Replace(table, "400 or 500 | because |", "400 or 500 | |", 1),
		"a cell less": strings.Replace(table, "400 or 500 | because |", "400 or 500 |", 1),
		"no rows":     "\n## Known limits\n\nNone.\n",
	} {
		if limits, err := readTable(t, text); err == nil {
			t.Errorf("%s: %d rows and no error", name, len(limits))
		}
	}
}

// The cases fit the operations, and none is left out; this is checked at each run too, here without a server.
func TestEveryOptionHasACase(t *testing.T) {
	cases := optionCases()
	if err := complete(cases); err != nil {
		t.Error(err)
	}
	titles := map[string]bool{}
	for _, c := range cases {
		if titles[c.title()] {
			t.Errorf("two cases %q", c.title())
		}
		titles[c.title()] = true
		for name := range c.options {
			less := optionCases()
			for i := range less {
				if less[i].operation == c.operation {
					delete(less[i].options, name)
				}
			}
			if complete(less) == nil {
				t.Errorf("nobody misses %s %s", c.operation, name)
			}
		}
	}
}

package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A limit is something that a server does otherwise than S3, whoever signed. Cases that differ and are not in the
// table fail; so does a row whose cases differ no more.
type limit struct {
	servers []string
	cases   string         // as written
	pattern *regexp.Regexp // of cases, where * stands for anything and {a,b} for one of these
	got     []string       // what happens in place of what should; each of them does
}

// readLimits reads the table of docs/verification.md, the only place where it is: rows of server, cases, what happens
// and reason under the heading "Known limits".
func readLimits(file string) ([]limit, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	_, section, found := strings.Cut(string(text), "\n## Known limits\n")
	if !found {
		return nil, fmt.Errorf("%s has no section \"Known limits\"", file)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var limits []limit
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) < 2 || strings.HasPrefix(cells[1], "-") || strings.TrimSpace(cells[1]) == "server" {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) != 6 || slices.Contains(cells[1:5], "") {
			return nil, fmt.Errorf("%s: not a row of server, cases, what happens and reason: %s", file, line)
		}
		l := limit{servers: strings.Split(cells[1], ", "), cases: strings.Trim(cells[2], "`"), got: strings.Split(cells[3], " or ")}
		if l.pattern, err = compile(l.cases); err != nil {
			return nil, fmt.Errorf("%s: %q is no pattern", file, l.cases)
		}
		limits = append(limits, l)
	}
	if len(limits) == 0 {
		return nil, errors.New(file + ": the table of known limits is empty")
	}
	return limits, nil
}

func compile(pattern string) (*regexp.Regexp, error) {
	var b strings.Builder
	inBraces := false
	for _, c := range pattern {
		switch {
		case c == '*':
			b.WriteString(".*")
		case c == '{':
			b.WriteString("(?:")
			inBraces = true
		case c == '}':
			b.WriteString(")")
			inBraces = false
		case c == ',' && inBraces:
			b.WriteString("|")
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	return regexp.Compile("^" + b.String() + "$")
}

// A report is what became of the cases on one server.
type report struct {
	server       string
	start, cases time.Duration
	good, all    int // cases as they should be, or as the table says
	known, rows  int // of these cases, and rows of the table
	problems     []string
	err          error
}

func (r *report) failed() bool { return r.err != nil || len(r.problems) > 0 }

// judge compares the results with the server's rows of the table.
func (r *report) judge(results []result, limits []limit) {
	problem := func(format string, args ...any) { r.problems = append(r.problems, fmt.Sprintf(format, args...)) }
	var rows []limit
	for _, l := range limits {
		if slices.Contains(l.servers, r.server) {
			rows = append(rows, l)
		}
	}
	r.rows = len(rows)
	seen := make([]map[string]bool, len(rows))
	for i := range seen {
		seen[i] = map[string]bool{}
	}
	for _, c := range results {
		r.all++
		known := false
		for i, l := range rows {
			switch {
			case !l.pattern.MatchString(c.name):
			case c.got == "":
				problem("stale row %q: %s is as it should be", l.cases, c.name)
			case slices.Contains(l.got, c.got):
				seen[i][c.got] = true
				known = true
			}
		}
		switch {
		case c.got == "":
			r.good++
		case known:
			r.good++
			r.known++
		default:
			problem("%s: %s", c.name, c.got)
		}
	}
	for i, l := range rows {
		for _, got := range l.got {
			if !seen[i][got] {
				problem("stale row %q: nothing ends with %q", l.cases, got)
			}
		}
	}
}

func (r *report) text() string {
	if r.err != nil {
		return fmt.Sprintf("%s: failed: %v\n", r.server, r.err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d/%d cases, %d of them known limits; started in %.1f s, done in %.1f s\n",
		r.server, r.good, r.all, r.known, r.start.Seconds(), r.cases.Seconds())
	for _, p := range r.problems {
		fmt.Fprintf(&b, "  %s\n", p)
	}
	return b.String()
}

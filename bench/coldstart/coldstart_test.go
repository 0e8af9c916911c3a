package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

// The whole of it once, and the last line, which others read.
func TestRun(t *testing.T) {
	var out bytes.Buffer
	if err := run(&out, 1, ""); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	last := regexp.MustCompile(`^coldstart: [0-9.]+ x bare aws-lambda-go, binary [0-9.]+ MB$`)
	if line := lines[len(lines)-1]; !last.MatchString(line) {
		t.Errorf("last line %q", line)
	}
}

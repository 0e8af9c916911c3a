package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"bulkpresign/internal/strictjson"
)

// The whole of it once, and the last line, which others read.
func TestRun(t *testing.T) {
	var out bytes.Buffer
	if err := run(&out, []batch{{1, false, 1}, {50, true, 1}}, "", t.TempDir()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	last := regexp.MustCompile(`^invoke: 1 key [0-9.]+ x gross [-0-9.]+ x net; 50 keys, gzip [0-9.]+ x gross [-0-9.]+ x net$`)
	if line := lines[len(lines)-1]; !last.MatchString(line) {
		t.Errorf("last line %q", line)
	}
}

// An answer that differs is not measured.
func TestSame(t *testing.T) {
	answer := func(url string) []byte {
		body := fmt.Sprintf(`{"urls":{"a":%q}}`, url)
		return fmt.Appendf(nil, `{"statusCode":200,"body":%s}`, strictjson.Quote(body))
	}
	const url = "https://h/a?X-Amz-Date=20260101T000000Z&X-Amz-Expires=9&X-Amz-Signature="
	now, later := url+strings.Repeat("0", 64), strings.Replace(url, "000000Z", "000001Z", 1)+strings.Repeat("1", 64)
	if err := same(answer(now), answer(later), 1); err != nil {
		t.Error(err)
	}
	if same(answer(now), answer(strings.Replace(now, "Expires=9", "Expires=8", 1)), 1) == nil {
		t.Error("another lifetime passes for the same")
	}
	if same(answer(now), answer(now), 2) == nil {
		t.Error("one URL passes for two")
	}
	if same(answer(now), []byte(`{"statusCode":500,"body":""}`), 1) == nil {
		t.Error("an error passes for URLs")
	}
}

package awkward_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"bulkpresign/internal/check/awkward"
)

func TestKeys(t *testing.T) {
	keys := awkward.Keys()
	if len(keys) != 90 {
		t.Errorf("there are %d keys, want 90", len(keys))
	}
	checkList(t, keys)
	for _, k := range keys {
		if hasDotSegment(k.Key) {
			t.Errorf("%s: has a dot segment", k.Name)
		}
	}
	// The claim that every ASCII character is in one of them, so that none is forgotten.
	for c := range byte(0x80) {
		if !slices.ContainsFunc(keys, func(k awkward.Key) bool { return strings.IndexByte(k.Key, c) >= 0 }) && !isPlain(c) {
			t.Errorf("no key has the character %q", c)
		}
	}
}

func TestDotSegments(t *testing.T) {
	keys := awkward.DotSegments()
	checkList(t, keys)
	for _, k := range keys {
		if !hasDotSegment(k.Key) {
			t.Errorf("%s: has no dot segment", k.Name)
		}
	}
}

func checkList(t *testing.T, keys []awkward.Key) {
	t.Helper()
	seenKey, seenName := map[string]bool{}, map[string]bool{}
	for _, k := range keys {
		if seenKey[k.Key] || seenName[k.Name] {
			t.Errorf("%s: key or name is there twice", k.Name)
		}
		seenKey[k.Key], seenName[k.Name] = true, true
		if len(k.Key) < 1 || len(k.Key) > 1024 {
			t.Errorf("%s: %d bytes, want 1 to 1,024", k.Name, len(k.Key))
		}
		if !utf8.ValidString(k.Key) {
			t.Errorf("%s: is not UTF-8", k.Name)
		}
		if strings.HasPrefix(k.Name, "1,024 bytes") && len(k.Key) != 1024 {
			t.Errorf("%s: has %d", k.Name, len(k.Key))
		}
	}
}

func hasDotSegment(key string) bool {
	return slices.ContainsFunc(strings.Split(key, "/"), func(s string) bool { return s == "." || s == ".." })
}

// isPlain reports whether c is a letter or a digit, which nothing gets wrong.
func isPlain(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

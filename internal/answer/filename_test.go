package answer

import (
	"strings"
	"testing"
)

// Names stay in their folder, and different keys have different names.
func TestFileName(t *testing.T) {
	for key, want := range map[string]string{
		"a.jpg":       "a.jpg",
		"a/b c.jpg":   "a/b c.jpg",
		"../x":        "%2E%2E/x",
		"a/../../x":   "a/%2E%2E/%2E%2E/x",
		"./x":         "%2E/x",
		"/etc/passwd": "%2Fetc/passwd",
		"a//b":        "a/%2Fb",
		"folder/":     "folder%2F",
		"a\nb\x00":    "a%0Ab%00",
		" x ":         "%20x%20",
		"100%.csv":    "100%.csv",
		"%2E%2E/x":    "%252E%252E/x",
		"-":           "%2D",
		"-o":          "-o",
		"...":         "...",
		"旅行/😀":        "旅行/😀",
		"/":           "%2F",
		"\x7f":        "%7F",
	} {
		if got := fileName(key); got != want {
			t.Errorf("%q: got %q, want %q", key, got, want)
		}
	}
	long := strings.Repeat("é", 512)
	for _, key := range []string{long, long + "x", "a/" + long + "/b", strings.Repeat("\n", 300)} {
		for segment := range strings.SplitSeq(fileName(key), "/") {
			if len(segment) > maxFileName {
				t.Errorf("%d bytes of key: a segment of its name has %d", len(key), len(segment))
			}
		}
	}
	if fileName(long) == fileName(long[:1022]+"ää") {
		t.Error("two keys that are cut have one name")
	}
}

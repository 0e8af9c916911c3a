package bulk_test

import (
	"strings"
	"testing"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/s3op"
)

// What is signed and looks like a slip has a sentence, and what people's keys look like has none.
func TestWarning(t *testing.T) {
	for key, want := range map[string]string{
		"/a.jpg": "begins with a slash", "//": "begins with a slash",
		"s3://photos/a.jpg": "s3:// URI", "https://photos.s3.amazonaws.com/a.jpg": "whole URL", "http://x": "whole URL",
		"a%20b.jpg": "percent-encoded", "100%/50%C3%A9": "percent-encoded", "caf%c3%a9": "percent-encoded",
		" a": "white space", "a ": "white space", "a\n": "control character", "\ta": "control character", "a\u00a0": "white space", "\u2028a": "white space", "a\x7f": "control character",
		"a": "", "a b.jpg": "", "2024/é.jpg": "", "旅行/😀": "", "100%": "", "100% sure.txt": "", "50%off/%zz": "", "s3:/x": "", "https": "", "~": "", ".hidden": "", "a/": "",
	} {
		got := bulk.Warning(key, nil)
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
	metadata, ok := s3op.Lookup("metadata")
	if !ok {
		t.Fatal("there is no metadata")
	}
	for name, want := range map[string]bool{"x-amz-meta-author": true, "author": false, "x-amz-author": false} {
		if got := bulk.Warning("a", []s3op.Option{{ID: metadata, Name: name, Value: "me"}}); (got != "") != want {
			t.Errorf("metadata %s: %q", name, got)
		}
	}
	if got := bulk.Warning("/a", []s3op.Option{{ID: metadata, Name: "x-amz-meta-author", Value: "me"}}); !strings.Contains(got, "slash") || !strings.Contains(got, "x-amz-meta-") {
		t.Errorf("two slips: %q", got)
	}
}

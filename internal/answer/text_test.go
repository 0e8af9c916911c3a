package answer_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"bulkpresign/internal/answer"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/check/batches"
	"bulkpresign/internal/localname"
)

// What a list of downloads is to write stays in its folder on Windows, too, and no file
// is written over another one: whoever may upload chooses the keys, and who runs the list is
// the victim (the kind of CVE-2021-32061, kosli-dev/cli #1155, s5cmd #872).
func TestFilesOfAList(t *testing.T) {
	keys := []string{`..\..\evil.exe`, `C:\Windows\x`, "a/.. /x", "x:ads", "../x", "NUL.txt", "A.txt", "a.txt", "caf\u00e9", "cafe\u0301", "d", "d/e", "\u202egpj.exe"}
	text, err := json.Marshal(map[string]any{"keys": keys, "allow_dot_segments": true})
	if err != nil {
		t.Fatal(err)
	}
	var names localname.Names
	for _, format := range []bulk.Format{bulk.Curl, bulk.Aria2} {
		p, err := batches.Plan(batches.Standing(), bytes.Clone(text))
		if err != nil {
			t.Fatal(err)
		}
		names = localname.Names{}
		list := string(answer.Append(nil, p, format, answer.Bare))
		for _, key := range keys {
			want := "\n  out=" + names.Of(key) + "\n"
			if format == bulk.Curl {
				want = "\noutput = \"" + strings.TrimSuffix(strings.TrimPrefix(want, "\n  out="), "\n") + "\"\n"
			}
			if strings.Count(list, want) != 1 {
				t.Errorf("%s: %q is not written to its own file", format, key)
			}
		}
		for _, part := range []string{`\`, "C:", "x:ads", "\u202e"} {
			for line := range strings.Lines(list) {
				names := strings.HasPrefix(line, "output = ") || strings.HasPrefix(line, "  out=") // and not write-out
				if names && strings.Contains(line, part) {
					t.Errorf("%s: a file's name has %q", format, part)
				}
			}
		}
	}
}

// A list of URLs carries the headers without which S3 refuses them, as comments.
func TestHeadersOfURIList(t *testing.T) {
	p, err := batches.Plan(batches.Standing(), []byte(`{"operation":"PutObject","content_type":"image/png","keys":["a",{"key":"b","create_only":true}]}`))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(answer.Append(nil, p, bulk.URIList, answer.Bare)), "\r\n")
	for i, want := range []string{"# send with header content-type: image/png", "https://", "# send with header content-type: image/png", "# send with header if-none-match: *", "https://", ""} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) || want == "" && lines[i] != "" {
			t.Errorf("line %d is not %q", i, want)
		}
	}
}

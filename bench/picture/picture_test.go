package picture_test

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bulkpresign/bench/picture"
)

// texts reads a picture as XML and gives what is written in it.
func texts(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all strings.Builder
	for d := xml.NewDecoder(f); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all.String()
		}
		if err != nil {
			t.Fatalf("%s is no XML: %v", file, err)
		}
		if s, ok := token.(xml.CharData); ok {
			all.Write(s)
			all.WriteByte('\n')
		}
	}
}

func TestPictures(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new")
	bars, lines := filepath.Join(folder, "bars.svg"), filepath.Join(folder, "lines.svg")
	if err := picture.Bars(bars, "A title", "ns", []picture.Bar{{"ours", 331.6, true}, {"C++ <other>", 441_000, false}}); err != nil {
		t.Fatal(err)
	}
	if err := picture.Lines(lines, "Another", "ms", []picture.Series{
		{"ours", []picture.Point{{1, 0.34}, {3500, 10.1}}},
		{"the other", []picture.Point{{1, 0.5}, {3500, 229}}},
	}); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string][]string{
		bars:  {"A title", "ours", "332", "C++ <other>", "441,000", "1,000"},
		lines: {"Another", "keys", "ms", "ours", "the other", "0.1"},
	} {
		got := texts(t, file)
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s lacks %q; it has %q", filepath.Base(file), w, got)
			}
		}
	}
}

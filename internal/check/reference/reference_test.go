package reference_test

import (
	"encoding/xml"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/check/reference"
)

var update = flag.Bool("update", false, "write the tables of docs/reference.md anew")

const root = "../../.." // of the module

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The tables of the reference are what the code's own tables say; -update writes them.
func TestTables(t *testing.T) {
	document := read(t, "docs/reference.md")
	for name, want := range map[string]string{"options": reference.Options()} {
		got, from, to, err := reference.Region(document, name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" && !*update {
			t.Errorf("docs/reference.md, %s: go test ./internal/check/reference -update writes it (-code +document)\n%s", name, diff)
		}
		document = document[:from] + want + document[to:]
	}
	if *update {
		if err := os.WriteFile(filepath.Join(root, "docs/reference.md"), []byte(document), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Each code has a section of its own, which a problem's type points at, and nothing else has one that looks so.
func TestCodes(t *testing.T) {
	var codes []string
	for _, file := range []string{"internal/bulk/errors.go", "internal/job/source.go", "internal/job/verdict.go"} {
		found, err := reference.Constants(filepath.Join(root, file), "Code")
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 {
			t.Errorf("%s has no codes: where are they now?", file)
		}
		codes = append(codes, found...)
	}
	slices.Sort(codes)
	_, errors, ok := strings.Cut(read(t, "docs/reference.md"), "\n## Errors\n")
	if !ok {
		t.Fatal("docs/reference.md has no section Errors")
	}
	errors, _, _ = strings.Cut(errors, "\n## ")
	var documented []string
	for line := range strings.Lines(errors) {
		if code, ok := strings.CutPrefix(strings.TrimSpace(line), "#### "); ok {
			documented = append(documented, code)
		}
	}
	slices.Sort(documented)
	if diff := cmp.Diff(slices.Compact(codes), documented); diff != "" {
		t.Errorf("codes (-code +document)\n%s", diff)
	}
}

// Each variable that the configuration reads is named, and no other.
func TestVariables(t *testing.T) {
	sources, err := filepath.Glob(filepath.Join(root, "internal/config/*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, name := range sources {
		if !strings.HasSuffix(name, "_test.go") {
			code.WriteString(read(t, strings.TrimPrefix(name, root)))
		}
	}
	document := read(t, "docs/reference.md")
	_, configuration, ok := strings.Cut(document, "\n## Configuration\n")
	if !ok {
		t.Fatal("docs/reference.md has no section Configuration")
	}
	named := reference.Variables(strings.ReplaceAll(configuration, "`", `"`))
	if diff := cmp.Diff(reference.Variables(code.String()), named); diff != "" {
		t.Errorf("variables (-code +document)\n%s", diff)
	}
}

// Every link from one of the documents to another leads to a file, and to a heading that is there.
func TestLinks(t *testing.T) {
	var documents []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "examples/*.md", "examples/*/*.md", "verify/*.md", "guardrails/*.md", "page/*.md"} {
		more, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, more...)
	}
	if len(documents) < 30 {
		t.Fatalf("only %d documents", len(documents))
	}
	for _, document := range documents {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range reference.Links(string(text)) {
			file, anchor, _ := strings.Cut(link, "#")
			target := document
			if file != "" {
				target = filepath.Join(filepath.Dir(document), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", document, link)
				continue
			}
			if anchor == "" {
				continue
			}
			headings, err := os.ReadFile(target)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(reference.Anchors(string(headings)), anchor) {
				t.Errorf("%s links to %s, and there is no such heading", document, link)
			}
		}
	}
}

// What is drawn by hand reads in light and in dark, says what it shows, and loads nothing.
func TestDiagrams(t *testing.T) {
	for _, name := range []string{"system", "signing", "end", "job", "parts"} {
		text := read(t, "docs/pictures/"+name+".svg")
		var picture struct {
			Title   string `xml:"title"`
			Desc    string `xml:"desc"`
			ViewBox string `xml:"viewBox,attr"`
		}
		if err := xml.Unmarshal([]byte(text), &picture); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if picture.Title == "" || picture.Desc == "" || picture.ViewBox == "" {
			t.Errorf("%s has title %q, desc %q, viewBox %q", name, picture.Title, picture.Desc, picture.ViewBox)
		}
		if !strings.Contains(text, "prefers-color-scheme: dark") {
			t.Errorf("%s is for light pages only", name)
		}
		for _, loads := range []string{"href=", "@import", "<script", "<image"} {
			if strings.Contains(text, loads) {
				t.Errorf("%s has %q", name, loads)
			}
		}
	}
}

// Each format has a row, with the media types that ask for it and the one that it comes as.
func TestFormats(t *testing.T) {
	_, formats, ok := strings.Cut(read(t, "docs/reference.md"), "\n## Formats\n")
	if !ok {
		t.Fatal("docs/reference.md has no section Formats")
	}
	formats, _, _ = strings.Cut(formats, "\n## ")
	var documented []string
	for line := range strings.Lines(formats) {
		cells := strings.Split(line, " | ")
		if len(cells) != 4 || !strings.HasPrefix(line, "| `") {
			continue
		}
		name := strings.Trim(cells[0], "|` ")
		documented = append(documented, name)
		f, ok := bulk.ParseFormat(name)
		if !ok {
			t.Errorf("there is no format %s", name)
			continue
		}
		for mediaType := range strings.SplitSeq(cells[1], ", ") {
			if got, ok := bulk.FormatOf(strings.Trim(mediaType, "`")); !ok || got != f {
				t.Errorf("%s asks for another format than %s", mediaType, name)
			}
		}
		if got := strings.Trim(cells[2], "`"); got != f.MediaType() {
			t.Errorf("%s comes as %s, and not as %s", name, f.MediaType(), got)
		}
	}
	if diff := cmp.Diff(bulk.FormatNames(), documented); diff != "" {
		t.Errorf("formats (-code +document)\n%s", diff)
	}
}

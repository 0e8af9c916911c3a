package main

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// folder has the files of a function, with these modes and times.
func folder(t *testing.T, mode os.FileMode, when time.Time, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSameBytesForTheSameFiles(t *testing.T) {
	files := map[string]string{"bootstrap": "code", "policy.json": "{}"}
	one, err := pack(folder(t, 0o600, time.Unix(1, 0), files))
	if err != nil {
		t.Fatal(err)
	}
	other, err := pack(folder(t, 0o777, time.Unix(1e9, 5), files))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one, other) {
		t.Error("times or modes of the files are in the zip")
	}
	r, err := zip.NewReader(bytes.NewReader(one), int64(len(one)))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"bootstrap", "policy.json"} {
		f := r.File[i]
		if f.Name != want || f.Mode() != 0o755 || f.Modified.Year() != 1980 {
			t.Errorf("file %d is %s, mode %v, of %v; want %s, mode 0755, of 1980", i, f.Name, f.Mode(), f.Modified, want)
		}
		content, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(content); err != nil || string(got) != files[want] {
			t.Errorf("%s holds %q (%v), want %q", want, got, err, files[want])
		}
	}
}

func TestNameTellsContent(t *testing.T) {
	stem := filepath.Join(t.TempDir(), "api-arm64")
	names := map[string]bool{}
	for _, code := range []string{"one", "two", "one"} {
		name, err := write(folder(t, 0o644, time.Now(), map[string]string{"bootstrap": code}), stem)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`^api-arm64-[0-9a-f]{16}\.zip$`).MatchString(filepath.Base(name)) {
			t.Errorf("the zip's name is %s", filepath.Base(name))
		}
		names[name] = true
	}
	if len(names) != 2 {
		t.Errorf("two codes have %d names", len(names))
	}
}

func TestRefusesWhatLambdaCouldNotStart(t *testing.T) {
	if _, err := pack(folder(t, 0o644, time.Now(), map[string]string{"main": "code"})); err == nil {
		t.Error("packed a function without bootstrap")
	}
	nested := folder(t, 0o644, time.Now(), map[string]string{"bootstrap": "code"})
	if err := os.Mkdir(filepath.Join(nested, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := pack(nested); err == nil {
		t.Error("left a folder out without a word")
	}
}

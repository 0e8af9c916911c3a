package localname_test

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"bulkpresign/internal/localname"
)

func TestOf(t *testing.T) {
	for _, test := range []struct{ key, want, from string }{
		{"a/b c.jpg", "a/b c.jpg", "most keys"},
		{"旅行/é.jpg", "旅行/é.jpg", "most keys elsewhere"},
		{"100%.csv", "100%.csv", "a percent sign that is none of ours"},
		{"a%20b", "a%2520b", "one that would be read as ours"},
		{`..\..\evil.exe`, `..%5C..%5Cevil.exe`, "CVE-2021-32061: a backslash separates on Windows"},
		{`C:\Windows\x`, `C%3A%5CWindows%5Cx`, "kosli-dev/cli #1155: a drive"},
		{"x:ads", "x%3Aads", "an alternate data stream of NTFS"},
		{"a/.. /x", "a/%2E%2E%20/x", "Windows drops the space, and .. is left"},
		{"a/../x", "a/%2E%2E/x", "a segment that leads out"},
		{"./a", "%2E/a", "a segment that is nowhere"},
		{"...", "%2E%2E%2E", "a segment of dots"},
		{"a./b", "a%2E/b", "Windows drops the dot, and a is left"},
		{"a ", "a%20", "Windows drops the space"},
		{" a", "%20a", "people and curl's configuration lose it"},
		{"/a", "%2Fa", "an absolute path"},
		{"//a", "%2F%2Fa", "s5cmd #872: a leading slash"},
		{"a//b", "a/%2Fb", "an empty segment"},
		{"a/", "a%2F", "a folder's marker"},
		{"CON", "%43ON", "a device"},
		{"nul.txt", "%6Eul.txt", "a device, with an extension and in lower case"},
		{"a/COM1.tar.gz", "a/%43OM1.tar.gz", "a device in a folder"},
		{"com¹", "%63om¹", "superscript digits count"},
		{"COM10", "COM10", "no device"},
		{"console", "console", "no device"},
		{"NUL .txt", "%4EUL .txt", "a device behind which Windows drops the space"},
		{"a\nb\x00", "a%0Ab%00", "control characters"},
		{"a\u0085b", "a%C2%85b", "control characters of Latin-1"},
		{"photo\u202Egnp.exe", "photo%E2%80%AEgnp.exe", "a name that is shown as photoexe.png"},
		{"-", "%2D", "standard output"},
		{"-rf", "%2Drf", "an option"},
		{"~root", "%7Eroot", "somebody's home in a shell"},
		{`what? "<a|b>" *`, `what%3F %22%3Ca%7Cb%3E%22 %2A`, "what Windows cannot store"},
		{strings.Repeat("x", 300), strings.Repeat("x", 223) + "~0d4e2ca9e9cbced7", "longer than a name may be"},
	} {
		if got := localname.Of(test.key); got != test.want {
			t.Errorf("%s: %q is %q, want %q", test.from, test.key, got, test.want)
		}
	}
}

// Keys that a file system would take for one name, or for a file and a folder, get different ones.
func TestNames(t *testing.T) {
	for _, test := range []struct {
		keys []string
		want int // that have their plain names
	}{
		{[]string{"a.jpg", "A.jpg", "A.JPG"}, 1},
		{[]string{"é.jpg", "e\u0301.jpg"}, 1},
		{[]string{"a", "a/b", "a/c"}, 1},
		{[]string{"a/b", "a"}, 1},
		{[]string{"A/x", "a/y"}, 2},
		{[]string{"A/x", "a/x"}, 1},
		{[]string{"\u212A", "k", "K"}, 1}, // the sign of kelvin
		{[]string{"ſ", "s"}, 1},
		{[]string{"가", "\u1100\u1161"}, 1},
		{[]string{"a~2.jpg", "a.jpg"}, 2},
	} {
		var names localname.Names
		var got []string
		plain := 0
		for _, key := range test.keys {
			name := names.Of(key)
			got = append(got, name)
			if name == localname.Of(key) {
				plain++
			}
		}
		if problem := clash(got); problem != "" {
			t.Errorf("%q: %s", test.keys, problem)
		}
		if plain != test.want {
			t.Errorf("%q: %d have their plain names, want %d: %q", test.keys, plain, test.want, got)
		}
	}
	// A folder beside a file of its name is one folder.
	var names localname.Names
	names.Of("a")
	if b, c := names.Of("a/b"), names.Of("a/c"); path.Dir(b) != path.Dir(c) {
		t.Errorf("%q and %q are in different folders", b, c)
	}
}

// clash finds two names that are one somewhere, or of which one is the other's folder.
func clash(names []string) string {
	seen := make(map[string]string)
	folders := make(map[string]bool)
	folded := func(s string) string { return norm.NFC.String(cases.Fold().String(norm.NFD.String(s))) }
	for _, name := range names {
		if other, ok := seen[folded(name)]; ok {
			return fmt.Sprintf("%q and %q are one file", other, name)
		}
		seen[folded(name)] = name
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			folders[folded(dir)] = true
		}
	}
	for name := range seen {
		if folders[name] {
			return fmt.Sprintf("%q is a file and a folder", name)
		}
	}
	return ""
}

// unsafe says what a name breaks, by the rules of POSIX and of Windows, written anew.
func unsafe(name string) string {
	if name == "" || name[0] == '/' || !utf8.ValidString(name) {
		return "empty, absolute or not UTF-8"
	}
	devices := []string{"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
	for _, d := range []string{"COM", "LPT"} {
		for _, n := range "0123456789¹²³" {
			devices = append(devices, d+string(n))
		}
	}
	for segment := range strings.SplitSeq(name, "/") {
		base, _, _ := strings.Cut(segment, ".")
		switch {
		case segment == "", segment == ".", segment == "..":
			return "a segment that is nowhere, or leads out"
		case strings.ContainsAny(segment, "\\:*?\"<>|"):
			return "a character that Windows cannot store"
		case strings.HasSuffix(segment, "."), strings.HasSuffix(segment, " "):
			return "an end that Windows drops"
		case len(segment) > 255:
			return "a segment that is too long"
		case slices.ContainsFunc(devices, func(d string) bool { return strings.EqualFold(d, strings.TrimSpace(base)) }):
			return "a device"
		case strings.ContainsFunc(segment, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }):
			return "a control character"
		}
	}
	return ""
}

// Whatever three keys are, their names are safe and apart.
func FuzzNames(f *testing.F) {
	f.Add(`..\..\evil.exe`, "a/.. /x", "CON.txt")
	f.Add("a", "a/b", "A/B")
	f.Add("é", "e\u0301", "%C3%A9")
	f.Add(strings.Repeat("é", 200), strings.Repeat("é", 200)+"x", strings.Repeat("%", 300))
	f.Add("a/", "a%2F", "a//")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		var names localname.Names
		var got []string
		keys := []string{a, b, c}
		for i, key := range keys {
			if !utf8.ValidString(key) || key == "" || len(key) > 1024 || slices.Contains(keys[:i], key) {
				return // S3 has no such keys, and a list has each once
			}
			got = append(got, names.Of(key))
		}
		for i, name := range got {
			if problem := unsafe(name); problem != "" {
				t.Errorf("%q is %q: %s", keys[i], name, problem)
			}
		}
		if problem := clash(got); problem != "" {
			t.Errorf("%q: %s", keys, problem)
		}
	})
}

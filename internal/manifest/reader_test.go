package manifest_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"bulkpresign/internal/manifest"
)

// line is an entry in a form that is easy to compare.
type line struct {
	Line        int64
	Bucket, Key string
	Options     string // name=value
	Err         string // a part of the error
}

// readAll reads a list to its end.
func readAll(r *manifest.Reader, err error) ([]line, error) {
	if err != nil {
		return nil, err
	}
	var all []line
	for {
		var e manifest.Entry
		if err := r.Next(&e); err == io.EOF {
			return all, nil
		} else if err != nil {
			return all, err
		}
		l := line{Line: e.Line, Bucket: e.Bucket, Key: e.Key}
		for i, o := range e.Options {
			if i > 0 {
				l.Options += " "
			}
			name := o.ID.String()
			if o.Name != "" {
				name += "." + o.Name
			}
			l.Options += name + "=" + o.Value
		}
		if e.Err != nil {
			l.Err = e.Err.Error()
		}
		all = append(all, l)
	}
}

func TestReader(t *testing.T) {
	for _, test := range []struct {
		name   string
		format manifest.Format
		text   string
		want   []line
	}{
		{"text", manifest.Text, "a\nb c\n", []line{{1, "", "a", "", ""}, {2, "", "b c", "", ""}}},
		{"last line without end", manifest.Text, "a\nb", []line{{1, "", "a", "", ""}, {2, "", "b", "", ""}}},
		{"CRLF and empty lines", manifest.Text, "a\r\n\r\n\nb\r\n\n", []line{{1, "", "a", "", ""}, {4, "", "b", "", ""}}},
		{"nothing is trimmed or decoded", manifest.Text, " a \n\tb\n%41+\n\"c\"\n#d\n", []line{{1, "", " a ", "", ""}, {2, "", "\tb", "", ""}, {3, "", "%41+", "", ""}, {4, "", `"c"`, "", ""}, {5, "", "#d", "", ""}}},
		{"a CR within a line", manifest.Text, "a\rb\r\r\n", []line{{1, "", "a\rb\r", "", ""}}},
		{"byte order mark", manifest.Text, "\ufeffa\n", []line{{1, "", "a", "", ""}}},
		{"Latin-1", manifest.Text, "caf\xe9\ncafé\n", []line{{1, "", "", "", "UTF-8"}, {2, "", "café", "", ""}}},

		{"CSV", manifest.CSV, "photos,a.jpg\nphotos,b.jpg,v1\nphotos,c.jpg,\n", []line{{1, "photos", "a.jpg", "", ""}, {2, "photos", "b.jpg", "version_id=v1", ""}, {3, "photos", "c.jpg", "", ""}}},
		{"header", manifest.CSV, "Key,VersionId,Bucket\na,v,photos\nb,,\n", []line{{2, "photos", "a", "version_id=v", ""}, {3, "", "b", "", ""}}},
		{"header with a key alone", manifest.CSV, "\ufeffkey\r\na\r\n\"b,c\"\r\n", []line{{2, "", "a", "", ""}, {3, "", "b,c", "", ""}}},
		{"header with options", manifest.CSV, "part_number,key,filename\n2,a,x.jpg\ntwo,b,\n", []line{{2, "", "a", "part_number=2 filename=x.jpg", ""}, {3, "", "", "", `"part_number" must be a whole number`}}},
		{"no header though a row says key", manifest.CSV, "photos,key\nphotos,b\n", []line{{1, "photos", "key", "", ""}, {2, "photos", "b", "", ""}}},
		{"quotation marks", manifest.CSV, "\"p\",\"a,\"\"b\"\"\"\r\np,\"c\nd\r\ne\"\np,\"\",\"v\"\n", []line{{1, "p", `a,"b"`, "", ""}, {2, "p", "c\nd\r\ne", "", ""}, {5, "p", "", "version_id=v", ""}}},
		{"quoted to the end", manifest.CSV, "p,\"a\nb\"", []line{{1, "p", "a\nb", "", ""}}},
		{"too few columns", manifest.CSV, "photos,a\nb\nphotos,c\n", []line{{1, "photos", "a", "", ""}, {2, "", "", "", "too few columns"}, {3, "photos", "c", "", ""}}},
		{"fewer than the header", manifest.CSV, "bucket,key\nb\n", []line{{2, "", "", "", "too few columns: 1 of 2"}}},
		{"too many columns", manifest.CSV, "photos,a,b,c\n", []line{{1, "", "", "", "has 4 columns"}}},
		{"quotation marks astray", manifest.CSV, "p,a\"b\np,\"a\"b\np,c\n", []line{{1, "", "", "", "within a field that does not begin"}, {2, "", "", "", "ends a field"}, {3, "p", "c", "", ""}}},

		{"JSON Lines", manifest.JSONLines, `"a"` + "\n" + `{"key":"b","version_id":"v","metadata":{"x":"1"}}` + "\r\n\n" + `"\u00e9"`, []line{{1, "", "a", "", ""}, {2, "", "b", "version_id=v metadata.x=1", ""}, {4, "", "é", "", ""}}},
		{"JSON mistakes", manifest.JSONLines, "a\n{\"key\":\"a\",\"nope\":1}\n[\"a\"]\n\"\\ud800\"\n\"b\"\n", []line{{1, "", "", "", "item"}, {2, "", "", "", `unknown field "nope"`}, {3, "", "", "", "not an array"}, {4, "", "", "", "surrogate"}, {5, "", "b", "", ""}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for how, source := range map[string]io.Reader{
				"at once":         strings.NewReader(test.text),
				"byte by byte":    iotest.OneByteReader(strings.NewReader(test.text)),
				"data with error": iotest.DataErrReader(strings.NewReader(test.text)),
				"gzip":            bytes.NewReader(gzipped(test.text)),
				"zstd":            bytes.NewReader(zstded(test.text)),
			} {
				got, err := readAll(manifest.NewReader(source, test.format, manifest.Plain, manifest.Limits{}))
				if err != nil {
					t.Errorf("%s: %v", how, err)
				}
				for i := range got {
					if i < len(test.want) && test.want[i].Err != "" && strings.Contains(got[i].Err, test.want[i].Err) {
						got[i].Err = test.want[i].Err
					}
				}
				if d := cmp.Diff(test.want, got); d != "" {
					t.Errorf("%s: (-want +got):\n%s", how, d)
				}
			}
		})
	}
}

func gzipped(text string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(text))
	w.Close()
	return b.Bytes()
}

func zstded(text string) []byte {
	w, _ := zstd.NewWriter(nil)
	return w.EncodeAll([]byte(text), nil)
}

// withWindow is a list whose reader must remember so many bytes.
func withWindow(size int) []byte {
	var b bytes.Buffer
	w, _ := zstd.NewWriter(&b, zstd.WithWindowSize(size))
	w.Write([]byte("a\n"))
	w.Flush()
	w.Write([]byte("b\n"))
	w.Close()
	return b.Bytes()
}

// endless gives the same text again and again, up to a size.
type endless struct {
	text string
	left int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := copy(p, e.text[len(e.text)-1-(e.left-1)%len(e.text):])
	n = min(n, e.left)
	e.left -= n
	return n, nil
}

// However long a list or a line is, little of it is in memory.
func TestMemory(t *testing.T) {
	live := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := live()
	r, err := manifest.NewReader(&endless{"photos,2026/11/harbour at dawn.jpg\n", 100 << 20}, manifest.CSV, manifest.Plain, manifest.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var e manifest.Entry
	for n := 0; ; n++ {
		if err := r.Next(&e); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if n%500_000 == 0 {
			if grown := int64(live() - before); grown > 1<<20 {
				t.Fatalf("after %d entries %d bytes are in memory", n, grown)
			}
		}
	}
	runtime.KeepAlive(r)

	var begin, end runtime.MemStats
	runtime.ReadMemStats(&begin)
	if _, err := readAll(manifest.NewReader(&endless{"x", 10 << 20}, manifest.Text, manifest.Plain, manifest.Limits{})); err == nil {
		t.Fatal("a line of 10 MB is read")
	}
	runtime.ReadMemStats(&end)
	if taken := end.TotalAlloc - begin.TotalAlloc; taken > 1<<20 {
		t.Errorf("a line of 10 MB took %d bytes", taken)
	}
}

// A list that cannot be read on says where and why, after the entries that were good.
func TestBroken(t *testing.T) {
	var keys strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&keys, "photos/%d/%x.jpg\n", i, i*7919)
	}
	good := keys.String()
	zipped := gzipped(good)
	flipped := bytes.Clone(zipped)
	flipped[len(flipped)-6] ^= 1 // in the checksum
	for _, test := range []struct {
		name        string
		text        []byte
		compression manifest.Compression
		format      manifest.Format
		limits      manifest.Limits
		line        int64
		atLeast     int // entries before
		reason      string
	}{
		{name: "empty", reason: "no entries"},
		{name: "empty lines", text: []byte("\n\r\n\n"), reason: "no entries"},
		{name: "empty gzip", text: gzipped(""), compression: manifest.Gzip, reason: "no entries"},
		{name: "nothing for gzip", compression: manifest.Gzip, reason: "no entries"},
		{name: "header alone", text: []byte("bucket,key\n"), format: manifest.CSV, reason: "no entries"},
		{name: "gzip cut short", text: zipped[:len(zipped)/2], compression: manifest.Gzip, line: -1, atLeast: 20_000, reason: "ends too early"},
		{name: "gzip checksum", text: flipped, compression: manifest.Gzip, line: -1, atLeast: 1, reason: "checksum"},
		{name: "gzip and more", text: append(bytes.Clone(zipped), "and more text"...), compression: manifest.Gzip, line: -1, atLeast: 1, reason: "something follows"},
		{name: "zstd cut short", text: zstded(good)[:1000], compression: manifest.Zstd, line: 1, reason: "ends too early"},
		{name: "long line", text: []byte("a\nb\n" + strings.Repeat("x", 10<<20) + "\nc\n"), line: 3, atLeast: 2, reason: "longer than 65536 bytes"},
		{name: "long line without end", text: []byte(strings.Repeat("x", 10<<20)), line: 1, reason: "longer than 65536 bytes"},
		{name: "quote never closed", text: []byte("p,a\np,\"b\np,c\n"), format: manifest.CSV, line: 2, atLeast: 1, reason: "none closes it"},
		{name: "long row", text: []byte("p,a\np,\"" + strings.Repeat("\n", 1<<20)), format: manifest.CSV, line: 2, atLeast: 1, reason: "longer than"},
		{name: "unknown column", text: []byte("key,colour\na,1\n"), format: manifest.CSV, line: 1, reason: `column 2 of the header ("colour")`},
		{name: "column twice", text: []byte("key,version,VersionId\na,1,1\n"), format: manifest.CSV, line: 1, reason: "columns 2 and 3"},
		{name: "UTF-16", text: []byte("\xff\xfea\x00\n\x00"), line: 1, reason: "UTF-16"},
		{name: "many lines", text: []byte("a\nb\nc\n"), limits: manifest.Limits{Lines: 2}, line: -1, atLeast: 2, reason: "more than 2 lines"},
		{name: "many lines, the last without end", text: []byte("a\nb\nc"), limits: manifest.Limits{Lines: 2}, line: -1, atLeast: 2, reason: "more than 2 lines"},
		{name: "many bytes", text: zipped, compression: manifest.Gzip, limits: manifest.Limits{Bytes: 500_000}, line: -1, atLeast: 1, reason: "more than 500000 bytes"},
		{name: "zstd window", text: withWindow(32 << 20), compression: manifest.Zstd, line: 1, reason: "window of more than 8 MiB"},
		{name: "gzip header cut short", text: zipped[:5], line: 1, reason: "ends too early"},
		{name: "bomb", text: gzipped(strings.Repeat("a\n", 50<<20)), compression: manifest.Gzip, line: -1, reason: "unpacks to more than 250 times"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := manifest.NewReader(bytes.NewReader(test.text), test.format, test.compression, test.limits)
			n := 0
			for err == nil {
				var e manifest.Entry
				if err = r.Next(&e); err == nil {
					n++
				}
			}
			var broken *manifest.BrokenError
			if !errors.As(err, &broken) {
				t.Fatalf("%v, want a *BrokenError", err)
			}
			if test.line < 0 && broken.Line < 1 || test.line >= 0 && broken.Line != test.line {
				t.Errorf("line %d, want %d: %v", broken.Line, test.line, err)
			}
			if n < test.atLeast || !strings.Contains(broken.Reason, test.reason) {
				t.Errorf("after %d entries: %v", n, err)
			}
			if r != nil {
				if again := r.Next(&manifest.Entry{}); again != err {
					t.Errorf("then %v", again)
				}
			}
		})
	}
}

// What the source itself says is handed on as it is: that a connection broke says
// nothing against the list.
func TestSourceErrors(t *testing.T) {
	cut := errors.New("connection cut")
	zipped := gzipped(strings.Repeat("abc\n", 100_000))
	for _, text := range [][]byte{nil, []byte("a"), []byte("a\nb\nc"), zipped[:2], zipped[:len(zipped)-9]} {
		_, err := readAll(manifest.NewReader(io.MultiReader(bytes.NewReader(text), iotest.ErrReader(cut)), manifest.Text, manifest.Plain, manifest.Limits{}))
		if err != cut {
			t.Errorf("after %d bytes: %v", len(text), err)
		}
	}
}

package manifest_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/manifest"
)

// awkwardLists are lists of which every cut must leave each entry whole, once.
var awkwardLists = []struct {
	name, list string
	format     manifest.Format
}{
	{"characters of two, three and four bytes", "ä/1\n漢字\n🙂🙂/2\n\u2028\n\u0085x\nlast", manifest.Text},
	{"CRLF", "a\r\nb\r\n\r\n\r\nc d\r\n", manifest.Text},
	{"CR within and at the end", "a\rb\nc\r\r\n\rd\n\r\ne\r", manifest.Text},
	{"empty lines", "\n\n\na\n\n\nb\n\n", manifest.Text},
	{"one line", "a", manifest.Text},
	{"a mark", "\ufeffa\nb\nc\n", manifest.Text},
	{"a mark and nothing", "\ufeff\na\n", manifest.Text},
	{"a mark in the middle", "a\n\ufeffb\nc\n", manifest.Text},
	{"comments and quotation marks", "#a\n\"b\"\n#\"\n\"\nkey\nKey\n", manifest.Text},
	{"a header's name", "key\nkey\nKey\n", manifest.Text},
	{"Ctrl-Z", "a\nb\x1a\n\x1a\nc\n\x1a", manifest.Text},
	{"URIs", "s3://photos/a\ns3://photos/b\n# no URI\ns3://photos/ä\nno URI\n", manifest.Text},
	{"not UTF-8", "a\n\xff\xfe\n\xc3\n\xa4\nb\n", manifest.Text},
	{"long lines", strings.Repeat("k", 90) + "\n" + strings.Repeat("ü", 50) + "\n" + strings.Repeat("z", 30), manifest.Text},
	{"JSON Lines", "\"a\"\n{\"key\":\"b\\n\\u00e4\",\"filename\":\"x\"}\n\n{\"Key\":\"c\",\"Size\":1}\n{\"nokey\":1}\n\"d\"", manifest.JSONLines},
	{"JSON Lines with URIs", "{\"key\":\"s3://photos/a\"}\n{\"key\":\"s3://photos/b\"}\r\n", manifest.JSONLines},
	{"CSV", "photos,a\nphotos,b\r\nphotos,ä,3HL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY\n\nphotos,c", manifest.CSV},
	{"CSV with line breaks", "photos,\"a\nb\"\nphotos,\"\n\n\"\nphotos,\"\r\n\"\r\nphotos,\"x\"\"\n\"\"\"\nphotos,last\n", manifest.CSV},
	{"CSV that can be read in two ways", "photos,\"\n\",\"\n\"\nphotos,\"\n\",\"\n\"\n\"\n\",\"\n\"\n\"\n\",\"\n\"\n", manifest.CSV},
	{"CSV whose rows are bad", "photos,a\"b\nphotos,\"c\"d\nphotos\nphotos,e,f,g,h\nphotos,\"i\"\n", manifest.CSV},
	{"CSV with comments", "# \"a note\nphotos,a\n# another, \"with\nphotos,\"b\nc\"\n#\n", manifest.CSV},
	{"CSV with a header", "\"key\",\"bucket\",filename\na,photos,\"x\ny\"\n\"b\nc\",photos,\n\nd,photos,z\n", manifest.CSV},
	{"CSV with a header below", "\ufeff# made by hand\nsep=;\nBucket;Key;Size\nphotos;a;1\nphotos;\"b;\n\";2\n", manifest.CSV},
	{"tabs", "photos\ta\nphotos\tb\tc\nphotos\t\"d\n\"\n", manifest.CSV},
	{"CSV of URIs", "s3://photos/a\ns3://photos/b\n\"s3://photos/c\nd\"\n", manifest.CSV},
	{"an Inventory's file", "\"photos\",\"a+b\",\"\"\n\"photos\",\"c%0A\",\"\"\n", manifest.InventoryPart},
	{"a report", "photos,a%20b,,succeeded,,200,\"{\n}\"\nphotos,c,,failed,,403,\"x\"\n", manifest.BatchReport},
}

// entries reads a list to its end. Lines are left out: a part need not know them.
func entries(t *testing.T, r *manifest.Reader, err error) (all []string) {
	t.Helper()
	var e manifest.Entry
	for err == nil {
		if err = r.Next(&e); err == nil {
			all = append(all, fmt.Sprintf("%q %q %v %v %q", e.Bucket, e.Key, e.Options, e.Err, e.Warning))
		}
	}
	if err != io.EOF {
		t.Fatal(err)
	}
	return all
}

// part reads one range of a list from no more than the bytes that it says it needs.
func part(t *testing.T, d manifest.Description, list string, g manifest.Range) []string {
	t.Helper()
	head := []byte(list[:min(len(list), manifest.HeadBytes)])
	size := int64(len(list))
	r, err := d.ReadRange(head, strings.NewReader(list[g.From():min(g.To(), size)]), g, manifest.Limits{})
	return entries(t, r, err)
}

// Wherever a list is cut, its parts together have each of its entries once, in order.
func TestCutAtEveryOffset(t *testing.T) {
	for _, l := range awkwardLists {
		t.Run(l.name, func(t *testing.T) {
			d := manifest.Description{Format: l.format}
			if l.format == manifest.BatchReport {
				d.Keys = manifest.Percent
			}
			if l.format == manifest.InventoryPart {
				d.Keys = manifest.FormEncoded
			}
			whole, err := d.Read(strings.NewReader(l.list), manifest.Limits{})
			want := entries(t, whole, err)
			cuttable, anywhere := d.Cuttable()
			if !cuttable {
				t.Fatal("the list may not be cut")
			}
			size := int64(len(l.list))
			check := func(cuts []manifest.Range) {
				t.Helper()
				var got []string
				at := int64(0)
				for _, g := range cuts {
					if g.Begin != at || g.Check() != nil {
						t.Fatalf("%+v: the parts are not the list", cuts)
					}
					at = g.End
					got = append(got, part(t, d, l.list, g)...)
				}
				if at != size {
					t.Fatalf("%+v: the parts end before the list", cuts)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("cut as %+v (-whole +parts):\n%s", cuts, diff)
				}
			}
			for c := int64(1); c < size; c++ {
				if !anywhere {
					cuts, err := d.Cuts(strings.NewReader(l.list), c, manifest.Limits{})
					if err != nil {
						t.Fatal(err)
					}
					check(cuts)
					continue
				}
				check([]manifest.Range{{Begin: 0, End: c}, {Begin: c, End: size}})
				if size > 40 {
					continue // in two is enough of a longer list
				}
				for e := c + 1; e < size; e++ {
					check([]manifest.Range{{Begin: 0, End: c}, {Begin: c, End: e}, {Begin: e, End: size}})
				}
			}
			if anywhere { // each byte a part of its own
				var cuts []manifest.Range
				for c := range size {
					cuts = append(cuts, manifest.Range{Begin: c, End: c + 1})
				}
				check(cuts)
			}
		})
	}
}

// A cut between rows knows the number of the line there.
func TestLinesOfCuts(t *testing.T) {
	const list = "bucket,key\nphotos,\"a\nb\"\nphotos,c\n\nphotos\n"
	d := manifest.Description{Format: manifest.CSV}
	cuts, err := d.Cuts(strings.NewReader(list), 1, manifest.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var lines []int64
	for _, g := range cuts {
		r, err := d.ReadRange([]byte(list), strings.NewReader(list[g.From():]), g, manifest.Limits{})
		var e manifest.Entry
		for err == nil {
			if err = r.Next(&e); err == nil {
				lines = append(lines, e.Line)
			}
		}
	}
	if want := []int64{2, 4, 6}; !cmp.Equal(lines, want) {
		t.Errorf("the entries are on the lines %v, want %v", lines, want)
	}
}

// A line that is too long is an error of the part that it begins in, or lies in, and never cut in two.
func TestLongLineInRange(t *testing.T) {
	long := strings.Repeat("k", 70<<10)
	list := "a\n" + long + "\nb\n"
	d := manifest.Description{Format: manifest.Text}
	for _, g := range []manifest.Range{{Begin: 0, End: 10}, {Begin: 100, End: 200}} {
		r, err := d.ReadRange([]byte(list), strings.NewReader(list[g.From():min(g.To(), int64(len(list)))]), g, manifest.Limits{})
		var e manifest.Entry
		for err == nil {
			err = r.Next(&e)
		}
		if broken := (*manifest.BrokenError)(nil); !errors.As(err, &broken) {
			t.Errorf("%+v: %v, want a line that is too long", g, err)
		}
	}
	if _, err := d.ReadRange([]byte{0x1f, 0x8b, 8}, bytes.NewReader(nil), manifest.Range{Begin: 5, End: 9}, manifest.Limits{}); err == nil {
		t.Error("a part of a compressed list was read")
	}
}

// Any bytes as a list that can be read, cut anywhere: the parts have its entries, each once.
func FuzzCuts(f *testing.F) {
	for _, l := range awkwardLists {
		f.Add([]byte(l.list), byte(l.format), uint16(3), uint16(9))
	}
	f.Fuzz(func(t *testing.T, list []byte, format byte, first, second uint16) {
		d := manifest.Description{Format: []manifest.Format{manifest.Text, manifest.CSV, manifest.JSONLines, manifest.InventoryPart, manifest.BatchReport}[format%5]}
		if manifest.Compressed(list) || len(list) < 3 {
			return
		}
		read := func(r *manifest.Reader, err error) (all []string, _ error) {
			var e manifest.Entry
			for err == nil {
				if err = r.Next(&e); err == nil {
					all = append(all, fmt.Sprintf("%q %q %v %v %q", e.Bucket, e.Key, e.Options, e.Err != nil, e.Warning))
				}
			}
			return all, err
		}
		want, err := read(d.Read(bytes.NewReader(list), manifest.Limits{}))
		if err != io.EOF {
			return // it cannot be read in one, either
		}
		size := int64(len(list))
		var cuts []manifest.Range
		if _, anywhere := d.Cuttable(); anywhere {
			a := 1 + int64(first)%(size-2)
			b := a + 1 + int64(second)%(size-a)
			cuts = append(cuts, manifest.Range{End: a}, manifest.Range{Begin: a, End: min(b, size)})
			if b < size {
				cuts = append(cuts, manifest.Range{Begin: b, End: size})
			}
		} else if cuts, err = d.Cuts(bytes.NewReader(list), 1+int64(first)%size, manifest.Limits{}); err != nil {
			t.Fatalf("a list that can be read cannot be cut: %v", err)
		}
		var got []string
		for _, g := range cuts {
			head := list[:min(size, manifest.HeadBytes)]
			part, err := read(d.ReadRange(head, bytes.NewReader(list[g.From():min(g.To(), size)]), g, manifest.Limits{}))
			if err != io.EOF {
				t.Fatalf("%+v of %+v: %v", g, cuts, err)
			}
			got = append(got, part...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("cut as %+v (-whole +parts):\n%s", cuts, diff)
		}
	})
}

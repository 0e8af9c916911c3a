package manifest_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"bulkpresign/internal/manifest"
)

// A compressed list of many members is cut where one begins with an entry, and its parts together
// have each entry once; wherever its text was cut into members.
func TestMemberCuts(t *testing.T) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderCRC(true))
	if err != nil {
		t.Fatal(err)
	}
	bare, err := zstd.NewWriter(nil, zstd.WithEncoderCRC(false), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		t.Fatal(err)
	}
	skippable := []byte{0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'x', 'y', 'z'}
	kinds := map[string]func(string) []byte{
		"gzip": func(text string) []byte { return gzipped(text) },
		"zstd": func(text string) []byte { return encoder.EncodeAll([]byte(text), nil) },
		"zstd, without checksums, with frames to skip": func(text string) []byte {
			return append(bare.EncodeAll([]byte(text), nil), skippable...)
		},
	}
	never := func() bool { return false }
	for kind, pack := range kinds {
		for _, l := range awkwardLists {
			t.Run(kind+", "+l.name, func(t *testing.T) {
				d := manifest.Description{Format: l.format}
				for _, size := range []int{1, 2, 3, 5, 8, 13, 1000} {
					var list []byte
					for piece := range slices.Chunk([]byte(l.list), size) {
						list = append(list, pack(string(piece))...)
						if size == 5 {
							list = append(list, pack("")...)
						}
					}
					whole, err := d.Read(bytes.NewReader(list), manifest.Limits{})
					want := entries(t, whole, err)
					parts, err := d.MemberCuts(bytes.NewReader(list), int64(len(list)), 1, func() bool { return false }, manifest.Limits{})
					if err != nil {
						t.Fatal(err)
					}
					var got []string
					at := int64(0)
					for _, g := range parts {
						if g.Begin != at || g.Check() != nil {
							t.Fatalf("%+v: the parts are not the list", parts)
						}
						at = g.End
						r, err := d.ReadMembers(list[:min(len(list), manifest.HeadBytes)], bytes.NewReader(list[g.Begin:g.End]), g, g.End == int64(len(list)), manifest.Limits{})
						got = append(got, entries(t, r, err)...)
					}
					if at != int64(len(list)) {
						t.Fatalf("%+v: the parts end before the list", parts)
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("members of %d bytes, cut as %+v (-whole +parts):\n%s", size, parts, diff)
					}
					if size == 1 && len(want) > 3 && len(parts) < len(want)-2 {
						t.Errorf("%d parts of %d entries: hardly a place was found", len(parts), len(want))
					}
				}
			})
		}
		// Joined files are cut where they were joined, and one file is not cut.
		var joined []byte
		for i := range 20 {
			joined = append(joined, pack(strings.Repeat(fmt.Sprintf("%d/key\n", i), 100))...)
		}
		d := manifest.Description{Format: manifest.Text}
		parts, err := d.MemberCuts(bytes.NewReader(joined), int64(len(joined)), int64(len(joined))/5, never, manifest.Limits{})
		if err != nil || len(parts) < 4 || len(parts) > 6 {
			t.Errorf("%s: %d parts, %v", kind, len(parts), err)
		}
		one := pack(strings.Repeat("key\n", 10_000))
		if parts, err := d.MemberCuts(bytes.NewReader(one), int64(len(one)), 1, never, manifest.Limits{}); err != nil || len(parts) != 1 {
			t.Errorf("%s, one member: %+v, %v", kind, parts, err)
		}
		// What cannot be read is in the last part, for whoever reads that to say.
		broken := append(joined[:len(joined):len(joined)], "this is no member"...)
		if parts, err := d.MemberCuts(bytes.NewReader(broken), int64(len(broken)), 1, never, manifest.Limits{}); err != nil || parts[len(parts)-1].End != int64(len(broken)) {
			t.Errorf("%s, broken: %+v, %v", kind, parts, err)
		}
		calls := 0
		if parts, _ := d.MemberCuts(bytes.NewReader(joined), int64(len(joined)), 1, func() bool { calls++; return calls > 500 }, manifest.Limits{}); len(parts) < 3 || len(parts) > 8 || parts[len(parts)-1].End != int64(len(joined)) {
			t.Errorf("%s, stopped: %+v", kind, parts)
		}
	}
}

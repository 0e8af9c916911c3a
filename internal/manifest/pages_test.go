package manifest_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"bulkpresign/internal/manifest"
)

func readParquet(file []byte) ([]line, error) {
	return readAll(manifest.ReadParquet(bytes.NewReader(file), int64(len(file)), manifest.Limits{}))
}

// testdata/pandas-*.parquet are what pandas 3.1 with pyarrow 26 wrote of
//
//	df = pd.DataFrame({"bucket": ["photos"]*2, "key": ["a.jpg", "b c.jpg"], "version_id": ["v1", None],
//	                   "size": [5, 7], "colour": ["red", "blue"]})
//	df.to_parquet(path, compression=..., index=False)
//
// and, of URIs, of a column s3_uri with the index.
func TestParquet(t *testing.T) {
	for name, want := range map[string][]line{
		"snappy": {{1, "photos", "a.jpg", "version_id=v1", ""}, {2, "photos", "b c.jpg", "", ""}},
		"gzip":   {{1, "photos", "a.jpg", "version_id=v1", ""}, {2, "photos", "b c.jpg", "", ""}},
		"zstd":   {{1, "photos", "a.jpg", "version_id=v1", ""}, {2, "photos", "b c.jpg", "", ""}},
		"uri":    {{1, "photos", "a.jpg", "", ""}, {2, "photos", "b c.jpg", "", ""}},
	} {
		file, err := os.ReadFile("testdata/pandas-" + name + ".parquet")
		if err != nil {
			t.Fatal(err)
		}
		got, err := readParquet(file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	file, err := os.ReadFile("testdata/pandas-brotli.parquet")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readParquet(file); err == nil || !strings.Contains(err.Error(), "gzip or zstd") {
		t.Errorf("Brotli: %v", err)
	}
	if _, err := readParquet([]byte("PAR1, but no such file PAR1")); err == nil {
		t.Error("noise is read")
	}
	if got, err := readParquet(parquetFile(t, []parquetRow{})); err == nil {
		t.Errorf("no rows: %v", got)
	}
}

// A page that is larger than the bound is an error of the list, however it is packed.
func TestLargePages(t *testing.T) {
	rows := make([]parquetRow, 8000)
	for i := range rows {
		rows[i] = parquetRow{Bucket: "photos", Key: strings.Repeat(string(rune('a'+i%26)), 3000)}
	}
	for name, option := range map[string]parquet.WriterOption{
		"plain": parquet.Compression(&parquet.Uncompressed), "snappy": parquet.Compression(&parquet.Snappy),
		"gzip": parquet.Compression(&parquet.Gzip), "zstd": parquet.Compression(&parquet.Zstd),
	} {
		_, err := readParquet(parquetFile(t, rows, option, parquet.PageBufferSize(64<<20)))
		var broken *manifest.BrokenError
		if !errors.As(err, &broken) || !strings.Contains(broken.Reason, "smaller pages") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Files that were made to take memory: at every place before the footer, where headers of
// pages and what snappy says of a page are, a number of 2 GiB stands instead. Without a
// bound the process takes as much.
func TestCraftedPages(t *testing.T) {
	files := map[string][]byte{}
	for _, name := range []string{"snappy", "gzip", "zstd"} {
		file, err := os.ReadFile("testdata/pandas-" + name + ".parquet")
		if err != nil {
			t.Fatal(err)
		}
		files[name] = file
	}
	for name, good := range files {
		footer := len(good) - 8 - int(uint32(good[len(good)-8])|uint32(good[len(good)-7])<<8)
		var before, after runtime.MemStats
		for at := 4; at+5 < footer; at++ {
			for _, number := range []string{"\xff\xff\xff\xff\x07", "\xfe\xff\xff\xff\x0f"} { // as it is, and zigzag
				file := bytes.Clone(good)
				copy(file[at:], number)
				runtime.ReadMemStats(&before)
				r, err := manifest.ReadParquet(bytes.NewReader(file), int64(len(file)), manifest.Limits{})
				for err == nil {
					err = r.Next(&manifest.Entry{})
				}
				runtime.ReadMemStats(&after)
				var broken *manifest.BrokenError
				if err != io.EOF && !errors.As(err, &broken) {
					t.Fatalf("%s, byte %d: %v", name, at, err)
				}
				if taken := after.TotalAlloc - before.TotalAlloc; taken > 200<<20 {
					t.Fatalf("%s, byte %d: %d MiB were taken", name, at, taken>>20)
				}
			}
		}
	}
}

// A page that tells its lengths as differences (DELTA_LENGTH_BYTE_ARRAY, as the library's own writer does) says how many there
// are, and the library takes memory for that many: five bytes, and a right checksum, ask for 8 GiB.
func TestCraftedLengths(t *testing.T) {
	v1 := "v1"
	rows := []parquetRow{{Bucket: "photos", Key: "a.jpg", Version: &v1}, {Bucket: "photos", Key: "b c.jpg"}}
	head := []byte{0x80, 0x01, 0x04} // values in a block, pieces of a block; then how many there are
	for version := 1; version <= 2; version++ {
		good := parquetFile(t, rows, parquet.DataPageVersion(version), parquet.Compression(&parquet.Uncompressed))
		if got, err := readParquet(good); err != nil || len(got) != len(rows) {
			t.Fatalf("version %d: %d entries, %v", version, len(got), err)
		}
		crafted := 0
		for at := 0; ; at++ {
			next := bytes.Index(good[at:], head)
			if next < 0 {
				break
			}
			at += next
			file := bytes.Clone(good)
			copy(file[at+len(head):], "\xff\xff\xff\xff\x07")
			if !signPage(good, file, at) {
				continue
			}
			crafted++
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := readParquet(file)
			runtime.ReadMemStats(&after)
			var broken *manifest.BrokenError
			if !errors.As(err, &broken) {
				t.Errorf("version %d, byte %d: %v", version, at, err)
			}
			if taken := after.TotalAlloc - before.TotalAlloc; taken > 100<<20 {
				t.Errorf("version %d, byte %d: %d MiB were taken", version, at, taken>>20)
			}
		}
		if crafted < 2 {
			t.Errorf("version %d: %d pages were crafted", version, crafted)
		}
	}
}

// signPage gives a page of file, which has its lengths at a byte, the checksum that it had in the file as it was good. It finds
// the page by that checksum.
func signPage(good, file []byte, lengths int) bool {
	for begin := max(0, lengths-16); begin <= lengths; begin++ { // levels stand before the lengths
		for end := lengths + 4; end < min(lengths+200, len(good)); end++ {
			for from := max(0, begin-120); from < begin; from++ {
				if old := pageSum(good[begin:end]); bytes.HasPrefix(good[from:], old) {
					return copy(file[from:], pageSum(file[begin:end])) == len(old) && len(pageSum(file[begin:end])) == len(old)
				}
			}
		}
	}
	return false
}

// pageSum is the checksum of a page, as its header has it: an i32 in Thrift's compact protocol.
func pageSum(page []byte) []byte {
	return binary.AppendVarint(nil, int64(int32(crc32.ChecksumIEEE(page))))
}

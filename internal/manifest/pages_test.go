package manifest_test

import (
	"bytes"
	"errors"
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
	for _, name := range []string{"snappy", "gzip", "zstd"} {
		good, err := os.ReadFile("testdata/pandas-" + name + ".parquet")
		if err != nil {
			t.Fatal(err)
		}
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

package manifest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"bulkpresign/internal/manifest"
)

// sampleKeys are keys of 40 to 80 bytes.
func sampleKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("2026/%02d/%08x/%s-%d.jpg", i%12, uint32(i)*2654435761, strings.Repeat("harbour ", 2+i%5), i)
	}
	return keys
}

// forms are the ways in which a list of keys can be written and read.
var forms = []struct {
	name  string
	write func(t testing.TB, keys []string) []byte
	open  func(t testing.TB, list []byte) (*manifest.Reader, error)
}{
	{"text", lineBy("%s\n"), as(manifest.Text)},
	{"CSV", lineBy("photos,%s\n"), as(manifest.CSV)},
	{"CSV.gz", zip(lineBy("photos,%s\n")), as(manifest.CSV)},
	{"CSV.zst", func(t testing.TB, keys []string) []byte { return zstded(string(lineBy("photos,%s\n")(t, keys))) }, as(manifest.CSV)},
	{"CSV quoted", lineBy("\"photos\",\"%s\",\"v1\"\n"), as(manifest.CSV)},
	{"JSON Lines", lineBy("\"%s\"\n"), as(manifest.JSONLines)},
	{"JSON Lines objects", lineBy("{\"key\":\"%s\",\"version_id\":\"v1\"}\n"), as(manifest.JSONLines)},
	{"Inventory CSV.gz", zip(func(t testing.TB, keys []string) []byte {
		return lineBy("\"photos\",\"%s\",\"1024\",\"2026-11-23T08:00:00.000Z\"\n")(t, escaped(keys))
	}), func(t testing.TB, list []byte) (*manifest.Reader, error) {
		v := inventory(t, "CSV", "Bucket, Key, Size, LastModifiedDate", list)
		return v.OpenCSV(v.Shards[0], bytes.NewReader(list), manifest.Limits{})
	}},
	{"Inventory Parquet", func(t testing.TB, keys []string) []byte {
		rows := make([]parquetRow, len(keys))
		for i, key := range keys {
			rows[i] = parquetRow{Bucket: "photos", Key: key}
		}
		return parquetFile(t, rows, parquet.Compression(&parquet.Snappy))
	}, func(t testing.TB, list []byte) (*manifest.Reader, error) {
		v := inventory(t, "Parquet", "", list)
		return v.OpenParquet(v.Shards[0], bytes.NewReader(list), manifest.Limits{})
	}},
}

func as(f manifest.Format) func(testing.TB, []byte) (*manifest.Reader, error) {
	return func(_ testing.TB, list []byte) (*manifest.Reader, error) {
		return manifest.NewReader(bytes.NewReader(list), f, manifest.Plain, manifest.Limits{})
	}
}

func lineBy(format string) func(testing.TB, []string) []byte {
	return func(_ testing.TB, keys []string) []byte {
		var b bytes.Buffer
		for _, key := range keys {
			fmt.Fprintf(&b, format, key)
		}
		return b.Bytes()
	}
}

func zip(write func(testing.TB, []string) []byte) func(testing.TB, []string) []byte {
	return func(t testing.TB, keys []string) []byte { return gzipped(string(write(t, keys))) }
}

// escaped encodes keys as a form does.
func escaped(keys []string) []string {
	all := make([]string, len(keys))
	for i, key := range keys {
		all[i] = strings.ReplaceAll(key, " ", "+")
	}
	return all
}

// BenchmarkReader tells what a key costs, from the bytes of the list to an Entry:
//
//	go test ./internal/manifest -run '^$' -bench Reader -cpu 1
func BenchmarkReader(b *testing.B) {
	keys := sampleKeys(100_000)
	for _, form := range forms {
		list := form.write(b, keys)
		b.Run(form.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r, err := form.open(b, list)
				if err != nil {
					b.Fatal(err)
				}
				var e manifest.Entry
				for n := 0; ; n++ {
					if err = r.Next(&e); err == io.EOF && n == len(keys) {
						break
					}
					if err != nil || e.Err != nil {
						b.Fatal(err, e.Err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(keys)), "ns/key")
		})
	}
}

// BenchmarkStandardLibrary reads the same CSV.gz with encoding/csv and compress/gzip, for
// comparison in one run:
//
//	go test ./internal/manifest -run '^$' -bench 'Reader/^CSV.gz$|Standard' -cpu 1
func BenchmarkStandardLibrary(b *testing.B) {
	keys := sampleKeys(100_000)
	list := zip(lineBy("photos,%s\n"))(b, keys)
	for b.Loop() {
		unzipped, err := gzip.NewReader(bytes.NewReader(list))
		if err != nil {
			b.Fatal(err)
		}
		rows := csv.NewReader(unzipped)
		rows.ReuseRecord = true
		for range keys {
			if _, err := rows.Read(); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(keys)), "ns/key")
}

// However a key is written, it takes no allocation of its own but for items of JSON that
// are objects.
func TestAllocations(t *testing.T) {
	keys := sampleKeys(20_000)
	for _, form := range forms {
		list := form.write(t, keys)
		n := testing.AllocsPerRun(3, func() {
			r, err := form.open(t, list)
			for err == nil {
				var e manifest.Entry
				err = r.Next(&e)
			}
			if err != io.EOF {
				t.Fatal(form.name, err)
			}
		})
		most := 0.05
		if form.name == "JSON Lines objects" {
			most = 9
		}
		if n/float64(len(keys)) > most {
			t.Errorf("%s: %g allocations a key", form.name, n/float64(len(keys)))
		}
	}
}

// What Plan takes of a CSV, and of a list of many members.
func BenchmarkCuts(b *testing.B) {
	var list bytes.Buffer
	for i := range 200_000 {
		fmt.Fprintf(&list, "photos,\"%08x/2026/11/%02d/%d, é.jpg\"\n", i*2654435761, i%30, i)
	}
	d := manifest.Description{Format: manifest.CSV}
	b.Run("CSV", func(b *testing.B) {
		b.SetBytes(int64(list.Len()))
		for b.Loop() {
			if parts, err := d.Cuts(bytes.NewReader(list.Bytes()), 1<<20, manifest.Limits{}); err != nil || len(parts) < 5 {
				b.Fatal(len(parts), err)
			}
		}
	})
	packed := bytes.Repeat(gzipped(list.String()), 3)
	b.Run("gzip members", func(b *testing.B) {
		b.SetBytes(3 * int64(list.Len()))
		for b.Loop() {
			parts, err := d.MemberCuts(bytes.NewReader(packed), int64(len(packed)), 1<<20, func() bool { return false }, manifest.Limits{})
			if err != nil || len(parts) != 3 {
				b.Fatal(len(parts), err)
			}
		}
	})
}

// An earlier result, whose keys are signed again: bytes of its text.
func BenchmarkEarlierResult(b *testing.B) {
	var list bytes.Buffer
	for i := range 20_000 {
		fmt.Fprintf(&list, "{\"key\":\"2026/%d.jpg\",\"url\":\"https://photos.s3.eu-west-1.amazonaws.com/2026/%d.jpg?X-Amz-Security-Token=%s&x-id=GetObject\"}\n", i, i, strings.Repeat("IQoJb3JpZ2luX2Vj", 70))
	}
	b.SetBytes(int64(list.Len()))
	for b.Loop() {
		r, err := manifest.NewReader(bytes.NewReader(list.Bytes()), manifest.JSONLines, manifest.Plain, manifest.Limits{})
		n := 0
		var e manifest.Entry
		for err == nil {
			if err = r.Next(&e); err == nil {
				n++
			}
		}
		if n != 20_000 {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/20_000, "ns/key")
}

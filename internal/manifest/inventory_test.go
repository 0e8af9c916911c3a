package manifest_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"bulkpresign/internal/manifest"
)

// csvManifest is in the form of the example in
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
const csvManifest = `{
    "sourceBucket": "photos",
    "destinationBucket": "arn:aws:s3:::lists",
    "version": "2016-11-30",
    "creationTimestamp" : "1514944800000",
    "fileFormat": "CSV",
    "fileSchema": "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass",
    "files": [
        {
            "key": "Inventory/photos/2016-11-06T21-32Z/files/939c6d46-85a9-4ba8-87bd-9db705a579ce.csv.gz",
            "size": 2147483647,
            "MD5checksum": "f11166069f1990abeb9c97ace9cdfabc"
        }
    ]
}`

// checksum is a manifest.checksum.
func checksum(text string) []byte { return []byte(sumOf([]byte(text)) + "\n") }

func sumOf(b []byte) string {
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

func TestParseInventory(t *testing.T) {
	v, err := manifest.ParseInventory([]byte(csvManifest), checksum(csvManifest))
	if err != nil {
		t.Fatal(err)
	}
	if v.SourceBucket != "photos" || v.Bucket != "lists" || v.Parquet || len(v.Shards) != 1 || v.Shards[0].Size != 2147483647 || v.Shards[0].MD5[0] != 0xf1 {
		t.Errorf("%+v", v)
	}
	for problem, replace := range map[string][2]string{
		"sourceBucket":                            {`"photos"`, `""`},
		"destinationBucket":                       {`"arn:aws:s3:::lists"`, `null`},
		"neither CSV nor":                         {`"CSV"`, `"ORC"`},
		"no column Key":                           {`Key, `, ``},
		`files[0] lacks its "MD5checksum"`:        {`f11166069f1990abeb9c97ace9cdfabc`, ``},
		`files[0] lacks its "MD5checksum", or`:    {`f11166069f1990abeb9c97ace9cdfabc`, `f11166069f1990abeb9c97ace9cdfabcff`},
		`files[0] lacks its "MD5checksum", or it`: {`f11166069f1990abeb9c97ace9cdfabc`, `x11166069f1990abeb9c97ace9cdfabc`},
		`files[0] lacks its "key"`:                {`"key"`, `"nokey"`},
		"no files":                                {`"files"`, `"nofiles"`},
		"not valid JSON":                          {`"files": [`, `"files": `},
	} {
		text := strings.Replace(csvManifest, replace[0], replace[1], 1)
		_, err := manifest.ParseInventory([]byte(text), checksum(text))
		var broken *manifest.BrokenError
		if !errors.As(err, &broken) || !strings.Contains(err.Error(), problem) || broken.File != "manifest.json" {
			t.Errorf("%s: %v", problem, err)
		}
	}
	for problem, sum := range map[string][]byte{
		"is missing beside it": nil, "MD5": checksum("x"), "its MD5": {},
	} {
		if _, err := manifest.ParseInventory([]byte(csvManifest), sum); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("checksum %q: %v", sum, err)
		}
	}
	if got := manifest.ChecksumKey("a/manifest.json"); got != "a/manifest.checksum" {
		t.Error(got)
	}
}

func TestInventoryArrival(t *testing.T) {
	const report = "manifests/photos/weekly/2026-11-22T01-00Z/"
	const shard = "939c6d46-85a9-4ba8-87bd-9db705a579ce"
	for key, want := range map[string]struct {
		manifest string
		isPart   bool
	}{
		report + "manifest.checksum":                                   {report + "manifest.json", true},
		report + "manifest.json":                                       {"", true},
		"manifests/photos/weekly/hive/dt=2026-11-22-01-00/symlink.txt": {"", true},
		"manifests/photos/weekly/data/" + shard + ".csv.gz":            {"", true},
		"manifests/photos/weekly/data/" + shard + ".parquet":           {"", true},
		"manifests/photos/weekly/data/" + shard + ".orc":               {"", true},
		"manifests/copied/manifest.checksum":                           {"", true},
		"manifests/copied/manifest.json":                               {"", false},
		"manifest.json":                                                {"", false},
		"manifests/data/" + shard + ".csv.gz":                          {"", false},
		"manifests/photos/weekly/data/" + shard + ".csv":               {"", false},
		"manifests/photos/weekly/data/" + shard[1:] + "x.csv.gz":       {"", false},
		"manifests/photos/weekly/data/0" + shard[1:8] + "0.csv.gz":     {"", false},
		"manifests/photos/weekly/lists/" + shard + ".csv.gz":           {"", false},
		"manifests/hive/symlink.txt":                                   {"", false},
		"symlink.txt":                                                  {"", false},
		"":                                                             {"", false},
	} {
		if manifest, isPart := manifest.InventoryArrival(key); manifest != want.manifest || isPart != want.isPart {
			t.Errorf("%s: %q, %t", key, manifest, isPart)
		}
	}
}

func TestNoListByName(t *testing.T) {
	for key, isNone := range map[string]bool{
		"manifests/": true, "manifests/2026/": true, "manifests/2026_$folder$": true, "manifests/.DS_Store": true, "manifests/._a.csv": true,
		"manifests/README": true, "manifests/readme.txt": true, "manifests/README.md": true, "manifests/8f3c.csv.metadata": true, "manifests/_SUCCESS": true,
		"manifests/a.csv": false, "manifests/readme-list.txt": false, "manifests/metadata.csv": false, "manifests/part-00000": false, "manifests/list.xlsx": false,
	} {
		if why := manifest.NoList(key); (why != "") != isNone {
			t.Errorf("%s: %q", key, why)
		}
	}
}

// inventory makes an inventory of one shard.
func inventory(t testing.TB, format, schema string, file []byte) *manifest.Inventory {
	t.Helper()
	text := fmt.Sprintf(`{"sourceBucket":"photos","destinationBucket":"arn:aws-cn:s3:::lists","fileFormat":%q,"fileSchema":%q,
		"files":[{"key":"data/1","size":%d,"MD5checksum":%q}]}`, format, schema, len(file), sumOf(file))
	v, err := manifest.ParseInventory([]byte(text), checksum(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Rows as S3 writes them: every field in quotation marks, keys URL-encoded.
func TestInventoryCSV(t *testing.T) {
	const schema = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size"
	file := gzipped(`"photos","a%2Bb/red+flower%20%C3%A9.jpg","v1","true","false","5"` + "\n" +
		`"photos","gone","v3","true","true",""` + "\n" +
		`"photos","100%25","","true","false","7"` + "\n" +
		`"photos","bad%2"` + ",,,,\n" +
		`"photos","%FF",,,,` + "\n" +
		`"photos","short"` + "\n")
	v := inventory(t, "CSV", schema, file)
	got, err := readAll(v.OpenCSV(v.Shards[0], bytes.NewReader(file), manifest.Limits{}))
	if err != nil {
		t.Fatal(err)
	}
	want := []line{
		{1, "photos", "a+b/red flower é.jpg", "version_id=v1", ""},
		{3, "photos", "100%", "", ""},
		{4, "", "", "", "two hexadecimal digits"},
		{5, "", "", "", "UTF-8"},
		{6, "", "", "", "too few columns: 2 of 6"},
	}
	for i := range got {
		if i < len(want) && strings.Contains(got[i].Err, want[i].Err) {
			got[i].Err = want[i].Err
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// parquetRow has the columns of S3's Parquet inventories that matter here, and one that
// does not.
type parquetRow struct {
	Bucket  string  `parquet:"bucket"`
	Key     string  `parquet:"key"`
	Version *string `parquet:"version_id,optional"`
	Deleted *bool   `parquet:"is_delete_marker,optional"`
	Size    *int64  `parquet:"size,optional"`
}

func parquetFile(t testing.TB, rows any, options ...parquet.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	write := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	switch rows := rows.(type) {
	case []parquetRow:
		w := parquet.NewGenericWriter[parquetRow](&b, options...)
		for i := range rows {
			_, err := w.Write(rows[i : i+1])
			write(err)
			if i%3 == 2 && len(rows) < 100 {
				write(w.Flush()) // a row group
			}
		}
		write(w.Close())
	case []struct {
		Key int64 `parquet:"key"`
	}:
		write(parquet.Write(&b, rows, options...))
	default:
		t.Fatalf("rows %T", rows)
	}
	return b.Bytes()
}

func TestInventoryParquet(t *testing.T) {
	yes, no, v1 := true, false, "v1"
	file := parquetFile(t, []parquetRow{
		{Bucket: "photos", Key: "a+b/red flower é.jpg", Version: &v1, Deleted: &no},
		{Bucket: "photos", Key: "gone", Deleted: &yes},
		{Bucket: "photos", Key: "100%25"},
		{Bucket: "photos", Key: "\xff"},
		{Bucket: "photos", Key: ""},
	}, parquet.Compression(&parquet.Snappy))
	v := inventory(t, "Parquet", "message s3.inventory {...}", file)
	if !v.Parquet {
		t.Error("it is Parquet")
	}
	got, err := readAll(v.OpenParquet(v.Shards[0], bytes.NewReader(file), manifest.Limits{}))
	if err != nil {
		t.Fatal(err)
	}
	want := []line{
		{1, "photos", "a+b/red flower é.jpg", "version_id=v1", ""},
		{3, "photos", "100%25", "", ""},
		{4, "", "", "", got[min(2, len(got)-1)].Err},
		{5, "photos", "", "", ""},
	}
	if d := cmp.Diff(want, got); d != "" || !strings.Contains(want[2].Err, "UTF-8") {
		t.Errorf("(-want +got):\n%s", d)
	}

	other := parquetFile(t, []struct {
		Key int64 `parquet:"key"`
	}{{1}})
	v = inventory(t, "Parquet", "", other)
	if _, err := v.OpenParquet(v.Shards[0], bytes.NewReader(other), manifest.Limits{}); err == nil || !strings.Contains(err.Error(), "another type than an inventory of S3") {
		t.Errorf("keys that are numbers: %v", err)
	}
}

// A shard that is not the one that S3 wrote is found out; an empty one is none.
func TestInventoryShards(t *testing.T) {
	type open func(v *manifest.Inventory, file []byte) (*manifest.Reader, error)
	csv := func(v *manifest.Inventory, file []byte) (*manifest.Reader, error) {
		return v.OpenCSV(v.Shards[0], bytes.NewReader(file), manifest.Limits{})
	}
	columns := func(v *manifest.Inventory, file []byte) (*manifest.Reader, error) {
		return v.OpenParquet(v.Shards[0], bytes.NewReader(file), manifest.Limits{})
	}
	var rows []parquetRow
	var text strings.Builder
	for i := range 3000 {
		rows = append(rows, parquetRow{Bucket: "photos", Key: fmt.Sprintf("2026/%d/%x.jpg", i, i*7919)})
		fmt.Fprintf(&text, "\"photos\",\"%s\"\n", rows[i].Key)
	}
	for name, test := range map[string]struct {
		format string
		file   []byte
		open   open
	}{
		"CSV":     {"CSV", gzipped(text.String()), csv},
		"Parquet": {"Parquet", parquetFile(t, rows), columns},
	} {
		v := inventory(t, test.format, "Bucket, Key", test.file)
		if got, err := readAll(test.open(v, test.file)); err != nil || len(got) != len(rows) || got[2999].Key != rows[2999].Key {
			t.Errorf("%s: %d entries, %v", name, len(got), err)
		}
		bad := bytes.Clone(test.file)
		bad[len(bad)/2] ^= 4
		for what, file := range map[string][]byte{
			"one bit": bad, "more": append(bytes.Clone(test.file), 0), "less": test.file[:len(test.file)-1], "nothing": {}, "another": gzipped("x,y\n"),
		} {
			if what == "more" && v.Parquet {
				continue // what follows the file is not looked at
			}
			_, err := readAll(test.open(v, file))
			var broken *manifest.BrokenError
			if !errors.As(err, &broken) || broken.File != "data/1" {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
		// The checksum of a broken file does not make it better: the file is what is wrong.
		v = inventory(t, test.format, "Bucket, Key", bad)
		_, err := readAll(test.open(v, bad))
		var broken *manifest.BrokenError
		if !errors.As(err, &broken) || broken.File != "data/1" {
			t.Errorf("%s, broken as it was written: %v", name, err)
		}
	}
	empty := gzipped("")
	v := inventory(t, "CSV", "Bucket, Key", empty)
	if got, err := readAll(csv(v, empty)); err != nil || len(got) != 0 {
		t.Errorf("an empty CSV shard: %v, %v", got, err)
	}
	empty = parquetFile(t, []parquetRow{})
	v = inventory(t, "Parquet", "", empty)
	if got, err := readAll(columns(v, empty)); err != nil || len(got) != 0 {
		t.Errorf("an empty Parquet shard: %v, %v", got, err)
	}
}

// failingAt fails from an offset on.
type failingAt struct {
	io.ReaderAt
	from int64
	err  error
}

func (f failingAt) ReadAt(p []byte, offset int64) (int, error) {
	if offset+int64(len(p)) > f.from {
		return 0, f.err
	}
	return f.ReaderAt.ReadAt(p, offset)
}

func TestInventorySourceErrors(t *testing.T) {
	cut := errors.New("connection cut")
	file := parquetFile(t, []parquetRow{{Bucket: "b", Key: "k"}})
	v := inventory(t, "Parquet", "", file)
	if _, err := v.OpenParquet(v.Shards[0], failingAt{bytes.NewReader(file), 3, cut}, manifest.Limits{}); err != cut {
		t.Error(err)
	}
	zipped := gzipped(`"photos","k"` + "\n")
	v = inventory(t, "CSV", "Bucket, Key", zipped)
	_, err := readAll(v.OpenCSV(v.Shards[0], io.MultiReader(bytes.NewReader(zipped[:len(zipped)-3]), iotest.ErrReader(cut)), manifest.Limits{}))
	if err != cut {
		t.Error(err)
	}
}

package manifest_test

import (
	"errors"
	"strings"
	"testing"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/manifest"
	"bulkpresign/internal/s3op"
)

func TestFromMetadata(t *testing.T) {
	metadata := map[string]string{
		"owner":                "me",
		"presign-key-encoding": "percent",
		"presign-operation":    "GET",
		"presign-expires-in":   "60",
		"presign-filename":     "=?UTF-8?B?xb1pxb5rb3YuanBn?=", // as S3 gives Žižkov.jpg
	}
	r, err := manifest.FromMetadata(metadata)
	if err != nil {
		t.Fatal(err)
	}
	if r.Operation != s3op.GetObject || r.ExpiresIn != 60 || len(r.Options) != 1 || r.Options[0].Value != "Žižkov.jpg" {
		t.Errorf("%+v", r)
	}
	if len(metadata) != 5 || !strings.HasPrefix(metadata["presign-filename"], "=?") {
		t.Error("the metadata is changed")
	}
	_, err = manifest.FromMetadata(map[string]string{"presign-colour": "red"})
	var failed *bulk.Error
	if !errors.As(err, &failed) || failed.Code != bulk.InvalidRequest || !strings.Contains(failed.Detail, "colour") {
		t.Error(err)
	}
	// A slip names what was likely meant, as in a request.
	for name, want := range map[string]string{"presign-expiresin": `"expires_in"`, "presign-content-tipe": `"content_type"`, "presign-method": `"operation"`} {
		if _, err := manifest.FromMetadata(map[string]string{name: "60"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}

func TestDescribe(t *testing.T) {
	for _, test := range []struct {
		key      string
		metadata map[string]string
		want     manifest.Description
		ok       bool
	}{
		{"a.csv.gz", nil, manifest.Description{Format: manifest.CSV, Compression: manifest.Gzip}, true},
		{"a.csv", map[string]string{"presign-key-encoding": "percent", "presign-extra-columns": "ignore"}, manifest.Description{Format: manifest.CSV, Keys: manifest.Percent, PassExtra: true}, true},
		{"a.txt", map[string]string{"presign-key-encoding": "uri"}, manifest.Description{Keys: manifest.URI}, true},
		{"20261126_0001_q8x4k_3f9d", map[string]string{"presign-format": "csv"}, manifest.Description{Format: manifest.CSV}, true}, // a part of Athena's UNLOAD
		{"part-00000-tid", map[string]string{"presign-format": "CSV", "presign-key-encoding": "none"}, manifest.Description{Format: manifest.CSV}, true},
		{"x", map[string]string{"presign-format": "parquet"}, manifest.Description{Format: manifest.Parquet}, true},
		{"x.csv.gz", map[string]string{"presign-format": "inventory"}, manifest.Description{Format: manifest.InventoryPart, Compression: manifest.Gzip, Keys: manifest.FormEncoded}, true},
		{"x.csv", map[string]string{"presign-format": "batch-report"}, manifest.Description{Format: manifest.BatchReport, Keys: manifest.Percent}, true},
		{"x", nil, manifest.Description{}, false},
	} {
		got, ok, err := manifest.Describe(test.key, test.metadata)
		if err != nil || ok != test.ok || ok && got != test.want {
			t.Errorf("%s, %v: %+v, %t, %v", test.key, test.metadata, got, ok, err)
		}
	}
	for field, value := range map[string]string{"presign-key-encoding": "url", "presign-format": "xlsx", "presign-extra-columns": "yes"} {
		_, _, err := manifest.Describe("a.csv", map[string]string{field: value})
		var failed *bulk.Error
		if !errors.As(err, &failed) || failed.Code != bulk.InvalidRequest || !strings.Contains(failed.Detail, field) {
			t.Error(err)
		}
	}
}

// The same key, as each kind of list writes it, and what each makes of the others' ways.
func TestKeyEncodings(t *testing.T) {
	for _, test := range []struct{ text, asIs, percent, form string }{
		{"red flower.jpg", "red flower.jpg", "red flower.jpg", "red flower.jpg"},
		{"red+flower.jpg", "red+flower.jpg", "red+flower.jpg", "red flower.jpg"},
		{"red%20flower.jpg", "red%20flower.jpg", "red flower.jpg", "red flower.jpg"},
		{"q3%2Bq4", "q3%2Bq4", "q3+q4", "q3+q4"},
		{"q3%2bq4", "q3%2bq4", "q3+q4", "q3+q4"},
		{"100%25", "100%25", "100%", "100%"},
		{"%2541", "%2541", "%41", "%41"},
		{"a%2Fb/%C3%A9", "a%2Fb/%C3%A9", "a/b/é", "a/b/é"},
		{"a%0Ab%00", "a%0Ab%00", "a\nb\x00", "a\nb\x00"},
		{"100%", "100%", "error", "error"},
		{"100%2", "100%2", "error", "error"},
		{"100%2g", "100%2g", "error", "error"},
		{"%C3", "%C3", "error", "error"},
	} {
		for encoding, want := range map[manifest.KeyEncoding]string{manifest.AsIs: test.asIs, manifest.Percent: test.percent, manifest.FormEncoded: test.form} {
			for format, text := range map[manifest.Format]string{manifest.Text: test.text + "\n", manifest.CSV: "photos,\"" + test.text + "\"\n"} {
				r, err := manifest.NewReader(strings.NewReader(text), format, manifest.Plain, manifest.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				r.KeysAre(encoding)
				var e manifest.Entry
				if err := r.Next(&e); err != nil {
					t.Fatal(err)
				}
				if e.Err != nil {
					e.Key = "error"
				}
				if e.Key != want {
					t.Errorf("%q in encoding %d is %q, want %q", test.text, encoding, e.Key, want)
				}
			}
		}
	}
}

func TestFormatOf(t *testing.T) {
	for key, want := range map[string]struct {
		format      manifest.Format
		compression manifest.Compression
		ok          bool
	}{
		"a.txt":               {manifest.Text, manifest.Plain, true},
		"lists/2026.11/A.CSV": {manifest.CSV, manifest.Plain, true},
		"a.csv.gz":            {manifest.CSV, manifest.Gzip, true},
		"a.b.jsonl.zst":       {manifest.JSONLines, manifest.Zstd, true},
		"a.ndjson":            {manifest.JSONLines, manifest.Plain, true},
		"a.json":              {manifest.Request, manifest.Plain, true},
		"x/manifest.json":     {manifest.InventoryManifest, manifest.Plain, true},
		"x/mymanifest.json":   {manifest.Request, manifest.Plain, true},
		".txt":                {manifest.Text, manifest.Plain, true},
		"txt":                 {},
		"a":                   {},
		"":                    {},
		"a.gz":                {},
		"a.txt.bz2":           {},
		"a.txt/":              {},
		"a.parquet":           {manifest.Parquet, manifest.Plain, true},
		"a.tsv.gz":            {manifest.CSV, manifest.Gzip, true},
		"x/manifest.checksum": {},
	} {
		format, compression, ok := manifest.FormatOf(key)
		if ok != want.ok || ok && (format != want.format || compression != want.compression) {
			t.Errorf("%q: %d, %d, %t", key, format, compression, ok)
		}
	}
}

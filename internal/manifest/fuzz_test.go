package manifest_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"bulkpresign/internal/manifest"
)

// Any bytes as a list: no panic, lines that grow, keys of UTF-8, and an end that says
// something.
func FuzzReader(f *testing.F) {
	for _, text := range []string{"a\nb\r\n\n", "bucket,key\np,\"a\"\"\nb\"\n", "\"a\"\n{\"key\":\"b\",\"version_id\":\"v\"}\n", "\ufeffkey\n", "p,\"", "p,\"a\"b", ",,,\n", "%,%41+\n"} {
		for format := range byte(3) {
			f.Add([]byte(text), format, byte(0))
			f.Add(gzipped(text), format, byte(1))
			f.Add(zstded(text), format, byte(2))
		}
	}
	f.Fuzz(func(t *testing.T, list []byte, format, encoding byte) {
		r, err := manifest.NewReader(bytes.NewReader(list), manifest.Format(format%3), manifest.Compression(encoding%3), manifest.Limits{LineBytes: 100, Bytes: 1 << 20})
		if err == nil {
			r.KeysAre(manifest.KeyEncoding(encoding % 3))
		}
		var last int64
		for err == nil {
			var e manifest.Entry
			if err = r.Next(&e); err != nil {
				break
			}
			if e.Line <= last || !utf8.ValidString(e.Key) || !utf8.ValidString(e.Bucket) || e.Err != nil && e.Key+e.Bucket != "" {
				t.Fatalf("line %d after %d: %+v", e.Line, last, e)
			}
			last = e.Line
		}
		var broken *manifest.BrokenError
		if err != io.EOF && (!errors.As(err, &broken) || broken.Reason == "" || len(err.Error()) > 300) {
			t.Fatalf("%v", err)
		}
	})
}

// What is written is read: keys in every format, held against other encoders.
func FuzzRoundTrip(f *testing.F) {
	f.Add("a\x00b c\x00\"quoted, and more\"\x00é+%41\x00a\nb\x00 \x00key", "photos")
	f.Fuzz(func(t *testing.T, joined, bucket string) {
		if !utf8.ValidString(joined) || !utf8.ValidString(bucket) || len(joined) > 10_000 || len(bucket) > 1000 {
			return
		}
		keys := strings.Split(joined, "\x00")
		var text, jsonLines, rows, form, percent bytes.Buffer
		w := csv.NewWriter(&rows)
		w.Write([]string{"bucket", "key"})
		isText := true
		for _, key := range keys {
			isText = isText && key != "" && !strings.ContainsAny(key, "\r\n") && !strings.HasPrefix(key, "\ufeff")
			text.WriteString(key + "\n")
			line, err := json.Marshal(key)
			if err != nil {
				t.Fatal(err)
			}
			jsonLines.Write(append(line, '\n'))
			w.Write([]string{bucket, key})
			form.WriteString("p," + url.QueryEscape(key) + "\n")
			percent.WriteString("p," + url.PathEscape(key) + "\n")
		}
		w.Flush()
		check := func(name string, list []byte, format manifest.Format, encoding manifest.KeyEncoding, bucket string) {
			for how, list := range map[string][]byte{"plain": list, "gzip": gzipped(string(list))} {
				r, err := manifest.NewReader(bytes.NewReader(list), format, manifest.Plain, manifest.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				r.KeysAre(encoding)
				for i, key := range keys {
					var e manifest.Entry
					if err := r.Next(&e); err != nil || e.Err != nil || e.Key != key || e.Bucket != bucket {
						t.Fatalf("%s, %s: key %d of %q is %+v, %v", name, how, i, keys, e, err)
					}
				}
				if err := r.Next(&manifest.Entry{}); err != io.EOF {
					t.Fatalf("%s, %s: then %v", name, how, err)
				}
			}
		}
		if isText {
			check("text", text.Bytes(), manifest.Text, manifest.AsIs, "")
		}
		check("JSON Lines", jsonLines.Bytes(), manifest.JSONLines, manifest.AsIs, "")
		check("CSV", rows.Bytes(), manifest.CSV, manifest.AsIs, bucket)
		check("form", form.Bytes(), manifest.CSV, manifest.FormEncoded, "p")
		check("percent", percent.Bytes(), manifest.CSV, manifest.Percent, "p")
	})
}

// Any bytes as a Parquet shard: no panic, and a list that is broken says so.
func FuzzParquet(f *testing.F) {
	v1, yes := "v1", true
	f.Add(parquetFile(f, []parquetRow{{Bucket: "p", Key: "a", Version: &v1}, {Key: "b", Deleted: &yes}}))
	f.Fuzz(func(t *testing.T, file []byte) {
		if len(file) > 1<<16 {
			return
		}
		v := inventory(t, "Parquet", "", file)
		r, err := v.OpenParquet(v.Shards[0], bytes.NewReader(file), manifest.Limits{Lines: 10_000})
		for err == nil {
			err = r.Next(&manifest.Entry{})
		}
		var broken *manifest.BrokenError
		if err != io.EOF && !errors.As(err, &broken) {
			t.Fatal(err)
		}
	})
}

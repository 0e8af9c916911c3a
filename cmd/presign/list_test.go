package main_test

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
)

// write makes a file below the bed's home.
func (b *bed) write(t *testing.T, name string, content []byte) {
	t.Helper()
	name = filepath.Join(b.home, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type row struct {
	Bucket string `parquet:"bucket"`
	Key    string `parquet:"key"`
}

func parquetOf(t *testing.T, keys ...string) []byte {
	t.Helper()
	var rows []row
	for _, key := range keys {
		rows = append(rows, row{"photos", key})
	}
	var b bytes.Buffer
	if err := parquet.Write(&b, rows); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// inventory writes an S3 Inventory as aws s3 cp --recursive leaves it: the folder of its time, and data beside it.
func (b *bed) inventory(t *testing.T, dir, extension, format, schema string, shard []byte) (name string) {
	t.Helper()
	file := "939c6d46-85a9-4ba8-87bd-9db705a579ce." + extension
	text, err := json.Marshal(map[string]any{
		"sourceBucket": "photos", "destinationBucket": "arn:aws:s3:::lists", "version": "2016-11-30", "creationTimestamp": "1760000000000",
		"fileFormat": format, "fileSchema": schema,
		"files": []any{map[string]any{"key": "photos/all/data/" + file, "size": len(shard), "MD5checksum": fmt.Sprintf("%x", md5.Sum(shard))}},
	})
	if err != nil {
		t.Fatal(err)
	}
	name = dir + "/2026-11-01T01-00Z/manifest.json"
	b.write(t, name, text)
	b.write(t, dir+"/2026-11-01T01-00Z/manifest.checksum", fmt.Appendf(nil, "%x", md5.Sum(text)))
	b.write(t, dir+"/data/"+file, shard)
	return name
}

// Each form of docs/lists.md leads to the same two objects, and an option or an encoding that it carries is heeded.
func TestLists(t *testing.T) {
	b := newBed(t)
	keys := []string{"2024/a b.jpg", "2024/é+.jpg"}
	b.put(t, keys...)
	asText := strings.Join(keys, "\n") + "\n"
	answer := b.run(t, "", append([]string{"get", "s3://photos", "-format", "json"}, keys...)...).out
	compact := b.run(t, "", append([]string{"get", "s3://photos", "-format", "compact"}, keys...)...).out
	results := b.run(t, "", append([]string{"get", "s3://photos", "-format", "ndjson"}, keys...)...).out
	csvInventory := b.inventory(t, "csv", "csv.gz", "CSV", "Bucket, Key", zipped(t, "\"photos\",\"2024/a+b.jpg\"\n\"photos\",\"2024/%C3%A9%2B.jpg\"\n"))
	parquetInventory := b.inventory(t, "parquet", "parquet", "Parquet", "message s3.inventory { required binary bucket (UTF8); required binary key (UTF8); }", parquetOf(t, keys...))
	for name, content := range map[string][]byte{
		"keys.txt": []byte(asText), "keys.txt.gz": zipped(t, asText), "uris.txt": []byte("s3://photos/" + keys[0] + "\ns3://photos/" + keys[1] + "\n"),
		"keys.tsv":     []byte("bucket\tkey\nphotos\t" + keys[0] + "\nphotos\t" + keys[1] + "\n"),
		"array.json":   []byte(`["2024/a b.jpg", {"key": "2024/é+.jpg"}]`),
		"listing.json": []byte(`{"IsTruncated": false, "Contents": [{"Key": "2024/a b.jpg", "Size": 1}, {"Key": "2024/é+.jpg", "Size": 2}]}`),
		"request.json": []byte(`{"bucket": "photos", "operation": "GET", "keys": ["2024/a b.jpg", {"key": "2024/é+.jpg"}]}`),
		"answer.json":  []byte(answer), "compact.json": []byte(compact), "results.ndjson.gz": zipped(t, results),
		"keys.parquet": parquetOf(t, keys...),
		"batch.csv":    []byte("photos,2024/a%20b.jpg\nphotos,2024/%C3%A9%2B.jpg\n"),
		"athena.csv":   []byte("key,colour\n" + keys[0] + ",red\n" + keys[1] + ",blue\n"),
		"part":         []byte("\"photos\",\"2024/a+b.jpg\"\n\"photos\",\"2024/%C3%A9%2B.jpg\"\n"),
	} {
		b.write(t, name, content)
	}
	tests := []struct {
		stdin string
		args  []string
	}{
		{"", []string{"-f", "keys.txt"}},
		{"", []string{"-f", "keys.txt.gz"}},
		{"", []string{"-f", "uris.txt"}},
		{"", []string{"-f", "keys.tsv"}},
		{"", []string{"-f", "array.json"}},
		{"", []string{"-f", "listing.json"}},
		{"", []string{"-f", "request.json"}},
		{"", []string{"-f", "answer.json"}},
		{"", []string{"-f", "compact.json"}},
		{"", []string{"-f", "results.ndjson.gz"}},
		{"", []string{"-f", "keys.parquet"}},
		{"", []string{"-f", csvInventory}},
		{"", []string{"-f", parquetInventory}},
		{"", []string{"-f", "batch.csv", "-key-encoding", "percent"}},
		{"", []string{"-f", "athena.csv", "-extra-columns", "ignore"}},
		{"", []string{"-f", "part", "-list-format", "inventory"}},
		{answer, []string{"-f", "-", "-list-format", "json"}},
		{string(parquetOf(t, keys...)), []string{"-f", "-", "-list-format", "parquet"}},
		{string(zipped(t, asText)), []string{"-"}},
	}
	for _, test := range tests {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			r := b.run(t, test.stdin, append([]string{"get", "s3://photos"}, test.args...)...)
			if r.status != 0 || r.err != "" {
				t.Fatalf("status %d: %s", r.status, r.err)
			}
			var got, want []string
			for i, url := range urls(r.out) {
				got, want = append(got, fetch(t, url)), append(want, "content of "+keys[i%2])
			}
			if len(got) != 2 || !cmp.Equal(got, want) {
				t.Error(cmp.Diff(want, got))
			}
		})
	}
}

// What a list asks for that the call does not is refused, and options of a request that is a list are signed.
func TestListMistakes(t *testing.T) {
	b := newBed(t)
	b.put(t, "a")
	b.inventory(t, "inventory", "csv.gz", "CSV", "Bucket, Key", zipped(t, "\"photos\",\"a\"\n"))
	if err := os.RemoveAll(filepath.Join(b.home, "inventory/data")); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"other.json": `{"bucket": "other", "keys": ["a"]}`, "put.json": `{"operation": "PUT", "keys": ["a"]}`,
		"prefix.json": `{"prefix": "a/"}`, "unknown.json": `{"keyz": ["a"]}`, "expires.json": `{"keys": ["a"], "expires_in": 60}`,
		"answer.json": `{"bucket": "other", "urls": {"a": "https://example.com/"}}`,
		"lists.lists": "s3://photos/keys.txt\n", "broken.parquet": "PAR1", "alone/manifest.json": `{"sourceBucket": "photos"}`,
	} {
		b.write(t, name, []byte(text))
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"-f", "other.json"}, "request is for bucket other"},
		{[]string{"-f", "put.json"}, "request is for PutObject"},
		{[]string{"-f", "prefix.json"}, "request has no keys"},
		{[]string{"-f", "unknown.json"}, `"keyz"`},
		{[]string{"-f", "expires.json", "-expires", "1h"}, `"expires_in"`},
		{[]string{"-f", "answer.json"}, "answer is of bucket other"},
		{[]string{"-f", "lists.lists"}, "list of lists"},
		{[]string{"-f", "broken.parquet"}, "Parquet"},
		{[]string{"-f", "alone/manifest.json"}, "manifest.checksum is missing"},
		{[]string{"-f", "inventory/2026-11-01T01-00Z/manifest.json"}, "aws s3 cp --recursive"},
		{[]string{"-f", "x", "-list-format", "xml"}, "csv, tsv"},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			r := b.run(t, "", append([]string{"get", "s3://photos"}, test.args...)...)
			if r.status != 2 || r.out != "" || !strings.Contains(r.err, test.want) {
				t.Errorf("status %d: %s", r.status, r.err)
			}
		})
	}
	if r := b.run(t, "", "get", "s3://photos", "-f", "expires.json"); !strings.Contains(r.out, "X-Amz-Expires=60&") {
		t.Error("the request's expires_in was not signed")
	}
}

// make install leaves one static file that knows its version.
func TestInstall(t *testing.T) {
	bin := t.TempDir()
	install := exec.CommandContext(t.Context(), "make", "-C", "../..", "install")
	install.Env = append(os.Environ(), "GOBIN="+bin)
	if out, err := install.CombinedOutput(); err != nil || !strings.Contains(string(out), "in "+bin) {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "presign"), "-version").Output()
	if err != nil || !strings.HasPrefix(string(out), "presign ") || !strings.Contains(string(out), " go1.") {
		t.Errorf("%q, %v", out, err)
	}
}

package main

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// A list is an object in the bucket of lists, which the manifest function is asked to sign.
type list struct {
	key  string
	body []byte
}

// lists are what somebody who may put lists can put there. They are signed up to the line at which they break.
var lists = []input{
	{name: "list: 1 GB of one key in 1 MB of gzip", lists: named("bomb.txt.gz", func() []byte { return zipped(repeat("a\n", 1<<30)) }), answer: "InvalidManifest"},
	{name: "list: the same in 100 KB of zstd", lists: named("bomb.txt.zst", func() []byte { return zstandard(repeat("a\n", 1<<30)) }), answer: "InvalidManifest"},
	{name: "list: one line of 1 GB in gzip", lists: named("line.txt.gz", func() []byte { return zipped(repeat("a", 1<<30)) }), answer: "InvalidManifest"},
	{name: "list: one line of 64 MB", lists: named("line.txt", func() []byte { return bytes.Repeat([]byte("a"), 64<<20) }), answer: "InvalidManifest"},
	{name: "list: a quotation mark that is never closed, 64 MB", lists: named("quote.csv", func() []byte { return append([]byte("photos,\""), bytes.Repeat([]byte("a\n"), 32<<20)...) }), answer: "InvalidManifest"},
	{name: "list: a window of 2 GB claimed by zstd", lists: named("window.txt.zst", func() []byte { return []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00} }), answer: "InvalidManifest"},
	{name: "list: 1,000 lines of 60 KB of brackets in gzip", lists: named("deep.jsonl.gz", func() []byte { return zipped(repeat(strings.Repeat("[", 60<<10)+"\n", 1000*(60<<10))) }), answer: "InvalidManifest"},
	{name: "list: rows of 60,000 columns", lists: named("wide.csv", func() []byte { return bytes.Repeat([]byte("photos,a"+strings.Repeat(",", 60_000)+"\n"), 500) }), answer: signed},
	{name: "list: 300,000 lines", lists: named("long.txt", func() []byte { return lines(300_000, func(i int) string { return fmt.Sprintf("%08d/key.jpg", i) }) }), answer: signed},
	{name: "list: 20,000 lines with 7 KB of options each", lists: named("options.jsonl", func() []byte {
		return lines(20_000, func(i int) string { return fmt.Sprintf(`{"key":"%d","version_id":"%07000d"}`, i, i) })
	}), answer: signed},
	{name: "list: a request of 64 MB", lists: named("request.json", func() []byte { return []byte(`{"keys":["a"` + strings.Repeat(`,"a"`, 16<<20) + `]}`) }), answer: "InvalidRequest"},
	{name: "list: an inventory of 64 MB", lists: inventory(`"files":[`+strings.Repeat(" ", 64<<20)+"]", "CSV", nil), answer: "InvalidManifest"},
	{name: "list: an inventory's CSV of 1 GB in gzip", lists: inventory("", "CSV", func() []byte { return zipped(repeat("\"photos\",\"a\"\n", 1<<30)) }), answer: "InvalidManifest"},
	{name: "list: an inventory's Parquet whose footer claims 2 GB", lists: inventory("", "Parquet", func() []byte { return []byte("PAR1" + strings.Repeat("x", 4096) + "\xff\xff\xff\x7fPAR1") }), answer: "InvalidManifest"},
	{name: "list: an inventory's Parquet of noise", lists: inventory("", "Parquet", func() []byte {
		return []byte("PAR1" + strings.Repeat("\x19\xfc\xff\xff", 1<<20) + "\x00\x00\x40\x00PAR1")
	}), answer: "InvalidManifest"},
}

func named(name string, body func() []byte) func() []list {
	return func() []list { return []list{{"manifests/" + name, body()}} }
}

// inventory is an S3 Inventory of one file, its checksum beside it. Other files, if given, stand in place of it.
func inventory(files, format string, file func() []byte) func() []list {
	return func() []list {
		var l []list
		if file != nil {
			body := file()
			files = fmt.Sprintf(`"files":[{"key":"manifests/data/1","size":%d,"MD5checksum":"%x"}]`, len(body), md5.Sum(body))
			l = append(l, list{"manifests/data/1", body})
		}
		manifest := fmt.Appendf(nil, `{"sourceBucket":"photos","destinationBucket":"arn:aws:s3:::lists","fileFormat":%q,"fileSchema":"Bucket, Key",%s}`, format, files)
		checksum := fmt.Appendf(nil, "%x", md5.Sum(manifest))
		return append(l, list{"manifests/manifest.checksum", checksum}, list{"manifests/manifest.json", manifest})
	}
}

func lines(n int, line func(int) string) []byte {
	var b bytes.Buffer
	for i := range n {
		b.WriteString(line(i))
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// repeat writes a text until it has written so many bytes, without ever holding them.
func repeat(text string, size int) func(write func([]byte)) {
	return func(write func([]byte)) {
		chunk := []byte(strings.Repeat(text, max(1, (64<<10)/len(text))))
		for done := 0; done < size; done += len(chunk) {
			write(chunk)
		}
	}
}

func zipped(text func(write func([]byte))) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	text(func(p []byte) { z.Write(p) })
	z.Close()
	return b.Bytes()
}

func zstandard(text func(write func([]byte))) []byte {
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b)
	if err != nil {
		panic(err) // no option is given that could be wrong
	}
	text(func(p []byte) { z.Write(p) })
	z.Close()
	return b.Bytes()
}

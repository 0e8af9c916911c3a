// Package manifest reads lists of keys as streams: text, CSV, JSON Lines and the shards
// of an S3 Inventory. It calls nobody: bytes come in, entries go out, and the memory it
// takes does not grow with the list.
//
// Keys are written differently in different lists, and a key that is decoded once too
// often or too seldom is another key. KeyEncoding has the ways there are, and each
// Format its own:
//
//   - Text, CSV, JSONLines: a list that somebody wrote. Keys are as they are, nothing is
//     decoded, unless the reader is told so.
//   - the CSV manifest of an S3 Batch Operations job: Percent, which the reader must be
//     told, since such a file cannot be told from any other CSV.
//   - the CSV shards of an S3 Inventory: FormEncoded.
//   - the Parquet shards of an S3 Inventory: as they are.
package manifest

import (
	"fmt"
	"strconv"
	"strings"

	"bulkpresign/internal/s3op"
)

// Format is how a list is written.
type Format uint8

const (
	// Text has a key a line. A line ends with LF or CRLF, the last may end without; empty
	// lines are skipped and nothing is trimmed, so a key that begins or ends with a space
	// is one. A key that holds a line break cannot stand in it: CSV and JSONLines can.
	Text Format = iota

	// CSV has a row a key (RFC 4180): bucket, key and, where a version is meant, its ID.
	// A first row that names columns says what stands where instead: see header. Empty
	// lines are skipped.
	CSV

	// JSONLines has an item a line, as in a request's "keys": a string, or an object with
	// a "key" and signing options; or an entry of S3's own listings. Empty lines are skipped.
	JSONLines

	// Request is JSON as a whole: a request, which package bulk decodes, or a list after
	// all: an array of what JSONLines has a line each of, or a whole answer of
	// ListObjectsV2 or ListObjectVersions. See Reader.IsRequest.
	Request

	// InventoryManifest is an S3 Inventory's manifest.json, for ParseInventory.
	InventoryManifest

	// Parquet is a file with a column "key", and perhaps "bucket" and "version_id", for
	// ReadParquet.
	Parquet

	// InventoryPart is a CSV file of an S3 Inventory, alone: without its manifest.json that
	// names its columns. The first two are bucket and key, form-encoded; where the fourth
	// and the fifth are true or false, the third is a version's ID, as in an inventory of
	// all versions.
	InventoryPart

	// BatchReport is a completion report of S3 Batch Operations, or a part of it: CSV with
	// bucket, key and version ID first, keys percent-encoded.
	//
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-examples-reports.html
	BatchReport

	// Lists is a list of lists: a text with the S3 URI of a list a line. Its entries are not
	// to be signed, but to be read.
	Lists
)

// Compression is what a list is wrapped in.
type Compression uint8

const (
	Plain Compression = iota
	Gzip
	Zstd
)

var extensions = map[string]Format{
	"txt": Text, "csv": CSV, "tsv": CSV, "jsonl": JSONLines, "ndjson": JSONLines, "json": Request,
	"parquet": Parquet, "lists": Lists,
}

// FormatOf tells what an object is by its key: .txt, .csv, .tsv, .jsonl and .ndjson are
// lists, each also with .gz or .zst; .lists is a list of lists; manifest.json is an S3 Inventory's, and any other
// .json a request or a list. Case does not matter.
func FormatOf(key string) (f Format, c Compression, ok bool) {
	name := strings.ToLower(key[strings.LastIndexByte(key, '/')+1:])
	if name == "manifest.json" {
		return InventoryManifest, Plain, true
	}
	if rest, found := strings.CutSuffix(name, ".gz"); found {
		name, c = rest, Gzip
	} else if rest, found := strings.CutSuffix(name, ".zst"); found {
		name, c = rest, Zstd
	}
	dot := strings.LastIndexByte(name, '.')
	f, ok = extensions[name[dot+1:]]
	return f, c, ok && dot >= 0
}

// Entry is one entry of a list. What it holds stays as it is when the next is read, and
// keeps a block of some 100 KB of the list in memory.
type Entry struct {
	Line    int64         // from 1: the line of the uncompressed text where it begins, or a Parquet row
	Bucket  string        // as the list names it; empty when it does not
	Key     string        // decoded; of an entry that cannot be used: empty
	Options []s3op.Option // its own, as s3op.Sort leaves them

	// Warning says what looks like a slip in an entry that can be used all the same: a
	// comment, a header, quotation marks that would be a part of the key.
	Warning string

	// Err is why the entry cannot be used, and nil when it can: a row with too few
	// columns, a bad escape, an unknown field. It says what to do, and reading goes on.
	Err error
}

// Limits bound what a list may be. The zero value of each is its default.
type Limits struct {
	LineBytes int   // the longest line or row, in bytes; by default DefaultLineBytes
	Lines     int64 // the most lines; by default there is no limit
	Bytes     int64 // the most bytes of uncompressed text; by default there is no limit

	// Ratio is the most that compression may have shortened the text by, a guard against
	// files that were made to unpack to no end. By default DefaultRatio. It is looked at
	// from the first 8 MiB of text on.
	Ratio int64
}

// DefaultLineBytes has room for a key of 1,024 bytes, however it is written, and for all
// the options that S3 takes.
const DefaultLineBytes = 64 << 10

// DefaultRatio is some ten times what lists of keys reach, however alike they are.
const DefaultRatio = 250

func (l Limits) withDefaults() Limits {
	if l.LineBytes <= 0 {
		l.LineBytes = DefaultLineBytes
	}
	if l.Ratio <= 0 {
		l.Ratio = DefaultRatio
	}
	return l
}

// BrokenError ends a list that cannot be read on: what came before it is good, what
// comes after is unknown. It will be the same when it is read again.
type BrokenError struct {
	File   string // the key of the shard of an inventory, or manifest.json; else empty
	Line   int64  // the line that was being read, from 1; 0 when no line is to blame
	Reason string // says what is wrong and what to do; holds nothing of the list
}

func (e *BrokenError) Error() string {
	what, where := "the list", ""
	if e.File != "" {
		what = strconv.Quote(e.File)
	}
	if e.Line > 0 {
		where = fmt.Sprintf(" from line %d on", e.Line)
	}
	return what + " cannot be read" + where + ": " + e.Reason
}

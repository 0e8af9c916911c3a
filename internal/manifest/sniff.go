package manifest

import (
	"bytes"
	"encoding/binary"
	"regexp"
)

// sniffBytes is how much of a list is looked at before it is read.
const sniffBytes = 4 << 10

// sniffLines is how many of a list's first lines are.
const sniffLines = 10

// magics are the first bytes of what is no list, nor compressed as a list may be, and what
// to do with it.
var magics = []struct{ begins, reason string }{
	{"PK\x03\x04", "it is a zip archive: unpack it, and compress the list in it with gzip or zstd if at all"},
	{"PK\x05\x06", "it is an empty zip archive: upload the list itself"},
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", `it is a workbook of an old Excel: save it as "CSV UTF-8"`},
	{"BZh91AY&SY", bzip2Reason}, {"BZh81AY&SY", bzip2Reason}, {"BZh71AY&SY", bzip2Reason}, {"BZh61AY&SY", bzip2Reason}, {"BZh51AY&SY", bzip2Reason},
	{"BZh41AY&SY", bzip2Reason}, {"BZh31AY&SY", bzip2Reason}, {"BZh21AY&SY", bzip2Reason}, {"BZh11AY&SY", bzip2Reason},
	{"\xfd7zXZ\x00", "it is compressed with xz: unpack it, or compress it with gzip or zstd"},
	{"\x04\x22\x4d\x18", "it is compressed with lz4: unpack it, or compress it with gzip or zstd"},
	{"7z\xbc\xaf\x27\x1c", "it is a 7z archive: unpack it, and compress the list in it with gzip or zstd if at all"},
	{"Obj\x01", "it is an Avro file: write the keys as Parquet, CSV or JSON Lines"},
	{"PAR1", "it is a Parquet file: end its name with .parquet, or set its metadata presign-format to parquet"},
	{"%PDF-", "it is a PDF: write the keys as a text, one a line"},
	{"SQLite format 3\x00", "it is a SQLite database: export the keys as CSV"},
}

const bzip2Reason = "it is compressed with bzip2: unpack it, or compress it with gzip or zstd"

// noList says what is no list by its first bytes, and what to do about it; "" says nothing
// against it.
func noList(head []byte) (reason string) {
	for _, m := range magics {
		if !bytes.HasPrefix(head, []byte(m.begins)) {
			continue
		}
		if m.begins == "PK\x03\x04" && (bytes.Contains(head, []byte("[Content_Types].xml")) || bytes.Contains(head, []byte("xl/"))) {
			return `it is an Excel workbook: save it as "CSV UTF-8"`
		}
		return m.reason
	}
	if bytes.HasPrefix(head, []byte("ORC")) && bytes.ContainsFunc(head[:min(len(head), 64)], func(c rune) bool { return c < ' ' && c != '\n' && c != '\r' && c != '\t' }) {
		return "it is an ORC file: write the keys as Parquet or CSV, and configure an inventory as one of them"
	}
	return ""
}

// noText says what is wrong with the text of a list as a whole, by its beginning.
func noText(head []byte) (reason string) {
	if reason = noList(head); reason != "" {
		return reason
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return "it is compressed with gzip twice: compress it once"
	case bytes.HasPrefix(head, zstdMagic):
		return "it is compressed twice, the second time with zstd: compress it once"
	}
	feeds := bytes.Count(head, []byte("\n"))
	switch nuls := bytes.Count(head, []byte{0}); {
	case nuls > 0 && isUTF16(head):
		return "it is UTF-16 without a byte order mark: save it as UTF-8"
	case nuls > 0 && feeds == 0:
		return `its lines end in NUL, as find -print0 writes them: write them anew with tr '\0' '\n'`
	case feeds == 0 && bytes.IndexByte(bytes.TrimRight(head, "\r"), '\r') >= 0, feeds == 0 && len(head) > 0 && head[len(head)-1] == '\r':
		return `its lines end in CR alone, as on an old Mac: write them anew with tr '\r' '\n'`
	}
	start := bytes.TrimLeft(head, " \t\r\n")
	for _, mark := range []string{"<?xml", "<!DOCTYPE", "<!doctype", "<html", "<ListBucketResult", "<ListVersionsResult"} {
		if bytes.HasPrefix(start, []byte(mark)) {
			return "it is XML or HTML, perhaps an answer of S3 itself: list with aws s3api list-objects-v2 --bucket BUCKET --query 'Contents[].[Key]' --output text"
		}
	}
	return ""
}

// isUTF16 tells a text of two bytes a character, of which in any Latin script every
// second is 0.
func isUTF16(head []byte) bool {
	if len(head) < 4 {
		return false
	}
	var zeros [2]int
	for i, c := range head {
		if c == 0 {
			zeros[i%2]++
		}
	}
	half := len(head) / 2
	return zeros[0]*5 > half*2 && zeros[1]*10 < half || zeros[1]*5 > half*2 && zeros[0]*10 < half
}

var zstdMagic = binary.LittleEndian.AppendUint32(nil, 0xfd2fb528) // RFC 8878, section 3.1.1

// listings are what tools print for people, and so are refused where keys are wanted: the
// date or the size before a key would be signed as a part of it. Each of the first lines
// must fit. What the tools print: see the table of TestToolOutput.
var listings = []struct {
	line   *regexp.Regexp
	reason string
}{
	{regexp.MustCompile(`^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +[\d.]+( (Bytes|[KMGTP]iB))? .+| +PRE .+|Total Objects: \d+|   Total Size: .+)$`),
		"it is what aws s3 ls prints, whose dates and sizes are no keys: list with aws s3api list-objects-v2 --bucket BUCKET --prefix PREFIX --query 'Contents[].[Key]' --output text"},
	{regexp.MustCompile(`^(\d{4}-\d\d-\d\d \d\d:\d\d +\d+| +DIR) +s3://.+$`),
		"it is what s3cmd ls prints, whose dates and sizes are no keys: write the last column alone, with s3cmd ls ... | awk '{$1=$2=$3=\"\"; print substr($0, 4)}'"},
	{regexp.MustCompile(`^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d +\S* *\d+ +.+| +DIR +.+)$`),
		"it is what s5cmd ls prints, whose dates and sizes are no keys: list with s5cmd --json ls"},
	{regexp.MustCompile(`^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]+\] +[\d.]+([KMGTP]i)?B .+$`),
		"it is what mc ls prints, whose dates and sizes are no keys: list with mc ls --recursive --json"},
	{regexp.MustCompile(`^( *-?\d+ \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ .+| +\d+ .+)$`),
		"it is what rclone ls or lsl prints, whose sizes are no keys: list with rclone lsf --recursive --files-only"},
	{regexp.MustCompile(`^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d;-?\d+;.+|-?\d+;(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d;)?.+)$`),
		"it is what rclone lsf prints with sizes or times, which are no keys: list with rclone lsf --recursive --files-only, without --format"},
	{regexp.MustCompile(`^gs://.+$`),
		"it names objects of Google Cloud Storage (gs://), which S3 does not have: write keys, or s3://BUCKET/KEY"},
	{regexp.MustCompile(`^(https?|ftp)://.+$`),
		"it is a list of URLs (text/uri-list), which are no keys: write keys, or s3://BUCKET/KEY"},
	{regexp.MustCompile(`^\{ *"[^"]+" *:.*\}$`),
		"it is JSON Lines: end its name with .jsonl"},
}

// noKeys says what a text is whose lines are no keys; "" says nothing against it.
func noKeys(lines [][]byte) (reason string) {
	if len(lines) == 0 {
		return ""
	}
	for _, listing := range listings {
		fits := true
		for _, line := range lines {
			fits = fits && listing.line.Match(line)
		}
		if fits {
			return listing.reason
		}
	}
	return ""
}

// firstLines are the first lines of a text that are neither empty nor comments, without
// their ends. atEnd says that head is all of it; else its last line may be cut.
func firstLines(head []byte, atEnd bool) (lines [][]byte) {
	for len(head) > 0 && len(lines) < sniffLines {
		line, rest, whole := bytes.Cut(head, []byte("\n"))
		if !whole && !atEnd {
			break
		}
		head = rest
		if line = trimCR(line); len(line) > 0 && line[0] != '#' && string(line) != "\x1a" {
			lines = append(lines, line)
		}
	}
	return lines
}

// allURIs tells whether every one of the first lines is an S3 URI.
func allURIs(lines [][]byte) bool {
	for _, line := range lines {
		line = bytes.Trim(line, `"`)
		if _, _, ok := cutURI(string(line)); !ok {
			return false
		}
	}
	return len(lines) > 0
}

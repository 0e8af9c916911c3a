package s3op

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"bulkpresign/internal/sigv4"
)

// grant is never signed.
func grant(string) (string, string) {
	return "", "is not signed: ACLs are off on new buckets; use a bucket policy"
}

// uploadID says what an empty value lacks, since without it nothing can be signed.
func uploadID(v string) (string, string) {
	if v == "" {
		return "", "is empty: give the UploadId that CreateMultipartUpload answered with"
	}
	return opaque(v)
}

// opaque takes any value that has no line break.
func opaque(v string) (string, string) {
	switch {
	case v == "":
		return "", "is empty: leave it out instead"
	case len(v) > maxOptionBytes:
		return "", fmt.Sprintf("is longer than %d bytes", maxOptionBytes)
	case strings.ContainsAny(v, "\r\n"):
		return "", "holds a line break"
	}
	return v, ""
}

// headerValue takes what an HTTP client sends as it is given (RFC 9110, section
// 5.5, less obs-text): anything else would reach S3 changed or not at all, and the
// signature would not match.
func headerValue(v string) (string, string) {
	if v == "" {
		return "", "is empty: leave it out instead"
	}
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c == '\r' || c == '\n':
			return "", "holds a line break"
		case c >= 0x80:
			return "", "holds a character outside ASCII, which a header cannot carry"
		case c < ' ' && c != '\t' || c == 0x7f:
			return "", "holds a control character, which a header cannot carry"
		}
	}
	if len(v) > maxOptionBytes {
		return "", fmt.Sprintf("is longer than %d bytes", maxOptionBytes)
	}
	if strings.Trim(v, " \t") != v {
		return "", "begins or ends with white space, which HTTP clients cut off"
	}
	return v, ""
}

// responseValue is a value of a header that S3 is to answer with. It may have what
// ISO-8859-1 has; S3 refuses the rest, in the parameters of a URL as in headers.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html#API_GetObject_RequestSyntax
func responseValue(v string) (string, string) {
	if v == "" {
		return "", "is empty: leave it out instead"
	}
	if len(v) > maxOptionBytes {
		return "", fmt.Sprintf("is longer than %d bytes", maxOptionBytes)
	}
	for _, c := range v {
		switch {
		case c == '\r' || c == '\n':
			return "", "holds a line break"
		case c < ' ' && c != '\t' || c >= 0x7f && c < 0xa0:
			return "", "holds a control character, which a header cannot carry"
		case c > 0xff:
			return "", `holds a character outside ISO-8859-1, with which S3 cannot answer: for a file's name write "filename" instead, which any name can be`
		}
	}
	if strings.Trim(v, " \t") != v {
		return "", "begins or ends with white space, which HTTP clients cut off"
	}
	return v, ""
}

// byteRange is one range of bytes. S3 takes no notice of any other text, nor of several
// ranges, and answers with the whole object.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html#API_GetObject_RequestSyntax
func byteRange(v string) (string, string) {
	const want = `is not one range of bytes, written "bytes=0-9", "bytes=10-" or "bytes=-5": S3 would answer with the whole object`
	bytes, isBytes := strings.CutPrefix(v, "bytes=")
	first, last, isRange := strings.Cut(bytes, "-")
	if !isBytes || !isRange || first == "" && last == "" || first == "" && !digits(last) || first != "" && !digits(first) || last != "" && !digits(last) {
		return "", want
	}
	if first != "" && last != "" && !inOrder(first, last) {
		return "", "ends before it begins"
	}
	return v, ""
}

// copyRange is a range of the source of a part, with both ends:
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html#API_UploadPartCopy_RequestSyntax
func copyRange(v string) (string, string) {
	bytes, isBytes := strings.CutPrefix(v, "bytes=")
	first, last, _ := strings.Cut(bytes, "-")
	switch {
	case !isBytes || !digits(first) || !digits(last):
		return "", `is not a range of bytes with its first and last, such as "bytes=0-9"`
	case !inOrder(first, last):
		return "", "ends before it begins"
	}
	return v, ""
}

// digits tells whether s is a number of at most 18 digits, which fits into an int64.
func digits(s string) bool {
	return s != "" && len(s) <= 18 && strings.Trim(s, "0123456789") == ""
}

func inOrder(first, last string) bool {
	a, _ := strconv.ParseInt(first, 10, 64)
	b, _ := strconv.ParseInt(last, 10, 64)
	return a <= b
}

func parseTime(v string) (time.Time, string) {
	t, err := time.Parse(time.RFC3339, v)
	// Parse also takes an hour of one digit and a comma before the fraction.
	if err != nil || v[len("2006-01-02T15")] != ':' || strings.Contains(v, ",") {
		return t, `is not an RFC 3339 time, such as "2026-11-23T08:00:00Z"`
	}
	if t = t.UTC(); t.Year() < 1 || t.Year() > 9999 {
		return t, "is not between the years 1 and 9999 in UTC"
	}
	return t, ""
}

// imfFixdate is the form of HTTP's own date headers (RFC 9110, section 5.6.7).
func imfFixdate(v string) (string, string) {
	t, problem := parseTime(v)
	return t.Format("Mon, 02 Jan 2006 15:04:05 GMT"), problem
}

// iso8601 is the form of the times that S3 alone knows.
func iso8601(v string) (string, string) {
	t, problem := parseTime(v)
	return t.Format("2006-01-02T15:04:05.999Z"), problem
}

// maxPartNumber is S3's: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
const maxPartNumber = 10_000

func partNumber(v string) (string, string) {
	if n, err := strconv.Atoi(v); err != nil || n < 1 || n > maxPartNumber {
		return "", fmt.Sprintf("is not a part number from 1 to %d", maxPartNumber)
	}
	return v, ""
}

// partNumbers drops repeated numbers, as a batch drops repeated keys.
func partNumbers(v string) (string, string) {
	if v == "" {
		return "", "is empty"
	}
	var seen [maxPartNumber + 1]bool
	kept := make([]string, 0, strings.Count(v, ",")+1)
	for s := range strings.SplitSeq(v, ",") {
		if _, problem := partNumber(s); problem != "" {
			return "", "holds a number that " + problem
		}
		if n, _ := strconv.Atoi(s); !seen[n] {
			seen[n] = true
			kept = append(kept, s)
		}
	}
	return strings.Join(kept, ","), ""
}

// copySource escapes the source as S3 reads it: as a path, but for the slashes.
func copySource(v string) (string, string) {
	switch bucket, key := cutSource(strings.TrimPrefix(v, "/")); {
	case strings.HasPrefix(v, "s3://"):
		return "", `is written as "bucket/key", without "s3://"`
	case bucket == "" || key == "":
		return "", `is not written as "bucket/key", with the key as it is`
	case len(key) > maxKeyBytes:
		return "", fmt.Sprintf("has a key of more than %d bytes", maxKeyBytes)
	}
	return string(sigv4.PathOf(strings.TrimPrefix(v, "/")).Append(nil)), ""
}

// maxKeyBytes is S3's: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
const maxKeyBytes = 1024

func oneOf(v string, values ...string) (string, string) {
	if !slices.Contains(values, v) {
		return "", fmt.Sprintf("is not one of %q", values)
	}
	return v, ""
}

func checksumAlgorithm(v string) (string, string) {
	return oneOf(v, "CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")
}

func checksumType(v string) (string, string) { return oneOf(v, "COMPOSITE", "FULL_OBJECT") }

func directive(v string) (string, string) { return oneOf(v, "COPY", "REPLACE") }

func urlEncoding(v string) (string, string) { return oneOf(v, "url") }

func eachOneOf(v string, values ...string) (string, string) {
	for s := range strings.SplitSeq(v, ",") {
		if !slices.Contains(values, s) {
			return "", fmt.Sprintf("is empty or holds what is not one of %q", values)
		}
	}
	return v, ""
}

func objectAttributes(v string) (string, string) {
	return eachOneOf(v, "ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")
}

func listedAttributes(v string) (string, string) { return eachOneOf(v, "RestoreStatus") }

// between takes a whole number of a range.
func between(v string, least, most int64, what string) (string, string) {
	if n, err := strconv.ParseInt(v, 10, 64); err != nil || n < least || n > most {
		return "", fmt.Sprintf("is not %s from %d to %d", what, least, most)
	}
	return v, ""
}

func pageSize(v string) (string, string) { return between(v, 1, 1000, "a number") }

func partNumberMarker(v string) (string, string) {
	return between(v, 0, maxPartNumber, "a part number")
}

func size(v string) (string, string) { return between(v, 0, math.MaxInt64, "a number of bytes") }

// maxPutBytes is what a single PUT, a part or a form can upload:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
const maxPutBytes = 5 << 30

// lengthRange is the least and the most bytes that a form may upload.
func lengthRange(v string) (string, string) {
	least, most, _ := strings.Cut(v, ",")
	_, noLeast := between(least, 0, maxPutBytes, "")
	_, noMost := between(most, 0, maxPutBytes, "")
	if noLeast != "" || noMost != "" {
		return "", fmt.Sprintf("is not [least, most], two numbers of bytes from 0 to %d", int64(maxPutBytes))
	}
	if lo, hi := rangeOf(v); lo > hi {
		return "", "has more bytes for the least than for the most"
	}
	return v, ""
}

// rangeOf reads a checked content_length_range.
func rangeOf(v string) (least, most int64) {
	lo, hi, _ := strings.Cut(v, ",")
	least, _ = strconv.ParseInt(lo, 10, 64)
	most, _ = strconv.ParseInt(hi, 10, 64)
	return least, most
}

// formStatus is one that S3 answers a form with; for any other it would answer 204.
func formStatus(v string) (string, string) { return oneOf(v, "200", "201", "204") }

// webAddress is where a browser is sent to after a form.
func webAddress(v string) (string, string) {
	if _, problem := headerValue(v); problem != "" {
		return "", problem
	}
	if u, err := url.Parse(v); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return "", `is not a URL that begins with "https://" or "http://"`
	}
	return v, ""
}

// contentLength pins a size, 0 among them: people make empty objects. (The SDK drops a
// length of 0, and with such a URL any body could be put.)
func contentLength(v string) (string, string) { return between(v, 0, maxPutBytes, "a number of bytes") }

// attachment makes a Content-Disposition of a file's name (RFC 6266): the quoted
// form for old clients, where '_' stands for what they get wrong, and the extended
// form (RFC 8187) with the whole name.
func attachment(name string) (string, string) {
	if name == "" {
		return "", "is empty: leave it out instead"
	}
	if len(name) > 1024 { // no file system takes more, and S3's keys end there
		return "", "is longer than 1024 bytes"
	}
	b := []byte(`attachment; filename="`)
	for _, c := range name {
		switch {
		case c < ' ' || c == 0x7f:
			return "", "holds a control character"
		case c > 0x7f, strings.ContainsRune(`"\%/`, c): // appendix D: clients disagree on these
			b = append(b, '_')
		default:
			b = append(b, byte(c))
		}
	}
	b = append(b, `"; filename*=UTF-8''`...)
	return string(sigv4.AppendEscaped(b, name)), ""
}

// metadataName judges the name of an entry of metadata.
func metadataName(name string) string {
	if name == "" {
		return "is empty or has an entry without a name"
	}
	for _, c := range []byte(name) {
		// token of RFC 9110, section 5.6.2
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return "has a name that cannot be a header's: only ASCII letters, digits and !#$%&'*+-.^_`|~ may be used"
		}
	}
	return ""
}

package bulk

import (
	"bytes"
	"fmt"
	"strings"

	"bulkpresign/internal/didyoumean"
	"bulkpresign/internal/s3op"
)

// words are what S3, boto3 and other services call fields of a request.
var words = didyoumean.Words{
	"key": "keys", "object_keys": "keys", "objects": "keys", "files": "keys", "paths": "keys", "items": "keys",
	"bucket_name": "bucket", "bucketname": "bucket",
	"method": "operation", "client_method": "operation", "http_method": "operation", "action": "operation", "verb": "operation",
	"expiration": "expires_in", "expiry": "expires_in", "ttl": "expires_in", "lifetime": "expires_in", "expire": "expires_in",
	"expires_seconds": "expires_in", "duration": "expires_in", "x_amz_expires": "expires_in",
	"output": "format", "output_format": "format", "compression": "encoding",
	"file_name": "filename", "download_as": "filename", "download_name": "filename", "mime_type": "content_type",
	"max_size": "content_length_range", "tags": "tagging", "sse": "server_side_encryption", "kms_key_id": "ssekms_key_id",
}

// itemWords are what they are called in an item.
var itemWords = didyoumean.Words{
	"name": "key", "path": "key", "object": "key", "object_key": "key", "file": "key", "keys": "key",
	"file_name": "filename", "download_as": "filename", "download_name": "filename", "mime_type": "content_type",
}

// meant is the end of an error text about an unknown name: which one was likely meant.
func meant(name string, others []string, words didyoumean.Words) string {
	known := append([]string(nil), others...)
	for _, id := range s3op.Options() {
		known = append(known, id.String())
	}
	if likely := didyoumean.Name(name, known, words); likely != "" {
		return fmt.Sprintf(": did you mean %q?", likely)
	}
	return ""
}

// notJSON tells of texts that are something else, and what to send instead; or it is "".
func notJSON(text []byte) string {
	const instead = `: send a JSON object such as {"keys": ["a.jpg"]}`
	trimmed := bytes.TrimSpace(text)
	line, _, isLines := bytes.Cut(trimmed, []byte("\n"))
	switch {
	case len(trimmed) == 0:
		return "the request is empty" + instead
	case bytes.HasPrefix(text, []byte{0x1f, 0x8b}):
		return `the request is compressed with gzip, which only HTTP's header "Content-Encoding: gzip" can say` + instead
	case bytes.HasPrefix(text, []byte{0xff, 0xfe}), bytes.HasPrefix(text, []byte{0xfe, 0xff}),
		len(text) > 1 && (text[0] == 0) != (text[1] == 0):
		return "the request is written in UTF-16: write it in UTF-8"
	case trimmed[0] == '[':
		return `the request is an array: put it into an object, {"keys": [...]}`
	case bytes.HasPrefix(trimmed, []byte("--")) && bytes.Contains(bytes.ToLower(text), []byte("content-disposition:")):
		return "the request is a multipart form" + instead
	case trimmed[0] == '{' || trimmed[0] == '"':
		return ""
	case bytes.IndexByte(line, '=') > 0 && !bytes.ContainsAny(line, " {\""):
		return "the request is a form" + instead
	case trimmed[0] == '<':
		return "the request is XML or HTML" + instead
	case isLines && !bytes.ContainsAny(line, "{}"):
		return `the request is a list of lines: put the keys into an array, {"keys": ["a.jpg", "b.jpg"]}, or upload the list and name it as "manifest"`
	}
	return ""
}

// bucketSlip says what to write in place of something that is no name of a bucket; or it
// is "". It repeats nothing.
func bucketSlip(name string) string {
	switch {
	case strings.Contains(name, "://"):
		return `: it is a URL, and the name alone belongs here, "photos" rather than "s3://photos"`
	case strings.HasPrefix(name, "arn:"):
		return `: it is an ARN that the service was not configured with; where it is a bucket's, give the name alone, what follows ":::"`
	case strings.ContainsAny(name, " \t\r\n"):
		return ": it has white space, which no name of a bucket has"
	case strings.Contains(name, "/"):
		return `: it has a "/": give the name alone, and what follows in "keys"`
	case strings.ToLower(name) != name:
		return ": it has capitals, which names of buckets have not had since 2018"
	}
	return ""
}

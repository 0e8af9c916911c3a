package manifest

import (
	"errors"
	"unicode/utf8"
)

// KeyEncoding is how a list writes keys.
type KeyEncoding uint8

const (
	// AsIs: the list has the key itself.
	AsIs KeyEncoding = iota

	// Percent is the encoding of URLs (RFC 3986): %XX is a byte, and + is a plus. It is
	// that of the manifests of S3 Batch Operations:
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-create-job.html
	Percent

	// FormEncoded is that of HTML forms: %XX is a byte, and + is a space. It is that of
	// S3 Inventory's CSV, of which the documentation says that it is URL-encoded, and
	// those who read it that a space is a plus:
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html
	// https://github.com/cloud-custodian/cloud-custodian/issues/1997
	FormEncoded

	// URI: each key is an S3 URI, s3://bucket/key, as the tools of SageMaker, Spark and
	// s5cmd write it. Nothing in it is decoded.
	URI
)

var (
	errNoURI       = errors.New("the list has an S3 URI for each key, and this is none: write s3://BUCKET/KEY")
	errBadEscape   = errors.New(`the key has a "%" that is not followed by two hexadecimal digits: this list writes keys URL-encoded, so write "%25" for "%"`)
	errDecodedText = errors.New("the key is not UTF-8 once it is decoded, which S3's keys are")
)

// decodeKey decodes text in place.
func decodeKey(text []byte, e KeyEncoding) (string, error) {
	n := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '%':
			if i+2 >= len(text) {
				return "", errBadEscape
			}
			high, low := unhex(text[i+1]), unhex(text[i+2])
			if high > 15 || low > 15 {
				return "", errBadEscape
			}
			c = high<<4 | low
			i += 2
		case c == '+' && e == FormEncoded:
			c = ' '
		}
		text[n] = c
		n++
	}
	if !utf8.Valid(text[:n]) {
		return "", errDecodedText
	}
	return shared(text[:n]), nil
}

// unhex gives a hexadecimal digit's value, or more than 15.
func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}

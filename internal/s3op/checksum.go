package s3op

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// S3's checksums are base64 of the bytes, the most significant first:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
func crc32Sum(v string) (string, string)  { return checksum(v, 4) }
func crc64Sum(v string) (string, string)  { return checksum(v, 8) }
func sha1Sum(v string) (string, string)   { return checksum(v, 20) }
func sha256Sum(v string) (string, string) { return checksum(v, 32) }

// md5Sum is an MD5 as HTTP has it: https://www.rfc-editor.org/rfc/rfc1864
func md5Sum(v string) (string, string) { return base64Of(v, 16) }

// checksum takes what S3 gives for a whole object, too: a checksum of the parts'
// checksums ends in "-" and their number. Which operations take that is [checksums]' to say.
func checksum(v string, size int) (string, string) {
	sum, parts, composite := strings.Cut(v, "-")
	if _, problem := base64Of(sum, size); problem != "" {
		return "", problem
	}
	if composite {
		if n, err := strconv.Atoi(parts); err != nil || n < 1 || n > maxPartNumber {
			return "", fmt.Sprintf("ends in what is not a number of parts from 1 to %d", maxPartNumber)
		}
	}
	return v, ""
}

// base64Of takes the base64 of so many bytes.
func base64Of(v string, size int) (string, string) {
	if _, problem := headerValue(v); problem != "" {
		return "", problem
	}
	if b, err := base64.StdEncoding.DecodeString(v); err == nil && len(b) == size {
		return v, ""
	}
	if b, err := hex.DecodeString(v); err == nil && len(b) == size {
		return "", fmt.Sprintf(`is hexadecimal, as sha256sum and its like print it: S3 takes the base64 of the same %d bytes (in a shell: printf %%s HEX | xxd -r -p | base64)`, size)
	}
	if b, err := base64.URLEncoding.DecodeString(v); err == nil && len(b) == size {
		return "", `is base64 for URLs: S3 takes the one with "+" and "/"`
	}
	return "", fmt.Sprintf(`is not base64 of %d bytes, %d characters with the "=" at their end`, size, base64.StdEncoding.EncodedLen(size))
}

// checksums holds an upload to the one checksum that S3 takes.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html#API_PutObject_RequestSyntax
func (o Operation) checksums(v *values) error {
	given := ID(0)
	for _, id := range checksumIDs {
		switch {
		case v[id] == "":
			continue
		case given != 0:
			return refuse(id, "and %q exclude each other: S3 takes one checksum", given)
		case o != CompleteMultipartUpload && strings.Contains(v[id], "-"):
			return refuse(id, `ends in a number of parts, which only CompleteMultipartUpload takes: give the checksum of what is uploaded`)
		}
		given = id
	}
	return nil
}

var checksumIDs = [...]ID{
	named("checksum_crc32"), named("checksum_crc32c"), named("checksum_crc64nvme"), named("checksum_sha1"), named("checksum_sha256"),
}

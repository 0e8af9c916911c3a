package manifest

import (
	"maps"
	"mime"

	"bulkpresign/internal/bulk"
)

// keyEncodingField is the one field of a list's metadata that says something of the list
// rather than of the request.
const keyEncodingField = "presign-key-encoding"

// FromMetadata makes a request of the metadata of the object that the list is, for the
// keys in it: see bulk.FromMetadata. presign-key-encoding says how the list writes its
// keys, for Reader.KeysAre: none, percent or form. An error is a *bulk.Error.
//
// S3 takes and gives values outside ASCII as RFC 2047 writes them:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
func FromMetadata(metadata map[string]string) (*bulk.Request, KeyEncoding, error) {
	fields := maps.Clone(metadata)
	words := new(mime.WordDecoder)
	for name, value := range fields {
		if text, err := words.DecodeHeader(value); err == nil {
			fields[name] = text
		}
	}
	encoding := AsIs
	if name, ok := fields[keyEncodingField]; ok {
		if encoding, ok = encodings[name]; !ok {
			return nil, AsIs, &bulk.Error{
				Code:   bulk.InvalidRequest,
				Detail: `the list's metadata (x-amz-meta-presign-key-encoding) must be none, percent (as in S3 Batch Operations: + is a plus) or form (as in S3 Inventory: + is a space)`,
			}
		}
		delete(fields, keyEncodingField)
	}
	r, err := bulk.FromMetadata(fields)
	return r, encoding, err
}

var encodings = map[string]KeyEncoding{"none": AsIs, "percent": Percent, "form": FormEncoded}

package manifest

import (
	"maps"
	"mime"

	"bulkpresign/internal/bulk"
)

// keyEncodingField is the one field of a list's metadata that says something of the list
// rather than of the request.
const keyEncodingField = "presign-key-encoding"

// KeyEncodingOf tells what the metadata of the object that a list is says of how its keys
// are written, for Reader.KeysAre: presign-key-encoding is none, percent or form. An error
// is a *bulk.Error.
func KeyEncodingOf(metadata map[string]string) (KeyEncoding, error) {
	name, ok := metadata[keyEncodingField]
	if !ok {
		return AsIs, nil
	}
	switch name {
	case "none":
		return AsIs, nil
	case "percent":
		return Percent, nil
	case "form":
		return FormEncoded, nil
	}
	return AsIs, &bulk.Error{
		Code:   bulk.InvalidRequest,
		Detail: `the list's metadata (x-amz-meta-presign-key-encoding) must be none, percent (as in S3 Batch Operations: + is a plus) or form (as in S3 Inventory: + is a space)`,
	}
}

// FromMetadata makes a request of what the metadata of the object that a list is says of
// the keys in it: see bulk.FromMetadata.
//
// S3 takes and gives values outside ASCII as RFC 2047 writes them:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
func FromMetadata(metadata map[string]string) (*bulk.Request, error) {
	fields := maps.Clone(metadata)
	delete(fields, keyEncodingField)
	words := new(mime.WordDecoder)
	for name, value := range fields {
		if text, err := words.DecodeHeader(value); err == nil {
			fields[name] = text
		}
	}
	return bulk.FromMetadata(fields)
}

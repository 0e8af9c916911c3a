package manifest

import (
	"maps"
	"mime"
	"strings"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/s3op"
)

// The fields of a list's metadata that say something of the list rather than of the
// request.
const (
	formatField   = "presign-format"
	encodingField = "presign-key-encoding"
	extraField    = "presign-extra-columns"
)

// Description is how a list is written, by its name and its metadata.
type Description struct {
	Format      Format
	Compression Compression
	Keys        KeyEncoding

	// PassExtra: columns and members with unknown names are passed over.
	PassExtra bool

	// Operation is what the list is signed for: what S3 lists beside a key is passed over
	// unless it is an option of it.
	Operation s3op.Operation
}

var formatNames = map[string]Format{
	"txt": Text, "text": Text, "csv": CSV, "tsv": CSV, "jsonl": JSONLines, "ndjson": JSONLines, "json": Request, "parquet": Parquet,
	"inventory": InventoryPart, "batch-report": BatchReport, "lists": Lists,
}

// Describe tells how a list is written by its key and its metadata: presign-format, for
// names that do not say it, presign-key-encoding (none, percent, form or uri) and
// presign-extra-columns (ignore). ok says that one of them tells the format. An error is a
// *bulk.Error.
func Describe(key string, metadata map[string]string) (d Description, ok bool, err error) {
	d.Format, d.Compression, ok = FormatOf(key)
	if name, given := metadata[formatField]; given {
		if !ok {
			d.Compression = Plain // or what the first bytes say
		}
		if d.Format, ok = formatNames[strings.ToLower(name)]; !ok {
			return d, false, metadataError(formatField, "csv, tsv, txt, jsonl, json, parquet, inventory (one of its CSV files), batch-report (of S3 Batch Operations) or lists (a list of lists)")
		}
	}
	switch d.Format {
	case InventoryPart:
		d.Keys = FormEncoded
	case BatchReport:
		d.Keys = Percent
	case Lists:
		d.Keys = URI
	}
	if name, given := metadata[encodingField]; given {
		encoding, known := map[string]KeyEncoding{"none": AsIs, "percent": Percent, "form": FormEncoded, "uri": URI}[name]
		if !known {
			return d, ok, metadataError(encodingField, "none, percent (as in S3 Batch Operations: + is a plus), form (as in S3 Inventory: + is a space) or uri (s3://bucket/key)")
		}
		d.Keys = encoding
	}
	if value, given := metadata[extraField]; given {
		if value != "ignore" {
			return d, ok, metadataError(extraField, `"ignore"`)
		}
		d.PassExtra = true
	}
	return d, ok, nil
}

func metadataError(field, want string) error {
	return &bulk.Error{Code: bulk.InvalidRequest, Detail: "the list's metadata (x-amz-meta-" + field + ") must be " + want}
}

// FromMetadata makes a request of what the metadata of the object that a list is says of
// the keys in it: see bulk.FromMetadata.
//
// S3 takes and gives values outside ASCII as RFC 2047 writes them:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
func FromMetadata(metadata map[string]string) (*bulk.Request, error) {
	fields := maps.Clone(metadata)
	for _, field := range []string{formatField, encodingField, extraField} {
		delete(fields, field)
	}
	words := new(mime.WordDecoder)
	for name, value := range fields {
		if text, err := words.DecodeHeader(value); err == nil {
			fields[name] = text
		}
	}
	return bulk.FromMetadata(fields)
}

package bulk

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"bulkpresign/internal/s3op"
	"bulkpresign/internal/strictjson"
)

// FromMetadata makes a request, without keys, of what a list's metadata says of the keys
// in it: presign-FIELD for each field of a request, with - for _ in the name, and the
// value as in JSON but for the quotation marks of a text. Names are in lower case, as
// S3 gives them.
func FromMetadata(metadata map[string]string) (*Request, error) {
	const where = "the list's metadata (x-amz-meta-presign-...): "
	text := []byte(`{"keys":["k"]`)
	for _, name := range slices.Sorted(maps.Keys(metadata)) {
		field, ok := strings.CutPrefix(strings.ToLower(name), "presign-")
		if !ok {
			continue
		}
		field = strings.ReplaceAll(field, "-", "_")
		value := []byte(metadata[name])
		id, isOption := s3op.Lookup(field)
		switch {
		case slices.Contains([]string{"keys", "prefix", "manifest", "continuation_token"}, field):
			return nil, failf(InvalidRequest, where+"field %q has no place there: the keys are those of the list", field)
		case isOption && (id.Kind() == s3op.Text || id.Kind() == s3op.Timestamp),
			slices.Contains([]string{"bucket", "operation", "format", "encoding"}, field):
			value = strictjson.Quote(metadata[name])
		}
		text = append(append(append(text, ','), strictjson.Quote(field)...), ':')
		text = append(text, value...)
	}
	r, err := Decode(append(text, '}'), 0)
	var e *Error
	if errors.As(err, &e) {
		return nil, failf(e.Code, where+"%s", e.Detail)
	}
	if err != nil {
		return nil, err
	}
	r.Items, r.Count = nil, 0
	return r, nil
}

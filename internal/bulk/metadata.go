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
	fields := make(map[string]string)
	for name, value := range metadata {
		if field, ok := strings.CutPrefix(strings.ToLower(name), "presign-"); ok {
			fields[field] = value
		}
	}
	return FromTexts(fields, "the list's metadata (x-amz-meta-presign-...): ")
}

// FromTexts makes a request, without keys, of texts that are the values of its fields: as in
// JSON but for the quotation marks of a text. In names - stands for _, too. An error begins with
// where they are from.
func FromTexts(fields map[string]string, where string) (*Request, error) {
	text := []byte(`{"keys":["k"]`)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		field := strings.ReplaceAll(name, "-", "_")
		value := []byte(fields[name])
		id, isOption := s3op.Lookup(field)
		switch {
		case slices.Contains([]string{"keys", "prefix", "manifest", "continuation_token"}, field):
			return nil, failf(InvalidRequest, "%sfield %q has no place there: the keys are those of the list", where, field)
		case isOption && (id.Kind() == s3op.Text || id.Kind() == s3op.Timestamp),
			slices.Contains([]string{"bucket", "operation", "format", "encoding", "verify"}, field):
			value = strictjson.Quote(fields[name])
		}
		text = append(append(append(text, ','), strictjson.Quote(field)...), ':')
		text = append(text, value...)
	}
	r, err := Decode(append(text, '}'), 0)
	var e *Error
	if errors.As(err, &e) {
		return nil, failf(e.Code, "%s%s", where, e.Detail)
	}
	if err != nil {
		return nil, err
	}
	r.Items, r.Count = nil, 0
	return r, nil
}

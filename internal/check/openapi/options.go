package openapi

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"bulkpresign/internal/check/reference"
	"bulkpresign/internal/s3op"
)

// A Shape is what the description says of an option's value beside its type. The test of this package holds each against
// what package s3op takes and refuses.
type Shape struct {
	Example  any    // as JSON has it
	Says     string // what its name and S3's documentation do not, a sentence
	Pattern  string
	Enum     []any // all that there are
	Min, Max int64 // of a whole number, or of each of several; Max 0: no whole number
	Items    int   // of an array, 0: one or more
	Longest  int   // characters of a text; 0: longestText
}

// longestText is how many characters an option's text may have, of one byte each.
const longestText = 8192

const (
	gib5   = 5 << 30
	parts  = 10_000
	digest = "[A-Za-z0-9+/]"
)

// Shapes are those of all options that are ever signed.
var Shapes = map[string]Shape{
	"acl":                                {Example: "private", Says: "The template's role lacks the permission: see docs/reference.md, Limits."},
	"bucket_key_enabled":                 {Example: true},
	"bypass_governance_retention":        {Example: true},
	"cache_control":                      {Example: "max-age=3600"},
	"checksum_algorithm":                 {Example: "CRC64NVME", Enum: texts("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")},
	"checksum_crc32":                     {Example: "y/Q5Jg==", Says: "Base64 of 4 bytes; of a CompleteMultipartUpload, perhaps with - and the number of parts.", Pattern: checksum(6, 2)},
	"checksum_crc32c":                    {Example: "4waSgw==", Says: "Base64 of 4 bytes; of a CompleteMultipartUpload, perhaps with - and the number of parts.", Pattern: checksum(6, 2)},
	"checksum_crc64nvme":                 {Example: "rosUhgp5mIg=", Says: "Base64 of 8 bytes; of a CompleteMultipartUpload, perhaps with - and the number of parts.", Pattern: checksum(11, 1)},
	"checksum_mode":                      {Example: "ENABLED"},
	"checksum_sha1":                      {Example: "2jmj7l5rSw0yVb/vlWAYkK/YBwk=", Says: "Base64 of 20 bytes; of a CompleteMultipartUpload, perhaps with - and the number of parts.", Pattern: checksum(27, 1)},
	"checksum_sha256":                    {Example: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", Says: "Base64 of 32 bytes; of a CompleteMultipartUpload, perhaps with - and the number of parts.", Pattern: checksum(43, 1)},
	"checksum_type":                      {Example: "FULL_OBJECT", Enum: texts("COMPOSITE", "FULL_OBJECT")},
	"content_disposition":                {Example: "inline"},
	"content_encoding":                   {Example: "gzip"},
	"content_language":                   {Example: "en"},
	"content_length":                     {Example: 48211, Says: "Bytes, up to 5 GiB; 0 is signed, too.", Max: gib5},
	"content_length_range":               {Example: []int{1, 10485760}, Says: "The least and the most bytes.", Max: gib5, Items: 2},
	"content_md5":                        {Example: "1B2M2Y8AsgTpgAmY7PhCfg==", Says: "Base64 of 16 bytes.", Pattern: sum(22, 2)},
	"content_type":                       {Example: "image/jpeg"},
	"content_type_starts_with":           {Example: "image/", Says: "The client adds the field Content-Type itself."},
	"continuation_token":                 {Example: "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM="},
	"copy_source":                        {Example: "photos/a b.jpg", Says: "bucket/key, with the key as it is.", Pattern: "^/?[^/][\\s\\S]*/[\\s\\S]"},
	"copy_source_if_match":               {Example: `"1b2cf535f27731c974343645a3985328"`},
	"copy_source_if_modified_since":      {Example: "2026-05-01T08:00:00Z"},
	"copy_source_if_none_match":          {Example: `"1b2cf535f27731c974343645a3985328"`},
	"copy_source_if_unmodified_since":    {Example: "2026-05-01T08:00:00Z"},
	"copy_source_range":                  {Example: "bytes=0-5242879", Says: "Bytes of the source, both ends included.", Pattern: "^bytes=[0-9]{1,18}-[0-9]{1,18}$"},
	"copy_source_sse_customer_algorithm": {Example: "AES256", Enum: texts("AES256")},
	"copy_source_sse_customer_key":       {Example: customerKey, Says: "Base64 of 32 bytes.", Pattern: sum(43, 1)},
	"copy_source_sse_customer_key_md5":   {Example: customerKeyMD5, Says: "Base64 of 16 bytes; left out, it is derived.", Pattern: sum(22, 2)},
	"copy_source_version_id":             {Example: "3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY+MTRCxf3vjVBH40Nr8X8gdRQBpUMLUo"},
	"create_only":                        {Example: true, Says: `Never overwrite: short for if_none_match: "*".`},
	"delimiter":                          {Example: "/"},
	"encoding_type":                      {Example: "url", Enum: texts("url")},
	"expected_bucket_owner":              {Example: "111122223333"},
	"expected_source_bucket_owner":       {Example: "111122223333"},
	"expires":                            {Example: "2027-01-01T00:00:00Z", Says: "The object's own header, not the URLs' end."},
	"fetch_owner":                        {Example: true},
	"filename":                           {Example: "Ferien – Zürich.jpg", Says: "The name to save under, any text; excludes response_content_disposition.", Longest: 1024},
	"if_match":                           {Example: `"1b2cf535f27731c974343645a3985328"`},
	"if_modified_since":                  {Example: "2026-05-01T08:00:00Z"},
	"if_none_match":                      {Example: "*", Says: "In a write only *."},
	"if_unmodified_since":                {Example: "2026-05-01T08:00:00Z"},
	"key_starts_with":                    {Example: true, Says: "The key is a beginning, and the form's ends in ${filename}."},
	"max_keys":                           {Example: 1000, Says: "Of a page.", Min: 1, Max: 1000},
	"max_parts":                          {Example: 1000, Says: "Of a page.", Min: 1, Max: 1000},
	"metadata":                           {Example: map[string]string{"taken-by": "anna"}, Says: "At most 2,048 bytes of names and values."},
	"metadata_directive":                 {Example: "REPLACE", Enum: texts("COPY", "REPLACE")},
	"mfa":                                {Example: "20899872 301749"},
	"mpu_object_size":                    {Example: 33554432, Says: "Bytes.", Max: math.MaxInt64},
	"object_attributes":                  {Example: []string{"ETag", "ObjectSize"}, Enum: texts("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")},
	"object_lock_legal_hold_status":      {Example: "ON"},
	"object_lock_mode":                   {Example: "GOVERNANCE"},
	"object_lock_retain_until_date":      {Example: "2030-01-01T00:00:00Z", Says: "In the future."},
	"optional_object_attributes":         {Example: []string{"RestoreStatus"}, Enum: texts("RestoreStatus")},
	"part_number":                        {Example: 1, Min: 1, Max: parts},
	"part_number_marker":                 {Example: 1000, Max: parts},
	"part_numbers":                       {Example: []int{1, 2, 3}, Says: "A URL for each; excludes part_number.", Min: 1, Max: parts},
	"part_size":                          {Example: 16777216, Says: "Bytes, at least 5 MiB unless there is one part; left out, it is chosen.", Min: 1, Max: gib5},
	"range":                              {Example: "bytes=0-1023", Says: "One range of bytes.", Pattern: "^bytes=([0-9]{1,18}-([0-9]{1,18})?|-[0-9]{1,18})$"},
	"request_payer":                      {Example: "requester"},
	"response_cache_control":             {Example: "no-store"},
	"response_content_disposition":       {Example: "inline"},
	"response_content_encoding":          {Example: "gzip"},
	"response_content_language":          {Example: "en"},
	"response_content_type":              {Example: "image/jpeg"},
	"response_expires":                   {Example: "2027-01-01T00:00:00Z"},
	"resume":                             {Example: true, Says: "With upload_id: look first which parts S3 has."},
	"server_side_encryption":             {Example: "aws:kms"},
	"size":                               {Example: 33554432, Says: "Bytes of the object, up to 48.8 TiB.", Max: gib5 * parts},
	"sse_customer_algorithm":             {Example: "AES256", Enum: texts("AES256")},
	"sse_customer_key":                   {Example: customerKey, Says: "Base64 of 32 bytes.", Pattern: sum(43, 1)},
	"sse_customer_key_md5":               {Example: customerKeyMD5, Says: "Base64 of 16 bytes; left out, it is derived.", Pattern: sum(22, 2)},
	"ssekms_encryption_context":          {Example: "eyJwcm9qZWN0IjoieCJ9", Says: "Base64 of a JSON object of texts."},
	"ssekms_key_id":                      {Example: "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"},
	"start_after":                        {Example: "2026/05/01.jpg"},
	"storage_class":                      {Example: "STANDARD_IA"},
	"success_action_redirect":            {Example: "https://app.example.com/done", Pattern: "^[hH][tT][tT][pP][sS]?://"},
	"success_action_status":              {Example: 201, Enum: []any{200, 201, 204}},
	"tagging":                            {Example: "project=x&team=y", Says: "At most 10 tags, written as the parameters of a URL."},
	"tagging_directive":                  {Example: "REPLACE", Enum: texts("COPY", "REPLACE")},
	"upload_id":                          {Example: "VXBsb2FkIElE", Says: "As CreateMultipartUpload answered, or a MultipartUpload."},
	"version_id":                         {Example: "3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY+MTRCxf3vjVBH40Nr8X8gdRQBpUMLUo"},
	"website_redirect_location":          {Example: "/elsewhere.html"},
}

// A key of SSE-C that everybody knows, and its MD5.
const (
	customerKey    = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	customerKeyMD5 = "cLyPS3KoaSFGi/joRB3OUQ=="
)

func texts(values ...string) (list []any) {
	for _, v := range values {
		list = append(list, v)
	}
	return list
}

// sum is the pattern of base64 with so many letters and then so many =.
func sum(letters, padding int) string {
	return fmt.Sprintf("^%s{%d}%s$", digest, letters, strings.Repeat("=", padding))
}

func checksum(letters, padding int) string {
	return strings.TrimSuffix(sum(letters, padding), "$") + "(-[0-9]{1,5})?$"
}

// IsRefused tells whether an option is known and never signed, so that the description leaves it out.
func IsRefused(id s3op.ID) bool { return strings.HasPrefix(id.String(), "grant_") }

// Options are the properties of all options, in the order of their names, as YAML.
func Options() (string, error) {
	var b strings.Builder
	for _, id := range sorted() {
		schema, err := OptionSchema(id)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s: &%[1]s\n  %s\n", id, schema)
	}
	return b.String(), nil
}

// OptionsOfRequest are the same as a request's, but for those that are among its fields.
func OptionsOfRequest(fields []string) string {
	var b strings.Builder
	for _, id := range sorted() {
		if !slices.Contains(fields, id.String()) {
			fmt.Fprintf(&b, "%s: *%[1]s\n", id)
		}
	}
	return b.String()
}

func sorted() []s3op.ID {
	ids := slices.DeleteFunc(s3op.Options(), IsRefused)
	slices.SortFunc(ids, func(a, b s3op.ID) int { return strings.Compare(a.String(), b.String()) })
	return ids
}

// OptionSchema is the schema of an option, on one line.
func OptionSchema(id s3op.ID) (string, error) {
	shape, ok := Shapes[id.String()]
	if !ok {
		return "", fmt.Errorf("the option %s has no example: give it a row in internal/check/openapi/options.go", id)
	}
	type property struct {
		name  string
		value any
	}
	var schema []property
	say := func(name string, value any) { schema = append(schema, property{name, value}) }
	say("description", described(id, shape.Says))
	number := func(what any) {
		say("type", what)
		say("minimum", shape.Min)
		say("maximum", shape.Max)
	}
	switch kind := id.Kind(); kind {
	case s3op.Text, s3op.Timestamp:
		say("type", []string{"string", "null"})
		switch {
		case kind == s3op.Timestamp:
			say("format", "date-time")
			say("minLength", 20)
		case shape.Enum != nil:
			say("enum", append(slices.Clone(shape.Enum), nil))
		default:
			say("minLength", 1)
			if shape.Longest == 0 {
				shape.Longest = longestText
			}
			say("maxLength", shape.Longest)
		}
		if shape.Pattern != "" {
			say("pattern", shape.Pattern)
		}
	case s3op.Boolean:
		say("type", []string{"boolean", "null"})
	case s3op.Integer:
		if shape.Enum != nil {
			say("type", []string{"integer", "null"})
			say("enum", append(slices.Clone(shape.Enum), nil))
			break
		}
		number([]string{"integer", "null"})
		if shape.Max > math.MaxInt32 {
			say("format", "int64")
		}
	case s3op.Integers:
		say("type", []string{"array", "null"})
		items := map[string]any{"type": "integer", "minimum": shape.Min, "maximum": shape.Max}
		if shape.Max > math.MaxInt32 {
			items["format"] = "int64"
		}
		say("items", items)
		say("minItems", max(1, shape.Items))
		if shape.Items > 0 {
			say("maxItems", shape.Items)
		}
	case s3op.Texts:
		say("type", []string{"array", "null"})
		say("items", map[string]any{"type": "string", "enum": shape.Enum})
		say("minItems", 1)
	case s3op.StringMap:
		say("type", []string{"object", "null"})
		say("minProperties", 1)
		say("propertyNames", map[string]any{"pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"})
		say("additionalProperties", map[string]any{"type": []string{"string", "null"}})
	}
	examples := []any{shape.Example}
	for _, known := range id.Known() {
		if known != shape.Example {
			examples = append(examples, known)
		}
	}
	say("examples", examples)
	say("x-operations", operationsOf(id)) // for programs, what the description says to people
	var b strings.Builder
	for i, p := range schema {
		value, err := jsonOf(p.value)
		if err != nil {
			return "", err
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(p.name + ": " + value)
	}
	return "{ " + b.String() + " }", nil
}

// jsonOf writes a value as JSON, which YAML is, too.
func jsonOf(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// operationsOf are the operations that have an option.
func operationsOf(id s3op.ID) (names []string) {
	for _, o := range s3op.Operations() {
		if o.Has(id) {
			names = append(names, o.String())
		}
	}
	return names
}

// described says what an option is of, where it goes and what else is to be known.
func described(id s3op.ID, says string) string {
	operations := operationsOf(id)
	of := strings.Join(operations, ", ")
	if all := s3op.Operations(); len(all)-len(operations) < 3 {
		var others []string
		for _, o := range all {
			if !o.Has(id) {
				others = append(others, o.String())
			}
		}
		of = "All operations but " + strings.Join(others, " and ")
	}
	place, sends := reference.Place(id)
	text := of + ": " + place
	switch {
	case strings.HasPrefix(sends, "it"), strings.HasPrefix(sends, "each"):
		text += ", which the client must send"
	}
	if says != "" {
		text += ". " + strings.TrimSuffix(says, ".")
	}
	return text + "."
}

package s3op

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"bulkpresign/internal/sigv4"
)

// Kind is the JSON type of an option's value and what is read from it.
type Kind uint8

const (
	Text      Kind = iota // a string
	Timestamp             // a string, RFC 3339
	Integer               // a whole number
	Boolean               // true or false
	StringMap             // an object of strings: metadata
	Integers              // an array of whole numbers: part_numbers
	Texts                 // an array of strings: object_attributes
)

// place is where an option travels.
type place uint8

const (
	inQuery  place = iota // as a query parameter of the URL
	inHeader              // as a signed header, which the client must send
	nowhere               // it shapes other options, the form or the batch
)

// set is a set of operations.
type set uint32

func (s set) has(o Operation) bool { return s&(1<<o) != 0 }

// definition is a line of the table of options.
type definition struct {
	name  string
	kind  Kind
	place place
	wire  string // the parameter's name, or the header's in lower case
	ops   set
	check func(value string) (signed string, problem string)
}

// ID is an option's index in the table. IDs are in the order in which their wire
// names are signed, so options sorted by ID need no other sorting.
type ID uint8

// Option is an option that was given, with its value as text: a number in decimal,
// a boolean as true or false, an array joined by commas. Metadata is an
// Option for each entry; an empty map is one without a Name, which is refused.
type Option struct {
	ID    ID
	Name  string // of a metadata entry
	Value string
}

const (
	get      set = 1 << GetObject
	head     set = 1 << HeadObject
	put      set = 1 << PutObject
	del      set = 1 << DeleteObject
	part     set = 1 << UploadPart
	create   set = 1 << CreateMultipartUpload
	complete set = 1 << CompleteMultipartUpload
	abort    set = 1 << AbortMultipartUpload
	parts    set = 1 << ListParts
	copies   set = 1 << CopyObject
	partCopy set = 1 << UploadPartCopy
	attrs    set = 1 << GetObjectAttributes
	tags     set = 1 << GetObjectTagging
	setTags  set = 1 << PutObjectTagging
	list     set = 1 << ListObjectsV2
	bucket   set = 1 << HeadBucket
	restore  set = 1 << RestoreObject
	post     set = 1 << PostObject
	upload   set = 1 << MultipartUpload

	read     = get | head
	write    = put | part
	object   = put | create | copies | upload // what an object is given when it is made
	stored   = object | post
	once     = put | complete | copies | upload // makes an object, and may be told not to
	ofUpload = complete | abort | parts
	copying  = copies | partCopy
	every    = 1<<numOperations - 1
)

// table has every option of the contract, in the order of the wire names and with an
// option before those that are short for it. It is data alone: nothing has to run for it
// when a function starts. Facts on wire names and places: run against aws-sdk-go-v2
// service/s3 v1.114.8 by the tests of package bulk.
var table = [...]definition{
	{"bypass_governance_retention", Boolean, inQuery, "X-Amz-Bypass-Governance-Retention", del, nil},
	{"checksum_mode", Text, inQuery, "X-Amz-Checksum-Mode", read, opaque},
	{"bucket_key_enabled", Boolean, inQuery, "X-Amz-Server-Side-Encryption-Bucket-Key-Enabled", stored, nil},
	{"cache_control", Text, inHeader, "cache-control", stored, headerValue},
	{"content_disposition", Text, inHeader, "content-disposition", stored, headerValue},
	{"content_encoding", Text, inHeader, "content-encoding", stored, headerValue},
	{"content_language", Text, inHeader, "content-language", object, headerValue},
	{"content_length", Integer, inHeader, "content-length", write, contentLength},
	{"content_md5", Text, inHeader, "content-md5", write | setTags, headerValue},
	{"content_type", Text, inHeader, "content-type", stored, headerValue},
	{"continuation_token", Text, inQuery, "continuation-token", list, opaque},
	{"delimiter", Text, inQuery, "delimiter", list, opaque},
	{"encoding_type", Text, inQuery, "encoding-type", list, urlEncoding},
	{"expires", Timestamp, inHeader, "expires", stored, imfFixdate},
	{"fetch_owner", Boolean, inQuery, "fetch-owner", list, nil},
	{"if_match", Text, inHeader, "if-match", read | once | del, headerValue},
	{"if_modified_since", Timestamp, inHeader, "if-modified-since", read, imfFixdate},
	{"if_none_match", Text, inHeader, "if-none-match", read | once, headerValue},
	{"create_only", Boolean, nowhere, "if-none-match", once, nil},
	{"if_unmodified_since", Timestamp, inHeader, "if-unmodified-since", read, imfFixdate},
	{"max_keys", Integer, inQuery, "max-keys", list, pageSize},
	{"max_parts", Integer, inQuery, "max-parts", parts, pageSize},
	{"part_number_marker", Integer, inQuery, "part-number-marker", parts, partNumberMarker},
	{"part_number", Integer, inQuery, "partNumber", read | part | partCopy, partNumber},
	{"part_numbers", Integers, nowhere, "partNumber", part | partCopy | upload, partNumbers},
	{"range", Text, inHeader, "range", read, headerValue},
	{"response_cache_control", Text, inQuery, "response-cache-control", get, headerValue},
	{"response_content_disposition", Text, inQuery, "response-content-disposition", get, headerValue},
	{"filename", Text, nowhere, "response-content-disposition", get, attachment},
	{"response_content_encoding", Text, inQuery, "response-content-encoding", get, headerValue},
	{"response_content_language", Text, inQuery, "response-content-language", get, headerValue},
	{"response_content_type", Text, inQuery, "response-content-type", get, headerValue},
	{"response_expires", Timestamp, inQuery, "response-expires", get, imfFixdate},
	{"start_after", Text, inQuery, "start-after", list, opaque},
	{"upload_id", Text, inQuery, "uploadId", part | ofUpload | partCopy | upload, opaque},
	{"version_id", Text, inQuery, "versionId", read | del | attrs | tags | setTags | restore, opaque},
	{"acl", Text, inHeader, "x-amz-acl", stored, headerValue},
	{"checksum_algorithm", Text, inHeader, "x-amz-checksum-algorithm", create | copies | upload, checksumAlgorithm},
	{"checksum_crc32", Text, inHeader, "x-amz-checksum-crc32", write | complete | post, headerValue},
	{"checksum_crc32c", Text, inHeader, "x-amz-checksum-crc32c", write | complete | post, headerValue},
	{"checksum_crc64nvme", Text, inHeader, "x-amz-checksum-crc64nvme", write | complete | post, headerValue},
	{"checksum_sha1", Text, inHeader, "x-amz-checksum-sha1", write | complete | post, headerValue},
	{"checksum_sha256", Text, inHeader, "x-amz-checksum-sha256", write | complete | post, headerValue},
	{"checksum_type", Text, inHeader, "x-amz-checksum-type", create | complete | upload, checksumType},
	{"copy_source", Text, inHeader, "x-amz-copy-source", copying, copySource},
	{"copy_source_version_id", Text, nowhere, "x-amz-copy-source", copying, opaque},
	{"copy_source_if_match", Text, inHeader, "x-amz-copy-source-if-match", copying, headerValue},
	{"copy_source_if_modified_since", Timestamp, inHeader, "x-amz-copy-source-if-modified-since", copying, imfFixdate},
	{"copy_source_if_none_match", Text, inHeader, "x-amz-copy-source-if-none-match", copying, headerValue},
	{"copy_source_if_unmodified_since", Timestamp, inHeader, "x-amz-copy-source-if-unmodified-since", copying, imfFixdate},
	{"copy_source_range", Text, inHeader, "x-amz-copy-source-range", partCopy, headerValue},
	{"copy_source_sse_customer_algorithm", Text, inHeader, "x-amz-copy-source-server-side-encryption-customer-algorithm", copying, headerValue},
	{"copy_source_sse_customer_key", Text, inHeader, "x-amz-copy-source-server-side-encryption-customer-key", copying, headerValue},
	{"copy_source_sse_customer_key_md5", Text, inHeader, "x-amz-copy-source-server-side-encryption-customer-key-md5", copying, headerValue},
	{"expected_bucket_owner", Text, inQuery, "x-amz-expected-bucket-owner", every &^ post, opaque},
	{"grant_full_control", Text, nowhere, "x-amz-grant-full-control", stored, grant},
	{"grant_read", Text, nowhere, "x-amz-grant-read", stored, grant},
	{"grant_read_acp", Text, nowhere, "x-amz-grant-read-acp", stored, grant},
	{"grant_write_acp", Text, nowhere, "x-amz-grant-write-acp", stored, grant},
	{"metadata", StringMap, inHeader, "x-amz-meta-", stored, headerValue},
	{"metadata_directive", Text, inHeader, "x-amz-metadata-directive", copies, directive},
	{"mfa", Text, inHeader, "x-amz-mfa", del, headerValue},
	{"mpu_object_size", Integer, inHeader, "x-amz-mp-object-size", complete, size},
	{"object_attributes", Texts, inHeader, "x-amz-object-attributes", attrs, objectAttributes},
	{"object_lock_legal_hold_status", Text, inHeader, "x-amz-object-lock-legal-hold", stored, headerValue},
	{"object_lock_mode", Text, inHeader, "x-amz-object-lock-mode", stored, headerValue},
	{"object_lock_retain_until_date", Timestamp, inHeader, "x-amz-object-lock-retain-until-date", stored, iso8601},
	{"optional_object_attributes", Texts, inHeader, "x-amz-optional-object-attributes", list, listedAttributes},
	{"request_payer", Text, inQuery, "x-amz-request-payer", every &^ post &^ bucket, opaque},
	{"server_side_encryption", Text, inHeader, "x-amz-server-side-encryption", stored, headerValue},
	{"ssekms_key_id", Text, inHeader, "x-amz-server-side-encryption-aws-kms-key-id", stored, headerValue},
	{"ssekms_encryption_context", Text, inHeader, "x-amz-server-side-encryption-context", stored, headerValue},
	{"sse_customer_algorithm", Text, inHeader, "x-amz-server-side-encryption-customer-algorithm", read | part | stored | complete | parts | partCopy | attrs, headerValue},
	{"sse_customer_key", Text, inHeader, "x-amz-server-side-encryption-customer-key", read | part | stored | complete | parts | partCopy | attrs, headerValue},
	{"sse_customer_key_md5", Text, inHeader, "x-amz-server-side-encryption-customer-key-md5", read | part | stored | complete | parts | partCopy | attrs, headerValue},
	{"expected_source_bucket_owner", Text, inHeader, "x-amz-source-expected-bucket-owner", copying, headerValue},
	{"storage_class", Text, inHeader, "x-amz-storage-class", stored, headerValue},
	{"tagging", Text, inHeader, "x-amz-tagging", stored, headerValue},
	{"tagging_directive", Text, inHeader, "x-amz-tagging-directive", copies, directive},
	{"website_redirect_location", Text, inHeader, "x-amz-website-redirect-location", stored, headerValue},

	// Of forms alone: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
	{"content_length_range", Integers, nowhere, "content-length-range", post, lengthRange},
	{"content_type_starts_with", Text, nowhere, "Content-Type", post, headerValue},
	{"key_starts_with", Boolean, nowhere, "key", post, nil},
	{"success_action_redirect", Text, nowhere, "success_action_redirect", post, webAddress},
	{"success_action_status", Integer, nowhere, "success_action_status", post, formStatus},

	// Of uploads in parts.
	{"part_size", Integer, nowhere, "", upload, size},
	{"resume", Boolean, nowhere, "", upload, nil},
	{"size", Integer, nowhere, "", upload, size},
}

var byName = sync.OnceValue(func() map[string]ID {
	m := make(map[string]ID, len(table))
	for i, d := range table {
		m[d.name] = ID(i)
	}
	return m
})

// Options that others or the batch know by name.
var (
	idPartNumbers        = named("part_numbers")
	idFilename           = named("filename")
	idContentDisposition = named("response_content_disposition")
	idMetadata           = named("metadata")
	idCopySource         = named("copy_source")
	idCopySourceVersion  = named("copy_source_version_id")
	idObjectAttributes   = named("object_attributes")
	idTagging            = named("tagging")
)

// Options that others know by name.
var (
	CreateOnly         = named("create_only")
	IfNoneMatch        = named("if_none_match")
	ContentLength      = named("content_length")
	ContentType        = named("content_type")
	ContentLengthRange = named("content_length_range")
	ContentTypeStart   = named("content_type_starts_with")
	KeyStartsWith      = named("key_starts_with")
	MetadataDirective  = named("metadata_directive")
	TaggingDirective   = named("tagging_directive")
	Size               = named("size")
	PartSize           = named("part_size")
	Resume             = named("resume")
	UploadID           = named("upload_id")
	PartNumber         = named("part_number")
	MaxParts           = named("max_parts")
	PartNumberMarker   = named("part_number_marker")
)

// named is for the few names that are looked up while the program starts.
func named(name string) ID {
	for i := range table {
		if table[i].name == name {
			return ID(i)
		}
	}
	panic("s3op: there is no option " + name)
}

// Lookup finds an option by its name in a request.
func Lookup(name string) (ID, bool) {
	id, ok := byName()[name]
	return id, ok
}

// String is the option's name in a request.
func (id ID) String() string { return table[id].name }

// Options are all that exist.
func Options() []ID {
	ids := make([]ID, len(table))
	for i := range ids {
		ids[i] = ID(i)
	}
	return ids
}

// Has tells whether the operation has an option.
func (o Operation) Has(id ID) bool { return table[id].ops.has(o) }

// IsMetadata tells whether a copy takes the option from its source unless it is told to
// replace all of them.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
func IsMetadata(id ID) bool {
	switch id.String() {
	case "cache_control", "content_disposition", "content_encoding", "content_language", "content_type", "expires", "metadata":
		return true
	}
	return false
}

// Kind is the type of its value.
func (id ID) Kind() Kind { return table[id].kind }

// IsHeader tells whether the option is a header that the client must send.
func (id ID) IsHeader() bool { return table[id].place == inHeader }

// WireName is the name of the query parameter, or of the header in lower case.
func (o Option) WireName() string { return table[o.ID].wire + o.Name }

// Error says which option cannot be signed, and why. Its text may be shown to the
// caller: it never repeats a value.
type Error struct {
	Option string
	Reason string
}

func (e *Error) Error() string { return fmt.Sprintf("option %q %s", e.Option, e.Reason) }

func refuse(id ID, format string, args ...any) *Error {
	return &Error{Option: id.String(), Reason: fmt.Sprintf(format, args...)}
}

// Sort brings options into ID order, metadata by name. Each option was given once.
func Sort(options []Option) {
	slices.SortFunc(options, func(a, b Option) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Name, b.Name))
	})
}

// Check judges each of one source's options for itself: does the operation have it,
// can the value be signed? It rewrites the values into the form in which they are
// signed. The options are sorted.
func (o Operation) Check(options []Option) error {
	for i := range options {
		opt := &options[i]
		d := &table[opt.ID]
		if !d.ops.has(o) {
			return refuse(opt.ID, "does not exist for %s", o)
		}
		if opt.ID == idMetadata {
			if problem := metadataName(opt.Name); problem != "" {
				return refuse(opt.ID, "%s", problem)
			}
			opt.Name = strings.ToLower(opt.Name)
		}
		if d.check != nil {
			signed, problem := d.check(opt.Value)
			if problem != "" {
				return refuse(opt.ID, "%s", problem)
			}
			opt.Value = signed
		}
		if o == PostObject && opt.ID == idTagging {
			if _, problem := tagDocument(opt.Value); problem != "" {
				return refuse(opt.ID, "%s", problem)
			}
		}
	}
	Sort(options) // lower case may have changed the order of metadata
	for i := 1; i < len(options); i++ {
		if options[i].ID == idMetadata && options[i-1].Name == options[i].Name {
			return refuse(idMetadata, "has two names that differ only in case; S3 takes them for one")
		}
	}
	return nil
}

// Merge appends to dst what holds for an item: its own options over the batch's.
// Both are sorted, and so is the result. A map is replaced as a whole.
func Merge(dst, batch, item []Option) []Option {
	for len(batch) > 0 && len(item) > 0 {
		switch b, i := batch[0].ID, item[0].ID; {
		case b < i:
			dst, batch = append(dst, batch[0]), batch[1:]
		case b > i:
			dst, item = append(dst, item[0]), item[1:]
		default:
			for len(batch) > 0 && batch[0].ID == i {
				batch = batch[1:]
			}
		}
	}
	return append(append(dst, batch...), item...)
}

// maxOptionBytes bounds what the options add to a request. S3 takes 8 KB of headers:
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
const maxOptionBytes = 8 << 10

// maxMetadataBytes is what names and values of metadata may have together:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
const maxMetadataBytes = 2 << 10

// Settle judges checked and merged options together and replaces those that are
// short for others, so that options that mean the same are equal. It works in
// place.
func (o Operation) Settle(options []Option) ([]Option, error) {
	size, metadata := 0, 0
	for _, opt := range options {
		if opt.ID != idPartNumbers { // each URL has one of them
			size += len(opt.Name) + len(opt.Value)
		}
		if opt.ID == idMetadata {
			metadata += len(opt.Name) + len(opt.Value)
		}
		if metadata > maxMetadataBytes {
			return nil, refuse(opt.ID, "has more than the %d bytes of names and values that S3 takes", maxMetadataBytes)
		}
		if size > maxOptionBytes {
			return nil, refuse(opt.ID, "makes the options longer than the %d bytes of headers that S3 takes", maxOptionBytes)
		}
	}
	// One pass, since there may be thousands of options and this is done for each item.
	var filename, disposition, number, numbers, createOnly, match, source, version, contentType, typeStart string
	for _, opt := range options {
		switch opt.ID {
		case idFilename:
			filename = opt.Value
		case idContentDisposition:
			disposition = opt.Value
		case PartNumber:
			number = opt.Value
		case idPartNumbers:
			numbers = opt.Value
		case CreateOnly:
			createOnly = opt.Value
		case IfNoneMatch:
			match = opt.Value
		case idCopySource:
			source = opt.Value
		case idCopySourceVersion:
			version = opt.Value
		case ContentType:
			contentType = opt.Value
		case ContentTypeStart:
			typeStart = opt.Value
		}
	}
	if version != "" && source == "" {
		return nil, refuse(idCopySourceVersion, "goes with %q, which is missing", idCopySource)
	}
	if contentType != "" && typeStart != "" {
		return nil, refuse(ContentTypeStart, "and %q exclude each other: give one of them", ContentType)
	}
	if filename != "" && disposition != "" {
		return nil, refuse(idFilename, "and %q exclude each other: give one of them", idContentDisposition)
	}
	if number != "" && numbers != "" {
		return nil, refuse(idPartNumbers, "and %q exclude each other: give one of them", PartNumber)
	}
	if createOnly == "true" && match != "" && match != "*" || createOnly == "false" && match == "*" {
		return nil, refuse(CreateOnly, `and %q contradict each other: true is short for "*"`, IfNoneMatch)
	}

	settled := options[:0]
	for _, opt := range options {
		switch opt.ID {
		case CreateOnly:
			if createOnly != "true" || match != "" {
				continue
			}
			opt = Option{ID: IfNoneMatch, Value: "*"}
		case idFilename:
			opt.ID = idContentDisposition
		case idCopySource:
			if version != "" {
				opt.Value += "?versionId=" + string(sigv4.AppendEscaped(nil, version))
			}
		case idCopySourceVersion:
			continue
		}
		settled = append(settled, opt)
	}
	return settled, nil
}

// Complete reports what settled options still lack to be signed.
func (o Operation) Complete(settled []Option) error {
	given := func(ids ...ID) bool {
		return slices.ContainsFunc(settled, func(opt Option) bool { return slices.Contains(ids, opt.ID) })
	}
	has := set(1 << o)
	switch {
	case has&(part|ofUpload|partCopy) != 0 && !given(UploadID):
		return refuse(UploadID, "is missing: %s needs the UploadId that CreateMultipartUpload gave", o)
	case has&(part|partCopy) != 0 && !given(PartNumber, idPartNumbers):
		return refuse(PartNumber, "or %q is missing: %s needs one of them", idPartNumbers, o)
	case has&copying != 0 && !given(idCopySource):
		return refuse(idCopySource, `is missing: %s needs the object to copy, written as "bucket/key"`, o)
	case has&attrs != 0 && !given(idObjectAttributes):
		return refuse(idObjectAttributes, `is missing: %s needs to know which, such as ["ETag", "ObjectSize"]`, o)
	case has&upload != 0 && !given(Size):
		return refuse(Size, "is missing: %s needs to know how many bytes the object has", o)
	}
	return nil
}

// CountParts is the number of PartNumbers.
func CountParts(settled []Option) int {
	for _, opt := range settled {
		if opt.ID == idPartNumbers {
			return strings.Count(opt.Value, ",") + 1
		}
	}
	return 0
}

// PartNumbers are the parts that settled options ask for, nil without part_numbers.
func PartNumbers(settled []Option) []string {
	for _, opt := range settled {
		if opt.ID == idPartNumbers {
			return strings.Split(opt.Value, ",")
		}
	}
	return nil
}

// Fill writes settled options into r as sorted query parameters and headers. A
// part number other than "" is that of an UploadPart with part_numbers.
func (o Operation) Fill(r *sigv4.Request, settled []Option, part string) {
	r.Method = o.Method()
	r.Query, r.Headers = r.Query[:0], r.Headers[:0]
	for _, opt := range settled {
		d := &table[opt.ID]
		switch {
		case opt.ID == idPartNumbers:
			r.Query = append(r.Query, sigv4.Parameter{Name: d.wire, Value: part})
		case d.place == inQuery:
			r.Query = append(r.Query, sigv4.Parameter{Name: d.wire, Value: opt.Value})
		case d.place == inHeader:
			r.Headers = append(r.Headers, sigv4.Parameter{Name: opt.WireName(), Value: opt.Value})
		}
	}
	if c := &operations[o]; c.parameter != "" {
		at := len(r.Query)
		for at > 0 && r.Query[at-1].Name > c.parameter {
			at--
		}
		r.Query = slices.Insert(r.Query, at, sigv4.Parameter{Name: c.parameter, Value: c.value})
	}
}

// FillPrefix writes into r what an operation of a bucket has in place of a key: for
// ListObjectsV2 that is the prefix of the keys that are listed. It comes after Fill.
func (o Operation) FillPrefix(r *sigv4.Request, prefix string) {
	if o != ListObjectsV2 || prefix == "" {
		return
	}
	at, _ := slices.BinarySearchFunc(r.Query, "prefix", func(p sigv4.Parameter, name string) int { return cmp.Compare(p.Name, name) })
	r.Query = slices.Insert(r.Query, at, sigv4.Parameter{Name: "prefix", Value: prefix})
}

// CopySource is the object that settled options have copied, if they do.
func CopySource(settled []Option) (bucket, key string, ok bool) {
	i := slices.IndexFunc(settled, func(o Option) bool { return o.ID == idCopySource })
	if i < 0 {
		return "", "", false
	}
	escaped, _, _ := strings.Cut(settled[i].Value, "?")
	source, err := url.PathUnescape(escaped)
	if err != nil {
		panic("s3op: a source that was checked is not escaped") // copySource escapes it
	}
	bucket, key = cutSource(source)
	return bucket, key, true
}

// cutSource parts bucket and key. An access point stands there as its ARN and "/object/".
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html#API_CopyObject_RequestSyntax
func cutSource(source string) (bucket, key string) {
	separator := "/"
	if strings.HasPrefix(source, "arn:") {
		separator = "/object/"
	}
	bucket, key, _ = strings.Cut(source, separator)
	return bucket, key
}

// grant is never signed.
func grant(string) (string, string) {
	return "", "is not signed: ACLs are off on new buckets; use a bucket policy"
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

// maxPostBytes is what a form can upload, as a single PUT can:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
const maxPostBytes = 5 << 30

// lengthRange is the least and the most bytes that a form may upload.
func lengthRange(v string) (string, string) {
	least, most, _ := strings.Cut(v, ",")
	_, noLeast := between(least, 0, maxPostBytes, "")
	_, noMost := between(most, 0, maxPostBytes, "")
	if noLeast != "" || noMost != "" {
		return "", fmt.Sprintf("is not [least, most], two numbers of bytes from 0 to %d", int64(maxPostBytes))
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

// contentLength must pin a size: the SDK leaves a length of 0 unsigned, and with
// such a URL any body could be put.
func contentLength(v string) (string, string) {
	if n, err := strconv.ParseInt(v, 10, 64); err != nil || n < 1 {
		return "", "is not a number of bytes from 1 up (a length of 0 cannot be signed)"
	}
	return v, ""
}

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

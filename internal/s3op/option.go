package s3op

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
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
	{"content_md5", Text, inHeader, "content-md5", write | setTags, md5Sum},
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
	{"range", Text, inHeader, "range", read, byteRange},
	{"response_cache_control", Text, inQuery, "response-cache-control", get, responseValue},
	{"response_content_disposition", Text, inQuery, "response-content-disposition", get, responseValue},
	{"filename", Text, nowhere, "response-content-disposition", get, attachment},
	{"response_content_encoding", Text, inQuery, "response-content-encoding", get, responseValue},
	{"response_content_language", Text, inQuery, "response-content-language", get, responseValue},
	{"response_content_type", Text, inQuery, "response-content-type", get, responseValue},
	{"response_expires", Timestamp, inQuery, "response-expires", get, imfFixdate},
	{"start_after", Text, inQuery, "start-after", list, opaque},
	{"upload_id", Text, inQuery, "uploadId", part | ofUpload | partCopy | upload, uploadID},
	{"version_id", Text, inQuery, "versionId", read | del | attrs | tags | setTags | restore, opaque},
	{"acl", Text, inHeader, "x-amz-acl", stored, headerValue},
	{"checksum_algorithm", Text, inHeader, "x-amz-checksum-algorithm", create | copies | upload, checksumAlgorithm},
	{"checksum_crc32", Text, inHeader, "x-amz-checksum-crc32", write | complete | post, crc32Sum},
	{"checksum_crc32c", Text, inHeader, "x-amz-checksum-crc32c", write | complete | post, crc32Sum},
	{"checksum_crc64nvme", Text, inHeader, "x-amz-checksum-crc64nvme", write | complete | post, crc64Sum},
	{"checksum_sha1", Text, inHeader, "x-amz-checksum-sha1", write | complete | post, sha1Sum},
	{"checksum_sha256", Text, inHeader, "x-amz-checksum-sha256", write | complete | post, sha256Sum},
	{"checksum_type", Text, inHeader, "x-amz-checksum-type", create | complete | upload, checksumType},
	{"copy_source", Text, inHeader, "x-amz-copy-source", copying, copySource},
	{"copy_source_version_id", Text, nowhere, "x-amz-copy-source", copying, opaque},
	{"copy_source_if_match", Text, inHeader, "x-amz-copy-source-if-match", copying, headerValue},
	{"copy_source_if_modified_since", Timestamp, inHeader, "x-amz-copy-source-if-modified-since", copying, imfFixdate},
	{"copy_source_if_none_match", Text, inHeader, "x-amz-copy-source-if-none-match", copying, headerValue},
	{"copy_source_if_unmodified_since", Timestamp, inHeader, "x-amz-copy-source-if-unmodified-since", copying, imfFixdate},
	{"copy_source_range", Text, inHeader, "x-amz-copy-source-range", partCopy, copyRange},
	{"copy_source_sse_customer_algorithm", Text, inHeader, "x-amz-copy-source-server-side-encryption-customer-algorithm", copying, customerAlgorithm},
	{"copy_source_sse_customer_key", Text, inHeader, "x-amz-copy-source-server-side-encryption-customer-key", copying, customerKey},
	{"copy_source_sse_customer_key_md5", Text, inHeader, "x-amz-copy-source-server-side-encryption-customer-key-md5", copying, md5Sum},
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
	{"ssekms_encryption_context", Text, inHeader, "x-amz-server-side-encryption-context", stored, encryptionContext},
	{"sse_customer_algorithm", Text, inHeader, "x-amz-server-side-encryption-customer-algorithm", read | part | stored | complete | parts | partCopy | attrs, customerAlgorithm},
	{"sse_customer_key", Text, inHeader, "x-amz-server-side-encryption-customer-key", read | part | stored | complete | parts | partCopy | attrs, customerKey},
	{"sse_customer_key_md5", Text, inHeader, "x-amz-server-side-encryption-customer-key-md5", read | part | stored | complete | parts | partCopy | attrs, md5Sum},
	{"expected_source_bucket_owner", Text, inHeader, "x-amz-source-expected-bucket-owner", copying, headerValue},
	{"storage_class", Text, inHeader, "x-amz-storage-class", stored, headerValue},
	{"tagging", Text, inHeader, "x-amz-tagging", stored, tagging},
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
	IfMatch            = named("if_match")
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

// operations lists those that have the option, the first few, for error texts.
func (id ID) operations() string {
	var names []string
	for o := range numOperations {
		if o.Has(id) {
			names = append(names, o.String())
		}
	}
	if len(names) > 4 {
		names = append(names[:4], "others")
	}
	return strings.Join(names, ", ")
}

// Kind is the type of its value.
func (id ID) Kind() Kind { return table[id].kind }

// IsHeader tells whether the option is a header that the client must send.
func (id ID) IsHeader() bool { return table[id].place == inHeader }

// Headers are those of settled options that a client must send.
func Headers(settled []Option) []Option {
	return slices.DeleteFunc(slices.Clone(settled), func(o Option) bool { return !o.ID.IsHeader() })
}

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
			return refuse(opt.ID, "does not exist for %s: it is for %s", o, opt.ID.operations())
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
		if problem := misspelt(opt.ID.Known(), opt.Value); problem != "" {
			return refuse(opt.ID, "%s", problem)
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

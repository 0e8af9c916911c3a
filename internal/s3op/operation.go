// Package s3op knows the S3 operations that can be pre-signed and their options:
// which operation has which, under what name each goes over the wire, whether it is
// a query parameter or a header that the client must send, and which values can be
// signed at all.
//
// Names are S3's own (VersionId is version_id here). Where a value goes is what
// aws-sdk-go-v2 does, whose URLs are the reference; for operations of which it presigns
// none it is what boto3 does.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
package s3op

import "strings"

// Operation is an S3 operation that can be pre-signed, or a kind of upload that is made of
// several.
type Operation uint8

const (
	GetObject Operation = iota
	HeadObject
	PutObject
	DeleteObject
	UploadPart
	CreateMultipartUpload
	CompleteMultipartUpload
	AbortMultipartUpload
	ListParts
	CopyObject
	UploadPartCopy
	GetObjectAttributes
	GetObjectTagging
	PutObjectTagging
	ListObjectsV2
	HeadBucket
	RestoreObject
	PostObject      // a form: a signed policy rather than a signed URL
	MultipartUpload // an upload in parts, from its creation to its end
	numOperations
)

// operations has for each what its URLs have in common. The parameter is one that the
// operation always has: what S3 tells it by, or the name that the SDK gives it.
var operations = [numOperations]struct{ name, method, parameter, value string }{
	GetObject:               {"GetObject", "GET", "x-id", "GetObject"},
	HeadObject:              {"HeadObject", "HEAD", "", ""},
	PutObject:               {"PutObject", "PUT", "x-id", "PutObject"},
	DeleteObject:            {"DeleteObject", "DELETE", "x-id", "DeleteObject"},
	UploadPart:              {"UploadPart", "PUT", "x-id", "UploadPart"},
	CreateMultipartUpload:   {"CreateMultipartUpload", "POST", "uploads", ""},
	CompleteMultipartUpload: {"CompleteMultipartUpload", "POST", "", ""},
	AbortMultipartUpload:    {"AbortMultipartUpload", "DELETE", "x-id", "AbortMultipartUpload"},
	ListParts:               {"ListParts", "GET", "x-id", "ListParts"},
	CopyObject:              {"CopyObject", "PUT", "x-id", "CopyObject"},
	UploadPartCopy:          {"UploadPartCopy", "PUT", "x-id", "UploadPartCopy"},
	GetObjectAttributes:     {"GetObjectAttributes", "GET", "attributes", ""},
	GetObjectTagging:        {"GetObjectTagging", "GET", "tagging", ""},
	PutObjectTagging:        {"PutObjectTagging", "PUT", "tagging", ""},
	ListObjectsV2:           {"ListObjectsV2", "GET", "list-type", "2"},
	HeadBucket:              {"HeadBucket", "HEAD", "", ""},
	RestoreObject:           {"RestoreObject", "POST", "restore", ""},
	PostObject:              {"PostObject", "POST", "", ""},
	MultipartUpload:         {"MultipartUpload", "", "", ""},
}

// ParseOperation reads an operation's name, in any case and in boto3's form too (get_object), or the HTTP method that is
// short for one of the first four.
func ParseOperation(name string) (Operation, bool) {
	for i, o := range operations {
		if name == o.name {
			return Operation(i), true
		}
	}
	name = strings.ReplaceAll(name, "_", "")
	for i, o := range operations {
		if strings.EqualFold(name, o.name) || strings.EqualFold(name, o.method) && Operation(i) <= DeleteObject {
			return Operation(i), true
		}
	}
	return 0, false
}

// Names lists what ParseOperation reads, for error texts.
func Names() string {
	names := make([]string, 0, numOperations)
	for _, o := range operations {
		names = append(names, o.name)
	}
	return strings.Join(names, ", ") + " (GET, HEAD, PUT and DELETE are short for the first four)"
}

// Operations are all that can be signed.
func Operations() []Operation {
	list := make([]Operation, numOperations)
	for i := range list {
		list[i] = Operation(i)
	}
	return list
}

// String is S3's name of the operation.
func (o Operation) String() string { return operations[o].name }

// Method is the HTTP method; a MultipartUpload has none of its own.
func (o Operation) Method() string { return operations[o].method }

// OfBucket tells whether the operation is about a bucket rather than an object: its URL
// has no key in its path.
func (o Operation) OfBucket() bool { return o == ListObjectsV2 || o == HeadBucket }

// Writes tells whether what is signed can change what lies in the bucket.
func (op Operation) Writes() bool {
	switch op {
	case GetObject, HeadObject, ListParts, GetObjectAttributes, GetObjectTagging, ListObjectsV2, HeadBucket:
		return false
	}
	return true
}

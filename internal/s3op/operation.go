// Package s3op knows the S3 operations that can be pre-signed and their options:
// which operation has which, under what name each goes over the wire, whether it is
// a query parameter or a header that the client must send, and which values can be
// signed at all.
//
// Names are S3's own (VersionId is version_id here). Where a value goes is what
// aws-sdk-go-v2 does, whose URLs are the reference.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
package s3op

import "strings"

// Operation is an S3 operation that can be pre-signed.
type Operation uint8

const (
	GetObject Operation = iota
	HeadObject
	PutObject
	DeleteObject
	UploadPart
	numOperations
)

var operations = [numOperations]struct{ name, method string }{
	GetObject:    {"GetObject", "GET"},
	HeadObject:   {"HeadObject", "HEAD"},
	PutObject:    {"PutObject", "PUT"},
	DeleteObject: {"DeleteObject", "DELETE"},
	UploadPart:   {"UploadPart", "PUT"},
}

// ParseOperation reads an operation's name, or the HTTP method that is short for
// one of the first four.
func ParseOperation(name string) (Operation, bool) {
	for i, o := range operations {
		if name == o.name || name == o.method && Operation(i) != UploadPart {
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

// Method is the HTTP method.
func (o Operation) Method() string { return operations[o].method }

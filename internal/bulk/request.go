package bulk

import (
	"slices"
	"strings"

	"bulkpresign/internal/s3op"
)

// Source is where a request's keys come from.
type Source uint8

const (
	Keys     Source = iota // from the request itself
	Prefix                 // every object whose key begins with Request.Prefix
	Manifest               // from a list that lies in S3, Request.Manifest
)

// sources are the fields of the request that name each.
var sources = [...]string{Keys: "keys", Prefix: "prefix", Manifest: "manifest"}

// String is the field of the request that names the source.
func (s Source) String() string { return sources[s] }

// Object is where an object lies in S3.
type Object struct{ Bucket, Key string }

// Request is one batch as it was asked for, before anything was judged but its form.
type Request struct {
	Source           Source
	Prefix           string // with the source Prefix; empty is the whole bucket
	Manifest         Object // with the source Manifest
	Continuation     string // with the source Prefix: where the last answer stopped
	Suffix           string // with the source Prefix: only keys that end in it
	StartAfter       string // with the source Prefix: only keys that come after it
	FolderMarkers    bool   // with the source Prefix: objects that stand for folders, too
	Room             Room   // with the source Prefix: of the answer; the transport's to say
	Verify           Verify
	Bucket           string // empty: the only one that is allowed
	Operation        s3op.Operation
	ExpiresIn        int64  // seconds; 0 is the configured default
	ReuseFor         *int64 // seconds for which URLs stay the same; nil is the policy's
	StrictExpiry     bool
	AllowDotSegments bool
	Explain          bool          // which rules of the policy decide
	Encoding         string        // empty, or as given: for a direct invoke
	Format           *Format       // nil: what the transport prefers
	Options          []s3op.Option // of the whole batch
	Items            []Item        // at most one more than the decoder's limit
	Count            int           // items as given

	own []s3op.Option // the items' own options, one after the other
}

// Item is a key with its own options.
type Item struct {
	Key        string
	begin, end uint32 // of Request.own
}

// OwnOptions are the options that were given for the item itself.
func (r *Request) OwnOptions(i Item) []s3op.Option { return r.own[i.begin:i.end] }

// ParseObject reads s3://bucket/key. The key is taken as it is: nothing in it is
// decoded.
func ParseObject(url string) (o Object, ok bool) {
	rest, ok := strings.CutPrefix(url, "s3://")
	if !ok {
		return o, false
	}
	o.Bucket, o.Key, _ = strings.Cut(rest, "/")
	return o, o.Bucket != "" && o.Key != ""
}

// fields are the request's members beside the signing options.
var fields = []string{"bucket", "operation", "keys", "prefix", "manifest", "expires_in", "reuse_for", "strict_expiry", "format",
	"encoding", "allow_dot_segments", "verify", "continuation_token", "suffix", "start_after", "folder_markers", "explain"}

// Fields are the request's members beside the signing options.
func Fields() []string { return slices.Clone(fields) }

// IsField tells whether a request may have a member of this name.
func IsField(name string) bool {
	_, isOption := s3op.Lookup(name)
	return isOption || slices.Contains(fields, name)
}

// Package job signs what is answered later: a request from a queue, a list that lies in
// S3, a prefix, an object that was just made. Each input has one result in the results
// bucket, whatever happens and however often it is delivered.
package job

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/delivery"
	"bulkpresign/internal/objects"
	"bulkpresign/internal/policy"
)

// Input is what asks for a result: a request, or an object that was made.
type Input struct {
	Caller    policy.Caller `json:"caller"`
	Request   []byte        `json:"request,omitempty"` // the text of a request, or nil
	Object    objects.Ref   `json:"object,omitzero"`   // that was made
	Sequencer string        `json:"sequencer,omitempty"`
	Resume    *Checkpoint   `json:"resume,omitempty"` // go on, rather than begin
}

// Checkpoint is all that must be known to go on with a job that ran out of time. It is
// part of a message and holds no secret.
type Checkpoint struct {
	ETag   string               `json:"etag,omitempty"` // of the list
	Last   string               `json:"last,omitempty"` // the last key of a prefix that was signed
	Upload delivery.UploadState `json:"upload"`
	Stream bulk.StreamState     `json:"stream"`
}

// Name is the folder of the input's result under the results prefix. It is the same each
// time the same input is delivered: a request is known by its text, an object by bucket,
// key, version, content and place in the order of events.
func (in *Input) Name() string {
	identity, label := in.Request, "request"
	if in.Request == nil {
		identity, _ = json.Marshal([]string{in.Object.Bucket, in.Object.Key, in.Object.Version, in.Object.ETag, in.Sequencer})
		label = in.Object.Key[strings.LastIndexByte(in.Object.Key, '/')+1:]
	}
	sum := sha256.Sum256(identity)
	return fileName(label) + "-" + hex.EncodeToString(sum[:16])
}

// fileName makes a name that needs no escaping anywhere, so that people find the result
// of their list.
func fileName(s string) string {
	name := strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '.' || c == '_' || c == '-' {
			return c
		}
		return '-'
	}, s)
	if len(name) > 80 {
		name = name[:80]
	}
	return strings.Trim(name, ".")
}

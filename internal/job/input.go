// Package job signs what is answered later: a request from a queue, a list that lies in
// S3, a prefix, an object that was just made. Each input has one result in the results
// bucket, whatever happens and however often it is delivered. What is too long for that is
// cut into shards, which many invocations sign at once: see Shard.
package job

import (
	"encoding/json"
	"errors"
	"strings"

	"bulkpresign/internal/answer"
	"bulkpresign/internal/bucketevent"
	"bulkpresign/internal/delivery"
	"bulkpresign/internal/objects"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/queueevent"
)

// Input is what asks for a result: a request, or an object that was made.
type Input struct {
	Caller   policy.Caller `json:"caller"`
	Identity string        `json:"identity"`          // the same each time the input is delivered
	Request  []byte        `json:"request,omitempty"` // the text of a request, or nil
	Object   objects.Ref   `json:"object,omitzero"`   // that was made
	Shard    *Shard        `json:"shard,omitempty"`   // of the request's keys, or nil for all
	Resume   *Checkpoint   `json:"resume,omitempty"`  // go on, rather than begin

	handedOn string // the name of a job to go on with, of which nothing else is here yet

	source   string // how it came, for the record
	id       string // of the message, for the record
	receives int    // which delivery of the message it is, from 1; 0 without a queue
	bad      error  // why it is no input, which is for the result to say
}

// Checkpoint is all that must be known to go on with a job that ran out of time. It holds
// no secret.
type Checkpoint struct {
	ETag   string               `json:"etag,omitempty"` // of the list
	At     Position             `json:"at"`
	Upload delivery.UploadState `json:"upload"`
	Stream answer.StreamState   `json:"stream"`

	Warnings Warnings `json:"warnings,omitzero"`
}

// Name is the folder of the input's result under the results prefix: the same each time
// the input is delivered. It begins with what people know the input by.
func (in *Input) Name() string {
	if in.Shard != nil {
		return in.Shard.Name()
	}
	label := "request"
	if in.Request == nil {
		label = in.Object.Key[strings.LastIndexByte(in.Object.Key, '/')+1:]
	}
	return fileName(label) + "-" + fileName(in.Identity)
}

// resultName is where the result lies under the results prefix, summaryName what is told of it.
func (in *Input) resultName() string {
	if in.Shard != nil {
		return in.Name() + ".ndjson.gz"
	}
	return in.Name() + "/result.ndjson.gz"
}

func (in *Input) summaryName() string {
	if in.Shard != nil {
		return in.Name() + ".json"
	}
	return in.Name() + "/" + summaryFile
}

// messageInputs are the inputs of a message: of a notification, one for each object.
func messageInputs(m *queueevent.Message) (list []*Input) {
	source, caller := "direct", policy.Caller{Kind: policy.Direct}
	switch {
	case m.Queue != "":
		source, caller = "sqs", policy.Caller{Kind: policy.Service, Service: "sqs.amazonaws.com", SourceARN: m.Queue}
	case m.Topic != "":
		source, caller = "sns", policy.Caller{Kind: policy.Service, Service: "sns.amazonaws.com", SourceARN: m.Topic}
	}
	switch m.Kind {
	case queueevent.Continuation:
		var c continuation
		if err := json.Unmarshal(m.Text, &c); err != nil || c.Name == "" || c.Name != cleanName(c.Name) {
			list = []*Input{{Request: m.Text, Identity: m.Identity, bad: errors.New("the message is no job that was handed on")}}
		} else {
			list = []*Input{{handedOn: c.Name}}
		}
	case queueevent.Objects:
		for _, e := range m.Events {
			if e.Ignored != "" {
				continue
			}
			in := &Input{
				Identity: e.Identity(),
				Object:   objects.Ref{Bucket: e.Bucket, Key: e.Key, Version: e.VersionID, ETag: e.ETag},
				bad:      e.Err,
			}
			list = append(list, in)
			if m.Queue == "" && m.Topic == "" {
				source = string(e.Source)
				service := "s3.amazonaws.com"
				if e.Source == bucketevent.EventBridge {
					service = "events.amazonaws.com"
				}
				caller = policy.Caller{Kind: policy.Service, Service: service, SourceARN: e.BucketARN}
			}
		}
	default:
		list = []*Input{{Request: m.Text, Identity: m.Identity, bad: m.Err}}
	}
	for _, in := range list {
		in.Caller, in.source, in.id, in.receives = caller, source, m.ID, m.Receives
	}
	return list
}

// fileName makes a name that needs no escaping anywhere, so that people find the result
// of their list.
func fileName(s string) string {
	name := cleanName(s)
	if len(name) > 80 {
		name = name[:80]
	}
	return strings.Trim(name, ".")
}

// cleanName leaves only what needs no escaping anywhere.
func cleanName(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '.' || c == '_' || c == '-' {
			return c
		}
		return '-'
	}, s)
}

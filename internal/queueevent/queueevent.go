// Package queueevent speaks SQS and SNS: it tells what the messages of an event are, whatever
// services they came through. It works on any payload that may come without a queue too,
// such as an S3 event or a request that invokes a function directly.
package queueevent

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"bulkpresign/internal/bucketevent"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/strictjson"
)

// Kind is what a message is.
type Kind uint8

const (
	Bad          Kind = iota // nothing that is known here: see Err
	Request                  // a batch request, for bulk.Decode
	Objects                  // S3 tells of objects
	Continuation             // the rest of a job, which an invocation before handed on
)

// String names the kind for a log.
func (k Kind) String() string { return [...]string{"bad", "request", "objects", "continuation"}[k] }

// ContinuationMember is the member that makes a message a Continuation.
const ContinuationMember = "presign_job"

// Message is one message, out of whatever was around it.
type Message struct {
	ID       string // SQS's, to report a batch item failure with; empty without a queue
	Queue    string // the ARN of the queue, if there is one
	Topic    string // the ARN of the SNS topic that invoked the function itself, if one did
	Receipt  string // SQS's handle of this delivery
	Receives int    // which delivery it is, from 1; 0 if SQS does not tell
	Kind     Kind
	Text     []byte              // the message itself
	Events   []bucketevent.Event // of Objects, some perhaps with Err; none of a test that S3 sent

	// Identity is the same for every delivery of a message with the same text. It has the
	// form of bucketevent.Identity. Objects have identities of their own, which do not
	// depend on the message that they came in.
	Identity string

	// Err is why the message is Bad, which it will be however often it is delivered. It
	// may be shown, and holds nothing of the message.
	Err error
}

// Decode reads a payload: the event with which SQS invokes a function, whose messages
// have an ID, that with which SNS does, or else the one message that it is itself. It takes the
// payload over. The error says why an event of SQS cannot be read.
//
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
// https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
func Decode(payload []byte) ([]Message, error) {
	if s, _ := shapeOf(payload); s == notification {
		var e struct{ Records []json.RawMessage }
		if json.Unmarshal(payload, &e) == nil && len(e.Records) > 0 {
			var first struct{ EventSource string } // eventSource of SQS, EventSource of SNS: the decoder takes both
			_ = json.Unmarshal(e.Records[0], &first)
			switch first.EventSource {
			case "aws:sqs":
				return fromQueue(e.Records)
			case "aws:sns":
				return fromTopic(e.Records), nil
			}
		}
	}
	return []Message{Classify(payload)}, nil
}

// fromQueue reads each record for itself. Without its ID a message could not be given back, so that is an error of the
// whole.
func fromQueue(records []json.RawMessage) ([]Message, error) {
	all := make([]Message, len(records))
	for i, text := range records {
		var r struct {
			ID         string          `json:"messageId"`
			Receipt    string          `json:"receiptHandle"`
			Queue      string          `json:"eventSourceARN"`
			Body       json.RawMessage `json:"body"`
			Attributes struct {
				Receives json.RawMessage `json:"ApproximateReceiveCount"`
			} `json:"attributes"`
		}
		_ = json.Unmarshal(text, &r) // what it could not read is empty
		if r.ID == "" {
			return nil, fmt.Errorf("record %d of the SQS event lacks a messageId", i+1)
		}
		var body string
		if err := json.Unmarshal(r.Body, &body); err != nil {
			all[i] = bad(text, fmt.Errorf("record %d of the SQS event has no text as its body", i+1))
		} else {
			all[i] = Classify([]byte(body))
		}
		all[i].ID, all[i].Queue, all[i].Receipt = r.ID, r.Queue, r.Receipt
		all[i].Receives, _ = strconv.Atoi(strings.Trim(string(r.Attributes.Receives), `"`))
	}
	return all, nil
}

// fromTopic reads the records with which SNS invokes a function: the message is the same as through a queue.
func fromTopic(records []json.RawMessage) []Message {
	all := make([]Message, len(records))
	for i, text := range records {
		var r struct {
			SNS json.RawMessage `json:"Sns"`
		}
		var envelope snsEnvelope
		_ = json.Unmarshal(text, &r)
		if err := json.Unmarshal(r.SNS, &envelope); err != nil {
			all[i] = bad(text, fmt.Errorf("record %d of the SNS event cannot be read", i+1))
			continue
		}
		all[i] = Classify([]byte(envelope.Message))
		all[i].Topic = envelope.TopicArn
	}
	return all
}

// bad is a message that can never be used.
func bad(text []byte, err error) Message {
	return Message{Kind: Bad, Text: text, Identity: bucketevent.Identity("message", string(text)), Err: err}
}

// errDecided ends a look at a text early.
var errDecided = errors.New("decided")

// shape is what the first member that decides says of an object.
type shape uint8

const (
	unknown shape = iota
	request
	continuation
	notification
	eventBridge
	sns
)

// members are those that decide, beside the fields of a request.
var members = map[string]shape{
	ContinuationMember: continuation,
	"Records":          notification,
	"Event":            notification, // S3's test
	"detail-type":      eventBridge,
	"Type":             sns,
	"TopicArn":         sns,
}

// shapeOf looks no further than it must. What else is wrong with the text is for its
// decoder to say.
func shapeOf(text []byte) (found shape, err error) {
	r := strictjson.NewReader(text)
	if r.Peek() != strictjson.Object {
		return unknown, errors.New(`the message is no JSON object: send a request such as {"keys": ["a.jpg"]}, or an S3 event`)
	}
	_ = r.Members(func(name string) error {
		if s, ok := members[name]; ok {
			found = s
			return errDecided
		}
		if bulk.IsField(name) {
			found = request
			return errDecided
		}
		return r.Skip()
	})
	return found, nil
}

// Classify tells what a text is. It takes the text over. The envelope of SNS is taken off
// first; with raw message delivery there is none.
//
// What is an object and nothing that is known is a Request, so that the decoder of
// requests says what is wrong with it.
func Classify(text []byte) Message {
	text, s, err := unwrap(text)
	m := Message{Kind: Request, Text: text, Identity: bucketevent.Identity("message", string(text))}
	switch s {
	case continuation:
		m.Kind = Continuation
	case notification:
		m.Kind = Objects
		m.Events, err = bucketevent.ReadNotification(text)
	case eventBridge:
		m.Kind = Objects
		m.Events = make([]bucketevent.Event, 1)
		m.Events[0], err = bucketevent.ReadEventBridge(text)
	case sns:
		err = errors.New("the message is an SNS message within another: subscribe the queue to one topic")
	}
	if err != nil {
		m.Kind, m.Events, m.Err = Bad, nil, err
	}
	return m
}

// snsEnvelope is what is used of what SNS puts around a message.
//
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
type snsEnvelope struct {
	Type, TopicArn, Message string
}

// unwrap takes SNS's envelope off a text.
func unwrap(text []byte) ([]byte, shape, error) {
	s, err := shapeOf(text)
	if s != sns {
		return text, s, err
	}
	var envelope snsEnvelope
	if err := json.Unmarshal(text, &envelope); err != nil {
		return text, unknown, errors.New("the SNS message cannot be read: a field has the wrong type")
	}
	if envelope.Type != "Notification" {
		return text, unknown, errors.New("the SNS message is no notification: if it asks to confirm a subscription, do that by hand")
	}
	text = []byte(envelope.Message)
	s, err = shapeOf(text)
	return text, s, err
}

// Package queueevent speaks SQS: it tells what the messages of an event are, whatever
// services they came through. It works on any payload that may come without a queue too,
// such as an S3 event or a request that invokes a function directly.
package queueevent

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-lambda-go/events"

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
	Receipt  string // SQS's handle of this delivery
	Receives int    // which delivery it is, from 1; 0 if SQS does not tell
	Kind     Kind
	Text     []byte              // the message itself
	Events   []bucketevent.Event // of Objects; none of a test that S3 sent

	// Identity is the same for every delivery of a message with the same text. It has the
	// form of bucketevent.Identity. Objects have identities of their own, which do not
	// depend on the message that they came in.
	Identity string

	// Err is why the message is Bad, which it will be however often it is delivered. It
	// may be shown, and holds nothing of the message.
	Err error
}

// Decode reads a payload: the event with which SQS invokes a function, whose messages
// have an ID, or else the one message that it is itself, without one. It takes the
// payload over. The error says why an SQS event cannot be read.
//
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
func Decode(payload []byte) ([]Message, error) {
	if s, _ := shapeOf(payload); s == notification {
		var e events.SQSEvent
		err := json.Unmarshal(payload, &e)
		if len(e.Records) > 0 && e.Records[0].EventSource == "aws:sqs" {
			return fromQueue(&e, err)
		}
	}
	return []Message{Classify(payload)}, nil
}

func fromQueue(e *events.SQSEvent, err error) ([]Message, error) {
	if err != nil {
		return nil, errors.New("the SQS event cannot be read: a field has the wrong type")
	}
	all := make([]Message, len(e.Records))
	for i, r := range e.Records {
		if r.MessageId == "" {
			return nil, fmt.Errorf("record %d of the SQS event lacks a messageId", i)
		}
		all[i] = Classify([]byte(r.Body))
		all[i].ID, all[i].Queue, all[i].Receipt = r.MessageId, r.EventSourceARN, r.ReceiptHandle
		all[i].Receives, _ = strconv.Atoi(r.Attributes["ApproximateReceiveCount"])
	}
	return all, nil
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

// unwrap takes SNS's envelope off a text.
func unwrap(text []byte) ([]byte, shape, error) {
	s, err := shapeOf(text)
	if s != sns {
		return text, s, err
	}
	var envelope events.SNSEntity
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

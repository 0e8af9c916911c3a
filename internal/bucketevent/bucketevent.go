// Package bucketevent reads what S3 tells of objects: its own event notifications, and
// the events that it sends through EventBridge. The two write keys differently, and here
// alone that matters.
package bucketevent

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

// Source is who told of an object.
type Source string

const (
	Notification Source = "s3"          // an S3 event notification, also through SQS or SNS
	EventBridge  Source = "eventbridge" // an event of the source aws.s3
)

// Event tells of one object. Fields that the event does not have are empty.
type Event struct {
	Source    Source
	Name      string // as the source names it: ObjectCreated:Put, Object Created
	Time      time.Time
	Bucket    string
	BucketARN string // which says the partition too
	Key       string // decoded
	VersionID string // in a bucket that keeps versions
	ETag      string // without quotation marks
	Size      int64  // bytes
	Sequencer string // hexadecimal, grows with each change of the key

	// Ignored is why there is nothing to do, and empty when the object was created.
	Ignored string
}

// ReadNotification reads an S3 event notification. The notification that S3 sends to
// test a target has no events. An error says what is wrong and holds nothing of the
// text.
//
// Keys are form-encoded there: a space is a plus.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
func ReadNotification(text []byte) ([]Event, error) {
	var n struct {
		Event   string // of a test
		Records []events.S3EventRecord
	}
	if err := json.Unmarshal(text, &n); err != nil {
		return nil, errors.New("the S3 event notification cannot be read: a field has the wrong type, or a key is not form-encoded")
	}
	if n.Records == nil {
		if n.Event == testEvent {
			return nil, nil
		}
		return nil, errors.New("the S3 event notification has no records")
	}
	all := make([]Event, 0, len(n.Records))
	for i, r := range n.Records {
		e := Event{
			Source:    Notification,
			Name:      strings.TrimPrefix(r.EventName, "s3:"), // servers other than S3's own write it
			Time:      r.EventTime,
			Bucket:    r.S3.Bucket.Name,
			BucketARN: r.S3.Bucket.Arn,
			Key:       r.S3.Object.URLDecodedKey,
			VersionID: r.S3.Object.VersionID,
			ETag:      strings.Trim(r.S3.Object.ETag, `"`),
			Size:      r.S3.Object.Size,
			Sequencer: r.S3.Object.Sequencer,
		}
		if e.Name == "" {
			return nil, fmt.Errorf("record %d is no S3 event notification: it lacks an eventName", i)
		}
		if !strings.HasPrefix(e.Name, "ObjectCreated:") {
			e.Ignored = "the event is not ObjectCreated"
		} else if err := e.check(); err != nil {
			return nil, fmt.Errorf("record %d: %w", i, err)
		}
		all = append(all, e)
	}
	return all, nil
}

// testEvent is what S3 sends when a notification is configured.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-enable-disable-notification-intro.html
const testEvent = "s3:TestEvent"

// ReadEventBridge reads an event of S3 that came through EventBridge. An error says what
// is wrong and holds nothing of the text.
//
// Keys are as they are there.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
func ReadEventBridge(text []byte) (Event, error) {
	var outer events.EventBridgeEvent
	var detail struct {
		Bucket struct {
			Name string `json:"name"`
		} `json:"bucket"`
		Object struct {
			Key       string `json:"key"`
			Size      int64  `json:"size"`
			ETag      string `json:"etag"`
			VersionID string `json:"version-id"`
			Sequencer string `json:"sequencer"`
		} `json:"object"`
	}
	err := json.Unmarshal(text, &outer)
	if err == nil && outer.Source == "aws.s3" {
		err = json.Unmarshal(outer.Detail, &detail)
	}
	if err != nil {
		return Event{}, errors.New("the EventBridge event cannot be read: a field has the wrong type")
	}
	e := Event{
		Source:    EventBridge,
		Name:      outer.DetailType,
		Time:      outer.Time,
		Bucket:    detail.Bucket.Name,
		Key:       detail.Object.Key,
		VersionID: detail.Object.VersionID,
		ETag:      strings.Trim(detail.Object.ETag, `"`),
		Size:      detail.Object.Size,
		Sequencer: detail.Object.Sequencer,
	}
	if len(outer.Resources) > 0 {
		e.BucketARN = outer.Resources[0]
	}
	switch {
	case outer.Source != "aws.s3":
		err = errors.New(`the EventBridge event is not S3's: let the rule select the source aws.s3, or send a request as the target's input`)
	case e.Name != "Object Created":
		e.Ignored = "the event is not Object Created"
	default:
		err = e.check()
	}
	return e, err
}

// check makes sure that the event names an object.
func (e *Event) check() error {
	switch {
	case e.Bucket == "":
		return errors.New("the S3 event lacks the bucket's name")
	case e.Key == "":
		return errors.New("the S3 event lacks the object's key")
	case !utf8.ValidString(e.Key):
		return errors.New("the S3 event's key is not UTF-8 once it is decoded")
	}
	return nil
}

// Identity is the same for every delivery of the event, whichever way it came, and
// another one for every other content of the object: it is made of the bucket, the key,
// the version or else the ETag, and the sequencer. It has the form of Identity.
func (e *Event) Identity() string {
	content := "v" + e.VersionID
	if e.VersionID == "" {
		content = "e" + e.ETag
	}
	return Identity("object", e.Bucket, e.Key, content, strings.ToLower(e.Sequencer))
}

// Identity makes a name of what identifies an input: 32 characters of a-z and 2-7, which
// are 160 bits of SHA-256 over the parts and their lengths. It may stand in any key, and
// says nothing of the parts.
func Identity(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(p)))
		h.Write(length[:])
		h.Write([]byte(p))
	}
	return strings.ToLower(base32.StdEncoding.EncodeToString(h.Sum(nil)[:20]))
}

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
	"net/url"
	"reflect"
	"strings"
	"unicode/utf8"
)

// Source is who told of an object.
type Source string

const (
	Notification Source = "s3"          // an S3 event notification, also through SQS or SNS
	EventBridge  Source = "eventbridge" // an event of the source aws.s3
)

// Event tells of one object. Fields that the event does not have are empty. What S3 tells beside these, such as times and
// sizes, is not looked at: nothing here depends on it, and servers write it in their own ways.
type Event struct {
	Source    Source
	Name      string // as the source names it: ObjectCreated:Put, Object Created
	Bucket    string
	BucketARN string // which says the partition too
	Key       string // decoded
	VersionID string // in a bucket that keeps versions
	ETag      string // without quotation marks
	Sequencer string // hexadecimal, grows with each change of the key

	// Ignored is why there is nothing to do, and empty when the object was created.
	Ignored string

	// Err is why the record cannot be used, however often it is delivered, and nil when it can. It may be shown, and
	// holds nothing of the text. Bucket and Key are then what could be read, Key as it is written there.
	Err  error
	text []byte // of a record with Err
}

// record is what is used of a record of a notification. A field that is not used cannot break it.
type record struct {
	EventName string `json:"eventName"`
	S3        struct {
		Bucket struct {
			Name string `json:"name"`
			ARN  string `json:"arn"`
		} `json:"bucket"`
		Object struct {
			Key       string `json:"key"`
			ETag      string `json:"eTag"`
			VersionID string `json:"versionId"`
			Sequencer string `json:"sequencer"`
		} `json:"object"`
	} `json:"s3"`
}

// ReadNotification reads an S3 event notification, each record for itself: one that cannot be read is an Event with Err.
// The notification that S3 sends to test a target has no events. An error says what is wrong with the whole and holds
// nothing of the text.
//
// Keys are form-encoded there: a space is a plus.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
func ReadNotification(text []byte) ([]Event, error) {
	var n struct {
		Event   string // of a test
		Records []json.RawMessage
	}
	if err := json.Unmarshal(text, &n); err != nil {
		return nil, errors.New("the S3 event notification cannot be read: its records are no array")
	}
	if n.Records == nil {
		if n.Event == testEvent {
			return nil, nil
		}
		return nil, errors.New("the S3 event notification has no records")
	}
	all := make([]Event, len(n.Records))
	for i, r := range n.Records {
		all[i] = readRecord(r)
		if err := all[i].Err; err != nil {
			all[i].Err, all[i].text = fmt.Errorf("record %d of %d of the S3 event notification: %w", i+1, len(n.Records), err), r
		}
	}
	return all, nil
}

func readRecord(text []byte) Event {
	var r record
	// A field of another type leaves the others as they are, so that the result can still say which object it was.
	err := json.Unmarshal(text, &r)
	e := Event{
		Source:    Notification,
		Name:      strings.TrimPrefix(r.EventName, "s3:"), // servers other than S3's own write it
		Bucket:    r.S3.Bucket.Name,
		BucketARN: r.S3.Bucket.ARN,
		Key:       r.S3.Object.Key,
		VersionID: r.S3.Object.VersionID,
		ETag:      strings.Trim(r.S3.Object.ETag, `"`),
		Sequencer: r.S3.Object.Sequencer,
	}
	switch {
	case err != nil:
		e.Err = wrongType(err)
	case e.Name == "":
		e.Err = errors.New("it is none of S3's: it lacks an eventName")
	case !strings.HasPrefix(e.Name, "ObjectCreated:"):
		e.Ignored = "the event is not ObjectCreated"
	default:
		e.Err = e.decodeKey()
	}
	return e
}

// decodeKey undoes the form encoding of a notification's key.
func (e *Event) decodeKey() error {
	key, err := url.QueryUnescape(e.Key)
	if err != nil {
		return errors.New("the key is not form-encoded, as S3 writes it: a percent sign is %25 there")
	}
	if !utf8.ValidString(key) {
		return errors.New("the key is not UTF-8 once it is decoded: S3 has no such key")
	}
	e.Key = key
	return e.check()
}

// wrongType says which field is not what it should be.
func wrongType(err error) error {
	var field *json.UnmarshalTypeError
	if errors.As(err, &field) && field.Field != "" {
		return fmt.Errorf("the field %s must be %s", field.Field, map[bool]string{true: "an object", false: "a text"}[field.Type.Kind() == reflect.Struct])
	}
	return errors.New("it is no object")
}

// testEvent is what S3 sends when a notification is configured.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-enable-disable-notification-intro.html
const testEvent = "s3:TestEvent"

// ReadEventBridge reads an event of S3 that came through EventBridge. One that is S3's and cannot be read is an Event
// with Err; an error says that it is not S3's, and holds nothing of the text.
//
// Keys are as they are there.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
func ReadEventBridge(text []byte) (Event, error) {
	var outer struct {
		Source     string            `json:"source"`
		DetailType string            `json:"detail-type"`
		Resources  []json.RawMessage `json:"resources"`
		Detail     struct {
			Bucket struct {
				Name string `json:"name"`
			} `json:"bucket"`
			Object struct {
				Key       string `json:"key"`
				ETag      string `json:"etag"`
				VersionID string `json:"version-id"`
				Sequencer string `json:"sequencer"`
			} `json:"object"`
		} `json:"detail"`
	}
	err := json.Unmarshal(text, &outer)
	if outer.Source != "aws.s3" {
		return Event{}, errors.New(`the EventBridge event is not S3's: let the rule select the source aws.s3, or send a request as the target's input`)
	}
	detail := &outer.Detail
	e := Event{
		Source:    EventBridge,
		Name:      outer.DetailType,
		Bucket:    detail.Bucket.Name,
		Key:       detail.Object.Key,
		VersionID: detail.Object.VersionID,
		ETag:      strings.Trim(detail.Object.ETag, `"`),
		Sequencer: detail.Object.Sequencer,
	}
	if len(outer.Resources) > 0 {
		_ = json.Unmarshal(outer.Resources[0], &e.BucketARN) // the policy judges what it does not know
	}
	switch {
	case err != nil:
		e.Err = wrongType(err)
	case e.Name != "Object Created":
		e.Ignored = "the event is not Object Created"
	default:
		e.Err = e.check()
	}
	if e.Err != nil {
		e.Err, e.text = fmt.Errorf("the EventBridge event: %w", e.Err), text
	}
	return e, nil
}

// check makes sure that the event names an object.
func (e *Event) check() error {
	switch {
	case e.Bucket == "":
		return errors.New("it lacks the bucket's name")
	case e.Key == "":
		return errors.New("it lacks the object's key")
	}
	return nil
}

// Identity is the same for every delivery of the event, whichever way it came, and
// another one for every other content of the object: it is made of the bucket, the key,
// the version or else the ETag, and the sequencer; of a record that cannot be read, of its text. It has the form of
// Identity.
func (e *Event) Identity() string {
	if e.Err != nil {
		return Identity("record", string(e.text))
	}
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

package queueevent_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/queueevent"
)

const (
	s3      = `{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"k+1","eTag":"e","sequencer":"1"}}}]}`
	deleted = `{"Records":[{"eventSource":"aws:s3","eventName":"ObjectRemoved:Delete","s3":{"bucket":{"name":"b"},"object":{"key":"k","sequencer":"1"}}}]}`
	bridge  = `{"version":"0","detail-type":"Object Created","source":"aws.s3","detail":{"bucket":{"name":"b"},"object":{"key":"k 1","etag":"e","sequencer":"1"}}}`
	s3test  = `{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}`
)

// published wraps a text as SNS does.
func published(text string) string {
	b, _ := json.Marshal(map[string]string{"Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:eu-west-1:123456789012:t", "Message": text})
	return string(b)
}

func TestClassify(t *testing.T) {
	for _, test := range []struct {
		text   string
		kind   queueevent.Kind
		events int
		err    string
	}{
		{`{"keys":["a"]}`, queueevent.Request, 0, ""},
		{` {"bucket":"b","prefix":"a/"}`, queueevent.Request, 0, ""},
		{`{"keys":["Records"],"metadata":{"Type":"x"}}`, queueevent.Request, 0, ""},
		{`{"expires_in":1,"Records":[]}`, queueevent.Request, 0, ""}, // whose decoder says that it has an unknown field
		{`{}`, queueevent.Request, 0, ""},
		{`{"nope":1}`, queueevent.Request, 0, ""},
		{`{"keys":["a"`, queueevent.Request, 0, ""},
		{`{"presign_job":1,"keys":"x"}`, queueevent.Continuation, 0, ""},
		{s3, queueevent.Objects, 1, ""},
		{deleted, queueevent.Objects, 1, ""},
		{s3test, queueevent.Objects, 0, ""},
		{`{"Records":[]}`, queueevent.Objects, 0, ""},
		{bridge, queueevent.Objects, 1, ""},
		{published(s3), queueevent.Objects, 1, ""},
		{published(bridge), queueevent.Objects, 1, ""},
		{published(s3test), queueevent.Objects, 0, ""},
		{published(`{"keys":["a"]}`), queueevent.Request, 0, ""},
		{published(published(s3)), queueevent.Bad, 0, "within another"},
		{published(`hello`), queueevent.Bad, 0, "no JSON object"},
		{`{"Type":"SubscriptionConfirmation","Token":"secret","TopicArn":"a"}`, queueevent.Bad, 0, "no notification"},
		{`{"Type":["secret"]}`, queueevent.Bad, 0, "wrong type"},
		{``, queueevent.Bad, 0, "no JSON object"},
		{`["a"]`, queueevent.Bad, 0, "no JSON object"},
		{`"secret"`, queueevent.Bad, 0, "no JSON object"},
		{`{"Records":["secret"]}`, queueevent.Objects, 1, ""}, // an event whose record says that it cannot be read
		{`{"Records":"secret"}`, queueevent.Bad, 0, "no array"},
		{`{"detail-type":"x","source":"secret"}`, queueevent.Bad, 0, "not S3's"},
	} {
		m := queueevent.Classify([]byte(test.text))
		if m.Kind != test.kind || len(m.Events) != test.events || (m.Err == nil) != (test.err == "") || m.Kind == queueevent.Bad && m.Err == nil {
			t.Errorf("%s: %s, %d events, %v", test.text, m.Kind, len(m.Events), m.Err)
		}
		if m.Err != nil && (!strings.Contains(m.Err.Error(), test.err) || strings.Contains(m.Err.Error(), "secret")) {
			t.Errorf("%s: %v", test.text, m.Err)
		}
	}
}

// A message has one identity, with and without SNS around it; so has an object, in
// whatever message it comes.
func TestIdentity(t *testing.T) {
	id := func(text string) string {
		m := queueevent.Classify([]byte(text))
		if len(m.Events) > 0 {
			return m.Events[0].Identity()
		}
		return m.Identity
	}
	if id(`{"keys":["a"]}`) != id(published(`{"keys":["a"]}`)) {
		t.Error("SNS changes a request's identity")
	}
	if id(`{"keys":["a"]}`) == id(`{"keys":["b"]}`) || id("x") == id("y") {
		t.Error("two messages have one identity")
	}
	for _, text := range []string{published(s3), bridge, published(bridge)} {
		if id(text) != id(s3) {
			t.Errorf("%s: the object has another identity", text)
		}
	}
}

func sample(t testing.TB, name string) []byte {
	text, err := os.ReadFile("../../events/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestSamples(t *testing.T) {
	for name, want := range map[string]struct {
		kind    queueevent.Kind
		inQueue bool
	}{
		"direct.json":          {queueevent.Request, false},
		"s3-notification.json": {queueevent.Objects, false},
		"eventbridge.json":     {queueevent.Objects, false},
		"sqs-request.json":     {queueevent.Request, true},
		"sqs-s3.json":          {queueevent.Objects, true},
		"sqs-sns-s3.json":      {queueevent.Objects, true},
		"sns-s3.json":          {queueevent.Objects, false},
	} {
		all, err := queueevent.Decode(sample(t, name))
		if err != nil || len(all) != 1 {
			t.Errorf("%s: %d messages, %v", name, len(all), err)
			continue
		}
		m := all[0]
		if m.Kind != want.kind || (m.ID != "") != want.inQueue || (m.Queue != "") != want.inQueue {
			t.Errorf("%s: %s, ID %q, %v", name, m.Kind, m.ID, m.Err)
		}
		switch m.Kind {
		case queueevent.Request:
			if _, err := bulk.Decode(m.Text, 10); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		case queueevent.Objects:
			if len(m.Events) != 1 || m.Events[0].Key != "manifests/harbour at dawn+1.csv" || m.Events[0].Ignored != "" {
				t.Errorf("%s: %+v", name, m.Events)
			}
		}
	}
}

// A bad message does not spoil the others of its batch.
func TestDecode(t *testing.T) {
	record := func(id, body string) string {
		text, _ := json.Marshal(body)
		return `{"messageId":"` + id + `","body":` + string(text) + `,"eventSource":"aws:sqs"}`
	}
	all, err := queueevent.Decode([]byte(`{"Records":[` + record("1", "nonsense") + "," + record("2", `{"keys":["a"]}`) + "," + record("3", s3) + `]}`))
	if err != nil || len(all) != 3 {
		t.Fatalf("%+v, %v", all, err)
	}
	for i, kind := range []queueevent.Kind{queueevent.Bad, queueevent.Request, queueevent.Objects} {
		if all[i].Kind != kind || all[i].ID != string(rune('1'+i)) {
			t.Errorf("%d: %+v", i, all[i])
		}
	}
	// A message whose body is none is one of the batch: it has a result, and the others have theirs.
	all, err = queueevent.Decode([]byte(`{"Records":[` + record("1", `{"keys":["a"]}`) + `,{"eventSource":"aws:sqs","messageId":"2","body":["x"],"attributes":{"ApproximateReceiveCount":3}}]}`))
	if err != nil || len(all) != 2 || all[0].Kind != queueevent.Request || all[1].Kind != queueevent.Bad || all[1].ID != "2" || all[1].Receives != 3 {
		t.Errorf("%+v, %v", all, err)
	}
	for _, bad := range []string{
		`{"Records":[{"eventSource":"aws:sqs","body":"{}"}]}`,
	} {
		if all, err := queueevent.Decode([]byte(bad)); err == nil {
			t.Errorf("%s: %+v", bad, all)
		}
	}
}

// SNS invokes a function itself: each record is a message, and the topic is who brought it.
func TestDecodeSNS(t *testing.T) {
	const topic = "arn:aws:sns:eu-west-1:123456789012:t"
	record := func(message string) string {
		text, _ := json.Marshal(message)
		return `{"EventSource":"aws:sns","EventVersion":"1.0","Sns":{"Type":"Notification","Timestamp":"","TopicArn":"` + topic + `","Message":` + string(text) + `}}`
	}
	all, err := queueevent.Decode([]byte(`{"Records":[` + record(s3) + "," + record("hello") + "," + record(`{"keys":["a"]}`) + `,{"EventSource":"aws:sns","Sns":"x"}]}`))
	if err != nil || len(all) != 4 {
		t.Fatalf("%+v, %v", all, err)
	}
	for i, kind := range []queueevent.Kind{queueevent.Objects, queueevent.Bad, queueevent.Request, queueevent.Bad} {
		if all[i].Kind != kind || all[i].ID != "" || i < 3 && all[i].Topic != topic {
			t.Errorf("%d: %+v", i, all[i])
		}
	}
	if queueevent.Classify([]byte(s3)).Events[0].Identity() != all[0].Events[0].Identity() {
		t.Error("the object has another identity")
	}
}

// Any bytes: no panic, every message is of one kind, and a Bad one says why.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"direct.json", "s3-notification.json", "eventbridge.json", "sqs-request.json", "sqs-s3.json", "sqs-sns-s3.json", "sns-s3.json"} {
		f.Add(sample(f, name))
	}
	for _, s := range []string{s3, deleted, bridge, s3test, published(s3), published("x"), `{"presign_job":{}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		all, err := queueevent.Decode(payload)
		if err == nil && len(all) == 0 {
			t.Errorf("%q has no message", payload)
		}
		for _, m := range all {
			if (m.Kind == queueevent.Bad) != (m.Err != nil) || len(m.Identity) != 32 || m.Kind != queueevent.Objects && m.Events != nil {
				t.Errorf("%q gives %+v", payload, m)
			}
		}
	})
}

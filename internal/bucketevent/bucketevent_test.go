package bucketevent_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bulkpresign/internal/bucketevent"
)

// notification is a record of an S3 event notification with a key as S3 writes it.
func notification(name, key string) string {
	return `{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","eventTime":"1970-01-01T00:00:00.000Z","eventName":"` + name + `",` +
		`"s3":{"bucket":{"name":"photos","arn":"arn:aws:s3:::photos"},"object":{"key":"` + key + `","size":1024,"eTag":"d41d8cd98f00b204e9800998ecf8427e","versionId":"096fKKXTRTtl3on89fVO.nfljtsv6qko","sequencer":"0055AED6DCD90281E5"}}}]}`
}

// created is an event as EventBridge hands it on.
func created(key string) string {
	return `{"version":"0","id":"17793124-05d4-b198-2fde-7ededc63b103","detail-type":"Object Created","source":"aws.s3","account":"111122223333",` +
		`"time":"2021-11-12T00:00:00Z","region":"ca-central-1","resources":["arn:aws:s3:::photos"],"detail":{"version":"0","bucket":{"name":"photos"},` +
		`"object":{"key":"` + key + `","size":5,"etag":"b1946ac92492d2347c6235b4d2611184","version-id":"IYV3p45BT0ac8hjHg1houSdS1a.Mro8e","sequencer":"617f08299329d189"},` +
		`"request-id":"N4N7GDK58NMKJ12R","requester":"123456789012","source-ip-address":"1.2.3.4","reason":"PutObject"}}`
}

func TestReadNotification(t *testing.T) {
	got, err := bucketevent.ReadNotification([]byte(notification("ObjectCreated:Put", "HappyFace.jpg")))
	if err != nil {
		t.Fatal(err)
	}
	want := []bucketevent.Event{{
		Source: bucketevent.Notification, Name: "ObjectCreated:Put", Bucket: "photos", BucketARN: "arn:aws:s3:::photos", Key: "HappyFace.jpg",
		VersionID: "096fKKXTRTtl3on89fVO.nfljtsv6qko", ETag: "d41d8cd98f00b204e9800998ecf8427e", Sequencer: "0055AED6DCD90281E5",
	}}
	if d := cmp.Diff(want, got, cmpopts.IgnoreUnexported(bucketevent.Event{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// The same keys, written as each source writes them. The first is the example of the
// documentation of notifications: "red flower.jpg" arrives as "red+flower.jpg".
func TestKeys(t *testing.T) {
	for _, key := range []struct{ is, notification, eventBridge string }{
		{"red flower.jpg", "red+flower.jpg", "red flower.jpg"},
		{"a+b", "a%2Bb", "a+b"},
		{"100%", "100%25", "100%"},
		{"%41", "%2541", "%41"},
		{"é", "%C3%A9", "é"},
		{"😀/x", "%F0%9F%98%80/x", `\ud83d\ude00/x`},
		{"a\nb", "a%0Ab", `a\nb`},
		{"..//", "..//", "..//"},
	} {
		list, err := bucketevent.ReadNotification([]byte(notification("ObjectCreated:Copy", key.notification)))
		if err != nil || len(list) != 1 || list[0].Key != key.is {
			t.Errorf("notification of %q: %+v, %v", key.is, list, err)
		}
		e, err := bucketevent.ReadEventBridge([]byte(created(key.eventBridge)))
		if err != nil || e.Key != key.is {
			t.Errorf("EventBridge's of %q: %+v, %v", key.is, e, err)
		}
	}
}

func TestReadEventBridge(t *testing.T) {
	got, err := bucketevent.ReadEventBridge([]byte(created("example-key")))
	want := bucketevent.Event{
		Source: bucketevent.EventBridge, Name: "Object Created", Bucket: "photos", BucketARN: "arn:aws:s3:::photos", Key: "example-key",
		VersionID: "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e", ETag: "b1946ac92492d2347c6235b4d2611184", Sequencer: "617f08299329d189",
	}
	if d := cmp.Diff(want, got, cmpopts.IgnoreUnexported(bucketevent.Event{})); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

func TestIgnored(t *testing.T) {
	for _, name := range []string{"ObjectRemoved:Delete", "ObjectRestore:Completed", "ReducedRedundancyLostObject", "ObjectTagging:Put", "LifecycleExpiration:Delete"} {
		list, err := bucketevent.ReadNotification([]byte(notification(name, "a")))
		if err != nil || len(list) != 1 || list[0].Ignored == "" {
			t.Errorf("%s: %+v, %v", name, list, err)
		}
	}
	for _, name := range []string{"Object Deleted", "Object Restore Completed", "Object Tags Added"} {
		e, err := bucketevent.ReadEventBridge([]byte(strings.Replace(created("a"), "Object Created", name, 1)))
		if err != nil || e.Ignored == "" {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
	// What other servers write before the name changes nothing.
	list, err := bucketevent.ReadNotification([]byte(notification("s3:ObjectCreated:Put", "a")))
	if err != nil || list[0].Ignored != "" || list[0].Name != "ObjectCreated:Put" {
		t.Errorf("%+v, %v", list, err)
	}
	test := `{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2014-10-13T15:57:02.089Z","Bucket":"photos","RequestId":"5582815E1AEA5ADF","HostId":"8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE"}`
	if list, err := bucketevent.ReadNotification([]byte(test)); err != nil || len(list) != 0 {
		t.Errorf("S3's test: %+v, %v", list, err)
	}
}

// A whole that cannot be read, and an event that is another's, are errors.
func TestBadEvents(t *testing.T) {
	const secret = "DO-NOT-SHOW"
	for text, part := range map[string]string{
		`{"Event":"` + secret + `"}`:         "no records",
		`{"Records":{"a":"` + secret + `"}}`: "no array",
	} {
		list, err := bucketevent.ReadNotification([]byte(text))
		if err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), secret) {
			t.Errorf("%.80s: %+v, %v", text, list, err)
		}
	}
	if e, err := bucketevent.ReadEventBridge([]byte(strings.Replace(created(secret), "aws.s3", secret, 1))); err == nil || !strings.Contains(err.Error(), "not S3's") || strings.Contains(err.Error(), secret) {
		t.Errorf("%+v, %v", e, err)
	}
}

// A record that cannot be read says which it is and why, tells what can be shown, and leaves the others theirs. Where a
// row came from stands behind it.
func TestRecordsForThemselves(t *testing.T) {
	const good = `{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"photos"},"object":{"key":"good%2B1"}}}`
	record := func(key string) string {
		return `{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"photos"},"object":{"key":` + key + `}}}`
	}
	for _, test := range []struct{ bad, key, err string }{
		{record(`"50%.jpg"`), "50%.jpg", "not form-encoded"}, // quilt #5162
		{record(`"a%2"`), "a%2", "not form-encoded"},         // cut off
		{record(`"caf%E9.jpg"`), "caf%E9.jpg", "not UTF-8"},  // quilt #5162: Latin-1
		{record(`""`), "", "lacks the object's key"},         // aws-lambda-java-libs #349: an empty field
		{record(`5`), "", "s3.object.key must be a text"},    // of another type
		{`{"eventName":"ObjectCreated:Put"}`, "", "lacks the bucket's name"},
		{`{"s3":{"object":{"key":"x"}}}`, "x", "lacks an eventName"},
		{`{"eventName":"ObjectCreated:Put","s3":{"bucket":"photos"}}`, "", "s3.bucket must be an object"},
		{`"photos/x"`, "", "no object"},
	} {
		list, err := bucketevent.ReadNotification([]byte(`{"Records":[` + good + `,` + test.bad + `,` + good + `]}`))
		if err != nil || len(list) != 3 {
			t.Errorf("%s: %d events, %v", test.bad, len(list), err)
			continue
		}
		for _, i := range []int{0, 2} {
			if list[i].Err != nil || list[i].Key != "good+1" {
				t.Errorf("beside %s: %+v", test.bad, list[i])
			}
		}
		bad := list[1]
		if bad.Err == nil || !strings.Contains(bad.Err.Error(), "record 2 of 3") || !strings.Contains(bad.Err.Error(), test.err) || bad.Key != test.key {
			t.Errorf("%s: key %q, %v", test.bad, bad.Key, bad.Err)
		}
		if bad.Identity() == list[0].Identity() {
			t.Errorf("%s has the identity of another record", test.bad)
		}
	}
	e, err := bucketevent.ReadEventBridge([]byte(created("")))
	if err != nil || e.Err == nil || e.Bucket != "photos" {
		t.Errorf("EventBridge: %+v, %v", e, err)
	}
}

// What is not used cannot break an event: aws-lambda-java-libs #349 and #481 had an empty eventTime and sizes as texts.
func TestUnusedFields(t *testing.T) {
	for _, change := range [][2]string{
		{`"eventTime":"1970-01-01T00:00:00.000Z"`, `"eventTime":""`},
		{`"eventTime":"1970-01-01T00:00:00.000Z"`, `"eventTime":1700000000`},
		{`"eventTime":"1970-01-01T00:00:00.000Z"`, `"eventTime":"1970-01-01 00:00:00"`},
		{`"size":1024`, `"size":"1024"`},
		{`"size":1024`, `"size":1e99`},
		{`"eventVersion":"2.1"`, `"eventVersion":2.1`},
	} {
		text := strings.Replace(notification("ObjectCreated:Put", "a"), change[0], change[1], 1)
		if list, err := bucketevent.ReadNotification([]byte(text)); err != nil || len(list) != 1 || list[0].Err != nil || list[0].Key != "a" {
			t.Errorf("%s: %+v, %v", change[1], list, err)
		}
	}
	for _, change := range [][2]string{
		{`"time":"2021-11-12T00:00:00Z"`, `"time":""`},
		{`"size":5`, `"size":"5"`},
		{`"resources":["arn:aws:s3:::photos"]`, `"resources":[]`},
		{`"resources":["arn:aws:s3:::photos"]`, `"resources":[null]`},
		{`"account":"111122223333"`, `"account":111122223333`},
	} {
		text := strings.Replace(created("a"), change[0], change[1], 1)
		if e, err := bucketevent.ReadEventBridge([]byte(text)); err != nil || e.Err != nil || e.Key != "a" {
			t.Errorf("%s: %+v, %v", change[1], e, err)
		}
	}
}

// The samples tell of the same object, so they have one identity.
func TestIdentityIsTheObjects(t *testing.T) {
	read := func(name string) []byte {
		text, err := os.ReadFile("../../events/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	list, err := bucketevent.ReadNotification(read("s3-notification.json"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := bucketevent.ReadEventBridge(read("eventbridge.json"))
	if err != nil {
		t.Fatal(err)
	}
	if list[0].Identity() != e.Identity() {
		t.Errorf("%+v and %+v have two identities", list[0], e)
	}
}

func TestIdentity(t *testing.T) {
	one := bucketevent.Event{Bucket: "b", Key: "k", VersionID: "v", ETag: "e", Sequencer: "A1"}
	if got := one.Identity(); !regexp.MustCompile(`^[a-z2-7]{32}$`).MatchString(got) {
		t.Errorf("%q", got)
	}
	same := one
	same.Source, same.Name, same.Sequencer = "x", "y", "a1"
	if same.Identity() != one.Identity() {
		t.Error("a delivery makes a difference")
	}
	seen := map[string]int{one.Identity(): -1}
	for i, change := range []func(*bucketevent.Event){
		func(e *bucketevent.Event) { e.Bucket = "bk"; e.Key = "" },
		func(e *bucketevent.Event) { e.Key = "kv"; e.VersionID = "" },
		func(e *bucketevent.Event) { e.Key = "K" },
		func(e *bucketevent.Event) { e.VersionID = "w" },
		func(e *bucketevent.Event) { e.VersionID = ""; e.ETag = "v" },
		func(e *bucketevent.Event) { e.VersionID = "" },
		func(e *bucketevent.Event) { e.Sequencer = "A10" },
		func(e *bucketevent.Event) { e.Sequencer = "" },
	} {
		e := one
		change(&e)
		if was, ok := seen[e.Identity()]; ok {
			t.Errorf("change %d gives the identity of %d", i, was)
		}
		seen[e.Identity()] = i
	}
	// A name that is in use must not change with the code.
	if got, want := bucketevent.Identity("a", "bc"), "h6x2dtzpdgt4ceu35mqm6cmd645ergrc"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Any bytes: no panic, and what is neither ignored nor wrong has a bucket and a key of UTF-8.
func FuzzRead(f *testing.F) {
	f.Add([]byte(notification("ObjectCreated:Put", "a%2Bb")))
	f.Add([]byte(created("a+b")))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := bucketevent.ReadNotification(text)
		if e, bridgeErr := bucketevent.ReadEventBridge(text); bridgeErr == nil {
			list = append(list, e)
		} else if err != nil {
			return
		}
		for _, e := range list {
			if e.Ignored == "" && e.Err == nil && (e.Bucket == "" || e.Key == "" || !utf8.ValidString(e.Key)) {
				t.Errorf("%q gives %+v", text, e)
			}
			if !json.Valid([]byte(`"` + e.Identity() + `"`)) {
				t.Errorf("identity %q", e.Identity())
			}
		}
	})
}

package sqssource_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/standin/moto"
	"bulkpresign/internal/standin/sqsserver"
	"bulkpresign/internal/standin/sqssource"
)

const region = "eu-west-1"

// function answers with what its func says, and keeps the events.
type function struct {
	answer func(event events.SQSEvent) (string, error)

	holdsFor time.Duration

	mu         sync.Mutex
	events     []events.SQSEvent
	raw        [][]byte
	at         []time.Time
	busy, most int // under way, now and at most
}

func (f *function) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	var e events.SQSEvent
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.events, f.raw, f.at = append(f.events, e), append(f.raw, event), append(f.at, time.Now())
	f.busy++
	f.most = max(f.most, f.busy)
	f.mu.Unlock()
	time.Sleep(f.holdsFor)
	payload, err := f.answer(e)
	f.mu.Lock()
	f.busy--
	f.mu.Unlock()
	return []byte(payload), err
}

// bed is a queue with dead letters and a source on it.
type bed struct {
	client    *sqs.Client
	url, dead string
	arn       string
}

// newBed makes queues whose messages show up again after so many seconds.
func newBed(t *testing.T, endpoint, visibility string) *bed {
	t.Helper()
	b := &bed{client: sqs.New(sqs.Options{
		BaseEndpoint: &endpoint, Region: region,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	})}
	b.dead, b.arn = b.create(t, "dead", nil)
	b.url, b.arn = b.create(t, "requests", map[string]string{
		"VisibilityTimeout": visibility,
		"RedrivePolicy":     `{"deadLetterTargetArn":"` + b.arn + `","maxReceiveCount":"2"}`,
	})
	return b
}

func ours(t *testing.T, visibility string) *bed {
	t.Helper()
	s, err := sqsserver.Start(sqsserver.Config{Region: region})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return newBed(t, s.Endpoint(), visibility)
}

func (b *bed) create(t *testing.T, name string, attributes map[string]string) (url, arn string) {
	t.Helper()
	out, err := b.client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	return *out.QueueUrl, b.attributes(t, *out.QueueUrl)["QueueArn"]
}

func (b *bed) attributes(t *testing.T, url string) map[string]string {
	t.Helper()
	out, err := b.client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Attributes
}

func (b *bed) send(t *testing.T, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		if _, err := b.client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &b.url, MessageBody: &body}); err != nil {
			t.Fatal(err)
		}
	}
}

// counts are the messages in the queue, those in flight included, and the dead letters.
func (b *bed) counts(t *testing.T) (left, dead string) {
	t.Helper()
	a := b.attributes(t, b.url)
	n, m := a["ApproximateNumberOfMessages"], a["ApproximateNumberOfMessagesNotVisible"]
	return n + "+" + m, b.attributes(t, b.dead)["ApproximateNumberOfMessages"]
}

// run polls until the function has answered so many events, and one more is not to come within the time that an
// unanswered message takes to show up again.
func (b *bed) run(t *testing.T, s *sqssource.Source, f *function, want int) {
	t.Helper()
	answered := make(chan error, 1000)
	s.Queue, s.URL, s.ARN, s.Function = b.client, b.url, b.arn, f
	s.Done = func(_, _ []string, err error) { answered <- err }
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for range want {
		select {
		case <-answered:
		case <-time.After(20 * time.Second):
			t.Fatal("the function was not called often enough")
		}
	}
	select {
	case <-answered:
		t.Errorf("called more than %d times", want)
	case <-time.After(1500 * time.Millisecond):
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// bodies of an event, in order.
func bodies(e events.SQSEvent) (all []string) {
	for _, r := range e.Records {
		all = append(all, r.Body)
	}
	slices.Sort(all)
	return all
}

// How the answer of the function decides about the messages.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
func TestAnswers(t *testing.T) {
	id := func(e events.SQSEvent, body string) string {
		for _, r := range e.Records {
			if r.Body == body {
				return r.MessageId
			}
		}
		return ""
	}
	tests := []struct {
		name      string
		unaware   bool // ReportBatchItemFailures is off
		answer    func(e events.SQSEvent) (string, error)
		wantAgain []string // the bodies of the second event
	}{
		{"nothing", false, func(events.SQSEvent) (string, error) { return "", nil }, nil},
		{"null", false, func(events.SQSEvent) (string, error) { return "null", nil }, nil},
		{"an empty object", false, func(events.SQSEvent) (string, error) { return "{}", nil }, nil},
		{"no failures", false, func(events.SQSEvent) (string, error) { return `{"batchItemFailures":[]}`, nil }, nil},
		{"null failures", false, func(events.SQSEvent) (string, error) { return `{"batchItemFailures":null}`, nil }, nil},
		{"one of them", false, func(e events.SQSEvent) (string, error) {
			return fmt.Sprintf(`{"batchItemFailures":[{"itemIdentifier":%q}]}`, id(e, "b")), nil
		}, []string{"b"}},
		{"one of them, unheard", true, func(e events.SQSEvent) (string, error) {
			return fmt.Sprintf(`{"batchItemFailures":[{"itemIdentifier":%q}]}`, id(e, "b")), nil
		}, nil},
		{"an error", false, func(events.SQSEvent) (string, error) { return "", errors.New("no") }, []string{"a", "b", "c"}},
		{"not JSON", false, func(events.SQSEvent) (string, error) { return `{`, nil }, []string{"a", "b", "c"}},
		{"a string", false, func(events.SQSEvent) (string, error) { return `"ok"`, nil }, []string{"a", "b", "c"}},
		{"an empty id", false, func(events.SQSEvent) (string, error) {
			return `{"batchItemFailures":[{"itemIdentifier":""}]}`, nil
		}, []string{"a", "b", "c"}},
		{"a null id", false, func(events.SQSEvent) (string, error) {
			return `{"batchItemFailures":[{"itemIdentifier":null}]}`, nil
		}, []string{"a", "b", "c"}},
		{"another name", false, func(e events.SQSEvent) (string, error) {
			return fmt.Sprintf(`{"batchItemFailures":[{"messageId":%q}]}`, id(e, "b")), nil
		}, []string{"a", "b", "c"}},
		{"an unknown id", false, func(e events.SQSEvent) (string, error) {
			return `{"batchItemFailures":[{"itemIdentifier":"059f36b4-87a3-44ab-83d2-661975830a7d"}]}`, nil
		}, []string{"a", "b", "c"}},
	}
	// All of them wait most of the time, so there is no need for a processor each, as t.Parallel has it.
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, tt := range tests {
		wg.Go(func() {
			t.Run(tt.name, func(t *testing.T) {
				b := ours(t, "1")
				b.send(t, "a", "b", "c")
				f := &function{}
				var once sync.Once
				f.answer = func(e events.SQSEvent) (answer string, err error) {
					once.Do(func() { answer, err = tt.answer(e) })
					return answer, err
				}
				want := 1
				if tt.wantAgain != nil {
					want = 2
				}
				b.run(t, &sqssource.Source{ReportBatchItemFailures: !tt.unaware}, f, want)
				if got := bodies(f.events[0]); !slices.Equal(got, []string{"a", "b", "c"}) {
					t.Errorf("the first event has %q", got)
				}
				if want == 2 && !slices.Equal(bodies(f.events[1]), tt.wantAgain) {
					t.Errorf("came again: %q, want %q", bodies(f.events[1]), tt.wantAgain)
				}
				if left, dead := b.counts(t); left != "0+0" || dead != "0" {
					t.Errorf("%s messages left and %s dead letters, want none", left, dead)
				}
			})
		})
	}
}

// A message that fails every time is delivered as often as the redrive policy says, not before its visibility
// timeout has ended, and then is a dead letter. moto says the same.
func TestDeadLetters(t *testing.T) {
	test := func(t *testing.T, b *bed) {
		b.send(t, "good", "bad")
		f := &function{answer: func(e events.SQSEvent) (string, error) {
			for _, r := range e.Records {
				if r.Body == "bad" {
					return fmt.Sprintf(`{"batchItemFailures":[{"itemIdentifier":%q}]}`, r.MessageId), nil
				}
			}
			return "", nil
		}}
		b.run(t, &sqssource.Source{ReportBatchItemFailures: true}, f, 2)
		if f.at[1].Sub(f.at[0]) < 900*time.Millisecond {
			t.Error("delivered again before the visibility timeout ended")
		}
		if got := bodies(f.events[1]); !slices.Equal(got, []string{"bad"}) {
			t.Errorf("came again: %q", got)
		}
		if n := f.events[1].Records[0].Attributes["ApproximateReceiveCount"]; n != "2" {
			t.Errorf("receive count %s, want 2", n)
		}
		if left, dead := b.counts(t); left != "0+0" || dead != "1" {
			t.Errorf("%s messages left and %s dead letters, want 0+0 and 1", left, dead)
		}
	}
	t.Run("sqsserver", func(t *testing.T) { t.Parallel(); test(t, ours(t, "1")) })
	t.Run("moto", func(t *testing.T) { t.Parallel(); test(t, newBed(t, moto.Require(t).Endpoint(), "1")) })
}

// The members of an event, as in
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event
func TestEvent(t *testing.T) {
	t.Parallel()
	b := ours(t, "1")
	if _, err := b.client.SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: &b.url, MessageBody: aws.String("Test message."),
		MessageAttributes: map[string]types.MessageAttributeValue{
			"myAttribute": {DataType: aws.String("String"), StringValue: aws.String("myValue")},
		},
	}); err != nil {
		t.Fatal(err)
	}
	f := &function{answer: func(events.SQSEvent) (string, error) { return "", nil }}
	b.run(t, &sqssource.Source{}, f, 1)
	var got struct{ Records []map[string]any }
	if err := json.Unmarshal(f.raw[0], &got); err != nil || len(got.Records) != 1 {
		t.Fatalf("%d records, %v", len(got.Records), err)
	}
	r := got.Records[0]
	for _, varying := range []string{"messageId", "receiptHandle"} {
		if s, _ := r[varying].(string); s == "" {
			t.Errorf("no %s", varying)
		}
		delete(r, varying)
	}
	a, _ := r["attributes"].(map[string]any)
	for _, varying := range []string{"SentTimestamp", "ApproximateFirstReceiveTimestamp"} {
		if s, _ := a[varying].(string); len(s) != len("1545082649183") {
			t.Errorf("%s is not in milliseconds", varying)
		}
		delete(a, varying)
	}
	want := map[string]any{
		"body":       "Test message.",
		"attributes": map[string]any{"ApproximateReceiveCount": "1", "SenderId": "AIDAIENQZJOLO23YVJ4VO"},
		"messageAttributes": map[string]any{"myAttribute": map[string]any{
			"stringValue": "myValue", "stringListValues": []any{}, "binaryListValues": []any{}, "dataType": "String",
		}},
		"md5OfBody":      "e4e68fb7bd0e697a0ae8f1bb342846b3",
		"eventSource":    "aws:sqs",
		"eventSourceARN": "arn:aws:sqs:eu-west-1:000000000000:requests",
		"awsRegion":      "eu-west-1",
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// With a window a batch is gathered over several receives; it is never larger than its size, and never over what an
// event may have.
func TestBatches(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		source     sqssource.Source
		messages   int
		size       int // bytes of a body
		wantEvents int // each as full as can be
		wantMost   int // messages
	}{
		{"one receive", sqssource.Source{}, 20, 1, 2, 10},
		{"small batches", sqssource.Source{BatchSize: 4}, 12, 1, 3, 4},
		// One poller: a second could take what the first still waits for, and both would send less than a whole batch.
		{"a window", sqssource.Source{BatchSize: 25, BatchingWindow: 20 * time.Second, MaxConcurrency: 1}, 50, 1, 2, 25},
		{"6 MB", sqssource.Source{}, 10, 1_000_000, 2, 6},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := ours(t, "60") // a busy machine may take a while to gather a batch
			for range tt.messages {
				b.send(t, strings.Repeat("x", tt.size))
			}
			f := &function{answer: func(events.SQSEvent) (string, error) { return "", nil }}
			b.run(t, &tt.source, f, tt.wantEvents)
			seen := map[string]bool{}
			for _, e := range f.events {
				if len(e.Records) > tt.wantMost {
					t.Errorf("an event of %d messages, want %d at most", len(e.Records), tt.wantMost)
				}
				for _, r := range e.Records {
					seen[r.MessageId] = true
				}
			}
			if len(seen) != tt.messages {
				t.Errorf("%d messages came, want %d", len(seen), tt.messages)
			}
		})
	}
	if err := (&sqssource.Source{BatchSize: 11}).Run(t.Context()); err == nil {
		t.Error("a batch of 11 without a window was taken")
	}
}

func TestMaxConcurrency(t *testing.T) {
	t.Parallel()
	b := ours(t, "1")
	for i := range 40 {
		b.send(t, fmt.Sprint(i))
	}
	f := &function{holdsFor: 100 * time.Millisecond, answer: func(events.SQSEvent) (string, error) { return "", nil }}
	b.run(t, &sqssource.Source{BatchSize: 2, MaxConcurrency: 3}, f, 20)
	if f.most != 3 {
		t.Errorf("%d events at the same time, want 3", f.most)
	}
}

package sqsserver_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"bulkpresign/internal/standin/moto"
	"bulkpresign/internal/standin/sqsserver"
)

const region = "eu-west-1"

func client(endpoint string) *sqs.Client {
	return sqs.New(sqs.Options{
		BaseEndpoint: &endpoint,
		Region:       region,
		Credentials:  credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	})
}

func start(t *testing.T, cfg sqsserver.Config) *sqs.Client {
	t.Helper()
	cfg.Region = region
	s, err := sqsserver.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return client(s.Endpoint())
}

func create(t *testing.T, c *sqs.Client, name string, attributes map[string]string) (url, arn string) {
	t.Helper()
	out, err := c.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: out.QueueUrl, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	if err != nil {
		t.Fatal(err)
	}
	return *out.QueueUrl, got.Attributes["QueueArn"]
}

func send(t *testing.T, c *sqs.Client, url string, bodies ...string) {
	t.Helper()
	for chunk := range slices.Chunk(bodies, 10) {
		in := &sqs.SendMessageBatchInput{QueueUrl: &url}
		for i, b := range chunk {
			in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), MessageBody: &b})
		}
		out, err := c.SendMessageBatch(t.Context(), in)
		if err != nil || len(out.Successful) != len(chunk) {
			t.Fatalf("send: %v", err)
		}
	}
}

func receive(t *testing.T, c *sqs.Client, url string, wait int32) []types.Message {
	t.Helper()
	out, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: wait,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
		MessageAttributeNames:       []string{"All"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Messages
}

// What a consumer sees is the same here and at moto.
func TestAQueue(t *testing.T) {
	t.Run("sqsserver", func(t *testing.T) { t.Parallel(); testAQueue(t, start(t, sqsserver.Config{})) })
	t.Run("moto", func(t *testing.T) { t.Parallel(); testAQueue(t, client(moto.Require(t).Endpoint())) })
}

func testAQueue(t *testing.T, c *sqs.Client) {
	dead, deadARN := create(t, c, "dead", nil)
	url, arn := create(t, c, "requests", map[string]string{
		"VisibilityTimeout": "1",
		"RedrivePolicy":     `{"deadLetterTargetArn":"` + deadARN + `","maxReceiveCount":2}`,
	})
	if want := "arn:aws:sqs:" + region; arn[:len(want)] != want {
		t.Errorf("ARN %s", arn)
	}
	if _, err := c.SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: &url, MessageBody: aws.String("first"),
		MessageAttributes: map[string]types.MessageAttributeValue{"a": {DataType: aws.String("String"), StringValue: aws.String("v")}},
	}); err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	got := receive(t, c, url, 0)
	if len(got) != 1 || *got[0].Body != "first" || aws.ToString(got[0].MessageAttributes["a"].StringValue) != "v" {
		t.Fatalf("received %d messages", len(got))
	}
	for _, name := range []string{"SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp"} {
		if got[0].Attributes[name] == "" {
			t.Errorf("no attribute %s", name)
		}
	}
	if again := receive(t, c, url, 0); len(again) != 0 {
		t.Error("a message in flight was given out")
	}
	// A long poll ends when the visibility timeout does.
	second := receive(t, c, url, 5)
	if waited := time.Since(before); len(second) != 1 || waited < 800*time.Millisecond || waited > 4*time.Second {
		t.Fatalf("%d messages after %v, want the one after a second", len(second), waited)
	}
	if n := second[0].Attributes["ApproximateReceiveCount"]; n != "2" || *second[0].MessageId != *got[0].MessageId {
		t.Errorf("received %s times, want 2", n)
	}
	// Received as often as is allowed: it goes to the dead letters, its receive count going on.
	if third := receive(t, c, url, 2); len(third) != 0 {
		t.Error("received once more than the redrive policy allows")
	}
	letters := receive(t, c, dead, 2)
	if len(letters) != 1 || *letters[0].Body != "first" || letters[0].Attributes["ApproximateReceiveCount"] != "3" {
		t.Errorf("%d dead letters, want the message with receive count 3", len(letters))
	}

	// Deleted, and deleted again.
	send(t, c, url, "x", "y")
	batch := receive(t, c, url, 1)
	in := &sqs.DeleteMessageBatchInput{QueueUrl: &url}
	for i, m := range batch {
		in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), ReceiptHandle: m.ReceiptHandle})
	}
	for range 2 {
		if out, err := c.DeleteMessageBatch(t.Context(), in); err != nil || len(out.Successful) != 2 {
			t.Fatalf("delete: %v", err)
		}
	}
	if left := receive(t, c, url, 2); len(left) != 0 {
		t.Errorf("%d deleted messages came again", len(left))
	}

	// A message can be given back at once.
	send(t, c, url, "z")
	z := receive(t, c, url, 1)
	if _, err := c.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: &url, ReceiptHandle: z[0].ReceiptHandle}); err != nil {
		t.Fatal(err)
	}
	if len(receive(t, c, url, 0)) != 1 {
		t.Error("a message that was given back is not visible")
	}
	send(t, c, url, "w")
	w := receive(t, c, url, 0)
	if len(w) != 1 || *w[0].Body != "w" {
		t.Fatalf("%d messages, want the newest", len(w))
	}
	out, err := c.ChangeMessageVisibilityBatch(t.Context(), &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &url, Entries: []types.ChangeMessageVisibilityBatchRequestEntry{
		{Id: aws.String("a"), ReceiptHandle: w[0].ReceiptHandle},
		{Id: aws.String("b"), ReceiptHandle: aws.String("nonsense")},
	}})
	if err != nil || len(out.Successful) != 1 || *out.Successful[0].Id != "a" || len(out.Failed) != 1 || aws.ToString(out.Failed[0].Code) != "ReceiptHandleIsInvalid" {
		t.Fatalf("change two: %+v, %v", out, err)
	}
	if w = receive(t, c, url, 0); len(w) != 1 || *w[0].Body != "w" {
		t.Errorf("%d messages, want the one that was given back among others", len(w))
	}

	_, err = c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(url + "x"), MessageBody: aws.String("m")})
	if gone := new(types.QueueDoesNotExist); !errors.As(err, &gone) {
		t.Errorf("a queue that is not there: %v", err)
	}
}

func TestADelayedMessage(t *testing.T) {
	t.Parallel()
	c := start(t, sqsserver.Config{})
	url, _ := create(t, c, "q", nil)
	before := time.Now()
	if _, err := c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("m"), DelaySeconds: 1}); err != nil {
		t.Fatal(err)
	}
	if len(receive(t, c, url, 0)) != 0 {
		t.Error("visible before its delay was over")
	}
	if got := receive(t, c, url, 5); len(got) != 1 || time.Since(before) < 900*time.Millisecond {
		t.Errorf("%d messages after %v", len(got), time.Since(before))
	}
}

// Two consumers get the message, and either's receipt deletes it.
func TestAMessageDeliveredTwice(t *testing.T) {
	t.Parallel()
	asked := 0
	c := start(t, sqsserver.Config{Twice: func(string) bool { asked++; return asked == 1 }})
	url, _ := create(t, c, "q", map[string]string{"VisibilityTimeout": "1"})
	send(t, c, url, "m")
	first, second := receive(t, c, url, 0), receive(t, c, url, 0)
	if len(first) != 1 || len(second) != 1 || *first[0].MessageId != *second[0].MessageId || *first[0].ReceiptHandle == *second[0].ReceiptHandle {
		t.Fatal("want one message with two receipts")
	}
	if _, err := c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: first[0].ReceiptHandle}); err != nil {
		t.Fatal(err)
	}
	if len(receive(t, c, url, 2)) != 0 {
		t.Error("it came once more")
	}
}

// A consumer that goes away while it waits takes nothing with it.
func TestAnAbandonedPoll(t *testing.T) {
	t.Parallel()
	c := start(t, sqsserver.Config{})
	url, _ := create(t, c, "q", nil)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 20}); err == nil {
		t.Fatal("an empty queue answered")
	}
	time.Sleep(50 * time.Millisecond)
	send(t, c, url, "m")
	if len(receive(t, c, url, 1)) != 1 {
		t.Error("the message went to the consumer that had gone")
	}
}

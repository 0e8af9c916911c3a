// Package sqssource stands in for Lambda's event source mapping for SQS: it polls a queue and calls a function with
// batches, in the manner of the service, so that a function can be tried on one machine with a queue in front.
//
// A message is deleted when the function has answered for it, and only then. Otherwise nothing is done: it shows up
// again when its visibility timeout ends, and after enough receives the queue gives it to the dead-letter queue. Both
// are the queue's work, not the poller's.
//
// What differs from Lambda: there is no scaling down after errors, and the number of pollers is the maximum
// concurrency.
//
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
package sqssource

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"bulkpresign/internal/standin/runtimeapi"
)

// Queue is what the poller needs of SQS; an *sqs.Client has it.
type Queue interface {
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	DeleteMessageBatch(context.Context, *sqs.DeleteMessageBatchInput, ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error)
}

// Function is what is called; a *runtimeapi.Function is one.
type Function interface {
	Invoke(ctx context.Context, event []byte) (payload []byte, err error)
}

// Source is a mapping of one queue to one function. The fields without a default are required.
type Source struct {
	Queue    Queue
	URL, ARN string // of the queue; the region is taken from the ARN
	Function Function

	BatchSize      int           // most messages in one event, default 10
	BatchingWindow time.Duration // how long a batch may be gathered after its first message; 0: what one receive gives
	MaxConcurrency int           // events under way at the same time, default 2, which is the least that Lambda takes

	// ReportBatchItemFailures takes the function at its word about single messages. Without it a batch is done
	// when the function did not fail.
	ReportBatchItemFailures bool

	// Done, if it is not nil, is told of every event that was answered: the messages' ids, those that are to come
	// again, and why if it is the whole batch. It is called by several goroutines.
	Done func(sent, failed []string, err error)
}

// Limits of the service.
const (
	maxReceive = 10 // messages that one ReceiveMessage gives
	longPoll   = 20 * time.Second
)

// Run polls until the context ends. It returns when every event under way has been answered, nil if the queue never
// failed for good.
func (s *Source) Run(ctx context.Context) error {
	if s.BatchSize == 0 {
		s.BatchSize = 10
	}
	if s.BatchSize > maxReceive && s.BatchingWindow < time.Second {
		// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
		return errors.New("sqssource: a batch of more than 10 messages needs a batching window of a second at least")
	}
	pollers := cmp.Or(s.MaxConcurrency, 2)
	failures := make([]error, pollers)
	var wg sync.WaitGroup
	for i := range pollers {
		wg.Go(func() { failures[i] = s.poll(ctx) })
	}
	wg.Wait()
	return errors.Join(failures...)
}

// poll gathers batches and hands them over, one after the other.
func (s *Source) poll(ctx context.Context) error {
	var held []record // of the batch before: they did not fit into its event
	for {
		batch, rest, err := s.gather(ctx, held)
		held = rest
		if len(batch) > 0 {
			s.deliver(context.WithoutCancel(ctx), batch)
		}
		if ctx.Err() != nil {
			return nil // what is held shows up again
		}
		if err != nil {
			return fmt.Errorf("sqssource: receive: %w", err)
		}
	}
}

// gather receives until the batch is full, the window has ended or the event is as large as it may be. rest is what
// came and did not fit.
func (s *Source) gather(ctx context.Context, held []record) (batch, rest []record, err error) {
	size := len(`{"Records":[]}`)
	add := func(records []record) (full bool) {
		for i, r := range records {
			if size += len(r.text) + 1; size > runtimeapi.MaxPayload && len(batch) > 0 {
				rest = records[i:]
				return true
			}
			batch = append(batch, r)
		}
		return len(batch) >= s.BatchSize
	}
	full := add(held)
	end := time.Now().Add(s.BatchingWindow)
	for !full && err == nil && ctx.Err() == nil {
		wait := longPoll
		if len(batch) > 0 {
			if wait = time.Until(end); wait <= 0 {
				break
			}
		}
		var got []record
		first := len(batch) == 0
		got, err = s.receive(ctx, min(maxReceive, s.BatchSize-len(batch)), wait)
		if first && len(got) > 0 {
			end = time.Now().Add(s.BatchingWindow)
		}
		full = add(got)
		if len(got) == 0 && wait < time.Second { // SQS waits for whole seconds only
			time.Sleep(min(wait, 50*time.Millisecond))
		}
	}
	return batch, rest, err
}

// receive asks once. A queue that cannot be reached is asked again by the SDK, then here after a pause.
func (s *Source) receive(ctx context.Context, most int, wait time.Duration) ([]record, error) {
	out, err := s.Queue.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl:                    &s.URL,
		MaxNumberOfMessages:         int32(most),
		WaitTimeSeconds:             int32(min(max(wait, 0), longPoll) / time.Second),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
		MessageAttributeNames:       []string{"All"},
	})
	if err != nil {
		if gone := new(types.QueueDoesNotExist); errors.As(err, &gone) {
			return nil, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
		return nil, nil
	}
	records := make([]record, len(out.Messages))
	for i, m := range out.Messages {
		if records[i], err = s.record(m); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// record is a message as it goes into an event.
type record struct {
	id, receipt string
	text        []byte
}

// Event and record members are as in
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event
func (s *Source) record(m types.Message) (record, error) {
	type attribute struct {
		StringValue      *string  `json:"stringValue,omitempty"`
		BinaryValue      []byte   `json:"binaryValue,omitempty"`
		StringListValues []string `json:"stringListValues"`
		BinaryListValues [][]byte `json:"binaryListValues"`
		DataType         string   `json:"dataType"`
	}
	attributes := map[string]attribute{}
	for name, a := range m.MessageAttributes {
		attributes[name] = attribute{a.StringValue, a.BinaryValue, []string{}, [][]byte{}, aws.ToString(a.DataType)}
	}
	region := ""
	if parts := strings.Split(s.ARN, ":"); len(parts) > 3 {
		region = parts[3]
	}
	text, err := json.Marshal(struct {
		MessageID              string               `json:"messageId"`
		ReceiptHandle          string               `json:"receiptHandle"`
		Body                   string               `json:"body"`
		Attributes             map[string]string    `json:"attributes"`
		MessageAttributes      map[string]attribute `json:"messageAttributes"`
		MD5OfMessageAttributes string               `json:"md5OfMessageAttributes,omitempty"`
		MD5OfBody              string               `json:"md5OfBody"`
		EventSource            string               `json:"eventSource"`
		EventSourceARN         string               `json:"eventSourceARN"`
		AWSRegion              string               `json:"awsRegion"`
	}{
		aws.ToString(m.MessageId), aws.ToString(m.ReceiptHandle), aws.ToString(m.Body), m.Attributes, attributes,
		aws.ToString(m.MD5OfMessageAttributes), aws.ToString(m.MD5OfBody), "aws:sqs", s.ARN, region,
	})
	return record{aws.ToString(m.MessageId), aws.ToString(m.ReceiptHandle), text}, err
}

// deliver calls the function with a batch and deletes what it is done with.
func (s *Source) deliver(ctx context.Context, batch []record) {
	event := []byte(`{"Records":[`)
	ids := make([]string, len(batch))
	for i, r := range batch {
		if i > 0 {
			event = append(event, ',')
		}
		event = append(event, r.text...)
		ids[i] = r.id
	}
	event = append(event, `]}`...)
	payload, err := s.Function.Invoke(ctx, event)
	var failed map[string]bool
	if err == nil && s.ReportBatchItemFailures {
		failed, err = itemFailures(payload, ids)
	}
	var again []string
	var done []types.DeleteMessageBatchRequestEntry
	for i, r := range batch {
		if err != nil || failed[r.id] {
			again = append(again, r.id)
			continue
		}
		done = append(done, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: &r.receipt})
	}
	for len(done) > 0 {
		n := min(len(done), maxReceive)
		// What cannot be deleted is delivered once more. That is the queue's promise, and no more than that.
		_, _ = s.Queue.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &s.URL, Entries: done[:n]})
		done = done[n:]
	}
	if s.Done != nil {
		s.Done(ids, again, err)
	}
}

// itemFailures reads what the function says about single messages. Whatever is not well said is an error, and so a
// failure of all of them.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
func itemFailures(payload []byte, ids []string) (map[string]bool, error) {
	var response *struct {
		Failures []struct {
			ID *string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if len(payload) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(payload, &response); err != nil {
		return nil, errors.New("the function's answer is not a batch response")
	}
	if response == nil {
		return nil, nil
	}
	sent := map[string]bool{}
	for _, id := range ids {
		sent[id] = true
	}
	failed := map[string]bool{}
	for _, f := range response.Failures {
		if f.ID == nil || !sent[*f.ID] { // no id is empty, so none of the batch is
			return nil, errors.New("the function's answer names a message that was not in the batch")
		}
		failed[*f.ID] = true
	}
	return failed, nil
}

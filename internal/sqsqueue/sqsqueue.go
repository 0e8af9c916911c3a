// Package sqsqueue sends messages to one SQS queue, and puts off those that came from it.
package sqsqueue

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"bulkpresign/internal/awserr"
)

// Queue is a queue that the function may use. It is safe for concurrent use.
type Queue struct {
	url  string
	load func(context.Context) (aws.Config, error) // the SDK's configuration

	mu     sync.Mutex
	client *sqs.Client
}

// To makes a Queue of what is configured, nil for an empty URL.
func To(url string, load func(context.Context) (aws.Config, error)) *Queue {
	if url == "" {
		return nil
	}
	return &Queue{url: url, load: load}
}

// Send sends a message of at most 1 MiB. The role needs sqs:SendMessage.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
func (q *Queue) Send(ctx context.Context, body string) error {
	client, err := q.connect(ctx)
	if err != nil {
		return err
	}
	_, err = client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: aws.String(q.url), MessageBody: aws.String(body)})
	return awserr.Wrap("send a message", err)
}

// A Delay is how long a message that was received waits until it is received again, in place
// of what is left of its visibility timeout.
type Delay struct {
	ReceiptHandle string
	For           time.Duration // whole seconds, at most 12 hours
}

// mostInBatch is how many messages a call takes.
const mostInBatch = 10

// Delay puts messages off that came from the queue with an ARN: this one, or another of its
// account and region, since a function may do the messages of several. The role needs
// sqs:ChangeMessageVisibility. The error is the first; the others are put off all the same.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html
func (q *Queue) Delay(ctx context.Context, queue string, delays []Delay) error {
	client, err := q.connect(ctx)
	if err != nil {
		return err
	}
	for some := range slices.Chunk(delays, mostInBatch) {
		in := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: aws.String(q.neighbour(queue))}
		for i, d := range some {
			in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{
				Id:                aws.String(strconv.Itoa(i)),
				ReceiptHandle:     aws.String(d.ReceiptHandle),
				VisibilityTimeout: int32(d.For / time.Second),
			})
		}
		out, e := client.ChangeMessageVisibilityBatch(ctx, in)
		if e == nil && len(out.Failed) > 0 {
			e = &smithy.GenericAPIError{Code: aws.ToString(out.Failed[0].Code), Message: aws.ToString(out.Failed[0].Message)}
		}
		if err == nil {
			err = awserr.Wrap("put messages off", e)
		}
	}
	return err
}

// neighbour is the URL of the queue with an ARN. URLs of queues differ in their last part
// only, which is the queue's name, as the ARN's is.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html
func (q *Queue) neighbour(arn string) string {
	name := arn[strings.LastIndexByte(arn, ':')+1:]
	if name == "" {
		return q.url
	}
	return q.url[:strings.LastIndexByte(q.url, '/')+1] + name
}

// regionOf is the region that a queue's URL names, or empty: a queue of another region than
// the function's knows no other endpoint.
//
// https://docs.aws.amazon.com/general/latest/gr/sqs-service.html
func regionOf(queue string) string {
	u, err := url.Parse(queue)
	if err != nil {
		return ""
	}
	if service, rest, _ := strings.Cut(u.Hostname(), "."); service == "sqs" {
		if region, domain, ok := strings.Cut(rest, "."); ok && strings.HasPrefix(domain, "amazonaws.com") {
			return region
		}
	}
	return ""
}

func (q *Queue) connect(ctx context.Context) (*sqs.Client, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.client == nil {
		c, err := q.load(ctx)
		if err != nil {
			return nil, err
		}
		q.client = sqs.NewFromConfig(c, func(o *sqs.Options) {
			if region := regionOf(q.url); region != "" {
				o.Region = region
			}
		})
	}
	return q.client, nil
}

// Package sqsqueue sends messages to one SQS queue.
package sqsqueue

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"bulkpresign/internal/awserr"
)

// Queue is a queue that the function may send to. It is safe for concurrent use.
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

func (q *Queue) connect(ctx context.Context) (*sqs.Client, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.client == nil {
		c, err := q.load(ctx)
		if err != nil {
			return nil, err
		}
		q.client = sqs.NewFromConfig(c)
	}
	return q.client, nil
}

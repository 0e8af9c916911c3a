package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/queueevent"
	"bulkpresign/internal/sqsqueue"
)

// Handler answers SQS's messages (requests, S3 notifications, jobs that are handed on),
// for which the event source needs ReportBatchItemFailures; S3's, EventBridge's and SNS's events;
// direct invokes with a request; the steps of the state machine; and S3 Batch Operations. It is a lambda.Handler.
type Handler struct{ Runner *Runner }

// Invoke does the job of each object, message or request. A direct invoke's answer is
// the summary; of an event, an error has it delivered again.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	switch shapeOf(payload) {
	case stepShape:
		return h.Runner.step(ctx, payload)
	case batchShape:
		return h.Runner.batch(ctx, payload)
	}
	list, err := queueevent.Decode(payload)
	if err != nil {
		return nil, invalidEvent(err.Error())
	}
	return h.Runner.invoke(ctx, list)
}

// invoke does the jobs of an event of any kind.
func (r *Runner) invoke(ctx context.Context, list []queueevent.Message) ([]byte, error) {
	if list[0].ID != "" {
		return r.messages(ctx, list), nil
	}
	var last *Summary
	var err error
	for i := range list {
		for _, in := range messageInputs(&list[i]) {
			s, e := r.protected(ctx, in)
			if e != nil {
				err = messages.InvokeResponse_Error{Type: string(bulk.InternalError), Message: "the service failed: try again"}
			}
			last = s
		}
	}
	switch {
	case err != nil:
		return nil, err
	case list[0].Kind == queueevent.Objects || list[0].Topic != "" || last == nil:
		return []byte(`{}`), nil
	case last.Error != nil:
		return nil, messages.InvokeResponse_Error{Type: string(last.Error.Code), Message: last.Error.Message}
	}
	return last.Text(), nil
}

func invalidEvent(detail string) error {
	return messages.InvokeResponse_Error{Type: string(bulk.InvalidRequest), Message: detail}
}

// messages does jobs in the order of their messages. Those for which there is no time
// left come again, too.
func (r *Runner) messages(ctx context.Context, list []queueevent.Message) []byte {
	stop := stopAt(ctx, time.Now())
	var failed []*queueevent.Message
	for i := range list {
		m := &list[i]
		var err error
		if !stop.IsZero() && time.Now().After(stop) {
			err = errOutOfTime
			r.Log.WarnContext(ctx, "no time is left for a message", "message", m.ID)
		}
		for _, in := range messageInputs(m) {
			if err == nil {
				_, err = r.protected(ctx, in)
			}
		}
		if err != nil {
			failed = append(failed, m)
		}
	}
	r.putOff(ctx, failed)
	type failure struct {
		ID string `json:"itemIdentifier"`
	}
	answer := struct {
		Failures []failure `json:"batchItemFailures"`
	}{[]failure{}}
	for _, m := range failed {
		answer.Failures = append(answer.Failures, failure{m.ID})
	}
	text, _ := json.Marshal(answer) // no type in it fails
	return text
}

const (
	longestWait = time.Hour       // of a message that failed again and again
	putOffTime  = 2 * time.Second // for telling the queue: what succeeded must not wait for it
)

// putOff has messages that failed come again sooner than the queue would: it waits six
// times as long as an invocation may take, since one that crashed tells it nothing. That it
// fails does no harm.
func (r *Runner) putOff(ctx context.Context, failed []*queueevent.Message) {
	if len(failed) == 0 || r.Queue == nil || r.RetryAfter == 0 {
		return
	}
	var delays []sqsqueue.Delay
	for _, m := range failed {
		wait := r.RetryAfter
		for n := 1; n < m.Receives && wait < longestWait; n++ {
			wait *= 4
		}
		if r.MaxReceives > 0 && m.Receives >= r.MaxReceives {
			wait = 0 // the queue looks whether it was the last time when it would deliver it again
		}
		delays = append(delays, sqsqueue.Delay{ReceiptHandle: m.Receipt, For: min(wait, longestWait)})
	}
	ctx, cancel := context.WithTimeout(ctx, putOffTime)
	defer cancel()
	if err := r.Queue.Delay(ctx, failed[0].Queue, delays); err != nil {
		r.Log.WarnContext(ctx, "messages that failed come again only after the queue's visibility timeout", "cause", err.Error())
	}
}

// protected turns a panic into an error, so that it takes only its own input along.
func (r *Runner) protected(ctx context.Context, in *Input) (s *Summary, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = r.panicked(ctx, p, in.Identity)
		}
	}()
	return r.Run(ctx, in)
}

// panicked logs a panic.
func (r *Runner) panicked(ctx context.Context, p any, job string) error {
	r.Log.ErrorContext(ctx, "panic", "panic", fmt.Sprint(p), "stack", string(debug.Stack()), "job", job)
	return errors.New("panic")
}

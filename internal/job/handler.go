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
	"bulkpresign/internal/policy"
)

// Queue answers the messages of an SQS queue: requests, S3 notifications, and jobs that
// are handed on. It is a lambda.Handler and needs ReportBatchItemFailures.
type Queue struct{ Runner *Runner }

// Manifest answers S3's notifications, EventBridge's, and direct invokes with a request;
// and messages as Queue does. It is a lambda.Handler.
type Manifest struct{ Runner *Runner }

// Invoke does the job of each message and names those that must come again.
func (q *Queue) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	messages, ok, err := decodeMessages(payload)
	if err != nil || !ok {
		return nil, invalidEvent("the event is not one of SQS")
	}
	return q.Runner.messages(ctx, messages), nil
}

// Invoke does the job of each object, message or request. A direct invoke's answer is
// the summary; of an event, an error has it delivered again.
func (m *Manifest) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	r := m.Runner
	list, ok, err := decodeMessages(payload)
	if err != nil {
		return nil, invalidEvent("the event cannot be read")
	}
	if ok {
		return r.messages(ctx, list), nil
	}
	objects, ok, err := decodeObjects(payload)
	if err != nil {
		return nil, invalidEvent("the event cannot be read")
	}
	if ok {
		for _, in := range objects {
			if _, e := r.protected(ctx, in); e != nil {
				err = errors.Join(err, e)
			}
		}
		if err != nil {
			return nil, messages.InvokeResponse_Error{Type: string(bulk.InternalError), Message: "the service failed: the event must be delivered again"}
		}
		return []byte(`{}`), nil
	}
	s, err := r.protected(ctx, &Input{Caller: policy.Caller{Kind: policy.Direct}, Request: payload})
	switch {
	case err != nil:
		return nil, messages.InvokeResponse_Error{Type: string(bulk.InternalError), Message: "the service failed: try again"}
	case s.Error != nil:
		return nil, messages.InvokeResponse_Error{Type: string(s.Error.Code), Message: s.Error.Message}
	}
	return s.Text(), nil
}

func invalidEvent(detail string) error {
	return messages.InvokeResponse_Error{Type: string(bulk.InvalidRequest), Message: detail}
}

// messages does jobs in the order of their messages. Those for which there is no time
// left come again, too.
func (r *Runner) messages(ctx context.Context, list []message) []byte {
	type failure struct {
		ID string `json:"itemIdentifier"`
	}
	answer := struct {
		Failures []failure `json:"batchItemFailures"`
	}{[]failure{}}
	stop := stopAt(ctx, time.Now())
	for _, m := range list {
		var err error
		if !stop.IsZero() && time.Now().After(stop) {
			err = errOutOfTime
			r.Log.WarnContext(ctx, "no time is left for a message", "message", m.ID)
		}
		for _, in := range m.Inputs {
			if err == nil {
				_, err = r.protected(ctx, in)
			}
		}
		if err != nil {
			answer.Failures = append(answer.Failures, failure{m.ID})
		}
	}
	text, _ := json.Marshal(answer) // no type in it fails
	return text
}

// protected turns a panic into an error, so that it takes only its own input along.
func (r *Runner) protected(ctx context.Context, in *Input) (s *Summary, err error) {
	defer func() {
		if p := recover(); p != nil {
			r.Log.ErrorContext(ctx, "panic", "panic", fmt.Sprint(p), "stack", string(debug.Stack()), "job", in.Name())
			err = errors.New("panic")
		}
	}()
	return r.Run(ctx, in)
}

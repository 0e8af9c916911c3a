package job

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"bulkpresign/internal/audit"
	"bulkpresign/internal/awserr"
	"bulkpresign/internal/batchevent"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/strictjson"
)

// shape is what an event is that is told by a member of its own.
type shape uint8

const (
	otherShape shape = iota // for queueevent
	stepShape               // of the state machine
	batchShape              // of S3 Batch Operations
)

var errDecided = errors.New("decided")

// shapeOf looks no further than to the first member that decides. Requests and messages of
// queues have none of these.
func shapeOf(payload []byte) (found shape) {
	r := strictjson.NewReader(payload)
	if r.Peek() != strictjson.Object {
		return otherShape
	}
	_ = r.Members(func(name string) error {
		switch {
		case name == "step":
			found = stepShape
			return errDecided
		case name == batchevent.Member:
			found = batchShape
			return errDecided
		case bulk.IsField(name), name == "Records":
			return errDecided
		}
		return r.Skip()
	})
	return found
}

// stepEvent is what the state machine asks for.
type stepEvent struct {
	Step string `json:"step"`

	Request   json.RawMessage `json:"request,omitempty"`     // of plan
	Execution string          `json:"execution,omitempty"`   // of plan: the execution's name
	ShardSize int64           `json:"shard_bytes,omitempty"` // of plan: the size of a shard; by default DefaultShardSize

	Shard *Shard   `json:"shard,omitempty"` // of sign
	Plan  *Planned `json:"plan,omitempty"`  // of finish
}

// place is where an object lies.
type place struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
}

// What the steps answer.
type (
	planAnswer struct {
		Shards place    `json:"shards"`
		Count  int      `json:"count"`
		Plan   *Planned `json:"plan"`
	}
	signAnswer struct {
		Done      bool                `json:"done"`
		Shard     *Shard              `json:"shard,omitempty"` // to ask for again
		Part      *place              `json:"part,omitempty"`
		Count     int64               `json:"count"`
		Signed    int64               `json:"signed"`
		Errors    map[bulk.Code]int64 `json:"errors,omitempty"`
		ExpiresAt *time.Time          `json:"expires_at,omitempty"`
	}
	finishAnswer struct {
		Summary   place               `json:"summary"`
		Parts     int                 `json:"parts"`
		Count     int64               `json:"count"`
		Signed    int64               `json:"signed"`
		Errors    map[bulk.Code]int64 `json:"errors,omitempty"`
		ExpiresAt *time.Time          `json:"expires_at,omitempty"`
	}
)

// step does one step of the state machine. An error is an error of the function, whose type
// says whether to try again: see stepError.
func (r *Runner) step(ctx context.Context, payload []byte) ([]byte, error) {
	answer, err := r.doStep(ctx, payload)
	if err != nil {
		return nil, r.stepError(ctx, err)
	}
	return json.Marshal(answer)
}

func (r *Runner) doStep(ctx context.Context, payload []byte) (answer any, err error) {
	rec := audit.Begin(states)
	rec.Caller = policy.Caller{Kind: policy.Direct}
	defer func() {
		if p := recover(); p != nil {
			err = r.panicked(ctx, p, rec.Step)
		}
		rec.Failure = stepFailure(err)
		rec.End(ctx, r.Log)
	}()
	e, err := decodeStep(payload)
	if err != nil {
		return nil, err
	}
	rec.Step = e.Step
	switch e.Step {
	case "plan":
		return r.planStep(ctx, e, rec)
	case "sign":
		return r.signStep(ctx, e.Shard, rec)
	}
	return r.finishStep(ctx, e.Plan, rec)
}

// stepFailure is why a step failed, as its record has it, or nil.
func stepFailure(err error) *bulk.Error {
	if err == nil {
		return nil
	}
	if failure, permanent := verdict(err); permanent {
		f := &bulk.Error{Code: failure.Code, Detail: failure.Message}
		if asked := (*bulk.Error)(nil); errors.As(err, &asked) {
			f.Rule = asked.Rule
		}
		return f
	}
	return mayPass(err, "the step may be tried again")
}

// decodeStep reads an event of the state machine. An error is a *bulk.Error.
func decodeStep(payload []byte) (e *stepEvent, err error) {
	wrong := func(format string, args ...any) (*stepEvent, error) {
		return nil, &bulk.Error{Code: bulk.InvalidRequest, Detail: fmt.Sprintf(format, args...)}
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	e = new(stepEvent)
	if err := d.Decode(e); err != nil {
		return wrong("the event of the state machine cannot be read: its members are \"step\", \"request\", \"execution\", \"shard_bytes\", \"shard\" and \"plan\", and shards and plans are handed on as they are")
	}
	given := map[string]bool{"request": e.Request != nil, "shard": e.Shard != nil, "plan": e.Plan != nil}
	of := map[string]string{"plan": "request", "sign": "shard", "finish": "plan"}
	member, known := of[e.Step]
	if !known {
		return wrong(`field "step" must be plan, sign or finish`)
	}
	for other, is := range given {
		if is != (other == member) {
			return wrong(`a step %q must have %q and none of the other steps' members`, e.Step, member)
		}
	}
	if e.Step != "plan" && (e.Execution != "" || e.ShardSize != 0) {
		return wrong(`fields "execution" and "shard_bytes" go with the step "plan"`)
	}
	if e.Shard != nil {
		if err := e.Shard.check(); err != nil {
			return wrong("field \"shard\": %v", err)
		}
	}
	return e, nil
}

// signStep signs a shard.
func (r *Runner) signStep(ctx context.Context, shard *Shard, rec *audit.Record) (*signAnswer, error) {
	s, err := r.signShard(ctx, shard, rec)
	if err != nil {
		return nil, err
	}
	a := &signAnswer{Done: !s.handedOn, Count: s.Entries, Signed: s.Signed, Errors: s.Failed}
	if s.handedOn {
		a.Shard = shard
		return a, nil
	}
	a.Part = &place{s.Result.Bucket, s.Result.Key}
	if s.Lifetime != nil {
		a.ExpiresAt = &s.ExpiresAt
	}
	return a, nil
}

// stepError makes an error of the function of what a step failed of. Its type is final where
// trying again cannot help; else it is InternalError, CredentialsUnavailable or Throttled.
func (r *Runner) stepError(ctx context.Context, err error) error {
	failure, permanent := verdict(err)
	if permanent {
		if failure.Code == ManifestChanged {
			failure.Message = "the list was changed after its shards were planned: start a new execution"
		}
		return messages.InvokeResponse_Error{Type: string(failure.Code), Message: failure.Message}
	}
	var asked *bulk.Error
	var call *awserr.Error
	kind := bulk.InternalError
	switch {
	case errors.As(err, &asked) && asked.Code == bulk.CredentialsUnavailable:
		kind = asked.Code
	case errors.As(err, &call) && (call.Status == http.StatusTooManyRequests || call.Status == http.StatusServiceUnavailable):
		kind = Throttled
	}
	r.Log.ErrorContext(ctx, "a step failed and may be tried again", "cause", err.Error())
	return messages.InvokeResponse_Error{Type: string(kind), Message: "the service failed: try again"}
}

// Package gatewayevent speaks the synchronous events: API Gateway's HTTP API and REST
// API, Lambda's Function URL, and the bare request of a direct invoke.
package gatewayevent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync/atomic"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"bulkpresign/internal/answer"
	"bulkpresign/internal/audit"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/delivery"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/runtimeclient"
)

// Handler answers invocations, on raw bytes: no reflection and no second JSON encoding
// stand between it and the runtime.
type Handler struct {
	Service *bulk.Service
	Results *delivery.Bucket // where answers go that do not fit, or nil
	Log     *slog.Logger

	// StreamREST says that the REST API in front takes streamed answers, and no others
	// (ResponseTransferMode is RESPONSE_STREAM).
	StreamREST bool

	spare atomic.Pointer[[]byte] // the memory of an answer that was sent

	// Origins are those whose pages may call by way of a REST API, as a browser names them;
	// "*" is every page.
	Origins []string
}

// room is memory for an answer of some size: of one that was sent before, if it is enough. To clear new memory, and for the
// kernel to find it, takes a sixth of the time of a large answer.
func (h *Handler) room(size int) []byte {
	if spare := h.spare.Swap(nil); spare != nil && cap(*spare) >= size {
		return (*spare)[:0]
	}
	return make([]byte, 0, size)
}

// kept is a whole answer whose memory serves another when it was sent, unless there is some that this one did not need.
func (h *Handler) kept(whole []byte) runtimeclient.Answer {
	return runtimeclient.Answer{Whole: whole, Sent: func() { h.spare.CompareAndSwap(nil, &whole) }}
}

// Invoke answers one event, which it takes over. An HTTP event always has an HTTP answer;
// a direct invoke's failure is a function error whose type is the code.
func (h *Handler) Invoke(ctx context.Context, payload []byte) (runtimeclient.Answer, error) {
	if isHTTP(payload) {
		return h.overHTTP(ctx, payload, audit.Begin("http")), nil
	}
	answer, err := h.direct(ctx, payload, audit.Begin("direct"))
	if err != nil {
		return runtimeclient.Answer{}, messages.InvokeResponse_Error{Type: string(err.Code), Message: err.Detail}
	}
	return h.kept(answer), nil
}

func (h *Handler) overHTTP(ctx context.Context, payload []byte, record *audit.Record) (answer runtimeclient.Answer) {
	var failed *bulk.Error
	var event *httpEvent
	asked := false // nothing but whether a page may call
	defer func() {
		if asked {
			return
		}
		if answer.Stream == nil { // else it has not ended
			h.end(ctx, record, &failed, recover())
		}
		switch streamed := h.StreamREST && event != nil && event.isREST; {
		case failed != nil && streamed:
			answer.Stream = streamedProblem(failed, h.cors(event)...)
		case failed != nil:
			answer.Whole = problem(failed, h.cors(event)...)
		}
	}()
	event, err := decodeEvent(payload)
	if err != nil {
		failed = &bulk.Error{Code: bulk.InvalidRequest, Detail: fmt.Sprintf("the event is not valid JSON: %v", err)}
		return answer
	}
	if asked = h.isPreflight(event); asked {
		return h.preflight(event)
	}
	var plan *bulk.Plan
	if plan, failed = h.planOf(ctx, event, record); failed != nil {
		return answer
	}
	for more := true; more; {
		if h.StreamREST && event.isREST {
			answer.Stream, failed = h.stream(ctx, plan, plan.Format(event.accepted()), record, h.cors(event)...)
		} else {
			var whole []byte
			if whole, failed = h.whole(ctx, event, plan); failed == nil {
				answer = h.kept(whole)
			}
		}
		plan, more = plan.Shorter(failed)
	}
	if plan.Listed() {
		record.Add(plan)
	}
	if failed != nil {
		h.Service.GiveUp(ctx, plan)
	}
	return answer
}

// planOf judges an HTTP request.
func (h *Handler) planOf(ctx context.Context, event *httpEvent, record *audit.Record) (*bulk.Plan, *bulk.Error) {
	if event.method != http.MethodPost {
		return nil, &bulk.Error{Code: bulk.MethodNotAllowed, Detail: "the method must be POST, with the request as its body"}
	}
	if event.query != "" {
		return nil, &bulk.Error{Code: bulk.InvalidRequest, Detail: `the call has query parameters, which would be ignored: put what they say into the JSON object of the body, such as {"keys": ["a.jpg"], "format": "csv"}`}
	}
	body, failed := event.request()
	if failed != nil {
		return nil, failed
	}
	record.Caller = event.caller
	return h.plan(ctx, record, body, event)
}

func (h *Handler) direct(ctx context.Context, payload []byte, record *audit.Record) (response []byte, failed *bulk.Error) {
	defer func() { h.end(ctx, record, &failed, recover()) }()
	record.Caller = policy.Caller{Kind: policy.Direct}
	plan, failed := h.plan(ctx, record, payload, nil)
	if failed != nil {
		return nil, failed
	}
	for more := true; more; {
		response, failed = h.wholeDirect(ctx, plan)
		plan, more = plan.Shorter(failed)
	}
	if plan.Listed() {
		record.Add(plan)
	}
	if failed != nil {
		h.Service.GiveUp(ctx, plan)
	}
	return response, failed
}

// wholeDirect makes the answer to a direct invoke.
func (h *Handler) wholeDirect(ctx context.Context, plan *bulk.Plan) (response []byte, failed *bulk.Error) {
	var zipped []byte
	format := plan.Format(bulk.JSON)
	switch {
	case plan.Gzip():
		response, zipped, failed = h.answerZipped(plan, format, envelope{`{"encoding":"gzip","body":"`, `"}`})
	case format.IsObject():
		response, failed = h.answerPlain(plan, format, answer.Bare, envelope{}, `ask for "encoding": "gzip"`)
	default: // A function's response is JSON, so a text lies in a JSON string.
		response, failed = h.answerPlain(plan, format, answer.Quoted, envelope{`"`, `"`}, `ask for "encoding": "gzip"`)
	}
	if h.canDeliver(plan, failed) {
		return h.deliver(ctx, plan, zipped, format, answer.Bare, envelope{})
	}
	return response, failed
}

// plan judges a request of the record's caller. A direct invoke has no event.
func (h *Handler) plan(ctx context.Context, record *audit.Record, body []byte, event *httpEvent) (*bulk.Plan, *bulk.Error) {
	request, err := bulk.Decode(body, h.Service.Policy.MaxKeys)
	if err == nil && event != nil && request.Encoding != "" {
		err = &bulk.Error{Code: bulk.InvalidRequest, Detail: `field "encoding" is for direct invokes: over HTTP send the header Accept-Encoding`}
	}
	var plan *bulk.Plan
	if err == nil {
		if event != nil && request.Format == nil { // so that it is judged like one that was named
			format := event.accepted()
			request.Format = &format
		}
		record.Items, record.Operation = request.Count, request.Operation.String()
		request.Room = h.roomOf(event, request)
		plan, err = h.Service.Plan(ctx, record.Caller, request)
	}
	if err != nil {
		return nil, asError(err)
	}
	if plan.Listed() { // which of its keys are handed out is not known yet
		record.Items = request.Count
	} else {
		record.Add(plan)
	}
	return plan, nil
}

// roomOf is that of the answer to a request.
func (h *Handler) roomOf(event *httpEvent, request *bulk.Request) bulk.Room {
	switch {
	case event == nil:
		return bulk.Room{Bytes: MaxResponse, Zip: request.Encoding == "gzip"}
	case h.StreamREST && event.isREST:
		return bulk.Room{Bytes: MaxStreamed}
	}
	return bulk.Room{Bytes: MaxResponse, Zip: event.acceptsGzip()}
}

// end turns a panic into an answer and writes the record of the request.
func (h *Handler) end(ctx context.Context, record *audit.Record, failed **bulk.Error, panicked any) {
	if panicked != nil {
		h.Log.ErrorContext(ctx, "panic", "panic", fmt.Sprint(panicked), "stack", string(debug.Stack()))
		*failed = asError(errors.New("panic"))
	}
	record.Failure = *failed
	record.End(ctx, h.Log)
	if e := *failed; e != nil && e.Code == bulk.InternalError {
		if lc, ok := lambdacontext.FromContext(ctx); ok {
			e.Detail += "; the log has more under request id " + lc.AwsRequestID
		}
	}
}

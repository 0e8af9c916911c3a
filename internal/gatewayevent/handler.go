// Package gatewayevent speaks the synchronous events: API Gateway's HTTP API and REST
// API, Lambda's Function URL, and the bare request of a direct invoke.
package gatewayevent

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"bulkpresign/internal/audit"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/delivery"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/runtimeclient"
)

// MaxResponse is the most that a synchronous invocation may answer, in bytes. One
// more, and the runtime's process ends.
//
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const MaxResponse = 6_291_556

// Handler answers invocations, on raw bytes: no reflection and no second JSON encoding
// stand between it and the runtime.
type Handler struct {
	Service *bulk.Service
	Results *delivery.Bucket // where answers go that do not fit, or nil
	Log     *slog.Logger

	// StreamREST says that the REST API in front takes streamed answers, and no others
	// (ResponseTransferMode is RESPONSE_STREAM).
	StreamREST bool
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
	return runtimeclient.Answer{Whole: answer}, nil
}

func (h *Handler) overHTTP(ctx context.Context, payload []byte, record *audit.Record) (answer runtimeclient.Answer) {
	var failed *bulk.Error
	var event *httpEvent
	defer func() {
		if answer.Stream == nil { // else it has not ended
			h.end(ctx, record, &failed, recover())
		}
		switch streamed := h.StreamREST && event != nil && event.isREST; {
		case failed != nil && streamed:
			answer.Stream = streamedProblem(failed)
		case failed != nil:
			answer.Whole = problem(failed)
		}
	}()
	event, err := decodeEvent(payload)
	if err != nil {
		failed = &bulk.Error{Code: bulk.InvalidRequest, Detail: fmt.Sprintf("the event is not valid JSON: %v", err)}
		return answer
	}
	var plan *bulk.Plan
	if plan, failed = h.planOf(ctx, event, record); failed != nil {
		return answer
	}
	if h.StreamREST && event.isREST {
		answer.Stream, failed = h.stream(ctx, plan, plan.Format(event.accepted()), record)
	} else {
		answer.Whole, failed = h.whole(ctx, event, plan)
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
	body, err := event.request()
	if err != nil {
		return nil, &bulk.Error{Code: bulk.InvalidRequest, Detail: "the body is not valid base64"}
	}
	record.Caller = event.caller
	return h.plan(ctx, record, body, event)
}

// whole makes an HTTP answer in one piece, compressed where that is wanted.
func (h *Handler) whole(ctx context.Context, event *httpEvent, plan *bulk.Plan) (answer []byte, failed *bulk.Error) {
	format := plan.Format(event.accepted())
	plain := envelope{responseHead(http.StatusOK, format.MediaType(), ""), responseEnd}
	if !event.acceptsGzip() {
		answer, failed = answerPlain(plan, format, bulk.Quoted, plain, `send "Accept-Encoding: gzip"`)
	} else if size, _ := plan.First(plan.Within(maxURLs)).Size(format, bulk.Quoted, 0); size < event.zippedFrom() {
		answer, failed = answerPlain(plan, format, bulk.Quoted, plain, "")
	} else {
		answer, failed = answerZipped(plan, format, envelope{responseHead(http.StatusOK, format.MediaType(), "gzip"), responseEnd})
	}
	if h.canDeliver(plan, failed) {
		return h.deliver(ctx, plan, format, bulk.Quoted, envelope{responseHead(http.StatusOK, bulk.JSON.MediaType(), ""), responseEnd})
	}
	return answer, failed
}

// zippedFrom is the size from which an answer is compressed for a client that accepts
// it, in bytes. A short one fits into a few packets either way. A REST API hands base64
// on as it is unless its binary media types say otherwise, so there only what would not
// fit at all is compressed.
func (e *httpEvent) zippedFrom() int {
	if e.isREST {
		return MaxResponse - 1024
	}
	return 4 << 10
}

// responseEnd closes what responseHead opens.
const responseEnd = `"}`

// responseHead is a proxy response up to where the text of the body begins.
func responseHead(status int, mediaType, encoding string, headers ...string) string {
	if encoding != "" {
		headers = append(headers, "content-encoding", encoding)
	}
	b := appendHead(nil, status, mediaType, headers...)
	b = strconv.AppendBool(append(b, `,"isBase64Encoded":`...), encoding != "")
	return string(append(b, `,"body":"`...))
}

// appendHead begins the JSON object that tells API Gateway of a response's status and
// headers, and leaves it open.
func appendHead(b []byte, status int, mediaType string, headers ...string) []byte {
	b = append(strconv.AppendInt(append(b, `{"statusCode":`...), int64(status), 10), `,"headers":{"cache-control":"no-store","content-type":`...)
	b = append(b, bulk.Quote(mediaType)...)
	for i := 0; i+1 < len(headers); i += 2 {
		b = append(append(b, ','), bulk.Quote(headers[i])...)
		b = append(append(b, ':'), bulk.Quote(headers[i+1])...)
	}
	return append(b, '}')
}

func (h *Handler) direct(ctx context.Context, payload []byte, record *audit.Record) (answer []byte, failed *bulk.Error) {
	defer func() { h.end(ctx, record, &failed, recover()) }()
	record.Caller = policy.Caller{Kind: policy.Direct}
	plan, failed := h.plan(ctx, record, payload, nil)
	if failed != nil {
		return nil, failed
	}
	format := plan.Format(bulk.JSON)
	switch {
	case plan.Gzip():
		answer, failed = answerZipped(plan, format, envelope{`{"encoding":"gzip","body":"`, `"}`})
	case format.IsObject():
		answer, failed = answerPlain(plan, format, bulk.Bare, envelope{}, `ask for "encoding": "gzip"`)
	default: // A function's answer is JSON, so a text lies in a JSON string.
		answer, failed = answerPlain(plan, format, bulk.Quoted, envelope{`"`, `"`}, `ask for "encoding": "gzip"`)
	}
	if h.canDeliver(plan, failed) {
		answer, failed = h.deliver(ctx, plan, format, bulk.Bare, envelope{})
	}
	if failed != nil {
		h.Service.GiveUp(ctx, plan)
	}
	return answer, failed
}

// canDeliver tells whether an answer that does not fit has another place to go. Part
// numbers can make more URLs of a request than it may have keys.
func (h *Handler) canDeliver(plan *bulk.Plan, failed *bulk.Error) bool {
	return failed != nil && failed.Code == bulk.ResponseTooLarge && h.Results != nil &&
		plan.URLs() <= h.Service.Policy.MaxKeys
}

// deliver puts an answer that does not fit into the results bucket, compressed, and
// answers with where it is. Its name is the invocation's, which Lambda keeps when it
// invokes again.
func (h *Handler) deliver(ctx context.Context, plan *bulk.Plan, f bulk.Format, q bulk.Quoting, e envelope) ([]byte, *bulk.Error) {
	name := "direct"
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		name = lc.AwsRequestID
	}
	plan.Sign()
	key, err := h.Results.Put(ctx, name+"."+f.FileExtension(), plan.AppendGzip(nil, f), f.MediaType(), "gzip")
	if err != nil {
		return nil, asError(err)
	}
	answer := plan.AppendResults([]byte(e.before), q, f, h.Results.Location, key)
	return append(answer, e.after...), nil
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
		plan, err = h.Service.Plan(ctx, record.Caller, request)
	}
	if err != nil {
		return nil, asError(err)
	}
	record.Add(plan)
	return plan, nil
}

// envelope is what stands around an answer.
type envelope struct{ before, after string }

// maxURLs is more than any answer holds: each URL has 32 bytes of signature that no
// compression makes shorter, which are 43 in base64.
const maxURLs = MaxResponse / 43

// answerPlain answers with the text as it is. Its size is known before anything is
// signed.
func answerPlain(plan *bulk.Plan, f bulk.Format, q bulk.Quoting, e envelope, instead string) ([]byte, *bulk.Error) {
	room := MaxResponse - len(e.before) - len(e.after)
	within := plan.First(plan.Within(maxURLs))
	size, fits := within.Size(f, q, room)
	if size > room || within.Keys() < plan.Keys() {
		return nil, bulk.TooLarge(fits, instead)
	}
	answer := append(make([]byte, 0, len(e.before)+size+len(e.after)), e.before...)
	answer = plan.Append(answer, f, q)
	return append(answer, e.after...), nil
}

// answerZipped answers with the compressed text in base64.
func answerZipped(plan *bulk.Plan, f bulk.Format, e envelope) ([]byte, *bulk.Error) {
	size := func(compressed []byte) int {
		return len(e.before) + base64.StdEncoding.EncodedLen(len(compressed)) + len(e.after)
	}
	plan.Sign()
	fits := plan.Within(maxURLs)
	compressed := plan.First(fits).AppendGzip(nil, f)
	if fits < plan.Keys() || size(compressed) > MaxResponse {
		// Keys compress unevenly, so how many fit is found by trying, with a little room
		// to spare: the next second's signatures compress otherwise than these.
		const room = MaxResponse - MaxResponse/1000
		for size(compressed) > room {
			fits = min(fits-1, int(float64(fits)*room/float64(size(compressed))))
			compressed = plan.First(fits).AppendGzip(compressed[:0], f)
		}
		return nil, bulk.TooLarge(fits, "")
	}
	answer := append(make([]byte, 0, size(compressed)), e.before...)
	answer = base64.StdEncoding.AppendEncode(answer, compressed)
	return append(answer, e.after...), nil
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

// asError makes anything that is not for the caller an InternalError.
func asError(err error) *bulk.Error {
	var known *bulk.Error
	if errors.As(err, &known) {
		return known
	}
	return &bulk.Error{Code: bulk.InternalError, Detail: "the service failed", Cause: err}
}

// status maps the contract's codes to HTTP.
func status(code bulk.Code) int {
	switch code {
	case bulk.InvalidRequest, bulk.InvalidOption, bulk.ExpiryTooLong:
		return http.StatusBadRequest
	case bulk.BucketNotAllowed, bulk.OperationNotAllowed, bulk.KeyNotAllowed:
		return http.StatusForbidden
	case bulk.MethodNotAllowed:
		return http.StatusMethodNotAllowed
	case bulk.TooManyKeys, bulk.ResponseTooLarge:
		return http.StatusRequestEntityTooLarge
	case bulk.CredentialsUnavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// problem is the HTTP answer to a request that failed (RFC 9457).
func problem(e *bulk.Error) []byte {
	answer := []byte(responseHead(status(e.Code), problemType, "", allow(e)...))
	answer = bulk.AppendQuoted(answer, string(problemBody(e)))
	return append(answer, responseEnd...)
}

const problemType = "application/problem+json"

// problemAddress is where each code has its section, with its cure, relative to the repository: which host that is
// read on nobody here knows.
const problemAddress = "docs/reference.md#"

// allow is the header that a refused method must have.
func allow(e *bulk.Error) []string {
	if e.Code == bulk.MethodNotAllowed {
		return []string{"allow", http.MethodPost}
	}
	return nil
}

func problemBody(e *bulk.Error) []byte {
	code := status(e.Code)
	body := append([]byte(`{"type":`), bulk.Quote(problemAddress+strings.ToLower(string(e.Code)))...)
	body = append(append(body, `,"title":`...), bulk.Quote(http.StatusText(code))...)
	body = strconv.AppendInt(append(body, `,"status":`...), int64(code), 10)
	body = append(append(body, `,"detail":`...), bulk.Quote(e.Detail)...)
	body = append(append(body, `,"code":`...), bulk.Quote(string(e.Code))...)
	if e.Code == bulk.ResponseTooLarge {
		body = strconv.AppendInt(append(body, `,"fits":`...), int64(e.Fits), 10)
	}
	return append(body, '}')
}

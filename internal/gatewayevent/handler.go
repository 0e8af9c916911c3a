// Package gatewayevent speaks the synchronous events: API Gateway's HTTP API and REST
// API, Lambda's Function URL, and the bare request of a direct invoke.
package gatewayevent

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"bulkpresign/internal/bulk"
)

// MaxResponse is the most that a synchronous invocation may answer, in bytes. One
// more, and the runtime's process ends.
//
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const MaxResponse = 6_291_556

// Handler answers invocations. It is a lambda.Handler, so no reflection and no second
// JSON encoding stand between it and the runtime.
type Handler struct {
	Service *bulk.Service
	Log     *slog.Logger
}

// Invoke answers one event. An HTTP event always has an HTTP answer; a direct
// invoke's failure is a function error whose type is the code.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	began := time.Now()
	if isHTTP(payload) {
		answer, err := h.overHTTP(ctx, payload, began)
		if err != nil {
			return problem(err), nil
		}
		return answer, nil
	}
	answer, err := h.direct(ctx, payload, began)
	if err != nil {
		return nil, messages.InvokeResponse_Error{Type: string(err.Code), Message: err.Detail}
	}
	return answer, nil
}

func (h *Handler) overHTTP(ctx context.Context, payload []byte, began time.Time) (answer []byte, failed *bulk.Error) {
	defer h.end(ctx, "http", began, &failed)
	event, err := decodeEvent(payload)
	if err != nil {
		return nil, &bulk.Error{Code: bulk.InvalidRequest, Detail: fmt.Sprintf("the event is not valid JSON: %v", err)}
	}
	if event.method != http.MethodPost {
		return nil, &bulk.Error{Code: bulk.MethodNotAllowed, Detail: "the method must be POST, with the request as its body"}
	}
	body, err := event.request()
	if err != nil {
		return nil, &bulk.Error{Code: bulk.InvalidRequest, Detail: "the body is not valid base64"}
	}
	plan, failed := h.plan(ctx, body, true)
	if failed != nil {
		return nil, failed
	}
	const before = `{"statusCode":200,"headers":{"content-type":"application/json","cache-control":"no-store"},"isBase64Encoded":false,"body":"`
	const after = `"}`
	room := MaxResponse - len(before) - len(after)
	size, fits := plan.JSONSize(bulk.Quoted, room)
	if size <= room {
		plan.Sign()
		answer = append(make([]byte, 0, len(before)+size+len(after)), before...)
		answer = plan.AppendJSON(answer, bulk.Quoted)
		return append(answer, after...), nil
	}
	if !event.acceptsGzip() {
		return nil, bulk.TooLarge(fits, `send "Accept-Encoding: gzip"`)
	}
	const zippedBefore = `{"statusCode":200,"headers":{"content-type":"application/json","content-encoding":"gzip","cache-control":"no-store"},"isBase64Encoded":true,"body":"`
	return zipped(plan, zippedBefore, after)
}

func (h *Handler) direct(ctx context.Context, payload []byte, began time.Time) (answer []byte, failed *bulk.Error) {
	defer h.end(ctx, "direct", began, &failed)
	plan, failed := h.plan(ctx, payload, false)
	if failed != nil {
		return nil, failed
	}
	if plan.Gzip() {
		return zipped(plan, `{"encoding":"gzip","body":"`, `"}`)
	}
	size, fits := plan.JSONSize(bulk.Bare, MaxResponse)
	if size > MaxResponse {
		return nil, bulk.TooLarge(fits, `ask for "encoding": "gzip"`)
	}
	plan.Sign()
	return plan.AppendJSON(make([]byte, 0, size), bulk.Bare), nil
}

func (h *Handler) plan(ctx context.Context, body []byte, isHTTP bool) (*bulk.Plan, *bulk.Error) {
	request, err := bulk.Decode(body, h.Service.Policy.MaxKeys)
	if err == nil && isHTTP && request.Encoding != "" {
		err = &bulk.Error{Code: bulk.InvalidRequest, Detail: `field "encoding" is for direct invokes: over HTTP send the header Accept-Encoding`}
	}
	var plan *bulk.Plan
	if err == nil {
		plan, err = h.Service.Plan(ctx, request)
	}
	if err != nil {
		return nil, asError(err)
	}
	return plan, nil
}

// zipped answers with the compressed answer in base64 between two texts.
func zipped(plan *bulk.Plan, before, after string) ([]byte, *bulk.Error) {
	plan.Sign()
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	if _, err := w.Write(plan.AppendJSON(nil, bulk.Bare)); err != nil {
		return nil, asError(err)
	}
	if err := w.Close(); err != nil {
		return nil, asError(err)
	}
	size := len(before) + base64.StdEncoding.EncodedLen(compressed.Len()) + len(after)
	if size > MaxResponse {
		return nil, bulk.TooLarge(plan.Keys()*MaxResponse/size, "")
	}
	answer := append(make([]byte, 0, size), before...)
	answer = base64.StdEncoding.AppendEncode(answer, compressed.Bytes())
	return append(answer, after...), nil
}

// end turns a panic into an answer and writes the record of the invocation.
func (h *Handler) end(ctx context.Context, source string, began time.Time, failed **bulk.Error) {
	if p := recover(); p != nil {
		h.Log.ErrorContext(ctx, "panic", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		*failed = asError(errors.New("panic"))
	}
	attributes := []any{"source", source, "milliseconds", float64(time.Since(began).Microseconds()) / 1000}
	level := slog.LevelInfo
	if e := *failed; e != nil {
		attributes = append(attributes, "code", string(e.Code), "detail", e.Detail)
		if e.Cause != nil {
			level = slog.LevelError
			attributes = append(attributes, "cause", e.Cause.Error())
		}
		if e.Code == bulk.InternalError {
			if lc, ok := lambdacontext.FromContext(ctx); ok {
				e.Detail += "; the log has more under request id " + lc.AwsRequestID
			}
		}
	}
	h.Log.Log(ctx, level, "request", attributes...)
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
	case bulk.BucketNotAllowed, bulk.OperationNotAllowed:
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
	code := status(e.Code)
	body := append([]byte(`{"type":"about:blank","title":`), bulk.Quote(http.StatusText(code))...)
	body = strconv.AppendInt(append(body, `,"status":`...), int64(code), 10)
	body = append(append(body, `,"detail":`...), bulk.Quote(e.Detail)...)
	body = append(append(body, `,"code":`...), bulk.Quote(string(e.Code))...)
	if e.Code == bulk.ResponseTooLarge {
		body = strconv.AppendInt(append(body, `,"fits":`...), int64(e.Fits), 10)
	}
	body = append(body, '}')

	answer := strconv.AppendInt([]byte(`{"statusCode":`), int64(code), 10)
	answer = append(answer, `,"headers":{"content-type":"application/problem+json","cache-control":"no-store"`...)
	if e.Code == bulk.MethodNotAllowed {
		answer = append(answer, `,"allow":"POST"`...)
	}
	answer = append(answer, `},"isBase64Encoded":false,"body":`...)
	answer = append(answer, bulk.Quote(string(body))...)
	return append(answer, '}')
}

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
	format := plan.Format(event.accepted())
	head := responseHead(http.StatusOK, format.MediaType(), "")
	size, fits := plan.Size(format, bulk.Quoted, MaxResponse-len(head)-len(responseEnd))
	switch size += len(head) + len(responseEnd); {
	case size > minZipped && event.acceptsGzip():
		return zipped(plan, format, responseHead(http.StatusOK, format.MediaType(), "gzip"), responseEnd)
	case size > MaxResponse:
		return nil, bulk.TooLarge(fits, `send "Accept-Encoding: gzip"`)
	}
	plan.Sign()
	answer = append(make([]byte, 0, size), head...)
	answer = plan.Append(answer, format, bulk.Quoted)
	return append(answer, responseEnd...), nil
}

// minZipped is the size from which an answer is compressed for a client that accepts
// it, in bytes: a shorter one fits into a few packets either way.
const minZipped = 4 << 10

// responseEnd closes what responseHead opens.
const responseEnd = `"}`

// responseHead is a proxy response up to where the text of the body begins.
func responseHead(status int, mediaType, encoding string, headers ...string) string {
	b := append(strconv.AppendInt([]byte(`{"statusCode":`), int64(status), 10), `,"headers":{"cache-control":"no-store","content-type":`...)
	b = append(b, bulk.Quote(mediaType)...)
	if encoding != "" {
		headers = append(headers, "content-encoding", encoding)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		b = append(append(b, ','), bulk.Quote(headers[i])...)
		b = append(append(b, ':'), bulk.Quote(headers[i+1])...)
	}
	b = strconv.AppendBool(append(b, `},"isBase64Encoded":`...), encoding != "")
	return string(append(b, `,"body":"`...))
}

func (h *Handler) direct(ctx context.Context, payload []byte, began time.Time) (answer []byte, failed *bulk.Error) {
	defer h.end(ctx, "direct", began, &failed)
	plan, failed := h.plan(ctx, payload, false)
	if failed != nil {
		return nil, failed
	}
	format := plan.Format(bulk.JSON)
	if plan.Gzip() {
		return zipped(plan, format, `{"encoding":"gzip","body":"`, `"}`)
	}
	// A function's answer is JSON, so a text lies in a JSON string.
	quoting, quote := bulk.Bare, ""
	if !format.IsObject() {
		quoting, quote = bulk.Quoted, `"`
	}
	size, fits := plan.Size(format, quoting, MaxResponse-2*len(quote))
	if size += 2 * len(quote); size > MaxResponse {
		return nil, bulk.TooLarge(fits, `ask for "encoding": "gzip"`)
	}
	plan.Sign()
	answer = append(make([]byte, 0, size), quote...)
	answer = plan.Append(answer, format, quoting)
	return append(answer, quote...), nil
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
func zipped(plan *bulk.Plan, format bulk.Format, before, after string) ([]byte, *bulk.Error) {
	plan.Sign()
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	if _, err := w.Write(plan.Append(nil, format, bulk.Bare)); err != nil {
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

	var allow []string
	if e.Code == bulk.MethodNotAllowed {
		allow = []string{"allow", http.MethodPost}
	}
	answer := append([]byte(nil), responseHead(code, "application/problem+json", "", allow...)...)
	answer = bulk.AppendQuoted(answer, string(body))
	return append(answer, responseEnd...)
}

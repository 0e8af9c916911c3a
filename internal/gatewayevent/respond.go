package gatewayevent

import (
	"context"
	"encoding/base64"
	"net/http"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"bulkpresign/internal/answer"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/deflate"
)

// MaxResponse is the most that a synchronous invocation may answer, in bytes. One
// more, and the runtime's process ends.
//
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const MaxResponse = 6_291_556

// envelope is what stands around an answer.
type envelope struct{ before, after string }

// maxURLs is more than any answer holds: each URL has 32 bytes of signature that no
// compression makes shorter, which are 43 in base64.
const maxURLs = MaxResponse / 43

// whole makes an HTTP answer in one piece, compressed where that is wanted.
func (h *Handler) whole(ctx context.Context, event *httpEvent, plan *bulk.Plan) (response []byte, failed *bulk.Error) {
	format := plan.Format(event.accepted())
	cors := h.cors(event)
	plain := envelope{responseHead(http.StatusOK, format.MediaType(), "", cors...), responseEnd}
	if !event.acceptsGzip() {
		response, failed = answerPlain(plan, format, answer.Quoted, plain, `send "Accept-Encoding: gzip"`)
	} else if size, _ := answer.Size(plan.First(plan.Within(maxURLs)), format, answer.Quoted, 0); size < event.zippedFrom() {
		response, failed = answerPlain(plan, format, answer.Quoted, plain, "")
	} else {
		response, failed = answerZipped(plan, format, envelope{responseHead(http.StatusOK, format.MediaType(), "gzip", cors...), responseEnd})
	}
	if h.canDeliver(plan, failed) {
		return h.deliver(ctx, plan, format, answer.Quoted, envelope{responseHead(http.StatusOK, bulk.JSON.MediaType(), "", cors...), responseEnd})
	}
	return response, failed
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

// answerPlain answers with the text as it is. Its size is known before anything is
// signed.
func answerPlain(plan *bulk.Plan, f bulk.Format, q answer.Quoting, e envelope, instead string) ([]byte, *bulk.Error) {
	room := MaxResponse - len(e.before) - len(e.after)
	within := plan.First(plan.Within(maxURLs))
	size, fits := answer.Size(within, f, q, room)
	if size > room || within.Keys() < plan.Keys() {
		return nil, bulk.TooLarge(fits, instead)
	}
	response := append(make([]byte, 0, len(e.before)+size+len(e.after)), e.before...)
	response = answer.Append(response, plan, f, q)
	return append(response, e.after...), nil
}

// answerZipped answers with the compressed text in base64: at the first effort that makes it fit.
// The tight one makes it smaller by some hundredths, so where a tenth is too much it is not tried.
func answerZipped(plan *bulk.Plan, f bulk.Format, e envelope) ([]byte, *bulk.Error) {
	size := func(compressed []byte) int {
		return len(e.before) + base64.StdEncoding.EncodedLen(len(compressed)) + len(e.after)
	}
	plan.Sign()
	fits := plan.Within(maxURLs)
	compressed := answer.AppendGzip(nil, plan.First(fits), f, deflate.Fast)
	if size(compressed) > MaxResponse && size(compressed) < MaxResponse+MaxResponse/10 {
		compressed = answer.AppendGzip(compressed[:0], plan.First(fits), f, deflate.Tight)
	}
	if fits < plan.Keys() || size(compressed) > MaxResponse {
		// Keys compress unevenly, so how many fit is found by trying, with a little room
		// to spare: the next second's signatures compress otherwise than these. The fast effort
		// tries, since the tight one would take seconds for what is said to be too large anyhow.
		const room = MaxResponse - MaxResponse/1000
		for size(compressed) > room {
			fits = min(fits-1, int(float64(fits)*room/float64(size(compressed))))
			compressed = answer.AppendGzip(compressed[:0], plan.First(fits), f, deflate.Fast)
		}
		return nil, bulk.TooLarge(fits, "")
	}
	response := append(make([]byte, 0, size(compressed)), e.before...)
	response = base64.StdEncoding.AppendEncode(response, compressed)
	return append(response, e.after...), nil
}

// canDeliver tells whether an answer that does not fit has another place to go. Part
// numbers can make more URLs of a request than it may have keys.
func (h *Handler) canDeliver(plan *bulk.Plan, failed *bulk.Error) bool {
	return failed != nil && failed.Code == bulk.ResponseTooLarge && h.Results != nil && !plan.Listed() &&
		plan.URLs() <= h.Service.Policy.MaxKeys
}

// deliver puts an answer that does not fit into the results bucket, compressed, and
// answers with where it is. Its name is the invocation's, which Lambda keeps when it
// invokes again.
func (h *Handler) deliver(ctx context.Context, plan *bulk.Plan, f bulk.Format, q answer.Quoting, e envelope) ([]byte, *bulk.Error) {
	name := "direct"
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		name = lc.AwsRequestID
	}
	plan.Sign()
	key, err := h.Results.Put(ctx, name+"."+f.FileExtension(), answer.AppendGzip(nil, plan, f, deflate.Fast), f.MediaType(), "gzip")
	if err != nil {
		return nil, asError(err)
	}
	response := answer.AppendResults([]byte(e.before), plan, q, f, h.Results.Location, key)
	return append(response, e.after...), nil
}

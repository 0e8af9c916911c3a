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
	var zipped []byte
	format := plan.Format(event.accepted())
	cors := h.cors(event)
	plain := envelope{responseHead(http.StatusOK, format.MediaType(), "", cors...), responseEnd}
	if !event.acceptsGzip() {
		response, failed = h.answerPlain(plan, format, answer.Quoted, plain, `send "Accept-Encoding: gzip"`)
	} else if size, _ := answer.Size(plan.First(plan.Within(maxURLs)), format, answer.Quoted, 0); size < event.zippedFrom() {
		response, failed = h.answerPlain(plan, format, answer.Quoted, plain, "")
	} else {
		response, zipped, failed = h.answerZipped(plan, format, envelope{responseHead(http.StatusOK, format.MediaType(), "gzip", cors...), responseEnd})
	}
	if h.canDeliver(plan, failed) {
		return h.deliver(ctx, plan, zipped, format, answer.Quoted, envelope{responseHead(http.StatusOK, bulk.JSON.MediaType(), "", cors...), responseEnd})
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
func (h *Handler) answerPlain(plan *bulk.Plan, f bulk.Format, q answer.Quoting, e envelope, instead string) ([]byte, *bulk.Error) {
	room := MaxResponse - len(e.before) - len(e.after)
	within := plan.First(plan.Within(maxURLs))
	size, fits := answer.Size(within, f, q, room)
	if size > room || within.Keys() < plan.Keys() {
		return nil, bulk.TooLarge(fits, instead)
	}
	response := append(h.room(len(e.before)+size+len(e.after)), e.before...)
	response = answer.Append(response, plan, f, q)
	return append(response, e.after...), nil
}

// answerZipped answers with the compressed text in base64: at the first effort that makes it fit. Where there
// is another place for what does not fit, nobody needs to know how many keys would, and zipped is what goes there, if
// it is known.
func (h *Handler) answerZipped(plan *bulk.Plan, f bulk.Format, e envelope) (response, zipped []byte, failed *bulk.Error) {
	plan.Sign()
	z := zipping{plan: plan, format: f, around: len(e.before) + len(e.after)}
	within := plan.Within(maxURLs)
	size := z.try(within, deflate.Fast)
	if size > MaxResponse && size < MaxResponse+MaxResponse/10 { // the tight effort saves some hundredths
		size = z.try(within, deflate.Tight)
	}
	if within < plan.Keys() || size > MaxResponse {
		if h.mayDeliver(plan) {
			if within == plan.Keys() {
				zipped = z.compressed
			}
			return nil, zipped, bulk.TooLarge(0, "")
		}
		if fits := z.fits(within, size); fits < plan.Keys() { // else it fits, by the tight effort, after all
			return nil, nil, bulk.TooLarge(fits, "")
		}
	}
	response = append(h.room(z.size()), e.before...)
	response = base64.StdEncoding.AppendEncode(response, z.compressed)
	return append(response, e.after...), nil, nil
}

// zipping tries how many of a plan's keys fit.
type zipping struct {
	plan       *bulk.Plan
	format     bulk.Format
	around     int    // bytes of the envelope
	compressed []byte // what was tried last
}

// try compresses the answer for the first n keys, and is the size that it has in base64.
func (z *zipping) try(n int, effort deflate.Effort) int {
	z.compressed = answer.AppendGzip(z.compressed[:0], z.plan.First(n), z.format, effort)
	return z.size()
}

// size is that of the answer which was tried last.
func (z *zipping) size() int { return z.around + base64.StdEncoding.EncodedLen(len(z.compressed)) }

// fits finds how many keys fit, when the first n have a size that does not. Keys compress unevenly, so it is found by trying,
// with a little room to spare: the next second's signatures compress otherwise than these. The fast effort finds how
// many would fit with it, and a sixteenth of them how many more the tight one is worth, which takes several times as long: so
// it is asked once whether they do, or twice.
func (z *zipping) fits(n, size int) int {
	const room = MaxResponse - MaxResponse/1000
	for size > room {
		n = min(n-1, int(float64(n)*room/float64(size)))
		size = z.try(n, deflate.Fast)
	}
	sample := max(1, n/16)
	worth := float64(z.try(sample, deflate.Fast)) / float64(z.try(sample, deflate.Tight))
	more := min(z.plan.Within(maxURLs), int(float64(n)*worth))
	for tries := 0; tries < 2 && more > n; tries++ { // the sample may have been of other keys than most
		if size = z.try(more, deflate.Tight); size <= room {
			return more
		}
		more = int(float64(more) * 0.999 * room / float64(size))
	}
	return n
}

// canDeliver tells whether an answer that does not fit has another place to go. Part
// numbers can make more URLs of a request than it may have keys.
func (h *Handler) canDeliver(plan *bulk.Plan, failed *bulk.Error) bool {
	return failed != nil && failed.Code == bulk.ResponseTooLarge && h.mayDeliver(plan)
}

func (h *Handler) mayDeliver(plan *bulk.Plan) bool {
	return h.Results != nil && !plan.Listed() && plan.URLs() <= h.Service.Policy.MaxKeys
}

// deliver puts an answer that does not fit into the results bucket, compressed, as it is already unless zipped is nil, and
// answers with where it is. Its name is the invocation's, which Lambda keeps when it
// invokes again.
func (h *Handler) deliver(ctx context.Context, plan *bulk.Plan, zipped []byte, f bulk.Format, q answer.Quoting, e envelope) ([]byte, *bulk.Error) {
	name := "direct"
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		name = lc.AwsRequestID
	}
	if zipped == nil {
		plan.Sign()
		zipped = answer.AppendGzip(nil, plan, f, deflate.Fast)
	}
	key, err := h.Results.Put(ctx, name+"."+f.FileExtension(), zipped, f.MediaType(), "gzip")
	if err != nil {
		return nil, asError(err)
	}
	response := answer.AppendResults([]byte(e.before), plan, q, f, h.Results.Location, key)
	return append(response, e.after...), nil
}

package gatewayevent

import (
	"context"
	"io"
	"net/http"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"bulkpresign/internal/answer"
	"bulkpresign/internal/audit"
	"bulkpresign/internal/bulk"
)

// MaxStreamed is the most that a streamed answer may have, in bytes.
//
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
const MaxStreamed = 200 << 20

// stream answers with the plain text while it is signed. Once the status is out nothing
// can be taken back, so all is judged before, the size too. What is returned writes the
// answer, and then the request's record.
func (h *Handler) stream(ctx context.Context, plan *bulk.Plan, f bulk.Format, record *audit.Record, headers ...string) (func(io.Writer) error, *bulk.Error) {
	head := streamHead(http.StatusOK, f.MediaType(), headers...)
	size, fits := answer.Size(plan, f, answer.Bare, MaxStreamed-len(head))
	write := func(w io.Writer) error {
		if _, err := w.Write(head); err != nil {
			return err
		}
		return answer.Write(w, plan, f)
	}
	if size > MaxStreamed-len(head) {
		failed := bulk.TooLarge(fits, "")
		if !h.canDeliver(plan, failed) {
			return nil, failed
		}
		head := streamHead(http.StatusOK, bulk.JSON.MediaType(), headers...)
		answer, failed := h.deliver(ctx, plan, nil, f, answer.Bare, envelope{string(head), ""})
		if failed != nil {
			return nil, failed
		}
		write = whole(answer)
	}
	return func(w io.Writer) (err error) {
		var failed *bulk.Error
		defer func() {
			h.end(ctx, record, &failed, recover())
			if failed != nil {
				err = messages.InvokeResponse_Error{Type: string(failed.Code), Message: failed.Detail}
			}
		}()
		if err := write(w); err != nil {
			failed = asError(err)
		}
		return nil
	}, nil
}

func whole(answer []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(answer)
		return err
	}
}

// streamedProblem is problem for an API that takes streams only.
func streamedProblem(e *bulk.Error, headers ...string) func(io.Writer) error {
	return whole(append(streamHead(Status(e.Code), problemType, append(allow(e), headers...)...), problemBody(e)...))
}

// streamHead is what stands before the body of a streamed response. The zeros end it.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
func streamHead(status int, mediaType string, headers ...string) []byte {
	return append(appendHead(nil, status, mediaType, headers...), "}\x00\x00\x00\x00\x00\x00\x00\x00"...)
}

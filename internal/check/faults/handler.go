package faults

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Handler answers in the place of a service, mostly with the service's own answer.
type Handler struct {
	Next   http.Handler
	Faults *Source

	// Happened, if it is not nil, is told of every fault.
	Happened func(kind Kind, r *http.Request)

	// Refuse writes an error of the service. Nil: as S3 does.
	Refuse func(w http.ResponseWriter, r *http.Request, status int, code string)
}

// ServeHTTP passes a request on, or not.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	refuse := h.Refuse
	if refuse == nil {
		refuse = RefuseAsS3
	}
	kind, random := h.Faults.draw(name(r))
	switch {
	case h.Faults.throttling():
		kind = SlowDown
	case kind == LateError && !completes(r):
		kind = ""
	case kind == CutRequest && r.ContentLength < 2:
		kind = Lost // there is nothing to cut, and the answer is as good
	}
	if kind != "" {
		h.Faults.happened(kind)
		if h.Happened != nil {
			h.Happened(kind, r)
		}
	}
	switch kind {
	case InternalError:
		refuse(w, r, http.StatusInternalServerError, "InternalError")
	case Throttled:
		h.Faults.throttle()
		refuse(w, r, http.StatusServiceUnavailable, "SlowDown")
	case SlowDown:
		refuse(w, r, http.StatusServiceUnavailable, "SlowDown")
	case LateError:
		refuse(w, r, http.StatusOK, "InternalError")
	case CutRequest:
		io.CopyN(io.Discard, r.Body, random.Int64N(r.ContentLength))
		panic(http.ErrAbortHandler) // which closes the connection
	case Slow:
		time.Sleep(time.Duration(random.Int64N(int64(h.Faults.Slowest))))
		h.Next.ServeHTTP(w, r)
	case CutResponse, Lost:
		h.cut(w, r, kind, random)
	default:
		h.Next.ServeHTTP(w, r)
	}
}

// cut lets the service do its work and then keeps some of the answer back, or all of it.
func (h *Handler) cut(w http.ResponseWriter, r *http.Request, kind Kind, random *rand.Rand) {
	answer := &recorder{header: http.Header{}, status: http.StatusOK}
	h.Next.ServeHTTP(answer, r)
	if n := answer.body.Len(); kind == CutResponse && n > 0 {
		for name, values := range answer.header {
			w.Header()[name] = values
		}
		w.Header().Set("Content-Length", strconv.Itoa(n))
		w.WriteHeader(answer.status)
		w.Write(answer.body.Bytes()[:random.IntN(n)])
		http.NewResponseController(w).Flush()
	}
	panic(http.ErrAbortHandler)
}

// name tells one thing that is asked for from another. The query is left out but for what makes it another request:
// tokens and times would make every run different.
func name(r *http.Request) string {
	q := r.URL.Query()
	return fmt.Sprint(r.Method, " ", r.URL.Path, " ", q.Get("partNumber"), q.Has("uploads"), q.Has("uploadId"), r.Header.Get("X-Amz-Target"))
}

func completes(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }

// RefuseAsS3 writes an error as S3 does.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func RefuseAsS3(w http.ResponseWriter, r *http.Request, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("x-amz-request-id", "0123456789ABCDEF")
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	fmt.Fprintf(w, "%s<Error><Code>%s</Code><Message>Please try again.</Message></Error>", xml.Header, code)
}

// RefuseAsSQS writes an error as SQS does.
func RefuseAsSQS(w http.ResponseWriter, _ *http.Request, status int, code string) {
	if code == "SlowDown" {
		code = "ThrottlingException"
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"__type":"com.amazonaws.sqs#%s","message":"Please try again."}`, code)
}

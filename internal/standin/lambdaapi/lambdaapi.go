// Package lambdaapi stands in for the part of Lambda's own API that calls functions, Invoke, and for what says how they are
// deployed. A client of Lambda's, such as boto3's or aws-cli with --endpoint-url, calls a function on this machine with it. It
// looks at no signature.
//
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html
package lambdaapi

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"bulkpresign/internal/standin/runtimeapi"
)

// Prefix is what the paths of the API begin with.
const Prefix = "/2015-03-31/functions/"

// maxAsync is the most bytes of an event that nobody waits for.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxAsync = 1 << 20

// A Function is what can be called.
type Function interface {
	Invoke(ctx context.Context, event []byte) ([]byte, error)
}

// Handler is the API of some functions, by name.
type Handler struct {
	Functions map[string]Function

	// Settings are the environments that the functions were deployed with, by name.
	Settings map[string]map[string]string

	// Failed, if it is not nil, is told of a call that failed with nobody waiting for it.
	Failed func(name string, err error)
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Amzn-Requestid", strings.ToLower(rand.Text()))
	if name, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, Prefix), "/configuration"); ok && r.Method == http.MethodGet {
		h.configuration(w, nameOf(name))
		return
	}
	name, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, Prefix), "/invocations")
	switch {
	case !ok || !strings.HasPrefix(r.URL.Path, Prefix):
		refuse(w, http.StatusNotFound, "UnknownOperationException", "only Invoke is here")
		return
	case r.Method != http.MethodPost:
		refuse(w, http.StatusMethodNotAllowed, "UnknownOperationException", "Invoke is a POST")
		return
	}
	name = nameOf(name)
	f := h.Functions[name]
	if f == nil {
		refuse(w, http.StatusNotFound, "ResourceNotFoundException", "Function not found: "+name)
		return
	}
	event, err := io.ReadAll(http.MaxBytesReader(w, r.Body, runtimeapi.MaxPayload))
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		refuse(w, http.StatusRequestEntityTooLarge, "RequestTooLargeException", "the event is over Lambda's 6 MB")
		return
	} else if err != nil {
		panic(http.ErrAbortHandler) // the client has gone
	}
	if len(event) == 0 {
		event = []byte("{}")
	}
	if !json.Valid(event) {
		refuse(w, http.StatusBadRequest, "InvalidRequestContentException", "Could not parse request body into json")
		return
	}
	switch r.Header.Get("X-Amz-Invocation-Type") {
	case "", "RequestResponse":
		h.call(r.Context(), w, f, event)
	case "Event":
		if len(event) > maxAsync {
			refuse(w, http.StatusRequestEntityTooLarge, "RequestTooLargeException", "the event is over the 1 MB of an asynchronous call")
			return
		}
		w.WriteHeader(http.StatusAccepted)
		go func() {
			if _, err := f.Invoke(context.WithoutCancel(r.Context()), event); err != nil && h.Failed != nil {
				h.Failed(name, err)
			}
		}()
	case "DryRun":
		w.WriteHeader(http.StatusNoContent)
	default:
		refuse(w, http.StatusBadRequest, "InvalidParameterValueException", "the invocation type is none of RequestResponse, Event and DryRun")
	}
}

// call answers as Lambda does: a function that fails is a call that succeeds, and a header says so.
func (h *Handler) call(ctx context.Context, w http.ResponseWriter, f Function, event []byte) {
	payload, err := f.Invoke(ctx, event)
	var failed *runtimeapi.FunctionError
	var start *runtimeapi.InitError
	switch {
	case errors.As(err, &failed):
		payload = failed.Payload
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
	case errors.As(err, &start):
		payload, _ = json.Marshal(map[string]string{"errorType": start.Type, "errorMessage": start.Message})
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
	case err != nil:
		refuse(w, http.StatusInternalServerError, "ServiceException", "the function cannot be reached")
		return
	}
	w.Header().Set("X-Amz-Executed-Version", "$LATEST")
	w.Header().Set("Content-Type", "application/json")
	w.Write(payload)
}

// configuration is GetFunctionConfiguration, as far as anybody here asks.
func (h *Handler) configuration(w http.ResponseWriter, name string) {
	if h.Functions[name] == nil {
		refuse(w, http.StatusNotFound, "ResourceNotFoundException", "Function not found: "+name)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"FunctionName": name, "Environment": map[string]any{"Variables": h.Settings[name]}}) // or the client has gone
}

// nameOf is the name alone of a name, a partial or a whole ARN, with or without a qualifier.
func nameOf(s string) string {
	if _, rest, ok := strings.Cut(s, ":function:"); ok {
		s = rest
	}
	name, _, _ := strings.Cut(s, ":")
	return name
}

// refuse is an error of the service itself.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-Errortype", code)
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(struct{ Type, Message string }{"User", message})
}

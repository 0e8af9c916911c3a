package lambdaapi_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"bulkpresign/internal/standin/lambdaapi"
	"bulkpresign/internal/standin/runtimeapi"
)

type function struct{ called chan string }

func (f function) Invoke(_ context.Context, event []byte) ([]byte, error) {
	if f.called != nil {
		f.called <- string(event)
	}
	if string(event) == `"fail"` {
		return nil, &runtimeapi.FunctionError{Type: "T", Payload: []byte(`{"errorType":"T"}`)}
	}
	return event, nil
}

// What each call of Invoke is answered with, as in API_Invoke.
func TestInvoke(t *testing.T) {
	const invoke = lambdaapi.Prefix + "f/invocations"
	tests := []struct {
		name, method, path, kind, event string
		status                          int
		want, functionError, errorType  string
	}{
		{"an answer", "POST", invoke, "", `{"a":1}`, 200, `{"a":1}`, "", ""},
		{"by ARN and alias", "POST", lambdaapi.Prefix + "arn:aws:lambda:eu-west-1:000000000000:function:f:live/invocations", "RequestResponse", `1`, 200, `1`, "", ""},
		{"no payload", "POST", invoke, "", ``, 200, `{}`, "", ""},
		{"a function that fails", "POST", invoke, "", `"fail"`, 200, `{"errorType":"T"}`, "Unhandled", ""},
		{"only whether it may", "POST", invoke, "DryRun", `1`, 204, "", "", ""},
		{"no such function", "POST", lambdaapi.Prefix + "g/invocations", "", `1`, 404, `{"Type":"User","Message":"Function not found: g"}`, "", "ResourceNotFoundException"},
		{"no JSON", "POST", invoke, "", `{`, 400, `{"Type":"User","Message":"Could not parse request body into json"}`, "", "InvalidRequestContentException"},
		{"over 6 MB", "POST", invoke, "", `"` + strings.Repeat("a", 7<<20) + `"`, 413, `{"Type":"User","Message":"the event is over Lambda's 6 MB"}`, "", "RequestTooLargeException"},
		{"a GET", "GET", invoke, "", ``, 405, `{"Type":"User","Message":"Invoke is a POST"}`, "", "UnknownOperationException"},
		{"its settings", "GET", lambdaapi.Prefix + "f/configuration", "", ``, 200, `{"Environment":{"Variables":{"A":"b"}},"FunctionName":"f"}`, "", ""},
		{"settings of no function", "GET", lambdaapi.Prefix + "g/configuration", "", ``, 404, `{"Type":"User","Message":"Function not found: g"}`, "", "ResourceNotFoundException"},
		{"another operation", "POST", lambdaapi.Prefix, "", ``, 404, `{"Type":"User","Message":"only Invoke is here"}`, "", "UnknownOperationException"},
	}
	h := &lambdaapi.Handler{Functions: map[string]lambdaapi.Function{"f": function{}}, Settings: map[string]map[string]string{"f": {"A": "b"}}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.event))
			if tt.kind != "" {
				r.Header.Set("X-Amz-Invocation-Type", tt.kind)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			got := []string{strings.TrimSpace(w.Body.String()), w.Header().Get("X-Amz-Function-Error"), w.Header().Get("X-Amzn-Errortype")}
			if w.Code != tt.status || got[0] != tt.want || got[1] != tt.functionError || got[2] != tt.errorType {
				t.Errorf("answer %d %q", w.Code, got)
			}
		})
	}
}

// Nobody waits for an event's answer.
func TestInvokeEvent(t *testing.T) {
	called := make(chan string)
	failed := make(chan string, 1)
	h := &lambdaapi.Handler{Functions: map[string]lambdaapi.Function{"f": function{called}}, Failed: func(name string, err error) { failed <- name + ": " + err.Error() }}
	r := httptest.NewRequest("POST", lambdaapi.Prefix+"f/invocations", strings.NewReader(`"fail"`))
	r.Header.Set("X-Amz-Invocation-Type", "Event")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if event := <-called; w.Code != 202 || event != `"fail"` {
		t.Errorf("status %d, event %s", w.Code, event)
	}
	if got := <-failed; got != "f: function failed: T: " {
		t.Errorf("told %q", got)
	}
}

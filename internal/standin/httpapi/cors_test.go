package httpapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bulkpresign/internal/standin/httpapi"
)

type echo struct{}

func (echo) Invoke(context.Context, []byte) ([]byte, error) { return []byte(`{"statusCode":200}`), nil }

// The stack's API has one route and answers browsers itself.
func TestRoutesAndCORS(t *testing.T) {
	h := &httpapi.Handler{Function: echo{}, Routes: []string{"POST /presign"}, CORS: &httpapi.CORS{
		Origins: []string{"https://page.example"}, Methods: []string{"POST"}, Headers: []string{"content-type"}, MaxAge: "60",
	}}
	tests := []struct {
		method, path, origin, asks string
		status                     int
		allowed                    bool
	}{
		{"POST", "/presign", "", "", 200, false},
		{"POST", "/presign", "https://page.example", "", 200, true},
		{"POST", "/presign", "https://else.example", "", 200, false},
		{"POST", "/", "https://page.example", "", 404, true},
		{"GET", "/presign", "", "", 404, false},
		{"OPTIONS", "/presign", "https://page.example", "POST", 204, true},
		{"OPTIONS", "/presign", "https://else.example", "POST", 204, false},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(tt.method, tt.path, strings.NewReader("{}"))
		for name, value := range map[string]string{"Origin": tt.origin, "Access-Control-Request-Method": tt.asks} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Header().Get("Access-Control-Allow-Origin"); w.Code != tt.status || (got == tt.origin && got != "") != tt.allowed {
			t.Errorf("%+v: status %d, allows %q", tt, w.Code, got)
		}
		if asked := w.Header().Get("Access-Control-Allow-Headers"); (asked == "content-type") != (tt.allowed && tt.method == http.MethodOptions) {
			t.Errorf("%+v: allows the headers %q", tt, asked)
		}
	}
}

package faults_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/check/faults"
)

// outcome is what a client sees of a request, and whether the service saw it.
type outcome struct {
	Status int    // 0: no answer
	Body   string // as far as it came
	Broken bool   // the body was cut
	Served int    // requests that reached the service whole
}

// Each fault, on every request, as a client and the service see it.
func TestFaults(t *testing.T) {
	const whole = "the service's own words"
	tests := []struct {
		kind faults.Kind
		path string
		want outcome
	}{
		{"", "/b/k", outcome{Status: 200, Body: whole, Served: 1}},
		{faults.InternalError, "/b/k", outcome{Status: 500, Body: "<Code>InternalError</Code>"}},
		{faults.SlowDown, "/b/k", outcome{Status: 503, Body: "<Code>SlowDown</Code>"}},
		{faults.Throttled, "/b/k", outcome{Status: 503, Body: "<Code>SlowDown</Code>"}},
		{faults.Slow, "/b/k", outcome{Status: 200, Body: whole, Served: 1}},
		{faults.CutRequest, "/b/k", outcome{}},
		{faults.CutResponse, "/b/k", outcome{Status: 200, Broken: true, Served: 1}},
		{faults.Lost, "/b/k", outcome{Served: 1}},
		{faults.LateError, "/b/k?uploadId=1", outcome{Status: 200, Body: "<Code>InternalError</Code>"}},
		{faults.LateError, "/b/k?uploads", outcome{Status: 200, Body: whole, Served: 1}},
	}
	for _, tt := range tests {
		t.Run(string(tt.kind)+tt.path, func(t *testing.T) {
			var got outcome
			source := faults.New(1, faults.Rates{{Kind: tt.kind, Share: 1}})
			server := httptest.NewServer(&faults.Handler{Faults: source, Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if body, err := io.ReadAll(r.Body); err == nil && len(body) == 1000 {
					got.Served++
				}
				io.WriteString(w, whole)
			})})
			// Not http.DefaultClient: it would send some requests again.
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			resp, err := client.Post(server.URL+tt.path, "text/plain", strings.NewReader(strings.Repeat("x", 1000)))
			if err == nil {
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				got.Status, got.Body, got.Broken = resp.StatusCode, string(body), err != nil
			}
			server.Close() // what the service saw is settled
			if got.Broken {
				if !strings.HasPrefix(whole, got.Body) || len(got.Body) == len(whole) {
					t.Errorf("a cut answer is %q", got.Body)
				}
				got.Body = ""
			}
			if strings.Contains(got.Body, tt.want.Body) {
				got.Body = tt.want.Body
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// The fate of a request hangs on the seed and on its own past, not on what comes between.
func TestReproducible(t *testing.T) {
	fates := func(seed uint64, noise bool) (all []string) {
		source := faults.New(seed, faults.Rates{{Kind: faults.InternalError, Share: 0.3}, {Kind: faults.SlowDown, Share: 0.2}})
		h := &faults.Handler{Faults: source, Next: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
		for i := range 200 {
			if noise {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", fmt.Sprintf("/noise/%d", i%7), nil))
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", fmt.Sprintf("/key/%d?X-Amz-Date=%t", i%5, noise), nil))
			all = append(all, fmt.Sprint(w.Code))
		}
		return all
	}
	one := fates(1, false)
	if diff := cmp.Diff(one, fates(1, true)); diff != "" {
		t.Errorf("the same seed, another fate:\n%s", diff)
	}
	if cmp.Equal(one, fates(2, false)) {
		t.Error("another seed, the same fate")
	}
	counts := map[string]int{}
	for _, f := range one {
		counts[f]++
	}
	if counts["500"] < 30 || counts["500"] > 90 || counts["503"] < 15 || counts["503"] > 70 {
		t.Errorf("of 200 requests: %v, want about 60 of status 500 and 40 of 503", counts)
	}
}

// sleeper is a function that takes its time, unless it is killed.
type sleeper struct{ takes time.Duration }

func (s sleeper) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	select {
	case <-time.After(s.takes):
		return event, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestKilled(t *testing.T) {
	source := faults.New(1, faults.Rates{{Kind: faults.Killed, Share: 1}})
	slow := &faults.Function{Next: sleeper{time.Minute}, Faults: source, Within: 50 * time.Millisecond}
	if _, err := slow.Invoke(t.Context(), []byte("e")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a killed function answered: %v", err)
	}
	quick := &faults.Function{Next: sleeper{0}, Faults: source, Within: time.Hour}
	if payload, err := quick.Invoke(t.Context(), []byte("e")); err != nil || string(payload) != "e" {
		t.Errorf("a function that was done in time: %q, %v", payload, err)
	}
	if n := source.Counts()[faults.Killed]; n != 1 {
		t.Errorf("%d were killed, want 1", n)
	}
}

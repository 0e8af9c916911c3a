package runtimeapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/standin/runtimeapi"
)

func TestOneProcessServesManyEvents(t *testing.T) {
	f := start(t, "serve", runtimeapi.Config{})
	first := mustDo(t, f, command{Do: "pid"})
	for range 50 {
		if got := mustDo(t, f, command{Do: "pid"}); got != first {
			t.Fatalf("process %s answered, want %s", got, first)
		}
	}
	if ids := f.Processes(); len(ids) != 1 || strconv.Itoa(ids[0]) != first {
		t.Errorf("processes %d, want %s", ids, first)
	}
	f.Close()
	if ids := f.Processes(); len(ids) != 0 {
		t.Errorf("processes %d of a closed function", ids)
	}
}

func TestLargestEventAndAnswer(t *testing.T) {
	f := start(t, "serve", runtimeapi.Config{Timeout: time.Minute})
	pid := mustDo(t, f, command{Do: "pid"})

	frame, _ := json.Marshal(command{Do: "length"})
	text := strings.Repeat("x", runtimeapi.MaxPayload-len(frame))
	if got, want := mustDo(t, f, command{Do: "length", Text: text}), strconv.Itoa(len(text)); got != want {
		t.Errorf("the function saw %s bytes, want %s", got, want)
	}
	if _, err := do(t, f, command{Do: "length", Text: text + "x"}); !errors.Is(err, runtimeapi.ErrEventTooLarge) {
		t.Errorf("one byte more: %v, want ErrEventTooLarge", err)
	}
	if got := len(mustDo(t, f, command{Do: "answer", N: runtimeapi.MaxPayload})); got != runtimeapi.MaxPayload {
		t.Errorf("an answer of %d bytes came as %d", runtimeapi.MaxPayload, got)
	}
	if got := mustDo(t, f, command{Do: "pid"}); got != pid {
		t.Errorf("the process did not survive: %s, then %s", pid, got)
	}
}

// The runtime API refuses such an answer with 413, whereupon aws-lambda-go exits.
func TestAnswerTooLarge(t *testing.T) {
	f := start(t, "serve", runtimeapi.Config{Timeout: time.Minute})
	pid := mustDo(t, f, command{Do: "pid"})
	_, err := do(t, f, command{Do: "answer", N: runtimeapi.MaxPayload + 1})
	wantFunctionError(t, err, "Function.ResponseSizeTooLarge",
		"Response payload size (6291557 bytes) exceeded maximum allowed payload size (6291556 bytes).")
	if got := mustDo(t, f, command{Do: "pid"}); got == pid {
		t.Error("the process went on after a 413")
	}
}

func TestFunctionErrors(t *testing.T) {
	tests := []struct {
		name     string
		command  command
		kind     string
		message  string // a part of it
		survives bool
	}{
		{"returned", command{Do: "error"}, "errorString", "the handler said no", true},
		{"panic", command{Do: "panic"}, "string", "the handler panicked", false},
		{"exit 0", command{Do: "exit"}, "Runtime.ExitError", "Runtime exited without providing a reason", false},
		{"exit 5", command{Do: "exit", N: 5}, "Runtime.ExitError", "Runtime exited with error: exit status 5", false},
		{"timeout", command{Do: "hang"}, "Sandbox.Timedout", "Task timed out after 2.00 seconds", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			timeout := time.Minute
			if tt.command.Do == "hang" { // only the one that hangs may meet the limit
				timeout = 2 * time.Second
			}
			f := start(t, "serve", runtimeapi.Config{Timeout: timeout})
			pid := mustDo(t, f, command{Do: "pid"})
			_, err := do(t, f, tt.command)
			wantFunctionError(t, err, tt.kind, tt.message)
			after := mustDo(t, f, command{Do: "pid"})
			if survived := after == pid; survived != tt.survives {
				t.Errorf("the same process goes on: %t, want %t", survived, tt.survives)
			}
		})
	}
}

func wantFunctionError(t *testing.T, err error, kind, message string) {
	t.Helper()
	var fe *runtimeapi.FunctionError
	if !errors.As(err, &fe) {
		t.Fatalf("got %v, want a FunctionError", err)
	}
	if fe.Type != kind || !strings.Contains(fe.Message, message) {
		t.Errorf("got %s: %s\nwant %s: %s", fe.Type, fe.Message, kind, message)
	}
	var payload struct{ ErrorType, ErrorMessage string }
	if err := json.Unmarshal(fe.Payload, &payload); err != nil || payload.ErrorType != kind || payload.ErrorMessage != fe.Message {
		t.Errorf("payload is %q, want the same type and message", fe.Payload)
	}
}

func TestInitErrors(t *testing.T) {
	tests := []struct {
		mode string
		want runtimeapi.InitError
	}{
		{"exit-7", runtimeapi.InitError{Type: "Runtime.ExitError", Message: "Runtime exited with error: exit status 7", ExitCode: 7}},
		{"init-error", runtimeapi.InitError{Type: "Config.Missing", Message: "PRESIGN_BUCKETS is required", ExitCode: 3}},
		{"hang", runtimeapi.InitError{Type: "Sandbox.Timedout", Message: "no poll within 300ms of the start", ExitCode: -1}},
	}
	for _, tt := range tests {
		t.Run(tt.mode, func(t *testing.T) {
			// Only the one that hangs may meet the limit.
			limit := time.Minute
			if tt.mode == "hang" {
				limit = 300 * time.Millisecond
			}
			_, err := tryStart(t, tt.mode, runtimeapi.Config{InitTimeout: limit})
			var got *runtimeapi.InitError
			if !errors.As(err, &got) {
				t.Fatalf("got %v, want an InitError", err)
			}
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	if _, err := runtimeapi.Start(t.Context(), runtimeapi.Config{Binary: "testdata/no such file"}); err == nil {
		t.Error("a binary that does not exist started")
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	_, err = runtimeapi.Start(ctx, runtimeapi.Config{Binary: binary, Env: []string{testFunction + "=hang"}, InitTimeout: time.Hour})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the context's error", err)
	}
}

// The environment is the function's whole world: what is not in it cannot make a test pass by accident.
func TestEnvironment(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "the developer's own")
	t.Setenv("SOMETHING_ELSE", "x")
	f := start(t, "serve", runtimeapi.Config{
		Env:      []string{"PRESIGN_BUCKETS=photos", "TZ=Europe/Vienna"},
		Name:     "presign",
		Region:   "eu-west-1",
		MemoryMB: 512,
	})
	var env []string
	if err := json.Unmarshal([]byte(mustDo(t, f, command{Do: "env"})), &env); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		got[name] = value
	}
	if !strings.HasPrefix(got["AWS_LAMBDA_RUNTIME_API"], "127.0.0.1:") {
		t.Errorf("AWS_LAMBDA_RUNTIME_API=%s, want a loopback address", got["AWS_LAMBDA_RUNTIME_API"])
	}
	root := got["LAMBDA_TASK_ROOT"]
	if root == "" {
		t.Error("LAMBDA_TASK_ROOT is not set")
	}
	for _, varying := range []string{"AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LD_LIBRARY_PATH", "_X_AMZN_TRACE_ID"} {
		if got[varying] == "" {
			t.Errorf("%s is not set", varying)
		}
		delete(got, varying)
	}
	want := map[string]string{
		testFunction:                      "serve",
		"GORACE":                          "atexit_sleep_ms=0",
		"PRESIGN_BUCKETS":                 "photos",
		"TZ":                              "Europe/Vienna",
		"_HANDLER":                        "bootstrap",
		"AWS_REGION":                      "eu-west-1",
		"AWS_DEFAULT_REGION":              "eu-west-1",
		"AWS_LAMBDA_FUNCTION_NAME":        "presign",
		"AWS_LAMBDA_FUNCTION_VERSION":     "$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/presign",
		"AWS_LAMBDA_LOG_STREAM_NAME":      "local",
		"LAMBDA_RUNTIME_DIR":              "/var/runtime",
		"LANG":                            "en_US.UTF-8",
		"PATH":                            "/usr/local/bin:/usr/bin:/bin:/opt/bin",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestInvocationContext(t *testing.T) {
	f := start(t, "serve", runtimeapi.Config{Timeout: 20 * time.Minute, Name: "presign", Region: "eu-west-1"})
	var ids []string
	for range 2 {
		var got struct {
			RemainingMS int64 `json:"remaining_ms"`
			ID          string
			ARN         string
			Trace       string
		}
		if err := json.Unmarshal([]byte(mustDo(t, f, command{Do: "context"})), &got); err != nil {
			t.Fatal(err)
		}
		// A minute is far more than the call takes, and far less than any other timeout that could be meant.
		if remaining := time.Duration(got.RemainingMS) * time.Millisecond; remaining > 20*time.Minute || remaining < 19*time.Minute {
			t.Errorf("deadline in %v, want about 20 minutes", remaining)
		}
		if want := "arn:aws:lambda:eu-west-1:000000000000:function:presign"; got.ARN != want {
			t.Errorf("ARN %s, want %s", got.ARN, want)
		}
		if !strings.HasPrefix(got.Trace, "Root=1-") {
			t.Errorf("trace id %q", got.Trace)
		}
		ids = append(ids, got.ID)
	}
	if len(ids[0]) != 36 || ids[0] == ids[1] {
		t.Errorf("request ids %q, want two different UUIDs", ids)
	}
}

func TestOutputIsLogged(t *testing.T) {
	var log bytes.Buffer
	f := start(t, "serve", runtimeapi.Config{Log: &log})
	mustDo(t, f, command{Do: "print", Text: "hello"})
	f.Close() // all output has been copied when it returns
	if got, want := log.String(), "hello out\nhello err\n"; got != want {
		t.Errorf("log is %q, want %q", got, want)
	}
}

func TestStreamedAnswer(t *testing.T) {
	f := start(t, "serve", runtimeapi.Config{Timeout: time.Minute})
	const n = runtimeapi.MaxPayload + 1 // a buffered answer of that size is refused
	r, err := f.Call(t.Context(), []byte(fmt.Sprintf(`{"Do":"stream","N":%d}`, n)))
	if err != nil {
		t.Fatal(err)
	}
	if !r.Streamed || r.ContentType != "application/vnd.awslambda.http-integration-response" || len(r.Payload) != n {
		t.Errorf("streamed %t, %q, %d bytes; want %d bytes streamed", r.Streamed, r.ContentType, len(r.Payload), n)
	}

	r, err = f.Call(t.Context(), []byte(`{"Do":"broken-stream"}`))
	wantFunctionError(t, err, "errorString", "the source dried up")
	if got, want := string(r.Payload), "the first half"; got != want {
		t.Errorf("payload %q, want %q", got, want)
	}
}

func TestAnEventIsAnsweredOnce(t *testing.T) {
	f := start(t, "second-answer", runtimeapi.Config{})
	for _, want := range []string{"0", "400", "400"} {
		got, err := f.Invoke(t.Context(), []byte("{}"))
		if err != nil || string(got) != want {
			t.Fatalf("got %s, %v; want %s", got, err, want)
		}
	}
}

func TestInstances(t *testing.T) {
	for _, instances := range []int{1, 3} {
		t.Run(strconv.Itoa(instances), func(t *testing.T) {
			f := start(t, "serve", runtimeapi.Config{Instances: instances})
			var mu sync.Mutex
			var pids []string
			var wg sync.WaitGroup
			for range 24 {
				wg.Go(func() {
					payload, err := f.Invoke(t.Context(), []byte(`{"Do":"pid"}`))
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					pids = append(pids, string(payload))
				})
			}
			wg.Wait()
			slices.Sort(pids)
			if got := len(slices.Compact(pids)); got > instances {
				t.Errorf("%d processes answered, want at most %d", got, instances)
			}
		})
	}
}

// Two events that each wait for the other's answer would hang if instances did not run side by side; events that
// hang until they are ended show the same without a protocol between them.
func TestInstancesRunSideBySide(t *testing.T) {
	f := start(t, "serve", runtimeapi.Config{Instances: 2, Timeout: time.Minute})
	ctx, cancel := context.WithCancel(t.Context())
	stuck := make(chan error)
	go func() {
		_, err := f.Invoke(ctx, []byte(`{"Do":"hang"}`))
		stuck <- err
	}()
	for range 5 {
		mustDo(t, f, command{Do: "pid"}) // one of the two is busy for good; the other one must answer
	}
	cancel()
	if err := <-stuck; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	mustDo(t, f, command{Do: "pid"})
}

func TestClose(t *testing.T) {
	for _, mode := range []string{"serve", "stubborn"} {
		t.Run(mode, func(t *testing.T) {
			f := start(t, mode, runtimeapi.Config{Timeout: time.Minute})
			pid, err := strconv.Atoi(mustDo(t, f, command{Do: "pid"}))
			if err != nil {
				t.Fatal(err)
			}
			stuck := make(chan error)
			go func() {
				_, err := f.Invoke(t.Context(), []byte(`{"Do":"hang"}`))
				stuck <- err
			}()
			f.Close()
			f.Close() // again is fine
			if err := <-stuck; !errors.Is(err, runtimeapi.ErrClosed) {
				t.Errorf("a call under way: %v, want ErrClosed", err)
			}
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("process after Close: %v, want that it does not exist", err)
			}
			if _, err := do(t, f, command{Do: "pid"}); !errors.Is(err, runtimeapi.ErrClosed) {
				t.Errorf("a call after Close: %v, want ErrClosed", err)
			}
		})
	}
}

func BenchmarkInvoke(b *testing.B) {
	f := start(b, "serve", runtimeapi.Config{})
	event := []byte(`{"Do":"pid"}`)
	for b.Loop() {
		if _, err := f.Invoke(b.Context(), event); err != nil {
			b.Fatal(err)
		}
	}
}

// Process tells of the process that polls, and of no other.
func TestProcess(t *testing.T) {
	f := start(t, "serve", runtimeapi.Config{})
	for _, do := range []string{"pid", "panic", "pid"} {
		answer, err := f.Invoke(t.Context(), []byte(`{"Do":"`+do+`"}`))
		if do == "panic" {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		p, err := f.Process()
		if err != nil || string(answer) != strconv.Itoa(p.ID) || p.Init <= 0 || p.Init > 10*time.Second {
			t.Errorf("process %s says that it serves, and Process: %+v, %v", answer, p, err)
		}
	}
}

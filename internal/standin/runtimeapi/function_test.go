package runtimeapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"bulkpresign/internal/standin/runtimeapi"
)

// The function under the runtime API is this test binary itself, started again with testFunction set: a real
// aws-lambda-go process, and no second build.
const testFunction = "RUNTIMEAPI_TEST_FUNCTION"

func TestMain(m *testing.M) {
	switch os.Getenv(testFunction) {
	case "":
		os.Exit(m.Run())
	case "serve":
		lambda.Start(serve)
	case "stubborn": // goes on after SIGTERM
		signal.Ignore(syscall.SIGTERM)
		lambda.Start(serve)
	case "exit-7":
		fmt.Println("cannot start")
		os.Exit(7)
	case "hang":
		time.Sleep(time.Hour)
	case "init-error":
		body := `{"errorType":"Config.Missing","errorMessage":"PRESIGN_BUCKETS is required"}`
		resp, err := http.Post("http://"+os.Getenv("AWS_LAMBDA_RUNTIME_API")+"/2018-06-01/runtime/init/error",
			"application/json", strings.NewReader(body))
		if err != nil || resp.StatusCode != http.StatusAccepted {
			os.Exit(100)
		}
		os.Exit(3)
	case "second-answer":
		secondAnswer()
	}
}

// command is the event of the test function.
type command struct {
	Do   string
	N    int
	Text string
}

func serve(ctx context.Context, c command) (any, error) {
	switch c.Do {
	case "pid":
		return os.Getpid(), nil
	case "env":
		return os.Environ(), nil
	case "context":
		deadline, _ := ctx.Deadline()
		lc, _ := lambdacontext.FromContext(ctx)
		return map[string]any{
			"remaining_ms": time.Until(deadline).Milliseconds(),
			"id":           lc.AwsRequestID,
			"arn":          lc.InvokedFunctionArn,
			"trace":        os.Getenv("_X_AMZN_TRACE_ID"),
		}, nil
	case "length":
		return len(c.Text), nil
	case "answer": // a JSON string of N bytes, quotes included
		return strings.Repeat("x", c.N-2), nil
	case "print":
		fmt.Fprintln(os.Stdout, c.Text, "out")
		fmt.Fprintln(os.Stderr, c.Text, "err")
		return nil, nil
	case "error":
		return nil, errors.New("the handler said no")
	case "panic":
		panic("the handler panicked")
	case "exit":
		os.Exit(c.N)
	case "hang":
		time.Sleep(time.Hour) // not until the deadline: the process must be ended from outside
	case "stream":
		return &stream{bytes.NewReader(bytes.Repeat([]byte("x"), c.N))}, nil
	case "broken-stream":
		return &stream{io.MultiReader(strings.NewReader("the first half"), failingReader{})}, nil
	}
	return nil, fmt.Errorf("unknown command %q", c.Do)
}

// Its field is not exported: aws-lambda-go streams a reader only if its JSON is {}.
type stream struct{ r io.Reader }

func (s *stream) Read(p []byte) (int, error) { return s.r.Read(p) }

func (*stream) ContentType() string { return "application/vnd.awslambda.http-integration-response" }

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("the source dried up") }

// secondAnswer is a runtime that answers each event twice, and answers the next event with the status that the
// second answer got.
func secondAnswer() {
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	status := 0
	for {
		resp, err := http.Get(base + "next")
		if err != nil {
			os.Exit(1)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		id := resp.Header.Get("Lambda-Runtime-Aws-Request-Id")
		answer := fmt.Sprint(status)
		for range 2 {
			resp, err = http.Post(base+id+"/response", "application/json", strings.NewReader(answer))
			if err != nil {
				os.Exit(1)
			}
			resp.Body.Close()
			status = resp.StatusCode
		}
	}
}

// start runs this test binary as a function and closes it with the test.
func start(t testing.TB, mode string, cfg runtimeapi.Config) *runtimeapi.Function {
	t.Helper()
	f, err := tryStart(t, mode, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func tryStart(t testing.TB, mode string, cfg runtimeapi.Config) (*runtimeapi.Function, error) {
	t.Helper()
	var err error
	if cfg.Binary, err = os.Executable(); err != nil {
		t.Fatal(err)
	}
	cfg.Env = append(cfg.Env, testFunction+"="+mode,
		"GORACE=atexit_sleep_ms=0") // with the race detector an exit takes a second otherwise
	return runtimeapi.Start(t.Context(), cfg)
}

// do calls the function and returns the answer as JSON text.
func do(t testing.TB, f *runtimeapi.Function, c command) (string, error) {
	t.Helper()
	event, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := f.Invoke(t.Context(), event)
	return string(payload), err
}

func mustDo(t testing.TB, f *runtimeapi.Function, c command) string {
	t.Helper()
	s, err := do(t, f, c)
	if err != nil {
		t.Fatalf("%s: %v", c.Do, err)
	}
	return s
}

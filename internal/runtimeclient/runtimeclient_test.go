package runtimeclient_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"bulkpresign/internal/runtimeclient"
	"bulkpresign/internal/standin/runtimeapi"
)

// The function is this test binary itself, started again.
const isFunction = "RUNTIMECLIENT_TEST_FUNCTION"

func TestMain(m *testing.M) {
	if os.Getenv(isFunction) == "" {
		os.Exit(m.Run())
	}
	fmt.Println(runtimeclient.Serve(os.Getenv("AWS_LAMBDA_RUNTIME_API"), handle))
	os.Exit(1)
}

type command struct {
	Do string
	N  int
}

func handle(ctx context.Context, event []byte) (runtimeclient.Answer, error) {
	var c command
	if err := json.Unmarshal(event[:min(len(event), 100)], &c); err != nil && len(event) <= 100 {
		return runtimeclient.Answer{}, err
	}
	whole := func(v any) (runtimeclient.Answer, error) {
		text, err := json.Marshal(v)
		return runtimeclient.Answer{Whole: text}, err
	}
	switch c.Do {
	case "pid":
		return whole(os.Getpid())
	case "context":
		deadline, _ := ctx.Deadline()
		lc, _ := lambdacontext.FromContext(ctx)
		return whole(map[string]any{
			"seconds": time.Until(deadline).Seconds(), "id": lc.AwsRequestID, "arn": lc.InvokedFunctionArn, "trace": os.Getenv("_X_AMZN_TRACE_ID"),
		})
	case "answer":
		return whole(strings.Repeat("x", c.N-2))
	case "nothing":
		return runtimeclient.Answer{}, nil
	case "error":
		return runtimeclient.Answer{}, fmt.Errorf("it is said: %w", messages.InvokeResponse_Error{Type: "NoSuchThing", Message: "there is no such thing"})
	case "other error":
		return runtimeclient.Answer{}, errors.New("it went wrong")
	case "panic":
		panic("it went very wrong")
	case "stream", "broken stream":
		return runtimeclient.Answer{Stream: func(w io.Writer) error {
			part := bytes.Repeat([]byte("y"), 1<<10)
			for range c.N >> 10 {
				if _, err := w.Write(part); err != nil {
					return err
				}
			}
			if c.Do == "broken stream" {
				return messages.InvokeResponse_Error{Type: "Broken", Message: "in the middle"}
			}
			return nil
		}}, nil
	}
	return whole(len(event))
}

func start(t *testing.T) *runtimeapi.Function {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := runtimeapi.Start(t.Context(), runtimeapi.Config{
		Binary: binary, Timeout: 20 * time.Second,
		Env: []string{isFunction + "=1", "GORACE=atexit_sleep_ms=0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func call(t *testing.T, f *runtimeapi.Function, do string, n int) (runtimeapi.Response, error) {
	t.Helper()
	event, err := json.Marshal(command{do, n})
	if err != nil {
		t.Fatal(err)
	}
	return f.Call(t.Context(), event)
}

func TestWhole(t *testing.T) {
	f := start(t)
	for _, n := range []int{2, 100, 8 << 10, 1 << 20, runtimeapi.MaxPayload} {
		r, err := call(t, f, "answer", n)
		if err != nil || len(r.Payload) != n || r.Streamed || r.ContentType != "application/json" {
			t.Errorf("%d bytes: %d, streamed %v, %q, %v", n, len(r.Payload), r.Streamed, r.ContentType, err)
		}
	}
	if r, err := call(t, f, "nothing", 0); err != nil || len(r.Payload) != 0 {
		t.Errorf("nothing: %q, %v", r.Payload, err)
	}
	// Events of every size, through one buffer.
	for _, n := range []int{200, 5 << 20, 300, runtimeapi.MaxPayload} {
		r, err := f.Call(t.Context(), bytes.Repeat([]byte(" "), n))
		if err != nil || string(r.Payload) != fmt.Sprint(n) {
			t.Errorf("an event of %d bytes: %q, %v", n, r.Payload, err)
		}
	}
}

func TestContext(t *testing.T) {
	r, err := call(t, start(t), "context", 0)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Seconds        float64
		ID, ARN, Trace string
	}
	if err := json.Unmarshal(r.Payload, &got); err != nil {
		t.Fatal(err)
	}
	if got.Seconds < 15 || got.Seconds > 20 || len(got.ID) != 36 || !strings.HasPrefix(got.ARN, "arn:aws:lambda:") || !strings.HasPrefix(got.Trace, "Root=1-") {
		t.Errorf("%+v", got)
	}
}

func TestErrors(t *testing.T) {
	f := start(t)
	pid, err := call(t, f, "pid", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ do, kind, message string }{
		{"error", "NoSuchThing", "there is no such thing"},
		{"other error", "Runtime.HandlerError", "it went wrong"},
	} {
		_, err := call(t, f, test.do, 0)
		var failed *runtimeapi.FunctionError
		if !errors.As(err, &failed) || failed.Type != test.kind || failed.Message != test.message {
			t.Errorf("%s: %v", test.do, err)
		}
	}
	if after, err := call(t, f, "pid", 0); err != nil || !bytes.Equal(after.Payload, pid.Payload) {
		t.Errorf("after errors: process %s, want %s, %v", after.Payload, pid.Payload, err)
	}

	// A panic is told, and ends the process: nobody knows what state it left.
	_, err = call(t, f, "panic", 0)
	var failed *runtimeapi.FunctionError
	if !errors.As(err, &failed) || failed.Type != "Runtime.Panic" || strings.Contains(failed.Message, "very wrong") {
		t.Errorf("panic: %v", err)
	}
	if after, err := call(t, f, "pid", 0); err != nil || bytes.Equal(after.Payload, pid.Payload) {
		t.Errorf("after a panic: process %s again, %v", after.Payload, err)
	}
}

func TestStream(t *testing.T) {
	f := start(t)
	for _, n := range []int{0, 1 << 10, 64 << 20} {
		r, err := call(t, f, "stream", n)
		if err != nil || len(r.Payload) != n || !r.Streamed || r.ContentType != runtimeclient.ContentType {
			t.Errorf("%d bytes: %d, streamed %v, %q, %v", n, len(r.Payload), r.Streamed, r.ContentType, err)
		}
	}
	r, err := call(t, f, "broken stream", 1<<20)
	var failed *runtimeapi.FunctionError
	if !errors.As(err, &failed) || failed.Type != "Broken" || failed.Message != "in the middle" || len(r.Payload) != 1<<20 {
		t.Errorf("broken: %d bytes, %v", len(r.Payload), err)
	}
	if _, err := call(t, f, "answer", 100); err != nil { // on the same connection
		t.Errorf("after a broken stream: %v", err)
	}
}

// A connection that Lambda closed while the process slept is opened again, and no
// answer is sent twice.
func TestReconnects(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan error, 1)
	go func() {
		served <- runtimeclient.Serve(l.Addr().String(), func(context.Context, []byte) (runtimeclient.Answer, error) {
			return runtimeclient.Answer{Whole: []byte("{}")}, nil
		})
	}()
	for range 3 {
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(conn)
		expect(t, in, "GET /2018-06-01/runtime/invocation/next")
		// Chunked, as some emulators answer.
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 7\r\nLambda-Runtime-Deadline-Ms: %d\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
			time.Now().Add(time.Minute).UnixMilli())
		expect(t, in, "POST /2018-06-01/runtime/invocation/7/response")
		io.WriteString(conn, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
		conn.Close()
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	expect(t, bufio.NewReader(conn), "GET /2018-06-01/runtime/invocation/next")
	io.WriteString(conn, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
	if err := <-served; err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("Serve ends with %v", err)
	}
	conn.Close()
}

func expect(t *testing.T, in *bufio.Reader, want string) {
	t.Helper()
	r, err := http.ReadRequest(in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		t.Fatal(err)
	}
	if got := r.Method + " " + r.URL.Path; got != want {
		t.Fatalf("%s, want %s", got, want)
	}
}

// What is no runtime API ends the process and says why.
func TestServeEnds(t *testing.T) {
	if err := runtimeclient.Serve("", nil); err == nil || !strings.Contains(err.Error(), "AWS_LAMBDA_RUNTIME_API") {
		t.Errorf("without an address: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := runtimeclient.Serve(l.Addr().String(), nil); err == nil {
		t.Error("nobody listens, and Serve returns no error")
	}
}

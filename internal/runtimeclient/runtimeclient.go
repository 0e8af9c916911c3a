// Package runtimeclient is a function's side of the Lambda runtime API: it polls for
// events, hands each to a handler and posts the answer.
//
// aws-lambda-go has such a loop, on net/http's client. This one speaks HTTP/1.1 on a
// connection of its own: a process comes to its first poll sooner, an answer leaves in
// one piece and not in 32 KB chunks, and one that is not whole yet can be written as it
// is made. docs/speed.md has the figures.
//
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
package runtimeclient

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// Handler answers an event. The event's bytes are its own until it returns, or until a
// Stream has been written. An error becomes the function error that it is, or wraps,
// as a messages.InvokeResponse_Error. The context has the invocation's deadline and its
// lambdacontext.
type Handler func(ctx context.Context, event []byte) (Answer, error)

// Answer is what a function answers: JSON that is whole, or a stream.
type Answer struct {
	Whole []byte

	// Stream, if not nil, stands in Whole's place and writes an HTTP response as it
	// becomes known: a prelude and the body, see ContentType. Its error is told to Lambda
	// behind what was written.
	Stream func(w io.Writer) error

	// Sent, if not nil, is called when Lambda has Whole: its memory is the handler's again.
	Sent func()
}

// ContentType is a streamed answer's. It begins with a JSON object that has the members
// statusCode and headers, then eight zero bytes, then the body as it is.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
const ContentType = "application/vnd.awslambda.http-integration-response"

// Serve polls the runtime API at an address, host and port, and serves what comes. It
// returns when that cannot go on; the process should end then, so that Lambda starts
// another.
func Serve(address string, h Handler) error {
	if address == "" {
		return errors.New("AWS_LAMBDA_RUNTIME_API is not set: this is a Lambda function, which the Lambda service or an emulator must start")
	}
	// Lambda says how many to serve at once: one, but on managed instances. Another
	// goroutine would be another thread, and a tenth of a millisecond, at start.
	failed := make(chan error, lambdacontext.MaxConcurrency())
	serve := func() {
		c := &client{address: address, handler: h}
		for {
			if err := c.serveOne(); err != nil {
				failed <- err
				return
			}
		}
	}
	for range lambdacontext.MaxConcurrency() - 1 {
		go serve()
	}
	serve()
	return <-failed
}

const prefix = "/2018-06-01/runtime/invocation/"

// client has one connection, for one invocation at a time.
type client struct {
	address string
	handler Handler
	conn    net.Conn
	in      *bufio.Reader
	out     *bufio.Writer
	event   []byte // its memory serves one invocation after the other
}

// serveOne serves one invocation. Its error is the process's end.
func (c *client) serveOne() error {
	head, err := c.next()
	if err != nil {
		return fmt.Errorf("poll for an event: %w", err)
	}
	id := head.Get("Lambda-Runtime-Aws-Request-Id")
	answer, err := c.invoke(id, head)
	switch {
	case err != nil:
		failure := asFailure(err)
		text, _ := json.Marshal(failure) // strings always can be
		if err := c.post(id+"/error", failure.Type, text); err != nil {
			return fmt.Errorf("post an error: %w", err)
		}
		if failure.ShouldExit {
			return errors.New("the handler panicked")
		}
	case answer.Stream != nil:
		if err := c.postStream(id, answer.Stream); err != nil {
			return fmt.Errorf("post a streamed answer: %w", err)
		}
	default:
		if err := c.post(id+"/response", "", answer.Whole); err != nil {
			return fmt.Errorf("post an answer: %w", err)
		}
		if answer.Sent != nil {
			answer.Sent()
		}
	}
	return nil
}

// invoke calls the handler.
func (c *client) invoke(id string, head http.Header) (answer Answer, err error) {
	defer func() {
		if v := recover(); v != nil {
			slog.Error("panic", "panic", fmt.Sprint(v), "stack", string(debug.Stack()), "requestId", id)
			err = messages.InvokeResponse_Error{Type: "Runtime.Panic", Message: "the function panicked", ShouldExit: true}
		}
	}()
	ms, err := strconv.ParseInt(head.Get("Lambda-Runtime-Deadline-Ms"), 10, 64)
	if err != nil {
		return Answer{}, errors.New("the invocation has no deadline")
	}
	ctx, cancel := context.WithDeadline(context.Background(), time.UnixMilli(ms))
	defer cancel()
	trace := head.Get("Lambda-Runtime-Trace-Id")
	if lambdacontext.MaxConcurrency() == 1 {
		os.Setenv("_X_AMZN_TRACE_ID", trace) // where tracing libraries look
	}
	//lint:ignore SA1029 the SDK looks for it under this name
	ctx = context.WithValue(ctx, "x-amzn-trace-id", trace)
	ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{
		AwsRequestID:       id,
		InvokedFunctionArn: head.Get("Lambda-Runtime-Invoked-Function-Arn"),
		TenantID:           head.Get("Lambda-Runtime-Aws-Tenant-Id"),
	})
	return c.handler(ctx, c.event)
}

// asFailure is what Lambda is told of a handler's error.
func asFailure(err error) messages.InvokeResponse_Error {
	var failure messages.InvokeResponse_Error
	if !errors.As(err, &failure) {
		failure = messages.InvokeResponse_Error{Type: "Runtime.HandlerError", Message: err.Error()}
	}
	return failure
}

// next waits for an event, which is in c.event then, and gives what was said with it.
func (c *client) next() (http.Header, error) {
	response, err := c.poll()
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", response.StatusCode)
	}
	buffer := bytes.NewBuffer(c.event[:0])
	if n := response.ContentLength; n > 0 {
		buffer.Grow(int(n) + bytes.MinRead)
	}
	_, err = buffer.ReadFrom(response.Body)
	c.event = buffer.Bytes()
	return response.Header, err
}

// poll asks for an event. A connection that has been used may have been closed since,
// so then it asks once more on a new one: no event has been handed out yet.
func (c *client) poll() (*http.Response, error) {
	if c.conn != nil {
		if response, err := c.ask(); err == nil {
			return response, nil
		}
		c.conn.Close()
	}
	var err error
	if c.conn, err = net.Dial("tcp", c.address); err != nil {
		return nil, err
	}
	c.in, c.out = bufio.NewReader(c.conn), bufio.NewWriterSize(c.conn, 8<<10)
	return c.ask()
}

func (c *client) ask() (*http.Response, error) {
	c.begin("GET", "next")
	c.out.WriteString("\r\n")
	return c.end()
}

// begin writes the beginning of a request. What cannot be written is seen in end.
func (c *client) begin(method, path string) {
	fmt.Fprintf(c.out, "%s %s%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bulkpresign\r\n", method, prefix, path, c.address)
}

// end sends a request and reads the response.
func (c *client) end() (*http.Response, error) {
	if err := c.out.Flush(); err != nil {
		return nil, err
	}
	return http.ReadResponse(c.in, nil)
}

// post sends JSON, with an error's type if it is one.
func (c *client) post(path, errorType string, body []byte) error {
	c.begin("POST", path)
	if errorType != "" {
		fmt.Fprintf(c.out, "%s: %s\r\n", errorTypeName, errorType)
	}
	fmt.Fprintf(c.out, "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body))
	c.out.Write(body) // what does not fit into the buffer goes out uncopied
	return c.accepted()
}

// What tells of an error: both are trailers of a stream, the first a header of an error.
const (
	errorTypeName = "Lambda-Runtime-Function-Error-Type"
	errorBodyName = "Lambda-Runtime-Function-Error-Body"
)

// postStream sends an answer while it is written.
//
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
func (c *client) postStream(id string, write func(io.Writer) error) error {
	c.begin("POST", id+"/response")
	fmt.Fprintf(c.out, "Content-Type: %s\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n"+
		"Transfer-Encoding: chunked\r\nTrailer: %s, %s\r\n\r\n", ContentType, errorTypeName, errorBodyName)
	chunks := httputil.NewChunkedWriter(c.out)
	failed := write(chunks)
	chunks.Close()
	if failed != nil {
		failure := asFailure(failed)
		text, _ := json.Marshal(failure) // strings always can be
		fmt.Fprintf(c.out, "%s: %s\r\n%s: %s\r\n", errorTypeName, failure.Type, errorBodyName, base64.StdEncoding.EncodeToString(text))
	}
	c.out.WriteString("\r\n")
	return c.accepted()
}

// accepted sends what was posted and makes sure that Lambda took it.
func (c *client) accepted() error {
	response, err := c.end()
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

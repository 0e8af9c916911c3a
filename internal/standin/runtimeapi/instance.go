package runtimeapi

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	apiVersion = "/2018-06-01"

	headerErrorType    = "Lambda-Runtime-Function-Error-Type" // also a trailer
	headerErrorBody    = "Lambda-Runtime-Function-Error-Body" // a trailer
	headerResponseMode = "Lambda-Runtime-Function-Response-Mode"

	// aws-lambda-go does not send the response mode; its streamed HTTP answers have this type.
	streamedHTTP = "application/vnd.awslambda.http-integration-response"

	termGrace = time.Second // between SIGTERM and SIGKILL
)

// An instance is what Lambda calls an execution environment: it has at most one process. Its methods are called by
// one goroutine at a time, the one that took the instance, close aside.
type instance struct {
	f *Function

	mu   sync.Mutex
	proc *process
}

// A process is one run of the binary, with a runtime API endpoint of its own, so that nothing that an ended process
// left in a socket can be taken for the words of the next one.
type process struct {
	cfg    *Config
	cmd    *exec.Cmd
	server *http.Server
	next   chan *invocation // unbuffered: a send is a delivery to a waiting poll
	polled chan struct{}    // closed at the first poll
	exited chan struct{}    // closed when the process is gone

	started   time.Time // just before the system was asked to
	firstPoll sync.Once
	init      time.Duration // valid once polled is closed

	mu        sync.Mutex
	current   *invocation // delivered and not answered yet
	initError *InitError  // what it posted to /runtime/init/error
	sizeHint  int         // size of the last answer: answers come chunked, and the next is likely to be as large
}

// An invocation is one event on its way.
type invocation struct {
	id     string
	event  []byte
	answer chan answer // holds one, so that answering never blocks
}

type answer struct {
	response Response
	err      error
}

func (i *instance) call(ctx context.Context, event []byte) (Response, error) {
	inv := &invocation{id: newRequestID(), event: event, answer: make(chan answer, 1)}
	var p *process
	for delivered := false; !delivered; {
		var err error
		if p, err = i.running(ctx); err != nil {
			return Response{}, err
		}
		// A process may be between its last answer and its next poll. What it does there counts against the
		// timeout in Lambda as well.
		late := time.NewTimer(i.f.cfg.Timeout)
		select {
		case p.next <- inv:
			delivered = true
		case <-p.exited: // it had not seen the event, so it is safe to give it to the next process
		case <-late.C:
			p.kill()
		case <-i.f.done:
			err = ErrClosed
		case <-ctx.Done():
			err = ctx.Err()
		}
		late.Stop()
		if err != nil {
			return Response{}, err
		}
	}

	overrun := time.NewTimer(i.f.cfg.Timeout)
	defer overrun.Stop()
	select {
	case a := <-inv.answer:
		return a.response, a.err
	case <-p.exited:
		select {
		case a := <-inv.answer: // it answered and then exited
			return a.response, a.err
		case <-i.f.done:
			return Response{}, ErrClosed
		default:
			return Response{}, lambdaError(inv.id, "Runtime.ExitError", exitMessage(p.cmd.ProcessState))
		}
	case <-overrun.C:
		p.kill()
		return Response{}, lambdaError(inv.id, "Sandbox.Timedout",
			fmt.Sprintf("Task timed out after %.2f seconds", i.f.cfg.Timeout.Seconds()))
	case <-i.f.done:
		return Response{}, ErrClosed
	case <-ctx.Done():
		p.kill()
		return Response{}, ctx.Err()
	}
}

// running returns the instance's process, once it polls. It starts one when there is none any more.
func (i *instance) running(ctx context.Context) (*process, error) {
	p, err := i.ensureProcess()
	if err != nil {
		return nil, err
	}
	select {
	case <-p.polled:
		return p, nil
	default:
	}
	slow := time.NewTimer(i.f.cfg.InitTimeout)
	defer slow.Stop()
	select {
	case <-p.polled:
		return p, nil
	case <-p.exited:
		return nil, p.startError()
	case <-slow.C:
		p.kill()
		return nil, &InitError{
			Type:     "Sandbox.Timedout",
			Message:  fmt.Sprintf("no poll within %v of the start", i.f.cfg.InitTimeout),
			ExitCode: p.cmd.ProcessState.ExitCode(),
		}
	case <-i.f.done:
		return nil, ErrClosed
	case <-ctx.Done():
		p.kill()
		return nil, ctx.Err()
	}
}

func (i *instance) ensureProcess() (*process, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.proc != nil {
		select {
		case <-i.proc.exited:
		default:
			return i.proc, nil
		}
	}
	select {
	case <-i.f.done: // under the lock that close takes: after it, no process starts
		return nil, ErrClosed
	default:
	}
	p, err := startProcess(&i.f.cfg)
	if err != nil {
		return nil, fmt.Errorf("runtimeapi: %w", err)
	}
	i.proc = p
	return p, nil
}

func startProcess(cfg *Config) (*process, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(cfg.Binary, cfg.Args...)
	cmd.Dir = filepath.Dir(cfg.Binary)
	cmd.Env = environ(cfg, l.Addr().String())
	var lines *lineWriter
	if cfg.Log != nil {
		lines = &lineWriter{w: cfg.Log}
		cmd.Stdout, cmd.Stderr = lines, lines // one pipe for both, read by one goroutine
	}
	cmd.WaitDelay = termGrace // a grandchild that kept stdout open must not hold up Wait

	mux := http.NewServeMux()
	p := &process{
		cfg:    cfg,
		cmd:    cmd,
		server: &http.Server{Handler: mux, ErrorLog: log.New(io.Discard, "", 0)},
		next:   make(chan *invocation),
		polled: make(chan struct{}),
		exited: make(chan struct{}),
	}
	mux.HandleFunc("GET "+apiVersion+"/runtime/invocation/next", p.handleNext)
	mux.HandleFunc("POST "+apiVersion+"/runtime/invocation/{id}/response", p.handleResponse)
	mux.HandleFunc("POST "+apiVersion+"/runtime/invocation/{id}/error", p.handleError)
	mux.HandleFunc("POST "+apiVersion+"/runtime/init/error", p.handleInitError)
	p.started = time.Now()
	if err := cmd.Start(); err != nil {
		l.Close()
		return nil, err
	}
	go p.server.Serve(l)
	go func() {
		cmd.Wait() // how it ended is in cmd.ProcessState
		if lines != nil {
			lines.flush()
		}
		p.server.Close()
		close(p.exited)
	}()
	return p, nil
}

// environ is the environment that Lambda gives a provided.al2023 function.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
func environ(cfg *Config, runtimeAPI string) []string {
	root := filepath.Dir(cfg.Binary)
	env := []string{
		"_HANDLER=" + cfg.Handler,
		"AWS_REGION=" + cfg.Region,
		"AWS_DEFAULT_REGION=" + cfg.Region,
		"AWS_LAMBDA_FUNCTION_NAME=" + cfg.Name,
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(cfg.MemoryMB),
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/" + cfg.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME=local",
		"LAMBDA_TASK_ROOT=" + root,
		"LAMBDA_RUNTIME_DIR=/var/runtime",
		"LANG=en_US.UTF-8",
		"TZ=:UTC",
		"PATH=/usr/local/bin:/usr/bin:/bin:/opt/bin",
		"LD_LIBRARY_PATH=/lib64:/usr/lib64:" + root + ":" + filepath.Join(root, "lib"),
	}
	env = append(env, cfg.Env...) // for a name given twice the last one counts
	return append(env, "AWS_LAMBDA_RUNTIME_API="+runtimeAPI)
}

func (i *instance) close() {
	i.mu.Lock()
	p := i.proc
	i.mu.Unlock()
	if p != nil {
		p.end()
	}
}

// GET /runtime/invocation/next
func (p *process) handleNext(w http.ResponseWriter, r *http.Request) {
	p.firstPoll.Do(func() {
		p.init = time.Since(p.started)
		close(p.polled)
	})
	var inv *invocation
	select {
	case inv = <-p.next:
	case <-p.exited:
		return
	case <-r.Context().Done():
		return
	}
	p.mu.Lock()
	p.current = inv
	p.mu.Unlock()

	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(inv.event)))
	h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(p.cfg.Timeout).UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", p.cfg.FunctionARN)
	h.Set("Lambda-Runtime-Trace-Id", newTraceID())
	w.Write(inv.event) // a process that is gone by now is seen by call
}

// POST /runtime/invocation/{id}/response
func (p *process) handleResponse(w http.ResponseWriter, r *http.Request) {
	inv := p.take(w, r)
	if inv == nil {
		return
	}
	contentType := r.Header.Get("Content-Type")
	streamed := strings.EqualFold(r.Header.Get(headerResponseMode), "streaming") || contentType == streamedHTTP
	limit := MaxPayload
	if streamed {
		limit = MaxStreamed
	}
	var body bytes.Buffer
	p.mu.Lock()
	body.Grow(p.sizeHint + bytes.MinRead)
	p.mu.Unlock()
	n, err := body.ReadFrom(io.LimitReader(r.Body, int64(limit)+1))
	if err != nil {
		// The process broke off. If it exits, that is the better message; if not, this is all there is.
		inv.answer <- answer{err: lambdaError(inv.id, "Runtime.TruncatedResponse", "the answer broke off")}
		return
	}
	if n > int64(limit) {
		rest, _ := io.Copy(io.Discard, r.Body) // so that the function gets to read the 413
		inv.answer <- answer{err: lambdaError("", "Function.ResponseSizeTooLarge", fmt.Sprintf(
			"Response payload size (%d bytes) exceeded maximum allowed payload size (%d bytes).", n+rest, limit))}
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "Exceeded maximum allowed payload size.")
		return
	}
	p.mu.Lock()
	p.sizeHint = int(n)
	p.mu.Unlock()
	a := answer{response: Response{Payload: body.Bytes(), ContentType: contentType, Streamed: streamed}}
	// An error after the first byte is told in trailers.
	// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
	if kind := r.Trailer.Get(headerErrorType); kind != "" {
		detail, _ := base64.StdEncoding.DecodeString(r.Trailer.Get(headerErrorBody))
		a.err = functionError(kind, detail)
	}
	inv.answer <- a
	accept(w)
}

// POST /runtime/invocation/{id}/error
func (p *process) handleError(w http.ResponseWriter, r *http.Request) {
	inv := p.take(w, r)
	if inv == nil {
		return
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, MaxPayload))
	inv.answer <- answer{err: functionError(r.Header.Get(headerErrorType), body)}
	accept(w)
}

// POST /runtime/init/error
func (p *process) handleInitError(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, MaxPayload))
	e := functionError(r.Header.Get(headerErrorType), body)
	p.mu.Lock()
	p.initError = &InitError{Type: e.Type, Message: e.Message}
	p.mu.Unlock()
	accept(w)
}

// take returns the invocation that the request answers, or nil after refusing it: each is answered once.
func (p *process) take(w http.ResponseWriter, r *http.Request) *invocation {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil || p.current.id != r.PathValue("id") {
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return nil
	}
	inv := p.current
	p.current = nil
	return inv
}

func accept(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	io.WriteString(w, `{"status":"OK"}`)
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errorMessage":%q,"errorType":%q}`, message, kind)
}

// end asks the process to go, makes it go, and returns when it is gone.
func (p *process) end() {
	if p.cmd.Process.Signal(syscall.SIGTERM) == nil {
		grace := time.NewTimer(termGrace)
		defer grace.Stop()
		select {
		case <-p.exited:
			return
		case <-grace.C:
		}
	}
	p.kill()
}

// kill ends the process at once and returns when it is gone.
func (p *process) kill() {
	p.cmd.Process.Kill() // fails only when the process is gone
	<-p.exited
}

// startError says why a process that has exited never polled.
func (p *process) startError() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.initError
	if e == nil {
		e = &InitError{Type: "Runtime.ExitError", Message: exitMessage(p.cmd.ProcessState)}
	}
	e.ExitCode = p.cmd.ProcessState.ExitCode()
	return e
}

// exitMessage is in Lambda's own words.
func exitMessage(s *os.ProcessState) string {
	if s.Success() {
		return "Runtime exited without providing a reason"
	}
	return "Runtime exited with error: " + s.String()
}

// functionError reads what a runtime posts about an error. A body that is not as documented is no reason to lose
// the error.
func functionError(kind string, body []byte) *FunctionError {
	var e struct{ ErrorType, ErrorMessage string } // matched without regard to case
	_ = json.Unmarshal(body, &e)
	if e.ErrorType == "" {
		e.ErrorType = kind
	}
	if e.ErrorType == "" {
		e.ErrorType = "Runtime.Unknown"
	}
	return &FunctionError{Type: e.ErrorType, Message: e.ErrorMessage, Payload: body}
}

// lambdaError is an error that Lambda reports in the function's place.
func lambdaError(id, kind, message string) *FunctionError {
	if id != "" {
		message = "RequestId: " + id + " Error: " + message
	}
	payload, _ := json.Marshal(map[string]string{"errorType": kind, "errorMessage": message})
	return &FunctionError{Type: kind, Message: message, Payload: payload}
}

func newRequestID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
func newTraceID() string {
	var b [20]byte
	rand.Read(b[:])
	return fmt.Sprintf("Root=1-%08x-%x;Parent=%x;Sampled=0", time.Now().Unix(), b[:12], b[12:])
}

// lineWriter writes whole lines, so that those of several processes do not mix.
type lineWriter struct {
	w    io.Writer
	rest []byte // of a line whose end has not come
}

func (l *lineWriter) Write(p []byte) (int, error) {
	end := bytes.LastIndexByte(p, '\n') + 1
	if end == 0 {
		l.rest = append(l.rest, p...)
		return len(p), nil
	}
	_, err := l.w.Write(append(l.rest, p[:end]...))
	l.rest = append(l.rest[:0], p[end:]...)
	return len(p), err
}

// flush writes what a process left without a line's end.
func (l *lineWriter) flush() {
	if len(l.rest) > 0 {
		l.w.Write(l.rest)
	}
}

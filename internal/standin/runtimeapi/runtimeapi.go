// Package runtimeapi runs a Lambda function's real binary on this machine, under the Lambda runtime API.
//
// It is the other side of what a custom runtime (provided.al2023) speaks: it starts the bootstrap as a child
// process with Lambda's environment variables, hands it events one at a time, and takes its answers. Limits,
// error types and the life of a process follow Lambda: a process serves one event at a time, is ended when it
// overruns its timeout, and is started again for the next event when it has exited.
//
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
package runtimeapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// MaxPayload is the most bytes that an event or a buffered (not streamed) answer may have.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html says 6 MB; this is the figure enforced.
const MaxPayload = 6_291_556

// MaxStreamed is the most bytes that a streamed answer may have.
const MaxStreamed = 200 << 20

// ErrClosed is the error of a call on a Function that was closed.
var ErrClosed = errors.New("runtimeapi: function is closed")

// ErrEventTooLarge is the error of a call whose event is over MaxPayload. The function never sees the event.
var ErrEventTooLarge = fmt.Errorf("runtimeapi: event is over %d bytes", MaxPayload)

// Config says what to run and how Lambda would run it. Only Binary is required.
type Config struct {
	Binary string   // the bootstrap; any executable that speaks the runtime API
	Args   []string // arguments after the program's name; Lambda passes none

	// Env holds NAME=value pairs, the function's own environment. The child gets these and Lambda's variables
	// and nothing else: a function must not work here because of what a developer's shell happens to export.
	// Env wins over Lambda's variables, but for AWS_LAMBDA_RUNTIME_API.
	Env []string

	Log io.Writer // the function's stdout and stderr, whole lines, one Write at a time; nil discards them

	Timeout     time.Duration // for one event, default 3 s as in Lambda
	InitTimeout time.Duration // from the start of a process to its first poll, default 10 s as in Lambda
	Instances   int           // processes, and so events, at the same time; default 1

	Name        string // default "function"
	Handler     string // _HANDLER, default "bootstrap"
	FunctionARN string // default: Name in AccountID 000000000000 and Region
	Region      string // default us-east-1
	MemoryMB    int    // default 128; told to the function, not enforced
}

// Function is a function that can be called. Its methods are safe for concurrent use.
type Function struct {
	cfg Config // with its defaults filled in

	slots chan struct{} // one token for each instance that may be busy

	mu     sync.Mutex
	idle   []*instance // a stack: the instance used last is the warmest
	all    []*instance
	closed bool
	done   chan struct{} // closed by Close
}

// Response is the answer to one event.
type Response struct {
	Payload     []byte
	ContentType string // as the function gave it
	Streamed    bool   // the function answered in streaming mode; Payload is the whole stream
}

// A FunctionError says that the function took the event and failed. Type is what the function gave, or Lambda's
// own: Runtime.ExitError when the process ended, Sandbox.Timedout, Function.ResponseSizeTooLarge.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-invokeerror
type FunctionError struct {
	Type    string
	Message string
	Payload []byte // the JSON that an Invoke call would return, with X-Amz-Function-Error set
}

func (e *FunctionError) Error() string { return "function failed: " + e.Type + ": " + e.Message }

// An InitError says that a process never came to its first poll. It may have said why (Type, Message).
type InitError struct {
	Type     string // Runtime.ExitError when the process ended without a word, Sandbox.Timedout when it was too slow
	Message  string
	ExitCode int // -1 when it was ended by a signal, so by the init timeout too
}

func (e *InitError) Error() string {
	return fmt.Sprintf("function did not start: %s: %s (exit code %d)", e.Type, e.Message, e.ExitCode)
}

// Start starts the first instance and returns once it polls for an event, so that a binary that cannot start is an
// error here (an *InitError) and not at the first call. Further instances start when calls need them. The context
// limits the start alone; end the function with Close.
func Start(ctx context.Context, cfg Config) (*Function, error) {
	binary, err := filepath.Abs(cfg.Binary)
	if err != nil {
		return nil, fmt.Errorf("runtimeapi: %w", err)
	}
	cfg.Binary = binary
	cfg.Timeout = cmp.Or(cfg.Timeout, 3*time.Second)
	cfg.InitTimeout = cmp.Or(cfg.InitTimeout, 10*time.Second)
	cfg.Instances = max(cfg.Instances, 1)
	cfg.Name = cmp.Or(cfg.Name, "function")
	cfg.Handler = cmp.Or(cfg.Handler, "bootstrap")
	cfg.Region = cmp.Or(cfg.Region, "us-east-1")
	cfg.MemoryMB = cmp.Or(cfg.MemoryMB, 128)
	cfg.FunctionARN = cmp.Or(cfg.FunctionARN, "arn:aws:lambda:"+cfg.Region+":000000000000:function:"+cfg.Name)

	if cfg.Log != nil {
		cfg.Log = &lockedWriter{w: cfg.Log}
	}

	f := &Function{cfg: cfg, slots: make(chan struct{}, cfg.Instances), done: make(chan struct{})}
	i := &instance{f: f}
	f.all = append(f.all, i)
	if _, err := i.running(ctx); err != nil {
		f.Close()
		return nil, err
	}
	f.idle = append(f.idle, i)
	return f, nil
}

// Invoke is Call for those who need the payload alone.
func (f *Function) Invoke(ctx context.Context, event []byte) (payload []byte, err error) {
	r, err := f.Call(ctx, event)
	return r.Payload, err
}

// Call hands the event to the function and waits for the answer. It waits for a free instance first. The event
// must not be changed until Call returns; the payload returned belongs to the caller.
//
// Errors are *FunctionError, *InitError, ErrEventTooLarge, ErrClosed and the context's own. When the context ends
// while the function is at work, its process is ended too, since nobody is left to read its answer. When a
// streamed answer breaks in the middle, the Response holds what came before the *FunctionError.
func (f *Function) Call(ctx context.Context, event []byte) (Response, error) {
	if len(event) > MaxPayload {
		return Response{}, ErrEventTooLarge
	}
	select {
	case f.slots <- struct{}{}:
	case <-ctx.Done():
		return Response{}, ctx.Err()
	case <-f.done:
		return Response{}, ErrClosed
	}
	defer func() { <-f.slots }()

	i, err := f.take()
	if err != nil {
		return Response{}, err
	}
	defer f.put(i)
	return i.call(ctx, event)
}

// A Process is one that polls, or did.
type Process struct {
	ID   int
	Init time.Duration // from before the start to the first poll; what Lambda reports as Init Duration is the same, less its own part
}

// Process is the process of the instance that serves next, when none is busy.
func (f *Function) Process() (Process, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.idle) == 0 {
		return Process{}, errors.New("runtimeapi: every instance is busy")
	}
	i := f.idle[len(f.idle)-1]
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.proc == nil {
		return Process{}, errors.New("runtimeapi: the instance has no process")
	}
	select {
	case <-i.proc.polled:
		return Process{ID: i.proc.cmd.Process.Pid, Init: i.proc.init}, nil
	default:
		return Process{}, errors.New("runtimeapi: the process has not polled")
	}
}

// Processes are the ids of the processes that run now, to look at what they use.
func (f *Function) Processes() (ids []int) {
	f.mu.Lock()
	all := slices.Clone(f.all)
	f.mu.Unlock()
	for _, i := range all {
		i.mu.Lock()
		p := i.proc
		i.mu.Unlock()
		if p == nil {
			continue
		}
		select {
		case <-p.exited:
		default:
			ids = append(ids, p.cmd.Process.Pid)
		}
	}
	return ids
}

// take returns an idle instance or a new one. The caller holds a slot, so there is always room.
func (f *Function) take() (*instance, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, ErrClosed
	}
	if n := len(f.idle); n > 0 {
		i := f.idle[n-1]
		f.idle = f.idle[:n-1]
		return i, nil
	}
	i := &instance{f: f}
	f.all = append(f.all, i)
	return i, nil
}

func (f *Function) put(i *instance) {
	f.mu.Lock()
	f.idle = append(f.idle, i)
	f.mu.Unlock()
}

// Close ends every process (SIGTERM, then SIGKILL after a second) and returns when all are gone. Calls under way
// fail with ErrClosed.
func (f *Function) Close() {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return
	}
	f.closed = true
	close(f.done)
	all := f.all
	f.mu.Unlock()

	var wg sync.WaitGroup
	for _, i := range all {
		wg.Go(i.close)
	}
	wg.Wait()
}

// lockedWriter keeps the writes of several processes apart.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

package main

import (
	"context"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// defaultStall is how long a transfer may stand still before its connection is given up for broken.
const defaultStall = time.Minute

// maxError is more than S3's error document ever has.
const maxError = 64 << 10

// moving are the flags that both directions have.
type moving struct {
	parallel int
	stall    time.Duration
	dry      bool
	verbose  bool
	http     *http.Client
}

func (m *moving) defineFlags(f *flag.FlagSet) {
	m.parallel = 8
	f.Func("parallel", "", func(s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 256 {
			return errors.New("it is a number of transfers at a time, 1 to 256")
		}
		m.parallel = n
		return nil
	})
	m.stall = defaultStall
	f.Func("stall", "", func(s string) (err error) {
		if m.stall, err = time.ParseDuration(s); err != nil || m.stall < time.Second {
			return errors.New("it is a time, one second at least: 30s, 2m")
		}
		return nil
	})
	f.BoolVar(&m.dry, "n", false, "")
	f.BoolVar(&m.verbose, "v", false, "")
}

// connect makes the client. It has no deadline for a whole transfer, and gives bytes as they are. It follows no redirect: a
// signature is for one host.
func (m *moving) connect() {
	m.http = &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext, TLSHandshakeTimeout: 10 * time.Second,
			ResponseHeaderTimeout: m.stall, MaxIdleConnsPerHost: m.parallel, IdleConnTimeout: 20 * time.Second, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// send sends a request. Its errors hold no URL.
func (m *moving) send(ctx context.Context, method, url string, headers map[string]string, body io.Reader, length int64) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, final{errors.New("the URL cannot be used")}
	}
	for name, value := range headers {
		if name != "content-length" {
			r.Header.Set(name, value)
		}
	}
	r.ContentLength = length
	if length == 0 {
		r.Body = http.NoBody
		r.GetBody = nil
	}
	response, err := m.http.Do(r)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		return nil, plain(err)
	}
	return response, nil
}

// s3Error is S3's refusal of a transfer.
type s3Error struct {
	status  int
	Code    string `xml:"Code"`
	Message string `xml:"Message"`
	body    []byte
}

func (e *s3Error) Error() string {
	switch {
	case e.Code == "ExpiredToken": // its message may hold the token
		return "S3 answers ExpiredToken: the session that signed has ended"
	case e.Code != "":
		return "S3 answers " + oneLine(e.Code+": "+e.Message)
	}
	return fmt.Sprintf("S3 answers HTTP status %d", e.status)
}

// passing tells whether a new try, with a new URL, may do better.
func (e *s3Error) passing() bool {
	switch e.Code {
	case "SlowDown", "RequestTimeout", "BadDigest", "IncompleteBody", "RequestTimeTooSkewed", "InternalError", "XAmzContentChecksumMismatch":
		return true
	}
	return e.status >= 500 && e.status != http.StatusNotImplemented || e.status == http.StatusTooManyRequests || e.expired()
}

// expired tells whether the URL, and nothing else, is too old.
func (e *s3Error) expired() bool {
	return e.status == http.StatusForbidden && strings.Contains(strings.ToLower(e.Message), "expired") || e.Code == "ExpiredToken" || e.Code == "ExpiredRequest"
}

// refusalOf reads S3's error; nil for what is none.
func refusalOf(r *http.Response) error {
	if r.StatusCode >= 200 && r.StatusCode < 300 {
		return nil
	}
	e := &s3Error{status: r.StatusCode}
	e.body, _ = io.ReadAll(io.LimitReader(r.Body, maxError)) // as far as it came
	_ = xml.Unmarshal(e.body, e)                             // or it stays empty
	return e
}

// final is a failure that no new try can change.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// again tries until it is done, or for good not to be done. Each try signs anew.
func again(ctx context.Context, try func() error) error {
	wait := firstWait
	for n := 1; ; n++ {
		err := try()
		if err == nil || ctx.Err() != nil {
			return err
		}
		var no *s3Error
		var stays final
		var service *refusal // which was asked several times already
		var key *refused
		var mistake *hinted
		if errors.As(err, &stays) || errors.As(err, &service) || errors.As(err, &key) || errors.As(err, &mistake) || errors.As(err, &no) && !no.passing() || n == attempts {
			return err
		}
		select {
		case <-time.After(wait/2 + rand.N(wait/2)):
		case <-ctx.Done():
			return ctx.Err()
		}
		wait = min(2*wait, longestWait)
	}
}

// watched is a body whose context ends when it stands still.
type watched struct {
	io.Reader
	stall time.Duration
	timer *time.Timer
	count func(int64)
	n     atomic.Int64
}

// watch ends a context when nothing is read for a while; the body's Reader may be given later.
func (m *moving) watch(ctx context.Context, r io.Reader, count func(int64)) (context.Context, *watched, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(m.stall, func() { cancel(fmt.Errorf("the connection stood still for %v", m.stall)) })
	return ctx, &watched{Reader: r, stall: m.stall, count: count, timer: timer}, func() {
		timer.Stop()
		cancel(nil)
	}
}

func (w *watched) Read(p []byte) (int, error) {
	w.timer.Reset(w.stall)
	n, err := w.Reader.Read(p)
	w.n.Add(int64(n))
	w.count(int64(n))
	return n, err
}

// many does something for each of several things, some at a time, and goes on where one fails.
func many[T any](ctx context.Context, parallel int, all []T, do func(T)) {
	var wg sync.WaitGroup
	next := make(chan T)
	for range min(parallel, len(all)) {
		wg.Go(func() {
			for one := range next {
				do(one)
			}
		})
	}
	for _, one := range all {
		select {
		case next <- one:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	wg.Wait()
}

// tally is what became of the files.
type tally struct {
	mu                    sync.Mutex
	done, skipped, failed int
	bytes                 int64
	unchecked             []string
	reasons               map[string]int // and how many files each has failed
	quiet                 int            // files that were not named
}

// named is how many files are named that fail for the same reason; with -v, all are.
const named = 20

// told counts how a file ended, and tells of one that failed.
func (t *tally) told(ctx context.Context, p *progress, name string, skipped bool, err error) {
	if err != nil && ctx.Err() != nil {
		return // told of once, at the end
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		text := explained(err)
		if t.reasons == nil {
			t.reasons = make(map[string]int)
		}
		t.reasons[text]++
		if p.verbose || t.reasons[text] <= most(err) {
			p.tell("%s: %s", oneLine(name), text)
		} else {
			t.quiet++
		}
	}
	switch {
	case err != nil:
		t.failed++
	case skipped:
		t.skipped++
	default:
		t.done++
	}
}

// most is how many files are named that fail for an error: a service says no to thousands in the same words.
func most(err error) int {
	var service *refusal
	if errors.As(err, &service) {
		return 1
	}
	return named
}

// outcome is the call's, and a line about it.
func (t *tally) outcome(ctx context.Context, p *progress, verb string, of int) error {
	p.end()
	if len(t.unchecked) > 0 {
		const shown = 20
		for _, name := range t.unchecked[:min(shown, len(t.unchecked))] {
			p.tell("%s: there was no checksum to compare, only its length", oneLine(name))
		}
		if more := len(t.unchecked) - shown; more > 0 {
			p.tell("%d more had none", more)
		}
	}
	if t.quiet > 0 {
		p.tell("%s more failed as those before (-v names all)", counted(t.quiet, "file"))
	}
	if left := of - t.done - t.skipped - t.failed; ctx.Err() != nil && left > 0 {
		p.tell("stopped; the same command goes on from here")
		p.tell("%s %s, %s; %d there already; %d failed; %d not done", verb, counted(t.done, "file"), size(t.bytes), t.skipped, t.failed, left)
		if t.done+t.skipped > 0 {
			return &partial{left + t.failed, of, "file", "were not " + verb}
		}
		return fmt.Errorf("none of %s was %s", counted(of, "file"), verb)
	}
	p.tell("%s %s, %s; %d there already; %d failed", verb, counted(t.done, "file"), size(t.bytes), t.skipped, t.failed)
	switch {
	case t.failed == 0:
		return nil
	case t.done+t.skipped == 0:
		return fmt.Errorf("none of %s was %s", counted(t.failed, "file"), verb)
	}
	return &partial{failed: t.failed, of: t.failed + t.done + t.skipped, what: "file"}
}

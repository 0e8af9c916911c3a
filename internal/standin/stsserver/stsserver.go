// Package stsserver is a stand-in for STS that does as a test tells it: hand out sessions,
// throttle, answer nothing, have another clock. It is for tests.
//
// It takes only calls that are signed for its time, give or take five minutes, as STS does,
// but it does not verify signatures: `make verify` does that with real ones.
package stsserver

import (
	"encoding/xml"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Call is what an AssumeRole said.
type Call struct {
	RoleARN, Name, Policy string
	Seconds               string // DurationSeconds
	AccessKeyID           string // of who signed it
	ExternalID            string // empty: none was given
}

// Answer is what a call gets.
type Answer struct {
	Code    string        // an error's, such as Throttling; or empty
	Silence time.Duration // before the answer, at most until the caller hangs up
	Session Session
}

// Session are temporary credentials.
type Session struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	Expires                                    time.Time
}

// Format keeps secrets out of what prints a struct.
func (s Session) Format(f fmt.State, _ rune) { fmt.Fprint(f, "Session("+s.AccessKeyID+", redacted)") }

// Server is a stand-in that runs.
type Server struct {
	http   *http.Server
	url    string
	answer func(n int, c Call) Answer

	mu    sync.Mutex
	ahead time.Duration
	calls []Call
}

// Start starts a stand-in on a free port of 127.0.0.1. answer is asked for each call
// that was signed at the right time, which are numbered from 1.
func Start(answer func(n int, c Call) Answer) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("stsserver: %w", err)
	}
	s := &Server{url: "http://" + l.Addr().String(), answer: answer}
	s.http = &http.Server{Handler: s, ErrorLog: log.New(io.Discard, "", 0)}
	go s.http.Serve(l)
	return s, nil
}

// URL is for AWS_ENDPOINT_URL_STS.
func (s *Server) URL() string { return s.url }

// Close ends it.
func (s *Server) Close() { s.http.Close() }

// SetClock says how far its clock is ahead.
func (s *Server) SetClock(ahead time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead = ahead
}

// Calls are those that were answered so far.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.calls...)
}

// window is how far from its own time STS takes a signature.
const window = 5 * time.Minute

// ServeHTTP answers as the query protocol has it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	now := time.Now().Add(s.ahead)
	s.mu.Unlock()
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Type", "text/xml")
	signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || signed.Sub(now).Abs() > window {
		fail(w, "SignatureDoesNotMatch")
		return
	}
	if err := r.ParseForm(); err != nil || r.Form.Get("Action") != "AssumeRole" {
		fail(w, "InvalidAction")
		return
	}
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	key, _, _ := strings.Cut(credential, "/")
	c := Call{r.Form.Get("RoleArn"), r.Form.Get("RoleSessionName"), r.Form.Get("Policy"), r.Form.Get("DurationSeconds"), key, r.Form.Get("ExternalId")}
	s.mu.Lock()
	s.calls = append(s.calls, c)
	n := len(s.calls)
	s.mu.Unlock()
	a := s.answer(n, c)
	select {
	case <-time.After(a.Silence):
	case <-r.Context().Done():
		return
	}
	if a.Code != "" {
		fail(w, a.Code)
		return
	}
	fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>`+
		`<AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration>`+
		`</Credentials></AssumeRoleResult></AssumeRoleResponse>`,
		escaped(a.Session.AccessKeyID), escaped(a.Session.SecretAccessKey), escaped(a.Session.SessionToken),
		a.Session.Expires.UTC().Format(time.RFC3339))
}

// fail answers with an error. Its message has what a real one can have and no log must.
func fail(w http.ResponseWriter, code string) {
	status := http.StatusForbidden
	if code == "ServiceUnavailable" {
		status = http.StatusServiceUnavailable
	} else if code == "Throttling" {
		status = http.StatusBadRequest
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>see https://example.com/?X-Amz-Security-Token=x</Message></Error></ErrorResponse>`, code)
}

func escaped(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s))
	return b.String()
}

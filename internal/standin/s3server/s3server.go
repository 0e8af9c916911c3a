// Package s3server is an S3 server in this process that refuses what S3 refuses. It is for tests and the demo.
//
// Storage, protocol and the arithmetic of Signature Version 4 are gofakes3's, which knows nothing of this project's
// signer, so an agreement between the two means something. In front stands a gate with what gofakes3 lets through:
// the session token and its end, the region and the date of the credential scope, the form of X-Amz-Expires, signed
// headers that were not sent, requests that are not signed at all, and forms, whose policies it does not look at.
//
// What it cannot show: like S3 itself it decodes the path before it verifies, so two spellings of one path are the
// same to it. It does not compare bodies with a signed payload hash, and it does not know policies or ACLs: whoever
// has credentials may do everything. Only path-style addressing is served.
package s3server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/rclone/gofakes3"
)

// Credentials are accepted by a server. SessionToken and Expires make them temporary.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string    // "" for credentials that have none
	Expires         time.Time // when the session ends; zero: never
}

// String and GoString keep secrets out of whatever prints a struct.
func (c Credentials) String() string   { return "Credentials(" + c.AccessKeyID + ", redacted)" }
func (c Credentials) GoString() string { return c.String() }

// Config says what the server holds and whom it believes.
type Config struct {
	Region      string           // the region that requests must be signed for
	Buckets     []string         // made at the start
	Credentials []Credentials    // at least one; access key ids of 3 characters or more
	Now         func() time.Time // default time.Now

	// Created, if it is not nil, is told of every object that a request has made, before the request ends. Put,
	// which is none, is not told of.
	Created func(Created)
}

// Server is a running server. It is an http.Handler as well, for a test that puts something in front of it.
type Server struct {
	cfg         Config
	credentials map[string]Credentials // by access key id
	backend     *store
	objects     http.Handler // gofakes3, behind the gate
	http        *http.Server
	endpoint    string
}

// Start starts a server on a free port of 127.0.0.1.
func Start(cfg Config) (*Server, error) {
	if cfg.Region == "" || len(cfg.Credentials) == 0 {
		return nil, errors.New("s3server: a region and credentials are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	clock := timeSource{cfg.Now}
	s := &Server{
		cfg:         cfg,
		credentials: map[string]Credentials{},
		backend:     newStore(clock),
	}
	for _, c := range cfg.Credentials {
		s.credentials[c.AccessKeyID] = c
	}
	for _, b := range cfg.Buckets {
		if err := s.backend.CreateBucket(context.Background(), b); err != nil {
			return nil, fmt.Errorf("s3server: bucket %s: %w", b, err)
		}
	}
	// No WithV4Auth: its clock is a global of the process. The gate calls the same check; see verify.
	s.objects = gofakes3.New(s.backend, gofakes3.WithTimeSource(clock)).Server()

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("s3server: %w", err)
	}
	s.endpoint = "http://" + l.Addr().String()
	// net/http's own log could show a URL.
	s.http = &http.Server{Handler: s, ErrorLog: log.New(io.Discard, "", 0)}
	go s.http.Serve(l)
	return s, nil
}

// Endpoint is the server's URL, without a slash at its end.
func (s *Server) Endpoint() string { return s.endpoint }

// Close ends the server and drops its objects.
func (s *Server) Close() { s.http.Close() }

// Put stores an object without a request.
func (s *Server) Put(bucket, key string, body []byte) error {
	meta := map[string]string{"Last-Modified": timeSource{s.cfg.Now}.Now().Format(http.TimeFormat)} // as a request would
	_, err := s.backend.PutObject(context.Background(), bucket, key, meta, bytes.NewReader(body), int64(len(body)))
	return err
}

// Get returns what is stored under a key without a request. NotExist tells whether an error means that nothing is.
func (s *Server) Get(bucket, key string) ([]byte, error) {
	o, err := s.backend.GetObject(context.Background(), bucket, key, nil)
	if err != nil {
		return nil, err
	}
	defer o.Contents.Close()
	return io.ReadAll(o.Contents)
}

// NotExist reports whether an error of Get says that there is no such object.
func NotExist(err error) bool { return gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchKey) }

// timeSource lends the server's clock to gofakes3.
type timeSource struct{ now func() time.Time }

func (t timeSource) Now() time.Time                  { return t.now().In(gmt) }
func (t timeSource) Since(u time.Time) time.Duration { return t.now().Sub(u) }

var gmt = time.FixedZone("GMT", 0) // as HTTP dates spell it

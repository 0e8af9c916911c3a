package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"bulkpresign/internal/check/rawhttp"
)

// A server is an S3 server that runs, and what it takes to use it.
type server struct {
	name     string
	endpoint string // scheme, host and port
	region   string

	root   aws.Credentials // permanent; they make what the cases need
	signer aws.Credentials // the session that the function signs with
	other  aws.Credentials // another one, just as good

	// ending ends before the cases do; end returns when it has ended. endsBy says how, for the report.
	ending aws.Credentials
	end    func(context.Context) error

	// role is what root may assume at the server's own STS, or empty.
	role string
	// domain is one under which the server takes a name for a bucket's, or empty: BUCKET.domain leads to it.
	domain string
	// later starts another server for the same data, whose clock is ahead, and returns its endpoint; or nil.
	later func(ctx context.Context, ahead time.Duration) (endpoint string, stop func(), err error)

	stop func()
}

// shortSession is how long a session lives that is to end while the cases run: long enough to use its URLs first.
const shortSession = 20 * time.Second

// untilExpired is the end of a session that ends by itself. The second more is for servers that count whole ones.
func untilExpired(c aws.Credentials) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(time.Until(c.Expires) + time.Second):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func permanentCredentials() aws.Credentials {
	return aws.Credentials{AccessKeyID: "AKIA" + rand.Text()[:16], SecretAccessKey: rand.Text() + rand.Text()[:14]}
}

// madeUpSession is for servers that are told whom to believe. Its token has what a real one has and an escaper must
// get right.
func madeUpSession(lifetime time.Duration) aws.Credentials {
	return aws.Credentials{
		AccessKeyID:     "ASIA" + rand.Text()[:16],
		SecretAccessKey: rand.Text() + rand.Text()[:14],
		SessionToken:    rand.Text() + "/+" + rand.Text() + "//" + rand.Text() + "+w==",
		CanExpire:       true,
		Expires:         time.Now().Add(lifetime),
	}
}

// escape is the S3 form of percent-encoding, independent of the signer under test.
func escape(key string) string {
	return strings.NewReplacer("+", "%20", "%2F", "/").Replace(url.QueryEscape(key))
}

// asRoot sends a request that is signed in its Authorization header, by the SDK's signer, for what the cases need and
// cannot be pre-signed. A status of 300 or more is an error, in the words of outcome.
func (s *server) asRoot(ctx context.Context, method, path, query string, headers map[string]string, body []byte) (*rawhttp.Response, error) {
	return s.signedRequest(ctx, "s3", method, path, query, headers, body)
}

func (s *server) signedRequest(ctx context.Context, service, method, path, query string, headers map[string]string, body []byte) (*rawhttp.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	host := strings.TrimPrefix(s.endpoint, "http://")
	target := s.endpoint + path
	if query != "" {
		target += "?" + query
	}
	r := &http.Request{Method: method, Host: host, Header: http.Header{}, ContentLength: int64(len(body)),
		URL: &url.URL{Scheme: "http", Host: host, Opaque: "//" + host + path, RawQuery: query}}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Content-Sha256", hash)
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err := signer.SignHTTP(ctx, s.root, r, hash, service, s.region, time.Now()); err != nil {
		return nil, errors.New("the SDK could not sign") // its error could show more
	}
	sent := map[string]string{}
	for name, values := range r.Header {
		sent[name] = values[0]
	}
	resp, err := rawhttp.Do(ctx, method, target, sent, body)
	if err != nil {
		return nil, err
	}
	if resp.Status >= 300 {
		return nil, errors.New(outcome(resp))
	}
	return resp, nil
}

// query calls an API of the query protocol, names and values in turn.
func (s *server) query(ctx context.Context, service string, parameters ...string) (*rawhttp.Response, error) {
	form := url.Values{}
	for pair := range slices.Chunk(parameters, 2) {
		form.Set(pair[0], pair[1])
	}
	return s.signedRequest(ctx, service, "POST", "/", "", map[string]string{"content-type": "application/x-www-form-urlencoded"}, []byte(form.Encode()))
}

// assumeRole gets temporary credentials from the server's own STS. Further parameters win.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func (s *server) assumeRole(ctx context.Context, lifetime time.Duration, parameters ...string) (aws.Credentials, error) {
	resp, err := s.query(ctx, "sts", append([]string{
		"Action", "AssumeRole", "Version", "2011-06-15", "RoleSessionName", "verify",
		"RoleArn", "arn:aws:iam:::role/signer", "DurationSeconds", fmt.Sprint(int(lifetime.Seconds())),
	}, parameters...)...)
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("AssumeRole: %w", err)
	}
	var answer struct {
		Credentials struct {
			AccessKeyID     string `xml:"AccessKeyId"`
			SecretAccessKey string
			SessionToken    string
			Expiration      time.Time
		} `xml:"AssumeRoleResult>Credentials"`
	}
	if err := xml.Unmarshal(resp.Body, &answer); err != nil || answer.Credentials.SessionToken == "" {
		return aws.Credentials{}, errors.New("AssumeRole: an answer without credentials")
	}
	c := answer.Credentials
	return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken, CanExpire: true, Expires: c.Expiration}, nil
}

// outcome is a response in a few words: the status, and the code of an S3 error.
func outcome(r *rawhttp.Response) string {
	if code := errorCode(r.Body); code != "" {
		return fmt.Sprint(r.Status, " ", code)
	}
	return fmt.Sprint(r.Status)
}

func errorCode(body []byte) string {
	var e struct{ Code string }
	_ = xml.Unmarshal(body, &e)
	return e.Code
}

// freePort is a port of 127.0.0.1 that nobody listens on right now, for programs that cannot say which one they took.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// A child is a program that was started and has to be ended.
type child struct {
	cmd    *exec.Cmd
	log    string // file
	exited chan struct{}
}

// startChild starts cmd with its output in a file of dir.
func startChild(cmd *exec.Cmd, dir string) (*child, error) {
	c := &child{cmd: cmd, log: filepath.Join(dir, filepath.Base(cmd.Path)+".out"), exited: make(chan struct{})}
	f, err := os.Create(c.log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		cmd.Wait() // that it ended early is what matters, and waitFor says so
		close(c.exited)
	}()
	return c, nil
}

// stop asks, insists, and returns when the program is gone.
func (c *child) stop() {
	if c.cmd.Process.Signal(syscall.SIGTERM) == nil {
		select {
		case <-c.exited:
			return
		case <-time.After(5 * time.Second):
		}
	}
	c.cmd.Process.Kill()
	<-c.exited
}

// waitFor returns when the server answers, whatever it says.
func (s *server) waitFor(ctx context.Context, c *child) error {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	for {
		if _, err := rawhttp.Do(ctx, "GET", s.endpoint+"/", nil, nil); err == nil {
			return nil
		}
		select {
		case <-c.exited:
			return fmt.Errorf("%s ended at its start:\n%s", filepath.Base(c.cmd.Path), tail(c.log))
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer:\n%s", filepath.Base(c.cmd.Path), tail(c.log))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// tail is the end of a log, without the lines that could hold a signed request or a secret.
func tail(file string) string {
	content, err := os.ReadFile(file)
	if err != nil {
		return "(no log)"
	}
	var kept []string
	for line := range strings.Lines(string(content)) {
		lower := strings.ToLower(line)
		if !strings.Contains(lower, "x-amz-") && !strings.Contains(lower, "secret") && !strings.Contains(lower, "key") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept[max(0, len(kept)-20):], "")
}

// output runs a program to its end. Its words are in the error, if there is one.
func output(cmd *exec.Cmd) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, lastBytes(stderr.Bytes(), 2000))
	}
	return stdout.Bytes(), nil
}

func lastBytes(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

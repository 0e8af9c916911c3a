// Command sam-local sends sample events through the function as the SAM CLI runs it, and uses the URLs that come
// back: against an S3 server of its own that verifies signatures, each URL must work, and with one digit of its
// signature changed it must not. It prints what fell short, then one line of figures; the exit status is 1 unless
// all of it worked.
//
// It knows the contract from outside, as a caller does, and shares no type with the function.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"bulkpresign/internal/standin/s3server"
)

const (
	bucket = "photos" // the bucket of all sample events
	region = "us-east-1"
	path   = "/presign" // the template's only route
)

// credentials are made up. They have a session token, since a Lambda function's always do, and the SAM CLI has been
// known to lose it on the way (aws-sam-cli issue 2421): the server refuses a URL without it.
var credentials = s3server.Credentials{
	AccessKeyID:     "ASIASAMLOCALEXAMPLE0",
	SecretAccessKey: "sam-local/not-a-secret",
	SessionToken:    "sam-local/not-a-session/" + strings.Repeat("0123456789abcdef", 50),
}

func main() {
	c := newChecker()
	flag.StringVar(&c.sam, "sam", "sam", "the SAM CLI")
	flag.StringVar(&c.template, "template", ".aws-sam/build/template.yaml", "the template that sam build wrote")
	flag.StringVar(&c.arch, "arch", "x86_64", "the function's architecture, as the template names it")
	events := flag.String("events", "events", "folder of sample events")
	flag.Parse()

	files, err := filepath.Glob(filepath.Join(*events, "*.json"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("no events in %s", *events)
	}
	if err == nil {
		err = c.run(files)
	}
	if err != nil {
		c.fail("sam-local", err)
	}
	fmt.Printf("sam-local: %v events answered, %v HTTP calls answered, %v URLs fetched, %v tampered URLs refused\n",
		c.events, c.calls, c.fetched, c.refused)
	if c.failures > 0 {
		os.Exit(1)
	}
}

// checker holds what stays the same in a run, and counts.
type checker struct {
	sam, template, arch string
	client              *http.Client

	events, calls, fetched, refused figure
	failures                        int
}

// figure is how many of the things tried went well.
type figure struct{ good, tried int }

func (f figure) String() string { return fmt.Sprintf("%d/%d", f.good, f.tried) }

func newChecker() *checker {
	return &checker{client: &http.Client{
		Timeout:   30 * time.Second,
		Transport: &http.Transport{DisableCompression: true},
		// S3 redirects to another region; a URL that needs that is not the one that was asked for.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (c *checker) fail(what string, err error) {
	c.failures++
	fmt.Printf("FAIL %s: %v\n", what, err)
}

// errNoKeys is what an event has that is not for this function: those of queues and lists.
var errNoKeys = errors.New("the event asks for no key")

func (c *checker) run(files []string) error {
	requests := make(map[string]request, len(files))
	var own []string
	for _, file := range files {
		r, err := readEvent(file)
		if errors.Is(err, errNoKeys) {
			fmt.Printf("%s is for another function\n", file)
			continue
		}
		if err != nil {
			return err
		}
		requests[file] = r
		own = append(own, file)
	}
	files = own

	// Each way in has a server to itself, so that create_only meets no object that the other left.
	server, err := c.startS3(requests)
	if err != nil {
		return err
	}
	defer server.Close()
	for _, file := range files {
		c.events.tried++
		result, err := c.invoke(file, server.Endpoint())
		if err == nil {
			err = c.use(server, requests[file], result)
		}
		if err != nil {
			c.fail("invoke "+file, err)
			continue
		}
		c.events.good++
		fmt.Printf("ok   sam local invoke %s: %d keys\n", file, len(requests[file].keys))
	}
	return c.runHTTP(files, requests)
}

// runHTTP makes the request of each event as a real HTTP call to sam local start-api, and one that must be refused.
func (c *checker) runHTTP(files []string, requests map[string]request) error {
	server, err := c.startS3(requests)
	if err != nil {
		return err
	}
	defer server.Close()
	base, stop, err := c.startAPI(server.Endpoint())
	if err != nil {
		return err
	}
	defer stop()

	for _, file := range files {
		c.calls.tried++
		answer, err := c.post(base, requests[file].body)
		if err == nil && answer.status != http.StatusOK {
			err = fmt.Errorf("status %d, code %q", answer.status, answer.code())
		}
		if err == nil {
			err = c.use(server, requests[file], answer.body)
		}
		if err != nil {
			c.fail("HTTP "+file, err)
			continue
		}
		c.calls.good++
		fmt.Printf("ok   HTTP call with the request of %s: %d keys\n", file, len(requests[file].keys))
	}

	c.calls.tried++
	answer, err := c.post(base, []byte(`{"bucket":"someone-elses","keys":["a"]}`))
	switch {
	case err != nil:
		c.fail("HTTP refusal", err)
	case answer.status != http.StatusForbidden || answer.contentType != "application/problem+json" || answer.code() != "BucketNotAllowed":
		c.fail("HTTP refusal", fmt.Errorf("status %d, type %q, code %q; want 403, application/problem+json, BucketNotAllowed",
			answer.status, answer.contentType, answer.code()))
	default:
		c.calls.good++
		fmt.Println("ok   HTTP call for another bucket: 403 BucketNotAllowed")
	}
	return nil
}

// request is what an event asks for.
type request struct {
	operation string
	keys      []string
	body      []byte // the JSON of the request alone, without the event around it
}

// readEvent finds the request in an event: it is the body of an HTTP event, and the event itself otherwise.
func readEvent(file string) (request, error) {
	event, err := os.ReadFile(file)
	if err != nil {
		return request{}, err
	}
	var wrapped struct {
		Body            *string
		IsBase64Encoded bool
	}
	if err := json.Unmarshal(event, &wrapped); err != nil {
		return request{}, fmt.Errorf("%s: %w", file, err)
	}
	body := event
	if wrapped.Body != nil {
		if body, err = decodeBody(*wrapped.Body, wrapped.IsBase64Encoded); err != nil {
			return request{}, fmt.Errorf("%s: %w", file, err)
		}
	}
	var fields struct {
		Operation string
		Keys      []json.RawMessage
	}
	if err := json.Unmarshal(body, &fields); err != nil {
		return request{}, fmt.Errorf("%s: %w", file, err)
	}
	r := request{operation: cmp.Or(fields.Operation, "GetObject"), body: body}
	for _, item := range fields.Keys {
		var key string
		if json.Unmarshal(item, &key) != nil {
			var object struct{ Key string }
			if err := json.Unmarshal(item, &object); err != nil {
				return request{}, fmt.Errorf("%s: %w", file, err)
			}
			key = object.Key
		}
		r.keys = append(r.keys, key)
	}
	if len(r.keys) == 0 {
		return request{}, errNoKeys
	}
	return r, nil
}

func decodeBody(body string, isBase64 bool) ([]byte, error) {
	if isBase64 {
		return base64.StdEncoding.DecodeString(body)
	}
	return []byte(body), nil
}

// content is what lies, or is to lie, under a key. Different keys differ in it, so that one object served for another
// shows.
func content(key string) []byte { return []byte("the object under " + key + "\n") }

// startS3 starts a server that holds every object that the requests read.
func (c *checker) startS3(requests map[string]request) (*s3server.Server, error) {
	server, err := s3server.Start(s3server.Config{
		Region: region, Buckets: []string{bucket}, Credentials: []s3server.Credentials{credentials},
	})
	if err != nil {
		return nil, err
	}
	for _, r := range requests {
		for _, key := range r.keys {
			if r.operation == "PutObject" {
				continue
			}
			if err := server.Put(bucket, key, content(key)); err != nil {
				server.Close()
				return nil, fmt.Errorf("put %q: %w", key, err)
			}
		}
	}
	return server, nil
}

// command is a run of the SAM CLI's local emulator. The endpoint is what the client of the URLs reaches; that the
// function's container could not reach it does not matter, since signing does not use the network.
func (c *checker) command(ctx context.Context, endpoint string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.sam, append([]string{"local"}, append(args,
		"--template", c.template, "--skip-pull-image", "--region", region, "--parameter-overrides",
		"Architecture="+c.arch, "Bucket="+bucket, "Operations=GetObject,HeadObject,PutObject", "EndpointUrl="+endpoint,
	)...)...)
	cmd.Env = append(os.Environ(),
		"AWS_ACCESS_KEY_ID="+credentials.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY="+credentials.SecretAccessKey,
		"AWS_SESSION_TOKEN="+credentials.SessionToken)
	// On an interrupt the SAM CLI removes its containers; killed, it could not.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = 30 * time.Second
	return cmd
}

// invoke runs sam local invoke with an event and returns the result document.
func (c *checker) invoke(file, endpoint string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := c.command(ctx, endpoint, "invoke", "ApiFunction", "--event", file)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, stderr.Bytes())
	}
	if leak := secretIn(stderr.String()); leak != "" {
		return nil, fmt.Errorf("the function's log holds %s", leak)
	}

	var answer struct {
		StatusCode      int
		Body            *string
		IsBase64Encoded bool
		ErrorType       string
		ErrorMessage    string
	}
	if err := json.Unmarshal(stdout.Bytes(), &answer); err != nil {
		return nil, fmt.Errorf("the answer is not JSON: %w\n%s", err, stderr.Bytes())
	}
	if answer.ErrorType != "" {
		return nil, fmt.Errorf("function error %s: %s", answer.ErrorType, answer.ErrorMessage)
	}
	if answer.Body == nil {
		return stdout.Bytes(), nil
	}
	body, err := decodeBody(*answer.Body, answer.IsBase64Encoded)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d, code %q", answer.StatusCode, httpAnswer{body: body}.code())
	}
	return body, err
}

// secretIn names the secret that a log holds, or returns "".
func secretIn(log string) string {
	for name, secret := range map[string]string{
		"the secret key": credentials.SecretAccessKey, "the session token": credentials.SessionToken, "a signature": "X-Amz-Signature",
	} {
		if strings.Contains(log, secret) {
			return name
		}
	}
	return ""
}

// startAPI runs sam local start-api on a free port until stop is called. Its log goes to the standard error.
func (c *checker) startAPI(endpoint string) (base string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	address := listener.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	listener.Close()

	ctx, cancel := context.WithCancel(context.Background())
	// Not EAGER: that starts every function of the template, and the one whose code stands in it cannot run here.
	cmd := c.command(ctx, endpoint, "start-api", "--host", "127.0.0.1", "--port", port, "--warm-containers", "LAZY")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		cancel()
		return "", nil, err
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	stop = func() {
		cancel()
		<-ended
		if leak := secretIn(log.String()); leak != "" {
			c.fail("start-api", fmt.Errorf("the function's log holds %s", leak))
		}
	}

	deadline := time.After(2 * time.Minute)
	for {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return "http://" + address, stop, nil
		}
		select {
		case <-ended:
			cancel()
			return "", nil, fmt.Errorf("sam local start-api ended\n%s", log.Bytes())
		case <-deadline:
			stop()
			return "", nil, fmt.Errorf("sam local start-api does not listen\n%s", log.Bytes())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

type httpAnswer struct {
	status      int
	contentType string
	body        []byte
}

// code is the error code of a problem document.
func (a httpAnswer) code() string {
	var problem struct{ Code string }
	json.Unmarshal(a.body, &problem)
	return problem.Code
}

func (c *checker) post(base string, body []byte) (httpAnswer, error) {
	response, err := c.client.Post(base+path, "application/json", bytes.NewReader(body))
	if err != nil {
		return httpAnswer{}, err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	return httpAnswer{response.StatusCode, response.Header.Get("Content-Type"), b}, err
}

// use checks that a result answers its request, and uses each of its URLs: tampered first, so that a refusal cannot be
// due to what the right one did. Its error holds everything that fell short.
func (c *checker) use(server *s3server.Server, r request, document []byte) error {
	var result struct {
		URLs        map[string]string            `json:"urls"`
		Headers     map[string]string            `json:"headers"`
		ItemHeaders map[string]map[string]string `json:"item_headers"`
		Errors      map[string]struct{ Code string }
	}
	if err := json.Unmarshal(document, &result); err != nil {
		return fmt.Errorf("the result is not JSON: %w", err)
	}
	var wrong []error
	for key, e := range result.Errors {
		wrong = append(wrong, fmt.Errorf("%q: %s", key, e.Code))
	}
	for _, key := range r.keys {
		signed, ok := result.URLs[key]
		if !ok {
			wrong = append(wrong, fmt.Errorf("%q: no URL", key))
			continue
		}
		headers, ok := result.ItemHeaders[key]
		if !ok {
			headers = result.Headers
		}

		c.refused.tried++
		if status, _, err := c.fetch(r.operation, tamper(signed), headers, content(key)); err != nil {
			wrong = append(wrong, fmt.Errorf("%q, tampered: %w", key, err))
		} else if status != http.StatusForbidden {
			wrong = append(wrong, fmt.Errorf("%q, tampered: status %d, want 403", key, status))
		} else {
			c.refused.good++
		}

		c.fetched.tried++
		if err := c.fetchRight(server, r.operation, key, signed, headers); err != nil {
			wrong = append(wrong, fmt.Errorf("%q: %w", key, err))
		} else {
			c.fetched.good++
		}
	}
	if len(result.URLs) != len(r.keys) {
		wrong = append(wrong, fmt.Errorf("%d URLs for %d keys", len(result.URLs), len(r.keys)))
	}
	return errors.Join(wrong...)
}

// fetchRight uses an untouched URL and compares what was read, or what then lies on the server, byte for byte.
func (c *checker) fetchRight(server *s3server.Server, operation, key, signed string, headers map[string]string) error {
	want := content(key)
	status, got, err := c.fetch(operation, signed, headers, want)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("status %d", status)
	}
	switch operation {
	case "HeadObject":
		return nil
	case "PutObject":
		if got, err = server.Get(bucket, key); err != nil {
			return err
		}
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%d bytes that are not the object's %d", len(got), len(want))
	}
	return nil
}

// tamper changes the last digit of the signature, which ends the URL.
func tamper(signed string) string {
	last := byte('0')
	if strings.HasSuffix(signed, "0") {
		last = '1'
	}
	return signed[:len(signed)-1] + string(last)
}

// fetch makes the request that a URL was signed for. Its errors name no URL, as net/http's would.
func (c *checker) fetch(operation, signed string, headers map[string]string, body []byte) (int, []byte, error) {
	method := strings.ToUpper(strings.TrimSuffix(operation, "Object"))
	if method != http.MethodPut {
		body = nil
	}
	request, err := http.NewRequest(method, signed, bytes.NewReader(body))
	if err != nil {
		return 0, nil, errors.New("not a URL")
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	response, err := c.client.Do(request)
	if err != nil {
		return 0, nil, errors.Unwrap(err)
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	return response.StatusCode, got, err
}

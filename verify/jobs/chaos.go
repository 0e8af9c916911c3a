package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"bulkpresign/internal/check/faults"
	"bulkpresign/internal/check/logcheck"
	"bulkpresign/internal/standin/moto"
	"bulkpresign/internal/standin/runtimeapi"
	"bulkpresign/internal/standin/s3server"
	"bulkpresign/internal/standin/sqsserver"
	"bulkpresign/internal/standin/sqssource"
)

// What goes wrong, and how often.
var (
	s3Faults = faults.Rates{
		{Kind: faults.InternalError, Share: 0.006}, {Kind: faults.SlowDown, Share: 0.006}, {Kind: faults.Throttled, Share: 0.001},
		{Kind: faults.CutRequest, Share: 0.006}, {Kind: faults.CutResponse, Share: 0.006}, {Kind: faults.Lost, Share: 0.006},
		{Kind: faults.LateError, Share: 0.02}, {Kind: faults.Slow, Share: 0.02},
	}
	// S3 as the function sees it whose time is short. Its list makes some thirty parts.
	slowS3Faults = append(s3Faults[:7:7], faults.Rate{Kind: faults.Slow, Share: 0.95})
	sqsFaults    = faults.Rates{
		{Kind: faults.InternalError, Share: 0.01}, {Kind: faults.SlowDown, Share: 0.01}, {Kind: faults.Lost, Share: 0.01},
		{Kind: faults.CutResponse, Share: 0.01}, {Kind: faults.Slow, Share: 0.02},
	}
	queueKills    = faults.Rates{{Kind: faults.Killed, Share: 0.06}}
	manifestKills = faults.Rates{{Kind: faults.Killed, Share: 0.2}}
)

const (
	twiceShare  = 100 // one message in so many is given to two consumers at the same time
	maxReceives = 5   // then it is a dead letter
	visibility  = 20  // seconds, twice the functions' time; the template's six times would make the run six times as long
	timeout     = 10 * time.Second
	shortTime   = 6 * time.Second
	shortKeys   = 2_000_000
	shortSlow   = 500 * time.Millisecond // to hand on, a function keeps a third of its time, in which some answers must come
	asyncTries  = 3                      // of an asynchronous invocation, as Lambda has it
	sharedLists = 20
	sampledURLs = 300 // or some more are used
)

// chaos is one run.
type chaos struct {
	s3    *s3server.Server
	plain *s3.Client // S3 without faults
	queue *sqs.Client
	watch *watch
	book  *logcheck.Book
	urls  map[string]string // of the queues, by name
	arns  map[string]string

	faults map[string]*faults.Source // by what they are of

	sampled int // results of which a URL is used, at least

	invocations, failed atomic.Int64 // events, and those that were not answered well
	twice               atomic.Int64 // messages given to two consumers at once
	timedOut            atomic.Int64 // events whose function was ended for it
	again               atomic.Int64 // messages that the functions asked for again
}

func runChaos(ctx context.Context, flags *flag.FlagSet, args []string) error {
	bin := flags.String("functions", "bin", "folder of the functions' binaries")
	seed := flags.Uint64("seed", 1, "of the inputs and the faults")
	messages := flags.Int("messages", 10_000, "messages for the queue of requests")
	manifests := flags.Int("manifests", 200, "lists for the queue of lists")
	broker := flags.String("sqs", "embedded", "embedded, or moto: slow, but not ours (make moto installs it)")
	logFile := flags.String("log", "", "a file that gets what the functions log")
	limit := flags.Duration("limit", 10*time.Minute, "when to give up")
	if err := parse(flags, args); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	began := time.Now()
	fmt.Printf("chaos: %d messages and %d manifests, SQS is %s; again with -seed %d -messages %d -manifests %d\n",
		*messages, *manifests, *broker, *seed, *messages, *manifests)

	book := new(logcheck.Book)
	var lines io.Writer = book
	if *logFile != "" {
		f, err := os.Create(*logFile)
		if err != nil {
			return err
		}
		defer f.Close()
		lines = io.MultiWriter(book, f)
	}
	c := &chaos{sampled: sampledURLs, book: book, urls: map[string]string{}, arns: map[string]string{}}
	c.faults = map[string]*faults.Source{
		"S3": faults.New(*seed, s3Faults), "S3, slow": faults.New(*seed, slowS3Faults), "SQS": faults.New(*seed, sqsFaults),
		"queue": faults.New(*seed, queueKills), "manifest": faults.New(*seed, manifestKills),
	}
	c.faults["S3, slow"].Slowest = shortSlow
	server, session, err := newS3()
	if err != nil {
		return err
	}
	defer server.Close()
	c.s3, c.plain, c.watch = server, s3Client(session, server.Endpoint()), &watch{s3: server}
	c.book.KeepOut(session.SecretAccessKey, session.SessionToken)
	s3URL, err := serve(ctx, &faults.Handler{Next: c.watch, Faults: c.faults["S3"], Happened: c.watch.happened})
	if err != nil {
		return err
	}
	slowS3URL, err := serve(ctx, &faults.Handler{Next: c.watch, Faults: c.faults["S3, slow"], Happened: c.watch.happened})
	if err != nil {
		return err
	}
	sns, sqsURL, err := c.startSQS(ctx, *broker)
	if err != nil {
		return err
	}

	w := newWorkload(*seed)
	w.fillQueue(*messages, sharedLists, sns)
	if err := w.fillLists(ctx, c.plain, *manifests, sharedLists); err != nil {
		return err
	}

	function := func(name string, timeout time.Duration, instances int, s3URL string) (*runtimeapi.Function, error) {
		return runtimeapi.Start(ctx, runtimeapi.Config{
			Binary: *bin + "/jobs/bootstrap", Log: lines, Timeout: timeout, Instances: instances,
			Name: "bulkpresign-" + name, Region: region, MemoryMB: 512,
			Env: environment(session, server, s3URL, "AWS_ENDPOINT_URL_SQS="+sqsURL, "PRESIGN_QUEUE_URL="+c.urls[name], "PRESIGN_RETRY_AFTER=1"),
		})
	}
	// As the template has it: one function, two queues, of which it hands jobs on to that of lists.
	both, err := function("lists", timeout, 20, s3URL)
	if err != nil {
		return err
	}
	defer both.Close()
	short, err := function("short", shortTime, 2, slowS3URL)
	if err != nil {
		return err
	}
	defer short.Close()
	queueMayDie := &faults.Function{Next: both, Faults: c.faults["queue"], Within: 300 * time.Millisecond}
	manifestMayDie := &faults.Function{Next: both, Faults: c.faults["manifest"], Within: time.Second}
	shortMayDie := &faults.Function{Next: short, Faults: c.faults["manifest"], Within: time.Second}

	polling, stopPolling := context.WithCancel(ctx)
	defer stopPolling()
	poller := c.client(sqsURL)
	var sources sync.WaitGroup
	for _, s := range []*sqssource.Source{
		{URL: c.urls["requests"], ARN: c.arns["requests"], Function: queueMayDie, BatchSize: 10, MaxConcurrency: 16},
		{URL: c.urls["lists"], ARN: c.arns["lists"], Function: manifestMayDie, BatchSize: 1, MaxConcurrency: 3},
		{URL: c.urls["short"], ARN: c.arns["short"], Function: shortMayDie, BatchSize: 1, MaxConcurrency: 2},
	} {
		s.Queue, s.ReportBatchItemFailures, s.Done = poller, true, c.delivered
		sources.Go(func() { s.Run(polling) })
	}
	var sending sync.WaitGroup
	sent := make([]error, 4)
	sending.Go(func() { sent[0] = c.send(ctx, "requests", w.requests) })
	sending.Go(func() { sent[1] = c.send(ctx, "lists", w.lists) })
	sending.Go(func() { sent[2] = c.send(ctx, "short", w.short) })
	sending.Go(func() { sent[3] = c.invokeAll(ctx, manifestMayDie, w.events) })
	sending.Wait()
	if err := errors.Join(sent...); err != nil {
		return err
	}
	if err := c.drain(ctx); err != nil {
		return err
	}
	stopPolling()
	sources.Wait()
	for _, f := range []*runtimeapi.Function{both, short} {
		f.Close() // so that every line of the log has been written
	}
	took := time.Since(began)

	return c.conclude(ctx, w, took)
}

// serve runs a handler on a free port until the context ends.
func serve(ctx context.Context, h http.Handler) (endpoint string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	go s.Serve(l)
	context.AfterFunc(ctx, func() { s.Close() })
	return "http://" + l.Addr().String(), nil
}

func (c *chaos) client(endpoint string) *sqs.Client {
	return sqs.New(sqs.Options{
		Region: region, BaseEndpoint: &endpoint,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
		Retryer:     retry.AddWithMaxBackoffDelay(retry.NewStandard(), 100*time.Millisecond),
	})
}

// startSQS makes the queues. sqsURL is where the functions and the pollers find them, with faults; sns wraps a message
// as a topic does.
func (c *chaos) startSQS(ctx context.Context, broker string) (sns func(string) string, sqsURL string, err error) {
	var endpoint string
	var handler http.Handler
	switch broker {
	case "embedded":
		var received atomic.Int64
		s, err := sqsserver.Start(sqsserver.Config{Region: region, Twice: func(string) bool {
			if received.Add(1)%twiceShare != 0 {
				return false
			}
			c.twice.Add(1)
			return true
		}})
		if err != nil {
			return nil, "", err
		}
		context.AfterFunc(ctx, s.Close)
		endpoint, handler = s.Endpoint(), s
	case "moto":
		s, err := moto.Start()
		if err != nil {
			return nil, "", err
		}
		context.AfterFunc(ctx, s.Close)
		endpoint = s.Endpoint()
		at, err := url.Parse(endpoint)
		if err != nil {
			return nil, "", err
		}
		proxy := httputil.NewSingleHostReverseProxy(at)
		proxy.ErrorLog = log.New(io.Discard, "", 0)
		handler = proxy
	default:
		return nil, "", fmt.Errorf("-sqs is embedded or moto, not %q", broker)
	}
	c.queue = c.client(endpoint)
	for _, name := range []string{"requests", "lists", "short"} {
		if err := c.createQueue(ctx, name+"-dead", nil); err != nil {
			return nil, "", err
		}
		if err := c.createQueue(ctx, name, map[string]string{
			"VisibilityTimeout": strconv.Itoa(visibility),
			"RedrivePolicy":     fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`, c.arns[name+"-dead"], maxReceives),
		}); err != nil {
			return nil, "", err
		}
	}
	sqsURL, err = serve(ctx, &faults.Handler{Next: handler, Faults: c.faults["SQS"], Refuse: faults.RefuseAsSQS})
	return envelope, sqsURL, err
}

func (c *chaos) createQueue(ctx context.Context, name string, attributes map[string]string) error {
	out, err := c.queue.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		return err
	}
	c.urls[name] = *out.QueueUrl
	a, err := c.attributes(ctx, name)
	c.arns[name] = a["QueueArn"]
	return err
}

func (c *chaos) attributes(ctx context.Context, name string) (map[string]string, error) {
	out, err := c.queue.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: aws.String(c.urls[name]), AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if err != nil {
		return nil, err
	}
	return out.Attributes, nil
}

// envelope is what SNS makes of a message on its way to SQS.
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
func envelope(message string) string {
	return text(map[string]string{
		"Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
		"TopicArn": "arn:aws:sns:" + region + ":000000000000:photos", "Subject": "Amazon S3 Notification",
		"Message": message, "Timestamp": "2026-11-23T08:00:00.000Z", "SignatureVersion": "1", "Signature": "EXAMPLE",
		"SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService.pem",
		"UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
	})
}

// send sends everything, ten at a time.
func (c *chaos) send(ctx context.Context, queue string, all []delivered) error {
	for len(all) > 0 {
		n := min(10, len(all))
		in := &sqs.SendMessageBatchInput{QueueUrl: aws.String(c.urls[queue])}
		for i, d := range all[:n] {
			in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(d.body)})
		}
		out, err := c.queue.SendMessageBatch(ctx, in)
		if err != nil {
			return fmt.Errorf("send to %s: %w", queue, err)
		}
		if len(out.Failed) > 0 {
			return fmt.Errorf("send to %s: %d messages failed", queue, len(out.Failed))
		}
		all = all[n:]
	}
	return nil
}

// invokeAll calls a function as S3 and EventBridge do: asynchronously, twice more when it fails, then the event is a
// dead letter.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
func (c *chaos) invokeAll(ctx context.Context, f sqssource.Function, all []delivered) error {
	var wg sync.WaitGroup
	free := make(chan struct{}, 2)
	failures := make([]error, len(all))
	for i, d := range all {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			for try := range asyncTries {
				_, err := f.Invoke(ctx, []byte(d.body))
				c.delivered([]string{""}, nil, err)
				if err == nil || ctx.Err() != nil {
					failures[i] = ctx.Err()
					return
				}
				time.Sleep(time.Duration(try) * 500 * time.Millisecond) // Lambda waits a minute, then two
			}
			failures[i] = c.send(ctx, "lists-dead", all[i:i+1])
		})
	}
	wg.Wait()
	return errors.Join(failures...)
}

func (c *chaos) delivered(sent, failed []string, err error) {
	c.invocations.Add(1)
	if err != nil {
		c.failed.Add(1)
	}
	if e := new(runtimeapi.FunctionError); errors.As(err, &e) && e.Type == "Sandbox.Timedout" {
		c.timedOut.Add(1)
	}
	c.again.Add(int64(len(failed)))
}

// drain waits until no queue has a message.
func (c *chaos) drain(ctx context.Context) error {
	for quiet := 0; quiet < 2; { // twice: what is handed on is in no queue for a moment
		left := 0
		for _, name := range []string{"requests", "lists", "short"} {
			a, err := c.attributes(ctx, name)
			if err != nil {
				return fmt.Errorf("waiting for the queues to be empty: %w", err)
			}
			for _, attribute := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"} {
				n, _ := strconv.Atoi(a[attribute])
				left += n
			}
		}
		quiet++
		if left > 0 {
			quiet = 0
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d messages are still in the queues: %w", left, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
	return nil
}

// deadLetters are the names of the inputs in the dead-letter queues.
func (c *chaos) deadLetters(ctx context.Context, w *workload) (names map[string]bool, letters, handedOn int, err error) {
	inputs := map[string][]*input{}
	for _, all := range [][]delivered{w.requests, w.lists, w.events, w.short} {
		for _, d := range all {
			inputs[d.body] = d.inputs
		}
	}
	names = map[string]bool{}
	for _, queue := range []string{"requests-dead", "lists-dead", "short-dead"} {
		for {
			out, err := c.queue.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: aws.String(c.urls[queue]), MaxNumberOfMessages: 10, VisibilityTimeout: 600})
			if err != nil {
				return nil, 0, 0, err
			}
			if len(out.Messages) == 0 {
				break
			}
			for _, m := range out.Messages {
				letters++
				found, known := inputs[*m.Body]
				for _, in := range found {
					names[in.name] = true
				}
				var e struct {
					Job string `json:"presign_job"`
				}
				if !known && json.Unmarshal([]byte(*m.Body), &e) == nil && e.Job != "" {
					handedOn++
					names[e.Job] = true
				} else if !known {
					return nil, 0, 0, errors.New("a dead letter is none of the messages that were sent")
				}
			}
		}
	}
	return names, letters, handedOn, nil
}

// conclude looks at everything that is left, prints the figures, and says what is wrong.
func (c *chaos) conclude(ctx context.Context, w *workload, took time.Duration) error {
	dead, letters, handedOnDead, err := c.deadLetters(ctx, w)
	if err != nil {
		return err
	}
	r, err := c.check(ctx, w, dead)
	if err != nil {
		return err
	}
	uploads, err := c.plain.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: aws.String(results)})
	if err != nil {
		return err
	}
	counts := map[string]map[faults.Kind]int{}
	for name, source := range c.faults {
		counts[name] = source.Counts()
	}
	for kind, n := range counts["S3, slow"] {
		counts["S3"][kind] += n
	}
	notAborted, checkpoints := c.book.Count("an upload was not aborted"), c.book.Count(`"handedOn":true`)
	killed := counts["queue"][faults.Killed] + counts["manifest"][faults.Killed]

	fmt.Printf(`
sent        %d messages (%d twice by their sender, %d that ask for nothing), %d events
inputs      %d: %s
faults      S3: %s
            SQS: %s
            functions: %d processes killed, %d out of time; %d messages given to two consumers at once
invocations %d, of which %d failed; %d messages were asked for again; %d jobs handed on near their deadline
results     %d complete with %d lines, %d with an error, %d URLs used, %d keys about which S3 did not answer; %d summaries of what another delivery wrote over
dead        %d letters for %d inputs without a result, %d inputs with one
S3          %d uploads begun, %d completed, %d aborted, %d left to the lifecycle rule
`,
		len(w.requests)+len(w.lists)+len(w.short), w.twice, w.passed, len(w.events),
		len(w.inputs), counted(r.kinds), counted(counts["S3"]), counted(counts["SQS"]), killed, c.timedOut.Load(), c.twice.Load(),
		c.invocations.Load(), c.failed.Load(), c.again.Load(), checkpoints,
		r.complete, r.lines, r.failed, r.used, r.unknown, r.stale, letters, r.dead, r.both,
		c.watch.begun.Load(), c.watch.completed.Load(), c.watch.aborted.Load(), len(uploads.Uploads))

	problems := r.problems
	add := func(n int, format string, args ...any) {
		if n > 0 {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	// An upload that is left must have a reason: its function was ended, its id was lost on the way, or a dropped
	// connection hid that it was there.
	excused := counts["manifest"][faults.Killed] + int(c.timedOut.Load()) + int(c.watch.lostIDs.Load()) + notAborted + handedOnDead
	add(len(uploads.Uploads)-excused, "%d uploads are left over, and only %d have a reason", len(uploads.Uploads), excused)
	half := c.watch.problems()
	add(len(half), "%d times something incomplete was visible, such as: %s", len(half), strings.Join(half[:min(3, len(half))], "; "))
	secrets := c.book.Problems()
	add(len(secrets), "%d lines of the log are not as they must be, such as: %s", len(secrets), strings.Join(secrets[:min(3, len(secrets))], "; "))
	if len(w.short) > 0 && checkpoints == 0 {
		problems = append(problems, errors.New("no job was handed on, though time was short for some"))
	}
	lost, doubled := r.lost, r.doubled
	fmt.Printf("\nchaos: %d inputs, %d faults and %d kills: %d results, %d dead letters, %d lost, %d doubled, %d half, in %.0f s\n",
		len(w.inputs), total(counts["S3"], counts["SQS"]), killed, r.complete+r.failed, r.dead, lost, doubled, len(half), took.Seconds())
	return errors.Join(problems...)
}

// watch is S3 with an eye on the results: nothing incomplete may ever be visible.
type watch struct {
	s3 *s3server.Server

	begun, completed, aborted atomic.Int64 // uploads
	lostIDs                   atomic.Int64 // uploads whose id did not reach the function

	mu  sync.Mutex
	bad []string
}

func (w *watch) problems() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bad
}

func (w *watch) happened(kind faults.Kind, r *http.Request) {
	if (kind == faults.Lost || kind == faults.CutResponse) && r.Method == http.MethodPost && r.URL.Query().Has("uploads") {
		w.lostIDs.Add(1)
	}
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (s *statusWriter) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

func (w *watch) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	answer := &statusWriter{rw, http.StatusOK}
	w.s3.ServeHTTP(answer, r)
	key, ours := strings.CutPrefix(r.URL.Path, "/"+results+"/")
	if !ours || answer.status/100 != 2 {
		return
	}
	q := r.URL.Query()
	switch {
	case r.Method == http.MethodPost && q.Has("uploads"):
		w.begun.Add(1)
	case r.Method == http.MethodPost && q.Has("uploadId"):
		w.completed.Add(1)
		w.look(key)
	case r.Method == http.MethodDelete && q.Has("uploadId"):
		w.aborted.Add(1)
	case r.Method == http.MethodPut && !q.Has("uploadId"):
		w.look(key)
	}
}

// look reads what was just written, as a client would that saw it at once.
func (w *watch) look(key string) {
	problem := func(format string, args ...any) {
		w.mu.Lock()
		w.bad = append(w.bad, key+": "+fmt.Sprintf(format, args...))
		w.mu.Unlock()
	}
	if strings.HasPrefix(key, checkpoints) {
		return // it is another by now
	}
	object, err := w.s3.Get(results, key)
	switch {
	case err != nil:
		problem("%v", err)
	case strings.HasSuffix(key, "/"+summaryName):
		var s summary
		if err := json.Unmarshal(object, &s); err != nil {
			problem("not JSON")
		} else if s.Result != nil {
			if _, err := w.s3.Get(results, s.Result.Key); err != nil {
				problem("before its result: %v", err)
			}
		}
	default:
		if err := eachLine(bytes.NewReader(object), func([]byte) error { return nil }); err != nil {
			problem("%v", err)
		}
	}
}

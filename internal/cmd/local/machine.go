package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"bulkpresign/internal/standin/callerauth"
	"bulkpresign/internal/standin/httpapi"
	"bulkpresign/internal/standin/lambdaapi"
	"bulkpresign/internal/standin/runtimeapi"
	"bulkpresign/internal/standin/s3server"
	"bulkpresign/internal/standin/sqsserver"
	"bulkpresign/internal/standin/sqssource"
	"bulkpresign/page"
)

// Names as a stack would have them.
const (
	region  = "eu-west-1"
	bucket  = "photos" // what is signed for
	lists   = "lists"  // where lists are dropped
	drop    = "manifests/"
	results = "results" // where results go, under results/

	apiName  = "bulkpresign-api"
	jobsName = "bulkpresign-jobs" // of the queue and of lists

	// The functions get their credentials once, as in Lambda, where they live for about this long.
	sessionLength = 12 * time.Hour
)

// visitor has the credentials for people: whoever reads this may look at the stand-in S3 with tools of their own.
var visitor = s3server.Credentials{AccessKeyID: "localuser", SecretAccessKey: "localsecret"}

// A setup says what to run.
type setup struct {
	api  string // the api function's binary
	jobs string // the jobs function's binary, "" for none
	addr string // of the front

	operations string // PRESIGN_OPERATIONS
	iam        bool   // calls must be signed
	policy     string // a file with a policy document, or ""
	origins    string // of pages that may call, comma-separated, or ""

	log io.Writer // what the functions write
}

// A machine is the whole system in one process and its children: S3, SQS, the functions, and in front of them an HTTP
// API and Lambda's own.
type machine struct {
	s3       *s3server.Server
	queues   *sqsserver.Server
	function *runtimeapi.Function // the api function
	front    *http.Server
	url      string // of the front
	queueURL string
	results  chan s3server.Created // summaries of jobs; who does not read them in time misses them

	log   io.Writer
	stops []func() // called the other way round
}

// startMachine starts everything.
func startMachine(s setup) (m *machine, err error) {
	for _, binary := range s.binaries() {
		if _, err := os.Stat(binary); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is not there; `make build` builds it", binary)
		}
	}
	m = &machine{log: s.log, results: make(chan s3server.Created, 100)}
	defer func(started *machine) {
		if err != nil {
			started.close()
		}
	}(m)
	l, err := net.Listen("tcp", s.addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is taken, perhaps by another `make local`: end that, or `make local PORT=3001`", s.addr)
	}
	if err != nil {
		return nil, err
	}
	m.stops = append(m.stops, func() { l.Close() })
	m.url = "http://" + l.Addr().String()

	role := s3server.Credentials{
		AccessKeyID:     "ASIA" + rand.Text()[:16],
		SecretAccessKey: rand.Text() + rand.Text()[:14],
		SessionToken:    rand.Text() + rand.Text(),
		Expires:         time.Now().Add(sessionLength),
	}
	var jobs lambdaapi.Function
	ready := make(chan struct{})
	m.s3, err = s3server.Start(s3server.Config{
		Region:      region,
		Buckets:     []string{bucket, lists, results},
		Credentials: []s3server.Credentials{role, visitor},
		Created: func(c s3server.Created) {
			<-ready
			m.created(jobs, c)
		},
	})
	if err != nil {
		return nil, err
	}
	m.stops = append(m.stops, m.s3.Close)
	env, err := s.environment(role, m.s3.Endpoint())
	if err != nil {
		return nil, err
	}
	functions := map[string]lambdaapi.Function{}
	if s.jobs != "" {
		if env, err = m.startJobs(s, env, functions); err != nil {
			return nil, err
		}
		jobs = functions[jobsName]
	}
	close(ready)
	if m.function, err = m.start(s.api, apiName, 29*time.Second, env); err != nil { // seconds as in template.yaml
		return nil, err
	}
	functions[apiName] = m.function

	mux := http.NewServeMux()
	mux.Handle(lambdaapi.Prefix, s.signed("lambda", &lambdaapi.Handler{Functions: functions, Settings: map[string]map[string]string{apiName: settingsOf(env), jobsName: settingsOf(env)}, Failed: m.asyncFailed}))
	page.Register(mux, page.Settings{
		Service: "presign", Bucket: bucket, Operations: strings.Split(s.operations, ","), Storage: []string{m.s3.Endpoint()},
	})
	mux.Handle("/", s.signed("execute-api", &httpapi.Handler{Function: m.function, Routes: []string{"POST /presign"}, CORS: cors(s.origins)}))
	m.front = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	m.stops = append(m.stops, func() { m.front.Close() })
	go m.front.Serve(l)
	return m, nil
}

func (s *setup) binaries() []string {
	if s.jobs == "" {
		return []string{s.api}
	}
	return []string{s.api, s.jobs}
}

// signed lets calls of a service through that the visitor has signed, where that is asked for: as API Gateway with IAM, and Lambda.
func (s *setup) signed(service string, next http.Handler) http.Handler {
	if !s.iam {
		return next
	}
	return &callerauth.Gate{
		Service: service, Region: region, Next: next,
		Callers: []aws.Credentials{{AccessKeyID: visitor.AccessKeyID, SecretAccessKey: visitor.SecretAccessKey}},
		Refuse: func(w http.ResponseWriter, why error) {
			w.Header().Set("Content-Type", "application/json")
			if service == "lambda" {
				w.Header().Set("X-Amzn-Errortype", "InvalidSignatureException")
			}
			w.WriteHeader(http.StatusForbidden)
			// API Gateway says no more than Forbidden; on one's own machine one may know why.
			json.NewEncoder(w).Encode(map[string]string{"message": "Forbidden: " + why.Error()})
		},
	}
}

// cors is what the template's API has with the parameter AllowedOrigins.
func cors(origins string) *httpapi.CORS {
	if origins == "" {
		return nil
	}
	return &httpapi.CORS{
		Origins: strings.Split(origins, ","),
		Methods: []string{"POST"},
		Headers: []string{"accept", "authorization", "content-encoding", "content-type", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"},
		Expose:  []string{"retry-after"},
		MaxAge:  "3600",
	}
}

// environment is the functions' own, as the template sets it.
func (s *setup) environment(role s3server.Credentials, endpoint string) ([]string, error) {
	env := []string{
		"AWS_ACCESS_KEY_ID=" + role.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + role.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + role.SessionToken,
		"PRESIGN_BUCKETS=" + bucket,
		"PRESIGN_OPERATIONS=" + s.operations,
		"PRESIGN_LIST_KEYS=true",
		"PRESIGN_ENDPOINT_URL=" + endpoint,
		"PRESIGN_ADDRESSING=path",
		// The developer's own AWS configuration is nobody's business here.
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
	}
	if s.policy != "" {
		document, err := os.ReadFile(s.policy)
		if err != nil {
			return nil, fmt.Errorf("the policy: %w", err)
		}
		env = append(env, "PRESIGN_POLICY="+string(document))
	}
	return env, nil
}

// settingsOf are those of an environment that a deployment would have: without credentials and what leads to stand-ins.
func settingsOf(env []string) map[string]string {
	settings := make(map[string]string)
	for _, variable := range env {
		if name, value, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "PRESIGN_") {
			settings[name] = value
		}
	}
	return settings
}

func (m *machine) start(binary, name string, timeout time.Duration, env []string) (*runtimeapi.Function, error) {
	f, err := runtimeapi.Start(context.Background(), runtimeapi.Config{
		Binary: binary, Name: name, Log: m.log, Timeout: timeout, Instances: 2, Region: region, MemoryMB: 1769, Env: env,
	})
	if err != nil {
		return nil, err
	}
	m.stops = append(m.stops, f.Close)
	return f, nil
}

// startJobs starts the queue and what it calls, and gives the environment that all functions have with it.
func (m *machine) startJobs(s setup, env []string, functions map[string]lambdaapi.Function) ([]string, error) {
	var err error
	if m.queues, err = sqsserver.Start(sqsserver.Config{Region: region}); err != nil {
		return nil, err
	}
	m.stops = append(m.stops, m.queues.Close)
	client := sqs.New(sqs.Options{BaseEndpoint: aws.String(m.queues.Endpoint()), Region: region,
		Credentials: credentials.NewStaticCredentialsProvider(visitor.AccessKeyID, visitor.SecretAccessKey, "")})
	const visibility = "90" // seconds: six times as long as a job here takes at most
	made, err := client.CreateQueue(context.Background(), &sqs.CreateQueueInput{QueueName: aws.String("jobs"), Attributes: map[string]string{"VisibilityTimeout": visibility}})
	if err != nil {
		return nil, err
	}
	m.queueURL = *made.QueueUrl
	env = append(env,
		"AWS_ENDPOINT_URL_S3="+m.s3.Endpoint(),
		"AWS_ENDPOINT_URL_SQS="+m.queues.Endpoint(),
		"PRESIGN_RESULTS_BUCKET="+results,
		"PRESIGN_MANIFEST_BUCKET="+lists,
		"PRESIGN_MANIFEST_PREFIX="+drop,
		"PRESIGN_QUEUE_URL="+m.queueURL,
	)
	if functions[jobsName], err = m.start(s.jobs, jobsName, 15*time.Minute, env); err != nil {
		return nil, err
	}
	source := &sqssource.Source{
		Queue: client, URL: m.queueURL, ARN: "arn:aws:sqs:" + region + ":" + sqsserver.Account + ":jobs",
		Function: functions[jobsName], ReportBatchItemFailures: true,
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := source.Run(ctx); err != nil {
			fmt.Fprintln(m.log, err)
		}
	}()
	m.stops = append(m.stops, func() { cancel(); <-done })
	return env, nil
}

// created does what S3 is set up to do with a new object: a list goes to the jobs function, in the background.
func (m *machine) created(jobs lambdaapi.Function, c s3server.Created) {
	switch {
	case c.Bucket == results && strings.HasSuffix(c.Key, "/summary.json"):
		select {
		case m.results <- c:
		default:
		}
	case c.Bucket == lists && strings.HasPrefix(c.Key, drop) && jobs != nil:
		go func() {
			if _, err := jobs.Invoke(context.Background(), notification(c)); err != nil {
				m.asyncFailed(jobsName, err)
			}
		}()
	}
}

// notification is what S3 tells of a new object.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
func notification(c s3server.Created) []byte {
	record := map[string]any{
		"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": region, "eventName": "ObjectCreated:Put",
		"eventTime": time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		"s3": map[string]any{
			"s3SchemaVersion": "1.0", "configurationId": "lists",
			"bucket": map[string]any{"name": c.Bucket, "arn": "arn:aws:s3:::" + c.Bucket},
			"object": map[string]any{"key": url.QueryEscape(c.Key), "size": c.Size, "eTag": c.ETag, "sequencer": fmt.Sprintf("%016X", time.Now().UnixNano())},
		},
	}
	event, err := json.Marshal(map[string]any{"Records": []any{record}})
	if err != nil {
		panic(err) // maps of strings and numbers
	}
	return event
}

func (m *machine) asyncFailed(name string, err error) { fmt.Fprintf(m.log, "%s: %v\n", name, err) }

// client is the SDK's client for the stand-in S3, for what is put there as people do.
func (m *machine) client() *s3.Client {
	return s3.New(s3.Options{
		Region: region, BaseEndpoint: aws.String(m.s3.Endpoint()), UsePathStyle: true,
		Credentials:                credentials.NewStaticCredentialsProvider(visitor.AccessKeyID, visitor.SecretAccessKey, ""),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
	})
}

// close ends everything and returns when it is gone.
func (m *machine) close() {
	for len(m.stops) > 0 {
		last := len(m.stops) - 1
		m.stops[last]()
		m.stops = m.stops[:last]
	}
}

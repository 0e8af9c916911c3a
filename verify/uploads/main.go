// Uploads has other people's clients upload whole files by what the built function signs: single PUTs and forms, and
// uploads in parts that are paused, resumed and damaged. All of it has to come back equal.
//
// Run it by `make uploads`. The server is Versity's gateway, which verifies and has CORS rules of a bucket.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"bulkpresign/internal/standin/runtimeapi"
	"bulkpresign/verify/gateway"
)

const (
	bucket = "uploads"
	region = "eu-west-1"
)

// A bench is everything that runs, and what is measured with.
type bench struct {
	scratch  string
	storage  *s3.Client
	function *runtimeapi.Function
	front    *front

	python, chromium string
	failed           int
}

func main() {
	function := flag.String("function", "bin/api/bootstrap", "the built `binary`")
	server := flag.String("server", ".cache/bin/versitygw", "Versity's gateway, as verify/servers builds it")
	python := flag.String("python", "python3", "a Python with requests")
	chromium := flag.String("chromium", "chromium", "a Chromium")
	uppy := flag.String("uppy", ".cache/uppy/node_modules/uppy/dist/uppy.min.js", "Uppy's bundle")
	small := flag.Int("small", 500, "small `files` for each of four clients, by PUT and by POST")
	large := flag.Int("large", 20, "large `files`")
	size := flag.Int64("size", 200_000_000, "`bytes` of a large file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	b := &bench{python: *python, chromium: *chromium}
	if err := b.run(ctx, *function, *server, *uppy, *small, *large, *size); err != nil {
		fmt.Fprintln(os.Stderr, "uploads:", err)
		os.Exit(1)
	}
}

func (b *bench) run(ctx context.Context, function, server, uppy string, small, large int, size int64) error {
	var err error
	if b.scratch, err = os.MkdirTemp("", "uploads"); err != nil {
		return err
	}
	defer os.RemoveAll(b.scratch)
	root := aws.Credentials{AccessKeyID: "AKIA" + rand.Text()[:16], SecretAccessKey: rand.Text()}
	session := aws.Credentials{AccessKeyID: "ASIA" + rand.Text()[:16], SecretAccessKey: rand.Text(), SessionToken: rand.Text() + "/+" + rand.Text() + "=="}
	endpoint, stop, err := gateway.Start(ctx, server, b.scratch, region, root, session)
	if err != nil {
		return err
	}
	defer stop()
	if b.front, err = startFront(uppy, filepath.Join(b.scratch, "files")); err != nil {
		return err
	}
	defer b.front.server.Close()
	if err := b.prepare(ctx, endpoint, root); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(b.scratch, "function.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	b.function, err = runtimeapi.Start(ctx, runtimeapi.Config{Binary: function, Log: log, Region: region, Timeout: 29 * time.Second, Env: []string{
		"AWS_ACCESS_KEY_ID=" + session.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + session.SecretAccessKey, "AWS_SESSION_TOKEN=" + session.SessionToken,
		"PRESIGN_BUCKETS=" + bucket, "PRESIGN_ENDPOINT_URL=" + endpoint, "PRESIGN_ADDRESSING=path",
		"PRESIGN_OPERATIONS=GetObject,PutObject,DeleteObject,UploadPart,PostObject,MultipartUpload,CreateMultipartUpload,CompleteMultipartUpload,AbortMultipartUpload,ListParts",
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
	}})
	if err != nil {
		return err
	}
	defer b.function.Close()
	b.front.sign = b.invoke

	for _, step := range []func() error{
		func() error { return b.smallFiles(ctx, small) },
		func() error { return b.fromAPage(ctx) },
		func() error { return b.uppy(ctx) },
		func() error { return b.largeFiles(ctx, large, size) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	if b.failed > 0 {
		return fmt.Errorf("%d of these are not as they should be", b.failed)
	}
	return nil
}

// report prints what became of a step.
func (b *bench) report(what string, began time.Time, problem string) {
	if problem != "" {
		b.failed++
		fmt.Printf("FAIL %s: %s\n", what, problem)
		return
	}
	fmt.Printf("ok   %s, in %.1f s\n", what, time.Since(began).Seconds())
}

// prepare makes the bucket, and lets the front's page use it.
func (b *bench) prepare(ctx context.Context, endpoint string, root aws.Credentials) error {
	b.storage = s3.New(s3.Options{
		Region: region, BaseEndpoint: aws.String(endpoint), UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return root, nil }),
	})
	if _, err := b.storage.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket),
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: region}}); err != nil {
		return errors.New("the bucket could not be made")
	}
	_, err := b.storage.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: aws.String(bucket), CORSConfiguration: &types.CORSConfiguration{
		CORSRules: []types.CORSRule{{
			AllowedOrigins: []string{b.front.url}, AllowedMethods: []string{"GET", "PUT", "POST", "DELETE", "HEAD"},
			AllowedHeaders: []string{"*"}, ExposeHeaders: []string{"ETag"},
		}},
	}})
	if err != nil {
		return errors.New("the bucket takes no CORS rules")
	}
	return nil
}

// invoke asks the function. A refusal is an error.
func (b *bench) invoke(ctx context.Context, request []byte) ([]byte, error) {
	return b.function.Invoke(ctx, request)
}

// ask asks the function and reads its answer.
func (b *bench) ask(ctx context.Context, request map[string]any) (*answer, error) {
	text, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	got, err := b.invoke(ctx, text)
	if err != nil {
		return nil, err
	}
	a := new(answer)
	if err := json.Unmarshal(got, a); err != nil {
		return nil, errors.New("the function's answer is not what was promised")
	}
	for key, e := range a.Errors {
		return nil, fmt.Errorf("the function does not sign %q: %s: %s", key, e.Code, e.Message)
	}
	return a, nil
}

type answer struct {
	URLs        map[string]string            `json:"urls"`
	Headers     map[string]string            `json:"headers"`
	ItemHeaders map[string]map[string]string `json:"item_headers"`
	Posts       map[string]struct {
		URL    string
		Fields fields
	}
	Uploads map[string]map[string]any
	Errors  map[string]struct{ Code, Message string }
}

// fields keep their order.
type fields [][2]string

func (f *fields) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value string
		if err := d.Decode(&value); err != nil {
			return err
		}
		*f = append(*f, [2]string{name.(string), value})
	}
	return nil
}

// A task is one file to be sent.
type task struct {
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers,omitempty"`
	Fields  fields            `json:"fields,omitempty"`
	File    string            `json:"file"`

	key string
}

// pattern is what pages and large files are made of.
func pattern(size int64, seed string) []byte {
	unit := []byte(seed + ";")
	return bytes.Repeat(unit, int(size)/len(unit)+1)[:size]
}

// same compares an object with what it should be.
func (b *bench) same(ctx context.Context, key string, want []byte) error {
	got, err := b.storage.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	if err != nil {
		return fmt.Errorf("%q is not there", key)
	}
	defer got.Body.Close()
	content, err := io.ReadAll(got.Body)
	if err != nil || !bytes.Equal(content, want) {
		return fmt.Errorf("%q is not equal", key)
	}
	return nil
}

// run runs a client with tasks, and reads what it reports.
func (b *bench) client(ctx context.Context, tasks any, report any, program string, args ...string) error {
	text, err := json.Marshal(tasks)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = bytes.NewReader(text)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w (%d bytes of complaint)", filepath.Base(program), err, stderr.Len()) // they could hold a URL
	}
	return json.Unmarshal(out, report)
}

// wrong names the first status that is not one of those.
func wrong(statuses []any, good ...float64) string {
	for i, s := range statuses {
		if n, ok := s.(float64); !ok || !slices.Contains(good, n) {
			return fmt.Sprintf("upload %d: %v", i, s)
		}
	}
	return ""
}

// A front is what the page is on: its files, and the service behind it.
type front struct {
	server  *http.Server
	url     string
	tasks   any
	reports chan map[string]any
	sign    func(context.Context, []byte) ([]byte, error)
}

func startFront(uppy, files string) (*front, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &front{url: "http://" + l.Addr().String(), reports: make(chan map[string]any, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /page.html", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "verify/uploads/page.html") })
	mux.HandleFunc("GET /uppy.min.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, uppy) })
	mux.Handle("GET /files/", http.StripPrefix("/files/", http.FileServer(http.Dir(files))))
	mux.HandleFunc("GET /tasks", func(w http.ResponseWriter, r *http.Request) { json.NewEncoder(w).Encode(f.tasks) })
	mux.HandleFunc("POST /sign", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err == nil {
			body, err = f.sign(r.Context(), body)
		}
		if err != nil {
			http.Error(w, "refused", http.StatusBadGateway)
			return
		}
		w.Write(body)
	})
	mux.HandleFunc("POST /report", func(w http.ResponseWriter, r *http.Request) {
		var report map[string]any
		if err := json.NewDecoder(r.Body).Decode(&report); err == nil {
			f.reports <- report
		}
	})
	f.server = &http.Server{Handler: mux}
	go f.server.Serve(l)
	return f, nil
}

// page opens the page in a headless Chromium with a profile of its own, and waits for its report.
func (b *bench) page(ctx context.Context, tasks any) (map[string]any, error) {
	b.front.tasks = tasks
	profile, err := os.MkdirTemp(b.scratch, "profile")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	cmd := exec.CommandContext(ctx, b.chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--remote-debugging-port=0", "--user-data-dir="+profile, b.front.url+"/page.html")
	cmd.Env = append(os.Environ(), "HOME="+profile, "TMPDIR="+profile)
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	defer func() { cancel(); <-ended }()
	select {
	case report := <-b.front.reports:
		if e, ok := report["error"]; ok {
			return nil, fmt.Errorf("the page: %v", strings.ReplaceAll(fmt.Sprint(e), "X-Amz-Signature", "[...]"))
		}
		return report, nil
	case <-ended:
		return nil, errors.New("chromium ended before the page reported")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

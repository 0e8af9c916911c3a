// Scale runs the state machine of statemachine/ as it is deployed, by LocalStack's interpreter, with the real jobs function as
// its task: two inventories, one of CSV and one of Parquet, while S3 fails and functions are killed. An execution of each is made
// to fail and is begun again; then the command presign has a list signed. At the end the results must be exactly the input.
//
//	scale [-keys n] [-shards n] [-python file]
//
// It needs Linux: the memory of the functions is the kernel's VmHWM.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"expvar"
	"flag"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"bulkpresign/internal/check/faults"
	"bulkpresign/internal/standin/lambdaapi"
	"bulkpresign/internal/standin/runtimeapi"
	"bulkpresign/internal/standin/s3server"
)

const (
	region    = "eu-west-1"
	function  = "bulkpresign-jobs"
	maxMemory = 128 << 20 // bytes, of a function's process
	instances = 4
)

func main() {
	keys := flag.Int("keys", 10_000_000, "entries of the inventories together")
	shards := flag.Int("shards", 40, "files of the inventories together; half are CSV, half Parquet")
	binary := flag.String("function", "bin/jobs/bootstrap", "the built `binary`")
	presign := flag.String("presign", ".cache/bin/presign", "the built `command`")
	python := flag.String("python", "", "the `interpreter` of an environment with LocalStack")
	seed := flag.Uint64("seed", 1, "of the faults")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	began := time.Now()
	line, err := run(ctx, *keys, *shards, *binary, *python, *presign, *seed)
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
	fmt.Printf("%s, in %.0f s\n", line, time.Since(began).Seconds())
}

// world is all that runs.
type world struct {
	s3          *s3server.Server
	credentials s3server.Credentials
	function    *runtimeapi.Function
	broken      atomic.Bool // one shard of the execution fails for good
	slow        atomic.Bool // shards take their time
	failures    *expvar.Map // steps that failed, by the type of their error
	faults      *faults.Source
	kills       *faults.Source
	peak        atomic.Int64
	machine     *machine
}

func run(ctx context.Context, keys, shards int, binary, python, presign string, seed uint64) (string, error) {
	w := &world{
		credentials: s3server.Credentials{AccessKeyID: "ASIA" + rand.Text()[:16], SecretAccessKey: rand.Text() + rand.Text()[:14],
			SessionToken: rand.Text() + "/+=" + rand.Text(), Expires: time.Now().Add(12 * time.Hour)},
		faults: faults.New(seed, faults.Rates{
			{Kind: faults.InternalError, Share: 0.01}, {Kind: faults.SlowDown, Share: 0.01}, {Kind: faults.CutRequest, Share: 0.01},
			{Kind: faults.CutResponse, Share: 0.01}, {Kind: faults.Lost, Share: 0.01},
		}),
		failures: new(expvar.Map),
		kills:    faults.New(seed, faults.Rates{{Kind: faults.Killed, Share: 0.1}}),
	}
	var err error
	if w.s3, err = s3server.Start(s3server.Config{Region: region, Buckets: []string{"photos", "lists", "results"}, Credentials: []s3server.Credentials{w.credentials}}); err != nil {
		return "", err
	}
	defer w.s3.Close()
	failing := httptest.NewServer(&faults.Handler{Next: w.s3, Faults: w.faults})
	defer failing.Close()
	log, err := os.CreateTemp("", "scale")
	if err != nil {
		return "", err
	}
	defer os.Remove(log.Name())
	defer log.Close()
	w.function, err = runtimeapi.Start(ctx, runtimeapi.Config{
		Binary: binary, Name: function, Region: region, Timeout: 60 * time.Second, Instances: instances, MemoryMB: 1769, Log: log,
		Env: []string{
			"AWS_ACCESS_KEY_ID=" + w.credentials.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + w.credentials.SecretAccessKey,
			"AWS_SESSION_TOKEN=" + w.credentials.SessionToken, "AWS_CONFIG_FILE=" + os.DevNull,
			"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true", "AWS_ENDPOINT_URL_S3=" + failing.URL,
			"PRESIGN_ENDPOINT_URL=" + w.s3.Endpoint(), "PRESIGN_ADDRESSING=path", "PRESIGN_BUCKETS=photos",
			"PRESIGN_RESULTS_BUCKET=results", "PRESIGN_MANIFEST_BUCKET=lists", "PRESIGN_MANIFEST_PREFIX=manifests/",
			"GOMAXPROCS=1",
		},
	})
	if err != nil {
		return "", err
	}
	defer w.function.Close()
	go w.watchMemory(ctx)
	invoke := httptest.NewServer(&lambdaapi.Handler{Functions: map[string]lambdaapi.Function{function: w}})
	defer invoke.Close()
	if w.machine, err = startMachine(ctx, python, invoke.URL, w.s3.Endpoint(), w.credentials); err != nil {
		return "", err
	}
	defer w.machine.stop()

	total, sampled := 0, 0
	for i, format := range []string{"CSV", "Parquet"} {
		v := &inventory{format: format, number: i, files: max(1, shards/2), rows: keys / 2 / max(1, shards/2)}
		if err := v.put(w.s3); err != nil {
			return "", err
		}
		fmt.Printf("%s: %d files of %d entries\n", format, v.files, v.rows)
		n, err := w.sign(ctx, v, 5_000)
		if err != nil {
			return "", fmt.Errorf("%s: %w", format, err)
		}
		total, sampled = total+v.files*v.rows, sampled+n
	}
	if err := w.ask(ctx, presign); err != nil {
		return "", err
	}
	counts := w.faults.Counts()
	failures := 0
	for _, n := range counts {
		failures += n
	}
	peak := w.peak.Load()
	if peak == 0 || peak > maxMemory {
		return "", fmt.Errorf("a function's process had %d MiB at its most, and may have %d", peak>>20, maxMemory>>20)
	}
	if failures == 0 {
		return "", errors.New("nothing failed: this proves little")
	}
	return fmt.Sprintf("scale: %d keys in 2 runs, each once and in order, with %d failures of S3, %d kills and 2 runs begun again; %d URLs verify; %d MiB at most",
		total, failures, w.kills.Counts()[faults.Killed], sampled, peak>>20), nil
}

// Invoke is what the tasks call: the real function, but for a shard that fails and for processes that are killed.
func (w *world) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	var e struct {
		Step  string
		Shard struct{ Number int }
	}
	_ = json.Unmarshal(event, &e)
	if e.Step == "sign" {
		if e.Shard.Number == 1 && w.broken.Load() {
			return nil, failure("Broken", "this shard fails in every try")
		}
	}
	killing := &faults.Function{Next: w.function, Faults: w.kills, Within: 400 * time.Millisecond}
	if e.Step == "sign" && w.slow.Load() { // so that somebody who waits sees it
		select {
		case <-time.After(3 * time.Second):
		case <-ctx.Done():
		}
	}
	answer, err := killing.Invoke(ctx, event)
	var failed *runtimeapi.FunctionError
	if err != nil && !errors.As(err, &failed) { // as Lambda tells of a process that has ended
		failed = failure("Runtime.ExitError", "the process has ended")
		err = failed
	}
	if failed != nil {
		w.failures.Add(e.Step+" "+failed.Type, 1)
	}
	return answer, err
}

// failure is an error of a function, as Lambda hands it on.
func failure(kind, message string) *runtimeapi.FunctionError {
	return &runtimeapi.FunctionError{Type: kind, Message: message, Payload: fmt.Appendf(nil, `{"errorType":%q,"errorMessage":%q}`, kind, message)}
}

// sign runs the machine over an inventory: once so that it fails, and again. It looks at everything that was written, and at
// some of the URLs.
func (w *world) sign(ctx context.Context, v *inventory, samples int) (sampled int, err error) {
	input := map[string]any{"manifest": "s3://lists/" + v.manifest(), "operation": "GetObject", "expires_in": 3600}
	w.broken.Store(true)
	status, _, err := w.machine.execute(ctx, "first"+v.format, "run-"+v.format, input)
	if err != nil {
		return 0, err
	}
	if status != "FAILED" {
		return 0, fmt.Errorf("an execution of which a shard fails ends as %s", status)
	}
	before, err := w.parts(ctx)
	if err != nil {
		return 0, err
	}
	w.broken.Store(false)
	// LocalStack cannot redrive. The same execution of another machine is the same run to the function.
	status, output, err := w.machine.execute(ctx, "second"+v.format, "run-"+v.format, input)
	if err != nil {
		return 0, err
	}
	fmt.Printf("%s: failed steps so far: %s\n", v.format, w.failures)
	if status != "SUCCEEDED" {
		return 0, fmt.Errorf("the execution ends as %s: %s", status, output)
	}
	after, err := w.parts(ctx)
	if err != nil {
		return 0, err
	}
	for key, etag := range before {
		if after[key] != etag {
			return 0, fmt.Errorf("part %s was signed again", key)
		}
	}
	fmt.Printf("%s: %d parts were there when it was begun again, and stay\n", v.format, len(before))
	return w.check(output, v, samples)
}

// watchMemory remembers the most that a process of the function had.
func (w *world) watchMemory(ctx context.Context) {
	for ctx.Err() == nil {
		for _, id := range w.function.Processes() {
			most, _ := runtimeapi.PeakMemory(id) // none of one that was killed
			w.peak.Store(max(w.peak.Load(), most))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// startChild starts a program, with its output in a file, and ends it with stop.
func startChild(cmd *exec.Cmd, log io.Writer) (stop func(), err error) {
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	return func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			cmd.Process.Kill()
			<-ended
		}
	}, nil
}

// definition is the machine's, with what CloudFormation puts into it.
func definition() (string, error) {
	text, err := os.ReadFile(filepath.Join("statemachine", "presign.asl.json"))
	if err != nil {
		return "", err
	}
	return strings.NewReplacer("${Partition}", "aws", "${JobsFunction}", "arn:aws:lambda:"+region+":000000000000:function:"+function).Replace(string(text)), nil
}

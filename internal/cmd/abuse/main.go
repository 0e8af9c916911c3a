// Abuse sends a function the worst that an event of 6 MB can hold and reports what it answers, how long it takes and
// how much memory it needs. Each input meets a process of its own, the real binary under the local runtime API, on one
// core and with its memory limited by the operating system. It exits 0 only if every input got its answer within the
// bounds.
//
//	abuse [-function path] [-memory MB] [-time d] [-run text]
//
// It needs Linux: the limit is RLIMIT_DATA and the figure is the kernel's VmHWM.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"bulkpresign/internal/runtimeapi"
	"bulkpresign/internal/s3server"
)

func main() {
	if len(os.Args) == 5 && os.Args[1] == "exec" {
		fmt.Fprintln(os.Stderr, "abuse:", limited(os.Args[2], os.Args[3], os.Args[4]))
		os.Exit(1)
	}
	function := flag.String("function", "bin/api/bootstrap", "the function's binary")
	memory := flag.Int("memory", 512, "what the process may have, in MB")
	most := flag.Duration("time", 4*time.Second, "what an answer may take")
	only := flag.String("run", "", "only the inputs whose names hold this text")
	flag.Parse()
	broken, err := report(os.Stdout, *function, *memory, *most, *only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "abuse:", err)
		os.Exit(1)
	}
	if broken > 0 {
		fmt.Printf("\n%d inputs went out of bounds\n", broken)
		os.Exit(1)
	}
}

// limited becomes the function's process, after it has noted its number and lowered its own limit.
func limited(memory, pidFile, function string) error {
	megabytes, err := strconv.ParseUint(memory, 10, 32)
	if err != nil {
		return err
	}
	limit := syscall.Rlimit{Cur: megabytes << 20, Max: megabytes << 20}
	if err := syscall.Setrlimit(syscall.RLIMIT_DATA, &limit); err != nil {
		return err
	}
	if err := os.WriteFile(pidFile, []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		return err
	}
	return syscall.Exec(function, []string{function}, os.Environ())
}

// report prints the table and counts the inputs that broke a bound.
func report(w io.Writer, function string, memory int, most time.Duration, only string) (broken int, err error) {
	function, err = filepath.Abs(function)
	if err != nil {
		return 0, err
	}
	credentials := s3server.Credentials{AccessKeyID: "ASIAABUSE", SecretAccessKey: "abuse", SessionToken: strings.Repeat("t", 1000)}
	s3, err := s3server.Start(s3server.Config{Region: "eu-west-1", Buckets: []string{"answers"}, Credentials: []s3server.Credentials{credentials}})
	if err != nil {
		return 0, err
	}
	defer s3.Close()
	environment := []string{
		"GOMAXPROCS=1", // 1,769 MB is one core
		"AWS_ACCESS_KEY_ID=" + credentials.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + credentials.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + credentials.SessionToken,
		"AWS_ENDPOINT_URL_S3=" + s3.Endpoint(),
		"PRESIGN_BUCKETS=photos",
		"PRESIGN_OPERATIONS=GetObject,PutObject,UploadPart",
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
	}
	fmt.Fprintf(w, "Bounds: %d MB, %v.\n\n| input | event | answer | ms | peak MB |\n|---|--:|---|--:|--:|\n", memory, most)
	for _, in := range inputs {
		if !strings.Contains(in.name, only) {
			continue
		}
		o, err := try(function, memory, environment, in)
		if err != nil {
			return broken, fmt.Errorf("%s: %w", in.name, err)
		}
		note := ""
		if o.answer != in.answer {
			note = ", not " + in.answer
		}
		if o.took > most {
			note += ", too slow"
		}
		if note != "" {
			broken++
		}
		fmt.Fprintf(w, "| %s | %d | %s%s | %d | %d |\n", in.name, o.event, o.answer, note, o.took.Milliseconds(), o.peak>>20)
	}
	return broken, nil
}

type outcome struct {
	event  int // bytes
	answer string
	took   time.Duration
	peak   int64 // resident bytes, at most
}

// try hands one input to a process of its own.
func try(function string, memory int, environment []string, in input) (outcome, error) {
	self, err := os.Executable()
	if err != nil {
		return outcome{}, err
	}
	dir, err := os.MkdirTemp("", "abuse")
	if err != nil {
		return outcome{}, err
	}
	defer os.RemoveAll(dir)
	pidFile := filepath.Join(dir, "pid")
	fn, err := runtimeapi.Start(context.Background(), runtimeapi.Config{
		Binary:   self,
		Args:     []string{"exec", strconv.Itoa(memory), pidFile, function},
		Timeout:  29 * time.Second, // as in template.yaml
		Region:   "eu-west-1",
		MemoryMB: memory,
		Env:      append(environment, in.env...),
	})
	if err != nil {
		return outcome{}, err
	}
	defer fn.Close()
	event := in.event()
	o := outcome{event: len(event)}
	began := time.Now()
	payload, err := fn.Invoke(context.Background(), event)
	o.took = time.Since(began)
	if o.answer, err = answerOf(payload, err); err != nil {
		return outcome{}, err
	}
	if strings.HasPrefix(o.answer, "Runtime.") || strings.HasPrefix(o.answer, "Sandbox.") {
		return o, nil // it is gone, and its figures with it
	}
	o.peak, err = peak(pidFile)
	return o, err
}

// answerOf is the code of an answer.
func answerOf(payload []byte, err error) (string, error) {
	var failed *runtimeapi.FunctionError
	if errors.As(err, &failed) {
		return failed.Type, nil
	}
	if err != nil {
		return "", err
	}
	var http struct {
		StatusCode int
		Body       string
	}
	if json.Unmarshal(payload, &http) != nil || http.StatusCode == 0 || http.StatusCode == 200 {
		return signed, nil
	}
	var problem struct{ Code string }
	err = json.Unmarshal([]byte(http.Body), &problem)
	return problem.Code, err
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peak is the most memory that the process has had in use, in bytes.
func peak(pidFile string) (int64, error) {
	pid, err := os.ReadFile(pidFile)
	if err != nil {
		return 0, err
	}
	status, err := os.ReadFile("/proc/" + string(pid) + "/status")
	if err != nil {
		return 0, err
	}
	found := highWater.FindSubmatch(status)
	if found == nil {
		return 0, errors.New("no VmHWM in /proc")
	}
	kB, err := strconv.ParseInt(string(found[1]), 10, 64)
	return kB << 10, err
}

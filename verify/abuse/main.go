// Abuse sends the functions the worst that an event of 6 MB or a list can hold and reports what they answer, how long
// they take and how much memory they need. Each input meets a process of its own, the real binary under the local runtime API, on one
// core and with its memory limited by the operating system. It exits 0 only if every input got its answer within the
// bounds.
//
//	abuse [-functions folder] [-memory MB] [-time d] [-run text]
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
	"strconv"
	"strings"
	"syscall"
	"time"

	"bulkpresign/internal/standin/runtimeapi"
	"bulkpresign/internal/standin/s3server"
)

func main() {
	if len(os.Args) == 5 && os.Args[1] == "exec" {
		fmt.Fprintln(os.Stderr, "abuse:", limited(os.Args[2], os.Args[3], os.Args[4]))
		os.Exit(1)
	}
	functions := flag.String("functions", "bin", "the folder of the functions' binaries")
	memory := flag.Int("memory", 512, "what the process may have, in MB")
	most := flag.Duration("time", 4*time.Second, "what an answer may take; ten times that for a list")
	only := flag.String("run", "", "only the inputs whose names hold this text")
	flag.Parse()
	broken, err := report(os.Stdout, *functions, *memory, *most, *only)
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
func report(w io.Writer, functions string, memory int, most time.Duration, only string) (broken int, err error) {
	functions, err = filepath.Abs(functions)
	if err != nil {
		return 0, err
	}
	credentials := s3server.Credentials{AccessKeyID: "ASIAABUSE", SecretAccessKey: "abuse", SessionToken: strings.Repeat("t", 1000)}
	s3, err := s3server.Start(s3server.Config{Region: "eu-west-1", Buckets: []string{"answers", "lists"}, Credentials: []s3server.Credentials{credentials}})
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
		"PRESIGN_MANIFEST_BUCKET=lists",
		"PRESIGN_OPERATIONS=GetObject,PutObject,UploadPart",
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
	}
	fmt.Fprintf(w, "Bounds: %d MB, %v, for lists %v.\n\n| input | bytes | answer | ms | peak MB |\n|---|--:|---|--:|--:|\n", memory, most, 10*most)
	for _, in := range append(inputs, lists...) {
		if !strings.Contains(in.name, only) {
			continue
		}
		o, err := try(functions, memory, environment, s3, in)
		if err != nil {
			return broken, fmt.Errorf("%s: %w", in.name, err)
		}
		note := ""
		if o.answer != in.answer {
			note = ", not " + in.answer
		}
		bound := most
		if in.lists != nil {
			bound *= 10
		}
		if o.took > bound {
			note += ", too slow"
		}
		if note != "" {
			broken++
		}
		fmt.Fprintf(w, "| %s | %d | %s%s | %d | %d |\n", in.name, o.bytes, o.answer, note, o.took.Milliseconds(), o.peak>>20)
	}
	return broken, nil
}

type outcome struct {
	bytes  int // of the event or the lists
	answer string
	took   time.Duration
	peak   int64 // resident bytes, at most
}

// try hands one input to a process of its own.
func try(functions string, memory int, environment []string, s3 *s3server.Server, in input) (outcome, error) {
	var event []byte
	var o outcome
	function := filepath.Join(functions, "api", "bootstrap")
	if in.lists == nil {
		event = in.event()
		o.bytes = len(event)
	} else {
		function = filepath.Join(functions, "jobs", "bootstrap")
		environment = append(environment, results...)
		for _, l := range in.lists() {
			if err := s3.Put("lists", l.key, l.body); err != nil {
				return outcome{}, err
			}
			event = fmt.Appendf(nil, `{"manifest":"s3://lists/%s"}`, l.key)
			o.bytes += len(l.body)
		}
	}
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
		Timeout:  2 * time.Minute, // longer than any bound, so that it is seen by how much one is broken
		Region:   "eu-west-1",
		MemoryMB: memory,
		Env:      append(environment, in.env...),
	})
	if err != nil {
		return outcome{}, err
	}
	defer fn.Close()
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

// peak is the most memory that the process has had in use, in bytes.
func peak(pidFile string) (int64, error) {
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		return 0, err
	}
	return runtimeapi.PeakMemory(pid)
}

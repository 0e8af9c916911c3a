package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sys/unix"

	"bulkpresign/internal/standin/runtimeapi"
)

// boundProcesses is how much faster two processes on two cores must be than one on one.
const boundProcesses = 1.9

// runShards signs the shards of one list, one at a time on one core and two at a time on two. On
// AWS, S3 is another machine; here it takes its turn on the same cores, on one or on two as the
// functions do, so that the figure is what twice the machine is worth.
func runShards(ctx context.Context, flags *flag.FlagSet, args []string) error {
	binary := flags.String("function", "bin/jobs/bootstrap", "the jobs function's binary")
	keys := flags.Int("keys", 1_000_000, "the keys of the list")
	shards := flags.Int("shards", 16, "into how many shards it is cut, about")
	rounds := flags.Int("rounds", 8, "how often each is measured, turn by turn; the fastest counts")
	bound := flags.Float64("bound", boundProcesses, "the least that two processes may be faster")
	if err := parse(flags, args); err != nil {
		return err
	}
	path, err := filepath.Abs(*binary)
	if err != nil {
		return err
	}
	taskset, err := exec.LookPath("taskset")
	if err != nil {
		return errors.New("taskset is not there: it keeps a function on its core (Debian: util-linux)")
	}
	if err := pin(0, 1); err != nil {
		return fmt.Errorf("use cores 0 and 1: %w", err)
	}
	s, c, err := newS3()
	if err != nil {
		return err
	}
	defer s.Close()
	b := &benchmark{binary: path, s3: s, credentials: c, client: s3Client(c, s.Endpoint())}
	size, err := b.makeText(ctx, *keys)
	if err != nil {
		return err
	}
	start := func(core string) (*runtimeapi.Function, error) {
		return runtimeapi.Start(context.Background(), runtimeapi.Config{
			Binary: taskset, Args: []string{"-c", core, path}, Log: io.Discard, Timeout: 15 * time.Minute, Name: "bulkpresign-jobs", Region: region,
			Env: environment(c, s, s.Endpoint(), "GOMAXPROCS=1"),
		})
	}
	var functions []*runtimeapi.Function
	for _, core := range []string{"0", "1"} {
		f, err := start(core)
		if err != nil {
			return err
		}
		defer f.Close()
		functions = append(functions, f)
	}
	best := []time.Duration{0, 0}
	for round := range *rounds {
		for i, processes := range []int{1, 2} {
			if err := pin([]int{0, 1}[:processes]...); err != nil {
				return err
			}
			name := fmt.Sprintf("round-%d-%d", round, processes)
			before, err := cpuTimes(functions)
			if err != nil {
				return err
			}
			took, n, err := b.signShards(ctx, functions[:processes], name, (size+int64(*shards)-1)/int64(*shards), *keys)
			if err != nil {
				return err
			}
			after, err := cpuTimes(functions)
			if err != nil {
				return err
			}
			fmt.Printf("%d keys in %d shards, %d at a time: %.2f s, of the functions %.2f s CPU\n", *keys, n, processes, took.Seconds(), (after - before).Seconds())
			if best[i] == 0 || took < best[i] {
				best[i] = took
			}
		}
	}
	peak := int64(0)
	for _, f := range functions {
		for _, id := range f.Processes() {
			most, err := runtimeapi.PeakMemory(id)
			if err != nil {
				return err
			}
			peak = max(peak, most)
		}
	}
	ratio := best[0].Seconds() / best[1].Seconds()
	fmt.Printf("bench-shards: two processes on two cores %.2f x one on one (%.2f s and %.2f s), peak %.0f MiB\n", ratio, best[1].Seconds(), best[0].Seconds(), mib(peak))
	if ratio < *bound {
		return fmt.Errorf("two processes are %.2f times as fast as one, less than %.2f: is the machine doing something else?", ratio, *bound)
	}
	return nil
}

// cpuTimes is what functions have used of the processors.
func cpuTimes(functions []*runtimeapi.Function) (sum time.Duration, err error) {
	for _, f := range functions {
		for _, id := range f.Processes() {
			one, err := cpuTime(id)
			if err != nil {
				return 0, err
			}
			sum += one
		}
	}
	return sum, nil
}

// pin keeps this process, and so the S3 server, on some cores. Threads that are started later inherit that.
func pin(cores ...int) error {
	var set unix.CPUSet
	for _, core := range cores {
		set.Set(core)
	}
	return pinTo(set)
}

func pinTo(set unix.CPUSet) error {
	for range 2 { // once more for threads that were started meanwhile
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		for _, t := range threads {
			id, err := strconv.Atoi(t.Name())
			if err != nil {
				return err
			}
			if err := unix.SchedSetaffinity(id, &set); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
	}
	return nil
}

const textKey = manifest + "scale/keys.txt"

// makeText puts a list into S3 that can be cut.
func (b *benchmark) makeText(ctx context.Context, keys int) (size int64, err error) {
	var list bytes.Buffer
	w := bufio.NewWriter(&list)
	for i := range keys {
		fmt.Fprintf(w, "%s\n", benchKey(i))
	}
	w.Flush()
	_, err = put(ctx, b.client, lists, textKey, bytes.NewReader(list.Bytes()), nil)
	return int64(list.Len()), err
}

// signShards does what the state machine does, with so many functions at once, and checks what came out.
func (b *benchmark) signShards(ctx context.Context, functions []*runtimeapi.Function, name string, shardBytes int64, keys int) (took time.Duration, n int, err error) {
	request := map[string]any{"manifest": "s3://" + lists + "/" + textKey}
	plan, err := functions[0].Invoke(ctx, mustJSON(map[string]any{"step": "plan", "request": request, "execution": name, "shard_bytes": shardBytes}))
	if err != nil {
		return 0, 0, err
	}
	var planned struct {
		Shards struct{ Bucket, Key string }
		Plan   json.RawMessage
	}
	if err := json.Unmarshal(plan, &planned); err != nil {
		return 0, 0, err
	}
	text, err := b.s3.Get(planned.Shards.Bucket, planned.Shards.Key)
	if err != nil {
		return 0, 0, err
	}
	var shards []json.RawMessage
	if err := json.Unmarshal(text, &shards); err != nil {
		return 0, 0, err
	}
	queue := make(chan int, len(shards))
	for i := range shards {
		queue <- i
	}
	close(queue)
	parts := make([]string, len(shards))
	errs := make([]error, len(functions))
	var wait sync.WaitGroup
	began := time.Now()
	for i, f := range functions {
		wait.Go(func() {
			for n := range queue {
				answer, err := f.Invoke(ctx, mustJSON(map[string]any{"step": "sign", "shard": shards[n]}))
				var signed struct {
					Done bool
					Part struct{ Key string }
				}
				if err == nil {
					err = json.Unmarshal(answer, &signed)
				}
				if err != nil || !signed.Done {
					errs[i] = fmt.Errorf("shard %d: done %v, %w", n, signed.Done, err)
					return
				}
				parts[n] = signed.Part.Key
			}
		})
	}
	wait.Wait()
	took = time.Since(began)
	if err := errors.Join(errs...); err != nil {
		return 0, 0, err
	}
	return took, len(shards), b.checkParts(ctx, parts, keys)
}

// checkParts reads all parts in order: every key once. Then it drops what was written.
func (b *benchmark) checkParts(ctx context.Context, parts []string, keys int) error {
	n := 0
	for _, name := range parts {
		body, err := b.s3.Get(results, name)
		if err != nil {
			return err
		}
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return err
		}
		lines := bufio.NewReaderSize(z, 1<<16)
		for {
			text, err := lines.ReadSlice('\n')
			if err == io.EOF {
				break
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if !bytes.HasPrefix(text, []byte(`{"key":"`+benchKey(n)+`","url":"`)) {
				return fmt.Errorf("line %d of the result is not of its key", n+1)
			}
			n++
		}
	}
	if n != keys {
		return fmt.Errorf("the result has %d lines, the list %d keys", n, keys)
	}
	names, err := keysOf(ctx, b.client, results)
	if err != nil {
		return err
	}
	for _, name := range slices.Clone(names) {
		if strings.Contains(name, "/parts/") || strings.HasSuffix(name, "/shards.json") {
			if _, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(results), Key: &name}); err != nil {
				return err
			}
		}
	}
	return nil
}

// mustJSON writes what is made of maps and texts, which never fails.
func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

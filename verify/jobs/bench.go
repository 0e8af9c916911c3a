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
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sys/unix"

	"bulkpresign/internal/check/rawhttp"
	"bulkpresign/internal/standin/runtimeapi"
	"bulkpresign/internal/standin/s3server"
)

// What a list of a million keys may take on one core, and how flat both must be from there on.
const (
	boundKeys   = 1_000_000
	boundTime   = 4 * time.Second
	boundMemory = 96 << 20 // bytes, at the peak
	boundGrowth = 1.25     // of the time a key, and of the memory, in a list ten times as long
	sampleKeys  = 20_000   // for boto3, which needs half a millisecond a key
)

// A measurement is one list signed.
type measurement struct {
	keys int
	took time.Duration
	cpu  time.Duration // of the function's process
	peak int64         // bytes, VmHWM
	size int64         // bytes of the result
}

func (m measurement) perKey() time.Duration { return m.took / time.Duration(m.keys) }

// benchmark is the two parties: the function on one core, S3 on the other.
type benchmark struct {
	binary      string
	s3          *s3server.Server
	credentials s3server.Credentials
	client      *s3.Client
	serial      int
}

func runBench(ctx context.Context, flags *flag.FlagSet, args []string) error {
	binary := flags.String("function", "bin/jobs/bootstrap", "the jobs function's binary")
	sizes := flags.String("keys", "100000,1000000,10000000", "sizes of the lists, smallest first")
	rounds := flags.Int("rounds", 3, "how often each is measured; the median counts")
	figures := flags.String("figures", "", "write what was measured as JSON to this file, too; bench/drawlists draws it")
	if err := parse(flags, args); err != nil {
		return err
	}
	var counts []int
	for text := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("-keys: %q is no number of keys", text)
		}
		counts = append(counts, n)
	}
	taskset, err := exec.LookPath("taskset")
	if err != nil {
		return errors.New("taskset is not there: it keeps the function on one core (Debian: util-linux)")
	}
	if err := stayOff(0); err != nil {
		return fmt.Errorf("leave a core to the function: %w (it needs two cores)", err)
	}
	s, c, err := newS3()
	if err != nil {
		return err
	}
	defer s.Close()
	b := &benchmark{binary: *binary, s3: s, credentials: c, client: s3Client(c, s.Endpoint())}

	boto, err := startBoto3(c, s.Endpoint())
	if err != nil {
		return err
	}
	defer boto.stop()

	fmt.Printf("A list bucket,key in S3 (.csv.gz) becomes gzip NDJSON in S3; the function on core 0 with GOMAXPROCS=1, S3 on another\n\n")
	fmt.Printf("%12s %10s %10s %10s %12s %12s\n", "keys", "seconds", "us a key", "CPU s", "peak MiB", "result MiB")
	show := func(m measurement) {
		fmt.Printf("%12d %10.2f %10.2f %10.2f %12.1f %12.1f\n", m.keys, m.took.Seconds(), float64(m.perKey().Nanoseconds())/1000, m.cpu.Seconds(), mib(m.peak), mib(m.size))
	}

	// Ours and boto3's turn by turn, so that a slow minute is slow for both.
	var ours, theirs []time.Duration
	if err := b.makeList(ctx, sampleKeys); err != nil {
		return err
	}
	function, err := b.start(taskset)
	if err != nil {
		return err
	}
	for range *rounds {
		m, err := b.sign(ctx, function, sampleKeys)
		if err != nil {
			function.Close()
			return err
		}
		ours = append(ours, m.took)
		took, err := boto.sign(listKey(sampleKeys), "boto3.ndjson.gz")
		if err != nil {
			function.Close()
			return fmt.Errorf("boto3: %w", err)
		}
		theirs = append(theirs, took)
	}
	function.Close()
	ratio := float64(median(theirs)) / float64(median(ours))

	var all []measurement
	for _, n := range counts {
		if err := b.makeList(ctx, n); err != nil {
			return err
		}
		var some []measurement
		for range max(1, min(*rounds, 3*boundKeys/n)) { // a very long list is a median in itself
			// A process of its own, so that its peak is this list's.
			function, err := b.start(taskset)
			if err != nil {
				return err
			}
			m, err := b.sign(ctx, function, n)
			function.Close()
			if err != nil {
				return err
			}
			some = append(some, m)
		}
		slices.SortFunc(some, func(x, y measurement) int { return int(x.took - y.took) })
		m := some[len(some)/2]
		m.peak = slices.MaxFunc(some, func(x, y measurement) int { return int(x.peak - y.peak) }).peak
		show(m)
		all = append(all, m)
	}
	fmt.Printf("\nboto3 %s in a loop, %d keys: %.2f s, ours %.3f s\n\n", boto.version, sampleKeys, median(theirs).Seconds(), median(ours).Seconds())
	line, err := conclude(all, ratio)
	fmt.Println(line)
	if *figures != "" {
		err = errors.Join(err, writeFigures(*figures, all))
	}
	return err
}

// writeFigures writes the measurements as an array of objects.
func writeFigures(file string, all []measurement) error {
	type figure struct {
		Keys      int     `json:"keys"`
		Seconds   float64 `json:"seconds"`
		PeakBytes int64   `json:"peak_bytes"`
	}
	var figures []figure
	for _, m := range all {
		figures = append(figures, figure{m.keys, m.took.Seconds(), m.peak})
	}
	text, err := json.MarshalIndent(figures, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

// conclude makes the closing line and says which bound was missed.
func conclude(all []measurement, ratio float64) (line string, err error) {
	var problems []error
	last := all[len(all)-1]
	for _, m := range all {
		if m.keys == boundKeys {
			line = fmt.Sprintf("%d keys in %.2f s on one core (%.2f s of it CPU), peak %.0f MiB, ", m.keys, m.took.Seconds(), m.cpu.Seconds(), mib(m.peak))
			if m.took > boundTime {
				problems = append(problems, fmt.Errorf("%d keys took %v, more than %v; the CPU time was %v", m.keys, m.took, boundTime, m.cpu))
			}
		}
		if m.peak >= boundMemory {
			problems = append(problems, fmt.Errorf("%d keys needed %.0f MiB, not less than %.0f", m.keys, mib(m.peak), mib(boundMemory)))
		}
		// A short list's result has two parts, for which not all buffers are used yet.
		if m.keys < boundKeys || m.keys == last.keys {
			continue
		}
		time, memory := float64(last.perKey())/float64(m.perKey()), float64(last.peak)/float64(m.peak)
		line += fmt.Sprintf("%d keys %.2f x the time a key and %.2f x the memory, ", last.keys, time, memory)
		if time > boundGrowth {
			problems = append(problems, fmt.Errorf("a key takes %.2f times as long in a list of %d as in one of %d", time, last.keys, m.keys))
		}
		if memory > boundGrowth {
			problems = append(problems, fmt.Errorf("a list of %d keys needs %.2f times the memory of one of %d", last.keys, memory, m.keys))
		}
	}
	return fmt.Sprintf("bench-manifest: %s%.0f x a boto3 loop", line, ratio), errors.Join(problems...)
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

// stayOff keeps this process, and so the S3 server, off a core. Threads that are started later inherit that.
func stayOff(core int) error {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return err
	}
	set.Clear(core)
	if set.Count() == 0 {
		return errors.New("there is no other")
	}
	return pinTo(set)
}

func (b *benchmark) start(taskset string) (*runtimeapi.Function, error) {
	binary, err := filepath.Abs(b.binary)
	if err != nil {
		return nil, err
	}
	return runtimeapi.Start(context.Background(), runtimeapi.Config{
		Binary:  taskset, // which becomes the function
		Args:    []string{"-c", "0", binary},
		Log:     os.Stderr,
		Timeout: 15 * time.Minute,
		Name:    "bulkpresign-jobs",
		Region:  region,
		Env:     environment(b.credentials, b.s3, b.s3.Endpoint(), "GOMAXPROCS=1"),
	})
}

func listKey(keys int) string { return fmt.Sprintf("%s%d-keys.csv.gz", manifest, keys) }

// makeList puts a list into S3.
func (b *benchmark) makeList(ctx context.Context, keys int) error {
	var list bytes.Buffer
	z, _ := gzip.NewWriterLevel(&list, gzip.BestSpeed)
	w := bufio.NewWriter(z)
	for i := range keys {
		fmt.Fprintf(w, "%s,%s\n", photos, benchKey(i))
	}
	w.Flush()
	z.Close()
	_, err := put(ctx, b.client, lists, listKey(keys), bytes.NewReader(list.Bytes()), nil)
	return err
}

// benchKey is of the usual length, 40 to 80 bytes, and no key begins as the one before for long.
func benchKey(i int) string {
	h := uint64(i+1) * 0x9e3779b97f4a7c15
	return fmt.Sprintf("%08x/2026/11/%02d/%016x%s-%d.jpg", uint32(h>>32), i%30+1, h, strings.Repeat("ab", int(h>>60)), i)
}

// sign has the function sign a list, and looks at what came out.
func (b *benchmark) sign(ctx context.Context, f *runtimeapi.Function, keys int) (measurement, error) {
	b.serial++
	// Another place in the order of events is another input, so nothing is found done.
	event := created(lists, listKey(keys), "", 0, fmt.Sprintf("%016X", b.serial))
	began := time.Now()
	if _, err := f.Invoke(ctx, event); err != nil {
		return measurement{}, fmt.Errorf("sign %d keys: %w", keys, err)
	}
	m := measurement{keys: keys, took: time.Since(began)}
	ids := f.Processes()
	if len(ids) != 1 {
		return m, fmt.Errorf("the function has %d processes, want 1", len(ids))
	}
	var err error
	if m.peak, err = runtimeapi.PeakMemory(ids[0]); err != nil {
		return m, err
	}
	if m.cpu, err = cpuTime(ids[0]); err != nil {
		return m, err
	}
	m.size, err = b.check(ctx, keys)
	return m, err
}

// cpuTime is what a process has used of the processors. On a machine that does other things too, it says more than
// the time that passed.
func cpuTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The command's name, in brackets, may hold anything. utime and stime are fields 14 and 15, in hundredths.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / 100), nil
}

// check reads the one result there is, with every key in its place, uses a URL of it, and drops it.
func (b *benchmark) check(ctx context.Context, keys int) (size int64, err error) {
	names, err := keysOf(ctx, b.client, results)
	if err != nil {
		return 0, err
	}
	found := ""
	for _, name := range names {
		if strings.HasSuffix(name, "/result.ndjson.gz") {
			if found != "" {
				return 0, errors.New("there are two results")
			}
			found = name
		}
	}
	if found == "" {
		return 0, errors.New("there is no result")
	}
	object, err := b.s3.Get(results, found)
	if err != nil {
		return 0, err
	}
	if err := b.checkLines(ctx, object, keys); err != nil {
		return 0, fmt.Errorf("the result of %d keys: %w", keys, err)
	}
	for _, name := range names {
		if _, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(results), Key: &name}); err != nil {
			return 0, err
		}
	}
	return int64(len(object)), nil
}

func (b *benchmark) checkLines(ctx context.Context, object []byte, keys int) error {
	z, err := gzip.NewReader(bytes.NewReader(object))
	if err != nil {
		return err
	}
	lines := bufio.NewReaderSize(z, 1<<16)
	for i := 0; ; i++ {
		text, err := lines.ReadSlice('\n')
		if err == io.EOF && i == keys {
			return nil
		}
		if err != nil {
			return fmt.Errorf("line %d of %d: %w", i+1, keys, err)
		}
		if i != keys/2 {
			// Nothing in these keys is escaped.
			if !bytes.HasPrefix(text, []byte(`{"key":"`+benchKey(i)+`","url":"`)) {
				return fmt.Errorf("line %d is not of its key", i+1)
			}
			continue
		}
		var line struct{ Key, URL string }
		if err := json.Unmarshal(text, &line); err != nil || line.Key != benchKey(i) {
			return fmt.Errorf("line %d is not of its key", i+1)
		}
		if err := b.s3.Put(photos, line.Key, []byte(line.Key)); err != nil {
			return err
		}
		answer, err := rawhttp.Do(ctx, "GET", line.URL, nil, nil)
		if err != nil || answer.Status != 200 || string(answer.Body) != line.Key {
			return fmt.Errorf("the URL of line %d does not work", i+1)
		}
	}
}

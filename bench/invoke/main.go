// Invoke measures whole invocations at the runtime API: this project's function, the
// straightforward one, and one that only moves as many bytes, in turn.
//
//	make bench-invoke
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"bulkpresign/bench/fn"
	"bulkpresign/bench/picture"
	"bulkpresign/internal/standin/httpapi"
	"bulkpresign/internal/standin/runtimeapi"
)

// A batch is so many keys in one request. rounds makes the time of each about the same.
type batch struct {
	keys   int
	gzip   bool
	rounds int
}

// name is how the table calls it.
func (b batch) name() string {
	name := strconv.Itoa(b.keys) + " keys"
	if b.keys == 1 {
		name = "1 key"
	}
	if b.gzip {
		name += ", gzip"
	}
	return name
}

var batches = []batch{{1, false, 300}, {100, false, 100}, {3_500, false, 25}, {40_000, true, 5}}

func main() {
	scale := flag.Float64("scale", 1, "multiplies the rounds of measuring; the medians count")
	against := flag.String("against", "", "a `binary` of our function to measure in the straightforward one's place")
	pictures := flag.String("pictures", "", "draw what was measured into this `folder`")
	flag.Parse()
	if flag.NArg() > 0 || *scale <= 0 {
		flag.Usage()
		os.Exit(2)
	}
	for i, b := range batches {
		batches[i].rounds = max(1, int(float64(b.rounds)**scale))
	}
	if err := run(os.Stdout, batches, *against, *pictures); err != nil {
		fmt.Fprintln(os.Stderr, "bench-invoke:", err)
		os.Exit(1)
	}
}

// A row is what is measured of a batch.
type row struct {
	batch
	answer                int // bytes of ours
	ours, straightforward contestant
	echo, ourEcho         contestant // in aws-lambda-go's loop, in ours
}

type contestant struct {
	f     *runtimeapi.Function
	times []time.Duration
	peak  int64 // bytes
}

func (c *contestant) median() time.Duration { return fn.Median(c.times) }

// run measures. The straightforward function is built, unless against names another.
func run(w io.Writer, batches []batch, against, pictures string) error {
	dir, err := os.MkdirTemp("", "invoke")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"straightforward", "echo"} {
		if err := fn.Build(name, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	var rows []*row
	for _, b := range batches {
		r := &row{batch: b}
		if err := r.measure(dir, against); err != nil {
			return fmt.Errorf("%d keys: %w", b.keys, err)
		}
		rows = append(rows, r)
	}
	print(w, rows, against)
	if pictures == "" {
		return nil
	}
	return draw(pictures, rows)
}

// draw writes two pictures into a folder: time and memory by keys.
func draw(folder string, rows []*row) error {
	series := func(name string, value func(*row) float64) picture.Series {
		s := picture.Series{Name: name}
		for _, r := range rows {
			s.Points = append(s.Points, picture.Point{Keys: float64(r.keys), Value: value(r)})
		}
		return s
	}
	if err := picture.Lines(filepath.Join(folder, "invoke-time.svg"), "One invocation: time by keys", "ms", []picture.Series{
		series("ours", func(r *row) float64 { return fn.Milliseconds(r.ours.median()) }),
		series("straightforward, with the Go SDK", func(r *row) float64 { return fn.Milliseconds(r.straightforward.median()) }),
		series("only moves as many bytes", func(r *row) float64 { return fn.Milliseconds(r.ourEcho.median()) }),
	}); err != nil {
		return err
	}
	return picture.Lines(filepath.Join(folder, "invoke-memory.svg"), "One process: peak of memory by keys", "MB", []picture.Series{
		series("ours", func(r *row) float64 { return float64(r.ours.peak) / 1e6 }),
		series("straightforward, with the Go SDK", func(r *row) float64 { return float64(r.straightforward.peak) / 1e6 }),
	})
}

// measure checks that both functions give the same URLs, then takes their times.
func (r *row) measure(dir, against string) (err error) {
	event, err := newEvent(r.batch)
	if err != nil {
		return err
	}
	if r.ours.f, err = fn.Start(fn.Ours); err != nil {
		return err
	}
	defer r.ours.f.Close()
	if against == "" {
		against = filepath.Join(dir, "straightforward")
	}
	// The SDK's client would add a parameter to every URL of its own accord.
	if r.straightforward.f, err = fn.Start(against,
		"AWS_RESPONSE_CHECKSUM_VALIDATION=when_required"); err != nil {
		return err
	}
	defer r.straightforward.f.Close()
	ours, err := r.ours.f.Invoke(context.Background(), event)
	if err != nil {
		return err
	}
	theirs, err := r.straightforward.f.Invoke(context.Background(), event)
	if err != nil {
		return err
	}
	if err := same(ours, theirs, r.keys); err != nil {
		return err
	}
	r.answer = len(ours)
	for c, loop := range map[*contestant]string{&r.echo: "aws-lambda-go's", &r.ourEcho: "ours"} {
		if c.f, err = fn.Start(filepath.Join(dir, "echo"), "ANSWER_BYTES="+strconv.Itoa(r.answer), "LOOP="+loop); err != nil {
			return err
		}
		defer c.f.Close()
	}

	all := []*contestant{&r.ours, &r.straightforward, &r.echo, &r.ourEcho}
	for range r.rounds {
		for _, i := range rand.Perm(len(all)) {
			c := all[i]
			began := time.Now()
			_, err := c.f.Invoke(context.Background(), event)
			elapsed := time.Since(began)
			if err != nil {
				return err
			}
			c.times = append(c.times, elapsed)
		}
	}
	for _, c := range all {
		if c.peak, err = fn.Peak(c.f); err != nil {
			return err
		}
	}
	return nil
}

// newEvent is an HTTP API's.
func newEvent(b batch) ([]byte, error) {
	keys := make([]string, b.keys)
	for i := range keys {
		keys[i] = fmt.Sprintf("albums/%04d/%02d/%02d/photograph-%07d-of-the-harbour.jpeg", 2000+i%27, 1+i%12, 1+i%28, i)
	}
	body, err := json.Marshal(map[string]any{"keys": keys, "expires_in": 900})
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequest(http.MethodPost, "http://127.0.0.1/presign", nil)
	if err != nil {
		return nil, err
	}
	r.RemoteAddr = "127.0.0.1:1024"
	r.Header.Set("Content-Type", "application/json")
	if b.gzip {
		r.Header.Set("Accept-Encoding", "gzip")
	}
	return httpapi.Event(r, body, time.Now())
}

// same tells whether two answers have the same URLs, the second of signing aside.
func same(ours, theirs []byte, n int) error {
	a, err := urls(ours)
	if err != nil {
		return fmt.Errorf("our answer: %w", err)
	}
	b, err := urls(theirs)
	if err != nil {
		return fmt.Errorf("the straightforward answer: %w", err)
	}
	if len(a) != n || len(b) != n {
		return fmt.Errorf("%d and %d URLs, want %d", len(a), len(b), n)
	}
	for key, url := range a {
		if timeless(url) != timeless(b[key]) {
			return fmt.Errorf("the URLs of key %q differ", key)
		}
	}
	return nil
}

var ofTheSecond = regexp.MustCompile(`X-Amz-(Date=[0-9TZ]+|Signature=[0-9a-f]{64})`)

func timeless(url string) string { return ofTheSecond.ReplaceAllString(url, "") }

func urls(payload []byte) (map[string]string, error) {
	answer, err := httpapi.ParseResponse(payload)
	if err != nil {
		return nil, err
	}
	if answer.Status != http.StatusOK {
		return nil, fmt.Errorf("status %d", answer.Status)
	}
	body := io.Reader(bytes.NewReader(answer.Body))
	if answer.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(body); err != nil {
			return nil, err
		}
	}
	var object struct{ URLs map[string]string }
	err = json.NewDecoder(body).Decode(&object)
	return object.URLs, err
}

func print(w io.Writer, rows []*row, against string) {
	fmt.Fprintln(w, "one invocation at the runtime API, medians of interleaved rounds")
	fmt.Fprintln(w, "echo: only moves as many bytes, in aws-lambda-go's loop and in ours; net: each without the echo in its own loop")
	if against != "" {
		fmt.Fprintf(w, "straightforward: not so, but %s\n", against)
	}
	fmt.Fprintln(w)
	head := "| batch            | rounds | answer, MB | ours, ms | straightforward, ms | echo, ms | echo in our loop, ms | x gross | x net | ours, peak MB | straightforward, peak MB |"
	fmt.Fprintln(w, head)
	rule := regexp.MustCompile(`[^|]`).ReplaceAllString(head, "-")
	fmt.Fprintln(w, rule)
	var summary []string
	for _, r := range rows {
		ours, theirs, echo, ourEcho := r.ours.median(), r.straightforward.median(), r.echo.median(), r.ourEcho.median()
		if against != "" {
			echo = ourEcho // it runs in our loop, too
		}
		gross := float64(theirs) / float64(ours)
		net := "-" // where ours is as fast as its echo, but for noise
		if ours > ourEcho {
			net = fmt.Sprintf("%.1f", float64(theirs-echo)/float64(ours-ourEcho))
		}
		name := r.name()
		fmt.Fprintf(w, "| %-16s | %6d | %10.2f | %8.2f | %19.2f | %8.2f | %20.2f | %7.1f | %5s | %13.1f | %24.1f |\n",
			name, r.rounds, float64(r.answer)/1e6, fn.Milliseconds(ours), fn.Milliseconds(theirs), fn.Milliseconds(echo), fn.Milliseconds(ourEcho),
			gross, net, float64(r.ours.peak)/1e6, float64(r.straightforward.peak)/1e6)
		summary = append(summary, fmt.Sprintf("%s %.1f x gross %s x net", name, gross, net))
	}
	fmt.Fprintf(w, "\ninvoke: %s\n", strings.Join(summary, "; "))
}

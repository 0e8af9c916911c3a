// Command clients has real HTTP clients use the URLs that the built function signs for awkward keys, and says what
// each client makes of each key. Outcomes are compared with expected.csv, which lists all that are not "ok"; any
// difference, in either direction, is a failure. With -update it writes expected.csv and the table in docs/clients.md
// instead, for a person to review.
package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"bulkpresign/internal/check/awkward"
	"bulkpresign/internal/standin/runtimeapi"
	"bulkpresign/internal/standin/s3server"
)

const (
	region = "eu-west-1"
	bucket = "photos"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c bench
	flag.StringVar(&c.here, "here", "verify/clients", "folder of the clients' scripts and of expected.csv")
	flag.StringVar(&c.doc, "doc", "docs/clients.md", "the document with the table and the expansions")
	flag.StringVar(&c.python, "python", "python3", "a Python with requests and urllib3")
	flag.StringVar(&c.chromium, "chromium", "chromium", "a Chromium")
	flag.StringVar(&c.firefox, "firefox", "firefox-esr", "a Firefox")
	function := flag.String("function", "bin/api/bootstrap", "the function's binary")
	only := flag.Bool("tools", false, "measure only the tools that read data, compare or write only their table")
	flag.BoolVar(&c.explain, "explain", false, "say why a call of a tool fails")
	update := flag.Bool("update", false, "write expected.csv and the table, instead of comparing with them")
	flag.Parse()
	if err := c.start(ctx, *function); err != nil {
		fmt.Fprintln(os.Stderr, "clients:", err)
		os.Exit(1)
	}
	run := c.run
	if *only {
		run = c.runTools
	}
	ok := run(ctx, *update)
	c.close()
	if !ok {
		os.Exit(1)
	}
}

// bench is what the clients are measured on.
type bench struct {
	here, doc, python, chromium, firefox string

	explain bool

	s3       *s3server.Server
	front    *front
	function *runtimeapi.Function
	scratch  string

	keys     []awkward.Key // the awkward ones, then those with dot segments
	outcomes []outcome
}

// outcome is what became of a key in the hands of a client.
type outcome struct{ client, method, key, what string }

func (c *bench) start(ctx context.Context, binary string) (err error) {
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	credentials := s3server.Credentials{
		AccessKeyID:     "ASIA" + rand.Text()[:16],
		SecretAccessKey: rand.Text() + rand.Text()[:14],
		SessionToken:    rand.Text() + rand.Text(),
	}
	if c.scratch, err = os.MkdirTemp("", "clients"); err != nil {
		return err
	}
	c.s3, err = s3server.Start(s3server.Config{
		Region: region, Buckets: []string{bucket}, Credentials: []s3server.Credentials{credentials},
	})
	if err != nil {
		return err
	}
	if c.front, err = startFront(c.s3.Endpoint(), c.here); err != nil {
		return err
	}
	c.function, err = runtimeapi.Start(ctx, runtimeapi.Config{
		Binary: binary, Region: region, Timeout: 29 * time.Second,
		Env: []string{
			"AWS_ACCESS_KEY_ID=" + credentials.AccessKeyID,
			"AWS_SECRET_ACCESS_KEY=" + credentials.SecretAccessKey,
			"AWS_SESSION_TOKEN=" + credentials.SessionToken,
			"PRESIGN_BUCKETS=" + bucket,
			"PRESIGN_OPERATIONS=GetObject,PutObject",
			"PRESIGN_ENDPOINT_URL=" + c.front.url,
			"PRESIGN_ADDRESSING=path",
			"AWS_CONFIG_FILE=" + os.DevNull,
			"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
			"AWS_EC2_METADATA_DISABLED=true",
		},
	})
	c.keys = append(awkward.Keys(), awkward.DotSegments()...)
	return err
}

func (c *bench) close() {
	if c.function != nil {
		c.function.Close()
	}
	if c.front != nil {
		c.front.close()
	}
	if c.s3 != nil {
		c.s3.Close()
	}
	os.RemoveAll(c.scratch)
}

func (c *bench) run(ctx context.Context, update bool) bool {
	failed := 0
	fail := func(what string, err error) {
		failed++
		fmt.Printf("FAIL %s: %v\n", what, err)
	}
	fmt.Println(c.versions(ctx))
	for _, client := range c.clients() {
		if client.get != nil {
			if err := c.measure(ctx, client.name, "GET", client.get); err != nil {
				fail(client.name+" GET", err)
			}
		}
		if client.put != nil {
			if err := c.measure(ctx, client.name, "PUT", client.put); err != nil {
				fail(client.name+" PUT", err)
			}
		}
	}
	for _, format := range []string{"curl", "aria2"} {
		if err := c.measureFormat(ctx, format); err != nil {
			fail("format "+format, err)
		}
	}
	if err := c.measureMetalink(ctx); err != nil {
		fail("metalink", err)
	}
	expansions, err := c.expansions(ctx)
	for _, e := range expansions {
		if e.err != nil {
			fail("expansion in "+e.language, e.err)
		}
	}
	if err != nil {
		fail("expansions", err)
	}

	tools, err := c.measureTools(ctx)
	if err != nil {
		fail("tools", err)
	}

	if update {
		if err := errors.Join(c.writeExpected(), c.writeTable(clientsTable, c.table()), c.writeTable(toolsTable, toolsAsTable(tools))); err != nil {
			fail("update", err)
		}
	}
	asExpected, err := c.compare(fail)
	if err != nil {
		fail("expected.csv", err)
	}
	if err := c.compareTable(); err != nil {
		fail(c.doc, err)
	}
	toolsAsExpected, err := c.compareTools(tools, fail)
	if err != nil {
		fail(c.doc, err)
	}
	worked := 0
	for _, o := range c.outcomes {
		if o.what == "ok" {
			worked++
		}
	}
	expanded := 0
	for _, e := range expansions {
		if e.err == nil {
			expanded++
		}
	}
	fmt.Printf("clients: %d/%d (client, key) pairs as expected, %d of them work with the URL unchanged, %d/%d compact expansions right\n",
		asExpected, len(c.outcomes), worked, expanded, len(expansions))
	fmt.Printf("clients: %d/%d calls of tools that read data as expected\n", toolsAsExpected, len(tools))
	return failed == 0
}

// sign asks the function for a batch. A text format comes as a JSON string.
func (c *bench) sign(ctx context.Context, request map[string]any, answer any) error {
	event, err := json.Marshal(request)
	if err != nil {
		return err
	}
	payload, err := c.function.Invoke(ctx, event)
	if err != nil {
		return err
	}
	return json.Unmarshal(payload, answer)
}

func content(method, key string) []byte { return []byte(method + ": the object under " + key + "\n") }

// task is one URL for a client to use.
type task struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"` // the name of a file, for a PUT
	Out     string            `json:"out"`  // the name of the file for what the server answers

	key awkward.Key
}

// measure has a client use a URL for each key.
func (c *bench) measure(ctx context.Context, client, method string, use func(context.Context, []task) error) error {
	request := map[string]any{"allow_dot_segments": true, "keys": c.names()}
	if method == "PUT" {
		request["operation"], request["content_type"] = "PutObject", "text/x-check"
	}
	var answer struct {
		URLs    map[string]string
		Headers map[string]string
	}
	if err := c.sign(ctx, request, &answer); err != nil {
		return err
	}
	folder, err := os.MkdirTemp(c.scratch, "out")
	if err != nil {
		return err
	}
	var tasks []task
	for i, k := range c.keys {
		// Whatever an earlier client left is gone: a URL that never arrives must not find the right bytes.
		stored := content("GET", k.Key)
		if method == "PUT" {
			stored = []byte("not this")
		}
		if err := c.s3.Put(bucket, k.Key, stored); err != nil {
			return err
		}
		t := task{Method: method, URL: answer.URLs[k.Key], Headers: answer.Headers, key: k, Out: filepath.Join(folder, fmt.Sprint(i))}
		if t.URL == "" {
			return fmt.Errorf("no URL for %s", k.Name)
		}
		if method == "PUT" {
			t.Body = t.Out + ".body"
			if err := os.WriteFile(t.Body, content("PUT", k.Key), 0o600); err != nil {
				return err
			}
		}
		tasks = append(tasks, t)
	}
	c.front.forget()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	if err := use(ctx, tasks); err != nil {
		return err
	}
	for _, t := range tasks {
		c.outcomes = append(c.outcomes, outcome{client, method, t.key.Name, c.judge(t)})
	}
	return nil
}

// judge says what became of a task, by what the server saw and by what the client, or the server, has in the end.
func (c *bench) judge(t task) string {
	worked := false
	if t.Method == "PUT" {
		stored, err := c.s3.Get(bucket, t.key.Key)
		worked = err == nil && bytes.Equal(stored, content("PUT", t.key.Key))
	} else {
		got, err := os.ReadFile(t.Out)
		worked = err == nil && bytes.Equal(got, content("GET", t.key.Key))
	}
	target, sent := c.front.seen(t.URL)
	switch {
	case !sent:
		return "not sent"
	case "http://"+c.front.host+target != t.URL && worked:
		return "rewritten, works"
	case "http://"+c.front.host+target != t.URL:
		return "rewritten, refused"
	case !worked:
		return "sent, failed"
	}
	return "ok"
}

func (c *bench) names() []string {
	var names []string
	for _, k := range c.keys {
		names = append(names, k.Key)
	}
	return names
}

// command runs a program. Its output is told only when it fails, and then without what may hold a URL.
func command(ctx context.Context, stdin io.Reader, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = stdin
	cmd.WaitDelay = 5 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(name), err, redacted(stderr.String()))
	}
	return nil
}

// redacted leaves out the lines that speak of a URL.
func redacted(output string) string {
	lines := slices.DeleteFunc(strings.Split(output, "\n"), func(line string) bool {
		return strings.Contains(line, "X-Amz-") || strings.Contains(line, "://")
	})
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

// compare reports each outcome that is not what expected.csv says, and returns how many are.
func (c *bench) compare(fail func(string, error)) (good int, err error) {
	file, err := os.Open(filepath.Join(c.here, "expected.csv"))
	if err != nil {
		return 0, err
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return 0, err
	}
	expected := map[outcome]string{} // by all but what
	for _, row := range rows[min(1, len(rows)):] {
		expected[outcome{row[0], row[1], row[2], ""}] = row[3]
	}
	for _, o := range c.outcomes {
		which := outcome{o.client, o.method, o.key, ""}
		want := cmp.Or(expected[which], "ok")
		delete(expected, which)
		if o.what != want {
			fail(fmt.Sprintf("%s %s %q", o.client, o.method, o.key), fmt.Errorf("%s, expected %s", o.what, want))
			continue
		}
		good++
	}
	for o := range expected {
		fail(fmt.Sprintf("%s %s %q", o.client, o.method, o.key), errors.New("expected, and not measured"))
	}
	return good, nil
}

func (c *bench) writeExpected() error {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Write([]string{"client", "method", "key", "outcome"})
	for _, o := range c.outcomes {
		if o.what != "ok" {
			w.Write([]string{o.client, o.method, o.key, o.what})
		}
	}
	w.Flush()
	return os.WriteFile(filepath.Join(c.here, "expected.csv"), b.Bytes(), 0o644)
}

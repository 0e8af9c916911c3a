package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bulkpresign/internal/check/rawhttp"
	"bulkpresign/internal/standin/httpapi"
	"bulkpresign/internal/standin/runtimeapi"
	"bulkpresign/internal/standin/s3server"
)

// A result is the function's answer to a batch, as far as the demo looks at it.
type result struct {
	Bucket      string                       `json:"bucket"`
	Operation   string                       `json:"operation"`
	ExpiresAt   string                       `json:"expires_at"`
	URLs        map[string]string            `json:"urls"`
	Headers     map[string]string            `json:"headers"`
	ItemHeaders map[string]map[string]string `json:"item_headers"`
	Errors      map[string]struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"errors"`
}

// headersFor returns what a client must send with a key's URL.
func (r *result) headersFor(key string) map[string]string {
	if h, ok := r.ItemHeaders[key]; ok {
		return h
	}
	return r.Headers
}

// A demonstration counts what worked, so that its last lines are facts.
type demonstration struct {
	*machine
	out     io.Writer
	verbose bool // say all that there is to say
	urls    int  // signed URLs used
	worked  int  // of these
	failed  int  // anything else that is not as it should be
}

// demo shows the pre-signer at work. The error is nil only if every URL worked and what must be refused was.
func demo(ctx context.Context, s setup, events string, verbose bool, out io.Writer) error {
	var functionLog lockedBuffer
	s.log = &functionLog
	m, err := startMachine(s)
	if err != nil {
		return errors.Join(err, logged(&functionLog))
	}
	d := &demonstration{machine: m, out: out, verbose: verbose}
	err = d.run(ctx, s, events)
	m.close() // after it, the log is whole
	if err != nil {
		return errors.Join(err, logged(&functionLog))
	}
	return nil
}

// lockedBuffer is what several functions write.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// logged is what the functions wrote, for a demo that failed. It holds no URLs; that is tested elsewhere.
func logged(log *lockedBuffer) error {
	log.mu.Lock()
	defer log.mu.Unlock()
	if log.text.Len() == 0 {
		return nil
	}
	return fmt.Errorf("the functions' log:\n%s", &log.text)
}

// say writes a line that only those want who want all.
func (d *demonstration) say(format string, args ...any) {
	if d.verbose {
		fmt.Fprintf(d.out, format, args...)
	}
}

func (d *demonstration) run(ctx context.Context, s setup, events string) error {
	fmt.Fprintf(d.out, "The real functions on this machine, behind stand-ins for API Gateway, Lambda, SQS and an S3 that verifies every\nsignature.\n\n")
	d.say("  HTTP %s   S3 %s   function %s\n\n", d.url, d.s3.Endpoint(), s.api)
	files := sampleFiles()
	keys := slices.Sorted(maps.Keys(files))

	put, _, err := d.post(ctx, map[string]any{"operation": "PutObject", "keys": keys})
	if err != nil {
		return err
	}
	d.say("1. The URLs for uploads\n")
	worked := d.useAll(ctx, put, keys, files, d.verbose)
	fmt.Fprintf(d.out, "1. Upload     one call signed URLs for %d files; %d uploads worked\n", len(keys), worked)

	const unsafe = "../x"
	get, answer, err := d.post(ctx, map[string]any{"keys": append(slices.Clone(keys), unsafe)})
	if err != nil {
		return err
	}
	worked = d.useAll(ctx, get, keys, files, true)
	fmt.Fprintf(d.out, "2. Download   one call signed a URL for each, and none for %s; %d downloads gave the same bytes\n", unsafe, worked)
	if d.verbose {
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, answer, "", "  "); err != nil {
			return fmt.Errorf("the answer is not JSON: %w", err)
		}
		fmt.Fprintf(d.out, "%s\n", bytes.TrimSpace(pretty.Bytes()))
	}

	if err := d.sampleEvents(ctx, events); err != nil {
		return err
	}
	tampered := d.tampered(ctx, get, keys[0])
	refused := d.unsafe(get, unsafe)
	if s.jobs != "" {
		if err := d.job(ctx, keys, files); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "\ndemo: %d/%d URLs worked, %d tampered URL refused, %d unsafe key refused\n", d.worked, d.urls, tampered, refused)
	if d.worked != d.urls || d.failed > 0 {
		return fmt.Errorf("not everything worked; see FAILED above")
	}
	fmt.Fprintf(d.out, "next: \"make local\" keeps it running, \"make demo DEMO=-v\" shows the answers; docs/deploy.md says how it is deployed\n")
	return nil
}

// job drops a list of keys into S3, waits for its result and uses the URLs there.
func (d *demonstration) job(ctx context.Context, keys []string, files map[string][]byte) error {
	name := drop + "keys.txt"
	_, err := d.client().PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(lists), Key: &name, Body: strings.NewReader(strings.Join(keys, "\n") + "\n")})
	if err != nil {
		return errors.New("the list could not be put into S3")
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var made s3server.Created
	select {
	case made = <-d.results:
	case <-ctx.Done():
		return errors.New("the list has no result after 30 seconds")
	}
	s, err := d.summary(made.Key)
	if err != nil || s.Result == nil {
		return fmt.Errorf("the job has no result: %v", cmp.Or(err, errors.New("see its summary")))
	}
	stored, err := d.s3.Get(s.Result.Bucket, s.Result.Key)
	if err != nil {
		return errors.New("the job's result is not where its summary says")
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(stored))
	if err != nil {
		return fmt.Errorf("the job's result: %w", err)
	}
	r := &result{Bucket: bucket, Operation: "GetObject", URLs: map[string]string{}}
	for decoder := json.NewDecoder(unzipped); ; {
		var line struct{ Key, URL string }
		if err := decoder.Decode(&line); err == io.EOF {
			break
		} else if err != nil {
			return errors.New("the job's result is no NDJSON")
		}
		r.URLs[line.Key] = line.URL
	}
	worked := d.useAll(ctx, r, keys, files, d.verbose)
	fmt.Fprintf(d.out, "5. A job      the list s3://%s/%s was signed when it was put there; %d of %d URLs worked, from\n              s3://%s/%s\n", lists, name, worked, len(keys), s.Result.Bucket, s.Result.Key)
	return nil
}

// post sends a batch through the HTTP front, as curl would, and returns the answer read and as it came.
func (d *demonstration) post(ctx context.Context, batch map[string]any) (*result, []byte, error) {
	batch["bucket"] = bucket
	body, err := json.Marshal(batch)
	if err != nil {
		return nil, nil, err
	}
	resp, err := rawhttp.Do(ctx, "POST", d.url+"/presign", map[string]string{"content-type": "application/json"}, body)
	if err != nil {
		return nil, nil, err
	}
	r, err := readResult(resp.Status, resp.Body)
	return r, resp.Body, err
}

func readResult(status int, body []byte) (*result, error) {
	if status != http.StatusOK {
		var problem struct{ Code, Detail, Message string } // the first two are the function's, the third is the front's
		_ = json.Unmarshal(body, &problem)
		return nil, fmt.Errorf("the pre-signer answered %d %s: %s", status,
			cmp.Or(problem.Code, "without a code"), cmp.Or(problem.Detail, problem.Message))
	}
	var r result
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, fmt.Errorf("the answer is not a result: %w", err)
	}
	if r.Bucket != bucket {
		return nil, fmt.Errorf("the answer is for bucket %q, want %q", r.Bucket, bucket)
	}
	return &r, nil
}

// useAll uses the URL of every key and returns how many worked. Each key that has no URL is a failure.
func (d *demonstration) useAll(ctx context.Context, r *result, keys []string, files map[string][]byte, show bool) (worked int) {
	for _, key := range keys {
		d.urls++
		outcome, err := d.use(ctx, r, key, files[key])
		if err != nil {
			fmt.Fprintf(d.out, "   FAILED  %s: %v\n", display(key), err)
			continue
		}
		d.worked++
		worked++
		if show {
			fmt.Fprintf(d.out, "   %s  %s\n", outcome, display(key))
		}
	}
	return worked
}

// use does with one URL what it was signed for, and checks that it had its effect.
func (d *demonstration) use(ctx context.Context, r *result, key string, content []byte) (outcome string, err error) {
	url, ok := r.URLs[key]
	if !ok {
		return "", fmt.Errorf("no URL for it (%s)", r.Errors[key].Code)
	}
	method, ok := map[string]string{"GetObject": "GET", "HeadObject": "HEAD", "PutObject": "PUT", "DeleteObject": "DELETE"}[r.Operation]
	if !ok {
		return "", fmt.Errorf("the demo cannot use a URL for %q", r.Operation)
	}
	var body []byte
	if method == "PUT" {
		body = content
	}
	resp, err := rawhttp.Do(ctx, method, url, r.headersFor(key), body)
	if err != nil {
		return "", err
	}
	want := http.StatusOK
	if method == "DELETE" {
		want = http.StatusNoContent
	}
	if resp.Status != want {
		return "", fmt.Errorf("%s: S3 answered %d %s", method, resp.Status, s3Code(resp.Body))
	}
	stored, err := d.s3.Get(bucket, key)
	switch method {
	case "GET":
		if !bytes.Equal(resp.Body, content) {
			return "", errors.New("GET: other bytes than were uploaded")
		}
		return fmt.Sprintf("GET %d  %6d bytes, the same", resp.Status, len(resp.Body)), nil
	case "HEAD":
		if n := resp.Header.Get("Content-Length"); n != strconv.Itoa(len(content)) {
			return "", fmt.Errorf("HEAD: %s bytes, want %d", n, len(content))
		}
	case "PUT":
		if err != nil || !bytes.Equal(stored, content) {
			return "", errors.New("PUT: S3 has other bytes under this key")
		}
		return fmt.Sprintf("PUT %d  %6d bytes", resp.Status, len(content)), nil
	case "DELETE":
		if !s3server.NotExist(err) {
			return "", errors.New("DELETE: the object is still there")
		}
	}
	return fmt.Sprintf("%s %d", method, resp.Status), nil
}

// sampleEvents sends every event of the folder that is for this function, straight to the function. Those of jobs are
// for the others.
func (d *demonstration) sampleEvents(ctx context.Context, folder string) error {
	names, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return err
	}
	sent, urls, worked := 0, 0, 0
	for _, name := range names {
		event, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var shape struct{ RequestContext, Keys, Prefix, Manifest json.RawMessage }
		if err := json.Unmarshal(event, &shape); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		overHTTP := shape.RequestContext != nil
		if !overHTTP && shape.Keys == nil && shape.Prefix == nil && shape.Manifest == nil {
			d.say("   %-28s is for the functions that do jobs\n", name)
			continue
		}
		sent++
		r, err := d.invoke(ctx, event, overHTTP)
		if err == nil && (len(r.Errors) > 0 || len(r.URLs) == 0) {
			err = fmt.Errorf("%d URLs and %d errors, want URLs alone", len(r.URLs), len(r.Errors))
		}
		if err != nil {
			d.failed++
			fmt.Fprintf(d.out, "   FAILED  %s: %v\n", name, err)
			continue
		}
		keys := slices.Sorted(maps.Keys(r.URLs))
		files := map[string][]byte{}
		for _, key := range keys {
			files[key] = sampleContent(key, r.headersFor(key)["content-length"])
		}
		if r.Operation != "PutObject" { // then the objects have to be there first
			put, _, err := d.post(ctx, map[string]any{"operation": "PutObject", "keys": keys})
			if err != nil {
				return err
			}
			d.useAll(ctx, put, keys, files, false)
		}
		n := d.useAll(ctx, r, keys, files, false)
		d.say("   %-28s %-12s %d of %d URLs worked\n", name, r.Operation, n, len(keys))
		urls, worked = urls+len(keys), worked+n
	}
	if sent == 0 {
		return fmt.Errorf("no sample event for this function in %s", folder)
	}
	fmt.Fprintf(d.out, "3. Events     %d sample events went to the function as AWS sends them; %d of their %d URLs worked\n", sent, worked, urls)
	return nil
}

// invoke hands an event to the function and reads the answer in the event's own form.
func (d *demonstration) invoke(ctx context.Context, event []byte, overHTTP bool) (*result, error) {
	payload, err := d.function.Invoke(ctx, event)
	if err != nil {
		var fe *runtimeapi.FunctionError
		if errors.As(err, &fe) {
			return nil, fmt.Errorf("%s: %s", fe.Type, fe.Message)
		}
		return nil, err
	}
	if !overHTTP {
		return readResult(http.StatusOK, payload)
	}
	resp, err := httpapi.ParseResponse(payload)
	if err != nil {
		return nil, err
	}
	return readResult(resp.Status, resp.Body)
}

// tampered changes the last digit of a signature and returns how many such URLs were refused: 1, or 0 and a failure.
func (d *demonstration) tampered(ctx context.Context, r *result, key string) int {
	url := r.URLs[key]
	if url == "" {
		d.failed++
		fmt.Fprintf(d.out, "   FAILED  there is no URL to tamper with\n")
		return 0
	}
	other := "0"
	if strings.HasSuffix(url, other) {
		other = "1"
	}
	resp, err := rawhttp.Do(ctx, "GET", url[:len(url)-1]+other, r.headersFor(key), nil)
	if err != nil {
		d.failed++
		fmt.Fprintf(d.out, "   FAILED  tampered URL: %v\n", err)
		return 0
	}
	code := s3Code(resp.Body)
	if resp.Status != http.StatusForbidden || code != "SignatureDoesNotMatch" {
		d.failed++
		fmt.Fprintf(d.out, "   FAILED  tampered URL: S3 answered %d %s, want 403 SignatureDoesNotMatch\n", resp.Status, code)
		return 0
	}
	fmt.Fprintf(d.out, "4. Refused    a URL with one digit of its signature changed: S3 says %d %s\n", resp.Status, code)
	return 1
}

// unsafe returns how many unsafe keys were refused: 1, or 0 and a failure.
func (d *demonstration) unsafe(r *result, key string) int {
	_, signed := r.URLs[key]
	e := r.Errors[key]
	if signed || e.Code != "UnsafeKey" {
		d.failed++
		fmt.Fprintf(d.out, "   FAILED  the key %s: error %q, want UnsafeKey\n", display(key), e.Code)
		return 0
	}
	fmt.Fprintf(d.out, "              the key %s: the pre-signer says %s\n", display(key), e.Code)
	return 1
}

// s3Code is the Code of an S3 error. The rest of an S3 error can hold the token.
func s3Code(body []byte) string {
	var e struct{ Code string }
	_ = xml.Unmarshal(body, &e)
	return e.Code
}

// display shows a key as it is if that is harmless on a terminal, else quoted.
func display(key string) string {
	if q := strconv.Quote(key); q != `"`+key+`"` {
		return q
	}
	return key
}

// sampleFiles are a few files of different kinds, under names that often go wrong.
func sampleFiles() map[string][]byte {
	picture := image.NewRGBA(image.Rect(0, 0, 64, 64))
	for y := range 64 {
		for x := range 64 {
			picture.Set(x, y, color.RGBA{R: uint8(4 * x), G: uint8(4 * y), B: uint8(x ^ y), A: 255})
		}
	}
	var pngFile bytes.Buffer
	if err := png.Encode(&pngFile, picture); err != nil {
		panic(err) // a buffer takes everything
	}
	return map[string][]byte{
		"holiday photo (1).png":         pngFile.Bytes(),
		"reports/Q3+Q4, 100%.csv":       []byte("quarter,share\nQ3,40%\nQ4,60%\n"),
		"été/naïve café.txt":            []byte("Les clefs sont des octets.\n"),
		"旅行/😀.json":                     []byte(`{"mood": "😀"}`),
		"a//b?c=d&e#f;g.bin":            sampleContent("a//b?c=d&e#f;g.bin", "100000"),
		"already%20escaped/%2F.txt":     []byte("Nobody decodes this key.\n"),
		"archive/.hidden/empty folder/": {},
	}
}

// sampleContent makes up a file for a key: the same bytes for the same key, other bytes for another. length is what
// a signed content-length demands, or "".
func sampleContent(key, length string) []byte {
	n, err := strconv.Atoi(length)
	if err != nil {
		n = 1000
	}
	content := make([]byte, n)
	rand.NewChaCha8(sha256.Sum256([]byte(key))).Read(content)
	return content
}

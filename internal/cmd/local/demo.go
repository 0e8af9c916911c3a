package main

import (
	"bytes"
	"cmp"
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

// A demonstration counts what worked, so that its last line is a fact.
type demonstration struct {
	*machine
	out    io.Writer
	urls   int // signed URLs used
	worked int // of these
	failed int // anything else that is not as it should be
}

// demo shows the pre-signer at work. The error is nil only if every URL worked and what must be refused was.
func demo(ctx context.Context, binary, events string, out io.Writer) error {
	var functionLog bytes.Buffer
	m, err := startMachine(binary, "127.0.0.1:0", &functionLog)
	if err != nil {
		return errors.Join(err, logged(&functionLog))
	}
	d := &demonstration{machine: m, out: out}
	err = d.run(ctx, binary, events)
	m.close() // after it, the log is whole
	if err != nil {
		return errors.Join(err, logged(&functionLog))
	}
	return nil
}

// logged is what the function wrote, for a demo that failed. It holds no URLs; that is tested elsewhere.
func logged(log *bytes.Buffer) error {
	if log.Len() == 0 {
		return nil
	}
	return fmt.Errorf("the function's log:\n%s", log)
}

func (d *demonstration) run(ctx context.Context, binary, events string) error {
	fmt.Fprintf(d.out, `The bulk pre-signer, with everything on this machine:
  HTTP      %s   stands in for API Gateway
  Function  %s under a local Lambda runtime API, with temporary credentials
  S3        %s   verifies every signature; bucket %s is empty

`, d.url, binary, d.s3.Endpoint(), bucket)

	files := sampleFiles()
	keys := slices.Sorted(maps.Keys(files))

	fmt.Fprintf(d.out, "1. One call signs an upload for each of %d files, then each is uploaded to its URL\n", len(keys))
	put, _, err := d.post(ctx, map[string]any{"operation": "PutObject", "keys": keys})
	if err != nil {
		return err
	}
	d.useAll(ctx, put, keys, files, true)

	fmt.Fprintf(d.out, "\n2. One call signs a download for each, and for a key that cannot work; then each is downloaded\n")
	const unsafe = "../x"
	get, answer, err := d.post(ctx, map[string]any{"keys": append(slices.Clone(keys), unsafe)})
	if err != nil {
		return err
	}
	d.useAll(ctx, get, keys, files, true)

	fmt.Fprintf(d.out, "\n3. The sample events go to the function as AWS would send them, and their URLs are used\n")
	if err := d.sampleEvents(ctx, events); err != nil {
		return err
	}

	fmt.Fprintf(d.out, "\n4. What must be refused\n")
	tampered := d.tampered(ctx, get, keys[0])
	refused := d.unsafe(get, unsafe)

	fmt.Fprintf(d.out, "\n5. The answer of step 2\n")
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, answer, "", "  "); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	fmt.Fprintf(d.out, "%s\n\n", bytes.TrimSpace(pretty.Bytes()))

	if err := ctx.Err(); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "demo: %d/%d URLs worked, %d tampered URL refused, %d unsafe key refused\n", d.worked, d.urls, tampered, refused)
	if d.worked != d.urls || d.failed > 0 {
		return fmt.Errorf("not everything worked; see FAILED above")
	}
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

// sampleEvents sends every event of the folder that is for this function, straight to the function.
func (d *demonstration) sampleEvents(ctx context.Context, folder string) error {
	names, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return err
	}
	sent := 0
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
			fmt.Fprintf(d.out, "   %-28s is for another function\n", name)
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
		worked := d.useAll(ctx, r, keys, files, false)
		fmt.Fprintf(d.out, "   %-28s %-12s %d of %d URLs worked\n", name, r.Operation, worked, len(keys))
	}
	if sent == 0 {
		return fmt.Errorf("no sample event for this function in %s", folder)
	}
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
	fmt.Fprintf(d.out, "   a URL with one digit of its signature changed: S3 says %d %s\n", resp.Status, code)
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
	fmt.Fprintf(d.out, "   the key %s: the pre-signer says %s\n", display(key), e.Code)
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

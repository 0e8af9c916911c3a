package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"bulkpresign/internal/check/rawhttp"
)

// The objects of a result, beside each other in a folder with the input's name.
const (
	resultsPrefix = "results/"
	checkpoints   = resultsPrefix + "checkpoints/" // of jobs that were handed on
	summaryName   = "summary.json"
	resultName    = "result.ndjson.gz"
)

// summary is what a reader needs of one.
type summary struct {
	Entries, Signed int
	Result          *struct {
		Bucket, Key, ETag string
		Size              int
	}
	Error   *struct{ Code, Message string }
	Headers map[string]string
}

// report is what was found.
type report struct {
	kinds          map[string]int // inputs
	complete, dead int            // inputs with a complete result, and without one in a dead-letter queue
	failed         int            // inputs with a summary that tells of an error
	both           int            // inputs with a result that are in a dead-letter queue all the same
	lost, doubled  int
	lines, used    int // of the results; URLs that were used
	unknown        int // lines of objects about which S3 did not answer
	stale          int // summaries that tell of a result that another delivery of the same input wrote over
	problems       []error
}

// check holds every object of the results bucket against the inputs.
func (c *chaos) check(ctx context.Context, w *workload, dead map[string]bool) (*report, error) {
	keys, err := keysOf(ctx, c.plain, results)
	if err != nil {
		return nil, err
	}
	folders := map[string]map[string]bool{}
	for _, key := range keys {
		if strings.HasPrefix(key, checkpoints) {
			continue
		}
		folder, name := path.Split(key)
		folder = strings.TrimSuffix(strings.TrimPrefix(folder, resultsPrefix), "/")
		if folders[folder] == nil {
			folders[folder] = map[string]bool{}
		}
		folders[folder][name] = true
	}
	r := &report{kinds: map[string]int{}}
	problem := func(in *input, format string, args ...any) {
		if len(r.problems) < 20 {
			r.problems = append(r.problems, fmt.Errorf("%s %s: "+format, append([]any{in.kind, in.name}, args...)...))
		}
	}
	for i, in := range w.inputs {
		r.kinds[in.kind]++
		found := folders[in.name]
		delete(folders, in.name)
		switch {
		case found[summaryName] && dead[in.name]:
			r.both++
		case !found[summaryName] && dead[in.name]:
			r.dead++
			continue
		case !found[summaryName]:
			r.lost++
			problem(in, "there is neither a result nor a dead letter")
			continue
		}
		sample := 0
		if c.sampled > 0 && i%max(1, len(w.inputs)/c.sampled) == 0 {
			sample = 1 + in.count/2
		}
		if err := c.checkInput(ctx, in, found, sample, r); err != nil {
			r.lost++ // what is not right is as good as not there
			problem(in, "%v", err)
		}
	}
	r.doubled = len(folders)
	for folder := range folders {
		if len(r.problems) < 20 {
			r.problems = append(r.problems, fmt.Errorf("the result %s is of no input", folder))
		}
	}
	return r, nil
}

// checkInput looks at the result of one input. The URL of line sample, from 1, is used.
func (c *chaos) checkInput(ctx context.Context, in *input, found map[string]bool, sample int, r *report) error {
	text, err := c.s3.Get(results, resultsPrefix+in.name+"/"+summaryName)
	if err != nil {
		return err
	}
	var s summary
	if err := json.Unmarshal(text, &s); err != nil {
		return errors.New("the summary is not JSON")
	}
	if in.fails {
		if s.Error == nil || s.Error.Code == "" || s.Error.Message == "" {
			return errors.New("the summary has no error, though this cannot be signed")
		}
		if s.Result != nil || len(found) != 1 {
			return errors.New("there is a result of what cannot be signed")
		}
		r.failed++
		return nil
	}
	switch {
	case s.Error != nil:
		return fmt.Errorf("it failed with %s: %s", s.Error.Code, s.Error.Message)
	case s.Result == nil || s.Result.Key != resultsPrefix+in.name+"/"+resultName || !found[resultName] || len(found) != 2:
		return fmt.Errorf("it has %d objects, want a summary and a result", len(found))
	case s.Entries != in.count || s.Signed != in.count-in.bad && !in.looks:
		return fmt.Errorf("the summary counts %d entries and %d signed, want %d and %d", s.Entries, s.Signed, in.count, in.count-in.bad)
	}
	object, err := c.s3.Get(results, s.Result.Key)
	if err != nil {
		return err
	}
	if len(object) != s.Result.Size {
		r.stale++
	}
	seen := make([]bool, in.count)
	lines, unknown := 0, 0
	err = eachLine(bytes.NewReader(object), func(line []byte) error {
		lines++
		var l struct {
			Key, URL string
			Error    *struct{ Code, Message string }
		}
		if err := json.Unmarshal(line, &l); err != nil {
			return fmt.Errorf("line %d is not JSON", lines)
		}
		n, err := strconv.Atoi(strings.TrimSuffix(l.Key[strings.LastIndexByte(l.Key, '/')+1:], ".jpg"))
		switch {
		case err != nil || n < 0 || n >= in.count || l.Key != in.key(n):
			return fmt.Errorf("line %d is of a key that was not asked for", lines)
		case seen[n]:
			return fmt.Errorf("line %d is of a key that was there before", lines)
		case in.looks && l.Error != nil && l.Error.Code == "NotVerified": // S3 did not say: that is true, and what was promised
			unknown++
		case in.looks && l.Error != nil && l.Error.Code != "NotFound":
			return fmt.Errorf("line %d has the error %s", lines, l.Error.Code)
		case n < in.count-in.bad && (l.URL == "" || l.Error != nil), n >= in.count-in.bad && (l.URL != "" || l.Error == nil || l.Error.Code == ""):
			return fmt.Errorf("line %d has an error for a URL, or a URL for an error", lines)
		}
		seen[n] = true
		if lines == sample && l.URL != "" {
			return c.use(ctx, in, l.Key, l.URL, s.Headers, r)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if lines != in.count {
		return fmt.Errorf("the result has %d lines, want %d", lines, in.count)
	}
	if signed := in.count - in.bad; in.looks && (s.Signed > signed || s.Signed < signed-unknown) {
		return fmt.Errorf("the summary counts %d signed, want %d less the %d that S3 said nothing of", s.Signed, signed, unknown)
	}
	r.complete++
	r.lines += lines
	r.unknown += unknown
	return nil
}

// use does with a URL what it is for, at the server that verifies it.
func (c *chaos) use(ctx context.Context, in *input, key, url string, headers map[string]string, r *report) error {
	content := []byte("content of " + key)
	method := "GET"
	var body []byte
	if in.put {
		method, body = "PUT", content
	} else if err := c.s3.Put(photos, key, content); err != nil {
		return err
	}
	answer, err := rawhttp.Do(ctx, method, url, headers, body)
	if err != nil || answer.Status != 200 {
		return errors.New("a URL does not work")
	}
	if stored, err := c.s3.Get(photos, key); err != nil || !bytes.Equal(stored, content) || !in.put && !bytes.Equal(answer.Body, content) {
		return errors.New("a URL leads to other bytes")
	}
	r.used++
	return nil
}

// eachLine reads gzip NDJSON to its very end.
func eachLine(r io.Reader, line func([]byte) error) error {
	z, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("not gzip: %w", err)
	}
	lines := bufio.NewReaderSize(z, 1<<16)
	for {
		text, err := lines.ReadSlice('\n')
		switch {
		case err == io.EOF && len(text) == 0:
			return nil
		case err != nil:
			return fmt.Errorf("cut off: %w", err)
		}
		if err := line(text); err != nil {
			return err
		}
	}
}

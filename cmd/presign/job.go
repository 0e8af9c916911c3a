package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/smithy-go"
)

// jobFormats are those of a job's result.
var jobFormats = []string{lines, "ndjson"}

// asJob puts the keys into the bucket of lists, waits for the result, and writes it. The list's name is made of what it
// asks for, so that the same call finds the same job again.
func (o *options) asJob(ctx context.Context, keys []string, operation string, g *gathering, s streams) error {
	switch {
	case o.url != "" || o.function != "":
		return usageError("a job is asked for by a list in S3", "give -job, or one of -function and -url")
	case !slices.Contains(jobFormats, o.format):
		return usageError("the result of a job is not "+o.format, "the formats are "+strings.Join(jobFormats, " and "))
	case o.job == "":
		return usageError("where lists are put is not known", "give -job s3://BUCKET/manifests/, as the deployment has it")
	case o.machine != "" && o.results != "":
		return usageError("an execution says where its result is", "leave -results out")
	case o.machine == "" && o.results == "":
		return usageError("where the job's result comes is not known", "give -results s3://BUCKET/results/, as the deployment has it")
	}
	into, err := parseTarget(o.job)
	if err != nil {
		return err
	}
	var from target
	if o.machine == "" {
		if from, err = parseTarget(o.results); err != nil {
			return err
		}
	}
	if into.prefix != "" && !strings.HasSuffix(into.prefix, "/") || from.prefix != "" && !strings.HasSuffix(from.prefix, "/") {
		return usageError("-job and -results are folders", "they end in /")
	}
	engine, err := newHere(ctx, o, into.bucket)
	if err != nil {
		return err
	}
	if err := g.gather(keys, o, operation, s.in); err != nil {
		return err
	}
	if g.under {
		return usageError("a job's keys are named, or in a list", "the service signs a prefix without a list: -function or -url")
	}
	head, err := o.requestHead(operation, &gathering{target: g.target, more: g.more})
	if err != nil {
		return err
	}
	metadata, err := metadataOf(head)
	if err != nil {
		return err
	}
	var list bytes.Buffer
	z := gzip.NewWriter(&list)
	name := sha256.New()
	name.Write(head)
	to := io.MultiWriter(z, name)
	all := batch{g.text, g.starts}
	for i := range all.starts {
		to.Write(append(all.cut(i, i+1).text, '\n')) // neither fails into memory
	}
	if err := z.Close(); err != nil {
		return err
	}
	base := "presign-" + hex.EncodeToString(name.Sum(nil)[:16]) + ".jsonl.gz"
	j := &waitingJob{client: engine.client, results: from, base: base, began: time.Now()}
	put := func(key string, metadata map[string]string) error {
		_, err := j.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &into.bucket, Key: &key, Body: bytes.NewReader(list.Bytes()), Metadata: metadata})
		if err != nil {
			return fmt.Errorf("put the list into s3://%s/%s: %w", into.bucket, oneLine(into.prefix), plain(err))
		}
		return nil
	}
	if o.machine != "" {
		key := into.prefix + scaleFolder + base
		manifest, _ := json.Marshal("s3://" + into.bucket + "/" + key) // no string fails
		input := fmt.Appendf(nil, `%s,"manifest":%s}`, bytes.TrimSuffix(head, []byte(",")), manifest)
		e := &execution{client: sfn.NewFromConfig(engine.config), machine: o.machine, name: strings.TrimSuffix(base, ".jsonl.gz")}
		place, err := e.run(ctx, input, func() error { return put(key, nil) }, s.err, g.count)
		if err != nil {
			return err
		}
		found, err := j.read(ctx, place.Bucket, place.Key)
		if err != nil {
			return err
		}
		return j.write(ctx, found, o, g, s)
	}
	key := into.prefix + base
	found, err := j.summary(ctx)
	if err != nil {
		return err
	}
	if found == nil {
		_, err := j.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &into.bucket, Key: &key})
		if err != nil || j.ended { // else the job is under way
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := put(key, metadata); err != nil {
				return err
			}
		}
		if found, err = j.wait(ctx, s.err, g.count); err != nil {
			return err
		}
	}
	return j.write(ctx, found, o, g, s)
}

// metadataOf is a request's head as a list's metadata.
func metadataOf(head []byte) (map[string]string, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(fmt.Appendf(nil, "%s}", bytes.TrimSuffix(head, []byte(","))), &members); err != nil {
		return nil, usageError("an option is given twice, or is none", "presign get -h")
	}
	all := make(map[string]string)
	for name, value := range members {
		var text string
		if json.Unmarshal(value, &text) != nil {
			text = string(value)
		}
		all["presign-"+strings.ReplaceAll(name, "_", "-")] = text
	}
	return all, nil
}

// waitingJob is a list that was put.
type waitingJob struct {
	client  *s3.Client
	results target
	base    string
	began   time.Time
	ended   bool // there is a result, and it is of no use any more
}

// jobSummary is what is used of a summary.json.
type jobSummary struct {
	Signed    int64     `json:"signed"`
	Entries   int64     `json:"entries"`
	ExpiresAt time.Time `json:"expires_at"`
	Result    *place    `json:"result"`
	Parts     []place   `json:"parts"` // of an execution, in order
	Error     *reason   `json:"error"`
}

// place is an object.
type place struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
}

// summary is the job's, or nil while there is none. One whose URLs have ended is none: the list is put again.
func (j *waitingJob) summary(ctx context.Context) (*jobSummary, error) {
	prefix := j.results.prefix + j.base + "-" // behind it stands the service's own mark
	page, err := j.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &j.results.bucket, Prefix: &prefix})
	if err != nil {
		return nil, fmt.Errorf("look for the result in s3://%s/%s: %w", j.results.bucket, oneLine(j.results.prefix), plain(err))
	}
	for _, o := range page.Contents {
		if !strings.HasSuffix(aws.ToString(o.Key), "/summary.json") {
			continue
		}
		found, err := j.read(ctx, j.results.bucket, *o.Key)
		switch {
		case err != nil:
			return nil, err
		case found.Error != nil && o.LastModified != nil && o.LastModified.Before(j.began.Add(-time.Minute)):
			j.ended = true // of an earlier call, which may be tried again
		case found.Error != nil || time.Now().Before(found.ExpiresAt):
			return found, nil
		default:
			j.ended = true
		}
	}
	return nil, nil
}

// read reads a summary.
func (j *waitingJob) read(ctx context.Context, bucket, key string) (*jobSummary, error) {
	text, err := j.get(ctx, bucket, key)
	if err != nil {
		return nil, err
	}
	defer text.Close()
	found := new(jobSummary)
	if json.NewDecoder(text).Decode(found) != nil {
		return nil, errors.New("the job's summary cannot be read")
	}
	return found, nil
}

func (j *waitingJob) get(ctx context.Context, bucket, key string) (io.ReadCloser, error) {
	r, err := j.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, fmt.Errorf("read the result: %w", plain(err))
	}
	return r.Body, nil
}

// wait looks until the job is done. Ctrl-C leaves the job, which goes on.
func (j *waitingJob) wait(ctx context.Context, errs io.Writer, count int) (*jobSummary, error) {
	p := newProgress(errs, false, 0, 0)
	p.tell("the list of %s is with the service; waiting for its result", counted(count, "key"))
	for pause := time.Second; ; pause = min(pause*3/2, 20*time.Second) {
		select {
		case <-ctx.Done():
			return nil, usageError("stopped waiting; the job goes on", "the same command finds it again")
		case <-time.After(pause):
		}
		found, err := j.summary(ctx)
		var answer smithy.APIError
		if found != nil || err != nil && ctx.Err() == nil && errors.As(err, &answer) {
			return found, err
		}
	}
}

// write writes the result's lines, and tells of those that failed.
func (j *waitingJob) write(ctx context.Context, found *jobSummary, o *options, g *gathering, s streams) error {
	if found.Error != nil {
		return fmt.Errorf("the job failed: %s: %s", oneLine(found.Error.Code), oneLine(found.Error.Message))
	}
	parts := found.Parts
	if found.Result != nil {
		parts = []place{*found.Result}
	}
	if len(parts) == 0 {
		return errors.New("the job has no result")
	}
	body := &inOrder{open: func(p place) (io.ReadCloser, error) { return j.get(ctx, p.Bucket, p.Key) }, parts: parts}
	defer body.Close()
	z, err := gzip.NewReader(body)
	if err != nil {
		return errors.New("the job's result is damaged")
	}
	to, done := s.out, func() error { return nil }
	if o.out != "" {
		if to, done, err = create(o.out); err != nil {
			return err
		}
	}
	w := bufio.NewWriterSize(to, 1<<16)
	failed, signed := g.failed, 0
	for l := scanner(z); ; {
		if !l.Scan() {
			if err = l.Err(); err != nil {
				err = errors.New("the job's result broke off: ask again")
			}
			break
		}
		var line struct {
			Key, URL string
			Error    *reason
		}
		if err = json.Unmarshal(l.Bytes(), &line); err != nil {
			break
		}
		if line.Error != nil {
			failed++
			g.tell("%s: %s: %s", oneLine(line.Key), oneLine(line.Error.Code), oneLine(line.Error.Message))
		} else {
			signed++
		}
		switch {
		case o.format == "ndjson":
			fmt.Fprintf(w, "%s\n", l.Bytes())
		case line.Error == nil:
			fmt.Fprintln(w, line.URL)
		}
	}
	if err == nil {
		err = errors.Join(w.Flush())
	}
	if err == nil {
		err = done()
	} else if file, ok := to.(*os.File); ok && o.out != "" {
		file.Close()
		os.Remove(file.Name())
	}
	switch {
	case err != nil:
		return err
	case failed == 0:
		return nil
	case signed == 0:
		return fmt.Errorf("none of %s was signed", counted(failed, "key"))
	}
	return &partial{failed: failed, of: failed + signed}
}

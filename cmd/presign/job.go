package main

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
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
	case o.url != "":
		return usageError("a job is asked for by a list in S3", "give -job, or -url")
	case !slices.Contains(jobFormats, o.format):
		return usageError("the result of a job is not "+o.format, "the formats are "+strings.Join(jobFormats, " and "))
	case o.job == "":
		return usageError("where lists are put is not known", "give -job s3://BUCKET/manifests/, as the deployment has it, or -job auto with -function")
	case o.job == fromSettings && o.function == "":
		return usageError("whose settings say where lists are put is not known", "give -function NAME with -job auto, or -job s3://BUCKET/manifests/")
	case o.machine != "" && o.results != "":
		return usageError("an execution says where its result is", "leave -results out")
	case o.machine == "" && o.results == "" && o.function == "":
		return usageError("where the job's result comes is not known", "give -results s3://BUCKET/results/, as the deployment has it, or -function, whose settings say it")
	}
	at, err := o.folders(ctx)
	if err != nil {
		return err
	}
	engine, err := newHere(ctx, o, at.lists.bucket)
	if err != nil {
		return err
	}
	list, err := newListFile()
	if err != nil {
		return err
	}
	defer list.Close()
	g.take = list.add
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
	base, err := list.end(head)
	if err != nil {
		return err
	}
	j := &waitingJob{client: engine.in(at.resultsRegion), results: at.results, base: base, began: time.Now()}
	put := func(key string, metadata map[string]string) error {
		if _, err := list.Seek(0, io.SeekStart); err != nil {
			return err
		}
		_, err := engine.in(at.listsRegion).PutObject(ctx, &s3.PutObjectInput{Bucket: &at.lists.bucket, Key: &key, Body: list.File, Metadata: metadata})
		if err != nil {
			return fmt.Errorf("put the list into s3://%s/%s: %w", at.lists.bucket, oneLine(at.lists.prefix), plain(err))
		}
		return nil
	}
	p := newProgress(s.err, o.verbose, 0, 0)
	if o.machine != "" {
		key := at.lists.prefix + scaleFolder + base
		manifest, _ := json.Marshal("s3://" + at.lists.bucket + "/" + key) // no string fails
		input := fmt.Appendf(nil, `%s,"manifest":%s}`, bytes.TrimSuffix(head, []byte(",")), manifest)
		e := &execution{client: sfn.NewFromConfig(engine.config), machine: o.machine, name: strings.TrimSuffix(base, ".jsonl.gz")}
		place, err := e.run(ctx, input, func() error { return put(key, nil) }, p, g.count)
		p.end()
		if err != nil {
			return err
		}
		found, err := j.read(ctx, place.Bucket, place.Key)
		if err != nil {
			return err
		}
		return j.write(ctx, found, o, g, s)
	}
	key := at.lists.prefix + base
	found, err := j.summary(ctx)
	if err != nil {
		return err
	}
	if found == nil {
		there, err := engine.in(at.listsRegion).HeadObject(ctx, &s3.HeadObjectInput{Bucket: &at.lists.bucket, Key: &key})
		if err != nil || j.ended || j.lost(ctx, there.LastModified) { // else the job is under way
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := put(key, metadata); err != nil {
				return err
			}
		}
		if found, err = j.wait(ctx, p, g.count); err != nil {
			return err
		}
	}
	return j.write(ctx, found, o, g, s)
}

// fromSettings is -job's value where the function's own settings say where lists are put.
const fromSettings = "auto"

// folders are where a job's list is put, and where its result comes.
type folders struct {
	lists, results             target
	listsRegion, resultsRegion string // empty: that of the call
}

// folders reads the flags, and what they leave open from the settings of the function, where that is allowed.
func (o *options) folders(ctx context.Context) (at folders, err error) {
	var settings map[string]string
	if o.function != "" && (o.job == fromSettings || o.results == "" && o.machine == "") {
		r, err := newRemote(ctx, o)
		if err != nil {
			return at, err
		}
		const instead = "give -job s3://BUCKET/manifests/ -results s3://BUCKET/results/, as the deployment has them"
		if settings, err = r.settings(ctx); err != nil {
			var no *refusal
			if errors.As(err, &no) && no.status == http.StatusForbidden {
				return at, usageError("the function's settings may not be read by you ("+no.Error()+")", instead+"; or be allowed lambda:GetFunctionConfiguration")
			}
			return at, usageError("the function's settings cannot be read: "+err.Error(), instead)
		}
		if settings["PRESIGN_RESULTS_BUCKET"] == "" || o.job == fromSettings && settings["PRESIGN_MANIFEST_BUCKET"] == "" {
			return at, usageError("the function's settings do not say where its lists and results are", "give the stack's output JobsFunctionName; or "+instead)
		}
	}
	of := func(folder, flag, bucket, prefix, common string) (t target, region string, err error) {
		if folder == "" || folder == fromSettings {
			t.bucket, region, _ = strings.Cut(settings[bucket], "@")
			t.prefix = cmp.Or(settings[prefix], common)
			return t, region, nil
		}
		if t, err = parseTarget(folder); err == nil && t.prefix != "" && !strings.HasSuffix(t.prefix, "/") {
			err = usageError(flag+" is a folder", "it ends in /")
		}
		return t, "", err
	}
	if at.lists, at.listsRegion, err = of(o.job, "-job", "PRESIGN_MANIFEST_BUCKET", "PRESIGN_MANIFEST_PREFIX", "manifests/"); err != nil || o.machine != "" {
		return at, err
	}
	at.results, at.resultsRegion, err = of(o.results, "-results", "PRESIGN_RESULTS_BUCKET", "PRESIGN_RESULTS_PREFIX", "results/")
	return at, err
}

// in is the client for a bucket of a region.
func (h *here) in(region string) *s3.Client {
	if region == "" || region == h.config.Region {
		return h.client
	}
	return s3.New(h.client.Options(), func(o *s3.Options) { o.Region = region })
}

// memberBytes is how much text goes into a member of gzip: the state machine cuts a list between members.
const memberBytes = 8 << 20

// listFile is a list on disk, so that it need not fit into memory.
type listFile struct {
	*os.File
	z    *gzip.Writer
	text int // bytes in this member
	sum  hash.Hash
	err  error // the first
}

func newListFile() (*listFile, error) {
	file, err := os.CreateTemp("", "presign-job-*")
	if err != nil {
		return nil, err
	}
	return &listFile{File: file, z: gzip.NewWriter(file), sum: sha256.New()}, nil
}

// add writes an entry. An error is told of at the end.
func (l *listFile) add(item []byte) {
	line := append(item, '\n')
	l.sum.Write(line) // no hash fails
	_, err := l.z.Write(line)
	if l.text += len(line); l.text >= memberBytes {
		err = errors.Join(err, l.z.Close())
		l.z.Reset(l.File)
		l.text = 0
	}
	l.err = cmp.Or(l.err, err)
}

// end gives the list's name: what it holds, and what is asked for.
func (l *listFile) end(head []byte) (string, error) {
	var err error
	if l.text > 0 {
		err = l.z.Close()
	}
	l.sum.Write(head)
	return "presign-" + hex.EncodeToString(l.sum.Sum(nil)[:16]) + ".jsonl.gz", cmp.Or(l.err, err)
}

// Close removes it.
func (l *listFile) Close() error { return errors.Join(l.File.Close(), os.Remove(l.Name())) }

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
func (j *waitingJob) wait(ctx context.Context, p *progress, count int) (*jobSummary, error) {
	p.tell("the list of %s is with the service; waiting for its result", counted(count, "key"))
	defer p.end()
	state := "no result yet"
	for pause := time.Second; ; pause = min(pause*3/2, 20*time.Second) {
		if !p.pause(ctx, pause, state, j.began) {
			p.end()
			return nil, usageError("stopped waiting; the job goes on", "the same command finds it again")
		}
		found, err := j.summary(ctx)
		var answer smithy.APIError
		if found != nil || err != nil && ctx.Err() == nil && errors.As(err, &answer) {
			return found, err
		}
		if n := j.done(ctx); n > 0 {
			state = fmt.Sprintf("%d of %s done when it was last handed on", n, counted(count, "key"))
		}
	}
}

// longest is more than a job takes from its list to its first checkpoint, with an invocation of fifteen minutes and another try.
const longest = time.Hour

// lost tells whether a list was put too long ago for its job to be still under way: nobody was told of the list, or the result has
// been deleted since.
func (j *waitingJob) lost(ctx context.Context, put *time.Time) bool {
	return put != nil && j.began.Sub(*put) > longest && j.done(ctx) == 0
}

// done is how many entries a long job had signed when it handed itself on, as its checkpoint says; 0 where there is none.
func (j *waitingJob) done(ctx context.Context) int64 {
	prefix := j.results.prefix + "checkpoints/" + j.base + "-"
	page, err := j.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &j.results.bucket, Prefix: &prefix})
	if err != nil {
		return 0
	}
	var most int64
	for _, o := range page.Contents {
		text, err := j.get(ctx, j.results.bucket, aws.ToString(o.Key))
		if err != nil {
			continue
		}
		var checkpoint struct {
			Resume struct {
				Stream struct{ Tally struct{ Entries int64 } }
			}
		}
		if json.NewDecoder(text).Decode(&checkpoint) == nil {
			most = max(most, checkpoint.Resume.Stream.Tally.Entries)
		}
		text.Close()
	}
	return most
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
	to, err := o.output(s)
	if err != nil {
		return err
	}
	defer to.drop()
	w := bufio.NewWriterSize(to, 1<<16)
	failed, signed := g.failed, 0
	for l := scanner(z); ; {
		if !l.Scan() {
			if err = l.Err(); err != nil {
				err = cmp.Or(ctx.Err(), errors.New("the job's result broke off: ask again"))
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
		err = w.Flush()
	}
	if err == nil {
		err = to.done()
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

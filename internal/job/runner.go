package job

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"bulkpresign/internal/answer"
	"bulkpresign/internal/audit"
	"bulkpresign/internal/awserr"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/config"
	"bulkpresign/internal/deflate"
	"bulkpresign/internal/delivery"
	"bulkpresign/internal/manifest"
	"bulkpresign/internal/objects"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/s3url"
	"bulkpresign/internal/service"
	"bulkpresign/internal/sqsqueue"
)

// Sender takes messages of at most 1 MiB.
type Sender interface {
	Send(ctx context.Context, body string) error
}

// OwnQueue is the queue to which a job is handed on. Its neighbours, whose messages a
// function does too, are known by their ARNs.
type OwnQueue interface {
	Sender
	Delay(ctx context.Context, queue string, delays []sqsqueue.Delay) error
}

// Runner does jobs. It is safe for concurrent use.
type Runner struct {
	Service *bulk.Service
	Store   *objects.Store
	Results *delivery.Bucket
	Lists   Place
	Queue   OwnQueue // to go on from; or nil
	Notify  Sender   // who is told of each result; or nil
	Log     *slog.Logger

	// RetryAfter is how long a message that failed waits until it comes again; four
	// times as long after each further failure. 0 leaves that to the queue.
	RetryAfter time.Duration

	// MaxReceives is how often the queue delivers a message before it gives it up; 0 when
	// that is not known.
	MaxReceives int
}

// Place is where lists lie.
type Place struct {
	Bucket string // empty: each bucket that may be signed for
	Prefix string
}

// holds tells whether an object is a list.
func (r *Runner) holds(bucket, key string) bool {
	inBucket := bucket == r.Lists.Bucket || r.Lists.Bucket == "" && r.Service.Policy.AllowsBucket(bucket)
	return inBucket && len(key) > len(r.Lists.Prefix) && key[:len(r.Lists.Prefix)] == r.Lists.Prefix
}

// holdsAny tells whether an object lies where lists do, the marker of that folder itself
// included.
func (r *Runner) holdsAny(bucket, key string) bool {
	return r.holds(bucket, key) || key != "" && key == r.Lists.Prefix && r.holds(bucket, key+"x")
}

// isResult tells whether an object is one that jobs write: to take it for an input would
// never end.
func (r *Runner) isResult(o objects.Ref) bool {
	p := r.Results.Prefix
	return o.Bucket == r.Results.Folder.Bucket && len(o.Key) >= len(p) && o.Key[:len(p)] == p
}

// Run does a job, as far as there is time. An error is one that may pass: the input must
// be delivered again. Whatever else is wrong is in the summary, which is in the results
// bucket, too. The summary is nil for an object that is no input: a result itself, or a
// part of an inventory.
func (r *Runner) Run(ctx context.Context, in *Input) (*Summary, error) {
	rec := audit.Begin(in.source)
	if in.handedOn != "" {
		job, err := r.load(ctx, in.handedOn)
		if err != nil {
			err = inResults(err)
			in.record(rec, new(Summary))
			rec.Failure = mayPass(err, deliverAgain)
			rec.End(ctx, r.Log)
			return nil, err
		}
		if job == nil {
			r.Log.InfoContext(ctx, "a job that was handed on is done already", "message", in.id)
			return nil, nil
		}
		job.source, job.id, job.receives = in.source, in.id, in.receives
		in = job
	}
	if in.Request == nil && in.bad == nil && r.isResult(in.Object) {
		r.Log.InfoContext(ctx, "an event of a result is passed over", "job", in.Identity)
		return nil, nil
	}
	if in.Request == nil && in.bad == nil && in.Resume == nil && r.holds(in.Object.Bucket, in.Object.Key) && strings.HasPrefix(in.Object.Key, r.Lists.Prefix+scaleFolder) {
		r.Log.InfoContext(ctx, "an event of a list for the state machine is passed over", "job", in.Identity)
		return nil, nil
	}
	if in.Request == nil && in.bad == nil && in.Resume == nil && r.holds(in.Object.Bucket, in.Object.Key) {
		if key, isPart := manifest.InventoryArrival(in.Object.Key); isPart && key == "" {
			r.Log.InfoContext(ctx, "an event of a part of an inventory is passed over: that of its manifest.checksum counts", "job", in.Identity)
			return nil, nil
		} else if isPart {
			in.Object = objects.Ref{Bucket: in.Object.Bucket, Key: key}
		}
	}
	if in.Request == nil && in.bad == nil && in.Resume == nil && r.holdsAny(in.Object.Bucket, in.Object.Key) {
		if why := manifest.NoList(in.Object.Key); why != "" {
			r.Log.InfoContext(ctx, "an event of what is no list is passed over: "+why, "job", in.Identity)
			return nil, nil
		}
	}
	s := new(Summary)
	err := r.run(ctx, in, s)
	if e := (*awserr.Error)(nil); in.Resume != nil && errors.As(err, &e) && e.Code == "NoSuchUpload" {
		// The upload was completed by another delivery of the same message, or S3 dropped it.
		var done bool
		if done, err = r.doneSince(ctx, in.summaryName(), in.Resume.Stream.Lifetime.SignedAt); err == nil && !done {
			again := *in
			again.Resume = nil
			*s = Summary{}
			err = r.run(ctx, &again, s)
		}
	}
	if e := (*bulk.Error)(nil); errors.As(err, &e) && e.Rule != "" {
		s.rules = append(s.rules, e.Rule)
	}
	if err != nil {
		var permanent bool
		if s.Error, permanent = verdict(err); permanent && !in.mayBeRead(err) {
			if in.Resume != nil {
				out := r.writer(in)
				out.Resume(in.Resume.Upload)
				r.abort(ctx, in, out)
			}
			s.Result, s.Lifetime = nil, nil
			err = inResults(r.write(ctx, in.summaryName(), s))
			if err == nil {
				err = r.notify(ctx, s, "")
			}
		}
	}
	if in.Resume != nil && err == nil && !s.handedOn {
		r.finish(ctx, in)
	}
	in.record(rec, s)
	switch {
	case err != nil:
		rec.Failure = mayPass(err, deliverAgain)
	case s.Error != nil:
		rec.Failure = &bulk.Error{Code: s.Error.Code, Detail: s.Error.Message}
	}
	rec.End(ctx, r.Log)
	return s, err
}

const deliverAgain = "the input must be delivered again"

// mayPass is a failure, for a record, that trying again may mend.
func mayPass(err error, what string) *bulk.Error {
	failure := &bulk.Error{Code: bulk.InternalError, Detail: what, Cause: err}
	if e := (*bulk.Error)(nil); errors.As(err, &e) {
		failure.Code = e.Code
	}
	return failure
}

// record fills in what is known of a job when it ends. What an earlier invocation did of
// it is in that one's record.
func (in *Input) record(rec *audit.Record, s *Summary) {
	var before bulk.Tally
	if in.Resume != nil && s.Entries >= in.Resume.Stream.Tally.Entries {
		before = in.Resume.Stream.Tally
	}
	entries := int(s.Entries - before.Entries)
	rec.ID, rec.Job, rec.HandedOn, rec.Caller = in.id, in.Identity, s.handedOn, in.Caller
	rec.Bucket, rec.Operation = s.Bucket, s.Operation
	rec.Items, rec.Keys, rec.Signed = entries, entries, int(s.Signed-before.Signed)
	rec.Decided(s.rules...)
	if s.Warnings != nil {
		rec.Warned = int(s.Warnings.Count)
		if in.Resume != nil {
			rec.Warned -= int(in.Resume.Warnings.Count)
		}
	}
	for code, n := range s.Failed {
		rec.Refuse(code, int(n-before.Failed[code]))
	}
	for _, f := range s.Errors[min(len(before.First), len(s.Errors)):] {
		rec.Deny(f.Key, f.Code)
	}
	if l := s.Lifetime; l != nil {
		rec.SignedAt, rec.ExpiresIn, rec.ExpiresAt, rec.Basis = l.SignedAt, l.ExpiresIn, l.ExpiresAt, l.Basis
		rec.CredentialsUntil = l.CredentialsUntil
	}
}

// mayBeRead tells whether what S3 does not let be read is to be tried once more: right after
// a deployment a role's new permissions do not hold everywhere yet. A direct caller is told
// at once.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
func (in *Input) mayBeRead(err error) bool {
	var call *awserr.Error
	return in.receives == 1 && errors.As(err, &call) && call.Status == http.StatusForbidden
}

// scaleFolder is where, among lists, those lie that start no job by their arrival, since the state
// machine is to sign them.
const scaleFolder = "scale/"

// work is a job whose request is known.
type work struct {
	in      *Input
	request *bulk.Request
	list    *objects.Object  // open, or nil
	reader  *manifest.Reader // of list, where it was looked into already

	described manifest.Description // of list
	earlier   []objects.Ref        // the files of the result that list is the summary of
}

// run does a job and fills the summary in. It writes the summary unless there is an
// error.
func (r *Runner) run(ctx context.Context, in *Input, s *Summary) error {
	w := &work{in: in}
	err := r.resolve(ctx, w, s)
	if w.list != nil {
		defer w.list.Close()
		s.Source.Manifest = &w.list.Ref
	}
	if err != nil {
		return err
	}
	var signer signer
	if w.request.Source == bulk.Keys {
		signer, err = r.signKeys(ctx, w, s)
	} else {
		signer, err = r.signStream(ctx, w, s)
	}
	if err != nil || s.handedOn {
		return err
	}
	if err := r.write(ctx, in.summaryName(), s); err != nil {
		return inResults(err)
	}
	if in.Shard != nil {
		return nil // nobody waits for a part
	}
	return r.notify(ctx, s, signer.PresignGet(r.Results.Location, s.Result.Key))
}

// signer signs the result's own URL for the notification.
type signer interface {
	PresignGet(at s3url.Location, key string) string
}

// resolve finds the request and, if its keys are in a list, opens that.
func (r *Runner) resolve(ctx context.Context, w *work, s *Summary) (err error) {
	in := w.in
	ref := in.Object
	s.Source.Kind = "request" // as far as is known
	switch {
	case in.bad != nil:
		if in.Request == nil {
			s.Source = Source{Kind: "object", Object: &ref} // as far as it could be read
		}
		return &bulk.Error{Code: bulk.InvalidRequest, Detail: in.bad.Error()}
	case in.Shard != nil:
		return r.resolveShard(ctx, w, s)
	case in.Request != nil:
		if w.request, err = r.decode(in.Request); err != nil {
			return err
		}
		s.Source.Kind = "keys"
	case r.holds(ref.Bucket, ref.Key):
		s.Source = Source{Kind: "manifest", Manifest: &ref}
		isRequest, err := r.openList(ctx, w, ref)
		if err != nil {
			return err
		}
		if !isRequest {
			if w.request, err = manifest.FromMetadata(w.list.Metadata); err == nil {
				w.request.Source = bulk.Manifest
			}
			return err
		}
		if w.request, err = r.readRequest(w); err != nil {
			return err
		}
	default:
		s.Source = Source{Kind: "object", Object: &ref}
		w.request = &bulk.Request{Bucket: ref.Bucket, Operation: s3op.GetObject, Items: []bulk.Item{{Key: ref.Key}}, Count: 1}
	}
	switch w.request.Source {
	case bulk.Prefix:
		s.Source = Source{Kind: "prefix", Prefix: &w.request.Prefix}
	case bulk.Manifest:
		ref := objects.Ref{Bucket: w.request.Manifest.Bucket, Key: w.request.Manifest.Key}
		s.Source = Source{Kind: "manifest", Manifest: &ref}
		if !r.mayRead(ref) {
			return r.elsewhere()
		}
		if r.isSummary(ref) {
			return r.resolveEarlier(ctx, w, ref)
		}
		isRequest, err := r.openList(ctx, w, ref)
		if err != nil {
			return err
		}
		if isRequest {
			return &bulk.Error{Code: bulk.InvalidRequest, Detail: `field "manifest" names a request rather than a list: send that request itself`}
		}
	}
	return nil
}

// openList opens what lies where lists do. Whether JSON is a request shows when it is
// looked into.
func (r *Runner) openList(ctx context.Context, w *work, ref objects.Ref) (isRequest bool, err error) {
	format, _, _ := manifest.FormatOf(ref.Key)
	resumed := w.in.Resume
	if resumed != nil && format != manifest.Request {
		ref.ETag = resumed.ETag
	}
	if w.list, err = r.Store.Open(ctx, ref); err != nil {
		return false, err
	}
	var known bool
	if w.described, known, err = manifest.Describe(ref.Key, w.list.Metadata); err != nil {
		return false, err
	}
	if !known {
		return false, unknownFormat()
	}
	if w.described.Format != manifest.Request {
		return false, nil
	}
	if w.reader, err = w.described.Read(w.list, manifest.Limits{}); err != nil {
		return false, err
	}
	if w.reader.IsRequest() {
		return true, nil
	}
	if resumed != nil && resumed.ETag != w.list.Ref.ETag {
		return false, &bulk.Error{Code: ManifestChanged, Detail: "the list was changed after the job began: the newer one has an event of its own"}
	}
	return false, nil
}

func unknownFormat() error {
	return &manifest.BrokenError{Reason: "its name does not say how it is written: end it with .txt, .csv, .tsv, .jsonl or .ndjson (each also with .gz or .zst), .parquet, manifest.json for an S3 Inventory, or .json for a request or a list; or say it in the list's metadata as presign-format"}
}

func (r *Runner) decode(text []byte) (*bulk.Request, error) {
	// Decode takes the text over, and the input's name is made of it.
	return bulk.Decode(bytes.Clone(text), r.Service.Policy.MaxKeys)
}

// maxRequest is the most bytes of a request that lies in S3: what a Lambda takes in an
// invoke.
const maxRequest = 6 << 20

// readRequest reads the list that is a request, and closes it.
func (r *Runner) readRequest(w *work) (*bulk.Request, error) {
	defer w.list.Close()
	text, err := w.reader.Text(maxRequest)
	w.list, w.reader = nil, nil
	if err != nil {
		return nil, err
	}
	return r.decode(text)
}

// signKeys signs a request with its keys, as a batch.
func (r *Runner) signKeys(ctx context.Context, w *work, s *Summary) (signer, error) {
	plan, err := r.Service.Plan(ctx, w.in.Caller, w.request)
	if err != nil {
		return nil, err
	}
	if plan.URLs() > r.Service.Policy.MaxKeys {
		return nil, bulk.TooLarge(plan.Within(r.Service.Policy.MaxKeys), "")
	}
	format := plan.Format(bulk.NDJSON)
	plan.Sign()
	tally, lifetime := plan.Tally(), plan.Lifetime()
	s.Bucket, s.Operation, s.Lifetime, s.Headers = plan.Bucket, plan.Operation.String(), &lifetime, plan.Headers()
	s.rules = plan.Rules
	s.count(tally)
	var warnings Warnings
	plan.Warned(func(key, sentence string) { warnings.add(Warning{Key: key, Message: sentence}) })
	s.warned(warnings)
	out := r.Results.Writer(w.in.Name()+"/result."+format.FileExtension()+".gz", format.MediaType(), "gzip")
	o, err := out.Complete(ctx, answer.AppendGzip(nil, plan, format, deflate.Tight))
	if err != nil {
		return nil, inResults(err)
	}
	s.Result = &Result{Object: o, Format: format.String(), Encoding: "gzip"}
	return plan, nil
}

func (s *Summary) count(t bulk.Tally) {
	s.Entries, s.Signed, s.Failed, s.Errors = t.Entries, t.Signed, t.Failed, t.First
}

// notify tells who wants to know of a result. url is a bearer secret.
func (r *Runner) notify(ctx context.Context, s *Summary, url string) error {
	if r.Notify == nil {
		return nil
	}
	body, err := json.Marshal(struct {
		*Summary
		URL string `json:"result_url,omitempty"` // a signed GET of the result
	}{s, url})
	if err != nil {
		return err
	}
	return inResults(r.Notify.Send(ctx, string(body)))
}

// NewRunner makes a Runner of what is configured.
func NewRunner(c *config.Config, log *slog.Logger) *Runner {
	s, source := service.New(c, log)
	r := &Runner{
		Service: s,
		Store: &objects.Store{Load: source.Config, Region: func(bucket string) string {
			if bucket == c.Lists.Bucket && c.Lists.Region != "" {
				return c.Lists.Region
			}
			if c.Results != nil && bucket == c.Results.Bucket {
				return c.Results.Region
			}
			at, _ := c.Locate(bucket)
			return at.Region
		}},
		Results: delivery.To(c.Results, source.Config),
		Lists:   Place{Bucket: c.Lists.Bucket, Prefix: c.Lists.Prefix},
		Log:     log,

		RetryAfter:  c.RetryAfter,
		MaxReceives: c.MaxReceives,
	}
	if c.QueueURL != "" {
		r.Queue = sqsqueue.To(c.QueueURL, source.Config)
	}
	if c.NotifyURL != "" {
		r.Notify = sqsqueue.To(c.NotifyURL, source.Config)
	}
	return r
}

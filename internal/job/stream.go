package job

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/delivery"
	"bulkpresign/internal/manifest"
)

// chunk is how many entries are signed at once: enough for the signer's fastest way.
const chunk = 4096

// errOutOfTime ends the reading of a source when the invocation is about to end.
var errOutOfTime = errors.New("the invocation is about to end")

// pump moves entries from a source through a stream into an object.
type pump struct {
	stream  *bulk.Stream
	out     *delivery.Writer
	entries []bulk.Entry
	skip    int64     // entries that another invocation has signed
	stop    time.Time // when to hand on, or zero

	sent bool             // a piece of this invocation
	mark bulk.StreamState // at the end of the last piece that was sent
	last string           // the key of the entry before
}

// add takes an entry.
func (p *pump) add(ctx context.Context, e bulk.Entry) error {
	if p.skip > 0 {
		p.skip--
		return nil
	}
	p.entries = append(p.entries, e)
	if len(p.entries) < chunk {
		return nil
	}
	return p.flush(ctx)
}

// flush signs what was added, and sends what is enough for a part.
func (p *pump) flush(ctx context.Context) error {
	rest := p.entries
	for len(rest) > 0 {
		size := p.out.PartSize()
		n, err := p.stream.Append(ctx, rest, size)
		if err != nil {
			return err
		}
		last := rest[n-1].Key
		rest = rest[n:]
		if p.stream.Len() < size {
			continue
		}
		if p.out.Full() {
			return &bulk.Error{Code: bulk.TooManyKeys, Detail: "the result has more parts than S3 takes: split the list"}
		}
		next, err := p.out.Buffer(ctx)
		if err != nil {
			return inResults(err)
		}
		if err := p.out.Part(ctx, p.stream.Cut(next)); err != nil {
			return inResults(err)
		}
		p.sent, p.mark, p.last = true, p.stream.State(), last
	}
	p.entries = p.entries[:0]
	// Only what was sent is kept, so there must be something, lest the job never ends.
	if p.sent && !p.stop.IsZero() && time.Now().After(p.stop) {
		return errOutOfTime
	}
	return nil
}

// Of an invocation's time, how much is kept to hand on a job.
const (
	shareKept = 5 // a fifth
	leastKept = 300 * time.Millisecond
	mostKept  = 20 * time.Second
)

// stopAt is when to stop working, or zero.
func stopAt(ctx context.Context, now time.Time) time.Time {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Time{}
	}
	kept := min(max(deadline.Sub(now)/shareKept, leastKept), mostKept)
	return deadline.Add(-kept)
}

// signStream signs a list or a prefix.
func (r *Runner) signStream(ctx context.Context, w *work, s *Summary) (signer, error) {
	if f := w.request.Format; f != nil && *f != bulk.NDJSON {
		return nil, &bulk.Error{Code: bulk.InvalidRequest, Detail: `field "format" must be "ndjson" for a list or a prefix, or be left out`}
	}
	feed, err := r.feed(w)
	if err != nil {
		return nil, err
	}
	stream, err := r.Service.Stream(ctx, w.in.Caller, w.request)
	if err != nil {
		return nil, err
	}
	s.Bucket, s.Operation, s.Headers = stream.Bucket(), w.request.Operation.String(), stream.Headers()
	p := &pump{
		stream:  stream,
		out:     r.Results.Writer(w.in.Name()+"/result.ndjson.gz", bulk.NDJSON.MediaType(), "gzip"),
		entries: make([]bulk.Entry, 0, chunk),
		stop:    stopAt(ctx, time.Now()),
	}
	resume := w.in.Resume
	if resume != nil {
		stream.Resume(resume.Stream)
		p.out.Resume(resume.Upload)
		if p.last = resume.Last; p.last == "" {
			p.skip = resume.Stream.Tally.Entries
		}
	}
	err = feed(ctx, p)
	if err == nil {
		err = p.flush(ctx)
	}
	if errors.Is(err, errOutOfTime) {
		if err = r.handOn(ctx, w, p, s); err == nil {
			return nil, nil
		}
	}
	state := stream.State()
	s.count(state.Tally)
	s.Lifetime = &state.Lifetime
	if err == nil && state.Tally.Entries == 0 {
		err = &bulk.Error{Code: NothingToSign, Detail: "no object has a key under the prefix"}
	}
	if err == nil {
		var o delivery.Object
		if o, err = p.out.Complete(ctx, stream.Close()); err == nil {
			s.Result = &Result{Object: o, Format: bulk.NDJSON.String(), Encoding: "gzip"}
			return stream, nil
		}
		err = inResults(err)
	}
	// A job that goes on may do so again, from where it began this time.
	if _, permanent := verdict(err); resume == nil || permanent {
		if abortErr := p.out.Abort(ctx); abortErr != nil {
			r.Log.WarnContext(ctx, "an upload was not aborted: the bucket's lifecycle rule will", "job", w.in.Identity, "cause", abortErr.Error())
		}
	}
	return nil, err
}

// handOn has another invocation go on from the last piece that was sent.
func (r *Runner) handOn(ctx context.Context, w *work, p *pump, s *Summary) error {
	if r.Queue == nil {
		return &bulk.Error{Code: OutOfTime, Detail: "the list is too long for one invocation, and the function has no queue to go on from (PRESIGN_QUEUE_URL): split the list, or give the function more time or a queue"}
	}
	upload, err := p.out.State()
	if err != nil {
		return inResults(err)
	}
	next := *w.in
	next.Resume = &Checkpoint{Upload: upload, Stream: p.mark}
	if w.list != nil {
		next.Resume.ETag = w.list.Ref.ETag
	} else {
		next.Resume.Last = p.last
	}
	body, err := json.Marshal(envelope{&next})
	if err != nil {
		return err
	}
	if err := r.Queue.Send(ctx, string(body)); err != nil {
		return inResults(err)
	}
	s.handedOn = true
	s.count(p.mark.Tally)
	s.Lifetime = &p.mark.Lifetime
	return nil
}

// envelope is a message of a job to itself.
type envelope struct {
	Job *Input `json:"presign_job"`
}

// feed is what moves a source's entries into a pump.
func (r *Runner) feed(w *work) (func(context.Context, *pump) error, error) {
	if w.list == nil {
		return r.feedPrefix(w)
	}
	format, compression, ok := manifest.FormatOf(w.list.Ref.Key)
	if !ok {
		return nil, unknownFormat()
	}
	return func(ctx context.Context, p *pump) error {
		list, err := manifest.NewReader(w.list, format, compression, manifest.Limits{})
		if err != nil {
			return err
		}
		return feedList(ctx, list, p)
	}, nil
}

// feedList moves the entries of one file.
func feedList(ctx context.Context, list *manifest.Reader, p *pump) error {
	var e manifest.Entry
	for {
		err := list.Next(&e)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		listed := bulk.Entry{Line: e.Line, Bucket: e.Bucket, Key: e.Key, Options: e.Options}
		if e.Err != nil {
			listed.Code, listed.Message = InvalidLine, e.Err.Error()
		}
		if err := p.add(ctx, listed); err != nil {
			return err
		}
	}
}

// InvalidLine is the code of a list's entry that cannot be used.
const InvalidLine bulk.Code = "InvalidLine"

// feedPrefix lists a prefix.
func (r *Runner) feedPrefix(w *work) (func(context.Context, *pump) error, error) {
	bucket := w.request.Bucket
	if bucket == "" {
		bucket, _ = r.Service.Policy.DefaultBucket() // or Stream says what is missing
	}
	if w.request.Continuation != "" {
		return nil, &bulk.Error{Code: bulk.InvalidRequest, Detail: `field "continuation_token" has no place here: a job signs everything under the prefix`}
	}
	return func(ctx context.Context, p *pump) error {
		return r.Store.List(ctx, bucket, w.request.Prefix, p.last, func(key string) error {
			return p.add(ctx, bulk.Entry{Key: key})
		})
	}, nil
}

package job

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"bulkpresign/internal/answer"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/delivery"
	"bulkpresign/internal/manifest"
)

// errOutOfTime ends the reading of a source when the invocation is about to end.
var errOutOfTime = errors.New("the invocation is about to end")

// pump moves entries from a source through a stream into an object.
type pump struct {
	stream  *answer.Stream
	out     *delivery.Writer
	entries []bulk.Entry
	stop    time.Time // when to hand on, or zero
	at      Position  // of the entry that is added next
	skip    int64     // entries that another invocation has signed, from at on
	began   int64     // entries that were signed before the file that is being read

	sent   bool               // a piece of this invocation
	mark   answer.StreamState // at the end of the last piece that was sent
	marked Position           // likewise

	taken    int64     // entries of the job so far, those of other invocations included
	warnings Warnings  // of entries that are signed
	warned   Warnings  // likewise, at the end of the last piece that was sent
	pending  []pending // of entries that are added and not yet signed
}

// pending is a warning of the entry that was taken as such.
type pending struct {
	entry int64
	Warning
}

// warn remembers what looks like a slip in an entry that is added next.
func (p *pump) warn(e *manifest.Entry) {
	if e.Warning != "" && p.skip == 0 && e.Err == nil {
		p.pending = append(p.pending, pending{p.taken, Warning{Line: e.Line, Key: e.Key, Message: e.Warning}})
	}
}

// settle counts the warnings of entries that were signed.
func (p *pump) settle() {
	n := 0
	for n < len(p.pending) && p.pending[n].entry < p.stream.Tally().Entries {
		p.warnings.add(p.pending[n].Warning)
		n++
	}
	p.pending = slices.Delete(p.pending, 0, n)
}

// Position is where in a source an entry is.
type Position struct {
	Last  string `json:"last,omitempty"`  // of a prefix: the key before it
	Shard int    `json:"shard,omitempty"` // of an inventory: which of its files
	Entry int64  `json:"entry,omitempty"` // of a file: the number of entries before it
}

// resume begins where another invocation stopped.
func (p *pump) resume(c *Checkpoint) {
	p.stream.Resume(c.Stream)
	p.out.Resume(c.Upload)
	p.at = c.At
	p.skip = c.At.Entry
	p.taken = c.Stream.Tally.Entries
	p.warnings = c.Warnings
	p.began = c.Stream.Tally.Entries - c.At.Entry
}

// nextShard goes on to an inventory's next file. All entries before it are signed.
func (p *pump) nextShard() {
	p.at = Position{Shard: p.at.Shard + 1}
	p.skip = 0
	p.began = p.stream.Tally().Entries
}

// add takes an entry.
func (p *pump) add(ctx context.Context, e bulk.Entry) error {
	if p.skip > 0 {
		p.skip--
		return nil
	}
	p.taken++
	p.entries = append(p.entries, e)
	if len(p.entries) < p.stream.Size() {
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
		p.settle()
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
		p.sent, p.mark, p.warned = true, p.stream.State(), p.warnings
		p.marked = Position{Last: last, Shard: p.at.Shard, Entry: p.mark.Tally.Entries - p.began}
		if err := p.late(); err != nil {
			return err
		}
	}
	p.entries = p.entries[:0]
	return p.late()
}

// late tells whether it is time to hand on. Only what was sent is kept, so there must be
// something, lest the job never ends.
func (p *pump) late() error {
	if p.sent && !p.stop.IsZero() && time.Now().After(p.stop) {
		return errOutOfTime
	}
	return nil
}

// Of an invocation's time, how much is kept to hand on a job.
const (
	shareKept = 3 // a third: the parts on their way, the checkpoint and the message, all of them slow perhaps
	leastKept = 300 * time.Millisecond
	mostKept  = 30 * time.Second
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
	feed, err := r.feed(ctx, w)
	if err != nil {
		return nil, err
	}
	stream, err := answer.NewStream(ctx, r.Service, w.in.Caller, w.request)
	if err != nil {
		return nil, err
	}
	s.Bucket, s.Operation, s.Headers = stream.Bucket(), w.request.Operation.String(), stream.Headers()
	p := &pump{
		stream: stream,
		out:    r.writer(w.in),
		stop:   stopAt(ctx, time.Now()),
	}
	if w.in.Resume != nil {
		p.resume(w.in.Resume)
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
	s.rules = stream.Rules()
	s.count(state.Tally)
	s.warned(p.warnings)
	s.Lifetime = &state.Lifetime
	if err == nil && state.Tally.Entries == 0 && w.in.Shard == nil {
		detail := "no object has a key under the prefix"
		if w.request.Source == bulk.Manifest {
			detail = "the list has no entries: an inventory is empty when the bucket is, or when its filter matches no object"
		}
		err = &bulk.Error{Code: NothingToSign, Detail: detail}
	}
	if err == nil {
		var o delivery.Object
		if o, err = p.out.Complete(ctx, stream.Close()); err == nil {
			s.Result = &Result{Object: o, Format: bulk.NDJSON.String(), Encoding: "gzip"}
			return stream, nil
		}
		err = inResults(err)
	}
	if w.in.Resume == nil { // else the upload is for the next delivery to go on with, or for Run to end
		r.abort(ctx, w.in, p.out)
	}
	return nil, err
}

// abort drops what was uploaded.
func (r *Runner) abort(ctx context.Context, in *Input, out *delivery.Writer) {
	if err := out.Abort(ctx); err != nil {
		r.Log.WarnContext(ctx, "an upload was not aborted: the bucket's lifecycle rule will", "job", in.Identity, "cause", err.Error())
	}
}

// writer begins a job's result.
func (r *Runner) writer(in *Input) *delivery.Writer {
	return r.Results.Writer(in.resultName(), bulk.NDJSON.MediaType(), "gzip")
}

// handOn has another invocation go on from the last piece that was sent.
func (r *Runner) handOn(ctx context.Context, w *work, p *pump, s *Summary) error {
	if r.Queue == nil && w.in.Shard == nil {
		return &bulk.Error{Code: OutOfTime, Detail: "the list is too long for one invocation, and the function has no queue to go on from (PRESIGN_QUEUE_URL): split the list, or give the function more time or a queue"}
	}
	upload, err := p.out.State()
	if err != nil {
		return inResults(err)
	}
	next := *w.in // with the caller that the job began with
	next.Resume = &Checkpoint{At: p.marked, Upload: upload, Stream: p.mark, Warnings: p.warned}
	if w.list != nil {
		next.Resume.ETag = w.list.Ref.ETag
	}
	if w.request.Source == bulk.Prefix {
		next.Resume.At.Entry = 0
	} else {
		next.Resume.At.Last = "" // a file is counted through
	}
	if err := r.save(ctx, &next); err != nil {
		return inResults(err)
	}
	if w.in.Shard != nil { // whoever asked for it asks again
		return s.goesOn(p)
	}
	body, err := json.Marshal(continuation{w.in.Name()})
	if err != nil {
		return err
	}
	if err := r.Queue.Send(ctx, string(body)); err != nil {
		return inResults(err)
	}
	return s.goesOn(p)
}

// goesOn says how far a job that is handed on has come.
func (s *Summary) goesOn(p *pump) error {
	s.handedOn = true
	s.count(p.mark.Tally)
	s.Lifetime = &p.mark.Lifetime
	return nil
}

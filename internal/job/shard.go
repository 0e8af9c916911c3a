package job

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"

	"bulkpresign/internal/audit"
	"bulkpresign/internal/awserr"
	"bulkpresign/internal/bucketevent"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/manifest"
	"bulkpresign/internal/objects"
	"bulkpresign/internal/policy"
)

// Whole is what shards are pieces of: one execution of the state machine for one request.
// Each shard has it all, so that it can be signed again by itself. It holds no secret.
//
// The names of all that is written are made of it. So nobody who can hand over a shard can
// write over what another request made, and a shard that comes again writes the same object.
type Whole struct {
	Request   string `json:"request"`             // its text
	Execution string `json:"execution,omitempty"` // its name
	Label     string `json:"label"`               // what people know the request by
	ShardSize int64  `json:"shard_bytes"`
}

// Name is its folder under the results prefix.
func (w *Whole) Name() string {
	return fileName(w.Label) + "-" + w.identity()
}

func (w *Whole) identity() string {
	return bucketevent.Identity("whole", w.Request, w.Execution, w.Label, fmt.Sprint(w.ShardSize))
}

// Shard is a piece of a request's keys that is signed by itself. Of List, Inventory and Keys it
// has one.
type Shard struct {
	Of     Whole `json:"of"`
	Number int   `json:"number"` // from 0: the order of the results

	List      *ListShard      `json:"list,omitempty"`
	Inventory *InventoryShard `json:"inventory,omitempty"`
	Keys      *KeyRange       `json:"keys,omitempty"`
}

// ListShard is a list, or a part of it.
type ListShard struct {
	objects.Ref
	Range   *manifest.Range  `json:"range,omitempty"`
	Members *Members         `json:"members,omitempty"`
	Groups  *manifest.Groups `json:"groups,omitempty"`
}

// Members is a part of a compressed list: some of its members of gzip or frames of zstd.
type Members struct {
	manifest.Range
	Last bool `json:"last,omitempty"` // no other part follows
}

// InventoryShard is a file of an S3 Inventory, or some row groups of it.
type InventoryShard struct {
	objects.Ref
	Size    int64            `json:"size"`
	MD5     string           `json:"md5"`           // in hexadecimal, as manifest.json has it
	Source  string           `json:"source_bucket"` // whose keys it lists
	Parquet bool             `json:"parquet,omitempty"`
	Schema  string           `json:"schema,omitempty"` // of CSV
	Groups  *manifest.Groups `json:"groups,omitempty"`
}

// KeyRange is the keys under a prefix that come after one text and not after another, in the
// order of their bytes. An empty text is no bound.
type KeyRange struct {
	After   string `json:"after,omitempty"`
	Through string `json:"through,omitempty"`
}

// Name is what the names of the shard's objects begin with, under the results prefix. It has
// the shard's number, so that results lie in order, and a sum of what it says: another cut of
// the same input writes other objects.
func (s *Shard) Name() string {
	return fmt.Sprintf("%s/parts/%05d-%s", s.Of.Name(), s.Number, s.identity()[:8])
}

func (s *Shard) identity() string {
	var say []string
	add := func(r *objects.Ref, kind string) { say = append(say, kind, r.Bucket, r.Key, r.Version, r.ETag) }
	groups := func(g *manifest.Groups) {
		if g != nil {
			say = append(say, fmt.Sprint("groups ", g.Begin, " ", g.End))
		}
	}
	if l := s.List; l != nil {
		add(&l.Ref, "list")
		if l.Range != nil {
			say = append(say, fmt.Sprint("range ", l.Range.Begin, " ", l.Range.End))
		}
		if l.Members != nil {
			say = append(say, fmt.Sprint("members ", l.Members.Begin, " ", l.Members.End))
		}
		groups(l.Groups)
	}
	if v := s.Inventory; v != nil {
		add(&v.Ref, "inventory")
		say = append(say, v.MD5, v.Source, v.Schema)
		groups(v.Groups)
	}
	if k := s.Keys; k != nil {
		say = append(say, "keys", k.After, k.Through)
	}
	return bucketevent.Identity(append(say, s.Of.Name(), fmt.Sprint(s.Number))...)
}

// check says what is wrong with a shard that was handed over.
func (s *Shard) check() error {
	n := 0
	var groups []*manifest.Groups
	if s.List != nil {
		n++
		groups = append(groups, s.List.Groups)
		if s.List.Range != nil {
			if err := s.List.Range.Check(); err != nil {
				return err
			}
		}
		if s.List.Members != nil {
			if err := s.List.Members.Check(); err != nil {
				return err
			}
		}
	}
	if s.Inventory != nil {
		n++
		groups = append(groups, s.Inventory.Groups)
		if sum, err := hex.DecodeString(s.Inventory.MD5); err != nil || len(sum) != 16 {
			return errors.New(`its "md5" is no MD5 in hexadecimal`)
		}
	}
	if s.Keys != nil {
		n++
	}
	if n != 1 {
		return errors.New(`it must have one of "list", "inventory" and "keys"`)
	}
	for _, g := range groups {
		if g != nil && (g.Begin < 0 || g.End <= g.Begin) {
			return errors.New(`its "groups" are none`)
		}
	}
	if s.Number < 0 || s.Of.Request == "" {
		return errors.New(`it lacks what it is a shard of: hand on each element of shards.json as it is`)
	}
	return nil
}

// input is what a job is of a shard. Whoever may invoke the function says that it is one, as of
// a request of his own, so that caller's limits hold.
func (s *Shard) input() *Input {
	return &Input{
		Caller: policy.Caller{Kind: policy.Direct}, Identity: s.identity(), Request: []byte(s.Of.Request), Shard: s,
	}
}

// states is the source of what a state machine asks for, in the record.
const states = "states"

// signShard signs a shard, or goes on with it. What is there already, with URLs that work, is
// not signed again. The summary may be HandedOn: then the same shard is to be signed again.
// The error is for verdict.
func (r *Runner) signShard(ctx context.Context, shard *Shard, rec *audit.Record) (*Summary, error) {
	in := shard.input()
	rec.Job = in.Identity
	if before, err := r.earlierPart(ctx, in.summaryName()); err != nil {
		return nil, inResults(err)
	} else if before.live(r.Service.Now()) && before.Result != nil {
		r.Log.InfoContext(ctx, "a shard is signed already", "job", in.Identity)
		return before, nil
	}
	resume, err := r.progress(ctx, in)
	if err != nil {
		return nil, inResults(err)
	}
	in.Resume = resume
	s := new(Summary)
	err = r.run(ctx, in, s)
	if e := (*awserr.Error)(nil); in.Resume != nil && errors.As(err, &e) && e.Code == "NoSuchUpload" {
		again := *in // S3 dropped the upload, or another invocation completed it
		again.Resume = nil
		in = &again
		*s = Summary{}
		err = r.run(ctx, in, s)
	}
	var permanent bool
	if err != nil {
		if s.Error, permanent = verdict(err); permanent && in.Resume != nil {
			out := r.writer(in)
			out.Resume(in.Resume.Upload)
			r.abort(ctx, in, out)
		}
	}
	if resume != nil && (err == nil && !s.handedOn || permanent) {
		r.finish(ctx, in)
	}
	in.record(rec, s)
	return s, err
}

// earlierPart is earlier, but nil where there is nothing, or nothing that may be read.
func (r *Runner) earlierPart(ctx context.Context, name string) (*Summary, error) {
	s, err := r.earlier(ctx, name)
	if notThere(err) {
		return nil, nil
	}
	return s, err
}

// progress is how far an earlier invocation has come with a shard, or nil.
func (r *Runner) progress(ctx context.Context, in *Input) (*Checkpoint, error) {
	job, err := r.load(ctx, in.Name())
	if notThere(err) || job == nil && err == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return job.Resume, nil
}

// notThere tells whether an object is missing, or may not be read, which S3 does not tell
// apart for a role that may not list.
func notThere(err error) bool {
	var call *awserr.Error
	return errors.As(err, &call) && (call.Status == http.StatusForbidden || call.Status == http.StatusNotFound)
}

// resolveShard finds the request of a shard and opens what it reads.
func (r *Runner) resolveShard(ctx context.Context, w *work, s *Summary) (err error) {
	shard := w.in.Shard
	if w.request, err = r.decode(w.in.Request); err != nil {
		return err
	}
	wrong := func(what string) error {
		return &bulk.Error{Code: bulk.InvalidRequest, Detail: "the shard " + what}
	}
	if (shard.Keys != nil) != (w.request.Source == bulk.Prefix) || w.request.Source == bulk.Keys {
		return wrong("is not one of its request: hand on each element of shards.json as it is")
	}
	mayRead := func(ref objects.Ref) error {
		if !r.mayRead(ref) {
			return wrong(fmt.Sprintf("names a list elsewhere than where lists lie, under %q", r.Lists.Prefix))
		}
		return nil
	}
	switch {
	case shard.Keys != nil:
		s.Source = Source{Kind: "prefix", Prefix: &w.request.Prefix, Keys: shard.Keys}
	case shard.Inventory != nil:
		v := shard.Inventory
		s.Source = Source{Kind: "manifest", Manifest: &v.Ref, Groups: v.Groups}
		if w.request.Bucket == "" {
			w.request.Bucket = v.Source
		}
		return mayRead(v.Ref)
	default:
		s.Source = Source{Kind: "manifest", Manifest: &shard.List.Ref, Range: shard.List.Range, Groups: shard.List.Groups}
		if m := shard.List.Members; m != nil {
			s.Source.Range = &m.Range
		}
		if err := mayRead(shard.List.Ref); err != nil {
			return err
		}
		return r.openPart(ctx, w, shard.List)
	}
	return nil
}

// openPart opens a list, or a part of it.
func (r *Runner) openPart(ctx context.Context, w *work, l *ListShard) (err error) {
	g, m := l.Range, l.Members
	var head []byte
	if g != nil && g.Begin > 0 || m != nil {
		if head, err = r.readHead(ctx, l.Ref); err != nil {
			return err
		}
	}
	switch {
	case g != nil:
		w.list, err = r.Store.OpenRange(ctx, l.Ref, g.From(), g.To())
	case m != nil:
		w.list, err = r.Store.OpenRange(ctx, l.Ref, m.Begin, m.End)
	default:
		w.list, err = r.Store.Open(ctx, l.Ref)
	}
	if err != nil {
		return err
	}
	if w.described, err = r.describe(w.list); err != nil {
		return err
	}
	w.described.Operation = w.request.Operation
	switch {
	case g != nil || m != nil:
		if cuttable, _ := w.described.Cuttable(); !cuttable {
			return &manifest.BrokenError{Reason: "a part of it cannot be read: it is written otherwise than when it was cut"}
		}
		if g != nil {
			w.reader, err = w.described.ReadRange(head, w.list, *g, manifest.Limits{})
		} else {
			w.reader, err = w.described.ReadMembers(head, w.list, m.Range, m.Last, manifest.Limits{})
		}
	case w.described.Format != manifest.Parquet:
		w.reader, err = w.described.Read(w.list, manifest.Limits{})
		if err == nil && w.reader.IsRequest() {
			return &manifest.BrokenError{Reason: "it is a request rather than a list"}
		}
	}
	return err
}

// readHead reads the beginning of a list.
func (r *Runner) readHead(ctx context.Context, ref objects.Ref) ([]byte, error) {
	o, err := r.Store.OpenRange(ctx, ref, 0, manifest.HeadBytes)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	return io.ReadAll(o)
}

// describe tells how a list that is open is written.
func (r *Runner) describe(o *objects.Object) (manifest.Description, error) {
	d, known, err := manifest.Describe(o.Ref.Key, o.Metadata)
	if err == nil && !known {
		err = unknownFormat()
	}
	return d, err
}

// feedShard finds the entries of a shard.
func (r *Runner) feedShard(w *work) (feed, error) {
	shard := w.in.Shard
	switch {
	case shard.Keys != nil:
		return r.feedKeys(w, *shard.Keys), nil
	case shard.Inventory != nil:
		return func(ctx context.Context, p *pump) error { return r.feedFile(ctx, shard.Inventory, p) }, nil
	}
	return func(ctx context.Context, p *pump) (err error) {
		list := w.reader
		if w.described.Format == manifest.Parquet {
			at := r.Store.ReaderAt(ctx, w.list.Ref)
			if g := shard.List.Groups; g != nil {
				list, err = manifest.ReadParquetGroups(at, w.list.Size, *g, manifest.Limits{})
			} else {
				list, err = manifest.ReadParquet(at, w.list.Size, manifest.Limits{})
			}
			if err != nil {
				return err
			}
		}
		list.MayBeEmpty()
		list.Operation(w.request.Operation)
		return p.read(ctx, list)
	}, nil
}

// feedKeys lists a range of the keys under a prefix.
func (r *Runner) feedKeys(w *work, keys KeyRange) feed {
	return func(ctx context.Context, p *pump) error {
		if err := p.stream.MayList(w.request.Prefix); err != nil {
			return err
		}
		return r.list(ctx, w, keys, p)
	}
}

// feedFile reads a file of an inventory. Its MD5 is looked at once: where it is cut, by the
// shard with its first row group; the others go by the ETag.
func (r *Runner) feedFile(ctx context.Context, shard *InventoryShard, p *pump) error {
	v := &manifest.Inventory{SourceBucket: shard.Source, Bucket: shard.Bucket, Parquet: shard.Parquet, Schema: shard.Schema}
	if err := v.Ready(); err != nil {
		return err
	}
	file := manifest.Shard{Key: shard.Key, Size: shard.Size}
	sum, err := hex.DecodeString(shard.MD5)
	if err != nil {
		return err
	}
	copy(file.MD5[:], sum)
	if shard.Groups == nil {
		return r.readShard(ctx, v, file, p)
	}
	if shard.Groups.Begin == 0 {
		o, err := r.Store.Open(ctx, shard.Ref)
		if err != nil {
			return ofShard(file, err)
		}
		defer o.Close()
		if err := file.Verify(o); err != nil {
			return ofShard(file, err)
		}
	}
	list, err := manifest.ReadParquetGroups(r.Store.ReaderAt(ctx, shard.Ref), shard.Size, *shard.Groups, manifest.Limits{})
	if err != nil {
		return ofShard(file, err)
	}
	return ofShard(file, p.read(ctx, list))
}

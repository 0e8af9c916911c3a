package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"bulkpresign/internal/awserr"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/manifest"
	"bulkpresign/internal/objects"
)

// InvalidLine is the code of a list's entry that cannot be used.
const InvalidLine bulk.Code = "InvalidLine"

// feed moves a source's entries into a pump.
type feed func(context.Context, *pump) error

// feed finds what a job's entries come from. What it needs to know of the request before
// that is signed with is settled when it returns.
func (r *Runner) feed(ctx context.Context, w *work) (feed, error) {
	if w.in.Shard != nil {
		return r.feedShard(w)
	}
	if w.request.Source == bulk.Prefix {
		return r.feedPrefix(w)
	}
	if w.earlier != nil {
		return r.feedEarlier(w), nil
	}
	if w.list == nil {
		return nil, unknownFormat()
	}
	if w.described.Format == manifest.InventoryManifest {
		return r.feedInventory(ctx, w)
	}
	if w.described.Format == manifest.Lists {
		return nil, &manifest.BrokenError{Reason: "it is a list of lists, which is too much for one job: have the state machine sign it (docs/events.md, Shards)"}
	}
	w.described.Operation = w.request.Operation
	return func(ctx context.Context, p *pump) error {
		list := w.reader
		var err error
		switch {
		case w.described.Format == manifest.Parquet:
			if list, err = manifest.ReadParquet(r.Store.ReaderAt(ctx, w.list.Ref), w.list.Size, manifest.Limits{}); err != nil {
				return err
			}
		case list == nil:
			if list, err = w.described.Read(w.list, manifest.Limits{}); err != nil {
				return err
			}
		}
		list.Operation(w.request.Operation)
		return p.read(ctx, list)
	}, nil
}

// read takes the entries of one file.
func (p *pump) read(ctx context.Context, list *manifest.Reader) error {
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
		if e.Warning == "" && e.Err == nil {
			e.Warning = bulk.Warning(e.Key, e.Options)
		}
		p.warn(&e)
		if err := p.add(ctx, listed); err != nil {
			return err
		}
	}
}

// feedPrefix lists a prefix.
func (r *Runner) feedPrefix(w *work) (feed, error) {
	if w.request.Continuation != "" {
		return nil, &bulk.Error{Code: bulk.InvalidRequest, Detail: `field "continuation_token" has no place here: a job signs everything under the prefix`}
	}
	return func(ctx context.Context, p *pump) error {
		if err := p.stream.MayList(w.request.Prefix); err != nil {
			return err
		}
		return r.list(ctx, w, KeyRange{}, p)
	}, nil
}

// list adds the keys under a prefix that are in a range, and that the request does not leave out.
func (r *Runner) list(ctx context.Context, w *work, keys KeyRange, p *pump) error {
	after := max(keys.After, w.request.StartAfter, p.at.Last)
	err := r.Store.List(ctx, p.stream.Bucket(), w.request.Prefix, after, func(o objects.Listed) error {
		if keys.Through != "" && o.Key > keys.Through {
			return errThrough
		}
		if !strings.HasSuffix(o.Key, w.request.Suffix) {
			return nil
		}
		return p.add(ctx, bulk.Entry{Key: o.Key})
	})
	if errors.Is(err, errThrough) {
		return nil
	}
	return err
}

// errThrough ends a listing at the end of its range.
var errThrough = errors.New("the range of keys is listed")

// maxInventory is the most bytes of a manifest.json, which has some 200 for each file.
const maxInventory = 32 << 20

// feedInventory reads the shards of an S3 Inventory, one after the other.
func (r *Runner) feedInventory(ctx context.Context, w *work) (feed, error) {
	inventory, err := r.readInventory(ctx, w.list)
	if err != nil {
		return nil, err
	}
	if w.request.Bucket == "" {
		w.request.Bucket = inventory.SourceBucket
	}
	return func(ctx context.Context, p *pump) error {
		for ; p.at.Shard < len(inventory.Shards); p.nextShard() {
			if err := r.readShard(ctx, inventory, inventory.Shards[p.at.Shard], p); err != nil {
				return err
			}
			// A chunk never holds entries of two shards, so that a place is in one.
			if err := p.flush(ctx); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// readInventory reads an inventory's manifest.json and holds it against its checksum.
func (r *Runner) readInventory(ctx context.Context, list *objects.Object) (*manifest.Inventory, error) {
	text, err := readAll(list, maxInventory)
	if err != nil {
		return nil, err
	}
	ref := list.Ref
	sum, err := r.readSmall(ctx, objects.Ref{Bucket: ref.Bucket, Key: manifest.ChecksumKey(ref.Key)})
	if err != nil {
		return nil, err
	}
	inventory, err := manifest.ParseInventory(text, sum)
	if err != nil {
		return nil, err
	}
	for _, s := range inventory.Shards {
		if inventory.Bucket != ref.Bucket || !r.holds(ref.Bucket, s.Key) {
			return nil, &manifest.BrokenError{File: "manifest.json", Reason: fmt.Sprintf("it names files elsewhere than where lists lie, in the manifest's own bucket under %q: let PRESIGN_MANIFEST_PREFIX be the inventory's own prefix", r.Lists.Prefix)}
		}
	}
	return inventory, nil
}

func (r *Runner) readShard(ctx context.Context, v *manifest.Inventory, s manifest.Shard, p *pump) error {
	ref := objects.Ref{Bucket: v.Bucket, Key: s.Key}
	if v.Parquet {
		list, err := v.OpenParquet(s, r.Store.ReaderAt(ctx, ref), manifest.Limits{})
		if err != nil {
			return ofShard(s, err)
		}
		return ofShard(s, p.read(ctx, list))
	}
	o, err := r.Store.Open(ctx, ref)
	if err != nil {
		return ofShard(s, err)
	}
	defer o.Close()
	list, err := v.OpenCSV(s, o, manifest.Limits{})
	if err != nil {
		return ofShard(s, err)
	}
	return ofShard(s, p.read(ctx, list))
}

// ofShard says which file of an inventory is missing.
func ofShard(s manifest.Shard, err error) error {
	var call *awserr.Error
	if errors.As(err, &call) && (call.Status == http.StatusNotFound || call.Status == http.StatusForbidden) {
		return &manifest.BrokenError{File: s.Key, Reason: "the file is not there, or this service may not read it: " + call.Code}
	}
	return err
}

// readSmall reads an object that need not be there.
func (r *Runner) readSmall(ctx context.Context, ref objects.Ref) ([]byte, error) {
	o, err := r.Store.Open(ctx, ref)
	var call *awserr.Error
	if errors.As(err, &call) && (call.Status == http.StatusNotFound || call.Status == http.StatusForbidden) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer o.Close()
	return readAll(o, 1<<10)
}

// readAll reads an object that is not to be large.
func readAll(o *objects.Object, limit int64) ([]byte, error) {
	if o.Size > limit {
		return nil, &manifest.BrokenError{Reason: fmt.Sprintf("it has %d bytes, and may have %d", o.Size, limit)}
	}
	return io.ReadAll(o)
}

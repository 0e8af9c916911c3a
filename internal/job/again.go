package job

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/manifest"
	"bulkpresign/internal/objects"
)

// mayRead tells whether an object lies where lists do, or is an earlier result, whose keys may be
// signed again.
func (r *Runner) mayRead(ref objects.Ref) bool {
	return r.holds(ref.Bucket, ref.Key) || r.isSummary(ref) || r.isResult(ref) && strings.HasSuffix(ref.Key, ".ndjson.gz")
}

// isSummary tells whether an object says where an earlier result lies.
func (r *Runner) isSummary(ref objects.Ref) bool {
	return r.isResult(ref) && strings.HasSuffix(ref.Key, "/"+summaryFile)
}

// maxSummary is the most bytes of a summary, which has some 300 for each part.
const maxSummary = 64 << 20

// openSummary opens the summary of an earlier result and gives the files that this has.
func (r *Runner) openSummary(ctx context.Context, ref objects.Ref) (o *objects.Object, files []objects.Ref, err error) {
	if o, err = r.Store.Open(ctx, ref); err != nil {
		return nil, nil, err
	}
	text, err := readAll(o, maxSummary)
	if err != nil {
		return o, nil, err
	}
	broken := func(why string) (*objects.Object, []objects.Ref, error) {
		return o, nil, &manifest.BrokenError{File: ref.Key, Reason: why}
	}
	s := new(Summary)
	if json.Unmarshal(text, s) != nil {
		return broken("it is no summary of an earlier result")
	}
	add := func(bucket, key, version, etag string) error {
		one := objects.Ref{Bucket: bucket, Key: key, Version: version, ETag: etag}
		if !r.mayRead(one) || r.isSummary(one) {
			return &manifest.BrokenError{File: ref.Key, Reason: "its result is none that can be signed again: its format is not ndjson, or it lies elsewhere"}
		}
		files = append(files, one)
		return nil
	}
	switch {
	case s.Result != nil:
		err = add(s.Result.Bucket, s.Result.Key, s.Result.Version, s.Result.ETag)
	case len(s.Parts) > 0:
		for _, p := range s.Parts {
			if err = add(p.Bucket, p.Key, p.Version, p.ETag); err != nil {
				break
			}
		}
	default:
		return broken("it tells of no result, so there is nothing to sign again")
	}
	return o, files, err
}

// resolveEarlier finds the files of an earlier result for a job.
func (r *Runner) resolveEarlier(ctx context.Context, w *work, ref objects.Ref) (err error) {
	if w.in.Resume != nil {
		ref.ETag = w.in.Resume.ETag
	}
	w.list, w.earlier, err = r.openSummary(ctx, ref)
	return err
}

// feedEarlier reads the files of an earlier result, one after the other.
func (r *Runner) feedEarlier(w *work) feed {
	return func(ctx context.Context, p *pump) error {
		for ; p.at.Shard < len(w.earlier); p.nextShard() {
			if err := r.readEarlier(ctx, w.request, w.earlier[p.at.Shard], p); err != nil {
				return err
			}
			// A chunk never holds entries of two files, so that a place is in one.
			if err := p.flush(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}

func (r *Runner) readEarlier(ctx context.Context, request *bulk.Request, ref objects.Ref, p *pump) error {
	o, err := r.Store.Open(ctx, ref)
	if err != nil {
		return ofList(ref.Key, err)
	}
	defer o.Close()
	d, err := r.describe(o)
	if err != nil {
		return err
	}
	d.Operation = request.Operation
	list, err := d.Read(o, manifest.Limits{})
	if err != nil {
		return ofList(ref.Key, err)
	}
	list.MayBeEmpty()
	return ofList(ref.Key, p.read(ctx, list))
}

// elsewhere is the error of a list that lies where none do.
func (r *Runner) elsewhere() error {
	return &bulk.Error{Code: bulk.InvalidRequest, Detail: fmt.Sprintf(`field "manifest" must name a list where lists lie, under %q, or an earlier result (its summary.json, or one .ndjson.gz): see PRESIGN_MANIFEST_BUCKET and PRESIGN_MANIFEST_PREFIX`, r.Lists.Prefix)}
}

package job

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"bulkpresign/internal/audit"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/manifest"
	"bulkpresign/internal/objects"
	"bulkpresign/internal/policy"
)

// DefaultShardSize is how many bytes of a list a shard has: about a million keys, which take
// some seconds to sign.
const DefaultShardSize = 64 << 20

const (
	keyBytes  = 64     // of a key in a list, about: what a shard of rows has of them
	maxShards = 10_000 // of one list, whose shards grow rather than be more
)

// Planned is what Finish must know of a plan.
type Planned struct {
	Of    Whole `json:"of"`
	Count int   `json:"count"`
}

// shardsName is where the shards of a plan lie under the results prefix.
func (p *Planned) shardsName() string { return p.Of.Name() + "/shards.json" }

// planStep finds the shards of a request and writes them down: one JSON array, an element for
// each shard.
func (r *Runner) planStep(ctx context.Context, e *stepEvent, rec *audit.Record) (*planAnswer, error) {
	plan, err := r.plan(ctx, e, rec)
	if err != nil {
		return nil, err
	}
	of := Whole{Request: plan.text, Execution: e.Execution, Label: plan.label, ShardSize: plan.size}
	rec.Job = of.identity()
	p := &Planned{Of: of, Count: len(plan.shards)}
	var text bytes.Buffer
	text.WriteByte('[')
	for i := range plan.shards {
		if i > 0 {
			text.WriteString(",\n")
		}
		s := plan.shards[i]
		s.Of, s.Number = of, i
		element, err := json.Marshal(s)
		if err != nil {
			return nil, err
		}
		text.Write(element)
	}
	text.WriteString("]\n")
	key, err := r.Results.Put(ctx, p.shardsName(), text.Bytes(), "application/json", "")
	if err != nil {
		return nil, inResults(err)
	}
	return &planAnswer{Shards: place{r.Results.Folder.Bucket, key}, Count: p.Count, Plan: p}, nil
}

// plan is what is found of a request.
type plan struct {
	text   string // of the request
	label  string
	size   int64 // of a shard
	stop   time.Time
	shards []Shard // of which no more is filled in than what each reads
}

func (r *Runner) plan(ctx context.Context, e *stepEvent, rec *audit.Record) (*plan, error) {
	var text bytes.Buffer
	if err := json.Compact(&text, e.Request); err != nil {
		return nil, err
	}
	p := &plan{text: text.String(), size: e.ShardSize, stop: stopAt(ctx, time.Now())}
	if p.size == 0 {
		p.size = DefaultShardSize
	}
	if p.size < 0 {
		return nil, &bulk.Error{Code: bulk.InvalidRequest, Detail: `field "shard_bytes" must be at least 1`}
	}
	request, err := r.decode(text.Bytes())
	if err != nil {
		return nil, err
	}
	// All that can be known to be wrong is told now, rather than by each shard.
	if f := request.Format; f != nil && *f != bulk.NDJSON {
		return nil, &bulk.Error{Code: bulk.InvalidRequest, Detail: `field "format" must be "ndjson" for a list or a prefix, or be left out`}
	}
	if request.Source == bulk.Keys {
		return nil, &bulk.Error{Code: bulk.InvalidRequest, Detail: `field "request" must have "manifest" or "prefix": a request with "keys" is signed in one call`}
	}
	var allowed *bulk.Chunks
	judge := func() (err error) {
		rec.Bucket = request.Bucket
		if allowed, err = r.Service.Chunks(ctx, policy.Caller{Kind: policy.Direct}, request); err == nil {
			whole := allowed.Plan()
			rec.Bucket, rec.Operation = whole.Bucket, whole.Operation.String()
			rec.Decided(whole.Rules...)
		}
		return err
	}
	if request.Bucket != "" || request.Source == bulk.Prefix {
		if err := judge(); err != nil {
			return nil, err
		}
	}
	switch request.Source {
	case bulk.Prefix:
		err = r.planPrefix(ctx, p, request, allowed)
	case bulk.Manifest:
		err = r.planManifest(ctx, p, objects.Ref{Bucket: request.Manifest.Bucket, Key: request.Manifest.Key})
	}
	if err == nil && len(p.shards) > 0 && request.Bucket == "" && request.Source == bulk.Manifest {
		if v := p.shards[0].Inventory; v != nil {
			request.Bucket = v.Source
		}
		err = judge()
	}
	if err == nil && len(p.shards) == 0 {
		err = &bulk.Error{Code: NothingToSign, Detail: "there is nothing to sign: every list is empty"}
	}
	return p, err
}

// planPrefix cuts the keys under a prefix into ranges.
func (r *Runner) planPrefix(ctx context.Context, p *plan, request *bulk.Request, allowed *bulk.Chunks) error {
	p.label = "prefix-" + strings.Trim(request.Prefix, "/")
	if request.Continuation != "" {
		return &bulk.Error{Code: bulk.InvalidRequest, Detail: `field "continuation_token" has no place here: everything under the prefix is signed`}
	}
	if err := allowed.MayList(request.Prefix); err != nil {
		return err
	}
	at := func(ctx context.Context, prefix, after, delimiter string, most int32) (objects.Page, error) {
		if p.late() {
			return objects.Page{}, errOutOfTime
		}
		return r.Store.Look(ctx, allowed.Bucket(), prefix, after, delimiter, most)
	}
	ranges, err := keyRanges(ctx, at, request.Prefix, int(max(1, p.size/keyBytes)))
	for i := range ranges {
		p.shards = append(p.shards, Shard{Keys: &ranges[i]})
	}
	return err
}

// planManifest finds the shards of what a request's "manifest" names: a list, a folder of lists,
// or a list of lists.
func (r *Runner) planManifest(ctx context.Context, p *plan, ref objects.Ref) (err error) {
	p.label = strings.TrimSuffix(ref.Key, "/")
	p.label = p.label[strings.LastIndexByte(p.label, '/')+1:]
	isFolder := strings.HasSuffix(ref.Key, "/")
	if !r.mayRead(ref) && !(isFolder && r.holdsAny(ref.Bucket, ref.Key)) {
		return r.elsewhere()
	}
	var o *objects.Object
	var lists []objects.Ref
	var sizes []int64
	if isFolder {
		if lists, sizes, err = r.listsIn(ctx, ref); err != nil {
			return err
		}
		if len(lists) == 0 {
			return &bulk.Error{Code: ManifestNotFound, Detail: `field "manifest" names a folder, and no list is in it`}
		}
	} else if r.isSummary(ref) {
		p.label = "again"
		if o, lists, err = r.openSummary(ctx, ref); o != nil {
			defer o.Close()
		}
		for _, one := range lists { // which are gzip, and cannot be cut
			p.shards = append(p.shards, Shard{List: &ListShard{Ref: one}})
		}
		return err
	} else {
		shards, isLists, err := r.planList(ctx, p, ref)
		if err != nil || !isLists {
			p.shards = shards
			return err
		}
		if lists, err = r.readLists(ctx, ref); err != nil {
			return err
		}
	}
	all := make([][]Shard, len(lists))
	err = inParallel(len(lists), func(i int) (err error) {
		if isFolder && sizes[i] <= p.size && needsNoLook(lists[i].Key) {
			all[i] = []Shard{{List: &ListShard{Ref: lists[i]}}}
			return nil
		}
		var isLists bool
		if all[i], isLists, err = r.planList(ctx, p, lists[i]); err == nil && isLists {
			err = &manifest.BrokenError{Reason: "it is a list of lists among lists: name it by itself"}
		}
		return ofList(lists[i].Key, err)
	})
	if err != nil {
		return err
	}
	p.shards = slices.Concat(all...)
	if isFolder {
		p.shards = withoutInventoryFiles(p.shards)
	}
	return nil
}

// withoutInventoryFiles leaves out the lists that are files of an inventory among them, which are
// there for themselves.
func withoutInventoryFiles(shards []Shard) []Shard {
	files := make(map[string]bool)
	for _, s := range shards {
		if s.Inventory != nil {
			files[s.Inventory.Key] = true
		}
	}
	return slices.DeleteFunc(shards, func(s Shard) bool { return s.List != nil && files[s.List.Key] })
}

// needsNoLook tells whether a list's name says that it is one.
func needsNoLook(key string) bool {
	switch f, _, ok := manifest.FormatOf(key); f {
	case manifest.Text, manifest.CSV, manifest.JSONLines, manifest.Parquet:
		return ok
	}
	return false
}

// ofList says which of several lists an error is of.
func ofList(key string, err error) error {
	var broken *manifest.BrokenError
	switch {
	case errors.As(err, &broken) && broken.File == "":
		broken.File = key
	case notThere(err):
		return &manifest.BrokenError{File: key, Reason: "the list is not there, or this service may not read it"}
	}
	return err
}

// listsIn finds the lists in a folder and those below. Of the parts of an inventory, its
// manifest.json stands for all.
func (r *Runner) listsIn(ctx context.Context, folder objects.Ref) (lists []objects.Ref, sizes []int64, err error) {
	err = r.Store.List(ctx, folder.Bucket, folder.Key, "", func(o objects.Listed) error {
		ref := objects.Ref{Bucket: folder.Bucket, Key: o.Key, ETag: o.ETag}
		key, isPart := manifest.InventoryArrival(o.Key)
		switch {
		case isPart && key == "", manifest.NoList(o.Key) != "", o.Size == 0:
			return nil
		case isPart:
			ref = objects.Ref{Bucket: folder.Bucket, Key: key}
		case strings.HasSuffix(o.Key, "manifest.checksum"): // beside a manifest.json that was copied
			return nil
		}
		lists, sizes = append(lists, ref), append(sizes, o.Size)
		if len(lists) > maxLists {
			return &bulk.Error{Code: bulk.InvalidRequest, Detail: fmt.Sprintf(`field "manifest" names a folder of more than %d lists: join some, or name a folder below it`, maxLists)}
		}
		return nil
	})
	return lists, sizes, err
}

// maxLists is how many lists one request may have.
const maxLists = 50_000

// readLists reads a list of lists.
func (r *Runner) readLists(ctx context.Context, ref objects.Ref) (lists []objects.Ref, err error) {
	o, err := r.Store.Open(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	d, err := r.describe(o)
	if err != nil {
		return nil, err
	}
	list, err := d.Read(o, manifest.Limits{Lines: maxLists})
	var e manifest.Entry
	for err == nil {
		if err = list.Next(&e); err != nil {
			break
		}
		one := objects.Ref{Bucket: e.Bucket, Key: e.Key}
		if e.Err == nil && !r.mayRead(one) {
			e.Err = fmt.Errorf("it names a list elsewhere than where lists lie, under %q", r.Lists.Prefix)
		}
		if e.Err != nil {
			return nil, &manifest.BrokenError{Line: e.Line, Reason: e.Err.Error()}
		}
		lists = append(lists, one)
	}
	if err != io.EOF {
		return nil, err
	}
	return lists, nil
}

// planList finds the shards of one list, unless it is a list of lists.
func (r *Runner) planList(ctx context.Context, p *plan, ref objects.Ref) (shards []Shard, isLists bool, err error) {
	list, err := r.Store.Open(ctx, ref)
	if err != nil {
		return nil, false, err
	}
	defer list.Close()
	d, err := r.describe(list)
	if err != nil {
		return nil, false, err
	}
	whole := []Shard{{List: &ListShard{Ref: list.Ref}}}
	switch d.Format {
	case manifest.Lists:
		return nil, true, nil
	case manifest.InventoryManifest:
		shards, err := r.planInventory(ctx, p, list)
		return shards, false, err
	case manifest.Parquet:
		groups, err := r.cutGroups(ctx, p, list.Ref, list.Size)
		if err != nil || groups == nil {
			return whole, false, err
		}
		for i := range groups {
			shards = append(shards, Shard{List: &ListShard{Ref: list.Ref, Groups: &groups[i]}})
		}
		return shards, false, nil
	}
	head := make([]byte, min(list.Size, manifest.HeadBytes))
	if _, err := io.ReadFull(list, head); err != nil {
		return nil, false, err
	}
	if d.Format == manifest.Request {
		reader, err := d.Read(io.MultiReader(bytes.NewReader(head), list), manifest.Limits{})
		if err == nil && reader.IsRequest() {
			err = &bulk.Error{Code: bulk.InvalidRequest, Detail: `field "manifest" names a request rather than a list: send that request itself`}
		}
		return whole, false, err
	}
	cuttable, anywhere := d.Cuttable()
	if !cuttable || list.Size <= p.size {
		return whole, false, nil
	}
	if text := io.MultiReader(bytes.NewReader(head), list); manifest.Compressed(head) {
		parts, err := d.MemberCuts(text, list.Size, p.size, p.late, manifest.Limits{})
		if err != nil || len(parts) < 2 {
			return whole, false, err
		}
		for i, g := range parts {
			shards = append(shards, Shard{List: &ListShard{Ref: list.Ref, Members: &Members{Range: g, Last: i == len(parts)-1}}})
		}
		return shards, false, nil
	}
	size := max(p.size, (list.Size+maxShards-1)/maxShards)
	var cuts []manifest.Range
	if anywhere {
		for at := int64(0); at < list.Size; at += size {
			cuts = append(cuts, manifest.Range{Begin: at, End: min(at+size, list.Size)})
		}
	} else if cuts, err = d.Cuts(&timed{io.MultiReader(bytes.NewReader(head), list), p.stop}, size, manifest.Limits{}); err != nil {
		return nil, false, tooLongToCut(err)
	}
	for i := range cuts {
		shards = append(shards, Shard{List: &ListShard{Ref: list.Ref, Range: &cuts[i]}})
	}
	return shards, false, nil
}

// cutGroups cuts a Parquet file that has more than a shard's bytes between its row groups. Of
// a smaller one it gives nil.
func (r *Runner) cutGroups(ctx context.Context, p *plan, ref objects.Ref, size int64) (groups []manifest.Groups, err error) {
	if size <= p.size {
		return nil, nil
	}
	rows, err := manifest.ParquetGroups(r.Store.ReaderAt(ctx, ref), size)
	if err != nil {
		return nil, err
	}
	enough := max(1, p.size/keyBytes)
	var at manifest.Groups
	n := int64(0)
	for i := range rows {
		at.End = i + 1
		if n += rows[i]; n >= enough || at.End == len(rows) {
			groups = append(groups, at)
			at, n = manifest.Groups{Begin: at.End}, 0
		}
	}
	if len(groups) < 2 {
		return nil, nil
	}
	return groups, nil
}

// late tells whether the invocation is about to end.
func (p *plan) late() bool { return !p.stop.IsZero() && time.Now().After(p.stop) }

// timed stops reading when an invocation is about to end.
type timed struct {
	io.Reader
	stop time.Time
}

func (t *timed) Read(p []byte) (int, error) {
	if !t.stop.IsZero() && time.Now().After(t.stop) {
		return 0, errOutOfTime
	}
	return t.Reader.Read(p)
}

func tooLongToCut(err error) error {
	if errors.Is(err, errOutOfTime) {
		return &bulk.Error{Code: OutOfTime, Detail: "a CSV must be read once to be cut, since its fields may hold line breaks, and this one is too long for that: write it as several lists and name their folder, or as JSON Lines or Parquet"}
	}
	return err
}

// planInventory makes a shard of each file of an inventory, and several of a Parquet file that
// is large.
func (r *Runner) planInventory(ctx context.Context, p *plan, list *objects.Object) ([]Shard, error) {
	inventory, err := r.readInventory(ctx, list)
	if err != nil {
		return nil, err
	}
	all := make([][]Shard, len(inventory.Shards))
	err = inParallel(len(all), func(i int) (err error) {
		file := inventory.Shards[i]
		one := InventoryShard{
			Ref: objects.Ref{Bucket: inventory.Bucket, Key: file.Key}, Size: file.Size, MD5: fmt.Sprintf("%x", file.MD5),
			Source: inventory.SourceBucket, Parquet: inventory.Parquet, Schema: inventory.Schema,
		}
		var groups []manifest.Groups
		if inventory.Parquet && file.Size > p.size {
			if one.Ref, err = r.known(ctx, one.Ref); err != nil {
				return ofShard(file, err)
			}
			if groups, err = r.cutGroups(ctx, p, one.Ref, file.Size); err != nil {
				return ofList(file.Key, err)
			}
		}
		if groups == nil {
			one.ETag = "" // the MD5 says which file it is
			all[i] = []Shard{{Inventory: &one}}
			return nil
		}
		for j := range groups {
			part := one
			part.Groups = &groups[j]
			all[i] = append(all[i], Shard{Inventory: &part})
		}
		return nil
	})
	return slices.Concat(all...), err
}

// known is an object with the ETag that it has now.
func (r *Runner) known(ctx context.Context, ref objects.Ref) (objects.Ref, error) {
	o, err := r.Store.Open(ctx, ref)
	if err != nil {
		return ref, err
	}
	defer o.Close()
	return o.Ref, nil
}

package job

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

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
func (r *Runner) planStep(ctx context.Context, e *stepEvent) (*planAnswer, error) {
	plan, err := r.plan(ctx, e)
	if err != nil {
		return nil, err
	}
	of := Whole{Request: plan.text, Execution: e.Execution, Label: plan.label, ShardSize: plan.size}
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

func (r *Runner) plan(ctx context.Context, e *stepEvent) (*plan, error) {
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
	judge := func() error {
		_, err := r.Service.Chunks(ctx, policy.Caller{Kind: policy.Direct}, request)
		return err
	}
	if request.Bucket != "" || request.Source == bulk.Prefix {
		if err := judge(); err != nil {
			return nil, err
		}
	}
	switch request.Source {
	case bulk.Prefix:
		return p, errors.New("not yet")
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
		err = &bulk.Error{Code: NothingToSign, Detail: "there is nothing to sign: no list has a byte in it"}
	}
	return p, err
}

// planManifest finds the shards of what a request's "manifest" names.
func (r *Runner) planManifest(ctx context.Context, p *plan, ref objects.Ref) error {
	p.label = ref.Key[strings.LastIndexByte(strings.TrimSuffix(ref.Key, "/"), '/')+1:]
	if !r.mayRead(ref) {
		return &bulk.Error{Code: bulk.InvalidRequest, Detail: fmt.Sprintf(`field "manifest" must name a list where lists lie, under %q: see PRESIGN_MANIFEST_BUCKET and PRESIGN_MANIFEST_PREFIX`, r.Lists.Prefix)}
	}
	shards, err := r.planList(ctx, p, ref)
	p.shards = shards
	return err
}

// planList finds the shards of one list.
func (r *Runner) planList(ctx context.Context, p *plan, ref objects.Ref) ([]Shard, error) {
	list, err := r.Store.Open(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer list.Close()
	d, err := r.describe(list)
	if err != nil {
		return nil, err
	}
	if d.Format == manifest.InventoryManifest {
		return r.planInventory(ctx, list)
	}
	whole := []Shard{{List: &ListShard{Ref: list.Ref}}}
	head := make([]byte, min(list.Size, manifest.HeadBytes))
	if _, err := io.ReadFull(list, head); err != nil {
		return nil, err
	}
	if d.Format == manifest.Request {
		reader, err := d.Read(io.MultiReader(bytes.NewReader(head), list), manifest.Limits{})
		if err == nil && reader.IsRequest() {
			err = &bulk.Error{Code: bulk.InvalidRequest, Detail: `field "manifest" names a request rather than a list: send that request itself`}
		}
		return whole, err
	}
	cuttable, anywhere := d.Cuttable()
	if !cuttable || list.Size <= p.size || manifest.Compressed(head) {
		return whole, nil
	}
	size := max(p.size, (list.Size+maxShards-1)/maxShards)
	var cuts []manifest.Range
	if anywhere {
		for at := int64(0); at < list.Size; at += size {
			cuts = append(cuts, manifest.Range{Begin: at, End: min(at+size, list.Size)})
		}
	} else if cuts, err = d.Cuts(&timed{io.MultiReader(bytes.NewReader(head), list), p.stop}, size, manifest.Limits{}); err != nil {
		return nil, tooLongToCut(err)
	}
	shards := make([]Shard, len(cuts))
	for i := range cuts {
		shards[i].List = &ListShard{Ref: list.Ref, Range: &cuts[i]}
	}
	return shards, nil
}

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

// planInventory makes a shard of each file of an inventory.
func (r *Runner) planInventory(ctx context.Context, list *objects.Object) (shards []Shard, err error) {
	inventory, err := r.readInventory(ctx, list)
	if err != nil {
		return nil, err
	}
	for _, file := range inventory.Shards {
		shards = append(shards, Shard{Inventory: &InventoryShard{
			Ref: objects.Ref{Bucket: inventory.Bucket, Key: file.Key}, Size: file.Size, MD5: fmt.Sprintf("%x", file.MD5),
			Source: inventory.SourceBucket, Parquet: inventory.Parquet, Schema: inventory.Schema,
		}})
	}
	return shards, nil
}

package job

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"bulkpresign/internal/audit"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/delivery"
)

// Part is the result of a shard, as the summary of them all has it.
type Part struct {
	delivery.Object
	Entries   int64               `json:"entries"`
	Signed    int64               `json:"signed"`
	Failed    map[bulk.Code]int64 `json:"failed,omitempty"`
	ExpiresAt *time.Time          `json:"expires_at,omitempty"` // of the first of its URLs to end; none without URLs
}

// reading is how many summaries of parts are read at once.
const reading = 16

// finishStep puts the summaries of all shards together.
func (r *Runner) finishStep(ctx context.Context, p *Planned, rec *audit.Record) (*finishAnswer, error) {
	rec.Job = p.Of.identity()
	shards, err := r.readShards(ctx, p)
	if err != nil {
		return nil, err
	}
	all := &Summary{Parts: make([]Part, 0, len(shards))}
	parts := make([]chan partOf, len(shards))
	for i := range parts {
		parts[i] = make(chan partOf, 1)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	room := make(chan struct{}, reading)
	go func() {
		for i, name := range shards {
			select {
			case room <- struct{}{}:
			case <-ctx.Done():
				return
			}
			go func() {
				s, err := r.earlier(ctx, name+".json")
				parts[i] <- partOf{s, err}
			}()
		}
	}()
	for i := range parts {
		one := <-parts[i]
		<-room
		if err := all.take(i, one); err != nil {
			return nil, err
		}
	}
	rec.Bucket, rec.Operation = all.Bucket, all.Operation
	if all.Entries == 0 {
		return nil, &bulk.Error{Code: NothingToSign, Detail: "none of the lists has an entry, or no object has a key under the prefix"}
	}
	key, err := r.Results.Put(ctx, p.Of.Name()+"/"+summaryFile, all.Text(), "application/json", "")
	if err != nil {
		return nil, inResults(err)
	}
	a := &finishAnswer{Summary: place{r.Results.Folder.Bucket, key}, Parts: len(all.Parts), Count: all.Entries, Signed: all.Signed, Errors: all.Failed}
	if all.Lifetime != nil {
		a.ExpiresAt = &all.ExpiresAt
	}
	return a, nil
}

type partOf struct {
	*Summary
	err error
}

// take adds the summary of a part.
func (s *Summary) take(number int, part partOf) error {
	if notThere(part.err) || part.err == nil && (part.Summary == nil || part.Result == nil) {
		return &bulk.Error{Code: PartMissing, Detail: fmt.Sprintf("shard %d is not signed: redrive the execution", number)}
	}
	if part.err != nil {
		return inResults(part.err)
	}
	p := Part{Object: part.Result.Object, Entries: part.Entries, Signed: part.Signed, Failed: part.Failed}
	s.Entries += part.Entries
	s.Signed += part.Signed
	for code, n := range part.Failed {
		if s.Failed == nil {
			s.Failed = make(map[bulk.Code]int64)
		}
		s.Failed[code] += n
	}
	s.Errors = append(s.Errors, part.Errors[:min(len(part.Errors), maxErrors-len(s.Errors))]...)
	if part.Warnings != nil {
		if s.Warnings == nil {
			s.Warnings = new(Warnings)
		}
		s.Warnings.Count += part.Warnings.Count
		s.Warnings.First = append(s.Warnings.First, part.Warnings.First[:min(len(part.Warnings.First), maxWarnings-len(s.Warnings.First))]...)
	}
	if part.Lifetime != nil && part.Signed > 0 {
		p.ExpiresAt = &part.Lifetime.ExpiresAt
		if s.Lifetime == nil || part.ExpiresAt.Before(s.ExpiresAt) {
			s.Lifetime = part.Lifetime
		}
	}
	if len(s.Parts) == 0 {
		s.Bucket, s.Operation, s.Headers = part.Bucket, part.Operation, part.Headers
		s.Source = Source{Kind: part.Source.Kind, Prefix: part.Source.Prefix}
	}
	s.Parts = append(s.Parts, p)
	return nil
}

// maxErrors is how many entries that failed a summary tells of.
const maxErrors = 20

// readShards reads the names of a plan's parts.
func (r *Runner) readShards(ctx context.Context, p *Planned) (names []string, err error) {
	text, err := r.Results.Get(ctx, p.shardsName())
	if err != nil {
		return nil, inResults(err)
	}
	var shards []Shard
	if err := json.Unmarshal(text, &shards); err != nil || len(shards) != p.Count {
		return nil, &bulk.Error{Code: PartMissing, Detail: "the shards of the plan are not those that were written: start a new execution"}
	}
	for i := range shards {
		names = append(names, shards[i].Name())
	}
	return names, nil
}

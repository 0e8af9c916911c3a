package job

import (
	"context"
	"encoding/json"
	"time"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/delivery"
	"bulkpresign/internal/objects"
)

// Summary is written beside a result, after it: where it is, the job is done. It holds
// no URL.
type Summary struct {
	Source    Source `json:"source"`
	Bucket    string `json:"bucket,omitempty"`
	Operation string `json:"operation,omitempty"`
	*bulk.Lifetime
	Entries int64               `json:"entries"`
	Signed  int64               `json:"signed"`
	Failed  map[bulk.Code]int64 `json:"failed,omitempty"`
	Errors  []bulk.Failure      `json:"errors,omitempty"`  // the first of them
	Headers map[string]string   `json:"headers,omitempty"` // what a client must send with every URL
	Result  *Result             `json:"result,omitempty"`
	Error   *Failure            `json:"error,omitempty"` // why there is no result

	handedOn bool
	rules    []string // of the policy document, that have decided
}

// Source is what the result is of.
type Source struct {
	Kind     string       `json:"kind"` // keys, prefix, manifest, object
	Manifest *objects.Ref `json:"manifest,omitempty"`
	Prefix   *string      `json:"prefix,omitempty"`
	Object   *objects.Ref `json:"object,omitempty"`
}

// Result is where the URLs are.
type Result struct {
	delivery.Object
	Format   string `json:"format"`
	Encoding string `json:"encoding"`
}

// Failure is why a whole job failed.
type Failure struct {
	Code    bulk.Code `json:"code"`
	Message string    `json:"message"`
	Line    int64     `json:"line,omitempty"` // of the list
}

// Text is the summary as it is stored.
func (s *Summary) Text() []byte {
	text, _ := json.MarshalIndent(s, "", "  ") // no type in it fails
	return append(text, '\n')
}

// HandedOn tells whether another invocation goes on with the job.
func (s *Summary) HandedOn() bool { return s.handedOn }

// write stores a summary. One that tells of a failure does not take the place of one
// whose URLs still work: a late second delivery may find the list gone.
func (r *Runner) write(ctx context.Context, name string, s *Summary) error {
	if s.Error != nil {
		earlier, err := r.earlier(ctx, name)
		if err != nil {
			return err
		}
		if earlier != nil && earlier.Error == nil && earlier.Lifetime != nil && r.Service.Now().Before(earlier.ExpiresAt) {
			return nil
		}
	}
	_, err := r.Results.Put(ctx, name+"/"+summaryName, s.Text(), "application/json", "")
	return err
}

const summaryName = "summary.json"

// earlier is the summary that an earlier delivery of the same input wrote, or nil.
func (r *Runner) earlier(ctx context.Context, name string) (*Summary, error) {
	text, found, err := r.Results.Get(ctx, name+"/"+summaryName)
	if err != nil || !found {
		return nil, err
	}
	s := new(Summary)
	if json.Unmarshal(text, s) != nil {
		return nil, nil
	}
	return s, nil
}

// doneSince tells whether an input's result was completed with URLs signed at a time or
// later.
func (r *Runner) doneSince(ctx context.Context, name string, since time.Time) (bool, error) {
	s, err := r.earlier(ctx, name)
	return s != nil && s.Error == nil && s.Lifetime != nil && !s.SignedAt.Before(since), err
}

package job

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"bulkpresign/internal/awserr"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/delivery"
	"bulkpresign/internal/manifest"
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
	Errors  []bulk.Failure      `json:"errors,omitempty"` // the first of them
	// Warnings are of lines that are signed and look like a slip.
	Warnings *Warnings         `json:"warnings,omitempty"`
	Headers  map[string]string `json:"headers,omitempty"` // what a client must send with every URL
	Result   *Result           `json:"result,omitempty"`
	Parts    []Part            `json:"parts,omitempty"` // in place of Result: of a run, in order
	Error    *Failure          `json:"error,omitempty"` // why there is no result

	handedOn bool
	rules    []string // of the policy document, that have decided
}

// Warnings tell of keys that are signed and look like a slip, and of such lines of a list: a comment, a
// header, quotation marks, a byte order mark.
type Warnings struct {
	Count int64     `json:"count"`
	First []Warning `json:"first"` // at most maxWarnings
}

// Warning is one of them.
type Warning struct {
	Line    int64  `json:"line,omitempty"` // of a list
	Key     string `json:"key"`
	Message string `json:"message"`
}

// maxWarnings is how many a summary tells of.
const maxWarnings = 20

func (w *Warnings) add(one Warning) {
	w.Count++
	if len(w.First) < maxWarnings {
		w.First = append(w.First, one)
	}
}

func (s *Summary) warned(w Warnings) {
	if w.Count > 0 {
		s.Warnings = &w
	}
}

// Source is what the result is of.
type Source struct {
	Kind     string       `json:"kind"` // keys, prefix, manifest, object; request: of what could not be read
	Manifest *objects.Ref `json:"manifest,omitempty"`
	Prefix   *string      `json:"prefix,omitempty"`
	Object   *objects.Ref `json:"object,omitempty"`

	// Of a shard.
	Range  *manifest.Range  `json:"range,omitempty"`  // of the list, in bytes
	Groups *manifest.Groups `json:"groups,omitempty"` // of a Parquet file
	Keys   *KeyRange        `json:"keys,omitempty"`   // under the prefix
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
		var call *awserr.Error
		switch {
		case errors.As(err, &call) && call.Status == http.StatusForbidden:
			// It is not there, or it may not be read. Only in the first case this succeeds.
			return r.Results.PutNew(ctx, name, s.Text(), "application/json")
		case errors.As(err, &call) && call.Status == http.StatusNotFound:
		case err != nil:
			return err
		case earlier.live(r.Service.Now()):
			return nil
		}
	}
	_, err := r.Results.Put(ctx, name, s.Text(), "application/json", "")
	return err
}

// live tells whether the URLs of the result still work.
func (s *Summary) live(now time.Time) bool {
	return s != nil && s.Error == nil && s.Lifetime != nil && now.Before(s.ExpiresAt)
}

const summaryFile = "summary.json"

// earlier is the summary that an earlier delivery of the same input wrote, or nil where
// something else lies there. The error is as of delivery.Bucket's Get.
func (r *Runner) earlier(ctx context.Context, name string) (*Summary, error) {
	text, err := r.Results.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	s := new(Summary)
	if json.Unmarshal(text, s) != nil {
		return nil, nil
	}
	return s, nil
}

// doneSince tells whether an input's result was completed with URLs signed at a time or
// later. What may not be read counts as none: the job is then done again.
func (r *Runner) doneSince(ctx context.Context, name string, since time.Time) (bool, error) {
	s, err := r.earlier(ctx, name)
	var call *awserr.Error
	if errors.As(err, &call) && (call.Status == http.StatusForbidden || call.Status == http.StatusNotFound) {
		return false, nil
	}
	return s != nil && s.Error == nil && s.Lifetime != nil && !s.SignedAt.Before(since), err
}

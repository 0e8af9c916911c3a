// Package bulk decides about a batch of S3 keys: it reads what a caller asks for, judges
// the request and each key of it, and has every key that may be signed signed. A batch
// flows through it in one direction: text -> [Request] -> [Plan] -> signatures. How the
// answer is worded and laid out is package answer's.
//
// It is the same for every event that carries a request.
package bulk

import (
	"context"
	"errors"
	"maps"
	"time"

	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/s3query"
	"bulkpresign/internal/s3url"
)

// Service plans batches. It is safe for concurrent use.
type Service struct {
	Policy      policy.Policy
	Locate      func(bucket string) (s3url.Location, error)
	Credentials CredentialsSource
	Now         func() time.Time

	// RequestID, if not nil, has every URL say who asked for it, see attribution: it is
	// the id of the request that the context belongs to.
	RequestID func(context.Context) string

	// S3 is asked for a caller: to begin an upload, say.
	S3 *s3query.Client

	// ListKeys says that the service may list buckets for a caller who waits.
	ListKeys bool
}

// Plan is a batch that has been judged, with everything known but the signatures:
// the size of the answer above all. One plan serves one goroutine.
//
// Its keys are the distinct ones of the request, in their order, and numbered from 0.
type Plan struct {
	Bucket    string
	Operation s3op.Operation
	SignedAt  time.Time
	ExpiresIn int64 // seconds
	ExpiresAt time.Time
	Basis     Basis
	Rules     []string // of the policy document that have decided about a key

	CredentialsUntil time.Time // zero when it cannot be known

	request     *Request
	grant       *policy.Grant     // nil without a policy document
	sources     map[string]source // of copies: by bucket
	count       int               // of the request's keys; negative when nobody knows
	options     []s3op.Option     // of the whole batch, settled
	headers     []s3op.Option     // those of them that are headers
	parts       []string          // the batch's part numbers
	optionsWarn bool              // the batch's options look like a slip, whatever the key
	lacking     error             // what keys without own options still miss
	merged      []s3op.Option     // scratch of settle
	wanted      int64             // seconds that the URLs are to live
	reuse       int64             // seconds for which they stay the same; of wanted
	needed      Need              // what the credentials are for

	entries  []entry
	uploads  map[int32]*Upload        // by item; of a MultipartUpload
	objects  map[int32]s3query.Object // by item; what S3 says of them, where it was asked
	listed   *listing                 // what the keys were listed by, or nil
	next     string                   // with listed: where the next request goes on; empty at the end
	failures map[int32]failure        // by entry
	any      Traits                   // of all entries together
	urls     int                      // of all entries together

	signing
}

// entry is a distinct key.
type entry struct {
	item int32  // of the request: the first that names the key
	path int32  // the index of its path in signing.paths, when it is Shared or a Form
	is   Traits // what was found about it
}

// source is what the caller may read of a bucket.
type source struct {
	*policy.Grant
	refusal *policy.Refusal // nothing
}

// Traits are what a plan says of a key. Each key has exactly one of those before OwnHeaders.
type Traits uint16

const (
	Shared     Traits = 1 << iota // it has one URL, signed with the batch's options
	Single                        // it has one URL, signed with options of its own
	InParts                       // it has a URL for each of its part numbers
	Form                          // it has a form, signed with the batch's options
	OwnForm                       // it has a form, signed with options of its own
	InUpload                      // it has an upload in parts, of several URLs
	Failed                        // it is not signed
	OwnHeaders                    // its client must send other headers than the batch's
	Described                     // it is known what S3 has there
	Warned                        // it is signed, and looks like a slip
)

// Has tells whether one of some traits is there.
func (t Traits) Has(some Traits) bool { return t&some != 0 }

// failure is why a key was not signed.
type failure struct {
	code    Code
	message string
	rule    string // of the policy document, when the answer is to tell
}

// Plan judges a caller's request that has its keys with it: who serves another source
// brings them here. An error is an *Error.
func (s *Service) Plan(ctx context.Context, caller policy.Caller, r *Request) (*Plan, error) {
	if r.Source == Prefix {
		return s.planPrefix(ctx, caller, r)
	}
	if r.Source != Keys {
		return nil, failf(InvalidRequest, `field %q takes longer than a caller can wait: give "keys" here, or send the request to the queue of the jobs, whose results go to a bucket`, r.Source)
	}
	p, err := s.prepare(ctx, caller, r, r.Count)
	if err != nil {
		return nil, err
	}
	if n := p.merges(); n > maxMerges {
		return nil, failf(InvalidOption, "the batch's options would have to be merged with those of %d items, which is too much work: give those items all their options themselves, or split the request", n/len(r.Options))
	}
	p.judgeKeys(&s.Policy)
	if err := s.finish(ctx, p); err != nil {
		return nil, err
	}
	return p, nil
}

// finish asks S3 what there is to ask about keys that were judged, and sums up.
func (s *Service) finish(ctx context.Context, p *Plan) error {
	if p.grant != nil {
		p.Rules = p.grant.Rules()
	}
	if p.Operation == s3op.MultipartUpload {
		if err := s.begin(ctx, p, maxBegun); err != nil {
			return err
		}
	}
	if p.request.Verify != VerifyNot {
		s.verify(ctx, p)
	}
	p.sum()
	return nil
}

// sum finds what the entries have together.
func (p *Plan) sum() {
	p.any, p.urls = 0, 0
	for _, e := range p.entries {
		p.any |= e.is
		p.urls += p.urlsOf(e)
	}
}

// prepare judges all of a request but its keys, of which there are count, or nobody
// knows how many where it is negative.
func (s *Service) prepare(ctx context.Context, caller policy.Caller, r *Request, count int) (*Plan, error) {
	p := &Plan{request: r, Bucket: r.Bucket, Operation: r.Operation, count: count}
	if err := s.allow(p, caller, count); err != nil {
		return nil, err
	}
	if err := p.judgeVerify(); err != nil {
		return nil, err
	}
	if err := p.judgeOptions(); err != nil {
		return nil, err
	}
	var err error
	if p.location, err = s.Locate(p.Bucket); err != nil {
		var unsupported *s3url.UnsupportedError
		if errors.As(err, &unsupported) {
			return nil, failf(InvalidOption, "the bucket cannot be signed for: %v", unsupported)
		}
		return nil, err
	}
	if err := p.judgeExpiry(&s.Policy); err != nil {
		return nil, err
	}
	p.needed = p.need(caller, &s.Policy)
	p.attribution = s.attribution(ctx, &caller, p.reuse > 0)
	credentials, err := s.credentials(ctx, &p.needed)
	if err != nil {
		return nil, err
	}
	if err := p.signWith(credentials, s); err != nil {
		return nil, err
	}
	if err := s3op.CheckTime(p.options, p.SignedAt); err != nil {
		return nil, failf(InvalidOption, "%v", err)
	}
	return p, nil
}

// Keys is the number of distinct keys.
func (p *Plan) Keys() int { return len(p.entries) }

// Signed is the number of keys that have URLs.
func (p *Plan) Signed() int { return len(p.entries) - len(p.failures) }

// URLs is the number of URLs.
func (p *Plan) URLs() int { return p.urls }

// Key is the key numbered i.
func (p *Plan) Key(i int) string { return p.request.Items[p.entries[i].item].Key }

// Is tells whether the key numbered i has one of some traits.
func (p *Plan) Is(i int, some Traits) bool { return p.entries[i].is.Has(some) }

// Any tells whether any key has one of some traits.
func (p *Plan) Any(some Traits) bool { return p.any.Has(some) }

// Failure is why the key numbered i, which is Failed, was not signed.
func (p *Plan) Failure(i int) Failure {
	f := p.failures[int32(i)]
	return Failure{Key: p.Key(i), Code: f.code, Message: f.message, Rule: f.rule}
}

// Options are the effective options of the key numbered i, which is not Failed, sorted.
// They are valid until the next call.
func (p *Plan) Options(i int) []s3op.Option { return p.settled(p.entries[i]) }

// BatchOptions are the effective options of the whole batch, sorted.
func (p *Plan) BatchOptions() []s3op.Option { return p.options }

// BatchHeaders are those of them that a client must send.
func (p *Plan) BatchHeaders() []s3op.Option { return p.headers }

// Headers are what a client must send with every URL, unless a key has its own.
func (p *Plan) Headers() map[string]string {
	h := make(map[string]string)
	for _, o := range p.headers {
		h[o.WireName()] = o.Value
	}
	return h
}

func (p *Plan) urlsOf(e entry) int {
	switch {
	case e.is.Has(Failed):
		return 0
	case e.is.Has(InParts):
		return s3op.CountParts(p.settled(e))
	case e.is.Has(InUpload):
		return p.uploadURLs(e)
	}
	return 1
}

// First is the plan of the same request with only the first n of its distinct keys.
func (p *Plan) First(n int) *Plan {
	if n == len(p.entries) {
		return p
	}
	part := *p
	part.entries = p.entries[:n]
	part.failures = maps.Clone(p.failures)
	maps.DeleteFunc(part.failures, func(at int32, _ failure) bool { return int(at) >= n })
	part.sum()
	return &part
}

// Within is the number of distinct keys, from the first, that have no more than so
// many URLs together.
func (p *Plan) Within(urls int) int {
	for i, e := range p.entries {
		if urls -= p.urlsOf(e); urls < 0 {
			return i
		}
	}
	return len(p.entries)
}

// Refused visits the keys that have no URL, in the order of the request.
func (p *Plan) Refused(visit func(key string, code Code, message string)) {
	if len(p.failures) == 0 {
		return
	}
	for i := range p.entries {
		if p.Is(i, Failed) {
			f := p.failures[int32(i)]
			visit(p.Key(i), f.code, f.message)
		}
	}
}

// Gzip tells whether the request asks for a compressed answer in its own text.
func (p *Plan) Gzip() bool { return p.request.Encoding == "gzip" }

// Explains tells whether the answer is to say which rules of the policy document decided.
func (p *Plan) Explains() bool { return p.request.Explain }

// Format is the format that the request names, or else another.
func (p *Plan) Format(otherwise Format) Format {
	if p.request.Format != nil {
		return *p.request.Format
	}
	return otherwise
}

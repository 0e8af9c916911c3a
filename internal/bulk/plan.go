// Package bulk is the batch: what is asked for, what is judged for each key, and the
// answer. It is the same for every event that carries a request.
package bulk

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"strings"
	"time"

	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/s3query"
	"bulkpresign/internal/s3url"
	"bulkpresign/internal/sigv4"
)

// MaxKeyBytes is S3's limit for an object key, in bytes of UTF-8.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
const MaxKeyBytes = 1024

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
}

// Basis says what the figure expires_at rests on.
type Basis string

const (
	BasisSignature   Basis = "signature"   // the signature's own end is the earlier, for certain
	BasisCredentials Basis = "credentials" // the credentials end first
	BasisUnknown     Basis = "unknown"     // nobody knows when the credentials end: the figure is nominal
)

// Plan is a batch that has been judged, with everything known but the signatures:
// the size of the answer above all. One plan serves one goroutine.
type Plan struct {
	Bucket    string
	Operation s3op.Operation
	SignedAt  time.Time
	ExpiresIn int64 // seconds
	ExpiresAt time.Time
	Basis     Basis
	Rules     []string // of the policy document that have decided about a key

	CredentialsUntil time.Time // zero when it cannot be known

	request *Request
	grant   *policy.Grant     // nil without a policy document
	sources map[string]source // of copies: by bucket
	count   int               // of the request's keys; negative when nobody knows
	options []s3op.Option     // of the whole batch, settled
	headers []s3op.Option     // those of them that are headers
	parts   []string          // the batch's part numbers
	lacking error             // what keys without own options still miss
	merged  []s3op.Option     // scratch of settle
	escaped []byte            // scratch of pathText

	location    s3url.Location
	wanted      int64 // seconds that the URLs are to live
	needed      Need  // what the credentials are for
	credentials Credentials
	signer      *sigv4.Signer
	scratch     sigv4.Request
	attribution []sigv4.Parameter
	presigner   *sigv4.Presigner  // for the batch's options
	single      *sigv4.Presigner  // for one item's own, reset for each
	forms       *sigv4.PostSigner // for the batch's options; nil but for PostObject
	uploads     map[int32]*upload // by item; of a MultipartUpload

	entries    []entry           // the distinct keys, in the order of the request
	paths      []sigv4.Path      // of the entries to be signed with presigner
	signatures []sigv4.Signature // of the paths from signedFrom on
	signedFrom int
	failures   map[int32]failure // by entry

	in          sections // that have a member for any key
	withHeaders bool     // clients must send headers with some URL
	streamed    bool     // the entries are one chunk of many, of which nothing is known yet
	urls        int      // in the answer
}

// entry is a distinct key.
type entry struct {
	item int32 // of the request: the first that names the key
	path int32 // the index of its path in Plan.paths, when kind is batched
	kind kind
	in   sections // of the answer that have a member for the key
}

// source is what the caller may read of a bucket.
type source struct {
	*policy.Grant
	refusal *policy.Refusal // nothing
}

type kind uint8

const (
	batched kind = iota // signed with the batch's options
	special             // signed with its own options over the batch's
	failed              // not signed
)

// failure is why a key was not signed.
type failure struct {
	code    Code
	message string
	rule    string // of the policy document, when the answer is to tell
}

// Plan judges a caller's request that has its keys with it: who serves another source
// brings them here. An error is an *Error.
func (s *Service) Plan(ctx context.Context, caller policy.Caller, r *Request) (*Plan, error) {
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
	if p.grant != nil {
		p.Rules = p.grant.Rules()
	}
	if p.Operation == s3op.MultipartUpload {
		if err := s.begin(ctx, p, maxBegun); err != nil {
			return nil, err
		}
	}
	for _, e := range p.entries {
		p.in |= e.in
		p.urls += p.urlsOf(e)
	}
	p.withHeaders = len(p.headers) > 0 || p.in.has(inItemHeaders)
	return p, nil
}

// prepare judges all of a request but its keys, of which there are count, or nobody
// knows how many where it is negative.
func (s *Service) prepare(ctx context.Context, caller policy.Caller, r *Request, count int) (*Plan, error) {
	p := &Plan{request: r, Bucket: r.Bucket, Operation: r.Operation, count: count}
	if err := s.allow(p, caller, count); err != nil {
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
	p.attribution = s.attribution(ctx, &caller)
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

// credentials takes a snapshot. The error is an *Error.
func (s *Service) credentials(ctx context.Context, need *Need) (Credentials, error) {
	c, err := s.Credentials.Credentials(ctx, need)
	if err != nil {
		return c, &Error{
			Code:   CredentialsUnavailable,
			Detail: "the service has no valid credentials at the moment: try again, and see the function's log if it lasts",
			Cause:  err,
		}
	}
	return c, nil
}

// signWith makes ready to sign with these credentials, from now on.
func (p *Plan) signWith(credentials Credentials, s *Service) error {
	// One reading of the clock for the whole batch, so that midnight cannot split it.
	p.SignedAt = s.Now().UTC().Truncate(time.Second)
	if err := p.decideExpiry(credentials); err != nil {
		return err
	}
	p.credentials = credentials
	p.signer = sigv4.NewSigner(credentials.Credentials, sigv4.Scope{
		Time:    p.SignedAt,
		Region:  p.location.Region,
		Service: p.location.Service,
	})
	p.scratch = sigv4.Request{
		Origin:     p.location.Origin,
		Host:       p.location.Host,
		PathPrefix: p.location.PathPrefix,
		ExpiresIn:  int(p.ExpiresIn),
	}
	p.fill(&p.scratch, p.Operation, p.options, "")
	p.presigner = p.signer.Presigner(&p.scratch)
	if p.Operation == s3op.PostObject {
		p.forms = p.formSigner(p.options)
	}
	return nil
}

// attribution makes parameters of who asks. S3 takes no notice of parameters that begin
// with "x-" but writes them into its access log; the signature keeps them as they are.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html#LogFormatCustom
func (s *Service) attribution(ctx context.Context, caller *policy.Caller) []sigv4.Parameter {
	if s.RequestID == nil {
		return nil
	}
	return []sigv4.Parameter{ // sorted, and behind all parameters of S3
		{Name: "x-presign-caller", Value: caller.Hash()},
		{Name: "x-presign-request", Value: s.RequestID(ctx)},
	}
}

// fill writes settled options, and who asks, into r.
func (p *Plan) fill(r *sigv4.Request, op s3op.Operation, settled []s3op.Option, part string) {
	op.Fill(r, settled, part)
	r.Query = append(r.Query, p.attribution...)
}

// allow asks the policy about everything but single keys.
func (s *Service) allow(p *Plan, caller policy.Caller, count int) error {
	if p.Bucket == "" {
		bucket, ok := s.Policy.DefaultBucket()
		if !ok {
			return failf(InvalidRequest, `field "bucket" is missing: this service signs for several buckets, so name one`)
		}
		p.Bucket = bucket
	}
	if !s.Policy.AllowsBucket(p.Bucket) {
		return failf(BucketNotAllowed, "bucket %s is not one that this service signs for", shownBucket(p.Bucket))
	}
	if !s.Policy.AllowsOperation(p.Operation) {
		return failf(OperationNotAllowed, "operation %s is not one that this service signs for", p.Operation)
	}
	if f := p.request.Format; f != nil && *f != JSON && *f != NDJSON && (p.Operation == s3op.PostObject || p.Operation == s3op.MultipartUpload) {
		return failf(InvalidRequest, `format %q is for single URLs, and %s needs more for each key: take "json" or "ndjson"`, f, p.Operation)
	}
	if f := p.request.Format; f != nil && *f == Aria2 && p.Operation != s3op.GetObject {
		return failf(InvalidRequest, `format "aria2" is for downloads, that is for GetObject: for %s take "curl" or "json"`, p.Operation)
	}
	if f := p.request.Format; f != nil && *f == Curl && hasDocument(p.Operation) {
		return failf(InvalidRequest, `format "curl" is for requests that have no body but a file, and %s has a document of its own: take "json"`, p.Operation)
	}
	if p.request.Count > s.Policy.MaxKeys {
		return failf(TooManyKeys, "the request has %d keys and the most is %d: split it", p.request.Count, s.Policy.MaxKeys)
	}
	if s.Policy.Document == nil {
		return nil
	}
	var refusal *policy.Refusal
	p.grant, refusal = s.Policy.Document.Grant(&caller, p.Bucket, p.Operation)
	if refusal == nil {
		refusal = p.grant.LimitKeys(count)
	}
	if refusal != nil {
		return p.refused(refusal)
	}
	if p.request.Explain && !p.grant.Explains {
		return failf(InvalidRequest, `field "explain": the policy does not let you see which rules decide`)
	}
	return nil
}

// hasDocument tells whether an operation has a body that is not the object's.
func hasDocument(op s3op.Operation) bool {
	return op == s3op.CompleteMultipartUpload || op == s3op.PutObjectTagging || op == s3op.RestoreObject
}

// refused is the error of a request that the policy document does not allow.
func (p *Plan) refused(r *policy.Refusal) error {
	detail := r.Detail
	if rule := p.shownRule(r); rule != "" {
		detail += fmt.Sprintf(" (rule %q)", rule)
	}
	return &Error{Code: refusals[r.Refused], Detail: detail, Rule: r.Rule}
}

// refusals are the contract's words for what a policy document does not allow.
var refusals = map[policy.Refused]Code{
	policy.RefusedBucket:    BucketNotAllowed,
	policy.RefusedOperation: OperationNotAllowed,
	policy.RefusedCount:     TooManyKeys,
	policy.RefusedExpiry:    ExpiryTooLong,
	policy.RefusedKey:       KeyNotAllowed,
	policy.RefusedOption:    InvalidOption,
}

// shownRule is the rule that decided, if the caller asks for it and may see it.
func (p *Plan) shownRule(r *policy.Refusal) string {
	if p.request.Explain && p.grant.Explains {
		return r.Rule
	}
	return ""
}

// judgeOptions judges the options of the whole batch: what is wrong with them fails
// the request.
func (p *Plan) judgeOptions() error {
	given := p.request.Options
	if err := p.Operation.Check(given); err != nil {
		return failf(InvalidOption, "%v", err)
	}
	settled, err := p.Operation.Settle(slices.Clone(given))
	if err != nil {
		return failf(InvalidOption, "%v", err)
	}
	p.options = settled
	if p.Operation != s3op.PostObject && p.Operation != s3op.MultipartUpload {
		p.headers = headers(settled)
	}
	p.parts = s3op.PartNumbers(settled)
	p.lacking = p.Operation.Complete(settled)
	if p.grant != nil {
		if refusal := p.grant.RequireOfBatch(settled, p.Operation); refusal != nil {
			return p.refused(refusal)
		}
	}
	return nil
}

// maxMerges bounds the one product of two sizes that a request of 6 MB can make large: hundreds of entries of metadata
// for the batch, to be merged with the own options of a hundred thousand items. It is 20 options for each of those.
const maxMerges = 2_000_000

// merges is how many of the batch's options come together with items' own.
func (p *Plan) merges() int {
	items := 0
	for i := range p.request.Items {
		if item := &p.request.Items[i]; item.begin != item.end {
			items++
		}
	}
	return items * len(p.request.Options)
}

// judgeExpiry finds the lifetime that is asked for.
func (p *Plan) judgeExpiry(limits *policy.Policy) error {
	p.wanted = p.request.ExpiresIn
	if p.wanted == 0 {
		p.wanted = int64(limits.DefaultExpiresIn / time.Second)
		if p.grant != nil {
			p.wanted = p.grant.ShortestExpiresIn(p.wanted)
		}
	}
	if most := int64(limits.MaxExpiresIn / time.Second); p.wanted > most {
		return failf(ExpiryTooLong, `field "expires_in" is over the maximum of %d seconds`, most)
	}
	if p.grant != nil {
		if refusal := p.grant.LimitExpiresIn(p.wanted); refusal != nil {
			return p.refused(refusal)
		}
	}
	return nil
}

// decideExpiry finds the lifetime: what is asked for, or less when the credentials
// are known to end sooner.
func (p *Plan) decideExpiry(c Credentials) error {
	p.ExpiresIn = p.wanted
	p.Basis, p.CredentialsUntil = BasisUnknown, c.Expires
	if !c.Expires.IsZero() {
		p.Basis = BasisSignature
		remaining := int64(math.Floor(c.Expires.Sub(p.SignedAt).Seconds()))
		if remaining < 1 {
			return failf(CredentialsUnavailable, "the service's credentials have ended: try again")
		}
		if remaining < p.ExpiresIn {
			p.Basis = BasisCredentials
			if !p.request.StrictExpiry {
				p.ExpiresIn = remaining
			}
		}
	}
	if p.request.StrictExpiry && p.Basis != BasisSignature {
		if p.Basis == BasisUnknown {
			return failf(ExpiryTooLong, `nobody can tell whether the service's credentials outlive the request: leave out "strict_expiry", or have the service sign with a role of its own (PRESIGN_SIGNING_ROLE_ARN)`)
		}
		return failf(ExpiryTooLong, `the service's credentials end before the URLs would: ask for less, or leave out "strict_expiry"`)
	}
	p.ExpiresAt = p.SignedAt.Add(time.Duration(p.ExpiresIn) * time.Second)
	return nil
}

// judgeKeys finds the distinct keys and what becomes of each.
func (p *Plan) judgeKeys(allowed *policy.Policy) {
	p.clear()
	known := newKeyIndex(len(p.request.Items))
	for i := range p.request.Items {
		e, f := p.judgeItem(allowed, i)
		at, isNew := known.add(p.request.Items[i].Key, int32(len(p.entries)), p)
		if isNew {
			p.enter(e, f)
		} else {
			p.again(at, e, f)
		}
	}
}

// clear makes room for the entries of the request's items.
func (p *Plan) clear() {
	n := len(p.request.Items)
	p.entries = slices.Grow(p.entries[:0], n)
	p.paths = slices.Grow(p.paths[:0], n)
	clear(p.failures)
	clear(p.uploads)
	p.in = 0
}

// judgeItem finds what becomes of the request's item i.
func (p *Plan) judgeItem(allowed *policy.Policy, i int) (e entry, f failure) {
	e.item = int32(i)
	options, f := p.judge(allowed, &p.request.Items[i])
	switch {
	case f.code != "":
		e.kind = failed
	case p.parts != nil || p.Operation.OfBucket() || p.Operation == s3op.MultipartUpload || !slices.Equal(options, p.options):
		e.kind = special
	}
	e.in = p.sectionsOf(e.kind, options)
	return e, f
}

// enter adds an entry.
func (p *Plan) enter(e entry, f failure) {
	if e.kind == batched {
		e.path = int32(len(p.paths))
		p.paths = append(p.paths, sigv4.PathOf(p.request.Items[e.item].Key))
	}
	p.entries = append(p.entries, e)
	if e.kind == failed {
		p.fail(int32(len(p.entries)-1), f)
	}
}

func (p *Plan) fail(at int32, f failure) {
	if p.failures == nil {
		p.failures = make(map[int32]failure)
	}
	p.failures[at] = f
	p.entries[at].kind = failed
	p.entries[at].in = of(inErrors)
}

// again judges a key that was there before: the same options collapse, different
// ones contradict each other, and an earlier code of the contract's list wins.
func (p *Plan) again(at int32, e entry, f failure) {
	first := &p.entries[at]
	if e.kind == failed {
		if first.kind != failed || p.failures[at].code == ConflictingItem {
			p.fail(at, f)
		}
		return
	}
	if first.kind == failed {
		return
	}
	same := first.kind == e.kind
	if same && e.kind == special {
		same = slices.Equal(slices.Clone(p.settled(*first)), p.settled(e))
	}
	if !same {
		p.fail(at, failure{code: ConflictingItem, message: "the key is given more than once, with different options: a key has one URL in an answer"})
	}
}

// judge finds an item's effective options, valid until the next call, or what is wrong
// with it, in the contract's order.
func (p *Plan) judge(allowed *policy.Policy, item *Item) (options []s3op.Option, f failure) {
	key := item.Key
	switch {
	case p.Operation == s3op.HeadBucket && key != "":
		return nil, failure{code: InvalidOption, message: `HeadBucket is about a bucket and has no key: leave out "keys"`}
	case p.Operation == s3op.HeadBucket && allowed.KeyPrefix != "":
		return nil, failure{code: KeyNotAllowed, message: fmt.Sprintf("HeadBucket is about the whole bucket, and this service signs for what begins with %q", allowed.KeyPrefix)}
	case key == "" && !p.Operation.OfBucket():
		return nil, failure{code: EmptyKey, message: "the key is empty"}
	case p.Operation == s3op.PostObject && strings.Contains(key, s3op.FilenameVariable):
		return nil, failure{code: UnsafeKey, message: `the key holds "${filename}", which S3 replaces in a form by the name of the file: give the key without it and "key_starts_with": true to mean that`}
	case len(key) > MaxKeyBytes:
		return nil, failure{code: KeyTooLong, message: fmt.Sprintf("the key has %d bytes of UTF-8 and S3 takes at most %d", len(key), MaxKeyBytes)}
	case !allowed.AllowsKey(key):
		return nil, failure{code: KeyNotAllowed, message: fmt.Sprintf("the key does not begin with %q", allowed.KeyPrefix)}
	case p.Operation.Writes() && allowed.Reserves(p.Bucket, key, false):
		return nil, failure{code: KeyNotAllowed, message: ownFolder}
	}
	rule := 0
	if p.grant != nil {
		var refusal *policy.Refusal
		if rule, refusal = p.grant.Key(key); refusal != nil {
			return nil, p.failure(refusal)
		}
		if hasDotSegment(key) { // some servers, and clients, take it for another key, perhaps under another prefix
			return nil, failure{code: UnsafeKey, message: `the key has a "." or ".." path segment, with which it might leave the prefixes that the policy allows you`}
		}
	} else if !p.request.AllowDotSegments && !p.Operation.OfBucket() && hasDotSegment(key) {
		return nil, failure{code: UnsafeKey, message: `the key has a "." or ".." path segment, which browsers and curl rewrite, so that its URL cannot work there; "allow_dot_segments": true signs it all the same`}
	}
	if item.begin == item.end {
		if p.lacking != nil {
			return nil, failure{code: InvalidOption, message: p.lacking.Error()}
		}
		if p.grant != nil {
			f = p.failure(p.grant.BatchOptions(key, rule))
		}
		if f.code == "" {
			f = p.judgeLast(allowed, key, p.options)
		}
		return p.options, f
	}
	if err := p.Operation.Check(p.request.OwnOptions(*item)); err != nil {
		return nil, failure{code: InvalidOption, message: err.Error()}
	}
	options, err := p.settle(item)
	if err == nil {
		err = p.Operation.Complete(options)
	}
	if err == nil {
		err = s3op.CheckTime(options, p.SignedAt)
	}
	if err != nil {
		return nil, failure{code: InvalidOption, message: err.Error()}
	}
	if p.grant != nil {
		f = p.failure(p.grant.Options(key, rule, options, p.Operation))
	}
	if f.code == "" {
		f = p.judgeLast(allowed, key, options)
	}
	return options, f
}

// ownFolder is why a key is refused for an operation that writes.
const ownFolder = "the key is in a folder of the service's own, where lists and results are (PRESIGN_RESULTS_PREFIX, PRESIGN_MANIFEST_PREFIX): nothing is signed that writes there"

// judgeLast judges what effective options mean for the operation.
func (p *Plan) judgeLast(allowed *policy.Policy, key string, options []s3op.Option) failure {
	if p.Operation == s3op.PostObject && s3op.IsKeyStart(options) && allowed.Reserves(p.Bucket, key, true) {
		return failure{code: KeyNotAllowed, message: "with the name of some file, " + ownFolder}
	}
	if p.Operation == s3op.MultipartUpload {
		if _, err := newUpload(options); err != nil {
			return failure{code: InvalidOption, message: err.Error()}
		}
	}
	return p.judgeSource(allowed, options)
}

// judgeSource judges the object that is to be copied. Who has a copy of it can read it, so
// the caller must be allowed to read it by a URL of its own.
func (p *Plan) judgeSource(allowed *policy.Policy, options []s3op.Option) failure {
	bucket, key, ok := s3op.CopySource(options)
	refuse := func(code Code, why string) failure {
		return failure{code: code, message: "the object to copy (copy_source) " + why}
	}
	switch {
	case !ok:
		return failure{}
	case !allowed.AllowsBucket(bucket):
		return refuse(KeyNotAllowed, "is in a bucket that this service does not sign for")
	case !allowed.AllowsKey(key):
		return refuse(KeyNotAllowed, fmt.Sprintf("has a key that does not begin with %q", allowed.KeyPrefix))
	case hasDotSegment(key) && (p.grant != nil || !p.request.AllowDotSegments): // some servers take it for another key
		return refuse(UnsafeKey, `has a key with a "." or ".." path segment`)
	case p.grant == nil:
		return failure{}
	}
	from, known := p.sources[bucket]
	if !known {
		from.Grant, from.refusal = allowed.Document.Grant(&p.needed.Caller, bucket, s3op.GetObject)
		if from.refusal == nil {
			from.refusal = from.LimitKeys(p.count)
		}
		if from.refusal == nil {
			from.refusal = from.LimitExpiresIn(p.wanted)
		}
		if p.sources == nil {
			p.sources = make(map[string]source)
		}
		p.sources[bucket] = from
	}
	refusal := from.refusal
	if refusal == nil {
		_, refusal = from.Key(key)
	}
	if refusal == nil {
		return failure{}
	}
	f := refuse(KeyNotAllowed, "is not yours to read: "+refusal.Detail)
	f.rule = p.shownRule(refusal)
	return f
}

// failure is the failure of a key that the policy document does not allow, if it does
// not.
func (p *Plan) failure(r *policy.Refusal) failure {
	if r == nil {
		return failure{}
	}
	return failure{refusals[r.Refused], r.Detail, p.shownRule(r)}
}

// settled gives the effective options of an entry that did not fail. They are valid
// until the next call.
func (p *Plan) settled(e entry) []s3op.Option {
	item := &p.request.Items[e.item]
	if item.begin == item.end {
		return p.options
	}
	options, err := p.settle(item)
	if err != nil {
		panic("bulk: options that were judged are refused") // judge had the same
	}
	return options
}

// settle gives an item's effective options, or what is wrong with them together.
func (p *Plan) settle(item *Item) ([]s3op.Option, error) {
	p.merged = s3op.Merge(p.merged[:0], p.request.Options, p.request.OwnOptions(*item))
	return p.Operation.Settle(p.merged)
}

// hasDotSegment tells whether a path segment of key is "." or "..".
func hasDotSegment(key string) bool {
	if key == "" || key[0] != '.' && !strings.Contains(key, "/.") {
		return false // nearly all keys, found out fast
	}
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// keyIndex finds a key's entry. It is an open-addressing table of entry numbers: the
// keys themselves stay where they are, and nothing is allocated for one.
type keyIndex struct {
	slots []int32 // entry+1, 0 is free
	seed  maphash.Seed
}

func newKeyIndex(n int) keyIndex {
	size := 16
	for size < 2*n {
		size *= 2
	}
	return keyIndex{slots: make([]int32, size), seed: maphash.MakeSeed()}
}

// add finds key's entry, or notes that it is the one numbered next.
func (x *keyIndex) add(key string, next int32, p *Plan) (entry int32, isNew bool) {
	mask := uint64(len(x.slots) - 1)
	for i := maphash.String(x.seed, key) & mask; ; i = (i + 1) & mask {
		at := x.slots[i] - 1
		if at < 0 {
			x.slots[i] = next + 1
			return next, true
		}
		if p.request.Items[p.entries[at].item].Key == key {
			return at, false
		}
	}
}

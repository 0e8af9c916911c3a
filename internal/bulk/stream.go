package bulk

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bulkpresign/internal/deflate"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/s3query"
	"bulkpresign/internal/s3url"
	"bulkpresign/internal/sigv4"
)

// Entry is one key of a list of any length.
type Entry struct {
	Line    int64         // where in its list, from 1; 0 where there are no lines
	Bucket  string        // that the list names for the key, or empty
	Key     string        // as it is
	Options []s3op.Option // the key's own, sorted
	Code    Code          // not empty: what is wrong with the line already
	Message string        // for Code
}

// chunk is how many URLs are signed at once: enough for the signer's fastest way.
const chunk = 4096

// Chunk is how many entries Append had best be given at a time.
func (t *Stream) Chunk() int {
	if t.plan.Operation == s3op.MultipartUpload {
		return s3query.MaxConnections
	}
	return max(1, chunk/max(1, len(t.plan.parts)))
}

// Tally is what became of the entries so far. Repeated keys count each time: a list
// has one line of result for each of its entries.
type Tally struct {
	Entries int64          `json:"entries"`
	Signed  int64          `json:"signed"`
	Failed  map[Code]int64 `json:"failed,omitempty"`
	First   []Failure      `json:"first,omitempty"` // the first failures, at most maxFirst
}

// Failure is an entry that was not signed.
type Failure struct {
	Line    int64  `json:"line,omitempty"`
	Key     string `json:"key"`
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

// maxFirst is how many failures a Tally tells of. They travel in a queue's message when
// a job is handed on.
const maxFirst = 20

func (t *Tally) fail(f Failure) {
	if t.Failed == nil {
		t.Failed = make(map[Code]int64)
	}
	t.Failed[f.Code]++
	if len(t.First) < maxFirst {
		t.First = append(t.First, f)
	}
}

// Tally is what became of the batch's keys.
func (p *Plan) Tally() Tally {
	t := Tally{Entries: int64(len(p.entries)), Signed: int64(p.Signed())}
	for _, at := range slices.Sorted(maps.Keys(p.failures)) {
		f := p.failures[at]
		t.fail(Failure{Key: p.request.Items[p.entries[at].item].Key, Code: f.code, Message: f.message})
	}
	return t
}

// Lifetime is when URLs were signed and when they end.
type Lifetime struct {
	SignedAt  time.Time `json:"signed_at"`
	ExpiresIn int64     `json:"expires_in"` // seconds
	ExpiresAt time.Time `json:"expires_at"`
	Basis     Basis     `json:"expires_at_basis"`

	CredentialsUntil time.Time `json:"-"` // zero when it is not known; for the log
}

// StreamState is what another invocation must know to write a result on. It holds no
// secret.
type StreamState struct {
	Gzip     deflate.State `json:"gzip"`
	Tally    Tally         `json:"tally"`
	Lifetime Lifetime      `json:"lifetime"`
}

// Stream signs a batch of any length in flat memory: entries go in, chunk by chunk, and
// one gzip member of NDJSON comes out, piece by piece. It serves one goroutine.
//
// Duplicates are not looked for, which would take memory for each key: every entry has
// its line.
//
// The clock is read once, and again only when the credentials change or half of the
// URLs' lifetime has passed, so that the end of a long list is not signed for a time
// that is over. What the Stream tells of its lifetime is that of the earliest.
type Stream struct {
	service *Service
	plan    *Plan // of one chunk at a time
	out     writer
	state   StreamState
}

// Stream judges everything of a caller's request but its keys, of which it takes no
// notice. An error is an *Error.
func (s *Service) Stream(ctx context.Context, caller policy.Caller, r *Request) (*Stream, error) {
	own := *r
	own.Items, own.own, own.Count = nil, nil, 0
	count := r.Count
	if r.Source != Keys {
		count = -1
	}
	p, err := s.prepare(ctx, caller, &own, count)
	if err == nil && r.Source == Prefix {
		err = p.judgePrefix(&s.Policy, r.Prefix)
	}
	if err != nil {
		return nil, err
	}
	p.withHeaders = len(p.headers) > 0
	p.streamed = true
	t := &Stream{service: s, plan: p}
	t.out.zip = newZip(nil, p.presigner)
	t.state.Lifetime = p.Lifetime()
	return t, nil
}

// judgePrefix judges the prefix of objects that are to be listed: keys that the caller
// may not have are not to be named, either.
func (p *Plan) judgePrefix(allowed *policy.Policy, prefix string) error {
	if !allowed.AllowsKey(prefix) {
		return failf(KeyNotAllowed, `field "prefix" does not begin with %q`, allowed.KeyPrefix)
	}
	if p.grant != nil {
		if _, refusal := p.grant.Key(prefix); refusal != nil {
			return p.refused(refusal)
		}
	}
	return nil
}

// Rules are those of the policy document that have decided about an entry.
func (t *Stream) Rules() []string {
	if t.plan.grant == nil {
		return nil
	}
	return t.plan.grant.Rules()
}

// Resume goes on where another Stream of the same request stopped. It comes before the
// first Append.
func (t *Stream) Resume(s StreamState) {
	t.state.Tally = s.Tally
	t.state.Tally.Failed = maps.Clone(s.Tally.Failed)
	t.state.Lifetime = earlier(s.Lifetime, t.state.Lifetime)
	t.out.zip.Resume(nil, s.Gzip)
	t.out.zip.learn(t.plan.presigner)
}

// Lifetime is that of all URLs of the batch.
func (p *Plan) Lifetime() Lifetime {
	return Lifetime{SignedAt: p.SignedAt, ExpiresIn: p.ExpiresIn, ExpiresAt: p.ExpiresAt, Basis: p.Basis, CredentialsUntil: p.CredentialsUntil}
}

// earlier is the lifetime that ends first.
func earlier(a, b Lifetime) Lifetime {
	if b.ExpiresAt.Before(a.ExpiresAt) {
		return b
	}
	return a
}

// refresh takes the credentials that hold now, and reads the clock again where it must.
func (t *Stream) refresh(ctx context.Context) error {
	c, err := t.service.credentials(ctx, &t.plan.needed)
	if err != nil {
		return err
	}
	p := t.plan
	age := t.service.Now().Sub(p.SignedAt)
	old := age > time.Duration(p.ExpiresIn)*time.Second/2
	if c.Credentials == p.credentials.Credentials && c.Expires.Equal(p.credentials.Expires) && (!old || p.Basis == BasisCredentials) {
		return nil
	}
	if err := p.signWith(c, t.service); err != nil {
		return err
	}
	t.out.flush()
	t.out.zip.learn(p.presigner)
	t.state.Lifetime = earlier(t.state.Lifetime, p.Lifetime())
	return nil
}

// Append signs entries and adds their lines to the piece, until it has room bytes or
// more. It returns how many entries it took: all, unless they have very many URLs each.
// Some thousands at a time are signed fastest.
func (t *Stream) Append(ctx context.Context, entries []Entry, room int) (taken int, err error) {
	if err := t.refresh(ctx); err != nil {
		return 0, err
	}
	t.judge(entries)
	p := t.plan
	if cap(p.signatures) < len(p.paths) {
		p.signatures = make([]sigv4.Signature, cap(p.paths))
	}
	p.signatures = p.signatures[:len(p.paths)]
	p.signAll(p.signatures, p.paths)
	begun := p.Operation == s3op.MultipartUpload
	if begun {
		if err := t.service.begin(ctx, p, len(entries)); err != nil {
			return 0, err
		}
	}
	for i := range p.entries {
		if i > 0 && t.out.zip.Len() >= room && !begun { // what was begun is not to be begun again
			t.out.flush()
			return i, nil
		}
		p.writeLines(&t.out, i, NDJSON)
		t.state.Tally.Entries++
		if p.entries[i].kind != failed {
			t.state.Tally.Signed++
			continue
		}
		f := p.failures[int32(i)]
		t.state.Tally.fail(Failure{Line: entries[i].Line, Key: entries[i].Key, Code: f.code, Message: f.message})
	}
	t.out.flush()
	return len(entries), nil
}

// judge fills the plan with a chunk.
func (t *Stream) judge(entries []Entry) {
	p := t.plan
	r := p.request
	r.Items, r.own = r.Items[:0], r.own[:0]
	for i := range entries {
		item := Item{Key: entries[i].Key}
		if own := entries[i].Options; len(own) > 0 {
			item.begin = uint32(len(r.own))
			r.own = append(r.own, own...)
			item.end = uint32(len(r.own))
		}
		r.Items = append(r.Items, item)
	}
	p.clear()
	for i := range entries {
		listed := &entries[i]
		e := entry{item: int32(i), kind: failed}
		f := failure{code: listed.Code, message: listed.Message}
		switch {
		case f.code != "":
		case listed.Bucket != "" && listed.Bucket != p.Bucket:
			f.code, f.message = BucketNotAllowed, fmt.Sprintf("the list names bucket %s for the key and is signed for %s: make a list for each bucket", shownBucket(listed.Bucket), shownBucket(p.Bucket))
		default:
			e, f = p.judgeItem(&t.service.Policy, i)
		}
		if f.code != "" && listed.Line > 0 {
			f.message = fmt.Sprintf("line %d: %s", listed.Line, f.message)
		}
		p.enter(e, f)
	}
}

// Tally is what became of the entries so far. It must not be changed.
func (t *Stream) Tally() *Tally { return &t.state.Tally }

// MayList tells whether the caller may know which keys begin with a prefix: whether all of
// them are under a prefix for which URLs may be signed. The error is an *Error.
func (t *Stream) MayList(prefix string) error {
	p := t.plan
	if own := t.service.Policy.KeyPrefix; !strings.HasPrefix(prefix, own) {
		return failf(KeyNotAllowed, `field "prefix" must begin with %q, as every key that this service signs`, own)
	}
	if p.grant != nil {
		if _, refusal := p.grant.Key(prefix); refusal != nil {
			return p.refused(refusal)
		}
	}
	return nil
}

// Bucket is the bucket that the URLs are for.
func (t *Stream) Bucket() string { return t.plan.Bucket }

// Headers are what a client must send with every URL, unless a line has its own.
func (t *Stream) Headers() map[string]string { return t.plan.Headers() }

// Headers are what a client must send with every URL, unless a key has its own.
func (p *Plan) Headers() map[string]string {
	h := make(map[string]string)
	for _, o := range p.headers {
		h[o.WireName()] = o.Value
	}
	return h
}

// Len is about how many bytes the piece has.
func (t *Stream) Len() int { return t.out.zip.Len() }

// Cut ends the piece and returns it; what follows is appended to next.
func (t *Stream) Cut(next []byte) []byte { return t.out.zip.Sync(next) }

// Close ends the member and returns the last piece.
func (t *Stream) Close() []byte { return t.out.zip.Close() }

// State is that of a Stream that was just Cut.
func (t *Stream) State() StreamState {
	s := t.state
	s.Gzip = t.out.zip.State()
	s.Tally.Failed = maps.Clone(s.Tally.Failed)
	return s
}

// PresignGet signs a download of an object elsewhere, with the Stream's credentials,
// clock and lifetime.
func (t *Stream) PresignGet(at s3url.Location, key string) string {
	return t.plan.PresignGet(at, key)
}

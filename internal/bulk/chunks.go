package bulk

import (
	"context"
	"fmt"
	"strings"
	"time"

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

// Chunks plans a batch of any length in flat memory, some thousand keys at a time.
//
// Duplicates are not looked for, which would take memory for each key: every entry is
// a key of its own.
//
// The clock is read once, and again only when the credentials change or half of the
// URLs' lifetime has passed, so that the end of a long list is not signed for a time
// that is over.
type Chunks struct {
	service *Service
	plan    *Plan // of one chunk at a time
}

// Chunks judges everything of a caller's request but its keys, of which it takes no
// notice. An error is an *Error.
func (s *Service) Chunks(ctx context.Context, caller policy.Caller, r *Request) (*Chunks, error) {
	own := *r
	own.Items, own.own, own.Count, own.Source = nil, nil, 0, Keys
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
	return &Chunks{service: s, plan: p}, nil
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

// Plan is that of the chunk that was planned last; before the first it has no keys.
func (c *Chunks) Plan() *Plan { return c.plan }

// Size is how many entries a chunk had best have.
func (c *Chunks) Size() int {
	if c.plan.Operation == s3op.MultipartUpload {
		return s3query.MaxConnections
	}
	if c.plan.request.Verify != VerifyNot {
		return verifyChunk
	}
	return max(1, chunk/max(1, len(c.plan.parts)))
}

// Next plans and signs a chunk; its keys are the entries. renewed says that it is signed
// with other credentials, or at another time, than the one before. An error is an *Error.
func (c *Chunks) Next(ctx context.Context, entries []Entry) (renewed bool, err error) {
	if renewed, err = c.refresh(ctx); err != nil {
		return false, err
	}
	c.judge(entries)
	p := c.plan
	if cap(p.signatures) < len(p.paths) {
		p.signatures = make([]sigv4.Signature, cap(p.paths))
	}
	p.signatures = p.signatures[:len(p.paths)]
	p.signAll(p.signatures, p.paths)
	if p.Operation == s3op.MultipartUpload {
		err = c.service.begin(ctx, p, len(entries))
	}
	if p.request.Verify != VerifyNot {
		c.service.verify(ctx, p)
	}
	return renewed, err
}

// refresh takes the credentials that hold now, and reads the clock again where it must.
func (c *Chunks) refresh(ctx context.Context) (renewed bool, err error) {
	now, err := c.service.credentials(ctx, &c.plan.needed)
	if err != nil {
		return false, err
	}
	p := c.plan
	at := c.service.Now()
	old := at.Sub(p.SignedAt) > time.Duration(p.ExpiresIn)*time.Second/2
	if p.reuse > 0 { // what is handed out has expires_in left, at the least
		old = !p.signingTime(at).Equal(p.SignedAt)
	}
	if now.Credentials == p.credentials.Credentials && now.Expires.Equal(p.credentials.Expires) && (!old || p.Basis == BasisCredentials) {
		return false, nil
	}
	return true, p.signWith(now, c.service)
}

// judge fills the plan with a chunk.
func (c *Chunks) judge(entries []Entry) {
	p := c.plan
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
		e := entry{item: int32(i), is: Failed}
		f := failure{code: listed.Code, message: listed.Message}
		switch {
		case f.code != "":
		case listed.Bucket != "" && listed.Bucket != p.Bucket:
			f.code, f.message = BucketNotAllowed, fmt.Sprintf("the list names bucket %s for the key and is signed for %s: make a list for each bucket", shownBucket(listed.Bucket), shownBucket(p.Bucket))
		default:
			e, f = p.judgeItem(&c.service.Policy, i)
		}
		if f.code != "" && listed.Line > 0 {
			f.message = fmt.Sprintf("line %d: %s", listed.Line, f.message)
		}
		p.enter(e, f)
	}
}

// Rules are those of the policy document that have decided about an entry so far.
func (c *Chunks) Rules() []string {
	if c.plan.grant == nil {
		return nil
	}
	return c.plan.grant.Rules()
}

// MayList tells whether the caller may know which keys begin with a prefix: whether all of
// them are under a prefix for which URLs may be signed. The error is an *Error.
func (c *Chunks) MayList(prefix string) error {
	p := c.plan
	if own := c.service.Policy.KeyPrefix; !strings.HasPrefix(prefix, own) {
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
func (c *Chunks) Bucket() string { return c.plan.Bucket }

// Headers are what a client must send with every URL, unless an entry has its own.
func (c *Chunks) Headers() map[string]string { return c.plan.Headers() }

// PresignGet signs a download of an object elsewhere, with the credentials, clock and
// lifetime that the last chunk was signed with.
func (c *Chunks) PresignGet(at s3url.Location, key string) string {
	return c.plan.PresignGet(at, key)
}

package bulk

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"bulkpresign/internal/awserr"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/s3query"
	"bulkpresign/internal/sigv4"
)

// Room says how much of a listing an answer can hold, so that no more is listed.
type Room struct {
	Bytes int  // of the answer; 0: whatever the Service allows
	Zip   bool // it is compressed, so that a URL takes little more than its signature
}

// minZipped is the least that a URL takes of a compressed answer in base64, in bytes: those of
// its signature, which nothing makes shorter.
const minZipped = 43

// planPrefix lists a prefix and judges what it finds, while the next page is on its way: as
// many keys as the answer has room for, the Service allows and the time left permits. What the
// plan then holds is judged like any key.
func (s *Service) planPrefix(ctx context.Context, caller policy.Caller, r *Request) (*Plan, error) {
	if !s.ListKeys {
		return nil, failf(InvalidRequest, `field "prefix" is not served here, since the service may not list the bucket: give "keys", send the request to the queue of the jobs, or have the service deployed with ListKeys=true (PRESIGN_LIST_KEYS)`)
	}
	switch op := r.Operation; {
	case op.OfBucket() || op == s3op.PostObject || op == s3op.MultipartUpload:
		return nil, failf(InvalidRequest, `field "prefix" names objects that are there, which %s is not about: give "keys"`, op)
	case r.Format != nil && !r.Format.IsObject():
		return nil, failf(InvalidRequest, `field "prefix" goes with the formats json and compact, whose answers can say where to go on`)
	}
	p, err := s.prepare(ctx, caller, r, -1)
	if err != nil {
		return nil, err
	}
	if err := p.judgePrefix(&s.Policy, r.Prefix); err != nil {
		return nil, err
	}
	p.clear()
	bound := p.listingIs(&caller)
	from := &s3query.Listing{Prefix: r.Prefix, StartAfter: r.StartAfter, Most: s3query.PageSize}
	if r.Continuation != "" {
		if err := bound.open(r.Continuation, from); err != nil {
			return nil, err
		}
	}
	l := lister{plan: p, service: s, bound: bound, room: r.Room.Bytes}
	if err := l.list(ctx, from); err != nil {
		return nil, err
	}
	r.Count = len(r.Items)
	p.listed = &bound
	return p, s.finish(ctx, p)
}

// lister fills a plan from pages.
type lister struct {
	plan    *Plan
	service *Service
	bound   listing
	room    int // bytes of the answer that are left
}

// page is a page of a listing, or why there is none.
type page struct {
	*s3query.Page
	err error
}

// list takes pages until there is no more of something. The next is asked for while one is
// judged.
func (l *lister) list(ctx context.Context, from *s3query.Listing) error {
	ctx, cancel := context.WithDeadline(ctx, askUntil(ctx, time.Now()))
	defer cancel()
	pages := make(chan page)
	bucket := l.service.bucket(l.plan)
	go func() {
		defer close(pages)
		at := *from
		for {
			got, err := bucket.List(ctx, &at)
			select {
			case pages <- page{got, err}:
			case <-ctx.Done():
				return
			}
			if err != nil || got.Next == "" {
				return
			}
			at.Continuation, at.StartAfter = got.Next, ""
		}
	}()
	for got := range pages {
		switch refused := (*awserr.Error)(nil); {
		case got.err != nil && l.plan.next != "" && errors.As(got.err, &refused) && refused.Passes():
			return nil // as far as it went
		case got.err != nil:
			return l.plan.listingFailed(got.err)
		}
		if full := l.take(got.Page); full {
			return nil
		}
		if got.Next == "" {
			l.plan.next = ""
			return nil
		}
		l.plan.next = l.bound.seal(tokenOfS3, got.Next)
	}
	if l.plan.next == "" { // the time ended before the first page
		return l.plan.listingFailed(ctx.Err())
	}
	return nil
}

// take judges the keys of a page, until the answer is full.
func (l *lister) take(found *s3query.Page) (full bool) {
	p, r := l.plan, l.plan.request
	if r.Room.Zip { // the signatures are needed to compress: they are made while the next page is on its way
		defer func() {
			n := len(p.signatures)
			p.signatures = append(p.signatures, make([]sigv4.Signature, len(p.paths)-n)...)
			p.signAll(p.signatures[n:], p.paths[n:])
		}()
	}
	for i := range found.Objects {
		o := &found.Objects[i]
		switch {
		case !strings.HasPrefix(o.Key, r.Prefix): // S3 would not, but a caller must not learn of it if it did
			continue
		case !strings.HasSuffix(o.Key, r.Suffix), o.IsFolder() && !r.FolderMarkers:
			continue
		}
		if p.grant != nil {
			if _, refusal := p.grant.Key(o.Key); refusal != nil { // not even its name is the caller's
				continue
			}
		}
		if len(r.Items) >= l.service.Policy.MaxKeys || r.Room.Bytes > 0 && l.room <= 0 {
			p.next = l.bound.seal(tokenOfKey, r.Items[len(r.Items)-1].Key)
			return true
		}
		r.Items = append(r.Items, Item{Key: o.Key})
		e, f := p.judgeItem(&l.service.Policy, len(r.Items)-1)
		p.enter(e, f)
		if r.Verify != VerifyNot {
			p.saw(int32(len(r.Items)-1), *o)
		}
		if r.Room.Zip {
			l.room -= minZipped
		} else {
			l.room -= p.presigner.URLLen(sigv4.PathOf(o.Key)) + len(o.Key)
		}
	}
	return false
}

// askUntil is when S3 is asked nothing more, so that what is there can still be answered.
func askUntil(ctx context.Context, now time.Time) time.Time {
	end, ok := ctx.Deadline()
	if !ok {
		return now.Add(time.Hour)
	}
	left := end.Sub(now)
	return now.Add(left - min(left/3, 3*time.Second))
}

// bucket asks S3 with the plan's credentials.
func (s *Service) bucket(p *Plan) *s3query.Bucket {
	return &s3query.Bucket{Client: s.S3, Location: p.location, Credentials: p.credentials.Credentials, Now: s.Now, Attribution: p.attribution}
}

// listingFailed says which permission is missing, or what else is wrong.
func (p *Plan) listingFailed(err error) error {
	var refused *awserr.Error
	if !errors.As(err, &refused) || refused.Passes() {
		return &Error{Code: InternalError, Detail: "S3 did not list the prefix in time: try again", Cause: err}
	}
	switch refused.Status {
	case http.StatusForbidden:
		return &Error{Code: BucketNotAllowed, Detail: fmt.Sprintf("S3 does not let this service list the prefix: its role needs s3:ListBucket on the bucket %s, with s3:prefix under the prefix (S3 said %s)", shownBucket(p.Bucket), refused.Code), Cause: err}
	case http.StatusNotFound:
		return &Error{Code: BucketNotAllowed, Detail: fmt.Sprintf("the bucket %s is not there (S3 said %s)", shownBucket(p.Bucket), refused.Code), Cause: err}
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect:
		return &Error{Code: BucketNotAllowed, Detail: fmt.Sprintf("the bucket %s is in another region than this service signs for (S3 said %s)", shownBucket(p.Bucket), refused.Code), Cause: err}
	}
	return &Error{Code: InternalError, Detail: fmt.Sprintf("S3 did not list the prefix: it said %d %s", refused.Status, refused.Code), Cause: err}
}

// listing is what a continuation token is bound to: 16 bytes that stand for the bucket, the
// prefix, the filters and the caller.
type listing [16]byte

func (p *Plan) listingIs(caller *policy.Caller) listing {
	h := sha256.New()
	for _, s := range []string{p.Bucket, p.request.Prefix, p.request.Suffix, fmt.Sprint(p.request.FolderMarkers), caller.Hash()} {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	return listing(h.Sum(nil))
}

// Where a token goes on.
const (
	tokenOfKey = 'k' // behind a key that was in the answer
	tokenOfS3  = 's' // at S3's own token, between two pages
)

// maxToken is more than any token has, in bytes. S3's own are not documented to have an end.
const maxToken = 8 << 10

// seal makes a token. It is no secret and gives no right: where a listing begins is the caller's
// to choose ("start_after"), and what may be listed and signed is judged on each request. So a
// hash is enough, by which a token of something else, or a changed one, is known.
func (l listing) seal(kind byte, at string) string {
	text := append(l[:], kind)
	text = append(text, at...)
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(append(sum[:8], text...))
}

// open reads a token into a listing of S3's.
func (l listing) open(token string, from *s3query.Listing) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(token) > maxToken || len(raw) < 8+len(l)+2 {
		return failf(InvalidRequest, `field "continuation_token" is none that this service gave: leave it out to begin at the first key`)
	}
	sum := sha256.Sum256(raw[8:])
	switch {
	case !slices.Equal(sum[:8], raw[:8]):
		return failf(InvalidRequest, `field "continuation_token" was changed on the way: send it exactly as the answer had it`)
	case listing(raw[8:8+len(l)]) != l:
		return failf(InvalidRequest, `field "continuation_token" belongs to another bucket, prefix, suffix, folder_markers or caller: repeat the request that it answered, with it`)
	}
	at := string(raw[8+len(l)+1:])
	switch raw[8+len(l)] {
	case tokenOfKey:
		from.StartAfter = at
	case tokenOfS3:
		from.StartAfter, from.Continuation = "", at
	default:
		return failf(InvalidRequest, `field "continuation_token" is none that this service gave: leave it out to begin at the first key`)
	}
	return nil
}

// Listed tells whether the keys were listed, so that an answer with fewer can say where to go on.
func (p *Plan) Listed() bool { return p.listed != nil }

// Next is where the next request goes on, empty when there is no more.
func (p *Plan) Next() string { return p.next }

// Shorter is the plan with as many of the keys that were listed as fit, where an answer with all
// of them failed for being too large: it says where to go on. Else ok is false, and the plan p.
func (p *Plan) Shorter(failed *Error) (plan *Plan, ok bool) {
	if p.listed == nil || failed == nil || failed.Code != ResponseTooLarge || failed.Fits < 1 || failed.Fits >= len(p.entries) {
		return p, false
	}
	part := p.First(failed.Fits)
	part.next = p.listed.seal(tokenOfKey, p.request.Items[p.entries[failed.Fits-1].item].Key)
	return part, true
}

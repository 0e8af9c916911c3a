package bulk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"bulkpresign/internal/awserr"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/s3query"
)

// Verify is whether S3 is asked about each object before its URL is given.
type Verify uint8

const (
	VerifyNot      Verify = iota
	VerifyHead            // keys whose URL would not work are errors
	VerifyDescribe        // and the answer describes the others
)

// verifyChunk is how many keys of a list are asked about at a time.
const verifyChunk = 16 * s3query.MaxConnections

// judgeVerify judges whether S3 can be asked about the objects, where it is to be.
func (p *Plan) judgeVerify() error {
	r := p.request
	switch {
	case r.Verify == VerifyNot:
		return nil
	case r.Operation != s3op.GetObject && r.Operation != s3op.HeadObject:
		return failf(InvalidRequest, `field "verify" is for GetObject and HeadObject, which read what is there, and not for %s: leave it out`, r.Operation)
	case r.Verify == VerifyDescribe && r.Format != nil && !r.Format.IsObject() && *r.Format != NDJSON:
		return failf(InvalidRequest, `field "verify": "describe" goes with the formats json, compact and ndjson, which have room for it: take one of them, or "head"`)
	}
	return nil
}

// saw notes what S3 says of an item's object.
func (p *Plan) saw(item int32, o s3query.Object) {
	if p.objects == nil {
		p.objects = make(map[int32]s3query.Object)
	}
	p.objects[item] = o
}

// verify asks S3 about each key that would be signed and fails those whose URLs would not work.
// It asks about s3query.MaxConnections at a time and ends when the time is needed for the answer.
// What a listing has said already is not asked again, but of what may be archived.
func (s *Service) verify(ctx context.Context, p *Plan) {
	type seen struct {
		at     int32
		object s3query.Object
		failed failure
	}
	ctx, cancel := context.WithDeadline(ctx, askUntil(ctx, time.Now()))
	defer cancel()
	bucket := s.bucket(p)
	var todo []seen
	var options [][]s3op.Option // for each of todo
	for at, e := range p.entries {
		if e.is.Has(Failed) {
			continue
		}
		if o, listed := p.objects[e.item]; listed && !o.MayBeArchived() {
			continue
		}
		todo = append(todo, seen{at: int32(at)})
		options = append(options, lookOptions(p.settled(e)))
	}
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(len(todo), s3query.MaxConnections) {
		wg.Go(func() {
			for i := range next {
				t := &todo[i]
				var err error
				if t.object, err = bucket.Head(ctx, p.request.Items[p.entries[t.at].item].Key, options[i]); err != nil {
					t.failed = unseen(err, ctx.Err() != nil)
				} else if t.object.Archived {
					t.failed = failure{code: Archived, message: "the object is archived and not restored: restore it (RestoreObject) before it can be read"}
				}
			}
		})
	}
	for i := range todo {
		next <- i
	}
	close(next)
	wg.Wait()
	for _, t := range todo {
		if t.failed.code != "" {
			p.fail(t.at, t.failed)
		} else if p.request.Verify == VerifyDescribe {
			p.saw(p.entries[t.at].item, t.object)
		}
	}
	if p.request.Verify != VerifyDescribe {
		p.objects = nil
		return
	}
	for i := range p.entries {
		if !p.entries[i].is.Has(Failed) {
			p.entries[i].is |= Described
		}
	}
}

// lookOptions are those of settled options that say which object is meant and how it can be seen;
// conditions and ranges are about what is answered.
func lookOptions(settled []s3op.Option) []s3op.Option {
	return slices.DeleteFunc(slices.Clone(settled), func(o s3op.Option) bool {
		switch o.ID.String() {
		case "version_id", "expected_bucket_owner", "request_payer", "sse_customer_algorithm", "sse_customer_key", "sse_customer_key_md5":
			return false
		}
		return true
	})
}

// unseen is the failure of a key of which S3 did not say that it is there.
func unseen(err error, outOfTime bool) failure {
	var refused *awserr.Error
	if !errors.As(err, &refused) || refused.Status == 0 || outOfTime {
		why := "S3 did not answer"
		if outOfTime {
			why = "there was no time left to ask S3"
		}
		return failure{code: NotVerified, message: why + `: ask again for the keys that have this code, or leave out "verify"`}
	}
	switch refused.Status {
	case http.StatusNotFound:
		return failure{code: NotFound, message: "there is no such object"}
	case http.StatusMethodNotAllowed:
		return failure{code: NotFound, message: "this version is a delete marker: there is no object to read"}
	case http.StatusForbidden:
		return failure{code: Forbidden, message: "S3 refuses it: the object is not there, or the service may not read it; S3 says only with s3:ListBucket which of the two"}
	}
	return failure{code: NotVerified, message: fmt.Sprintf("S3 answered %d %s when it was asked about the object", refused.Status, refused.Code)}
}

// Object is what S3 says of the object of the key numbered i, which is Described.
func (p *Plan) Object(i int) s3query.Object { return p.objects[p.entries[i].item] }

// Verifies tells whether S3 is asked about the keys, which is not to be done twice.
func (c *Chunks) Verifies() bool { return c.plan.request.Verify != VerifyNot }

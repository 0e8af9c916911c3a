package bulk

import (
	"fmt"

	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
)

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
			from.refusal = from.LimitExpiresIn(p.wanted, p.reuse > 0)
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

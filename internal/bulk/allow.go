package bulk

import (
	"fmt"

	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
)

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
		return failf(BucketNotAllowed, "bucket %s is not one that this service signs for%s", shownBucket(p.Bucket), bucketSlip(p.Bucket))
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

// failure is the failure of a key that the policy document does not allow, if it does
// not.
func (p *Plan) failure(r *policy.Refusal) failure {
	if r == nil {
		return failure{}
	}
	return failure{refusals[r.Refused], r.Detail, p.shownRule(r)}
}

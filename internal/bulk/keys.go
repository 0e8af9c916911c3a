package bulk

import (
	"fmt"
	"slices"
	"strings"

	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/sigv4"
)

// MaxKeyBytes is S3's limit for an object key, in bytes of UTF-8.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
const MaxKeyBytes = 1024

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
	clear(p.objects)
	p.any = 0
}

// judgeItem finds what becomes of the request's item i.
func (p *Plan) judgeItem(allowed *policy.Policy, i int) (e entry, f failure) {
	e.item = int32(i)
	options, f := p.judge(allowed, &p.request.Items[i])
	if e.is = Failed; f.code == "" {
		e.is = p.traits(options)
		if p.looksLikeASlip(p.request.Items[i].Key, options) {
			e.is |= Warned
		}
	}
	return e, f
}

// traits are those of a key with these effective options.
func (p *Plan) traits(options []s3op.Option) Traits {
	own := p.parts != nil || p.Operation.OfBucket() || !slices.Equal(options, p.options)
	switch {
	case p.Operation == s3op.MultipartUpload:
		return InUpload
	case p.Operation == s3op.PostObject && own:
		return OwnForm
	case p.Operation == s3op.PostObject:
		return Form
	case !own:
		return Shared
	}
	is := Single
	if s3op.CountParts(options) > 0 {
		is = InParts
	}
	if !slices.Equal(s3op.Headers(options), p.headers) {
		is |= OwnHeaders
	}
	return is
}

// enter adds an entry.
func (p *Plan) enter(e entry, f failure) {
	if e.is.Has(Shared | Form) {
		e.path = int32(len(p.paths))
		p.paths = append(p.paths, sigv4.PathOf(p.request.Items[e.item].Key))
	}
	p.entries = append(p.entries, e)
	if e.is.Has(Failed) {
		p.fail(int32(len(p.entries)-1), f)
	}
}

func (p *Plan) fail(at int32, f failure) {
	if p.failures == nil {
		p.failures = make(map[int32]failure)
	}
	p.failures[at] = f
	p.entries[at].is = Failed
}

// again judges a key that was there before: the same options collapse, different
// ones contradict each other, and an earlier code of the contract's list wins.
func (p *Plan) again(at int32, e entry, f failure) {
	first := &p.entries[at]
	if e.is.Has(Failed) {
		if !first.is.Has(Failed) || p.failures[at].code == ConflictingItem {
			p.fail(at, f)
		}
		return
	}
	if first.is.Has(Failed) {
		return
	}
	same := first.is == e.is
	if same && !e.is.Has(Shared|Form) {
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

// Package policy answers whether the service may sign: for whom, for which bucket,
// operation and key, how many keys at once and for how long.
package policy

import (
	"slices"
	"strings"
	"time"

	"bulkpresign/internal/s3op"
)

// MaxExpiresIn is Signature Version 4's own limit, seven days.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
const MaxExpiresIn = 7 * 24 * time.Hour

// Policy is what the deployment allows to everyone who may call it at all.
type Policy struct {
	Buckets          []string         // names or access point ARNs; at least one
	Operations       []s3op.Operation // at least one
	KeyPrefix        string           // keys must begin with it
	DefaultExpiresIn time.Duration    // whole seconds
	MaxExpiresIn     time.Duration    // whole seconds, at most MaxExpiresIn
	MaxKeys          int              // items of one synchronous request
	Document         *Document        // what each caller may do of that; nil is all
}

// DefaultBucket is the bucket of a request that names none, if there is just one.
func (p *Policy) DefaultBucket() (bucket string, ok bool) {
	if len(p.Buckets) != 1 {
		return "", false
	}
	return p.Buckets[0], true
}

// AllowsBucket tells whether URLs for the bucket may be signed.
func (p *Policy) AllowsBucket(bucket string) bool { return slices.Contains(p.Buckets, bucket) }

// AllowsOperation tells whether URLs for the operation may be signed.
func (p *Policy) AllowsOperation(op s3op.Operation) bool { return slices.Contains(p.Operations, op) }

// AllowsKey tells whether URLs for the key may be signed.
func (p *Policy) AllowsKey(key string) bool { return strings.HasPrefix(key, p.KeyPrefix) }

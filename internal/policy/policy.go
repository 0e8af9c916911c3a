// Package policy answers whether the service may sign: for whom, for which bucket,
// operation and key, how many keys at once and for how long.
package policy

import (
	"path"
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
	Reserved         []Folder         // of the service's own, where no URL lets one write
	Document         *Document        // what each caller may do of that; nil is all
}

// Folder is all of a bucket whose keys begin with a prefix.
type Folder struct{ Bucket, Prefix string }

// Reserves tells whether a key lies in a folder of the service's own, where lists, results
// and the progress of jobs are: who could write there would have the service sign in
// another's name. isStart is for a key of which only the beginning is known. A key with dot
// segments counts for what some servers take it for, too.
func (p *Policy) Reserves(bucket, key string, isStart bool) bool {
	if len(p.Reserved) == 0 {
		return false
	}
	resolved := strings.TrimPrefix(path.Clean("/"+key), "/")
	if strings.HasSuffix(key, "/") {
		resolved += "/"
	}
	for _, f := range p.Reserved {
		if f.Bucket != bucket {
			continue
		}
		if strings.HasPrefix(key, f.Prefix) || strings.HasPrefix(resolved, f.Prefix) || isStart && strings.HasPrefix(f.Prefix, key) {
			return true
		}
	}
	return false
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

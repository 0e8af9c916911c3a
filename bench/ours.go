package main

import (
	"time"

	"bulkpresign/internal/sigv4"
	"bulkpresign/internal/sigv4/sha256x16"
)

// ours signs batches with this project's signer: everything from the keys, as strings, to
// the complete URLs in the order of the keys, one after the other in one buffer. It does
// what a plain answer does with its keys (bulk.Plan.Append), without what stands around.
type ours struct {
	portable  bool // crypto/sha256 alone
	presigner *sigv4.Presigner
	*memory
}

// memory is kept from batch to batch, as a warm function keeps it.
type memory struct {
	paths []sigv4.Path
	urls  []byte
	at    []int // where each URL begins, and the last one ends
}

func newOurs(portable bool, now time.Time, m *memory) *ours {
	o := &ours{portable: portable, memory: m}
	o.fresh(now)
	return o
}

// fresh begins with another second's signer.
func (o *ours) fresh(now time.Time) {
	o.presigner = signer(now).Presigner(&request)
	switch {
	case o.portable:
		o.presigner.WithKernel(nil)
	case forced != nil:
		o.presigner.WithKernel(forced)
	}
}

// forced is the kernel that the command line asks for; nil for the one that the signer
// chooses.
var forced *sha256x16.Kernel

func (o *ours) sign(keys []string) {
	o.presigner.Expect(len(keys))
	o.paths, o.at = o.paths[:0], append(o.at[:0], 0)
	for i, key := range keys {
		o.paths = append(o.paths, sigv4.PathOf(key))
		o.at = append(o.at, o.at[i]+o.presigner.URLLen(o.paths[i]))
	}
	o.urls = resize(o.urls, o.at[len(keys)])
	o.presigner.WriteAll(o.urls, o.at, o.paths)
}

// list gives the URLs of the last batch one by one.
func (o *ours) list() []string {
	urls := make([]string, len(o.paths))
	for i := range urls {
		urls[i] = string(o.urls[o.at[i]:o.at[i+1]])
	}
	return urls
}

// splitFrom is the number of keys from which WriteAll uses two processors.
const splitFrom = 1024

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

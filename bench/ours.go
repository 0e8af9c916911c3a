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
	kernel    *sha256x16.Kernel // nil for crypto/sha256 alone
	presigner *sigv4.Presigner
	*memory
}

// memory is kept from batch to batch, as a warm function keeps it.
type memory struct {
	paths []byte
	ends  []uint32
	urls  []byte
	at    []int // where each URL begins, and the last one ends
}

func newOurs(portable bool, now time.Time, m *memory) *ours {
	o := &ours{kernel: sha256x16.Best(), memory: m}
	if portable {
		o.kernel = nil
	}
	o.fresh(now)
	return o
}

// fresh begins with another second's signer.
func (o *ours) fresh(now time.Time) {
	o.presigner = signer(now).Presigner(&request).WithKernel(o.kernel)
}

func (o *ours) sign(keys []string) {
	o.paths, o.ends, o.at = o.paths[:0], o.ends[:0], append(o.at[:0], 0)
	for i, key := range keys {
		begin := len(o.paths)
		o.paths = sigv4.AppendEscapedPath(o.paths, key)
		o.ends = append(o.ends, uint32(len(o.paths)))
		o.at = append(o.at, o.at[i]+o.presigner.URLLen(len(o.paths)-begin))
	}
	o.urls = resize(o.urls, o.at[len(keys)])
	o.presigner.WriteAll(o.urls, o.at, o.paths, o.ends)
}

// list gives the URLs of the last batch one by one.
func (o *ours) list() []string {
	urls := make([]string, len(o.ends))
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

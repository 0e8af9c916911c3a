package main

import (
	"runtime"
	"sync"
	"time"

	"bulkpresign/internal/sigv4"
	"bulkpresign/internal/sigv4/sha256x16"
)

// ours signs batches with this project's signer: everything from the keys, as strings, to
// the complete URLs in the order of the keys, one after the other in one buffer.
type ours struct {
	kernel    *sha256x16.Kernel // nil for crypto/sha256 alone
	presigner *sigv4.Presigner
	*memory
}

// memory is kept from batch to batch, as a warm function keeps it.
type memory struct {
	paths      []byte
	ends       []uint32
	signatures []sigv4.Signature
	urls       []byte
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
	o.paths, o.ends = o.paths[:0], o.ends[:0]
	for _, key := range keys {
		o.paths = sigv4.AppendEscapedPath(o.paths, key)
		o.ends = append(o.ends, uint32(len(o.paths)))
	}
	o.signatures = resize(o.signatures, len(keys))
	o.presigner.SignAll(o.signatures, o.paths, o.ends)
	o.urls = resize(o.urls, o.urlsEnd(len(keys)))
	o.split((*ours).writeURLs)
}

// writeURLs writes a part's URLs to where they lie among all.
func (o *ours) writeURLs(p *sigv4.Presigner, from, to int) {
	dst := o.urls[:o.urlsEnd(from)]
	for i := from; i < to; i++ {
		dst = p.AppendURL(dst, o.paths[o.pathsEnd(i):o.ends[i]], &o.signatures[i])
	}
}

// pathsEnd is where the paths of the first n keys end.
func (o *ours) pathsEnd(n int) int {
	if n == 0 {
		return 0
	}
	return int(o.ends[n-1])
}

// urlsEnd is where the URLs of the first n keys end.
func (o *ours) urlsEnd(n int) int { return n*o.presigner.URLLen(0) + o.pathsEnd(n) }

// list gives the URLs of the last batch one by one.
func (o *ours) list() []string {
	urls := make([]string, len(o.ends))
	for i := range urls {
		urls[i] = string(o.urls[o.urlsEnd(i):o.urlsEnd(i+1)])
	}
	return urls
}

// splitFrom is the number of keys from which a batch's parts go to all processors, about
// as in SignAll.
const splitFrom = 1024

// split calls do for equal parts of the batch, each on a processor and with a presigner of
// its own, and waits.
func (o *ours) split(do func(o *ours, p *sigv4.Presigner, from, to int)) {
	n, parts := len(o.ends), runtime.GOMAXPROCS(0)
	if parts == 1 || n < splitFrom {
		do(o, o.presigner, 0, n)
		return
	}
	var wg sync.WaitGroup
	for i := 1; i < parts; i++ {
		p := o.presigner.Clone()
		wg.Go(func() { do(o, p, i*n/parts, (i+1)*n/parts) })
	}
	do(o, o.presigner, 0, n/parts)
	wg.Wait()
}

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

package sigv4

import (
	"runtime"
	"sync"
	"sync/atomic"

	"bulkpresign/internal/sigv4/sha256x16"
)

// batch is many keys of one request, and what is wanted of them: their signatures, or
// their URLs.
type batch struct {
	paths []byte   // one after the other, as Sign takes them
	ends  []uint32 // where each one ends

	groups []group // of keys that are hashed in step; nil for one key after the other

	signatures []Signature

	urls []byte
	at   []int // where each URL begins; -1 for one that is not wanted
}

func (b *batch) path(i uint32) []byte {
	if i == 0 {
		return b.paths[:b.ends[0]]
	}
	return b.paths[b.ends[i-1]:b.ends[i]]
}

// units are what the work on a batch is cut into: groups, or keys.
func (b *batch) units() int {
	if b.groups != nil {
		return len(b.groups)
	}
	return len(b.ends)
}

// SignAll signs many keys. paths holds their paths one after the other, as Sign takes
// them, and ends where each one ends; signatures has a place for each. It chooses the
// fastest way that the machine has, and uses all processors if the keys are many.
func (p *Presigner) SignAll(signatures []Signature, paths []byte, ends []uint32) {
	if len(ends) > 0 {
		p.signBatch(batch{paths: paths, ends: ends, signatures: signatures[:len(ends)]})
	}
}

// WriteAll signs many keys as SignAll does, and writes the URL of each to where at says
// that it begins in urls, which has room for [Presigner.URLLen] bytes there; a key whose
// place is -1 is left out. That is faster than writing the URLs afterwards: the memory
// that they go to is fetched while they are signed.
func (p *Presigner) WriteAll(urls []byte, at []int, paths []byte, ends []uint32) {
	if len(ends) > 0 {
		p.signBatch(batch{paths: paths, ends: ends, urls: urls, at: at[:len(ends)]})
	}
}

// keysPerWorker is how many keys are worth another goroutine: about a quarter of a
// millisecond's work.
const keysPerWorker = 512

func (p *Presigner) signBatch(b batch) {
	if p.kernel != nil && len(b.ends) >= p.kernel.Pays() {
		b.groups = p.readyLanes().plan(&b)
	}
	if workers := min(runtime.GOMAXPROCS(0), len(b.ends)/keysPerWorker); workers > 1 {
		p.share(b, workers)
		return
	}
	p.signUnits(&b, 0, b.units())
}

// share has a batch signed by workers, p being one of them. Each takes a part of what is
// left, smaller and smaller ones, so that all end at the same time, even if another
// process has one of the processors for a while.
func (p *Presigner) share(b batch, workers int) {
	units := b.units()
	var taken atomic.Int64
	work := func(w *Presigner) {
		for {
			from := int(taken.Load())
			if from == units {
				return
			}
			to := from + max(1, (units-from)/(2*workers))
			if taken.CompareAndSwap(int64(from), int64(to)) {
				w.signUnits(&b, from, to)
			}
		}
	}
	for len(p.workers) < workers-1 {
		p.workers = append(p.workers, new(Presigner))
	}
	var wg sync.WaitGroup
	for _, w := range p.workers[:workers-1] {
		wg.Go(func() {
			w.follow(p)
			work(w)
		})
	}
	work(p)
	wg.Wait()
}

// signUnits signs a part of a batch.
func (p *Presigner) signUnits(b *batch, from, to int) {
	if b.groups != nil {
		l := p.readyLanes()
		for _, g := range b.groups[from:to] {
			l.signGroup(p, b, g)
		}
		return
	}
	for i := from; i < to; i++ {
		p.signOne(b, uint32(i))
	}
}

// signOne signs a key with crypto/sha256.
func (p *Presigner) signOne(b *batch, key uint32) {
	if b.signatures != nil {
		b.signatures[key] = p.Sign(b.path(key))
		return
	}
	if url := p.url(b, key); url != nil {
		p.signURL(url, b.path(key))
	}
}

// signURL signs a key with crypto/sha256 while it lays out its URL. Memory that is far
// away takes what is written to it slowly, but hashing leaves it the time: so a piece is
// written after each piece that is hashed.
func (p *Presigner) signURL(url, path []byte) {
	const piece = 8 * block
	request, _ := p.message.lay(path)
	p.hasher.begin(initial)
	n := copy(url, p.base)
	n += copy(url[n:], path)
	rest := p.question
	for len(request) > piece {
		p.hasher.h.Write(request[:piece])
		request = request[piece:]
		written := copy(url[n:], rest[:min(piece, len(rest))])
		n, rest = n+written, rest[written:]
	}
	p.hasher.h.Write(request)
	n += copy(url[n:], rest)
	sha256x16.Hex((*[hexSize]byte)(url[n:]), (*[SignatureSize]byte)(p.hasher.finish()))
}

// url is the memory for a key's URL; nil when it is not wanted.
func (p *Presigner) url(b *batch, key uint32) []byte {
	at := b.at[key]
	if at < 0 {
		return nil
	}
	return b.urls[at:][:p.URLLen(len(b.path(key)))]
}

// layURL writes a URL but for the signature, and says where that goes.
func (p *Presigner) layURL(url, path []byte) *[hexSize]byte {
	n := copy(url, p.base)
	n += copy(url[n:], path)
	n += copy(url[n:], p.question)
	return (*[hexSize]byte)(url[n:])
}

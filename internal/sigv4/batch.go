package sigv4

import (
	"sync"
	"sync/atomic"

	"bulkpresign/internal/sigv4/sha256x16"
)

// batch is many keys of one request, and what is wanted of them: their signatures, or
// their URLs.
type batch struct {
	paths []Path

	signatures []Signature

	urls []byte
	at   []int // where each URL begins; -1 for one that is not wanted
}

// SignAll signs many keys; signatures has a place for each. It chooses the fastest way
// that the machine has, and uses all processors if the keys are many.
func (p *Presigner) SignAll(signatures []Signature, paths []Path) {
	p.signBatch(batch{paths: paths, signatures: signatures[:len(paths)]})
}

// WriteAll signs many keys as SignAll does, and writes the URL of each to where at says
// that it begins in urls, which has room for [Presigner.URLLen] bytes there; a key whose
// place is -1 is left out. That is faster than writing the URLs afterwards: the memory
// that they go to is fetched while they are signed.
func (p *Presigner) WriteAll(urls []byte, at []int, paths []Path) {
	p.signBatch(batch{paths: paths, urls: urls, at: at[:len(paths)]})
}

// keysPerWorker is how many keys are worth another goroutine: about a quarter of a
// millisecond's work.
const keysPerWorker = 512

func (p *Presigner) signBatch(b batch) {
	if !p.forced {
		p.kernel = sha256x16.Choose(len(b.paths), p.tail)
	}
	if helpers := p.helpersFor(len(b.paths)); len(helpers) > 0 {
		p.share(b, helpers)
		return
	}
	p.cut(len(b.paths), 1)
	p.work(&b, p.parts, 0)
}

// share has a batch signed by p and by others.
func (p *Presigner) share(b batch, helpers []*helper) {
	p.cut(len(b.paths), 1+len(helpers))
	var wg sync.WaitGroup
	wg.Add(len(helpers))
	for i, h := range helpers {
		h.run(func() {
			defer wg.Done()
			h.follow(p)
			h.work(&b, p.parts, 1+i)
		})
	}
	p.work(&b, p.parts, 0)
	wg.Wait()
}

// part is a run of a batch's keys. One worker begins with it, and writes to memory of its
// own for that long; when it is done it helps with the other parts, so that all end at the
// same time, even if another process has one of the processors for a while.
type part struct {
	from, to int // keys

	planning sync.Mutex
	planned  bool
	plan     plan
	taken    atomic.Int64 // groups
}

// cut cuts a batch of n keys.
func (p *Presigner) cut(n, parts int) {
	if len(p.parts) < parts {
		p.parts = make([]part, parts)
	}
	p.parts = p.parts[:parts]
	for i := range p.parts {
		q := &p.parts[i]
		q.from, q.to = n*i/parts, n*(i+1)/parts
		q.planned = false
		q.taken.Store(0)
	}
}

// work signs what is left of a batch, beginning with one of its parts.
func (p *Presigner) work(b *batch, parts []part, first int) {
	for i := range parts {
		q := &parts[(first+i)%len(parts)]
		q.planning.Lock()
		if !q.planned {
			q.plan.make(b.paths, q.from, q.to, p.kernel)
			q.planned = true
		}
		q.planning.Unlock()
		for {
			next := int(q.taken.Add(1)) - 1
			if next >= len(q.plan.groups) {
				break
			}
			p.signGroup(b, q.plan.groups[next])
		}
	}
}

// signGroup signs a group of keys, in step where that is faster.
func (p *Presigner) signGroup(b *batch, g group) {
	if p.kernel != nil && (g.length != unequal || len(g.keys) >= p.kernel.Pays()) {
		p.readyLanes().signGroup(p, b, g)
		return
	}
	for _, key := range g.keys {
		p.signOne(b, key)
	}
}

// signOne signs a key with crypto/sha256.
func (p *Presigner) signOne(b *batch, key uint32) {
	if b.signatures != nil {
		b.signatures[key] = p.Sign(b.paths[key])
		return
	}
	if url := p.url(b, key); url != nil {
		p.signURL(url, b.paths[key])
	}
}

// signURL signs a key with crypto/sha256 while it lays out its URL. Memory that is far
// away takes what is written to it slowly, but hashing leaves it the time: so a piece is
// written after each piece that is hashed.
func (p *Presigner) signURL(url []byte, path Path) {
	const piece = 8 * block
	request, _ := p.message.lay(path)
	p.hasher.h.Reset()
	n := copy(url, p.base)
	n += copy(url[n:], request[len(p.head):][:path.len])
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
	return b.urls[at:][:p.URLLen(b.paths[key])]
}

// layURL writes a URL but for the signature, and says where that goes.
func (p *Presigner) layURL(url, path []byte) *[hexSize]byte {
	n := copy(url, p.base)
	n += copy(url[n:], path)
	n += copy(url[n:], p.question)
	return (*[hexSize]byte)(url[n:])
}

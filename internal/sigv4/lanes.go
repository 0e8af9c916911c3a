package sigv4

import "bulkpresign/internal/sigv4/sha256x16"

// lanes is the scratch space of the multi-buffer path: up to 32 requests are hashed in
// step, since one alone leaves most of a processor idle.
//
// Requests whose paths are equally long differ in their first blocks alone. All that
// follows lies at the same offsets, so its message schedules are computed once for a
// length and used for every request of it. What is left over of the lengths is hashed
// in step as well, without that.
type lanes struct {
	kernel *sha256x16.Kernel

	initial, inner, outer sha256x16.State // of all streams, before what follows for each
	state                 sha256x16.State

	requests [sha256x16.Streams]message
	messages [sha256x16.Streams][]byte // of them: what is hashed
	blocks   [sha256x16.Streams][]byte // what HMAC's inner hash still takes
	sums     [sha256x16.Streams][]byte // and the outer one
	hexes    [sha256x16.Streams]*[hexSize]byte
	digests  [sha256x16.Streams]*[SignatureSize]byte
	fetch    [sha256x16.Streams]*byte
	spare    [hexSize]byte
	ready    int // of the requests, those which the constant parts were written to

	rest      []byte // the tail from its first whole block, padded
	schedules []sha256x16.Schedule
	prepared  int // the length that they are for; unequal if for none
}

// reset prepares l for the request of p.
func (l *lanes) reset(p *Presigner) {
	k := &p.signer.keyed
	set := func(of *sha256x16.State, s state) {
		h := s.words()
		l.kernel.Set(of, &h)
	}
	set(&l.initial, initial)
	set(&l.inner, k.inner)
	set(&l.outer, k.outer)
	l.prepared = unequal
	l.ready = 0
}

// makeReady prepares the places of n requests; few keys need few.
func (l *lanes) makeReady(p *Presigner, n int) {
	for ; l.ready < n; l.ready++ {
		i := l.ready
		l.requests[i].reset(p.head, p.tail)
		l.blocks[i] = append(l.blocks[i][:0], p.signer.keyed.blocks...)
		l.sums[i] = append(l.sums[i][:0], sumBlock[:]...)
	}
}

// readyLanes are p's, prepared for its request.
func (p *Presigner) readyLanes() *lanes {
	l := p.lanes
	if l == nil || l.kernel != p.kernel { // another kernel has another order of states
		l = &lanes{kernel: p.kernel}
		p.lanes = l
		p.lanesReady = false
	}
	if !p.lanesReady {
		l.reset(p)
		p.lanesReady = true
	}
	return l
}

// signGroup signs the keys of a group.
func (l *lanes) signGroup(p *Presigner, b *batch, g group) {
	if g.length == unequal {
		l.sign(p, b, g.keys, 0)
		return
	}
	l.prepare(p, g.length)
	l.sign(p, b, g.keys, (len(p.head)+g.length+block-1)/block*block)
}

// prepare computes the schedules that requests with paths of one length share.
func (l *lanes) prepare(p *Presigner, length int) {
	if l.prepared == length {
		return
	}
	n := len(p.head) + length
	inHead := min((block-n%block)%block, len(p.tail)) // what lies in a block with the path's end
	l.rest = pad(append(l.rest[:0], p.tail[inHead:]...), n+len(p.tail))
	l.schedules = resize(l.schedules, len(l.rest)/block)
	l.kernel.Expand(l.schedules, l.rest)
	l.prepared = length
}

// sign signs up to 32 keys. If their paths have the prepared length, scheduled is
// where the prepared schedules begin in the requests.
func (l *lanes) sign(p *Presigner, b *batch, keys []uint32, scheduled int) {
	n := len(keys)
	l.makeReady(p, n)
	for i, key := range keys {
		l.messages[i], _ = l.requests[i].lay(b.paths[key])
		if scheduled > 0 {
			l.messages[i] = l.messages[i][:scheduled]
		}
		l.hexes[i] = (*[hexSize]byte)(l.blocks[i][p.signer.keyed.hexAt:])
		l.digests[i] = (*[SignatureSize]byte)(l.sums[i])
	}
	l.state.CopyFrom(&l.initial)
	l.kernel.Blocks(&l.state, &l.messages, n)
	if scheduled > 0 {
		l.kernel.Scheduled(&l.state, l.schedules, n, l.toFetch(b, keys))
	}
	l.kernel.HexDigests(&l.hexes, &l.state, n)

	l.state.CopyFrom(&l.inner)
	l.kernel.Blocks(&l.state, &l.blocks, n)
	l.kernel.Digests(&l.digests, &l.state, n)

	l.state.CopyFrom(&l.outer)
	l.kernel.Blocks(&l.state, &l.sums, n)
	if b.signatures != nil {
		for i, key := range keys {
			l.digests[i] = (*[SignatureSize]byte)(&b.signatures[key])
		}
		l.kernel.Digests(&l.digests, &l.state, n)
		return
	}
	for i, key := range keys {
		l.hexes[i] = &l.spare
		if url := p.url(b, key); url != nil {
			l.hexes[i] = p.layURL(url, l.messages[i][len(p.head):][:b.paths[key].len])
		}
	}
	l.kernel.HexDigests(&l.hexes, &l.state, n)
}

// toFetch is the memory that the URLs will be written to, if they are wanted.
func (l *lanes) toFetch(b *batch, keys []uint32) *[sha256x16.Streams]*byte {
	if b.signatures != nil {
		return nil
	}
	for i := range l.fetch {
		l.fetch[i] = &l.spare[0]
		if i < len(keys) && b.at[keys[i]] >= 0 {
			l.fetch[i] = &b.urls[b.at[keys[i]]]
		}
	}
	return &l.fetch
}

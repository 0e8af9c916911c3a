package sigv4

import "bulkpresign/internal/sigv4/sha256x16"

// lanes is the scratch space of the multi-buffer path: sixteen requests are hashed in
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

	rest      []byte // the tail from its first whole block, padded
	schedules []sha256x16.Schedule
	prepared  int // the length that they are for; unequal if for none

	order  []uint32 // keys by length
	starts []uint32 // of the lengths in order
	odd    []uint32 // keys that are left over
	groups []group
}

// group is up to sixteen keys that are hashed in step.
type group struct {
	keys   []uint32
	length int // of their paths; unequal if they differ
}

const unequal = -1

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
	for i := range sha256x16.Streams {
		l.requests[i].reset(p.head, p.tail)
		l.blocks[i] = append(l.blocks[i][:0], k.blocks...)
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

// plan puts the keys of a batch into groups, which are good until the next plan.
func (l *lanes) plan(b *batch) []group {
	l.sort(b.ends)
	width := l.kernel.Width()
	l.groups, l.odd = l.groups[:0], l.odd[:0]
	for from := 0; from < len(l.order); {
		length := len(b.path(l.order[from]))
		to := int(l.starts[length])
		equal := l.order[from:to]
		from = to
		// What fills a kernel's width to three quarters is cheaper with schedules and
		// idle streams than without schedules.
		n := len(equal) / width * width
		if len(equal)-n >= max(2, width*3/4) {
			n = len(equal)
		}
		l.odd = append(l.odd, equal[n:]...)
		l.group(equal[:n], length)
	}
	l.group(l.odd, unequal)
	return l.groups
}

// group makes groups of keys.
func (l *lanes) group(keys []uint32, length int) {
	for len(keys) > 0 {
		n := min(len(keys), sha256x16.Streams)
		l.groups = append(l.groups, group{keys[:n], length})
		keys = keys[n:]
	}
}

// signGroup signs the keys of a group.
func (l *lanes) signGroup(p *Presigner, b *batch, g group) {
	switch {
	case g.length != unequal:
		l.prepare(p, g.length)
		l.sign(p, b, g.keys, (len(p.head)+g.length+block-1)/block*block)
	case len(g.keys) >= l.kernel.Pays():
		l.sign(p, b, g.keys, 0)
	default:
		for _, key := range g.keys {
			p.signOne(b, key)
		}
	}
}

// sort orders the keys by the length of their paths, which are few: it counts them.
// Afterwards starts has for each length where the next one begins in order.
func (l *lanes) sort(ends []uint32) {
	longest := uint32(0)
	previous := uint32(0)
	for _, end := range ends {
		longest = max(longest, end-previous)
		previous = end
	}
	l.starts = resize(l.starts, int(longest)+1)
	clear(l.starts)
	previous = 0
	for _, end := range ends {
		l.starts[end-previous]++
		previous = end
	}
	sum := uint32(0)
	for i, n := range l.starts {
		l.starts[i] = sum
		sum += n
	}
	l.order = resize(l.order, len(ends))
	previous = 0
	for i, end := range ends {
		at := &l.starts[end-previous]
		l.order[*at] = uint32(i)
		*at++
		previous = end
	}
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

// sign signs up to sixteen keys. If their paths have the prepared length, scheduled is
// where the prepared schedules begin in the requests.
func (l *lanes) sign(p *Presigner, b *batch, keys []uint32, scheduled int) {
	n := len(keys)
	for i, key := range keys {
		l.messages[i], _ = l.requests[i].lay(b.path(key))
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
			l.hexes[i] = p.layURL(url, b.path(key))
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

package sigv4

import (
	"encoding/binary"
	"runtime"
	"sync"

	"bulkpresign/internal/sigv4/sha256x16"
)

// lanes is the scratch space of the multi-buffer path: sixteen requests are hashed in
// step, since one alone leaves most of a processor idle.
//
// Requests whose paths are equally long differ in their first blocks alone. All that
// follows lies at the same offsets, so its message schedules are computed once for a
// length and used for every request of it. What is left over of the lengths is hashed
// in step as well, without that.
type lanes struct {
	kernel *sha256x16.Kernel
	head   int // where the path of a request begins
	tail   int // where the constant end of a request begins in the lanes' buffers
	end    int // and where it ends

	hexAt      int // where the canonical request's hash stands in inner
	initial    sha256x16.State
	innerState sha256x16.State // of HMAC's inner hash, after its constant blocks
	outerState sha256x16.State
	state      sha256x16.State
	requests   [sha256x16.Streams][]byte // each lane's, with padding, and room before the tail
	messages   [sha256x16.Streams][]byte // of them: what is hashed
	inner      [sha256x16.Streams][]byte // what HMAC's inner hash still takes
	outer      [sha256x16.Streams][]byte // and the outer one
	hexes      [sha256x16.Streams]*[hexSize]byte
	digests    [sha256x16.Streams]*[SignatureSize]byte

	rest      []byte // the tail from its first whole block, padded
	schedules []sha256x16.Schedule
	order     []uint32 // keys by length
	starts    []uint32 // of the lengths in order
	odd       []uint32 // keys that are left over
}

const (
	block = sha256x16.BlockSize
	// paddingRoom is enough for a message's padding: 0x80, zeros, and the length.
	paddingRoom = block + 1 + 8
)

// pad ends a message of total bytes, whose last ones message holds (FIPS 180-4,
// section 5.1.1).
func pad(message []byte, total int) []byte {
	message = append(message, 0x80)
	for (len(message)+8)%block != 0 {
		message = append(message, 0)
	}
	return binary.BigEndian.AppendUint64(message, uint64(total)*8)
}

// reset prepares l for the request of p.
func (l *lanes) reset(p *Presigner) {
	k := &p.signer.keyed
	// The first blocks of both HMAC hashes are the same for every key.
	constant := len(k.prefix) / block * block
	begin := append(k.ipad[:len(k.ipad):len(k.ipad)], k.prefix[:constant]...)
	l.kernel.Set(&l.initial, &sha256x16.IV)
	l.after(&l.innerState, begin)
	l.after(&l.outerState, k.opad[:])

	rest := append([]byte(k.prefix[constant:]), make([]byte, hexSize)...)
	l.hexAt = len(k.prefix) - constant
	rest = pad(rest, len(begin)+len(rest))
	sum := pad(make([]byte, SignatureSize), block+SignatureSize)
	for i := range sha256x16.Streams {
		l.inner[i] = append(l.inner[i][:0], rest...)
		l.outer[i] = append(l.outer[i][:0], sum...)
	}

	l.head = len(p.head)
	l.tail = p.tail
	l.end = len(p.buf)
	for i := range l.requests {
		l.requests[i] = append(append(l.requests[i][:0], p.buf...), 0x80)
		l.requests[i] = append(l.requests[i], make([]byte, paddingRoom)...)
	}
}

// after sets s to the state after constant blocks.
func (l *lanes) after(s *sha256x16.State, blocks []byte) {
	s.CopyFrom(&l.initial)
	l.messages[0] = blocks
	l.kernel.Blocks(s, &l.messages, 1)
	h := l.kernel.Get(s, 0)
	l.kernel.Set(s, &h)
}

// lay writes a request into a lane's buffer as one piece, padding and all.
func (l *lanes) lay(p *Presigner, lane int, path []byte) {
	n := l.head + len(path)
	if n > l.tail {
		l.enlarge(n + initialRoom)
	}
	buf := l.requests[lane]
	begin := l.tail - n
	copy(buf[begin:], p.head)
	copy(buf[begin+l.head:], path)
	total := l.end - begin
	padded := (total + 1 + 8 + block - 1) / block * block
	padding := buf[l.end+1:]
	clear(padding[:paddingRoom])
	binary.BigEndian.PutUint64(padding[padded-total-1-8:], uint64(total)*8)
	l.messages[lane] = buf[begin : begin+padded]
}

// enlarge makes so much room before the tails.
func (l *lanes) enlarge(room int) {
	for i, buf := range l.requests {
		l.requests[i] = append(make([]byte, room, room+len(buf)-l.tail), buf[l.tail:]...)
	}
	l.end += room - l.tail
	l.tail = room
}

// signLanes signs the keys whose first path begins at an offset of paths.
func (p *Presigner) signLanes(signatures []Signature, paths []byte, ends []uint32, begin uint32) {
	l := p.lanes
	if l == nil || l.kernel != p.kernel {
		l = &lanes{kernel: p.kernel}
		p.lanes = l
		p.lanesReady = false
	}
	if !p.lanesReady {
		l.reset(p)
		p.lanesReady = true
	}
	l.sort(ends, begin)
	path := func(i uint32) []byte {
		if i == 0 {
			return paths[begin:ends[0]]
		}
		return paths[ends[i-1]:ends[i]]
	}
	width := l.kernel.Width()
	odd := l.odd[:0]
	for from := 0; from < len(l.order); {
		length := len(path(l.order[from]))
		to := int(l.starts[length])
		group := l.order[from:to]
		from = to
		// What fills a kernel's width to three quarters is cheaper with schedules and
		// idle streams than without schedules.
		n := len(group) / width * width
		if len(group)-n >= max(2, width*3/4) {
			n = len(group)
		}
		odd = append(odd, group[n:]...)
		group = group[:n]
		if len(group) > 0 {
			l.prepare(p, length)
		}
		for len(group) > 0 {
			n := min(len(group), sha256x16.Streams)
			l.sign(p, signatures, group[:n], path, (l.head+length+block-1)/block*block)
			group = group[n:]
		}
	}
	l.odd = odd
	for len(odd) >= l.kernel.Pays() {
		n := min(len(odd), sha256x16.Streams)
		l.sign(p, signatures, odd[:n], path, 0)
		odd = odd[n:]
	}
	for _, key := range odd {
		signatures[key] = p.Sign(path(key))
	}
}

// sort orders the keys by the length of their paths, which are few: it counts them.
// Afterwards starts has for each length where the next one begins in order.
func (l *lanes) sort(ends []uint32, begin uint32) {
	longest := uint32(0)
	previous := begin
	for _, end := range ends {
		longest = max(longest, end-previous)
		previous = end
	}
	l.starts = resize(l.starts, int(longest)+1)
	clear(l.starts)
	previous = begin
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
	previous = begin
	for i, end := range ends {
		at := &l.starts[end-previous]
		l.order[*at] = uint32(i)
		*at++
		previous = end
	}
}

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// prepare computes the schedules that requests with paths of one length share.
func (l *lanes) prepare(p *Presigner, length int) {
	tail := p.buf[p.tail:]
	n := l.head + length
	inHead := min((block-n%block)%block, len(tail)) // what lies in a block with the path's end
	l.rest = pad(append(l.rest[:0], tail[inHead:]...), n+len(tail))
	l.schedules = resize(l.schedules, len(l.rest)/block)
	l.kernel.Expand(l.schedules, l.rest)
}

// sign signs up to sixteen keys. If their paths have the prepared length, scheduled is
// where the prepared schedules begin in the requests.
func (l *lanes) sign(p *Presigner, signatures []Signature, keys []uint32, path func(uint32) []byte, scheduled int) {
	n := len(keys)
	for i, key := range keys {
		l.lay(p, i, path(key))
		if scheduled > 0 {
			l.messages[i] = l.messages[i][:scheduled]
		}
		l.hexes[i] = (*[hexSize]byte)(l.inner[i][l.hexAt:])
		l.digests[i] = (*[SignatureSize]byte)(l.outer[i])
	}
	l.state.CopyFrom(&l.initial)
	l.kernel.Blocks(&l.state, &l.messages, n)
	if scheduled > 0 {
		l.kernel.Scheduled(&l.state, l.schedules, n)
	}
	l.kernel.HexDigests(&l.hexes, &l.state, n)

	l.state.CopyFrom(&l.innerState)
	l.kernel.Blocks(&l.state, &l.inner, n)
	l.kernel.Digests(&l.digests, &l.state, n)

	l.state.CopyFrom(&l.outerState)
	l.kernel.Blocks(&l.state, &l.outer, n)
	for i, key := range keys {
		l.digests[i] = (*[SignatureSize]byte)(&signatures[key])
	}
	l.kernel.Digests(&l.digests, &l.state, n)
}

// keysPerWorker is how many keys are worth another goroutine: about a quarter of a
// millisecond's work.
const keysPerWorker = 512

// SignAll signs many keys. paths holds their paths one after the other, as Sign takes
// them, and ends where each one ends; signatures has a place for each. It chooses the
// fastest way that the machine has, and uses all processors if the keys are many.
func (p *Presigner) SignAll(signatures []Signature, paths []byte, ends []uint32) {
	workers := max(1, min(runtime.GOMAXPROCS(0), len(ends)/keysPerWorker))
	if workers == 1 {
		p.signRange(signatures, paths, ends, 0)
		return
	}
	var wg sync.WaitGroup
	for w := range workers {
		from, to := w*len(ends)/workers, (w+1)*len(ends)/workers
		begin := uint32(0)
		if from > 0 {
			begin = ends[from-1]
		}
		worker := p
		if w < workers-1 {
			worker = p.Clone()
		}
		sign := func() { worker.signRange(signatures[from:to], paths, ends[from:to], begin) }
		if w < workers-1 {
			wg.Go(sign)
		} else {
			sign()
		}
	}
	wg.Wait()
}

func (p *Presigner) signRange(signatures []Signature, paths []byte, ends []uint32, begin uint32) {
	if p.kernel != nil && len(ends) >= p.kernel.Pays() {
		p.signLanes(signatures, paths, ends, begin)
		return
	}
	for i, end := range ends {
		signatures[i] = p.Sign(paths[begin:end])
		begin = end
	}
}

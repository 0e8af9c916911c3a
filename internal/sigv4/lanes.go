package sigv4

import (
	"encoding/binary"
	"runtime"
	"sync"

	"bulkpresign/internal/sigv4/sha256x4"
)

// lanes is the scratch space of the multi-buffer path: four requests are hashed in
// step, since one alone leaves most of the SHA-256 unit idle.
//
// Requests whose paths are equally long differ in their first blocks alone. All that
// follows lies at the same offsets, so its message schedules are computed once for a
// length and used for every request of it.
type lanes struct {
	heads     [sha256x4.Streams][]byte // first blocks: method, path, the tail's beginning
	inner     [sha256x4.Streams][]byte // what HMAC's inner hash still takes
	outer     [sha256x4.Streams][]byte // and the outer one
	hexAt     int                      // where the canonical request's hash stands in inner
	innerIV   sha256x4.State
	outerIV   sha256x4.State
	rest      []byte // the tail from its first whole block, padded
	schedules []sha256x4.Schedule
	order     []uint32 // keys by length
	starts    []uint32 // of the lengths in order
}

const block = sha256x4.BlockSize

func newLanes(k *keyedHash) *lanes {
	l := new(lanes)
	// The first blocks of both HMAC hashes are the same for every key.
	constant := len(k.prefix) / block * block
	begin := append(k.ipad[:len(k.ipad):len(k.ipad)], k.prefix[:constant]...)
	l.innerIV, l.outerIV = sha256x4.IV, sha256x4.IV
	compressSame(&l.innerIV, begin)
	compressSame(&l.outerIV, k.opad[:])

	rest := append([]byte(k.prefix[constant:]), make([]byte, 2*SignatureSize)...)
	l.hexAt = len(k.prefix) - constant
	rest = pad(rest, len(begin)+len(rest))
	sum := pad(make([]byte, SignatureSize), block+SignatureSize)
	for i := range sha256x4.Streams {
		l.inner[i] = append([]byte(nil), rest...)
		l.outer[i] = append([]byte(nil), sum...)
	}
	return l
}

func compressSame(s *sha256x4.State, blocks []byte) {
	sha256x4.Blocks(s, &[sha256x4.Streams][]byte{blocks, blocks, blocks, blocks}, len(blocks)/block)
}

// pad ends a message of total bytes, whose last ones message holds (FIPS 180-4,
// section 5.1.1).
func pad(message []byte, total int) []byte {
	message = append(message, 0x80)
	for (len(message)+8)%block != 0 {
		message = append(message, 0)
	}
	return binary.BigEndian.AppendUint64(message, uint64(total)*8)
}

// SignLanes does what SignPortable does, four keys at a time. It needs
// sha256x4.Supported to be worth it.
func (p *Presigner) SignLanes(signatures []Signature, paths []byte, ends []uint32) {
	p.signLanes(signatures, paths, ends, 0)
}

// signLanes signs the keys whose first path begins at an offset of paths.
func (p *Presigner) signLanes(signatures []Signature, paths []byte, ends []uint32, begin uint32) {
	if p.lanes == nil {
		p.lanes = newLanes(&p.signer.keyed)
	}
	l := p.lanes
	l.sort(ends, begin)
	path := func(i uint32) []byte {
		if i == 0 {
			return paths[begin:ends[0]]
		}
		return paths[ends[i-1]:ends[i]]
	}
	for from := 0; from < len(l.order); {
		length := len(path(l.order[from]))
		to := int(l.starts[length])
		group := l.order[from:to]
		from = to
		// A single key is signed sooner the portable way than its schedules are made.
		if len(group) > 1 {
			p.prepare(length)
		}
		for len(group) > 1 {
			n := min(len(group), sha256x4.Streams)
			var four [sha256x4.Streams]uint32
			for i := range four {
				four[i] = group[min(i, n-1)] // a lane to spare repeats the last key
			}
			p.signFour(signatures, &four, path)
			group = group[n:]
		}
		if len(group) == 1 {
			signatures[group[0]] = p.Sign(path(group[0]))
		}
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

// prepare lays out what requests with paths of one length share.
func (p *Presigner) prepare(length int) {
	l := p.lanes
	tail := p.buf[p.tail:]
	n := len(p.head) + length
	first := (n + block - 1) / block * block // bytes of the blocks that hold the path
	inHead := min(first-n, len(tail))
	l.rest = pad(append(l.rest[:0], tail[inHead:]...), n+len(tail))
	l.schedules = resize(l.schedules, len(l.rest)/block)
	sha256x4.Expand(l.schedules, l.rest)
	for i := range l.heads {
		l.heads[i] = resize(l.heads[i], first)
		copy(l.heads[i], p.head)
		copy(l.heads[i][n:], tail[:inHead])
	}
}

// signFour signs four keys with paths of the prepared length.
func (p *Presigner) signFour(signatures []Signature, keys *[sha256x4.Streams]uint32, path func(uint32) []byte) {
	l := p.lanes
	for i, key := range keys {
		copy(l.heads[i][len(p.head):], path(key))
	}
	state := sha256x4.IV
	sha256x4.Blocks(&state, &l.heads, len(l.heads[0])/block)
	sha256x4.Scheduled(&state, l.schedules)

	for i := range keys {
		appendHexState(l.inner[i][l.hexAt:l.hexAt], &state[i])
	}
	state = l.innerIV
	sha256x4.Blocks(&state, &l.inner, len(l.inner[0])/block)

	for i := range keys {
		state.PutDigest((*[SignatureSize]byte)(l.outer[i]), i)
	}
	state = l.outerIV
	sha256x4.Blocks(&state, &l.outer, 1)
	for i, key := range keys {
		state.PutDigest((*[SignatureSize]byte)(&signatures[key]), i)
	}
}

// appendHexState appends a chaining value as a digest in hex.
func appendHexState(dst []byte, state *[8]uint32) []byte {
	for _, word := range state {
		dst = binary.BigEndian.AppendUint64(dst, hexWord(word))
	}
	return dst
}

// hexWord spells a word in lower-case hex, all eight digits at once.
func hexWord(word uint32) uint64 {
	x := uint64(word)
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff
	x = (x | x<<4) & 0x0f0f0f0f0f0f0f0f
	const ones = 0x0101010101010101
	letters := (x + 6*ones) >> 4 & ones // 1 for the digits a to f
	return x + '0'*ones + letters*('a'-'9'-1)
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

// lanesFrom is the number of keys from which a batch is likely to have several paths
// of one length.
const lanesFrom = 16

func (p *Presigner) signRange(signatures []Signature, paths []byte, ends []uint32, begin uint32) {
	if sha256x4.Supported() && len(ends) >= lanesFrom {
		p.signLanes(signatures, paths, ends, begin)
		return
	}
	p.signPortable(signatures, paths, ends, begin)
}

// SignPortable signs many keys one after the other with the standard library's
// SHA-256. It is the readable twin of SignLanes.
func (p *Presigner) SignPortable(signatures []Signature, paths []byte, ends []uint32) {
	p.signPortable(signatures, paths, ends, 0)
}

func (p *Presigner) signPortable(signatures []Signature, paths []byte, ends []uint32, begin uint32) {
	for i, end := range ends {
		signatures[i] = p.Sign(paths[begin:end])
		begin = end
	}
}

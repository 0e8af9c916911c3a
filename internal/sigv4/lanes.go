package sigv4

import (
	"bytes"
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
	fours     [wave]four
	hexAt     int // where the canonical request's hash stands in inner
	innerIV   sha256x4.State
	outerIV   sha256x4.State
	rest      []byte // the tail from its first whole block, padded
	schedules []sha256x4.Schedule
	order     []uint32 // keys by length
	starts    []uint32 // of the lengths in order
}

// four requests in step.
type four struct {
	keys  [sha256x4.Streams]uint32
	heads [sha256x4.Streams][]byte // first blocks: method, path, the tail's beginning
	inner [sha256x4.Streams][]byte // what HMAC's inner hash still takes
	outer [sha256x4.Streams][]byte // and the outer one
	state sha256x4.State
}

// wave is how many fours go through each stage before the next one begins. What a
// stage writes in small pieces the next one reads in large ones, and a processor waits
// for such pieces when they are young.
const wave = 4

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
	for g := range l.fours {
		for i := range sha256x4.Streams {
			l.fours[g].inner[i] = bytes.Clone(rest)
			l.fours[g].outer[i] = bytes.Clone(sum)
		}
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
			p.prepare(length, l.fours[:min(wave, (len(group)+sha256x4.Streams-1)/sha256x4.Streams)])
		}
		for len(group) > 1 {
			fours := 0
			for ; fours < wave && len(group) > 1; fours++ {
				n := min(len(group), sha256x4.Streams)
				for i := range sha256x4.Streams {
					l.fours[fours].keys[i] = group[min(i, n-1)] // a lane to spare repeats the last key
				}
				group = group[n:]
			}
			p.signWave(signatures, l.fours[:fours], path)
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

// prepare lays out what requests with paths of one length share, for so many fours.
func (p *Presigner) prepare(length int, fours []four) {
	l := p.lanes
	tail := p.buf[p.tail:]
	n := len(p.head) + length
	first := (n + block - 1) / block * block // bytes of the blocks that hold the path
	inHead := min(first-n, len(tail))
	l.rest = pad(append(l.rest[:0], tail[inHead:]...), n+len(tail))
	l.schedules = resize(l.schedules, len(l.rest)/block)
	sha256x4.Expand(l.schedules, l.rest)
	for g := range fours {
		for i := range sha256x4.Streams {
			f := &fours[g]
			f.heads[i] = resize(f.heads[i], first)
			copy(f.heads[i], p.head)
			copy(f.heads[i][n:], tail[:inHead])
		}
	}
}

// signWave signs keys with paths of the prepared length.
func (p *Presigner) signWave(signatures []Signature, fours []four, path func(uint32) []byte) {
	l := p.lanes
	for g := range fours {
		f := &fours[g]
		for i, key := range f.keys {
			copy(f.heads[i][len(p.head):], path(key))
		}
	}
	for g := range fours {
		f := &fours[g]
		f.state = sha256x4.IV
		sha256x4.Blocks(&f.state, &f.heads, len(f.heads[0])/block)
		sha256x4.Scheduled(&f.state, l.schedules)
	}
	var hash Signature
	for g := range fours {
		f := &fours[g]
		for i := range f.keys {
			f.state.PutDigest((*[SignatureSize]byte)(&hash), i)
			AppendHex(f.inner[i][:l.hexAt], &hash)
		}
	}
	for g := range fours {
		f := &fours[g]
		f.state = l.innerIV
		sha256x4.Blocks(&f.state, &f.inner, len(f.inner[0])/block)
	}
	for g := range fours {
		f := &fours[g]
		for i := range f.keys {
			f.state.PutDigest((*[SignatureSize]byte)(f.outer[i]), i)
		}
	}
	for g := range fours {
		f := &fours[g]
		f.state = l.outerIV
		sha256x4.Blocks(&f.state, &f.outer, 1)
		for i, key := range f.keys {
			f.state.PutDigest((*[SignatureSize]byte)(&signatures[key]), i)
		}
	}
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

package sigv4

import "bulkpresign/internal/sigv4/sha256x16"

// plan is how some of a batch's keys are signed: in groups, one after the other. It keeps
// its memory for the next batch.
type plan struct {
	groups []group

	order  []uint32 // the keys, by the length of their paths
	starts []uint32 // of the lengths in order
	odd    []uint32 // keys that are left over
}

// group is up to 32 keys, which may be hashed in step.
type group struct {
	keys   []uint32
	length int // of their paths; unequal if they differ
}

const unequal = -1

// make plans the keys from one to another, of which there are fewer than 2^32. With a
// kernel, those whose paths are equally long come together.
func (l *plan) make(paths []Path, from, to int, kernel *sha256x16.Kernel) {
	l.groups, l.odd = l.groups[:0], l.odd[:0]
	l.order = resize(l.order, to-from)
	if kernel == nil || to-from < kernel.Pays() {
		for i := range l.order {
			l.order[i] = uint32(from + i)
		}
		l.group(l.order, unequal)
		return
	}
	l.sort(paths, from, to)
	width := kernel.Width()
	for from := 0; from < len(l.order); {
		length := paths[l.order[from]].len
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
}

// group makes groups of keys.
func (l *plan) group(keys []uint32, length int) {
	for len(keys) > 0 {
		n := min(len(keys), sha256x16.Streams)
		l.groups = append(l.groups, group{keys[:n], length})
		keys = keys[n:]
	}
}

// sort orders the keys by the length of their paths, which are few: it counts them.
// Afterwards starts has for each length where the next one begins in order.
func (l *plan) sort(paths []Path, from, to int) {
	longest := 0
	for i := from; i < to; i++ {
		longest = max(longest, paths[i].len)
	}
	l.starts = resize(l.starts, longest+1)
	clear(l.starts)
	for i := from; i < to; i++ {
		l.starts[paths[i].len]++
	}
	sum := uint32(0)
	for i, n := range l.starts {
		l.starts[i] = sum
		sum += n
	}
	for i := from; i < to; i++ {
		at := &l.starts[paths[i].len]
		l.order[*at] = uint32(i)
		*at++
	}
}

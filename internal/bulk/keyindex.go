package bulk

import "hash/maphash"

// keyIndex finds a key's entry. It is an open-addressing table of entry numbers: the
// keys themselves stay where they are, and nothing is allocated for one.
type keyIndex struct {
	slots []int32 // entry+1, 0 is free
	seed  maphash.Seed
}

func newKeyIndex(n int) keyIndex {
	size := 16
	for size < 2*n {
		size *= 2
	}
	return keyIndex{slots: make([]int32, size), seed: maphash.MakeSeed()}
}

// add finds key's entry, or notes that it is the one numbered next.
func (x *keyIndex) add(key string, next int32, p *Plan) (entry int32, isNew bool) {
	mask := uint64(len(x.slots) - 1)
	for i := maphash.String(x.seed, key) & mask; ; i = (i + 1) & mask {
		at := x.slots[i] - 1
		if at < 0 {
			x.slots[i] = next + 1
			return next, true
		}
		if p.request.Items[p.entries[at].item].Key == key {
			return at, false
		}
	}
}

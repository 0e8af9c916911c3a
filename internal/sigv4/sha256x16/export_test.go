package sha256x16

const Assembled = assembled

var HexPortable = hexPortable

// SetEach gives each stream a chaining value of its own.
func (k *Kernel) SetEach(s *State, h *[Streams][8]uint32) {
	for i := range h {
		for j := range h[i] {
			s.h[index(k.columns, i, j)] = h[i][j]
		}
	}
}

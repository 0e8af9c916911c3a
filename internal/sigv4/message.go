package sigv4

import "encoding/binary"

// message holds a canonical request as it is hashed, padded, with what is the same for
// all paths at a fixed place:
//
//	... room ... | "\n" query "\n" headers "\n" signed headers "\n" payload | padding
//	             ^ tail                                                     ^ end
//
// The method and the path are written backwards from the tail, so that the hash runs
// over one piece of memory and nothing constant is copied for a key.
type message struct {
	buf       []byte
	tail, end int
	sizeAt    int    // where the last padding has the size
	head      []byte // method "\n" prefix; shared
}

const (
	// initialRoom fits the method and a path of ordinary length; longer ones enlarge it.
	initialRoom = 256
	// paddingRoom fits the padding: 0x80, zeros, and the length.
	paddingRoom = 1 + block + 8
)

// reset makes a message that begins with head and ends with tail.
func (m *message) reset(head, tail []byte) {
	m.head = head
	m.tail = max(m.tail, initialRoom)
	m.end = m.tail + len(tail)
	m.buf = resize(m.buf, m.end+paddingRoom)
	copy(m.buf[m.tail:], tail)
	clear(m.buf[m.end:])
	m.buf[m.end] = 0x80
	m.sizeAt = m.end + 1
}

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// constant is the tail.
func (m *message) constant() []byte { return m.buf[m.tail:m.end] }

// lay writes the request of a path, and returns it with its padding (FIPS 180-4,
// section 5.1.1), valid until the next call, and its length without.
func (m *message) lay(path Path) (padded []byte, size int) {
	n := len(m.head) + path.len
	if n > m.tail {
		larger := message{tail: n + initialRoom}
		larger.reset(m.head, m.constant())
		*m = larger
	}
	begin := m.tail - n
	request := m.buf[begin:]
	copy(request, m.head)
	path.put(request[len(m.head):])
	size = m.end - begin
	whole := (size + 1 + 8 + block - 1) / block * block
	binary.BigEndian.PutUint64(m.buf[m.sizeAt:], 0)
	m.sizeAt = begin + whole - 8
	binary.BigEndian.PutUint64(m.buf[m.sizeAt:], uint64(size)*8)
	return request[:whole], size
}

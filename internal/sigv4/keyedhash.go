package sigv4

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"hash"

	"bulkpresign/internal/sigv4/sha256x16"
)

const block = sha256.BlockSize

// keyedHash is HMAC-SHA256 (RFC 2104) of a string to sign under one key. What is the
// same for every URL is hashed beforehand: the string to sign but for its last line, as
// far as it fills blocks. What is left for each URL is three compressions instead of
// six. It is immutable.
type keyedHash struct {
	inner state // after ipad and the constant blocks of the string to sign
	outer state // after opad

	// blocks are what the inner hash still takes, padded, with a place for the hash of the
	// canonical request, in hexadecimal, at hexAt.
	blocks []byte
	hexAt  int
}

// sumBlock is what the outer hash still takes: the inner one's digest, padded.
var sumBlock = [block]byte(pad(make([]byte, SignatureSize), block+SignatureSize))

func newKeyedHash(key []byte, prefix string) keyedHash {
	var ipad, opad [block]byte
	copy(ipad[:], key) // a derived key has 32 bytes, so it is never hashed first
	copy(opad[:], key)
	for i := range ipad {
		ipad[i] ^= 0x36
		opad[i] ^= 0x5c
	}
	constant := len(prefix) / block * block
	rest := append([]byte(prefix[constant:]), make([]byte, hexSize)...)
	return keyedHash{
		inner:  stateAfter(ipad[:], []byte(prefix[:constant])),
		outer:  stateAfter(opad[:]),
		blocks: pad(rest, block+constant+len(rest)),
		hexAt:  len(prefix) - constant,
	}
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

// state is crypto/sha256's hash in its own serialised form, at the end of a block.
// Reading it back is a copy; hmac.Reset would have the constant blocks hashed again for
// each URL, and hash.Sum copies and pads.
type state []byte

// resumable is what crypto/sha256's hash is beside a hash.Hash.
type resumable interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

func stateAfter(parts ...[]byte) state {
	h := sha256.New().(resumable)
	for _, p := range parts {
		h.Write(p)
	}
	return appendState(nil, h)
}

func appendState(dst state, h resumable) state {
	s, err := h.AppendBinary(dst)
	if err != nil {
		panic(err) // crypto/sha256 never fails here
	}
	return s
}

// initial is the state of an empty message.
var initial = stateAfter()

// chainingValue is H0 to H7, which is the digest once a message's padding was hashed,
// too. It stands behind four bytes that name the hash.
func (s state) chainingValue() *Signature { return (*Signature)(s[4:]) }

// The serialised form is documented to be stable for reading back only. So the program
// does not even start with a Go that has another one.
func init() {
	message := pad([]byte("abc"), 3)
	if *stateAfter(message).chainingValue() != sha256.Sum256([]byte("abc")) {
		panic("sigv4: the state of crypto/sha256 is laid out in an unknown way")
	}
}

// words is the chaining value as numbers.
func (s state) words() (h [8]uint32) {
	for i := range h {
		h[i] = binary.BigEndian.Uint32(s.chainingValue()[4*i:])
	}
	return h
}

// hasher signs with crypto/sha256, one message at a time. It is the scratch space of one
// goroutine.
type hasher struct {
	h      resumable
	keyed  *keyedHash
	blocks []byte
	sum    [block]byte
	state  state
}

func (w *hasher) reset(k *keyedHash) {
	if w.h == nil {
		w.h = sha256.New().(resumable)
	}
	w.keyed = k
	w.blocks = append(w.blocks[:0], k.blocks...)
	w.sum = sumBlock
}

// sign makes the signature of a padded canonical request. The result is valid until the
// next call.
func (w *hasher) sign(request []byte) *Signature {
	w.h.Reset()
	w.h.Write(request)
	return w.finish()
}

// finish makes the signature when the padded canonical request was written.
func (w *hasher) finish() *Signature {
	sha256x16.Hex((*[hexSize]byte)(w.blocks[w.keyed.hexAt:]), (*[SignatureSize]byte)(w.chainingValue()))
	w.begin(w.keyed.inner)
	w.h.Write(w.blocks)
	*(*Signature)(w.sum[:]) = *w.chainingValue()
	w.begin(w.keyed.outer)
	w.h.Write(w.sum[:])
	return w.chainingValue()
}

// begin sets the hash to a state.
func (w *hasher) begin(s state) {
	if err := w.h.UnmarshalBinary(s); err != nil {
		panic(err) // it came from AppendBinary
	}
}

// chainingValue is the hash's, valid until the next call.
func (w *hasher) chainingValue() *Signature {
	w.state = appendState(w.state[:0], w.h)
	return w.state.chainingValue()
}

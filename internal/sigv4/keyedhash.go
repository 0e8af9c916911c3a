package sigv4

import (
	"crypto/sha256"
	"encoding"
	"hash"
)

// keyedHash is HMAC-SHA256 (RFC 2104) of a string to sign, less its last line,
// under one key, stopped where the canonical request's hash would come. What is
// left for each URL is three compressions instead of six.
//
// The states are kept in crypto/sha256's own serialised form. Reading one back is a
// copy; hmac.Reset would have the prefix hashed again for each URL.
type keyedHash struct {
	inner []byte // state after ipad and the constant lines of the string to sign
	outer []byte // state after opad

	prefix string   // the constant lines of the string to sign
	ipad   [64]byte // the first block of the inner hash
	opad   [64]byte // the first block of the outer hash
}

// resumable is what crypto/sha256's hash is beside a hash.Hash: it says so in its
// documentation.
type resumable interface {
	hash.Hash
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

func newKeyedHash(key []byte, prefix string) keyedHash {
	k := keyedHash{prefix: prefix}
	copy(k.ipad[:], key) // a derived key has 32 bytes, so it is never hashed first
	copy(k.opad[:], key)
	for i := range k.ipad {
		k.ipad[i] ^= 0x36
		k.opad[i] ^= 0x5c
	}
	k.inner = stateAfter(k.ipad[:], []byte(prefix))
	k.outer = stateAfter(k.opad[:])
	return k
}

func stateAfter(parts ...[]byte) []byte {
	h := sha256.New().(resumable)
	for _, p := range parts {
		h.Write(p)
	}
	state, err := h.MarshalBinary()
	if err != nil {
		panic(err) // crypto/sha256 never fails here
	}
	return state
}

// hasher finishes keyedHashes; it is the scratch space of one goroutine.
type hasher struct {
	h   resumable
	hex [hexSize]byte
	sum Signature
}

func newHasher() hasher { return hasher{h: sha256.New().(resumable)} }

// sign completes k with the hash of a canonical request.
func (w *hasher) sign(k *keyedHash, canonicalHash *Signature) Signature {
	AppendHex(w.hex[:0], canonicalHash)
	w.resume(k.inner)
	w.h.Write(w.hex[:])
	w.h.Sum(w.sum[:0])
	w.resume(k.outer)
	w.h.Write(w.sum[:])
	w.h.Sum(w.sum[:0])
	return w.sum
}

func (w *hasher) resume(state []byte) {
	if err := w.h.UnmarshalBinary(state); err != nil {
		panic(err) // the state came from stateAfter
	}
}

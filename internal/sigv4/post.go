package sigv4

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"runtime"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"bulkpresign/internal/sigv4/sha256x16"
)

// Post is what the forms of a PostSigner share: uploads by HTTP POST, of which not a URL is
// signed but a policy, a document that says what the form may hold.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html
type Post struct {
	Bucket     string
	Expiration time.Time // cut to the second and taken in UTC
	// Conditions are those that come beside the signature's own and the key's: JSON, each
	// with a comma before it.
	Conditions []byte
	// KeyStartsWith has a key be the beginning of what is uploaded.
	KeyStartsWith bool
}

// PostSigner signs policies that differ in the key alone. The key comes last in a policy,
// so all that stands before it is hashed once, and each key costs what its own text has
// beyond that: three or four compressions, whatever the length of a session token. It has
// scratch space of its own and serves one goroutine at a time.
//
// The policies are byte for byte those of aws-sdk-go-v2's PresignPostObject.
type PostSigner struct {
	signer *Signer
	kernel *sha256x16.Kernel // nil for crypto/sha256

	head    []byte // of the policy, in base64
	carried []byte // what follows it, and is encoded with the key, since three bytes make four digits
	tail    []byte // what stands behind the key

	inner, outer state
	hashed       int // bytes of the inner hash's message that are in its state

	workers []*postWorker
}

// PostSigner prepares r for signing.
func (s *Signer) PostSigner(r *Post) *PostSigner {
	p := &PostSigner{signer: s, kernel: sha256x16.Best()}
	head := []byte(`{"conditions":[`)
	for _, c := range p.Fields() {
		if c.Name == "X-Amz-Credential" {
			head = appendCondition(head, "bucket", r.Bucket)
			head = append(head, ',')
		}
		head = append(appendCondition(head, c.Name, c.Value), ',')
	}
	head = append(head[:len(head)-1], r.Conditions...)
	end := `"}`
	if r.KeyStartsWith {
		head = append(head, `,["starts-with","$key","`...)
		end = `"]`
	} else {
		head = append(head, `,{"key":"`...)
	}
	p.tail = append(p.tail, end+`],"expiration":"`+r.Expiration.UTC().Format(time.RFC3339)+`"}`...)

	whole := len(head) / 3 * 3
	p.head = base64.StdEncoding.AppendEncode(nil, head[:whole])
	p.carried = head[whole:]

	var ipad, opad [block]byte
	copy(ipad[:], s.key) // as in newKeyedHash
	copy(opad[:], s.key)
	for i := range ipad {
		ipad[i] ^= 0x36
		opad[i] ^= 0x5c
	}
	constant := len(p.head) / block * block
	p.inner, p.outer = stateAfter(ipad[:], p.head[:constant]), stateAfter(opad[:])
	p.hashed = block + constant
	return p
}

// Fields are the form's fields that carry the signature, but for the policy and the
// signature itself, in their order.
func (p *PostSigner) Fields() []Parameter {
	fields := []Parameter{
		{"X-Amz-Algorithm", algorithm},
		{"X-Amz-Credential", p.signer.credential},
		{"X-Amz-Date", string(p.signer.auth.date)},
	}
	if p.signer.token != "" {
		fields = append(fields, Parameter{"X-Amz-Security-Token", p.signer.token})
	}
	return fields
}

// appendCondition appends a condition that a field has a value.
func appendCondition(dst []byte, name, value string) []byte {
	dst = append(AppendPolicyText(append(dst, `{"`...), name), `":"`...)
	return append(AppendPolicyText(dst, value), `"}`...)
}

// AppendPolicyText appends s as it stands between the quotation marks of a policy. It is
// encoding/json's way, which escapes what HTML minds as well.
func AppendPolicyText(dst []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	plain := 0 // where what stays begins
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == 0xe2 && (s[i:min(i+3, len(s))] == "\u2028" || s[i:min(i+3, len(s))] == "\u2029"): // JavaScript minds
			dst = append(append(dst, s[plain:i]...), `\u202`...)
			dst = append(dst, hexDigits[s[i+2]&15])
			i += 3
			plain = i
			continue
		case c >= ' ' && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&':
			i++
			continue
		}
		dst = append(append(dst, s[plain:i]...), '\\')
		switch c {
		case '"', '\\':
			dst = append(dst, c)
		case '\b':
			dst = append(dst, 'b')
		case '\f':
			dst = append(dst, 'f')
		case '\n':
			dst = append(dst, 'n')
		case '\r':
			dst = append(dst, 'r')
		case '\t':
			dst = append(dst, 't')
		default:
			dst = append(dst, 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		plain = i
	}
	return append(dst, s[plain:]...)
}

// AppendPolicy appends the policy of a key as the form has it, in base64.
func (p *PostSigner) AppendPolicy(dst []byte, key string) []byte {
	return p.AppendPolicyEnd(append(dst, p.head...), key)
}

// AppendPolicyEnd appends what a policy has behind PolicyHead.
func (p *PostSigner) AppendPolicyEnd(dst []byte, key string) []byte {
	// The text is written behind the place of its encoding, and encoded from there.
	size := len(p.carried) + policyTextLen(key) + len(p.tail)
	encoded := base64.StdEncoding.EncodedLen(size)
	n := len(dst)
	dst = slices.Grow(dst, encoded+size)[:n+encoded]
	text := append(dst[n+encoded:n+encoded], p.carried...)
	text = append(AppendPolicyText(text, key), p.tail...)
	base64.StdEncoding.Encode(dst[n:], text)
	return dst
}

// policyTextLen is the length of AppendPolicyText of s.
func policyTextLen(s string) int {
	n := len(s)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"', c == '\\', c == '\b', c == '\f', c == '\n', c == '\r', c == '\t':
			n++
		case c < ' ', c == '<', c == '>', c == '&':
			n += len(`\u0000`) - 1
		case c == 0xe2:
			if r, _ := utf8.DecodeRuneInString(s[i:]); r == '\u2028' || r == '\u2029' {
				n += len(`\u2028`) - 3
			}
		}
	}
	return n
}

// PolicyHead is what all policies begin with, in base64, as long as it is the same for
// every key. It must not be changed.
func (p *PostSigner) PolicyHead() []byte { return p.head }

// PolicyLen is the length of what AppendPolicy appends.
func (p *PostSigner) PolicyLen(key string) int {
	return len(p.head) + base64.StdEncoding.EncodedLen(len(p.carried)+policyTextLen(key)+len(p.tail))
}

// WithKernel lets p hash with k rather than with the best kernel of the machine; nil
// stands for crypto/sha256.
func (p *PostSigner) WithKernel(k *sha256x16.Kernel) *PostSigner {
	p.kernel, p.workers = k, nil
	return p
}

// Sign signs the policy of one key.
func (p *PostSigner) Sign(key string) Signature {
	var signature [1]Signature
	p.worker(0).sign(p, signature[:], func(int) string { return key })
	return signature[0]
}

// SignAll signs the policies of many keys; key gives each. It uses all processors if the
// keys are many.
func (p *PostSigner) SignAll(signatures []Signature, key func(i int) string) {
	parts := max(1, min(runtime.GOMAXPROCS(0), len(signatures)/keysPerWorker))
	var wg sync.WaitGroup
	for i := range parts {
		from, to := len(signatures)*i/parts, len(signatures)*(i+1)/parts
		worker := p.worker(i) // here, since the slice of them grows
		work := func() {
			worker.sign(p, signatures[from:to], func(k int) string { return key(from + k) })
		}
		if i < parts-1 {
			wg.Go(work)
		} else {
			work()
		}
	}
	wg.Wait()
}

func (p *PostSigner) worker(i int) *postWorker {
	for len(p.workers) <= i {
		p.workers = append(p.workers, &postWorker{})
	}
	return p.workers[i]
}

// postWorker is the scratch space of one goroutine.
type postWorker struct {
	h       resumable // for what lanes are not worth
	state   state
	message []byte
	sum     [block]byte

	lanes *postLanes
}

type postLanes struct {
	inner, outer, state sha256x16.State

	messages, sums [sha256x16.Streams][]byte
	buffers        [sha256x16.Streams][]byte
	blocks         [sha256x16.Streams][block]byte
	digests        [sha256x16.Streams]*[SignatureSize]byte
}

func (w *postWorker) sign(p *PostSigner, signatures []Signature, key func(i int) string) {
	for done := 0; done < len(signatures); {
		n := min(sha256x16.Streams, len(signatures)-done)
		some := signatures[done : done+n]
		if p.kernel != nil && n >= p.kernel.Pays() {
			w.signInLanes(p, some, func(i int) string { return key(done + i) })
		} else {
			for i := range some {
				some[i] = w.signOne(p, key(done+i))
			}
		}
		done += n
	}
}

// lay writes what the inner hash of a key still takes, padded.
func (p *PostSigner) lay(dst []byte, key string) []byte {
	dst = append(dst[:0], p.head[p.hashed-block:]...)
	dst = p.AppendPolicyEnd(dst, key)
	total := p.hashed + len(dst)
	dst = append(dst, 0x80)
	for (len(dst)+8)%block != 0 {
		dst = append(dst, 0)
	}
	return binary.BigEndian.AppendUint64(dst, uint64(total)*8)
}

func (w *postWorker) signInLanes(p *PostSigner, signatures []Signature, key func(i int) string) {
	l := w.lanes
	if l == nil {
		l = &postLanes{}
		w.lanes = l
		h := p.inner.words()
		p.kernel.Set(&l.inner, &h)
		h = p.outer.words()
		p.kernel.Set(&l.outer, &h)
		for i := range l.blocks {
			l.blocks[i] = sumBlock
			l.sums[i] = l.blocks[i][:]
		}
	}
	n := len(signatures)
	for i := range n {
		l.buffers[i] = p.lay(l.buffers[i], key(i))
		l.messages[i] = l.buffers[i]
		l.digests[i] = (*[SignatureSize]byte)(l.sums[i])
	}
	l.state.CopyFrom(&l.inner)
	p.kernel.Blocks(&l.state, &l.messages, n)
	p.kernel.Digests(&l.digests, &l.state, n)
	l.state.CopyFrom(&l.outer)
	p.kernel.Blocks(&l.state, &l.sums, n)
	for i := range n {
		l.digests[i] = (*[SignatureSize]byte)(&signatures[i])
	}
	p.kernel.Digests(&l.digests, &l.state, n)
}

func (w *postWorker) signOne(p *PostSigner, key string) Signature {
	if w.h == nil {
		w.h = sha256.New().(resumable)
		w.sum = sumBlock
	}
	hash := func(from state, message []byte) *Signature {
		if err := w.h.UnmarshalBinary(from); err != nil {
			panic(err) // it came from AppendBinary
		}
		w.h.Write(message)
		w.state = appendState(w.state[:0], w.h)
		return w.state.chainingValue()
	}
	w.message = p.lay(w.message, key)
	*(*Signature)(w.sum[:]) = *hash(p.inner, w.message)
	return *hash(p.outer, w.sum[:])
}

package sigv4

import (
	"slices"
	"strconv"
	"strings"

	"bulkpresign/internal/sigv4/sha256x16"
)

// Parameter is a query parameter or a header.
type Parameter struct{ Name, Value string }

// Request is what all URLs of a Presigner share.
type Request struct {
	Method string
	// Origin is the URL before the path, "https://bucket.s3.eu-west-1.amazonaws.com".
	Origin string
	// Host is the Host header as clients send it: Origin's, less a default port.
	Host string
	// PathPrefix is what every path begins with, escaped: "/", or "/bucket/".
	PathPrefix string
	// ExpiresIn is the lifetime in whole seconds, 1 to 604,800; the caller checks it.
	ExpiresIn int
	// Query holds the operation's own parameters, sorted by name (bytewise),
	// unescaped. The X-Amz-* parameters of the signature are put among them.
	Query []Parameter
	// Headers are signed besides host: names in lower case, sorted. A value's runs
	// of spaces count as one space, as in every canonical request.
	Headers []Parameter
}

// Presigner signs paths for one Request. It has scratch space of its own, so it
// serves one goroutine at a time; [Presigner.Reset] is cheap.
type Presigner struct {
	signer *Signer
	hasher hasher

	base     []byte // the URL before the path of a key
	question []byte // "?" query "&X-Amz-Signature="

	message message
	head    []byte // of the canonical request, before the path of a key
	tail    []byte // and behind it

	kernel     *sha256x16.Kernel // of the last batch; nil for crypto/sha256
	forced     bool              // the kernel is not chosen for each batch
	lanes      *lanes            // nil until many keys are signed at once
	lanesReady bool              // for this request
	parts      []part            // of the last batch
	helpers    []*helper         // with many keys
	version    int               // counts the requests
}

// Presigner prepares r for signing.
func (s *Signer) Presigner(r *Request) *Presigner {
	p := new(Presigner)
	p.Reset(s, r)
	return p
}

// follow makes w, which has a goroutine of its own, sign the request of p.
func (w *Presigner) follow(p *Presigner) {
	if w.version == p.version && w.kernel == p.kernel {
		return
	}
	w.version, w.kernel = p.version, p.kernel
	w.signer = p.signer
	w.base, w.question, w.head, w.tail = p.base, p.question, p.head, p.tail
	w.hasher.reset(&p.signer.keyed)
	w.message.reset(p.head, p.tail)
	w.lanesReady = false
}

// Reset prepares p for another request and keeps its memory.
func (p *Presigner) Reset(s *Signer, r *Request) {
	p.signer = s
	p.lanesReady = false
	p.version++
	p.base = append(append(p.base[:0], r.Origin...), r.PathPrefix...)
	p.question = p.appendQuery(append(p.question[:0], '?'), r)
	p.question = append(p.question, signatureParameter...)

	p.hasher.reset(&s.keyed)
	p.head = append(append(append(p.head[:0], r.Method...), '\n'), r.PathPrefix...)
	t := append(p.tail[:0], '\n')
	t = append(t, p.Query()...)
	t = append(t, '\n')
	t = appendCanonicalHeaders(t, r)
	t = append(t, '\n')
	t = appendSignedHeaders(t, r)
	p.tail = append(t, "\n"+unsignedPayload...)
	p.message.reset(p.head, p.tail)
}

// appendQuery writes the query in canonical order, bytewise by name: the request's
// parameters with the signature's own merged in. All but X-Amz-Signature, which is
// not part of what is signed.
func (p *Presigner) appendQuery(dst []byte, r *Request) []byte {
	var number, names, escaped [64]byte
	auth := [...]struct {
		name  string
		value []byte
	}{
		{"X-Amz-Algorithm", []byte(algorithm)},
		{"X-Amz-Credential", p.signer.auth.credential},
		{"X-Amz-Date", p.signer.auth.date},
		{"X-Amz-Expires", strconv.AppendInt(number[:0], int64(r.ExpiresIn), 10)},
		{"X-Amz-Security-Token", p.signer.auth.token},
		{"X-Amz-SignedHeaders", AppendEscaped(escaped[:0], appendSignedHeaders(names[:0], r))},
	}
	start := len(dst)
	appendName := func(name string) {
		if len(dst) > start {
			dst = append(dst, '&')
		}
		dst = append(AppendEscaped(dst, name), '=')
	}
	rest := r.Query
	for _, a := range auth {
		for len(rest) > 0 && rest[0].Name < a.name {
			appendName(rest[0].Name)
			dst = AppendEscaped(dst, rest[0].Value)
			rest = rest[1:]
		}
		if len(a.value) == 0 { // no session token
			continue
		}
		appendName(a.name)
		dst = append(dst, a.value...)
	}
	for _, q := range rest {
		appendName(q.Name)
		dst = AppendEscaped(dst, q.Value)
	}
	return dst
}

// appendSignedHeaders lists the names of the signed headers in order, host among them.
func appendSignedHeaders(dst []byte, r *Request) []byte {
	start := len(dst)
	eachHeader(r, func(name, _ string) {
		if len(dst) > start {
			dst = append(dst, ';')
		}
		dst = append(dst, name...)
	})
	return dst
}

func appendCanonicalHeaders(dst []byte, r *Request) []byte {
	eachHeader(r, func(name, value string) {
		dst = append(append(dst, name...), ':')
		dst = append(appendCollapsed(dst, value), '\n')
	})
	return dst
}

// eachHeader visits the signed headers in order, with host at its place.
func eachHeader(r *Request, visit func(name, value string)) {
	i := 0
	for ; i < len(r.Headers) && r.Headers[i].Name < "host"; i++ {
		visit(r.Headers[i].Name, r.Headers[i].Value)
	}
	visit("host", r.Host)
	for ; i < len(r.Headers); i++ {
		visit(r.Headers[i].Name, r.Headers[i].Value)
	}
}

// appendCollapsed writes a header's value as it is signed: no space around it, and
// one for each run of spaces inside.
func appendCollapsed(dst []byte, value string) []byte {
	value = strings.Trim(value, " ")
	for i := 0; i < len(value); i++ {
		if value[i] != ' ' || value[i-1] != ' ' {
			dst = append(dst, value[i])
		}
	}
	return dst
}

// WithKernel lets p hash many keys at once with k rather than with the fastest kernel of
// the machine, for tests and benchmarks; nil stands for crypto/sha256, one key after the
// other.
func (p *Presigner) WithKernel(k *sha256x16.Kernel) *Presigner {
	p.kernel, p.forced = k, true
	return p
}

// Sign signs the URL of one key.
func (p *Presigner) Sign(path Path) Signature {
	request, _ := p.message.lay(path)
	return *p.hasher.sign(request)
}

// CanonicalRequest is what is hashed for path, for tests and for finding out why a
// server computes another signature. It holds the session token.
func (p *Presigner) CanonicalRequest(path Path) string {
	request, size := p.message.lay(path)
	return string(request[:size])
}

// AppendURL appends the URL of path with its signature.
func (p *Presigner) AppendURL(dst []byte, path Path, sig *Signature) []byte {
	n, size := len(dst), p.URLLen(path)
	dst = slices.Grow(dst, size)[:n+size]
	url := dst[n:]
	at := copy(url, p.base)
	path.put(url[at:])
	at += path.len
	at += copy(url[at:], p.question)
	sha256x16.Hex((*[hexSize]byte)(url[at:]), (*[SignatureSize]byte)(sig))
	return dst
}

// AppendHex appends the signature as the URL has it, in 64 digits.
func AppendHex(dst []byte, sig *Signature) []byte {
	n := len(dst)
	dst = slices.Grow(dst, hexSize)[:n+hexSize]
	sha256x16.Hex((*[hexSize]byte)(dst[n:]), (*[SignatureSize]byte)(sig))
	return dst
}

const hexSize = 2 * SignatureSize

// URLLen is the length of the URL of a path.
func (p *Presigner) URLLen(path Path) int {
	return len(p.base) + path.len + len(p.question) + hexSize
}

// Base is the URL before the path of a key. It must not be changed.
func (p *Presigner) Base() []byte { return p.base }

// Query is the URL's query without X-Amz-Signature, the same for every path. It must
// not be changed.
func (p *Presigner) Query() []byte {
	return p.question[len("?") : len(p.question)-len(signatureParameter)]
}

// Question is what every URL has between its path and the digits of its signature. It
// must not be changed.
func (p *Presigner) Question() []byte { return p.question }

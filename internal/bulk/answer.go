package bulk

import (
	"slices"
	"strconv"
	"time"

	"bulkpresign/internal/s3op"
	"bulkpresign/internal/sigv4"
)

// Formats are the values of the field "format".
var Formats = []string{"json"}

// Quoting says in how many JSON strings the answer will lie: none for a direct
// invoke, one for the body of an HTTP response. So that nothing is escaped in a
// second pass, the answer is written as it will lie there.
type Quoting int

const (
	Bare   Quoting = 0
	Quoted Quoting = 1
)

// A section is a member of the answer that has a member for each of some keys.
type section uint8

const (
	inURLs section = iota
	inPartURLs
	inItemHeaders
	inErrors
	numSections
)

var sectionNames = [numSections]string{"urls", "part_urls", "item_headers", "errors"}

// sections is a set of them.
type sections uint8

func of(list ...section) (s sections) {
	for _, x := range list {
		s |= 1 << x
	}
	return s
}

func (s sections) has(x section) bool { return s&(1<<x) != 0 }

// sectionsOf tells where the answer speaks of an entry.
func (p *Plan) sectionsOf(e entry) sections {
	switch e.kind {
	case failed:
		return of(inErrors)
	case batched:
		return of(inURLs)
	}
	in := of(inURLs)
	options := p.settled(e)
	if s3op.PartNumbers(options) != nil {
		in = of(inPartURLs)
	}
	if !slices.Equal(headers(options), headers(p.options)) {
		in |= of(inItemHeaders)
	}
	return in
}

func headers(settled []s3op.Option) []s3op.Option {
	return slices.DeleteFunc(slices.Clone(settled), func(o s3op.Option) bool { return !o.ID.IsHeader() })
}

// writer appends the answer, or a part of it, to dst.
type writer struct {
	dst     []byte
	quoting Quoting
	open    bool // the object that is being written has a member already
}

func (w *writer) raw(s string) { w.dst = append(w.dst, s...) }

func (w *writer) quote() {
	if w.quoting == Quoted {
		w.dst = append(w.dst, '\\')
	}
	w.dst = append(w.dst, '"')
}

func (w *writer) str(s string) {
	w.quote()
	w.dst = appendEscaped(w.dst, s, w.quoting)
	w.quote()
}

func (w *writer) begin() {
	w.dst = append(w.dst, '{')
	w.open = false
}

func (w *writer) end() {
	w.dst = append(w.dst, '}')
	w.open = true
}

func (w *writer) name(s string) {
	if w.open {
		w.dst = append(w.dst, ',')
	}
	w.open = true
	w.str(s)
	w.dst = append(w.dst, ':')
}

func (w *writer) member(name, value string) {
	w.name(name)
	w.str(value)
}

// AppendJSON appends the answer. The batch must have been signed.
func (p *Plan) AppendJSON(dst []byte, q Quoting) []byte {
	w := &writer{dst: dst, quoting: q}
	p.writeHead(w)
	for s := range numSections {
		if s == inItemHeaders {
			p.writeHeaders(w)
		}
		if s != inURLs && !slices.ContainsFunc(p.entries, func(e entry) bool { return e.in.has(s) }) {
			continue
		}
		w.name(sectionNames[s])
		w.begin()
		for i := range p.entries {
			if p.entries[i].in.has(s) {
				p.writeMember(w, i, s)
			}
		}
		w.end()
	}
	w.end()
	return w.dst
}

// JSONSize is the exact length of what AppendJSON appends; no signature is needed
// for it. fits says how many of the distinct keys, from the first, keep it at or
// under limit.
func (p *Plan) JSONSize(q Quoting, limit int) (size, fits int) {
	w := &writer{quoting: q}
	p.writeHead(w)
	p.writeHeaders(w)
	w.name(sectionNames[inURLs])
	w.begin()
	w.end()
	w.end()
	size = len(w.dst)

	began := of(inURLs)
	var comma sections
	for i := range p.entries {
		for s := range numSections {
			if !p.entries[i].in.has(s) {
				continue
			}
			if !began.has(s) {
				began |= of(s)
				w.dst, w.open = w.dst[:0], true
				w.name(sectionNames[s])
				size += len(w.dst) + len("{}")
			}
			if comma.has(s) {
				size += len(",")
			}
			comma |= of(s)
			size += p.memberSize(w, i, s)
		}
		if size <= limit {
			fits = i + 1
		}
	}
	return size, fits
}

func (p *Plan) writeHead(w *writer) {
	w.begin()
	w.member("bucket", p.Bucket)
	w.member("operation", p.Operation.String())
	w.member("signed_at", p.SignedAt.Format(time.RFC3339))
	w.name("expires_in")
	w.dst = strconv.AppendInt(w.dst, p.ExpiresIn, 10)
	w.member("expires_at", p.ExpiresAt.Format(time.RFC3339))
	w.member("expires_at_basis", string(p.Basis))
}

// writeHeaders writes what a client must send with every URL.
func (p *Plan) writeHeaders(w *writer) {
	if len(headers(p.options)) == 0 {
		return
	}
	w.name("headers")
	w.headers(p.options)
}

func (w *writer) headers(settled []s3op.Option) {
	w.begin()
	for _, o := range settled {
		if o.ID.IsHeader() {
			w.member(o.WireName(), o.Value)
		}
	}
	w.end()
}

// writeMember writes what a section says of a key.
func (p *Plan) writeMember(w *writer, i int, s section) {
	e := p.entries[i]
	w.name(p.request.Items[e.item].Key)
	switch s {
	case inURLs:
		w.quote()
		w.dst = p.appendURL(w.dst, e)
		w.quote()
	case inPartURLs:
		options := p.settled(e)
		path := p.escape(e)
		w.begin()
		for _, number := range s3op.PartNumbers(options) {
			w.name(number)
			w.quote()
			w.dst = p.appendOwn(w.dst, options, path, number)
			w.quote()
		}
		w.end()
	case inItemHeaders:
		w.headers(p.settled(e))
	case inErrors:
		f := p.failures[int32(i)]
		w.begin()
		w.member("code", string(f.code))
		w.member("message", f.message)
		w.end()
	}
}

// memberSize is the length of what writeMember writes, less a comma.
func (p *Plan) memberSize(w *writer, i int, s section) int {
	e := p.entries[i]
	key := p.request.Items[e.item].Key
	quotes := 2 * (1 + int(w.quoting))
	switch s {
	case inURLs:
		return quotes + escapedLen(key, w.quoting) + len(":") + quotes + p.urlLen(e)
	case inPartURLs:
		options := p.settled(e)
		numbers := s3op.PartNumbers(options)
		url := p.own(options, "").URLLen(len(p.escape(e)))
		size := quotes + escapedLen(key, w.quoting) + len(":{}") + len(numbers) - 1
		for _, number := range numbers {
			size += len(":") + 2*quotes + len(number) + url + len(number)
		}
		return size
	}
	w.dst, w.open = w.dst[:0], false
	p.writeMember(w, i, s)
	return len(w.dst)
}

// Sign computes the signatures of the keys that share the batch's options. The
// others' are computed where they are written.
func (p *Plan) Sign() {
	p.signatures = make([]sigv4.Signature, len(p.ends))
	p.presigner.SignAll(p.signatures, p.paths, p.ends)
}

func (p *Plan) batchPath(e entry) []byte {
	begin := uint32(0)
	if e.path > 0 {
		begin = p.ends[e.path-1]
	}
	return p.paths[begin:p.ends[e.path]]
}

func (p *Plan) appendURL(dst []byte, e entry) []byte {
	if e.kind == batched {
		return p.presigner.AppendURL(dst, p.batchPath(e), &p.signatures[e.path])
	}
	return p.appendOwn(dst, p.settled(e), p.escape(e), "")
}

func (p *Plan) urlLen(e entry) int {
	if e.kind == batched {
		return p.presigner.URLLen(len(p.batchPath(e)))
	}
	return p.own(p.settled(e), "").URLLen(sigv4.EscapedPathLen(p.request.Items[e.item].Key))
}

// escape gives the path of an entry that is not in the batch.
func (p *Plan) escape(e entry) []byte {
	p.path = sigv4.AppendEscapedPath(p.path[:0], p.request.Items[e.item].Key)
	return p.path
}

// own prepares the presigner that serves one item with options of its own.
func (p *Plan) own(settled []s3op.Option, number string) *sigv4.Presigner {
	p.Operation.Fill(&p.scratch, settled, number)
	if p.single == nil {
		p.single = p.signer.Presigner(&p.scratch)
	} else {
		p.single.Reset(p.signer, &p.scratch)
	}
	return p.single
}

func (p *Plan) appendOwn(dst []byte, settled []s3op.Option, path []byte, number string) []byte {
	presigner := p.own(settled, number)
	signature := presigner.Sign(path)
	return presigner.AppendURL(dst, path, &signature)
}

// Quote writes s as a JSON string.
func Quote(s string) []byte {
	w := writer{}
	w.str(s)
	return w.dst
}

// Keys is the number of distinct keys.
func (p *Plan) Keys() int { return len(p.entries) }

// Signed is the number of keys that have URLs in the answer.
func (p *Plan) Signed() int { return len(p.entries) - len(p.failures) }

// Gzip tells whether the request asks for a compressed answer in its own text.
func (p *Plan) Gzip() bool { return p.request.Encoding == "gzip" }

// appendEscaped appends s as it stands inside a JSON string that lies in q others.
func appendEscaped(dst []byte, s string, q Quoting) []byte {
	plain := 0 // where what needs no escaping begins
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' {
			dst = append(dst, s[plain:i]...)
			dst = append(dst, escapes[q][c]...)
			plain = i + 1
		}
	}
	return append(dst, s[plain:]...)
}

// escapedLen is the length of what appendEscaped appends.
func escapedLen(s string, q Quoting) int {
	n := len(s)
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' {
			n += len(escapes[q][c]) - 1
		}
	}
	return n
}

// escapes has the bytes that RFC 8259, section 7, wants escaped.
var escapes = func() (t [2][256]string) {
	for c := range 256 {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		once := map[byte]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}[byte(c)]
		if once == "" {
			const digits = "0123456789abcdef"
			once = `\u00` + string([]byte{digits[c>>4], digits[c&15]})
		}
		t[Bare][c] = once
		for _, b := range []byte(once) {
			if b == '"' || b == '\\' {
				t[Quoted][c] += `\`
			}
			t[Quoted][c] += string(rune(b))
		}
	}
	return t
}()

package bulk

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"bulkpresign/internal/s3op"
	"bulkpresign/internal/s3url"
	"bulkpresign/internal/sigv4"
)

// A section is a member of the answer that has a member for each of some keys.
type section uint8

const (
	inSignatures section = iota // only in the format compact, where it stands for inURLs
	inURLs
	inPartURLs
	inPosts
	inUploads
	inItemHeaders
	inErrors
	numSections
)

var sectionNames = [numSections]string{"signatures", "urls", "part_urls", "posts", "uploads", "item_headers", "errors"}

// sections is a set of them.
type sections uint8

func of(list ...section) (s sections) {
	for _, x := range list {
		s |= 1 << x
	}
	return s
}

func (s sections) has(x section) bool { return s&(1<<x) != 0 }

// sectionsOf tells where the answer speaks of an entry with these effective options.
func (p *Plan) sectionsOf(k kind, options []s3op.Option) sections {
	switch k {
	case failed:
		return of(inErrors)
	}
	switch p.Operation { // no headers of their own: a form has fields, an upload several requests
	case s3op.PostObject:
		return of(inPosts)
	case s3op.MultipartUpload:
		return of(inUploads)
	}
	if k == batched {
		return of(inURLs)
	}
	in := of(inURLs)
	if s3op.CountParts(options) > 0 {
		in = of(inPartURLs)
	}
	if !slices.Equal(headers(options), p.headers) {
		in |= of(inItemHeaders)
	}
	return in
}

// headers are those of settled options that a client must send.
func headers(settled []s3op.Option) []s3op.Option {
	return slices.DeleteFunc(slices.Clone(settled), func(o s3op.Option) bool { return !o.ID.IsHeader() })
}

// memberIn tells whether a section of an answer in format f speaks of an entry.
func (e entry) memberIn(s section, f Format) bool {
	if f == Compact && e.kind == batched {
		return s == inSignatures
	}
	return e.in.has(s)
}

// hasMembers tells whether a section of an answer in format f speaks of any entry.
func (p *Plan) hasMembers(s section, f Format) bool {
	if f == Compact && s <= inURLs { // they share the entries that are inURLs
		return slices.ContainsFunc(p.entries, func(e entry) bool { return e.memberIn(s, f) })
	}
	return p.in.has(s)
}

// always tells whether a section is there even when it is empty.
func (p *Plan) always(f Format, s section) bool {
	switch p.Operation {
	case s3op.PostObject:
		return s == inPosts
	case s3op.MultipartUpload:
		return s == inUploads
	}
	return s == inURLs && f == JSON || s == inSignatures && f == Compact
}

// writeObject writes the formats json and compact.
func (p *Plan) writeObject(w *writer, f Format) {
	p.writeHead(w, f)
	for s := range numSections {
		if s == inItemHeaders {
			p.writeHeaders(w)
		}
		if !p.always(f, s) && !p.hasMembers(s, f) {
			continue
		}
		w.name(sectionNames[s])
		w.begin()
		for i := range p.entries {
			if p.entries[i].memberIn(s, f) {
				p.writeMember(w, i, s)
			}
		}
		w.end()
	}
	w.end()
}

// sizeObject foretells writeObject.
func (p *Plan) sizeObject(w *writer, f Format, limit int) (size, fits int) {
	p.writeHead(w, f)
	p.writeHeaders(w)
	var began, comma sections
	for s := range numSections {
		if p.always(f, s) {
			w.name(sectionNames[s])
			w.begin()
			w.end()
			began |= of(s)
		}
	}
	w.end()
	for i := range p.entries {
		for s := range numSections {
			if !p.entries[i].memberIn(s, f) {
				continue
			}
			if !began.has(s) {
				began |= of(s)
				w.open = true
				w.name(sectionNames[s])
				w.begin()
				w.end()
			}
			w.open = comma.has(s)
			comma |= of(s)
			p.writeMember(w, i, s)
		}
		if w.size() <= limit {
			fits = i + 1
		}
	}
	return w.size(), fits
}

func (p *Plan) writeHead(w *writer, f Format) {
	w.begin()
	w.member("bucket", p.Bucket)
	w.member("operation", p.Operation.String())
	w.member("signed_at", p.SignedAt.Format(time.RFC3339))
	w.name("expires_in")
	w.dst = strconv.AppendInt(w.dst, p.ExpiresIn, 10)
	w.member("expires_at", p.ExpiresAt.Format(time.RFC3339))
	w.member("expires_at_basis", string(p.Basis))
	if p.request.Explain {
		w.explain(p.Rules)
	}
	if f == Compact {
		w.member("base", string(p.presigner.Base()))
		w.member("query", string(p.presigner.Query()))
	}
}

// explain writes which rules of the policy document have decided.
func (w *writer) explain(rules []string) {
	w.name("explain")
	w.begin()
	w.name("rules")
	w.dst = append(w.dst, '[')
	w.open = false
	for _, rule := range rules {
		w.comma()
		w.str(rule)
	}
	w.dst = append(w.dst, ']')
	w.end()
}

// writeHeaders writes what a client must send with every URL.
func (p *Plan) writeHeaders(w *writer) {
	if len(p.headers) == 0 {
		return
	}
	w.name("headers")
	w.headers(p.options)
}

// headers writes the signed headers among options as an object.
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
	w.comma()
	w.key(p.request.Items[e.item].Key)
	w.dst = append(w.dst, ':')
	switch s {
	case inSignatures:
		w.quote()
		w.signature(p, e)
		w.quote()
	case inURLs:
		w.quote()
		w.url(p, e, "")
		w.quote()
	case inPartURLs:
		w.begin()
		for _, number := range s3op.PartNumbers(p.settled(e)) {
			w.name(number)
			w.quote()
			w.url(p, e, number)
			w.quote()
		}
		w.end()
	case inPosts:
		w.begin()
		w.form(p, e)
		w.end()
	case inUploads:
		w.begin()
		w.upload(p, i)
		w.end()
	case inItemHeaders:
		w.headers(p.settled(e))
	case inErrors:
		w.failure(p.failures[int32(i)])
	}
	w.spill()
}

func (w *writer) failure(f failure) {
	w.begin()
	w.member("code", string(f.code))
	w.member("message", f.message)
	if f.rule != "" {
		w.member("rule", f.rule)
	}
	w.end()
}

// Sign computes the signatures of the keys that share the batch's options, once. The
// others' are computed where they are written.
func (p *Plan) Sign() {
	if p.signatures != nil {
		return
	}
	p.signatures = make([]sigv4.Signature, len(p.paths))
	p.signAll(p.signatures, p.paths)
}

// signAll signs many keys with the batch's options.
func (p *Plan) signAll(signatures []sigv4.Signature, paths []sigv4.Path) {
	if p.forms != nil {
		p.forms.SignAll(signatures, func(i int) string { return paths[i].Key() })
		return
	}
	p.presigner.SignAll(signatures, paths)
}

// signedAhead is how many keys a stream signs at a time: enough to be fast, few enough
// that memory does not grow with the batch.
const signedAhead = 4096

// signature is that of a batched entry. Where Sign did not compute all, it is computed
// now, with those that follow.
func (p *Plan) signature(e entry) *sigv4.Signature {
	at := int(e.path) - p.signedFrom
	if at < 0 || at >= len(p.signatures) {
		p.signFrom(int(e.path))
		at = 0
	}
	return &p.signatures[at]
}

func (p *Plan) signFrom(first int) {
	n := min(signedAhead, len(p.paths)-first)
	if cap(p.signatures) < n {
		p.signatures = make([]sigv4.Signature, n)
	}
	p.signatures, p.signedFrom = p.signatures[:n], first
	p.signAll(p.signatures, p.paths[first:first+n])
}

// pathText is a path as it stands in a URL, valid until the next call.
func (p *Plan) pathText(path sigv4.Path) []byte {
	p.escaped = path.Append(p.escaped[:0])
	return p.escaped
}

// appendURL appends the URL of an entry; of one of its parts where number is not "".
func (p *Plan) appendURL(dst []byte, e entry, number string) []byte {
	if e.kind == batched {
		return p.presigner.AppendURL(dst, p.paths[e.path], p.signature(e))
	}
	presigner, path := p.own(e, number)
	signature := presigner.Sign(path)
	return presigner.AppendURL(dst, path, &signature)
}

// urlLen is the length of what appendURL appends.
func (p *Plan) urlLen(e entry, number string) int {
	if e.kind == batched {
		return p.presigner.URLLen(p.paths[e.path])
	}
	presigner, path := p.own(e, number)
	return presigner.URLLen(path)
}

// own prepares the presigner that serves one entry with options of its own.
func (p *Plan) own(e entry, number string) (presigner *sigv4.Presigner, path sigv4.Path) {
	p.fill(&p.scratch, p.Operation, p.settled(e), number)
	path = sigv4.PathOf(p.request.Items[e.item].Key)
	if p.Operation.OfBucket() {
		p.scratch.PathPrefix = p.location.BucketPath
		p.Operation.FillPrefix(&p.scratch, p.request.Items[e.item].Key)
		path = sigv4.Path{}
	}
	if p.single == nil {
		p.single = p.signer.Presigner(&p.scratch)
	} else {
		p.single.Reset(p.signer, &p.scratch)
	}
	return p.single, path
}

// AppendResults appends the answer when the URLs are in an object of their own: a
// signed URL of it stands in their place, and ends when they do.
func (p *Plan) AppendResults(dst []byte, q Quoting, f Format, at s3url.Location, key string) []byte {
	w := &writer{dst: dst, quoting: q}
	p.writeHead(w, JSON)
	w.name("results")
	w.begin()
	w.member("url", p.PresignGet(at, key))
	w.member("format", f.String())
	w.name("count")
	w.dst = strconv.AppendInt(w.dst, int64(p.Signed()), 10)
	w.member("expires_at", p.ExpiresAt.Format(time.RFC3339))
	w.end()
	p.writeHeaders(w)
	w.end()
	return w.dst
}

// PresignGet signs a download with the batch's credentials, clock and lifetime.
func (p *Plan) PresignGet(at s3url.Location, key string) string {
	r := sigv4.Request{Origin: at.Origin, Host: at.Host, PathPrefix: at.PathPrefix, ExpiresIn: int(p.ExpiresIn)}
	p.fill(&r, s3op.GetObject, nil, "")
	scope := sigv4.Scope{Time: p.SignedAt, Region: at.Region, Service: at.Service}
	presigner := sigv4.NewSigner(p.credentials.Credentials, scope).Presigner(&r)
	path := sigv4.PathOf(key)
	signature := presigner.Sign(path)
	return string(presigner.AppendURL(nil, path, &signature))
}

// Keys is the number of distinct keys.
func (p *Plan) Keys() int { return len(p.entries) }

// URLs is the number of URLs in the answer.
func (p *Plan) URLs() int { return p.urls }

func (p *Plan) urlsOf(e entry) int {
	switch {
	case e.kind == failed:
		return 0
	case e.in.has(inPartURLs):
		return s3op.CountParts(p.settled(e))
	case e.in.has(inUploads):
		return p.uploadURLs(e)
	}
	return 1
}

// First is the plan of the same request with only the first n of its distinct keys.
func (p *Plan) First(n int) *Plan {
	if n == len(p.entries) {
		return p
	}
	part := *p
	part.entries = p.entries[:n]
	part.failures = maps.Clone(p.failures)
	maps.DeleteFunc(part.failures, func(at int32, _ failure) bool { return int(at) >= n })
	part.in, part.urls = 0, 0
	for _, e := range part.entries {
		part.in |= e.in
		part.urls += part.urlsOf(e)
	}
	return &part
}

// Within is the number of distinct keys, from the first, that have no more than so
// many URLs together.
func (p *Plan) Within(urls int) int {
	for i, e := range p.entries {
		if urls -= p.urlsOf(e); urls < 0 {
			return i
		}
	}
	return len(p.entries)
}

// Signed is the number of keys that have URLs in the answer.
func (p *Plan) Signed() int { return len(p.entries) - len(p.failures) }

// Refused visits the keys that have no URL, in the order of the request.
func (p *Plan) Refused(visit func(key string, code Code, message string)) {
	if len(p.failures) == 0 {
		return
	}
	for i, e := range p.entries {
		if e.kind == failed {
			f := p.failures[int32(i)]
			visit(p.request.Items[e.item].Key, f.code, f.message)
		}
	}
}

// Gzip tells whether the request asks for a compressed answer in its own text.
func (p *Plan) Gzip() bool { return p.request.Encoding == "gzip" }

// Format is the format that the request names, or else another.
func (p *Plan) Format(otherwise Format) Format {
	if p.request.Format != nil {
		return *p.request.Format
	}
	return otherwise
}

package answer

import (
	"strconv"
	"time"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/s3query"
	"bulkpresign/internal/s3url"
)

// A section is a member of the object that has a member of its own for each of some keys.
type section struct {
	name   string
	of     bulk.Traits               // the keys that it speaks of: those with one of these
	always bool                      // it is there even when it is empty
	write  func(w *rendering, i int) // what it says of the key numbered i
}

// urlSections are those of what the operation gives for a key. What all URLs need comes behind them, in the
// member "headers".
func (w *rendering) urlSections() []section {
	switch w.plan.Operation {
	case s3op.PostObject:
		return posts
	case s3op.MultipartUpload:
		return uploads
	}
	if w.format == bulk.Compact {
		return compactURLs
	}
	return urls
}

var (
	urls = []section{
		{"urls", bulk.Shared | bulk.Single, true, (*rendering).urlMember},
		{"part_urls", bulk.InParts, false, (*rendering).partURLs},
	}
	compactURLs = []section{
		{"signatures", bulk.Shared, true, (*rendering).signatureMember},
		{"urls", bulk.Single, false, (*rendering).urlMember},
		{"part_urls", bulk.InParts, false, (*rendering).partURLs},
	}
	posts   = []section{{"posts", bulk.Form | bulk.OwnForm, true, (*rendering).form}}
	uploads = []section{{"uploads", bulk.InUpload, true, (*rendering).upload}}
)

// besides are the sections of what else is to be said of a key.
var besides = []section{
	{"item_headers", bulk.OwnHeaders, false, func(w *rendering, i int) { w.headers(w.plan.Options(i)) }},
	{"objects", bulk.Described, false, func(w *rendering, i int) { w.described(w.plan.Object(i)) }},
	{"errors", bulk.Failed, false, func(w *rendering, i int) { w.failure(w.plan.Failure(i)) }},
	{"warnings", bulk.Warned, false, func(w *rendering, i int) { w.str(w.plan.Warning(i)) }},
}

// object writes the formats json and compact.
func (w *rendering) object() {
	w.head()
	w.sections(w.urlSections())
	w.batchHeaders()
	w.sections(besides)
	w.end()
}

func (w *rendering) sections(list []section) {
	for i := range list {
		s := &list[i]
		if !s.always && !w.plan.Any(s.of) {
			continue
		}
		w.name(s.name)
		w.begin()
		for i := range w.plan.Keys() {
			if w.plan.Is(i, s.of) {
				w.member(s, i)
			}
		}
		w.end()
	}
}

// member writes what a section says of a key.
func (w *rendering) member(s *section, i int) {
	w.comma()
	w.key(w.plan.Key(i))
	w.dst = append(w.dst, ':')
	s.write(w, i)
	w.spill()
}

// sizeObject foretells object. It goes through the keys rather than the sections, to find
// how many fit.
func (w *rendering) sizeObject(limit int) (size, fits int) {
	w.head()
	w.batchHeaders()
	all := append(append(make([]section, 0, 8), w.urlSections()...), besides...)
	began, comma := make([]bool, len(all)), make([]bool, len(all))
	begin := func(s int) {
		began[s] = true
		w.open = true
		w.name(all[s].name)
		w.begin()
		w.end()
	}
	for s := range all {
		if all[s].always {
			begin(s)
		}
	}
	w.end()
	for i := range w.plan.Keys() {
		for s := range all {
			if !w.plan.Is(i, all[s].of) {
				continue
			}
			if !began[s] {
				begin(s)
			}
			w.open = comma[s]
			comma[s] = true
			w.member(&all[s], i)
		}
		if w.size() <= limit {
			fits = i + 1
		}
	}
	return w.size(), fits
}

// head begins the object with what is so for the whole batch.
func (w *rendering) head() {
	p := w.plan
	w.begin()
	w.pair("bucket", p.Bucket)
	w.pair("operation", p.Operation.String())
	w.pair("signed_at", p.SignedAt.Format(time.RFC3339))
	w.name("expires_in")
	w.dst = strconv.AppendInt(w.dst, p.ExpiresIn, 10)
	w.pair("expires_at", p.ExpiresAt.Format(time.RFC3339))
	w.pair("expires_at_basis", string(p.Basis))
	if p.Explains() {
		w.explain(p.Rules)
	}
	if p.Next() != "" {
		w.pair("continuation_token", p.Next())
	}
	if w.format == bulk.Compact {
		w.pair("base", string(p.Presigner().Base()))
		w.pair("query", string(p.Presigner().Query()))
	}
}

// explain writes which rules of the policy document have decided.
func (w *rendering) explain(rules []string) {
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

// batchHeaders writes what a client must send with every URL.
func (w *rendering) batchHeaders() {
	if len(w.plan.BatchHeaders()) > 0 {
		w.name("headers")
		w.headers(w.plan.BatchHeaders())
	}
}

// urlMember writes a key's URL.
func (w *rendering) urlMember(i int) {
	w.quote()
	w.url(i, "")
	w.quote()
}

// signatureMember writes what a client of the format compact needs to make the URL.
func (w *rendering) signatureMember(i int) {
	w.quote()
	w.signature(i)
	w.quote()
}

// partURLs writes the URL of each part.
func (w *rendering) partURLs(i int) {
	w.begin()
	for _, number := range s3op.PartNumbers(w.plan.Options(i)) {
		w.name(number)
		w.quote()
		w.url(i, number)
		w.quote()
	}
	w.end()
}

// headers writes the signed headers among options as an object.
func (w *writer) headers(settled []s3op.Option) {
	w.begin()
	for _, o := range settled {
		if o.ID.IsHeader() {
			w.pair(o.WireName(), o.Value)
		}
	}
	w.end()
}

// described writes what S3 says of an object.
func (w *writer) described(o s3query.Object) {
	w.begin()
	w.name("size")
	w.dst = strconv.AppendInt(w.dst, o.Size, 10)
	w.pair("etag", o.ETag)
	if !o.LastModified.IsZero() {
		w.pair("last_modified", o.LastModified.UTC().Format(time.RFC3339))
	}
	if o.StorageClass != "" {
		w.pair("storage_class", o.StorageClass)
	}
	w.end()
}

func (w *writer) failure(f bulk.Failure) {
	w.begin()
	w.pair("code", string(f.Code))
	w.pair("message", f.Message)
	if f.Rule != "" {
		w.pair("rule", f.Rule)
	}
	w.end()
}

// AppendResults appends the answer when the URLs are in an object of their own: a
// signed URL of it stands in their place, and ends when they do.
func AppendResults(dst []byte, p *bulk.Plan, q Quoting, f bulk.Format, at s3url.Location, key string) []byte {
	w := rendered(p, bulk.JSON, writer{dst: dst, quoting: q})
	w.head()
	w.name("results")
	w.begin()
	w.pair("url", p.PresignGet(at, key))
	w.pair("format", f.String())
	w.name("count")
	w.dst = strconv.AppendInt(w.dst, int64(p.Signed()), 10)
	w.pair("expires_at", p.ExpiresAt.Format(time.RFC3339))
	w.end()
	w.batchHeaders()
	w.end()
	return w.dst
}

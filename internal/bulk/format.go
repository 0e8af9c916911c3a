package bulk

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"bulkpresign/internal/s3op"
)

// Format is a form of the answer.
type Format uint8

const (
	JSON    Format = iota // the contract's object
	Compact               // the object, with what URLs have in common written once
	NDJSON                // a JSON object for each URL or failed key, a line each
	CSV                   // RFC 4180, with a header row
	URIList               // RFC 2483: URLs, and comments for keys that failed
	Aria2                 // an input file of aria2c -i
	Curl                  // a config file of curl -K
	numFormats
)

var formats = [numFormats]struct{ name, mediaType, extension string }{
	JSON:    {"json", "application/json", "json"},
	Compact: {"compact", "application/json", "json"},
	NDJSON:  {"ndjson", "application/x-ndjson", "ndjson"},
	CSV:     {"csv", "text/csv; charset=utf-8; header=present", "csv"},
	URIList: {"uri-list", "text/uri-list; charset=utf-8", "txt"},
	Aria2:   {"aria2", "text/plain; charset=utf-8", "txt"},
	Curl:    {"curl", "text/plain; charset=utf-8", "txt"},
}

// String is the format's name in a request.
func (f Format) String() string { return formats[f].name }

// MediaType is the Content-Type of an answer.
func (f Format) MediaType() string { return formats[f].mediaType }

// FileExtension is how the name of a file with the answer ends.
func (f Format) FileExtension() string { return formats[f].extension }

// IsObject tells whether the answer is a JSON object rather than a text.
func (f Format) IsObject() bool { return f == JSON || f == Compact }

// ParseFormat reads a format's name.
func ParseFormat(name string) (Format, bool) {
	i := slices.Index(FormatNames(), name)
	return Format(max(i, 0)), i >= 0
}

// FormatNames are all that ParseFormat reads.
func FormatNames() []string {
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	return names
}

// FormatOf finds the format that a media type asks for.
func FormatOf(mediaType string) (f Format, ok bool) {
	switch strings.ToLower(mediaType) {
	case "application/json", "application/*", "*/*":
		return JSON, true
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines":
		return NDJSON, true
	case "text/csv":
		return CSV, true
	case "text/uri-list":
		return URIList, true
	}
	return 0, false
}

// Append appends the answer. If the batch has not been signed, that is done here, with
// each URL written as soon as it is signed, which is faster.
func (p *Plan) Append(dst []byte, f Format, q Quoting) []byte {
	w := &writer{dst: dst, quoting: q}
	if p.signatures == nil && p.forms == nil {
		p.presigner.Expect(len(p.paths))
		w.places = make([]int, 0, len(p.paths))
	}
	p.write(w, f)
	p.presigner.WriteAll(w.dst, w.places, p.paths[:len(w.places)])
	return w.dst
}

// Write writes the answer piece by piece. It signs some thousand keys at a time, so that
// its memory does not grow with the batch; the batch need not have been signed. The error
// is the Writer's.
func (p *Plan) Write(to io.Writer, f Format) error {
	w := &writer{dst: make([]byte, 0, piece+piece/4), to: to}
	p.write(w, f)
	w.send()
	return w.err
}

// AppendGzip appends the bare answer as a gzip member (RFC 1952). The text itself is
// never made, so memory grows with what is appended alone.
func (p *Plan) AppendGzip(dst []byte, f Format) []byte {
	w := &writer{zip: newZip(dst, p.presigner)}
	p.write(w, f)
	w.flush()
	return w.zip.Close()
}

func (p *Plan) write(w *writer, f Format) {
	if f.IsObject() {
		p.writeObject(w, f)
		return
	}
	p.writeTop(w, f)
	for i := range p.entries {
		p.writeLines(w, i, f)
	}
}

// Size is the exact length of what Append appends; no signature is needed for it.
// fits says how many of the distinct keys, from the first, keep it at or under limit.
func (p *Plan) Size(f Format, q Quoting, limit int) (size, fits int) {
	w := &writer{quoting: q, counting: true}
	if f.IsObject() {
		return p.sizeObject(w, f, limit)
	}
	p.writeTop(w, f)
	for i := range p.entries {
		p.writeLines(w, i, f)
		if w.size() <= limit {
			fits = i + 1
		}
	}
	return w.size(), fits
}

// writeTop writes what stands before the first key of a text.
func (p *Plan) writeTop(w *writer, f Format) {
	switch f {
	case CSV:
		w.text("key")
		if p.in.has(inPartURLs) {
			w.text(",part_number")
		}
		w.text(",url,error")
		if p.withHeaders {
			w.text(",headers")
		}
		w.text("\r\n")
	case Curl:
		w.text("# curl -Z -K THIS_FILE\n")
		w.apart = p.in.has(inItemHeaders) || slices.ContainsFunc(p.entries, func(e entry) bool {
			return curlRenames(p.Operation, p.request.Items[e.item].Key)
		})
		if !w.apart {
			w.curlOptions(p.Operation, p.options)
		}
	}
}

// curlRenames tells whether curl would add the file's name to the URL of an upload:
// where it takes the path for a folder's.
func curlRenames(op s3op.Operation, key string) bool {
	last := key[strings.LastIndexByte(key, '/')+1:]
	return (op == s3op.PutObject || op == s3op.UploadPart) && (last == "" || last == "." || last == "..")
}

// writeLines writes what a text says of an entry.
func (p *Plan) writeLines(w *writer, i int, f Format) {
	e := p.entries[i]
	if e.kind == failed {
		p.writeFailed(w, i, f)
		return
	}
	if e.in.has(inPosts) || e.in.has(inUploads) {
		p.writeObjectLine(w, i)
		return
	}
	if !e.in.has(inPartURLs) {
		p.writeLine(w, i, f, "")
		return
	}
	for _, number := range s3op.PartNumbers(p.settled(e)) {
		p.writeLine(w, i, f, number)
	}
}

// writeFailed writes that a key has no URL, so that nothing is lost silently.
func (p *Plan) writeFailed(w *writer, i int, f Format) {
	key, failure := p.request.Items[p.entries[i].item].Key, p.failures[int32(i)]
	switch f {
	case NDJSON:
		w.begin()
		w.member("key", key)
		w.name("error")
		w.failure(failure)
		w.end()
		w.text("\n")
	case CSV:
		w.csv(key)
		if p.in.has(inPartURLs) {
			w.text(",")
		}
		w.text(",,")
		w.text(string(failure.code))
		if p.withHeaders {
			w.text(",")
		}
		w.text("\r\n")
	case URIList:
		w.text("# " + string(failure.code) + " " + fileName(key) + "\r\n")
	case Aria2, Curl:
		w.text("# " + string(failure.code) + " " + fileName(key) + "\n")
	}
	w.spill()
}

// writeLine writes a URL and what goes with it.
func (p *Plan) writeLine(w *writer, i int, f Format, number string) {
	e := p.entries[i]
	key := p.request.Items[e.item].Key
	switch f {
	case NDJSON:
		w.begin()
		w.name("key")
		w.key(key)
		if number != "" {
			w.name("part_number")
			w.text(number)
		}
		w.name("url")
		w.quote()
		w.url(p, e, number)
		w.quote()
		if p.withHeaders || p.streamed && e.in.has(inItemHeaders) {
			w.name("headers")
			w.headers(p.settled(e))
		}
		w.end()
		w.text("\n")
	case CSV:
		begin := len(w.dst)
		w.csv(key)
		w.similar(begin)
		if p.in.has(inPartURLs) {
			w.text("," + number)
		}
		w.text(",")
		w.url(p, e, number)
		w.text(",")
		if p.withHeaders {
			object := writer{}
			object.headers(p.settled(e))
			w.text(",")
			w.csv(string(object.dst))
		}
		w.text("\r\n")
	case URIList:
		w.url(p, e, number)
		w.text("\r\n")
	case Aria2:
		name := fileName(key)
		w.renamed(key, name)
		w.url(p, e, number)
		w.text("\n  out=" + name + "\n")
		w.text("  follow-torrent=false\n  follow-metalink=false\n") // what is downloaded is not to be obeyed
		for _, o := range headers(p.settled(e)) {
			w.text("  header=" + o.WireName() + ": " + o.Value + "\n")
		}
	case Curl:
		name := fileName(key)
		if number != "" {
			name += ".part" + number
		}
		w.renamed(key, name)
		if w.apart { // options of curl hold until "next"
			if w.open {
				w.text("next\n")
			}
			w.open = true
			w.curlOptions(p.Operation, p.settled(e))
		}
		w.text(`url = "`)
		w.url(p, e, number)
		w.text("\"\n")
		switch {
		case curlRenames(p.Operation, key):
			w.text("request = \"PUT\"\ndata-binary = " + curlQuote("@"+name) + "\n")
			if !slices.ContainsFunc(p.settled(e), func(o s3op.Option) bool { return o.WireName() == "content-type" }) {
				w.text("header = \"content-type:\"\n") // a form's is not the object's
			}
		case p.Operation == s3op.PutObject, p.Operation == s3op.UploadPart:
			w.text("upload-file = " + curlQuote(name) + "\n")
		case p.Operation.Method() == "GET", p.Operation == s3op.HeadObject:
			w.text("output = " + curlQuote(name) + "\n")
		}
	}
}

// renamed says in a comment that a file cannot be called what its key is.
func (w *writer) renamed(key, name string) {
	if name != key && !strings.HasPrefix(name, key+".part") {
		w.text("# saved under another name than its key, which a file cannot have: " + name + "\n")
	}
}

// csv writes a field, quoted where it must be (RFC 4180, section 2).
func (w *writer) csv(field string) {
	if strings.ContainsAny(field, "\",\r\n") || strings.TrimSpace(field) != field {
		field = `"` + strings.ReplaceAll(field, `"`, `""`) + `"`
	}
	w.text(field)
}

// curlOptions are what curl needs for requests with the same headers.
//
// https://curl.se/docs/manpage.html
func (w *writer) curlOptions(op s3op.Operation, settled []s3op.Option) {
	w.text("fail\ngloboff\npath-as-is\n")
	switch op.Method() {
	case "GET":
		w.text("create-dirs\n")
	case "HEAD":
		w.text("create-dirs\nhead\n")
	case "DELETE":
		w.text("request = \"DELETE\"\n")
	default:
		if op != s3op.PutObject && op != s3op.UploadPart { // these have a file
			w.text("request = \"" + op.Method() + "\"\nheader = \"content-length: 0\"\n")
		}
	}
	for _, o := range headers(settled) {
		if o.WireName() != "content-length" { // curl writes the file's own, which must be the same
			w.text("header = " + curlQuote(o.WireName()+": "+o.Value) + "\n")
		}
	}
}

// curlEscapes is made once: making it takes longer than using it.
var curlEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\t", `\t`)

func curlQuote(s string) string { return `"` + curlEscapes.Replace(s) + `"` }

// maxFileName is what file systems take for a segment of a path, in bytes, less some
// for ".part10000".
const maxFileName = 255 - 15

// fileName is a relative path for a key that stays in its folder: control characters,
// empty, "." and ".." segments and spaces at either end are written as %XX, and so is
// a % that would be read as one. A segment that is too long is cut, and ends in a hash
// of the key. Different keys have different names.
func fileName(key string) string {
	var b strings.Builder
	segmentAt := 0 // in key
	written := 0   // in b, where the segment begins
	escape := func(c byte) { fmt.Fprintf(&b, "%%%02X", c) }
	isHex := func(i int) bool {
		return i < len(key) && (key[i] >= '0' && key[i] <= '9' || key[i]|0x20 >= 'a' && key[i]|0x20 <= 'f')
	}
	endSegment := func() {
		if whole := b.String(); len(whole)-written > maxFileName {
			sum := sha256.Sum256([]byte(key))
			hash := "~" + hex.EncodeToString(sum[:8])
			b.Reset()
			b.WriteString(strings.ToValidUTF8(whole[:written+maxFileName-len(hash)], "") + hash)
		}
	}
	for i := 0; i < len(key); i++ {
		c := key[i]
		switch {
		case c == '/' && (i == segmentAt || i == len(key)-1):
			escape(c) // an empty segment, or a folder's name
			segmentAt = i + 1
		case c == '/':
			endSegment()
			b.WriteByte(c)
			segmentAt, written = i+1, b.Len()
		case c == '.' && isDots(key[segmentAt:]), c < ' ', c == 0x7f,
			c == ' ' && (i == 0 || i == len(key)-1),
			c == '-' && key == "-",
			c == '%' && isHex(i+1) && isHex(i+2):
			escape(c)
		default:
			b.WriteByte(c)
		}
	}
	endSegment()
	return b.String()
}

// isDots tells whether the first segment of path is "." or "..".
func isDots(path string) bool {
	segment, _, _ := strings.Cut(path, "/")
	return segment == "." || segment == ".."
}

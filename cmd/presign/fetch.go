package main

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"bulkpresign/internal/doctor"
)

// parking is the folder, below that of the files, in which what has not come whole waits.
const parking = ".presign"

// fetching is presign fetch.
type fetching struct {
	moving
	to    string
	total int64 // bytes, as far as a listing says; else -1

	*signer // nil: the list has URLs
	more    string
	shown   *progress
	root    *os.Root
	tally   tally
}

// fetch downloads what a list names, or what is under a prefix.
func fetch(ctx context.Context, args []string, s streams) error {
	var o options
	var d fetching
	f := flag.NewFlagSet("fetch", flag.ContinueOnError)
	o.defineFlags(f)
	d.moving.defineFlags(f)
	f.StringVar(&d.to, "to", ".", "")
	positional, err := parse(f, args)
	if err != nil {
		return err
	}
	if o.out != "" || o.format != lines {
		return usageError("-out and -format are for signing", "the folder is -to DIR")
	}
	if len(positional) == 0 {
		return usageError("there is nothing to download", "presign fetch LIST, - for standard input, or s3://BUCKET/PREFIX/")
	}
	d.shown, d.total = newProgress(s.err, d.verbose, 0, 0), -1
	all, prefix, failed, err := d.list(ctx, &o, positional, s.in)
	if err != nil {
		return err
	}
	d.tally.failed = failed
	choose(all, prefix)
	if d.dry {
		for _, w := range all {
			fmt.Fprintf(s.out, "%s %s\n", oneLine(w.key), oneLine(filepath.Join(d.to, filepath.FromSlash(w.name))))
		}
		return nil
	}
	if err := os.MkdirAll(d.to, 0o777); err != nil {
		return err
	}
	if d.root, err = os.OpenRoot(d.to); err != nil {
		return err
	}
	defer d.root.Close()
	d.connect()
	d.shown = newProgress(s.err, d.verbose, len(all), d.total)
	d.shown.begin("downloading")
	many(ctx, d.parallel, all, func(w wanted) { d.file(ctx, w) })
	_ = d.root.Remove(parking) // if nothing waits in it
	return d.tally.outcome(ctx, d.shown, "downloaded", len(all)+failed)
}

// list finds what is to be downloaded.
func (d *fetching) list(ctx context.Context, o *options, args []string, in io.Reader) (all []wanted, prefix string, failed int, err error) {
	if len(args) > 1 && isURL(args[0]) {
		return nil, "", 0, usageError("there are several URLs", "write them as a list, one a line, to a file or standard input")
	}
	if !strings.HasPrefix(args[0], "s3://") {
		if len(args) > 1 {
			return nil, "", 0, usageError("there are several lists", "join them: cat A B | presign fetch -")
		}
		if o.url != "" || o.function != "" || o.list != "" {
			return nil, "", 0, usageError("the list has URLs already", "a service, and -f, go with s3://BUCKET")
		}
		name := args[0]
		if isURL(name) {
			name, in = "-", strings.NewReader(name)
		}
		l, err := readURLs(name, in, d.shown.tell)
		if err != nil {
			return nil, "", 0, err
		}
		return l.all, "", l.failed, nil
	}
	t, err := parseTarget(args[0])
	if err != nil {
		return nil, "", 0, err
	}
	if d.signer, err = newSigner(ctx, o, t.bucket); err != nil {
		return nil, "", 0, err
	}
	g := &gathering{target: t, tell: d.shown.tell}
	if err := g.gather(args[1:], o, "get", in); err != nil {
		return nil, "", 0, err
	}
	head, err := o.requestHead("get", &gathering{target: t})
	if err != nil {
		return nil, "", 0, err
	}
	if d.more, err = optionsOf(head); err != nil {
		return nil, "", 0, err
	}
	if g.under && d.local != nil {
		if err := g.everything(ctx, d.local.client); err != nil {
			return nil, "", 0, err
		}
		d.total = g.bytes
	}
	prefix = t.prefix[:strings.LastIndexByte(t.prefix, '/')+1]
	if g.under && d.remote != nil { // its listing has URLs, which are thrown away: they would be too old by their turn
		d.remote.head = []byte(d.head("GetObject", ""))
		err := d.remote.prefix(ctx, t.prefix, func(r *reply) error {
			return r.eachURL(func(key, _ string) error {
				all = append(all, wanted{key: key})
				return nil
			})
		})
		return all, prefix, 0, err
	}
	var items []json.RawMessage
	if err := json.Unmarshal([]byte("["+string(g.text)+"]"), &items); err != nil {
		return nil, "", 0, err
	}
	for _, item := range items {
		var key string
		var own struct{ Key string }
		if json.Unmarshal(item, &key) != nil && json.Unmarshal(item, &own) == nil {
			key = own.Key
		}
		all = append(all, wanted{key: key})
	}
	return all, prefix, g.failed, nil
}

func (d *fetching) file(ctx context.Context, w wanted) {
	defer d.shown.file()
	skipped, err := d.one(ctx, &w)
	d.tally.told(ctx, d.shown, w.key, skipped, err)
}

func (d *fetching) one(ctx context.Context, w *wanted) (skipped bool, err error) {
	known := int64(0) // bytes that the bar knows of
	err = again(ctx, func() (err error) {
		skipped, err = d.try(ctx, w, &known)
		return err
	})
	return skipped, err
}

// waiting is what is known of a file that has not come whole, beside it.
type waiting struct {
	ETag string `json:"etag"`
	Size int64  `json:"size"`
}

// try gets a file, or the rest of it.
func (d *fetching) try(ctx context.Context, w *wanted, known *int64) (skipped bool, err error) {
	address, headers := w.url, w.headers
	if d.signer != nil {
		own := ""
		if !strings.Contains(d.more, `,"checksum_mode":`) {
			own = `,"checksum_mode":"ENABLED"`
		}
		o := d.sign(ctx, "GetObject", d.more, w.key, own)
		if o.err != nil {
			return false, o.err
		}
		address, headers = o.url, o.headers
	}
	sum := sha256.Sum256([]byte(w.name))
	part := parking + "/" + hex.EncodeToString(sum[:16])
	ranged := true // a range that is the URL's own cannot be another
	for name := range headers {
		if lower := strings.ToLower(name); lower == "range" || strings.HasPrefix(lower, "if-") {
			ranged = false
		}
	}
	asked := make(map[string]string)
	for name, value := range headers {
		asked[name] = value
	}
	from := int64(0)
	var before waiting
	if info, err := d.root.Stat(part + ".part"); ranged && err == nil && info.Size() > 0 {
		if text, err := d.root.ReadFile(part + ".json"); err == nil && json.Unmarshal(text, &before) == nil && before.ETag != "" && info.Size() < before.Size {
			from = info.Size()
			asked["range"], asked["if-match"] = fmt.Sprintf("bytes=%d-", from), before.ETag
		}
	}
	ctx, body, stop := d.watch(ctx, nil, d.shown.add)
	defer stop()
	r, err := d.send(ctx, http.MethodGet, address, asked, nil, 0)
	if err != nil {
		return false, err
	}
	defer r.Body.Close()
	if err := refusalOf(r); err != nil {
		var no *s3Error
		switch {
		case from > 0 && (r.StatusCode == http.StatusPreconditionFailed || r.StatusCode == http.StatusRequestedRangeNotSatisfiable):
			d.forget(part) // the object is another now
			return false, fmt.Errorf("the object was replaced while it was downloaded: %w", &s3Error{status: http.StatusServiceUnavailable})
		case d.signer == nil && errors.As(err, &no) && (no.status == http.StatusForbidden || no.status == http.StatusBadRequest):
			return false, final{fmt.Errorf("%w (presign doctor says: %s)", err, diagnosis(address, no.body))}
		}
		return false, err
	}
	if from > 0 && (r.StatusCode != http.StatusPartialContent || r.Header.Get("Etag") != before.ETag || !strings.HasPrefix(r.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", from))) {
		from = 0
		if r.StatusCode == http.StatusPartialContent { // not what was asked for
			d.forget(part)
			return false, errors.New("S3 answers with another part of the object than it was asked for")
		}
	}
	length := int64(-1)
	if r.ContentLength >= 0 {
		length = from + r.ContentLength
	}
	if length > *known {
		d.shown.more(length - *known)
		*known = length
	}
	name, want, check := checkOf(r.Header, length)
	if r.StatusCode == http.StatusPartialContent && from == 0 {
		check = nil // the checksum is the whole object's, and the URL is of a range
	}
	if from == 0 && d.isThere(ctx, w.name, length, r.Header, name, want) {
		d.shown.add(length)
		return true, nil
	}
	if err := d.root.MkdirAll(parking, 0o700); err != nil {
		return false, err
	}
	file, err := d.root.OpenFile(part+".part", os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return false, err
	}
	defer file.Close()
	if err := file.Truncate(from); err != nil {
		return false, err
	}
	if from == 0 && length > 0 {
		text, _ := json.Marshal(waiting{r.Header.Get("Etag"), length})
		if err := d.root.WriteFile(part+".json", text, 0o600); err != nil {
			return false, err
		}
	}
	if check == nil {
		check = io.Discard
	}
	d.shown.add(from)
	if n, err := io.Copy(check, &untilDone{ctx, file}); err != nil || n != from {
		d.shown.add(-from)
		return false, fmt.Errorf("what is there of it cannot be read: %w", err)
	}
	body.Reader = r.Body
	n, err := io.Copy(io.MultiWriter(file, check), body)
	if err == nil && length >= 0 && from+n != length {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		d.shown.add(-from - n)
		var disk *fs.PathError
		if errors.As(err, &disk) {
			return false, final{err}
		}
		if cause := context.Cause(ctx); cause != nil {
			return false, cause
		}
		return false, plain(err)
	}
	h, checked := check.(hash.Hash)
	if checked && encoded(name, h.Sum(nil)) != want {
		if name != ofParts {
			d.forget(part)
			d.shown.add(-from - n)
			return false, fmt.Errorf("its %s is not that of what came", name)
		}
		checked = false // somebody cut the parts otherwise
	}
	if !checked {
		d.tally.mu.Lock()
		d.tally.unchecked = append(d.tally.unchecked, w.name)
		d.tally.mu.Unlock()
	}
	return false, d.finish(file, part, w.name, r.Header, from+n)
}

// finish gives a file its name.
func (d *fetching) finish(file *os.File, part, name string, h http.Header, length int64) error {
	if err := file.Close(); err != nil {
		return final{err}
	}
	if dir := path.Dir(name); dir != "." {
		if err := d.root.MkdirAll(dir, 0o777); err != nil {
			return final{err}
		}
	}
	if modified, err := http.ParseTime(h.Get("Last-Modified")); err == nil {
		_ = d.root.Chtimes(part+".part", time.Now(), modified) // where a file system lets it
	}
	if err := d.root.Rename(part+".part", name); err != nil {
		return final{err}
	}
	_ = d.root.Remove(part + ".json")
	d.tally.mu.Lock()
	d.tally.bytes += length
	d.tally.mu.Unlock()
	return nil
}

func (d *fetching) forget(part string) {
	_ = d.root.Remove(part + ".part")
	_ = d.root.Remove(part + ".json")
}

// isThere tells whether the file has come before, whole: by its checksum, or, where there is none, by its size and the
// time that it was given.
func (d *fetching) isThere(ctx context.Context, name string, length int64, h http.Header, algorithm, want string) bool {
	info, err := d.root.Stat(name)
	if err != nil || !info.Mode().IsRegular() || info.Size() != length {
		return false
	}
	_, _, check := checkOf(h, length)
	sum, ok := check.(hash.Hash)
	if ok {
		file, err := d.root.Open(name)
		if err != nil {
			return false
		}
		defer file.Close()
		if _, err = io.Copy(sum, &untilDone{ctx, file}); err != nil {
			return false
		}
		if same := encoded(algorithm, sum.Sum(nil)) == want; same || algorithm != ofParts {
			return same
		}
	}
	modified, err := http.ParseTime(h.Get("Last-Modified"))
	return err == nil && info.ModTime().Unix() == modified.Unix()
}

// checkOf is the checksum that S3 says of a whole object, and what computes it.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
func checkOf(h http.Header, length int64) (name, want string, check io.Writer) {
	for _, c := range []struct {
		name string
		make func() hash.Hash
	}{
		{"SHA256", sha256.New}, {"CRC64NVME", func() hash.Hash { return crc64.New(crc64NVME) }},
		{"CRC32C", func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }}, {"CRC32", func() hash.Hash { return crc32.NewIEEE() }}, {"SHA1", sha1.New},
	} {
		if v := h.Get("X-Amz-Checksum-" + c.name); v != "" && !strings.Contains(v, "-") { // with a "-" it is one of the parts' checksums
			return c.name, v, c.make()
		}
	}
	if isMD5(h) {
		return "MD5", strings.Trim(h.Get("Etag"), `"`), md5.New()
	}
	sum, n, inParts := strings.Cut(strings.Trim(h.Get("Etag"), `"`), "-")
	if part := partSize(length); inParts && length > 0 && n == strconv.FormatInt((length+part-1)/part, 10) {
		return ofParts, sum, &partsMD5{Hash: md5.New(), all: md5.New(), part: part}
	}
	return "", "", nil
}

// ofParts is the checksum that an ETag with a number of parts is, if the parts are cut as put cuts them. That it is another
// proves nothing.
const ofParts = "MD5 of parts"

// partsMD5 is the MD5 of the parts' MD5s.
type partsMD5 struct {
	hash.Hash // of the part that is under way
	all       hash.Hash
	part, at  int64
}

func (p *partsMD5) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		n := min(p.part-p.at, int64(len(rest)))
		p.Hash.Write(rest[:n]) // no hash fails
		rest = rest[n:]
		if p.at += n; p.at == p.part {
			p.close()
		}
	}
	return len(b), nil
}

func (p *partsMD5) close() {
	p.all.Write(p.Hash.Sum(nil))
	p.Hash.Reset()
	p.at = 0
}

// Sum ends the last part, so it is asked once.
func (p *partsMD5) Sum(b []byte) []byte {
	if p.at > 0 {
		p.close()
	}
	return p.all.Sum(b)
}

func encoded(name string, sum []byte) string {
	if name == "MD5" || name == ofParts {
		return hex.EncodeToString(sum)
	}
	return base64.StdEncoding.EncodeToString(sum)
}

// diagnosis is the likeliest that the doctor finds.
func diagnosis(address string, body []byte) string {
	report := doctor.Examine(address, body, time.Now())
	return oneLine(report.Findings[0].What + ": " + report.Findings[0].Cure)
}

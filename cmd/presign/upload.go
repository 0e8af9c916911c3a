package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"hash/crc64"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"bulkpresign/internal/strictjson"
)

// defaultPartsFrom is the size above which a file goes in parts: a try that fails costs no more than that.
const defaultPartsFrom = 64 << 20

// maxPut is the most that S3 takes in one PUT.
const maxPut = 5 << 30

// partLot is how many parts' URLs are signed at a time.
const partLot = 16

// crc64NVME is the checksum that S3 keeps of every object where nobody gives it another.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
var crc64NVME = crc64.MakeTable(0x9a6c9329ac4bc9b5)

// uploading is presign put DIR s3://BUCKET/PREFIX/.
type uploading struct {
	moving
	partsFrom int64
	links     bool

	*signer
	more     string // members of each request: -o
	shown    *progress
	root     *os.Root
	base     string // absolute
	room     chan struct{}
	tally    tally
	headless sync.Once
	noHead   atomic.Bool
}

func (u *uploading) defineFlags(f *flag.FlagSet) {
	u.moving.defineFlags(f)
	u.partsFrom = defaultPartsFrom
	f.Func("parts-from", "", func(s string) error {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 5 || n > 5120 {
			return errors.New("it is a number of MiB, 5 to 5120")
		}
		u.partsFrom = n << 20
		return nil
	})
	f.BoolVar(&u.links, "follow-links", false, "")
}

// local is a file that is to be uploaded.
type local struct {
	name string // below the folder, with the system's separators
	key  string
	info fs.FileInfo
}

// upload uploads a file, or what is in a folder.
func (u *uploading) upload(ctx context.Context, o *options, args []string, s streams) error {
	if len(args) != 2 || !strings.HasPrefix(args[1], "s3://") {
		if _, err := os.Stat(args[0]); err != nil || len(args) < 2 {
			_, err := parseTarget(args[0])
			return err
		}
		return usageError("there is one place to upload to", "presign put DIR s3://BUCKET/PREFIX/")
	}
	if o.list != "" || o.out != "" || o.format != lines {
		return usageError("-f, -out and -format are for signing", "presign put DIR s3://BUCKET/PREFIX/ uploads, and writes no URLs")
	}
	t, err := parseTarget(args[1])
	if err != nil {
		return err
	}
	info, err := os.Stat(args[0])
	if err != nil {
		return err
	}
	dir, only := args[0], ""
	if !info.IsDir() {
		dir, only = filepath.Split(args[0])
		dir = cmp.Or(dir, ".")
	} else if t.prefix != "" && !strings.HasSuffix(t.prefix, "/") {
		return usageError("a folder goes below a prefix that ends in /", "write "+oneLine(args[1])+"/")
	}
	if u.base, err = filepath.Abs(dir); err != nil {
		return err
	}
	if u.root, err = os.OpenRoot(dir); err != nil {
		return err
	}
	defer u.root.Close()
	u.shown = newProgress(s.err, u.verbose, 0, 0)
	var files []local
	if only != "" {
		key := t.prefix
		if key == "" || strings.HasSuffix(key, "/") {
			key += only
		}
		files = []local{{only, key, info}}
	} else if files, err = u.walk(t.prefix); err != nil {
		return err
	}
	of := len(files) + u.tally.failed
	if of == 0 {
		return usageError("there is no file in "+oneLine(args[0]), "folders alone are nothing to S3")
	}
	if u.dry {
		for _, f := range files {
			fmt.Fprintf(s.out, "%s s3://%s/%s (%s)\n", oneLine(f.name), t.bucket, oneLine(f.key), size(f.info.Size()))
		}
		return nil
	}
	if u.signer, err = newSigner(ctx, o, t.bucket); err != nil {
		return err
	}
	head, err := o.requestHead("put", &gathering{target: t})
	if err != nil {
		return err
	}
	if u.more, err = optionsOf(head); err != nil {
		return err
	}
	u.room = make(chan struct{}, u.parallel)
	u.connect()
	var total int64
	for _, f := range files {
		total += f.info.Size()
	}
	u.shown = newProgress(s.err, u.verbose, len(files), total)
	u.shown.begin("uploading")
	many(ctx, u.parallel, files, func(f local) { u.file(ctx, f) })
	return u.tally.outcome(ctx, u.shown, "uploaded", of)
}

// optionsOf are the options of -o, as members of a request with a comma before each.
func optionsOf(head []byte) (string, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(append(bytes.TrimSuffix(head, []byte(",")), '}'), &members); err != nil {
		return "", usageError("an option is given twice, or is none", "presign put -h")
	}
	var more strings.Builder
	for name, value := range members {
		if name != "bucket" && name != "operation" && name != "expires_in" {
			fmt.Fprintf(&more, ",%s:%s", strictjson.Quote(name), value)
		}
	}
	return more.String(), nil
}

// walk finds the files. What cannot be uploaded is told of.
func (u *uploading) walk(prefix string) (files []local, err error) {
	failed := func(name string, what string) {
		u.tally.failed++
		u.shown.tell("%s: %s", oneLine(name), what)
	}
	err = filepath.WalkDir(u.base, func(whole string, d fs.DirEntry, err error) error {
		name, relErr := filepath.Rel(u.base, whole)
		switch {
		case err != nil:
			failed(name, plain(err).Error())
			return nil
		case relErr != nil:
			return relErr
		case d.IsDir():
			return nil
		case !utf8.ValidString(name):
			failed(strings.ToValidUTF8(name, "�"), "its name is not UTF-8, and a key can be nothing else: rename it")
			return nil
		}
		info, err := d.Info()
		if err == nil && info.Mode()&fs.ModeSymlink != 0 {
			if !u.links {
				u.shown.tell("%s: is a link, and was left out (-follow-links follows those to files)", oneLine(name))
				return nil
			}
			if info, err = os.Stat(whole); err == nil && info.IsDir() {
				u.shown.tell("%s: is a link to a folder, and was left out", oneLine(name))
				return nil
			}
		}
		if err != nil {
			failed(name, oneLine(err.Error()))
			return nil
		}
		if !info.Mode().IsRegular() {
			u.shown.tell("%s: is no file (%s), and was left out", oneLine(name), info.Mode().Type())
			return nil
		}
		files = append(files, local{name, prefix + filepath.ToSlash(name), info})
		return nil
	})
	return files, err
}

// open opens a file, which a link cannot have led outside of the folder unless links are followed.
func (u *uploading) open(name string) (*os.File, error) {
	if u.links {
		return os.Open(filepath.Join(u.base, name))
	}
	return u.root.Open(name)
}

// changed tells that a file is another than when it was found.
func changed(f *os.File, was fs.FileInfo) error {
	now, err := f.Stat()
	if err == nil && (now.Size() != was.Size() || !now.ModTime().Equal(was.ModTime())) {
		return final{errors.New("it changed while it was uploaded")}
	}
	return err
}

// file uploads one file, if it is not there.
func (u *uploading) file(ctx context.Context, f local) {
	defer u.shown.file()
	skipped, err := u.one(ctx, f)
	u.tally.told(ctx, u.shown, f.name, skipped, err)
}

// explained is an error with its hint, and without a URL.
func explained(err error) string {
	var known *fs.PathError
	if errors.As(err, &known) {
		return oneLine(known.Err.Error())
	}
	text := plain(err).Error()
	var h *hinted
	if errors.As(err, &h) && h.hint != "" {
		text += ": " + h.hint
	}
	var service *refusal
	if errors.As(err, &service) && service.hint() != "" {
		text += ": " + service.hint()
	}
	return text
}

// sums are the checksums of a file's bytes.
type sums struct {
	md5 [md5.Size]byte
	crc string // base64
}

func sumsOf(ctx context.Context, r io.Reader) (sums, int64, error) {
	m, c := md5.New(), crc64.New(crc64NVME)
	n, err := io.Copy(io.MultiWriter(m, c), &untilDone{ctx, r})
	var s sums
	m.Sum(s.md5[:0])
	s.crc = base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, c.Sum64()))
	return s, n, err
}

// untilDone is a reader that ends with its context.
type untilDone struct {
	ctx context.Context
	io.Reader
}

func (r *untilDone) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

func (u *uploading) one(ctx context.Context, f local) (skipped bool, err error) {
	file, err := u.open(f.name)
	if err != nil {
		return false, err
	}
	defer file.Close()
	if err := changed(file, f.info); err != nil {
		return false, err
	}
	length := f.info.Size()
	there, err := u.there(ctx, f.key)
	if err != nil {
		return false, err
	}
	inParts := length > u.partsFrom || length > maxPut
	var s sums
	if !inParts || there != nil && there.ContentLength == length {
		var n int64
		if s, n, err = sumsOf(ctx, file); err != nil {
			return false, err
		} else if n != length {
			return false, changed(file, f.info)
		}
	}
	if there != nil && there.ContentLength == length && u.same(there.Header, file, length, s) {
		u.shown.add(length)
		return true, nil
	}
	if inParts {
		err = u.parts(ctx, f, file)
	} else {
		err = u.put(ctx, f, file, s)
	}
	if err == nil {
		u.tally.mu.Lock()
		u.tally.bytes += length
		u.tally.mu.Unlock()
	}
	return false, err
}

// there is what S3 says of the object that has the key; nil where there is none, or nobody may ask.
func (u *uploading) there(ctx context.Context, key string) (found *http.Response, err error) {
	if u.noHead.Load() {
		return nil, nil
	}
	err = again(ctx, func() error {
		o := u.sign(ctx, "HeadObject", "", key, `,"checksum_mode":"ENABLED"`)
		if o.err != nil {
			return o.err
		}
		r, err := u.send(ctx, http.MethodHead, o.url, o.headers, nil, 0)
		if err != nil {
			return err
		}
		r.Body.Close()
		switch {
		case r.StatusCode == http.StatusOK:
			found = r
		case r.StatusCode >= 500 || r.StatusCode == http.StatusTooManyRequests:
			return &s3Error{status: r.StatusCode}
		}
		return nil // it is not there, or, without s3:ListBucket, S3 does not say
	})
	if forbids(err) {
		u.headless.Do(func() {
			u.noHead.Store(true) // others may ask in vain once more
			u.shown.tell("the service signs no HeadObject, so what is there already cannot be known, and is uploaded again")
		})
		return nil, nil
	}
	return found, err
}

// same compares an object's checksum with a file's.
func (u *uploading) same(h http.Header, file *os.File, length int64, s sums) bool {
	if crc := h.Get("X-Amz-Checksum-Crc64nvme"); crc != "" {
		return crc == s.crc
	}
	etag := strings.Trim(h.Get("Etag"), `"`)
	sum, n, inParts := strings.Cut(etag, "-")
	if isMD5(h) {
		return etag == hex.EncodeToString(s.md5[:])
	}
	count, _ := strconv.Atoi(n)
	if (!inParts && length <= u.partsFrom) || len(sum) != 2*md5.Size {
		return false
	}
	// Of an upload in parts: as ours would be cut.
	part := partSize(length)
	if of := int((length + part - 1) / part); inParts && of != count {
		return false
	}
	all := md5.New()
	for at := int64(0); at < length; at += part {
		m := md5.New()
		if _, err := io.Copy(m, io.NewSectionReader(file, at, min(part, length-at))); err != nil {
			return false
		}
		all.Write(m.Sum(nil))
	}
	return sum == hex.EncodeToString(all.Sum(nil))
}

// partSize is that of parts.Suited, which a service chooses too.
func partSize(length int64) int64 {
	part := int64(16 << 20)
	for (length+part-1)/part > 1000 {
		part *= 2
	}
	return part
}

// isMD5 tells whether an ETag is the MD5 of the object's bytes.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
func isMD5(h http.Header) bool {
	etag := strings.Trim(h.Get("Etag"), `"`)
	_, err := hex.DecodeString(etag)
	encryption := h.Get("X-Amz-Server-Side-Encryption")
	return err == nil && len(etag) == 2*md5.Size && !strings.HasPrefix(encryption, "aws:kms") && h.Get("X-Amz-Server-Side-Encryption-Customer-Algorithm") == ""
}

// body sends bytes of a file and gives S3's answer.
func (u *uploading) body(ctx context.Context, method, url string, headers map[string]string, body io.Reader, length int64) (http.Header, error) {
	select {
	case u.room <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-u.room }()
	ctx, w, stop := u.watch(ctx, body, u.shown.add)
	defer stop()
	r, err := u.send(ctx, method, url, headers, w, length)
	if err == nil {
		defer r.Body.Close()
		err = refusalOf(r)
	}
	if err != nil {
		u.shown.add(-w.n.Load())
		return nil, err
	}
	return r.Header, nil
}

// own are an item's options of the file, as far as -o does not give them for all.
func (u *uploading) own(f local) string {
	var own string
	if kind := mime.TypeByExtension(path.Ext(f.key)); kind != "" && !strings.Contains(u.more, `,"content_type":`) {
		own = `,"content_type":` + string(strictjson.Quote(kind))
	}
	return own
}

// errOtherBytes may pass: what was damaged on its way is sent again.
var errOtherBytes = errors.New("S3 has other bytes than the file")

// withMD5 has S3 take no other bytes: the header need not be signed, and servers look at it that know no newer checksum.
func withMD5(headers map[string]string, sum [md5.Size]byte) map[string]string {
	all := map[string]string{"content-md5": base64.StdEncoding.EncodeToString(sum[:])}
	for name, value := range headers {
		all[strings.ToLower(name)] = value
	}
	return all
}

// put uploads a file by one PUT. Its checksum is signed, so that S3 takes nothing else.
func (u *uploading) put(ctx context.Context, f local, file *os.File, s sums) error {
	length := f.info.Size()
	own := fmt.Sprintf(`%s,"content_length":%d,"checksum_crc64nvme":"%s"`, u.own(f), length, s.crc)
	err := again(ctx, func() error {
		o := u.sign(ctx, "PutObject", u.more, f.key, own)
		if o.err != nil {
			return o.err
		}
		h, err := u.body(ctx, http.MethodPut, o.url, withMD5(o.headers, s.md5), io.NewSectionReader(file, 0, length), length)
		if err != nil {
			return cmp.Or(changed(file, f.info), err) // S3 has refused other bytes than were signed for
		}
		switch crc := h.Get("X-Amz-Checksum-Crc64nvme"); {
		case crc != "" && crc != s.crc, crc == "" && isMD5(h) && strings.Trim(h.Get("Etag"), `"`) != hex.EncodeToString(s.md5[:]):
			u.shown.add(-length)
			return cmp.Or(changed(file, f.info), errOtherBytes)
		case crc == "" && !isMD5(h):
			u.tally.mu.Lock()
			u.tally.unchecked = append(u.tally.unchecked, f.name)
			u.tally.mu.Unlock()
		}
		return nil
	})
	if changed := changed(file, f.info); changed != nil {
		return changed
	}
	return err
}

// state is what is kept of an upload in parts that is not done. It holds no secret: an upload's ID is of use only to who
// may sign.
type state struct {
	File     string    `json:"file"`
	Bucket   string    `json:"bucket"`
	Key      string    `json:"key"`
	UploadID string    `json:"upload_id"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	PartSize int64     `json:"part_size"`

	at string
}

func (u *uploading) state(f local) *state {
	s := &state{File: filepath.Join(u.base, f.name), Bucket: u.bucket, Key: f.key, Size: f.info.Size(), Modified: f.info.ModTime().UTC()}
	dir, err := os.UserCacheDir()
	if err != nil {
		return s // nothing is kept, and it begins anew
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", s.File, s.Bucket, s.Key))
	s.at = filepath.Join(dir, "presign", "uploads", hex.EncodeToString(sum[:16])+".json")
	text, err := os.ReadFile(s.at)
	var before state
	if err == nil && json.Unmarshal(text, &before) == nil && before.Size == s.Size && before.Modified.Equal(s.Modified) && before.File == s.File && before.Bucket == s.Bucket && before.Key == s.Key {
		s.UploadID, s.PartSize = before.UploadID, before.PartSize
	}
	return s
}

// keep writes the state, for its owner alone, whole or not at all. Where it cannot, the upload cannot go on after it was
// stopped, and works all the same.
func (s *state) keep() {
	if s.at == "" || os.MkdirAll(filepath.Dir(s.at), 0o700) != nil {
		return
	}
	text, err := json.Marshal(s)
	if err != nil {
		return
	}
	to, err := create(s.at)
	if err != nil {
		return
	}
	defer to.drop()
	if _, err := to.Write(text); err == nil {
		_ = to.done()
	}
}

func (s *state) forget() {
	if s.at != "" {
		_ = os.Remove(s.at)
	}
	s.UploadID = ""
}

// parts uploads a file in parts, or the rest of it.
func (u *uploading) parts(ctx context.Context, f local, file *os.File) error {
	s := u.state(f)
	b, err := u.begin(ctx, f, s)
	if err != nil {
		return err
	}
	length := f.info.Size()
	count := int((length + b.PartSize - 1) / b.PartSize)
	etags := make([]string, count+1)
	sums := make([][md5.Size]byte, count+1)
	section := func(n int) (*io.SectionReader, int64) {
		at := int64(n-1) * b.PartSize
		long := min(b.PartSize, length-at)
		return io.NewSectionReader(file, at, long), long
	}
	var missing []int
	for n := 1; n <= count; n++ {
		etag := b.Uploaded[strconv.Itoa(n)]
		if etag == "" {
			missing = append(missing, n)
			continue
		}
		body, long := section(n)
		of, _, err := sumsOf(ctx, body)
		if err != nil {
			return err
		}
		if strings.Trim(etag, `"`) != hex.EncodeToString(of.md5[:]) { // another file's, or S3 encrypts with a key of KMS
			missing = append(missing, n)
			continue
		}
		etags[n], sums[n] = etag, of.md5
		u.shown.add(long)
	}
	var mu sync.Mutex
	var failed error
	more := fmt.Sprintf(`,"size":%d,"part_size":%d,"upload_id":%s`, length, b.PartSize, strictjson.Quote(s.UploadID))
	for lot := range slices.Chunk(missing, partLot) {
		many(ctx, u.parallel, lot, func(n int) {
			body, long := section(n)
			of, _, err := sumsOf(ctx, body)
			if err == nil {
				err = again(ctx, func() error {
					o := u.sign(ctx, "MultipartUpload", u.more, f.key, fmt.Sprintf(`%s%s,"part_numbers":[%d]`, u.own(f), more, n))
					if o.err != nil {
						return o.err
					}
					body, _ := section(n)
					h, err := u.body(ctx, http.MethodPut, o.upload.PartURLs[strconv.Itoa(n)], withMD5(o.upload.PartHeaders, of.md5), body, long)
					if err != nil {
						return cmp.Or(changed(file, f.info), err)
					}
					if etag := h.Get("Etag"); isMD5(h) && strings.Trim(etag, `"`) != hex.EncodeToString(of.md5[:]) {
						u.shown.add(-long)
						return cmp.Or(changed(file, f.info), errOtherBytes)
					}
					etags[n], sums[n] = h.Get("Etag"), of.md5
					return nil
				})
			}
			if err != nil {
				mu.Lock()
				failed = cmp.Or(failed, err)
				mu.Unlock()
			}
		})
		if err := cmp.Or(failed, ctx.Err()); err != nil {
			break
		}
	}
	if err := cmp.Or(changed(file, f.info), failed, ctx.Err()); err != nil {
		var stays final
		if errors.As(err, &stays) {
			u.abort(ctx, f, s, more)
		}
		return err
	}
	return u.complete(ctx, f, s, more, etags, sums)
}

// begin begins an upload, or finds out what is there of one that was begun.
func (u *uploading) begin(ctx context.Context, f local, s *state) (*begun, error) {
	var o outcome
	ask := func(own string) error {
		return again(ctx, func() error {
			o = u.sign(ctx, "MultipartUpload", u.more, f.key, fmt.Sprintf(`%s,"size":%d%s`, u.own(f), s.Size, own))
			return o.err
		})
	}
	if s.UploadID != "" {
		err := ask(fmt.Sprintf(`,"part_size":%d,"upload_id":%s,"resume":true`, s.PartSize, strictjson.Quote(s.UploadID)))
		if err == nil {
			return o.upload, nil
		}
		var no *refused
		if !errors.As(err, &no) {
			return nil, err
		}
		s.forget() // it was ended, or S3 has forgotten it
	}
	if err := ask(`,"part_numbers":[1]`); err != nil {
		return nil, err
	}
	s.UploadID, s.PartSize = o.upload.ID, o.upload.PartSize
	s.keep()
	return o.upload, nil
}

// abort has S3 forget the parts.
func (u *uploading) abort(ctx context.Context, f local, s *state, more string) {
	o := u.sign(ctx, "MultipartUpload", u.more, f.key, u.own(f)+more+`,"part_numbers":[1]`)
	if o.err == nil {
		if r, err := u.send(ctx, http.MethodDelete, o.upload.AbortURL, nil, nil, 0); err == nil {
			r.Body.Close()
		}
	}
	s.forget()
}

// complete makes the object of its parts, and compares what S3 says of it.
func (u *uploading) complete(ctx context.Context, f local, s *state, more string, etags []string, sums [][md5.Size]byte) error {
	var document strings.Builder
	all := md5.New()
	document.WriteString("<CompleteMultipartUpload>")
	for n, etag := range etags[1:] {
		fmt.Fprintf(&document, "<Part><PartNumber>%d</PartNumber><ETag>", n+1)
		_ = xml.EscapeText(&document, []byte(etag)) // a Builder does not fail
		document.WriteString("</ETag></Part>")
		all.Write(sums[n+1][:])
	}
	document.WriteString("</CompleteMultipartUpload>")
	want := hex.EncodeToString(all.Sum(nil))
	var answer struct {
		XMLName       xml.Name
		ETag          string
		Code, Message string
	}
	tries := 0
	err := again(ctx, func() error {
		tries++
		o := u.sign(ctx, "MultipartUpload", u.more, f.key, u.own(f)+more+`,"part_numbers":[1]`)
		if o.err != nil {
			return o.err
		}
		r, err := u.send(ctx, http.MethodPost, o.upload.CompleteURL, o.upload.CompleteHeaders, strings.NewReader(document.String()), int64(document.Len()))
		if err != nil {
			return err
		}
		defer r.Body.Close()
		if err := refusalOf(r); err != nil {
			return err
		}
		text, err := io.ReadAll(io.LimitReader(r.Body, maxError))
		if err != nil {
			return plain(err)
		}
		if xml.Unmarshal(text, &answer) == nil && answer.XMLName.Local == "Error" { // with status 200
			return &s3Error{status: http.StatusInternalServerError, Code: answer.Code, Message: answer.Message}
		}
		return nil
	})
	var no *s3Error
	if errors.As(err, &no) && no.Code == "NoSuchUpload" && tries > 1 { // it was completed, and the answer was lost
		r, headErr := u.there(ctx, f.key)
		if headErr == nil && r != nil && r.ContentLength == s.Size {
			err, answer.ETag = nil, r.Header.Get("Etag")
		}
	}
	if err != nil {
		return err
	}
	s.forget()
	if sum, _, _ := strings.Cut(strings.Trim(answer.ETag, `"`), "-"); len(sum) == len(want) && sum != want && s.checkable(etags) {
		return errors.New("S3 has made another object of the parts than the file is")
	}
	return nil
}

// checkable tells whether the parts' ETags are their MD5s.
func (s *state) checkable(etags []string) bool {
	return !slices.ContainsFunc(etags[1:], func(etag string) bool { return len(strings.Trim(etag, `"`)) != 2*md5.Size })
}

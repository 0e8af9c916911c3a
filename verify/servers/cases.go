package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"bulkpresign/internal/check/awkward"
	"bulkpresign/internal/check/rawhttp"
	"bulkpresign/internal/standin/runtimeapi"
)

var operations = []string{"GetObject", "HeadObject", "PutObject", "DeleteObject", "UploadPart"}

// A result is what became of a case: nothing to say, or what happened in place of what should.
type result struct {
	name string
	got  string
}

// A run is all cases against one server.
type run struct {
	*server
	binary  string
	in      installation
	log     io.Writer // of the functions
	sign    *runtimeapi.Function
	results []result
}

func (r *run) record(name, got string) { r.results = append(r.results, result{name, got}) }

// cases makes the buckets and goes through everything. An error says that a case could not even be tried.
func (r *run) cases(ctx context.Context) error {
	if err := r.prepare(ctx); err != nil {
		return err
	}
	var err error
	if r.sign, err = r.function(ctx, r.region, r.signer.AccessKeyID, r.signer.SecretAccessKey, r.signer.SessionToken); err != nil {
		return err
	}
	defer r.sign.Close()
	endOfSession, err := r.beforeTheEnd(ctx) // first, while the session lives
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{r.keys, r.refusals, r.options, r.batchOptions, r.operations, r.forms, r.multipart, r.checksummed, r.attribution, r.emptyBody, r.command, r.listing, r.endpointIsTheBucket, r.signingRole, r.faq, endOfSession} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) function(ctx context.Context, region, access, secret, token string, env ...string) (*runtimeapi.Function, error) {
	c := r.signer
	c.AccessKeyID, c.SecretAccessKey, c.SessionToken = access, secret, token
	return startFunction(ctx, r.binary, r.endpoint, region, c, r.log, env...)
}

// prepare makes the buckets.
func (r *run) prepare(ctx context.Context) error {
	location := `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>` + r.region + `</LocationConstraint></CreateBucketConfiguration>`
	if r.name == "radosgw" {
		location = "" // it knows zone groups, not regions
	}
	if _, err := r.asRoot(ctx, "PUT", "/"+plainBucket, "", nil, []byte(location)); err != nil {
		return fmt.Errorf("bucket: %w", err)
	}
	const lock = "a bucket with object lock"
	if _, err := r.asRoot(ctx, "PUT", "/"+lockedBucket, "", map[string]string{"x-amz-bucket-object-lock-enabled": "true"}, []byte(location)); err == nil {
		r.record(lock, "")
	} else {
		r.record(lock, err.Error())
		if _, err := r.asRoot(ctx, "PUT", "/"+lockedBucket, "", nil, []byte(location)); err != nil {
			return fmt.Errorf("bucket: %w", err)
		}
	}
	versions := `<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>`
	if _, err := r.asRoot(ctx, "PUT", "/"+lockedBucket, "versioning=", map[string]string{"content-md5": md5Base64([]byte(versions))}, []byte(versions)); err != nil {
		return fmt.Errorf("versioning: %w", err)
	}
	return nil
}

// accept sends a request that must do what it was signed for.
func (r *run) accept(ctx context.Context, name string, q request, status int, check func(*rawhttp.Response) string) {
	resp, err := q.send(ctx)
	got := ""
	switch {
	case err != nil:
		got = "no answer"
	case resp.Status != status:
		got = outcome(resp)
	case check != nil:
		got = check(resp)
	}
	r.record(name, got)
}

// holds checks the bytes of an answer.
func holds(want []byte) func(*rawhttp.Response) string {
	return func(resp *rawhttp.Response) string {
		if !bytes.Equal(resp.Body, want) {
			return fmt.Sprint(resp.Status, ", other bytes")
		}
		return ""
	}
}

// refusals of a request whose signature, or what it says of its signer, is wrong. Any other error, "no such key" say,
// would mean that the server had believed it.
var refusalCodes = []string{
	"SignatureDoesNotMatch", "AccessDenied", "InvalidAccessKeyId", "InvalidToken", "InvalidTokenId", "ExpiredToken",
	"AuthorizationQueryParametersError", "AuthorizationHeaderMalformed",
}

// refuse sends a request that must be refused, for its signature.
func (r *run) refuse(ctx context.Context, name string, q request) {
	r.record(name, refusal(ctx, q))
}

// refusal is "" when the request was refused, else what came instead.
func refusal(ctx context.Context, q request) string {
	resp, err := q.send(ctx)
	if err != nil {
		return "no answer"
	}
	refused := resp.Status == 400 || resp.Status == 401 || resp.Status == 403
	if q.method == "HEAD" { // the answer has no body, so no code
		refused = refused && len(resp.Body) == 0
	} else {
		refused = refused && slices.Contains(refusalCodes, errorCode(resp.Body))
	}
	if refused {
		return ""
	}
	return outcome(resp)
}

// keys sends every awkward key through every operation: written, looked at, read, written in parts, read, deleted. All
// are there at the same time, each with its own content, so two that became one would be seen.
func (r *run) keys(ctx context.Context) error {
	all := awkward.Keys()
	var names []string
	for _, k := range all {
		names = append(names, k.Key)
	}
	batches := map[string]*batch{}
	for _, operation := range operations[:4] {
		b, err := sign(ctx, r.sign, map[string]any{"bucket": plainBucket, "operation": operation, "keys": names})
		if err != nil {
			return err
		}
		batches[operation] = b
	}
	content := func(i int) []byte { return fmt.Appendf(nil, "content of key %d", i) }
	part := func(i int) []byte { return fmt.Appendf(nil, "content of key %d, in one part", i) }

	each := func(operation string, b *batch, body func(int) []byte, use func(i int, name string, q request)) error {
		for i, k := range all {
			var sent []byte
			if body != nil {
				sent = body(i)
			}
			q, err := b.request(k.Key, sent)
			if err != nil {
				return err
			}
			name := operation + " key " + k.Name
			forged := q
			forged.url = otherSignature(q.url)
			r.refuse(ctx, name+", other signature", forged)
			moved := q
			moved.url = strings.Replace(q.url, "?", "x?", 1)
			r.refuse(ctx, name+", other key", moved)
			use(i, name, q)
		}
		return nil
	}
	if err := each("PutObject", batches["PutObject"], content, func(i int, name string, q request) {
		r.accept(ctx, name, q, 200, nil)
	}); err != nil {
		return err
	}
	if err := each("HeadObject", batches["HeadObject"], nil, func(i int, name string, q request) {
		r.accept(ctx, name, q, 200, func(resp *rawhttp.Response) string {
			if resp.Header.Get("Content-Length") != fmt.Sprint(len(content(i))) {
				return "200, other length"
			}
			return ""
		})
	}); err != nil {
		return err
	}
	if err := each("GetObject", batches["GetObject"], nil, func(i int, name string, q request) {
		r.accept(ctx, name, q, 200, holds(content(i)))
	}); err != nil {
		return err
	}

	// Uploads in parts, each completed; what is read then is the part.
	uploads := map[string]string{}
	var items []map[string]any
	for _, k := range all {
		id, err := r.createUpload(ctx, k.Key, nil)
		if err != nil {
			r.record("UploadPart key "+k.Name, "CreateMultipartUpload: "+err.Error())
			continue
		}
		uploads[k.Key] = id
		items = append(items, map[string]any{"key": k.Key, "upload_id": id, "part_number": 1})
	}
	parts, err := sign(ctx, r.sign, map[string]any{"bucket": plainBucket, "operation": "UploadPart", "keys": items})
	if err != nil {
		return err
	}
	stored := all
	all = slices.DeleteFunc(slices.Clone(all), func(k awkward.Key) bool { return uploads[k.Key] == "" })
	index := map[string]int{}
	for i, k := range stored {
		index[k.Key] = i
	}
	if err := each("UploadPart", parts, func(i int) []byte { return part(index[all[i].Key]) }, func(i int, name string, q request) {
		key := all[i].Key
		r.accept(ctx, name, q, 200, func(resp *rawhttp.Response) string {
			if err := r.completeUpload(ctx, key, uploads[key], 1, resp.Header.Get("Etag")); err != nil {
				return "CompleteMultipartUpload: " + err.Error()
			}
			get, err := batches["GetObject"].request(key, nil)
			if err != nil {
				return err.Error()
			}
			back, err := get.send(ctx)
			if err != nil {
				return "no answer"
			}
			if back.Status != 200 {
				return "read back: " + outcome(back)
			}
			return holds(part(index[key]))(back)
		})
	}); err != nil {
		return err
	}

	all = stored
	return each("DeleteObject", batches["DeleteObject"], nil, func(i int, name string, q request) {
		get, err := batches["GetObject"].request(all[i].Key, nil)
		if err != nil {
			r.record(name, err.Error())
			return
		}
		if resp, err := get.send(ctx); err != nil || resp.Status != 200 {
			r.record(name, "not there before")
			return
		}
		r.accept(ctx, name, q, 204, func(*rawhttp.Response) string {
			if resp, err := get.send(ctx); err != nil || resp.Status != 404 {
				return "204, still there"
			}
			return ""
		})
	})
}

// createUpload begins an upload in parts.
func (r *run) createUpload(ctx context.Context, key string, headers map[string]string) (id string, err error) {
	resp, err := r.asRoot(ctx, "POST", "/"+plainBucket+"/"+escape(key), "uploads=", headers, nil)
	if err != nil {
		return "", err
	}
	// Not by the XML decoder: the answer repeats the key, and XML has no way to write a NUL.
	_, rest, _ := bytes.Cut(resp.Body, []byte("<UploadId>"))
	escaped, _, found := bytes.Cut(rest, []byte("</UploadId>"))
	if !found {
		return "", errors.New("no UploadId")
	}
	var text string
	if err := xml.Unmarshal([]byte("<a>"+string(escaped)+"</a>"), &text); err != nil {
		return "", errors.New("no UploadId")
	}
	return text, nil
}

func (r *run) completeUpload(ctx context.Context, key, id string, part int, etag string) error {
	body := fmt.Appendf(nil, `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part></CompleteMultipartUpload>`, part, etag)
	resp, err := r.asRoot(ctx, "POST", "/"+plainBucket+"/"+escape(key), "uploadId="+url.QueryEscape(id), nil, body)
	if err != nil {
		return err
	}
	if code := errorCode(resp.Body); code != "" { // S3 may say 200 first and think later
		return errors.New(code)
	}
	return nil
}

// A target is an object that an operation is signed for; for UploadPart, an upload in parts too.
type target struct {
	operation, key string
	upload         string
}

var original = []byte("original")

func (r *run) makeTarget(ctx context.Context, operation, name string) (t target, err error) {
	t = target{operation: operation, key: operation + " " + name}
	if _, err = r.asRoot(ctx, "PUT", "/"+plainBucket+"/"+escape(t.key), "", nil, original); err == nil && operation == "UploadPart" {
		t.upload, err = r.createUpload(ctx, t.key, nil)
	}
	return t, err
}

// signed is a request for the target, signed by f.
func (t target) signed(ctx context.Context, f *runtimeapi.Function, expiresIn int) (request, error) {
	_, q, err := t.batch(ctx, f, expiresIn)
	return q, err
}

// batch is signed with the answer that it is from.
func (t target) batch(ctx context.Context, f *runtimeapi.Function, expiresIn int) (*batch, request, error) {
	event := map[string]any{"bucket": plainBucket, "operation": t.operation, "keys": []string{t.key}, "expires_in": expiresIn}
	var body []byte
	switch t.operation {
	case "PutObject":
		event["content_type"], body = "text/plain", []byte("changed")
	case "UploadPart":
		event["upload_id"], event["part_number"], body = t.upload, 1, []byte("changed")
	}
	b, err := sign(ctx, f, event)
	if err != nil {
		return nil, request{}, err
	}
	q, err := b.request(t.key, body)
	return b, q, err
}

// works sends a request as it was signed for the target.
func (r *run) works(ctx context.Context, q request, t target) string {
	resp, err := q.send(ctx)
	switch {
	case err != nil:
		return "no answer"
	case resp.Status == 200 && t.operation == "GetObject":
		return holds(original)(resp)
	case resp.Status == 200 && t.operation != "DeleteObject", resp.Status == 204 && t.operation == "DeleteObject":
		return ""
	}
	return outcome(resp)
}

// untouched makes sure that what was refused did nothing.
func (r *run) untouched(ctx context.Context, t target) string {
	path := "/" + plainBucket + "/" + escape(t.key)
	resp, err := r.asRoot(ctx, "GET", path, "", nil, nil)
	if err != nil {
		return err.Error()
	}
	if !bytes.Equal(resp.Body, original) {
		return "other bytes"
	}
	if t.upload == "" {
		return ""
	}
	parts, err := r.asRoot(ctx, "GET", path, "uploadId="+url.QueryEscape(t.upload), nil, nil)
	if err != nil {
		return err.Error()
	}
	if bytes.Contains(parts.Body, []byte("<PartNumber>")) {
		return "a part"
	}
	return ""
}

// refuseForgery sends a request that must be refused and leave its target as it is. After it the one that was signed
// as it should be must work, so that the forgery is what was refused.
func (r *run) refuseForgery(ctx context.Context, name string, t target, forged, signed request) {
	name = t.operation + " refuse " + name
	got := refusal(ctx, forged)
	if got == "" {
		if touched := r.untouched(ctx, t); touched != "" {
			got = "refused, and then: " + touched
		}
	}
	r.record(name, got)
	if got == "" {
		r.record(name+", control", r.works(ctx, signed, t))
	}
}

// A forgery changes one thing about a request that works.
type forgery struct {
	name   string
	change func(*request)
}

var forgeries = []forgery{
	{"signature", func(q *request) { q.url = otherSignature(q.url) }},
	{"signature left out", func(q *request) { q.url, _, _ = strings.Cut(q.url, "&X-Amz-Signature=") }},
	{"no query", func(q *request) { q.url, _, _ = strings.Cut(q.url, "?") }},
	{"host", func(q *request) {
		_, port, _ := strings.Cut(strings.TrimPrefix(q.url, "http://"), ":")
		port, _, _ = strings.Cut(port, "/")
		q.headers["host"] = "localhost:" + port
	}},
	{"key", func(q *request) { q.url = strings.Replace(q.url, "?", "x?", 1) }},
	{"bucket", func(q *request) {
		q.url = strings.Replace(q.url, "/"+plainBucket+"/", "/"+lockedBucket+"/", 1)
	}},
	{"expiry", func(q *request) { q.url = setParameter(q.url, "X-Amz-Expires", "3600") }},
	{"date", func(q *request) {
		date := parameter(q.url, "X-Amz-Date")
		seconds := date[len(date)-3 : len(date)-1]
		other := "00"
		if seconds == other {
			other = "01"
		}
		q.url = setParameter(q.url, "X-Amz-Date", date[:len(date)-3]+other+"Z")
	}},
	{"day of the scope", func(q *request) {
		day := parameter(q.url, "X-Amz-Date")[:8]
		q.url = strings.Replace(q.url, "%2F"+day+"%2F", "%2F20200101%2F", 1)
	}},
	{"region of the scope", func(q *request) { q.url = strings.Replace(q.url, "%2F"+region+"%2F", "%2Fus-west-2%2F", 1) }},
	{"token", func(q *request) {
		token := parameter(q.url, "X-Amz-Security-Token")
		middle := len(token) / 2
		for !alphanumeric(token[middle]) || token[middle-1] == '%' || token[middle-2] == '%' {
			middle++
		}
		q.url = setParameter(q.url, "X-Amz-Security-Token", token[:middle]+nextOf(token[middle])+token[middle+1:])
	}},
	{"token left out", func(q *request) {
		q.url = strings.Replace(q.url, "&X-Amz-Security-Token="+parameter(q.url, "X-Amz-Security-Token"), "", 1)
	}},
	{"parameter added", func(q *request) { q.url = strings.Replace(q.url, "&X-Amz-Signature=", "&zzz=1&X-Amz-Signature=", 1) }},
	{"header x-amz-meta-added", func(q *request) { q.headers["x-amz-meta-added"] = "1" }},
}

// refusals forges each operation's request in every way.
func (r *run) refusals(ctx context.Context) error {
	// Function instances that sign for something else than they should.
	wrong := []struct {
		name                          string
		region, access, secret, token string
		f                             *runtimeapi.Function
	}{
		{name: "signed for another region", region: "us-west-2", access: r.signer.AccessKeyID, secret: r.signer.SecretAccessKey, token: r.signer.SessionToken},
		{name: "signed with the token of another session", region: r.region, access: r.signer.AccessKeyID, secret: r.signer.SecretAccessKey, token: r.other.SessionToken},
		{name: "signed with another secret", region: r.region, access: r.signer.AccessKeyID, secret: r.other.SecretAccessKey, token: r.signer.SessionToken},
	}
	for i := range wrong {
		f, err := r.function(ctx, wrong[i].region, wrong[i].access, wrong[i].secret, wrong[i].token)
		if err != nil {
			return err
		}
		defer f.Close()
		wrong[i].f = f
	}
	other := url.QueryEscape(r.other.SessionToken)
	all := append(slices.Clone(forgeries), forgery{"token of another session", func(q *request) {
		q.url = setParameter(q.url, "X-Amz-Security-Token", other)
	}})
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
		all = append(all, forgery{"method " + method, func(q *request) {
			q.method, q.body = method, nil
			if method == "PUT" {
				q.body = []byte("changed")
			}
		}})
	}

	type expiring struct {
		target
		request
	}
	var short []expiring
	for _, operation := range operations {
		t, err := r.makeTarget(ctx, operation, "expired")
		if err != nil {
			return err
		}
		q, err := t.signed(ctx, r.sign, 1)
		if err != nil {
			return err
		}
		short = append(short, expiring{t, q})
	}
	expired := time.Now().Add(2 * time.Second) // a second more, for servers that count whole ones

	for _, operation := range operations {
		for _, f := range all {
			t, err := r.makeTarget(ctx, operation, f.name)
			if err != nil {
				return err
			}
			q, err := t.signed(ctx, r.sign, 900)
			if err != nil {
				return err
			}
			forged := request{q.method, q.url, clone(q.headers), q.body}
			f.change(&forged)
			if forged.method == q.method && forged.url == q.url && maps.Equal(forged.headers, q.headers) {
				if strings.HasPrefix(f.name, "method ") {
					continue // the operation's own
				}
				return fmt.Errorf("forgery %q changes nothing", f.name)
			}
			r.refuseForgery(ctx, f.name, t, forged, q)
		}
		for _, w := range wrong {
			t, err := r.makeTarget(ctx, operation, w.name)
			if err != nil {
				return err
			}
			q, err := t.signed(ctx, r.sign, 900)
			if err != nil {
				return err
			}
			forged, err := t.signed(ctx, w.f, 900)
			if err != nil {
				return err
			}
			r.refuseForgery(ctx, w.name, t, forged, q)
		}
	}

	select {
	case <-time.After(time.Until(expired)):
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, late := range short {
		q, err := late.signed(ctx, r.sign, 900)
		if err != nil {
			return err
		}
		r.refuseForgery(ctx, "expired", late.target, late.request, q)
	}
	return nil
}

// beforeTheEnd uses URLs of a session, and returns what to do when all else is done: end it, and use others of it.
func (r *run) beforeTheEnd(ctx context.Context) (func(context.Context) error, error) {
	f, err := r.function(ctx, r.region, r.ending.AccessKeyID, r.ending.SecretAccessKey, r.ending.SessionToken)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	later := map[target]request{}
	for _, operation := range operations {
		t, err := r.makeTarget(ctx, operation, "before the session's end")
		if err != nil {
			return nil, err
		}
		q, err := t.signed(ctx, f, 3600)
		if err != nil {
			return nil, err
		}
		r.record(t.key, r.works(ctx, q, t))
		if t, err = r.makeTarget(ctx, operation, "after the session's end"); err != nil {
			return nil, err
		}
		if later[t], err = t.signed(ctx, f, 3600); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) error {
		if err := r.end(ctx); err != nil {
			return fmt.Errorf("ending a session: %w", err)
		}
		for t, q := range later {
			live, err := t.signed(ctx, r.sign, 900)
			if err != nil {
				return err
			}
			r.refuseForgery(ctx, "session ended", t, q, live)
		}
		return nil
	}, nil
}

// checkLog looks for what must not be in what the functions wrote.
func (r *run) checkLog(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if len(text) == 0 {
		return errors.New("the functions wrote no log, so nothing can be said of it")
	}
	check := func(name string, secrets ...string) {
		got := ""
		for _, secret := range secrets {
			if bytes.Contains(text, []byte(secret)) {
				got = "found" // what, is not for this output either
			}
		}
		r.record(name, got)
	}
	check("a log without URLs", "X-Amz-", r.endpoint)
	check("a log without credentials", r.signer.SecretAccessKey, r.signer.SessionToken, r.other.SecretAccessKey, r.other.SessionToken, r.ending.SecretAccessKey, r.ending.SessionToken)
	return nil
}

// otherSignature changes the last hex digit of a URL, which its signature ends with.
func otherSignature(url string) string {
	last := len(url) - 1
	digit := byte('0')
	if url[last] == digit {
		digit = '1'
	}
	return url[:last] + string(digit)
}

// parameter is the value of a query parameter, as it is written.
func parameter(url, name string) string {
	_, rest, _ := strings.Cut(url, name+"=")
	value, _, _ := strings.Cut(rest, "&")
	return value
}

func setParameter(url, name, value string) string {
	return strings.Replace(url, name+"="+parameter(url, name), name+"="+value, 1)
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// nextOf is another character of the same kind.
func nextOf(c byte) string {
	switch c {
	case '9', 'z', 'Z':
		return string(c - 1)
	}
	return string(c + 1)
}

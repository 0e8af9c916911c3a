package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/crc64"
	"maps"
	"slices"
	"strings"
	"time"

	"bulkpresign/internal/check/rawhttp"
	"bulkpresign/internal/check/sdkoracle"
)

// The object that is read and the body that is written, so that one set of checksums fits both.
var content = []byte("0123456789 verified content")

func md5Base64(b []byte) string {
	sum := md5.Sum(b)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func etagOf(b []byte) string { return fmt.Sprintf(`"%x"`, md5.Sum(b)) }

// checksums of content, by the name of the option.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
var checksums = func() map[string]string {
	sum1, sum256 := sha1.Sum(content), sha256.Sum256(content)
	crc := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(content))
	crcC := binary.BigEndian.AppendUint32(nil, crc32.Checksum(content, crc32.MakeTable(crc32.Castagnoli)))
	nvme := binary.BigEndian.AppendUint64(nil, crc64.Checksum(content, crc64.MakeTable(0x9a6c9329ac4bc9b5)))
	encode := base64.StdEncoding.EncodeToString
	return map[string]string{
		"checksum_sha1": encode(sum1[:]), "checksum_sha256": encode(sum256[:]),
		"checksum_crc32": encode(crc), "checksum_crc32c": encode(crcC), "checksum_crc64nvme": encode(nvme),
	}
}()

// header of a checksum option.
func checksumHeader(option string) string { return "x-amz-" + strings.ReplaceAll(option, "_", "-") }

// A key of server-side encryption with a customer's key.
var (
	customerKey    = []byte("0123456789abcdef0123456789abcdef")
	customerOption = map[string]any{
		"sse_customer_algorithm": "AES256",
		"sse_customer_key":       base64.StdEncoding.EncodeToString(customerKey),
		"sse_customer_key_md5":   md5Base64(customerKey),
	}
	customerHeader = map[string]string{
		"x-amz-server-side-encryption-customer-algorithm": "AES256",
		"x-amz-server-side-encryption-customer-key":       base64.StdEncoding.EncodeToString(customerKey),
		"x-amz-server-side-encryption-customer-key-md5":   md5Base64(customerKey),
	}
)

// An optionCase is one or several options that belong together, and what they do.
type optionCase struct {
	operation string
	name      string         // "": that of the option, when it is one
	options   map[string]any // constant ones
	made      []string       // those that prepare makes
	locked    bool           // in the bucket with object lock

	// prepare makes what the options are about, and returns those that are not constant. nil: an object with content.
	prepare func(context.Context, *run, string, string) (map[string]any, error)

	status  int               // 0: the operation's usual one
	headers map[string]string // of the answer; for PutObject of a GET afterwards
	body    []byte            // of the answer to a GET; nil: content, if the status is 200
}

func (c optionCase) title() string {
	if c.name != "" {
		return c.operation + " option " + c.name
	}
	names := append(slices.Collect(maps.Keys(c.options)), c.made...)
	return c.operation + " option " + strings.Join(names, "+")
}

func one(operation, option string, value any) optionCase {
	return optionCase{operation: operation, options: map[string]any{option: value}}
}

func (c optionCase) answers(status int) optionCase { c.status = status; return c }

func (c optionCase) shows(header, value string) optionCase {
	c.headers = map[string]string{header: value}
	return c
}

func (c optionCase) named(name string) optionCase { c.name = name; return c }

// put is a prepare that stores content with the headers.
func put(headers map[string]string) func(context.Context, *run, string, string) (map[string]any, error) {
	return func(ctx context.Context, r *run, bucket, key string) (map[string]any, error) {
		_, err := r.asRoot(ctx, "PUT", "/"+bucket+"/"+escape(key), "", headers, content)
		return nil, err
	}
}

func nothing(context.Context, *run, string, string) (map[string]any, error) { return nil, nil }

// oldVersion stores content and then something else, and gives the version of the first.
func oldVersion(headers map[string]string) func(context.Context, *run, string, string) (map[string]any, error) {
	return func(ctx context.Context, r *run, bucket, key string) (map[string]any, error) {
		resp, err := r.asRoot(ctx, "PUT", "/"+bucket+"/"+escape(key), "", headers, content)
		if err != nil {
			return nil, err
		}
		if _, err := r.asRoot(ctx, "PUT", "/"+bucket+"/"+escape(key), "", nil, []byte("a newer version")); err != nil {
			return nil, err
		}
		id := resp.Header.Get("X-Amz-Version-Id")
		if id == "" {
			return nil, errors.New("no version id")
		}
		return map[string]any{"version_id": id}, nil
	}
}

// upload begins an upload in parts.
func upload(headers map[string]string) func(context.Context, *run, string, string) (map[string]any, error) {
	return func(ctx context.Context, r *run, _, key string) (map[string]any, error) {
		id, err := r.createUpload(ctx, key, headers)
		return map[string]any{"upload_id": id}, err
	}
}

// optionCases has every option of every operation at least once; see complete.
func optionCases() []optionCase {
	const (
		long  = "2001-02-03T04:05:06Z"
		later = "2040-01-02T03:04:05Z"
		owner = "111122223333"
		date  = "Mon, 02 Jan 2040 03:04:05 GMT"
	)
	var cases []optionCase
	add := func(c ...optionCase) { cases = append(cases, c...) }

	// What answers to a GET or a HEAD are the same.
	for _, operation := range []string{"GetObject", "HeadObject"} {
		length := fmt.Sprint(len(content))
		add(
			optionCase{operation: operation, made: []string{"version_id"}, locked: true, prepare: oldVersion(nil), headers: map[string]string{"content-length": length}},
			one(operation, "expected_bucket_owner", owner),
			one(operation, "request_payer", "requester"),
			optionCase{operation: operation, options: map[string]any{"checksum_mode": "ENABLED"},
				prepare: put(map[string]string{"x-amz-checksum-sha256": checksums["checksum_sha256"]}),
				headers: map[string]string{"x-amz-checksum-sha256": checksums["checksum_sha256"]}},
			one(operation, "part_number", 1).answers(206),
			one(operation, "if_match", `"00000000000000000000000000000000"`).answers(412),
			one(operation, "if_none_match", etagOf(content)).answers(304),
			one(operation, "if_modified_since", time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)).named("if_modified_since, a minute ago"),
			one(operation, "if_unmodified_since", long).answers(412),
			optionCase{operation: operation, name: "sse_customer", options: customerOption, prepare: put(customerHeader),
				headers: map[string]string{"x-amz-server-side-encryption-customer-algorithm": "AES256"}},
		)
		ranged := one(operation, "range", "bytes=2-5").answers(206).shows("content-range", "bytes 2-5/"+length)
		ranged.body = content[2:6]
		add(ranged)
	}
	add(
		one("GetObject", "response_content_type", "text/x-verified; charset=utf-8").shows("content-type", "text/x-verified; charset=utf-8"),
		one("GetObject", "response_content_disposition", `inline; filename="a b.txt"`).shows("content-disposition", `inline; filename="a b.txt"`),
		one("GetObject", "response_content_encoding", "identity").shows("content-encoding", "identity"),
		one("GetObject", "response_content_language", "mi, en-NZ").shows("content-language", "mi, en-NZ"),
		one("GetObject", "response_cache_control", "private, max-age=60").shows("cache-control", "private, max-age=60"),
		one("GetObject", "response_expires", later).shows("expires", date),
		one("GetObject", "filename", `Zoë's 100% "best".txt`).shows("content-disposition",
			`attachment; filename="Zo_'s 100_ _best_.txt"; filename*=UTF-8''Zo%C3%AB%27s%20100%25%20%22best%22.txt`),
	)

	created := func(option string, value any, header, want string) optionCase {
		c := one("PutObject", option, value)
		c.prepare = nothing
		if header != "" {
			c.headers = map[string]string{header: want}
		}
		return c
	}
	locked := func(c optionCase) optionCase { c.locked = true; return c }
	kms := created("server_side_encryption", "aws:kms", "x-amz-server-side-encryption", "aws:kms").named("SSE-KMS")
	maps.Copy(kms.options, map[string]any{
		"ssekms_key_id":             "verify",
		"ssekms_encryption_context": base64.StdEncoding.EncodeToString([]byte(`{"a":"b"}`)),
		"bucket_key_enabled":        true,
	})
	retained := locked(created("object_lock_mode", "GOVERNANCE", "x-amz-object-lock-mode", "GOVERNANCE")).named("object_lock_mode+object_lock_retain_until_date")
	maps.Copy(retained.options, map[string]any{"object_lock_retain_until_date": later, "content_md5": md5Base64(content)})
	held := locked(created("object_lock_legal_hold_status", "ON", "x-amz-object-lock-legal-hold", "ON")).named("object_lock_legal_hold_status")
	held.options["content_md5"] = md5Base64(content)
	secret := created("sse_customer_algorithm", "AES256", "x-amz-server-side-encryption-customer-algorithm", "AES256").named("sse_customer")
	maps.Copy(secret.options, customerOption)
	replaced := one("PutObject", "if_match", etagOf(content))
	once := one("PutObject", "create_only", true).answers(412).named("create_only, object exists")
	add(
		created("content_type", "text/x-verified; charset=utf-8", "content-type", "text/x-verified; charset=utf-8"),
		created("content_length", len(content), "content-length", fmt.Sprint(len(content))),
		created("content_md5", md5Base64(content), "etag", etagOf(content)),
		created("content_encoding", "x-verified", "content-encoding", "x-verified"),
		created("content_language", "mi, en-NZ", "content-language", "mi, en-NZ"),
		created("content_disposition", `inline; filename="a b.txt"`, "content-disposition", `inline; filename="a b.txt"`),
		created("cache_control", "private, max-age=60", "cache-control", "private, max-age=60"),
		created("expires", later, "expires", date),
		created("metadata", map[string]string{"Colour": "a  b;=%+", "x.y_z": "1"}, "x-amz-meta-colour", "a  b;=%+"),
		created("tagging", "a=b%20c&d=", "x-amz-tagging-count", "2"),
		created("storage_class", "STANDARD", "", ""),
		created("acl", "private", "", ""),
		created("server_side_encryption", "AES256", "x-amz-server-side-encryption", "AES256"),
		kms, secret,
		created("website_redirect_location", "/elsewhere", "x-amz-website-redirect-location", "/elsewhere"),
		retained, held,
		replaced,
		created("if_none_match", "*", "", ""),
		created("create_only", true, "", ""),
		once,
		created("expected_bucket_owner", owner, "", ""),
		created("request_payer", "requester", "", ""),
	)
	for _, option := range slices.Sorted(maps.Keys(checksums)) {
		add(created(option, checksums[option], checksumHeader(option), checksums[option]))
	}

	add(
		optionCase{operation: "DeleteObject", made: []string{"version_id"}, locked: true, prepare: oldVersion(nil)},
		one("DeleteObject", "expected_bucket_owner", owner),
		one("DeleteObject", "request_payer", "requester"),
		one("DeleteObject", "mfa", "20899872 301749"),
		one("DeleteObject", "if_match", `"00000000000000000000000000000000"`).answers(412),
		optionCase{operation: "DeleteObject", name: "bypass_governance_retention", locked: true, made: []string{"version_id"},
			options: map[string]any{"bypass_governance_retention": true},
			prepare: oldVersion(map[string]string{"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": later, "content-md5": md5Base64(content)})},
	)

	part := func(option string, value any, headers map[string]string) optionCase {
		return optionCase{operation: "UploadPart", name: option, made: []string{"upload_id"}, prepare: upload(headers),
			options: map[string]any{option: value, "part_number": 1}}
	}
	encrypted := part("sse_customer_algorithm", "AES256", customerHeader).named("sse_customer")
	maps.Copy(encrypted.options, customerOption)
	parts := part("part_numbers", []int{2, 1, 10000}, nil)
	delete(parts.options, "part_number")
	add(
		part("part_number", 10000, nil),
		parts,
		part("content_length", len(content), nil),
		part("content_md5", md5Base64(content), nil),
		part("expected_bucket_owner", owner, nil),
		part("request_payer", "requester", nil),
		encrypted,
	)
	for _, option := range slices.Sorted(maps.Keys(checksums)) {
		algorithm := strings.ToUpper(strings.TrimPrefix(option, "checksum_"))
		headers := map[string]string{"x-amz-checksum-algorithm": algorithm}
		if option == "checksum_crc64nvme" {
			headers["x-amz-checksum-type"] = "FULL_OBJECT"
		}
		c := part(option, checksums[option], headers)
		c.headers = map[string]string{checksumHeader(option): checksums[option]}
		add(c)
	}
	return cases
}

// complete makes sure that the cases have every option that an operation offers: the SDK's, and those of this project.
func complete(cases []optionCase) error {
	have := map[string]bool{}
	for _, c := range cases {
		for name := range c.options {
			have[c.operation+" "+name] = true
		}
		for _, name := range c.made {
			have[c.operation+" "+name] = true
		}
	}
	own := map[string][]string{"GetObject": {"filename"}, "PutObject": {"create_only"}, "UploadPart": {"part_numbers"}}
	for _, operation := range operations {
		for _, name := range append(sdkoracle.Offered(operation), own[operation]...) {
			if !have[operation+" "+name] {
				return fmt.Errorf("no case for %s with %s", operation, name)
			}
		}
	}
	return nil
}

// options signs each case as an item of a batch with its own options. Each header that the answer names is then sent
// changed, and not at all; and at last all is as it was signed.
func (r *run) options(ctx context.Context) error {
	cases := optionCases()
	if err := complete(cases); err != nil {
		return err
	}
	for _, operation := range operations {
		for _, bucket := range []string{plainBucket, lockedBucket} {
			var ready []optionCase
			var items []map[string]any
			for _, c := range cases {
				if c.operation != operation || c.locked != (bucket == lockedBucket) {
					continue
				}
				key := c.title()
				prepare := c.prepare
				if prepare == nil {
					prepare = put(nil)
				}
				made, err := prepare(ctx, r, bucket, key)
				if err != nil {
					r.record(key, "preparation: "+err.Error())
					continue
				}
				item := map[string]any{"key": key}
				maps.Copy(item, c.options)
				maps.Copy(item, made)
				ready, items = append(ready, c), append(items, item)
			}
			if len(items) == 0 {
				continue
			}
			b, err := sign(ctx, r.sign, map[string]any{"bucket": bucket, "operation": operation, "keys": items})
			if err != nil {
				return err
			}
			for _, c := range ready {
				if err := r.option(ctx, c, b, bucket); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (r *run) option(ctx context.Context, c optionCase, b *batch, bucket string) error {
	key := c.title()
	var body []byte
	if c.operation == "PutObject" || c.operation == "UploadPart" {
		body = content
	}
	if urls, ok := b.PartURLs[key]; ok {
		for _, number := range slices.Sorted(maps.Keys(urls)) {
			r.accept(ctx, key+" "+number, b.fill(key, urls[number], body), 200, c.check(ctx, r, bucket))
		}
		return nil
	}
	q, err := b.request(key, body)
	if err != nil {
		return err
	}
	for _, header := range slices.Sorted(maps.Keys(q.headers)) {
		changed := request{q.method, q.url, clone(q.headers), q.body}
		if header == "content-length" {
			changed.body = append(bytes.Clone(q.body), '!')
			changed.headers[header] = fmt.Sprint(len(changed.body))
			r.refuse(ctx, key+", longer body", changed)
			continue // a client always sends this one
		}
		changed.headers[header] = otherValue(header, q.headers[header])
		r.refuse(ctx, key+", "+header+" changed", changed)
		delete(changed.headers, header)
		r.refuse(ctx, key+", "+header+" not sent", changed)
	}
	status := c.status
	switch {
	case status != 0:
	case c.operation == "DeleteObject":
		status = 204
	default:
		status = 200
	}
	r.accept(ctx, key, q, status, c.check(ctx, r, bucket))
	return nil
}

// check looks at what the options did.
func (c optionCase) check(ctx context.Context, r *run, bucket string) func(*rawhttp.Response) string {
	return func(resp *rawhttp.Response) string {
		path := "/" + bucket + "/" + escape(c.title())
		switch c.operation {
		case "GetObject":
			want := c.body
			if want == nil && (c.status == 0 || c.status == 206) {
				want = content
			}
			if want != nil && !bytes.Equal(resp.Body, want) {
				return fmt.Sprint(resp.Status, ", other bytes")
			}
		case "PutObject":
			if c.status != 0 {
				return ""
			}
			var headers map[string]string
			if _, ok := c.options["sse_customer_key"]; ok {
				headers = customerHeader
			} else if c.hasChecksum() {
				headers = map[string]string{"x-amz-checksum-mode": "ENABLED"}
			}
			back, err := r.asRoot(ctx, "GET", path, "", headers, nil)
			if err != nil {
				return "read back: " + err.Error()
			}
			if !bytes.Equal(back.Body, content) {
				return "read back: other bytes"
			}
			resp = back
			for name := range c.headers {
				if resp.Header.Get(name) == "" { // some servers tell it to a HEAD alone
					if resp, err = r.asRoot(ctx, "HEAD", path, "", headers, nil); err != nil {
						return "read back: " + err.Error()
					}
				}
			}
		case "UploadPart":
			if _, ok := c.options["sse_customer_key"]; !ok && resp.Header.Get("Etag") != etagOf(content) {
				return fmt.Sprint(resp.Status, ", other etag")
			}
		}
		for name, want := range c.headers {
			if got := resp.Header.Get(name); got != want {
				if got == "" {
					return fmt.Sprint(resp.Status, ", no ", name)
				}
				return fmt.Sprint(resp.Status, ", other ", name)
			}
		}
		return ""
	}
}

func (c optionCase) hasChecksum() bool {
	for name := range c.options {
		if strings.HasPrefix(name, "checksum_") {
			return true
		}
	}
	return false
}

// otherValue is as good a value as the one given, as far as a look at it tells: a server may look before it verifies.
func otherValue(header, v string) string {
	switch header {
	case "x-amz-storage-class":
		return "REDUCED_REDUNDANCY"
	case "x-amz-tagging":
		return "a=c"
	}
	for _, digits := range []bool{true, false} { // a digit first: months and the names of enumerations stay what they are
		for i := len(v) - 1; i >= 0; i-- {
			isDigit := '0' <= v[i] && v[i] <= '9'
			if alphanumeric(v[i]) && (isDigit || !digits) {
				return v[:i] + nextOf(v[i]) + v[i+1:]
			}
		}
	}
	return v + "x"
}

// batchOptions signs options that hold for a whole batch, with an item that has its own.
func (r *run) batchOptions(ctx context.Context) error {
	keys := []string{"batch 1", "batch 2"}
	const own = "batch, own"
	put, err := sign(ctx, r.sign, map[string]any{
		"bucket": plainBucket, "operation": "PutObject",
		"content_type": "text/plain", "cache_control": "no-store", "metadata": map[string]string{"a": "1", "b": "2"},
		"keys": []any{keys[0], keys[1], map[string]any{"key": own, "content_type": "text/html", "metadata": map[string]string{"c": "3"}}},
	})
	if err != nil {
		return err
	}
	get, err := sign(ctx, r.sign, map[string]any{
		"bucket": plainBucket, "operation": "GetObject", "range": "bytes=0-3", "response_content_language": "mi",
		"keys": []any{keys[0], keys[1], map[string]any{"key": own, "range": "bytes=4-6"}},
	})
	if err != nil {
		return err
	}
	for _, key := range append(keys, own) {
		contentType, meta, bytes := "text/plain", "X-Amz-Meta-B", content[:4]
		if key == own {
			contentType, meta, bytes = "text/html", "X-Amz-Meta-C", content[4:7]
		}
		q, err := put.request(key, content)
		if err != nil {
			return err
		}
		r.accept(ctx, "PutObject options of the batch, "+key, q, 200, nil)
		if q, err = get.request(key, nil); err != nil {
			return err
		}
		r.accept(ctx, "GetObject options of the batch, "+key, q, 206, func(resp *rawhttp.Response) string {
			switch {
			case resp.Header.Get("Content-Type") != contentType:
				return "206, other content-type"
			case resp.Header.Get("Cache-Control") != "no-store":
				return "206, other cache-control"
			case resp.Header.Get(meta) == "":
				return "206, other metadata"
			case resp.Header.Get("Content-Language") != "mi":
				return "206, other content-language"
			}
			return holds(bytes)(resp)
		})
	}
	return nil
}

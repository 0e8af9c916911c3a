package sdkoracle_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/check/sdkoracle"
	"bulkpresign/internal/check/sigv4verify"
)

const (
	get  = "GetObject"
	head = "HeadObject"
	put  = "PutObject"
	del  = "DeleteObject"
	part = "UploadPart"
)

func plain(operation string) sdkoracle.Input {
	in := sdkoracle.Input{
		Operation:       operation,
		Bucket:          "bucket",
		Key:             "key",
		Region:          "eu-west-1",
		Options:         map[string]any{},
		ExpiresIn:       15 * time.Minute,
		Time:            time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC),
		AccessKeyID:     "AKIDEXAMPLE",
		SecretAccessKey: "secret",
	}
	if operation == part {
		in.Options["part_number"] = int64(7)
		in.Options["upload_id"] = "u"
	}
	return in
}

// extra is what a request has over the plain one of its operation.
type extra struct {
	Query  string // name=value, encoded as in the URL
	Header string // name: value, as the client must send it
	Signed string // the header's line in the canonical request, "" when it is Header's in lower case
}

func extraOf(t *testing.T, in sdkoracle.Input) extra {
	t.Helper()
	base := present(t, plain(in.Operation))
	got := present(t, in)
	var e extra
	baseQuery := strings.Split(base.query, "&")
	for pair := range strings.SplitSeq(got.query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		switch name {
		case "X-Amz-SignedHeaders", "X-Amz-Signature":
		default:
			if !slices.Contains(baseQuery, pair) {
				e.Query += pair
			}
		}
	}
	for name, values := range got.header {
		if name != "Host" {
			e.Header += name + ": " + strings.Join(values, "|")
			lower := strings.ToLower(name)
			line := "no line"
			for l := range strings.SplitSeq(got.canonical, "\n") {
				if strings.HasPrefix(l, lower+":") {
					line = l
				}
			}
			if line != lower+":"+strings.Join(values, "|") {
				e.Signed = line
			}
		}
	}
	return e
}

type presented struct {
	query, canonical string
	header           http.Header
}

func present(t *testing.T, in sdkoracle.Input) presented {
	t.Helper()
	out, err := sdkoracle.Presign(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	_, query, _ := strings.Cut(out.URL, "?")
	return presented{query, out.CanonicalRequest, out.SignedHeader}
}

// TestOptions writes down what the SDK makes of each option that the contract offers:
// which operations have it, its exact name on the wire, query or signed header, and how the
// value is written.
func TestOptions(t *testing.T) {
	const (
		when    = "2026-01-02T03:04:05.6789+02:00"
		awkward = "a  b\t\"/+%&=~"
		encoded = "a%20%20b%09%22%2F%2B%25%26%3D~"
		folded  = "a b\t\"/+%&=~" // runs of spaces become one, a tab stays
	)
	query := func(name string) extra { return extra{Query: name + "=" + encoded} }
	header := func(name string) extra {
		return extra{Header: name + ": " + awkward, Signed: strings.ToLower(name) + ":" + folded}
	}
	read := []string{get, head}
	write := []string{put, part}
	all := []string{get, head, put, del, part}

	rows := []struct {
		option     string
		operations []string
		value      any
		want       extra
	}{
		{"version_id", []string{get, head, del}, awkward, query("versionId")},
		{"part_number", read, int64(3), extra{Query: "partNumber=3"}},
		{"part_number", []string{part}, int64(3), extra{Query: "partNumber=3"}},
		{"upload_id", []string{part}, awkward, query("uploadId")},
		{"response_cache_control", []string{get}, awkward, query("response-cache-control")},
		{"response_content_disposition", []string{get}, awkward, query("response-content-disposition")},
		{"response_content_encoding", []string{get}, awkward, query("response-content-encoding")},
		{"response_content_language", []string{get}, awkward, query("response-content-language")},
		{"response_content_type", []string{get}, awkward, query("response-content-type")},
		{"response_expires", []string{get}, when, extra{Query: "response-expires=Fri%2C%2002%20Jan%202026%2001%3A04%3A05%20GMT"}},

		// Hoisted. Two are in lower case: https://github.com/aws/aws-sdk-go-v2/issues/2508 and 2764.
		{"expected_bucket_owner", all, awkward, query("x-amz-expected-bucket-owner")},
		{"request_payer", all, awkward, query("x-amz-request-payer")},
		{"checksum_mode", read, awkward, query("X-Amz-Checksum-Mode")},
		{"bypass_governance_retention", []string{del}, true, extra{Query: "X-Amz-Bypass-Governance-Retention=true"}},
		{"bucket_key_enabled", []string{put}, false, extra{Query: "X-Amz-Server-Side-Encryption-Bucket-Key-Enabled=false"}},

		{"mfa", []string{del}, awkward, header("X-Amz-Mfa")},
		{"if_match", []string{get, head, put, del}, awkward, header("If-Match")},
		{"if_none_match", []string{get, head, put}, awkward, header("If-None-Match")},
		{"if_modified_since", read, when, extra{Header: "If-Modified-Since: Fri, 02 Jan 2026 01:04:05 GMT"}},
		{"if_unmodified_since", read, when, extra{Header: "If-Unmodified-Since: Fri, 02 Jan 2026 01:04:05 GMT"}},
		{"range", read, awkward, header("Range")},

		// The key goes as it is given: no base64 is made of it, no MD5 computed.
		{"sse_customer_algorithm", []string{get, head, put, part}, awkward, header("X-Amz-Server-Side-Encryption-Customer-Algorithm")},
		{"sse_customer_key", []string{get, head, put, part}, awkward, header("X-Amz-Server-Side-Encryption-Customer-Key")},
		{"sse_customer_key_md5", []string{get, head, put, part}, awkward, header("X-Amz-Server-Side-Encryption-Customer-Key-Md5")},

		{"content_length", write, int64(5), extra{Header: "Content-Length: 5"}},
		{"content_md5", write, awkward, header("Content-Md5")},
		{"content_type", []string{put}, awkward, header("Content-Type")},
		{"content_encoding", []string{put}, awkward, header("Content-Encoding")},
		{"content_language", []string{put}, awkward, header("Content-Language")},
		{"content_disposition", []string{put}, awkward, header("Content-Disposition")},
		{"cache_control", []string{put}, awkward, header("Cache-Control")},
		{"expires", []string{put}, when, extra{Header: "Expires: Fri, 02 Jan 2026 01:04:05 GMT"}},
		{"metadata", []string{put}, map[string]string{"Camera-MODEL_x": awkward}, header("X-Amz-Meta-Camera-Model_x")},
		{"tagging", []string{put}, awkward, header("X-Amz-Tagging")},
		{"storage_class", []string{put}, awkward, header("X-Amz-Storage-Class")},
		{"acl", []string{put}, awkward, header("X-Amz-Acl")},
		{"server_side_encryption", []string{put}, awkward, header("X-Amz-Server-Side-Encryption")},
		{"ssekms_key_id", []string{put}, awkward, header("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id")},
		{"ssekms_encryption_context", []string{put}, awkward, header("X-Amz-Server-Side-Encryption-Context")},
		{"website_redirect_location", []string{put}, awkward, header("X-Amz-Website-Redirect-Location")},

		// A checksum brings no X-Amz-Sdk-Checksum-Algorithm with it.
		{"checksum_crc32", write, awkward, header("X-Amz-Checksum-Crc32")},
		{"checksum_crc32c", write, awkward, header("X-Amz-Checksum-Crc32c")},
		{"checksum_crc64nvme", write, awkward, header("X-Amz-Checksum-Crc64nvme")},
		{"checksum_sha1", write, awkward, header("X-Amz-Checksum-Sha1")},
		{"checksum_sha256", write, awkward, header("X-Amz-Checksum-Sha256")},

		{"object_lock_mode", []string{put}, awkward, header("X-Amz-Object-Lock-Mode")},
		{"object_lock_legal_hold_status", []string{put}, awkward, header("X-Amz-Object-Lock-Legal-Hold")},
		// Not an HTTP date: RFC 3339 in UTC, cut to milliseconds, trailing zeros cut too.
		{"object_lock_retain_until_date", []string{put}, when, extra{Header: "X-Amz-Object-Lock-Retain-Until-Date: 2026-01-02T01:04:05.678Z"}},
	}

	seen := make(map[string][]string)
	for _, row := range rows {
		for _, operation := range row.operations {
			seen[operation] = append(seen[operation], row.option)
			t.Run(operation+"/"+row.option, func(t *testing.T) {
				in := plain(operation)
				in.Options[row.option] = row.value
				if diff := cmp.Diff(row.want, extraOf(t, in)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
	for _, operation := range sdkoracle.Operations() {
		slices.Sort(seen[operation])
		if diff := cmp.Diff(sdkoracle.Offered(operation), seen[operation]); diff != "" {
			t.Errorf("%s: options offered (-) and options in the table (+):\n%s", operation, diff)
		}
	}
}

// TestSurprises has a row for each thing that one would not have guessed.
func TestSurprises(t *testing.T) {
	type want struct {
		prefix  string   // of the URL
		header  []string // signed headers, without host
		host    string   // as signed
		scope   string   // region/service
		refused bool
	}
	const aws = "https://bucket.s3.eu-west-1.amazonaws.com/key?"
	ordinary := want{prefix: aws, host: "bucket.s3.eu-west-1.amazonaws.com", scope: "eu-west-1/s3"}
	at := func(prefix, host string) want { return want{prefix: prefix, host: host, scope: "eu-west-1/s3"} }
	withHeader := func(w want, names ...string) want { w.header = names; return w }
	withScope := func(w want, scope string) want { w.scope = scope; return w }

	for _, tt := range []struct {
		name      string
		operation string
		change    func(*sdkoracle.Input)
		want      want
	}{
		{"a content length of 0 is not signed", put, func(in *sdkoracle.Input) { in.Options["content_length"] = int64(0) }, ordinary},
		{"and takes the content type with it (removeContentTypeHeader)", put, func(in *sdkoracle.Input) {
			in.Options["content_length"] = int64(0)
			in.Options["content_type"] = "a/b"
		}, ordinary},
		{"while without a length the type stays", put, func(in *sdkoracle.Input) { in.Options["content_type"] = "a/b" }, withHeader(ordinary, "Content-Type")},
		{"several checksums are all signed", part, func(in *sdkoracle.Input) {
			in.Options["checksum_sha256"] = "a"
			in.Options["checksum_crc32"] = "b"
		}, withHeader(ordinary, "X-Amz-Checksum-Crc32", "X-Amz-Checksum-Sha256")},
		{"a part number of 0 is signed", part, func(in *sdkoracle.Input) { in.Options["part_number"] = int64(0) }, ordinary},
		{"no upload id", part, func(in *sdkoracle.Input) { in.Options = map[string]any{"part_number": int64(1)} }, want{refused: true}},

		{"keys are not normalised", get, func(in *sdkoracle.Input) { in.Key = "/a//../\x00é" }, at("https://bucket.s3.eu-west-1.amazonaws.com//a//../%00%C3%A9?", ordinary.host)},
		{"no key", get, func(in *sdkoracle.Input) { in.Key = "" }, want{refused: true}},
		{"dotted bucket", get, func(in *sdkoracle.Input) { in.Bucket = "a.bucket" }, at("https://s3.eu-west-1.amazonaws.com/a.bucket/key?", "s3.eu-west-1.amazonaws.com")},
		{"dotted bucket over plain HTTP is a host", get, func(in *sdkoracle.Input) { in.Bucket, in.EndpointURL = "the.bucket", "http://h:9000" }, at("http://the.bucket.h:9000/key?", "the.bucket.h:9000")},
		{"a part under three characters is not", get, func(in *sdkoracle.Input) { in.Bucket, in.EndpointURL = "a.b", "http://h:9000" }, at("http://h:9000/a.b/key?", "h:9000")},
		{"upper case bucket", get, func(in *sdkoracle.Input) { in.Bucket = "Bucket" }, at("https://s3.eu-west-1.amazonaws.com/Bucket/key?", "s3.eu-west-1.amazonaws.com")},

		{"default port: in the URL, not in the signed host", get, func(in *sdkoracle.Input) { in.EndpointURL, in.PathStyle = "http://h:80", true }, at("http://h:80/bucket/key?", "h")},
		{"the other scheme's port is signed", get, func(in *sdkoracle.Input) { in.EndpointURL, in.PathStyle = "http://h:443", true }, at("http://h:443/bucket/key?", "h:443")},
		{"IP address: always path style", get, func(in *sdkoracle.Input) { in.EndpointURL = "http://[::1]:9000" }, at("http://[::1]:9000/bucket/key?", "[::1]:9000")},
		// A slip: the brackets go with the port, and no client sends such a Host.
		{"IPv6 address with the default port", get, func(in *sdkoracle.Input) { in.EndpointURL = "http://[::1]:80" }, at("http://[::1]:80/bucket/key?", "::1")},
		{"base path, trailing slash", get, func(in *sdkoracle.Input) { in.EndpointURL = "https://h/a b//c/" }, at("https://bucket.h/a%20b//c/key?", "bucket.h")},
		// A slip: the key loses the encoding of $&+,:;=@ that it has with any other endpoint, since
		// url.URL drops its RawPath when that does not agree with Path.
		{"base path with an escape", get, func(in *sdkoracle.Input) { in.EndpointURL, in.Key = "https://h/a%20b", "a$b+c" }, at("https://bucket.h/a%20b/a$b+c?", "bucket.h")},
		{"user information is dropped, the host's case is kept", get, func(in *sdkoracle.Input) { in.EndpointURL = "HTTPS://u:p@Example.COM" }, at("https://bucket.Example.COM/key?", "bucket.Example.COM")},
		{"query in the endpoint", get, func(in *sdkoracle.Input) { in.EndpointURL = "https://h/?a=b" }, want{refused: true}},

		{"China", get, func(in *sdkoracle.Input) { in.Region = "cn-north-1" }, withScope(at("https://bucket.s3.cn-north-1.amazonaws.com.cn/key?", "bucket.s3.cn-north-1.amazonaws.com.cn"), "cn-north-1/s3")},
		{"aws-global: another scope than the region's name", get, func(in *sdkoracle.Input) { in.Region = "aws-global" }, withScope(at("https://bucket.s3.amazonaws.com/key?", "bucket.s3.amazonaws.com"), "us-east-1/s3")},
		{"FIPS as a region's name", get, func(in *sdkoracle.Input) { in.Region = "fips-us-east-1" }, withScope(at("https://bucket.s3-fips.us-east-1.amazonaws.com/key?", "bucket.s3-fips.us-east-1.amazonaws.com"), "us-east-1/s3")},
		{"FIPS and dual-stack", get, func(in *sdkoracle.Input) { in.FIPS, in.DualStack = true, true }, at("https://bucket.s3-fips.dualstack.eu-west-1.amazonaws.com/key?", "bucket.s3-fips.dualstack.eu-west-1.amazonaws.com")},
		{"FIPS in China", get, func(in *sdkoracle.Input) { in.Region, in.FIPS = "cn-north-1", true }, want{refused: true}},
		{"acceleration keeps the region in the scope", get, func(in *sdkoracle.Input) { in.Accelerate = true }, at("https://bucket.s3-accelerate.amazonaws.com/key?", "bucket.s3-accelerate.amazonaws.com")},
		{"acceleration, path style", get, func(in *sdkoracle.Input) { in.Accelerate, in.PathStyle = true, true }, want{refused: true}},
		{"access point", get, func(in *sdkoracle.Input) { in.Bucket = "arn:aws:s3:eu-west-1:123456789012:accesspoint/ap" }, at("https://ap-123456789012.s3-accesspoint.eu-west-1.amazonaws.com/key?", "ap-123456789012.s3-accesspoint.eu-west-1.amazonaws.com")},
		{"access point elsewhere", get, func(in *sdkoracle.Input) { in.Bucket = "arn:aws:s3:us-west-2:123456789012:accesspoint/ap" }, want{refused: true}},
		{"access point elsewhere, its region used", get, func(in *sdkoracle.Input) {
			in.Bucket, in.UseARNRegion = "arn:aws:s3:us-west-2:123456789012:accesspoint/ap", true
		}, withScope(at("https://ap-123456789012.s3-accesspoint.us-west-2.amazonaws.com/key?", "ap-123456789012.s3-accesspoint.us-west-2.amazonaws.com"), "us-west-2/s3")},
		{"Object Lambda: another service", get, func(in *sdkoracle.Input) {
			in.Bucket = "arn:aws:s3-object-lambda:eu-west-1:123456789012:accesspoint/ol"
		}, withScope(at("https://ol-123456789012.s3-object-lambda.eu-west-1.amazonaws.com/key?", "ol-123456789012.s3-object-lambda.eu-west-1.amazonaws.com"), "eu-west-1/s3-object-lambda")},
		{"Multi-Region access point: SigV4A", get, func(in *sdkoracle.Input) {
			in.Bucket = "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap"
		}, want{refused: true}},
		{"S3 Express: needs a session", get, func(in *sdkoracle.Input) { in.Bucket = "bucket--use1-az4--x-s3" }, want{refused: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := plain(tt.operation)
			tt.change(&in)
			out, err := sdkoracle.Presign(t.Context(), in)
			if err != nil || tt.want.refused {
				if (err != nil) != tt.want.refused {
					t.Fatalf("refused: %t, want %t", err != nil, tt.want.refused)
				}
				return
			}
			if !strings.HasPrefix(out.URL, tt.want.prefix) {
				before, _, _ := strings.Cut(out.URL, "?")
				t.Errorf("got %s, want %s", before, tt.want.prefix)
			}
			names := slices.Sorted(maps.Keys(out.SignedHeader))
			names = slices.DeleteFunc(names, func(name string) bool { return name == "Host" })
			if !slices.Equal(names, tt.want.header) {
				t.Errorf("signed headers are %q, want %q", names, tt.want.header)
			}
			if host := out.SignedHeader.Get("Host"); host != tt.want.host {
				t.Errorf("signed host is %s, want %s", host, tt.want.host)
			}
			if scope := "%2F" + strings.ReplaceAll(tt.want.scope, "/", "%2F") + "%2Faws4_request"; !strings.Contains(out.URL, scope) {
				t.Errorf("the scope is not %s", tt.want.scope)
			}
		})
	}
}

func TestNotSigV4(t *testing.T) {
	in := plain(get)
	in.Bucket = "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap"
	if _, err := sdkoracle.Presign(t.Context(), in); !errors.Is(err, sdkoracle.ErrNotSigV4) {
		t.Error("want ErrNotSigV4 for a Multi-Region access point")
	}
}

func TestRefusesBadOptions(t *testing.T) {
	for name, value := range map[string]any{
		"content_length": "5",       // a string for a number
		"content_type":   int64(5),  // a number for a string
		"expires":        "someday", // no time
		"metadata":       "a=b",     // no map
		"no_such_option": "",        //
		"body":           "x",       // a member, but not one to sign
	} {
		in := plain(put)
		in.Options[name] = value
		_, err := sdkoracle.Presign(t.Context(), in)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got error %v, want one that names it", name, err)
		}
	}
	in := plain(put)
	in.Options["if_modified_since"] = "2026-01-01T00:00:00Z"
	if _, err := sdkoracle.Presign(t.Context(), in); !errors.Is(err, sdkoracle.ErrNoSuchOption) {
		t.Error("want ErrNoSuchOption for if_modified_since on PutObject")
	}
}

// TestGenerated looks at what the generator makes, and at the SDK's answers: the canonical
// request must be the one that was signed, and a verifier that shares no code with the
// SDK must agree.
func TestGenerated(t *testing.T) {
	const cases = 5_000
	r := rand.New(rand.NewPCG(2, 2))
	again := rand.New(rand.NewPCG(2, 2))
	refused := 0
	used := make(map[string]int) // operation/option
	for i := range cases {
		in := sdkoracle.Generate(r)
		if !cmp.Equal(in, sdkoracle.Generate(again)) {
			t.Fatalf("case %d: the same state of the generator gives two requests", i)
		}
		out, err := sdkoracle.Presign(t.Context(), in)
		if err != nil {
			refused++
			continue
		}
		if len(in.Key) < 1 || len(in.Key) > 1024 || strings.ToValidUTF8(in.Key, "") != in.Key {
			t.Fatalf("case %d: the key is empty, too long or not UTF-8", i)
		}
		for name, value := range in.Options {
			used[in.Operation+"/"+name]++
			if s, ok := value.(string); ok && !sentUnaltered(s) && !strings.HasPrefix(name, "response_") { // which are parameters, and ISO-8859-1
				t.Fatalf("case %d: %s would not be sent as it is", i, name)
			}
		}
		for name, values := range out.SignedHeader {
			for _, v := range values {
				if !sentUnaltered(v) {
					t.Fatalf("case %d: header %s would not be sent as it is", i, name)
				}
			}
		}

		// Without Host, so that the verifier works it out from the URL.
		header := out.SignedHeader.Clone()
		header.Del("Host")
		signed := sigv4verify.Request{Method: out.Method, URL: out.URL, Header: header}
		if err := sigv4verify.Verify(signed, in.SecretAccessKey, in.Region, "s3"); err != nil {
			t.Fatalf("case %d (%s): %v", i, in.Operation, err)
		}
		if !signs(t, in, out) {
			t.Fatalf("case %d (%s): the canonical request is not what was signed", i, in.Operation)
		}
	}
	if refused < cases/100 || refused > cases/25 {
		t.Errorf("the SDK refused %d of %d; about one in fifty is meant to be spoilt", refused, cases)
	}
	for _, operation := range sdkoracle.Operations() {
		for _, option := range sdkoracle.Offered(operation) {
			if used[operation+"/"+option] == 0 {
				t.Errorf("%s never had %s", operation, option)
			}
		}
	}
}

// sentUnaltered says whether Go's HTTP client sends a header value as it is: printable
// ASCII with spaces and tabs, neither of them at an end.
func sentUnaltered(v string) bool {
	for _, c := range []byte(v) {
		if c != '\t' && (c < ' ' || c > '~') {
			return false
		}
	}
	return v != "" && strings.Trim(v, " \t") == v
}

// signs says whether the URL's signature is that of the canonical request.
func signs(t *testing.T, in sdkoracle.Input, out sdkoracle.Output) bool {
	t.Helper()
	u, err := url.Parse(out.URL)
	if err != nil {
		t.Fatal("the URL does not parse")
	}
	q := u.Query()
	_, scope, _ := strings.Cut(q.Get("X-Amz-Credential"), "/")
	hashed := sha256.Sum256([]byte(out.CanonicalRequest))
	text := fmt.Sprintf("AWS4-HMAC-SHA256\n%s\n%s\n%x", q.Get("X-Amz-Date"), scope, hashed)
	key := []byte("AWS4" + in.SecretAccessKey)
	for _, part := range append(strings.Split(scope, "/"), text) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return q.Get("X-Amz-Signature") == hex.EncodeToString(key) &&
		q.Get("X-Amz-Date") == in.Time.UTC().Format("20060102T150405Z")
}

// TestMembers makes sure that a new member of the SDK's is either offered or left out for
// a reason, and that no reason is left over.
func TestMembers(t *testing.T) {
	unused := maps.Clone(sdkoracle.LeftOut)
	for _, operation := range sdkoracle.Operations() {
		for _, name := range sdkoracle.Members(operation) {
			maps.DeleteFunc(unused, func(left, _ string) bool { return left == name })
		}
	}
	if len(unused) > 0 {
		t.Errorf("left out, but no operation has them: %q", slices.Sorted(maps.Keys(unused)))
	}
	if got := sdkoracle.Members("ListBuckets"); got != nil {
		t.Errorf("Members of an unknown operation are %q", got)
	}
}

// Each of the requests that S3 refuses is signed by the SDK, which is why the differential
// test has to know them, and each is made by the generator.
func TestRefusals(t *testing.T) {
	made := map[string]bool{}
	r := rand.New(rand.NewPCG(1, 9))
	for range 20_000 {
		if in := sdkoracle.Generate(r); in.S3Refuses != "" {
			delete(in.Options, "part_number")
			delete(in.Options, "upload_id")
			made[in.Operation+fmt.Sprint(in.Options)] = true
		}
	}
	for _, refusal := range sdkoracle.Refusals() {
		in := plain(refusal.Operation)
		maps.Copy(in.Options, refusal.Options)
		if _, err := sdkoracle.Presign(t.Context(), in); err != nil {
			t.Errorf("%s with %v: the SDK refuses it itself", refusal.Operation, slices.Sorted(maps.Keys(refusal.Options)))
		}
		if !made[refusal.Operation+fmt.Sprint(refusal.Options)] {
			t.Errorf("%s with %v is never made", refusal.Operation, slices.Sorted(maps.Keys(refusal.Options)))
		}
	}
}

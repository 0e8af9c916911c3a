package sdkoracle

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Generate makes a random request of the kind the contract allows: any operation with any
// of its options, awkward keys and values, every sort of endpoint. The same state of r
// gives the same request.
//
// About one request in fifty is spoilt on purpose, so that the SDK refuses it, and one in
// twenty is one of the [Refusals] of S3, for which S3Refuses is set. All other
// values can be signed and are sent unaltered by Go's HTTP client: option values are ASCII,
// but for response_*, which may have what ISO-8859-1 has,
// not empty, without white space at either end, CR or LF; keys are valid UTF-8 of 1 to
// 1,024 bytes, dot segments and control characters among them. Enumerations have values
// that S3 knows.
func Generate(r *rand.Rand) Input {
	in := Input{
		Operation:       pick(r, Operations()),
		Key:             key(r),
		Options:         make(map[string]any),
		ExpiresIn:       expiry(r),
		Time:            clock(r),
		AccessKeyID:     pick(r, []string{"AKIA", "ASIA"}) + text(r, upperDigits, 16),
		SecretAccessKey: text(r, base64Digits, 40),
	}
	if chance(r, 2) {
		in.SessionToken = text(r, base64Digits, 1+r.IntN(1000))
	}
	where(r, &in)
	density := r.IntN(4) // none, some, half or most of the options
	for _, name := range Offered(in.Operation) {
		required := in.Operation == "UploadPart" && (name == "part_number" || name == "upload_id")
		if required || r.IntN(8) < []int{0, 1, 4, 7}[density] {
			in.Options[name] = optionValues[name](r)
		}
	}
	consistent(r, &in)
	switch {
	case chance(r, 50):
		pick(r, spoilers)(&in)
	case chance(r, 20):
		refuse(r, &in)
	}
	return in
}

// Offered lists the options that the contract offers for an operation, sorted: the SDK's
// members without those in [LeftOut] and, for HeadObject, without response_*, which S3
// takes but which say nothing about a response without a body.
func Offered(operation string) []string {
	return slices.DeleteFunc(Members(operation), func(name string) bool {
		return LeftOut[name] != "" || operation == "HeadObject" && strings.HasPrefix(name, "response_")
	})
}

// LeftOut has the SDK's members that the contract does not offer, and why.
var LeftOut = map[string]string{
	"grant_full_control": "grants are not signed", "grant_read": "grants are not signed",
	"grant_read_acp": "grants are not signed", "grant_write_acp": "grants are not signed",

	"checksum_algorithm": "without a body the SDK signs the checksum of an empty one",

	"checksum_md5": "not in the contract", "checksum_sha512": "not in the contract",
	"checksum_xxhash3": "not in the contract", "checksum_xxhash64": "not in the contract",
	"checksum_xxhash128": "not in the contract",

	"if_match_last_modified_time": "S3 Express only", "if_match_size": "S3 Express only",
	"write_offset_bytes": "S3 Express only",

	"object_lock_event_hold":                "not in the contract",
	"object_lock_event_hold_duration_days":  "not in the contract",
	"object_lock_event_hold_duration_years": "not in the contract",
}

// optionValues makes a valid value for each option that the contract offers.
var optionValues = map[string]func(*rand.Rand) any{
	"acl":                           enum(types.ObjectCannedACL("").Values()),
	"bucket_key_enabled":            boolean,
	"bypass_governance_retention":   boolean,
	"cache_control":                 awkward,
	"checksum_crc32":                digest(4),
	"checksum_crc32c":               digest(4),
	"checksum_crc64nvme":            digest(8),
	"checksum_mode":                 enum(types.ChecksumMode("").Values()),
	"checksum_sha1":                 digest(20),
	"checksum_sha256":               digest(32),
	"content_disposition":           awkward,
	"content_encoding":              awkward,
	"content_language":              awkward,
	"content_length":                contentLength,
	"content_md5":                   digest(16),
	"content_type":                  awkward,
	"expected_bucket_owner":         func(r *rand.Rand) any { return text(r, digits, 12) },
	"expires":                       timestamp,
	"if_match":                      etag,
	"if_modified_since":             timestamp,
	"if_none_match":                 etag,
	"if_unmodified_since":           timestamp,
	"metadata":                      metadata,
	"mfa":                           func(r *rand.Rand) any { return text(r, digits, 20) + " " + text(r, digits, 6) },
	"object_lock_legal_hold_status": enum(types.ObjectLockLegalHoldStatus("").Values()),
	"object_lock_mode":              enum(types.ObjectLockMode("").Values()),
	"object_lock_retain_until_date": timestamp,
	"part_number":                   func(r *rand.Rand) any { return 1 + r.Int64N(10000) },
	"range":                         func(r *rand.Rand) any { return fmt.Sprintf("bytes=%d-%d", r.IntN(1000), 1000+r.IntN(1000)) },
	"request_payer":                 enum(types.RequestPayer("").Values()),
	"response_cache_control":        latin,
	"response_content_disposition":  latin,
	"response_content_encoding":     latin,
	"response_content_language":     latin,
	"response_content_type":         latin,
	"response_expires":              timestamp,
	"server_side_encryption":        enum(types.ServerSideEncryption("").Values()),
	"sse_customer_algorithm":        func(*rand.Rand) any { return "AES256" },
	"sse_customer_key":              digest(32),
	"sse_customer_key_md5":          digest(16),
	"ssekms_encryption_context":     encryptionContext,
	"ssekms_key_id": func(r *rand.Rand) any {
		return "arn:aws:kms:eu-west-1:" + text(r, digits, 12) + ":key/" + text(r, hexDigits, 32)
	},
	"storage_class":             enum(types.StorageClass("").Values()),
	"tagging":                   tagging,
	"upload_id":                 awkward,
	"version_id":                awkward,
	"website_redirect_location": func(r *rand.Rand) any { return "/" + awkward(r).(string) },
}

// spoilers turn a request into one that the SDK refuses, each in its own way.
var spoilers = []func(*Input){
	func(in *Input) { in.Key = "" },
	func(in *Input) { in.Region = "" },
	func(in *Input) { in.Options["no_such_option"] = "x" },
	func(in *Input) { in.Options["expires"] = "Thu, 01 Jan 2026 00:00:00 GMT" },
	func(in *Input) { in.EndpointURL = "https://s3.example.com/?a=b" },
	func(in *Input) { in.EndpointURL = "s3.example.com" },
	func(in *Input) { in.Accelerate, in.FIPS = true, true },
	func(in *Input) { in.Accelerate, in.PathStyle = true, true },
	func(in *Input) {
		in.Bucket, in.UseARNRegion = "arn:aws:s3:elsewhere-1:123456789012:accesspoint/ap", false
	},
	func(in *Input) { in.Bucket = "arn:aws:s3:eu-west-1:123456789012:accesspoint" },
	func(in *Input) { in.Bucket = "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap" },
	func(in *Input) { in.Bucket = "bucket--use1-az4--x-s3" },
}

// One region at least of each partition that the SDK knows (awsrulesfn/partitions.go),
// and one that it does not and takes for one of the first.
var regions = []struct{ name, partition string }{
	{"us-east-1", "aws"}, {"us-east-2", "aws"}, {"us-west-2", "aws"}, {"eu-west-1", "aws"},
	{"eu-central-2", "aws"}, {"ap-southeast-7", "aws"}, {"sa-east-1", "aws"}, {"made-up-1", "aws"},
	{"cn-north-1", "aws-cn"}, {"cn-northwest-1", "aws-cn"},
	{"us-gov-east-1", "aws-us-gov"}, {"us-gov-west-1", "aws-us-gov"},
	{"eusc-de-east-1", "aws-eusc"},
	{"us-iso-east-1", "aws-iso"}, {"us-isob-east-1", "aws-iso-b"},
	{"eu-isoe-west-1", "aws-iso-e"}, {"us-isof-south-1", "aws-iso-f"},
}

// endpoints are custom ones. Not among them are an IPv6 address with the scheme's default
// port and a base path with a percent-escape, which the SDK signs wrongly (see TestSurprises).
var endpoints = []string{
	"http://minio:9000",
	"http://s3.example.com:8080",
	"http://s3.example.com:80",
	"https://s3.example.com:443",
	"http://s3.example.com:443",
	"https://s3.example.com",
	"https://S3.Example.COM",
	"https://s3.example.com/base/path",
	"https://s3.example.com:8443/trailing/",
	"https://s3.example.com/a~b//c",
	"http://127.0.0.1:9000",
	"https://192.0.2.1",
	"http://127.0.0.1:80",
	"http://[::1]:9000",
	"https://[2001:db8::1]",
	"http://localhost:4566",
}

// where chooses region, bucket, endpoint and addressing such as go together.
func where(r *rand.Rand, in *Input) {
	region := pick(r, regions)
	in.Region = region.name
	in.Bucket = plainBucket(r)
	in.PathStyle = chance(r, 4)
	in.UseARNRegion = chance(r, 2)
	switch r.IntN(8) {
	case 0, 1, 2:
		in.EndpointURL = pick(r, endpoints)
		if strings.Contains(in.EndpointURL, "[") {
			in.PathStyle = true // the resolver would put a bucket before the bracket
		}
	case 3:
		in.DualStack = true
	case 4:
		in.FIPS = region.partition != "aws-cn"
		in.DualStack = chance(r, 2)
	case 5:
		in.Accelerate = region.partition == "aws"
		in.DualStack = chance(r, 2)
	}
	switch {
	case in.Accelerate:
		in.PathStyle = false
	case !in.PathStyle && chance(r, 8):
		in.Bucket = "arn:" + region.partition + ":s3:" + region.name + ":123456789012:accesspoint/ap-" + text(r, lowerDigits, 6)
	case chance(r, 4):
		in.Bucket = unhostableBucket(r, in.Bucket)
	}
}

func plainBucket(r *rand.Rand) string {
	return text(r, lowerDigits, 1) + text(r, lowerDigits+"-", 1+r.IntN(50)) + text(r, lowerDigits, 1)
}

// unhostableBucket makes of a plain name one that the SDK puts into the path; the last kind
// over HTTPS alone, where a wildcard certificate would not cover its dots.
func unhostableBucket(r *rand.Rand, name string) string {
	return pick(r, []string{name + ".0.x", "Upper_" + name, name + ".abc.def"})
}

func key(r *rand.Rand) string {
	var b strings.Builder
	for n := 1 + r.IntN(12); b.Len() == 0 || n > 0; n-- {
		b.WriteString(keyParts[r.IntN(len(keyParts))](r))
	}
	if chance(r, 50) {
		for b.Len() < 1024 {
			b.WriteString(keyParts[r.IntN(len(keyParts))](r))
		}
	}
	s := b.String()
	for len(s) > 1024 { // cut between characters
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}

var keyParts = []func(*rand.Rand) string{
	func(r *rand.Rand) string { return text(r, lowerDigits+upperDigits+"-._~", 1+r.IntN(70)) },
	func(r *rand.Rand) string { return text(r, printable, 1+r.IntN(10)) },
	func(*rand.Rand) string { return "/" },
	func(*rand.Rand) string { return "//" },
	func(r *rand.Rand) string { return pick(r, []string{"/./", "/../", ".", ".."}) },
	func(r *rand.Rand) string {
		return pick(r, []string{"+", " ", "%20", "%", "?", "#", "&", "=", `"`, "\\"})
	},
	func(r *rand.Rand) string { return string(rune(r.IntN(0x20))) }, // C0 controls, NUL among them
	func(r *rand.Rand) string {
		return pick(r, []string{"é", "e\u0301", "ß", "日本", "😀", "\u200d", "\u202e", "\ufeff", "\ufffd", "\x7f", "\U0010ffff"})
	},
	func(r *rand.Rand) string { return string(rune(0x80 + r.IntN(0xd800-0x80))) },
}

// expiry is whole seconds, 1 to 604,800, the ends more often than by chance.
func expiry(r *rand.Rand) time.Duration {
	switch r.IntN(8) {
	case 0:
		return 1 * time.Second
	case 1:
		return 604800 * time.Second
	}
	return time.Duration(1+r.IntN(604800)) * time.Second
}

// clock is a time from 2000 to 2099, often within a nanosecond or a second of midnight UTC,
// and not always given in UTC.
func clock(r *rand.Rand) time.Time {
	const day = 24 * 60 * 60
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	t := start.Add(time.Duration(r.Int64N(100*365*day)) * time.Second)
	if chance(r, 4) {
		t = t.Truncate(day * time.Second).Add(pick(r, []time.Duration{-time.Second, -1, 0, 1, time.Second}))
	}
	if chance(r, 4) {
		t = t.In(time.FixedZone("", 60*(r.IntN(24*60)-12*60)))
	}
	return t
}

// timestamp is an RFC 3339 time, with or without a fraction and an offset.
func timestamp(r *rand.Rand) any {
	t := time.Unix(r.Int64N(4e9), 0).UTC()
	if chance(r, 2) {
		t = t.Add(pick(r, []time.Duration{1, 999_999, 1_000_000, 120_000_000, 678_900_000, 999_999_999}))
	}
	if chance(r, 2) {
		t = t.In(time.FixedZone("", 60*(r.IntN(24*60)-12*60)))
	}
	return t.Format(time.RFC3339Nano)
}

// awkward is a header value that means something to an encoder: quotes, percent, plus,
// ampersand, runs of spaces, tabs inside.
func awkward(r *rand.Rand) any {
	if chance(r, 2) {
		return pick(r, []string{
			"text/plain; charset=utf-8",
			`attachment; filename="a b.txt"; filename*=UTF-8''%E2%82%AC%20a.txt`,
			"no-cache,  max-age=0",
			"a+b%2Bc%20d&e=f",
			"a  b   c",
			"a\tb",
			`"\"`,
			"~!*'();:@&=+$,/?#[]",
			"x",
		})
	}
	return strings.TrimSpace("v" + text(r, headerChars, r.IntN(60)) + "v")
}

// latin is a value for a header that S3 answers with: it may have what ISO-8859-1 has.
func latin(r *rand.Rand) any {
	if chance(r, 4) {
		return pick(r, []string{`inline; filename="über.txt"`, "ÿ", "a\u00a0é"})
	}
	return awkward(r)
}

func etag(r *rand.Rand) any {
	return pick(r, []string{"*", `"` + text(r, hexDigits, 32) + `"`, `W/"a  b"`, text(r, hexDigits, 32) + "-7"})
}

// contentLength is often 0, which the SDK does not sign, and which makes it drop content_type.
func contentLength(r *rand.Rand) any {
	return pick(r, []int64{0, 1, 1 + r.Int64N(5<<30), 5 << 30})
}

// metadata names are HTTP tokens that differ in more than case.
func metadata(r *rand.Rand) any {
	m := make(map[string]string)
	for i := range 1 + r.IntN(5) {
		m[fmt.Sprintf("%s%d", text(r, lowerDigits+upperDigits+"-_.!#$%&'*+^`|~", 1+r.IntN(12)), i)] = awkward(r).(string)
	}
	return m
}

func tagging(r *rand.Rand) any {
	tags := make(url.Values)
	for i := range 1 + r.IntN(4) {
		tags.Set(fmt.Sprintf("k%d%s", i, text(r, printable, r.IntN(5))), text(r, printable, r.IntN(20)))
	}
	return tags.Encode()
}

func encryptionContext(r *rand.Rand) any {
	return base64.StdEncoding.EncodeToString([]byte(`{"k":"` + text(r, lowerDigits, r.IntN(30)) + `"}`))
}

func boolean(r *rand.Rand) any { return chance(r, 2) }

func digest(size int) func(*rand.Rand) any {
	return func(r *rand.Rand) any {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return base64.StdEncoding.EncodeToString(b)
	}
}

func enum[E ~string](values []E) func(*rand.Rand) any {
	return func(r *rand.Rand) any { return string(pick(r, values)) }
}

const (
	digits       = "0123456789"
	lowerDigits  = "abcdefghijklmnopqrstuvwxyz" + digits
	upperDigits  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + digits
	hexDigits    = digits + "abcdef"
	base64Digits = lowerDigits + "ABCDEFGHIJKLMNOPQRSTUVWXYZ+/"
	printable    = lowerDigits + "ABCDEFGHIJKLMNOPQRSTUVWXYZ !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
	headerChars  = printable + "   \t"
)

func text(r *rand.Rand, from string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = from[r.IntN(len(from))]
	}
	return string(b)
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// chance is true once in n times.
func chance(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }

// Package sigv4verify checks the signature of an S3 presigned URL in the way the
// specification tells a server to. It shares no code with any signer, so that a test can
// ask a third party; it is written to be read beside the specification, not to be fast.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
package sigv4verify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrSignature says that the URL is well formed and its signature is not the one that
// the secret makes.
var ErrSignature = errors.New("the signature does not match")

// Request is what a client sends.
type Request struct {
	Method string
	URL    string

	// Header has what is sent beside the URL. A Host header, when there is one, stands for
	// the URL's host; else the default port is left out of it, as curl and browsers do.
	Header http.Header
}

// Verify says whether a server that knows the secret and serves the region and service
// ("s3") would take the request for signed: parameters and scope well formed, all headers
// that must be signed signed, the signature right. It does not look at the clock.
// An error quotes neither the URL nor the signature.
func Verify(r Request, secret, region, service string) error {
	t, err := take(r.URL)
	if err != nil {
		return err
	}
	params, signature, err := t.parameters()
	if err != nil {
		return err
	}

	if params["X-Amz-Algorithm"] != "AWS4-HMAC-SHA256" {
		return errors.New("X-Amz-Algorithm is not AWS4-HMAC-SHA256")
	}
	date := params["X-Amz-Date"]
	if _, err := time.Parse("20060102T150405Z", date); err != nil {
		return errors.New("X-Amz-Date is not an ISO 8601 basic time in UTC")
	}
	if n, err := strconv.Atoi(params["X-Amz-Expires"]); err != nil || n < 1 || n > 604800 {
		return errors.New("X-Amz-Expires is not in 1..604800")
	}
	credential := strings.Split(params["X-Amz-Credential"], "/")
	if len(credential) < 5 || credential[0] == "" {
		return errors.New("X-Amz-Credential has not five parts")
	}
	scope := credential[len(credential)-4:]
	if want := []string{date[:8], region, service, "aws4_request"}; !slices.Equal(scope, want) {
		return fmt.Errorf("the scope is %q, want %q", scope, want)
	}

	header, err := t.canonicalHeaders(r.Header, params["X-Amz-SignedHeaders"])
	if err != nil {
		return err
	}
	canonicalRequest := strings.Join([]string{
		r.Method,
		encode(t.path, true),
		t.canonicalQuery(),
		header,
		params["X-Amz-SignedHeaders"],
		"UNSIGNED-PAYLOAD",
	}, "\n")
	hashed := sha256.Sum256([]byte(canonicalRequest))
	stringToSign := strings.Join([]string{
		"AWS4-HMAC-SHA256",
		date,
		strings.Join(scope, "/"),
		hex.EncodeToString(hashed[:]),
	}, "\n")
	key := []byte("AWS4" + secret)
	for _, part := range append(scope, stringToSign) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	if !hmac.Equal([]byte(hex.EncodeToString(key)), []byte(signature)) {
		return ErrSignature
	}
	return nil
}

// taken is a URL taken apart and decoded.
type taken struct {
	host  string // without the default port
	path  string
	query [][2]string
}

// take does without url.Parse, whose idea of what may be left bare is not S3's.
func take(raw string) (taken, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return taken{}, errors.New("the URL has no scheme")
	}
	rest, query, _ := strings.Cut(rest, "?")
	slash := strings.IndexByte(rest, '/')
	if slash < 0 || strings.Contains(raw, "#") {
		return taken{}, errors.New("the URL has no path, or a fragment")
	}
	t := taken{host: rest[:slash]}
	if port := map[string]string{"http": ":80", "https": ":443"}[scheme]; port != "" {
		t.host = strings.TrimSuffix(t.host, port)
	}
	var err error
	if t.path, err = url.PathUnescape(rest[slash:]); err != nil {
		return taken{}, errors.New("the path is not percent-encoded")
	}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.PathUnescape(name)
		if err != nil {
			return taken{}, errors.New("a query parameter's name is not percent-encoded")
		}
		// PathUnescape, because a plus sign is a plus sign to SigV4.
		if value, err = url.PathUnescape(value); err != nil {
			return taken{}, fmt.Errorf("query parameter %s is not percent-encoded", name)
		}
		t.query = append(t.query, [2]string{name, value})
	}
	return t, nil
}

// parameters gives the query as a map and the signature apart. A parameter that is there
// twice is an error: servers differ in which one they look at.
func (t taken) parameters() (params map[string]string, signature string, err error) {
	params = make(map[string]string)
	for _, p := range t.query {
		if _, twice := params[p[0]]; twice {
			return nil, "", fmt.Errorf("query parameter %s is there twice", p[0])
		}
		params[p[0]] = p[1]
	}
	signature, ok := params["X-Amz-Signature"]
	if !ok {
		return nil, "", errors.New("X-Amz-Signature is missing")
	}
	return params, signature, nil
}

func (t taken) canonicalQuery() string {
	var pairs [][2]string
	for _, p := range t.query {
		if p[0] != "X-Amz-Signature" {
			pairs = append(pairs, [2]string{encode(p[0], false), encode(p[1], false)})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	joined := make([]string, len(pairs))
	for i, p := range pairs {
		joined[i] = p[0] + "=" + p[1]
	}
	return strings.Join(joined, "&")
}

// canonicalHeaders gives the lines of the signed headers, each with its newline. Host must
// be signed, and so must every x-amz-* header and content-type that is sent.
func (t taken) canonicalHeaders(sent http.Header, signedHeaders string) (string, error) {
	values := map[string]string{"host": t.host}
	for name, vs := range sent {
		trimmed := make([]string, len(vs))
		for i, v := range vs {
			trimmed[i] = trim(v)
		}
		values[strings.ToLower(name)] = strings.Join(trimmed, ",")
	}
	signed := strings.Split(signedHeaders, ";")
	if !slices.IsSorted(signed) || len(slices.Compact(slices.Clone(signed))) != len(signed) {
		return "", errors.New("X-Amz-SignedHeaders is not sorted, or names a header twice")
	}
	for name := range values {
		must := name == "host" || name == "content-type" || strings.HasPrefix(name, "x-amz-")
		if must && !slices.Contains(signed, name) {
			return "", fmt.Errorf("header %s is sent but not signed", name)
		}
	}
	var b strings.Builder
	for _, name := range signed {
		value, ok := values[name]
		if !ok {
			return "", fmt.Errorf("header %q is signed but not sent", name)
		}
		b.WriteString(name + ":" + value + "\n")
	}
	return b.String(), nil
}

// trim is the specification's Trim, which cuts white space at both ends, and its rule
// that a run of spaces inside counts as one. It says nothing of tabs inside.
func trim(v string) string {
	v = strings.Trim(v, " \t")
	for strings.Contains(v, "  ") {
		v = strings.ReplaceAll(v, "  ", " ")
	}
	return v
}

// encode is the specification's UriEncode.
func encode(s string, keepSlash bool) string {
	const bare = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	var b strings.Builder
	for _, c := range []byte(s) {
		if strings.IndexByte(bare, c) >= 0 || c == '/' && keepSlash {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

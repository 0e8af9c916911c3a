package doctor

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"slices"
	"strconv"
	"strings"
	"time"
)

// refusal is S3's error document.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
type refusal struct {
	Code                  string
	Message               string
	CanonicalRequest      string
	CanonicalRequestBytes string
	Expires               string
	ServerTime            string
	HeadersNotSigned      string
	Region                string
	Endpoint              string
	Bucket                string
}

// answers are what S3's codes mean for a signed URL.
var answers = map[string]struct{ what, cure string }{
	"SignatureDoesNotMatch":              {"S3 computed another signature: what it received is not what was signed, or the secret is another", "compare the lines below; if all are the same, the secret key is wrong, or the session token belongs to another"},
	"ExpiredToken":                       {"the credentials that signed the URL have ended, and the URL with them", "sign a new one, for no longer than the credentials live"},
	"InvalidToken":                       {"the session token is damaged, or of another account's partition", "sign again; copy the URL whole"},
	"InvalidAccessKeyId":                 {"the access key that signed does not exist (any more), or not in this partition or on this server", "sign with credentials that exist; a URL for an emulator does not work on AWS, nor the reverse"},
	"InvalidTokenId":                     {"the session token is damaged, or another server's", "sign again; copy the URL whole"}, // MinIO, Ceph
	"RequestTimeTooSkewed":               {"the signer's clock is more than 15 minutes from S3's", "set the clock"},
	"AuthorizationQueryParametersError":  {"S3 cannot read the parameters of the signature; its message says which", "copy the URL whole; sign for the bucket's region"},
	"AuthorizationHeaderMalformed":       {"the request is signed for another region than the bucket's", "sign with the bucket's region"},
	"InvalidRequest":                     {"S3 wants the request to be signed otherwise; its message says how", "sign with Signature Version 4; send only one kind of authorization"},
	"InvalidArgument":                    {"S3 refuses the request for its arguments; often it has an Authorization header beside the signed query", "send the URL alone, without Authorization"},
	"NoSuchKey":                          {"the signature is right: the object is not there", "look at the key, letter by letter"},
	"NoSuchBucket":                       {"the signature was not the question: the bucket is not there", "look at the bucket's name"},
	"PermanentRedirect":                  {"the bucket is in another region than the host", "sign for the bucket's region"},
	"TemporaryRedirect":                  {"the bucket is new, and its name leads elsewhere for a while", "sign for the regional host"},
	"MethodNotAllowed":                   {"the URL is for another method, or what is asked for is a delete marker", "use the method that was signed"},
	"PreconditionFailed":                 {"the signature is right: the object is there already (create_only), or another than if_match names", "this is what was asked for"},
	"BadDigest":                          {"the signature is right: the body is not what the signed checksum says", "send the very bytes that the checksum was made of"},
	"EntityTooLarge":                     {"the signature is right: the body is larger than allowed", "send less, or sign for more"},
	"XAmzContentChecksumMismatch":        {"the signature is right: the body is not what the signed checksum says", "send the very bytes that the checksum was made of"},
	"InvalidObjectState":                 {"the signature is right: the object is archived", "restore it first"},
	"NotSignedUp":                        {"the signer's account has no S3", "sign up"},
	"SlowDown":                           {"the signature was not the question: S3 asks for fewer requests", "try again, slower"},
	"KMS.DisabledException":              {"the signature is right: the object's key is disabled", "enable it"},
	"AllAccessDisabled":                  {"the bucket is closed", "ask its owner"},
	"IllegalLocationConstraintException": {"the bucket is in another region than the host", "sign for the bucket's region"},
}

// response reads S3's refusal.
func (x *examination) response(body []byte) {
	var r refusal
	if err := xml.Unmarshal(body, &r); err != nil || r.Code == "" {
		x.find(Possible, "the response is not S3's XML error: a proxy or another service may have answered", "look who answers (the header Server, x-amz-request-id)")
		return
	}
	switch a, known := answers[r.Code]; {
	case r.Code == "AccessDenied":
		x.denied(&r)
	case known:
		x.find(Certain, "S3 says "+r.Code+": "+a.what, a.cure)
	default:
		x.find(Likely, "S3 says "+name(r.Code), "its message says more")
	}
	if r.Region != "" && len(x.signed.scope) > 0 && r.Region != x.signed.scope[2] {
		x.find(Certain, "S3 says that the bucket is in "+name(r.Region), "sign for that region")
	}
	x.compare(&r)
}

// denied tells the kinds of AccessDenied apart.
func (x *examination) denied(r *refusal) {
	switch {
	case r.Expires != "":
		since := ""
		if end, err := time.Parse(time.RFC3339, r.Expires); err == nil {
			since = ", at " + end.UTC().Format(time.RFC3339)
		}
		x.find(Certain, "S3 says that the URL has expired"+since, "sign a new one")
	case strings.Contains(r.Message, "not yet valid"), strings.Contains(r.Message, "not valid yet"):
		x.find(Certain, "S3 says that the URL is not valid yet: the signer's clock is ahead", "set the clock")
	case r.HeadersNotSigned != "":
		x.find(Certain, "the client sent headers that must be signed and were not: "+name(r.HeadersNotSigned), "do not send them, or sign them")
	case strings.Contains(r.Message, "X-Amz-Expires must be less than a week"):
		x.find(Certain, "S3 says that X-Amz-Expires is over a week", "sign for less")
	case strings.Contains(r.Message, "signatureAge"), strings.Contains(r.Message, "explicit deny"):
		x.find(Certain, "the signature is right: a policy denies the request", "look at the bucket's policy (s3:signatureAge, aws:SourceIp, aws:SecureTransport) and the organization's")
	default:
		x.find(Likely, "the signature is right: the signer may not do this, or the object is not there and the signer may not know that (s3:ListBucket)", "look at the signer's role for this operation and key, at KMS where the object is encrypted, and whether the key is exactly this")
	}
}

// name is a short text of S3's that may be shown.
func name(s string) string {
	if len(s) > 200 {
		s = s[:200]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, s)
}

// compare holds S3's canonical request against the URL, line by line.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html#create-canonical-request
func (x *examination) compare(r *refusal) {
	text := r.CanonicalRequest
	if text == "" && r.CanonicalRequestBytes != "" {
		if raw, err := hex.DecodeString(strings.ReplaceAll(r.CanonicalRequestBytes, " ", "")); err == nil {
			text = string(raw)
		}
	}
	lines := strings.Split(text, "\n")
	if len(lines) < 6 || x.query == nil {
		return
	}
	x.line("method", lines[0], method(x.signed.operation, lines[0]))
	x.line("path", lines[1], x.rest)
	x.line("query", redacted(lines[2]), redacted(x.canonicalQuery()))
	for _, header := range lines[3 : len(lines)-3] {
		name, value, _ := strings.Cut(header, ":")
		if name == "host" {
			x.line("header host", value, strings.TrimSuffix(strings.TrimSuffix(x.host, ":443"), ":80"))
		} else {
			x.report.Response = append(x.report.Response, Line{"header " + name, shownHeader(name, value), "(the client's; it must be what was signed)", true})
			if strings.TrimSpace(value) == "" {
				x.find(Likely, "the header "+name+" was signed and arrived empty, or not at all", "send it with the value that was signed")
			}
		}
	}
	x.line("signed headers", lines[len(lines)-2], strings.Join(x.signed.headers, ";"))
	x.line("payload", lines[len(lines)-1], "UNSIGNED-PAYLOAD")
}

func (x *examination) line(part, s3, url string) {
	x.report.Response = append(x.report.Response, Line{part, s3, url, s3 == url})
	if s3 == url {
		return
	}
	x.find(Certain, "S3 received another "+part+" than the URL has", map[string]string{
		"method":         "use the method that was signed: a URL is for one, and HEAD asks for its own",
		"path":           "something on the way rewrote the path: use the URL exactly as it is, with curl --path-as-is, without a proxy that normalizes",
		"query":          "something on the way added, dropped or escaped parameters anew: use the URL exactly as it is",
		"header host":    "ask the host that was signed; a proxy must pass it on",
		"signed headers": "use the URL exactly as it is",
		"payload":        "send no x-amz-content-sha256 header",
	}[part])
}

// method is that of the operation that an SDK named in the URL, or else what S3 received.
func method(operation, received string) string {
	verbs := map[string]string{"Get": "GET", "Head": "HEAD", "Put": "PUT", "Delete": "DELETE", "Upload": "PUT", "List": "GET", "Copy": "PUT", "Create": "POST", "Complete": "POST", "Abort": "DELETE", "Restore": "POST"}
	for prefix, verb := range verbs {
		if strings.HasPrefix(operation, prefix) {
			return verb
		}
	}
	return received
}

// canonicalQuery is the query as it is signed: sorted, without the signature.
func (x *examination) canonicalQuery() string {
	var parts []string
	for _, p := range x.query {
		if p.name != "X-Amz-Signature" {
			parts = append(parts, p.rawName+"="+p.rawValue)
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, "&")
}

// redacted is a query without its secrets.
func redacted(query string) string {
	parts := strings.Split(query, "&")
	for i, part := range parts {
		name, value, _ := strings.Cut(part, "=")
		switch decoded(name) {
		case "X-Amz-Security-Token", "X-Amz-Signature":
			parts[i] = name + "=" + digest(value)
		case "X-Amz-Credential":
			id, rest, _ := strings.Cut(value, "%2F")
			parts[i] = name + "=" + ends(id) + "%2F" + rest
		}
	}
	return strings.Join(parts, "&")
}

// shownHeader leaves out what a header may hold that is secret.
func shownHeader(name, value string) string {
	if strings.Contains(name, "customer-key") || strings.Contains(name, "token") || name == "authorization" || name == "cookie" {
		return digest(value)
	}
	return value
}

// digest stands for a secret: equal secrets have equal ones, and nothing leads back.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return "(secret of " + strconv.Itoa(len(secret)) + " characters, SHA-256 " + hex.EncodeToString(sum[:4]) + "...)"
}

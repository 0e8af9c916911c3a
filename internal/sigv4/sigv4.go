// Package sigv4 makes pre-signed URLs: AWS Signature Version 4 in the query
// string, for S3. Bytes come in and bytes go out; it reads no clock, does no I/O
// and knows no SDK.
//
// What is the same for many URLs is computed once. A [Signer] holds what the
// credentials and the second fix; a [Presigner] what the operation and its options
// fix on top; then each key costs its hashes alone.
//
//   - https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
//   - https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"time"
)

const (
	algorithm   = "AWS4-HMAC-SHA256"
	terminator  = "aws4_request"
	longFormat  = "20060102T150405Z"
	shortFormat = "20060102"

	// unsignedPayload stands for the body's hash: a pre-signed URL cannot know the body.
	unsignedPayload = "UNSIGNED-PAYLOAD"

	signatureParameter = "&X-Amz-Signature="

	// SignatureSize is the length of a signature in bytes, half of what it takes in hex.
	SignatureSize = sha256.Size
)

// Signature is the raw signature of one URL; the URL carries it in lower-case hex.
type Signature [SignatureSize]byte

// Credentials are an access key and, when temporary, its session token. They print
// as "[redacted]" through every verb of package fmt.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string // empty for a long-term key
}

// Format keeps secrets out of logs and errors.
func (Credentials) Format(s fmt.State, _ rune) { fmt.Fprint(s, "[redacted]") }

// MarshalJSON keeps secrets out of structured logs.
func (Credentials) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }

// Scope says where and for what a signature holds.
type Scope struct {
	Time    time.Time // X-Amz-Date, cut to the second and taken in UTC
	Region  string
	Service string // "s3", or what the endpoint asks for ("s3-object-lambda")
}

// Signer holds what credentials, second, region and service fix: the derived
// key's HMAC states and the parameters that every URL begins with. It is
// immutable, so goroutines may share it.
type Signer struct {
	keyed keyedHash
	auth  authParameters

	key               []byte // derived; what follows is for forms
	credential, token string // as they are
}

// authParameters are the values of the signature's own query parameters, escaped.
// X-Amz-Expires and X-Amz-SignedHeaders belong to a Request.
type authParameters struct {
	credential, date, token []byte
}

// NewSigner derives the signing key for the scope's day, region and service.
func NewSigner(c Credentials, scope Scope) *Signer {
	t := scope.Time.UTC()
	day := t.Format(shortFormat)
	stamp := t.Format(longFormat)
	credentialScope := day + "/" + scope.Region + "/" + scope.Service + "/" + terminator

	key := mac([]byte("AWS4"+c.SecretAccessKey), day)
	key = mac(key, scope.Region)
	key = mac(key, scope.Service)
	key = mac(key, terminator)

	s := &Signer{
		keyed:      newKeyedHash(key, algorithm+"\n"+stamp+"\n"+credentialScope+"\n"),
		key:        key,
		credential: c.AccessKeyID + "/" + credentialScope,
		token:      c.SessionToken,
	}
	s.auth.credential = AppendEscaped(nil, s.credential)
	s.auth.date = []byte(stamp)
	s.auth.token = AppendEscaped(nil, c.SessionToken)
	return s
}

// Format keeps the derived key out of logs and errors.
func (*Signer) Format(s fmt.State, _ rune) { fmt.Fprint(s, "[redacted]") }

func mac(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}

// Package callerauth stands in for IAM in front of API Gateway and Lambda: it lets a request through that is signed with a key
// that it knows, by Signature Version 4 in the Authorization header. It knows no policies.
//
// What the signature should be is computed by the SDK's signer, of what arrived and of the headers that say to be signed; no
// code of this project's is asked.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html
package callerauth

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// maxSkew is how far apart the clocks of a caller and a service may be.
const maxSkew = 5 * time.Minute

// maxBody is more than any of the services takes, in bytes.
const maxBody = 16 << 20

// Gate stands before a service.
type Gate struct {
	Service string // as in the scope of a signature: execute-api, lambda
	Region  string
	Callers []aws.Credentials
	Refuse  func(w http.ResponseWriter, why error) // answers in the service's way

	Next http.Handler
}

// Why a request is refused.
var (
	ErrUnsigned  = errors.New("the request is not signed")
	ErrScope     = errors.New("the signature is for another service, region or day")
	ErrUnknown   = errors.New("nobody has this access key, or its token")
	ErrSkewed    = errors.New("the signature is older than five minutes, or from the future")
	ErrSignature = errors.New("the signature is not that of the request")
)

// ServeHTTP lets signed requests through.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = g.check(r, body)
	}
	if err != nil {
		g.Refuse(w, err)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	g.Next.ServeHTTP(w, r)
}

func (g *Gate) check(r *http.Request, body []byte) error {
	algorithm, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	fields := map[string]string{}
	for field := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		fields[name] = value
	}
	if algorithm != "AWS4-HMAC-SHA256" || fields["Credential"] == "" || fields["SignedHeaders"] == "" {
		return ErrUnsigned
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		return ErrUnsigned
	}
	if skew := time.Since(at); skew > maxSkew || skew < -maxSkew {
		return ErrSkewed
	}
	key, scope, _ := strings.Cut(fields["Credential"], "/")
	if scope != strings.Join([]string{at.Format("20060102"), g.Region, g.Service, "aws4_request"}, "/") {
		return ErrScope
	}
	for _, c := range g.Callers {
		if c.AccessKeyID != key || subtle.ConstantTimeCompare([]byte(c.SessionToken), []byte(r.Header.Get("X-Amz-Security-Token"))) == 0 {
			continue
		}
		want, err := signed(r, c, strings.Split(fields["SignedHeaders"], ";"), body, g, at)
		if err != nil {
			return err
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(fields["Signature"])) == 0 {
			return ErrSignature
		}
		return nil
	}
	return ErrUnknown
}

// signed is the signature that a request should have.
func signed(r *http.Request, c aws.Credentials, names []string, body []byte, g *Gate, at time.Time) (string, error) {
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	if said := r.Header.Get("X-Amz-Content-Sha256"); said != "" && said != hash {
		return "", ErrSignature
	}
	again := &http.Request{Method: r.Method, Host: r.Host, Header: http.Header{}, URL: &url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}}
	hasHost := false
	for _, name := range names {
		switch name {
		case "host":
			hasHost = true
		case "content-length":
			again.ContentLength = r.ContentLength
		default:
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	if !hasHost || again.Header.Get("X-Amz-Date") == "" {
		return "", ErrSignature
	}
	if err := v4.NewSigner().SignHTTP(r.Context(), c, again, hash, g.Service, g.Region, at); err != nil {
		return "", err
	}
	_, signature, _ := strings.Cut(again.Header.Get("Authorization"), "Signature=")
	return signature, nil
}

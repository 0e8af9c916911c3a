package callerauth_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"bulkpresign/internal/standin/callerauth"
)

var (
	user    = aws.Credentials{AccessKeyID: "AKIAUSER", SecretAccessKey: "user's"}
	session = aws.Credentials{AccessKeyID: "ASIASESSION", SecretAccessKey: "session's", SessionToken: "token"}
)

// What is signed as it is sent goes through; anything else does not.
func TestGate(t *testing.T) {
	var why error
	arrived := ""
	g := &callerauth.Gate{
		Service: "execute-api", Region: "eu-west-1", Callers: []aws.Credentials{user, session},
		Refuse: func(w http.ResponseWriter, e error) { why = e; w.WriteHeader(http.StatusForbidden) },
		Next: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			b := new(strings.Builder)
			for chunk := make([]byte, 512); ; {
				n, err := r.Body.Read(chunk)
				b.Write(chunk[:n])
				if err != nil {
					break
				}
			}
			arrived = b.String()
		}),
	}
	const body = `{"keys":["a"]}`
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	for _, tt := range []struct {
		name            string
		by              aws.Credentials
		service, region string
		at              time.Duration
		change          func(*http.Request)
		want            error
	}{
		{name: "as it is signed", by: user},
		{name: "by a session", by: session},
		{name: "with more headers than are signed", by: user, change: func(r *http.Request) { r.Header.Set("Accept", "*/*") }},
		{name: "another secret", by: aws.Credentials{AccessKeyID: user.AccessKeyID, SecretAccessKey: "guess"}, want: callerauth.ErrSignature},
		{name: "nobody's key", by: aws.Credentials{AccessKeyID: "AKIAGUESS", SecretAccessKey: "guess"}, want: callerauth.ErrUnknown},
		{name: "without the token", by: session, change: func(r *http.Request) { r.Header.Del("X-Amz-Security-Token") }, want: callerauth.ErrUnknown},
		{name: "for another service", by: user, service: "s3", want: callerauth.ErrScope},
		{name: "for another region", by: user, region: "us-east-1", want: callerauth.ErrScope},
		{name: "six minutes ago", by: user, at: -6 * time.Minute, want: callerauth.ErrSkewed},
		{name: "in six minutes", by: user, at: 6 * time.Minute, want: callerauth.ErrSkewed},
		{name: "to another path", by: user, change: func(r *http.Request) { r.URL.Path = "/other" }, want: callerauth.ErrSignature},
		{name: "with a query", by: user, change: func(r *http.Request) { r.URL.RawQuery = "a=1" }, want: callerauth.ErrSignature},
		{name: "by another method", by: user, change: func(r *http.Request) { r.Method = "PUT" }, want: callerauth.ErrSignature},
		{name: "to another host", by: user, change: func(r *http.Request) { r.Host = "other" }, want: callerauth.ErrSignature},
		{name: "with a header that was signed otherwise", by: user, change: func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, want: callerauth.ErrSignature},
		{name: "not signed", by: user, change: func(r *http.Request) { r.Header.Del("Authorization") }, want: callerauth.ErrUnsigned},
		{name: "with a token of somebody's", by: user, change: func(r *http.Request) { r.Header.Set("Authorization", "Bearer a") }, want: callerauth.ErrUnsigned},
	} {
		why, arrived = nil, ""
		r := httptest.NewRequest("POST", "http://api.example/pre%20sign?b=2&a=é", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		service, region := tt.service, tt.region
		if service == "" {
			service = g.Service
		}
		if region == "" {
			region = g.Region
		}
		if err := v4.NewSigner().SignHTTP(t.Context(), tt.by, r, hash(body), service, region, time.Now().Add(tt.at)); err != nil {
			t.Fatal(err)
		}
		if tt.change != nil {
			tt.change(r)
		}
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		if !errors.Is(why, tt.want) || (w.Code == 200) != (tt.want == nil) || (arrived == body) != (tt.want == nil) {
			t.Errorf("%s: %d, %v, want %v", tt.name, w.Code, why, tt.want)
		}
	}
	// Another body than was signed.
	r := httptest.NewRequest("POST", "http://api.example/presign", strings.NewReader(`{"keys":["b"]}`))
	if err := v4.NewSigner().SignHTTP(t.Context(), user, r, hash(body), g.Service, g.Region, time.Now()); err != nil {
		t.Fatal(err)
	}
	why = nil
	g.ServeHTTP(httptest.NewRecorder(), r)
	if !errors.Is(why, callerauth.ErrSignature) {
		t.Errorf("another body: %v", why)
	}
}

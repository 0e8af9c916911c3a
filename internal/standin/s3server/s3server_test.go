package s3server_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bulkpresign/internal/check/awkward"
	"bulkpresign/internal/check/rawhttp"
	"bulkpresign/internal/standin/s3server"
)

const (
	region = "eu-west-1"
	bucket = "photos"
)

var (
	start = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

	session = s3server.Credentials{
		AccessKeyID: "ASIASESSIONEXAMPLE00", SecretAccessKey: "session-secret", SessionToken: "session//token+==", Expires: start.Add(time.Hour),
	}
	otherSession = s3server.Credentials{
		AccessKeyID: "ASIAOTHEREXAMPLE0000", SecretAccessKey: "other-secret", SessionToken: "other-token", Expires: start.Add(time.Hour),
	}
	permanent = s3server.Credentials{AccessKeyID: "AKIAPERMANENTEXAMPLE", SecretAccessKey: "permanent-secret"}
)

// clock is a server's clock that a test moves.
type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time  { return time.Unix(0, c.ns.Load()) }
func (c *clock) set(t time.Time) { c.ns.Store(t.UnixNano()) }

func startServer(t *testing.T) (*s3server.Server, *clock) {
	t.Helper()
	c := new(clock)
	c.set(start)
	s, err := s3server.Start(s3server.Config{
		Region:      region,
		Buckets:     []string{bucket},
		Credentials: []s3server.Credentials{session, otherSession, permanent},
		Now:         c.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, c
}

// presigner is the SDK's own, with its clock at start.
func presigner(endpoint, region string, c s3server.Credentials) *s3.PresignClient {
	client := s3.New(s3.Options{
		Region:                     region,
		BaseEndpoint:               aws.String(endpoint),
		UsePathStyle:               true,
		Credentials:                credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	})
	return s3.NewPresignClient(client, func(o *s3.PresignOptions) {
		o.Presigner = atStart{v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })}
	})
}

type atStart struct{ signer *v4.Signer }

func (p atStart) PresignHTTP(ctx context.Context, c aws.Credentials, r *http.Request, payloadHash, service, region string, _ time.Time, optFns ...func(*v4.SignerOptions)) (string, http.Header, error) {
	return p.signer.PresignHTTP(ctx, c, r, payloadHash, service, region, start, optFns...)
}

// request is a signed request, as its holder would send it.
type request struct {
	method, url string
	headers     map[string]string
	body        []byte
}

// send sends it. Errors do not show the URL.
func (q request) send(t *testing.T) *rawhttp.Response {
	t.Helper()
	resp, err := rawhttp.Do(t.Context(), q.method, q.url, q.headers, q.body)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// signed makes a request of what the SDK presigned.
func signed(t *testing.T, p *v4.PresignedHTTPRequest, err error) request {
	t.Helper()
	if err != nil {
		t.Fatal("the SDK could not presign") // its error could show the URL
	}
	headers := map[string]string{}
	for name, values := range p.SignedHeader {
		if !strings.EqualFold(name, "host") {
			headers[strings.ToLower(name)] = strings.Join(values, ",")
		}
	}
	return request{method: p.Method, url: p.URL, headers: headers}
}

// code is the Code of an S3 error, or "".
func code(body []byte) string {
	var e struct{ Code, Message string }
	_ = xml.Unmarshal(body, &e)
	return e.Code
}

// All keys are in the bucket at the same time, and each must come back with its own bytes: a server or a client that
// made one key of two would be seen.
func TestAwkwardKeys(t *testing.T) {
	s, _ := startServer(t)
	p := presigner(s.Endpoint(), region, session)
	keys := append(awkward.Keys(), awkward.DotSegments()...)
	content := func(i int) []byte { return fmt.Appendf(nil, "content of key %d", i) }

	for i, k := range keys {
		put, err := p.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(k.Key)})
		q := signed(t, put, err)
		q.body = content(i)
		if resp := q.send(t); resp.Status != http.StatusOK {
			t.Errorf("PUT %s: %d %s", k.Name, resp.Status, code(resp.Body))
		}
	}
	for i, k := range keys {
		t.Run(k.Name, func(t *testing.T) {
			get, err := p.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(k.Key)})
			resp := signed(t, get, err).send(t)
			if resp.Status != http.StatusOK {
				t.Fatalf("GET: %d %s", resp.Status, code(resp.Body))
			}
			if !bytes.Equal(resp.Body, content(i)) {
				t.Errorf("GET: %q, want %q", resp.Body, content(i))
			}
			stored, err := s.Get(bucket, k.Key) // under exactly this key, not only under one that reads back
			if err != nil || !bytes.Equal(stored, content(i)) {
				t.Errorf("stored: %q, %v; want %q", stored, err, content(i))
			}
		})
	}
}

// Each row changes one thing about a request that works, and says what S3 answers.
func TestRefusals(t *testing.T) {
	const mismatch = "SignatureDoesNotMatch"
	query := func(old, new string) func(*testing.T, *request) {
		return func(t *testing.T, q *request) { replace(t, &q.url, old, new) }
	}
	tests := []struct {
		name   string
		put    bool // the request is the PUT; else the GET
		change func(*testing.T, *request)
		at     time.Duration // after the signing
		status int
		code   string
	}{
		{name: "signature", change: func(t *testing.T, q *request) {
			last := q.url[len(q.url)-1]
			q.url = q.url[:len(q.url)-1] + string("0123456789abcdef"[(strings.IndexByte("0123456789abcdef", last)+1)%16])
		}, status: 403, code: mismatch},
		{name: "signature cut off", change: func(t *testing.T, q *request) { q.url, _, _ = strings.Cut(q.url, "&X-Amz-Signature=") }, status: 403, code: "AccessDenied"},
		{name: "no query at all", change: func(t *testing.T, q *request) { q.url, _, _ = strings.Cut(q.url, "?") }, status: 403, code: "AccessDenied"},
		{name: "PUT with a GET's URL", change: func(t *testing.T, q *request) { q.method, q.body = "PUT", []byte("changed") }, status: 403, code: mismatch},
		{name: "DELETE with a GET's URL", change: func(t *testing.T, q *request) { q.method = "DELETE" }, status: 403, code: mismatch},
		{name: "HEAD with a GET's URL", change: func(t *testing.T, q *request) { q.method = "HEAD" }, status: 403, code: ""}, // no body, no code
		{name: "GET with a PUT's URL", put: true, change: func(t *testing.T, q *request) { q.method, q.body = "GET", nil }, status: 403, code: mismatch},
		{name: "host", change: func(t *testing.T, q *request) { q.headers["host"] = "photos.example.com" }, status: 403, code: mismatch},
		{name: "key", change: query("/a.jpg?", "/b.jpg?"), status: 403, code: mismatch},
		{name: "key, for a PUT", put: true, change: query("/new.jpg?", "/a.jpg?"), status: 403, code: mismatch},
		{name: "bucket", change: query("/photos/", "/photo/"), status: 403, code: mismatch},
		{name: "value of a signed header", put: true, change: func(t *testing.T, q *request) { q.headers["content-type"] = "text/html" }, status: 403, code: mismatch},
		{name: "signed header not sent", put: true, change: func(t *testing.T, q *request) { delete(q.headers, "content-type") }, status: 403, code: mismatch},
		{name: "signed header in the query", put: true, change: func(t *testing.T, q *request) {
			delete(q.headers, "content-type")
			replace(t, &q.url, "?", "?content-type=image%2Fpng&")
		}, status: 403, code: mismatch},
		{name: "longer body than signed", put: true, change: func(t *testing.T, q *request) { q.body = append(q.body, '!') }, status: 403, code: mismatch},
		{name: "value of signed metadata", put: true, change: func(t *testing.T, q *request) { q.headers["x-amz-meta-owner"] = "mallory" }, status: 403, code: mismatch},
		{name: "header that is not signed", put: true, change: func(t *testing.T, q *request) { q.headers["x-amz-acl"] = "public-read" }, status: 403, code: "AccessDenied"},
		{name: "copy source that is not signed", put: true, change: func(t *testing.T, q *request) { q.headers["x-amz-copy-source"] = "/photos/a.jpg" }, status: 403, code: "AccessDenied"},
		{name: "SignedHeaders", put: true, change: query("X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost", "X-Amz-SignedHeaders=content-length%3Bhost"), status: 403, code: mismatch},
		{name: "parameter added", change: query("?", "?response-content-type=text%2Fhtml&"), status: 403, code: mismatch},
		{name: "parameter removed", change: query("&x-id=GetObject", ""), status: 403, code: mismatch},
		{name: "parameter twice", change: query("?", "?X-Amz-Expires=9&"), status: 400, code: "AuthorizationQueryParametersError"},
		{name: "two signatures", change: func(t *testing.T, q *request) {
			q.headers["authorization"] = "AWS4-HMAC-SHA256 Credential=a/20261123/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=0"
		}, status: 400, code: "InvalidArgument"},
		{name: "query that cannot be parsed", change: query("?", "?%zz&"), status: 400, code: "InvalidURI"},
		{name: "region", change: query("%2Feu-west-1%2F", "%2Fus-east-1%2F"), status: 400, code: "AuthorizationQueryParametersError"},
		{name: "service", change: query("%2Fs3%2F", "%2Fsqs%2F"), status: 400, code: "AuthorizationQueryParametersError"},
		{name: "scope date", change: query("%2F20261123%2F", "%2F20261124%2F"), status: 400, code: "AuthorizationQueryParametersError"},
		{name: "date", change: query("X-Amz-Date=20261123T080000Z", "X-Amz-Date=20261123T080001Z"), status: 403, code: mismatch},
		{name: "expiry", change: query("X-Amz-Expires=900", "X-Amz-Expires=901"), status: 403, code: mismatch},
		{name: "expiry of 0", change: query("X-Amz-Expires=900", "X-Amz-Expires=0"), status: 400, code: "AuthorizationQueryParametersError"},
		{name: "expiry of more than a week", change: query("X-Amz-Expires=900", "X-Amz-Expires=604801"), status: 400, code: "AuthorizationQueryParametersError"},
		{name: "expiry that is no number", change: query("X-Amz-Expires=900", "X-Amz-Expires=-900"), status: 400, code: "AuthorizationQueryParametersError"},
		{name: "no expiry", change: query("&X-Amz-Expires=900", ""), status: 400, code: "AuthorizationQueryParametersError"},
		{name: "token", change: query("X-Amz-Security-Token=session", "X-Amz-Security-Token=Session"), status: 400, code: "InvalidToken"},
		{name: "token of another session", change: query("X-Amz-Security-Token=session%2F%2Ftoken%2B%3D%3D", "X-Amz-Security-Token=other-token"), status: 400, code: "InvalidToken"},
		{name: "no token", change: query("&X-Amz-Security-Token=session%2F%2Ftoken%2B%3D%3D", ""), status: 403, code: "InvalidAccessKeyId"},
		{name: "access key of another session", change: query("ASIASESSIONEXAMPLE00", "ASIAOTHEREXAMPLE0000"), status: 400, code: "InvalidToken"},
		{name: "unknown access key", change: query("ASIASESSIONEXAMPLE00", "ASIASESSIONEXAMPLE01"), status: 403, code: "InvalidAccessKeyId"},
		{name: "too late", at: 901 * time.Second, status: 403, code: "AccessDenied"},
		{name: "too early", at: -16 * time.Minute, status: 403, code: "AccessDenied"},
		{name: "session ended", at: time.Hour, status: 400, code: "ExpiredToken"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, clock := startServer(t)
			if err := s.Put(bucket, "a.jpg", []byte("original")); err != nil {
				t.Fatal(err)
			}
			p := presigner(s.Endpoint(), region, session)
			var q request
			if tt.put {
				put, err := p.PresignPutObject(t.Context(), &s3.PutObjectInput{
					Bucket: aws.String(bucket), Key: aws.String("new.jpg"),
					ContentType: aws.String("image/png"), ContentLength: aws.Int64(3), Metadata: map[string]string{"owner": "alice"},
				})
				q = signed(t, put, err)
				q.body = []byte("png")
				delete(q.headers, "content-length") // the client writes it, from the body
			} else {
				get, err := p.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("a.jpg")})
				q = signed(t, get, err)
			}

			changed := request{q.method, q.url, maps.Clone(q.headers), bytes.Clone(q.body)}
			if tt.change != nil {
				tt.change(t, &changed)
			}
			clock.set(start.Add(tt.at))
			resp := changed.send(t)
			if resp.Status != tt.status || code(resp.Body) != tt.code {
				t.Errorf("answer is %d %s, want %d %s", resp.Status, code(resp.Body), tt.status, tt.code)
			}
			for _, secret := range []string{session.SessionToken, session.SecretAccessKey, otherSession.SessionToken} {
				if bytes.Contains(resp.Body, []byte(secret)) {
					t.Error("the answer shows a secret")
				}
			}
			if got, err := s.Get(bucket, "a.jpg"); err != nil || string(got) != "original" {
				t.Errorf("the object is %q, %v after a refused request", got, err)
			}
			if _, err := s.Get(bucket, "new.jpg"); !s3server.NotExist(err) {
				t.Errorf("a refused PUT stored something (%v)", err)
			}

			// The control: the request as it was signed works, so the change is what was refused.
			clock.set(start)
			if resp := q.send(t); resp.Status != http.StatusOK {
				t.Errorf("unchanged: %d %s", resp.Status, code(resp.Body))
			}
		})
	}
}

// replace changes the URL and makes sure that there was something to change.
func replace(t *testing.T, url *string, old, new string) {
	t.Helper()
	if strings.Count(*url, old) == 0 {
		t.Fatalf("the URL does not contain %q", old)
	}
	*url = strings.Replace(*url, old, new, 1)
}

// A request that is properly signed, but for something else than this server.
func TestSignedForSomethingElse(t *testing.T) {
	tests := []struct {
		name    string
		region  string
		signer  s3server.Credentials
		expires time.Duration
		status  int
		code    string
	}{
		{"as it should be", region, session, time.Minute, 404, "NoSuchKey"},
		{"without a session", region, permanent, time.Minute, 404, "NoSuchKey"},
		{"longest expiry", region, permanent, 7 * 24 * time.Hour, 404, "NoSuchKey"},
		{"a second more", region, permanent, 7*24*time.Hour + time.Second, 400, "AuthorizationQueryParametersError"},
		{"another region", "us-east-1", session, time.Minute, 400, "AuthorizationQueryParametersError"},
		{"another secret", region, s3server.Credentials{AccessKeyID: permanent.AccessKeyID, SecretAccessKey: "guess"}, time.Minute, 403, "SignatureDoesNotMatch"},
		{"a token of one's own", region, s3server.Credentials{AccessKeyID: session.AccessKeyID, SecretAccessKey: session.SecretAccessKey, SessionToken: "forged"}, time.Minute, 400, "InvalidToken"},
		{"no token", region, s3server.Credentials{AccessKeyID: session.AccessKeyID, SecretAccessKey: session.SecretAccessKey}, time.Minute, 403, "InvalidAccessKeyId"},
		{"a token that was never issued", region, s3server.Credentials{AccessKeyID: permanent.AccessKeyID, SecretAccessKey: permanent.SecretAccessKey, SessionToken: "forged"}, time.Minute, 400, "InvalidToken"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := startServer(t)
			get, err := presigner(s.Endpoint(), tt.region, tt.signer).PresignGetObject(t.Context(),
				&s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("missing.jpg")}, s3.WithPresignExpires(tt.expires))
			resp := signed(t, get, err).send(t)
			if resp.Status != tt.status || code(resp.Body) != tt.code {
				t.Errorf("answer is %d %s, want %d %s", resp.Status, code(resp.Body), tt.status, tt.code)
			}
		})
	}
}

// The ends of the two clocks, to the second.
func TestExpiry(t *testing.T) {
	s, clock := startServer(t)
	if err := s.Put(bucket, "a.jpg", []byte("a")); err != nil {
		t.Fatal(err)
	}
	short, err := presigner(s.Endpoint(), region, session).PresignGetObject(t.Context(),
		&s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("a.jpg")}, s3.WithPresignExpires(time.Minute))
	shortURL := signed(t, short, err)
	long, err := presigner(s.Endpoint(), region, session).PresignGetObject(t.Context(),
		&s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("a.jpg")}, s3.WithPresignExpires(2*time.Hour))
	longURL := signed(t, long, err)

	for _, tt := range []struct {
		name string
		q    request
		at   time.Duration
		code string
	}{
		{"last second of the URL", shortURL, time.Minute, ""},
		{"a second later", shortURL, 61 * time.Second, "AccessDenied"},
		{"last second of the session", longURL, time.Hour - time.Second, ""},
		{"end of the session", longURL, time.Hour, "ExpiredToken"},
	} {
		clock.set(start.Add(tt.at))
		resp := tt.q.send(t)
		if got := code(resp.Body); got != tt.code {
			t.Errorf("%s: %d %q, want %q", tt.name, resp.Status, got, tt.code)
		}
		if tt.code == "AccessDenied" && !bytes.Contains(resp.Body, []byte("Request has expired")) {
			t.Errorf("%s: the answer does not say so", tt.name)
		}
	}
}

func TestCreateOnly(t *testing.T) {
	s, _ := startServer(t)
	put, err := presigner(s.Endpoint(), region, session).PresignPutObject(t.Context(),
		&s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("once.jpg"), IfNoneMatch: aws.String("*")})
	q := signed(t, put, err)
	for _, tt := range []struct {
		body   string
		status int
		code   string
	}{{"first", 200, ""}, {"second", 412, "PreconditionFailed"}} {
		q.body = []byte(tt.body)
		if resp := q.send(t); resp.Status != tt.status || code(resp.Body) != tt.code {
			t.Errorf("%s: %d %s, want %d %s", tt.body, resp.Status, code(resp.Body), tt.status, tt.code)
		}
	}
	if got, err := s.Get(bucket, "once.jpg"); err != nil || string(got) != "first" {
		t.Errorf("stored %q, %v; want the first", got, err)
	}
}

// Requests signed in the Authorization header, as the SDK's client sends them, go through the same gate.
func TestHeaderAuthentication(t *testing.T) {
	tests := []struct {
		name   string
		region string
		signer s3server.Credentials
		code   string
	}{
		{"as it should be", region, session, ""},
		{"without a session", region, permanent, ""},
		{"another region", "us-east-1", session, "AuthorizationHeaderMalformed"},
		{"a forged token", region, s3server.Credentials{AccessKeyID: session.AccessKeyID, SecretAccessKey: session.SecretAccessKey, SessionToken: "forged"}, "InvalidToken"},
		{"another secret", region, s3server.Credentials{AccessKeyID: permanent.AccessKeyID, SecretAccessKey: "guess"}, "SignatureDoesNotMatch"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := startServer(t)
			if err := s.Put(bucket, "a.jpg", []byte("original")); err != nil {
				t.Fatal(err)
			}
			r, err := http.NewRequestWithContext(t.Context(), "GET", s.Endpoint()+"/"+bucket+"/a.jpg", nil)
			if err != nil {
				t.Fatal(err)
			}
			const unsigned = "UNSIGNED-PAYLOAD"
			r.Header.Set("X-Amz-Content-Sha256", unsigned)
			err = v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{
				AccessKeyID: tt.signer.AccessKeyID, SecretAccessKey: tt.signer.SecretAccessKey, SessionToken: tt.signer.SessionToken,
			}, r, unsigned, "s3", tt.region, start)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if got := code(body); got != tt.code {
				t.Errorf("%d %q, want %q", resp.StatusCode, got, tt.code)
			}
			if tt.code == "" && string(body) != "original" {
				t.Errorf("%d, %q", resp.StatusCode, body)
			}
		})
	}
}

// Servers with clocks of their own share a global of gofakes3: each must still see its own time.
func TestClocksAreApart(t *testing.T) {
	now, nowClock := startServer(t)
	later, laterClock := startServer(t)
	nowClock.set(start)
	laterClock.set(start.Add(30 * time.Minute))
	sign := func(s *s3server.Server) request {
		get, err := presigner(s.Endpoint(), region, session).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("missing")})
		return signed(t, get, err)
	}
	nowURL, laterURL := sign(now), sign(later)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 50 {
			resp, err := rawhttp.Do(t.Context(), "GET", laterURL.url, nil, nil)
			if err != nil {
				t.Error(err)
			} else if code(resp.Body) != "AccessDenied" {
				t.Errorf("after its end: %d %s, want AccessDenied", resp.Status, code(resp.Body))
			}
		}
	}()
	for range 50 {
		if resp := nowURL.send(t); code(resp.Body) != "NoSuchKey" {
			t.Errorf("in time: %d %s, want NoSuchKey", resp.Status, code(resp.Body))
		}
	}
	<-done
}

func TestCredentialsAreRedacted(t *testing.T) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		got := fmt.Sprintf(verb, struct{ C s3server.Credentials }{session})
		if strings.Contains(got, session.SecretAccessKey) || strings.Contains(got, session.SessionToken) {
			t.Errorf("%s shows a secret", verb)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	for name, cfg := range map[string]s3server.Config{
		"no region":      {Credentials: []s3server.Credentials{permanent}},
		"no credentials": {Region: region},
		"bucket twice":   {Region: region, Credentials: []s3server.Credentials{permanent}, Buckets: []string{"twice", "twice"}},
	} {
		if s, err := s3server.Start(cfg); err == nil {
			s.Close()
			t.Errorf("%s: started", name)
		}
	}
}

// Package s3query asks S3 for something on a caller's behalf: which keys there are, whether
// an object is there, the id of a new upload. It asks as callers do, by query-signed URLs,
// so that the function's role needs no right beyond those that it signs with
// (s3:authType REST-QUERY-STRING), and without the SDK's client, so that nothing is loaded
// when the function starts: the first question makes the connection.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
package s3query

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"bulkpresign/internal/awserr"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/s3url"
	"bulkpresign/internal/sigv4"
)

// MaxConnections is how many questions are under way to one host at a time; more wait.
// S3 takes 5,500 GET and HEAD requests a second under a prefix.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
const MaxConnections = 64

const (
	// lifetime is that of the URLs: a question is asked at once, and clocks differ.
	lifetime = 5 * time.Minute

	// An answer that begins too late is asked for again.
	attempts       = 4
	attemptTimeout = 8 * time.Second
	firstPause     = 50 * time.Millisecond
	longestPause   = time.Second

	// maxBody is the most that is read of an answer: 1,000 keys of 1,024 bytes, each written
	// as %XX, with some 700 bytes about each, have 4 MB.
	maxBody = 8 << 20
)

// Client keeps the connections to S3. Its zero value is ready, and it is safe for concurrent
// use: one serves a whole function.
type Client struct {
	// Transport, if not nil, takes the place of the client's own.
	Transport http.RoundTripper

	once sync.Once
	own  *http.Transport
}

func (c *Client) transport() http.RoundTripper {
	if c.Transport != nil {
		return c.Transport
	}
	c.once.Do(func() {
		c.own = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 3 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
			TLSHandshakeTimeout:   3 * time.Second,
			ResponseHeaderTimeout: attemptTimeout,
			MaxConnsPerHost:       MaxConnections,
			MaxIdleConnsPerHost:   MaxConnections,
			IdleConnTimeout:       20 * time.Second, // S3's own is about that; a function that was frozen finds out late
			DisableCompression:    true,
		}
	})
	return c.own
}

// Bucket asks about one bucket with one reading of the credentials. It is a value: copy it
// as you like. What it asks counts as its role's.
type Bucket struct {
	Client      *Client
	Location    s3url.Location
	Credentials sigv4.Credentials
	Now         func() time.Time

	// Attribution goes into every URL and so into S3's access log; the names begin with
	// "x-", behind all of S3's own.
	Attribution []sigv4.Parameter
}

// Query is one question.
type Query struct {
	Operation s3op.Operation
	Options   []s3op.Option // settled: headers are sent and parameters signed
	Key       string        // of the object; with ListObjectsV2 the prefix
	Call      string        // what is tried, for the error: "list a prefix"
}

// Answer is S3's, of a status below 300.
type Answer struct {
	Header http.Header
	Body   []byte // XML, if any
}

// Ask asks, and asks again a few times where S3 is busy or the connection breaks, until the
// context ends. An error is an *awserr.Error and holds no part of the question or of the
// answer but S3's code; a HEAD, which has no body, is told by its status alone.
func (b *Bucket) Ask(ctx context.Context, q *Query) (*Answer, error) {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		answer, failed := b.attempt(ctx, q)
		if failed == nil {
			return answer, nil
		}
		if attempt == attempts || !again(failed) {
			return nil, failed
		}
		select {
		case <-ctx.Done():
			return nil, failed
		case <-time.After(pause/2 + rand.N(pause/2+1)):
		}
		pause = min(2*pause, longestPause)
	}
}

// again tells whether the same question may be answered a moment later.
func again(e *awserr.Error) bool {
	switch {
	case e.Status == 0, e.Status == http.StatusTooManyRequests, e.Code == "SlowDown", e.Code == "RequestTimeout":
		return true
	}
	return e.Status >= 500 && e.Status != http.StatusNotImplemented
}

func (b *Bucket) attempt(ctx context.Context, q *Query) (*Answer, *awserr.Error) {
	none := &awserr.Error{Call: q.Call}
	if ctx.Err() != nil {
		return nil, none
	}
	ctx, cancel := context.WithTimeout(ctx, 2*attemptTimeout) // the body, too
	defer cancel()
	request, err := b.request(ctx, q)
	if err != nil {
		return nil, none // its text may hold the URL
	}
	response, err := b.Client.transport().RoundTrip(request)
	if err != nil {
		return nil, none
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	switch {
	case response.StatusCode >= 300 || err == nil && isError(body):
		return nil, &awserr.Error{Call: q.Call, Code: code(response.StatusCode, body), Status: response.StatusCode}
	case err != nil:
		return nil, none
	case len(body) > maxBody:
		return nil, &awserr.Error{Call: q.Call, Code: "AnswerTooLarge", Status: response.StatusCode}
	}
	return &Answer{Header: response.Header, Body: body}, nil
}

// request signs the question as of now.
func (b *Bucket) request(ctx context.Context, q *Query) (*http.Request, error) {
	at := &b.Location
	signed := sigv4.Request{Origin: at.Origin, Host: at.Host, PathPrefix: at.PathPrefix, ExpiresIn: int(lifetime / time.Second)}
	q.Operation.Fill(&signed, q.Options, "")
	path := sigv4.PathOf(q.Key)
	if q.Operation.OfBucket() {
		q.Operation.FillPrefix(&signed, q.Key)
		signed.PathPrefix, path = at.BucketPath, sigv4.Path{}
	}
	signed.Query = append(signed.Query, b.Attribution...)
	presigner := sigv4.NewSigner(b.Credentials, sigv4.Scope{Time: b.Now(), Region: at.Region, Service: at.Service}).Presigner(&signed)
	signature := presigner.Sign(path)
	request, err := http.NewRequestWithContext(ctx, signed.Method, string(presigner.AppendURL(nil, path, &signature)), nil)
	if err != nil {
		return nil, err
	}
	request.Host = at.Host
	request.Header.Set("User-Agent", "bulkpresign")
	for _, h := range signed.Headers {
		request.Header.Set(h.Name, h.Value)
	}
	return request, nil
}

// Decode reads the answer's XML into v, as package encoding/xml does.
func (a *Answer) Decode(v any) error {
	if err := xml.Unmarshal(a.Body, v); err != nil {
		return errors.New("s3query: S3's answer is not the XML that it should be")
	}
	return nil
}

// isError tells whether an answer is an error all the same: S3 begins some answers before it
// knows how they end.
func isError(body []byte) bool {
	if bytes.HasPrefix(body, []byte("<?xml")) {
		_, body, _ = bytes.Cut(body, []byte("?>"))
	}
	return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<Error>"))
}

// code is S3's word for an error, or HTTP's where it gives none. Nothing else of the body is
// looked at: S3 puts tokens there.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
func code(status int, body []byte) string {
	var e struct{ Code string }
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	if xml.Unmarshal(body, &e) == nil && e.Code != "" && len(e.Code) <= 64 && strings.Trim(e.Code, letters) == "" {
		return e.Code
	}
	return http.StatusText(status)
}

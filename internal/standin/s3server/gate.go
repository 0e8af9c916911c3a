package s3server

import (
	"crypto/subtle"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rclone/gofakes3/signature"
)

// maxExpires is the longest that a signed URL may live: seven days, in seconds.
const maxExpires = 604800

// ServeHTTP lets a request through to the objects if S3 would.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if cors(w, r) {
		return
	}
	if isForm(r) {
		if e := s.form(w, r); e != nil {
			e.write(w, r)
		}
		return
	}
	e := s.authenticate(r)
	if e == nil && hasNoLength(r) {
		e = &refusal{411, "MissingContentLength", "You must provide the Content-Length HTTP header."}
	}
	if e != nil {
		e.write(w, r)
		return
	}
	dropEmptyDelimiter(r)
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	for _, name := range []string{"If-Match", "If-None-Match"} {
		if etag := r.Header.Get(name); strings.HasSuffix(etag, `"`) {
			if sum, _, inParts := strings.Cut(etag, "-"); inParts {
				if numbered, ok := s.backend.numbered(place{bucket, key}, sum); ok && numbered == etag {
					r.Header.Set(name, sum+`"`)
				}
			}
		}
	}
	noted := &statusWriter{ResponseWriter: w, status: http.StatusOK, etag: func(etag string) (string, bool) {
		return s.backend.numbered(place{bucket, key}, etag)
	}}
	s.objects.ServeHTTP(noted, r)
	noted.begin() // a HEAD writes nothing
	s.tellCreated(r, noted.status)
}

// dropEmptyDelimiter makes "delimiter=" mean what it means to S3, none: to gofakes3 it stands between any two characters. rclone
// asks so.
func dropEmptyDelimiter(r *http.Request) {
	if query, err := url.ParseQuery(r.URL.RawQuery); err == nil && query.Has("delimiter") && query.Get("delimiter") == "" {
		query.Del("delimiter")
		r.URL.RawQuery = query.Encode()
	}
}

// authenticate goes through the checks in about the order of S3: the form of the request, who it is, whether it is
// in time, and at last the signature.
func (s *Server) authenticate(r *http.Request) *refusal {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return &refusal{400, "InvalidURI", "Couldn't parse the specified URI."}
	}
	signedQuery, signedHeader := query.Has("X-Amz-Signature"), r.Header.Get("Authorization") != ""
	var a authorization
	var e *refusal
	switch {
	case signedQuery && signedHeader:
		return &refusal{400, "InvalidArgument", "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified"}
	case signedQuery:
		a, e = fromQuery(query)
	case signedHeader:
		a, e = fromHeader(r.Header)
	default:
		return &refusal{403, "AccessDenied", "Access Denied"}
	}
	if e != nil {
		return e
	}
	return s.check(r, a)
}

// authorization is what a request says about its signature.
type authorization struct {
	malformed     string // the code for a part that is wrong; S3 has one for the query and one for the header
	credential    string
	date          string // YYYYMMDDTHHMMSSZ, or "" when only the Date header gives it
	token         string
	hasToken      bool
	signedHeaders string
}

func fromQuery(query url.Values) (authorization, *refusal) {
	const code = "AuthorizationQueryParametersError"
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires"} {
		if query.Get(name) == "" {
			return authorization{}, &refusal{400, code, "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."}
		}
	}
	for name, values := range query {
		// Of two the verification would read one and sign both.
		if strings.HasPrefix(name, "X-Amz-") && len(values) > 1 {
			return authorization{}, &refusal{400, code, name + " must be given once"}
		}
	}
	expires, err := strconv.ParseUint(query.Get("X-Amz-Expires"), 10, 63)
	switch {
	case err != nil:
		return authorization{}, &refusal{400, code, "X-Amz-Expires should be a number"}
	case expires > maxExpires:
		return authorization{}, &refusal{400, code, "X-Amz-Expires must be less than a week (in seconds) that is 604800"}
	case expires == 0:
		return authorization{}, &refusal{400, code, "X-Amz-Expires must be at least 1"}
	}
	return authorization{
		malformed:     code,
		credential:    query.Get("X-Amz-Credential"),
		date:          query.Get("X-Amz-Date"),
		token:         query.Get("X-Amz-Security-Token"),
		hasToken:      query.Has("X-Amz-Security-Token"),
		signedHeaders: query.Get("X-Amz-SignedHeaders"),
	}, nil
}

func fromHeader(h http.Header) (authorization, *refusal) {
	const code = "AuthorizationHeaderMalformed"
	a := authorization{
		malformed: code,
		date:      h.Get("X-Amz-Date"),
		token:     h.Get("X-Amz-Security-Token"),
		hasToken:  len(h.Values("X-Amz-Security-Token")) > 0,
	}
	_, fields, _ := strings.Cut(h.Get("Authorization"), " ")
	for field := range strings.SplitSeq(fields, ",") {
		switch name, value, _ := strings.Cut(strings.TrimSpace(field), "="); name {
		case "Credential":
			a.credential = value
		case "SignedHeaders":
			a.signedHeaders = value
		}
	}
	if a.credential == "" || a.signedHeaders == "" {
		return a, &refusal{400, code, "The authorization header is malformed; Credential and SignedHeaders are required"}
	}
	return a, nil
}

func (s *Server) check(r *http.Request, a authorization) *refusal {
	if _, _, e := s.signer(a); e != nil {
		return e
	}
	// Without this gofakes3 would look for the header in the query, and else answer as if a header had been sent
	// and not signed. At S3 a header that was not sent makes another signature.
	if missesHeader(r, a.signedHeaders) {
		return doesNotMatch
	}
	return s.verify(r)
}

var doesNotMatch = &refusal{403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method."}

// signer looks up who says to have signed, and for what: the parts of the scope, of which the first is the access key.
func (s *Server) signer(a authorization) (c Credentials, scope []string, e *refusal) {
	scope = strings.Split(a.credential, "/")
	if len(scope) != 5 || scope[3] != "s3" || scope[4] != "aws4_request" {
		return c, nil, &refusal{400, a.malformed, `the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/s3/aws4_request".`}
	}
	accessKey, date, region := scope[0], scope[1], scope[2]
	if region != s.cfg.Region {
		return c, nil, &refusal{400, a.malformed, fmt.Sprintf("the region '%s' is wrong; expecting '%s'", region, s.cfg.Region)}
	}
	if day, _, _ := strings.Cut(a.date, "T"); a.date != "" && day != date {
		return c, nil, &refusal{400, a.malformed, fmt.Sprintf("Invalid credential date %q. This date is not the same as X-Amz-Date: %q.", date, day)}
	}

	// S3 does not know the access key of a session without its token.
	c, known := s.credentials[accessKey]
	if !known || c.SessionToken != "" && !a.hasToken {
		return c, nil, &refusal{403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."}
	}
	if a.hasToken && (c.SessionToken == "" || subtle.ConstantTimeCompare([]byte(a.token), []byte(c.SessionToken)) == 0) {
		return c, nil, &refusal{400, "InvalidToken", "The provided token is malformed or otherwise invalid."}
	}
	if !c.Expires.IsZero() && !s.cfg.Now().Before(c.Expires) {
		// S3 puts the token itself into this answer. Nobody needs that.
		return c, nil, &refusal{400, "ExpiredToken", "The provided token has expired."}
	}

	return c, scope, nil
}

// missesHeader reports whether a signed header was not sent.
func missesHeader(r *http.Request, signedHeaders string) bool {
	return slices.ContainsFunc(strings.Split(signedHeaders, ";"), func(name string) bool {
		switch name {
		case "host", "transfer-encoding": // net/http keeps these elsewhere
			return false
		}
		return len(r.Header.Values(name)) == 0
	})
}

// gofakes3 reads the time from signature.TimeNow, a variable of the whole process, so servers with clocks of their
// own have to take turns with it. A program that also uses gofakes3 with its own authentication, beside this
// package, would race with this: it must not.
var clockMu sync.Mutex

// verify is gofakes3's check of signature, time and headers.
func (s *Server) verify(r *http.Request) *refusal {
	clockMu.Lock()
	defer clockMu.Unlock()
	signature.TimeNow = s.cfg.Now
	code := signature.V4SignVerifyWithLookup(r, func(accessKey string) (string, bool) {
		c, ok := s.credentials[accessKey]
		return c.SecretAccessKey, ok
	})
	if code == signature.ErrNone {
		return nil
	}
	e := signature.GetAPIError(code)
	return &refusal{e.HTTPStatusCode, e.Code, e.Description}
}

// refusal is an S3 error. It never holds a part of the request that is secret.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
type refusal struct {
	status  int
	Code    string
	Message string
}

func (e *refusal) write(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Server", "AmazonS3")
	w.WriteHeader(e.status)
	if r.Method == http.MethodHead {
		return
	}
	body, _ := xml.Marshal(struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}{Code: e.Code, Message: e.Message})
	w.Write([]byte(xml.Header))
	w.Write(body)
}

package main

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"bulkpresign/internal/doctor"
)

// fault is a row of docs/faq.md's table: what is done to a URL for GET, the code that S3 answers with then, and what the doctor has
// to say of it, among what it holds for certain or likely, when it is shown URL and answer.
type fault struct {
	name   string
	change func(*request)
	code   string
	finds  string // a regular expression
}

var faults = []fault{
	{"another method", func(q *request) { q.method, q.body = "PUT", []byte("x") }, "SignatureDoesNotMatch", "another method|another signature"},
	{"a header that was signed is not sent", nil, "SignatureDoesNotMatch", "header"},
	{"another key", func(q *request) { q.url = strings.Replace(q.url, "GetObject%20", "GetObject%20%20", 1) }, "SignatureDoesNotMatch", "another signature"},
	{"an access key that nobody has", func(q *request) {
		q.url = setParameter(q.url, "X-Amz-Credential", "ASIANOBODYHASTHIS000"+strings.TrimPrefix(parameter(q.url, "X-Amz-Credential"), accessKeyOf(q.url)))
	}, "InvalidAccessKeyId", "access key"},
	{"a token that is cut off", func(q *request) {
		token, _ := url.QueryUnescape(parameter(q.url, "X-Amz-Security-Token"))
		// No base64 has such a length: what radosgw says depends on that.
		q.url = setParameter(q.url, "X-Amz-Security-Token", url.QueryEscape(token[:(len(token)-8)/4*4+1]))
	}, "InvalidToken", "token"},
	{"no expiry", func(q *request) {
		q.url = strings.Replace(q.url, "&X-Amz-Expires="+parameter(q.url, "X-Amz-Expires"), "", 1)
	}, "AuthorizationQueryParametersError", "X-Amz-Expires"},
	{"eight days", func(q *request) { q.url = setParameter(q.url, "X-Amz-Expires", "691200") }, "AuthorizationQueryParametersError", "week|604800"},
}

func accessKeyOf(u string) string {
	key, _, _ := strings.Cut(parameter(u, "X-Amz-Credential"), "%2F")
	return key
}

// faq tries the table of docs/faq.md.
func (r *run) faq(ctx context.Context) error {
	try := func(name string, q request, code, finds string) {
		resp, err := q.send(ctx)
		switch {
		case err != nil:
			r.record("FAQ "+name, "no answer")
			return
		case resp.Status < 400 || errorCode(resp.Body) != code:
			r.record("FAQ "+name, outcome(resp))
			return
		}
		r.record("FAQ "+name, "")
		report := doctor.Examine(q.url, resp.Body, time.Now())
		told := slices.ContainsFunc(report.Findings, func(f doctor.Finding) bool {
			return f.Likelihood != doctor.Possible && regexp.MustCompile(finds).MatchString(f.What+" "+f.Cure)
		})
		got := ""
		if !told {
			got = "it does not say so"
		}
		r.record("FAQ "+name+", doctor", got)
	}
	t, err := r.makeTarget(ctx, "GetObject", "faq")
	if err != nil {
		return err
	}
	brief, err := t.signed(ctx, r.sign, 1)
	if err != nil {
		return err
	}
	expired := time.Now().Add(2 * time.Second)
	for _, f := range faults {
		q, err := t.signed(ctx, r.sign, 900)
		if err != nil {
			return err
		}
		if f.change == nil {
			if q, err = (target{operation: "PutObject", key: t.key}).signed(ctx, r.sign, 900); err != nil {
				return err
			}
			delete(q.headers, "content-type")
		} else {
			f.change(&q)
		}
		try(f.name, q, f.code, f.finds)
	}
	wrong, err := r.function(ctx, r.region, r.signer.AccessKeyID, r.other.SecretAccessKey, r.signer.SessionToken)
	if err != nil {
		return err
	}
	defer wrong.Close()
	q, err := t.signed(ctx, wrong, 900)
	if err != nil {
		return err
	}
	try("another secret", q, "SignatureDoesNotMatch", "secret")

	// Nobody here has a clock that is an hour ahead; the SDK's signer is told a time.
	at, _, _ := strings.Cut(q.url, "?")
	ask, err := http.NewRequestWithContext(ctx, "GET", at+"?X-Amz-Expires=900", nil)
	if err != nil {
		return err
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	ahead, _, err := signer.PresignHTTP(ctx, aws.Credentials{AccessKeyID: r.signer.AccessKeyID, SecretAccessKey: r.signer.SecretAccessKey, SessionToken: r.signer.SessionToken},
		ask, "UNSIGNED-PAYLOAD", "s3", r.region, time.Now().Add(time.Hour))
	if err != nil {
		return err
	}
	try("a clock that is ahead", request{method: "GET", url: ahead, headers: map[string]string{}}, "AccessDenied", "future")

	gone, err := (target{operation: "GetObject", key: "there is no such key"}).signed(ctx, r.sign, 900)
	if err != nil {
		return err
	}
	try("no such key", gone, "NoSuchKey", "the object is not there")
	select {
	case <-time.After(time.Until(expired)):
	case <-ctx.Done():
		return ctx.Err()
	}
	try("expired", brief, "AccessDenied", "expired")
	return nil
}

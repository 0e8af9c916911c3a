// Package doctor takes a pre-signed URL that does not work apart, without sending it anywhere, and says what is wrong with
// it in order of likelihood. It knows Signature Version 4 in the query, and what becomes of URLs on their way: in mails, in
// pages, in clients that rewrite them.
//
// A URL that works is a secret. What is reported holds neither its signature nor its token, and of the access key's ID
// both ends alone.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
package doctor

import (
	"cmp"
	"slices"
	"time"
)

// Report is what was found out.
type Report struct {
	Facts    []Fact    `json:"facts"`              // what the URL says, in the order in which it says it
	Findings []Finding `json:"findings"`           // what may be wrong, the likeliest first
	Response []Line    `json:"response,omitempty"` // S3's canonical request beside the URL's, where S3 has shown its own
}

// Fact is a thing that the URL says.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Finding is a thing that is wrong, or may be.
type Finding struct {
	Likelihood Likelihood `json:"likelihood"`
	What       string     `json:"what"` // a sentence: what was found
	Cure       string     `json:"cure"` // a sentence: what to do
}

// Likelihood is how sure a finding is.
type Likelihood string

const (
	Certain  Likelihood = "certain"  // no server would take the URL so
	Likely   Likelihood = "likely"   // nearly always the reason where it is found
	Possible Likelihood = "possible" // a thing to look at: the URL alone cannot tell
)

var rank = map[Likelihood]int{Certain: 0, Likely: 1, Possible: 2}

// Line is a line of the canonical request as S3 made it from what it received, beside what the URL says. Secrets are
// left out of both.
type Line struct {
	Part string `json:"part"` // method, path, query, header NAME, signed headers, payload
	S3   string `json:"s3"`
	URL  string `json:"url"`
	Same bool   `json:"same"`
}

// Examine judges a URL at a time. response, if not empty, is the body of S3's refusal: XML, which is taken at its word.
func Examine(text string, response []byte, now time.Time) Report {
	x := &examination{now: now}
	x.unwrap(text)
	if x.parse() {
		x.parameters()
		x.lifetime()
		x.place()
		x.path()
		x.headers()
		x.added()
	}
	if len(response) > 0 {
		x.response(response)
	}
	slices.SortStableFunc(x.report.Findings, func(a, b Finding) int {
		return cmp.Compare(rank[a.Likelihood], rank[b.Likelihood])
	})
	if len(x.report.Findings) == 0 {
		x.find(Possible, "nothing is wrong with the URL itself, as far as it can be read",
			"what only S3 knows: whether the signer's role still exists and may do this, whether the object is there (without s3:ListBucket a missing one is 403), and what the bucket's policy says; send S3's answer along to learn more")
	}
	return x.report
}

// examination is one URL on its way through the checks.
type examination struct {
	now    time.Time
	report Report

	text   string // the URL, unwrapped
	scheme string
	host   string // as written, with its port
	rest   string // the path, escaped as written
	query  []parameter
	signed signature
}

// signature is what the parameters of Signature Version 4 say.
type signature struct {
	scope     []string // access key's ID, date, region, service, aws4_request
	date      time.Time
	lifetime  time.Duration
	headers   []string // signed, in lower case
	hasToken  bool
	operation string // x-id, which SDKs write and S3 ignores
}

func (x *examination) fact(name, value string) {
	x.report.Facts = append(x.report.Facts, Fact{name, value})
}

func (x *examination) find(l Likelihood, what, cure string) {
	x.report.Findings = append(x.report.Findings, Finding{l, what, cure})
}

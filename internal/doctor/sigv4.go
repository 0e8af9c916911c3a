package doctor

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	amzTime  = "20060102T150405Z"
	maxLife  = 7 * 24 * time.Hour
	skew     = 15 * time.Minute // that S3 takes
	longest  = 12 * time.Hour   // of a session, but for IAM users' federation tokens
	chained  = time.Hour        // of a role that a role assumes
	hexBytes = 32               // of a signature
)

// parameters judges what Signature Version 4 needs to be there.
func (x *examination) parameters() {
	if x.signatureVersion2() {
		return
	}
	required := []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"}
	var missing []string
	for _, name := range append(required, "X-Amz-Security-Token") {
		switch _, times := x.get(name); {
		case times > 1:
			x.find(Certain, name+" is given "+strconv.Itoa(times)+" times", "use the URL exactly as the signer gave it")
		case times == 0 && name != "X-Amz-Security-Token":
			missing = append(missing, name)
		}
	}
	if len(missing) == len(required) {
		x.find(Certain, "the URL has no signature: none of its parameters is one of Signature Version 4", "sign it; or, where the object is public, ask for it without a query")
		return
	}
	if len(missing) > 0 {
		x.find(Certain, "the URL lacks "+strings.Join(missing, ", "), "it was cut off or rewritten: copy it whole, in quotation marks")
	}
	if algorithm, _ := x.get("X-Amz-Algorithm"); algorithm != "" && algorithm != "AWS4-HMAC-SHA256" {
		x.find(Possible, "the algorithm is not AWS4-HMAC-SHA256; AWS4-ECDSA-P256-SHA256 is for Multi-Region Access Points alone", "sign with Signature Version 4")
	}
	x.credential()
	x.signatureText()
	token, times := x.get("X-Amz-Security-Token")
	x.signed.hasToken = times > 0
	if strings.HasPrefix(x.keyID(), "ASIA") && token == "" {
		x.find(Certain, "the credentials are temporary (ASIA...) and there is no X-Amz-Security-Token", "sign with the session token that came with the key")
	}
	if headers, _ := x.get("X-Amz-SignedHeaders"); headers != "" {
		x.signed.headers = strings.Split(strings.ToLower(headers), ";")
	}
	x.signed.operation, _ = x.get("x-id")
	if x.signed.operation != "" {
		x.fact("operation", x.signed.operation)
	}
}

// signatureVersion2 knows the older form, which S3 refuses in the regions that are newer than 2014 and for new buckets.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/Appendix-Sigv2.html
func (x *examination) signatureVersion2() bool {
	_, key := x.get("AWSAccessKeyId")
	_, signature := x.get("Signature")
	if key == 0 || signature == 0 {
		return false
	}
	x.find(Certain, "the URL is signed with Signature Version 2, which S3 refuses for buckets made since June 2020 and in all newer regions", "sign with Signature Version 4 (boto3: Config(signature_version='s3v4'), with the bucket's region)")
	if end, _ := x.get("Expires"); end != "" {
		if seconds, err := strconv.ParseInt(end, 10, 64); err == nil {
			x.ended(time.Unix(seconds, 0))
		}
	}
	return true
}

// credential reads KEYID/20261127/eu-west-1/s3/aws4_request.
func (x *examination) credential() {
	text, times := x.get("X-Amz-Credential")
	if times == 0 {
		return
	}
	scope := strings.Split(text, "/")
	if len(scope) < 5 || scope[len(scope)-1] != "aws4_request" {
		x.find(Certain, "X-Amz-Credential is not KEYID/DATE/REGION/SERVICE/aws4_request", "it was cut off or escaped twice: copy the URL whole")
		return
	}
	x.signed.scope = scope[len(scope)-5:]
	x.fact("signed with", ends(x.keyID()))
	x.fact("region", x.signed.scope[2])
	if service := x.signed.scope[3]; !slices.Contains([]string{"s3", "s3-object-lambda", "s3-outposts", "s3express"}, service) {
		x.find(Certain, "the URL is signed for the service "+strconv.Quote(service)+", not for S3", "sign for the service s3")
	}
}

func (x *examination) keyID() string {
	if len(x.signed.scope) == 0 {
		return ""
	}
	return x.signed.scope[0]
}

// ends is an access key's ID without its middle.
func ends(id string) string {
	if len(id) < 12 {
		return "(not shown)"
	}
	return id[:4] + "..." + id[len(id)-4:]
}

// signatureText judges the form of the signature, without repeating it.
func (x *examination) signatureText() {
	text, times := x.get("X-Amz-Signature")
	if times == 0 {
		return
	}
	raw, err := hex.DecodeString(text)
	switch {
	case len(text) < 2*hexBytes && err == nil || len(text)%2 == 1 && len(text) < 2*hexBytes:
		x.find(Certain, fmt.Sprintf("the signature is cut off: %d of 64 digits are there", len(text)), "copy the URL to its end")
	case err != nil || len(raw) != hexBytes:
		x.find(Certain, "the signature is not 64 hexadecimal digits: something was appended to it, or it is not one", "copy the URL again; a full stop or a bracket of the text around it does not belong to it")
	case strings.ToLower(text) != text:
		x.find(Certain, "the signature is in capital letters, and S3 compares it as it is", "use the URL exactly as the signer gave it")
	}
}

// lifetime judges when the URL begins and ends.
func (x *examination) lifetime() {
	date, times := x.get("X-Amz-Date")
	if times == 0 {
		return
	}
	begins, err := time.Parse(amzTime, date)
	if err != nil {
		x.find(Certain, "X-Amz-Date is not a time such as 20261127T080000Z", "copy the URL again")
		return
	}
	x.signed.date = begins
	x.fact("signed at", begins.Format(time.RFC3339))
	if scope := x.signed.scope; len(scope) > 0 && scope[1] != begins.Format("20060102") {
		x.find(Certain, "the day in X-Amz-Credential is not that of X-Amz-Date", "sign with one reading of the clock")
	}
	if ahead := begins.Sub(x.now); ahead > skew {
		x.find(Certain, "the URL is signed for a time that is "+rough(ahead)+" in the future; S3 takes 15 minutes", "set the signer's clock; the URL works from then on")
	}
	text, times := x.get("X-Amz-Expires")
	if times == 0 {
		return
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds < 1 {
		x.find(Certain, "X-Amz-Expires is not a number of seconds from 1 to 604800", "sign again")
		return
	}
	if seconds > int64(maxLife/time.Second) {
		x.find(Certain, "X-Amz-Expires is over a week (604800 seconds), which S3 refuses from the first second", "sign for a week at most; with a role for as long as its session lasts")
		return
	}
	x.signed.lifetime = time.Duration(seconds) * time.Second
	end := begins.Add(x.signed.lifetime)
	x.fact("ends", end.Format(time.RFC3339))
	if !x.now.After(end) {
		x.session()
		return
	}
	x.ended(end)
}

func (x *examination) ended(end time.Time) {
	if x.now.After(end) {
		x.find(Certain, "the URL has expired, "+rough(x.now.Sub(end))+" ago ("+end.UTC().Format(time.RFC3339)+")", "sign a new one; it cannot be prolonged")
	}
}

// session judges whether the credentials may have ended before the URL.
func (x *examination) session() {
	age := x.now.Sub(x.signed.date)
	if !x.signed.hasToken {
		return
	}
	const cure = "sign a new one, for no longer than the credentials live; a URL dies with the session that signed it"
	switch {
	case age > longest:
		x.find(Likely, "the URL is signed with a session's temporary credentials "+rough(age)+" ago, and a session lasts 12 hours at most", cure)
	case age > chained:
		x.find(Possible, "the URL is signed with temporary credentials "+rough(age)+" ago: a session of a role that another role assumed lasts an hour, and a console's or an instance's some hours", cure)
	default:
		x.find(Possible, "the URL ends with the temporary credentials that signed it, whatever X-Amz-Expires says", "compare with when they end; without that nobody can tell")
	}
}

// rough is a duration as people say it.
func rough(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " seconds"
	case d < 2*time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " minutes"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " hours"
	}
	return strconv.Itoa(int(d.Hours()/24)) + " days"
}

// headers says what the client must send.
func (x *examination) headers() {
	var must []string
	for _, name := range x.signed.headers {
		if name != "host" {
			must = append(must, name)
		}
	}
	if x.signed.headers != nil && !slices.Contains(x.signed.headers, "host") {
		x.find(Certain, "the host is not among the signed headers, as S3 demands", "sign again")
	}
	if len(must) == 0 {
		return
	}
	x.fact("headers that must be sent", strings.Join(must, ", "))
	x.find(Likely, "the client must send the headers "+strings.Join(must, ", ")+", with the very values that were signed", "send them as the signer's answer has them (curl: -H 'name: value'); a browser's link cannot")
}

// added judges what was appended after signing: every parameter is part of the signature.
func (x *examination) added() {
	last := len(x.query)
	for i, p := range x.query {
		if strings.EqualFold(p.name, "X-Amz-Signature") {
			last = i
		}
	}
	var behind []string
	for _, p := range x.query[min(last+1, len(x.query)):] {
		if name := p.name; len(name) <= 32 && !strings.HasPrefix(strings.ToLower(name), "x-amz-") {
			behind = append(behind, strconv.Quote(name))
		}
	}
	if len(behind) > 0 {
		x.find(Likely, "parameters stand behind the signature, where SDKs write none: "+strings.Join(behind, ", ")+"; what was not signed makes the signature wrong", "remove them: trackers, download managers and caches add such")
	}
	for _, p := range x.query {
		if strings.HasPrefix(p.name, "amp;") {
			x.find(Likely, `a parameter is called "amp;...": the URL was escaped for HTML twice`, "escape it once")
			break
		}
	}
	if strings.Contains(x.text, "%2525") || strings.Contains(x.text, "%252F") && strings.Contains(x.text, "X-Amz-Credential") && len(x.signed.scope) == 0 {
		x.find(Likely, "the query is escaped twice", "use the URL as it is: it needs no further escaping")
	}
}

package doctor

import (
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
)

// parameter is one of the query, escaped as written and decoded.
type parameter struct{ rawName, rawValue, name, value string }

// wrappers are services that put a URL into one of their own, and the parameter that holds it.
var wrappers = []struct{ host, parameter, who string }{
	{"safelinks.protection.outlook.com", "url", "Microsoft's Safe Links"},
	{"www.google.com", "q", "Google"},
	{"l.facebook.com", "u", "Facebook"},
	{"slack-redir.net", "url", "Slack"},
	{"linkprotect.cudasvc.com", "a", "Barracuda"},
}

var (
	gap         = regexp.MustCompile(`\s*[\r\n]+\s*`)
	softBreak   = regexp.MustCompile(`=\r?\n`)
	quotedEqual = regexp.MustCompile(`=3D`)
)

// unwrap undoes what mails, pages and shells do to a URL, and says so.
func (x *examination) unwrap(text string) {
	s := strings.TrimSpace(text)
	if outer := strings.Trim(s, "<>\"'`"); outer != s {
		s = outer // the marks that quote a URL are nobody's mistake
	}
	if softBreak.MatchString(s) || strings.Contains(s, "X-Amz-Algorithm=3D") {
		s = quotedEqual.ReplaceAllString(softBreak.ReplaceAllString(s, ""), "=")
		x.find(Likely, `the URL is written as mails are on the wire (quoted-printable: "=3D" for "=", lines that end in "=")`, "take it from the mail as it is shown, not from its source")
	}
	if gap.MatchString(s) {
		s = gap.ReplaceAllString(s, "")
		x.find(Likely, "there is a line break in the URL, as mails and terminals make them; what stands behind it was perhaps not sent", "send it as one line; a mail as HTML with a link does not break it")
	}
	if strings.ContainsAny(s, " \t") {
		x.find(Likely, "there is a space in the URL, and clients cut it there or escape it anew", "put the URL in quotation marks, and write a space of the key as %20")
		s = strings.NewReplacer(" ", "%20", "\t", "%09").Replace(s)
	}
	if strings.Contains(s, "&amp;") {
		s = html.UnescapeString(s)
		x.find(Likely, `the URL is escaped for HTML: "&amp;" stands for "&"`, "read the link from the page rather than from its source, or escape it once, not twice, where it is written")
	}
	if strings.Contains(s, `\u0026`) {
		s = strings.ReplaceAll(s, `\u0026`, "&")
		x.find(Likely, `the URL is escaped for JSON: "\u0026" stands for "&"`, "read it with a JSON parser")
	}
	if inner, who := unwrapped(s); who != "" {
		s = inner
		x.find(Possible, "the URL lies in a link of "+who+", which may have opened it before the reader did, or changed it", "send it by a way that does not rewrite links, or use the inner URL, which is the one examined here")
	}
	x.text = s
}

func unwrapped(s string) (inner, who string) {
	u, err := url.Parse(s)
	if err != nil {
		return "", ""
	}
	for _, w := range wrappers {
		if u.Hostname() == w.host || strings.HasSuffix(u.Hostname(), "."+w.host) {
			if inner := u.Query().Get(w.parameter); strings.Contains(inner, "://") {
				return inner, w.who
			}
		}
	}
	return "", ""
}

// parse takes the URL apart by hand: net/url would decode what matters here as it is written. It returns false where
// there is nothing to judge.
func (x *examination) parse() bool {
	scheme, rest, ok := strings.Cut(x.text, "://")
	if !ok || scheme != "https" && scheme != "http" {
		x.find(Certain, "this is no http or https URL", "give the whole URL, from https:// on")
		return false
	}
	x.scheme = scheme
	if scheme == "http" && strings.Contains(rest, ".amazonaws.com") {
		x.find(Possible, "the URL is for http, where whoever is on the way can read and use it, and buckets often refuse it (aws:SecureTransport)", "use https: the signature does not cover the scheme")
	}
	if before, _, ok := strings.Cut(rest, "#"); ok {
		x.find(Certain, `there is a "#" in the URL, and clients send nothing from there on`, `a "#" of a key is written %23`)
		rest = before
	}
	address, query, hasQuery := strings.Cut(rest, "?")
	at := strings.IndexByte(address, '/')
	if at < 0 {
		at = len(address)
	}
	x.host, x.rest = address[:at], address[at:]
	x.fact("host", x.host)
	if !hasQuery {
		x.find(Certain, "there is no query: what follows the \"?\" of a pre-signed URL, its signature above all, is missing", `in a shell, put the URL in quotation marks: an unquoted "&" ends the command`)
		return false
	}
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		x.query = append(x.query, parameter{name, value, decoded(name), decoded(value)})
	}
	if strings.Count(query, "?") > 0 {
		x.find(Likely, `there is a second "?" in the URL: something was appended as if it had no query`, `append with "&"; but a signed URL takes no other parameters at all`)
	}
	return true
}

// decoded is the text behind %XX, as it stands where it cannot be decoded. A plus is a plus.
func decoded(s string) string {
	if text, err := url.PathUnescape(s); err == nil {
		return text
	}
	return s
}

// get finds a parameter by its name, which S3 takes in any case.
func (x *examination) get(name string) (value string, times int) {
	for _, p := range x.query {
		if strings.EqualFold(p.name, name) {
			value = p.value
			times++
		}
	}
	return value, times
}

// path judges the key as it is written.
func (x *examination) path() {
	for segment := range strings.SplitSeq(x.rest, "/") {
		if d := decoded(segment); d == "." || d == ".." {
			x.find(Likely, `the path has a "`+d+`" segment, which browsers and curl rewrite before they send it, so that S3 is asked for another key`, "use curl with --path-as-is, or another client, or a key without such a segment")
			break
		}
	}
	if strings.Contains(x.rest, "%25") {
		x.find(Possible, "the path is perhaps escaped twice: %25 is a percent sign of the key itself", "sign the key as it is in S3, unescaped: the signer escapes it once")
	}
	if strings.Contains(x.rest, "+") {
		x.find(Possible, `there is a "+" in the path: to S3 it is a plus, and never a space; some clients rewrite it`, "a space is written %20 and a plus %2B")
	}
	for i := 0; i < len(x.rest); i++ {
		if c := x.rest[i]; c >= 0x80 || strings.IndexByte("\"<>\\^`{|}[]", c) >= 0 {
			x.find(Likely, "the path has characters that are not escaped, which each client escapes in its own way", "use the URL exactly as the signer gave it")
			break
		}
	}
	if strings.HasPrefix(x.rest, "//") {
		x.find(Possible, "the key begins with a slash, and some clients make one slash of two", "sign for the key without it, if that is what the object is called")
	}
	x.fact("path", fmt.Sprintf("%s (decoded: %s)", x.rest, decoded(x.rest)))
}

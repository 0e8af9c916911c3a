package doctor_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"bulkpresign/internal/doctor"
	"bulkpresign/internal/sigv4"
)

var now = time.Date(2026, 11, 27, 8, 0, 0, 0, time.UTC)

// secrets are what no report may repeat.
const (
	keyID  = "ASIAIOSFODNN7EXAMPLE"
	secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	token  = "IQoJb3JpZ2luX2VjEXAMPLETOKENwithmanycharacters////////////"
)

// signed is a URL as the signer makes it, at a time, for some seconds.
func signed(at time.Time, seconds int, key string, headers ...sigv4.Parameter) string {
	credentials := sigv4.Credentials{AccessKeyID: keyID, SecretAccessKey: secret, SessionToken: token}
	signer := sigv4.NewSigner(credentials, sigv4.Scope{Time: at, Region: "eu-west-1", Service: "s3"})
	presigner := signer.Presigner(&sigv4.Request{
		Method: "GET", Origin: "https://photos.s3.eu-west-1.amazonaws.com", Host: "photos.s3.eu-west-1.amazonaws.com", PathPrefix: "/",
		ExpiresIn: seconds, Headers: headers, Query: []sigv4.Parameter{{Name: "x-id", Value: "GetObject"}},
	})
	path := sigv4.PathOf(key)
	signature := presigner.Sign(path)
	return string(presigner.AppendURL(nil, path, &signature))
}

func fresh() string { return signed(now.Add(-time.Minute), 900, "a b.jpg") }

func TestExamine(t *testing.T) {
	v2 := "https://photos.s3.amazonaws.com/a.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=vjbyPxybdZaNmGa%2ByT272YEAiv4%3D&Expires=1141889120"
	tests := []struct {
		name, url, response string
		first               doctor.Likelihood // of the finding below
		want                string            // part of a finding
	}{
		{"expired", signed(now.Add(-time.Hour), 900, "a"), "", doctor.Certain, "expired, 45 minutes ago"},
		{"signed in the future", signed(now.Add(time.Hour), 900, "a"), "", doctor.Certain, "60 minutes in the future"},
		{"over a week", signed(now, 700000, "a"), "", doctor.Certain, "over a week"},
		{"the session is surely over", signed(now.Add(-13*time.Hour), 604800, "a"), "", doctor.Likely, "12 hours at most"},
		{"the session is perhaps over", signed(now.Add(-2*time.Hour), 604800, "a"), "", doctor.Possible, "lasts an hour"},
		{"signature version 2", v2, "", doctor.Certain, "Signature Version 2"},
		{"another region than the host's", strings.Replace(fresh(), "s3.eu-west-1.", "s3.us-east-2.", 1), "", doctor.Certain, "host is in us-east-2"},
		{"the global endpoint", strings.Replace(fresh(), "s3.eu-west-1.", "s3.", 1), "", doctor.Possible, "global endpoint"},
		{"a website's endpoint", strings.Replace(fresh(), "s3.eu-west-1.", "s3-website-eu-west-1.", 1), "", doctor.Certain, "website"},
		{"a header to send", signed(now, 900, "a", sigv4.Parameter{Name: "content-type", Value: "image/png"}), "", doctor.Likely, "must send the headers content-type"},
		{"a dot segment", signed(now, 900, "a/../b"), "", doctor.Likely, `".." segment`},
		{"a plus in the path", strings.Replace(fresh(), "a%20b", "a+b", 1), "", doctor.Possible, `"+" in the path`},
		{"escaped twice", signed(now, 900, "a%20b"), "", doctor.Possible, "escaped twice"},
		{"not escaped", strings.Replace(fresh(), "a%20b", "é", 1), "", doctor.Likely, "not escaped"},
		{"escaped for HTML", strings.ReplaceAll(fresh(), "&", "&amp;"), "", doctor.Likely, "escaped for HTML"},
		{"escaped for JSON", strings.ReplaceAll(fresh(), "&", `\u0026`), "", doctor.Likely, "escaped for JSON"},
		{"a signature that is cut off", fresh()[:len(fresh())-5], "", doctor.Certain, "59 of 64"},
		{"a full stop of the sentence around it", fresh() + ".", "", doctor.Certain, "64 hexadecimal digits"},
		{"a line break of a mail", fresh()[:200] + "\r\n" + fresh()[200:], "", doctor.Likely, "line break"},
		{"a mail's source", strings.ReplaceAll(fresh(), "=", "=3D"), "", doctor.Likely, "quoted-printable"},
		{"a shell that ended at the first &", strings.SplitN(fresh(), "&", 2)[0], "", doctor.Certain, "lacks X-Amz-Credential"},
		{"no query", strings.SplitN(fresh(), "?", 2)[0], "", doctor.Certain, "no query"},
		{"an anchor", strings.Replace(fresh(), "a%20b", "a#b", 1), "", doctor.Certain, `"#"`},
		{"a tracker's parameter", fresh() + "&utm_source=mail", "", doctor.Likely, "behind the signature"},
		{"no token", strings.Replace(fresh(), "X-Amz-Security-Token", "X-Other", 1), "", doctor.Certain, "no X-Amz-Security-Token"},
		{"not a URL", "photos/a.jpg", "", doctor.Certain, "no http or https"},
		{"another service", strings.Replace(fresh(), "%2Fs3%2F", "%2Fec2%2F", 1), "", doctor.Certain, `service "ec2"`},
		{"in a protected link", "https://eur03.safelinks.protection.outlook.com/?url=" + strings.NewReplacer("%", "%25", "&", "%26", "?", "%3F").Replace(fresh()), "", doctor.Possible, "Safe Links"},
		{"a date twice", fresh() + "&X-Amz-Date=20261127T080000Z", "", doctor.Certain, "given 2 times"},
		{"nothing wrong but the session", fresh(), "", doctor.Possible, "temporary credentials"},

		{"S3 says expired", fresh(), `<Error><Code>AccessDenied</Code><Message>Request has expired</Message><X-Amz-Expires>900</X-Amz-Expires><Expires>2026-11-27T07:00:00Z</Expires><ServerTime>2026-11-27T08:00:00Z</ServerTime></Error>`, doctor.Certain, "expired, at 2026-11-27T07:00:00Z"},
		{"S3 says that the token ended", fresh(), `<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message><Token-0>` + token + `</Token-0></Error>`, doctor.Certain, "credentials that signed the URL have ended"},
		{"S3 denies", fresh(), `<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`, doctor.Likely, "signature is right"},
		{"a header that was not signed", fresh(), `<Error><Code>AccessDenied</Code><Message>There were headers present in the request which were not signed</Message><HeadersNotSigned>x-amz-acl</HeadersNotSigned></Error>`, doctor.Certain, "x-amz-acl"},
		{"not S3's answer", fresh(), `<html>502</html>`, doctor.Possible, "not S3's XML"},
		{"another code", fresh(), `<Error><Code>SomethingNew</Code></Error>`, doctor.Likely, "SomethingNew"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			report := doctor.Examine(test.url, []byte(test.response), now)
			found := false
			for i, f := range report.Findings {
				found = found || f.Likelihood == test.first && strings.Contains(f.What, test.want)
				if f.What == "" || f.Cure == "" {
					t.Errorf("finding %d says nothing: %+v", i, f)
				}
			}
			if !found {
				t.Errorf("no %s finding has %q: %+v", test.first, test.want, report.Findings)
			}
			noSecrets(t, test.url, report)
		})
	}
}

// noSecrets looks for what a report must not repeat.
func noSecrets(t *testing.T, url string, report doctor.Report) {
	t.Helper()
	text, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{keyID, token, strings.ReplaceAll(token, "/", "%2F")}
	if _, signature, ok := strings.Cut(url, "X-Amz-Signature="); ok && len(signature) >= 32 {
		secrets = append(secrets, signature[:32])
	}
	for _, s := range secrets {
		if strings.Contains(string(text), s) {
			t.Error("the report repeats a secret")
		}
	}
}

// What is certain comes first, whatever else there is to say.
func TestOrder(t *testing.T) {
	report := doctor.Examine(strings.ReplaceAll(signed(now.Add(-time.Hour), 900, "a/../b%20"), "&", "&amp;"), nil, now)
	last := -1
	order := []doctor.Likelihood{doctor.Certain, doctor.Likely, doctor.Possible}
	for _, f := range report.Findings {
		at := 0
		for i, l := range order {
			if f.Likelihood == l {
				at = i
			}
		}
		if at < last {
			t.Fatalf("%s comes after %s", f.Likelihood, order[last])
		}
		last = at
	}
	if len(report.Findings) < 4 {
		t.Errorf("only %d findings", len(report.Findings))
	}
}

// S3's canonical request is compared line by line: each kind of rewriting shows in its line.
func TestCanonicalRequest(t *testing.T) {
	url := fresh()
	_, query, _ := strings.Cut(url, "?")
	query, _, _ = strings.Cut(query, "&X-Amz-Signature")
	document := func(method, path, query, host string) string {
		escape := strings.NewReplacer("&", "&amp;")
		return "<Error><Code>SignatureDoesNotMatch</Code><CanonicalRequest>" + method + "\n" + path + "\n" + escape.Replace(query) +
			"\nhost:" + host + "\n\nhost\nUNSIGNED-PAYLOAD</CanonicalRequest></Error>"
	}
	const host = "photos.s3.eu-west-1.amazonaws.com"
	for _, test := range []struct{ name, document, differs string }{
		{"all the same", document("GET", "/a%20b.jpg", query, host), ""},
		{"HEAD instead of GET", document("HEAD", "/a%20b.jpg", query, host), "method"},
		{"a path that was decoded", document("GET", "/a+b.jpg", query, host), "path"},
		{"a parameter more", document("GET", "/a%20b.jpg", query+"&z=1", host), "query"},
		{"a proxy's host", document("GET", "/a%20b.jpg", query, "proxy.example"), "header host"},
	} {
		t.Run(test.name, func(t *testing.T) {
			report := doctor.Examine(url, []byte(test.document), now)
			if len(report.Response) == 0 {
				t.Fatal("nothing was compared")
			}
			for _, line := range report.Response {
				if line.Same == (line.Part == test.differs) {
					t.Errorf("%s: same is %v", line.Part, line.Same)
				}
			}
			noSecrets(t, url, report)
		})
	}
}

// Whatever is pasted, the doctor neither fails nor repeats a secret.
func FuzzExamine(f *testing.F) {
	f.Add(fresh(), "<Error><Code>SignatureDoesNotMatch</Code><CanonicalRequest>GET\n/\n\nhost:x\n\nhost\nUNSIGNED-PAYLOAD</CanonicalRequest></Error>")
	f.Add(strings.ReplaceAll(fresh(), "&", "&amp;"), "")
	f.Fuzz(func(t *testing.T, url, response string) {
		if report := doctor.Examine(url, []byte(response), now); len(report.Findings) == 0 {
			t.Error("nothing was found, and not even that was said")
		}
	})
}

package doctor

import (
	"regexp"
	"strings"
)

// Forms of S3's hosts. https://docs.aws.amazon.com/general/latest/gr/s3.html
var (
	regional   = regexp.MustCompile(`^(?:(.+)\.)?s3(?:-fips)?(?:\.dualstack)?[.-]([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?$`)
	global     = regexp.MustCompile(`^(?:(.+)\.)?s3(?:-external-1)?\.amazonaws\.com$`)
	accelerate = regexp.MustCompile(`^(.+)\.s3-accelerate(?:\.dualstack)?\.amazonaws\.com$`)
	website    = regexp.MustCompile(`^(?:.+)\.s3-website[.-]`)
	access     = regexp.MustCompile(`\.s3-accesspoint(?:-fips)?(?:\.dualstack)?\.([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com`)
)

// place judges host and region.
func (x *examination) place() {
	host := strings.ToLower(x.host)
	if name, port, ok := strings.Cut(host, ":"); ok && (port == "443" || port == "80") {
		host = name
	}
	region := ""
	if len(x.signed.scope) > 0 {
		region = x.signed.scope[2]
	}
	inHost := ""
	switch {
	case website.MatchString(host):
		x.find(Certain, "the host is a website's endpoint, which knows no signatures", "use the REST endpoint: BUCKET.s3.REGION.amazonaws.com")
	case accelerate.MatchString(host):
		x.bucket(accelerate.FindStringSubmatch(host)[1])
	case regional.MatchString(host):
		m := regional.FindStringSubmatch(host)
		inHost = m[2]
		x.bucket(m[1])
	case access.MatchString(host):
		inHost = access.FindStringSubmatch(host)[1]
	case global.MatchString(host):
		x.bucket(global.FindStringSubmatch(host)[1])
		if region != "" && region != "us-east-1" {
			x.find(Possible, "the host is the global endpoint, and the URL is signed for "+region+": S3 may answer with a redirect, which ends the signature", "sign for the regional host: BUCKET.s3."+region+".amazonaws.com")
		}
	case strings.HasSuffix(host, ".amazonaws.com"):
	default:
		x.find(Possible, "the host is none of Amazon S3's: the signature covers it, so it must be the one that the client asks, behind a proxy too", "sign for the name that clients use")
	}
	if inHost != "" && region != "" && inHost != region {
		x.find(Certain, "the host is in "+inHost+" and the URL is signed for "+region, "sign with the bucket's region, and let the SDK make the host of it")
	}
}

// bucket notes which one the URL is for: of the host, or else of the path.
func (x *examination) bucket(inHost string) {
	if inHost == "" {
		inHost, _, _ = strings.Cut(strings.TrimPrefix(x.rest, "/"), "/")
	} else if strings.Contains(inHost, ".") && x.scheme == "https" {
		x.find(Possible, "the bucket's name has a dot, so the certificate of Amazon S3 does not cover this host", "sign with path-style addressing")
	}
	x.fact("bucket", inHost)
}

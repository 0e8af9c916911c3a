package s3url

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// CheckEndpoint says what is wrong with a URL that is to stand in AWS's place. Host and
// port must be written as clients write them into the Host header, which is signed.
func CheckEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil {
		return errors.New("it is not a URL")
	}
	port, portErr := strconv.ParseUint(u.Port(), 10, 16)
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("it must begin with http:// or https://")
	case u.Hostname() == "":
		return errors.New("it has no host")
	case strings.Trim(u.Hostname(), "abcdefghijklmnopqrstuvwxyz0123456789.-:%_") != "":
		return errors.New("its host must be in lower case, and in ASCII (xn--...) where it has other letters")
	case strings.HasSuffix(u.Host, ":"), u.Port() != "" && (portErr != nil || port == 0 || u.Port()[0] == '0'):
		return errors.New("its port must be a number from 1 to 65535 without leading zeros, or left out with its colon")
	case u.User != nil:
		return errors.New("it must not hold a user or password")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return errors.New("it must not have a query or a fragment")
	case strings.Trim(u.EscapedPath(), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/") != "":
		return errors.New("its path may hold only letters, digits and -._~/")
	}
	return nil
}

// contradiction finds an endpoint that cannot be meant for the bucket: URLs for it would be signed, and each would be
// refused. What AWS's hosts look like: https://docs.aws.amazon.com/general/latest/gr/s3.html
func contradiction(bucket string, s Settings) error {
	if zone := strings.TrimRight(s.Region, "abcdefghijklmnopqrstuvwxyz"); zone != s.Region && zone != "" && len(s.Region)-len(zone) == 1 && zone[len(zone)-1] >= '0' && zone[len(zone)-1] <= '9' && strings.Count(s.Region, "-") >= 2 {
		return fmt.Errorf("%s is an availability zone: write its region, %s", s.Region, zone)
	}
	if s.Endpoint == "" {
		if s.Addressing == Host {
			return errors.New("with the addressing host the endpoint is the bucket, and there is none: set it to the name that leads to the bucket")
		}
		return nil
	}
	u, err := url.Parse(s.Endpoint)
	if err != nil {
		return errors.New("the endpoint is not a URL")
	}
	host := u.Hostname()
	if s.Addressing == Host {
		return nil
	}
	if strings.HasPrefix(host, bucket+".") {
		return fmt.Errorf("the endpoint %s names the bucket already, which would stand there twice: leave the bucket out of it, or set the addressing host if the endpoint is the bucket itself", host)
	}
	if path := strings.Trim(u.Path, "/"); path == bucket {
		return fmt.Errorf("the endpoint ends in /%s, the bucket, which would stand there twice: leave it out", bucket)
	}
	if !strings.HasSuffix(host, ".amazonaws.com") && !strings.HasSuffix(host, ".amazonaws.com.cn") {
		return nil
	}
	if host == "s3.amazonaws.com" || host == "s3-external-1.amazonaws.com" {
		if s.Region != "us-east-1" {
			return fmt.Errorf("the endpoint %s is the global one, where URLs of %s are redirected and then refused: leave it out, or write https://s3.%s.amazonaws.com", host, s.Region, s.Region)
		}
		return nil
	}
	if region := regionOf(host); region != "" && region != s.Region {
		return fmt.Errorf("the endpoint %s is in %s, and the bucket in %s: leave the endpoint out, or let both name one region", host, region, s.Region)
	}
	return nil
}

// regionOf finds the region in the host of an endpoint of AWS, or "".
func regionOf(host string) string {
	for label := range strings.SplitSeq(host, ".") {
		label = strings.TrimPrefix(label, "s3-")
		if strings.Count(label, "-") >= 2 && label[len(label)-1] >= '0' && label[len(label)-1] <= '9' && !strings.HasPrefix(label, "vpce-") {
			return label
		}
	}
	return ""
}

// endpointItself is where a bucket lies whose endpoint is the bucket: a CNAME, or a proxy in front of it.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html#VirtualHostingCustomURLs
func endpointItself(s Settings) (Location, error) {
	u, err := url.Parse(s.Endpoint)
	if err != nil {
		return Location{}, errors.New("the endpoint is not a URL")
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	l := Location{
		Origin:     u.Scheme + "://" + u.Host,
		Host:       withoutDefaultPort(u),
		PathPrefix: path + "/",
		BucketPath: path,
		FormURL:    u.Scheme + "://" + u.Host + path,
		Region:     s.Region,
		Service:    "s3",
	}
	if l.BucketPath == "" {
		l.BucketPath = "/"
	}
	return l, nil
}

// Package s3url knows where a bucket's URLs lead: scheme, host and the path up to
// the key, and for which region and service a signature must be made. The SDK's own
// endpoint rules decide; they are asked once for a bucket, never for a key.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
package s3url

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/auth"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Addressing says where the bucket stands in a URL.
type Addressing string

const (
	Auto    Addressing = "auto"    // virtual-hosted on AWS, path on an endpoint of one's own
	Virtual Addressing = "virtual" // in the host: https://bucket.host/key
	Path    Addressing = "path"    // in the path: https://host/bucket/key
	Host    Addressing = "host"    // nowhere: the endpoint is the bucket, https://endpoint/key
)

// Settings say which endpoint is meant. The SDK's names.
type Settings struct {
	Region     string     // the bucket's
	Endpoint   string     // a URL that takes AWS's place, or empty
	Addressing Addressing // empty is Auto
	DualStack  bool
	FIPS       bool
	Accelerate bool
}

// Location is where the keys of one bucket are.
type Location struct {
	Origin     string // scheme and host: "https://photos.s3.eu-west-1.amazonaws.com"
	Host       string // what clients send as Host: Origin's, less a default port
	PathPrefix string // what stands before the escaped key: "/" or "/photos/"
	BucketPath string // the path of the bucket itself: "/" or "/photos"
	FormURL    string // where forms go: the bucket's URL as the SDK writes it
	Region     string // of the credential scope
	Service    string // of the credential scope
}

// Folder is a part of a bucket: the keys that begin with a prefix.
type Folder struct {
	Owner string // the account that owns the bucket, or empty

	Bucket   string
	Prefix   string
	Region   string // of the bucket
	Location Location
}

// UnsupportedError is a bucket that exists but cannot be signed for. Its text may be
// shown to the caller.
type UnsupportedError struct{ Reason string }

func (e *UnsupportedError) Error() string { return e.Reason }

// Resolve finds where bucket, a name or an access point's ARN, lies. It does no I/O.
// An *UnsupportedError says that SigV4 is not what the bucket takes; any other error
// that the settings contradict each other.
func Resolve(ctx context.Context, bucket string, s Settings) (Location, error) {
	if err := supported(bucket); err != nil {
		return Location{}, err
	}
	if err := contradiction(bucket, s); err != nil {
		return Location{}, err
	}
	if s.Addressing == Host {
		return endpointItself(s)
	}
	params := s3.EndpointParameters{
		Bucket:                         aws.String(bucket),
		Region:                         aws.String(s.Region),
		UseFIPS:                        aws.Bool(s.FIPS),
		UseDualStack:                   aws.Bool(s.DualStack),
		ForcePathStyle:                 aws.Bool(s.Addressing == Path || s.Addressing != Virtual && s.Endpoint != ""),
		Accelerate:                     aws.Bool(s.Accelerate),
		DisableMultiRegionAccessPoints: aws.Bool(true),
		UseArnRegion:                   aws.Bool(true), // an ARN names its region; the configuration allowed it
	}
	if s.Endpoint != "" {
		params.Endpoint = aws.String(s.Endpoint)
	}
	resolved, err := s3.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, params.WithDefaults())
	if err != nil {
		return Location{}, fmt.Errorf("no endpoint for the bucket: %w", err)
	}
	l := Location{
		Origin:     resolved.URI.Scheme + "://" + resolved.URI.Host,
		Host:       withoutDefaultPort(&resolved.URI),
		PathPrefix: smithyhttp.JoinPath(resolved.URI.EscapedPath(), "/"),
	}
	l.BucketPath = l.PathPrefix
	l.FormURL = l.Origin + resolved.URI.EscapedPath()
	if !strings.HasSuffix(l.PathPrefix, "/") {
		l.PathPrefix += "/"
	}
	options, _ := auth.GetAuthOptions(&resolved.Properties)
	for _, o := range options {
		if o.SchemeID != sigV4 {
			continue
		}
		l.Region, _ = smithyhttp.GetSigV4SigningRegion(&o.SignerProperties)
		l.Service, _ = smithyhttp.GetSigV4SigningName(&o.SignerProperties)
		return l, nil
	}
	return Location{}, &UnsupportedError{"the bucket's endpoint does not take Signature Version 4"}
}

// sigV4 is what the resolver's rules call Signature Version 4.
const sigV4 = "sigv4"

// supported refuses the buckets that SigV4 with a role's credentials does not reach.
func supported(bucket string) error {
	switch {
	case bucket == "":
		return errors.New("the bucket's name is empty")
	case strings.HasSuffix(bucket, "--x-s3"), strings.HasSuffix(bucket, "--xa-s3"), strings.HasPrefix(bucket, "arn:") && strings.Contains(bucket, ":s3express:"):
		return &UnsupportedError{"S3 Express One Zone buckets need a session for each URL and are not supported"}
	case strings.HasSuffix(bucket, ".mrap"): // an ARN; S3 reserves the ending in plain names
		return &UnsupportedError{"Multi-Region Access Points need Signature Version 4A and are not supported; use a bucket of one region"}
	case strings.HasSuffix(bucket, "--op-s3"), strings.HasPrefix(bucket, "arn:") && strings.Contains(bucket, ":s3-outposts:"):
		return &UnsupportedError{"S3 on Outposts needs Signature Version 4A and is not supported"}
	}
	return nil
}

// withoutDefaultPort is the host as HTTP clients write it into the Host header.
//
// The SDK also takes the brackets off an IPv6 address there, which no client does:
// its URLs for http://[::1]:80 are refused everywhere. Here they stay.
func withoutDefaultPort(u *url.URL) string {
	if port := u.Port(); port == "80" && u.Scheme == "http" || port == "443" && u.Scheme == "https" {
		return strings.TrimSuffix(u.Host, ":"+port)
	}
	return u.Host
}

package s3url_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/s3url"
)

// Where buckets lie. Each row is what AWS documents for the endpoint, not what the
// resolver happens to say.
//
//   - https://docs.aws.amazon.com/general/latest/gr/s3.html
//   - https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
//   - https://docs.aws.amazon.com/AmazonS3/latest/userguide/dual-stack-endpoints.html
//   - https://docs.aws.amazon.com/AmazonS3/latest/userguide/transfer-acceleration-getting-started.html
func TestResolve(t *testing.T) {
	for _, test := range []struct {
		name     string
		bucket   string
		settings s3url.Settings
		url      string // up to the key
		host     string // if it is not the URL's
		region   string // if it is not the settings'
		service  string // if it is not s3
	}{
		{name: "regional", bucket: "photos", settings: s3url.Settings{Region: "eu-west-1"},
			url: "https://photos.s3.eu-west-1.amazonaws.com/"},
		{name: "us-east-1 is regional too", bucket: "photos", settings: s3url.Settings{Region: "us-east-1"},
			url: "https://photos.s3.us-east-1.amazonaws.com/"},
		{name: "China", bucket: "photos", settings: s3url.Settings{Region: "cn-north-1"},
			url: "https://photos.s3.cn-north-1.amazonaws.com.cn/"},
		{name: "GovCloud", bucket: "photos", settings: s3url.Settings{Region: "us-gov-west-1"},
			url: "https://photos.s3.us-gov-west-1.amazonaws.com/"},
		{name: "a region that this SDK has not heard of", bucket: "photos", settings: s3url.Settings{Region: "eu-moon-7"},
			url: "https://photos.s3.eu-moon-7.amazonaws.com/"},
		{name: "dual-stack", bucket: "photos", settings: s3url.Settings{Region: "eu-west-1", DualStack: true},
			url: "https://photos.s3.dualstack.eu-west-1.amazonaws.com/"},
		{name: "dual-stack in China", bucket: "photos", settings: s3url.Settings{Region: "cn-north-1", DualStack: true},
			url: "https://photos.s3.dualstack.cn-north-1.amazonaws.com.cn/"},
		{name: "FIPS", bucket: "photos", settings: s3url.Settings{Region: "us-east-1", FIPS: true},
			url: "https://photos.s3-fips.us-east-1.amazonaws.com/"},
		{name: "FIPS in GovCloud", bucket: "photos", settings: s3url.Settings{Region: "us-gov-east-1", FIPS: true},
			url: "https://photos.s3-fips.us-gov-east-1.amazonaws.com/"},
		{name: "FIPS and dual-stack", bucket: "photos", settings: s3url.Settings{Region: "us-east-1", FIPS: true, DualStack: true},
			url: "https://photos.s3-fips.dualstack.us-east-1.amazonaws.com/"},
		{name: "acceleration", bucket: "photos", settings: s3url.Settings{Region: "eu-west-1", Accelerate: true},
			url: "https://photos.s3-accelerate.amazonaws.com/"},
		{name: "acceleration and dual-stack", bucket: "photos", settings: s3url.Settings{Region: "eu-west-1", Accelerate: true, DualStack: true},
			url: "https://photos.s3-accelerate.dualstack.amazonaws.com/"},

		{name: "path", bucket: "photos", settings: s3url.Settings{Region: "eu-west-1", Addressing: s3url.Path},
			url: "https://s3.eu-west-1.amazonaws.com/photos/"},
		{name: "virtual", bucket: "photos", settings: s3url.Settings{Region: "eu-west-1", Addressing: s3url.Virtual},
			url: "https://photos.s3.eu-west-1.amazonaws.com/"},
		{name: "dotted: no certificate covers the host", bucket: "photos.example.com", settings: s3url.Settings{Region: "eu-west-1"},
			url: "https://s3.eu-west-1.amazonaws.com/photos.example.com/"},
		{name: "upper case, an old bucket of us-east-1", bucket: "Photos_2006", settings: s3url.Settings{Region: "us-east-1"},
			url: "https://s3.us-east-1.amazonaws.com/Photos_2006/"},
		{name: "dotted, dual-stack", bucket: "a.b.c", settings: s3url.Settings{Region: "eu-west-1", DualStack: true},
			url: "https://s3.dualstack.eu-west-1.amazonaws.com/a.b.c/"},

		{name: "endpoint", bucket: "photos", settings: s3url.Settings{Region: "eu-west-1", Endpoint: "http://127.0.0.1:9000"},
			url: "http://127.0.0.1:9000/photos/"},
		{name: "endpoint with a slash", bucket: "photos", settings: s3url.Settings{Region: "eu-west-1", Endpoint: "http://minio:9000/"},
			url: "http://minio:9000/photos/"},
		{name: "endpoint with a path", bucket: "photos", settings: s3url.Settings{Region: "eu-west-1", Endpoint: "https://example.com/s3/v1"},
			url: "https://example.com/s3/v1/photos/"},
		{name: "endpoint, virtual", bucket: "photos", settings: s3url.Settings{Region: "eu-west-1", Endpoint: "https://example.com", Addressing: s3url.Virtual},
			url: "https://photos.example.com/"},
		{name: "endpoint, auto", bucket: "photos", settings: s3url.Settings{Region: "eu-west-1", Endpoint: "https://example.com", Addressing: s3url.Auto},
			url: "https://example.com/photos/"},
		{name: "an address has no subdomains", bucket: "photos", settings: s3url.Settings{Region: "eu-west-1", Endpoint: "http://127.0.0.1:9000", Addressing: s3url.Virtual},
			url: "http://127.0.0.1:9000/photos/"},
		{name: "default port of http", bucket: "photos", settings: s3url.Settings{Region: "eu-west-1", Endpoint: "http://minio:80"},
			url: "http://minio:80/photos/", host: "minio"},
		{name: "default port of https", bucket: "photos", settings: s3url.Settings{Region: "eu-west-1", Endpoint: "https://example.com:443"},
			url: "https://example.com:443/photos/", host: "example.com"},
		{name: "default port, virtual", bucket: "photos", settings: s3url.Settings{Region: "eu-west-1", Endpoint: "https://example.com:443", Addressing: s3url.Virtual},
			url: "https://photos.example.com:443/", host: "photos.example.com"},
		{name: "the other scheme's default port", bucket: "photos", settings: s3url.Settings{Region: "eu-west-1", Endpoint: "http://minio:443"},
			url: "http://minio:443/photos/"},
		{name: "IPv6", bucket: "photos", settings: s3url.Settings{Region: "eu-west-1", Endpoint: "http://[::1]:9000"},
			url: "http://[::1]:9000/photos/"},
		{name: "IPv6 without a port", bucket: "photos", settings: s3url.Settings{Region: "eu-west-1", Endpoint: "https://[2001:db8::1]"},
			url: "https://[2001:db8::1]/photos/"},
		// The SDK signs "::1" here, which no client sends.
		{name: "IPv6 with the default port", bucket: "photos", settings: s3url.Settings{Region: "eu-west-1", Endpoint: "http://[::1]:80"},
			url: "http://[::1]:80/photos/", host: "[::1]"},

		{name: "the endpoint is the bucket", bucket: "photos", settings: s3url.Settings{Region: "eu-west-1", Endpoint: "https://files.example.com", Addressing: s3url.Host},
			url: "https://files.example.com/"},
		{name: "the endpoint is the bucket, with a default port and a path", bucket: "photos", settings: s3url.Settings{Region: "eu-west-1", Endpoint: "https://files.example.com:443/f/", Addressing: s3url.Host},
			url: "https://files.example.com:443/f/", host: "files.example.com"},
		{name: "a VPC's endpoint", bucket: "photos", settings: s3url.Settings{Region: "us-east-1", Endpoint: "https://bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com"},
			url: "https://bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com/photos/"},
		{name: "the endpoint that the SDK would take", bucket: "photos", settings: s3url.Settings{Region: "eu-west-1", Endpoint: "https://s3.eu-west-1.amazonaws.com"},
			url: "https://s3.eu-west-1.amazonaws.com/photos/"},

		{name: "access point", bucket: "arn:aws:s3:us-west-2:123456789012:accesspoint/ap", settings: s3url.Settings{Region: "us-west-2"},
			url: "https://ap-123456789012.s3-accesspoint.us-west-2.amazonaws.com/"},
		{name: "access point in another region", bucket: "arn:aws:s3:us-west-2:123456789012:accesspoint:ap", settings: s3url.Settings{Region: "eu-west-1"},
			url: "https://ap-123456789012.s3-accesspoint.us-west-2.amazonaws.com/", region: "us-west-2"},
		{name: "access point in China", bucket: "arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/ap", settings: s3url.Settings{Region: "cn-north-1"},
			url: "https://ap-123456789012.s3-accesspoint.cn-north-1.amazonaws.com.cn/"},
		{name: "access point, dual-stack", bucket: "arn:aws:s3:us-west-2:123456789012:accesspoint/ap", settings: s3url.Settings{Region: "us-west-2", DualStack: true},
			url: "https://ap-123456789012.s3-accesspoint.dualstack.us-west-2.amazonaws.com/"},
		{name: "alias of an access point", bucket: "ap-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias", settings: s3url.Settings{Region: "us-west-2"},
			url: "https://ap-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias.s3.us-west-2.amazonaws.com/"},
		{name: "Object Lambda", bucket: "arn:aws:s3-object-lambda:us-west-2:123456789012:accesspoint/ol", settings: s3url.Settings{Region: "us-west-2"},
			url: "https://ol-123456789012.s3-object-lambda.us-west-2.amazonaws.com/", service: "s3-object-lambda"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := s3url.Resolve(t.Context(), test.bucket, test.settings)
			if err != nil {
				t.Fatal(err)
			}
			scheme, rest, _ := strings.Cut(test.url, "://")
			host, path, _ := strings.Cut(rest, "/")
			want := s3url.Location{
				Origin: scheme + "://" + host, Host: host, PathPrefix: "/" + path,
				Region: test.settings.Region, Service: "s3",
			}
			if test.host != "" {
				want.Host = test.host
			}
			if test.region != "" {
				want.Region = test.region
			}
			if test.service != "" {
				want.Service = test.service
			}
			if want.BucketPath = strings.TrimSuffix(want.PathPrefix, "/"); want.BucketPath == "" {
				want.BucketPath = "/"
			}
			want.FormURL = want.Origin + strings.TrimSuffix(want.PathPrefix, "/")
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// Buckets that exist and that SigV4 does not reach: the caller is told why.
func TestUnsupported(t *testing.T) {
	for _, bucket := range []string{
		"arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap",
		"arn:aws:s3::123456789012:accesspoint:mfzwi23gnjvgw.mrap",
		"photos--use1-az4--x-s3",
		"photos--usw2-az1--xa-s3", // an access point of such a bucket
		"arn:aws:s3express:us-west-2:123456789012:bucket/photos--usw2-az1--x-s3",
		"arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-01234567890123456/accesspoint/ap",
		"arn:aws:s3-outposts:us-west-2:123456789012:outpost:op-01234567890123456:accesspoint:ap",
		// The alias of an Outposts access point looks like a name.
		"test-accessp-o0b1d075431d83bebde8xz5w8ijx1qzlbp3i3kuse10--op-s3",
	} {
		_, err := s3url.Resolve(t.Context(), bucket, s3url.Settings{Region: "us-west-2"})
		var unsupported *s3url.UnsupportedError
		if !errors.As(err, &unsupported) || unsupported.Reason == "" {
			t.Errorf("%s: %v, want an UnsupportedError", bucket, err)
		}
	}
}

// Settings that contradict each other are an error, and none that a caller is told.
func TestContradictions(t *testing.T) {
	for _, test := range []struct {
		name, bucket string
		settings     s3url.Settings
	}{
		{"no bucket", "", s3url.Settings{Region: "eu-west-1"}},
		{"no region", "photos", s3url.Settings{}},
		{"FIPS in China", "photos", s3url.Settings{Region: "cn-north-1", FIPS: true}},
		{"acceleration with FIPS", "photos", s3url.Settings{Region: "us-east-1", FIPS: true, Accelerate: true}},
		{"acceleration with path", "photos", s3url.Settings{Region: "us-east-1", Addressing: s3url.Path, Accelerate: true}},
		{"acceleration of a dotted bucket", "a.b.c", s3url.Settings{Region: "us-east-1", Accelerate: true}},
		{"acceleration of an endpoint", "photos", s3url.Settings{Region: "us-east-1", Endpoint: "https://example.com", Accelerate: true}},
		{"dual-stack of an endpoint", "photos", s3url.Settings{Region: "us-east-1", Endpoint: "https://example.com", DualStack: true}},
		{"access point with path", "arn:aws:s3:us-west-2:123456789012:accesspoint/ap", s3url.Settings{Region: "us-west-2", Addressing: s3url.Path}},
		{"access point with acceleration", "arn:aws:s3:us-west-2:123456789012:accesspoint/ap", s3url.Settings{Region: "us-west-2", Accelerate: true}},
		{"another service's ARN", "arn:aws:sns:us-west-2:123456789012:topic", s3url.Settings{Region: "us-west-2"}},
		{"a bucket's ARN", "arn:aws:s3:::photos", s3url.Settings{Region: "us-west-2"}},
		{"half an ARN", "arn:aws:s3:us-west-2", s3url.Settings{Region: "us-west-2"}},
	} {
		_, err := s3url.Resolve(t.Context(), test.bucket, test.settings)
		var unsupported *s3url.UnsupportedError
		if err == nil || errors.As(err, &unsupported) {
			t.Errorf("%s: %v, want another error than UnsupportedError", test.name, err)
		}
	}
}

func TestCheckEndpoint(t *testing.T) {
	for endpoint, ok := range map[string]bool{
		"https://example.com":           true,
		"https://example.com/":          true,
		"http://127.0.0.1:9000":         true,
		"http://[::1]:9000":             true,
		"https://example.com/base/path": true,
		"https://example.com:443":       true,
		"HTTPS://example.com":           true,

		"":                                   false,
		"example.com":                        false,
		"example.com:9000":                   false,
		"//example.com":                      false,
		"ftp://example.com":                  false,
		"s3://photos":                        false,
		"https://":                           false,
		"https:///path":                      false,
		"https://:9000":                      false,
		"https://user@example.com":           false,
		"https://user:hunter2@example.com":   false,
		"https://example.com?a=b":            false,
		"https://example.com?":               false,
		"https://example.com#a":              false,
		"https://example.com/a%20b":          false, // the SDK signs another path here than it sends
		"https://example.com/a b":            false,
		"https://example.com/ü":              false,
		"https://exa mple.com":               false,
		"https://example.com:port":           false,
		"https://user:hunter2@exa mple.com/": false,
		" https://example.com":               false,
		"https://example.com\n":              false,
		// Clients write these hosts differently into their requests than they were signed.
		"https://bücher.example":   false,
		"https://EXAMPLE.com":      false,
		"https://example.com:":     false,
		"https://example.com:080":  false,
		"https://example.com:0":    false,
		"http://example.com:99999": false,
	} {
		err := s3url.CheckEndpoint(endpoint)
		if (err == nil) != ok {
			t.Errorf("%q: %v", endpoint, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Error("the error repeats a password")
		}
	}
}

// Settings with which every URL would be refused are refused themselves, with what to write.
func TestHopelessEndpoints(t *testing.T) {
	for _, test := range []struct {
		name     string
		settings s3url.Settings
		want     string
	}{
		{"the bucket's own host as the endpoint", s3url.Settings{Region: "eu-west-1", Endpoint: "https://photos.s3.eu-west-1.amazonaws.com"}, "names the bucket already"},
		{"the bucket's name on a server of one's own", s3url.Settings{Region: "eu-west-1", Endpoint: "http://photos.minio.example:9000", Addressing: s3url.Virtual}, "names the bucket already"},
		{"the bucket in the endpoint's path", s3url.Settings{Region: "eu-west-1", Endpoint: "https://minio.example/photos/"}, "ends in /photos"},
		{"the global endpoint", s3url.Settings{Region: "eu-west-1", Endpoint: "https://s3.amazonaws.com"}, "https://s3.eu-west-1.amazonaws.com"},
		{"another region's endpoint", s3url.Settings{Region: "eu-west-1", Endpoint: "https://s3.us-west-2.amazonaws.com"}, "is in us-west-2"},
		{"another region's endpoint, in the old form", s3url.Settings{Region: "eu-west-1", Endpoint: "https://s3-us-west-2.amazonaws.com"}, "is in us-west-2"},
		{"an availability zone", s3url.Settings{Region: "eu-west-1a"}, "write its region, eu-west-1"},
		{"host without an endpoint", s3url.Settings{Region: "eu-west-1", Addressing: s3url.Host}, "the endpoint is the bucket, and there is none"},
	} {
		_, err := s3url.Resolve(t.Context(), "photos", test.settings)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
	if _, err := s3url.Resolve(t.Context(), "photos", s3url.Settings{Region: "us-east-1", Endpoint: "https://s3.amazonaws.com"}); err != nil {
		t.Errorf("the global endpoint is us-east-1's own: %v", err)
	}
}

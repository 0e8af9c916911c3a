package botooracle

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"bulkpresign/internal/check/sdkoracle"
)

// Meaning says what a presigned request asks for, apart from how it is written:
// "scheme", "host", "path" and the names of parameters and headers to their values. A hoisted
// header and one that is sent mean the same. Left out: the signature, the list of what
// is signed, and x-id, which S3 ignores.
func Meaning(t testing.TB, rawURL string, header http.Header) map[string]string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal("the URL does not parse")
	}
	m := map[string]string{"scheme": u.Scheme, "host": strings.ToLower(u.Host), "path": u.Path}
	for name, values := range u.Query() {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") {
			name = lower
		}
		m[name] = strings.Join(values, "|")
	}
	for name, values := range header {
		name = strings.ToLower(name)
		if _, twice := m[name]; twice && name != "host" {
			t.Errorf("%s is in the query and in a header", name)
		}
		if name != "host" {
			m[name] = strings.Join(strings.Fields(strings.Join(values, "|")), " ")
		}
	}
	for _, name := range []string{"x-amz-signature", "x-amz-signedheaders", "x-id"} {
		maps.DeleteFunc(m, func(n, _ string) bool { return n == name })
	}
	return m
}

// Differing lists the names under which two meanings differ, sorted.
func Differing(a, b map[string]string) []string {
	var names []string
	for name := range a {
		if v, ok := b[name]; !ok || v != a[name] {
			names = append(names, name)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// WithoutDifferences changes a request so that it has none of the things in which boto3 is
// known to differ; TestDifferences has a row for each.
func WithoutDifferences(in sdkoracle.Input) sdkoracle.Input {
	if scheme, rest, ok := strings.Cut(in.EndpointURL, "://"); ok {
		in.EndpointURL = scheme + "://" + strings.ReplaceAll(rest, "//", "/")
	}
	in.Bucket = strings.TrimSuffix(in.Bucket, ".0.x")
	for name, value := range in.Options {
		switch v := value.(type) {
		case string:
			in.Options[name] = strings.ReplaceAll(v, "\t", " ")
		case map[string]string:
			for k := range v {
				v[k] = strings.ReplaceAll(v[k], "\t", " ")
			}
		}
	}
	if in.Options["content_length"] == int64(0) {
		in.Options["content_length"] = int64(1)
	}
	if in.Operation == "ListObjectsV2" {
		in.Options["encoding_type"] = "url"
	}
	if at, ok := in.Options["object_lock_retain_until_date"].(string); ok {
		when, err := time.Parse(time.RFC3339, at)
		if err == nil {
			in.Options["object_lock_retain_until_date"] = when.Format(time.RFC3339)
		}
	}
	return sdkoracle.WithDerived(in)
}

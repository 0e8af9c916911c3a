package bulk_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/check/batches"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3url"
	"bulkpresign/internal/sigv4"
)

// code is the code of an error, or "".
func code(t testing.TB, err error) bulk.Code {
	t.Helper()
	var failed *bulk.Error
	if err != nil && !errors.As(err, &failed) {
		t.Fatalf("%v is no *bulk.Error", err)
	}
	if failed == nil {
		return ""
	}
	return failed.Code
}

// A source that Plan does not serve is refused in so many words.
func TestOtherSources(t *testing.T) {
	for request, field := range map[string]string{
		`{"prefix":"a/"}`:         "prefix",
		`{"manifest":"s3://b/k"}`: "manifest",
	} {
		r, err := bulk.Decode([]byte(request), 10)
		if err != nil {
			t.Fatal(err)
		}
		_, err = batches.Standing().Plan(t.Context(), policy.Caller{}, r)
		if code(t, err) != bulk.InvalidRequest || !strings.Contains(err.Error(), strconv.Quote(field)) {
			t.Errorf("%s: %v", request, err)
		}
	}
}

// How long URLs live: what is asked for, what is allowed, and when the credentials end.
func TestExpiry(t *testing.T) {
	second := batches.Noon.UTC().Truncate(time.Second)
	after := func(d time.Duration) time.Time { return second.Add(d) }
	never := time.Time{}
	for _, test := range []struct {
		request string
		ends    time.Time // of the credentials
		seconds int64
		basis   bulk.Basis
		code    bulk.Code
	}{
		{`{"keys":["k"]}`, never, 900, bulk.BasisUnknown, ""},
		{`{"keys":["k"],"expires_in":1}`, never, 1, bulk.BasisUnknown, ""},
		{`{"keys":["k"],"expires_in":604800}`, never, 604800, bulk.BasisUnknown, ""},
		{`{"keys":["k"],"expires_in":604801}`, never, 0, "", bulk.ExpiryTooLong},
		{`{"keys":["k"],"strict_expiry":true}`, never, 0, "", bulk.ExpiryTooLong},
		{`{"keys":["k"],"strict_expiry":false}`, never, 900, bulk.BasisUnknown, ""},

		{`{"keys":["k"]}`, after(time.Hour), 900, bulk.BasisSignature, ""},
		{`{"keys":["k"]}`, after(900 * time.Second), 900, bulk.BasisSignature, ""},
		{`{"keys":["k"]}`, after(900*time.Second - time.Nanosecond), 899, bulk.BasisCredentials, ""},
		{`{"keys":["k"]}`, after(60500 * time.Millisecond), 60, bulk.BasisCredentials, ""},
		{`{"keys":["k"],"expires_in":60}`, after(60500 * time.Millisecond), 60, bulk.BasisSignature, ""},
		{`{"keys":["k"],"expires_in":604801}`, after(60 * time.Second), 0, "", bulk.ExpiryTooLong}, // the maximum comes first
		{`{"keys":["k"],"expires_in":60,"strict_expiry":true}`, after(60 * time.Second), 60, bulk.BasisSignature, ""},
		{`{"keys":["k"],"expires_in":61,"strict_expiry":true}`, after(60 * time.Second), 0, "", bulk.ExpiryTooLong},
		{`{"keys":["k"],"strict_expiry":true}`, after(time.Second), 0, "", bulk.ExpiryTooLong},

		{`{"keys":["k"]}`, after(time.Second), 1, bulk.BasisCredentials, ""},
		{`{"keys":["k"]}`, after(999 * time.Millisecond), 0, "", bulk.CredentialsUnavailable},
		{`{"keys":["k"]}`, after(0), 0, "", bulk.CredentialsUnavailable},
		{`{"keys":["k"]}`, after(-time.Hour), 0, "", bulk.CredentialsUnavailable},
	} {
		s := batches.Standing()
		c, _ := s.Credentials.Credentials(t.Context(), nil)
		c.Expires = test.ends
		s.Credentials = batches.Fixed{Now: c}
		p, err := batches.Plan(s, []byte(test.request))
		if got := code(t, err); got != test.code {
			t.Errorf("%s until %v: %v, want %q", test.request, test.ends, err, test.code)
			continue
		}
		if err != nil {
			continue
		}
		a := batches.Finish(t, p)
		if a.ExpiresIn != test.seconds || a.ExpiresAtBasis != string(test.basis) {
			t.Errorf("%s until %v: %d seconds by %s, want %d by %s", test.request, test.ends, a.ExpiresIn, a.ExpiresAtBasis, test.seconds, test.basis)
		}
		if !a.SignedAt.Equal(second) || !a.ExpiresAt.Equal(second.Add(time.Duration(test.seconds)*time.Second)) {
			t.Errorf("%s: signed at %v, until %v", test.request, a.SignedAt, a.ExpiresAt)
		}
		if !test.ends.IsZero() && a.ExpiresAt.After(test.ends) {
			t.Errorf("%s: until %v, after the credentials' end", test.request, a.ExpiresAt)
		}
		if u, err := url.Parse(a.URLs["k"]); err != nil || u.Query().Get("X-Amz-Expires") != strconv.FormatInt(test.seconds, 10) {
			t.Errorf("%s: X-Amz-Expires is not expires_in", test.request)
		}
	}
}

// counted counts how often it is asked, and never says the same twice.
type counted struct{ n int }

func (c *counted) Credentials(context.Context, *bulk.Need) (bulk.Credentials, error) {
	c.n++
	return bulk.Credentials{Credentials: sigv4.Credentials{AccessKeyID: "AKID" + strconv.Itoa(c.n), SecretAccessKey: "secret"}}, nil
}

// A batch has one reading of the credentials and one of the clock, so that neither a
// rotation nor midnight splits it, and the next batch has its own.
func TestOneSnapshotAndOneClockReading(t *testing.T) {
	s := batches.Standing()
	source := new(counted)
	s.Credentials = source
	midnight := time.Date(2026, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
	ticks := 0
	s.Now = func() time.Time {
		ticks++
		return midnight.Add(time.Duration(ticks-1) * time.Nanosecond)
	}
	for round, day := range []string{"20261231", "20270101"} {
		p, err := batches.Plan(s, []byte(`{"operation":"UploadPart","upload_id":"u","keys":["x",{"key":"a","part_number":1},{"key":"b","part_numbers":[1,2]}]}`))
		if err != nil {
			t.Fatal(err)
		}
		a := batches.Finish(t, p)
		signed := slices.Collect(maps.Values(a.PartURLs["b"]))
		signed = append(signed, a.URLs["a"])
		if len(signed) != 3 {
			t.Fatalf("%d URLs", len(signed))
		}
		for _, text := range signed {
			u, err := url.Parse(text)
			if err != nil {
				t.Fatal("a URL is none")
			}
			want := "AKID" + strconv.Itoa(round+1) + "/" + day + "/eu-west-1/s3/aws4_request"
			if got := u.Query().Get("X-Amz-Credential"); got != want {
				t.Errorf("round %d: credential %s, want %s", round, got, want)
			}
		}
		if source.n != round+1 || ticks != round+1 {
			t.Errorf("round %d: credentials were read %d times and the clock %d times", round, source.n, ticks)
		}
	}
}

// unavailable has no credentials.
type unavailable struct{ error }

func (u unavailable) Credentials(context.Context, *bulk.Need) (bulk.Credentials, error) {
	return bulk.Credentials{}, u.error
}

// What goes wrong around a batch has a code, and its cause is for the log alone.
func TestFailuresAround(t *testing.T) {
	cause := errors.New("the inside story")
	s := batches.Standing()
	s.Credentials = unavailable{cause}
	_, err := batches.Plan(s, []byte(`{"keys":["k"]}`))
	if code(t, err) != bulk.CredentialsUnavailable || !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
	s = batches.Standing()
	s.Locate = func(string) (s3url.Location, error) {
		return s3url.Location{}, &s3url.UnsupportedError{Reason: "it needs a session"}
	}
	if _, err := batches.Plan(s, []byte(`{"keys":["k"]}`)); code(t, err) != bulk.InvalidOption {
		t.Errorf("%v, want InvalidOption", err)
	}
	s = batches.Standing()
	s.Locate = func(string) (s3url.Location, error) { return s3url.Location{}, cause }
	var failed *bulk.Error
	if _, err := batches.Plan(s, []byte(`{"keys":["k"]}`)); !errors.Is(err, cause) || errors.As(err, &failed) {
		t.Errorf("%v, want the cause itself, which is nobody's code", err)
	}
}

// The batch's options times the items that have some of their own is bounded work.
func TestMergesAreBounded(t *testing.T) {
	var metadata, items strings.Builder
	for i := range 200 {
		fmt.Fprintf(&metadata, `,"m%d":"v"`, i)
	}
	for i := range 10_000 {
		fmt.Fprintf(&items, `,{"key":"%d","content_type":"a/b"}`, i)
	}
	request := func(more string) []byte {
		return []byte(`{"operation":"PUT","metadata":{` + metadata.String()[1:] + `},"keys":["k"` + items.String() + more + `]}`)
	}
	if _, err := batches.Plan(batches.Standing(), request("")); err != nil {
		t.Errorf("200 options for 10,000 items: %v", err)
	}
	if _, err := batches.Plan(batches.Standing(), request(`,{"key":"one more","content_type":"a/b"}`)); code(t, err) != bulk.InvalidOption {
		t.Errorf("200 options for 10,001 items: %v, want InvalidOption", err)
	}
}

// An item's own option wins over the batch's, and they are judged together.
func TestOwnOptions(t *testing.T) {
	for _, test := range []struct {
		request string
		headers map[string]string // of the key k
		code    string
	}{
		{`{"operation":"PUT","content_type":"a/b","keys":[{"key":"k","content_type":"c/d"}]}`, map[string]string{"content-type": "c/d"}, ""},
		{`{"operation":"PUT","content_type":"a/b","keys":[{"key":"k","content_type":null}]}`, map[string]string{"content-type": "a/b"}, ""},
		{`{"operation":"PUT","content_type":"a/b","keys":[{"key":"k","acl":"private"}]}`, map[string]string{"content-type": "a/b", "x-amz-acl": "private"}, ""},
		{`{"operation":"PUT","create_only":true,"keys":[{"key":"k","create_only":false}]}`, nil, ""},
		{`{"operation":"PUT","keys":[{"key":"k","create_only":true}]}`, map[string]string{"if-none-match": "*"}, ""},
		{`{"operation":"PUT","metadata":{"a":"1","b":"2"},"keys":[{"key":"k","metadata":{"A":"3"}}]}`, map[string]string{"x-amz-meta-a": "3"}, ""},
		{`{"operation":"PUT","create_only":true,"keys":[{"key":"k","if_none_match":"\"e\""}]}`, nil, "InvalidOption"},
		{`{"response_content_disposition":"inline","keys":[{"key":"k","filename":"a"}]}`, nil, "InvalidOption"},
		{`{"operation":"UploadPart","upload_id":"u","part_number":1,"keys":[{"key":"k","part_numbers":[1]}]}`, nil, "InvalidOption"},
		{`{"operation":"UploadPart","part_number":1,"keys":["k"]}`, nil, "InvalidOption"},
		{`{"operation":"UploadPart","upload_id":"u","keys":["k"]}`, nil, "InvalidOption"},
		{`{"operation":"UploadPart","part_number":1,"keys":[{"key":"k","upload_id":"u"}]}`, nil, ""},
	} {
		p, err := batches.Plan(batches.Standing(), []byte(test.request))
		if err != nil {
			t.Errorf("%s: %v", test.request, err)
			continue
		}
		a := batches.Finish(t, p)
		if got := a.Errors["k"].Code; got != test.code {
			t.Errorf("%s: %q (%s), want %q", test.request, got, a.Errors["k"].Message, test.code)
		}
		if test.code != "" {
			continue
		}
		headers := a.Headers
		if own, ok := a.ItemHeaders["k"]; ok {
			headers = own
		}
		if len(headers) != len(test.headers) || len(headers) > 0 && !maps.Equal(headers, test.headers) {
			t.Errorf("%s: (-want +got):\n%s", test.request, cmp.Diff(test.headers, headers))
		}
	}
}

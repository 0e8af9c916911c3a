package bulk_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"bulkpresign/internal/answer"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/check/batches"
	"bulkpresign/internal/check/sdkoracle"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/sigv4"
)

// URLs that stay the same: when they are said to be signed, and for how long.
func TestReuseFor(t *testing.T) {
	at := func(clock string) time.Time {
		now, err := time.Parse(time.RFC3339, clock)
		if err != nil {
			t.Fatal(err)
		}
		return now
	}
	const rules = `{"rules":[
		{"name":"images","effect":"allow","callers":"*","operations":["GetObject"],"max_expires_in":1200,"reuse_for":300},
		{"name":"thumbs","effect":"allow","callers":"*","operations":["GetObject","HeadObject"],"prefixes":["thumbs/"],"max_expires_in":7200,"reuse_for":600},
		{"name":"put","effect":"allow","callers":"*","operations":["PutObject"],"max_expires_in":60}]}`
	for _, test := range []struct {
		request  string
		now      string
		ends     string // the credentials
		rules    string
		signedAt string
		seconds  int64
		basis    bulk.Basis
		fails    bulk.Code
		says     string
	}{
		{request: `"reuse_for":0`, now: "2026-11-23T11:07:31.9Z", signedAt: "2026-11-23T11:07:31Z", seconds: 900, basis: "unknown"},
		{request: `"reuse_for":null`, now: "2026-11-23T11:07:31.9Z", signedAt: "2026-11-23T11:07:31Z", seconds: 900, basis: "unknown"},
		{request: `"reuse_for":600,"expires_in":60`, now: "2026-11-23T11:07:31.9Z", signedAt: "2026-11-23T11:00:00Z", seconds: 660, basis: "unknown"},
		{request: `"reuse_for":600,"expires_in":60`, now: "2026-11-23T11:09:59.999Z", signedAt: "2026-11-23T11:00:00Z", seconds: 660, basis: "unknown"},
		{request: `"reuse_for":600,"expires_in":60`, now: "2026-11-23T11:10:00Z", signedAt: "2026-11-23T11:10:00Z", seconds: 660, basis: "unknown"},
		{request: `"reuse_for":600`, now: "2026-11-23T11:07:31Z", signedAt: "2026-11-23T11:00:00Z", seconds: 1500, basis: "unknown"},
		{request: `"reuse_for":86400,"expires_in":3600`, now: "2026-11-23T00:30:00+01:00", signedAt: "2026-11-22T00:00:00Z", seconds: 90_000, basis: "unknown"}, // UTC's days
		{request: `"reuse_for":7,"expires_in":1`, now: "1970-01-01T00:00:13Z", signedAt: "1970-01-01T00:00:07Z", seconds: 8, basis: "unknown"},

		// Both together are what is limited; what is left open leaves room.
		{request: `"reuse_for":604799,"expires_in":1`, now: "2026-11-23T11:07:31Z", signedAt: "2026-11-18T23:10:32Z", seconds: 604_800, basis: "unknown"},
		{request: `"reuse_for":604799,"expires_in":2`, now: "2026-11-23T11:07:31Z", fails: "ExpiryTooLong", says: `"expires_in" and "reuse_for" together are over the maximum of 604800`},
		{request: `"reuse_for":604000`, now: "2026-11-23T11:07:31Z", signedAt: "2026-11-19T11:33:20Z", seconds: 604_800, basis: "unknown"},
		{request: `"reuse_for":604800`, now: "2026-11-23T11:07:31Z", fails: "ExpiryTooLong", says: "together"},
		{request: `"reuse_for":99999999999999999999`, now: "2026-11-23T11:07:31Z", fails: "ExpiryTooLong", says: "together"},
		{request: `"reuse_for":-1`, now: "2026-11-23T11:07:31Z", fails: "InvalidRequest", says: `"reuse_for" must be 0 seconds or more`},
		{request: `"reuse_for":1.5`, now: "2026-11-23T11:07:31Z", fails: "InvalidRequest", says: "whole number"},
		{request: `"reuse_for":"60"`, now: "2026-11-23T11:07:31Z", fails: "InvalidRequest", says: "whole number"},

		// Credentials cut it short, and are judged by the clock, not by the time of signing.
		{request: `"reuse_for":600,"expires_in":60`, now: "2026-11-23T11:07:31Z", ends: "2026-11-23T11:11:00Z", signedAt: "2026-11-23T11:00:00Z", seconds: 660, basis: "signature"},
		{request: `"reuse_for":600,"expires_in":60`, now: "2026-11-23T11:07:31Z", ends: "2026-11-23T11:10:59Z", signedAt: "2026-11-23T11:00:00Z", seconds: 659, basis: "credentials"},
		{request: `"reuse_for":600,"expires_in":60,"strict_expiry":true`, now: "2026-11-23T11:07:31Z", ends: "2026-11-23T11:10:59Z", fails: "ExpiryTooLong", says: "end before"},
		{request: `"reuse_for":600,"expires_in":60`, now: "2026-11-23T11:07:31Z", ends: "2026-11-23T11:07:31.5Z", fails: "CredentialsUnavailable", says: "ended"},

		// A policy says it for those who do not.
		{request: ``, rules: rules, now: "2026-11-23T11:07:31Z", signedAt: "2026-11-23T11:05:00Z", seconds: 1200, basis: "unknown"},
		{request: `"expires_in":60`, rules: rules, now: "2026-11-23T11:07:31Z", signedAt: "2026-11-23T11:05:00Z", seconds: 360, basis: "unknown"},
		{request: `"expires_in":1080`, rules: rules, now: "2026-11-23T11:07:31Z", signedAt: "2026-11-23T11:06:00Z", seconds: 1200, basis: "unknown"}, // 120 s are left of the rule's
		{request: `"expires_in":1200`, rules: rules, now: "2026-11-23T11:07:31Z", signedAt: "2026-11-23T11:07:31Z", seconds: 1200, basis: "unknown"},
		{request: `"reuse_for":0,"expires_in":60`, rules: rules, now: "2026-11-23T11:07:31Z", signedAt: "2026-11-23T11:07:31Z", seconds: 60, basis: "unknown"},
		{request: `"reuse_for":0`, rules: rules, now: "2026-11-23T11:07:31Z", signedAt: "2026-11-23T11:07:31Z", seconds: 900, basis: "unknown"},
		{request: `"reuse_for":900`, rules: rules, now: "2026-11-23T11:17:31Z", signedAt: "2026-11-23T11:15:00Z", seconds: 1200, basis: "unknown"},
		{request: `"operation":"HEAD"`, rules: rules, now: "2026-11-23T11:17:31Z", signedAt: "2026-11-23T11:10:00Z", seconds: 1500, basis: "unknown"},
		{request: `"operation":"PUT"`, rules: rules, now: "2026-11-23T11:17:31Z", signedAt: "2026-11-23T11:17:31Z", seconds: 60, basis: "unknown"},
		{request: `"operation":"PUT","reuse_for":30,"expires_in":31`, rules: rules, now: "2026-11-23T11:17:31Z", fails: "ExpiryTooLong", says: `"reuse_for" together are over the maximum of 60 seconds that the policy`},
	} {
		s := batches.Standing()
		now := at(test.now)
		s.Now = func() time.Time { return now }
		credentials := batches.Fixed{Now: bulk.Credentials{Credentials: sigv4.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret", SessionToken: "token"}}}
		if test.ends != "" {
			credentials.Now.Expires = at(test.ends)
		}
		s.Credentials = credentials
		if test.rules != "" {
			var err error
			if s.Policy.Document, err = policy.ParseDocument([]byte(test.rules)); err != nil {
				t.Fatal(err)
			}
		}
		request := `{"keys":["thumbs/a b.jpg"]}`
		if test.request != "" {
			request = `{"keys":["thumbs/a b.jpg"],` + test.request + `}`
		}
		p, err := batches.Plan(s, []byte(request))
		if test.fails != "" {
			if code(t, err) != test.fails || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%s at %s: %v, want %s, %q", test.request, test.now, err, test.fails, test.says)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s at %s: %v", test.request, test.now, err)
			continue
		}
		r := batches.Finish(t, p)
		if got := r.SignedAt.Format(time.RFC3339); got != test.signedAt || r.ExpiresIn != test.seconds || bulk.Basis(r.ExpiresAtBasis) != test.basis {
			t.Errorf("%s at %s: signed at %s for %d, basis %s; want %s, %d, %s", test.request, test.now, got, r.ExpiresIn, r.ExpiresAtBasis, test.signedAt, test.seconds, test.basis)
		}
		if end := r.SignedAt.Add(time.Duration(r.ExpiresIn) * time.Second); !r.ExpiresAt.Equal(end) {
			t.Errorf("%s at %s: ends at %s, not at %s", test.request, test.now, r.ExpiresAt, end)
		}
		sdk, err := sdkoracle.Presign(t.Context(), sdkoracle.Input{
			Operation: r.Operation, Bucket: "photos", Key: "thumbs/a b.jpg", Region: "eu-west-1", Time: r.SignedAt, ExpiresIn: time.Duration(r.ExpiresIn) * time.Second,
			AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret", SessionToken: "token",
		})
		if err != nil || sdk.URL != r.URLs["thumbs/a b.jpg"] {
			t.Errorf("%s at %s: the SDK's URL is another (error: %v)", test.request, test.now, err != nil)
		}
	}
}

// Two calls within a window give the same bytes, whatever is signed; also where URLs say who asked, who is the same.
// A call in the next gives others.
func TestReusedBytes(t *testing.T) {
	now := time.Date(2026, 11, 23, 11, 10, 0, 0, time.UTC)
	s := batches.Standing()
	s.Now = func() time.Time { return now }
	calls := 0
	s.RequestID = func(context.Context) string { calls++; return strings.Repeat("r", 1+calls) }
	for _, request := range []string{
		`{"keys":["a","b c",{"key":"d","version_id":"v"},"../no"],"expires_in":60,"reuse_for":600}`,
		`{"keys":["a","b c"],"expires_in":60,"reuse_for":600,"operation":"PUT","content_type":"image/png"}`,
		`{"keys":["a"],"expires_in":60,"reuse_for":600,"operation":"UploadPart","upload_id":"u","part_numbers":[1,2,3]}`,
		`{"keys":["a","b"],"expires_in":60,"reuse_for":600,"operation":"PostObject","content_length_range":[1,100]}`,
	} {
		var texts []string
		for _, after := range []time.Duration{0, 599*time.Second + 999*time.Millisecond, 600 * time.Second} {
			now = time.Date(2026, 11, 23, 11, 10, 0, 0, time.UTC).Add(after)
			p, err := batches.Plan(s, []byte(request))
			if err != nil {
				t.Fatalf("%s: %v", request, err)
			}
			texts = append(texts, string(answer.Append(nil, p, bulk.JSON, answer.Bare)))
		}
		if texts[0] != texts[1] || texts[1] == texts[2] {
			t.Errorf("%s: the same within a window is %v, another in the next is %v", request, texts[0] == texts[1], texts[1] != texts[2])
		}
	}
}

// A list that takes long is signed for the window in which its keys are, so that each has its time.
func TestReuseOfChunks(t *testing.T) {
	now := time.Date(2026, 11, 23, 11, 19, 50, 0, time.UTC)
	s := batches.Standing()
	s.Now = func() time.Time { return now }
	request, err := bulk.FromMetadata(map[string]string{"presign-expires-in": "60", "presign-reuse-for": "600"})
	if err != nil {
		t.Fatal(err)
	}
	request.Source, request.Manifest = bulk.Manifest, bulk.Object{Bucket: "lists", Key: "a.txt"}
	c, err := s.Chunks(t.Context(), policy.Caller{}, request)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		after    time.Duration
		renewed  bool
		signedAt string
	}{{0, false, "11:10:00"}, {9 * time.Second, false, "11:10:00"}, {time.Second, true, "11:20:00"}, {5 * time.Minute, false, "11:20:00"}, {5 * time.Minute, true, "11:30:00"}} {
		now = now.Add(want.after)
		renewed, err := c.Next(t.Context(), []bulk.Entry{{Line: int64(i + 1), Key: "k"}})
		l := c.Plan().Lifetime()
		if err != nil || renewed != want.renewed || l.SignedAt.Format(time.TimeOnly) != want.signedAt || l.ExpiresIn != 660 {
			t.Errorf("chunk %d: renewed %v, signed at %s for %d, error %v: want %+v", i, renewed, l.SignedAt.Format(time.TimeOnly), l.ExpiresIn, err, want)
		}
	}
}

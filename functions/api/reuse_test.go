package main_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/check/rawhttp"
)

// The deployed program gives the same bytes for calls within a window, and they work.
func TestReuseFor(t *testing.T) {
	t.Parallel()
	s := open()
	if err := s.s3.Put("photos", "reused é.jpg", []byte("the picture")); err != nil {
		t.Fatal(err)
	}
	const request = `{"bucket":"photos","keys":["reused é.jpg"],"expires_in":60,"reuse_for":3000}`
	first, second := s.mustSign(t, request), s.mustSign(t, request)
	if !first.SignedAt.Equal(second.SignedAt) { // a window ended in between; the next has 50 minutes
		first = s.mustSign(t, request)
	}
	if first.ExpiresIn != 3060 || first.SignedAt.Unix()%3000 != 0 {
		t.Errorf("signed at %s for %d s", first.SignedAt, first.ExpiresIn)
	}
	if diff := cmp.Diff(first.URLs.of, second.URLs.of); diff != "" {
		t.Error("the second call gives other URLs")
	}
	if answer, err := rawhttp.Do(t.Context(), "GET", first.URLs.of["reused é.jpg"], nil, nil); err != nil || string(answer.Body) != "the picture" {
		t.Errorf("error %v, status %d", err, statusOf(answer))
	}
}

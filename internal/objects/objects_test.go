package objects_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"bulkpresign/internal/awserr"
	"bulkpresign/internal/objects"
	"bulkpresign/internal/standin/s3server"
)

const region = "eu-west-1"

// newStore is a store on an S3 server, with something in front of that.
func newStore(t *testing.T, front func(http.Handler) http.Handler) (*objects.Store, *s3server.Server) {
	t.Helper()
	s, err := s3server.Start(s3server.Config{
		Region: region, Buckets: []string{"lists"},
		Credentials: []s3server.Credentials{{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	server := httptest.NewServer(front(s))
	t.Cleanup(server.Close)
	return &objects.Store{Load: func(context.Context) (aws.Config, error) {
		return aws.Config{
			Region: region, BaseEndpoint: aws.String(server.URL), RetryMaxAttempts: 1,
			Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
		}, nil
	}}, s
}

// cutting breaks answers to GETs off after so many bytes of body, but for those that are
// not longer.
type cutting struct {
	http.ResponseWriter
	left int
}

func (c *cutting) Write(p []byte) (int, error) {
	if len(p) > c.left {
		c.ResponseWriter.Write(p[:c.left])
		panic(http.ErrAbortHandler)
	}
	c.left -= len(p)
	return c.ResponseWriter.Write(p)
}

func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

// A connection that breaks again and again is made anew where it broke, and what is read
// is the object; with no progress at all it is given up.
func TestReadOutlivesCutConnections(t *testing.T) {
	var gets atomic.Int64
	var after atomic.Int64 // bytes
	store, server := newStore(t, func(s3 http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			gets.Add(1)
			s3.ServeHTTP(&cutting{w, int(after.Load())}, r)
		})
	})
	want := noise(1 << 20)
	if err := server.Put("lists", "a list", want); err != nil {
		t.Fatal(err)
	}
	after.Store(200_000)
	o, err := store.Open(t.Context(), objects.Ref{Bucket: "lists", Key: "a list"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(o)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %d bytes of %d, the same: %v, %v", len(got), len(want), bytes.Equal(got, want), err)
	}
	if n := gets.Load(); n < 6 {
		t.Errorf("%d requests: nothing was cut", n)
	}

	part, err := store.OpenRange(t.Context(), objects.Ref{Bucket: "lists", Key: "a list"}, 100_001, 900_000)
	if err != nil {
		t.Fatal(err)
	}
	got, err = io.ReadAll(part)
	if err != nil || part.Size != 799_999 || !bytes.Equal(got, want[100_001:900_000]) {
		t.Errorf("a part: read %d bytes of %d, %v", len(got), part.Size, err)
	}
	part, err = store.OpenRange(t.Context(), objects.Ref{Bucket: "lists", Key: "a list"}, 1_000_000, 2_000_000) // over the end
	if err != nil {
		t.Fatal(err)
	}
	if got, err = io.ReadAll(part); err != nil || !bytes.Equal(got, want[1_000_000:]) {
		t.Errorf("the last part: read %d bytes, %v", len(got), err)
	}

	at := store.ReaderAt(t.Context(), objects.Ref{Bucket: "lists", Key: "a list"})
	piece := make([]byte, 300_000)
	if n, err := at.ReadAt(piece, 500_000); n != len(piece) || err != nil || !bytes.Equal(piece, want[500_000:800_000]) {
		t.Errorf("ReadAt: %d bytes, %v", n, err)
	}
	if n, err := at.ReadAt(piece, int64(len(want))-10); n != 10 || err != io.EOF {
		t.Errorf("ReadAt over the end: %d bytes, %v", n, err)
	}

	after.Store(200_000)
	o, err = store.Open(t.Context(), objects.Ref{Bucket: "lists", Key: "a list"})
	if err != nil {
		t.Fatal(err)
	}
	after.Store(0)
	_, err = io.ReadAll(o)
	var failed *awserr.Error
	if !errors.As(err, &failed) || !failed.Passes() {
		t.Errorf("%v, want an error that may pass", err)
	}
}

// A list that is another one when its connection is made anew is an error, not a mixture.
func TestReadNoticesChange(t *testing.T) {
	var server *s3server.Server
	var gets atomic.Int64
	store, s := newStore(t, func(s3 http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if gets.Add(1) == 1 {
				w = &cutting{w, 100_000}
			} else if err := server.Put("lists", "k", noise(2 << 20)[1<<20:]); err != nil {
				t.Error(err)
			}
			s3.ServeHTTP(w, r)
		})
	})
	server = s
	if err := server.Put("lists", "k", noise(1<<20)); err != nil {
		t.Fatal(err)
	}
	o, err := store.Open(t.Context(), objects.Ref{Bucket: "lists", Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(o)
	var failed *awserr.Error
	if !errors.As(err, &failed) || failed.Status != http.StatusPreconditionFailed {
		t.Errorf("%v, want PreconditionFailed", err)
	}
}

// Keys come as they are, in order, from where one asks on; and a visitor may stop.
func TestList(t *testing.T) {
	store, server := newStore(t, func(s3 http.Handler) http.Handler { return s3 })
	var want []string
	for i := range 2100 {
		want = append(want, fmt.Sprintf("in/%05d", i))
	}
	want = append(want, "in/a b", "in/a+b", "in/a%20b", "in/ü", "in/\x01", "in/<&>\"'")
	slices.Sort(want)
	for _, key := range append([]string{"i", "in", "io"}, want...) {
		if err := server.Put("lists", key, nil); err != nil {
			t.Fatal(err)
		}
	}
	list := func(after string) (keys []string) {
		t.Helper()
		err := store.List(t.Context(), "lists", "in/", after, func(o objects.Listed) error {
			keys = append(keys, o.Key)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	if got := list(""); !slices.Equal(got, want) {
		t.Errorf("%d keys, want %d", len(got), len(want))
	}
	for _, i := range []int{0, 999, 1000, 2101, len(want) - 1} {
		if got := list(want[i]); !slices.Equal(got, want[i+1:]) {
			t.Errorf("after %q: %d keys, want %d", want[i], len(got), len(want)-i-1)
		}
	}
	// From a text that is no key, and look by look.
	if got := list(want[10] + "\x00"); !slices.Equal(got, want[11:]) {
		t.Errorf("behind what is no key: %d keys, want %d", len(got), len(want)-11)
	}
	page, err := store.Look(t.Context(), "lists", "in/", want[5]+"\x00", "", 3)
	if err != nil || !page.More || len(page.Objects) != 3 || page.Objects[0].Key != want[6] || page.Objects[0].ETag == "" {
		t.Errorf("a look: %+v, %v", page, err)
	}
	if page, err = store.Look(t.Context(), "lists", "", "", "/", 1000); err != nil || page.More || !slices.Contains(page.Prefixes, "in/") {
		t.Errorf("a look with a delimiter: %q, %v", page.Prefixes, err)
	}
	stop := errors.New("enough")
	n := 0
	err = store.List(t.Context(), "lists", "in/", "", func(objects.Listed) error {
		n++
		return stop
	})
	if err != stop || n != 1 {
		t.Errorf("%v after %d keys", err, n)
	}
}

// An error's text holds nothing of the request but what was tried.
func TestErrorsAreBare(t *testing.T) {
	store, _ := newStore(t, func(s3 http.Handler) http.Handler { return s3 })
	_, err := store.Open(t.Context(), objects.Ref{Bucket: "lists", Key: "missing"})
	var failed *awserr.Error
	if !errors.As(err, &failed) || failed.Status != 404 || failed.Code != "NoSuchKey" || strings.Contains(err.Error(), "http") {
		t.Errorf("%v", err)
	}
}

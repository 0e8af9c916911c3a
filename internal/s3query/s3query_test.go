package s3query_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/awserr"
	"bulkpresign/internal/check/awkward"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/s3query"
	"bulkpresign/internal/s3url"
	"bulkpresign/internal/sigv4"
	"bulkpresign/internal/standin/s3server"
)

const region = "eu-west-1"

var credentials = s3server.Credentials{AccessKeyID: "ASIAEXAMPLE000000001", SecretAccessKey: "a/secret+", SessionToken: "a/token+="}

// bucketAt is the bucket photos behind an endpoint.
func bucketAt(t *testing.T, endpoint string) *s3query.Bucket {
	t.Helper()
	at, err := s3url.Resolve(t.Context(), "photos", s3url.Settings{Region: region, Endpoint: endpoint})
	if err != nil {
		t.Fatal(err)
	}
	return &s3query.Bucket{
		Client:      new(s3query.Client),
		Location:    at,
		Credentials: sigv4.Credentials{AccessKeyID: credentials.AccessKeyID, SecretAccessKey: credentials.SecretAccessKey, SessionToken: credentials.SessionToken},
		Now:         time.Now,
		Attribution: []sigv4.Parameter{{Name: "x-presign-caller", Value: "someone"}},
	}
}

// server is an S3 server that verifies signatures.
func server(t *testing.T) *s3server.Server {
	t.Helper()
	s, err := s3server.Start(s3server.Config{Region: region, Buckets: []string{"photos"}, Credentials: []s3server.Credentials{credentials}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Every awkward key is listed, page by page, and found by its HEAD.
func TestListAndHead(t *testing.T) {
	s := server(t)
	b := bucketAt(t, s.Endpoint())
	sizes := map[string]int64{}
	for i, k := range awkward.Keys() {
		if err := s.Put("photos", k.Key, make([]byte, i)); err != nil {
			t.Fatal(err)
		}
		sizes[k.Key] = int64(i)
	}
	listed := map[string]int64{}
	pages := 0
	for l := (s3query.Listing{Most: 7}); ; pages++ {
		page, err := b.List(t.Context(), &l)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Objects) > l.Most {
			t.Fatalf("a page of %d keys, want at most %d", len(page.Objects), l.Most)
		}
		for _, o := range page.Objects {
			listed[o.Key] = o.Size
			if o.ETag == "" || strings.Contains(o.ETag, `"`) || o.LastModified.IsZero() {
				t.Errorf("%q: ETag %q, last modified %v", o.Key, o.ETag, o.LastModified)
			}
			found, err := b.Head(t.Context(), o.Key, nil)
			if err != nil {
				t.Errorf("%q: %v", o.Key, err)
				continue
			}
			found.LastModified, o.LastModified = found.LastModified.Truncate(time.Second), o.LastModified.Truncate(time.Second)
			found.StorageClass, o.StorageClass = "", ""
			if diff := cmp.Diff(o, found); diff != "" {
				t.Errorf("%q is listed otherwise than it is (-listed +found):\n%s", o.Key, diff)
			}
		}
		if l.Continuation = page.Next; l.Continuation == "" {
			break
		}
	}
	if pages < 2 {
		t.Errorf("%d pages, want more", pages+1)
	}
	if diff := cmp.Diff(sizes, listed); diff != "" {
		t.Errorf("listed (-stored +listed):\n%s", diff)
	}
}

func TestListFrom(t *testing.T) {
	s := server(t)
	b := bucketAt(t, s.Endpoint())
	for _, key := range []string{"a/1", "a/2", "a/3", "b/1"} {
		if err := s.Put("photos", key, nil); err != nil {
			t.Fatal(err)
		}
	}
	page, err := b.List(t.Context(), &s3query.Listing{Prefix: "a/", StartAfter: "a/1", Most: s3query.PageSize})
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, o := range page.Objects {
		keys = append(keys, o.Key)
	}
	if want := []string{"a/2", "a/3"}; !slices.Equal(keys, want) || page.Next != "" {
		t.Errorf("keys %q, next %q; want %q and no more", keys, page.Next, want)
	}
}

// What S3 refuses is told by its code; a HEAD has its status alone. Nothing of the question
// is in an error.
func TestRefused(t *testing.T) {
	s := server(t)
	tests := []struct {
		name string
		ask  func(*s3query.Bucket) error
		want string
	}{
		{"no such key", func(b *s3query.Bucket) error { _, err := b.Head(t.Context(), "none", nil); return err }, "look at an object: Not Found"},
		{"other credentials, HEAD", func(b *s3query.Bucket) error {
			b.Credentials.SecretAccessKey = "another"
			_, err := b.Head(t.Context(), "none", nil)
			return err
		}, "look at an object: Forbidden"},
		{"other credentials, list", func(b *s3query.Bucket) error {
			b.Credentials.SecretAccessKey = "another"
			_, err := b.List(t.Context(), &s3query.Listing{Most: 1})
			return err
		}, "list a prefix: SignatureDoesNotMatch"},
		{"no such bucket", func(b *s3query.Bucket) error {
			b.Location.BucketPath = "/none"
			_, err := b.List(t.Context(), &s3query.Listing{Most: 1})
			return err
		}, "list a prefix: NoSuchBucket"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.ask(bucketAt(t, s.Endpoint()))
			var call *awserr.Error
			if !errors.As(err, &call) || err.Error() != tt.want {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// An upload's creation and its parts are asked for by what is general.
func TestUpload(t *testing.T) {
	b := bucketAt(t, server(t).Endpoint())
	answer, err := b.Ask(t.Context(), &s3query.Query{Operation: s3op.CreateMultipartUpload, Key: "a b", Call: "begin an upload"})
	if err != nil {
		t.Fatal(err)
	}
	var created struct{ Key, UploadId string }
	if err := answer.Decode(&created); err != nil || created.Key != "a b" || created.UploadId == "" {
		t.Errorf("key %q, an upload id: %t, error %v", created.Key, created.UploadId != "", err)
	}
}

// script answers with one status and body after the other, the last one for ever.
func script(t *testing.T, steps ...func(http.ResponseWriter)) (endpoint string, asked *atomic.Int64) {
	asked = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(asked.Add(1))
		steps[min(n, len(steps))-1](w)
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

func says(status int, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func TestAskAgain(t *testing.T) {
	const empty = `<ListBucketResult><EncodingType>url</EncodingType></ListBucketResult>`
	slow := says(503, `<Error><Code>SlowDown</Code></Error>`)
	broken := func(http.ResponseWriter) { panic(http.ErrAbortHandler) }
	tests := []struct {
		name  string
		steps []func(http.ResponseWriter)
		asked int64
		want  string
	}{
		{"busy, then not", []func(http.ResponseWriter){slow, says(500, ""), says(200, empty)}, 3, ""},
		{"the connection breaks", []func(http.ResponseWriter){broken, says(200, empty)}, 2, ""},
		{"busy for ever", []func(http.ResponseWriter){slow}, 4, "list a prefix: SlowDown"},
		{"refused", []func(http.ResponseWriter){says(403, `<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>`)}, 1, "list a prefix: AccessDenied"},
		// S3 begins with 200 where it does not know yet; CompleteMultipartUpload and CopyObject document it.
		{"an error behind 200", []func(http.ResponseWriter){says(200, `<?xml version="1.0"?>`+"\n"+`<Error><Code>InternalError</Code></Error>`)}, 1, "list a prefix: InternalError"},
		{"a token in the code", []func(http.ResponseWriter){says(400, `<Error><Code>IQoJb3JpZ2luX2Vj/1</Code></Error>`)}, 1, "list a prefix: Bad Request"},
		{"no XML", []func(http.ResponseWriter){says(200, "welcome")}, 1, "s3query: S3's answer is not the XML that it should be"},
		// A redirect would need another signature, and perhaps go anywhere.
		{"a redirect", []func(http.ResponseWriter){func(w http.ResponseWriter) { w.Header().Set("Location", "/else"); w.WriteHeader(307) }}, 1, "list a prefix: Temporary Redirect"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			endpoint, asked := script(t, tt.steps...)
			_, err := bucketAt(t, endpoint).List(t.Context(), &s3query.Listing{Most: 1})
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tt.want || asked.Load() < tt.asked || tt.asked != 2 && asked.Load() != tt.asked { // net/http itself asks again on a broken connection
				t.Errorf("error %q after %d requests, want %q after %d", got, asked.Load(), tt.want, tt.asked)
			}
		})
	}
}

// The deadline is kept, also while nobody answers.
func TestDeadline(t *testing.T) {
	hang := make(chan struct{})
	endpoint, _ := script(t, func(http.ResponseWriter) { <-hang })
	defer close(hang)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := bucketAt(t, endpoint).List(ctx, &s3query.Listing{Most: 1})
	var call *awserr.Error
	if !errors.As(err, &call) || call.Status != 0 {
		t.Errorf("error %v, want one without an answer", err)
	}
	if ctx.Err() == nil {
		t.Error("it ended before the deadline")
	}
}

// What is archived cannot be read before it is restored.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html#API_HeadObject_ResponseSyntax
func TestArchived(t *testing.T) {
	tests := []struct {
		class, restore, status string
		want                   bool
	}{
		{"", "", "", false},
		{"GLACIER_IR", "", "", false}, // is read at once
		{"GLACIER", "", "", true},
		{"DEEP_ARCHIVE", `ongoing-request="true"`, "", true},
		{"GLACIER", `ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"`, "", false},
		{"INTELLIGENT_TIERING", "", "", false},
		{"INTELLIGENT_TIERING", "", "DEEP_ARCHIVE_ACCESS", true},
	}
	for _, tt := range tests {
		endpoint, _ := script(t, func(w http.ResponseWriter) {
			for name, value := range map[string]string{"x-amz-storage-class": tt.class, "x-amz-restore": tt.restore, "x-amz-archive-status": tt.status} {
				if value != "" {
					w.Header().Set(name, value)
				}
			}
		})
		o, err := bucketAt(t, endpoint).Head(t.Context(), "a", nil)
		if err != nil || o.Archived != tt.want {
			t.Errorf("%+v: archived %t, error %v", tt, o.Archived, err)
		}
	}
}

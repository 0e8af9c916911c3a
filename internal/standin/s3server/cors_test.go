package s3server_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bulkpresign/internal/standin/s3server"
)

// A browser may send every header that a URL can ask for, and reads errors too.
func TestCORS(t *testing.T) {
	s, _ := startServer(t)
	const asked = "cache-control,content-md5,if-none-match,x-amz-checksum-sha256,x-amz-meta-anything,x-amz-server-side-encryption"
	ask := func(method string, header map[string]string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), method, s.Endpoint()+"/"+bucket+"/a", nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range header {
			r.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	resp := ask("OPTIONS", map[string]string{"Origin": "https://page.example", "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": asked})
	if got := resp.Header.Get("Access-Control-Allow-Headers"); resp.StatusCode != 200 || got != asked || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("preflight: %d, allows %q", resp.StatusCode, got)
	}
	if resp := ask("OPTIONS", map[string]string{"Origin": "https://page.example", "Access-Control-Request-Method": "PATCH"}); resp.StatusCode != 403 {
		t.Errorf("preflight of PATCH: %d", resp.StatusCode)
	}
	if resp := ask("OPTIONS", nil); resp.StatusCode != 400 {
		t.Errorf("OPTIONS without an origin: %d", resp.StatusCode)
	}
	// Whoever stored the object, its part of it can be read, and how long it is.
	if err := s.Put(bucket, "a", []byte("text")); err != nil {
		t.Fatal(err)
	}
	p, err := presigner(s.Endpoint(), region, permanent).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("a")})
	q := signed(t, p, err)
	r, err := http.NewRequestWithContext(t.Context(), "GET", q.url, nil)
	if err != nil {
		t.Fatal("no request")
	}
	r.Header.Set("Range", "bytes=0-0")
	if resp, err := http.DefaultClient.Do(r); err != nil {
		t.Error("no answer")
	} else if resp.Body.Close(); resp.StatusCode != 206 || !strings.Contains(resp.Header.Get("Access-Control-Expose-Headers"), "Content-Range") {
		t.Errorf("a range: %d, exposes %q", resp.StatusCode, resp.Header.Get("Access-Control-Expose-Headers"))
	}
	if resp := ask("GET", map[string]string{"Origin": "https://page.example"}); resp.StatusCode != 403 || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("an error: %d, for %q", resp.StatusCode, resp.Header.Get("Access-Control-Allow-Origin"))
	}
}

// S3 wants to know how long an object is before it takes it.
func TestNoContentLength(t *testing.T) {
	s, _ := startServer(t)
	p, err := presigner(s.Endpoint(), region, permanent).PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("a")})
	q := signed(t, p, err)
	r, err := http.NewRequestWithContext(t.Context(), "PUT", q.url, io.MultiReader(strings.NewReader("text"))) // of unknown length
	if err != nil {
		t.Fatal("no request")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal("no answer")
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 411 || !strings.Contains(string(body), "<Code>MissingContentLength</Code>") {
		t.Errorf("status %d", resp.StatusCode)
	}
}

// Whoever listens is told of what was made, and of nothing else.
func TestCreated(t *testing.T) {
	told := make(chan s3server.Created, 9)
	s, err := s3server.Start(s3server.Config{Region: region, Buckets: []string{bucket}, Credentials: []s3server.Credentials{permanent},
		Now: func() time.Time { return start }, Created: func(c s3server.Created) { told <- c }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	pc := presigner(s.Endpoint(), region, permanent)
	put, err := pc.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("a b/ä")})
	q := signed(t, put, err)
	q.body = []byte("text")
	if resp := q.send(t); resp.Status != 200 {
		t.Fatalf("PUT: %d", resp.Status)
	}
	get, err := pc.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("a b/ä")})
	signed(t, get, err).send(t)
	q.url += "0"
	q.send(t)
	close(told)
	var all []s3server.Created
	for c := range told {
		all = append(all, c)
	}
	const sum = "1cb251ec0d568de6a929b520c4aed8d1" // printf text | md5sum
	if want := (s3server.Created{Bucket: bucket, Key: "a b/ä", ETag: sum, Size: 4}); len(all) != 1 || all[0] != want {
		t.Errorf("told of %v, want %v", all, want)
	}
}

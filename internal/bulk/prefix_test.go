package bulk_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/s3query"
	"bulkpresign/internal/s3url"
)

// slowS3 gives one page of a listing, or one object, at once, and hangs then.
func slowS3(t *testing.T) *bulk.Service {
	t.Helper()
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead && r.URL.Path == "/photos/a" {
			return
		}
		if r.Method == http.MethodHead || r.URL.Query().Has("continuation-token") {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
			return
		}
		fmt.Fprint(w, `<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>two</NextContinuationToken><Contents><Key>p/1</Key><Size>1</Size></Contents></ListBucketResult>`)
	}))
	t.Cleanup(func() { close(hang); server.Close() })
	return &bulk.Service{
		Policy: policy.Policy{Buckets: []string{"photos"}, Operations: []s3op.Operation{s3op.GetObject}, DefaultExpiresIn: time.Minute, MaxExpiresIn: time.Hour, MaxKeys: 1000},
		Locate: func(bucket string) (s3url.Location, error) {
			return s3url.Resolve(context.Background(), bucket, s3url.Settings{Region: "eu-west-1", Endpoint: server.URL})
		},
		Credentials: static{},
		Now:         time.Now,
		S3:          new(s3query.Client),
		ListKeys:    true,
	}
}

type static struct{}

func (static) Credentials(context.Context, *bulk.Need) (c bulk.Credentials, err error) {
	c.AccessKeyID, c.SecretAccessKey = "AKIAEXAMPLE", "secret"
	return c, nil
}

func planWithin(t *testing.T, s *bulk.Service, request string) (*bulk.Plan, time.Duration) {
	t.Helper()
	r, err := bulk.Decode([]byte(request), 1000)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
	defer cancel()
	p, err := s.Plan(ctx, policy.Caller{Kind: policy.Direct}, r)
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ctx.Deadline()
	return p, time.Until(end)
}

// An answer is given in time with what has been listed until then, and says where to go on.
func TestPrefixDeadline(t *testing.T) {
	p, left := planWithin(t, slowS3(t), `{"prefix": "p/"}`)
	if p.Keys() != 1 || left <= 0 {
		t.Errorf("%d keys with %v left", p.Keys(), left)
	}
	if p.Next() == "" {
		t.Error("no token")
	}
}

// Keys that there was no time to look at are told.
func TestVerifyDeadline(t *testing.T) {
	p, left := planWithin(t, slowS3(t), `{"keys": ["a", "b"], "verify": "head"}`)
	codes := map[string]bulk.Code{}
	p.Refused(func(key string, code bulk.Code, _ string) { codes[key] = code })
	if p.Signed() != 1 || codes["b"] != bulk.NotVerified || left <= 0 {
		t.Errorf("%d signed, refused %v, with %v left", p.Signed(), codes, left)
	}
}

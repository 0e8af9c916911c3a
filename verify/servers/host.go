package main

import (
	"context"
	"strings"
)

// endpointIsTheBucket signs for a name that leads to the bucket itself, as a CNAME or a proxy does
// (PRESIGN_ADDRESSING=host): the server makes the bucket out of the Host that it receives, so a URL works only when both
// host and path were signed as clients send them.
func (r *run) endpointIsTheBucket(ctx context.Context) error {
	if r.domain == "" {
		return nil
	}
	_, port, _ := strings.Cut(strings.TrimPrefix(r.endpoint, "http://"), ":")
	endpoint := "http://" + plainBucket + "." + r.domain + ":" + port
	f, err := startFunction(ctx, r.binary, endpoint, r.region, r.signer, r.log, "PRESIGN_BUCKETS="+plainBucket, "PRESIGN_ADDRESSING=host")
	if err != nil {
		return err
	}
	defer f.Close()
	for _, key := range []string{"host/plain.txt", "host/a b+c%20d.txt", "host/é/😀"} {
		name := "the endpoint is the bucket, " + key
		content := []byte("content of " + key)
		for _, step := range []struct {
			operation string
			body      []byte
		}{{"PutObject", content}, {"GetObject", nil}} {
			b, err := sign(ctx, f, map[string]any{"operation": step.operation, "keys": []string{key}})
			if err != nil {
				return err
			}
			q, err := b.request(key, step.body)
			if err != nil {
				return err
			}
			if step.operation == "GetObject" {
				r.accept(ctx, name+", GetObject", q, 200, holds(content))
				q.url = strings.Replace(q.url, "host/", "other/", 1)
				r.refuse(ctx, name+", another key", q)
			} else {
				r.accept(ctx, name+", PutObject", q, 200, nil)
			}
		}
		// The same object under the server's own name: it lies in the bucket, at that key.
		b, err := sign(ctx, r.sign, map[string]any{"keys": []string{key}, "bucket": plainBucket})
		if err != nil {
			return err
		}
		q, err := b.request(key, nil)
		if err != nil {
			return err
		}
		r.accept(ctx, name+", as it lies there", q, 200, holds(content))
	}
	return nil
}

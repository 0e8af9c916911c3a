package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"bulkpresign/internal/check/rawhttp"
)

// checksummed begins an upload of an object that has a checksum of each of its parts. The function cannot know those, so the
// client computes them and has each part signed with its own (UploadPart): then a part that was damaged is refused, whoever
// sends it.
func (r *run) checksummed(ctx context.Context) error {
	f, err := r.function(ctx, r.region, r.signer.AccessKeyID, r.signer.SecretAccessKey, r.signer.SessionToken, "PRESIGN_OPERATIONS=MultipartUpload,UploadPart")
	if err != nil {
		return err
	}
	defer f.Close()
	const key = "multipart/checksummed.bin"
	body := []byte("the only part, which may be short")
	sum := sha256.Sum256(body)
	checksum := base64.StdEncoding.EncodeToString(sum[:])
	b, err := sign(ctx, f, map[string]any{"bucket": plainBucket, "operation": "MultipartUpload", "keys": []string{key},
		"size": len(body), "checksum_algorithm": "SHA256"})
	if err != nil {
		return err
	}
	u := b.Uploads[key]
	b, err = sign(ctx, f, map[string]any{"bucket": plainBucket, "operation": "UploadPart", "keys": []string{key},
		"upload_id": u.UploadID, "part_number": 1, "checksum_sha256": checksum, "content_length": len(body)})
	if err != nil {
		return err
	}
	q, err := b.request(key, body)
	if err != nil {
		return err
	}
	other := q
	other.headers = clone(q.headers)
	other.headers["x-amz-checksum-sha256"] = base64.StdEncoding.EncodeToString(make([]byte, sha256.Size))
	r.refuse(ctx, "MultipartUpload checksum, other than signed", other)
	damaged := q
	damaged.body = bytes.ToUpper(body)
	const name = "MultipartUpload checksum, damaged part"
	if resp, err := damaged.send(ctx); err != nil {
		r.record(name, "no answer")
	} else if resp.Status != 400 {
		r.record(name, outcome(resp))
	} else {
		r.record(name, "")
	}
	etag := ""
	r.accept(ctx, "MultipartUpload checksum, part", q, 200, func(resp *rawhttp.Response) string {
		etag = resp.Header.Get("Etag")
		if got := resp.Header.Get("X-Amz-Checksum-Sha256"); got != checksum {
			return "200, no x-amz-checksum-sha256"
		}
		return ""
	})
	list := fmt.Appendf(nil, `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Part><PartNumber>1</PartNumber><ETag>%s</ETag><ChecksumSHA256>%s</ChecksumSHA256></Part></CompleteMultipartUpload>`, etag, checksum)
	r.accept(ctx, "MultipartUpload checksum, complete", request{method: "POST", url: u.CompleteURL, headers: map[string]string{}, body: list}, 200, func(resp *rawhttp.Response) string {
		if code := errorCode(resp.Body); code != "" {
			return "200, and then " + code
		}
		return (&story{run: r}).stored(ctx, key, body, "")
	})
	return nil
}

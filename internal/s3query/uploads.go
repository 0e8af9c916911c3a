package s3query

import (
	"context"
	"strconv"

	"bulkpresign/internal/awserr"
	"bulkpresign/internal/s3op"
)

// CreateUpload begins an upload in parts and returns its id. Options are settled, of
// CreateMultipartUpload. The role needs s3:PutObject. The error is an *awserr.Error.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html
func (b *Bucket) CreateUpload(ctx context.Context, key string, options []s3op.Option) (id string, err error) {
	const call = "begin an upload"
	answer, err := b.Ask(ctx, &Query{Operation: s3op.CreateMultipartUpload, Options: options, Key: key, Call: call})
	if err != nil {
		return "", err
	}
	// Not by a decoder of the whole: the answer repeats the key, and XML cannot hold every key.
	id, ok := answer.element("UploadId")
	if !ok {
		return "", &awserr.Error{Call: call, Code: "NoUploadId", Status: 200}
	}
	return id, nil
}

// AbortUpload ends an upload and has S3 forget its parts. Options are settled, of
// AbortMultipartUpload. The role needs s3:AbortMultipartUpload.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html
func (b *Bucket) AbortUpload(ctx context.Context, key string, options []s3op.Option) error {
	_, err := b.Ask(ctx, &Query{Operation: s3op.AbortMultipartUpload, Options: options, Key: key, Call: "abort an upload"})
	return err
}

// Part is a part of an upload that S3 has.
type Part struct {
	Number int
	Size   int64  // bytes
	ETag   string // as S3 gave it, with quotation marks
}

// Parts are those of an upload, in their order. Options are settled, of ListParts. The role
// needs s3:ListMultipartUploadParts. The error is an *awserr.Error.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html
func (b *Bucket) Parts(ctx context.Context, key string, options []s3op.Option) ([]Part, error) {
	const call = "list an upload's parts"
	var all []Part
	for marker := 0; ; {
		page := append([]s3op.Option(nil), options...)
		if marker > 0 {
			page = append(page, s3op.Option{ID: s3op.PartNumberMarker, Value: strconv.Itoa(marker)})
		}
		s3op.Sort(page)
		answer, err := b.Ask(ctx, &Query{Operation: s3op.ListParts, Options: page, Key: key, Call: call})
		if err != nil {
			return nil, err
		}
		truncated, _ := answer.element("IsTruncated")
		last := marker
		for text := range answer.elements("Part") {
			one := Answer{Body: text}
			number, _ := one.element("PartNumber")
			size, _ := one.element("Size")
			etag, _ := one.element("ETag")
			p := Part{ETag: etag}
			p.Number, _ = strconv.Atoi(number)
			p.Size, _ = strconv.ParseInt(size, 10, 64)
			all = append(all, p)
			last = max(last, p.Number)
		}
		if truncated != "true" {
			return all, nil
		}
		if last == marker { // S3 says that there is more, and gives nothing
			return nil, &awserr.Error{Call: call, Code: "ListingStopped", Status: 200}
		}
		marker = last
	}
}

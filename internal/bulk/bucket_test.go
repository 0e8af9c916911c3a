package bulk_test

import (
	"errors"
	"testing"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/check/batches"
)

// Buckets that SigV4 does not reach are refused in so many words, before anything is signed.
func TestUnsupportedBuckets(t *testing.T) {
	for _, bucket := range []string{
		"photos--use1-az4--x-s3",
		"arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap",
		"arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-01234567890123456/accesspoint/ap",
	} {
		in := batches.LambdaInput()
		in.Bucket = bucket
		_, err := batches.Plan(batches.Service(in), []byte(`{"keys":["a"]}`))
		var e *bulk.Error
		if !errors.As(err, &e) || e.Code != bulk.InvalidOption {
			t.Errorf("%s: got %v, want InvalidOption", bucket, err)
		}
	}
}

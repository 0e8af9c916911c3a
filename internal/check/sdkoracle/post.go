package sdkoracle

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// PostOutput is a form as the SDK makes it.
type PostOutput struct {
	URL    string
	Fields map[string]string
}

// PresignPost gives the SDK's form for an input, whose operation and options it does not
// look at, with conditions beside its own.
func PresignPost(ctx context.Context, in Input, conditions []any) (PostOutput, error) {
	client := s3.NewPresignClient(s3.New(options(in)))
	post, err := client.PresignPostObject(ctx, &s3.PutObjectInput{Bucket: &in.Bucket, Key: &in.Key}, func(o *s3.PresignPostOptions) {
		o.Expires = in.ExpiresIn
		o.Conditions = conditions
		o.PostPresigner = frozenPost{o.PostPresigner, in.Time, in.ExpiresIn}
	})
	if err != nil {
		return PostOutput{}, err
	}
	return PostOutput{post.URL, post.Values}, nil
}

// frozenPost hands the SDK's signer of policies our time in place of the wall clock's.
type frozenPost struct {
	signer  s3.PresignPost
	now     time.Time
	expires time.Duration
}

func (p frozenPost) PresignPost(credentials aws.Credentials, bucket, key, region, service string, _ time.Time,
	conditions []any, _ time.Time, opts ...func(*v4.SignerOptions),
) (map[string]string, error) {
	return p.signer.PresignPost(credentials, bucket, key, region, service, p.now, conditions, p.now.Add(p.expires).UTC(), opts...)
}

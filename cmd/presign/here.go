package main

import (
	"context"
	"errors"
	"os"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"bulkpresign/internal/awscreds"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/s3query"
	"bulkpresign/internal/s3url"
)

// here signs on this machine, with the SDK's credential chain: environment, profiles, single sign-on, instance roles.
type here struct {
	config  aws.Config
	service *bulk.Service
	client  *s3.Client // to list with
}

// setEnvironment hands the SDK what flags say.
func (o *options) setEnvironment() error {
	for variable, value := range map[string]string{"AWS_PROFILE": o.profile, "AWS_REGION": o.region, "AWS_ENDPOINT_URL_S3": o.endpoint} {
		if value != "" {
			if err := os.Setenv(variable, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// newHere finds credentials and endpoint as the SDK does; flags win.
func newHere(ctx context.Context, o *options, bucket string) (*here, error) {
	if err := o.setEnvironment(); err != nil {
		return nil, err
	}
	source := &awscreds.Source{}
	loaded, err := source.Config(ctx)
	if err != nil {
		return nil, err
	}
	if loaded.Region == "" {
		return nil, usageError("the bucket's region is not known", "give -region, AWS_REGION, or a profile that has one: it is part of the signature")
	}
	addressing := s3url.Addressing(o.addressed)
	client := s3.NewFromConfig(loaded, func(c *s3.Options) {
		c.UsePathStyle = addressing == s3url.Path || addressing != s3url.Virtual && c.BaseEndpoint != nil
	})
	settings := s3url.Settings{
		Region:     loaded.Region,
		Endpoint:   aws.ToString(client.Options().BaseEndpoint),
		Addressing: addressing,
		DualStack:  client.Options().EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled,
		FIPS:       client.Options().EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled,
	}
	if settings.Endpoint != "" {
		if err := s3url.CheckEndpoint(settings.Endpoint); err != nil {
			return nil, usageError("the endpoint cannot be signed for: "+err.Error(), "it stands in every URL, so write it as clients do: https://HOST or http://HOST:PORT")
		}
	}
	location, err := s3url.Resolve(ctx, bucket, settings)
	if err != nil {
		return nil, err
	}
	return &here{
		config: loaded,
		client: client,
		service: &bulk.Service{
			Policy: policy.Policy{
				Buckets:          []string{bucket},
				Operations:       s3op.Operations(),
				DefaultExpiresIn: 15 * time.Minute,
				MaxExpiresIn:     policy.MaxExpiresIn,
			},
			Locate:      func(string) (s3url.Location, error) { return location, nil },
			Credentials: source,
			Now:         time.Now,
			S3:          new(s3query.Client),
		},
	}, nil
}

var anyURL = regexp.MustCompile(`https?://[^\s"]+`)

// plain is what may be shown of an error of the SDK's: a code and message of S3's, or a text without URLs, which may be
// signed.
func plain(err error) error {
	var answer smithy.APIError
	if errors.As(err, &answer) {
		return errors.New(oneLine(answer.ErrorCode() + ": " + answer.ErrorMessage()))
	}
	return errors.New(oneLine(anyURL.ReplaceAllString(err.Error(), "[URL]")))
}

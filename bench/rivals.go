package main

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/encoding/httpbinding"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// A presignFunc makes the URL of one key.
type presignFunc func(key string) (string, error)

// sdkPresignClient is the SDK as its documentation shows it, with what costs time and
// nobody wants in a URL (a checksum mode) off. A presigner of nil is the SDK's own.
func sdkPresignClient(presigner s3.HTTPPresignerV4) presignFunc {
	client := s3.NewPresignClient(s3.New(s3.Options{
		Region: region,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return sdkCredentials, nil
		}),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	}), func(o *s3.PresignOptions) {
		o.Expires = expiry
		o.Presigner = presigner
	})
	ctx := context.Background()
	return func(key string) (string, error) {
		signed, err := client.PresignGetObject(ctx, &s3.GetObjectInput{
			Bucket: aws.String(bucket),
			Key:    &key,
		})
		if err != nil {
			return "", err
		}
		return signed.URL, nil
	}
}

var sdkCredentials = aws.Credentials{
	AccessKeyID:     accessKeyID,
	SecretAccessKey: secretAccessKey,
	SessionToken:    sessionToken,
}

// frozen is the SDK's own presigner at a given time.
type frozen struct {
	signer *v4.Signer
	now    time.Time
}

func (f frozen) PresignHTTP(
	ctx context.Context, c aws.Credentials, r *http.Request,
	payloadHash, service, region string, _ time.Time, opts ...func(*v4.SignerOptions),
) (string, http.Header, error) {
	return f.signer.PresignHTTP(ctx, c, r, payloadHash, service, region, f.now, opts...)
}

func newSDKSigner() *v4.Signer {
	return v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
}

// sdkSigner is the SDK's signer without the client around it, as one would use it who
// wants speed: all of the request that does not depend on the key is made once.
func sdkSigner(clock func() time.Time) presignFunc {
	signer := newSDKSigner()
	base := url.URL{Scheme: "https", Host: host, RawQuery: "X-Amz-Expires=900&x-id=GetObject"}
	ctx := context.Background()
	return func(key string) (string, error) {
		u := base
		u.Path = "/" + key
		u.RawPath = "/" + httpbinding.EscapePath(key, false)
		r := &http.Request{Method: http.MethodGet, URL: &u, Host: host, Header: http.Header{}}
		signed, _, err := signer.PresignHTTP(ctx, sdkCredentials, r, "UNSIGNED-PAYLOAD", "s3", region, clock())
		return signed, err
	}
}

func minioClient() (presignFunc, error) {
	client, err := minio.New("s3."+region+".amazonaws.com", &minio.Options{
		Creds:  credentials.NewStaticV4(accessKeyID, secretAccessKey, sessionToken),
		Region: region, // else it would ask for it
		Secure: true,
	})
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	return func(key string) (string, error) {
		u, err := client.PresignedGetObject(ctx, bucket, key, expiry, nil)
		if err != nil {
			return "", err
		}
		return u.String(), nil
	}, nil
}

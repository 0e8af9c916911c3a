package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/encoding/httpbinding"

	"bulkpresign/internal/check/sigv4verify"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/sigv4"
)

// A duel is one kind of upload, signed by us and by the SDK.
type duel struct{ ours, sdk *contestant }

// enterUploads makes the duels, and looks at what each signs.
func (t *table) enterUploads(keys []string) error {
	now := time.Now()
	post, err := formDuel(now, keys)
	if err != nil {
		return err
	}
	parts, err := partDuel(now, keys)
	if err != nil {
		return err
	}
	creation, err := creationDuel(now, keys)
	if err != nil {
		return err
	}
	t.uploads = []duel{post, parts, creation}
	return nil
}

func (t *table) printUploads(w io.Writer) {
	rows := [][]string{{"uploads, one core", "keys a batch", "ns each, ours", "ns each, the SDK's", "x Go SDK"}}
	for _, d := range t.uploads {
		ours, sdk := d.ours.median(), d.sdk.median()
		rows = append(rows, []string{d.ours.name + " beside " + d.sdk.name, thousands(float64(d.ours.keys)), thousands(ours.ns), thousands(sdk.ns), ratio(sdk, ours)})
	}
	writeMarkdown(w, rows)
}

// newDuel measures both sides, ours in batches of the headline's size.
func newDuel(name string, ours func(keys []string) error, sdkName string, sdk func(keys []string) error, keys []string) duel {
	return duel{
		&contestant{name: name, cores: 1, keys: headline, measure: inBatches(ours, keys, headline, 1, oursAtLeast)},
		&contestant{name: sdkName, cores: 1, keys: headline, measure: inBatches(sdk, keys, headline, 1, rivalsAtLeast)},
	}
}

// formDuel is PostObject: the policy in base64 and its signature in hexadecimal, one after
// the other in one buffer; the SDK's are in a map.
func formDuel(now time.Time, keys []string) (duel, error) {
	forms := signer(now).PostSigner(&sigv4.Post{Bucket: bucket, Expiration: now.Add(expiry)})
	var signatures []sigv4.Signature
	var buffer []byte
	var at []int
	ours := func(keys []string) error {
		signatures = resize(signatures, len(keys))
		forms.SignAll(signatures, func(i int) string { return keys[i] })
		buffer, at = buffer[:0], append(at[:0], 0)
		for i, key := range keys {
			buffer = forms.AppendPolicy(buffer, key)
			buffer = sigv4.AppendHex(buffer, &signatures[i])
			at = append(at, len(buffer))
		}
		return nil
	}
	client := s3.NewPresignClient(s3.New(sdkOptions()))
	sdk := func(key string) (map[string]string, error) {
		form, err := client.PresignPostObject(context.Background(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key},
			func(o *s3.PresignPostOptions) { o.Expires = expiry })
		if err != nil {
			return nil, err
		}
		return form.Values, nil
	}
	// Both policies say the same, but for the second in which they were made; and ours is
	// signed as its own text demands. (That the bytes are the SDK's is tested in sigv4.)
	if err := ours(keys[:100]); err != nil {
		return duel{}, err
	}
	for i, key := range keys[:100] {
		theirs, err := sdk(key)
		if err != nil {
			return duel{}, err
		}
		form := buffer[at[i]:at[i+1]]
		policy := form[:len(form)-2*sigv4.SignatureSize]
		if len(policy) != len(theirs["policy"]) {
			return duel{}, fmt.Errorf("PostObject: the policy of key %d is not as long as the SDK's", i)
		}
		text, err := base64.StdEncoding.DecodeString(string(policy))
		if err != nil || !json.Valid(text) {
			return duel{}, fmt.Errorf("PostObject: the policy of key %d is no JSON", i)
		}
		if signature := sigv4.AppendHex(nil, &signatures[i]); !slices.Equal(signature, form[len(policy):]) {
			return duel{}, fmt.Errorf("PostObject: the signature of key %d is not the one that was made", i)
		}
	}
	return newDuel("PostObject", ours, "PresignPostObject", func(keys []string) error {
		for _, key := range keys {
			if _, err := sdk(key); err != nil {
				return err
			}
		}
		return nil
	}, keys), nil
}

func sdkOptions() s3.Options {
	return s3.Options{
		Region: region,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return sdkCredentials, nil
		}),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	}
}

// partDuel is UploadPart: the parts of one object, one after the other, whose URLs differ in
// their query.
func partDuel(now time.Time, keys []string) (duel, error) {
	const uploadID = "VXBsb2FkIElEIGZvciBlbHZpbmcncyBteS1tb3ZpZS5tMnRzIHVwbG9hZA"
	id, ok := s3op.Lookup("upload_id")
	if !ok {
		return duel{}, errors.New("UploadPart has no upload_id")
	}
	number, _ := s3op.Lookup("part_number")
	from := signer(now)
	r := request
	r.Query = nil
	presigner := from.Presigner(&r)
	path := sigv4.PathOf(keys[0])
	options := []s3op.Option{{ID: number}, {ID: id, Value: uploadID}}
	var buffer []byte
	ours := func(keys []string) error {
		buffer = buffer[:0]
		for i := range keys {
			options[0].Value = strconv.Itoa(1 + i)
			s3op.UploadPart.Fill(&r, options, "")
			presigner.Reset(from, &r)
			signature := presigner.Sign(path)
			buffer = presigner.AppendURL(buffer, path, &signature)
		}
		return nil
	}
	if err := ours(keys[:1]); err != nil {
		return duel{}, err
	}
	if err := sigv4verify.Verify(sigv4verify.Request{Method: http.MethodPut, URL: string(buffer)}, secretAccessKey, region, "s3"); err != nil {
		return duel{}, fmt.Errorf("UploadPart: %w", err)
	}
	client := s3.NewPresignClient(s3.New(sdkOptions()), s3.WithPresignExpires(expiry))
	return newDuel("UploadPart, of one object", ours, "PresignUploadPart", func(some []string) error {
		for i := range some {
			_, err := client.PresignUploadPart(context.Background(), &s3.UploadPartInput{
				Bucket: aws.String(bucket), Key: &keys[0], UploadId: aws.String(uploadID), PartNumber: aws.Int32(int32(1 + i)),
			})
			if err != nil {
				return err
			}
		}
		return nil
	}, keys), nil
}

// creationDuel is CreateMultipartUpload, which stands for all operations whose URLs differ in
// the key. The SDK's client presigns none of them, so its bare signer does.
func creationDuel(now time.Time, keys []string) (duel, error) {
	r := request
	s3op.CreateMultipartUpload.Fill(&r, nil, "")
	o := &ours{presigner: signer(now).Presigner(&r), memory: new(memory)}
	o.sign(keys[:100])
	for i, u := range o.list() {
		if err := sigv4verify.Verify(sigv4verify.Request{Method: http.MethodPost, URL: u}, secretAccessKey, region, "s3"); err != nil {
			return duel{}, fmt.Errorf("CreateMultipartUpload, key %d: %w", i, err)
		}
	}
	bare := newSDKSigner()
	base := url.URL{Scheme: "https", Host: host, RawQuery: "X-Amz-Expires=900&uploads="}
	sdk := func(key string) (string, error) {
		u := base
		u.Path = "/" + key
		u.RawPath = "/" + httpbinding.EscapePath(key, false)
		r := &http.Request{Method: http.MethodPost, URL: &u, Host: host, Header: http.Header{}}
		signed, _, err := bare.PresignHTTP(context.Background(), sdkCredentials, r, "UNSIGNED-PAYLOAD", "s3", region, now)
		return signed, err
	}
	theirs, err := each(sdk, keys[:100])
	if err != nil {
		return duel{}, err
	}
	if err := same("CreateMultipartUpload", o.list(), theirs); err != nil {
		return duel{}, err
	}
	return newDuel("CreateMultipartUpload", func(keys []string) error {
		o.sign(keys)
		return nil
	}, "the bare v4.Signer", inLoop(sdk), keys), nil
}

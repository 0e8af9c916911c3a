// Package sdkoracle asks the AWS SDK for Go's own presigner for a URL. It is the
// reference that the differential tests hold our signer against, and is imported
// by tests only.
//
// It knows nothing of our signer and keeps no table of options: an option's name is
// the S3 API's member name in snake_case, so the fields of the SDK's input types say
// which operation has which option (see [Members]). The contract's own words
// "filename" and "create_only" are not members of the S3 API and are no options here.
//
// Both checksum settings are "when required", as in the contract; nothing is read
// from the environment and nothing touches the network.
package sdkoracle

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
)

// ErrNoSuchOption says that the SDK's input type for the operation has no such member.
var ErrNoSuchOption = errors.New("the operation has no such option")

// ErrNotSigV4 says that the SDK did not sign with SigV4: a Multi-Region access point
// needs SigV4A. (S3 Express needs a session from the network and fails earlier.)
var ErrNotSigV4 = errors.New("the SDK does not sign this with SigV4")

// Input is one presign request in the words of the contract.
type Input struct {
	Operation   string // GetObject, HeadObject, PutObject, DeleteObject or UploadPart
	Bucket, Key string
	Region      string

	// Options maps a member name in snake_case to a string, int64, bool or
	// map[string]string. A time is an RFC 3339 string.
	Options map[string]any

	ExpiresIn time.Duration // the SDK makes 0 of it 900 s and cuts fractions of a second
	Time      time.Time     // the signing clock

	AccessKeyID, SecretAccessKey, SessionToken string

	EndpointURL                                          string // empty: AWS
	PathStyle, DualStack, FIPS, Accelerate, UseARNRegion bool

	S3Refuses string // the document of S3 that says why it refuses this, although the SDK signs it; see [Refusals]
}

// Output is what the SDK made of an [Input].
type Output struct {
	URL    string
	Method string

	// SignedHeader has the headers that the request must carry, host included, under
	// canonical names and with the values as given, not as canonicalised.
	SignedHeader http.Header

	// CanonicalRequest is the text whose hash the SDK signed, from its signing log.
	CanonicalRequest string
}

// Presign gives the SDK's answer. Any refusal of the SDK's is returned as it is and may
// quote the input, so a test should not print it. Presign may be called concurrently; it
// costs some 50 to 150 µs, nearly all of it in the SDK's middleware, so clients are not kept.
func Presign(ctx context.Context, in Input) (Output, error) {
	op, ok := operations[in.Operation]
	if in.Operation == "HeadBucket" {
		op, ok = newOperation((*s3.PresignClient).PresignHeadBucket), true
	}
	if !ok {
		return Output{}, fmt.Errorf("unknown operation %q", in.Operation)
	}
	params, err := op.params(in)
	if err != nil {
		return Output{}, err
	}

	// A new signer each time, because the SDK's cache of derived keys looks at access key
	// and date but not at the secret (aws/signer/internal/v4/cache.go).
	frozen := &frozenPresigner{signer: newSigner(), now: in.Time}
	client := s3.NewPresignClient(s3.New(options(in)), func(o *s3.PresignOptions) {
		o.Expires = in.ExpiresIn
		o.Presigner = frozen
	})
	signed, err := op.presign(ctx, client, params)
	if err != nil {
		return Output{}, err
	}
	if frozen.canonicalRequest == "" {
		return Output{}, ErrNotSigV4
	}
	return Output{
		URL:              signed.URL,
		Method:           signed.Method,
		SignedHeader:     signed.SignedHeader,
		CanonicalRequest: frozen.canonicalRequest,
	}, nil
}

// Operations lists the operations that Presign knows, sorted.
func Operations() []string {
	return slices.Sorted(maps.Keys(operations))
}

// Members lists the options that the SDK's input type of an operation has, sorted.
// It is what the S3 API has, so more than the contract offers; it is nil for an
// operation that Presign does not know.
func Members(operation string) []string {
	return slices.Clone(operations[operation].members)
}

func options(in Input) s3.Options {
	o := s3.Options{
		Region: in.Region,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{
				AccessKeyID:     in.AccessKeyID,
				SecretAccessKey: in.SecretAccessKey,
				SessionToken:    in.SessionToken,
			}, nil
		}),
		HTTPClient:                 noNetwork{},
		Retryer:                    aws.NopRetryer{}, // S3 Express would back off for seconds
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
		UsePathStyle:               in.PathStyle,
		UseAccelerate:              in.Accelerate,
		UseARNRegion:               in.UseARNRegion,
	}
	if in.EndpointURL != "" {
		o.BaseEndpoint = aws.String(in.EndpointURL)
	}
	if in.DualStack {
		o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
	}
	if in.FIPS {
		o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
	}
	return o
}

// newSigner is the signer that s3.NewPresignClient makes when it is given none;
// TestWrappedPresigner compares the two.
func newSigner() *v4.Signer {
	return v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
}

// frozenPresigner hands the SDK's signer our time in place of the wall clock's and keeps
// the canonical request.
type frozenPresigner struct {
	signer           *v4.Signer
	now              time.Time
	canonicalRequest string
}

func (p *frozenPresigner) PresignHTTP(
	ctx context.Context, credentials aws.Credentials, r *http.Request,
	payloadHash, service, region string, _ time.Time, opts ...func(*v4.SignerOptions),
) (string, http.Header, error) {
	// Last, since the SDK's own options set the logger as well.
	opts = append(slices.Clip(opts), func(o *v4.SignerOptions) {
		o.LogSigning = true
		o.Logger = logging.LoggerFunc(func(_ logging.Classification, _ string, v ...interface{}) {
			p.canonicalRequest = v[0].(string) // canonical request, string to sign, URL
		})
	})
	return p.signer.PresignHTTP(ctx, credentials, r, payloadHash, service, region, p.now, opts...)
}

// noNetwork is there for S3 Express alone, whose presigner would ask for a session.
type noNetwork struct{}

func (noNetwork) Do(*http.Request) (*http.Response, error) {
	return nil, errors.New("the oracle does not touch the network")
}

type operation struct {
	input   reflect.Type   // the SDK's input struct
	fields  map[string]int // option name to field index
	members []string       // the option names, sorted
	presign func(context.Context, *s3.PresignClient, any) (*v4.PresignedHTTPRequest, error)
}

var operations = map[string]operation{
	"GetObject":    newOperation((*s3.PresignClient).PresignGetObject),
	"HeadObject":   newOperation((*s3.PresignClient).PresignHeadObject),
	"PutObject":    newOperation((*s3.PresignClient).PresignPutObject),
	"DeleteObject": newOperation((*s3.PresignClient).PresignDeleteObject),
	"UploadPart":   newOperation((*s3.PresignClient).PresignUploadPart),
}

func newOperation[I any](
	presign func(*s3.PresignClient, context.Context, *I, ...func(*s3.PresignOptions)) (*v4.PresignedHTTPRequest, error),
) operation {
	t := reflect.TypeFor[I]()
	fields := make(map[string]int)
	for i := range t.NumField() {
		f := t.Field(i)
		switch f.Name {
		case "Bucket", "Key", "Body":
			continue
		}
		if f.IsExported() {
			fields[snake(f.Name)] = i
		}
	}
	return operation{
		input:   t,
		fields:  fields,
		members: slices.Sorted(maps.Keys(fields)),
		presign: func(ctx context.Context, c *s3.PresignClient, params any) (*v4.PresignedHTTPRequest, error) {
			return presign(c, ctx, params.(*I))
		},
	}
}

// snake turns SSECustomerKeyMD5 into sse_customer_key_md5 as the contract spells it: a
// run of capitals is one word, digits belong to the word before them. Where a run ends in
// the first letter of the next word (SSECustomer) that letter starts it; names that
// the API itself spells without a seam (SSEKMSKeyId) keep none (ssekms_key_id).
func snake(name string) string {
	upper := func(i int) bool { return i < len(name) && 'A' <= name[i] && name[i] <= 'Z' }
	lower := func(i int) bool { return i < len(name) && 'a' <= name[i] && name[i] <= 'z' }
	var b strings.Builder
	for i := range len(name) {
		if i > 0 && upper(i) && (lower(i-1) || upper(i-1) && lower(i+1)) {
			b.WriteByte('_')
		}
		b.WriteByte(name[i])
	}
	return strings.ToLower(b.String())
}

// params makes the SDK's input struct, and returns a pointer to it.
func (op operation) params(in Input) (any, error) {
	ptr := reflect.New(op.input)
	v := ptr.Elem()
	v.FieldByName("Bucket").Set(reflect.ValueOf(&in.Bucket))
	if key := v.FieldByName("Key"); key.IsValid() { // but for an operation of a bucket
		key.Set(reflect.ValueOf(&in.Key))
	}
	for name, value := range in.Options {
		i, ok := op.fields[name]
		if !ok {
			return nil, fmt.Errorf("%s, %s: %w", in.Operation, name, ErrNoSuchOption)
		}
		if err := set(v.Field(i), value); err != nil {
			return nil, fmt.Errorf("%s, %s: %w", in.Operation, name, err)
		}
	}
	return ptr.Interface(), nil
}

func set(field reflect.Value, value any) error {
	switch value := value.(type) {
	case string:
		switch {
		case field.Kind() == reflect.String: // an enumeration
			field.SetString(value)
			return nil
		case field.Type() == reflect.TypeFor[*string]():
			field.Set(reflect.ValueOf(&value))
			return nil
		case field.Type() == reflect.TypeFor[*time.Time]():
			t, err := time.Parse(time.RFC3339, value)
			if err != nil {
				return errors.New("not an RFC 3339 time")
			}
			field.Set(reflect.ValueOf(&t))
			return nil
		}
	case int64:
		switch field.Type() {
		case reflect.TypeFor[*int64]():
			field.Set(reflect.ValueOf(&value))
			return nil
		case reflect.TypeFor[*int32]():
			n := int32(value)
			if int64(n) != value {
				return errors.New("out of range")
			}
			field.Set(reflect.ValueOf(&n))
			return nil
		}
	case bool:
		if field.Type() == reflect.TypeFor[*bool]() {
			field.Set(reflect.ValueOf(&value))
			return nil
		}
	case map[string]string:
		if field.Type() == reflect.TypeFor[map[string]string]() {
			field.Set(reflect.ValueOf(maps.Clone(value)))
			return nil
		}
	}
	return fmt.Errorf("a %T does not fit", value)
}

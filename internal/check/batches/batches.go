// Package batches plans the batches that tests are made of, given or generated, and reads the answers to them as a
// caller would.
package batches

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"bulkpresign/internal/answer"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/check/sdkoracle"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/s3url"
	"bulkpresign/internal/sigv4"
)

// Fixed is a source of credentials that never change.
type Fixed struct{ Now bulk.Credentials }

func (f Fixed) Credentials(context.Context, *bulk.Need) (bulk.Credentials, error) { return f.Now, nil }

// Everything allows every operation on one bucket.
func Everything(bucket string) policy.Policy {
	return policy.Policy{
		Buckets:          []string{bucket},
		Operations:       s3op.Operations(),
		DefaultExpiresIn: 900 * time.Second,
		MaxExpiresIn:     policy.MaxExpiresIn,
		MaxKeys:          1_000_000,
	}
}

// Service signs as the oracle's input says.
func Service(in sdkoracle.Input) *bulk.Service {
	settings := s3url.Settings{
		Region: in.Region, Endpoint: in.EndpointURL, Addressing: s3url.Virtual,
		DualStack: in.DualStack, FIPS: in.FIPS, Accelerate: in.Accelerate,
	}
	if in.PathStyle {
		settings.Addressing = s3url.Path
	}
	return &bulk.Service{
		Policy: Everything(in.Bucket),
		Locate: func(bucket string) (s3url.Location, error) {
			if settings.Endpoint != "" {
				if err := s3url.CheckEndpoint(settings.Endpoint); err != nil {
					return s3url.Location{}, err
				}
			}
			if settings.Region == "" {
				return s3url.Location{}, errors.New("no region")
			}
			return s3url.Resolve(context.Background(), bucket, settings)
		},
		Credentials: Fixed{Now: bulk.Credentials{Credentials: sigv4.Credentials{
			AccessKeyID: in.AccessKeyID, SecretAccessKey: in.SecretAccessKey, SessionToken: in.SessionToken,
		}}},
		Now: func() time.Time { return in.Time },
	}
}

// Noon is when these tests sign, with a fraction that a signature cannot have.
var Noon = time.Date(2026, 11, 23, 12, 0, 0, 750_000_000, time.FixedZone("", 3600))

// Standing is a service whose clock and credentials stand still.
func Standing() *bulk.Service {
	return &bulk.Service{
		Policy: Everything("photos"),
		Locate: func(bucket string) (s3url.Location, error) {
			return s3url.Resolve(context.Background(), bucket, s3url.Settings{Region: "eu-west-1"})
		},
		Credentials: Fixed{Now: bulk.Credentials{Credentials: sigv4.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret", SessionToken: "token"}}},
		Now:         func() time.Time { return Noon },
	}
}

// Answer is what a caller reads.
type Answer struct {
	Bucket         string                       `json:"bucket"`
	Operation      string                       `json:"operation"`
	SignedAt       time.Time                    `json:"signed_at"`
	ExpiresIn      int64                        `json:"expires_in"`
	ExpiresAt      time.Time                    `json:"expires_at"`
	ExpiresAtBasis string                       `json:"expires_at_basis"`
	URLs           map[string]string            `json:"urls"`
	PartURLs       map[string]map[string]string `json:"part_urls"`
	Posts          map[string]any               `json:"posts"`
	Uploads        map[string]any               `json:"uploads"`
	Headers        map[string]string            `json:"headers"`
	ItemHeaders    map[string]map[string]string `json:"item_headers"`
	Errors         map[string]struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Rule    string `json:"rule"`
	} `json:"errors"`
	Warnings map[string]string `json:"warnings"`
	Explain  *struct {
		Rules []string `json:"rules"`
	} `json:"explain"`
}

// Plan decodes and plans a request.
func Plan(s *bulk.Service, request []byte) (*bulk.Plan, error) {
	return PlanFor(s, policy.Caller{}, request)
}

// PlanFor is Plan for a caller.
func PlanFor(s *bulk.Service, caller policy.Caller, request []byte) (*bulk.Plan, error) {
	r, err := bulk.Decode(request, s.Policy.MaxKeys)
	if err != nil {
		return nil, err
	}
	return s.Plan(context.Background(), caller, r)
}

// Finish signs and reads the answer back, and checks that its size was foretold.
func Finish(t testing.TB, p *bulk.Plan) Answer {
	t.Helper()
	bare := answer.Append(nil, p, bulk.JSON, answer.Bare) // signs and writes at once
	if size, _ := answer.Size(p, bulk.JSON, answer.Bare, 0); size != len(bare) {
		t.Fatalf("Size says %d, the answer has %d bytes", size, len(bare))
	}
	p.Sign()
	quoted := answer.Append(nil, p, bulk.JSON, answer.Quoted) // only writes
	if size, _ := answer.Size(p, bulk.JSON, answer.Quoted, 0); size != len(quoted) {
		t.Fatalf("Size says %d, the quoted answer has %d bytes", size, len(quoted))
	}
	var unquoted string
	if err := json.Unmarshal([]byte(`"`+string(quoted)+`"`), &unquoted); err != nil || unquoted != string(bare) {
		t.Fatalf("the quoted answer is not the bare one quoted (error: %v)", err != nil)
	}
	var a Answer
	d := json.NewDecoder(strings.NewReader(string(bare)))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		t.Fatalf("the answer is not what it should be: %v", err)
	}
	return a
}

// Generated plans the first generated input that can be signed, with many keys.
func Generated(r *rand.Rand, keys int) *bulk.Plan {
	for {
		in := sdkoracle.Generate(r)
		if in.S3Refuses != "" {
			continue
		}
		request := map[string]any{
			"operation": in.Operation, "expires_in": int64(in.ExpiresIn / time.Second), "allow_dot_segments": true,
		}
		for name, value := range in.Options {
			request[name] = value
		}
		names := make([]string, keys)
		for k := range names {
			key := in.Key[k%max(len(in.Key), 1):] // of every length that the key allows
			names[k] = fmt.Sprintf("%d/%s", k, strings.ToValidUTF8(key[:min(len(key), 1000)], ""))
		}
		request["keys"] = names
		text, err := json.Marshal(request)
		if err != nil {
			panic(err)
		}
		if p, err := Plan(Service(in), text); err == nil {
			return p
		}
	}
}

// LambdaInput has the shape of a Lambda's batch: a session token of 1,000 characters.
func LambdaInput() sdkoracle.Input {
	return sdkoracle.Input{
		Bucket: "photos", Region: "eu-west-1", Time: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC),
		AccessKeyID: "ASIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		SessionToken: strings.Repeat("IQoJb3JpZ2luX2VjEJ", 56)[:1000],
	}
}

// RequestFor words the oracle's input as a request, each option for the whole batch or
// for the item.
func RequestFor(in sdkoracle.Input, r *rand.Rand) []byte {
	item := map[string]any{"key": in.Key}
	request := map[string]any{
		"operation": in.Operation, "expires_in": int64(in.ExpiresIn / time.Second),
		"allow_dot_segments": true, "keys": []any{item},
	}
	for name, value := range in.Options {
		if r.IntN(2) == 0 && name != "continuation_token" && name != "start_after" { // fields of a request with a prefix
			request[name] = value
		} else {
			item[name] = value
		}
	}
	text, err := json.Marshal(request)
	if err != nil {
		panic(err)
	}
	return text
}

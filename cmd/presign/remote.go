package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bulkpresign/internal/awscreds"
)

const (
	// maxAnswer is the most of an answer that is unpacked; a result behind a URL may be as large.
	maxAnswer = 1 << 30

	// attempts, firstWait and longestWait are of retries: half a second, one, two, four, eight.
	attempts    = 6
	firstWait   = 500 * time.Millisecond
	longestWait = 20 * time.Second
)

// remote is a deployed service: behind a URL, or a function that is invoked. Both are a POST; a function's is Lambda's own
// Invoke, signed here, so that the command needs no client of Lambda's.
//
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
type remote struct {
	url      string
	invoke   bool
	token    string // a bearer's, instead of a signature
	service  string // that the request is signed for; empty: it is not
	region   string
	provider aws.CredentialsProvider
	client   *http.Client
	wait     time.Duration // the first, for a test
}

// newRemote finds out where the service is, and as whom to ask it.
func newRemote(ctx context.Context, o *options) (*remote, error) {
	if err := o.setEnvironment(); err != nil {
		return nil, err
	}
	r := &remote{url: o.url, invoke: o.function != "", wait: firstWait, client: &http.Client{Timeout: 2 * time.Minute}}
	var err error
	if r.token, err = o.bearer(); err != nil {
		return nil, err
	}
	loaded, err := new(awscreds.Source).Config(ctx)
	if err != nil {
		return nil, plain(err)
	}
	r.provider, r.region = loaded.Credentials, loaded.Region
	if r.invoke {
		r.service = "lambda"
		base := os.Getenv("AWS_ENDPOINT_URL_LAMBDA")
		if base == "" {
			base = aws.ToString(loaded.BaseEndpoint)
		}
		if parts := strings.Split(o.function, ":"); len(parts) > 6 && parts[0] == "arn" {
			r.region = parts[3] // the ARN's own
		}
		if r.region == "" {
			return nil, usageError("the function's region is not known", "give -region, AWS_REGION, or the function's ARN")
		}
		if base == "" {
			e := s3.NewFromConfig(loaded).Options().EndpointOptions // which reads AWS_USE_FIPS_ENDPOINT and the like, of all services
			base = lambdaEndpoint(r.region, e.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled, e.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled)
		}
		r.url = strings.TrimSuffix(base, "/") + "/2015-03-31/functions/" + url.PathEscape(o.function) + "/invocations"
		return r, nil
	}
	return r, r.locate()
}

// lambdaEndpoint is where Lambda is in a region.
//
// https://docs.aws.amazon.com/general/latest/gr/lambda-service.html
func lambdaEndpoint(region string, fips, dualStack bool) string {
	service, domain := "lambda", "amazonaws.com"
	china := strings.HasPrefix(region, "cn-")
	switch {
	case dualStack && china:
		domain = "api.amazonwebservices.com.cn"
	case dualStack:
		domain = "api.aws"
	case china:
		domain += ".cn"
	}
	if fips {
		service += "-fips"
	}
	return "https://" + service + "." + region + "." + domain
}

// locate reads from the URL what its requests are signed for.
func (r *remote) locate() error {
	u, err := url.Parse(r.url)
	if err != nil || u.Host == "" || u.User != nil {
		return usageError("-url is not the address of a service", "write it as https://HOST/PATH, as the deployment printed it")
	}
	address := net.ParseIP(u.Hostname())
	here := u.Hostname() == "localhost" || address != nil && address.IsLoopback()
	if u.Scheme != "https" && !(u.Scheme == "http" && here) {
		return usageError("-url must begin with https://", "what is asked and answered is secret; http:// is for this machine alone")
	}
	if r.token != "" {
		return nil
	}
	labels := strings.Split(u.Hostname(), ".")
	for i, label := range labels {
		switch label {
		case "execute-api":
			r.service = label
		case "lambda-url":
			r.service = "lambda"
		default:
			continue
		}
		if i+1 < len(labels) {
			r.region = labels[i+1]
		}
	}
	if r.service == "" && !here {
		r.service = "execute-api" // behind a domain of one's own
	}
	if r.service != "" && r.region == "" {
		return usageError("the service's region is not known", "give -region or AWS_REGION: the request is signed for it")
	}
	return nil
}

// bearer is the token to ask with, if there is one. It is never a flag's value, which every process on the machine sees.
func (o *options) bearer() (string, error) {
	var token string
	switch {
	case o.tokenFile != "" && o.tokenEnv != "":
		return "", usageError("there are two tokens", "give one of -token-file and -token-env")
	case o.tokenFile != "":
		text, err := os.ReadFile(o.tokenFile)
		if err != nil {
			return "", err
		}
		token = strings.TrimSpace(string(text))
	case o.tokenEnv != "":
		token = os.Getenv(o.tokenEnv)
	default:
		return "", nil
	}
	if o.function != "" {
		return "", usageError("a function takes no token", "-function is signed with your credentials; a token is for -url")
	}
	if token == "" || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", usageError("the token is empty, or not one word", "look at what is in the file, or the variable")
	}
	return token, nil
}

// refusal is what a service says no with.
type refusal struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Fits   int    `json:"fits"`
	status int
	after  time.Duration // when to ask again, if it says so
}

func (e *refusal) Error() string {
	detail := e.Detail
	if detail == "" {
		detail = "HTTP status " + strconv.Itoa(e.status)
	}
	if e.Code == "" {
		return "the service answers: " + oneLine(detail)
	}
	return "the service answers " + oneLine(e.Code+": "+detail)
}

// hint is what to do.
func (e *refusal) hint() string {
	switch {
	case e.Code == "TooManyKeys" || e.Code == "ResponseTooLarge":
		return "" // its detail says it
	case e.Code == "BucketNotAllowed" || e.Code == "OperationNotAllowed":
		return "the service's settings and policy say what it signs"
	case e.Code == "ResourceNotFoundException":
		return "look at the function's name, the region and the account"
	case e.status == http.StatusUnauthorized || e.status == http.StatusForbidden:
		return "sign with credentials that may call it (-profile), or give its token (-token-file, -token-env)"
	case e.status == http.StatusNotFound:
		return "look at the path behind the host: deployments print the whole URL"
	case e.passing():
		return fmt.Sprintf("it was asked %d times; ask again later", attempts)
	}
	return ""
}

// passing tells whether the same request may well succeed later.
func (e *refusal) passing() bool {
	return e.status == http.StatusTooManyRequests || e.status >= 500 && e.status != http.StatusNotImplemented || e.Code == "CredentialsUnavailable"
}

// ask sends a request until there is an answer, or a refusal that stays.
func (r *remote) ask(ctx context.Context, request []byte) ([]byte, error) {
	return r.untilAnswered(ctx, func() ([]byte, error) { return r.once(ctx, request) })
}

// settings are the environment that a function was deployed with, for who may read it.
//
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html
func (r *remote) settings(ctx context.Context) (map[string]string, error) {
	address := strings.TrimSuffix(r.url, "/invocations") + "/configuration"
	text, err := r.untilAnswered(ctx, func() ([]byte, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return nil, errors.New("the function's name cannot be used")
		}
		return r.signed(request, nil)
	})
	if err != nil {
		return nil, err
	}
	var found struct {
		Environment struct{ Variables map[string]string }
	}
	if json.Unmarshal(text, &found) != nil {
		return nil, errors.New("the function's configuration cannot be read")
	}
	return found.Environment.Variables, nil
}

func (r *remote) untilAnswered(ctx context.Context, once func() ([]byte, error)) ([]byte, error) {
	wait := r.wait
	for try := 1; ; try++ {
		answer, err := once()
		if err == nil || ctx.Err() != nil {
			return answer, err
		}
		var no *refusal
		if errors.As(err, &no) && !no.passing() || try == attempts {
			return nil, err
		}
		pause := wait/2 + rand.N(wait/2) // so that requests that were refused together do not come back together
		if no != nil {
			pause = max(pause, min(no.after, longestWait))
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		wait = min(2*wait, longestWait)
	}
}

func (r *remote) once(ctx context.Context, body []byte) ([]byte, error) {
	if !r.invoke {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write(body)
		z.Close() // neither fails into memory
		body = b.Bytes()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the service's address cannot be used")
	}
	request.Header.Set("Content-Type", "application/json")
	if !r.invoke {
		request.Header.Set("Content-Encoding", "gzip") // an answer in gzip is the transport's own doing
	}
	return r.signed(request, body)
}

// signed sends a request as the service wants to know who asks.
func (r *remote) signed(request *http.Request, body []byte) ([]byte, error) {
	ctx := request.Context()
	switch {
	case r.token != "":
		request.Header.Set("Authorization", "Bearer "+r.token)
	case r.service != "":
		credentials, err := r.provider.Retrieve(ctx)
		if err != nil {
			return nil, usageError("there are no credentials to ask the service with: "+plain(err).Error(), "give -profile, or sign in: aws sso login")
		}
		sum := sha256.Sum256(body)
		if err := v4.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(sum[:]), r.service, r.region, time.Now()); err != nil {
			return nil, plain(err)
		}
	}
	return r.receive(request)
}

func (r *remote) receive(request *http.Request) ([]byte, error) {
	response, err := r.client.Do(request)
	if err != nil {
		return nil, plain(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, plain(err)
	}
	if response.StatusCode != http.StatusOK {
		no := new(refusal)
		var gateway struct{ Message, Code, Type string } // API Gateway's and Lambda's own
		if json.Unmarshal(body, no) != nil || no.Code == "" {
			json.Unmarshal(body, &gateway) // or it stays empty
			no.Detail, no.Code = gateway.Message, response.Header.Get("X-Amzn-Errortype")
			no.Code, _, _ = strings.Cut(no.Code, ":")
		}
		no.status = response.StatusCode
		if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil {
			no.after = time.Duration(seconds) * time.Second
		}
		return nil, no
	}
	if !r.invoke {
		return body, nil
	}
	if response.Header.Get("X-Amz-Function-Error") != "" {
		var failed struct{ ErrorType, ErrorMessage string }
		if json.Unmarshal(body, &failed) != nil || failed.ErrorType == "" {
			failed.ErrorMessage = "the function failed"
		}
		return nil, &refusal{Code: failed.ErrorType, Detail: failed.ErrorMessage}
	}
	var packed struct{ Encoding, Body string }
	if json.Unmarshal(body, &packed) != nil || packed.Encoding != "gzip" {
		return body, nil
	}
	return unpack(packed.Body)
}

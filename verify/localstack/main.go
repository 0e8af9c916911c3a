// Command localstack uses what deploy.py deployed to an emulator of AWS: it has the function sign, and looks whether
// the emulator's S3 takes what it must and refuses what it must. It prints what fell short, then one line of figures;
// the exit status is 1 unless everything is as expected. What an emulator is known to do wrongly is expected of it
// (deviations.go): it fails here as soon as it does it rightly, so that the list stays true.
package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"bulkpresign/internal/check/awkward"
	"bulkpresign/internal/check/rawhttp"
	"bulkpresign/internal/standin/runtimeapi"
)

const (
	region = "us-east-1"
	bucket = "photos"
)

// root is the account's own credentials, which both emulators know from the start.
var root = aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}

func main() {
	c := &checker{}
	flag.StringVar(&c.emulator, "emulator", "", "localstack or ministack")
	flag.StringVar(&c.endpoint, "endpoint", "http://127.0.0.1:4566", "where it listens")
	flag.StringVar(&c.binary, "function", "bin/api/bootstrap", "the function's binary, for an emulator that cannot run it")
	flag.StringVar(&c.python, "python", "python3", "one that has boto3")
	deployed := flag.String("deployed", "", "what deploy.py printed")
	flag.Parse()

	version, err := c.version()
	if err == nil {
		err = c.run(context.Background(), *deployed)
	}
	if err != nil {
		c.report("run", err)
	}
	fmt.Printf("localstack: %d/%d checks on %s %s, %d of them known deviations of the emulator\n",
		c.good, c.tried, c.emulator, version, c.deviated)
	if c.good != c.tried || err != nil {
		os.Exit(1)
	}
}

type checker struct {
	emulator, endpoint, binary, python string

	s3       *s3.Client // of the account, not of the function
	invoke   func(context.Context, []byte) ([]byte, error)
	deviates map[string]string

	good, tried, deviated int
}

// report counts a check. A known deviation is good as long as it deviates.
func (c *checker) report(name string, err error) {
	c.tried++
	reason, known := c.deviates[name]
	switch {
	case known && err != nil:
		c.deviated++
		c.good++
		fmt.Printf("deviates %s: %s\n", name, reason)
	case known:
		fmt.Printf("FAIL %s: %s %s does this rightly now; take it off the list of deviations\n", name, c.emulator, c.endpoint)
	case err != nil:
		fmt.Printf("FAIL %s: %v\n", name, err)
	default:
		c.good++
	}
}

// version asks the emulator, so that the figures name what they were measured on.
func (c *checker) version() (string, error) {
	response, err := http.Get(c.endpoint + "/_localstack/health") // MiniStack answers it as well
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var health struct{ Version string }
	if err := json.NewDecoder(response.Body).Decode(&health); err != nil {
		return "", fmt.Errorf("health: %w", err)
	}
	return health.Version, nil
}

// deployment is what deploy.py prints.
type deployment struct {
	Complete    []string
	LeftOut     []string `json:"left_out"`
	Wanted      int
	Environment map[string]string
	Outputs     map[string]string
}

func (c *checker) run(ctx context.Context, file string) error {
	var ok bool
	if c.deviates, ok = deviations[c.emulator]; !ok {
		return fmt.Errorf("no emulator %q", c.emulator)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var d deployment
	if err := json.Unmarshal(text, &d); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	fmt.Printf("deployed: %s; left out: %s\n", strings.Join(d.Complete, " "), cmp.Or(strings.Join(d.LeftOut, " "), "nothing"))
	for i := range d.Wanted {
		var err error
		if i >= len(d.Complete) {
			err = errors.New("a resource is not complete")
		}
		c.report(fmt.Sprintf("resource %d", i+1), err)
	}

	c.s3 = s3.New(s3.Options{
		Region: region, BaseEndpoint: &c.endpoint, UsePathStyle: true,
		Credentials:                credentials.StaticCredentialsProvider{Value: root},
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	})
	if _, err := c.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		return fmt.Errorf("create bucket: %w", err)
	}

	if name := d.Outputs["ApiFunctionName"]; name != "" {
		c.invoke = func(ctx context.Context, event []byte) ([]byte, error) { return c.invokeDeployed(ctx, name, event) }
	} else {
		function, err := c.startBinary(ctx, d)
		if err != nil {
			return err
		}
		defer function.Close()
		c.invoke = function.Invoke
	}
	if name := d.Outputs["ApiFunctionName"]; name != "" {
		if err := c.snippet(ctx, name); err != nil {
			return err
		}
	}
	for _, step := range []func(context.Context) error{c.roundTrips, c.listed, c.headersArrive, c.refusals, c.expiry, c.policy} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// startBinary runs the function here, with the environment that the emulator resolved from the template and a session
// of the role that it made.
func (c *checker) startBinary(ctx context.Context, d deployment) (*runtimeapi.Function, error) {
	role := d.Outputs["ApiRoleArn"]
	session, err := sts.New(sts.Options{
		Region: region, BaseEndpoint: &c.endpoint, Credentials: credentials.StaticCredentialsProvider{Value: root},
	}).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("local")})
	if err != nil {
		return nil, fmt.Errorf("assume the function's role: %w", err)
	}
	env := []string{
		"AWS_ACCESS_KEY_ID=" + *session.Credentials.AccessKeyId,
		"AWS_SECRET_ACCESS_KEY=" + *session.Credentials.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + *session.Credentials.SessionToken,
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
	}
	for name, value := range d.Environment {
		env = append(env, name+"="+value)
	}
	return runtimeapi.Start(ctx, runtimeapi.Config{Binary: c.binary, Region: region, Env: env, Timeout: 29 * time.Second})
}

// invokeDeployed calls the function that the emulator runs.
//
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func (c *checker) invokeDeployed(ctx context.Context, name string, event []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, "POST", c.endpoint+"/2015-03-31/functions/"+name+"/invocations", bytes.NewReader(event))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(event)
	if err := v4.NewSigner().SignHTTP(ctx, root, request, hex.EncodeToString(sum[:]), "lambda", region, time.Now()); err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && (response.StatusCode != http.StatusOK || response.Header.Get("X-Amz-Function-Error") != "") {
		err = fmt.Errorf("invoke: status %d, function error %q", response.StatusCode, response.Header.Get("X-Amz-Function-Error"))
	}
	return answer, err
}

// snippet runs examples/snippets/lambda_invoke.py as it stands there against the deployed function, signed, and with a secret that is none.
func (c *checker) snippet(ctx context.Context, name string) error {
	keys := []string{"hello world.txt", "2026/05/star.svg"}
	for _, key := range keys {
		if _, err := c.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: bytes.NewReader(content(key))}); err != nil {
			return err
		}
	}
	run := func(secret string) ([]string, error) {
		cmd := exec.CommandContext(ctx, c.python, "examples/snippets/lambda_invoke.py")
		cmd.Env = append(os.Environ(), "PRESIGN_FUNCTION="+name, "AWS_REGION="+region, "AWS_ENDPOINT_URL="+c.endpoint, "AWS_EC2_METADATA_DISABLED=true",
			"AWS_ACCESS_KEY_ID="+root.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+secret)
		out, err := cmd.Output() // standard error could show a URL
		return strings.Fields(string(out)), err
	}
	urls, err := run(root.SecretAccessKey)
	if err == nil && len(urls) != len(keys) {
		err = fmt.Errorf("%d URLs", len(urls))
	}
	c.report("lambda_invoke.py: is answered", err)
	for i, key := range keys[:min(len(keys), len(urls))] {
		r, err := use(ctx, "GET", urls[i], nil, nil)
		if err == nil && (r.Status != 200 || !bytes.Equal(r.Body, content(key))) {
			err = refusal(r)
		}
		c.report("lambda_invoke.py: GET "+key, err)
	}
	if urls, err = run("another"); err != nil {
		err = nil
	} else {
		err = fmt.Errorf("%d URLs", len(urls))
	}
	c.report("lambda_invoke.py: with another secret", err)
	for _, key := range keys {
		if _, err := c.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: &key}); err != nil {
			return err
		}
	}
	return nil
}

// result is the function's answer, as far as it is looked at here.
type result struct {
	URLs      map[string]string
	Headers   map[string]string
	Errors    map[string]struct{ Code string }
	ExpiresAt time.Time `json:"expires_at"`
	Objects   map[string]struct{ Size int }
}

func (c *checker) sign(ctx context.Context, request map[string]any) (result, error) {
	event, err := json.Marshal(request)
	if err != nil {
		return result{}, err
	}
	answer, err := c.invoke(ctx, event)
	if err != nil {
		return result{}, err
	}
	var r result
	if err := json.Unmarshal(answer, &r); err != nil {
		return result{}, fmt.Errorf("the answer is not a result: %w", err)
	}
	return r, nil
}

func content(key string) []byte { return []byte("the object under " + key + "\n") }

// roundTrips uploads, looks at, downloads and deletes an object under every key, each through a signed URL.
func (c *checker) roundTrips(ctx context.Context) error {
	keys := awkward.Keys()
	var names []string
	for _, k := range keys {
		names = append(names, k.Key)
	}
	for _, o := range []struct {
		operation, method string
		status            int
	}{{"PutObject", "PUT", 200}, {"HeadObject", "HEAD", 200}, {"GetObject", "GET", 200}, {"DeleteObject", "DELETE", 204}} {
		r, err := c.sign(ctx, map[string]any{"operation": o.operation, "keys": names})
		if err != nil {
			return err
		}
		for _, k := range keys {
			err := func() error {
				var body []byte
				if o.method == "PUT" {
					body = content(k.Key)
				}
				response, err := use(ctx, o.method, r.URLs[k.Key], r.Headers, body)
				if err != nil {
					return err
				}
				if response.Status != o.status {
					return refusal(response)
				}
				if n := response.Header.Get("Content-Length"); o.method == "HEAD" && n != strconv.Itoa(len(content(k.Key))) {
					return fmt.Errorf("length %q, want %d", n, len(content(k.Key)))
				}
				if o.method == "GET" && !bytes.Equal(response.Body, content(k.Key)) {
					return errors.New("other bytes than were put")
				}
				return nil
			}()
			c.report(o.method+" "+k.Name, err)
		}
	}
	left, err := c.left(ctx)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		err = fmt.Errorf("still there: %q", left)
	}
	c.report("nothing is left after the DELETEs", err)
	return nil
}

// listed has the function list a prefix with every key under it, and look at objects before it signs.
func (c *checker) listed(ctx context.Context) error {
	const under = "listed/"
	var keys []string
	names := map[string]string{}
	for _, k := range awkward.Keys() {
		if key := under + k.Key; len(key) <= 1024 {
			keys, names[key] = append(keys, key), k.Name
		}
	}
	for _, o := range []struct {
		operation, method string
		status            int
	}{{"PutObject", "PUT", 200}, {"", "", 0}, {"DeleteObject", "DELETE", 204}} {
		if o.operation == "" {
			if err := c.listAndLook(ctx, under, keys, names); err != nil {
				return err
			}
			continue
		}
		r, err := c.sign(ctx, map[string]any{"operation": o.operation, "keys": keys})
		if err != nil {
			return err
		}
		for _, key := range keys {
			var body []byte
			if o.method == "PUT" {
				body = content(key)
			}
			response, err := use(ctx, o.method, r.URLs[key], r.Headers, body)
			if err == nil && response.Status != o.status {
				err = refusal(response)
			}
			if check := "listed " + names[key]; o.method == "PUT" && c.deviates[check] != "" {
				if c.report(check, err); err != nil {
					keys = slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return k == key }) // it is not there
				}
			} else if err != nil {
				return fmt.Errorf("%s of %q: %v", o.method, key, err)
			}
		}
	}
	return nil
}

func (c *checker) listAndLook(ctx context.Context, under string, keys []string, names map[string]string) error {
	r, err := c.sign(ctx, map[string]any{"prefix": under, "folder_markers": true})
	if err != nil {
		return err
	}
	for _, key := range keys {
		err := func() error {
			url, ok := r.URLs[key]
			if !ok {
				return errors.New("not listed")
			}
			response, err := use(ctx, "GET", url, nil, nil)
			if err == nil && !bytes.Equal(response.Body, content(key)) {
				err = refusal(response)
			}
			return err
		}()
		c.report("prefix "+names[key], err)
	}
	if len(r.URLs) != len(keys) {
		err = fmt.Errorf("%d keys, want %d", len(r.URLs), len(keys))
	}
	c.report("prefix, nothing else", err)
	const missing = "listed/not there"
	r, err = c.sign(ctx, map[string]any{"keys": []string{keys[0], missing}, "verify": "describe"})
	if err == nil && (r.Errors[missing].Code != "NotFound" || r.URLs[keys[0]] == "" || r.Objects[keys[0]].Size != len(content(keys[0]))) {
		err = errors.New("it does not say what is there")
	}
	c.report("verify", err)
	return nil
}

// left lists the bucket, with the account's own credentials. Keys come encoded, since XML cannot hold all of them.
func (c *checker) left(ctx context.Context) ([]string, error) {
	list, err := c.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(bucket), EncodingType: types.EncodingTypeUrl})
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, o := range list.Contents {
		keys = append(keys, aws.ToString(o.Key))
	}
	return keys, nil
}

// headersArrive puts with the headers that a PUT can sign, and asks the emulator what it kept.
func (c *checker) headersArrive(ctx context.Context) error {
	const key = "with headers"
	body := content(key)
	r, err := c.sign(ctx, map[string]any{
		"operation": "PutObject", "keys": []string{key},
		"content_type": "text/x-check", "content_length": len(body), "cache_control": "no-store", "content_disposition": `attachment; filename="a b"`,
		"content_language": "en", "metadata": map[string]string{"made-by": "check"},
	})
	if err != nil {
		return err
	}
	response, err := use(ctx, "PUT", r.URLs[key], r.Headers, body)
	if err == nil && response.Status != 200 {
		err = refusal(response)
	}
	c.report("PUT with headers", err)

	o, err := c.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	if err != nil {
		c.report("headers are kept", err)
		return nil
	}
	kept := []string{aws.ToString(o.ContentType), aws.ToString(o.CacheControl), aws.ToString(o.ContentDisposition), aws.ToString(o.ContentLanguage), o.Metadata["made-by"]}
	if want := []string{"text/x-check", "no-store", `attachment; filename="a b"`, "en", "check"}; !slices.Equal(kept, want) {
		err = fmt.Errorf("kept %q, want %q", kept, want)
	}
	c.report("headers are kept", err)

	r, err = c.sign(ctx, map[string]any{"keys": []string{key}, "response_content_type": "text/x-other", "filename": "ž.txt"})
	if err != nil {
		return err
	}
	response, err = use(ctx, "GET", r.URLs[key], nil, nil)
	switch {
	case err != nil:
	case response.Status != 200:
		err = refusal(response)
	case response.Header.Get("Content-Type") != "text/x-other" || !strings.Contains(response.Header.Get("Content-Disposition"), "UTF-8''%C5%BE.txt"):
		err = fmt.Errorf("type %q, disposition %q", response.Header.Get("Content-Type"), response.Header.Get("Content-Disposition"))
	}
	c.report("response headers", err)
	return nil
}

// refusals takes a URL that works, changes one thing, and wants it refused.
func (c *checker) refusals(ctx context.Context) error {
	const key, other = "tamper with me", "another object"
	for _, k := range []string{key, other} {
		_, err := c.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(k), Body: bytes.NewReader(content(k))})
		if err != nil {
			return err
		}
	}
	get, err := c.sign(ctx, map[string]any{"keys": []string{key}})
	if err != nil {
		return err
	}
	url := get.URLs[key]
	put, err := c.sign(ctx, map[string]any{"operation": "PutObject", "keys": []string{"upload"}, "content_type": "text/x-check"})
	if err != nil {
		return err
	}
	upload := put.URLs["upload"]

	response, err := use(ctx, "GET", url, nil, nil)
	if err == nil && response.Status != 200 {
		err = refusal(response)
	}
	c.report("untouched", err) // or the refusals below would show nothing

	for _, t := range []struct {
		name, method, url string
		headers           map[string]string
	}{
		{"signature", "GET", otherDigit(url), nil},
		{"no signature", "GET", without(url, "X-Amz-Signature"), nil},
		{"method PUT on a GET", "PUT", url, nil},
		{"method DELETE on a GET", "DELETE", url, nil},
		{"key", "GET", strings.Replace(url, "tamper%20with%20me", "another%20object", 1), nil},
		{"bucket", "GET", strings.Replace(url, "/"+bucket+"/", "/artifacts/", 1), nil},
		{"host", "GET", url, map[string]string{"host": "localhost:4566"}},
		{"longer life", "GET", with(url, "X-Amz-Expires", "901"), nil},
		{"later date", "GET", with(url, "X-Amz-Date", time.Now().UTC().Add(time.Minute).Format("20060102T150405Z")), nil},
		{"region", "GET", strings.Replace(url, "%2F"+region+"%2F", "%2Feu-west-1%2F", 1), nil},
		{"access key", "GET", strings.Replace(url, "Credential=", "Credential=X", 1), nil},
		{"token changed", "GET", with(url, "X-Amz-Security-Token", "another"), nil},
		{"token left out", "GET", without(url, "X-Amz-Security-Token"), nil},
		{"query parameter added", "GET", url + "&response-content-type=text%2Fhtml", nil},
		{"signed header left out", "PUT", upload, nil},
		{"signed header changed", "PUT", upload, map[string]string{"content-type": "text/html"}},
		{"x-amz- header added", "PUT", upload, map[string]string{"content-type": "text/x-check", "x-amz-acl": "public-read"}},
	} {
		var body []byte
		if t.method == "PUT" {
			body = []byte("not this")
		}
		var err error
		switch {
		case t.url == url && t.method == "GET" && t.headers == nil:
			err = errors.New("the test changed nothing")
		default:
			var response *rawhttp.Response
			if response, err = use(ctx, t.method, t.url, t.headers, body); err == nil && (response.Status < 400 || response.Status >= 500) {
				err = fmt.Errorf("answered %d, want a refusal", response.Status)
			}
		}
		c.report("refuses: "+t.name, err)
	}
	return nil
}

// expiry waits until a URL has expired.
func (c *checker) expiry(ctx context.Context) error {
	const key = "tamper with me"
	r, err := c.sign(ctx, map[string]any{"keys": []string{key}, "expires_in": 1})
	if err != nil {
		return err
	}
	time.Sleep(time.Until(r.ExpiresAt.Add(1500 * time.Millisecond)))
	response, err := use(ctx, "GET", r.URLs[key], nil, nil)
	if err == nil && response.Status != http.StatusForbidden {
		err = fmt.Errorf("answered %d, want 403", response.Status)
	}
	c.report("refuses: expired", err)
	return nil
}

// policy asks for a URL that is signed rightly but that the role must not have: the function's own policy cannot be
// passed, so the account takes the object's permission away instead, with a bucket policy.
func (c *checker) policy(ctx context.Context) error {
	const key = "tamper with me"
	_, err := c.s3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: aws.String(bucket), Policy: aws.String(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::` + bucket + `/*"}]}`)})
	if err != nil {
		c.report("refuses: bucket policy", fmt.Errorf("PutBucketPolicy: %w", err))
		return nil
	}
	r, err := c.sign(ctx, map[string]any{"keys": []string{key}})
	if err != nil {
		return err
	}
	response, err := use(ctx, "GET", r.URLs[key], nil, nil)
	if err == nil && response.Status != http.StatusForbidden {
		err = fmt.Errorf("answered %d, want 403", response.Status)
	}
	c.report("refuses: bucket policy", err)
	return nil
}

// use sends a request as it is written, with nothing made canonical on the way.
func use(ctx context.Context, method, url string, headers map[string]string, body []byte) (*rawhttp.Response, error) {
	if url == "" {
		return nil, errors.New("no URL for it")
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return rawhttp.Do(ctx, method, url, maps.Clone(headers), body)
}

// refusal is the code of an S3 error. The rest of it may hold the token.
func refusal(r *rawhttp.Response) error {
	var e struct{ Code string }
	_ = xml.Unmarshal(r.Body, &e)
	return fmt.Errorf("answered %d %s", r.Status, e.Code)
}

func otherDigit(url string) string {
	last := "0"
	if strings.HasSuffix(url, last) {
		last = "1"
	}
	return url[:len(url)-1] + last
}

// with sets a query parameter of a URL, and without removes it; the rest of the URL stays as it is.
func with(url, name, value string) string {
	return edit(url, name, func(string) string { return name + "=" + value })
}

func without(url, name string) string { return edit(url, name, func(string) string { return "" }) }

func edit(url, name string, change func(string) string) string {
	path, query, _ := strings.Cut(url, "?")
	var parameters []string
	for parameter := range strings.SplitSeq(query, "&") {
		if strings.HasPrefix(parameter, name+"=") {
			parameter = change(parameter)
		}
		if parameter != "" {
			parameters = append(parameters, parameter)
		}
	}
	return path + "?" + strings.Join(parameters, "&")
}

package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/config"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/s3url"
)

// environment is the least that a function needs, with what a test sets on top.
func environment(set ...string) func(string) string {
	env := map[string]string{"AWS_REGION": "eu-west-1", "PRESIGN_BUCKETS": "photos"}
	for _, s := range set {
		name, value, _ := strings.Cut(s, "=")
		env[name] = value
	}
	return func(name string) string { return env[name] }
}

func TestDefaults(t *testing.T) {
	c, err := config.Load(environment())
	if err != nil {
		t.Fatal(err)
	}
	want := policy.Policy{
		Buckets:          []string{"photos"},
		Operations:       []s3op.Operation{s3op.GetObject},
		DefaultExpiresIn: 900 * time.Second,
		MaxExpiresIn:     3600 * time.Second,
		MaxKeys:          100_000,
	}
	if d := cmp.Diff(want, c.Policy); d != "" {
		t.Errorf("policy (-want +got):\n%s", d)
	}
	l, err := c.Locate("photos")
	if err != nil || l.Origin != "https://photos.s3.eu-west-1.amazonaws.com" {
		t.Errorf("photos lies at %q, error %v", l.Origin, err)
	}
	if c.SigningRole != "" || c.Results != nil {
		t.Errorf("signing role %q, results %v", c.SigningRole, c.Results)
	}
}

// Every variable, in what it does to the policy.
func TestPolicyVariables(t *testing.T) {
	for _, test := range []struct {
		set  []string
		want func(*policy.Policy)
	}{
		{[]string{"PRESIGN_OPERATIONS=PutObject"}, func(p *policy.Policy) { p.Operations = []s3op.Operation{s3op.PutObject} }},
		{[]string{"PRESIGN_OPERATIONS= GET , DELETE,UploadPart,"}, func(p *policy.Policy) {
			p.Operations = []s3op.Operation{s3op.GetObject, s3op.DeleteObject, s3op.UploadPart}
		}},
		{[]string{"PRESIGN_KEY_PREFIX=in/"}, func(p *policy.Policy) { p.KeyPrefix = "in/" }},
		{[]string{"PRESIGN_KEY_PREFIX= a "}, func(p *policy.Policy) { p.KeyPrefix = " a " }}, // a key is never trimmed
		{[]string{"PRESIGN_MAX_KEYS=1"}, func(p *policy.Policy) { p.MaxKeys = 1 }},
		{[]string{"PRESIGN_MAX_KEYS=3000000"}, func(p *policy.Policy) { p.MaxKeys = 3_000_000 }},
		{[]string{"PRESIGN_DEFAULT_EXPIRES_IN=60"}, func(p *policy.Policy) { p.DefaultExpiresIn = time.Minute }},
		{[]string{"PRESIGN_MAX_EXPIRES_IN=604800"}, func(p *policy.Policy) { p.MaxExpiresIn = policy.MaxExpiresIn }},
		// A maximum under 900 is the default too, where none is set.
		{[]string{"PRESIGN_MAX_EXPIRES_IN=300"}, func(p *policy.Policy) {
			p.DefaultExpiresIn, p.MaxExpiresIn = 300*time.Second, 300*time.Second
		}},
		{[]string{"PRESIGN_MAX_EXPIRES_IN=300", "PRESIGN_DEFAULT_EXPIRES_IN=60"}, func(p *policy.Policy) {
			p.DefaultExpiresIn, p.MaxExpiresIn = 60*time.Second, 300*time.Second
		}},
		{[]string{"PRESIGN_MAX_EXPIRES_IN=300", "PRESIGN_DEFAULT_EXPIRES_IN=300"}, func(p *policy.Policy) {
			p.DefaultExpiresIn, p.MaxExpiresIn = 300*time.Second, 300*time.Second
		}},
		{[]string{"PRESIGN_BUCKETS= photos , other@us-east-1,"}, func(p *policy.Policy) { p.Buckets = []string{"photos", "other"} }},
		{[]string{"PRESIGN_RESULTS_BUCKET="}, func(*policy.Policy) {}},
	} {
		c, err := config.Load(environment(test.set...))
		if err != nil {
			t.Errorf("%v: %v", test.set, err)
			continue
		}
		base, err := config.Load(environment())
		if err != nil {
			t.Fatal(err)
		}
		test.want(&base.Policy)
		if d := cmp.Diff(base.Policy, c.Policy); d != "" {
			t.Errorf("%v (-want +got):\n%s", test.set, d)
		}
	}
}

// Every variable, in what it does to where a bucket lies.
func TestEndpointVariables(t *testing.T) {
	for _, test := range []struct {
		set    []string
		bucket string // photos if empty
		origin string
		prefix string // "/" if empty
		region string // eu-west-1 if empty
	}{
		{set: []string{"PRESIGN_BUCKETS=photos@us-east-1,other"}, origin: "https://photos.s3.us-east-1.amazonaws.com", region: "us-east-1"},
		{set: []string{"PRESIGN_BUCKETS=photos@us-east-1,other"}, bucket: "other", origin: "https://other.s3.eu-west-1.amazonaws.com"},
		{set: []string{"AWS_REGION=", "AWS_DEFAULT_REGION=us-west-2"}, origin: "https://photos.s3.us-west-2.amazonaws.com", region: "us-west-2"},
		{set: []string{"AWS_DEFAULT_REGION=us-west-2"}, origin: "https://photos.s3.eu-west-1.amazonaws.com"},
		{set: []string{"PRESIGN_ADDRESSING=path"}, origin: "https://s3.eu-west-1.amazonaws.com", prefix: "/photos/"},
		{set: []string{"PRESIGN_ADDRESSING=auto"}, origin: "https://photos.s3.eu-west-1.amazonaws.com"},
		{set: []string{"PRESIGN_BUCKETS=a.b.c"}, bucket: "a.b.c", origin: "https://s3.eu-west-1.amazonaws.com", prefix: "/a.b.c/"},
		{set: []string{"PRESIGN_ENDPOINT_URL=http://minio:9000"}, origin: "http://minio:9000", prefix: "/photos/"},
		{set: []string{"PRESIGN_ENDPOINT_URL=http://minio:9000", "PRESIGN_ADDRESSING=virtual"}, origin: "http://photos.minio:9000"},
		{set: []string{"AWS_ENDPOINT_URL=http://all:1"}, origin: "http://all:1", prefix: "/photos/"},
		{set: []string{"AWS_ENDPOINT_URL=http://all:1", "AWS_ENDPOINT_URL_S3=http://s3:2"}, origin: "http://s3:2", prefix: "/photos/"},
		{set: []string{"AWS_ENDPOINT_URL_S3=http://s3:2", "PRESIGN_ENDPOINT_URL=http://own:3"}, origin: "http://own:3", prefix: "/photos/"},
		{set: []string{"AWS_ENDPOINT_URL_S3=http://s3:2", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true"}, origin: "https://photos.s3.eu-west-1.amazonaws.com"},
		{set: []string{"PRESIGN_ENDPOINT_URL=http://own:3", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true"}, origin: "http://own:3", prefix: "/photos/"},
		{set: []string{"AWS_USE_DUALSTACK_ENDPOINT=true"}, origin: "https://photos.s3.dualstack.eu-west-1.amazonaws.com"},
		{set: []string{"AWS_USE_DUALSTACK_ENDPOINT=FALSE"}, origin: "https://photos.s3.eu-west-1.amazonaws.com"},
		{set: []string{"AWS_USE_FIPS_ENDPOINT=True", "AWS_REGION=us-east-1"}, origin: "https://photos.s3-fips.us-east-1.amazonaws.com", region: "us-east-1"},
		{set: []string{"PRESIGN_ACCELERATE=true"}, origin: "https://photos.s3-accelerate.amazonaws.com"},
		{set: []string{"PRESIGN_BUCKETS=arn:aws:s3:us-west-2:123456789012:accesspoint/ap"}, bucket: "arn:aws:s3:us-west-2:123456789012:accesspoint/ap",
			origin: "https://ap-123456789012.s3-accesspoint.us-west-2.amazonaws.com", region: "us-west-2"},
	} {
		c, err := config.Load(environment(test.set...))
		if err != nil {
			t.Errorf("%v: %v", test.set, err)
			continue
		}
		bucket, prefix, region := "photos", "/", "eu-west-1"
		if test.bucket != "" {
			bucket = test.bucket
		}
		if test.prefix != "" {
			prefix = test.prefix
		}
		if test.region != "" {
			region = test.region
		}
		l, err := c.Locate(bucket)
		if err != nil || l.Origin != test.origin || l.PathPrefix != prefix || l.Region != region {
			t.Errorf("%v: %s lies at %q, %q in %q, error %v", test.set, bucket, l.Origin, l.PathPrefix, l.Region, err)
		}
	}
}

// Each variable's mistakes name it, and the value is not repeated where it may be
// secret.
func TestProblems(t *testing.T) {
	for _, test := range []struct {
		variable string
		set      []string
	}{
		{"PRESIGN_BUCKETS", []string{"PRESIGN_BUCKETS="}},
		{"PRESIGN_BUCKETS", []string{"PRESIGN_BUCKETS= , "}},
		{"PRESIGN_BUCKETS", []string{"PRESIGN_BUCKETS=photos,photos"}},
		{"PRESIGN_BUCKETS", []string{"PRESIGN_BUCKETS=photos,photos@us-east-1"}},
		{"PRESIGN_BUCKETS", []string{"PRESIGN_BUCKETS=photos@"}},
		{"PRESIGN_BUCKETS", []string{"PRESIGN_BUCKETS=photos@Mars"}},
		{"PRESIGN_BUCKETS", []string{"PRESIGN_BUCKETS=photos@eu-west-1@us-east-1"}},
		{"PRESIGN_BUCKETS", []string{"PRESIGN_BUCKETS=@eu-west-1"}},
		{"PRESIGN_BUCKETS", []string{"PRESIGN_BUCKETS=ab"}},
		{"PRESIGN_BUCKETS", []string{"PRESIGN_BUCKETS=-photos"}},
		{"PRESIGN_BUCKETS", []string{"PRESIGN_BUCKETS=photos/2026"}},
		{"PRESIGN_BUCKETS", []string{"PRESIGN_BUCKETS=s3://photos"}},
		{"PRESIGN_BUCKETS", []string{"PRESIGN_BUCKETS=arn:aws:s3:::photos"}},
		{"PRESIGN_BUCKETS", []string{"PRESIGN_BUCKETS=https://photos.example.com/?X-Amz-Signature=hunter2"}},
		{"PRESIGN_OPERATIONS", []string{"PRESIGN_OPERATIONS=GetObject,CopyPart"}},
		{"PRESIGN_OPERATIONS", []string{"PRESIGN_OPERATIONS=fetch"}},
		{"PRESIGN_DEFAULT_EXPIRES_IN", []string{"PRESIGN_DEFAULT_EXPIRES_IN=0"}},
		{"PRESIGN_DEFAULT_EXPIRES_IN", []string{"PRESIGN_DEFAULT_EXPIRES_IN=15m"}},
		{"PRESIGN_DEFAULT_EXPIRES_IN", []string{"PRESIGN_DEFAULT_EXPIRES_IN=3601"}},
		{"PRESIGN_DEFAULT_EXPIRES_IN", []string{"PRESIGN_DEFAULT_EXPIRES_IN=900", "PRESIGN_MAX_EXPIRES_IN=899"}},
		{"PRESIGN_MAX_EXPIRES_IN", []string{"PRESIGN_MAX_EXPIRES_IN=604801"}},
		{"PRESIGN_MAX_EXPIRES_IN", []string{"PRESIGN_MAX_EXPIRES_IN=-1"}},
		{"PRESIGN_MAX_EXPIRES_IN", []string{"PRESIGN_MAX_EXPIRES_IN=1e3"}},
		{"PRESIGN_MAX_EXPIRES_IN", []string{"PRESIGN_MAX_EXPIRES_IN=99999999999999999999"}},
		{"PRESIGN_MAX_EXPIRES_IN", []string{"PRESIGN_MAX_EXPIRES_IN=soon", "PRESIGN_DEFAULT_EXPIRES_IN=5000"}},
		{"PRESIGN_MAX_KEYS", []string{"PRESIGN_MAX_KEYS=0"}},
		{"PRESIGN_MAX_KEYS", []string{"PRESIGN_MAX_KEYS=many"}},
		{"PRESIGN_RESPONSE_STREAM", []string{"PRESIGN_RESPONSE_STREAM=yes"}},
		{"PRESIGN_ALLOWED_ORIGINS", []string{"PRESIGN_ALLOWED_ORIGINS=app.example.com"}},
		{"PRESIGN_ALLOWED_ORIGINS", []string{"PRESIGN_ALLOWED_ORIGINS=https://app.example.com/"}},
		{"PRESIGN_ALLOWED_ORIGINS", []string{"PRESIGN_ALLOWED_ORIGINS=https://App.example.com"}},
		{"PRESIGN_ALLOWED_ORIGINS", []string{"PRESIGN_ALLOWED_ORIGINS=https://a.example,,https://b.example"}},
		{"PRESIGN_ALLOWED_ORIGINS", []string{"PRESIGN_ALLOWED_ORIGINS=https://user:hunter2@example.com"}},
		{"PRESIGN_ADDRESSING", []string{"PRESIGN_ADDRESSING=Path"}},
		{"PRESIGN_ENDPOINT_URL", []string{"PRESIGN_ENDPOINT_URL=minio:9000"}},
		{"PRESIGN_ENDPOINT_URL", []string{"PRESIGN_ENDPOINT_URL=https://user:hunter2@example.com"}},
		{"PRESIGN_ENDPOINT_URL", []string{"PRESIGN_ENDPOINT_URL=https://user:hunter2@exa mple.com"}},
		{"PRESIGN_ENDPOINT_URL", []string{"PRESIGN_ENDPOINT_URL=ftp://user:hunter2@example.com"}},
		{"PRESIGN_ENDPOINT_URL", []string{"PRESIGN_ENDPOINT_URL=https://example.com/?X-Amz-Signature=hunter2"}},
		{"AWS_ENDPOINT_URL_S3", []string{"AWS_ENDPOINT_URL_S3=minio"}},
		{"AWS_ENDPOINT_URL", []string{"AWS_ENDPOINT_URL=minio"}},
		{"AWS_REGION", []string{"AWS_REGION="}},
		{"AWS_REGION", []string{"AWS_REGION=eu west 1"}},
		{"AWS_DEFAULT_REGION", []string{"AWS_REGION=", "AWS_DEFAULT_REGION=EU"}},
		{"AWS_USE_DUALSTACK_ENDPOINT", []string{"AWS_USE_DUALSTACK_ENDPOINT=1"}},
		{"AWS_USE_FIPS_ENDPOINT", []string{"AWS_USE_FIPS_ENDPOINT=yes"}},
		{"PRESIGN_ACCELERATE", []string{"PRESIGN_ACCELERATE=on"}},
		{"PRESIGN_POLICY", []string{"PRESIGN_POLICY=not a policy"}},
		{"PRESIGN_POLICY", []string{`PRESIGN_POLICY={"rules":[],"hunter2!":1}`}},
		{"PRESIGN_POLICY", []string{`PRESIGN_POLICY={"rules":[{"name":"a","effect":"hunter2","callers":"*"}]}`}},
		{"PRESIGN_POLICY", []string{"PRESIGN_POLICY=file://hunter2.json"}},
		{"PRESIGN_POLICY", []string{"PRESIGN_POLICY=file://"}},
		{"PRESIGN_SIGNING_ROLE_ARN", []string{"PRESIGN_SIGNING_ROLE_ARN=role"}},
		{"PRESIGN_MAX_EXPIRES_IN", []string{"PRESIGN_SIGNING_ROLE_ARN=arn:aws:iam::123456789012:role/signer", "PRESIGN_MAX_EXPIRES_IN=3601"}},
		{"PRESIGN_SIGNING_SESSION", []string{"PRESIGN_SIGNING_SESSION=user"}},
		{"PRESIGN_ATTRIBUTION", []string{"PRESIGN_ATTRIBUTION=yes"}},
		{"PRESIGN_SIGNING_SESSION", []string{"PRESIGN_SIGNING_SESSION=request", "PRESIGN_BUCKETS=arn:aws:s3-object-lambda:eu-west-1:123456789012:accesspoint/ap"}},
		{"PRESIGN_RESULTS_BUCKET", []string{"PRESIGN_RESULTS_BUCKET=s3://results"}},
		{"PRESIGN_MANIFEST_BUCKET", []string{"PRESIGN_MANIFEST_BUCKET=s3://lists"}},
		{"PRESIGN_MANIFEST_BUCKET", []string{"PRESIGN_MANIFEST_BUCKET=lists@"}},
		{"PRESIGN_QUEUE_URL", []string{"PRESIGN_QUEUE_URL=arn:aws:sqs:eu-west-1:123456789012:jobs"}},
		{"PRESIGN_RETRY_AFTER", []string{"PRESIGN_RETRY_AFTER=3601"}},
		{"PRESIGN_MAX_RECEIVES", []string{"PRESIGN_MAX_RECEIVES=-1"}},
		{"PRESIGN_RESULTS_OWNER", []string{"PRESIGN_RESULTS_BUCKET=results", "PRESIGN_RESULTS_OWNER=1234-5678-9012"}},
		{"PRESIGN_NOTIFY_QUEUE_URL", []string{"PRESIGN_NOTIFY_QUEUE_URL=https://user:hunter2@example.com/queue"}},
	} {
		_, err := config.Load(environment(test.set...))
		if err == nil {
			t.Errorf("%v is taken", test.set)
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		if len(lines) != 1 || !strings.HasPrefix(lines[0], test.variable+" ") {
			t.Errorf("%v: want one problem, of %s, got:\n%s", test.set, test.variable, strings.ReplaceAll(err.Error(), "hunter2", "[secret]"))
		}
		// What the code reads is known, and nothing else.
		sources, globErr := filepath.Glob("*.go")
		if globErr != nil {
			t.Fatal(globErr)
		}
		read := 0
		for _, name := range sources {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			text, readErr := os.ReadFile(name)
			if readErr != nil {
				t.Fatal(readErr)
			}
			for _, variable := range regexp.MustCompile(`"PRESIGN_[A-Z_]+[A-Z]"`).FindAllString(string(text), -1) {
				read++
				if err := config.Unknown([]string{strings.Trim(variable, `"`) + "=x"}); err != nil {
					t.Error(err)
				}
			}
		}
		if read < 20 {
			t.Errorf("only %d variables are read: where is that now?", read)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the problem repeats a secret", test.variable)
		}
	}
}

// The policy document is the variable itself, or a file of the deployment package.
func TestPolicyDocument(t *testing.T) {
	const document = `{"rules":[{"name":"a","effect":"allow","callers":[{"anonymous":true}]}]}`
	dir := t.TempDir()
	file := filepath.Join(dir, "policy.json")
	if err := os.WriteFile(file, []byte(document+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{document, "file://policy.json", "file://" + file} {
		c, err := config.Load(environment("PRESIGN_POLICY="+value, "LAMBDA_TASK_ROOT="+dir))
		if err != nil || c.Policy.Document == nil {
			t.Errorf("%s: document %v, error %v", value, c.Policy.Document != nil, err)
			continue
		}
		for kind, allowed := range map[policy.Kind]bool{policy.Anonymous: true, policy.Direct: false} {
			if _, refusal := c.Policy.Document.Grant(&policy.Caller{Kind: kind}, "photos", s3op.GetObject); (refusal == nil) != allowed {
				t.Errorf("%s: %v: %v", value, kind, refusal)
			}
		}
	}
	if c, err := config.Load(environment("PRESIGN_POLICY=")); err != nil || c.Policy.Document != nil {
		t.Errorf("without a document there is one, error %v", err)
	}
}

// All problems are reported together.
func TestProblemsAreJoined(t *testing.T) {
	_, err := config.Load(environment("PRESIGN_BUCKETS=", "PRESIGN_OPERATIONS=x", "PRESIGN_MAX_KEYS=x", "PRESIGN_MAX_EXPIRES_IN=x", "PRESIGN_ADDRESSING=x"))
	if err == nil {
		t.Fatal("the configuration is taken")
	}
	var named []string
	for line := range strings.Lines(err.Error()) {
		variable, _, _ := strings.Cut(line, " ")
		named = append(named, variable)
	}
	slices.Sort(named)
	want := []string{"PRESIGN_ADDRESSING", "PRESIGN_BUCKETS", "PRESIGN_MAX_EXPIRES_IN", "PRESIGN_MAX_KEYS", "PRESIGN_OPERATIONS"}
	if d := cmp.Diff(want, named); d != "" {
		t.Errorf("variables (-want +got):\n%s", d)
	}
}

// Settings that contradict each other name one of those who do.
func TestContradictions(t *testing.T) {
	for _, set := range [][]string{
		{"PRESIGN_ACCELERATE=true", "AWS_USE_FIPS_ENDPOINT=true"},
		{"PRESIGN_ACCELERATE=true", "PRESIGN_ADDRESSING=path"},
		{"PRESIGN_ACCELERATE=true", "PRESIGN_BUCKETS=a.b.c"},
		{"PRESIGN_ACCELERATE=true", "PRESIGN_ENDPOINT_URL=https://example.com"},
		{"AWS_USE_FIPS_ENDPOINT=true", "AWS_REGION=cn-north-1"},
		{"PRESIGN_ADDRESSING=path", "PRESIGN_BUCKETS=arn:aws:s3:us-west-2:123456789012:accesspoint/ap"},
	} {
		if _, err := config.Load(environment(set...)); err == nil || !strings.Contains(err.Error(), "PRESIGN_") {
			t.Errorf("%v: %v", set, err)
		}
	}
}

// A bucket that SigV4 does not reach is no mistake of the configuration's others: it is
// refused when it is asked for.
func TestUnsupportedBuckets(t *testing.T) {
	c, err := config.Load(environment("PRESIGN_BUCKETS=photos,photos--use1-az4--x-s3,arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Locate("photos"); err != nil {
		t.Error(err)
	}
	for _, bucket := range append(c.Policy.Buckets[1:], "elsewhere") {
		_, err := c.Locate(bucket)
		var unsupported *s3url.UnsupportedError
		if !errors.As(err, &unsupported) {
			t.Errorf("%s: %v, want an UnsupportedError", bucket, err)
		}
	}
}

// Where large answers go.
func TestResults(t *testing.T) {
	for set, want := range map[string]string{
		"PRESIGN_RESULTS_BUCKET=results":           "results results/ eu-west-1",
		"PRESIGN_RESULTS_BUCKET=results@us-east-1": "results results/ us-east-1",
	} {
		c, err := config.Load(environment(set))
		if err != nil || c.Results == nil {
			t.Errorf("%s: %v", set, err)
			continue
		}
		if got := c.Results.Bucket + " " + c.Results.Prefix + " " + c.Results.Region; got != want {
			t.Errorf("%s: %q, want %q", set, got, want)
		}
	}
	c, err := config.Load(environment("PRESIGN_RESULTS_BUCKET=results", "PRESIGN_RESULTS_PREFIX=a/"))
	if err != nil || c.Results == nil || c.Results.Prefix != "a/" {
		t.Errorf("%v: %v", c.Results, err)
	}
	const role = "arn:aws:iam::123456789012:role/path/signer"
	if c, err := config.Load(environment("PRESIGN_SIGNING_ROLE_ARN="+role, "PRESIGN_MAX_EXPIRES_IN=3600")); err != nil || c.SigningRole != role || c.Session != "caller" {
		t.Errorf("%q, %q: %v", c.SigningRole, c.Session, err)
	}
	if c, err := config.Load(environment("PRESIGN_SIGNING_SESSION=request", "PRESIGN_BUCKETS=arn:aws:s3:eu-west-1:123456789012:accesspoint/ap")); err != nil || c.Session != "request" {
		t.Errorf("%q: %v", c.Session, err)
	}
}

// Where lists lie and messages go; and what one function needs that another does not.
func TestLists(t *testing.T) {
	c, err := config.Load(environment())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(config.Lists{Prefix: "manifests/"}, c.Lists); d != "" || c.QueueURL+c.NotifyURL != "" {
		t.Errorf("by default: queues %q and %q, lists (-want +got):\n%s", c.QueueURL, c.NotifyURL, d)
	}
	const queue = "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs"
	c, err = config.Load(environment("PRESIGN_MANIFEST_BUCKET=lists@us-east-1", "PRESIGN_MANIFEST_PREFIX=in/", "PRESIGN_QUEUE_URL="+queue, "PRESIGN_NOTIFY_QUEUE_URL="+queue+"2", "PRESIGN_RETRY_AFTER=30"))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(config.Lists{Bucket: "lists", Region: "us-east-1", Prefix: "in/"}, c.Lists); d != "" || c.QueueURL != queue || c.NotifyURL != queue+"2" || c.RetryAfter != 30*time.Second {
		t.Errorf("queues %q and %q, %v, lists (-want +got):\n%s", c.QueueURL, c.NotifyURL, c.RetryAfter, d)
	}
	_, err = config.Load(environment("PRESIGN_MAX_KEYS=x"), "PRESIGN_RESULTS_BUCKET")
	if err == nil || strings.Count(err.Error(), "\n") != 1 || !strings.Contains(err.Error(), "PRESIGN_RESULTS_BUCKET is not set") {
		t.Errorf("without what the function needs: %v", err)
	}
}

// With the addressing host the endpoint is the one bucket that is signed for; results lie elsewhere, where the SDK looks.
func TestEndpointIsTheBucket(t *testing.T) {
	c, err := config.Load(environment("PRESIGN_ADDRESSING=host", "PRESIGN_ENDPOINT_URL=https://files.example.com", "PRESIGN_RESULTS_BUCKET=results"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := c.Locate("photos")
	if err != nil || l.Origin != "https://files.example.com" || l.PathPrefix != "/" {
		t.Errorf("photos lies at %q, %q, error %v", l.Origin, l.PathPrefix, err)
	}
	if got := c.Results.Location.Origin; got != "https://results.s3.eu-west-1.amazonaws.com" {
		t.Errorf("results lie at %q", got)
	}
	for _, test := range []struct{ set, want string }{
		{"PRESIGN_BUCKETS=photos,films", "the endpoint is one bucket"},
		{"PRESIGN_ENDPOINT_URL=", "there is none"},
	} {
		_, err := config.Load(environment("PRESIGN_ADDRESSING=host", "PRESIGN_ENDPOINT_URL=https://files.example.com", test.set))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.set, err)
		}
	}
	// Settings with which every URL would be refused end the start.
	for _, test := range []struct{ set, want string }{
		{"PRESIGN_BUCKETS=photos@eu-west-1a", "write its region, eu-west-1"},
		{"PRESIGN_ENDPOINT_URL=https://photos.s3.eu-west-1.amazonaws.com", "names the bucket already"},
		{"PRESIGN_ENDPOINT_URL=https://s3.amazonaws.com", "global"},
	} {
		if _, err := config.Load(environment(test.set)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.set, err)
		}
	}
}

// A variable that nobody reads is a slip: what it was to set is not set.
func TestUnknown(t *testing.T) {
	if err := config.Unknown([]string{"PATH=/bin", "PRESIGN_BUCKETS=photos", "PRESIGN_MAX_KEYS=", "MY_PRESIGN_X=1", "AWS_REGION=x"}); err != nil {
		t.Error(err)
	}
	err := config.Unknown([]string{"PRESIGN_BUCKET=photos", "PRESIGN_EXPIRES_IN=hunter2", "PRESIGN_MAX_EXPIRY=1", "PRESIGN_COLOUR=red"})
	for _, want := range []string{
		`PRESIGN_BUCKET is no variable of this service: did you mean PRESIGN_BUCKETS?`,
		`PRESIGN_EXPIRES_IN is no variable of this service: did you mean PRESIGN_DEFAULT_EXPIRES_IN?`,
		`did you mean PRESIGN_MAX_EXPIRES_IN?`,
		`PRESIGN_COLOUR is no variable of this service: docs/reference.md names them all`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	// What the code reads is known, and nothing else.
	sources, globErr := filepath.Glob("*.go")
	if globErr != nil {
		t.Fatal(globErr)
	}
	read := 0
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, readErr := os.ReadFile(name)
		if readErr != nil {
			t.Fatal(readErr)
		}
		for _, variable := range regexp.MustCompile(`"PRESIGN_[A-Z_]+[A-Z]"`).FindAllString(string(text), -1) {
			read++
			if err := config.Unknown([]string{strings.Trim(variable, `"`) + "=x"}); err != nil {
				t.Error(err)
			}
		}
	}
	if read < 20 {
		t.Errorf("only %d variables are read: where is that now?", read)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("a value is repeated")
	}
}

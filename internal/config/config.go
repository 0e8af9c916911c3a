// Package config reads what a deployment sets. It is the only place that looks at
// the environment.
package config

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/s3url"
)

// Config is everything that a function is told from outside, but for credentials,
// which the SDK finds.
type Config struct {
	Policy      policy.Policy
	PolicyText  []byte        // of its document, or nil
	SigningRole string        // the ARN of a role to assume for signing, or empty
	Session     string        // who shares a session of that role: service, caller or request
	Attribution bool          // URLs say who asked for them
	Results     *s3url.Folder // where answers go that do not fit, or nil
	Lists       Lists
	QueueURL    string        // the function's own SQS queue, where it hands on what it cannot finish, or empty
	NotifyURL   string        // the SQS queue that is told of each result, or empty
	MaxReceives int           // deliveries of a message before that queue gives it up; 0: unknown
	ExternalID  string        // that the signing role's trust asks for, or empty
	Settings    string        // the number of the record of all settings, or empty
	RetryAfter  time.Duration // until a message of QueueURL that failed comes again; 0: its visibility timeout
	ListKeys    bool          // a caller who waits may name a prefix: the role may list it
	StreamREST  bool          // a REST API in front takes streamed answers

	AllowedOrigins []string // whose pages may call by way of a REST API; "*" is every page
	places         map[string]place
}

// Lists says which objects are lists of keys.
type Lists struct {
	Bucket string // empty: each bucket that may be signed for
	Region string // of Bucket, or empty for the function's own
	Prefix string // their keys begin with it
}

// place is where a bucket lies, or why it cannot be signed for.
type place struct {
	location s3url.Location
	err      *s3url.UnsupportedError
}

// Locate tells where a bucket of the policy lies. The error is an
// *s3url.UnsupportedError.
func (c *Config) Locate(bucket string) (s3url.Location, error) {
	p, ok := c.places[bucket]
	switch {
	case !ok:
		return s3url.Location{}, &s3url.UnsupportedError{Reason: "it is not configured"}
	case p.err != nil:
		return s3url.Location{}, p.err
	}
	return p.location, nil
}

// Bounds of PRESIGN_MAX_KEYS: one more than a Lambda's 6 MB request can carry makes
// no sense.
const (
	defaultMaxKeys = 100_000
	mostMaxKeys    = 3_000_000
)

const (
	defaultExpiresIn = 900 * time.Second
	defaultMaximum   = 3600 * time.Second
)

// Load reads the configuration of a function that cannot do without the required
// variables. The error joins all problems that were found, each naming its variable and
// none repeating a value that might be secret.
func Load(getenv func(string) string, required ...string) (Config, error) {
	l := loader{getenv: getenv}
	settings := s3url.Settings{
		Region:     l.region(),
		Endpoint:   l.endpoint(),
		Addressing: l.addressing(),
		DualStack:  l.flag("AWS_USE_DUALSTACK_ENDPOINT"),
		FIPS:       l.flag("AWS_USE_FIPS_ENDPOINT"),
		Accelerate: l.flag("PRESIGN_ACCELERATE"),
	}
	// Buckets are located only with settings that are right by themselves: otherwise one
	// problem would be reported again for each bucket, in the SDK's words.
	l.locatable = len(l.problems) == 0
	var c Config
	c.Policy.Buckets, c.places = l.buckets(settings)
	c.Policy.Operations = l.operations()
	c.Policy.KeyPrefix = getenv("PRESIGN_KEY_PREFIX")
	c.Policy.DefaultExpiresIn, c.Policy.MaxExpiresIn = l.expiry()
	c.Policy.MaxKeys = int(l.number("PRESIGN_MAX_KEYS", defaultMaxKeys, 1, mostMaxKeys))
	c.StreamREST = l.flag("PRESIGN_RESPONSE_STREAM")
	c.AllowedOrigins = l.origins("PRESIGN_ALLOWED_ORIGINS")
	c.ListKeys = l.flag("PRESIGN_LIST_KEYS")
	c.SigningRole = l.signingRole(c.Policy.MaxExpiresIn)
	c.Session = l.session(c.Policy.Buckets)
	c.Attribution = l.flag("PRESIGN_ATTRIBUTION")
	c.Results = l.results(settings)
	c.Lists = l.lists()
	c.QueueURL = l.queue("PRESIGN_QUEUE_URL")
	c.NotifyURL = l.queue("PRESIGN_NOTIFY_QUEUE_URL")
	c.RetryAfter = time.Duration(l.number("PRESIGN_RETRY_AFTER", 0, 0, 3600)) * time.Second
	c.MaxReceives = int(l.number("PRESIGN_MAX_RECEIVES", 0, 0, 1000))
	c.ExternalID = getenv("PRESIGN_SIGNING_EXTERNAL_ID")
	c.Settings = getenv("PRESIGN_SETTINGS")
	c.reserve(required)
	for _, variable := range required {
		if getenv(variable) == "" {
			l.problem(variable, "is not set, and this function needs it")
		}
	}
	c.Policy.Document, c.PolicyText = l.document()
	return c, errors.Join(l.problems...)
}

// reserve keeps what the service itself reads and writes out of what is signed. A function
// of jobs that is told of no bucket for lists takes them from every one.
func (c *Config) reserve(required []string) {
	if c.Results != nil {
		c.Policy.Reserved = append(c.Policy.Reserved, policy.Folder{Bucket: c.Results.Bucket, Prefix: c.Results.Prefix})
	}
	lists := c.Policy.Buckets
	switch {
	case c.Lists.Bucket != "":
		lists = []string{c.Lists.Bucket}
	case len(required) == 0:
		lists = nil
	}
	for _, bucket := range lists {
		c.Policy.Reserved = append(c.Policy.Reserved, policy.Folder{Bucket: bucket, Prefix: c.Lists.Prefix})
	}
}

type loader struct {
	getenv    func(string) string
	problems  []error
	locatable bool
}

func (l *loader) problem(variable, format string, args ...any) {
	l.problems = append(l.problems, fmt.Errorf(variable+" "+format, args...))
}

// list splits at commas and leaves out white space and empty elements.
func (l *loader) list(variable string) (items []string) {
	for item := range strings.SplitSeq(l.getenv(variable), ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

func (l *loader) number(variable string, otherwise, least, most int64) int64 {
	s := strings.TrimSpace(l.getenv(variable))
	if s == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < least || n > most {
		l.problem(variable, "must be a whole number from %d to %d", least, most)
		return otherwise
	}
	return n
}

func (l *loader) flag(variable string) bool {
	switch strings.ToLower(l.getenv(variable)) {
	case "", "false":
		return false
	case "true":
		return true
	}
	l.problem(variable, "must be true or false")
	return false
}

func (l *loader) region() string {
	for _, variable := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if r := l.getenv(variable); r != "" {
			switch {
			case !isRegion(r):
				l.problem(variable, "is not the name of a region")
			case strings.HasPrefix(r, "fips-"), strings.HasSuffix(r, "-fips"):
				l.problem(variable, "is an old name for a region's FIPS endpoint: name the region and set AWS_USE_FIPS_ENDPOINT=true")
			}
			return r
		}
	}
	l.problem("AWS_REGION", "is not set: the region of the buckets must be known")
	return ""
}

// endpoint is what stands in URLs.
func (l *loader) endpoint() string {
	if endpoint := l.firstEndpoint("PRESIGN_ENDPOINT_URL"); endpoint != "" {
		return endpoint
	}
	return l.sdkEndpoint()
}

// sdkEndpoint is what the SDK would take.
func (l *loader) sdkEndpoint() string {
	if l.flag("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
		return ""
	}
	return l.firstEndpoint("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
}

func (l *loader) firstEndpoint(variables ...string) string {
	for _, variable := range variables {
		if endpoint := l.getenv(variable); endpoint != "" {
			if err := s3url.CheckEndpoint(endpoint); err != nil {
				l.problem(variable, "is no endpoint: %v", err)
			}
			return endpoint
		}
	}
	return ""
}

func (l *loader) addressing() s3url.Addressing {
	switch a := s3url.Addressing(l.getenv("PRESIGN_ADDRESSING")); a {
	case "":
		return s3url.Auto
	case s3url.Auto, s3url.Virtual, s3url.Path, s3url.Host:
		return a
	}
	l.problem("PRESIGN_ADDRESSING", "must be auto, virtual, path or host")
	return s3url.Auto
}

func (l *loader) buckets(common s3url.Settings) (names []string, places map[string]place) {
	const variable = "PRESIGN_BUCKETS"
	places = make(map[string]place)
	for i, item := range l.list(variable) {
		name, region, hasRegion := strings.Cut(item, "@")
		s := common
		arnRegion, isARN := accessPointRegion(name)
		switch {
		case !isARN && !isBucketName(name):
			l.problem(variable, "has as element %d neither a bucket's name nor an access point's ARN", i+1)
			continue
		case hasRegion && !isRegion(region):
			l.problem(variable, "names no region behind the @ of bucket %q", name)
			continue
		case hasRegion:
			s.Region = region
		case arnRegion != "":
			s.Region = arnRegion
		}
		if _, twice := places[name]; twice {
			l.problem(variable, "holds bucket %q twice", name)
			continue
		}
		var p place
		if l.locatable {
			var err error
			p.location, err = s3url.Resolve(context.Background(), name, s)
			if err != nil && !errors.As(err, &p.err) {
				l.problem(variable, "holds bucket %q, for which these settings give no endpoint: %v", name, err)
			}
		}
		names = append(names, name)
		places[name] = p
	}
	if common.Addressing == s3url.Host && len(names) > 1 {
		l.problem("PRESIGN_ADDRESSING", "is host, where the endpoint is one bucket, and %s names %d", variable, len(names))
	}
	if len(names) == 0 && len(l.list(variable)) == 0 {
		l.problem(variable, "is not set: name the buckets that may be signed for")
	}
	return names, places
}

// document reads the policy document, which is the variable itself or a file of the
// deployment package.
func (l *loader) document() (*policy.Document, []byte) {
	const variable = "PRESIGN_POLICY"
	text := []byte(l.getenv(variable))
	if len(text) == 0 {
		return nil, nil
	}
	if path, isFile := strings.CutPrefix(string(text), "file://"); isFile {
		if !filepath.IsAbs(path) {
			path = filepath.Join(l.getenv("LAMBDA_TASK_ROOT"), path)
		}
		var err error
		if text, err = os.ReadFile(path); err != nil {
			var reason *os.PathError // without its path, which may not be one
			if errors.As(err, &reason) {
				err = reason.Err
			}
			l.problem(variable, "names a file that cannot be read: %v", err)
			return nil, nil
		}
	}
	document, err := policy.ParseDocument(text)
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			l.problem(variable, "%s", strings.TrimSuffix(line, "\n"))
		}
	}
	return document, text
}

// maxChained is the longest session of a role that another role assumes, as a function's
// role does.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining
const maxChained = time.Hour

func (l *loader) signingRole(maximum time.Duration) string {
	const variable = "PRESIGN_SIGNING_ROLE_ARN"
	role := l.getenv(variable)
	switch {
	case role == "":
	case !isRole(role):
		l.problem(variable, "is not the ARN of an IAM role")
	case maximum > maxChained:
		l.problem("PRESIGN_MAX_EXPIRES_IN", "is over %d, and with %s no URL lives longer: a role that another role assumes has sessions of an hour", maxChained/time.Second, variable)
	}
	return role
}

func (l *loader) session(buckets []string) string {
	const variable = "PRESIGN_SIGNING_SESSION"
	scope := l.getenv(variable)
	switch scope {
	case "":
		return "caller"
	case "service", "caller":
	case "request":
		for _, b := range buckets {
			if a, err := arn.Parse(b); err == nil && a.Service != "s3" {
				l.problem(variable, "cannot be request with %s: an Object Lambda or Outposts access point needs more than a session's policy names", a.Resource)
			}
		}
	default:
		l.problem(variable, "must be service, caller or request")
	}
	return scope
}

func (l *loader) results(s s3url.Settings) *s3url.Folder {
	const variable = "PRESIGN_RESULTS_BUCKET"
	name, region, hasRegion := strings.Cut(l.getenv(variable), "@")
	if name == "" {
		return nil
	}
	if !isBucketName(name) || hasRegion && !isRegion(region) {
		l.problem(variable, "is neither a bucket's name nor name@region")
		return nil
	}
	if hasRegion {
		s.Region = region
	}
	if s.Addressing == s3url.Host && name != l.getenv("PRESIGN_BUCKETS") { // the endpoint is another bucket
		s.Addressing, s.Endpoint = s3url.Auto, l.sdkEndpoint()
	}
	var location s3url.Location
	if l.locatable {
		var err error
		if location, err = s3url.Resolve(context.Background(), name, s); err != nil {
			l.problem(variable, "names a bucket for which these settings give no endpoint: %v", err)
		}
	}
	prefix := l.getenv("PRESIGN_RESULTS_PREFIX")
	if prefix == "" {
		prefix = "results/"
	}
	return &s3url.Folder{Owner: l.account("PRESIGN_RESULTS_OWNER"), Bucket: name, Prefix: prefix, Region: s.Region, Location: location}
}

// account reads the twelve digits of an account, or empty.
func (l *loader) account(variable string) string {
	id := l.getenv(variable)
	if id != "" && (len(id) != 12 || strings.Trim(id, "0123456789") != "") {
		l.problem(variable, "is not the twelve digits of an account")
	}
	return id
}

func (l *loader) lists() Lists {
	const variable = "PRESIGN_MANIFEST_BUCKET"
	name, region, hasRegion := strings.Cut(l.getenv(variable), "@")
	if name != "" && !isBucketName(name) || hasRegion && !isRegion(region) {
		l.problem(variable, "is neither a bucket's name nor name@region")
	}
	prefix := l.getenv("PRESIGN_MANIFEST_PREFIX")
	if prefix == "" {
		prefix = "manifests/"
	}
	return Lists{Bucket: name, Region: region, Prefix: prefix}
}

func (l *loader) queue(variable string) string {
	queue := l.getenv(variable)
	if queue == "" {
		return ""
	}
	if u, err := url.Parse(queue); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		l.problem(variable, "is not the URL of an SQS queue")
	}
	return queue
}

func (l *loader) operations() (ops []s3op.Operation) {
	const variable = "PRESIGN_OPERATIONS"
	for _, name := range l.list(variable) {
		op, ok := s3op.ParseOperation(name)
		if !ok {
			l.problem(variable, "holds %q, which is not one of %s", name, s3op.Names())
			continue
		}
		ops = append(ops, op)
	}
	if len(l.list(variable)) == 0 {
		return []s3op.Operation{s3op.GetObject}
	}
	return ops
}

// expiry reads both figures; a maximum under the usual default is the default too.
func (l *loader) expiry() (byDefault, maximum time.Duration) {
	const def, most = "PRESIGN_DEFAULT_EXPIRES_IN", "PRESIGN_MAX_EXPIRES_IN"
	limit := int64(policy.MaxExpiresIn / time.Second)
	before := len(l.problems)
	maximum = time.Duration(l.number(most, int64(defaultMaximum/time.Second), 1, limit)) * time.Second
	byDefault = min(defaultExpiresIn, maximum)
	if l.getenv(def) != "" {
		byDefault = time.Duration(l.number(def, int64(byDefault/time.Second), 1, limit)) * time.Second
		if byDefault > maximum && len(l.problems) == before {
			l.problem(def, "is over %s, which is %d", most, maximum/time.Second)
		}
	}
	return byDefault, maximum
}

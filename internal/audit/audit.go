// Package audit writes the one record that a request leaves in the log: who asked for
// what, what became of it, and for how long the URLs hold. The same line carries the
// request's metrics.
//
// A record never holds a URL, a signature, a token or a key of an object. See
// docs/audit.md for its fields.
package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/policy"
)

// Record is what is known of one request. Fill in what becomes known and write it once,
// with End, however the request ended.
type Record struct {
	Source string // how the request came: http, direct, sqs, s3, eventbridge, states
	Step   string // of the state machine: plan, sign, finish; else empty
	ID     string // of the request within the invocation, such as a message's, or empty
	Caller policy.Caller

	Job      string // the identity of a job, which the name of its result ends with, or empty
	HandedOn bool   // another invocation goes on with the job

	Bucket    string
	Operation string
	Rule      string // the rules of the policy document that decided, comma-separated

	Items   int               // keys as they were given, repeated ones too
	Keys    int               // distinct keys that were judged
	Signed  int               // of them, those whose URLs went out
	Refused map[bulk.Code]int // those that were refused, by code
	Denied  []Denied          // the first of those, at most MaxDenied
	Warned  int               // of the signed, those that look like a slip

	SignedAt         time.Time
	ExpiresIn        int64     // seconds; of a request in several batches the least
	ExpiresAt        time.Time // likewise
	Basis            bulk.Basis
	CredentialsUntil time.Time // zero when it is not known

	Failure *bulk.Error // why the request failed as a whole, or nil

	began time.Time
	cold  bool
}

// Denied stands for a key that was not signed. Keys can be personal data, so the log has
// the first 16 hex digits of a key's SHA-256 and its length: who has a list of keys can
// find the key, and nobody else.
type Denied struct {
	Code   bulk.Code `json:"code"`
	SHA256 string    `json:"sha256"`
	Bytes  int       `json:"bytes"`
}

// MaxDenied is how many refused keys a record names.
const MaxDenied = 5

// warm is set once this process, which is one execution environment, has had a request.
var warm atomic.Bool

// Begin starts the record of a request.
func Begin(source string) *Record {
	return &Record{Source: source, began: time.Now(), cold: !warm.Swap(true)}
}

// RequestID is Lambda's id of the invocation, which the record has too.
func RequestID(ctx context.Context) string {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return lc.AwsRequestID
	}
	return "none"
}

// Add counts a batch that was planned. A request in several batches adds each.
func (r *Record) Add(p *bulk.Plan) {
	r.Bucket, r.Operation = p.Bucket, p.Operation.String()
	r.Keys += p.Keys()
	r.Signed += p.Signed()
	r.Decided(p.Rules...)
	p.Warned(func(string, string) { r.Warned++ })
	p.Refused(func(key string, code bulk.Code, _ string) {
		r.Refuse(code, 1)
		r.Deny(key, code)
	})
	if r.SignedAt.IsZero() {
		r.SignedAt = p.SignedAt
	}
	if r.ExpiresAt.IsZero() || p.ExpiresAt.Before(r.ExpiresAt) {
		r.ExpiresIn, r.ExpiresAt, r.Basis = p.ExpiresIn, p.ExpiresAt, p.Basis
	}
	if c := p.CredentialsUntil; !c.IsZero() && (r.CredentialsUntil.IsZero() || c.Before(r.CredentialsUntil)) {
		r.CredentialsUntil = c
	}
}

// Decided adds to the rules that decided.
func (r *Record) Decided(rules ...string) {
	for _, rule := range rules {
		switch {
		case r.Rule == "":
			r.Rule = rule
		case rule != "" && !slices.Contains(strings.Split(r.Rule, ","), rule):
			r.Rule += "," + rule
		}
	}
}

// Refuse counts keys that were refused.
func (r *Record) Refuse(code bulk.Code, n int) {
	if r.Refused == nil {
		r.Refused = make(map[bulk.Code]int)
	}
	r.Refused[code] += n
}

// Deny names a refused key, if it is among the first.
func (r *Record) Deny(key string, code bulk.Code) {
	if len(r.Denied) < MaxDenied {
		sum := sha256.Sum256([]byte(key))
		r.Denied = append(r.Denied, Denied{code, hex.EncodeToString(sum[:8]), len(key)})
	}
}

// End writes the record. A failure that has a cause is the service's own, so its line is
// an error's. A request that failed hands out no URL, whatever was planned.
func (r *Record) End(ctx context.Context, log *slog.Logger) {
	level := slog.LevelInfo
	if r.Failure != nil {
		r.Signed = 0
		r.Decided(r.Failure.Rule)
		if r.Failure.Cause != nil {
			level = slog.LevelError
		}
	}
	log.LogAttrs(ctx, level, "request", r.attributes()...)
}

func (r *Record) attributes() []slog.Attr {
	a := make([]slog.Attr, 0, 40)
	text := func(name, value string) {
		if value != "" {
			a = append(a, slog.String(name, value))
		}
	}
	text("source", r.Source)
	text("step", r.Step)
	text("id", r.ID)
	text("job", r.Job)
	if r.HandedOn {
		a = append(a, slog.Bool("handedOn", true))
	}
	a = append(a, slog.Bool("cold", r.cold), slog.Attr{Key: "caller", Value: caller(&r.Caller)})
	text("bucket", r.Bucket)
	text("operation", r.Operation)
	text("rule", r.Rule)
	a = deployed(a)
	if !r.ExpiresAt.IsZero() {
		a = append(a, slog.Time("signedAt", r.SignedAt), slog.Int64("expiresIn", r.ExpiresIn),
			slog.Time("expiresAt", r.ExpiresAt), slog.String("basis", string(r.Basis)))
	}
	if r.Warned > 0 {
		a = append(a, slog.Int("warned", r.Warned))
	}
	if len(r.Denied) > 0 {
		a = append(a, slog.Any("denied", r.Denied))
	}
	if f := r.Failure; f != nil {
		text("code", string(f.Code))
		text("detail", f.Detail)
		if f.Cause != nil {
			text("cause", f.Cause.Error())
		}
	}
	return r.metrics(time.Now()).append(a)
}

func caller(c *policy.Caller) slog.Value {
	a := []slog.Attr{slog.String("kind", c.Kind.String())}
	if p := c.Principal(); p != "" {
		a = append(a, slog.String("principal", p))
	}
	return slog.GroupValue(append(a, slog.String("hash", c.Hash()))...)
}

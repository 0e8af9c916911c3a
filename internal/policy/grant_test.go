package policy_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
)

// The callers of these tests, as the events tell them.
var (
	anonymous = policy.Caller{}
	direct    = policy.Caller{Kind: policy.Direct}
	alice     = policy.Caller{Kind: policy.IAM, ARN: "arn:aws:iam::123456789012:user/staff/alice", Account: "123456789012", UserID: "AIDAALICE"}
	teamX     = session("team-x", "build-7")
	teamY     = session("team-y", "build-7")
	stranger  = policy.Caller{Kind: policy.IAM, ARN: "arn:aws:sts::999999999999:assumed-role/team-x/build-7", Account: "999999999999", UserID: "AROA9:build-7"}
	ann       = token("ann", "")
	admin     = token("root", "[staff admins]")
	queue     = policy.Caller{Kind: policy.Service, Service: "sqs.amazonaws.com", SourceARN: "arn:aws:sqs:eu-west-1:123456789012:presign-jobs"}
)

func session(role, name string) policy.Caller {
	return policy.Caller{
		Kind: policy.IAM, ARN: "arn:aws:sts::123456789012:assumed-role/" + role + "/" + name,
		Account: "123456789012", UserID: "AROA" + role + ":" + name, CognitoID: "eu-west-1:" + name,
	}
}

func token(sub, groups string) policy.Caller {
	c := policy.Caller{Kind: policy.JWT, Claims: map[string]string{"iss": "https://example.com", "sub": sub, "token_use": "access"}}
	if groups != "" {
		c.Claims["cognito:groups"] = groups
	}
	return c
}

// ask is a request of one key.
type ask struct {
	caller  policy.Caller
	bucket  string // photos where it is empty
	op      s3op.Operation
	key     string
	seconds int64 // what the rules make of no figure, where it is 0
	keys    int   // 1 where it is 0
	batch   []s3op.Option
	own     []s3op.Option // over the batch's
}

// decide asks the rules as a batch does, and words what they say.
func decide(t *testing.T, document string, a ask) string {
	t.Helper()
	d, err := policy.ParseDocument([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	if a.bucket == "" {
		a.bucket = "photos"
	}
	words := map[policy.Refused]string{
		policy.RefusedBucket: "bucket", policy.RefusedOperation: "operation", policy.RefusedCount: "count",
		policy.RefusedExpiry: "expiry", policy.RefusedKey: "key", policy.RefusedOption: "option",
	}
	refused := func(r *policy.Refusal) string {
		if r.Detail == "" {
			t.Errorf("%+v: no detail", a)
		}
		return strings.TrimSuffix(fmt.Sprintf("no %s: %s", words[r.Refused], r.Rule), ": ")
	}
	g, refusal := d.Grant(&a.caller, a.bucket, a.op)
	if refusal != nil {
		return refused(refusal)
	}
	if r := g.LimitKeys(max(a.keys, 1)); r != nil {
		return refused(r)
	}
	settled := settle(t, a.op, a.batch)
	if r := g.RequireOfBatch(settled, a.op); r != nil {
		return refused(r)
	}
	if a.seconds == 0 {
		a.seconds = g.ShortestExpiresIn(900)
	}
	if r := g.LimitExpiresIn(a.seconds, false); r != nil {
		return refused(r)
	}
	at, r := g.Key(a.key)
	switch {
	case r != nil:
	case a.own == nil:
		r = g.BatchOptions(a.key, at)
	default:
		r = g.Options(a.key, at, settle(t, a.op, s3op.Merge(nil, a.batch, a.own)), a.op)
	}
	if r != nil {
		if r.Rule != "" && (len(g.Rules()) != 1 || g.Rules()[0] != r.Rule) {
			t.Errorf("%+v: rules %q, want %q", a, g.Rules(), r.Rule)
		}
		return refused(r) + " (this key)"
	}
	return fmt.Sprintf("%s, %d s", strings.Join(g.Rules(), "+"), a.seconds)
}

func settle(t *testing.T, op s3op.Operation, given []s3op.Option) []s3op.Option {
	t.Helper()
	given = append([]s3op.Option(nil), given...)
	if err := op.Check(given); err != nil {
		t.Fatal(err)
	}
	settled, err := op.Settle(given)
	if err != nil {
		t.Fatal(err)
	}
	return settled
}

// options makes options of pairs of name and value.
func options(pairs ...string) []s3op.Option {
	var list []s3op.Option
	for i := 0; i < len(pairs); i += 2 {
		id, ok := s3op.Lookup(pairs[i])
		if !ok {
			panic(pairs[i])
		}
		list = append(list, s3op.Option{ID: id, Value: pairs[i+1]})
	}
	s3op.Sort(list)
	return list
}

// house is a document with a rule of every sort.
const house = `{"rules": [
	{"name": "no-secrets", "effect": "deny", "callers": "*", "prefixes": ["secret/", "users/${jwt:sub}/secret/"]},
	{"name": "no-deletes", "effect": "deny", "callers": [{"jwt": true}], "operations": ["DeleteObject"]},
	{"name": "closed", "effect": "deny", "callers": [{"iam": true}], "buckets": ["closed"]},
	{"name": "own-folder", "effect": "allow", "callers": [{"jwt": {"issuer": "https://example.com", "claims": {"token_use": ["access", "id"]}}}],
		"prefixes": ["users/${jwt:sub}/"], "operations": ["GetObject", "PutObject", "DeleteObject"], "max_expires_in": 300, "max_keys": 100},
	{"name": "admins", "effect": "allow", "callers": [{"jwt": {"groups": ["admins", "owners"]}}], "explain": true},
	{"name": "teams", "effect": "allow", "callers": [{"iam": "arn:aws:iam::123456789012:role/team-*"}],
		"buckets": ["photos", "closed"], "prefixes": ["teams/${iam:role}/", "shared/"], "operations": ["GetObject", "PutObject"]},
	{"name": "drop-box", "effect": "allow", "callers": [{"anonymous": true}], "buckets": ["photos"], "prefixes": ["in/"], "operations": ["PutObject"],
		"max_expires_in": 60, "max_keys": 1,
		"require": {"content_type": ["image/*", "application/pdf"], "content_length": {"max": 1000}, "create_only": true}},
	{"name": "jobs", "effect": "allow", "callers": [{"service": {"principal": "sqs.amazonaws.com", "source_arn": "arn:aws:sqs:*:123456789012:presign-*"}}]},
	{"name": "staff", "effect": "allow", "callers": [{"iam": ["arn:aws:iam::123456789012:user/staff/*"]}], "prefixes": ["home/${aws:username}/", "id/${aws:userid}/"]}
]}`

func TestDecide(t *testing.T) {
	const (
		get, put, del = s3op.GetObject, s3op.PutObject, s3op.DeleteObject
		head, part    = s3op.HeadObject, s3op.UploadPart
	)
	picture := options("content_type", "image/png", "content_length", "1000", "create_only", "true")
	for _, test := range []struct {
		ask  ask
		want string
	}{
		// Who nothing is said of gets nothing.
		{ask{caller: direct, op: get, key: "a"}, "no bucket"},
		{ask{caller: stranger, op: get, key: "teams/team-x/a"}, "no bucket"},
		{ask{caller: policy.Caller{Kind: policy.JWT}, op: get, key: "users//a"}, "no bucket"},
		{ask{caller: policy.Caller{Kind: policy.IAM}, op: get, key: "a"}, "no bucket"},
		{ask{caller: policy.Caller{Kind: policy.Service}, op: get, key: "a"}, "no bucket"},

		// A token's own folder, and no other's.
		{ask{caller: ann, op: get, key: "users/ann/a"}, "own-folder, 300 s"},
		{ask{caller: ann, op: get, key: "users/ann/"}, "own-folder, 300 s"},
		{ask{caller: ann, op: get, key: "users/ann"}, "no key (this key)"},
		{ask{caller: ann, op: get, key: "users/anna/a"}, "no key (this key)"},
		{ask{caller: ann, op: get, key: "users/Ann/a"}, "no key (this key)"},
		{ask{caller: ann, op: get, key: "users/bob/a"}, "no key (this key)"},
		{ask{caller: ann, op: get, key: "/users/ann/a"}, "no key (this key)"},
		{ask{caller: ann, op: get, key: "users%2Fann%2Fa"}, "no key (this key)"},
		{ask{caller: ann, op: put, key: "users/ann/a", seconds: 300, keys: 100}, "own-folder, 300 s"},
		{ask{caller: ann, op: put, key: "users/ann/a", seconds: 301}, "no expiry: own-folder"},
		{ask{caller: ann, op: put, key: "users/ann/a", keys: 101}, "no count: own-folder"},
		{ask{caller: ann, op: put, key: "users/ann/a", keys: 101, seconds: 301}, "no count: own-folder"},
		{ask{caller: ann, op: head, key: "users/ann/a"}, "no operation"},
		{ask{caller: token("a/../b", ""), op: get, key: "users/a/../b/x"}, "no bucket"},
		{ask{caller: policy.Caller{Kind: policy.JWT, Claims: map[string]string{"iss": "https://evil.example", "sub": "ann", "token_use": "id"}}, op: get, key: "users/ann/a"}, "no bucket"},
		{ask{caller: policy.Caller{Kind: policy.IAM, Claims: ann.Claims}, op: get, key: "users/ann/a"}, "no bucket"},

		// A deny wins, whatever else allows it.
		{ask{caller: ann, op: get, key: "users/ann/secret/a"}, "no key: no-secrets (this key)"},
		{ask{caller: admin, op: get, key: "secret/a"}, "no key: no-secrets (this key)"},
		{ask{caller: ann, op: del, key: "users/ann/a"}, "no operation: no-deletes"},
		{ask{caller: admin, op: del, key: "a"}, "no operation: no-deletes"},
		{ask{caller: teamX, bucket: "closed", op: get, key: "shared/a"}, "no bucket: closed"},
		// What stands before a placeholder without a value for the caller is denied.
		{ask{caller: queue, op: get, key: "users/ann/a"}, "no key: no-secrets (this key)"},
		{ask{caller: token("../x", "[admins]"), op: get, key: "users/ann/a"}, "no key: no-secrets (this key)"},

		// Groups.
		{ask{caller: admin, op: get, key: "a"}, "admins, 300 s"}, // the strictest of the caller's rules, since nothing was asked
		{ask{caller: admin, op: get, key: "a", seconds: 301}, "admins, 301 s"},
		{ask{caller: admin, op: get, key: "users/root/a", seconds: 301}, "admins, 301 s"}, // which another rule has for less
		{ask{caller: admin, op: get, key: "users/root/a"}, "own-folder, 300 s"},
		{ask{caller: admin, op: part, key: "a", keys: 1000}, "admins, 900 s"},
		{ask{caller: token("t", "staff,owners"), op: get, key: "a"}, "admins, 300 s"},
		{ask{caller: token("t", "[staff]"), op: get, key: "a"}, "no key (this key)"},
		{ask{caller: token("t", "[not-admins admins2]"), op: get, key: "a"}, "no key (this key)"},
		{ask{caller: token("t", "admins"), op: get, key: "a"}, "admins, 300 s"},

		// Roles and users.
		{ask{caller: teamX, op: get, key: "teams/team-x/a"}, "teams, 900 s"},
		{ask{caller: teamX, op: get, key: "shared/a"}, "teams, 900 s"},
		{ask{caller: teamX, op: get, key: "teams/team-y/a"}, "no key (this key)"},
		{ask{caller: teamY, op: put, key: "teams/team-y/a", seconds: 604800, keys: 3_000_000}, "teams, 604800 s"},
		{ask{caller: teamX, op: del, key: "shared/a"}, "no operation"},
		{ask{caller: teamX, bucket: "other", op: get, key: "shared/a"}, "no bucket"},
		{ask{caller: session("ops", "team-x"), op: get, key: "shared/a"}, "no bucket"}, // the session's name is no role's
		{ask{caller: alice, op: get, key: "home/alice/a"}, "staff, 900 s"},
		{ask{caller: alice, op: get, key: "id/AIDAALICE/a"}, "staff, 900 s"},
		{ask{caller: alice, op: get, key: "home/bob/a"}, "no key (this key)"},

		// Services.
		{ask{caller: queue, op: put, key: "anything"}, "jobs, 900 s"},
		{ask{caller: policy.Caller{Kind: policy.Service, Service: "sqs.amazonaws.com", SourceARN: "arn:aws:sqs:eu-west-1:999999999999:presign-x"}, op: put, key: "a"}, "no bucket"},
		{ask{caller: policy.Caller{Kind: policy.Service, Service: "sqs.amazonaws.com"}, op: put, key: "a"}, "no bucket"},
		{ask{caller: policy.Caller{Kind: policy.Service, Service: "s3.amazonaws.com", SourceARN: queue.SourceARN}, op: put, key: "a"}, "no bucket"},

		// What uploads must pin. What is wrong in the batch's options fails the request, what is
		// missing there fails the keys that do not give it.
		{ask{caller: anonymous, op: put, key: "in/a", batch: picture}, "drop-box, 60 s"},
		{ask{caller: anonymous, op: put, key: "in/a", batch: options("if_none_match", "*", "content_type", "application/pdf", "content_length", "1")}, "drop-box, 60 s"},
		{ask{caller: anonymous, op: put, key: "in/a", own: picture}, "drop-box, 60 s"},
		{ask{caller: anonymous, op: put, key: "in/a"}, "no option: drop-box (this key)"},
		{ask{caller: anonymous, op: put, key: "in/a", batch: options("content_type", "image/png", "create_only", "true")}, "no option: drop-box (this key)"},
		{ask{caller: anonymous, op: put, key: "in/a", batch: options("content_type", "image/png", "content_length", "1000")}, "no option: drop-box (this key)"},
		{ask{caller: anonymous, op: put, key: "in/a", batch: options("content_type", "image/png", "content_length", "1000", "create_only", "false")}, "no option: drop-box (this key)"},
		{ask{caller: anonymous, op: put, key: "in/a", batch: options("content_length", "1001")}, "no option: drop-box"},
		{ask{caller: anonymous, op: put, key: "in/a", batch: options("content_type", "text/html")}, "no option: drop-box"},
		{ask{caller: anonymous, op: put, key: "in/a", batch: options("content_type", "application/pdf;x=y")}, "no option: drop-box"},
		{ask{caller: anonymous, op: put, key: "in/a", batch: options("content_type", "Image/png")}, "no option: drop-box"},
		{ask{caller: anonymous, op: put, key: "in/a", batch: picture, own: options("content_length", "1001")}, "no option: drop-box (this key)"},
		{ask{caller: anonymous, op: put, key: "in/a", batch: picture, own: options("content_type", "text/html")}, "no option: drop-box (this key)"},
		{ask{caller: anonymous, op: put, key: "in/a", batch: picture, own: options("content_type", "image/gif")}, "drop-box, 60 s"},
		{ask{caller: anonymous, op: put, key: "out/a", batch: picture}, "no key (this key)"},
		{ask{caller: anonymous, op: put, key: "in/a", keys: 2, batch: picture}, "no count: drop-box"},
		{ask{caller: anonymous, op: put, key: "in/a", seconds: 61, batch: picture}, "no expiry: drop-box"},
	} {
		if got := decide(t, house, test.ask); got != test.want {
			t.Errorf("%v %q asks for %s on %q/%q (%d s, %d keys, %v, %v): %s, want %s", test.ask.caller.Kind, test.ask.caller.ARN+test.ask.caller.Claims["sub"],
				test.ask.op, test.ask.bucket, test.ask.key, test.ask.seconds, test.ask.keys, test.ask.batch, test.ask.own, got, test.want)
		}
	}
}

// The tables of docs/policy.md.
func TestExamplesDecide(t *testing.T) {
	cognito := func(groups string) policy.Caller {
		return policy.Caller{Kind: policy.JWT, Claims: map[string]string{
			"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_EXAMPLE01", "token_use": "access", "sub": "2b3c", "cognito:groups": groups,
		}}
	}
	camera := policy.Caller{Kind: policy.JWT, Claims: map[string]string{"iss": "https://devices.example.com/", "client_type": "camera", "sub": "cam-7"}}
	pinned := options("content_type", "image/png", "content_length", "5000000", "create_only", "true", "server_side_encryption", "aws:kms",
		"ssekms_key_id", "arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef")
	for _, test := range []struct {
		example string
		ask     ask
		want    string
	}{
		{"user-folders", ask{caller: cognito(""), op: s3op.GetObject, key: "users/2b3c/a.jpg"}, "own-folder, 300 s"},
		{"user-folders", ask{caller: cognito(""), op: s3op.PutObject, key: "users/2b3c/a.jpg"}, "own-folder, 300 s"},
		{"user-folders", ask{caller: cognito(""), op: s3op.GetObject, key: "users/9f0e/a.jpg"}, "no key (this key)"},
		{"user-folders", ask{caller: cognito(""), op: s3op.DeleteObject, key: "users/2b3c/a.jpg"}, "no operation"},
		{"user-folders", ask{caller: cognito("[viewers editors]"), op: s3op.GetObject, key: "users/9f0e/a.jpg"}, "editors, 300 s"},
		{"user-folders", ask{caller: teamX, op: s3op.GetObject, key: "users/2b3c/a.jpg"}, "no bucket"},
		{"user-folders", ask{caller: direct, op: s3op.GetObject, key: "users/2b3c/a.jpg"}, "no bucket"},

		{"team-prefixes", ask{caller: session("team-red", "ci"), op: s3op.DeleteObject, key: "teams/team-red/x"}, "teams, 900 s"},
		{"team-prefixes", ask{caller: session("team-red", "ci"), op: s3op.GetObject, key: "teams/releases/v1.zip"}, "everyone-reads-releases, 900 s"},
		{"team-prefixes", ask{caller: session("team-red", "ci"), op: s3op.PutObject, key: "teams/releases/v1.zip"}, "no key: nobody-changes-releases (this key)"},
		{"team-prefixes", ask{caller: session("team-red", "ci"), op: s3op.GetObject, key: "teams/team-blue/x"}, "no key (this key)"},
		{"team-prefixes", ask{caller: session("web", "i-1"), op: s3op.GetObject, key: "teams/releases/v1.zip"}, "everyone-reads-releases, 900 s"},
		{"team-prefixes", ask{caller: stranger, op: s3op.GetObject, key: "teams/releases/v1.zip"}, "no bucket"},

		{"upload-only-devices", ask{caller: camera, op: s3op.PutObject, key: "devices/cam-7/1.png", batch: pinned}, "devices, 60 s"},
		{"upload-only-devices", ask{caller: camera, op: s3op.PutObject, key: "devices/cam-7/1.png", batch: pinned, own: options("create_only", "false")}, "no option: devices (this key)"},
		{"upload-only-devices", ask{caller: camera, op: s3op.PutObject, key: "devices/cam-7/1.png", batch: options("content_type", "text/html")}, "no option: devices"},
		{"upload-only-devices", ask{caller: camera, op: s3op.GetObject, key: "devices/cam-7/1.png"}, "no operation"},
	} {
		document, err := os.ReadFile("../../docs/policies/" + test.example + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if got := decide(t, string(document), test.ask); got != test.want {
			t.Errorf("%s: %s on %q: %s, want %s", test.example, test.ask.op, test.ask.key, got, test.want)
		}
	}
}

// What several rules allow is not added up: one rule must allow all of a key.
func TestDecideBetweenRules(t *testing.T) {
	const two = `{"rules": [
		{"name": "short", "effect": "allow", "callers": "*", "prefixes": ["a/", "both/"], "max_expires_in": 60, "require": {"content_type": true}},
		{"name": "long", "effect": "allow", "callers": "*", "prefixes": ["b/", "both/"], "max_expires_in": 600, "max_keys": 10, "require": {"content_length": {"max": 5}}}
	]}`
	typed, small := options("content_type", "a/b"), options("content_length", "5")
	for _, test := range []struct {
		ask  ask
		want string
	}{
		{ask{key: "both/x", batch: typed}, "short, 60 s"},
		{ask{key: "both/x", batch: small}, "long, 60 s"}, // the first lacks its option
		{ask{key: "both/x", own: small}, "long, 60 s"},
		{ask{key: "both/x"}, "no option: short (this key)"},
		{ask{key: "a/x", batch: small}, "no option: short (this key)"},
		{ask{key: "b/x", batch: typed}, "no option: long (this key)"},
		{ask{key: "both/x", batch: options("content_length", "6")}, "no option: short (this key)"},
		{ask{key: "both/x", batch: typed, seconds: 600}, "no option: long (this key)"}, // only the second has it for so long
		{ask{key: "both/x", batch: small, seconds: 600}, "long, 600 s"},
		{ask{key: "a/x", batch: typed, seconds: 600}, "no key: short (this key)"},
		{ask{key: "b/x", batch: small, seconds: 601}, "no expiry"},
		{ask{key: "b/x", batch: small, keys: 11}, "no key: long (this key)"},
		{ask{key: "b/x", batch: small, keys: 11, seconds: 61}, "no expiry"},
		{ask{key: "a/x", batch: typed, keys: 11}, "short, 60 s"},
		{ask{key: "c/x"}, "no key (this key)"},
	} {
		test.ask.op = s3op.PutObject
		if got := decide(t, two, test.ask); got != test.want {
			t.Errorf("%+v: %s, want %s", test.ask, got, test.want)
		}
	}
	for _, document := range []string{`{"rules":[]}`, rule(`"effect":"deny","callers":"*","prefixes":["x/"]`)} {
		if got := decide(t, document, ask{key: "a"}); got != "no bucket" {
			t.Errorf("%s: %s", document, got)
		}
	}
}

// Who gets nothing is told as what the service knows the caller, and of a value that
// cannot stand in a prefix, but not the value.
func TestTellsWhyNothing(t *testing.T) {
	d, err := policy.ParseDocument([]byte(house))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		caller policy.Caller
		want   string
	}{
		{direct, `the kind "direct"`},
		{token("../secret", ""), "has characters that may not stand there"},
		{policy.Caller{Kind: policy.JWT, Claims: map[string]string{"iss": "https://example.com", "token_use": "id"}}, "is missing of you"},
	} {
		_, refusal := d.Grant(&test.caller, "photos", s3op.GetObject)
		if refusal == nil || !strings.Contains(refusal.Detail, test.want) || strings.Contains(refusal.Detail, "secret") {
			t.Errorf("%+v: %+v", test.caller, refusal)
		}
	}
}

// The prefixes under which all that is allowed lies, for a session of the signing role.
func TestPrefixes(t *testing.T) {
	for _, test := range []struct {
		rules, within string
		want          []string
	}{
		{`["b/","a/"]`, "", []string{"a/", "b/"}},
		{`["a/","a/b/","a/c/","b/"]`, "", []string{"a/", "b/"}},
		{`["a/","b/x/","b/y/"]`, "b/", []string{"b/x/", "b/y/"}},
		{`["a","ab/"]`, "ab/c/", []string{"ab/c/"}},
		{`["a/"]`, "b/", []string{"b/"}},
	} {
		d, err := policy.ParseDocument([]byte(allow(`"prefixes":` + test.rules)))
		if err != nil {
			t.Fatal(err)
		}
		g, refusal := d.Grant(&policy.Caller{}, "photos", s3op.GetObject)
		if refusal != nil {
			t.Fatal(refusal.Detail)
		}
		if got := g.Prefixes(test.within); !slices.Equal(got, test.want) {
			t.Errorf("%s within %q: %q, want %q", test.rules, test.within, got, test.want)
		}
	}
}

// Patterns of IAM principals, and whom they are.
func TestPrincipals(t *testing.T) {
	const us = "arn:aws:iam::123456789012:"
	for _, test := range []struct {
		pattern, arn string
		want         bool
	}{
		{us + "role/team-*", "arn:aws:sts::123456789012:assumed-role/team-x/session", true},
		{us + "role/team-?", "arn:aws:sts::123456789012:assumed-role/team-x/session", true},
		{us + "role/team-x", "arn:aws:sts::123456789012:assumed-role/team-x/session", true},
		{us + "role/team", "arn:aws:sts::123456789012:assumed-role/team-x/session", false},
		{us + "role/team-?", "arn:aws:sts::123456789012:assumed-role/team-xy/session", false},
		{us + "role/*-admin", "arn:aws:sts::123456789012:assumed-role/team-x/my-admin", false}, // a session is named by who assumes
		{us + "role/team-*", "arn:aws:sts::123456789012:assumed-role/other/team-x", false},
		{us + "role/team-*", "arn:aws:sts::210987654321:assumed-role/team-x/session", false},
		{us + "role/team-*", "arn:aws-cn:sts::123456789012:assumed-role/team-x/session", false},
		{"arn:*:iam::123456789012:role/team-*", "arn:aws-cn:sts::123456789012:assumed-role/team-x/session", true},
		{us + "role/*", "arn:aws:sts::123456789012:federated-user/team-x", false},
		{us + "role/*", us + "user/team-x", false},
		{us + "role/TEAM-*", "arn:aws:sts::123456789012:assumed-role/team-x/session", false},
		{"arn:aws:sts::123456789012:assumed-role/team-*/ci-*", "arn:aws:sts::123456789012:assumed-role/team-x/ci-1", true},
		{"arn:aws:sts::123456789012:assumed-role/team-*/ci-*", "arn:aws:sts::123456789012:assumed-role/team-x/person", false},
		{"arn:aws:sts::123456789012:assumed-role/*/x", "arn:aws:sts::123456789012:assumed-role/team/y/x", false},
		{us + "user/alice", us + "user/alice", true},
		{us + "user/alice", us + "user/staff/alice", false},
		{us + "user/staff/*", us + "user/staff/deep/alice", true},
		{us + "user/*", us + "user/staff/alice", true},
		{us + "user/a*e", us + "user/alice", true},
		{us + "user/a*e*", us + "user/bob", false},
		{us + "user/alice", "arn:aws:sts::123456789012:user/alice", false},
		{us + "*", us + "user/alice", true},
		{us + "*", us + "root", true},
		{us + "*", "arn:aws:sts::123456789012:assumed-role/team-x/session", true},
		{us + "*", "arn:aws:sts::210987654321:assumed-role/team-x/session", false},
		{us + "root", us + "root", true},
		{us + "root", us + "user/root", false},
		{"arn:aws:sts::123456789012:federated-user/b*", "arn:aws:sts::123456789012:federated-user/bob", true},
		{us + "*", "", false},
		{us + "role/*", "arn:aws:sts::123456789012:assumed-role", false},
		{us + "role/*", "arn:aws:sts::123456789012:assumed-role/x", false},
		{us + "user/*", us + "user/", false},
	} {
		got := decide(t, of(`[{"iam":"`+test.pattern+`"}]`), ask{caller: policy.Caller{Kind: policy.IAM, ARN: test.arn}, key: "a"})
		if (got == "r, 900 s") != test.want {
			t.Errorf("%s is %s: %s", test.arn, test.pattern, got)
		}
	}
}

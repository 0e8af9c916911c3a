package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bulkpresign/internal/check/rawhttp"
	"bulkpresign/internal/standin/runtimeapi"
)

// house gives something else to each kind of caller.
const house = `{"rules": [
	{"name": "own-folder", "effect": "allow", "callers": [{"jwt": {"issuer": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_EXAMPLE01"}}],
		"prefixes": ["users/${jwt:sub}/"], "max_expires_in": 300},
	{"name": "gallery", "effect": "allow", "callers": [{"iam": "arn:aws:iam::123456789012:role/gallery-*"}],
		"prefixes": ["2026/", "albums/", "100%.png", "reports/"], "explain": true},
	{"name": "drop-box", "effect": "allow", "callers": [{"anonymous": true}], "prefixes": ["in/"], "operations": ["PutObject"],
		"max_keys": 1, "max_expires_in": 60, "require": {"create_only": true, "content_length": {"max": 5}}},
	{"name": "operators", "effect": "allow", "callers": [{"direct": true}], "prefixes": ["operators/"]}
]}`

// fromSample is a sample event with another body.
func fromSample(t *testing.T, name, body string) []byte {
	t.Helper()
	text, err := os.ReadFile("../../events/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var event map[string]any
	if err := json.Unmarshal(text, &event); err != nil {
		t.Fatal(err)
	}
	event["body"], event["isBase64Encoded"] = body, false
	return mustJSON(event)
}

// Each kind of caller, as its event tells of it, has what its rule allows, and the URLs
// work; nothing that a client can send makes it another caller.
func TestCallers(t *testing.T) {
	t.Parallel()
	credentials := newCredentials()
	s := start(credentials, append(credentialsOf(credentials), "PRESIGN_BUCKETS=photos", "PRESIGN_OPERATIONS=GetObject,HeadObject,PutObject", "PRESIGN_POLICY="+house)...)
	const user = "users/2b3c4d5e-6f70-4182-93a4-b5c6d7e8f901/"
	anonymous := func(body string) []byte { return httpAPI("POST", body, nil) }
	forged := func(body string) []byte {
		return httpAPI("POST", body, map[string]string{
			"authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.", "x-amzn-iam-user-arn": "arn:aws:iam::123456789012:role/gallery-x",
			"requestcontext": `{"authorizer":{"iam":{"userArn":"arn:aws:sts::123456789012:assumed-role/gallery-x/s"}}}`,
		})
	}
	for _, test := range []struct {
		name  string
		event func(body string) []byte
		body  string
		code  string // of the whole request, or
		key   string // of this key, which else has a URL
		error string
	}{
		{"HTTP API, JWT", sample(t, "http-api-jwt.json"), `{"keys":["` + user + `a"]}`, "", user + "a", ""},
		{"REST API, JWT", sample(t, "rest-api-jwt.json"), `{"keys":["` + user + `a"]}`, "", user + "a", ""},
		{"another's folder", sample(t, "http-api-jwt.json"), `{"keys":["users/root/a"]}`, "", "users/root/a", "KeyNotAllowed"},
		{"too long", sample(t, "http-api-jwt.json"), `{"expires_in":301,"keys":["` + user + `a"]}`, "ExpiryTooLong", "", ""},
		{"no explanation", sample(t, "http-api-jwt.json"), `{"explain":true,"keys":["` + user + `a"]}`, "InvalidRequest", "", ""},
		{"HTTP API, IAM", sample(t, "http-api.json"), `{"keys":["2026/a"]}`, "", "2026/a", ""},
		{"REST API, IAM", sample(t, "rest-api.json"), `{"keys":["2026/a"]}`, "", "2026/a", ""},
		{"Function URL, IAM", sample(t, "function-url.json"), `{"keys":["2026/a"]}`, "", "2026/a", ""},
		{"a role's other keys", sample(t, "http-api.json"), `{"keys":["in/a"]}`, "", "in/a", "KeyNotAllowed"},
		{"nobody", anonymous, `{"operation":"PUT","create_only":true,"content_length":5,"keys":["in/a"]}`, "", "in/a", ""},
		{"nobody, longer", anonymous, `{"operation":"PUT","create_only":true,"keys":[{"key":"in/a","content_length":6}]}`, "", "in/a", "InvalidOption"},
		{"nobody, not pinned", anonymous, `{"operation":"PUT","keys":["in/a"]}`, "", "in/a", "InvalidOption"},
		{"nobody, wrong", anonymous, `{"operation":"PUT","content_length":6,"keys":["in/a"]}`, "InvalidOption", "", ""},
		{"nobody, many", anonymous, `{"operation":"PUT","keys":["in/a","in/b"]}`, "TooManyKeys", "", ""},
		{"nobody, reading", anonymous, `{"keys":["in/a"]}`, "OperationNotAllowed", "", ""},
		{"forged headers", forged, `{"keys":["2026/a"]}`, "OperationNotAllowed", "", ""},
		{"a caller in the body", anonymous, `{"requestContext":{"authorizer":{"claims":{"sub":"root"}}},"keys":["users/root/a"]}`, "InvalidRequest", "", ""},
	} {
		answer := s.send(t, test.event(test.body))
		if test.code != "" {
			var p problem
			if err := json.Unmarshal(answer.body(t), &p); err != nil || p.Code != test.code {
				t.Errorf("%s: status %d, code %q (%s), want %s", test.name, answer.StatusCode, p.Code, p.Detail, test.code)
			}
			continue
		}
		if answer.StatusCode != 200 {
			t.Errorf("%s: status %d: %s", test.name, answer.StatusCode, answer.body(t))
			continue
		}
		r := decodeResult(t, answer.body(t))
		if got := r.Errors[test.key].Code; got != test.error {
			t.Errorf("%s: %q, want %q", test.name, got, test.error)
		}
		if test.error == "" {
			s.try(t, test.name, r, test.key)
		}
	}

	r := s.mustSign(t, `{"keys":["operators/a","2026/a"]}`)
	if r.Errors["2026/a"].Code != "KeyNotAllowed" {
		t.Errorf("direct: %v", r.Errors)
	}
	s.try(t, "direct", r, "operators/a")

	// Who may, sees which rules decide, and the log says so for everyone.
	answer := s.send(t, sample(t, "http-api.json")(`{"explain":true,"keys":["2026/a","in/a"]}`))
	var explained struct{ Explain struct{ Rules []string } }
	if err := json.Unmarshal(answer.body(t), &explained); err != nil || !slices.Equal(explained.Explain.Rules, []string{"gallery"}) {
		t.Errorf("status %d, explained by %v", answer.StatusCode, explained.Explain.Rules)
	}
}

// sample is an event's maker of a sample.
func sample(t *testing.T, name string) func(body string) []byte {
	return func(body string) []byte { return fromSample(t, name, body) }
}

// try uses the URL of a key.
func (s *system) try(t *testing.T, name string, r *result, key string) {
	t.Helper()
	method := map[string]string{"GetObject": "GET", "PutObject": "PUT"}[r.Operation]
	var body []byte
	if method == "GET" {
		if err := s.s3.Put("photos", key, []byte("12345")); err != nil {
			t.Fatal(err)
		}
	} else {
		body = []byte("12345")
	}
	answer, err := rawhttp.Do(t.Context(), method, r.URLs.of[key], r.headersFor(key), body)
	if err != nil || answer.Status != 200 {
		t.Errorf("%s: %s of %q: error %v, status %d", name, method, key, err, statusOf(answer))
	}
	if pinned := r.headersFor(key); pinned["content-length"] != "" {
		pinned["content-length"] = "6"
		if answer, err := rawhttp.Do(t.Context(), method, r.URLs.of[key], pinned, []byte("123456")); err != nil || answer.Status != 403 {
			t.Errorf("%s: a longer body than the rule allows: error %v, status %d", name, err, statusOf(answer))
		}
	}
}

// The audit record names the rule, of a request that fails too.
func TestRuleIsLogged(t *testing.T) {
	t.Parallel()
	var own bytes.Buffer
	fn, err := runtimeapi.Start(t.Context(), runtimeapi.Config{
		Binary: binary, Log: io.MultiWriter(&own, &logs), Region: region, Timeout: 29 * time.Second,
		Env: append(credentialsOf(newCredentials()), "PRESIGN_BUCKETS=photos", "PRESIGN_OPERATIONS=PutObject,GetObject", "PRESIGN_POLICY="+house),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, event := range [][]byte{
		fromSample(t, "http-api-jwt.json", `{"keys":["users/2b3c4d5e-6f70-4182-93a4-b5c6d7e8f901/a"]}`),
		httpAPI("POST", `{"operation":"PUT","keys":["in/a","in/b"]}`, nil),
	} {
		if _, err := fn.Invoke(t.Context(), event); err != nil {
			t.Error(err)
		}
	}
	fn.Close()
	var rules []string
	for line := range bytes.Lines(own.Bytes()) {
		var record struct{ Message, Rule string }
		if err := json.Unmarshal(line, &record); err != nil {
			t.Fatal("a line is not JSON")
		}
		if record.Message == "request" {
			rules = append(rules, record.Rule)
		}
	}
	if want := []string{"own-folder", "drop-box"}; !slices.Equal(rules, want) {
		t.Errorf("rules %q, want %q", rules, want)
	}
}

// A policy document with mistakes ends the function before its first poll, with all of
// them in one line, from the variable and from a file.
func TestStartReportsPolicyProblems(t *testing.T) {
	t.Parallel()
	const secret = "hunter3hunter3"
	logs.KeepOut(secret)
	const document = `{"rules":[{"name":"one","effect":"` + secret + `","callers":"*","prefixes":["users/${jwt:sub}"]},
		{"name":"two","effect":"allow","callers":[{"iam":"` + secret + `"}],"max_keys":0,"max_keys":1}]}`
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "policy.json"), []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{document, "file://policy.json"} {
		var own bytes.Buffer
		fn, err := runtimeapi.Start(t.Context(), runtimeapi.Config{
			Binary: binary, Log: io.MultiWriter(&own, &logs), Region: region,
			Env: []string{"PRESIGN_BUCKETS=photos", "LAMBDA_TASK_ROOT=" + dir, "PRESIGN_POLICY=" + value},
		})
		if err == nil {
			fn.Close()
			t.Fatal("the function started")
		}
		var failed *runtimeapi.InitError
		if !errors.As(err, &failed) || failed.ExitCode < 1 {
			t.Errorf("want an exit code over 0 before the first poll, got %v", err)
		}
		var record struct{ Problems []string }
		if err := json.Unmarshal(own.Bytes(), &record); err != nil {
			t.Fatalf("not one line of JSON (error: %v)", err)
		}
		for _, want := range []string{"rules[0] (one).effect", "rules[0] (one).prefixes[0]", "rules[1] (two).callers[0].iam", "rules[1] (two).max_keys", `rules[1] (two) has member "max_keys" twice`} {
			if !slices.ContainsFunc(record.Problems, func(p string) bool { return strings.HasPrefix(p, "PRESIGN_POLICY "+want) }) {
				t.Errorf("no problem of %s", want)
			}
		}
		if len(record.Problems) != 5 {
			t.Errorf("%d problems", len(record.Problems))
		}
	}
}

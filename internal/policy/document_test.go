package policy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
)

// rule makes a document of one rule with members beside its name.
func rule(members string) string { return `{"rules":[{"name":"r",` + members + `}]}` }

// allow makes a document of one rule that allows something to everyone.
func allow(members string) string { return rule(`"effect":"allow","callers":"*",` + members) }

// of makes a document of one rule for callers.
func of(callers string) string { return rule(`"effect":"allow","callers":` + callers) }

// documents are right ones, and wrong ones with the texts that tell what is wrong.
var documents = []struct {
	document string
	problems []string
}{
	{`{"rules":[]}`, nil},
	{`{"$schema":"docs/policy.schema.json","rules":[]}`, nil},
	{rule(`"effect":"allow","callers":"*"`), nil},
	{rule(`"effect":"deny","callers":"*","description":"nobody","buckets":["photos"],"prefixes":["secret/"],"operations":["GET","PutObject"],"explain":true`), nil},
	{allow(`"buckets":["photos","arn:aws:s3:eu-west-1:123456789012:accesspoint/ap"]`), nil},
	{allow(`"max_expires_in":1,"max_keys":1`), nil},
	{allow(`"max_expires_in":604800,"max_keys":3000000`), nil},
	{allow(`"max_expires_in":604800,"reuse_for":604799`), nil},
	{allow(`"reuse_for":1`), nil},

	// Not a document at all.
	{``, []string{"is not valid JSON: the text ends too early"}},
	{`null`, []string{"must be an object, not null"}},
	{`[]`, []string{"must be an object, not an array"}},
	{`{}`, []string{`has no member "rules"`}},
	{`{"rules":{}}`, []string{"rules must be an array, not an object"}},
	{`{"rules":null}`, []string{"rules must be an array, not null"}},
	{`{"rules":[1]}`, []string{"rules[0] must be an object, not a number"}},
	{`{"rules":[],"version":1}`, []string{`has an unknown member "version"`}},
	{`{"rules":[],"$schema":1}`, []string{"$schema must be a string, not a number"}},
	{`{"rules":[]`, []string{"is not valid JSON: the text ends too early"}},
	{`{"rules":[]} x`, []string{"is not valid JSON"}},

	// Rules.
	{`{"rules":[{}]}`, []string{`rules[0] has no member "name"`, `rules[0] has no member "effect"`, `rules[0] has no member "callers"`}},
	{`{"rules":[{"name":"a b","effect":"Allow","callers":"all"}]}`, []string{"rules[0].name must be a letter and then", `rules[0].effect must be "allow" or "deny"`, `rules[0].callers must be "*"`}},
	{rule(`"effect":"allow","callers":"*","bucket":["photos"]`), []string{`rules[0] (r) has an unknown member "bucket"`}},
	{rule(`"effect":"allow","callers":"*","Explain":true`), []string{`rules[0] (r) has an unknown member "Explain"`}},
	{rule(`"effect":"deny","callers":"*","max_keys":1,"require":{"create_only":true}`), []string{`"max_keys", which says nothing`, `"require", which says nothing`}},
	{allow(`"explain":false`), []string{"rules[0] (r).explain must be true, or be left out"}},
	{allow(`"max_expires_in":0`), []string{"max_expires_in must be a whole number from 1 to 604800"}},
	{allow(`"max_expires_in":604801`), []string{"max_expires_in must be a whole number from 1 to 604800"}},
	{allow(`"max_expires_in":"60"`), []string{"max_expires_in must be a whole number, not a string"}},
	{allow(`"max_expires_in":1.5`), []string{"max_expires_in must be a whole number"}},
	{allow(`"reuse_for":0`), []string{"reuse_for must be a whole number from 1 to 604799"}},
	{allow(`"reuse_for":604800`), []string{"reuse_for must be a whole number from 1 to 604799"}},
	{rule(`"effect":"deny","callers":"*","reuse_for":1`), []string{`"reuse_for", which says nothing`}},
	{allow(`"max_keys":-1`), []string{"max_keys must be a whole number from 1 to 3000000"}},
	{allow(`"max_keys":99999999999999999999`), []string{"max_keys must be a whole number from 1 to 3000000"}},
	{allow(`"description":""`), []string{"description is empty"}},

	// Buckets and operations.
	{allow(`"buckets":[]`), []string{"buckets has 0 elements, and must have from 1"}},
	{allow(`"buckets":"photos"`), []string{"buckets must be an array, not a string"}},
	{allow(`"buckets":["photos","pho*"]`), []string{"buckets[1] must be a bucket's name"}},
	{allow(`"buckets":["photos","photos"]`), []string{"buckets[1] is there twice"}},
	{allow(`"operations":["GetObject","CopyPart"]`), []string{"operations[1] must be one of GetObject"}},

	// Prefixes.
	{allow(`"prefixes":["a","/a","a b/ü/","users/${jwt:sub}/in-","${iam:role}/","x-${aws:userid}-y/${aws:username}/z","${jwt:https://example.com/team}/",".a/..b/"]`), nil},
	{allow(`"prefixes":["${aws:PrincipalAccount}/","${cognito-identity.amazonaws.com:sub}/"]`), nil},
	{allow(`"prefixes":[""]`), []string{"prefixes[0] is empty"}},
	{allow(`"prefixes":["users/*"]`), []string{"prefixes[0] is a prefix, in which * and ?"}},
	{allow(`"prefixes":["user?/"]`), []string{"prefixes[0] is a prefix, in which * and ?"}},
	{allow(`"prefixes":["a$b"]`), []string{"prefixes[0] has a $ that begins no placeholder"}},
	{allow(`"prefixes":["a\u0000b"]`), []string{"prefixes[0] has a control character"}},
	{allow(`"prefixes":["${jwt:sub"]`), []string{"prefixes[0] has a placeholder without an end"}},
	{allow(`"prefixes":["${jwt:}/"]`), []string{"prefixes[0] has an unknown placeholder"}},
	{allow(`"prefixes":["${sub}/"]`), []string{"prefixes[0] has an unknown placeholder"}},
	{allow(`"prefixes":["${aws:sourceip}/"]`), []string{"prefixes[0] has an unknown placeholder"}},
	{allow(`"prefixes":["${aws:PrincipalTag/team}/"]`), []string{"prefixes[0] has a placeholder for a principal's tag, which none of the events tells"}},
	{allow(`"prefixes":["ok/","users/${jwt:sub}"]`), []string{`prefixes[1] has a placeholder without a "/"`}},
	{allow(`"prefixes":["${jwt:a}${jwt:b}/"]`), []string{"prefixes[0] has two placeholders in one path segment"}},
	{allow(`"prefixes":["${jwt:a}-${jwt:b}/"]`), []string{"prefixes[0] has two placeholders in one path segment"}},
	{allow(`"prefixes":["../x"]`), []string{`prefixes[0] has a path segment "." or ".."`}},
	{allow(`"prefixes":["a/./${jwt:sub}/"]`), []string{`prefixes[0] has a path segment "." or ".."`}},
	{allow(`"prefixes":[1]`), []string{"prefixes[0] must be a string, not a number"}},

	// Callers.
	{of(`[{"anonymous":true},{"direct":true},{"iam":true},{"jwt":true},{"service":true}]`), nil},
	{of(`[]`), []string{"callers has 0 elements"}},
	{of(`[{}]`), []string{"callers[0] must have one of the members anonymous, iam, jwt, direct, service"}},
	{of(`[{"iam":true,"jwt":true}]`), []string{"callers[0] must have one of the members"}},
	{of(`[{"role":"x"}]`), []string{`callers[0] has an unknown member "role"`}},
	{of(`[{"anonymous":false}]`), []string{"callers[0].anonymous must be true"}},
	{of(`[{"direct":{}}]`), []string{"callers[0].direct must be true"}},
	{of(`[{"iam":"arn:aws:iam::123456789012:role/team-*"}]`), nil},
	{of(`[{"iam":["arn:*:iam::123456789012:user/a/b/*","arn:aws:iam::123456789012:root","arn:aws:iam::123456789012:*"]}]`), nil},
	{of(`[{"iam":["arn:aws:sts::123456789012:assumed-role/team-?/*","arn:aws:sts::123456789012:federated-user/bob"]}]`), nil},
	{of(`[{"iam":false}]`), []string{"iam must be true, a pattern or an array"}},
	{of(`[{"iam":"*"}]`), []string{"iam must be the ARN of"}},
	{of(`[{"iam":"arn:aws:iam::*:role/x"}]`), []string{"iam must be the ARN of"}},
	{of(`[{"iam":"arn:aws:iam::123456789012:role/path/x"}]`), []string{"iam must be the ARN of"}},
	{of(`[{"iam":"arn:aws:iam::123456789012:group/x"}]`), []string{"iam must be the ARN of"}},
	{of(`[{"iam":"arn:aws:sts::123456789012:assumed-role/x"}]`), []string{"iam must be the ARN of"}},
	{of(`[{"iam":["arn:aws:iam::123456789012:role/x","arn:aws:s3:::photos"]}]`), []string{"iam[1] must be the ARN of"}},
	{of(`[{"jwt":{"issuer":"https://example.com/","claims":{"aud":"x","token_use":["access","id"]},"groups":["a","b"]}}]`), nil},
	{of(`[{"jwt":{"groups":"admins"}}]`), nil},
	{of(`[{"jwt":{}}]`), []string{"jwt is empty"}},
	{of(`[{"jwt":"https://example.com/"}]`), []string{"jwt must be true or an object"}},
	{of(`[{"jwt":{"iss":"x"}}]`), []string{`jwt has an unknown member "iss"`}},
	{of(`[{"jwt":{"claims":{}}}]`), []string{"jwt.claims is empty"}},
	{of(`[{"jwt":{"claims":{"sub":1}}}]`), []string{"jwt.claims.sub must be a string, not a number"}},
	{of(`[{"jwt":{"claims":{"sub":""}}}]`), []string{"jwt.claims.sub is empty"}},
	{of(`[{"jwt":{"claims":{"a b":"x"}}}]`), []string{`jwt.claims has an unknown member "(not shown)"`}},
	{of(`[{"jwt":{"groups":["a b"]}}]`), []string{"groups[0] must be a group's name"}},
	{of(`[{"jwt":{"groups":"a,b"}}]`), []string{"groups must be a group's name"}},
	{of(`[{"service":{"principal":"sqs.amazonaws.com","source_arn":"arn:aws:sqs:*:123456789012:in-?"}}]`), nil},
	{of(`[{"service":{"principal":"s3.amazonaws.com","source_arn":["arn:aws:s3:::a","arn:aws:s3:::b"]}}]`), nil},
	{of(`[{"service":{"source_arn":"arn:aws:s3:::a"}}]`), []string{`service has no member "principal"`}},
	{of(`[{"service":{"principal":"SQS"}}]`), []string{"service.principal must be a service's principal"}},
	{of(`[{"service":{"principal":"s3.amazonaws.com","source_arn":"photos"}}]`), []string{"service.source_arn must be an ARN"}},

	// Required options.
	{allow(`"require":{"content_type":"image/jpeg","create_only":true,"content_length":{"max":10485760},"ssekms_key_id":["a","b"],"checksum_sha256":true,"storage_class":"STANDARD*"}`), nil},
	{allow(`"require":{}`), []string{"require is empty"}},
	{allow(`"require":{"content-type":"x"}`), []string{`require has an unknown member "content-type"`}},
	{allow(`"require":{"filename":true}`), []string{`require has an unknown member "filename"`}},
	{allow(`"require":{"if_none_match":true}`), []string{`require has an unknown member "if_none_match"`}},
	{allow(`"require":{"grant_read":true}`), []string{`require has an unknown member "grant_read"`}},
	{allow(`"require":{"sse_customer_key":"secret"}`), []string{`require has an unknown member "sse_customer_key"`}},
	{allow(`"require":{"content_type":false}`), []string{"require.content_type must be true, a string or an array"}},
	{allow(`"require":{"content_type":""}`), []string{"require.content_type is empty"}},
	{allow(`"require":{"content_type":"*"}`), []string{"require.content_type must be printable ASCII"}},
	{allow(`"require":{"content_type":"*/jpeg"}`), []string{"require.content_type must be printable ASCII"}},
	{allow(`"require":{"content_type":"é"}`), []string{"require.content_type must be printable ASCII"}},
	{allow(`"require":{"content_type":[]}`), []string{"require.content_type has 0 elements"}},
	{allow(`"require":{"content_length":100}`), []string{"require.content_length must be true or an object"}},
	{allow(`"require":{"content_length":{"max":0}}`), []string{"require.content_length.max must be a whole number from 1"}},
	{allow(`"require":{"content_length":{}}`), []string{`require.content_length has no member "max"`}},
	{allow(`"require":{"content_length":{"min":1,"max":2}}`), []string{`require.content_length has an unknown member "min"`}},
	{allow(`"require":{"create_only":false}`), []string{"require.create_only must be true"}},
	{allow(`"require":{"expires":"2026-11-23T08:00:00Z"}`), []string{"require.expires must be true"}},

	// Many at once.
	{`{"rules":[],"rules":[],"x":1}`, []string{`has member "rules" twice`, `has an unknown member "x"`}},
	{allow(`"max_keys":1,"max_keys":2,"max_expires_in":0`), []string{`rules[0] (r) has member "max_keys" twice`, "rules[0] (r).max_expires_in must be"}},
	{`{"rules":[{"name":"one","effect":"permit","callers":[{"iam":"x"}]},{"name":"two","effect":"deny","callers":"*","prefix":"a","max_keys":0}],"rule":[]}`, []string{
		"rules[0] (one).effect", "rules[0] (one).callers[0].iam", `rules[1] (two) has an unknown member "prefix"`,
		"rules[1] (two).max_keys must be", `rules[1] (two) has member "max_keys"`, `has an unknown member "rule"`,
	}},
}

// beyondSchema are mistakes that JSON Schema cannot find: it sees neither what is given
// twice, nor how a number is written, nor rules side by side.
var beyondSchema = []struct {
	document string
	problems []string
}{
	{allow(`"reuse_for":60,"max_expires_in":60`), []string{"rules[0] (r) has a reuse_for that is no less than its max_expires_in"}},
	{`{"rules":[{"name":"r","effect":"allow","callers":"*"},{"name":"r","effect":"deny","callers":"*"}]}`, []string{"rules[1] has the name of rules[0]"}},
	{allow(`"operations":["GetObject"],"require":{"content_type":true}`), []string{`rules[0] (r) requires option "content_type", which none of its operations has`}},
	{allow(`"max_keys":1.0`), []string{"max_keys must be a whole number"}},
	{allow(`"max_keys":1e3`), []string{"max_keys must be a whole number"}},
	{`{"rules":[],"rules":[]}`, []string{`has member "rules" twice`}},
	{allow(`"max_keys":1,"max_keys":2`), []string{`rules[0] (r) has member "max_keys" twice`}},
	{of(`[{"jwt":{"claims":{"sub":"a","sub":"b"}}}]`), []string{`rules[0] (r).callers[0].jwt.claims has member "sub" twice`}},
}

// Every mistake is found, with its place, and all of a document together.
func TestParseDocument(t *testing.T) {
	for _, test := range slices.Concat(documents, beyondSchema) {
		d, err := policy.ParseDocument([]byte(test.document))
		var got []string
		if err != nil {
			got = strings.Split(err.Error(), "\n")
		}
		if (d != nil) != (err == nil) || len(got) != len(test.problems) {
			t.Errorf("%s\n%d problems, want %d: %q", test.document, len(got), len(test.problems), got)
			continue
		}
		for _, want := range test.problems {
			if !slices.ContainsFunc(got, func(p string) bool { return strings.Contains(p, want) }) {
				t.Errorf("%s\nno problem %q among %q", test.document, want, got)
			}
		}
	}
}

// A problem never repeats a value, nor a name that is no name: either may be a secret
// that was put where it does not belong.
func TestProblemsRepeatNoValues(t *testing.T) {
	const secret = "hunter2!hunter2"
	for _, document := range []string{
		`{"` + secret + `":1,"rules":[]}`,
		`{"` + secret + `":1,"` + secret + `":2,"rules":[]}`,
		rule(`"effect":"` + secret + `","callers":"` + secret + `","buckets":["` + secret + `"],"prefixes":["${` + secret + `}","` + secret + `*"],"operations":["` + secret + `"]`),
		of(`[{"` + secret + `":1},{"iam":"` + secret + `"},{"jwt":{"` + secret + `":"x","claims":{"` + secret + `":1},"groups":"` + secret + ` "}},{"service":{"principal":"` + secret + `","source_arn":"` + secret + `"}}]`),
		allow(`"require":{"` + secret + `":true,"content_type":"` + secret + `*x","content_length":"` + secret + `"}`),
		`{"rules":[{"name":"` + secret + `"}]}`,
		`{"rules":"` + secret,
	} {
		_, err := policy.ParseDocument([]byte(document))
		if err == nil {
			t.Errorf("%s: no problem", document)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", document, err)
		}
	}
}

func schema(t *testing.T) *jsonschema.Resolved {
	t.Helper()
	text, err := os.ReadFile("../../docs/policy.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	return resolved
}

// What the schema refuses, the parser refuses, and the other way round.
func TestSchema(t *testing.T) {
	s := schema(t)
	for _, test := range documents {
		var value any
		if json.Unmarshal([]byte(test.document), &value) != nil {
			continue // a schema describes JSON
		}
		err := s.Validate(value)
		if (err == nil) != (test.problems == nil) {
			t.Errorf("%s\nthe schema says %v, and the parser %q", test.document, err, test.problems)
		}
	}
	for _, test := range beyondSchema {
		var value any
		if err := json.Unmarshal([]byte(test.document), &value); err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(value); err != nil {
			t.Errorf("%s\nthe schema does find it: %v", test.document, err)
		}
	}
}

// The examples of the docs are right, and name the schema that they follow.
func TestExamples(t *testing.T) {
	s := schema(t)
	examples, err := filepath.Glob("../../docs/policies/*.json")
	if err != nil || len(examples) < 3 {
		t.Fatalf("%d examples, error %v", len(examples), err)
	}
	for _, name := range examples {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var value map[string]any
		if err := json.Unmarshal(text, &value); err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(value); err != nil {
			t.Errorf("%s: the schema: %v", name, err)
		}
		if at := filepath.Join(filepath.Dir(name), value["$schema"].(string)); at != filepath.Clean("../../docs/policy.schema.json") {
			t.Errorf("%s follows %s", name, at)
		}
		if _, err := policy.ParseDocument(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The schema knows every option of the signer that can be required, and no other.
func TestSchemaOptions(t *testing.T) {
	s := schema(t)
	for _, id := range s3op.Options() {
		document := allow(`"require":{"` + id.String() + `":true}`)
		var value any
		if err := json.Unmarshal([]byte(document), &value); err != nil {
			t.Fatal(err)
		}
		_, err := policy.ParseDocument([]byte(document))
		if inSchema := s.Validate(value) == nil; inSchema != (err == nil) {
			t.Errorf("%s: schema %v, parser %v", id, inSchema, err)
		}
	}
	for name := range s.Schema().Defs["require"].Properties {
		if _, known := s3op.Lookup(name); !known {
			t.Errorf("the schema has option %q, which does not exist", name)
		}
	}
}

package policy_test

import (
	"net/url"
	"path"
	"strings"
	"testing"

	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
)

// folders is a document whose only rule gives each caller a folder, in several ways.
const folders = `{"rules": [
	{"name": "r", "effect": "allow", "callers": "*", "prefixes": ["users/${jwt:v}/", "a-${jwt:v}-b/in-", "x/${aws:userid}/${cognito-identity.amazonaws.com:sub}/"]}
]}`

// No value of a placeholder gives a caller a key outside the folder that is named
// exactly like the value, not even after decoding and normalising the key as often as
// anything on the way to a server might; and an empty or unsafe one gives none.
func FuzzPlaceholders(f *testing.F) {
	for _, value := range []string{
		"ann", "", ".", "..", "*", "?", "/", "../", "../victim", "victim/../ann", "ann/../victim", "vic", "victim/", "/victim", "vict*", "%2e%2e", "..%2fvictim",
		"%2F", "victim%2f", `..\victim`, "victim\x00", "victim\n", " victim", "ｖictim", "vıctim", "\u2024\u2024", "${jwt:v}", "[victim ann]", "victim,ann", "ann@example.com",
		"auth0|ann", "eu-west-1:0f", "a", "-", "...", "\xff", "ann-b/in-", strings.Repeat("x", 2000),
	} {
		f.Add(value, "/x")
		f.Add(value, "/../victim/x")
		f.Add(value, "")
		f.Add("victim", value)
	}
	document, err := policy.ParseDocument([]byte(folders))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value, rest string) {
		caller := policy.Caller{Kind: policy.JWT, UserID: value, CognitoID: value, Claims: map[string]string{"v": value}}
		g, refusal := document.Grant(&caller, "photos", s3op.GetObject)
		const safe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.@+=:,|~"
		isSafe := value != "" && value != "." && value != ".." && strings.Trim(value, safe) == ""
		if (refusal == nil) != isSafe {
			t.Fatalf("with %q: refused %v", value, refusal)
		}
		if !isSafe {
			if _, refusal := g.Key("users/" + value + rest); refusal == nil {
				t.Errorf("with %q: a key is allowed", value)
			}
			return
		}
		for _, key := range []string{
			rest, "users/" + rest, "users" + rest, "users/victim" + rest, "users/" + value + rest, "a-" + rest, "a-victim-b/in-" + rest, "a-" + value + rest,
			"x/" + value + "/" + rest, "x/" + value + rest, "x/victim/victim/" + rest,
		} {
			if _, refusal := g.Key(key); refusal != nil {
				continue
			}
			own := []string{"users/" + value + "/", "a-" + value + "-b/in-", "x/" + value + "/" + value + "/"}
			if !hasAnyPrefix(key, own) {
				t.Errorf("with %q: key %q", value, key)
			}
			// A key's own dot segments are for package bulk, which signs none of them here, and
			// its own escapes are characters of it.
			if strings.Contains(rest, "..") || strings.Contains(rest, "%") || strings.HasPrefix(rest, ".") || strings.Contains(rest, "/.") {
				continue
			}
			for range 3 {
				if decoded, err := url.PathUnescape(key); err == nil {
					key = decoded
				}
				if key = path.Clean(key); !hasAnyPrefix(key+"/", own) && !strings.HasPrefix(key, own[1]) {
					t.Errorf("with %q: key %q after normalising", value, key)
				}
			}
		}
	})
}

func hasAnyPrefix(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// The parser takes anything, and what it takes can be asked.
func FuzzParseDocument(f *testing.F) {
	for _, test := range documents {
		f.Add(test.document)
	}
	f.Add(house)
	f.Fuzz(func(t *testing.T, text string) {
		d, err := policy.ParseDocument([]byte(text))
		if (d == nil) == (err == nil) {
			t.Fatalf("document %v, error %v", d != nil, err)
		}
		if err != nil {
			return
		}
		for _, caller := range []policy.Caller{anonymous, direct, alice, teamX, admin, queue} {
			g, refusal := d.Grant(&caller, "photos", s3op.PutObject)
			if refusal != nil {
				continue
			}
			if at, refusal := g.Key("a"); refusal == nil {
				g.BatchOptions("a", at)
			}
		}
	})
}

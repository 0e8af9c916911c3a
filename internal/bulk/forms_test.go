package bulk_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/answer"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/check/batches"
	"bulkpresign/internal/check/botooracle"
	"bulkpresign/internal/check/sdkoracle"
	"bulkpresign/internal/deflate"
	"bulkpresign/internal/policy"
)

// formsAnswer is what a caller reads of forms.
type formsAnswer struct {
	URLs    map[string]string          `json:"urls"`
	Headers map[string]string          `json:"headers"`
	Posts   map[string]json.RawMessage `json:"posts"`
	Errors  map[string]struct{ Code, Message string }
}

type form struct {
	URL    string            `json:"url"`
	Fields map[string]string `json:"fields"`
	order  []string
}

func formOf(t testing.TB, text []byte) (f form) {
	t.Helper()
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal("a form is no JSON")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	for depth, isName := 0, false; ; {
		token, err := d.Token()
		if err != nil {
			return f
		}
		switch token {
		case json.Delim('{'):
			depth, isName = depth+1, true
			continue
		case json.Delim('}'):
			depth, isName = depth-1, true
			continue
		}
		if isName && depth == 2 {
			f.order = append(f.order, token.(string))
		}
		isName = !isName
	}
}

func posts(t testing.TB, p *bulk.Plan) map[string]form {
	t.Helper()
	text := answer.Append(nil, p, bulk.JSON, answer.Bare)
	if size, fits := answer.Size(p, bulk.JSON, answer.Bare, len(text)); size != len(text) || fits != p.Keys() {
		t.Fatalf("Size says %d bytes and that %d fit; the answer has %d for %d", size, fits, len(text), p.Keys())
	}
	var a formsAnswer
	if err := json.Unmarshal(text, &a); err != nil {
		t.Fatal("the answer is no JSON")
	}
	if a.URLs != nil || a.Headers != nil || a.Posts == nil {
		t.Error("the answer has urls or headers, or no posts")
	}
	forms := make(map[string]form)
	for key, text := range a.Posts {
		forms[key] = formOf(t, text)
	}
	return forms
}

// A form's URL, policy and signature are byte for byte the SDK's for the same bucket, key,
// endpoint, expiry, clock and conditions.
func TestFormsAgainstSDK(t *testing.T) {
	const request = `,"content_length_range":[1,10],"metadata":{"who":"<a&b>"},"acl":"private"`
	conditions := []any{[]any{"content-length-range", 1, 10}, map[string]string{"acl": "private"}, map[string]string{"x-amz-meta-who": "<a&b>"}}
	signed := 0
	for i := range uint64(1500) {
		r := rand.New(rand.NewPCG(*seed, i))
		in := sdkoracle.Generate(r)
		in.UseARNRegion = true
		if differsFromSDK(in) != "" || strings.Contains(in.Key, "${filename}") {
			continue
		}
		startsWith, key := r.IntN(3) == 0, in.Key
		extra, text := conditions, request
		if startsWith {
			extra, text = append(slices.Clip(conditions), []any{"starts-with", "$key", key}), request+`,"key_starts_with":true`
			in.Key += "${filename}"
		}
		quoted, _ := json.Marshal(key)
		p, err := batches.Plan(batches.Service(in), fmt.Appendf(nil, `{"operation":"PostObject","allow_dot_segments":true,"expires_in":%d,"keys":[%s]%s}`, in.ExpiresIn/time.Second, quoted, text))
		want, wantErr := sdkoracle.PresignPost(t.Context(), in, extra)
		if err != nil || wantErr != nil || p.Signed() == 0 {
			continue // TestAgainstSDK compares who refuses what
		}
		signed++
		got := posts(t, p)[key]
		if got.URL != want.URL {
			t.Errorf("case %d: the URL is %s, the SDK's is %s", i, got.URL, want.URL)
		}
		for name, value := range want.Fields {
			if got.Fields[name] != value {
				t.Errorf("case %d: field %s differs from the SDK's", i, name)
			}
		}
		if got.Fields["acl"] != "private" || got.Fields["x-amz-meta-who"] != "<a&b>" || len(got.Fields) != len(want.Fields)+2 {
			t.Errorf("case %d: the fields are %q", i, slices.Sorted(maps.Keys(got.Fields)))
		}
	}
	if signed < 900 {
		t.Errorf("only %d forms were compared", signed)
	}
}

// boto3's forms for the same fields and conditions mean the same.
func TestFormsAgainstBoto3(t *testing.T) {
	botooracle.Require(t)
	var inputs []sdkoracle.Input
	var given []botooracle.Form
	var ours []form
	for _, test := range []struct{ key, options, fields, conditions string }{
		{"a b/ü.jpg", ``, `{}`, `[]`},
		{"a", `,"content_length_range":[0,100]`, `{}`, `[["content-length-range",0,100]]`},
		{"a", `,"content_type":"image/png"`, `{"Content-Type":"image/png"}`, `[{"Content-Type":"image/png"}]`},
		{"a", `,"content_type_starts_with":"image/"`, `{}`, `[["starts-with","$Content-Type","image/"]]`},
		{"a", `,"acl":"private","success_action_status":201`, `{"acl":"private","success_action_status":"201"}`, `[{"acl":"private"},{"success_action_status":"201"}]`},
		{"users/1/", `,"key_starts_with":true`, `{}`, `[]`},
		{"a", `,"tagging":"a=b"`, `{"tagging":"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"}`, `[{"tagging":"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"}]`},
	} {
		in := batches.LambdaInput()
		in.ExpiresIn = time.Minute
		quoted, _ := json.Marshal(test.key)
		p, err := batches.Plan(batches.Service(in), fmt.Appendf(nil, `{"operation":"PostObject","expires_in":60,"keys":[%s]%s}`, quoted, test.options))
		if err != nil {
			t.Fatal(err)
		}
		ours = append(ours, posts(t, p)[test.key])
		in.Key = test.key
		if strings.Contains(test.options, "key_starts_with") {
			in.Key += "${filename}"
		}
		var f botooracle.Form
		if json.Unmarshal([]byte(test.fields), &f.Fields) != nil || json.Unmarshal([]byte(test.conditions), &f.Conditions) != nil {
			t.Fatal("the table is no JSON")
		}
		inputs, given = append(inputs, in), append(given, f)
	}
	theirs, err := botooracle.PresignPost(t.Context(), inputs, given)
	if err != nil {
		t.Fatal(err)
	}
	for i := range ours {
		if theirs[i].Err != nil {
			t.Fatal(theirs[i].Err)
		}
		if d := cmp.Diff(meaningOf(t, theirs[i].URL, theirs[i].Fields), meaningOf(t, ours[i].URL, ours[i].Fields)); d != "" {
			t.Errorf("case %d (-boto3 +ours):\n%s", i, d)
		}
	}
}

// meaningOf is a form apart from how it is written: names of fields in lower case, the
// policy's conditions sorted, the signature left out.
func meaningOf(t *testing.T, url string, fields map[string]string) map[string]any {
	t.Helper()
	text, err := base64.StdEncoding.DecodeString(fields["policy"])
	if err != nil {
		t.Fatal("a policy is not in base64")
	}
	var document struct {
		Expiration string
		Conditions []any
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal("a policy is no JSON")
	}
	var conditions []string
	for _, c := range document.Conditions {
		text, _ := json.Marshal(c)
		if m, ok := c.(map[string]any); ok {
			for name, value := range m {
				text = fmt.Appendf(nil, "%s=%v", strings.ToLower(name), value)
			}
		}
		conditions = append(conditions, strings.ReplaceAll(string(text), batches.LambdaInput().SessionToken, "[token]"))
	}
	slices.Sort(conditions)
	meaning := map[string]any{"url": strings.TrimSuffix(url, "/"), "expiration": document.Expiration, "conditions": conditions}
	for name, value := range fields {
		if name = strings.ToLower(name); name != "policy" && name != "x-amz-signature" && name != "x-amz-security-token" {
			meaning[name] = value
		}
	}
	return meaning
}

// The key comes first, and what the policy is made of before the policy.
func TestFormsOrder(t *testing.T) {
	p, err := batches.Plan(batches.Service(batches.LambdaInput()), []byte(`{"operation":"PostObject","content_type":"image/png","keys":[{"key":"a","metadata":{"z":"1"}},"b"]}`))
	if err != nil {
		t.Fatal(err)
	}
	got := posts(t, p)
	signature := []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Security-Token", "policy", "X-Amz-Signature"}
	if d := cmp.Diff(append([]string{"key", "Content-Type", "x-amz-meta-z"}, signature...), got["a"].order); d != "" {
		t.Errorf("a (-want +got):\n%s", d)
	}
	if d := cmp.Diff(append([]string{"key", "Content-Type"}, signature...), got["b"].order); d != "" {
		t.Errorf("b (-want +got):\n%s", d)
	}
}

// Forms are the same in every way in which an answer is written, and their size is known.
func TestFormsAreWritten(t *testing.T) {
	keys := make([]string, 0, 5000)
	for i := range cap(keys) {
		keys = append(keys, fmt.Sprintf(`"uploads/%d \"ü\"<&>.jpg"`, i))
	}
	list := strings.Join(keys, ",") + `,{"key":"own","content_length_range":[1,2]},{"key":"also own","key_starts_with":true},"../x",""`
	p, err := batches.Plan(batches.Service(batches.LambdaInput()), []byte(`{"operation":"PostObject","content_length_range":[0,9],"keys":[`+list+`]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []bulk.Format{bulk.JSON, bulk.NDJSON} {
		want := answer.Append(nil, p, f, answer.Bare)
		var streamed bytes.Buffer
		if err := answer.Write(&streamed, p, f); err != nil || !bytes.Equal(streamed.Bytes(), want) {
			t.Errorf("%s: what is streamed differs (error %v)", f, err)
		}
		zipped := answer.AppendGzip(nil, p, f, deflate.Tight)
		r, err := gzip.NewReader(bytes.NewReader(zipped))
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(r); err != nil || !bytes.Equal(text, want) {
			t.Errorf("%s: what is inflated differs (error %v)", f, err)
		}
		if len(zipped)*10 > len(want) {
			t.Errorf("%s: %d bytes become %d: what forms share is not told to the compressor", f, len(want), len(zipped))
		}
		quoted := answer.Append(nil, p, f, answer.Quoted)
		var unquoted string
		if err := json.Unmarshal([]byte(`"`+string(quoted)+`"`), &unquoted); err != nil || unquoted != string(want) {
			t.Errorf("%s: the quoted answer is not the bare one quoted", f)
		}
		for q, text := range map[answer.Quoting][]byte{answer.Bare: want, answer.Quoted: quoted} {
			if size, fits := answer.Size(p, f, q, len(text)); size != len(text) || fits != p.Keys() {
				t.Errorf("%s: Size says %d, %d fit; it has %d", f, size, fits, len(text))
			}
			if _, fits := answer.Size(p, f, q, len(text)/2); fits < p.Keys()/3 || fits > p.Keys()*2/3 {
				t.Errorf("%s: in half of the room fit %d", f, fits)
			}
		}
		if f == bulk.NDJSON {
			line, _, _ := bytes.Cut(want, []byte("\n"))
			if first := formOf(t, line); first.Fields["key"] == "" || first.URL == "" || bytes.Count(want, []byte("\n")) != p.Keys() {
				t.Error("a line is no form")
			}
		}
	}
}

func TestFormsRefused(t *testing.T) {
	for request, want := range map[string]string{
		`{"operation":"PostObject","format":"csv","keys":["a"]}`:                                       `take "json" or "ndjson"`,
		`{"operation":"PostObject","format":"compact","keys":["a"]}`:                                   `take "json" or "ndjson"`,
		`{"operation":"PostObject","content_length":5,"keys":["a"]}`:                                   `"content_length" does not exist for PostObject`,
		`{"operation":"PostObject","create_only":true,"keys":["a"]}`:                                   `"create_only" does not exist for PostObject`,
		`{"operation":"PostObject","content_length_range":[5,1],"keys":["a"]}`:                         "for the least",
		`{"operation":"PostObject","content_type":"a/b","content_type_starts_with":"a/","keys":["a"]}`: "exclude each other",
	} {
		if _, err := batches.Plan(batches.Standing(), []byte(request)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", request, err, want)
		}
	}
	p, err := batches.Plan(batches.Standing(), []byte(`{"operation":"PostObject","keys":["a${filename}"]}`))
	if err != nil {
		t.Fatal(err)
	}
	if f := batches.Finish(t, p).Errors["a${filename}"]; f.Code != "UnsafeKey" || !strings.Contains(f.Message, "key_starts_with") {
		t.Errorf("a key with the variable: %+v", f)
	}
}

// A policy's rules hold for forms, by the batch and by the key.
func TestFormsUnderPolicy(t *testing.T) {
	s := under(t, `{"rules":[{"name":"in","effect":"allow","callers":"*","prefixes":["in/"],"operations":["PostObject"],
		"require":{"content_length_range":{"max":100},"content_type":"image/*"}}]}`)
	for _, test := range []struct{ options, key, code string }{
		{`"content_length_range":[0,100],"content_type_starts_with":"image/"`, "in/a", ""},
		{`"content_length_range":[0,100],"content_type":"image/png"`, "in/a", ""},
		{`"content_length_range":[0,100],"content_type":"image/png"`, "out/a", "KeyNotAllowed"},
		{`"content_length_range":[0,101],"content_type":"image/png"`, "in/a", "InvalidOption"},
		{`"content_length_range":[0,100],"content_type":"text/html"`, "in/a", "InvalidOption"},
		{`"content_length_range":[0,100]`, "in/a", "InvalidOption"},
		{`"content_type":"image/png"`, "in/a", "InvalidOption"},
	} {
		p, err := batches.PlanFor(s, policy.Caller{}, []byte(`{"operation":"PostObject","keys":[{"key":"`+test.key+`",`+test.options+`}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := batches.Finish(t, p).Errors[test.key].Code; got != test.code {
			t.Errorf("%s of %s: %q, want %q", test.options, test.key, got, test.code)
		}
	}
}

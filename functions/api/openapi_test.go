package main_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"

	"bulkpresign/internal/check/openapi"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/standin/httpapi"
)

var updateExamples = flag.Bool("update", false, "write the answers that openapi.yaml shows")

const repository = "../.." // from this package

// described is the system that the examples of openapi.yaml are sent to.
var described = sync.OnceValue(func() *system {
	c := newCredentials()
	s := start(c, append(credentialsOf(c),
		"PRESIGN_BUCKETS=photos",
		"PRESIGN_OPERATIONS="+strings.Join(operationNames(), ","),
		"PRESIGN_LIST_KEYS=true",
		"PRESIGN_MAX_KEYS=2",
	)...)
	for _, key := range []string{"2026/05/01.jpg", "2026/05/02.jpg", "2026/05/03.jpg"} {
		if err := s.s3.Put("photos", key, []byte("of "+key)); err != nil {
			panic(err)
		}
	}
	return s
})

// explaining is one whose policy lets callers see which rules decide.
var explaining = sync.OnceValue(func() *system {
	c := newCredentials()
	return start(c, append(credentialsOf(c),
		"PRESIGN_BUCKETS=photos",
		`PRESIGN_POLICY={"rules":[{"name":"pictures","effect":"allow","callers":"*","explain":true},{"name":"no-secrets","effect":"deny","callers":"*","prefixes":["secret/"],"explain":true}]}`,
	)...)
})

func operationNames() (names []string) {
	for _, o := range s3op.Operations() {
		names = append(names, o.String())
	}
	return names
}

// answered is an HTTP answer.
type answered struct {
	status int
	header http.Header
	body   []byte
}

// post sends a request as a client does, through an HTTP API.
func (s *system) post(t *testing.T, method, request string, headers ...string) answered {
	t.Helper()
	front := httptest.NewServer(&httpapi.Handler{Function: s.fn})
	defer front.Close()
	r, err := http.NewRequestWithContext(t.Context(), method, front.URL+"/presign", strings.NewReader(request))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal("the front did not answer")
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answered{response.StatusCode, response.Header, body}
}

// A description holds answers against openapi.yaml.
type description struct {
	*openapi.Document
	answer, line, problem *jsonschema.Resolved
}

var describing = sync.OnceValues(func() (d description, err error) {
	if d.Document, err = openapi.Read(repository); err != nil {
		return d, err
	}
	for name, dst := range map[string]**jsonschema.Resolved{"Answer": &d.answer, "Line": &d.line, "Problem": &d.problem} {
		if *dst, err = d.Schema(name, true); err != nil {
			return d, err
		}
	}
	return d, nil
})

func newDescription(t *testing.T) description {
	t.Helper()
	d, err := describing()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// responseOf is the name of the response that a status has.
func (d description) responseOf(status int) string {
	ref, _ := d.At("paths", "/presign", "post", "responses", fmt.Sprint(status), "$ref").(string)
	return strings.TrimPrefix(ref, "#/components/responses/")
}

// holds is what is wrong with an answer: a status, a type, a header or a body that is not described. It repeats nothing that
// was signed.
func (d description) holds(a answered) error {
	name := d.responseOf(a.status)
	if name == "" {
		return fmt.Errorf("the status %d is not described", a.status)
	}
	mediaType, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil {
		return err
	}
	if d.At("components", "responses", name, "content", mediaType) == nil {
		return fmt.Errorf("status %d comes as %s, which is not described", a.status, mediaType)
	}
	if a.header.Get("Cache-Control") != "no-store" {
		return fmt.Errorf("the answer may be kept")
	}
	switch mediaType {
	case "application/json":
		err = openapi.Validate(d.answer, a.body)
	case "application/problem+json":
		err = openapi.Validate(d.problem, a.body)
	case "application/x-ndjson":
		for line := range bytes.Lines(a.body) {
			if err = openapi.Validate(d.line, line); err != nil {
				break
			}
		}
	}
	if err != nil {
		return fmt.Errorf("status %d, %s: %s", a.status, mediaType, unsigned.ReplaceAllString(err.Error(), "X-Amz-..."))
	}
	return nil
}

var unsigned = regexp.MustCompile(`X-Amz-[A-Za-z-]+[=:][^\s"]*`)

// What of an answer is another each time, and what must not stand in a document.
var (
	ofSigning   = regexp.MustCompile(`(X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=)[^"\s,\\]+`)
	ofForms     = regexp.MustCompile(`("(?:X-Amz-Credential|X-Amz-Security-Token|policy)":")[^"]+`)
	ofFormDate  = regexp.MustCompile(`("X-Amz-Date":")[^"]+`)
	hexadecimal = regexp.MustCompile(`"[0-9a-f]{64}"`)
	ofUpload    = regexp.MustCompile(`("upload_id":")[^"]+`)
	modified    = regexp.MustCompile(`("last_modified":")[^"]+`)
	requestID   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	instant     = regexp.MustCompile(`20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z`)
	signedAt    = regexp.MustCompile(`"signed_at":"([^"]+)"`)
	resultName  = regexp.MustCompile(`/other/results/[^"?]+`)
)

// shown is an answer as the description has it: at a time of its own, as of AWS, and without what is secret.
func (s *system) shown(body []byte) string {
	text := string(body)
	epoch := time.Date(2026, 11, 27, 9, 40, 9, 0, time.UTC)
	if found := signedAt.FindStringSubmatch(text); found != nil {
		began, _ := time.Parse(time.RFC3339, found[1])
		text = instant.ReplaceAllStringFunc(text, func(s string) string {
			at, _ := time.Parse(time.RFC3339, s)
			return at.Add(epoch.Sub(began)).Format(time.RFC3339)
		})
	}
	text = modified.ReplaceAllString(text, "${1}2026-05-01T08:00:00Z")
	text = ofSigning.ReplaceAllString(text, "${1}...")
	text = ofForms.ReplaceAllString(text, "${1}...")
	text = ofFormDate.ReplaceAllString(text, "${1}"+epoch.Format("20060102T150405Z"))
	text = hexadecimal.ReplaceAllString(text, `"`+strings.Repeat("0", 64)+`"`)
	text = ofUpload.ReplaceAllString(text, "${1}VXBsb2FkIElE")
	text = requestID.ReplaceAllString(text, "5b0fda2a-6f3a-4b4e-9d5e-0c8a7d1e2f30")
	text = resultName.ReplaceAllString(text, "/other/results/5b0fda2a-6f3a-4b4e-9d5e-0c8a7d1e2f30.json")
	text = strings.ReplaceAll(text, s.s3.Endpoint()+"/photos", "https://photos.s3.eu-west-1.amazonaws.com")
	return strings.ReplaceAll(text, s.s3.Endpoint()+"/other", "https://results.s3.eu-west-1.amazonaws.com")
}

// requests are the request examples of the description, by name.
func (d description) requests(t *testing.T) map[string]string {
	t.Helper()
	requests := map[string]string{}
	for name, example := range d.At("components", "requestBodies", "Request", "content", "application/json", "examples").(map[string]any) {
		text, err := json.Marshal(example.(map[string]any)["value"])
		if err != nil {
			t.Fatal(err)
		}
		requests[name] = string(text)
	}
	return requests
}

// problems are requests that fail with each code, and the systems that they fail at.
func problems(t *testing.T) map[string]answered {
	t.Helper()
	unreachable := func() *system {
		c := newCredentials()
		return start(c, append(credentialsOf(c), "PRESIGN_BUCKETS=photos", "PRESIGN_LIST_KEYS=true", "PRESIGN_ENDPOINT_URL=http://127.0.0.1:1")...)
	}
	many, err := json.Marshal(map[string]any{"keys": numberedKeys(15_000)})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]answered{
		"InvalidRequest":         described().post(t, "POST", `{"keys": ["a.jpg"], "expiresIn": 60}`),
		"InvalidOption":          described().post(t, "POST", `{"keys": ["a.jpg"], "content_type": "image/jpeg"}`),
		"ExpiryTooLong":          described().post(t, "POST", `{"keys": ["a.jpg"], "expires_in": 86400}`),
		"BucketNotAllowed":       described().post(t, "POST", `{"keys": ["a.jpg"], "bucket": "photo"}`),
		"OperationNotAllowed":    narrow().post(t, "POST", `{"bucket": "photos", "keys": ["in/a.jpg"], "operation": "DELETE"}`),
		"KeyNotAllowed":          listingNarrow().post(t, "POST", `{"prefix": "2026/"}`),
		"MethodNotAllowed":       described().post(t, "GET", ``),
		"TooManyKeys":            described().post(t, "POST", `{"keys": ["a.jpg", "b.jpg", "c.jpg"]}`),
		"ResponseTooLarge":       open().post(t, "POST", string(many), "Accept-Encoding", "identity"),
		"CredentialsUnavailable": start(newCredentials(), "PRESIGN_BUCKETS=photos").post(t, "POST", `{"keys": ["a.jpg"]}`),
		"InternalError":          unreachable().post(t, "POST", `{"prefix": "2026/"}`),
	}
}

var listingNarrow = sync.OnceValue(func() *system {
	c := newCredentials()
	return start(c, append(credentialsOf(c), "PRESIGN_BUCKETS=photos", "PRESIGN_KEY_PREFIX=in/", "PRESIGN_LIST_KEYS=true")...)
})

func numberedKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("2026/%06d.jpg", i)
	}
	return keys
}

// Every example of a request is sent, and every answer that the description shows is what is then answered, but for
// times and secrets; every code of a problem is really produced. -update writes them.
func TestDescribedExamples(t *testing.T) {
	d := newDescription(t)
	file := filepath.Join(repository, openapi.File)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	regions := map[string]map[string]string{} // by region, the examples by name
	show := func(name string, s *system, a answered) {
		t.Helper()
		if err := d.holds(a); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		mediaType, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
		shown := s.shown(a.body)
		region := mediaType
		switch mediaType {
		case "application/problem+json":
			region = d.responseOf(a.status)
			fallthrough
		case "application/json":
			var b bytes.Buffer
			if err := json.Indent(&b, []byte(shown), "    ", "  "); err != nil {
				t.Fatal(err)
			}
			shown = b.String()
		default:
			var b strings.Builder
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(false)
			if err := e.Encode(shown); err != nil {
				t.Fatal(err)
			}
			shown = strings.TrimSpace(b.String())
		}
		if regions[region] == nil {
			regions[region] = map[string]string{}
		}
		regions[region][name] = shown
	}
	for name, request := range d.requests(t) {
		s, failed := described(), false
		switch name {
		case "explained":
			s = explaining()
		case "manifest":
			failed = true
		}
		a := s.post(t, "POST", request)
		if failed != (a.status != http.StatusOK) {
			t.Errorf("%s: status %d: %s", name, a.status, s.shown(a.body))
		}
		if failed {
			if err := d.holds(a); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		show(name, s, a)
	}
	many, _ := json.Marshal(map[string]any{"keys": numberedKeys(15_000)})
	show("results", delivering(), delivering().post(t, "POST", string(many), "Accept-Encoding", "identity"))
	for code, a := range problems(t) {
		var p struct{ Code string }
		if err := json.Unmarshal(a.body, &p); err != nil || p.Code != code {
			t.Errorf("%s: the answer is %d %s", code, a.status, p.Code)
			continue
		}
		show(code, described(), a)
	}
	written := string(text)
	for region, examples := range regions {
		var b strings.Builder
		for _, name := range sortedNames(examples) {
			fmt.Fprintf(&b, "%s:\n  value:\n    %s\n", name, examples[name])
		}
		if written, _, err = openapi.Region(written, "examples "+region, b.String()); err != nil {
			t.Fatal(err)
		}
	}
	if *updateExamples {
		if err := os.WriteFile(file, []byte(written), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(strings.Split(written, "\n"), strings.Split(string(text), "\n")); diff != "" {
		t.Errorf("openapi.yaml: go test ./functions/api -run TestDescribedExamples -update writes it (-answered +document)\n%s", diff)
	}
}

func sortedNames(m map[string]string) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// companions are what an option needs beside it, or an operation beside any.
var companions = map[string]map[string]any{
	"sse_customer_algorithm":             {"sse_customer_key": openapi.Shapes["sse_customer_key"].Example},
	"sse_customer_key":                   {"sse_customer_algorithm": "AES256"},
	"sse_customer_key_md5":               {"sse_customer_algorithm": "AES256", "sse_customer_key": openapi.Shapes["sse_customer_key"].Example},
	"copy_source_sse_customer_algorithm": {"copy_source_sse_customer_key": openapi.Shapes["sse_customer_key"].Example},
	"copy_source_sse_customer_key":       {"copy_source_sse_customer_algorithm": "AES256"},
	"copy_source_sse_customer_key_md5":   {"copy_source_sse_customer_algorithm": "AES256", "copy_source_sse_customer_key": openapi.Shapes["sse_customer_key"].Example},
	"ssekms_key_id":                      {"server_side_encryption": "aws:kms"},
	"ssekms_encryption_context":          {"server_side_encryption": "aws:kms"},
	"object_lock_mode":                   {"object_lock_retain_until_date": "2030-01-01T00:00:00Z", "content_md5": nil},
	"object_lock_retain_until_date":      {"object_lock_mode": "GOVERNANCE", "content_md5": nil},
	"object_lock_legal_hold_status":      {"content_md5": nil},
	"UploadPart":                         {"upload_id": "VXBsb2FkIElE", "part_number": 1},
	"UploadPartCopy":                     {"upload_id": "VXBsb2FkIElE", "part_number": 1, "copy_source": "photos/a b.jpg"},
	"CompleteMultipartUpload":            {"upload_id": "VXBsb2FkIElE"},
	"AbortMultipartUpload":               {"upload_id": "VXBsb2FkIElE"},
	"ListParts":                          {"upload_id": "VXBsb2FkIElE"},
	"CopyObject":                         {"copy_source": "photos/a b.jpg"},
	"GetObjectAttributes":                {"object_attributes": []string{"ETag"}},
	"MultipartUpload":                    {"size": 48 << 20, "upload_id": "VXBsb2FkIElE"},
}

// Every example of every option is signed for every operation that has it, for the batch and for an item, and the answers
// are as they are described.
func TestDescribedOptions(t *testing.T) {
	d := newDescription(t)
	schema, err := d.Schema("Request", true)
	if err != nil {
		t.Fatal(err)
	}
	sent := 0
	for _, o := range s3op.Operations() {
		for _, id := range s3op.Options() {
			if !o.Has(id) || openapi.IsRefused(id) || id.String() == "resume" { // which asks S3, below
				continue
			}
			options := map[string]any{}
			for _, of := range []string{o.String(), id.String()} {
				for name, v := range companions[of] {
					if v == nil {
						v = openapi.Shapes[name].Example
					}
					if other, _ := s3op.Lookup(name); o.Has(other) {
						options[name] = v
					}
				}
			}
			options[id.String()] = openapi.Shapes[id.String()].Example
			if id.String() == "part_numbers" {
				delete(options, "part_number")
			}
			item := map[string]any{"key": "a b.jpg"}
			whole := map[string]any{"operation": o.String(), "keys": []any{"a b.jpg"}}
			for name, v := range options {
				item[name], whole[name] = v, v
			}
			if o == s3op.HeadBucket {
				delete(whole, "keys")
			}
			requests := []map[string]any{whole, {"operation": o.String(), "keys": []any{item}}}
			switch {
			case o == s3op.HeadBucket: // it has no key
				requests = requests[:1]
			case id.String() == "continuation_token": // the batch's is of a prefix
				requests = requests[1:]
			}
			for _, request := range requests {
				text := mustJSON(request)
				if err := openapi.Validate(schema, text); err != nil {
					t.Errorf("%s: %v", text, err)
				}
				a := described().post(t, "POST", string(text))
				sent++
				if err := d.holds(a); err != nil {
					t.Errorf("%s: %v", text, err)
				}
				if a.status != http.StatusOK || bytes.Contains(a.body, []byte(`"errors":`)) {
					t.Errorf("%s: %d %s", text, a.status, described().shown(a.body))
				}
			}
		}
	}
	if sent < 300 {
		t.Errorf("only %d requests", sent)
	}
}

// Answers of shapes that no example has are as they are described, too.
func TestDescribedShapes(t *testing.T) {
	d := newDescription(t)
	began := described().post(t, "POST", `{"operation":"MultipartUpload","keys":[{"key":"resumed.mp4","size":16777217}]}`)
	var uploads struct {
		Uploads map[string]struct {
			ID string `json:"upload_id"`
		}
	}
	if err := json.Unmarshal(began.body, &uploads); err != nil {
		t.Fatal(err)
	}
	id := uploads.Uploads["resumed.mp4"].ID
	one, err := json.Marshal(map[string]any{"keys": numberedKeys(15_000), "format": "ndjson"})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		of      *system
		request string
		has     []string
		headers []string
	}{
		{described(), `{"operation":"MultipartUpload","resume":true,"keys":[{"key":"resumed.mp4","size":16777217,"upload_id":"` + id + `"}]}`, []string{`"uploaded_parts":{}`}, nil},
		{described(), `{"operation":"MultipartUpload","resume":true,"keys":[{"key":"resumed.mp4","size":16777217,"upload_id":"gone"}]}`, []string{`"uploads":{}`, "UploadFailed"}, nil},
		{described(), `{"operation":"MultipartUpload","upload_id":"x","size":5,"sse_customer_algorithm":"AES256","sse_customer_key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","create_only":true,"keys":["a"]}`,
			[]string{`"part_headers":`, `"complete_headers":`, `"list_parts_headers":`}, nil},
		{described(), `{"operation":"MultipartUpload","format":"ndjson","upload_id":"x","size":5,"keys":["a",""]}`, []string{`"upload_id":`, `"error":`}, nil},
		{described(), `{"operation":"PostObject","format":"ndjson","keys":["a",""]}`, []string{`"fields":`, `"error":`}, nil},
		{described(), `{"operation":"PostObject","keys":[{"key":"a/","key_starts_with":true},"${filename}"]}`, []string{`"posts":`, "UnsafeKey"}, nil},
		{described(), `{"operation":"PutObject","format":"ndjson","keys":["a",{"key":"b","content_type":"image/gif"}]}`, []string{`"headers":`}, nil},
		{described(), `{"operation":"PutObject","format":"compact","content_type":"a/b","keys":["a",{"key":"b","version_id":"x"}]}`, []string{`"signatures":`, `"headers":`, "InvalidOption"}, nil},
		{described(), `{"operation":"GetObject","format":"compact","keys":["a",{"key":"b","version_id":"x"}]}`, []string{`"signatures":`, `"urls":`}, nil},
		{described(), `{"operation":"UploadPart","format":"ndjson","upload_id":"x","keys":[{"key":"b","part_numbers":[1,3]}]}`, []string{`"part_number":3`}, nil},
		{described(), `{"operation":"UploadPart","format":"compact","upload_id":"x","keys":[{"key":"b","part_numbers":[1,3]}]}`, []string{`"part_urls":`}, nil},
		{described(), `{"operation":"UploadPart","format":"csv","upload_id":"x","keys":[{"key":"b","part_numbers":[1,3]}]}`, []string{"key,part_number,url,error"}, nil},
		{described(), `{"operation":"PutObject","format":"csv","content_type":"a/b","keys":["a"]}`, []string{"key,url,error,headers"}, nil},
		{described(), `{"keys":["2026/05/01.jpg","gone"],"verify":"describe","format":"ndjson"}`, []string{`"object":`, "NotFound"}, nil},
		{described(), `{"keys":["2026/05/01.jpg","gone"],"verify":"head"}`, []string{"NotFound"}, nil},
		{described(), `{"keys":["","` + strings.Repeat("k", 1025) + `"]}`, []string{"EmptyKey", "KeyTooLong"}, nil},
		{described(), `{"keys":[{"key":"a","version_id":"1"},{"key":"a","version_id":"2"}]}`, []string{"ConflictingItem"}, nil},
		{described(), `{"operation":"ListObjectsV2","prefix":null,"keys":[{"key":"2026/","max_keys":5,"continuation_token":"t"}],"start_after":"x"}`, []string{`"urls":`}, nil},
		{described(), `{"operation":"get_object","keys":["a"],"strict_expiry":false,"reuse_for":60,"suffix":null}`, []string{`"GetObject"`}, nil},
		{described(), `{"keys":["a"],"strict_expiry":true}`, []string{"ExpiryTooLong"}, nil},
		{described(), `{"keys":["a"],"encoding":"gzip"}`, []string{"Accept-Encoding"}, nil},
		{described(), `{"keys":["a"]}`, []string{"key,url,error"}, []string{"Accept", "text/csv"}},
		{explaining(), `{"explain":true,"keys":["secret/a"]}`, []string{`"rule":"no-secrets"`}, nil},
		{narrow(), `{"bucket":"photos","keys":["out"]}`, []string{"KeyNotAllowed"}, nil},
		{delivering(), string(one), []string{`"results":`, `"ndjson"`}, []string{"Accept-Encoding", "identity"}},
		{open(), string(mustJSON(map[string]any{"keys": numberedKeys(200)})), []string{`"urls":`}, nil}, // in gzip, as Go's client asks
		{open(), `{"keys":["a"],"expires_in":604800}`, []string{`"expires_in":604800`}, nil},
		{open(), `{"keys":["a"],"expires_in":604801}`, []string{"ExpiryTooLong"}, nil},
		{open(), `{"keys":["a"],"expires_in":1,"reuse_for":604799}`, []string{`"urls":`}, nil},
		{open(), `{"keys":["a"],"expires_in":1,"reuse_for":604800}`, []string{"ExpiryTooLong"}, nil},
	} {
		a := test.of.post(t, "POST", test.request, test.headers...)
		if err := d.holds(a); err != nil {
			t.Errorf("%.150s: %v", test.request, err)
		}
		for _, part := range test.has {
			if !bytes.Contains(a.body, []byte(part)) {
				t.Errorf("%.150s: %d, and nothing of %s", test.request, a.status, part)
			}
		}
	}
}

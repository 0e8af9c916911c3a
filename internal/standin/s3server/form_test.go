package s3server_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bulkpresign/internal/check/rawhttp"
	"bulkpresign/internal/standin/s3server"
)

// A field of a form; the one named "file" is the file.
type field struct{ name, value string }

// form is one as its holder would send it, in order.
type form struct {
	url    string
	fields []field
}

func (f *form) set(name, value string) {
	i := slices.IndexFunc(f.fields, func(x field) bool { return x.name == name })
	f.fields[i].value = value
}

func (f *form) drop(names ...string) {
	f.fields = slices.DeleteFunc(f.fields, func(x field) bool { return slices.Contains(names, x.name) })
}

// before puts a field before the file.
func (f *form) before(name, value string) {
	i := slices.IndexFunc(f.fields, func(x field) bool { return x.name == "file" })
	f.fields = slices.Insert(f.fields, i, field{name, value})
}

// change makes another policy of the one that is signed.
func (f *form) change(old, new string) {
	i := slices.IndexFunc(f.fields, func(x field) bool { return x.name == "policy" })
	text, _ := base64.StdEncoding.DecodeString(f.fields[i].value)
	f.fields[i].value = base64.StdEncoding.EncodeToString(bytes.ReplaceAll(text, []byte(old), []byte(new)))
}

func (f *form) send(t *testing.T) *rawhttp.Response {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, x := range f.fields {
		if x.name == "file" {
			part, _ := w.CreateFormFile("file", "été 1.png")
			part.Write([]byte(x.value))
			continue
		}
		w.WriteField(x.name, x.value)
	}
	w.Close()
	return request{method: "POST", url: f.url, headers: map[string]string{"content-type": w.FormDataContentType(), "origin": "http://a.example"}, body: body.Bytes()}.send(t)
}

// The SDK signs forms of its own; the server takes those, as they were meant and in no other way.
func TestForms(t *testing.T) {
	c := s3server.Credentials{AccessKeyID: session.AccessKeyID, SecretAccessKey: session.SecretAccessKey, SessionToken: session.SessionToken}
	var mu sync.Mutex
	var created []s3server.Created
	s, err := s3server.Start(s3server.Config{
		Region: region, Buckets: []string{bucket, "other"}, Credentials: []s3server.Credentials{c},
		Created: func(o s3server.Created) {
			mu.Lock()
			defer mu.Unlock()
			created = append(created, o)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	client := s3.New(s3.Options{
		Region: region, BaseEndpoint: aws.String(s.Endpoint()), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken),
	})
	presign := func(t *testing.T, key string, expires time.Duration, conditions ...any) *form {
		p, err := s3.NewPresignClient(client).PresignPostObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key}, func(o *s3.PresignPostOptions) {
			o.Conditions, o.Expires = conditions, expires
		})
		if err != nil {
			t.Fatal("the SDK could not presign")
		}
		f := &form{url: p.URL}
		for name, value := range p.Values {
			f.fields = append(f.fields, field{name, value})
		}
		f.fields = append(f.fields, field{"file", "ten bytes."})
		return f
	}
	get := func(key string) string {
		body, err := s.Get(bucket, key)
		if err != nil && !s3server.NotExist(err) {
			t.Fatal(err)
		}
		return string(body)
	}
	usual := []any{
		[]any{"content-length-range", 5, 100}, map[string]string{"Content-Type": "image/png"}, map[string]string{"x-amz-meta-who": "ann"},
		[]any{"starts-with", "$success_action_status", ""},
	}
	meant := func(t *testing.T, key string) *form {
		f := presign(t, key, time.Minute, usual...)
		f.before("Content-Type", "image/png")
		f.before("x-amz-meta-who", "ann")
		f.before("success_action_status", "204")
		return f
	}

	t.Run("as meant", func(t *testing.T) {
		f := meant(t, "in/a b+ü.png")
		f.fields = append(f.fields, field{"behind", "is not read"})
		f.before("x-ignore-this", "1")
		resp := f.send(t)
		if resp.Status != 204 || resp.Header.Get("ETag") == "" || resp.Header.Get("Access-Control-Allow-Origin") == "" {
			t.Fatalf("%d %s", resp.Status, code(resp.Body))
		}
		if got := get("in/a b+ü.png"); got != "ten bytes." {
			t.Errorf("%q is stored", got)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(created) != 1 || created[0].Key != "in/a b+ü.png" || created[0].Size != 10 {
			t.Errorf("told of %+v", created)
		}
	})

	for status, want := range map[string]int{"200": 200, "201": 201, "204": 204, "500": 204} {
		f := meant(t, "status")
		f.set("success_action_status", status)
		resp := f.send(t)
		if resp.Status != want {
			t.Errorf("success_action_status %s: %d %s", status, resp.Status, code(resp.Body))
		}
		if location := "<Location>" + s.Endpoint() + "/" + bucket + "/status</Location><Bucket>photos</Bucket><Key>status</Key><ETag>"; want == 201 && !strings.Contains(string(resp.Body), location) {
			t.Errorf("201: %s", resp.Body)
		}
	}

	t.Run("chosen by the client", func(t *testing.T) {
		f := presign(t, "in/x/${filename}", time.Minute, []any{"starts-with", "$key", "in/x/"}, []any{"starts-with", "$Content-Type", "image/"},
			[]any{"eq", "$success_action_redirect", "http://a.example/?a=1"}, []any{"starts-with", "$tagging", ""})
		f.before("Content-Type", "image/gif")
		f.before("success_action_redirect", "http://a.example/?a=1")
		f.before("tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>b &amp; c</Value></Tag></TagSet></Tagging>")
		resp := f.send(t)
		if resp.Status != 303 || !strings.HasPrefix(resp.Header.Get("Location"), "http://a.example/?a=1&bucket=photos&etag=%22") || !strings.HasSuffix(resp.Header.Get("Location"), "&key=in%2Fx%2F%C3%A9t%C3%A9+1.png") {
			t.Fatalf("%d %s, to %q", resp.Status, code(resp.Body), resp.Header.Get("Location"))
		}
		in := &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("in/x/été 1.png")}
		object, err := client.GetObject(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		object.Body.Close()
		tags, err := client.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: in.Bucket, Key: in.Key})
		if err != nil {
			t.Fatal(err)
		}
		if *object.ContentType != "image/gif" || len(tags.TagSet) != 1 || *tags.TagSet[0].Key != "a" || *tags.TagSet[0].Value != "b & c" {
			t.Errorf("type %s, %d tags", *object.ContentType, len(tags.TagSet))
		}
	})

	for name, tt := range map[string]struct {
		change func(*form)
		code   string
	}{
		"larger":            {func(f *form) { f.set("file", strings.Repeat("x", 101)) }, "EntityTooLarge"},
		"smaller":           {func(f *form) { f.set("file", "x") }, "EntityTooSmall"},
		"another key":       {func(f *form) { f.set("key", "elsewhere") }, "AccessDenied"},
		"the file's name":   {func(f *form) { f.set("key", "${filename}") }, "AccessDenied"},
		"another type":      {func(f *form) { f.set("Content-Type", "text/html") }, "AccessDenied"},
		"no type":           {func(f *form) { f.drop("Content-Type") }, "AccessDenied"},
		"a field more":      {func(f *form) { f.before("x-amz-meta-more", "1") }, "AccessDenied"},
		"an ACL":            {func(f *form) { f.before("acl", "public-read") }, "AccessDenied"},
		"another bucket":    {func(f *form) { f.url = s.Endpoint() + "/other" }, "AccessDenied"},
		"a wider policy":    {func(f *form) { f.change("100", "900") }, "SignatureDoesNotMatch"},
		"another signature": {func(f *form) { f.set("X-Amz-Signature", strings.Repeat("0", 64)) }, "SignatureDoesNotMatch"},
		"another token":     {func(f *form) { f.set("X-Amz-Security-Token", "guess") }, "InvalidToken"},
		"no token":          {func(f *form) { f.drop("X-Amz-Security-Token") }, "InvalidAccessKeyId"},
		"no policy":         {func(f *form) { f.drop("policy") }, "AccessDenied"},
		"no signature":      {func(f *form) { f.drop("X-Amz-Signature") }, "InvalidArgument"},
		"no key":            {func(f *form) { f.drop("key") }, "InvalidArgument"},
		"the key last":      {func(f *form) { f.drop("key"); f.fields = append(f.fields, field{"key", "k"}) }, "InvalidArgument"},
		"no file":           {func(f *form) { f.drop("file") }, "InvalidArgument"},
		"a field twice":     {func(f *form) { f.before("Key", "k") }, "InvalidArgument"},
		"fields of 20 KiB":  {func(f *form) { f.before("x-ignore-a", strings.Repeat("x", 20<<10)) }, "MaxPostPreDataLengthExceeded"},
		"another region": {func(f *form) {
			f.set("X-Amz-Credential", strings.Replace(f.value("X-Amz-Credential"), region, "us-east-1", 1))
		}, "InvalidArgument"},
		"another day":        {func(f *form) { f.set("X-Amz-Date", "20200101T000000Z") }, "InvalidArgument"},
		"another access key": {func(f *form) { f.set("X-Amz-Credential", "AKIAGUESS"+f.value("X-Amz-Credential")[20:]) }, "InvalidAccessKeyId"},
		"signed in a header": {func(f *form) { f.set("X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256") }, "InvalidArgument"},
		"a bucket not there": {func(f *form) { f.url = s.Endpoint() + "/nowhere" }, "AccessDenied"},
		"to an object":       {func(f *form) { f.url += "/k" }, "AccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			key := "abused " + name
			f := meant(t, key)
			tt.change(f)
			if resp := f.send(t); code(resp.Body) != tt.code || resp.Status < 400 {
				t.Errorf("%d %s, want %s", resp.Status, code(resp.Body), tt.code)
			}
			for _, at := range []string{key, "k", "elsewhere", "été 1.png"} {
				if get(at) != "" {
					t.Errorf("%s is stored", at)
				}
			}
		})
	}

	t.Run("expired", func(t *testing.T) {
		f := presign(t, "expired", time.Second)
		time.Sleep(1100 * time.Millisecond)
		if resp := f.send(t); code(resp.Body) != "AccessDenied" || !strings.Contains(string(resp.Body), "Policy expired") {
			t.Errorf("%d %s", resp.Status, code(resp.Body))
		}
	})
	t.Run("without a length", func(t *testing.T) {
		f := meant(t, "chunked")
		r, err := http.NewRequestWithContext(t.Context(), "POST", f.url, struct{ *strings.Reader }{strings.NewReader("--x--")})
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 411 {
			t.Errorf("%d", resp.StatusCode)
		}
	})
	for body, want := range map[string]string{"--x--\r\n": "InvalidArgument", "nothing": "MalformedPOSTRequest", "--x\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk": "MalformedPOSTRequest"} {
		resp := request{method: "POST", url: s.Endpoint() + "/" + bucket, headers: map[string]string{"content-type": "multipart/form-data; boundary=x"}, body: []byte(body)}.send(t)
		if code(resp.Body) != want {
			t.Errorf("%q: %d %s", body, resp.Status, code(resp.Body))
		}
	}
}

func (f *form) value(name string) string {
	for _, x := range f.fields {
		if x.name == name {
			return x.value
		}
	}
	panic(fmt.Sprintf("no field %s", name))
}

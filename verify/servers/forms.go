package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"net/url"
	"slices"
	"strings"
	"time"

	"bulkpresign/internal/check/rawhttp"
)

// A field is one of a form.
type field struct{ name, value string }

// A form is what the holder of a signed one sends.
type form struct {
	url    string
	fields []field // in order; the file comes last
	file   []byte
}

// A signedForm is one of the answer's posts.
type signedForm struct {
	URL    string
	Fields fields
}

// fields keep their order.
type fields []field

func (f *fields) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("the fields are no object")
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value string
		if err := d.Decode(&value); err != nil {
			return err
		}
		*f = append(*f, field{name.(string), value})
	}
	return nil
}

// send sends the form as a browser does.
func (f form) send(ctx context.Context) (*rawhttp.Response, error) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, x := range f.fields {
		if err := w.WriteField(x.name, x.value); err != nil {
			return nil, err
		}
	}
	part, err := w.CreateFormFile("file", "photo.png")
	if err != nil {
		return nil, err
	}
	part.Write(f.file)
	w.Close()
	return request{method: "POST", url: f.url, headers: map[string]string{"content-type": w.FormDataContentType()}, body: body.Bytes()}.send(ctx)
}

func (f *form) set(name, value string) {
	i := slices.IndexFunc(f.fields, func(x field) bool { return x.name == name })
	f.fields[i].value = value
}

// abuses change one thing about a form that works, with which its holder would do more than was asked. What a server lets
// pass is in the table of known limits.
var abuses = []struct {
	name   string
	change func(*form)
}{
	{"larger", func(f *form) { f.file = bytes.Repeat([]byte("x"), 101) }},
	{"smaller", func(f *form) { f.file = []byte("x") }},
	{"empty", func(f *form) { f.file = nil }},
	{"other key", func(f *form) { f.set("key", "forms/other") }},
	{"key and more", func(f *form) { f.set("key", f.fields[0].value+"x") }},
	{"file's name as key", func(f *form) { f.set("key", "${filename}") }},
	{"other type", func(f *form) { f.set("Content-Type", "text/html") }},
	{"missing type", func(f *form) {
		f.fields = slices.DeleteFunc(f.fields, func(x field) bool { return x.name == "Content-Type" })
	}},
	{"missing metadata", func(f *form) {
		f.fields = slices.DeleteFunc(f.fields, func(x field) bool { return x.name == "x-amz-meta-who" })
	}},
	{"other metadata", func(f *form) { f.set("x-amz-meta-who", "somebody") }},
	{"extra metadata", func(f *form) { f.fields = append(f.fields, field{"x-amz-meta-extra", "1"}) }},
	{"extra acl", func(f *form) { f.fields = append(f.fields, field{"acl", "public-read"}) }},
	{"extra redirect", func(f *form) {
		f.fields = append(f.fields, field{"success_action_redirect", "http://127.0.0.1/"})
	}},
	{"other bucket", func(f *form) {
		f.url = strings.TrimSuffix(f.url, plainBucket) + lockedBucket
	}},
	{"other policy", func(f *form) {
		i := slices.IndexFunc(f.fields, func(x field) bool { return x.name == "policy" })
		text, _ := base64.StdEncoding.DecodeString(f.fields[i].value)
		wider := bytes.Replace(text, []byte(`"content-length-range",5,100`), []byte(`"content-length-range",0,900`), 1)
		f.fields[i].value = base64.StdEncoding.EncodeToString(wider)
	}},
	{"other signature", func(f *form) { f.set("X-Amz-Signature", strings.Repeat("0", 64)) }},
	{"no policy", func(f *form) {
		f.fields = slices.DeleteFunc(f.fields, func(x field) bool { return x.name == "policy" })
	}},
	{"no signature", func(f *form) {
		f.fields = slices.DeleteFunc(f.fields, func(x field) bool { return strings.HasPrefix(x.name, "X-Amz-") || x.name == "policy" })
	}},
	{"other token", func(f *form) { f.set("X-Amz-Security-Token", "AAAA"+f.field("X-Amz-Security-Token")[4:]) }},
}

func (f *form) field(name string) string {
	for _, x := range f.fields {
		if x.name == name {
			return x.value
		}
	}
	return ""
}

// forms signs forms and sends them: as they were meant, which has to work, and abused, which has to be refused and leave
// nothing behind.
func (r *run) forms(ctx context.Context) error {
	f, err := r.function(ctx, r.region, r.signer.AccessKeyID, r.signer.SecretAccessKey, r.signer.SessionToken, "PRESIGN_OPERATIONS=PostObject")
	if err != nil {
		return err
	}
	defer f.Close()
	ask := func(key string, expiresIn int, options map[string]any) (form, error) {
		event := map[string]any{"bucket": plainBucket, "operation": "PostObject", "keys": []string{key}, "expires_in": expiresIn}
		for name, value := range options {
			event[name] = value
		}
		b, err := sign(ctx, f, event)
		if err != nil {
			return form{}, err
		}
		p, ok := b.Posts[key]
		if !ok {
			return form{}, errors.New("the function's answer lacks a form")
		}
		return form{url: p.URL, fields: p.Fields, file: []byte("ten bytes.")}, nil
	}
	usual := map[string]any{
		"content_length_range": []int{5, 100}, "content_type": "image/png", "metadata": map[string]string{"who": "verify"},
	}
	works := func(name, key string, sent form, contentType string) {
		resp, err := sent.send(ctx)
		got := ""
		switch {
		case err != nil:
			got = "no answer"
		case resp.Status != 204 && resp.Status != 201:
			got = outcome(resp)
		default:
			got = (&story{run: r}).stored(ctx, key, sent.file, contentType)
		}
		r.record(name, got)
	}

	brief, err := ask("forms/brief", 1, usual)
	if err != nil {
		return err
	}
	briefly := time.Now()
	for _, c := range []struct {
		name, key, stored string
		options           map[string]any
		more              []field
		contentType       string
	}{
		{"as signed", "forms/a b+ü&<1>.png", "", usual, nil, "image/png"},
		{"type chosen", "forms/typed", "", map[string]any{"content_type_starts_with": "image/"}, []field{{"Content-Type", "image/gif"}}, "image/gif"},
		{"name chosen", "forms/named/", "forms/named/photo.png", map[string]any{"key_starts_with": true}, nil, ""},
		{"status", "forms/status", "", map[string]any{"success_action_status": 201}, nil, ""},
		{"tagging", "forms/tagged", "", map[string]any{"tagging": "project=verify&team=a+b"}, nil, ""},
	} {
		sent, err := ask(c.key, 600, c.options)
		if err != nil {
			return err
		}
		sent.fields = append(sent.fields, c.more...)
		if c.stored == "" {
			c.stored = c.key
		}
		works("PostObject "+c.name, c.stored, sent, c.contentType)
	}
	for _, abuse := range abuses {
		key := "forms/abuse " + abuse.name
		meant, err := ask(key, 600, usual)
		if err != nil {
			return err
		}
		sent := meant
		sent.fields = slices.Clone(meant.fields)
		abuse.change(&sent)
		r.record("PostObject abuse "+abuse.name, r.refusedForm(ctx, sent, key))
		works("PostObject abuse "+abuse.name+", control", key, meant, "image/png")
	}
	if typed, err := ask("forms/typed wrongly", 600, map[string]any{"content_type_starts_with": "image/"}); err != nil {
		return err
	} else {
		typed.fields = append(typed.fields, field{"Content-Type", "text/html"})
		r.record("PostObject abuse type chosen otherwise", r.refusedForm(ctx, typed, "forms/typed wrongly"))
	}
	if named, err := ask("forms/in/", 600, map[string]any{"key_starts_with": true}); err != nil {
		return err
	} else {
		named.set("key", "forms/out/${filename}")
		r.record("PostObject abuse key chosen otherwise", r.refusedForm(ctx, named, "forms/out/photo.png"))
	}
	time.Sleep(time.Until(briefly.Add(3 * time.Second)))
	r.record("PostObject abuse expired", r.refusedForm(ctx, brief, "forms/brief"))
	return nil
}

// refusedForm is "" when a form is refused and its object is not there.
func (r *run) refusedForm(ctx context.Context, sent form, key string) string {
	resp, err := sent.send(ctx)
	switch {
	case err != nil:
		return "no answer"
	case resp.Status < 400 || resp.Status >= 500:
		return outcome(resp)
	}
	if _, err := r.asRoot(ctx, "GET", "/"+plainBucket+"/"+escape(key), "", nil, nil); err == nil {
		return "refused, and stored"
	}
	return ""
}

// An upload is one of the answer's.
type signedUpload struct {
	UploadID      string            `json:"upload_id"`
	PartSize      int               `json:"part_size"`
	PartCount     int               `json:"part_count"`
	UploadedParts map[string]string `json:"uploaded_parts"`
	PartURLs      map[string]string `json:"part_urls"`
	CompleteURL   string            `json:"complete_url"`
	AbortURL      string            `json:"abort_url"`
	ListPartsURL  string            `json:"list_parts_url"`
}

// multipart has the function begin an upload, sends some parts, lets it go on and ends it.
func (r *run) multipart(ctx context.Context) error {
	f, err := r.function(ctx, r.region, r.signer.AccessKeyID, r.signer.SecretAccessKey, r.signer.SessionToken, "PRESIGN_OPERATIONS=MultipartUpload")
	if err != nil {
		return err
	}
	defer f.Close()
	const key = "multipart/a b+ü.bin"
	content := bytes.Repeat([]byte("0123456789abcde\n"), (12<<20)/16)
	ask := func(options map[string]any) (*signedUpload, error) {
		event := map[string]any{"bucket": plainBucket, "operation": "MultipartUpload", "keys": []string{key},
			"size": len(content), "part_size": 5 << 20, "content_type": "text/x-verify", "metadata": map[string]string{"who": "verify"}}
		for name, value := range options {
			event[name] = value
		}
		b, err := sign(ctx, f, event)
		if err != nil {
			return nil, err
		}
		u, ok := b.Uploads[key]
		if !ok {
			return nil, errors.New("the function's answer lacks an upload")
		}
		return &u, nil
	}
	u, err := ask(nil)
	if err != nil {
		return err
	}
	part := func(n int) []byte {
		return content[(n-1)*u.PartSize : min(n*u.PartSize, len(content))]
	}
	put := func(name, url string, n int, body []byte, etags map[int]string) {
		r.accept(ctx, name, request{method: "PUT", url: url, headers: map[string]string{}, body: body}, 200, func(resp *rawhttp.Response) string {
			etags[n] = resp.Header.Get("Etag")
			return ""
		})
	}
	etags := map[int]string{}
	put("MultipartUpload part", u.PartURLs["1"], 1, part(1), etags)
	r.refuse(ctx, "MultipartUpload part, shorter", request{method: "PUT", url: u.PartURLs["2"], headers: map[string]string{}, body: part(2)[1:]})
	r.refuse(ctx, "MultipartUpload part, longer", request{method: "PUT", url: u.PartURLs["3"], headers: map[string]string{}, body: append(bytes.Clone(part(3)), 'x')})
	r.refuse(ctx, "MultipartUpload part, as another", request{method: "PUT", url: strings.Replace(u.PartURLs["2"], "partNumber=2", "partNumber=4", 1), headers: map[string]string{}, body: part(2)})
	damaged := request{method: "PUT", url: u.PartURLs["2"], headers: map[string]string{"content-md5": md5Base64([]byte("other"))}, body: part(2)}
	if resp, err := damaged.send(ctx); err != nil {
		r.record("MultipartUpload part, damaged", "no answer")
	} else if code := errorCode(resp.Body); code != "BadDigest" && code != "InvalidDigest" {
		r.record("MultipartUpload part, damaged", outcome(resp))
	} else {
		r.record("MultipartUpload part, damaged", "")
	}

	again, err := ask(map[string]any{"upload_id": u.UploadID, "part_numbers": []int{3}})
	if err != nil {
		return err
	}
	put("MultipartUpload part, signed later", again.PartURLs["3"], 3, part(3), etags)
	resumed, err := ask(map[string]any{"upload_id": u.UploadID, "resume": true})
	got := ""
	switch {
	case err != nil:
		got = err.Error()
	case len(resumed.PartURLs) != 1 || resumed.PartURLs["2"] == "" || len(resumed.UploadedParts) != 2 || strings.Trim(resumed.UploadedParts["1"], `"`) != strings.Trim(etags[1], `"`):
		got = fmt.Sprintf("%d parts there, %d to go", len(resumed.UploadedParts), len(resumed.PartURLs))
	}
	r.record("MultipartUpload resume", got)
	put("MultipartUpload part, resumed", u.PartURLs["2"], 2, part(2), etags)

	var list strings.Builder
	list.WriteString(`<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`)
	for n := 1; n <= 3; n++ {
		fmt.Fprintf(&list, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", n, etags[n])
	}
	list.WriteString("</CompleteMultipartUpload>")
	r.accept(ctx, "MultipartUpload complete", request{method: "POST", url: u.CompleteURL, headers: map[string]string{}, body: []byte(list.String())}, 200, func(resp *rawhttp.Response) string {
		if code := errorCode(resp.Body); code != "" {
			return "200, and then " + code
		}
		return (&story{run: r}).stored(ctx, key, content, "text/x-verify")
	})

	other, err := ask(nil)
	if err != nil {
		return err
	}
	r.accept(ctx, "MultipartUpload list", request{method: "GET", url: other.ListPartsURL, headers: map[string]string{}}, 200, nil)
	r.accept(ctx, "MultipartUpload abort", request{method: "DELETE", url: other.AbortURL, headers: map[string]string{}}, 204, func(*rawhttp.Response) string {
		if _, err := r.asRoot(ctx, "GET", "/"+plainBucket+"/"+escape(key), "uploadId="+url.QueryEscape(other.UploadID), nil, nil); err == nil {
			return "204, still there"
		}
		return ""
	})
	return nil
}

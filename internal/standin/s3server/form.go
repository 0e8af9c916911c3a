package s3server

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxFields is the most that a form may hold before its file, in bytes.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList (MaxPostPreDataLengthExceededError)
const maxFields = 20 << 10

// maxPost is the most that a form uploads, in bytes, where its policy says nothing.
const maxPost = 5 << 30

// isForm tells whether a request is a form as browsers send it to a bucket.
func isForm(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return r.Method == http.MethodPost && err == nil && kind == "multipart/form-data" && bucket != "" && key == ""
}

// form stores the file of a form if its policy is signed, holds for it, and covers all of its fields. gofakes3 takes forms
// without looking at either; what is behind the policy is a PUT to it, so that checksums, metadata and tags are as of any other.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
func (s *Server) form(w http.ResponseWriter, r *http.Request) *refusal {
	if r.ContentLength < 0 {
		return &refusal{411, "MissingContentLength", "You must provide the Content-Length HTTP header."}
	}
	bucket := strings.Trim(r.URL.Path, "/")
	f, file, e := readFields(r)
	if e != nil {
		return e
	}
	policy, e := s.signedPolicy(f)
	if e != nil {
		return e
	}
	least, most, e := policy.allows(f, bucket, s.cfg.Now())
	if e != nil {
		return e
	}
	body := bytes.NewBuffer(make([]byte, 0, min(r.ContentLength, most)+bytes.MinRead))
	n, err := body.ReadFrom(io.LimitReader(file, most+1))
	switch {
	case err != nil:
		return malformedForm
	case n > most:
		return &refusal{400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size"}
	case n < least:
		return &refusal{400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size"}
	}

	put, e := f.put(r, bucket, body)
	if e != nil {
		return e
	}
	stored := httptest.NewRecorder()
	s.objects.ServeHTTP(stored, put)
	if stored.Code != http.StatusOK {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(stored.Code)
		w.Write(stored.Body.Bytes())
		return nil
	}
	f.answer(w, r, s.endpoint+put.URL.EscapedPath(), bucket, stored.Header().Get("ETag"))
	s.tellCreated(put, stored.Code)
	return nil
}

// fields are those of a form before its file. Their names are in lower case: S3 does not tell them apart by it.
type fields map[string]string

var malformedForm = &refusal{400, "MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data."}

// readFields reads a form up to its file. S3 takes no notice of what follows that.
func readFields(r *http.Request) (fields, io.Reader, *refusal) {
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, nil, malformedForm
	}
	f, room := fields{}, int64(maxFields)
	for {
		part, err := parts.NextPart()
		switch {
		case err == io.EOF: // not one that is wrapped, which is of a form that was cut off
			return nil, nil, &refusal{400, "InvalidArgument", "POST requires exactly one file upload per request."}
		case err != nil:
			return nil, nil, malformedForm
		}
		name := strings.ToLower(part.FormName())
		if name == "file" {
			if f["key"] == "" {
				return nil, nil, lacksField("key")
			}
			// S3 does so in every field, before it compares.
			for name, value := range f {
				f[name] = strings.ReplaceAll(value, "${filename}", part.FileName())
			}
			return f, part, nil
		}
		value, err := io.ReadAll(io.LimitReader(part, room+1))
		if err != nil {
			return nil, nil, malformedForm
		}
		if room -= int64(len(value)); room < 0 {
			return nil, nil, &refusal{400, "MaxPostPreDataLengthExceeded", "Your POST request fields preceding the upload file were too large."}
		}
		if _, twice := f[name]; twice {
			return nil, nil, &refusal{400, "InvalidArgument", fmt.Sprintf("The field %q is there twice.", name)}
		}
		f[name] = string(value)
	}
}

func lacksField(name string) *refusal {
	return &refusal{400, "InvalidArgument", fmt.Sprintf("Bucket POST must contain a field named '%s'.  If it is specified, please check the order of the fields.", name)}
}

// signedPolicy gives the policy of a form, if somebody has signed it who is known here.
func (s *Server) signedPolicy(f fields) (*postPolicy, *refusal) {
	if f["policy"] == "" {
		return nil, &refusal{403, "AccessDenied", "Access Denied"} // anonymous
	}
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature"} {
		if f[strings.ToLower(name)] == "" {
			return nil, lacksField(name)
		}
	}
	if f["x-amz-algorithm"] != "AWS4-HMAC-SHA256" {
		return nil, &refusal{400, "InvalidArgument", "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""}
	}
	token, hasToken := f["x-amz-security-token"]
	c, scope, e := s.signer(authorization{malformed: "InvalidArgument", credential: f["x-amz-credential"], date: f["x-amz-date"], token: token, hasToken: hasToken})
	if e != nil {
		return nil, e
	}
	sum := []byte("AWS4" + c.SecretAccessKey)
	for _, text := range append(scope[1:], f["policy"]) {
		mac := hmac.New(sha256.New, sum)
		mac.Write([]byte(text))
		sum = mac.Sum(nil)
	}
	if !hmac.Equal([]byte(hex.EncodeToString(sum)), []byte(f["x-amz-signature"])) {
		return nil, doesNotMatch
	}
	p := new(postPolicy)
	text, err := base64.StdEncoding.DecodeString(f["policy"])
	if err == nil {
		err = json.Unmarshal(text, p)
	}
	if err != nil || p.Expiration == nil {
		return nil, invalidPolicy("it is not a JSON object in Base64 with an expiration")
	}
	return p, nil
}

// postPolicy is what the holder of a form may do.
type postPolicy struct {
	Expiration *time.Time        `json:"expiration"`
	Conditions []json.RawMessage `json:"conditions"`
}

func invalidPolicy(what string) *refusal {
	return &refusal{400, "InvalidPolicyDocument", "Invalid Policy: " + what}
}

func against(what string) *refusal {
	return &refusal{403, "AccessDenied", "Invalid according to Policy: " + what}
}

// allows holds a form against its policy, in both directions: every condition must be met, and every field have one. It gives
// the sizes that the file may have.
func (p *postPolicy) allows(f fields, bucket string, now time.Time) (least, most int64, e *refusal) {
	least, most = 0, maxPost
	if !now.Before(*p.Expiration) {
		return 0, 0, against("Policy expired.")
	}
	covered := map[string]bool{"policy": true, "x-amz-signature": true, "bucket": true}
	compare := func(operator, name, want string, text json.RawMessage) *refusal {
		name = strings.ToLower(name)
		got := f[name]
		if name == "bucket" {
			got = bucket
		}
		covered[name] = true
		if operator == "eq" && got != want || operator == "starts-with" && !strings.HasPrefix(got, want) {
			return against("Policy Condition failed: " + string(text))
		}
		return nil
	}
	for _, text := range p.Conditions {
		var exact map[string]string
		if json.Unmarshal(text, &exact) == nil {
			for name, want := range exact {
				if e := compare("eq", name, want, text); e != nil {
					return 0, 0, e
				}
			}
			continue
		}
		var list []json.RawMessage
		var operator, name, want string
		if json.Unmarshal(text, &list) != nil || len(list) != 3 || json.Unmarshal(list[0], &operator) != nil {
			return 0, 0, invalidPolicy("Invalid Condition: " + string(text))
		}
		operator = strings.ToLower(operator)
		var err error
		switch operator {
		case "content-length-range":
			err = errors.Join(json.Unmarshal(list[1], &least), json.Unmarshal(list[2], &most))
		case "eq", "starts-with":
			err = errors.Join(json.Unmarshal(list[1], &name), json.Unmarshal(list[2], &want))
			if !strings.HasPrefix(name, "$") {
				err = errors.New("no name")
			}
		default:
			err = errors.New("no such condition")
		}
		if err != nil {
			return 0, 0, invalidPolicy("Invalid Condition: " + string(text))
		}
		if name != "" {
			if e := compare(operator, name[1:], want, text); e != nil {
				return 0, 0, e
			}
		}
	}
	var extra []string
	for name := range f {
		if !covered[name] && !strings.HasPrefix(name, "x-ignore-") {
			extra = append(extra, name)
		}
	}
	if slices.Sort(extra); extra != nil {
		return 0, 0, against("Extra input fields: " + strings.Join(extra, ", "))
	}
	return least, most, nil
}

// headers are fields that a PUT has as headers of another name, or that are none of the signature's.
// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
var headers = map[string]string{
	"cache-control": "Cache-Control", "content-type": "Content-Type", "content-disposition": "Content-Disposition",
	"content-encoding": "Content-Encoding", "expires": "Expires", "acl": "X-Amz-Acl",
	"x-amz-algorithm": "", "x-amz-credential": "", "x-amz-date": "", "x-amz-signature": "", "x-amz-security-token": "",
}

// put is the PUT of what a form uploads.
func (f fields) put(r *http.Request, bucket string, body *bytes.Buffer) (*http.Request, *refusal) {
	to := url.URL{Scheme: "http", Host: r.Host, Path: "/" + bucket + "/" + f["key"]}
	put, err := http.NewRequestWithContext(r.Context(), http.MethodPut, to.String(), body)
	if err != nil {
		return nil, &refusal{400, "InvalidURI", "Couldn't parse the specified URI."}
	}
	put.Body = io.NopCloser(body)
	put.Header.Set("Content-Length", strconv.Itoa(body.Len())) // where gofakes3 looks
	for name, value := range f {
		header, special := headers[name]
		if !special && strings.HasPrefix(name, "x-amz-") {
			header = name
		}
		if header != "" {
			put.Header.Set(header, value)
		}
	}
	if text, tagged := f["tagging"]; tagged {
		var document struct {
			Tags []struct{ Key, Value string } `xml:"TagSet>Tag"`
		}
		if xml.Unmarshal([]byte(text), &document) != nil {
			return nil, &refusal{400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"}
		}
		tags := url.Values{}
		for _, tag := range document.Tags {
			tags.Add(tag.Key, tag.Value)
		}
		put.Header.Set("X-Amz-Tagging", tags.Encode())
	}
	return put, nil
}

// answer tells that a file is stored, in the way that the form asks for.
func (f fields) answer(w http.ResponseWriter, r *http.Request, location, bucket, etag string) {
	w.Header().Set("ETag", etag)
	w.Header().Set("Location", location)
	if next, err := url.Parse(f["success_action_redirect"]); err == nil && next.Host != "" {
		query := next.Query()
		query.Set("bucket", bucket)
		query.Set("key", f["key"])
		query.Set("etag", etag)
		next.RawQuery = query.Encode()
		w.Header().Set("Location", next.String())
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	switch f["success_action_status"] {
	case "200":
		w.WriteHeader(http.StatusOK)
	case "201":
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusCreated)
		body, _ := xml.Marshal(struct {
			XMLName                     xml.Name `xml:"PostResponse"`
			Location, Bucket, Key, ETag string
		}{Location: location, Bucket: bucket, Key: f["key"], ETag: etag})
		w.Write(append([]byte(xml.Header), body...))
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

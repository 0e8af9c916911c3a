package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"net/url"
	"strings"

	"bulkpresign/internal/check/rawhttp"
	"bulkpresign/internal/standin/runtimeapi"
)

// behindUploads are the operations that a function signs when they are named, beside the five of every case.
const behindUploads = "CreateMultipartUpload,CompleteMultipartUpload,AbortMultipartUpload,ListParts,CopyObject,UploadPartCopy," +
	"GetObjectAttributes,GetObjectTagging,PutObjectTagging,ListObjectsV2,HeadBucket,RestoreObject"

// A story is what is done with one object by these operations, each by its URL alone.
type story struct {
	*run
	sign *runtimeapi.Function
	key  string
}

// operations goes through the operations behind uploads: an upload in parts from its creation to its end, one that is
// given up, copies, tags, attributes, a listing. Each URL with another signature has to be refused first.
func (r *run) operations(ctx context.Context) error {
	f, err := r.function(ctx, r.region, r.signer.AccessKeyID, r.signer.SecretAccessKey, r.signer.SessionToken,
		"PRESIGN_OPERATIONS=GetObject,PutObject,UploadPart,"+behindUploads)
	if err != nil {
		return err
	}
	defer f.Close()
	s := &story{r, f, "operations/a b+ü/file.bin"}
	for _, chapter := range []func(context.Context) error{s.inParts, s.givenUp, s.copies, s.about, s.bucket} {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	return nil
}

// ask signs an operation on a key and sends it, with another signature first.
func (s *story) ask(ctx context.Context, operation, key string, options map[string]any, body []byte, status int, check func(*rawhttp.Response) string) error {
	return s.askAs(ctx, operation+" behind uploads", operation, key, options, body, status, check)
}

func (s *story) askAs(ctx context.Context, name, operation, key string, options map[string]any, body []byte, status int, check func(*rawhttp.Response) string) error {
	event := map[string]any{"bucket": plainBucket, "operation": operation, "keys": []string{key}}
	if operation == "HeadBucket" {
		delete(event, "keys")
	}
	for name, value := range options {
		event[name] = value
	}
	b, err := sign(ctx, s.sign, event)
	if err != nil {
		return err
	}
	q, err := b.request(key, body)
	if err != nil {
		return err
	}
	forged := q
	forged.url = otherSignature(q.url)
	s.refuse(ctx, name+", other signature", forged)
	s.accept(ctx, name, q, status, check)
	return nil
}

// text is what an element of an answer holds.
func text(resp *rawhttp.Response, element string) string {
	_, rest, _ := bytes.Cut(resp.Body, []byte("<"+element+">"))
	inner, _, _ := bytes.Cut(rest, []byte("</"+element+">"))
	var s string
	_ = xml.Unmarshal([]byte("<a>"+string(inner)+"</a>"), &s)
	return s
}

// has checks that an answer holds a text.
func has(want string) func(*rawhttp.Response) string {
	return func(resp *rawhttp.Response) string {
		if !strings.Contains(string(resp.Body), want) {
			return fmt.Sprint(resp.Status, ", without ", want)
		}
		return ""
	}
}

// stored checks what an object is, as root sees it.
func (s *story) stored(ctx context.Context, key string, want []byte, contentType string) string {
	resp, err := s.asRoot(ctx, "GET", "/"+plainBucket+"/"+escape(key), "", nil, nil)
	switch {
	case err != nil:
		return "read back: " + err.Error()
	case !bytes.Equal(resp.Body, want):
		return "read back: other bytes"
	case contentType != "" && resp.Header.Get("Content-Type") != contentType:
		return "read back: content-type " + resp.Header.Get("Content-Type")
	}
	return ""
}

// begin creates an upload by its URL.
func (s *story) begin(ctx context.Context, options map[string]any) (id string, err error) {
	err = s.ask(ctx, "CreateMultipartUpload", s.key, options, nil, 200, func(resp *rawhttp.Response) string {
		if id = text(resp, "UploadId"); id == "" {
			return "200, no UploadId"
		}
		return ""
	})
	return id, err
}

// inParts uploads two parts, the second as a copy of another object, and completes them.
func (s *story) inParts(ctx context.Context) error {
	const source = "operations/source ü.bin"
	first, second := bytes.Repeat([]byte("0123456789abcdef"), 5<<20/16), []byte("the second part, from another object")
	if _, err := s.asRoot(ctx, "PUT", "/"+plainBucket+"/"+escape(source), "", nil, second); err != nil {
		return err
	}
	id, err := s.begin(ctx, map[string]any{"content_type": "text/x-verify", "metadata": map[string]string{"who": "verify"}})
	if err != nil || id == "" {
		return err
	}
	var etags [2]string
	if err := s.ask(ctx, "UploadPart", s.key, map[string]any{"upload_id": id, "part_number": 1}, first, 200, func(resp *rawhttp.Response) string {
		etags[0] = resp.Header.Get("Etag")
		return ""
	}); err != nil {
		return err
	}
	if err := s.ask(ctx, "UploadPartCopy", s.key, map[string]any{"upload_id": id, "part_number": 2, "copy_source": plainBucket + "/" + source}, nil, 200, func(resp *rawhttp.Response) string {
		etags[1] = text(resp, "ETag")
		return ""
	}); err != nil {
		return err
	}
	if err := s.ask(ctx, "ListParts", s.key, map[string]any{"upload_id": id, "max_parts": 10}, nil, 200, has("<PartNumber>1</PartNumber>")); err != nil {
		return err
	}
	var list strings.Builder
	list.WriteString(`<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`)
	want := first
	for i, etag := range etags {
		if etag != "" { // a server that copies no parts ends with one
			fmt.Fprintf(&list, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", i+1, etag)
		}
	}
	if etags[1] != "" {
		want = append(bytes.Clone(first), second...)
	}
	list.WriteString("</CompleteMultipartUpload>")
	return s.ask(ctx, "CompleteMultipartUpload", s.key, map[string]any{"upload_id": id}, []byte(list.String()), 200, func(resp *rawhttp.Response) string {
		if code := errorCode(resp.Body); code != "" {
			return "200, and then " + code
		}
		return s.stored(ctx, s.key, want, "text/x-verify")
	})
}

// givenUp aborts an upload, after which it is no more.
func (s *story) givenUp(ctx context.Context) error {
	id, err := s.begin(ctx, nil)
	if err != nil || id == "" {
		return err
	}
	return s.ask(ctx, "AbortMultipartUpload", s.key, map[string]any{"upload_id": id}, nil, 204, func(*rawhttp.Response) string {
		if _, err := s.asRoot(ctx, "GET", "/"+plainBucket+"/"+escape(s.key), "uploadId="+url.QueryEscape(id), nil, nil); err == nil {
			return "204, still there"
		}
		return ""
	})
}

// copies copies objects: with their own type, with another, and one whose key must be escaped.
func (s *story) copies(ctx context.Context) error {
	for _, c := range []struct {
		name, source, key, contentType string
		options                        map[string]any
	}{
		{"CopyObject behind uploads", "operations/source.txt", "operations/copy", "text/x-source", nil},
		{"CopyObject behind uploads, type replaced", "operations/source.txt", "operations/copy replaced", "text/x-copy",
			map[string]any{"metadata_directive": "REPLACE", "content_type": "text/x-copy"}},
		{"CopyObject behind uploads, awkward source", "operations/a%41+ü ?versionId=1.txt", "operations/copy of awkward", "text/x-source", nil},
	} {
		if _, err := s.asRoot(ctx, "PUT", "/"+plainBucket+"/"+escape(c.source), "", map[string]string{"content-type": "text/x-source"}, []byte("to be copied")); err != nil {
			return err
		}
		options := map[string]any{"copy_source": plainBucket + "/" + c.source}
		for name, value := range c.options {
			options[name] = value
		}
		if err := s.askAs(ctx, c.name, "CopyObject", c.key, options, nil, 200, func(*rawhttp.Response) string {
			return s.stored(ctx, c.key, []byte("to be copied"), c.contentType)
		}); err != nil {
			return err
		}
	}
	return nil
}

// about asks what there is to know about an object, and tags it.
func (s *story) about(ctx context.Context) error {
	const key = "operations/copy"
	if err := s.ask(ctx, "GetObjectAttributes", key, map[string]any{"object_attributes": []string{"ETag", "ObjectSize"}}, nil, 200, has("<ObjectSize>12</ObjectSize>")); err != nil {
		return err
	}
	tags := []byte(`<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet><Tag><Key>project</Key><Value>verify</Value></Tag></TagSet></Tagging>`)
	if err := s.ask(ctx, "PutObjectTagging", key, map[string]any{"content_md5": md5Base64(tags)}, tags, 200, nil); err != nil {
		return err
	}
	if err := s.ask(ctx, "GetObjectTagging", key, nil, nil, 200, has("<Value>verify</Value>")); err != nil {
		return err
	}
	// Nothing here is archived, so the answer is that it is not; the signature was right then.
	restore := []byte(`<RestoreRequest xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Days>1</Days></RestoreRequest>`)
	return s.ask(ctx, "RestoreObject", key, nil, restore, 403, func(resp *rawhttp.Response) string {
		if code := errorCode(resp.Body); code != "InvalidObjectState" {
			return "403 " + code
		}
		return ""
	})
}

// bucket lists the keys of a prefix, and looks whether the bucket is there.
func (s *story) bucket(ctx context.Context) error {
	if err := s.ask(ctx, "ListObjectsV2", "operations/copy", map[string]any{"max_keys": 1}, nil, 200, has("<Key>operations/copy</Key>")); err != nil {
		return err
	}
	return s.ask(ctx, "HeadBucket", "", nil, nil, 200, nil)
}

// Lists has real tools list a bucket, each in its own form, and the built jobs function sign what they wrote: every key of
// the bucket must come out, once, with a URL that works. docs/lists.md has the table.
//
//	verify/lists/run.sh
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bulkpresign/internal/check/awkward"
	"bulkpresign/internal/check/rawhttp"
	"bulkpresign/internal/standin/runtimeapi"
	"bulkpresign/internal/standin/s3server"
)

const region = "eu-west-1"

func main() {
	function := flag.String("function", "bin/jobs/bootstrap", "the built `binary`")
	python := flag.String("python", ".cache/lists-venv/bin/python", "the `interpreter` with the tools")
	flag.Parse()
	if err := run(context.Background(), *function, *python); err != nil {
		fmt.Fprintln(os.Stderr, "lists:", err)
		os.Exit(1)
	}
}

// A list is what a tool wrote.
type list struct {
	Name, Tool, Bucket string
}

// unwritable are keys that a form cannot hold, by what the list's name ends in: a text has a key a line.
func unwritable(name, key string) bool {
	return strings.HasSuffix(name, ".txt") && strings.ContainsAny(key, "\r\n")
}

func run(ctx context.Context, function, python string) error {
	c := s3server.Credentials{AccessKeyID: "ASIA" + rand.Text()[:16], SecretAccessKey: rand.Text() + rand.Text()[:14], SessionToken: rand.Text()}
	server, err := s3server.Start(s3server.Config{Region: region, Buckets: []string{"photos", "tidy", "lists", "results"}, Credentials: []s3server.Credentials{c}})
	if err != nil {
		return err
	}
	defer server.Close()
	keys := map[string][]string{"tidy": {"a b.jpg", "below/été/100%.txt", "x+y=z.csv", "日本語/写真.jpg"}}
	for _, key := range keys["tidy"] {
		if err := server.Put("tidy", key, []byte("content of "+key)); err != nil {
			return err
		}
	}
	for _, k := range awkward.Keys() {
		if strings.ContainsFunc(k.Key, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' }) {
			continue // what XML, and so a listing, cannot hold
		}
		if err := server.Put("photos", k.Key, []byte("content of "+k.Key)); err != nil {
			return err
		}
		keys["photos"] = append(keys["photos"], k.Key)
	}
	folder, err := os.MkdirTemp("", "lists")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	session := []string{
		"AWS_ACCESS_KEY_ID=" + c.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + c.SecretAccessKey, "AWS_SESSION_TOKEN=" + c.SessionToken,
		"AWS_REGION=" + region, "AWS_DEFAULT_REGION=" + region, "AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
	}
	lists, err := written(ctx, python, server.Endpoint(), folder, append(os.Environ(), session...))
	if err != nil {
		return err
	}
	f, err := runtimeapi.Start(ctx, runtimeapi.Config{
		Binary: function, Region: region, Timeout: 30 * time.Second, Log: io.Discard,
		Env: append(session, "PRESIGN_BUCKETS=photos,tidy", "PRESIGN_RESULTS_BUCKET=results", "PRESIGN_MANIFEST_BUCKET=lists",
			"AWS_ENDPOINT_URL_S3="+server.Endpoint()),
	})
	if err != nil {
		return err
	}
	defer f.Close()
	w := &world{server: server, function: f, folder: folder, s3: s3.New(s3.Options{
		Region: region, BaseEndpoint: aws.String(server.Endpoint()), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken),
	})}
	good := 0
	for _, l := range lists {
		if err := w.check(ctx, l, keys[l.Bucket]); err != nil {
			fmt.Printf("FAIL %s (%s): %v\n", l.Name, l.Tool, err)
			continue
		}
		fmt.Printf("ok   %s (%s)\n", l.Name, l.Tool)
		good++
	}
	fmt.Printf("lists: %d/%d lists of real tools are signed, most with %d awkward keys\n", good, len(lists), len(keys["photos"]))
	if good < len(lists) || good == 0 {
		return errors.New("not all is as it should be")
	}
	return nil
}

// written has the tools write their lists.
func written(ctx context.Context, python, endpoint, folder string, env []string) ([]list, error) {
	cmd := exec.CommandContext(ctx, python, "verify/lists/make.py", endpoint, "photos", "tidy", folder)
	cmd.Env, cmd.Stderr = env, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("make.py: %w", err)
	}
	var lists []list
	for line := range bytes.Lines(out) {
		var l list
		if err := json.Unmarshal(line, &l); err != nil {
			return nil, err
		}
		lists = append(lists, l)
	}
	return lists, nil
}

type world struct {
	server   *s3server.Server
	function *runtimeapi.Function
	s3       *s3.Client
	folder   string
}

// check puts a list into S3, has it signed, and looks at every line of the result.
func (w *world) check(ctx context.Context, l list, keys []string) error {
	body, err := os.ReadFile(filepath.Join(w.folder, l.Name))
	if err != nil {
		return err
	}
	put, err := w.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("lists"), Key: aws.String("manifests/" + l.Name), Body: bytes.NewReader(body), Metadata: map[string]string{"presign-bucket": l.Bucket}})
	if err != nil {
		return errors.New("the list cannot be put")
	}
	event, err := json.Marshal(map[string]any{"Records": []any{map[string]any{
		"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "awsRegion": region, "eventVersion": "2.1",
		"s3": map[string]any{"bucket": map[string]string{"name": "lists"}, "object": map[string]any{
			"key": "manifests/" + l.Name, "size": len(body), "eTag": strings.Trim(*put.ETag, `"`), "sequencer": "0055AED6DCD90281E5"}},
	}}})
	if err != nil {
		return err
	}
	if _, err := w.function.Invoke(ctx, event); err != nil {
		return fmt.Errorf("the function failed: %w", err)
	}
	urls, err := w.result(ctx)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if unwritable(l.Name, key) {
			continue
		}
		url, ok := urls[key]
		if !ok {
			return fmt.Errorf("the key %q is not signed", key)
		}
		delete(urls, key)
		answer, err := rawhttp.Do(ctx, "GET", url, nil, nil)
		if err != nil || answer.Status != 200 || string(answer.Body) != "content of "+key {
			return fmt.Errorf("the URL of %q does not lead to it", key)
		}
	}
	for key := range urls {
		if !strings.HasSuffix(l.Name, ".txt") { // of which a key with a line break makes two
			return fmt.Errorf("the key %q is signed, and is none", key)
		}
	}
	return nil
}

// result reads what the function wrote last, and removes it.
func (w *world) result(ctx context.Context) (map[string]string, error) {
	found, err := w.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("results")})
	if err != nil {
		return nil, errors.New("the results cannot be listed")
	}
	urls := map[string]string{}
	for _, o := range found.Contents {
		body, err := w.server.Get("results", *o.Key)
		if err != nil {
			return nil, err
		}
		if _, err := w.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("results"), Key: o.Key}); err != nil {
			return nil, errors.New("a result cannot be removed")
		}
		if strings.HasSuffix(*o.Key, "summary.json") {
			var s struct {
				Error *struct{ Code, Message string }
			}
			if err := json.Unmarshal(body, &s); err != nil {
				return nil, err
			}
			if s.Error != nil {
				return nil, fmt.Errorf("%s: %s", s.Error.Code, s.Error.Message)
			}
			continue
		}
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		lines := bufio.NewScanner(z)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var e struct {
				Key, URL string
				Error    *struct{ Code, Message string }
			}
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				return nil, err
			}
			if e.Error != nil {
				return nil, fmt.Errorf("%q: %s: %s", e.Key, e.Error.Code, e.Error.Message)
			}
			if _, twice := urls[e.Key]; twice {
				return nil, fmt.Errorf("the key %q is signed twice", e.Key)
			}
			urls[e.Key] = e.URL
		}
	}
	return urls, nil
}

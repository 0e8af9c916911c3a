package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bulkpresign/internal/check/rawhttp"
)

// smallFiles has each client send files of 0 to 64 KiB by PUT and by POST.
func (b *bench) smallFiles(ctx context.Context, n int) error {
	files := filepath.Join(b.scratch, "files")
	if err := os.Mkdir(files, 0o700); err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(1, 1))
	contents := make([][]byte, n)
	for i := range contents {
		size := r.IntN(64<<10 + 1)
		switch i {
		case 0:
			size = 0
		case 1:
			size = 64 << 10
		}
		contents[i] = make([]byte, size)
		for k := range contents[i] {
			contents[i][k] = byte(r.Uint32())
		}
		if err := os.WriteFile(filepath.Join(files, fmt.Sprint(i)), contents[i], 0o600); err != nil {
			return err
		}
	}
	for _, client := range []struct {
		name string
		send func(ctx context.Context, tasks []task) ([]any, error)
	}{
		{"curl", b.curl},
		{"Python requests", func(ctx context.Context, tasks []task) (out []any, err error) {
			return out, b.client(ctx, b.onDisk(tasks), &out, b.python, "verify/uploads/client.py")
		}},
		{"Node fetch", func(ctx context.Context, tasks []task) (out []any, err error) {
			return out, b.client(ctx, b.onDisk(tasks), &out, "node", "verify/uploads/client.mjs")
		}},
		{"Chromium fetch", func(ctx context.Context, tasks []task) ([]any, error) {
			report, err := b.page(ctx, map[string]any{"tasks": tasks})
			statuses, _ := report["statuses"].([]any)
			return statuses, err
		}},
	} {
		for _, operation := range []string{"PutObject", "PostObject"} {
			began := time.Now()
			var tasks []task
			var keys []string
			for i := range n {
				keys = append(keys, fmt.Sprintf("%s/%s/ä %d+&.bin", client.name, operation, i))
			}
			a, err := b.ask(ctx, map[string]any{"operation": operation, "keys": keys})
			if err != nil {
				return err
			}
			for i, key := range keys {
				t := task{URL: a.URLs[key], Headers: a.Headers, File: fmt.Sprint(i), key: key}
				if operation == "PostObject" {
					t = task{URL: a.Posts[key].URL, Fields: a.Posts[key].Fields, File: fmt.Sprint(i), key: key}
				}
				tasks = append(tasks, t)
			}
			statuses, err := client.send(ctx, tasks)
			problem := ""
			switch {
			case err != nil:
				problem = err.Error()
			case len(statuses) != n:
				problem = fmt.Sprintf("%d answers to %d uploads", len(statuses), n)
			default:
				problem = wrong(statuses, 200, 201, 204)
			}
			for i := 0; i < n && problem == ""; i++ {
				if err := b.same(ctx, keys[i], contents[i]); err != nil {
					problem = err.Error()
				}
			}
			b.report(fmt.Sprintf("%d files of 0 to 64 KiB by %s with %s come back equal", n, operation, client.name), began, problem)
		}
	}
	return nil
}

// onDisk are tasks whose files have paths.
func (b *bench) onDisk(tasks []task) []task {
	out := make([]task, len(tasks))
	for i, t := range tasks {
		t.File = filepath.Join(b.scratch, "files", t.File)
		out[i] = t
	}
	return out
}

// curl sends tasks by a config file, several at a time.
func (b *bench) curl(ctx context.Context, tasks []task) ([]any, error) {
	quote := func(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }
	var config bytes.Buffer
	for i, t := range b.onDisk(tasks) {
		if i > 0 {
			config.WriteString("next\n")
		}
		config.WriteString("globoff\npath-as-is\nsilent\noutput = /dev/null\nwrite-out = \"%{http_code}\\n\"\nurl = " + quote(t.URL) + "\n")
		for name, value := range t.Headers {
			config.WriteString("header = " + quote(name+": "+value) + "\n")
		}
		for _, f := range t.Fields {
			config.WriteString("form-string = " + quote(f[0]+"="+f[1]) + "\n")
		}
		if t.Fields != nil {
			config.WriteString("form = " + quote("file=@"+t.File) + "\n")
		} else {
			config.WriteString("upload-file = " + quote(t.File) + "\n")
		}
	}
	path := filepath.Join(b.scratch, "curl.txt")
	if err := os.WriteFile(path, config.Bytes(), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "curl", "--disable", "-Z", "--parallel-max", "8", "-K", path)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("curl: %w", err)
	}
	var statuses []any
	for line := range strings.Lines(string(out)) {
		var n float64
		if _, err := fmt.Sscan(line, &n); err == nil {
			statuses = append(statuses, n)
		}
	}
	return statuses, nil
}

// fromAPage has a page send what is signed with headers: whole, a checksum, metadata, encryption, never overwriting.
func (b *bench) fromAPage(ctx context.Context) error {
	began := time.Now()
	content, err := os.ReadFile(filepath.Join(b.scratch, "files", "1"))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	item := map[string]any{
		"key": "page/guarded", "create_only": true, "content_type": "text/x-page", "metadata": map[string]string{"who": "page"},
		"checksum_sha256": base64.StdEncoding.EncodeToString(sum[:]), "server_side_encryption": "AES256",
	}
	a, err := b.ask(ctx, map[string]any{"operation": "PutObject", "keys": []any{item}})
	if err != nil {
		return err
	}
	t := task{URL: a.URLs["page/guarded"], Headers: a.Headers, File: "1"}
	if own, ok := a.ItemHeaders["page/guarded"]; ok {
		t.Headers = own
	}
	damaged := t
	damaged.File = "2"
	for _, step := range []struct {
		what string
		task task
		want float64
	}{
		{"a file that is not what the checksum says is refused", damaged, 400},
		{"the file is stored", t, 200},
		{"and not overwritten", t, 412},
	} {
		report, err := b.page(ctx, map[string]any{"tasks": []task{step.task}})
		if err != nil {
			return err
		}
		statuses, _ := report["statuses"].([]any)
		b.report("from a page: "+step.what, began, wrong(statuses, step.want))
	}
	head, err := b.storage.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("page/guarded")})
	problem := ""
	switch {
	case err != nil:
		problem = "it is not there"
	case aws.ToString(head.ContentType) != "text/x-page" || head.Metadata["who"] != "page":
		problem = fmt.Sprintf("type %q, metadata %v", aws.ToString(head.ContentType), head.Metadata)
	}
	if err := b.same(ctx, "page/guarded", content); err != nil {
		problem = err.Error()
	}
	b.report("from a page: type, metadata and bytes are as they were signed", began, problem)
	return nil
}

// uppy has Uppy's AWS S3 plugin upload, single and in parts.
func (b *bench) uppy(ctx context.Context) error {
	began := time.Now()
	type file struct {
		Key  string `json:"key"`
		Size int64  `json:"size"`
	}
	files := []file{{"uppy/a b+ü.bin", 1000}, {"uppy/empty.bin", 1}, {"uppy/5 MiB.bin", 5 << 20}, {"uppy/in parts.bin", 23_000_001}}
	report, err := b.page(ctx, map[string]any{"uppy": files})
	if err != nil {
		return err
	}
	got, _ := report["uppy"].(map[string]any)
	problem := ""
	if got["ok"] != float64(len(files)) {
		problem = fmt.Sprintf("%v of %d arrived", got["ok"], len(files))
	}
	for _, f := range files {
		if err := b.same(ctx, f.Key, pattern(f.Size, f.Key)); err != nil && problem == "" {
			problem = err.Error()
		}
	}
	b.report(fmt.Sprintf("%d files with Uppy 6 in Chromium, one of them in parts, come back equal", len(files)), began, problem)
	return nil
}

// A large file, and what is special about its upload.
type large struct {
	Upload    map[string]any `json:"upload"`
	Size      int64          `json:"size"`
	Seed      string         `json:"seed"`
	StopAfter int            `json:"stop_after,omitempty"`
	Damage    int            `json:"damage,omitempty"`
}

// largeFiles uploads in parts, eight files at a time. The first is paused until its URLs have ended and then resumed; of the
// second a part is damaged on its way.
func (b *bench) largeFiles(ctx context.Context, n int, size int64) error {
	began := time.Now()
	name := func(i int) string { return fmt.Sprintf("large/%d.bin", i) }
	ask := func(expiresIn int, more map[string]any, numbers ...int) (*answer, error) {
		var keys []string
		for _, i := range numbers {
			keys = append(keys, name(i))
		}
		request := map[string]any{"operation": "MultipartUpload", "size": size, "expires_in": expiresIn, "keys": keys}
		for name, value := range more {
			request[name] = value
		}
		return b.ask(ctx, request)
	}
	const brief = 20 // seconds
	paused, err := ask(brief, nil, 0)
	if err != nil {
		return err
	}
	signed := time.Now()
	var outcomes []struct{ Status, Part, Parts, Damaged int }
	first := large{Upload: paused.Uploads[name(0)], Size: size, Seed: name(0), StopAfter: 5}
	if err := b.client(ctx, []large{first}, &outcomes, "node", "verify/uploads/client.mjs"); err != nil {
		return err
	}
	problem := ""
	if outcomes[0].Parts != 5 {
		problem = fmt.Sprintf("%+v", outcomes[0])
	}
	b.report("an upload is paused after five parts", began, problem)

	var numbers []int
	for i := 1; i < n; i++ {
		numbers = append(numbers, i)
	}
	rest, err := ask(3600, nil, numbers...)
	if err != nil {
		return err
	}
	var tasks []large
	for _, i := range numbers {
		t := large{Upload: rest.Uploads[name(i)], Size: size, Seed: name(i)}
		if i == 1 {
			t.Damage = 3
		}
		tasks = append(tasks, t)
	}
	began = time.Now()
	outcomes = nil
	if err := b.client(ctx, tasks, &outcomes, "node", "verify/uploads/client.mjs"); err != nil {
		return err
	}
	problem = ""
	for i, o := range outcomes {
		if o.Status != 200 && problem == "" {
			problem = fmt.Sprintf("file %d: status %d at part %d", i+1, o.Status, o.Part)
		}
	}
	b.report(fmt.Sprintf("%d files of %d bytes are sent in parts, 8 at a time", len(tasks), size), began, problem)
	problem = ""
	if d := outcomes[0].Damaged; d != 400 {
		problem = fmt.Sprintf("status %d", d)
	}
	b.report("the part that was damaged on its way is refused by its checksum, and sent again", began, problem)

	// The paused one: its URLs have ended, and the rest is signed anew.
	time.Sleep(time.Until(signed.Add((brief + 2) * time.Second)))
	urls, _ := paused.Uploads[name(0)]["part_urls"].(map[string]any)
	b.report("the URLs of the paused upload have ended", began, refused(ctx, fmt.Sprint(urls["12"]), size-11*16<<20))
	resumed, err := ask(3600, map[string]any{"upload_id": paused.Uploads[name(0)]["upload_id"], "resume": true}, 0)
	if err != nil {
		return err
	}
	outcomes = nil
	if err := b.client(ctx, []large{{Upload: resumed.Uploads[name(0)], Size: size, Seed: name(0)}}, &outcomes, "node", "verify/uploads/client.mjs"); err != nil {
		return err
	}
	problem = ""
	there, _ := resumed.Uploads[name(0)]["uploaded_parts"].(map[string]any)
	if outcomes[0].Status != 200 || len(there) != 5 {
		problem = fmt.Sprintf("status %d, %d parts were there", outcomes[0].Status, len(there))
	}
	b.report("it is resumed with the parts that were there", began, problem)

	began = time.Now()
	problem = ""
	for i := range n {
		if err := b.sameParts(ctx, name(i), size); err != nil && problem == "" {
			problem = err.Error()
		}
	}
	b.report(fmt.Sprintf("all %d come back equal", n), began, problem)
	return nil
}

// refused sends a part to a URL that must not work any more. A server may answer before it has read the part, which
// other clients take for a broken connection.
func refused(ctx context.Context, url string, length int64) (problem string) {
	response, err := rawhttp.Do(ctx, "PUT", url, nil, make([]byte, length))
	switch {
	case err != nil:
		return "no answer"
	case response.Status != http.StatusForbidden:
		return fmt.Sprintf("status %d", response.Status)
	}
	return ""
}

// sameParts compares a large object with what its parts were, in flat memory.
func (b *bench) sameParts(ctx context.Context, key string, size int64) error {
	got, err := b.storage.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	if err != nil {
		return fmt.Errorf("%q is not there", key)
	}
	defer got.Body.Close()
	const part = 16 << 20
	for n, at := 1, int64(0); at < size; n, at = n+1, at+part {
		length := min(part, size-at)
		want, have := pattern(length, fmt.Sprintf("%s:%d", key, n)), make([]byte, length)
		if _, err := io.ReadFull(got.Body, have); err != nil || !bytes.Equal(have, want) {
			return fmt.Errorf("%q differs in part %d", key, n)
		}
	}
	if _, err := got.Body.Read(make([]byte, 1)); err != io.EOF {
		return fmt.Errorf("%q is longer than it should be", key)
	}
	return nil
}

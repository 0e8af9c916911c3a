package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"bulkpresign/internal/check/awkward"
	"bulkpresign/internal/localname"
)

// largeSize is that of a file that goes in twelve parts.
const largeSize = 200_000_003

// writeLarge makes a file that no two parts of are equal.
func writeLarge(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if _, err := io.CopyN(f, rand.NewChaCha8([32]byte{16}), largeSize); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

// A command is the command presign, which signs with the session and moves files by its URLs.
type command struct {
	*run
	home string
}

// moved is how a call of it ended.
type moved struct {
	status int
	text   string // on standard error
}

func (c *command) prepare(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.in.presign, args...)
	cmd.Dir = c.home
	cmd.Env = []string{
		"HOME=" + c.home, "AWS_REGION=" + c.region, "AWS_ENDPOINT_URL_S3=" + c.endpoint, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID=" + c.signer.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + c.signer.SecretAccessKey, "AWS_SESSION_TOKEN=" + c.signer.SessionToken,
	}
	return cmd
}

func (c *command) call(ctx context.Context, args ...string) (moved, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := c.prepare(ctx, args...)
	var text bytes.Buffer
	cmd.Stderr = &text
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) || cmd.ProcessState.ExitCode() < 0 {
		return moved{}, fmt.Errorf("presign %s: %w", args[0], err)
	}
	if strings.Contains(text.String(), "X-Amz-Signature") {
		return moved{}, errors.New("presign shows a signature")
	}
	return moved{cmd.ProcessState.ExitCode(), text.String()}, nil
}

// of is what it says of a file.
func (m moved) of(name string) string {
	shown := strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0 || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 {
			return '\ufffd'
		}
		return c
	}, name)
	for line := range strings.Lines(m.text) {
		if said, ok := strings.CutPrefix(line, "presign: "+shown+": "); ok {
			if code, _, ok := strings.Cut(strings.TrimPrefix(said, "S3 answers "), ":"); ok {
				return code
			}
			return strings.TrimSpace(said)
		}
	}
	return "nothing is said of it"
}

// command has the command presign upload small files of awkward names and a large one in parts, be killed on the way, go
// on, and download all of it.
func (r *run) command(ctx context.Context) error {
	home, err := os.MkdirTemp(r.in.temp, "home")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	c := &command{r, home}
	if err := c.otherMD5(ctx); err != nil {
		return err
	}
	if err := c.small(ctx); err != nil {
		return err
	}
	return c.large(ctx)
}

// otherMD5 sends bytes with the MD5 of others, which is not signed: what presign put relies on where a server looks at no newer
// checksum.
func (c *command) otherMD5(ctx context.Context) error {
	f, err := c.function(ctx, c.region, c.signer.AccessKeyID, c.signer.SecretAccessKey, c.signer.SessionToken, "PRESIGN_OPERATIONS=PutObject,MultipartUpload")
	if err != nil {
		return err
	}
	defer f.Close()
	const key = "command/damaged.bin"
	body := []byte("what was damaged on its way")
	whole, err := sign(ctx, f, map[string]any{"operation": "PutObject", "bucket": plainBucket, "keys": []string{key}})
	if err != nil {
		return err
	}
	q, err := whole.request(key, body)
	if err != nil {
		return err
	}
	inParts, err := sign(ctx, f, map[string]any{"operation": "MultipartUpload", "bucket": plainBucket, "keys": []string{key}, "size": len(body)})
	if err != nil {
		return err
	}
	part := request{method: "PUT", url: inParts.Uploads[key].PartURLs["1"], headers: map[string]string{}, body: body}
	for _, one := range []struct {
		name string
		request
	}{{"PutObject", q}, {"MultipartUpload", part}} {
		one.headers = clone(one.headers)
		one.headers["content-md5"] = md5Base64([]byte("other bytes"))
		resp, err := one.send(ctx)
		got := ""
		switch {
		case err != nil:
			got = "no answer"
		case resp.Status != 400:
			got = outcome(resp)
		}
		c.record(one.name+", the MD5 of other bytes", got)
		one.headers["content-md5"] = md5Base64(body)
		c.accept(ctx, one.name+", its MD5", one.request, 200, nil)
	}
	c.accept(ctx, "MultipartUpload, its MD5, abort", request{method: "DELETE", url: inParts.Uploads[key].AbortURL, headers: map[string]string{}}, 204, nil)
	return nil
}

func (c *command) small(ctx context.Context) error {
	type file struct {
		title, name string
		body        []byte
	}
	var files []file
	for _, k := range awkward.Keys() {
		path := filepath.Join(c.home, "up", k.Key)
		if k.Key != filepath.Clean(k.Key) || !filepath.IsLocal(k.Key) {
			continue // no file can have it for a name
		}
		body := []byte("content of " + k.Name)
		if os.MkdirAll(filepath.Dir(path), 0o700) == nil && os.WriteFile(path, body, 0o600) == nil {
			files = append(files, file{k.Name, k.Key, body})
		}
	}
	if len(files) < 70 {
		return fmt.Errorf("only %d awkward keys can be files here", len(files))
	}
	put, err := c.call(ctx, "put", "up", "s3://"+plainBucket+"/command/")
	if err != nil {
		return err
	}
	var keys []string
	failed := 0
	for _, f := range files {
		got := ""
		resp, err := c.asRoot(ctx, "GET", "/"+plainBucket+"/command/"+escape(f.name), "", nil, nil)
		switch {
		case err != nil:
			got = put.of(f.name)
			failed++
		case !bytes.Equal(resp.Body, f.body):
			got = "other bytes"
		default:
			keys = append(keys, f.name)
		}
		c.record("presign put, "+f.title, got)
	}
	c.status("presign put, status", put, failed, len(files))
	again, err := c.call(ctx, "put", "up", "s3://"+plainBucket+"/command/")
	if err != nil {
		return err
	}
	if got := fmt.Sprintf("%d there already", len(keys)); !strings.Contains(again.text, got) {
		c.record("presign put, again", "not all is there already")
	} else {
		c.record("presign put, again", "")
	}

	list, err := json.Marshal(keys)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(c.home, "keys.json"), list, 0o600); err != nil {
		return err
	}
	fetch, err := c.call(ctx, "fetch", "s3://"+plainBucket+"/command/", "-f", "keys.json", "-to", "down")
	if err != nil {
		return err
	}
	var names localname.Names
	there := map[string]file{}
	for _, f := range files {
		there[f.name] = f
	}
	failed = 0
	for _, key := range keys {
		f, got := there[key], ""
		body, err := os.ReadFile(filepath.Join(c.home, "down", names.Of(key)))
		switch {
		case err != nil:
			got = fetch.of("command/" + key)
			failed++
		case !bytes.Equal(body, f.body):
			got = "other bytes"
		}
		c.record("presign fetch, "+f.title, got)
	}
	c.status("presign fetch, status", fetch, failed, len(keys))
	c.record("presign fetch, checksums", unchecked(fetch))
	return nil
}

// status is 0 where nothing failed, 1 where some did.
func (c *command) status(name string, m moved, failed, of int) {
	want := 0
	if failed > 0 {
		want = 1
	}
	got := ""
	if m.status != want {
		got = fmt.Sprintf("%d, where %d of %d failed", m.status, failed, of)
	}
	c.record(name, got)
}

// unchecked tells whether something was not compared with a checksum.
func unchecked(m moved) string {
	if strings.Contains(m.text, "no checksum to compare") {
		return "no checksum to compare"
	}
	return ""
}

// large uploads a file in parts, and downloads it, and is killed each time when some of it has gone.
func (c *command) large(ctx context.Context) error {
	const key = "command large.bin"
	to := "s3://" + plainBucket + "/" + key
	sum, err := sha256Of(c.in.large)
	if err != nil {
		return err
	}
	put := []string{"put", c.in.large, to, "-parallel", "1"}
	var upload string
	if err := c.killed(ctx, put, func() (bool, error) {
		states, _ := filepath.Glob(filepath.Join(c.home, ".cache/presign/uploads/*.json"))
		if len(states) == 0 {
			return false, nil
		}
		text, err := os.ReadFile(states[0])
		var state struct {
			UploadID string `json:"upload_id"`
		}
		if err != nil || json.Unmarshal(text, &state) != nil {
			return false, err
		}
		upload = state.UploadID
		n, err := c.partsOf(ctx, key, upload)
		return n >= 3, err
	}); err != nil {
		return err
	}
	before, err := c.partsOf(ctx, key, upload)
	if err != nil {
		return err
	}
	if _, err := c.asRoot(ctx, "HEAD", "/"+plainBucket+"/"+escape(key), "", nil, nil); err == nil || before > 11 {
		c.record("presign put in parts, killed", "half an object is there, or a whole one")
	} else {
		c.record("presign put in parts, killed", "")
	}
	record := func(name string, args []string, want string) (moved, error) {
		m, err := c.call(ctx, args...)
		got := ""
		if m.status != 0 || !strings.Contains(m.text, want) {
			got = fmt.Sprintf("status %d, and not %q", m.status, want)
		}
		c.record(name, got)
		return m, err
	}
	if _, err := record("presign put in parts, goes on", put, "uploaded 1 file, 190.7 MiB"); err != nil {
		return err
	}
	// Had it begun anew, the upload would still be there.
	got := ""
	if _, err := c.partsOf(ctx, key, upload); err == nil {
		got = "the upload that was begun is still there"
	}
	c.record("presign put in parts, the same upload", got)
	if _, err := record("presign put in parts, again", put, "1 there already"); err != nil {
		return err
	}

	fetch := []string{"fetch", to, "-to", "large"}
	var waits string
	if err := c.killed(ctx, fetch, func() (bool, error) {
		parts, _ := filepath.Glob(filepath.Join(c.home, "large/.presign/*.part"))
		if len(parts) == 0 {
			return false, nil
		}
		waits = parts[0]
		info, err := os.Stat(waits)
		return err == nil && info.Size() >= 20<<20, nil
	}); err != nil {
		return err
	}
	got = ""
	if info, err := os.Stat(waits); err != nil || info.Size() >= largeSize {
		got = "nothing half is waiting"
	} else if _, err := os.Stat(filepath.Join(c.home, "large", key)); err == nil {
		got = "half a file has its name"
	}
	c.record("presign fetch of parts, killed", got)
	m, err := record("presign fetch of parts, goes on", fetch, "downloaded 1 file")
	if err != nil {
		return err
	}
	c.record("presign fetch of parts, checksum", unchecked(m))
	got = ""
	if same, err := sha256Of(filepath.Join(c.home, "large", key)); err != nil || same != sum {
		got = "other bytes"
	}
	c.record("presign fetch of parts, bytes", got)
	_, err = record("presign fetch of parts, again", fetch, "1 there already")
	return err
}

// killed starts the command and kills it when enough is done. It stands still while that is looked at.
func (c *command) killed(ctx context.Context, args []string, enough func() (bool, error)) error {
	cmd := c.prepare(ctx, args...)
	if err := cmd.Start(); err != nil {
		return err
	}
	defer cmd.Wait()
	for deadline := time.Now().Add(time.Minute); ; {
		if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		done, err := enough()
		if done || err != nil || time.Now().After(deadline) {
			cmd.Process.Kill()
			if err == nil && !done {
				err = fmt.Errorf("presign %s does not get far enough to be killed", args[0])
			}
			return err
		}
		if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// partsOf is how many parts of an upload are there.
func (c *command) partsOf(ctx context.Context, key, upload string) (int, error) {
	resp, err := c.asRoot(ctx, "GET", "/"+plainBucket+"/"+escape(key), "uploadId="+url.QueryEscape(upload), nil, nil)
	if err != nil {
		return 0, err
	}
	var list struct {
		Part []struct{ PartNumber int }
	}
	err = xml.Unmarshal(resp.Body, &list)
	return len(list.Part), err
}

func sha256Of(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
}

package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bulkpresign/internal/check/awkward"
	"bulkpresign/internal/standin/s3server"
)

var binary string // of the command as it is built for people

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "presign")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "presign")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// bed is an S3 server that verifies signatures, and a home without anybody's settings.
type bed struct {
	s3   *s3server.Server
	home string
	env  []string
}

func newBed(t *testing.T) *bed {
	t.Helper()
	credentials := s3server.Credentials{AccessKeyID: "ASIAEXAMPLEEXAMPLE00", SecretAccessKey: "not a secret of anybody's", SessionToken: "a token of nobody's", Expires: time.Now().Add(time.Hour)}
	s3, err := s3server.Start(s3server.Config{Region: "eu-west-1", Buckets: []string{"photos"}, Credentials: []s3server.Credentials{credentials}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s3.Close)
	home := t.TempDir()
	return &bed{s3, home, []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "AWS_REGION=eu-west-1", "AWS_ENDPOINT_URL_S3=" + s3.Endpoint(), "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID=" + credentials.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + credentials.SecretAccessKey, "AWS_SESSION_TOKEN=" + credentials.SessionToken,
	}}
}

type result struct {
	out, err string
	status   int
}

// run runs the command. What it writes to standard error never holds a secret.
func (b *bed) run(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env, cmd.Dir, cmd.Stdin = b.env, b.home, strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	for _, secret := range []string{"X-Amz-Signature", "ASIAEXAMPLE", "nobody"} {
		if strings.Contains(errs.String(), secret) {
			t.Errorf("standard error holds %q", secret)
		}
	}
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

func (b *bed) put(t *testing.T, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if err := b.s3.Put("photos", key, []byte("content of "+key)); err != nil {
			t.Fatal(err)
		}
	}
}

// fetch gets what is behind a URL.
func fetch(t *testing.T, url string) string {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal("the URL cannot be used") // without the URL
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if r.StatusCode != http.StatusOK {
		t.Errorf("status %d", r.StatusCode)
	}
	return string(body)
}

func urls(out string) []string { return strings.Split(strings.TrimSuffix(out, "\n"), "\n") }

// The ways to say which keys are meant, and what each gives.
func TestKeys(t *testing.T) {
	b := newBed(t)
	b.put(t, "2024/a.jpg", "2024/b c.jpg", "2024/é.jpg", "2025/d.jpg")
	if err := b.s3.Put("photos", "2024/folder/", nil); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"keys.txt":   "2024/a.jpg\n2025/d.jpg\n",
		"keys.csv":   "bucket,key\nphotos,2024/b c.jpg\n",
		"keys.jsonl": `{"key":"2024/a.jpg","filename":"x.jpg"}` + "\n\"2024/é.jpg\"\n",
		"no-ending":  "2024/a.jpg\n",
	} {
		if err := os.WriteFile(filepath.Join(b.home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name  string
		stdin string
		args  []string
		want  []string // keys
	}{
		{"arguments", "", []string{"s3://photos", "2024/a.jpg", "2024/b c.jpg"}, []string{"2024/a.jpg", "2024/b c.jpg"}},
		{"arguments behind a prefix", "", []string{"s3://photos/2024/", "a.jpg", "é.jpg"}, []string{"2024/a.jpg", "2024/é.jpg"}},
		{"flags behind the arguments", "", []string{"s3://photos", "2024/a.jpg", "-expires", "15m"}, []string{"2024/a.jpg"}},
		{"a key as the address", "", []string{"s3://photos/2024/a.jpg"}, []string{"2024/a.jpg"}},
		{"everything under a prefix, folder markers left out", "", []string{"s3://photos/2024/"}, []string{"2024/a.jpg", "2024/b c.jpg", "2024/é.jpg"}},
		{"the whole bucket", "", []string{"s3://photos/"}, []string{"2024/a.jpg", "2024/b c.jpg", "2024/é.jpg", "2025/d.jpg"}},
		{"a list", "", []string{"s3://photos", "-f", "keys.txt"}, []string{"2024/a.jpg", "2025/d.jpg"}},
		{"a table", "", []string{"s3://photos", "-f", "keys.csv"}, []string{"2024/b c.jpg"}},
		{"JSON Lines", "", []string{"s3://photos", "-f", "keys.jsonl"}, []string{"2024/a.jpg", "2024/é.jpg"}},
		{"a list without an ending is text", "", []string{"s3://photos", "-f", "no-ending"}, []string{"2024/a.jpg"}},
		{"standard input", "a.jpg\n", []string{"s3://photos/2024/", "-f", "-"}, []string{"2024/a.jpg"}},
		{"standard input by a dash", "2025/d.jpg\n", []string{"s3://photos", "-"}, []string{"2025/d.jpg"}},
		{"a key that looks like a flag", "", []string{"s3://photos/2024/", "--", "a.jpg"}, []string{"2024/a.jpg"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := b.run(t, test.stdin, append([]string{"get"}, test.args...)...)
			if r.status != 0 || r.err != "" {
				t.Fatalf("status %d: %s", r.status, r.err)
			}
			got := urls(r.out)
			if len(got) != len(test.want) {
				t.Fatalf("%d URLs, want %d", len(got), len(test.want))
			}
			for i, url := range got {
				if body := fetch(t, url); body != "content of "+test.want[i] {
					t.Errorf("URL %d leads to %q, want %s", i, body, test.want[i])
				}
			}
		})
	}
}

// Every awkward key, one a line of JSON, comes back with a URL that leads to it.
func TestAwkwardKeys(t *testing.T) {
	b := newBed(t)
	var list bytes.Buffer
	for _, k := range awkward.Keys() {
		b.put(t, k.Key)
		line, err := json.Marshal(k.Key)
		if err != nil {
			t.Fatal(err)
		}
		list.Write(append(line, '\n'))
	}
	name := filepath.Join(b.home, "keys.jsonl")
	if err := os.WriteFile(name, list.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	r := b.run(t, "", "get", "s3://photos", "-f", name, "-format", "ndjson")
	if r.status != 0 {
		t.Fatalf("status %d: %s", r.status, r.err)
	}
	lines := urls(r.out)
	if len(lines) != len(awkward.Keys()) {
		t.Fatalf("%d lines, want %d", len(lines), len(awkward.Keys()))
	}
	for i, k := range awkward.Keys() {
		var line struct{ Key, URL string }
		if err := json.Unmarshal([]byte(lines[i]), &line); err != nil {
			t.Fatal(err)
		}
		if line.Key != k.Key || fetch(t, line.URL) != "content of "+k.Key {
			t.Errorf("%s: another key, or another object", k.Name)
		}
	}
}

// An upload with what was signed works, and one without does not.
func TestPut(t *testing.T) {
	b := newBed(t)
	r := b.run(t, "", "put", "s3://photos", "up.png", "-o", "content_type=image/png", "-o", "metadata.author=me")
	if r.status != 0 || !strings.Contains(r.err, "content-type: image/png; x-amz-meta-author: me") {
		t.Fatalf("status %d: %s", r.status, r.err)
	}
	send := func(header string) int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, strings.TrimSpace(r.out), strings.NewReader("body"))
		if err != nil {
			t.Fatal("the URL cannot be used")
		}
		request.Header.Set("Content-Type", header)
		request.Header.Set("X-Amz-Meta-Author", "me")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal("the URL cannot be used")
		}
		response.Body.Close()
		return response.StatusCode
	}
	if status := send("image/gif"); status != http.StatusForbidden {
		t.Errorf("another type: status %d", status)
	}
	if status := send("image/png"); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	if body, err := b.s3.Get("photos", "up.png"); err != nil || string(body) != "body" {
		t.Errorf("the object is %q, %v", body, err)
	}
}

// Mistakes: the status, one sentence, and a hint where there is one.
func TestMistakes(t *testing.T) {
	b := newBed(t)
	b.put(t, "a.jpg")
	if err := os.WriteFile(filepath.Join(b.home, "others.csv"), []byte("bucket,key\nother,a.jpg\nphotos,a.jpg\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		args   []string
		status int
		want   string
	}{
		{nil, 2, "presign get|head"},
		{[]string{"sign"}, 2, `no command "sign"`},
		{[]string{"get"}, 2, "there is no bucket"},
		{[]string{"get", "a.jpg"}, 2, "not s3://BUCKET"},
		{[]string{"get", "s3://photos"}, 2, "there are no keys"},
		{[]string{"get", "s3:///a"}, 2, "no bucket behind"},
		{[]string{"put", "s3://photos/in/"}, 2, "no keys to upload to"},
		{[]string{"get", "s3://photos/none/"}, 2, "no object under"},
		{[]string{"get", "s3://photos", "a", "-expires", "8d"}, 2, "a week at most"},
		{[]string{"get", "s3://photos", "a", "-expires", "soon"}, 2, "15m, 12h, 7d"},
		{[]string{"get", "s3://photos", "a", "-format", "xml"}, 2, "the formats are"},
		{[]string{"get", "s3://photos", "a", "-f", "x"}, 2, "keys and a list"},
		{[]string{"get", "s3://photos", "-f", "x"}, 2, "no such file"},
		{[]string{"get", "s3://photos", "a", "-o", "filename"}, 2, "NAME=VALUE"},
		{[]string{"get", "s3://photos", "a", "-o", "format=csv"}, 2, "-format says it"},
		{[]string{"get", "s3://photos", "a", "-o", "expires-in=60"}, 2, "-expires says it"},
		{[]string{"get", "s3://photos", "a", "-o", "nonsense=1"}, 2, `"nonsense"`},
		{[]string{"get", "s3://photos", "a", "-o", "content_type=x"}, 2, "content_type"},
		{[]string{"get", "s3://photos", "a", "-nonsense"}, 2, "-nonsense"},
		{[]string{"get", "s3://photos", "a", "-addressing", "path", "-endpoint-url", "ftp://x"}, 2, "http://"},
		{[]string{"get", "s3://photos", "../x", ""}, 2, "none of 2 keys"},
		{[]string{"get", "s3://photos", "a.jpg", "../x"}, 1, "1 of 2 keys failed"},
		{[]string{"get", "s3://photos", "-f", "others.csv"}, 1, "line 2: the list names bucket other"},
		{[]string{"doctor"}, 2, "wants one URL"},
		{[]string{"completion", "tcsh"}, 2, "bash, zsh and fish"},
	}
	for _, test := range tests {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			r := b.run(t, "", test.args...)
			if r.status != test.status || !strings.Contains(r.err, test.want) {
				t.Errorf("status %d, want %d; it says:\n%s", r.status, test.status, r.err)
			}
			if signed := r.out != ""; signed != (test.status == 1) {
				t.Errorf("something is on standard output: %v", signed)
			}
		})
	}
}

// Without a region or credentials it says what is missing, and does not sign with nothing.
func TestNobody(t *testing.T) {
	b := newBed(t)
	b.env = []string{"HOME=" + b.home, "AWS_EC2_METADATA_DISABLED=true"}
	if r := b.run(t, "", "get", "s3://photos", "a"); r.status != 2 || !strings.Contains(r.err, "-region") {
		t.Errorf("status %d: %s", r.status, r.err)
	}
	if r := b.run(t, "", "get", "s3://photos", "a", "-region", "eu-west-1"); r.status != 2 || !strings.Contains(r.err, "credentials") {
		t.Errorf("status %d: %s", r.status, r.err)
	}
}

// A profile's keys are used where it is named.
func TestProfile(t *testing.T) {
	b := newBed(t)
	b.put(t, "a")
	var kept []string
	var file strings.Builder
	file.WriteString("[profile mine]\nregion = eu-west-1\n")
	for _, v := range b.env {
		name, value, _ := strings.Cut(v, "=")
		if key, ok := strings.CutPrefix(name, "AWS_"); ok && strings.Contains("ACCESS_KEY_ID SECRET_ACCESS_KEY SESSION_TOKEN", key) {
			fmt.Fprintf(&file, "aws_%s = %s\n", strings.ToLower(key), value)
		} else if name != "AWS_REGION" {
			kept = append(kept, v)
		}
	}
	config := filepath.Join(b.home, "config")
	if err := os.WriteFile(config, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	b.env = append(kept, "AWS_CONFIG_FILE="+config)
	r := b.run(t, "", "get", "s3://photos", "a", "-profile", "mine")
	if r.status != 0 {
		t.Fatalf("status %d: %s", r.status, r.err)
	}
	if fetch(t, strings.TrimSpace(r.out)) != "content of a" {
		t.Error("another object")
	}
}

// What is written to a file is for its owner alone, and an older one stays where the command fails.
func TestOut(t *testing.T) {
	b := newBed(t)
	name := filepath.Join(b.home, "list")
	if r := b.run(t, "", "get", "s3://photos", "a", "b", "-out", name); r.status != 0 || r.out != "" {
		t.Fatalf("status %d, %d bytes on standard output", r.status, len(r.out))
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	before, err := os.ReadFile(name)
	if err != nil || len(urls(string(before))) != 2 {
		t.Fatalf("%d lines, %v", len(urls(string(before))), err)
	}
	b.run(t, "", "get", "s3://photos", "a", "-o", "nonsense=1", "-out", name)
	if after, err := os.ReadFile(name); err != nil || !bytes.Equal(before, after) {
		t.Error("a call that failed changed the file")
	}
	if err := os.Mkdir(filepath.Join(b.home, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if r := b.run(t, "", "get", "s3://photos", "a", "-out", filepath.Join(b.home, "folder")); r.status != 2 {
		t.Errorf("a folder: status %d", r.status)
	}
	if files, _ := filepath.Glob(filepath.Join(b.home, ".presign-*")); len(files) > 0 {
		t.Errorf("left behind: %v", files)
	}
}

// Every help fits a terminal of 24 lines and 80 columns.
func TestHelp(t *testing.T) {
	b := newBed(t)
	for _, args := range [][]string{{"-h"}, {"help"}, {"get", "-h"}, {"head", "-h"}, {"put", "-h"}, {"fetch", "-h"}, {"delete", "s3://b", "-h"}, {"doctor", "-h"}, {"completion", "-h"}} {
		r := b.run(t, "", args...)
		if lines := strings.Count(r.out, "\n"); r.status != 0 || lines == 0 || lines > 24 {
			t.Errorf("%v: status %d, %d lines", args, r.status, lines)
		}
		for line := range strings.Lines(r.out) {
			if len(line) > 81 {
				t.Errorf("a line of %d characters: %s", len(line), line)
			}
		}
	}
}

// The completions are programs that their shells understand.
func TestCompletion(t *testing.T) {
	b := newBed(t)
	r := b.run(t, "", "completion", "bash")
	script := r.out + `
COMP_WORDS=(presign get -format nd) COMP_CWORD=3; _presign; echo "${COMPREPLY[*]}"
COMP_WORDS=(presign do) COMP_CWORD=1; _presign; echo "${COMPREPLY[*]}"
`
	out, err := exec.CommandContext(t.Context(), "bash", "--norc", "-c", script).Output()
	if err != nil || string(out) != "ndjson\ndoctor\n" {
		t.Errorf("%q, %v", out, err)
	}
	b.write(t, "completion.fish", []byte(b.run(t, "", "completion", "fish").out))
	b.write(t, "completion.zsh", []byte(b.run(t, "", "completion", "zsh").out))
	bin := "PATH=" + filepath.Dir(binary) + ":" + os.Getenv("PATH")
	has := func(t *testing.T, name string) string {
		shell, err := exec.LookPath(name)
		if err != nil {
			t.Skip(name + " is missing: it reads what is tested here")
		}
		return shell
	}
	t.Run("fish", func(t *testing.T) {
		fish := exec.CommandContext(t.Context(), has(t, "fish"), "--no-config", "-c", "source completion.fish; complete -C 'presign get -format nd'; complete -C 'presign do'; complete -C 'presign get -list-format bat'")
		fish.Dir, fish.Env = b.home, []string{"HOME=" + b.home, bin}
		if out, err := fish.Output(); err != nil || string(out) != "ndjson\ndoctor\nbatch-report\n" {
			t.Errorf("%q, %v", out, err)
		}
	})
	t.Run("zsh", func(t *testing.T) {
		zsh := exec.CommandContext(t.Context(), has(t, "zsh"), "-f", "-i")
		zsh.Dir, zsh.Env = b.home, []string{"HOME=" + b.home, bin, "TERM=xterm"}
		if out := typed(t, zsh, "autoload -Uz compinit; compinit -u -D; source ./completion.zsh; echo rea''dy\n", "ready", "presign get -format nd\t", "ndjson"); out != "" {
			t.Error(out)
		}
	})
}

// The doctor reads a URL from an argument or standard input, and S3's answer from a file.
func TestDoctor(t *testing.T) {
	b := newBed(t)
	signed := b.run(t, "", "get", "s3://photos", "missing.jpg")
	response, err := http.Get(strings.Replace(strings.TrimSpace(signed.out), "missing.jpg", "another.jpg", 1))
	if err != nil {
		t.Fatal("the URL cannot be used")
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(b.home, "response.xml")
	if err := os.WriteFile(name, body, 0o600); err != nil {
		t.Fatal(err)
	}
	r := b.run(t, strings.ReplaceAll(signed.out, "&", "&amp;"), "doctor", "-response", name, "-")
	for _, want := range []string{"S3 says SignatureDoesNotMatch", "escaped for HTML", "ASIA...LE00"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("it does not say %q:\n%s", want, r.out)
		}
	}
	if r.status != 0 {
		t.Errorf("status %d: %s", r.status, r.err)
	}
	var report struct{ Findings []struct{ Likelihood string } }
	if err := json.Unmarshal([]byte(b.run(t, "", "doctor", "-json", "https://example.com/").out), &report); err != nil || len(report.Findings) == 0 {
		t.Errorf("-json: %v", err)
	}
}

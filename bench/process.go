package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

//go:embed boto3_loop.py
var boto3Loop string

//go:embed presigner_loop.cjs
var presignerLoop string

//go:embed python_loop.py
var pythonLoop string

//go:embed aws4_loop.cjs
var aws4Loop string

// What install.sh made.
const (
	boto3Python    = "../.cache/boto3/bin/python"
	otherPython    = "../.cache/bench-python/bin/python"
	javaScriptHome = "../.cache/bench-javascript"
	javaHome       = "../.cache/bench-java"
	rustBinary     = "../.cache/bench-rust/release/bench-rust"
)

// program is how a contestant in another language is started.
type program struct {
	name, is string
	needs    string // a file of it that is not there if it was not installed
	command  []string
	keys     int // a sample
}

func programs() []program {
	const javaScript = javaScriptHome + "/complete"
	python := func(name, is string, keys int) program {
		return program{name, is, otherPython, []string{otherPython, "-I", "-c", pythonLoop, name}, keys}
	}
	all := []program{
		{"boto3", "Python", boto3Python, []string{boto3Python, "-I", "-c", boto3Loop}, processKeys},
		python("minio", "Python", processKeys),
		python("awscrt", "Python over C", headline),
		python("obstore", "Python over Rust, sign of a list", headline),
		python("libpresign", "Python over C++, no session token", headline),
		{"@aws-sdk/s3-request-presigner", "JavaScript", javaScript, []string{"node", "-e", presignerLoop}, processKeys},
		{"aws4", "JavaScript", javaScript, []string{"node", "-e", aws4Loop, "aws4"}, processKeys},
		{"aws4fetch", "JavaScript", javaScript, []string{"node", "-e", aws4Loop, "aws4fetch"}, processKeys},
		{"S3Presigner", "the SDK for Java", javaHome + "/complete",
			[]string{"java", "-cp", javaHome + "/target/classes:" + javaHome + "/lib/*", "PresignerLoop"}, headline},
	}
	for _, name := range []string{"rusty-s3", "aws-sigv4", "reqsign", "object_store", "opendal"} {
		all = append(all, program{name, "Rust", rustBinary, []string{rustBinary, name}, headline})
	}
	return all
}

// A process is a contestant in another language. It reads a line of JSON for each task and
// answers with one: first the setup, to which it answers with its version, then lists of
// keys, to which it answers with the time that signing them took by its own clock, reading
// and writing JSON left out. Between two tasks it sleeps.
type process struct {
	version string
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	answers *json.Decoder
}

type setup struct {
	Bucket          string `json:"bucket"`
	Region          string `json:"region"`
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
	SessionToken    string `json:"session_token"`
	ExpiresIn       int    `json:"expires_in"` // seconds
}

type task struct {
	Keys     []string `json:"keys"`
	WantURLs bool     `json:"want_urls"`
}

func (p *program) start() (*process, error) {
	if _, err := os.Stat(p.needs); err != nil {
		return nil, errors.New("it is not installed")
	}
	path, err := exec.LookPath(p.command[0])
	if err != nil {
		return nil, fmt.Errorf("there is no %s", p.command[0])
	}
	cmd := exec.Command(path, p.command[1:]...)
	cmd.Env = []string{
		"NODE_PATH=" + javaScriptHome + "/node_modules",
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
		"NODE_NO_WARNINGS=1", // the SDK warns of Node releases that it will leave behind
	}
	return start(cmd)
}

func start(cmd *exec.Cmd) (*process, error) {
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, stdin: stdin, answers: json.NewDecoder(stdout)}
	var hello struct{ Version string }
	if err := p.ask(setup{
		Bucket:          bucket,
		Region:          region,
		AccessKeyID:     accessKeyID,
		SecretAccessKey: secretAccessKey,
		SessionToken:    sessionToken,
		ExpiresIn:       int(expiry / time.Second),
	}, &hello); err != nil {
		p.stop()
		return nil, fmt.Errorf("it does not start: %w", err)
	}
	p.version = hello.Version
	return p, nil
}

func (p *process) ask(question, answer any) error {
	if err := json.NewEncoder(p.stdin).Encode(question); err != nil {
		return err
	}
	return p.answers.Decode(answer)
}

func (p *process) time(keys []string) (time.Duration, error) {
	var answer struct{ NS int64 }
	err := p.ask(task{Keys: keys}, &answer)
	return time.Duration(answer.NS), err
}

func (p *process) urls(keys []string) ([]string, error) {
	var answer struct{ URLs []string }
	err := p.ask(task{Keys: keys, WantURLs: true}, &answer)
	return answer.URLs, err
}

// stop ends the process, which ends by itself when there is nothing more to read.
func (p *process) stop() {
	p.stdin.Close()
	p.cmd.Wait()
}

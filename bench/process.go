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

const (
	boto3Python    = "../.cache/boto3/bin/python"
	javaScriptHome = "../.cache/bench-javascript"
)

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

func startBoto3() (*process, error) {
	if _, err := os.Stat(boto3Python); err != nil {
		return nil, errors.New("there is no Python with boto3 in .cache/boto3")
	}
	cmd := exec.Command(boto3Python, "-I", "-c", boto3Loop)
	cmd.Env = []string{
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
	}
	return start(cmd)
}

func startJavaScript() (*process, error) {
	if _, err := os.Stat(javaScriptHome + "/complete"); err != nil {
		return nil, errors.New("there is no AWS SDK for JavaScript in .cache/bench-javascript")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, errors.New("there is no node")
	}
	cmd := exec.Command(node, "-e", presignerLoop)
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

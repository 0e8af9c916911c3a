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

	"bulkpresign/internal/standin/s3server"
)

//go:embed boto3_loop.py
var boto3Loop string

const boto3Python = ".cache/boto3/bin/python"

// boto3 is a Python process that signs lists when it is told to.
type boto3 struct {
	version string
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	answers *json.Decoder
}

func startBoto3(c s3server.Credentials, endpoint string) (*boto3, error) {
	if _, err := os.Stat(boto3Python); err != nil {
		return nil, errors.New("there is no Python with boto3 in .cache/boto3: make boto3 installs it")
	}
	b := &boto3{cmd: exec.Command(boto3Python, "-I", "-c", boto3Loop)}
	b.cmd.Env = []string{"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true"}
	b.cmd.Stderr = os.Stderr
	stdin, err := b.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	b.stdin, b.answers = stdin, json.NewDecoder(stdout)
	var hello struct{ Version string }
	if err := b.ask(map[string]string{
		"region": region, "endpoint": endpoint, "lists": lists, "results": results,
		"access_key_id": c.AccessKeyID, "secret_access_key": c.SecretAccessKey, "session_token": c.SessionToken,
	}, &hello); err != nil {
		b.stop()
		return nil, fmt.Errorf("boto3 does not start: %w", err)
	}
	b.version = hello.Version
	return b, nil
}

func (b *boto3) ask(question, answer any) error {
	if err := json.NewEncoder(b.stdin).Encode(question); err != nil {
		return err
	}
	return b.answers.Decode(answer)
}

// sign signs a list and returns how long that took.
func (b *boto3) sign(list, result string) (time.Duration, error) {
	var answer struct{ NS int64 }
	err := b.ask(map[string]string{"list": list, "result": result}, &answer)
	return time.Duration(answer.NS), err
}

// stop ends the process, which ends by itself when there is nothing more to read.
func (b *boto3) stop() {
	b.stdin.Close()
	b.cmd.Wait()
}

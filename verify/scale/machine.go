package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"bulkpresign/internal/standin/s3server"
)

// machine is LocalStack, of which Step Functions is used.
type machine struct {
	endpoint string
	stop     func()
}

// startMachine starts LocalStack, with an environment of its own. Its tasks call a Lambda and read an S3.
func startMachine(ctx context.Context, python, lambda, s3 string, c s3server.Credentials) (*machine, error) {
	home, err := os.MkdirTemp("", "localstack")
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	l.Close()
	log, err := os.Create(filepath.Join(home, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(python, "verify/scale/interpreter.py", lambda, s3)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, "GATEWAY_LISTEN=" + address, "DISABLE_EVENTS=1", "DNS_ADDRESS=0",
		"SKIP_SSL_CERT_DOWNLOAD=1", "SERVICES=stepfunctions,s3,sts,lambda", "AWS_ACCESS_KEY_ID=" + c.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + c.SecretAccessKey, "AWS_SESSION_TOKEN=" + c.SessionToken,
	}
	stop, err := startChild(cmd, log)
	if err != nil {
		return nil, err
	}
	m := &machine{endpoint: "http://" + address, stop: func() { stop(); os.RemoveAll(home) }}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(300 * time.Millisecond) {
		response, err := http.Get(m.endpoint + "/_localstack/health")
		if err == nil {
			response.Body.Close()
			return m, nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			text, _ := os.ReadFile(log.Name())
			m.stop()
			return nil, fmt.Errorf("LocalStack does not start: %s", text[max(0, len(text)-2000):])
		}
	}
}

// call calls Step Functions. LocalStack takes any signature.
//
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_Operations.html
func (m *machine) call(ctx context.Context, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, "POST", m.endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "AWSStepFunctions."+operation)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20261127/"+region+"/states/aws4_request, SignedHeaders=host, Signature=0")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return errors.New(operation + ": no answer")
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		var e struct{ Message string }
		_ = json.NewDecoder(response.Body).Decode(&e)
		return fmt.Errorf("%s: status %d: %s", operation, response.StatusCode, e.Message)
	}
	return json.NewDecoder(response.Body).Decode(out)
}

// create makes a machine of the file.
func (m *machine) create(ctx context.Context, name string) (arn string, err error) {
	text, err := definition()
	if err != nil {
		return "", err
	}
	var made struct{ StateMachineArn string }
	err = m.call(ctx, "CreateStateMachine", map[string]any{
		"name": name, "definition": text, "roleArn": "arn:aws:iam::000000000000:role/states", "type": "STANDARD",
	}, &made)
	return made.StateMachineArn, err
}

// execute makes a machine of the file, runs an execution of it to its end and gives its status and output, or its error.
func (m *machine) execute(ctx context.Context, name, execution string, input any) (status, output string, err error) {
	arn, err := m.create(ctx, name)
	if err != nil {
		return "", "", err
	}
	request, err := json.Marshal(input)
	if err != nil {
		return "", "", err
	}
	var started struct{ ExecutionArn string }
	if err := m.call(ctx, "StartExecution", map[string]any{"stateMachineArn": arn, "name": execution, "input": string(request)}, &started); err != nil {
		return "", "", err
	}
	for {
		var seen struct{ Status, Output, Error, Cause string }
		if err := m.call(ctx, "DescribeExecution", map[string]any{"executionArn": started.ExecutionArn}, &seen); err != nil {
			return "", "", err
		}
		if seen.Status != "RUNNING" {
			return seen.Status, strings.TrimSpace(seen.Output + " " + seen.Error + " " + seen.Cause), nil
		}
		select {
		case <-ctx.Done():
			return "", "", ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

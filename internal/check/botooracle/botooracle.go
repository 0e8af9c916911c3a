// Package botooracle asks boto3 for presigned URLs: an opinion on SigV4 and on S3's options
// that shares no code with Go's SDK. It is imported by tests only and needs Python and
// the virtual environment that `make test` makes, or `make boto3` alone.
package botooracle

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bulkpresign/internal/check/sdkoracle"
)

//go:embed presign.py
var script string

//go:embed requirements.txt
var requirements string

// ErrMissing says that there is no virtual environment to run boto3 in.
var ErrMissing = errors.New("boto3 is missing; make boto3 installs it (needs python3)")

// Output is boto3's answer to one request. boto3 hoists no header into the query, so what
// the Go SDK has in the query is in Header here.
type Output struct {
	URL    string
	Header http.Header // the signed headers, as the client must send them, host included
	Err    error       // boto3 refused; it names boto3's exception and quotes nothing

	Fields map[string]string // of a form
}

// Form is what generate_presigned_post is given beside bucket, key and expiry.
type Form struct {
	Fields     map[string]string `json:"fields"`
	Conditions []any             `json:"conditions"`
}

// Require ends a test that has no boto3 to ask: skips it on a developer's machine, fails it
// under CI=true.
func Require(t testing.TB) {
	t.Helper()
	_, err := python()
	switch {
	case err != nil && os.Getenv("CI") == "true":
		t.Fatal(err)
	case err != nil:
		t.Skip(err)
	}
}

// Presign gives boto3's answers, one for each input and in their order, or [ErrMissing].
// Nothing is read from the environment, and boto3's clock stands at each input's time.
// An input costs some 10 to 30 ms.
func Presign(ctx context.Context, inputs []sdkoracle.Input) ([]Output, error) {
	return presign(ctx, inputs, func(int) *Form { return nil })
}

// PresignPost gives boto3's forms as Presign gives its URLs: for each input, whose operation
// and options do not matter, and its form.
func PresignPost(ctx context.Context, inputs []sdkoracle.Input, forms []Form) ([]Output, error) {
	return presign(ctx, inputs, func(i int) *Form { return &forms[i] })
}

func presign(ctx context.Context, inputs []sdkoracle.Input, form func(int) *Form) ([]Output, error) {
	interpreter, err := python()
	if err != nil {
		return nil, err
	}
	var requests bytes.Buffer
	encoder := json.NewEncoder(&requests)
	for i, in := range inputs {
		r := newRequest(in)
		r.Form = form(i)
		if err := encoder.Encode(r); err != nil {
			return nil, err
		}
	}
	cmd := exec.CommandContext(ctx, interpreter, "-I", "-c", script)
	cmd.Env = []string{
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
	}
	cmd.Stdin = &requests
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("boto3: %w\n%s", err, stderr.Bytes())
	}
	return decode(stdout, len(inputs))
}

func decode(stdout []byte, want int) ([]Output, error) {
	decoder := json.NewDecoder(bytes.NewReader(stdout))
	var hello struct{ Boto3 string }
	if err := decoder.Decode(&hello); err != nil {
		return nil, fmt.Errorf("boto3 did not say its version: %w", err)
	}
	if pin := "boto3==" + hello.Boto3; !strings.HasPrefix(requirements, pin+"\n") {
		return nil, fmt.Errorf("%s is installed, which is not what requirements.txt says; run make boto3 again", pin)
	}
	outputs := make([]Output, want)
	for i := range outputs {
		var answer struct {
			URL    string
			Header map[string]string
			Fields map[string]string
			Error  string
		}
		if err := decoder.Decode(&answer); err != nil {
			return nil, fmt.Errorf("boto3's answer %d of %d: %w", i+1, want, err)
		}
		outputs[i] = Output{URL: answer.URL, Header: make(http.Header), Fields: answer.Fields}
		for name, value := range answer.Header {
			outputs[i].Header.Set(name, value)
		}
		if answer.Error != "" {
			outputs[i].Err = errors.New(answer.Error)
		}
	}
	return outputs, nil
}

// request is a line of presign.py's input.
type request struct {
	Operation       string         `json:"operation"`
	Bucket          string         `json:"bucket"`
	Key             string         `json:"key"`
	Region          string         `json:"region"`
	Options         map[string]any `json:"options"`
	ExpiresIn       int64          `json:"expires_in"` // seconds
	Time            string         `json:"time"`       // as in X-Amz-Date
	AccessKeyID     string         `json:"access_key_id"`
	SecretAccessKey string         `json:"secret_access_key"`
	SessionToken    string         `json:"session_token"`
	EndpointURL     string         `json:"endpoint_url"`
	PathStyle       bool           `json:"path_style"`
	DualStack       bool           `json:"dual_stack"`
	FIPS            bool           `json:"fips"`
	Accelerate      bool           `json:"accelerate"`
	UseARNRegion    bool           `json:"use_arn_region"`
	Form            *Form          `json:"form"`
}

func newRequest(in sdkoracle.Input) request {
	return request{
		Operation:       in.Operation,
		Bucket:          in.Bucket,
		Key:             in.Key,
		Region:          in.Region,
		Options:         in.Options,
		ExpiresIn:       int64(in.ExpiresIn / time.Second),
		Time:            in.Time.UTC().Format("20060102T150405Z"),
		AccessKeyID:     in.AccessKeyID,
		SecretAccessKey: in.SecretAccessKey,
		SessionToken:    in.SessionToken,
		EndpointURL:     in.EndpointURL,
		PathStyle:       in.PathStyle,
		DualStack:       in.DualStack,
		FIPS:            in.FIPS,
		Accelerate:      in.Accelerate,
		UseARNRegion:    in.UseARNRegion,
	}
}

// python finds the interpreter of the virtual environment, which is under .cache beside
// go.mod, wherever in the module the test runs.
func python() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("not inside a Go module")
		}
		dir = parent
	}
	interpreter := filepath.Join(dir, ".cache", "boto3", "bin", "python")
	if _, err := os.Stat(interpreter); err != nil {
		return "", ErrMissing
	}
	return interpreter, nil
}

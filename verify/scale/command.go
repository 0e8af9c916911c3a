package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"bulkpresign/internal/check/sigv4verify"
)

// ask has the command presign sign a list by the machine, twice: the second time it finds what the first was given.
func (w *world) ask(ctx context.Context, presign string) error {
	arn, err := w.machine.create(ctx, "command")
	if err != nil {
		return err
	}
	home, err := os.MkdirTemp("", "presign")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	const keys = 3000
	var list strings.Builder
	for i := range keys {
		fmt.Fprintf(&list, "by command/%d\n", i)
	}
	list.WriteString("../x\n")
	w.slow.Store(true)
	defer w.slow.Store(false)
	var first []byte
	for again := range 2 {
		cmd := exec.CommandContext(ctx, presign, "get", "s3://photos", "-", "-expires", "1h", "-job", "s3://lists/manifests/", "-state-machine", arn, "-v")
		cmd.Env = []string{
			"HOME=" + home, "AWS_REGION=" + region, "AWS_ACCESS_KEY_ID=" + w.credentials.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + w.credentials.SecretAccessKey,
			"AWS_SESSION_TOKEN=" + w.credentials.SessionToken, "AWS_ENDPOINT_URL_S3=" + w.s3.Endpoint(), "AWS_ENDPOINT_URL_SFN=" + w.machine.endpoint,
		}
		cmd.Stdin = strings.NewReader(list.String())
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		var ended *exec.ExitError
		if !errors.As(err, &ended) || ended.ExitCode() != 1 || !strings.Contains(errs.String(), "../x: UnsafeKey") {
			return fmt.Errorf("presign ends as %v: %s", err, errs.String())
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		if len(lines) != keys {
			return fmt.Errorf("presign gives %d URLs, want %d", len(lines), keys)
		}
		for i, url := range lines {
			if !strings.Contains(url, fmt.Sprintf("/by%%20command/%d?", i)) {
				return fmt.Errorf("presign gives another URL in line %d", i+1)
			}
			if err := sigv4verify.Verify(sigv4verify.Request{Method: "GET", URL: url}, w.credentials.SecretAccessKey, region, "s3"); err != nil {
				return fmt.Errorf("presign, line %d: %w", i+1, err)
			}
		}
		if again == 0 {
			if first = out; !strings.Contains(errs.String(), " signed") || strings.Contains(errs.String(), ": running") {
				return fmt.Errorf("presign -v does not say how many shards are signed: %s", errs.String())
			}
		} else if !bytes.Equal(out, first) || strings.Contains(errs.String(), "waiting") {
			return errors.New("presign does not find its execution again")
		}
	}
	fmt.Printf("presign -state-machine: %d URLs verify, and are found again\n", keys)
	return nil
}

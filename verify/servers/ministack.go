package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// startMinistack starts MiniStack, the emulator of AWS that takes LocalStack's place here, with S3, IAM and STS of it.
func startMinistack(ctx context.Context, in installation) (_ *server, err error) {
	venv := filepath.Join(filepath.Dir(in.bin), "ministack")
	if _, err := output(exec.CommandContext(ctx, "scripts/venv.sh", "verify/servers/ministack.txt", venv)); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(in.temp, "ministack")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	s := &server{
		endpoint: fmt.Sprintf("http://127.0.0.1:%d", port),
		region:   region,
		root:     aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, // the emulator's own
	}
	cmd := exec.Command(filepath.Join(venv, "bin", "ministack"))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "TMPDIR="+dir, "BIND_HOST=127.0.0.1", fmt.Sprint("GATEWAY_PORT=", port),
		"SERVICES=s3,sts,iam", "MINISTACK_REGION="+region, "AWS_DEFAULT_REGION="+region)
	c, err := startChild(cmd, dir)
	if err != nil {
		return nil, err
	}
	s.stop = c.stop
	defer func() {
		if err != nil {
			c.stop()
		}
	}()
	if err = s.waitFor(ctx, c); err != nil {
		return nil, err
	}
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}`
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`
	if _, err = s.query(ctx, "iam", "Action", "CreateRole", "Version", "2010-05-08", "RoleName", "signer", "AssumeRolePolicyDocument", trust); err != nil {
		return nil, fmt.Errorf("CreateRole: %w", err)
	}
	if _, err = s.query(ctx, "iam", "Action", "PutRolePolicy", "Version", "2010-05-08", "RoleName", "signer", "PolicyName", "everything", "PolicyDocument", policy); err != nil {
		return nil, fmt.Errorf("PutRolePolicy: %w", err)
	}
	const role = "arn:aws:iam::000000000000:role/signer"
	if s.signer, err = s.assumeRole(ctx, sessionLength, "RoleArn", role); err != nil {
		return nil, err
	}
	if s.other, err = s.assumeRole(ctx, sessionLength, "RoleArn", role); err != nil {
		return nil, err
	}
	if s.ending, err = s.assumeRole(ctx, shortSession, "RoleArn", role); err != nil {
		return nil, err
	}
	s.end = untilExpired(s.ending)
	s.role = role
	return s, nil
}

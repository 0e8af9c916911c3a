package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"bulkpresign/internal/standin/s3server"
)

// An installation is where a starter may put things. Paths in it are absolute; the working directory is the
// repository's root.
type installation struct {
	bin  string // programs that were built, kept
	temp string // data and logs of this run

	presign string // the command, as it is built for people
	large   string // a file of largeSize
}

// A starter starts a server, and installs it first where it is missing.
type starter struct {
	name  string
	start func(context.Context, installation) (*server, error)
}

// starters are the servers of the matrix. One more is one more row: what the cases need to know of a server is in
// the fields of server.
var starters = []starter{
	{"gofakes3", startGofakes3},
	{"versitygw", startVersitygw},
	{"radosgw", startRadosgw},
	{"minio", startMinio},
	{"ministack", startMinistack},
}

const (
	region = "eu-west-1"

	sessionLength = time.Hour

	minioVersion = "v0.0.0-20260212201848-7aac2a2c5b7c"
)

// startGofakes3 starts the server that `make demo` and the tests use, in this process.
func startGofakes3(ctx context.Context, _ installation) (*server, error) {
	s := &server{
		region: region,
		root:   permanentCredentials(),
		signer: madeUpSession(sessionLength),
		other:  madeUpSession(sessionLength),
		ending: madeUpSession(shortSession),
	}
	var credentials []s3server.Credentials
	for _, c := range []aws.Credentials{s.root, s.signer, s.other, s.ending} {
		credentials = append(credentials, s3server.Credentials{
			AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken, Expires: c.Expires,
		})
	}
	running, err := s3server.Start(s3server.Config{Region: region, Credentials: credentials})
	if err != nil {
		return nil, err
	}
	s.endpoint, s.stop, s.end = running.Endpoint(), running.Close, untilExpired(s.ending)
	return s, nil
}

// startVersitygw builds ./versitygw and starts it.
func startVersitygw(ctx context.Context, in installation) (*server, error) {
	binary := filepath.Join(in.bin, "versitygw")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./versitygw")
	build.Dir = "verify/servers"
	if _, err := output(build); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	s := &server{
		endpoint: "http://" + address,
		region:   region,
		root:     permanentCredentials(),
		signer:   madeUpSession(sessionLength),
		other:    madeUpSession(sessionLength),
		ending:   madeUpSession(shortSession),
	}
	s.end = untilExpired(s.ending)
	type session struct {
		Access, Secret, Token string
		Expires               time.Time
	}
	var sessions []session
	for _, c := range []aws.Credentials{s.signer, s.other, s.ending} {
		sessions = append(sessions, session{c.AccessKeyID, c.SecretAccessKey, c.SessionToken, c.Expires})
	}
	dir := filepath.Join(in.temp, "versitygw")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	configuration, err := json.Marshal(map[string]any{
		"Address": address, "Region": region, "Dir": dir,
		"RootAccess": s.root.AccessKeyID, "RootSecret": s.root.SecretAccessKey, "Sessions": sessions,
	})
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(binary)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	c, err := startChild(cmd, dir)
	if err != nil {
		return nil, err
	}
	s.stop = c.stop
	if _, err := stdin.Write(append(configuration, '\n')); err != nil {
		c.stop()
		return nil, fmt.Errorf("versitygw: %w", err)
	}
	if err := s.waitFor(ctx, c); err != nil {
		c.stop()
		return nil, err
	}
	return s, nil
}

// startMinio builds MinIO as a program of its own (its licence is the AGPL, so nothing here links it) and starts it.
func startMinio(ctx context.Context, in installation) (*server, error) {
	// A folder for each version, so that another version is another build.
	folder := filepath.Join(in.bin, "minio-"+minioVersion)
	binary := filepath.Join(folder, "minio")
	if _, err := os.Stat(binary); err != nil {
		fmt.Fprintln(os.Stderr, "minio: building it; this takes some minutes the first time")
		install := exec.CommandContext(ctx, "go", "install", "github.com/minio/minio@"+minioVersion)
		install.Dir = in.temp
		install.Env = append(os.Environ(), "GOBIN="+folder, "CGO_ENABLED=0")
		if _, err := output(install); err != nil {
			return nil, err
		}
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(in.temp, "minio")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	s := &server{endpoint: fmt.Sprintf("http://127.0.0.1:%d", port), region: region, root: permanentCredentials(), domain: "localhost"}
	cmd := exec.Command(binary, "server", "--address", strings.TrimPrefix(s.endpoint, "http://"), "--quiet", filepath.Join(dir, "data"))
	cmd.Env = append(os.Environ(),
		"HOME="+dir,
		"MINIO_ROOT_USER="+s.root.AccessKeyID, "MINIO_ROOT_PASSWORD="+s.root.SecretAccessKey,
		"MINIO_SITE_REGION="+region, // without it every region is right
		"MINIO_DOMAIN="+s.domain,
		"MINIO_KMS_SECRET_KEY=verify:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
		"MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CALLHOME_ENABLE=off",
	)
	c, err := startChild(cmd, dir)
	if err != nil {
		return nil, err
	}
	s.stop = c.stop
	fail := func(err error) (*server, error) {
		c.stop()
		return nil, err
	}
	if err := s.waitFor(ctx, c); err != nil {
		return fail(err)
	}
	// It answers before it is ready.
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if s.signer, err = s.assumeRole(ctx, sessionLength); err == nil {
			break
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return fail(err)
		}
	}
	if s.other, err = s.assumeRole(ctx, sessionLength); err != nil {
		return fail(err)
	}
	// MinIO ends no session before 900 s have passed, but it can revoke sessions by a word that they were given.
	const revocable = "ending"
	if s.ending, err = s.assumeRole(ctx, sessionLength, "TokenRevokeType", revocable); err != nil {
		return fail(err)
	}
	s.role = "arn:aws:iam::123456789012:role/signer" // whatever it is called, the session is root's
	s.end = func(ctx context.Context) error {
		_, err := s.asRoot(ctx, "POST", "/minio/admin/v3/revoke-tokens/builtin", url.Values{"tokenRevokeType": {revocable}}.Encode(), nil, nil)
		return err
	}
	return s, nil
}

// Page has the page of the service used in a headless Chromium: as make local serves it, and against Versity's gateway with
// CORS rules as guardrails/cors.json has them, also from origins that may not.
//
// Run it by `make page`. What the browser does and finds is drive.mjs; here is what it stands on.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"bulkpresign/internal/standin/httpapi"
	"bulkpresign/internal/standin/runtimeapi"
	"bulkpresign/page"
	"bulkpresign/verify/gateway"
)

const (
	region = "eu-west-1"
	bucket = "photos"
)

func main() {
	modules := flag.String("modules", ".cache/page/node_modules", "a `folder` with playwright-core and axe-core")
	chromium := flag.String("chromium", "/usr/bin/chromium", "a Chromium")
	pictures := flag.String("pictures", "", "a `folder` to write the pictures of the docs to")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if err := run(ctx, *modules, *chromium, *pictures); err != nil {
		fmt.Fprintln(os.Stderr, "page:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, modules, chromium, pictures string) error {
	scratch, err := os.MkdirTemp("", "page")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	local, stop, err := startLocal(ctx)
	if err != nil {
		return err
	}
	defer stop()

	root := aws.Credentials{AccessKeyID: "AKIA" + rand.Text()[:16], SecretAccessKey: rand.Text()}
	session := aws.Credentials{AccessKeyID: "ASIA" + rand.Text()[:16], SecretAccessKey: rand.Text(), SessionToken: rand.Text() + "/+" + rand.Text() + "=="}
	endpoint, stop, err := gateway.Start(ctx, ".cache/bin/versitygw", scratch, region, root, session)
	if err != nil {
		return err
	}
	defer stop()
	log, err := os.Create(filepath.Join(scratch, "function.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	const operations = "GetObject,HeadObject,PutObject,PostObject,MultipartUpload"
	function, err := runtimeapi.Start(ctx, runtimeapi.Config{Binary: "bin/api/bootstrap", Log: log, Region: region, Timeout: 29 * time.Second, Env: []string{
		"AWS_ACCESS_KEY_ID=" + session.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + session.SecretAccessKey, "AWS_SESSION_TOKEN=" + session.SessionToken,
		"PRESIGN_BUCKETS=" + bucket, "PRESIGN_ENDPOINT_URL=" + endpoint, "PRESIGN_ADDRESSING=path", "PRESIGN_OPERATIONS=" + operations,
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
	}})
	if err != nil {
		return err
	}
	defer function.Close()

	// The page on a static host: the folder alone.
	static, stop, err := listen(http.FileServer(http.Dir("page/site")))
	if err != nil {
		return err
	}
	defer stop()
	// The page beside its service, which lets the static one call, as the template's AllowedOrigins does.
	mux := http.NewServeMux()
	page.Register(mux, page.Settings{Service: "presign", Bucket: bucket, Operations: []string{"GetObject", "HeadObject", "PutObject", "PostObject", "MultipartUpload"}, Storage: []string{endpoint}})
	mux.Handle("/", &httpapi.Handler{Function: function, Routes: []string{"POST /presign"}, CORS: &httpapi.CORS{
		Origins: []string{static}, Methods: []string{"POST"}, Headers: []string{"authorization", "content-encoding", "content-type"}, Expose: []string{"retry-after"}, MaxAge: "0",
	}})
	beside, stop, err := listen(mux)
	if err != nil {
		return err
	}
	defer stop()
	if err := prepare(ctx, endpoint, root, beside); err != nil {
		return err
	}

	task, err := json.Marshal(map[string]string{"local": local, "beside": beside, "static": static, "service": beside + "/presign",
		"modules": modules, "chromium": chromium, "scratch": scratch, "pictures": pictures})
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "node", "verify/page/drive.mjs")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(task), os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "HOME="+scratch)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // so that it ends its browser
	cmd.WaitDelay = 10 * time.Second
	return cmd.Run()
}

func listen(h http.Handler) (url string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go s.Serve(l)
	return "http://" + l.Addr().String(), func() { s.Close() }, nil
}

// startLocal is make local, on a free port. Where its page is, it says first.
func startLocal(ctx context.Context) (url string, stop func(), err error) {
	cmd := exec.CommandContext(ctx, "bin/local", "serve", "-addr", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() }
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := regexp.MustCompile(`^  Page +(http://\S+)/ `).FindStringSubmatch(lines.Text()); m != nil {
			go io.Copy(io.Discard, out)
			return m[1], stop, nil
		}
	}
	stop()
	return "", nil, errors.New("make local does not say where its page is")
}

// prepare makes the bucket, with the rules of guardrails/cors.json for one origin.
func prepare(ctx context.Context, endpoint string, root aws.Credentials, origin string) error {
	storage := s3.New(s3.Options{
		Region: region, BaseEndpoint: aws.String(endpoint), UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return root, nil }),
	})
	if _, err := storage.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket),
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: region}}); err != nil {
		return errors.New("the bucket could not be made")
	}
	text, err := os.ReadFile("guardrails/cors.json")
	if err != nil {
		return err
	}
	var rules types.CORSConfiguration
	if err := json.Unmarshal(text, &rules); err != nil {
		return err
	}
	for i := range rules.CORSRules {
		rules.CORSRules[i].AllowedOrigins = []string{origin}
	}
	if _, err := storage.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: aws.String(bucket), CORSConfiguration: &rules}); err != nil {
		return errors.New("the bucket takes no CORS rules")
	}
	return nil
}

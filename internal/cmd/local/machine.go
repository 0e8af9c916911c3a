package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"time"

	"bulkpresign/internal/standin/httpapi"
	"bulkpresign/internal/standin/runtimeapi"
	"bulkpresign/internal/standin/s3server"
)

const (
	region = "eu-west-1"
	bucket = "photos"

	// The function gets its credentials once, as in Lambda, where they live for about this long.
	sessionLength = 12 * time.Hour
)

// A machine is the whole system in one process and one child: S3, the function, and HTTP in front of it.
type machine struct {
	s3       *s3server.Server
	function *runtimeapi.Function
	front    *http.Server
	url      string // of the front
}

// startMachine starts everything. What the function writes goes to functionLog.
func startMachine(binary, addr string, functionLog io.Writer) (*machine, error) {
	if _, err := os.Stat(binary); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not there; `make build` builds it", binary)
	}
	credentials := s3server.Credentials{
		AccessKeyID:     "ASIA" + rand.Text()[:16],
		SecretAccessKey: rand.Text() + rand.Text()[:14],
		SessionToken:    rand.Text() + rand.Text(),
		Expires:         time.Now().Add(sessionLength),
	}
	m := new(machine)
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	m.url = "http://" + l.Addr().String()
	m.s3, err = s3server.Start(s3server.Config{
		Region:      region,
		Buckets:     []string{bucket},
		Credentials: []s3server.Credentials{credentials},
	})
	if err != nil {
		l.Close()
		return nil, err
	}
	m.function, err = runtimeapi.Start(context.Background(), runtimeapi.Config{
		Binary:    binary,
		Log:       functionLog,
		Timeout:   29 * time.Second, // as in template.yaml
		Instances: 2,
		Name:      "bulkpresign-api",
		Region:    region,
		MemoryMB:  1769,
		Env: []string{
			"AWS_ACCESS_KEY_ID=" + credentials.AccessKeyID,
			"AWS_SECRET_ACCESS_KEY=" + credentials.SecretAccessKey,
			"AWS_SESSION_TOKEN=" + credentials.SessionToken,
			"PRESIGN_BUCKETS=" + bucket,
			"PRESIGN_OPERATIONS=GetObject,HeadObject,PutObject,DeleteObject",
			"PRESIGN_ENDPOINT_URL=" + m.s3.Endpoint(),
			"PRESIGN_ADDRESSING=path",
			// The developer's own AWS configuration is nobody's business here.
			"AWS_CONFIG_FILE=" + os.DevNull,
			"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
			"AWS_EC2_METADATA_DISABLED=true",
		},
	})
	if err != nil {
		l.Close()
		m.s3.Close()
		return nil, err
	}
	m.front = &http.Server{Handler: &httpapi.Handler{Function: m.function}, ReadHeaderTimeout: 10 * time.Second}
	go m.front.Serve(l)
	return m, nil
}

// close ends everything and returns when it is gone.
func (m *machine) close() {
	m.front.Close()
	m.function.Close()
	m.s3.Close()
}

// Package gateway starts Versity's gateway as an S3 server that verifies signatures and knows a bucket's CORS rules.
package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Start starts the gateway, as verify/servers builds it, on a free port, with its files under scratch. It believes root and one
// session, for an hour.
func Start(ctx context.Context, binary, scratch, region string, root, session aws.Credentials) (endpoint string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	address := l.Addr().String()
	l.Close()
	dir := filepath.Join(scratch, "server")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", nil, err
	}
	configuration, err := json.Marshal(map[string]any{
		"Address": address, "Region": region, "Dir": dir, "RootAccess": root.AccessKeyID, "RootSecret": root.SecretAccessKey,
		"Sessions": []map[string]any{{
			"Access": session.AccessKeyID, "Secret": session.SecretAccessKey, "Token": session.SessionToken, "Expires": time.Now().Add(time.Hour),
		}},
	})
	if err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, binary)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() { stdin.Close(); cmd.Process.Kill(); cmd.Wait() }
	if _, err := stdin.Write(append(configuration, '\n')); err != nil {
		stop()
		return "", nil, err
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return "http://" + address, stop, nil
		}
		if time.Now().After(deadline) {
			stop()
			return "", nil, errors.New("the server does not come up")
		}
	}
}

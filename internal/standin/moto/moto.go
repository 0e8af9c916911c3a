// Package moto runs moto's server, a second opinion on how SQS and SNS behave. It is imported by tests and by the
// chaos run, never for anything that is signed: moto believes every signature. It needs Python and the virtual
// environment that `make moto` makes.
package moto

import (
	"bufio"
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

//go:embed server.py
var script string

// ErrMissing says that there is no virtual environment to run moto in.
var ErrMissing = errors.New("moto is missing; make moto installs it (needs python3)")

// Server is a running server.
type Server struct {
	endpoint string
	cmd      *exec.Cmd
	stdin    io.Closer
	stderr   bytes.Buffer
}

// Require starts a server that ends with the test. It ends a test that has no moto to ask: skips it on a
// developer's machine, fails it under CI=true.
func Require(t testing.TB) *Server {
	t.Helper()
	s, err := Start()
	switch {
	case errors.Is(err, ErrMissing) && os.Getenv("CI") != "true":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Start starts a server on a free port of 127.0.0.1 and returns once it listens.
func Start() (*Server, error) {
	python, err := python()
	if err != nil {
		return nil, err
	}
	s := &Server{cmd: exec.Command(python, "-I", "-c", script)}
	s.cmd.Env = []string{"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull}
	s.cmd.Stderr = &s.stderr
	stdin, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	s.stdin = stdin
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("moto: %w", err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("moto did not start: %s", s.stderr.Bytes())
	}
	s.endpoint = strings.TrimSpace(line)
	return s, nil
}

// Endpoint is the server's URL, for every service.
func (s *Server) Endpoint() string { return s.endpoint }

// Close ends the server and returns when it is gone.
func (s *Server) Close() {
	s.stdin.Close()
	s.cmd.Process.Kill() // it keeps nothing
	s.cmd.Wait()
}

// python is the interpreter of the environment, which is found from any folder of the repository.
func python() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "internal/standin/moto/requirements.txt")); err == nil {
			interpreter := filepath.Join(dir, ".cache/moto/bin/python")
			if _, err := os.Stat(interpreter); err != nil {
				return "", ErrMissing
			}
			return interpreter, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", ErrMissing
		}
		dir = parent
	}
}

package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"bulkpresign/internal/check/awkward"
)

const root = "../../.." // of the module

var functionDir string

func removeFunction() {
	if functionDir != "" {
		os.RemoveAll(functionDir)
	}
}

// buildFunction builds the real api function as the Makefile does, once for all tests.
var buildFunction = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "bulkpresign")
	if err != nil {
		return "", err
	}
	functionDir = dir
	// go test keeps a result for as long as the files that the test itself looked at are the same, and does not see
	// what go build reads. So the test looks.
	for _, sources := range []string{"functions", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, sources), func(path string, _ fs.DirEntry, err error) error { return err })
		if err != nil {
			return "", err
		}
	}
	path := filepath.Join(dir, "bootstrap")
	cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", path, "./functions/api")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

func realFunction(t *testing.T) string {
	t.Helper()
	path, err := buildFunction()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// The demo with the function and the events of this repository.
func TestDemoWithTheRealFunction(t *testing.T) {
	if err := demo(t.Context(), realFunction(t), filepath.Join(root, "events"), io.Discard); err != nil {
		t.Fatal(err)
	}
}

// Every awkward key, and those that only a caller who insists may have, in one batch through the HTTP front, the
// runtime API and the real function; then each URL as it is, by a client that changes nothing.
func TestAwkwardKeysWithTheRealFunction(t *testing.T) {
	var functionLog strings.Builder
	m, err := startMachine(realFunction(t), "127.0.0.1:0", &functionLog)
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	d := &demonstration{machine: m, out: io.Discard}

	all := append(awkward.Keys(), awkward.DotSegments()...)
	var keys []string
	files := map[string][]byte{}
	for _, k := range all {
		keys = append(keys, k.Key)
		files[k.Key] = sampleContent(k.Key, "")
	}
	// All uploads come before the first check of a download, so that two keys that became one would show.
	for _, operation := range []string{"PutObject", "HeadObject", "GetObject", "DeleteObject"} {
		r, _, err := d.post(t.Context(), map[string]any{"operation": operation, "keys": keys, "allow_dot_segments": true})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.URLs) != len(keys) {
			t.Errorf("%s: %d URLs, want %d", operation, len(r.URLs), len(keys))
		}
		for _, k := range all {
			if _, err := d.use(t.Context(), r, k.Key, files[k.Key]); err != nil {
				t.Errorf("%s, %s: %v", operation, k.Name, err)
			}
		}
	}
	m.close()
	for _, secret := range []string{"X-Amz-", "Signature", "ASIA"} {
		if strings.Contains(functionLog.String(), secret) {
			t.Errorf("the function's log contains %q", secret)
		}
	}
}

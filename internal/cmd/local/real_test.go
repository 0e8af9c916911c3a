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

// buildFunctions builds the real functions as the Makefile does, once for all tests.
var buildFunctions = sync.OnceValues(func() (string, error) {
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
	for _, name := range []string{"api", "jobs"} {
		cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", filepath.Join(dir, name, "bootstrap"), "./functions/"+name)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w\n%s", err, out)
		}
	}
	return dir, nil
})

// whole is a machine with the real functions.
func whole(t *testing.T) setup {
	t.Helper()
	dir, err := buildFunctions()
	if err != nil {
		t.Fatal(err)
	}
	s := alone("")
	s.of(dir)
	return s
}

// The demo with the functions and the events of this repository. What it says fits a screen, and its last lines show
// a job and what to do next.
func TestDemoWithTheRealFunctions(t *testing.T) {
	var out strings.Builder
	if err := demo(t.Context(), whole(t), filepath.Join(root, "events"), false, &out); err != nil {
		t.Fatal(err)
	}
	said := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(said) > 24 {
		t.Errorf("%d lines, which is more than a screen", len(said))
	}
	last := strings.Join(said[len(said)-5:], "\n")
	for _, want := range []string{"\n5. A job", "; 7 of 7 URLs worked", "demo: 52/52 URLs worked", "\nnext: "} {
		if !strings.Contains("\n"+last, want) {
			t.Errorf("the last lines lack %q:\n%s", want, last)
		}
	}
	if strings.Contains(out.String(), "X-Amz-") || strings.Contains(out.String(), "FAILED") {
		t.Error("it shows a URL or a failure")
	}
}

// Every awkward key, and those that only a caller who insists may have, in one batch through the HTTP front, the
// runtime API and the real function; then each URL as it is, by a client that changes nothing.
func TestAwkwardKeysWithTheRealFunction(t *testing.T) {
	var functionLog lockedBuffer
	set := whole(t)
	set.log = &functionLog
	m, err := startMachine(set)
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
		if strings.Contains(functionLog.text.String(), secret) {
			t.Errorf("the function's log contains %q", secret)
		}
	}
}

package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// A commit that touches only the docs deploys nothing: what it builds has the same bytes, so that SAM finds the
// same package. One that touches the code is in the record of each request.
func TestDocsDeployNothing(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("../../.git"); err != nil {
		t.Skip("not a clone of git, whose last commit is part of the binary")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	clone := filepath.Join(t.TempDir(), "clone")
	run := func(dir, name string, args ...string) {
		t.Helper()
		c := exec.CommandContext(t.Context(), name, args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
	}
	run(root, "git", "-c", "safe.directory=*", "clone", "-q", "--shared", root, clone)
	architecture := map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]
	build := func(changed, text string) []byte {
		t.Helper()
		if changed != "" {
			path := filepath.Join(clone, changed)
			old, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, append(old, text...), 0o644); err != nil {
				t.Fatal(err)
			}
			run(clone, "git", "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qam", "change "+changed)
		}
		to := t.TempDir()
		run(clone, "make", "-s", "build-ApiFunction", "ARCHITECTURE="+architecture, "ARTIFACTS_DIR="+to)
		binary, err := os.ReadFile(filepath.Join(to, "bootstrap"))
		if err != nil {
			t.Fatal(err)
		}
		return binary
	}
	before := build("", "")
	if !bytes.Equal(before, build("docs/README.md", "\nOne more line.\n")) {
		t.Error("a commit to the docs changes the function")
	}
	if bytes.Equal(before, build("functions/api/main.go", "\n// One more line.\n")) {
		t.Error("a commit to the code does not change the build in the records")
	}
}

package main_test

import (
	"os/exec"
	"strings"
	"testing"
)

// notDeployed are the wings of the house that no function may reach: what stands in for AWS on one
// machine, what judges, what proves, what measures, and the commands for people.
var notDeployed = []string{
	"bulkpresign/internal/standin",
	"bulkpresign/internal/check",
	"bulkpresign/internal/cmd",
	"bulkpresign/verify",
	"bulkpresign/bench",
	"bulkpresign/cmd",
}

// What may be linked where: the signer needs the standard library and a look at the
// processor's features, and no function carries a test's parts.
func TestImports(t *testing.T) {
	deps := func(pattern string) []string {
		out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", pattern).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(out))
	}
	for _, path := range deps("bulkpresign/internal/sigv4") {
		if !strings.HasPrefix(path, "bulkpresign/internal/sigv4") && path != "golang.org/x/sys/cpu" {
			t.Errorf("internal/sigv4 reaches %s", path)
		}
	}
	for _, path := range deps("bulkpresign/functions/...") {
		for _, wing := range notDeployed {
			if strings.HasPrefix(path, wing) {
				t.Errorf("a function reaches %s", path)
			}
		}
		if strings.Contains(path, "gofakes3") {
			t.Errorf("a function reaches %s", path)
		}
	}
	// The synchronous answer waits for what is loaded: nothing of lists and queues is.
	for _, path := range deps("bulkpresign/functions/api") {
		for _, async := range []string{"internal/manifest", "internal/queueevent", "internal/bucketevent", "internal/job", "parquet-go", "aws-lambda-go/events"} {
			if strings.Contains(path, async) {
				t.Errorf("the api function reaches %s", path)
			}
		}
		// Of the SDK's default chain, the clients for single sign-on are never used in Lambda,
		// but since config v1.33.12 they build a model of their API whenever a program starts,
		// which takes longer than all that this function does before its first poll.
		if strings.HasPrefix(path, "github.com/aws/") && strings.HasSuffix(path, "/schemas") {
			t.Errorf("the api function reaches %s, which makes its start slower: see make bench-coldstart", path)
		}
	}
}

package main_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var exported = regexp.MustCompile(`(AWS_[A-Z0-9_]+)=(\S+)`)

// A list goes to the jobs function through its bucket and queue, and what it signs comes back; the same call finds the
// same result again.
func TestJob(t *testing.T) {
	b := newBed(t)
	b.env = []string{"HOME=" + b.home, "PATH=" + os.Getenv("PATH"), "AWS_EC2_METADATA_DISABLED=true"}
	serveLocal(t, b, func(line string) bool {
		if !strings.Contains(line, "export ") {
			return false
		}
		for _, found := range exported.FindAllStringSubmatch(line, -1) {
			b.env = append(b.env, found[1]+"="+found[2])
		}
		return strings.Contains(line, "AWS_ENDPOINT_URL_S3")
	})
	var list strings.Builder
	list.WriteString("hello world.txt\n../x\n")
	const count = 20_000
	for i := range count {
		fmt.Fprintf(&list, "key %d\n", i)
	}
	b.write(t, "keys.txt", []byte(list.String()))
	call := []string{"get", "s3://photos", "-f", "keys.txt", "-expires", "10m", "-job", "s3://lists/manifests/", "-results", "s3://results/results/"}
	r := b.run(t, "", call...)
	got := urls(r.out)
	if r.status != 1 || len(got) != count+1 || !strings.Contains(r.err, "../x: UnsafeKey") || !strings.Contains(r.err, "1 of 20002 keys failed") {
		t.Fatalf("status %d, %d URLs: %s", r.status, len(got), r.err)
	}
	if body := fetch(t, got[0]); !strings.HasPrefix(body, "Hello") {
		t.Errorf("the first URL leads to %q", body)
	}
	again := b.run(t, "", call...)
	if again.status != 1 || again.out != r.out || strings.Contains(again.err, "waiting") {
		t.Errorf("again: status %d, the same: %v: %s", again.status, again.out == r.out, again.err)
	}
	r = b.run(t, "", append(call, "-o", "nonsense=1")...)
	if r.status != 2 || !strings.Contains(r.err, "the job failed") {
		t.Errorf("an option that is none: status %d: %s", r.status, r.err)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"-job", "s3://lists/manifests/"}, "-results"},
		{[]string{"-job", "s3://lists/x", "-results", "s3://results/results/"}, "end in /"},
		{[]string{"-job", "s3://lists/manifests/", "-results", "s3://results/results/", "-format", "csv"}, "url and ndjson"},
	} {
		if r := b.run(t, "", append([]string{"get", "s3://photos", "a"}, test.args...)...); r.status != 2 || !strings.Contains(r.err, test.want) {
			t.Errorf("%v: status %d: %s", test.args, r.status, r.err)
		}
	}
}

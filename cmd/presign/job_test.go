package main_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var exported = regexp.MustCompile(`(AWS_[A-Z0-9_]+)=(\S+)`)

var waiting = regexp.MustCompile(`presign: waiting, \d+s: no result yet`)

// A list goes to the jobs function through its bucket and queue, and what it signs comes back; the same call finds the
// same result again.
func TestJob(t *testing.T) {
	t.Parallel() // it waits for most of its time
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
	long := strings.Repeat("x", 450)
	for i := range count {
		fmt.Fprintf(&list, "key %d %s\n", i, long) // more than goes into one member of gzip
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
	for _, found := range [][]string{{"-job", "auto", "-function", "bulkpresign-jobs"}, {"-job", "s3://lists/manifests/", "-function", "bulkpresign-api"}} {
		if r := b.run(t, "", append(call[:6:6], found...)...); r.status != 1 || r.out != again.out || strings.Contains(r.err, "waiting") {
			t.Errorf("%v: status %d, the same: %v: %s", found, r.status, r.out == again.out, r.err)
		}
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
		{[]string{"-job", "auto"}, "give -function"},
		{[]string{"-job", "auto", "-function", "none"}, "Function not found: none\n  give -job s3://"},
		{[]string{"-results", "s3://results/results/"}, "-job auto with -function"},
		{[]string{"-job", "s3://lists/x", "-results", "s3://results/results/"}, "ends in /"},
		{[]string{"-job", "s3://lists/manifests/", "-results", "s3://results/results/", "-format", "csv"}, "url and ndjson"},
	} {
		if r := b.run(t, "", append([]string{"get", "s3://photos", "a"}, test.args...)...); r.status != 2 || !strings.Contains(r.err, test.want) {
			t.Errorf("%v: status %d: %s", test.args, r.status, r.err)
		}
	}

	// Who waits at a terminal sees for how long, and nothing of it is left.
	b.env = append(b.env, "TERM=xterm")
	screen, raw, status := b.onTerminal(t, 80, nil, append(call[:2:2], "one", "-job", "auto", "-function", "bulkpresign-jobs", "-out", "one")...)
	want := []string{"presign: the list of 1 key is with the service; waiting for its result"}
	if got := screen.lines(); status != 0 || !slices.Equal(got, want) || !waiting.MatchString(raw) || len(screen.unknown) > 0 {
		t.Errorf("status %d: %q, of %q", status, got, raw)
	}
	r = b.run(t, "", append(call[:2:2], "two", "-v", "-job", "auto", "-function", "bulkpresign-jobs")...)
	if r.status != 0 || !waiting.MatchString(r.err) {
		t.Errorf("-v: status %d: %s", r.status, r.err)
	}

	// Who may not read the function's settings is told what to give, and needs no permission where all is given.
	no := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/2015-03-31/functions/bulkpresign-jobs/configuration" || !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/lambda/aws4_request") {
			t.Errorf("it asks for %s, or unsigned", r.URL.Path)
		}
		w.Header().Set("X-Amzn-Errortype", "AccessDeniedException")
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, `{"Message":"not authorized to perform: lambda:GetFunctionConfiguration"}`)
	}))
	t.Cleanup(no.Close)
	b.env = append(b.env, "AWS_ENDPOINT_URL_LAMBDA="+no.URL)
	r = b.run(t, "", append(call[:2:2], "one", "-job", "auto", "-function", "bulkpresign-jobs")...)
	if r.status != 2 || !strings.Contains(r.err, "may not be read by you") || !strings.Contains(r.err, "  give -job s3://BUCKET/manifests/ -results s3://BUCKET/results/") {
		t.Errorf("refused: status %d: %s", r.status, r.err)
	}
	r = b.run(t, "", append(call[:2:2], "one", "-job", "s3://lists/manifests/", "-results", "s3://results/results/", "-function", "bulkpresign-jobs")...)
	if r.status != 0 {
		t.Errorf("with all flags: status %d: %s", r.status, r.err)
	}
}

package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"bulkpresign/internal/check/awkward"
	"bulkpresign/internal/check/faults"
	"bulkpresign/internal/localname"
)

// bytesOf are n bytes that no other seed has.
func bytesOf(seed uint64, n int) []byte {
	b := make([]byte, n)
	var s [32]byte
	s[0] = byte(seed)
	rand.NewChaCha8(s).Read(b)
	return b
}

// tree is what is in a folder, file by file.
func tree(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := make(map[string][]byte)
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		below, _ := filepath.Rel(dir, name)
		all[filepath.ToSlash(below)], err = os.ReadFile(name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// sameTree compares two trees byte by byte.
func sameTree(t *testing.T, got, want map[string][]byte) {
	t.Helper()
	for name, body := range want {
		if other, ok := got[name]; !ok || !bytes.Equal(other, body) {
			t.Errorf("%q: there %v, with %d bytes instead of %d, or others", name, ok, len(other), len(body))
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%q: nobody put it there", name)
		}
	}
}

// inFront puts something before the bed's S3. What is signed there is signed for the address before it.
func (b *bed) inFront(t *testing.T, wrap func(http.Handler) http.Handler) {
	t.Helper()
	server := httptest.NewServer(wrap(b.s3))
	t.Cleanup(server.Close)
	b.env = append(b.env, "AWS_ENDPOINT_URL_S3="+server.URL) // the last one counts
}

// A folder goes up and comes down the same, through every form of a list, and the second time nothing moves.
func TestThereAndBack(t *testing.T) {
	b := newBed(t)
	var puts atomic.Int64
	b.inFront(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				puts.Add(1)
			}
			next.ServeHTTP(w, r)
		})
	})
	b.write(t, "up/empty", nil)
	b.write(t, "up/one", []byte("1"))
	b.write(t, "up/deep/er/a b+c&é.txt", []byte("text"))
	b.write(t, "up/.hidden", []byte("hidden"))
	b.write(t, "up/large.bin", bytesOf(1, 200_000_003))
	up := tree(t, filepath.Join(b.home, "up"))
	r := b.run(t, "", "put", "-n", "up", "s3://photos/in/")
	if r.status != 0 || strings.Count(r.out, "s3://photos/in/") != len(up) || puts.Load() != 0 {
		t.Fatalf("dry run: status %d, %d PUTs: %s", r.status, puts.Load(), r.out)
	}
	r = b.run(t, "", "put", "up", "s3://photos/in/", "-v")
	if r.status != 0 || !strings.HasPrefix(r.err, "presign: uploading 5 files, 190.7 MiB\n") || !strings.Contains(r.err, "uploaded 5 files") {
		t.Fatalf("status %d: %s", r.status, r.err)
	}
	for name, body := range up {
		if got, err := b.s3.Get("photos", "in/"+name); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%q: %d bytes, %v", name, len(got), err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(b.home, ".cache/presign/uploads/*")); len(left) > 0 {
		t.Error("the state of what is done is left behind")
	}
	before := puts.Load()
	if r = b.run(t, "", "put", "up", "s3://photos/in/"); r.status != 0 || !strings.Contains(r.err, "5 there already") || puts.Load() != before {
		t.Errorf("again: status %d, %d PUTs: %s", r.status, puts.Load()-before, r.err)
	}
	r = b.run(t, "", "fetch", "s3://photos/in/", "-to", "down")
	if r.status != 0 || strings.Contains(r.err, "no checksum") {
		t.Fatalf("status %d: %s", r.status, r.err)
	}
	sameTree(t, tree(t, filepath.Join(b.home, "down")), up)
	if r = b.run(t, "", "fetch", "s3://photos/in/", "-to", "down"); r.status != 0 || !strings.Contains(r.err, "5 there already") {
		t.Errorf("again: status %d: %s", r.status, r.err)
	}
	for _, format := range []string{"url", "json", "compact", "ndjson", "csv", "uri-list", "aria2", "curl"} {
		list := b.run(t, "", "get", "s3://photos/in/", "-format", format)
		r := b.run(t, list.out, "fetch", "-", "-to", "by-"+format)
		below := "in"
		if format == "url" || format == "uri-list" { // a host that is not AWS's: the bucket is part of the path
			below = "photos/in"
		}
		if r.status != 0 {
			t.Errorf("%s: status %d: %s", format, r.status, r.err)
			continue
		}
		sameTree(t, tree(t, filepath.Join(b.home, "by-"+format, below)), up)
	}
	b.write(t, "list.ndjson.gz", zipped(t, b.run(t, "", "get", "s3://photos/in/", "-format", "ndjson").out))
	if r := b.run(t, "", "fetch", "list.ndjson.gz", "-to", "by-gzip"); r.status != 0 {
		t.Errorf("gzip: status %d: %s", r.status, r.err)
	}
}

// Every awkward key that a file can have goes up, and all come down under the name that localname gives.
func TestAwkwardFiles(t *testing.T) {
	b := newBed(t)
	want := make(map[string][]byte)
	var names localname.Names
	for _, k := range awkward.Keys() {
		body := []byte("content of " + k.Key)
		if err := b.s3.Put("photos", k.Key, body); err != nil {
			t.Fatal(err)
		}
	}
	list := b.run(t, "", "get", "s3://photos/", "-format", "ndjson")
	if list.status != 0 {
		t.Fatalf("status %d: %s", list.status, list.err)
	}
	for _, line := range urls(list.out) {
		var item struct{ Key string }
		if err := json.Unmarshal([]byte(line), &item); err != nil {
			t.Fatal(err)
		}
		want[names.Of(item.Key)] = []byte("content of " + item.Key)
	}
	if r := b.run(t, list.out, "fetch", "-", "-to", "down"); r.status != 0 {
		t.Fatalf("status %d: %s", r.status, r.err)
	}
	sameTree(t, tree(t, filepath.Join(b.home, "down")), want)

	// The same files go up again, each under a key that is its name, and come back.
	if r := b.run(t, "", "put", "down", "s3://photos/again/"); r.status != 0 {
		t.Fatalf("status %d: %s", r.status, r.err)
	}
	for name, body := range want {
		if got, err := b.s3.Get("photos", "again/"+name); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := os.MkdirAll(filepath.Join(b.home, "names"), 0o700); err != nil {
		t.Fatal(err)
	}
	raw := map[string][]byte{}
	for _, k := range awkward.Keys() { // as they are, where the file system takes them
		if filepath.IsLocal(k.Key) && !strings.ContainsAny(k.Key, "\x00/") && os.WriteFile(filepath.Join(b.home, "names", k.Key), []byte(k.Key), 0o600) == nil {
			raw[k.Key] = []byte(k.Key)
		}
	}
	if r := b.run(t, "", "put", "names", "s3://photos/raw/"); r.status != 0 || len(raw) < 50 {
		t.Fatalf("%d names: status %d: %s", len(raw), r.status, r.err)
	}
	for name, body := range raw {
		if got, err := b.s3.Get("photos", "raw/"+name); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// What cannot be uploaded is told of, and the rest is.
func TestFilesThatCannot(t *testing.T) {
	b := newBed(t)
	b.write(t, "up/a", []byte("a"))
	b.write(t, "outside", []byte("outside"))
	for name, to := range map[string]string{"up/link": "../outside", "up/dangling": "nowhere", "up/folder": "."} {
		if err := os.Symlink(to, filepath.Join(b.home, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(b.home, "up/pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.write(t, "up/not\xffutf8", []byte("x"))
	r := b.run(t, "", "put", "up", "s3://photos/in")
	if r.status != 2 || !strings.Contains(r.err, "in/") {
		t.Errorf("a prefix without a slash: status %d: %s", r.status, r.err)
	}
	r = b.run(t, "", "put", "up", "s3://photos/in/")
	if r.status != 1 || strings.Count(r.err, "is a link") != 3 || !strings.Contains(r.err, "not UTF-8") || !strings.Contains(r.err, "pipe: is no file") || !strings.Contains(r.err, "1 of 2 files failed") {
		t.Errorf("status %d: %s", r.status, r.err)
	}
	if _, err := b.s3.Get("photos", "in/link"); err == nil {
		t.Error("a link was followed")
	}
	r = b.run(t, "", "put", "-follow-links", "up", "s3://photos/in/")
	if got, err := b.s3.Get("photos", "in/link"); err != nil || string(got) != "outside" || r.status != 1 {
		t.Errorf("status %d, %v: %s", r.status, err, r.err)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"put", "none", "s3://photos/"}, "no such file"},
		{[]string{"put", "up"}, "not s3://BUCKET"},
		{[]string{"put", "up", "s3://photos/", "s3://photos/"}, "one place"},
		{[]string{"put", "s3://photos", "a", "-n"}, "goes with what is uploaded"},
		{[]string{"put", "up", "s3://photos/", "-format", "json"}, "are for signing"},
		{[]string{"fetch"}, "nothing to download"},
		{[]string{"fetch", "outside"}, "line 1 is no URL"},
		{[]string{"fetch", "s3://photos/none/"}, "no object under"},
	} {
		if r := b.run(t, "", test.args...); r.status != 2 || !strings.Contains(r.err, test.want) {
			t.Errorf("%v: status %d: %s", test.args, r.status, r.err)
		}
	}
}

// Thousands that fail for one reason are not all named, but with -v.
func TestManyFail(t *testing.T) {
	b := newBed(t)
	for i := range 50 {
		b.write(t, fmt.Sprint("up/", i), []byte("x"))
	}
	for flag, want := range map[string]int{"-v": 50, "-parallel=8": 20} {
		r := b.run(t, "", "put", "up", "s3://none/", flag)
		if n := strings.Count(r.err, "NoSuchBucket"); r.status != 2 || n != want || strings.Contains(r.err, "30 files more") != (want == 20) || !strings.Contains(r.err, "none of 50 files") {
			t.Errorf("%s: status %d, %d are named: %s", flag, r.status, n, r.err)
		}
	}
}

// A list cannot have anything written outside of the folder.
func TestFetchStaysInside(t *testing.T) {
	b := newBed(t)
	b.put(t, "a")
	url := strings.TrimSpace(b.run(t, "", "get", "s3://photos", "a").out)
	if err := os.MkdirAll(filepath.Join(b.home, "down"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("..", filepath.Join(b.home, "down/up")); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{"../evil", "/evil", "x/../../evil", "up/evil", `..\evil`, ".presign/x"} {
		b.run(t, url+"\n  out="+out+"\n", "fetch", "-", "-to", "down")
		line, _ := json.Marshal(map[string]string{"key": out, "url": url})
		b.run(t, string(line)+"\n", "fetch", "-", "-to", "down")
	}
	for _, name := range []string{filepath.Join(b.home, "evil"), filepath.Join(filepath.Dir(b.home), "evil"), "/evil"} {
		if _, err := os.Lstat(name); err == nil {
			t.Errorf("%s was written", name)
		}
	}
}

// S3 that fails in all its ways: everything arrives whole all the same, in both directions.
func TestTransferFaults(t *testing.T) {
	t.Parallel() // it waits for most of its time
	b := newBed(t)
	source := faults.New(7, faults.Rates{{Kind: faults.InternalError, Share: 0.04}, {Kind: faults.SlowDown, Share: 0.04}, {Kind: faults.CutRequest, Share: 0.04},
		{Kind: faults.CutResponse, Share: 0.04}, {Kind: faults.Lost, Share: 0.04}, {Kind: faults.LateError, Share: 0.2}})
	b.inFront(t, func(next http.Handler) http.Handler { return &faults.Handler{Faults: source, Next: next} })
	for i := range 60 {
		b.write(t, "up/"+string(rune('a'+i%26))+"/"+strings.Repeat("x", i+1), bytesOf(uint64(i), 1000*i))
	}
	b.write(t, "up/large", bytesOf(99, 40<<20))
	up := tree(t, filepath.Join(b.home, "up"))
	if r := b.run(t, "", "put", "up", "s3://photos/in/", "-parts-from", "5"); r.status != 0 {
		t.Fatalf("status %d: %s", r.status, r.err)
	}
	if r := b.run(t, "", "fetch", "s3://photos/in/", "-to", "down"); r.status != 0 {
		t.Fatalf("status %d: %s", r.status, r.err)
	}
	sameTree(t, tree(t, filepath.Join(b.home, "down")), up)
	if counts := source.Counts(); len(counts) < 5 {
		t.Errorf("too few things failed: %v", counts)
	}
}

// endAfter runs the command and sends it a signal when a request comes that is told of.
func (b *bed) endAfter(t *testing.T, s os.Signal, came <-chan struct{}, args ...string) result {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), binary, args...)
	cmd.Env, cmd.Dir = b.env, b.home
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-came
	if err := cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// Killed in the midst, or stopped by Ctrl-C, both directions go on with what is there. Nothing half has a final name.
func TestGoesOn(t *testing.T) {
	t.Parallel() // it waits for most of its time
	for _, s := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
		t.Run(s.String(), func(t *testing.T) { goesOn(t, s) })
	}
}

func goesOn(t *testing.T, s os.Signal) {
	b := newBed(t)
	stopped := func(r result, done string) {
		if s == syscall.SIGINT && (r.status != 1 || !strings.Contains(r.err, "stopped; the same command goes on from here") || !strings.Contains(r.err, done)) {
			t.Errorf("status %d: %s", r.status, r.err)
		}
	}
	var parts, ranges atomic.Int64
	came := make(chan struct{}, 1)
	var held atomic.Value // of what is under way when the command is killed: a channel
	held.Store(make(chan struct{}))
	hold := func() { <-held.Load().(chan struct{}) }
	var until atomic.Int64
	b.inFront(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			large := strings.HasSuffix(r.URL.Path, "/large")
			part := r.Method == http.MethodPut && r.URL.Query().Has("partNumber")
			if part {
				parts.Add(1)
			}
			if r.Header.Get("Range") != "" && r.Header.Get("If-Match") != "" {
				ranges.Add(1)
			}
			if n := until.Load(); large && n > 0 && (part && parts.Load() > n || r.Method == http.MethodGet) {
				if r.Method == http.MethodGet {
					w = &halfWriter{ResponseWriter: w, left: 5 << 20, full: func() {
						came <- struct{}{}
						hold()
					}}
					next.ServeHTTP(w, r)
					return
				}
				select {
				case came <- struct{}{}:
				default:
				}
				hold()
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	b.write(t, "up/large", bytesOf(3, 80<<20)) // five parts
	b.write(t, "up/a", []byte("a"))            // which is there before
	up := tree(t, filepath.Join(b.home, "up"))
	until.Store(3)
	stopped(b.endAfter(t, s, came, "put", "up", "s3://photos/in/", "-parts-from", "5", "-parallel", "1"), "uploaded 1 file, 1 B; 0 there already; 0 failed; 1 not done\npresign: 1 of 2 files were not uploaded\n")
	until.Store(0)
	close(held.Load().(chan struct{}))
	if _, err := b.s3.Get("photos", "in/large"); err == nil {
		t.Error("half an object is there")
	}
	states, _ := filepath.Glob(filepath.Join(b.home, ".cache/presign/uploads/*.json"))
	if len(states) != 1 {
		t.Fatalf("%d states are kept", len(states))
	}
	if info, err := os.Stat(states[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the state's mode is %v, %v", info.Mode(), err)
	}
	parts.Store(0)
	if r := b.run(t, "", "put", "up", "s3://photos/in/", "-parts-from", "5"); r.status != 0 {
		t.Fatalf("status %d: %s", r.status, r.err)
	}
	if parts.Load() != 2 {
		t.Errorf("%d parts were sent again, want the 2 that were missing", parts.Load())
	}
	if got, err := b.s3.Get("photos", "in/large"); err != nil || !bytes.Equal(got, up["large"]) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	held.Store(make(chan struct{}))
	until.Store(1)
	stopped(b.endAfter(t, s, came, "fetch", "s3://photos/in/", "-to", "down", "-parallel", "1"), "downloaded 1 file, 1 B; 0 there already; 0 failed; 1 not done\npresign: 1 of 2 files were not downloaded\n")
	until.Store(0)
	close(held.Load().(chan struct{}))
	if _, err := os.Stat(filepath.Join(b.home, "down/large")); err == nil {
		t.Error("half a file has its final name")
	}
	if waiting, _ := filepath.Glob(filepath.Join(b.home, "down/.presign/*.part")); len(waiting) != 1 {
		t.Errorf("%d files wait", len(waiting))
	}
	if r := b.run(t, "", "fetch", "s3://photos/in/", "-to", "down"); r.status != 0 || ranges.Load() == 0 {
		t.Fatalf("status %d, %d ranges: %s", r.status, ranges.Load(), r.err)
	}
	sameTree(t, tree(t, filepath.Join(b.home, "down")), up)
}

// halfWriter lets so many bytes through, and then waits.
type halfWriter struct {
	http.ResponseWriter
	left int
	full func()
	on   bool // it goes on then
}

func (w *halfWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		http.NewResponseController(w.ResponseWriter).Flush()
		w.full()
		if !w.on {
			panic(http.ErrAbortHandler)
		}
		w.left = 1 << 40
	}
	return w.ResponseWriter.Write(p)
}

// A file that changes while it is uploaded is an error, and nothing is there that never was the file.
func TestChanged(t *testing.T) {
	t.Parallel() // it waits for most of its time
	b := newBed(t)
	var change atomic.Value // func()
	b.inFront(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if do, ok := change.Load().(func()); ok && r.Method == http.MethodPut {
				do() // before any of the body is read: most of it is still in the file
			}
			next.ServeHTTP(w, r)
		})
	})
	for name, flags := range map[string][]string{"whole": nil, "in parts": {"-parts-from", "5"}} {
		for what, rewrite := range map[string]func(name string){
			"other bytes": func(name string) { os.WriteFile(name, bytesOf(9, 40<<20), 0o600) },
			"shorter":     func(name string) { os.Truncate(name, 20<<20) },
			"longer": func(name string) {
				f, _ := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
				defer f.Close()
				f.Write([]byte("x"))
			},
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				key := name + "/" + what
				b.write(t, key, bytesOf(8, 40<<20))
				file := filepath.Join(b.home, key)
				change.Store(sync.OnceFunc(func() { rewrite(file) }))
				r := b.run(t, "", append([]string{"put", key, "s3://photos/" + key}, flags...)...)
				if r.status != 2 || !strings.Contains(r.err, "it changed while it was uploaded") {
					t.Errorf("status %d: %s", r.status, r.err)
				}
				// All of what was hashed may have been sent before a byte came behind it.
				if got, err := b.s3.Get("photos", key); err == nil && !bytes.Equal(got, bytesOf(8, 40<<20)) {
					t.Errorf("%d other bytes are there", len(got))
				}
				if left, _ := filepath.Glob(filepath.Join(b.home, ".cache/presign/uploads/*")); len(left) > 0 {
					t.Error("the state of what cannot go on is left behind")
				}
			})
		}
	}
}

// A connection that stands still is given up, and what it was for is tried again.
func TestStandsStill(t *testing.T) {
	t.Parallel() // it waits for most of its time
	b := newBed(t)
	release := make(chan struct{})
	var puts, gets atomic.Int64
	b.inFront(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodPut && puts.Add(1) == 1:
				<-release // without a look at the body
				return
			case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/large") && gets.Add(1) == 1:
				w = &halfWriter{ResponseWriter: w, left: 5 << 20, full: func() { <-release }}
			}
			next.ServeHTTP(w, r)
		})
	})
	t.Cleanup(func() { close(release) })
	b.write(t, "up/large", bytesOf(5, 30<<20))
	for _, args := range [][]string{{"put", "up", "s3://photos/in/"}, {"fetch", "s3://photos/in/", "-to", "down"}} {
		if r := b.run(t, "", append(args, "-stall", "2s")...); r.status != 0 {
			t.Errorf("status %d: %s", r.status, r.err)
		}
	}
	sameTree(t, tree(t, filepath.Join(b.home, "down")), tree(t, filepath.Join(b.home, "up")))
	if puts.Load() < 2 || gets.Load() < 2 {
		t.Errorf("%d PUTs and %d GETs, want another of each", puts.Load(), gets.Load())
	}
	if r := b.run(t, "", "put", "up", "s3://photos/", "-stall", "5"); r.status != 2 || !strings.Contains(r.err, "30s, 2m") {
		t.Errorf("status %d: %s", r.status, r.err)
	}
}

// A URL alone is downloaded, and none that is somewhere else than it should be is shown.
func TestFetchURL(t *testing.T) {
	b := newBed(t)
	b.put(t, "a b")
	url := strings.TrimSpace(b.run(t, "", "get", "s3://photos", "a b").out)
	if r := b.run(t, "", "fetch", url, "-to", "down"); r.status != 0 {
		t.Fatalf("status %d: %s", r.status, r.err)
	}
	sameTree(t, tree(t, filepath.Join(b.home, "down")), map[string][]byte{"photos/a b": []byte("content of a b")})
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"get", url}, "presign fetch downloads"},
		{[]string{"put", url, "s3://photos/"}, "no such file"},
		{[]string{"get", "s3://photos", "-f", url}, "no such file"},
		{[]string{"fetch", url, url}, "several URLs"},
		{[]string{"fetch", "list", url}, "several lists"},
		{[]string{"fetch", "x" + url}, "no such file"},
		{[]string{url}, "there is no command"},
	} {
		r := b.run(t, "", test.args...) // which looks for secrets
		if r.status != 2 || !strings.Contains(r.err, test.want) {
			t.Errorf("%s: status %d: %s", test.args[0][:3], r.status, r.err)
		}
	}
}

// A URL that has ended is told of in the doctor's words.
func TestFetchExpired(t *testing.T) {
	b := newBed(t)
	b.put(t, "a")
	url := strings.TrimSpace(b.run(t, "", "get", "s3://photos", "a").out)
	old := strings.Replace(url, "X-Amz-Date=20", "X-Amz-Date=19", 1)
	r := b.run(t, old+"\n", "fetch", "-", "-to", "down")
	if r.status != 2 || !strings.Contains(r.err, "presign doctor says") {
		t.Errorf("status %d: %s", r.status, r.err)
	}
}

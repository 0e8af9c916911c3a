package main_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A folder goes up and comes down by URLs that a service signs, whichever way it is asked. Here is nothing that could sign
// for its S3.
func TestTransferByService(t *testing.T) {
	b := newBed(t)
	f := newFront(t, b)
	b.env = append(b.env, "AWS_ENDPOINT_URL_S3=http://127.0.0.1:1")
	for i := range 150 { // more than a lot
		b.write(t, fmt.Sprintf("up/%d/a b+c&é %d.txt", i%7, i), bytesOf(uint64(i), i))
	}
	b.write(t, "up/empty", nil)
	b.write(t, "up/large.bin", bytesOf(1, 50_000_003))
	up := tree(t, filepath.Join(b.home, "up"))
	for name, way := range f.ways() {
		t.Run(name, func(t *testing.T) {
			there, down := "s3://photos/by"+name+"/", "down"+name
			r := b.run(t, "", append([]string{"put", "up", there, "-parts-from", "5", "-o", "cache_control=no-store"}, way...)...)
			if r.status != 0 || !strings.Contains(r.err, "uploaded 152 files, 47.7 MiB; 0 there already; 0 failed") {
				t.Fatalf("status %d: %s", r.status, r.err)
			}
			before := f.requests.Load()
			r = b.run(t, "", append([]string{"put", "up", there, "-parts-from", "5"}, way...)...)
			if r.status != 0 || !strings.Contains(r.err, "152 there already") {
				t.Errorf("again: status %d: %s", r.status, r.err)
			}
			if asked := f.requests.Load() - before; asked > 100 {
				t.Errorf("%d requests for 152 keys", asked)
			}
			r = b.run(t, "", append([]string{"fetch", there, "-to", down}, way...)...)
			if r.status != 0 {
				t.Fatalf("status %d: %s", r.status, r.err)
			}
			sameTree(t, tree(t, filepath.Join(b.home, down)), up)
			one := slices.Sorted(maps.Keys(up))[3]
			r = b.run(t, "", append([]string{"fetch", strings.TrimSuffix(there, "/") + "/" + one, "-to", down}, way...)...)
			if r.status != 0 || !strings.Contains(r.err, "downloaded 0 files") && !strings.Contains(r.err, "downloaded 1 file") {
				t.Errorf("one key: status %d: %s", r.status, r.err)
			}
		})
	}
}

// A URL that has ended by the time that it is used is signed again.
func TestTransferRenewed(t *testing.T) {
	t.Parallel() // it waits for most of its time
	b := newBed(t)
	f := newFront(t, b)
	b.write(t, "up/a", []byte("a"))
	for name, way := range f.ways() {
		t.Run(name, func(t *testing.T) {
			for _, args := range [][]string{{"put", "up/a", "s3://photos/by" + name + "/"}, {"fetch", "s3://photos/by" + name + "/a", "-to", "down" + name}} {
				var asked atomic.Int64
				late := map[string]int64{"put": 2, "fetch": 1}[args[0]] // behind HeadObject
				f.inTheWay.Store(func(w http.ResponseWriter, r *http.Request, _ int) bool {
					if asked.Add(1) != late {
						return false
					}
					answer := httptest.NewRecorder()
					f.service.ServeHTTP(answer, r)
					time.Sleep(3 * time.Second) // the URL's whole life, and more
					maps.Copy(w.Header(), answer.Header())
					w.WriteHeader(answer.Code)
					w.Write(answer.Body.Bytes())
					return true
				})
				r := b.run(t, "", append(append(args, "-expires", "2s"), way...)...)
				if r.status != 0 || asked.Load() <= late {
					t.Errorf("status %d after %d requests: %s", r.status, asked.Load(), r.err)
				}
			}
			sameTree(t, tree(t, filepath.Join(b.home, "down"+name)), map[string][]byte{"a": []byte("a")})
		})
	}
}

// What a service does not sign is told of once, in its words, with what to do.
func TestTransferNotSigned(t *testing.T) {
	t.Parallel() // it waits for most of its time
	b := newBed(t)
	b.write(t, "up/a", []byte("a"))
	b.write(t, "up/b", []byte("b"))
	b.write(t, "up/large", bytesOf(1, 6<<20))
	for _, test := range []struct {
		operations string
		status     int
		want       []string
		times      int // that OperationNotAllowed is written
	}{
		{"GetObject", 2, []string{"signs no HeadObject", "PutObject", "settings and policy", "more failed as those before", "none of 3 files was uploaded"}, 2},
		{"GetObject,PutObject", 1, []string{"signs no HeadObject", "large: the service answers OperationNotAllowed", "MultipartUpload", "uploaded 2 files", "1 of 3 files failed"}, 1},
		{"PutObject,HeadObject,MultipartUpload", 0, []string{"uploaded 3 files"}, 0},
	} {
		t.Run(test.operations, func(t *testing.T) {
			f := newFront(t, b, "-operations", test.operations)
			for name, way := range f.ways() {
				r := b.run(t, "", append([]string{"put", "up", "s3://photos/by" + name + "/", "-parts-from", "5"}, way...)...)
				if r.status != test.status || strings.Count(r.err, "OperationNotAllowed") > test.times {
					t.Errorf("%s: status %d: %s", name, r.status, r.err)
				}
				for _, want := range test.want {
					if !strings.Contains(r.err, want) {
						t.Errorf("%s: it does not say %q: %s", name, want, r.err)
					}
				}
				if test.status != 0 {
					continue
				}
				r = b.run(t, "", append([]string{"fetch", "s3://photos/by" + name + "/a", "-to", "down"}, way...)...)
				if r.status != 2 || !strings.Contains(r.err, "OperationNotAllowed") || !strings.Contains(r.err, "settings and policy") {
					t.Errorf("%s: fetch: status %d: %s", name, r.status, r.err)
				}
			}
		})
	}
}

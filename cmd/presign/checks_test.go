package main

import (
	"crypto/md5"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"
)

// The ETag of an upload in parts is compared where the parts can be those that put cuts.
func TestOfParts(t *testing.T) {
	const length = 40<<20 + 7 // three parts of 16 MiB
	body := func() io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{1}), length) }
	all, rest := md5.New(), body()
	for range 3 {
		m := md5.New()
		if _, err := io.CopyN(m, rest, 16<<20); err != nil && err != io.EOF {
			t.Fatal(err)
		}
		all.Write(m.Sum(nil))
	}
	want := fmt.Sprintf("%x", all.Sum(nil))
	for count, name := range map[string]string{"-3": ofParts, "-8": "", "-": "", "": "MD5"} {
		got, sum, check := checkOf(http.Header{"Etag": {`"` + want + count + `"`}}, length)
		if got != name || name != "" && sum != want {
			t.Errorf("%q: it is %q, %s", count, got, sum)
		}
		if h, ok := check.(hash.Hash); ok && name == ofParts {
			if _, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{body()}, make([]byte, 1<<20+1)); err != nil {
				t.Fatal(err)
			}
			if got := encoded(name, h.Sum(nil)); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
	}
}

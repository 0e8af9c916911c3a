package job_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"bulkpresign/internal/job"
	"bulkpresign/internal/objects"
)

// listing answers as S3 does of a bucket that has these keys, in the order of their bytes.
type listing struct {
	keys  []string
	looks atomic.Int64
}

func (l *listing) look(_ context.Context, prefix, after, delimiter string, most int32) (p objects.Page, err error) {
	l.looks.Add(1)
	begin, _ := slices.BinarySearch(l.keys, max(prefix, after))
	for _, key := range l.keys[begin:] {
		if key <= after {
			continue
		}
		if !strings.HasPrefix(key, prefix) {
			break
		}
		if delimiter != "" {
			if i := strings.Index(key[len(prefix):], delimiter); i >= 0 {
				folder := key[:len(prefix)+i+len(delimiter)]
				if n := len(p.Prefixes); n > 0 && p.Prefixes[n-1] == folder {
					continue
				}
				if len(p.Objects)+len(p.Prefixes) == int(most) {
					p.More = true
					break
				}
				p.Prefixes = append(p.Prefixes, folder)
				continue
			}
		}
		if len(p.Objects)+len(p.Prefixes) == int(most) {
			p.More = true
			break
		}
		p.Objects = append(p.Objects, objects.Listed{Key: key})
	}
	return p, nil
}

// list gives the keys of a range as a shard lists them.
func (l *listing) list(prefix string, r job.KeyRange) (keys []string) {
	for _, key := range l.keys {
		if key > r.After && strings.HasPrefix(key, prefix) && (r.Through == "" || key <= r.Through) {
			keys = append(keys, key)
		}
	}
	return keys
}

// alphabet makes keys awkward: what sorts before and after "/", and what takes one to four bytes.
var alphabet = []string{"a", "b", "/", "/", "//", " ", "!", "0", "~", "\x00", "\n", "\x7f", "é", "漢", "\ufffd", "\uffff", "🙂", "\U0010ffff"}

// The ranges together are the listing: each key once, in order, whatever the keys are.
func TestKeyRanges(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	makers := map[string]func(n int) string{
		"awkward": func(int) string {
			var key strings.Builder
			for range 1 + random.IntN(6) {
				key.WriteString(alphabet[random.IntN(len(alphabet))])
			}
			return key.String()
		},
		"days": func(n int) string {
			return fmt.Sprintf("logs/2026/%02d/%02d/%d.gz", n%12, n%28, n)
		},
		"hashes":     func(n int) string { return fmt.Sprintf("%08x", random.Uint32()) },
		"one folder": func(n int) string { return fmt.Sprintf("a/b/c/%d", n) },
		"skewed": func(n int) string {
			if n%100 == 0 {
				return fmt.Sprintf("x/%d/y", n)
			}
			return fmt.Sprintf("all/in/one/place-%09d", n)
		},
		"the last characters": func(n int) string {
			return strings.Repeat("\U0010ffff", 1+n%200) + fmt.Sprint(n)
		},
		"long": func(n int) string { return strings.Repeat("k", 1000) + fmt.Sprint(n) },
	}
	for name, key := range makers {
		for _, n := range []int{0, 1, 2, 30, 1000, 1001, 12_000} {
			if n > 1001 && name == "long" {
				continue
			}
			unique := make(map[string]bool)
			for i := range n {
				unique[key(i)] = true
			}
			l := new(listing)
			for k := range unique {
				l.keys = append(l.keys, k)
			}
			slices.Sort(l.keys)
			for _, prefix := range []string{"", "a", "a/", "logs/", "\U0010ffff"} {
				for _, size := range []int{1, 1000, 1 << 20} {
					l.looks.Store(0)
					ranges, err := job.KeyRanges(t.Context(), l.look, prefix, size)
					if err != nil {
						t.Fatal(err)
					}
					var got []string
					largest := 0
					for i, r := range ranges {
						if (i == 0) != (r.After == "") || (i == len(ranges)-1) != (r.Through == "") || i > 0 && r.After != ranges[i-1].Through {
							t.Fatalf("%s, %d keys: range %d of %d is %q", name, n, i, len(ranges), r)
						}
						part := l.list(prefix, r)
						largest = max(largest, len(part))
						got = append(got, part...)
					}
					if want := l.list(prefix, job.KeyRange{}); !slices.Equal(got, want) {
						t.Fatalf("%s, %d keys under %q: the ranges have %d keys, the listing %d", name, n, prefix, len(got), len(want))
					}
					// With enough keys there are enough shards, and none has nearly all.
					if n == 12_000 && size == 1000 && prefix == "" && (name != "the last characters" && name != "awkward") && (len(ranges) < 5 || largest > 3000) {
						t.Errorf("%s: %d ranges, of which one has %d keys", name, len(ranges), largest)
					}
					if looks := l.looks.Load(); looks > 12_000 {
						t.Errorf("%s, %d keys under %q: %d looks", name, n, prefix, looks)
					}
				}
			}
		}
	}
}

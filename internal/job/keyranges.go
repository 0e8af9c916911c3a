package job

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"bulkpresign/internal/objects"
)

// What is spent on finding where the keys under a prefix may be cut. Cuts are right wherever
// they are, since a shard is what lies between two of them; to spend more makes shards more
// alike.
const (
	mostLooks = 5_000 // at the bucket, each a ListObjectsV2
	mostNodes = 2_000
	pageSize  = 1_000 // of a listing
	maxKey    = 1_024 // bytes
)

// look is one page of a listing: see objects.Store.Look.
type look func(ctx context.Context, prefix, after, delimiter string, most int32) (objects.Page, error)

// node is some neighbouring keys: those after it, up to the next node.
type node struct {
	after string // of its keys, all are greater
	in    string // what they begin with, as far as they are to be looked into
	keys  int    // how many there are; -1: more than a page, or nobody has looked
}

// keyRanges cuts the keys under a prefix into ranges of about as many keys. It goes from the
// prefix down through folders, and where there are none, or more than a page of them, from one
// next character to the other, until it knows the keys or has enough places to cut at. Keys are
// in the order of their bytes, which is S3's.
func keyRanges(ctx context.Context, at look, prefix string, size int) ([]KeyRange, error) {
	nodes := []node{{in: prefix, keys: -1}}
	looks := 0
	for {
		var unknown []int
		for i := range nodes {
			if nodes[i].keys < 0 && nodes[i].in != "" || len(nodes) == 1 && nodes[i].keys < 0 {
				unknown = append(unknown, i)
			}
		}
		if len(unknown) == 0 || len(nodes) >= mostNodes || looks+len(unknown) > mostLooks {
			return between(nodes, size), nil
		}
		parts := make([][]node, len(nodes))
		spent := make([]int, len(nodes))
		err := inParallel(len(unknown), func(i int) (err error) {
			n := unknown[i]
			parts[n], spent[n], err = nodes[n].split(ctx, at)
			return err
		})
		if errors.Is(err, errOutOfTime) {
			return between(nodes, size), nil // what is known is enough
		}
		if err != nil {
			return nil, err
		}
		var next []node
		for i := range nodes {
			looks += spent[i]
			if parts[i] == nil {
				next = append(next, nodes[i])
			} else {
				next = append(next, parts[i]...)
			}
		}
		nodes = next
	}
}

// split looks into a node. What it cannot look further into has no in.
func (n node) split(ctx context.Context, at look) (parts []node, looks int, err error) {
	in := n.in
	for {
		looks++
		page, err := at(ctx, in, "", "/", pageSize)
		switch {
		case err != nil:
			return nil, looks, err
		case page.More:
			parts, chars, err := n.byCharacter(ctx, at, in)
			looks += chars
			if err != nil || len(parts) != 1 || len(parts[0].in) <= len(in) {
				return parts, looks, err
			}
			in = parts[0].in // all keys go on with the same character
		case len(page.Prefixes) == 1 && len(page.Objects) == 0 && len(page.Prefixes[0]) > len(in):
			in = page.Prefixes[0]
		default:
			return n.byFolder(page), looks, nil
		}
	}
}

// byFolder makes a node of each folder of a page that has all there is; the objects between two
// go with the first.
func (n node) byFolder(page objects.Page) []node {
	parts := []node{{after: n.after}}
	o := page.Objects
	for _, folder := range page.Prefixes {
		for len(o) > 0 && o[0].Key <= folder {
			parts[len(parts)-1].hold(1)
			o = o[1:]
		}
		if folder > n.after {
			parts = append(parts, node{after: folder, in: folder, keys: -1})
		} else {
			parts[0].in, parts[0].keys = folder, -1
		}
	}
	parts[len(parts)-1].hold(len(o))
	return parts
}

func (n *node) hold(keys int) {
	if n.keys >= 0 {
		n.keys += keys
	}
}

// byCharacter makes a node of each character that follows a text in keys.
func (n node) byCharacter(ctx context.Context, at look, in string) (parts []node, looks int, err error) {
	parts = []node{{after: n.after}}
	after := ""
	for looks < pageSize {
		looks++
		page, err := at(ctx, in, after, "", 1)
		if err != nil {
			return nil, looks, err
		}
		if len(page.Objects) == 0 {
			break
		}
		key := page.Objects[0].Key
		_, length := utf8.DecodeRuneInString(key[len(in):])
		child := key[:len(in)+length]
		switch last := &parts[len(parts)-1]; {
		case length == 0:
			last.hold(1) // the key itself
		case child > n.after && child > last.after:
			parts = append(parts, node{after: child, in: child, keys: -1})
		case len(parts) == 1:
			last.in, last.keys = child, -1
		}
		if length == 0 {
			after = key
			continue
		}
		// Behind all keys that begin so: none is longer, and no character is greater.
		last := child + strings.Repeat(string(utf8.MaxRune), (maxKey-len(child))/utf8.UTFMax)
		after = max(last, key)
	}
	if len(parts) > 1 && parts[0].keys == 0 && parts[0].in == "" { // nothing comes before the first
		parts = parts[1:]
		parts[0].after = n.after
	}
	return parts, looks, nil
}

// between makes ranges of about as many keys of what lies between nodes. Of a node that is
// not known, half as many are assumed.
func between(nodes []node, size int) (ranges []KeyRange) {
	var at KeyRange
	keys := 0
	for _, n := range nodes {
		if keys >= size && n.after > at.After {
			at.Through = n.after
			ranges = append(ranges, at)
			at, keys = KeyRange{After: n.after}, 0
		}
		if n.keys >= 0 {
			keys += n.keys
		} else {
			keys += max(1, size/2)
		}
	}
	return append(ranges, at)
}

// inParallel does some things, reading at once, and gives the first error, in their order.
func inParallel(n int, do func(int) error) error {
	errs := make([]error, n)
	var wait sync.WaitGroup
	room := make(chan struct{}, reading)
	for i := range n {
		room <- struct{}{}
		wait.Go(func() {
			errs[i] = do(i)
			<-room
		})
	}
	wait.Wait()
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return errs[i]
	}
	return nil
}

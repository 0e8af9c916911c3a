package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"bulkpresign/internal/s3op"
	"bulkpresign/internal/strictjson"
)

// gathering collects what is to be signed as the text of a request's "keys", and the entries of a list that cannot be.
type gathering struct {
	target target
	take   func(item []byte) // in place of text and starts, which are kept then by nobody
	text   []byte            // JSON items, joined by commas
	starts []int             // of the items in text
	count  int
	failed int
	bytes  int64 // of what was listed
	tell   func(format string, args ...any)

	operation s3op.Operation
	under     bool   // everything under the prefix is meant, and nobody has listed it yet
	more      []byte // members of a request that the list is, each with a comma before it
}

// add takes a key, with options of its own.
func (g *gathering) add(key string, own []s3op.Option) {
	g.count++
	if g.take != nil {
		g.text = g.text[:0]
		defer func() { g.take(g.text) }()
	} else {
		if len(g.starts) > 0 {
			g.text = append(g.text, ',')
		}
		g.starts = append(g.starts, len(g.text))
	}
	key = g.target.prefix + key
	if len(own) == 0 {
		g.text = append(g.text, strictjson.Quote(key)...)
		return
	}
	g.text = append(append(g.text, `{"key":`...), strictjson.Quote(key)...)
	for i := 0; i < len(own); i++ {
		g.text = append(append(append(g.text, ','), strictjson.Quote(own[i].ID.String())...), ':')
		if own[i].ID.Kind() != s3op.StringMap {
			g.text = append(g.text, valueOf(own[i].ID.Kind(), own[i].Value)...)
			continue
		}
		entries := make(map[string]string)
		id := own[i].ID
		for ; i < len(own) && own[i].ID == id; i++ {
			entries[own[i].Name] = own[i].Value
		}
		i--
		object, _ := json.Marshal(entries) // texts cannot fail
		g.text = append(g.text, object...)
	}
	g.text = append(g.text, '}')
}

// valueOf writes an option's value as JSON of its type. What does not fit the type is left as a text, which the request
// then refuses by name.
func valueOf(kind s3op.Kind, value string) []byte {
	switch kind {
	case s3op.Integer, s3op.Boolean:
		if json.Valid([]byte(value)) {
			return []byte(value)
		}
	case s3op.Integers:
		if list := "[" + strings.Trim(value, "[]") + "]"; json.Valid([]byte(list)) {
			return []byte(list)
		}
	case s3op.Texts:
		if json.Valid([]byte(value)) {
			return []byte(value)
		}
		list := []byte("[")
		for i, s := range strings.Split(value, ",") {
			if i > 0 {
				list = append(list, ',')
			}
			list = append(list, strictjson.Quote(s)...)
		}
		return append(list, ']')
	case s3op.StringMap:
		if json.Valid([]byte(value)) {
			return []byte(value)
		}
	}
	return strictjson.Quote(value)
}

// everything lists what is under the prefix.
func (g *gathering) everything(ctx context.Context, c *s3.Client) error {
	prefix := g.target.prefix
	g.target.prefix = ""                                                                                                                                                   // S3 names whole keys
	pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: aws.String(g.target.bucket), Prefix: aws.String(prefix), EncodingType: types.EncodingTypeUrl}) // XML cannot hold every key
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list s3://%s/%s: %w", g.target.bucket, oneLine(prefix), plain(err))
		}
		for _, o := range page.Contents {
			key, err := url.QueryUnescape(aws.ToString(o.Key))
			if err != nil {
				return fmt.Errorf("list s3://%s/%s: a key is not encoded as it was asked for", g.target.bucket, oneLine(prefix))
			}
			if !strings.HasSuffix(key, "/") || aws.ToInt64(o.Size) > 0 { // a folder's marker is nobody's file
				g.add(key, nil)
				g.bytes += aws.ToInt64(o.Size)
			}
		}
	}
	if g.count == 0 {
		return usageError(fmt.Sprintf("there is no object under s3://%s/%s", g.target.bucket, oneLine(prefix)), "look at the prefix; a key alone is written without a slash at its end")
	}
	return nil
}

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"bulkpresign/internal/strictjson"
)

const (
	batchKeys  = 5000    // in a request, at first
	batchBytes = 4 << 20 // of its keys: an event of Lambda's may have 6 MB, and base64 is a third more than gzip
	atOnce     = 4       // requests on their way
)

// remoteFormats are those that several answers are joined to.
var remoteFormats = []string{lines, "json", "ndjson", "uri-list"}

func unpack(text string) ([]byte, error) {
	z, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(text)))
	if err != nil {
		return nil, errors.New("the service's answer is damaged")
	}
	return io.ReadAll(io.LimitReader(z, maxAnswer))
}

// reply is a service's answer to one request.
type reply struct {
	Bucket, Operation string
	SignedAt          string                     `json:"signed_at"`
	ExpiresIn         int64                      `json:"expires_in"`
	ExpiresAt         string                     `json:"expires_at"`
	Basis             string                     `json:"expires_at_basis"`
	URLs              json.RawMessage            `json:"urls"`
	Headers           json.RawMessage            `json:"headers"`
	ItemHeaders       map[string]json.RawMessage `json:"item_headers"`
	Warnings          map[string]string          `json:"warnings"`
	Errors            map[string]struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"errors"`
	Continuation string                `json:"continuation_token"`
	Results      *struct{ URL string } `json:"results"`
}

// batch is some of the keys: items of JSON with commas between them.
type batch struct {
	text   []byte
	starts []int // of the items in text
}

// cut is the items from i to j.
func (b batch) cut(i, j int) batch {
	from, to := b.starts[i], len(b.text)
	if j < len(b.starts) {
		to = b.starts[j] - 1 // without the comma
	}
	part := batch{text: b.text[from:to]}
	for _, start := range b.starts[i:j] {
		part.starts = append(part.starts, start-from)
	}
	return part
}

// distinct leaves out what is there before: a request's own repetitions collapse, and those of several requests do not.
func (b batch) distinct() batch {
	seen := make(map[string]struct{}, len(b.starts))
	var d batch
	for i := range b.starts {
		item := b.cut(i, i+1).text
		if _, twice := seen[string(item)]; twice {
			continue
		}
		seen[string(item)] = struct{}{}
		if len(d.starts) > 0 {
			d.text = append(d.text, ',')
		}
		d.starts = append(d.starts, len(d.text))
		d.text = append(d.text, item...)
	}
	return d
}

// batches cuts the keys into what a request may have.
func (b batch) batches() (all []batch) {
	for i := 0; i < len(b.starts); {
		j := i + 1
		for j < len(b.starts) && j-i < batchKeys && b.starts[j]-b.starts[i] < batchBytes {
			j++
		}
		all = append(all, b.cut(i, j))
		i = j
	}
	return all
}

// asking is a call of the command to a service.
type asking struct {
	*remote
	head []byte // of each request, up to its keys

	mu   sync.Mutex
	most int // keys that a request may have, as far as the service has said so; 0: it has not
}

// all asks for the keys, several requests at a time, and hands over the replies in the order of the keys.
func (a *asking) all(ctx context.Context, keys batch, take func(*reply) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		replies []*reply
		err     error
	}
	outcomes := make(chan chan outcome, atOnce-1) // one more is waited for below
	go func() {
		defer close(outcomes)
		for _, b := range keys.batches() {
			one := make(chan outcome, 1)
			select {
			case outcomes <- one:
			case <-ctx.Done():
				return
			}
			go func() {
				replies, err := a.some(ctx, b)
				one <- outcome{replies, err}
			}()
		}
	}()
	for one := range outcomes {
		o := <-one
		if o.err != nil {
			return o.err
		}
		for _, r := range o.replies {
			if err := take(r); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// some asks for a batch, in parts where the service says that it is too much.
func (a *asking) some(ctx context.Context, b batch) ([]*reply, error) {
	a.mu.Lock()
	most := a.most
	a.mu.Unlock()
	if most == 0 || most >= len(b.starts) {
		r, err := a.one(ctx, `"keys":[`+string(b.text)+`]}`)
		var no *refusal
		if !errors.As(err, &no) || len(b.starts) < 2 || no.Code != "TooManyKeys" && no.Code != "ResponseTooLarge" && no.status != http.StatusRequestEntityTooLarge {
			return []*reply{r}, err
		}
		most = len(b.starts) / 2
		if no.Fits > 0 && no.Fits < len(b.starts) {
			most = no.Fits
		}
		a.mu.Lock()
		if a.most == 0 || most < a.most {
			a.most = most
		}
		a.mu.Unlock()
	}
	var replies []*reply
	for i := 0; i < len(b.starts); i += most {
		more, err := a.some(ctx, b.cut(i, min(i+most, len(b.starts))))
		if err != nil {
			return nil, err
		}
		replies = append(replies, more...)
	}
	return replies, nil
}

// prefix asks for everything under a prefix, answer after answer.
func (a *asking) prefix(ctx context.Context, prefix string, take func(*reply) error) error {
	tail := `"prefix":` + string(strictjson.Quote(prefix))
	for next := ""; ; {
		r, err := a.one(ctx, tail+next+"}")
		if err != nil {
			return err
		}
		if err := take(r); err != nil {
			return err
		}
		if r.Continuation == "" {
			return nil
		}
		next = `,"continuation_token":` + string(strictjson.Quote(r.Continuation))
	}
}

// one asks once, and gets the answer from where the service has put it.
func (a *asking) one(ctx context.Context, tail string) (*reply, error) {
	text, err := a.ask(ctx, append(bytes.Clone(a.head), tail...))
	if err != nil {
		return nil, err
	}
	r, err := readReply(text)
	if err != nil || r.Results == nil {
		return r, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.Results.URL, nil)
	if err != nil {
		return nil, errors.New("the address of the result cannot be used")
	}
	plainly := remote{client: a.client}
	if text, err = plainly.receive(request); err != nil {
		return nil, fmt.Errorf("the result: %w", err)
	}
	return readReply(text)
}

func readReply(text []byte) (*reply, error) {
	r := new(reply)
	if err := json.Unmarshal(text, r); err != nil || r.URLs == nil && r.Results == nil {
		return nil, usageError("the answer is none of a pre-signing service", "look at -url or -function")
	}
	return r, nil
}

// eachURL hands over the keys and URLs of a reply, in their order.
func (r *reply) eachURL(take func(key, url string) error) error {
	d := json.NewDecoder(bytes.NewReader(r.URLs))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var url string
		if err := d.Decode(&url); err != nil {
			return errors.New("the answer has something else than URLs")
		}
		key, _ := name.(string)
		if err := take(key, url); err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"bulkpresign/internal/answer"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/strictjson"
)

// lotWait is how long the first of a lot waits for others, so that a service is asked once for what several transfers need
// at about the same time. Signing here costs nothing, and nobody waits.
const lotWait = 20 * time.Millisecond

// most of a lot: small, since each URL is to be used at once.
const lotKeys = 100

// signer signs what a transfer needs just before it is needed: here, or by a service.
type signer struct {
	bucket  string
	expires time.Duration
	local   *here
	remote  *asking

	mu    sync.Mutex
	waits map[string][]*ask // of a service, by the request's head
}

// ask is one key that is to be signed.
type ask struct {
	key  string
	item []byte // JSON
	done chan outcome
}

// outcome is what one key was answered with.
type outcome struct {
	url     string
	headers map[string]string
	upload  *begun
	err     error
}

// begun is an upload in parts, as the engine answers it.
type begun struct {
	ID              string            `json:"upload_id"`
	PartSize        int64             `json:"part_size"`
	PartCount       int               `json:"part_count"`
	PartURLs        map[string]string `json:"part_urls"`
	PartHeaders     map[string]string `json:"part_headers"`
	Uploaded        map[string]string `json:"uploaded_parts"`
	CompleteURL     string            `json:"complete_url"`
	CompleteHeaders map[string]string `json:"complete_headers"`
	AbortURL        string            `json:"abort_url"`
}

// refused is a key that was not signed.
type refused struct{ code, message string }

func (e *refused) Error() string { return oneLine(e.message) }

// newSigner signs for a bucket, as the flags say.
func newSigner(ctx context.Context, o *options, bucket string) (*signer, error) {
	s := &signer{bucket: bucket, expires: o.expires, waits: make(map[string][]*ask)}
	switch {
	case o.url != "" && o.function != "":
		return nil, usageError("there are two services", "give one of -url and -function")
	case o.url != "" || o.function != "":
		service, err := newRemote(ctx, o)
		s.remote = &asking{remote: service}
		return s, err
	}
	var err error
	if s.local, err = newHere(ctx, o, bucket); err == nil {
		s.local.service.Policy.MaxKeys = lotKeys
	}
	return s, err
}

// head is a request up to its keys.
func (s *signer) head(operation, more string) string {
	head := `{"bucket":` + string(strictjson.Quote(s.bucket)) + `,"operation":"` + operation + `"` + more
	if s.expires > 0 {
		head += fmt.Sprintf(`,"expires_in":%d`, int64(s.expires/time.Second))
	}
	if s.remote != nil && s.remote.invoke {
		head += `,"encoding":"gzip"`
	}
	return head + ","
}

// sign signs one key: more are members of the request, own of the item; both begin with a comma, or are empty.
func (s *signer) sign(ctx context.Context, operation, more, key, own string) outcome {
	a := &ask{key: key, item: []byte(`{"key":` + string(strictjson.Quote(key)) + own + `}`), done: make(chan outcome, 1)}
	head := s.head(operation, more)
	if s.local != nil || operation == "MultipartUpload" { // whose items may be of one key
		s.lot(ctx, head, []*ask{a})
		return <-a.done
	}
	s.mu.Lock()
	s.waits[head] = append(s.waits[head], a)
	switch len(s.waits[head]) {
	case 1:
		time.AfterFunc(lotWait, func() { s.flush(ctx, head) })
	case lotKeys:
		go s.flush(ctx, head)
	}
	s.mu.Unlock()
	select {
	case o := <-a.done:
		return o
	case <-ctx.Done():
		return outcome{err: ctx.Err()}
	}
}

func (s *signer) flush(ctx context.Context, head string) {
	s.mu.Lock()
	lot := s.waits[head]
	delete(s.waits, head)
	s.mu.Unlock()
	if len(lot) > 0 {
		s.lot(ctx, head, lot)
	}
}

// signed is an answer with all that a transfer uses.
type signed struct {
	URLs        map[string]string            `json:"urls"`
	Uploads     map[string]*begun            `json:"uploads"`
	Headers     map[string]string            `json:"headers"`
	ItemHeaders map[string]map[string]string `json:"item_headers"`
	Errors      map[string]struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"errors"`
}

// lot signs several keys by one request.
func (s *signer) lot(ctx context.Context, head string, lot []*ask) {
	text := []byte(head + `"keys":[`)
	for i, a := range lot {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, a.item...)
	}
	r, err := s.answer(ctx, append(text, "]}"...))
	for _, a := range lot {
		o := outcome{err: err}
		if err == nil {
			o.url, o.upload = r.URLs[a.key], r.Uploads[a.key]
			if o.headers = r.ItemHeaders[a.key]; o.headers == nil {
				o.headers = r.Headers
			}
			if e, failed := r.Errors[a.key]; failed {
				o.err = &refused{e.Code, e.Message}
			} else if o.url == "" && o.upload == nil {
				o.err = errors.New("the answer has nothing for it")
			}
		}
		a.done <- o
	}
}

// answer is the same object, whoever signs.
func (s *signer) answer(ctx context.Context, request []byte) (*signed, error) {
	var text []byte
	var err error
	if s.local != nil {
		text, err = s.here(ctx, request)
	} else {
		text, err = s.remote.ask(ctx, request)
	}
	if err != nil {
		return nil, err
	}
	r := new(signed)
	if json.Unmarshal(text, r) != nil {
		return nil, usageError("the answer is none of a pre-signing service", "look at -url or -function")
	}
	return r, nil
}

func (s *signer) here(ctx context.Context, request []byte) ([]byte, error) {
	decoded, err := bulk.Decode(request, lotKeys)
	if err != nil {
		return nil, sentence(err)
	}
	plan, err := s.local.service.Plan(ctx, policy.Caller{}, decoded)
	if err != nil {
		return nil, sentence(err)
	}
	var b bytes.Buffer
	err = answer.Write(&b, plan, bulk.JSON)
	return b.Bytes(), err
}

// forbids tells whether a service does not sign an operation at all.
func forbids(err error) bool {
	var no *refusal
	return errors.As(err, &no) && no.Code == "OperationNotAllowed"
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bulkpresign/internal/check/awkward"
	"bulkpresign/internal/standin/runtimeapi"
)

// An answer is the function's to a request whose keys it lists or looks at: other than in a batch, some may have failed.
type answer struct {
	batch
	Next    string `json:"continuation_token"`
	Objects map[string]struct {
		Size         int64
		ETag         string
		LastModified time.Time `json:"last_modified"`
	}
}

func ask(ctx context.Context, f *runtimeapi.Function, event map[string]any) (*answer, error) {
	payload, err := json.Marshal(event)
	if err != nil {
		return nil, err
	}
	text, err := f.Invoke(ctx, payload)
	if err != nil {
		return nil, err
	}
	a := new(answer)
	if err := json.Unmarshal(text, a); err != nil {
		return nil, errors.New("the function's answer is not the JSON that was promised")
	}
	return a, nil
}

// listing has the function ask the server itself: for the objects under a prefix, in parts, and about each. What a server
// cannot store it cannot list, and the cases of its keys have said so.
func (r *run) listing(ctx context.Context) error {
	const most = 37 // keys in an answer, so that there are several
	f, err := r.function(ctx, r.region, r.signer.AccessKeyID, r.signer.SecretAccessKey, r.signer.SessionToken,
		"PRESIGN_LIST_KEYS=true", fmt.Sprint("PRESIGN_MAX_KEYS=", most))
	if err != nil {
		return err
	}
	defer f.Close()
	there, err := r.store(ctx, "listed/")
	if err != nil {
		return err
	}
	var listed []string
	urls := map[string]request{}
	event := map[string]any{"bucket": plainBucket, "prefix": "listed/"}
	for answers := 1; ; answers++ {
		a, err := ask(ctx, f, event)
		if err != nil {
			r.record("prefix", "the function fails: "+err.Error())
			return nil
		}
		for key := range a.URLs {
			if urls[key], err = a.request(key, nil); err != nil {
				return err
			}
		}
		listed = append(listed, keysOf(a)...)
		if a.Next == "" {
			if want := (len(there) + most - 1) / most; answers != want {
				r.record("prefix, answers", fmt.Sprintf("%d, and %d keys need %d", answers, len(there), want))
			}
			break
		}
		event["continuation_token"] = a.Next
	}
	for key, name := range there {
		q, ok := urls[key]
		if !ok {
			r.record("prefix "+name, "not listed")
			continue
		}
		r.accept(ctx, "prefix "+name, q, 200, holds([]byte("content of "+key)))
	}
	slices.Sort(listed)
	others := 0
	for _, key := range slices.Compact(slices.Clone(listed)) {
		if _, ok := there[key]; !ok {
			others++
		}
	}
	if others > 0 {
		r.record("prefix, nothing else", fmt.Sprintf("lists %d keys that were never stored", others))
	} else {
		r.record("prefix, nothing else", "")
	}
	if len(slices.Compact(slices.Clone(listed))) < len(listed) {
		r.record("prefix, each once", "a key is in two answers")
	} else {
		r.record("prefix, each once", "")
	}
	return r.filters(ctx, f)
}

func keysOf(a *answer) (keys []string) {
	for key := range a.URLs {
		keys = append(keys, key)
	}
	return keys
}

// store puts an object under a prefix for each awkward key, and gives those that the server took, with names for cases.
func (r *run) store(ctx context.Context, under string) (there map[string]string, err error) {
	var keys []string
	names := map[string]string{}
	for _, k := range awkward.Keys() {
		if key := under + k.Key; len(key) <= 1024 {
			keys = append(keys, key)
			names[key] = "key " + k.Name
		}
	}
	b, err := sign(ctx, r.sign, map[string]any{"bucket": plainBucket, "operation": "PutObject", "keys": keys})
	if err != nil {
		return nil, err
	}
	there = map[string]string{}
	for _, key := range keys {
		q, err := b.request(key, []byte("content of "+key))
		if err != nil {
			return nil, err
		}
		resp, err := q.send(ctx)
		if err != nil {
			return nil, err
		}
		if resp.Status == 200 {
			there[key] = names[key]
		}
	}
	return there, nil
}

// filters stores a few objects, lists some of them, and looks at others by their keys.
func (r *run) filters(ctx context.Context, f *runtimeapi.Function) error {
	const under = "filtered/"
	stored := map[string]string{"a b.jpg": "four", "b+c.txt": "longer text", "ü.jpg": "x", "folder/": ""}
	var keys []string
	for key := range stored {
		keys = append(keys, under+key)
	}
	b, err := sign(ctx, r.sign, map[string]any{"bucket": plainBucket, "operation": "PutObject", "keys": keys})
	if err != nil {
		return err
	}
	for _, key := range keys {
		q, err := b.request(key, []byte(stored[strings.TrimPrefix(key, under)]))
		if err != nil {
			return err
		}
		r.accept(ctx, "filtered: PUT", q, 200, nil)
	}
	for name, tt := range map[string]struct {
		event map[string]any
		want  []string
	}{
		"no folder markers": {map[string]any{"prefix": under}, []string{"a b.jpg", "b+c.txt", "ü.jpg"}},
		"folder_markers":    {map[string]any{"prefix": under, "folder_markers": true}, []string{"a b.jpg", "b+c.txt", "folder/", "ü.jpg"}},
		"suffix":            {map[string]any{"prefix": under, "suffix": ".jpg"}, []string{"a b.jpg", "ü.jpg"}},
		"start_after":       {map[string]any{"prefix": under, "start_after": under + "b+c.txt"}, []string{"ü.jpg"}},
		"prefix of a name":  {map[string]any{"prefix": under + "b+"}, []string{"b+c.txt"}},
		"nothing there":     {map[string]any{"prefix": "nothing/"}, nil},
	} {
		tt.event["bucket"] = plainBucket
		a, err := ask(ctx, f, tt.event)
		if err != nil {
			r.record("prefix, "+name, "the function fails: "+err.Error())
			continue
		}
		got := keysOf(a)
		slices.Sort(got)
		for i := range got {
			got[i] = strings.TrimPrefix(got[i], under)
		}
		if slices.Equal(got, tt.want) {
			r.record("prefix, "+name, "")
		} else {
			r.record("prefix, "+name, fmt.Sprintf("lists %q", got))
		}
	}
	return r.looks(ctx, under)
}

// looks has the function ask about objects before it signs, with credentials that may and some that may not.
func (r *run) looks(ctx context.Context, under string) error {
	look := func(name string, event map[string]any, verdict func(*answer) string) error {
		a, err := ask(ctx, r.sign, event)
		if err != nil {
			return err
		}
		r.record("verify, "+name, verdict(a))
		return nil
	}
	keys := []string{under + "a b.jpg", under + "ü.jpg", under + "not there.jpg"}
	event := func(how string) map[string]any {
		return map[string]any{"bucket": plainBucket, "keys": keys, "verify": how}
	}
	if err := look("head", event("head"), func(a *answer) string {
		if len(a.URLs) != 2 || len(a.Errors) != 1 {
			return fmt.Sprintf("%d URLs, %d errors", len(a.URLs), len(a.Errors))
		}
		if code := a.Errors[keys[2]].Code; code != "NotFound" {
			return "what is not there is " + code
		}
		return ""
	}); err != nil {
		return err
	}
	seen, err := r.asRoot(ctx, "HEAD", "/"+plainBucket+"/"+escape(keys[0]), "", nil, nil)
	if err != nil {
		return err
	}
	if err := look("describe", event("describe"), func(a *answer) string {
		o := a.Objects[keys[0]]
		at, _ := time.Parse(time.RFC1123, seen.Header.Get("Last-Modified"))
		if len(a.Objects) != 2 || o.Size != 4 || o.ETag != strings.Trim(seen.Header.Get("ETag"), `"`) || !o.LastModified.Equal(at) {
			return "describes something else than a HEAD does"
		}
		return ""
	}); err != nil {
		return err
	}
	wrong, err := r.function(ctx, r.region, r.signer.AccessKeyID, "wrong"+r.signer.SecretAccessKey, r.signer.SessionToken, "PRESIGN_LIST_KEYS=true")
	if err != nil {
		return err
	}
	defer wrong.Close()
	a, err := ask(ctx, wrong, event("head"))
	if err != nil {
		return err
	}
	got := ""
	for _, key := range keys {
		if code := a.Errors[key].Code; code != "Forbidden" {
			got = "what may not be seen is " + code
		}
	}
	r.record("verify, refuse other signature", got)
	_, err = ask(ctx, wrong, map[string]any{"bucket": plainBucket, "prefix": under})
	var failed *runtimeapi.FunctionError
	switch {
	case err == nil:
		r.record("prefix, refuse other signature", "it is listed")
	case !errors.As(err, &failed) || failed.Type != "BucketNotAllowed" || !strings.Contains(failed.Message, "s3:ListBucket"):
		r.record("prefix, refuse other signature", "the error does not say what is missing")
	default:
		r.record("prefix, refuse other signature", "")
	}
	return nil
}

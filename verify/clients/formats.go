package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bulkpresign/internal/check/awkward"
)

// measureFormat gives the function's own answers in a format to the program that it is for. What is a folder of another
// key has its own answer and its own folder: no file system holds a file x beside x/y.
func (c *bench) measureFormat(ctx context.Context, format string) error {
	var others, folders []awkward.Key
	for _, k := range c.keys {
		isFolder := slices.ContainsFunc(c.keys, func(other awkward.Key) bool {
			return !strings.HasSuffix(k.Key, "/") && strings.HasPrefix(other.Key, k.Key+"/")
		})
		if isFolder {
			folders = append(folders, k)
		} else {
			others = append(others, k)
		}
	}
	for _, method := range []string{"GET", "PUT"} {
		if method == "PUT" && format == "aria2" {
			continue // it only downloads
		}
		for _, keys := range [][]awkward.Key{others, folders} {
			if err := c.transfer(ctx, format, method, keys); err != nil {
				return err
			}
		}
	}
	return nil
}

// transfer downloads to, or uploads from, the files that an answer names. Each must lie inside the folder, a download
// must have the bytes of its key, and there must be no other files.
func (c *bench) transfer(ctx context.Context, format, method string, keys []awkward.Key) error {
	request := map[string]any{"allow_dot_segments": true, "operation": "GetObject"}
	if method == "PUT" {
		request["operation"], request["content_type"] = "PutObject", "text/x-check"
	}
	var items []any
	for i, k := range keys {
		stored := content("GET", k.Key)
		if method == "PUT" {
			stored = []byte("not this")
		}
		if method == "PUT" && i%3 == 0 { // headers of its own make a section of its own
			items = append(items, map[string]any{"key": k.Key, "content_type": "text/x-own"})
		} else {
			items = append(items, k.Key)
		}
		if err := c.s3.Put(bucket, k.Key, stored); err != nil {
			return err
		}
	}
	request["keys"] = items
	urls, text, err := c.signText(ctx, request, format)
	if err != nil {
		return err
	}
	stated, err := statedNames(format, text)
	if err != nil {
		return err
	}

	outer, err := os.MkdirTemp(c.scratch, "format")
	if err != nil {
		return err
	}
	input, folder := filepath.Join(outer, "input"), filepath.Join(outer, "a", "b", "files")
	if err := errors.Join(os.WriteFile(input, []byte(text), 0o600), os.MkdirAll(folder, 0o700)); err != nil {
		return err
	}
	for _, k := range keys {
		if name := stated[urls[k.Key]]; method == "PUT" && filepath.IsLocal(name) {
			path := filepath.Join(folder, name)
			_ = os.MkdirAll(filepath.Dir(path), 0o700)
			_ = os.WriteFile(path, content("PUT", k.Key), 0o600) // a name that no file can have is an outcome
		}
	}
	if err := runFormat(ctx, format, input, folder); err != nil {
		return err
	}
	files, err := filesUnder(outer)
	if err != nil {
		return err
	}
	delete(files, input)
	for _, k := range keys {
		name, told := stated[urls[k.Key]]
		path := filepath.Join(folder, name)
		what := "ok"
		switch {
		case !told:
			what = "not in the answer"
		case !filepath.IsLocal(name):
			what = "a path outside the folder"
		case !files[path]:
			what = "no file"
		case !c.arrived(method, k.Key, path):
			what = "sent, failed"
		}
		delete(files, path)
		c.outcomes = append(c.outcomes, outcome{"format " + format, method, k.Name, what})
	}
	for path := range files {
		rel, _ := filepath.Rel(folder, path)
		return fmt.Errorf("a file that the answer does not speak of: %q", rel)
	}
	return nil
}

// runFormat gives a file to the program that it is for, in a folder. That single transfers fail is no error.
func runFormat(ctx context.Context, format, input, folder string) error {
	args := map[string][]string{
		"curl":  {"curl", "--disable", "--silent", "-Z", "-K", input},
		"aria2": {"aria2c", "--no-conf", "--quiet", "--max-tries=1", "--auto-file-renaming=false", "-i", input},
	}[format]
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "HOME="+folder)
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = nil
	}
	return errors.Join(err, ctx.Err())
}

// measureMetalink downloads an object that is a list of downloads itself. aria2c by default goes on to what such an
// object names, so that whoever may upload one decides what is fetched and saved.
func (c *bench) measureMetalink(ctx context.Context) error {
	const key = "list.metalink"
	object := `<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="unasked"><url>` + c.front.url + `/page.html</url></file></metalink>`
	if err := c.s3.Put(bucket, key, []byte(object)); err != nil {
		return err
	}
	var text string
	if err := c.sign(ctx, map[string]any{"keys": []string{key}, "format": "aria2"}, &text); err != nil {
		return err
	}
	outer, err := os.MkdirTemp(c.scratch, "metalink")
	if err != nil {
		return err
	}
	input, folder := filepath.Join(outer, "input"), filepath.Join(outer, "files")
	if err := errors.Join(os.WriteFile(input, []byte(text), 0o600), os.Mkdir(folder, 0o700), runFormat(ctx, "aria2", input, folder)); err != nil {
		return err
	}
	files, err := filesUnder(folder)
	if err != nil {
		return err
	}
	what := "ok"
	if got, err := os.ReadFile(filepath.Join(folder, key)); err != nil || string(got) != object {
		what = "sent, failed"
	} else if len(files) > 1 {
		what = "followed"
	}
	c.outcomes = append(c.outcomes, outcome{"format aria2", "GET", metalink, what})
	return nil
}

// metalink names the key of measureMetalink, which is not one of the awkward ones.
const metalink = "a metalink file"

// arrived reports whether the bytes of a key are where they were to go.
func (c *bench) arrived(method, key, path string) bool {
	got, err := os.ReadFile(path)
	if method == "PUT" {
		got, err = c.s3.Get(bucket, key)
	}
	return err == nil && bytes.Equal(got, content(method, key))
}

// signText asks for an answer in a format that has URLs and no keys, and for the URLs of the same second, which tell
// which is which.
func (c *bench) signText(ctx context.Context, request map[string]any, format string) (urls map[string]string, text string, err error) {
	type answer struct {
		URLs     map[string]string
		SignedAt string `json:"signed_at"`
	}
	for {
		var before, after answer
		delete(request, "format")
		err := c.sign(ctx, request, &before)
		request["format"] = format
		err = errors.Join(err, c.sign(ctx, request, &text))
		delete(request, "format")
		err = errors.Join(err, c.sign(ctx, request, &after))
		if err != nil || before.SignedAt == after.SignedAt {
			return after.URLs, text, err
		}
	}
}

func filesUnder(folder string) (map[string]bool, error) {
	files := map[string]bool{}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files[path] = true
		}
		return err
	})
	return files, err
}

// statedNames reads the file name of each URL out of an answer, by the rules of the program it is for.
func statedNames(format, text string) (map[string]string, error) {
	names := map[string]string{}
	url := ""
	for line := range strings.SplitSeq(text, "\n") {
		var name string
		switch {
		case strings.HasPrefix(line, "#"):
			continue
		case format == "aria2" && strings.HasPrefix(line, "http"):
			url = line
			continue
		case format == "aria2":
			var ok bool
			if name, ok = strings.CutPrefix(line, "  out="); !ok {
				continue
			}
		default:
			option, value, ok := strings.Cut(line, " = ")
			if !ok {
				continue
			}
			value, err := curlUnquote(value)
			if err != nil {
				return nil, err
			}
			if option == "url" {
				url = value
				continue
			}
			switch option {
			case "output", "upload-file":
				name = value
			case "data-binary": // of a key that curl takes for a folder's
				name = strings.TrimPrefix(value, "@")
			default:
				continue
			}
		}
		if url == "" {
			return nil, errors.New("a file name without a URL")
		}
		names[url] = name
		url = ""
	}
	return names, nil
}

// curlUnquote reads a quoted value of a curl config file: \\ \" \t \n \r \v are escapes, before others the backslash is
// dropped.
//
// https://curl.se/docs/manpage.html#-K
func curlUnquote(s string) (string, error) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", errors.New("a value that is not quoted")
	}
	s = s[1 : len(s)-1]
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '"' {
			return "", errors.New("a quote in the middle of a value")
		}
		if s[i] == '\\' && i+1 < len(s) {
			i++
			switch s[i] {
			case 't':
				b.WriteByte('\t')
			case 'n':
				b.WriteByte('\n')
			case 'r':
				b.WriteByte('\r')
			case 'v':
				b.WriteByte('\v')
			default:
				b.WriteByte(s[i])
			}
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String(), nil
}

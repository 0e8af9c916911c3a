package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"bulkpresign/internal/localname"
)

// wanted is an object that is to be downloaded.
type wanted struct {
	key     string // what it is told of as; where the list has no keys, what the URL says
	name    string // of the file, with "/" between its segments; empty until it is chosen
	url     string // empty: it is signed just before it is used
	headers map[string]string
}

// urlList reads URLs from any answer that has them.
type urlList struct {
	all    []wanted
	failed int
	tell   func(string, ...any)
}

// readURLs reads a list from a file or standard input; gzip is unpacked.
func readURLs(name string, in io.Reader, tell func(string, ...any)) (*urlList, error) {
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	b := bufio.NewReaderSize(in, 1<<16)
	if magic, _ := b.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", oneLine(name), err)
		}
		b = bufio.NewReaderSize(z, 1<<16)
	}
	l := &urlList{tell: tell}
	head, _ := b.Peek(4096)
	head = bytes.TrimPrefix(head, []byte("\ufeff"))
	first, _, _ := strings.Cut(strings.TrimLeft(string(head), " \t\r\n"), "\n")
	var err error
	switch {
	case first == "":
		err = errors.New("it is empty")
	case strings.HasPrefix(first, "{"):
		err = l.json(b)
	case strings.HasPrefix(first, "# curl "):
		err = l.curl(b)
	case strings.HasPrefix(first, "key,"):
		err = l.csv(b)
	default:
		err = l.lines(b)
	}
	if err == nil && len(l.all)+l.failed == 0 {
		err = errors.New("there is no URL in it")
	}
	if err != nil {
		return nil, usageError(oneLine(name)+": "+plain(err).Error(), "the list is URLs, or an answer of this command: url, json, compact, ndjson, csv, uri-list, aria2, curl")
	}
	return l, nil
}

func (l *urlList) fail(format string, args ...any) {
	l.failed++
	l.tell(format, args...)
}

// json reads one answer, or lines of ndjson.
func (l *urlList) json(in io.Reader) error {
	d := json.NewDecoder(in)
	for {
		var v struct {
			Key         *string           `json:"key"`
			URL         string            `json:"url"`
			PartNumber  int               `json:"part_number"`
			Error       *reason           `json:"error"`
			Headers     map[string]string `json:"headers"`
			Operation   string
			Base, Query string
			URLs        map[string]string            `json:"urls"`
			Signatures  map[string]string            `json:"signatures"`
			ItemHeaders map[string]map[string]string `json:"item_headers"`
			Errors      map[string]reason            `json:"errors"`
			Posts       json.RawMessage              `json:"posts"`
			Uploads     json.RawMessage              `json:"uploads"`
			PartURLs    json.RawMessage              `json:"part_urls"`
			Results     *struct{ URL string }        `json:"results"`
		}
		err := d.Decode(&v)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return errors.New("it begins as JSON and is none")
		}
		switch {
		case v.Operation != "" && v.Operation != "GetObject":
			return errors.New("its URLs are of " + v.Operation + ", and only those of GetObject download")
		case v.Posts != nil || v.Uploads != nil || v.PartURLs != nil || v.PartNumber > 0:
			return errors.New("it has forms, or parts: nothing to download a file with")
		case v.Results != nil:
			return errors.New("it says where the result lies: download that first, it is a list, too")
		case v.Key != nil && v.Error != nil:
			l.fail("%s: %s: %s", oneLine(*v.Key), oneLine(v.Error.Code), oneLine(v.Error.Message))
			continue
		case v.Key != nil:
			l.all = append(l.all, wanted{key: *v.Key, url: v.URL, headers: v.Headers})
			continue
		case v.URLs == nil && v.Signatures == nil:
			return errors.New("it is JSON, and has no URLs")
		}
		add := func(key, url string) {
			headers := v.Headers
			if own, ok := v.ItemHeaders[key]; ok {
				headers = own
			}
			l.all = append(l.all, wanted{key: key, url: url, headers: headers})
		}
		for key, u := range v.URLs {
			add(key, u)
		}
		for key, signature := range v.Signatures {
			add(key, v.Base+escapedKey(key)+"?"+v.Query+"&X-Amz-Signature="+signature)
		}
		for key, e := range v.Errors {
			l.fail("%s: %s: %s", oneLine(key), oneLine(e.Code), oneLine(e.Message))
		}
	}
}

type reason struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// escapedKey writes a key as S3's URLs have it.
func escapedKey(key string) string {
	var b strings.Builder
	for _, c := range []byte(key) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func (l *urlList) csv(in io.Reader) error {
	r := csv.NewReader(in)
	names, err := r.Read()
	if err != nil {
		return err
	}
	at := make(map[string]int)
	for i, name := range names {
		at[strings.TrimPrefix(name, "\ufeff")] = i
	}
	column, ok := at["url"]
	if _, parts := at["part_number"]; !ok || parts {
		return errors.New("its first row names no column url, or it has parts")
	}
	for {
		row, err := r.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		w := wanted{key: row[0], url: row[column]}
		if i, ok := at["headers"]; ok && row[i] != "" && json.Unmarshal([]byte(row[i]), &w.headers) != nil {
			return errors.New("its headers are no JSON")
		}
		if i, ok := at["error"]; ok && row[i] != "" {
			l.fail("%s: %s", oneLine(w.key), oneLine(row[i]))
			continue
		}
		l.all = append(l.all, w)
	}
}

func scanner(in io.Reader) *bufio.Scanner {
	s := bufio.NewScanner(in)
	s.Buffer(nil, 1<<20)
	return s
}

// lines reads URLs alone, a list of them (RFC 2483) with headers in comments, or aria2's input.
func (l *urlList) lines(in io.Reader) error {
	s := scanner(in)
	var before map[string]string // headers for the next URL
	for n := 1; s.Scan(); n++ {
		line := strings.TrimSuffix(strings.TrimPrefix(s.Text(), "\ufeff"), "\r")
		header, isHeader := strings.CutPrefix(line, "# send with header ")
		option, isOption := strings.CutPrefix(line, "  ")
		switch {
		case isHeader:
			before = withHeader(before, header)
		case strings.TrimSpace(line) == "" || line[0] == '#':
			if code, name, ok := strings.Cut(strings.TrimPrefix(line, "# "), " "); ok && isCode(code) {
				l.fail("%s: %s", oneLine(name), code)
			}
		case isOption && len(l.all) > 0:
			w := &l.all[len(l.all)-1]
			if name, ok := strings.CutPrefix(option, "out="); ok {
				w.name = name
			} else if header, ok := strings.CutPrefix(option, "header="); ok {
				w.headers = withHeader(w.headers, header)
			}
		case isURL(line):
			line, _, _ = strings.Cut(line, "\t") // of aria2: the same file elsewhere
			l.all = append(l.all, wanted{key: keyOf(line), url: line, headers: before})
			before = nil
		default:
			return fmt.Errorf("line %d is no URL", n)
		}
	}
	return s.Err()
}

// isCode tells whether a comment says that a key failed.
func isCode(s string) bool {
	switch s {
	case "EmptyKey", "KeyTooLong", "KeyNotAllowed", "UnsafeKey", "InvalidOption", "ConflictingItem", "NotFound", "Forbidden", "Archived", "NotVerified":
		return true
	}
	return false
}

func withHeader(all map[string]string, line string) map[string]string {
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		return all
	}
	if all == nil {
		all = make(map[string]string)
	}
	all[strings.TrimSpace(name)] = strings.TrimSpace(value)
	return all
}

// curl reads what this project writes for curl -K: url, output and header.
func (l *urlList) curl(in io.Reader) error {
	s := scanner(in)
	shared, own := map[string]string{}, map[string]string(nil)
	apart := false
	for s.Scan() {
		line := strings.TrimSuffix(s.Text(), "\r")
		if text, ok := strings.CutPrefix(line, "# "); ok {
			if code, name, ok := strings.Cut(text, " "); ok && isCode(code) {
				l.fail("%s: %s", oneLine(name), code)
			}
			continue
		}
		name, value, _ := strings.Cut(line, " = ")
		value = curlText(value)
		switch name {
		case "next":
			own, apart = nil, true
		case "header":
			own = withHeader(own, value)
		case "upload-file", "head", "request":
			return errors.New("it does not download")
		case "url":
			if len(l.all) == 0 && !apart {
				shared = own
			}
			headers := own
			if headers == nil && !apart {
				headers = shared
			}
			l.all = append(l.all, wanted{key: keyOf(value), url: value, headers: headers})
		case "output":
			if len(l.all) > 0 {
				l.all[len(l.all)-1].name = value
			}
		}
	}
	return s.Err()
}

func curlText(s string) string {
	if len(s) < 2 || s[0] != '"' {
		return s
	}
	return strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\t`, "\t").Replace(strings.TrimSuffix(s[1:], `"`))
}

// keyOf is the key that a URL names. Where AWS's host has the bucket it is the path; where the host is S3's own, the
// path without its first segment; of other hosts the path is taken whole.
func keyOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	key := strings.TrimPrefix(u.Path, "/")
	if host := u.Hostname(); strings.HasPrefix(host, "s3.") || strings.HasPrefix(host, "s3-") {
		_, key, _ = strings.Cut(key, "/")
	}
	return key
}

// choose gives each file a name that no other has. A name that a list gives is taken where it stays in its folder and
// is what it looks like; else it is treated as a key.
func choose(all []wanted, prefix string) {
	var names localname.Names
	taken := make(map[string]bool)
	for i := range all {
		w := &all[i]
		if w.name == "" || !isName(w.name) || taken[w.name] {
			key := w.name
			if key == "" {
				key = strings.TrimPrefix(w.key, prefix)
			}
			w.name = names.Of(key)
		}
		if strings.EqualFold(firstOf(w.name), parking) { // which is ours
			w.name = "%2E" + w.name[1:]
		}
		taken[w.name] = true
	}
}

func firstOf(name string) string {
	first, _, _ := strings.Cut(name, "/")
	return first
}

func isName(name string) bool {
	return utf8.ValidString(name) && filepath.IsLocal(filepath.FromSlash(name)) && !strings.ContainsRune(name, '\\') && !strings.HasSuffix(name, "/") &&
		!strings.ContainsFunc(name, unicode.IsControl)
}

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"bulkpresign/internal/strictjson"
)

// joined writes several replies as one answer.
type joined struct {
	to     *bufio.Writer
	format string
	tell   func(string, ...any)

	replies, signed, failed int
	last                    reply  // the first one's envelope, and of all what stands behind the URLs
	lastText                []byte // its errors
}

func (j *joined) take(r *reply) error {
	if j.replies++; j.replies == 1 {
		j.last = *r
		j.last.ItemHeaders, j.last.Warnings = make(map[string]json.RawMessage), make(map[string]string)
		if j.format == "json" {
			j.to.WriteString(`{"urls":{`)
		}
	}
	if r.ExpiresAt < j.last.ExpiresAt { // both RFC 3339, in UTC
		j.last.ExpiresAt, j.last.Basis, j.last.ExpiresIn = r.ExpiresAt, r.Basis, r.ExpiresIn
	}
	if j.last.Headers == nil {
		j.last.Headers = r.Headers
	}
	maps.Copy(j.last.ItemHeaders, r.ItemHeaders)
	maps.Copy(j.last.Warnings, r.Warnings)
	if err := r.eachURL(func(key, url string) error { return j.url(r, key, url) }); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(r.Errors)) {
		e := r.Errors[key]
		j.failed++
		j.tell("%s: %s: %s", oneLine(key), oneLine(e.Code), oneLine(e.Message))
		text, err := json.Marshal(e)
		if err != nil {
			return err
		}
		switch j.format {
		case "ndjson":
			fmt.Fprintf(j.to, "{\"key\":%s,\"error\":%s}\n", strictjson.Quote(key), text)
		case "json":
			if len(j.lastText) > 0 {
				j.lastText = append(j.lastText, ',')
			}
			j.lastText = fmt.Appendf(j.lastText, "%s:%s", strictjson.Quote(key), text)
		case "uri-list":
			fmt.Fprintf(j.to, "# %s: %s\r\n", oneLine(key), oneLine(e.Code))
		}
	}
	return nil
}

func (j *joined) url(r *reply, key, url string) error {
	headers, own := r.ItemHeaders[key]
	if !own {
		headers = r.Headers
	}
	j.signed++
	var err error
	switch j.format {
	case lines:
		_, err = fmt.Fprintln(j.to, url)
	case "ndjson":
		fmt.Fprintf(j.to, `{"key":%s,"url":%s`, strictjson.Quote(key), strictjson.Quote(url))
		if headers != nil {
			fmt.Fprintf(j.to, `,"headers":%s`, headers)
		}
		_, err = j.to.WriteString("}\n")
	case "uri-list":
		for _, line := range headerLines(headers) {
			fmt.Fprintf(j.to, "# send with header %s\r\n", line)
		}
		_, err = fmt.Fprintf(j.to, "%s\r\n", url)
	case "json":
		if j.signed > 1 {
			j.to.WriteByte(',')
		}
		_, err = fmt.Fprintf(j.to, "%s:%s", strictjson.Quote(key), strictjson.Quote(url))
	}
	return err
}

// headerLines are headers as NAME: VALUE, in order.
func headerLines(headers json.RawMessage) (all []string) {
	var values map[string]string
	if headers != nil && json.Unmarshal(headers, &values) == nil {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			all = append(all, oneLine(name+": "+values[name]))
		}
	}
	return all
}

// end writes what stands behind the URLs. Signed_at is the first request's, expires_at the earliest.
func (j *joined) end() error {
	if j.format == "json" && j.replies > 0 {
		l := &j.last
		fmt.Fprintf(j.to, `},"bucket":%s,"operation":%s,"signed_at":%s,"expires_in":%d,"expires_at":%s,"expires_at_basis":%s`,
			strictjson.Quote(l.Bucket), strictjson.Quote(l.Operation), strictjson.Quote(l.SignedAt), l.ExpiresIn, strictjson.Quote(l.ExpiresAt), strictjson.Quote(l.Basis))
		if l.Headers != nil {
			fmt.Fprintf(j.to, `,"headers":%s`, l.Headers)
		}
		for name, value := range map[string]any{"item_headers": l.ItemHeaders, "warnings": l.Warnings} {
			if text, err := json.Marshal(value); err == nil && len(text) > len("{}") {
				fmt.Fprintf(j.to, `,%q:%s`, name, text)
			}
		}
		if len(j.lastText) > 0 {
			fmt.Fprintf(j.to, `,"errors":{%s}`, j.lastText)
		}
		j.to.WriteString("}\n")
	}
	return j.to.Flush()
}

// notes are as those of what is signed here.
func (j *joined) notes() {
	if j.last.Basis == "credentials" {
		j.tell("the service's credentials end before the URLs would, at %s, and the URLs with them", oneLine(j.last.ExpiresAt))
	}
	if headers := headerLines(j.last.Headers); len(headers) > 0 && j.format == lines {
		j.tell("send each URL with %s", strings.Join(headers, "; "))
	}
}

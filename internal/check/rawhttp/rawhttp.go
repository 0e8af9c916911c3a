// Package rawhttp is an HTTP client that changes nothing.
//
// net/http parses a URL and writes it anew, browsers and curl clean its path first; each can hide a URL that is
// wrong, or break one that is right. This client cuts the URL where the host ends and writes the rest into the
// request line as it is. It is for tests and the demo: plain http, one request a connection, no redirects.
package rawhttp

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A Response is an HTTP response, read to its end.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends one request. Host, Content-Length (when there is a body, or the method is PUT or POST) and
// "Connection: close" are added; a "host" or "content-length" in headers, whatever its case, takes their place.
// Nothing else is added. No error holds the URL, since that may be signed.
func Do(ctx context.Context, method, url string, headers map[string]string, body []byte) (*Response, error) {
	host, target, err := split(url)
	if err != nil {
		return nil, err
	}
	request, err := build(method, host, target, headers, body)
	if err != nil {
		return nil, err
	}

	address := host
	if _, _, err := net.SplitHostPort(host); err != nil {
		address = net.JoinHostPort(strings.Trim(host, "[]"), "80")
	}
	if name, port, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(name, ".localhost") {
		address = net.JoinHostPort("127.0.0.1", port) // RFC 6761, section 6.3; not every resolver knows
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("rawhttp: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()

	// A server may refuse a request before it has read all of it, so what it says counts, and whether the writing
	// went well only if it says nothing.
	written := make(chan error, 1)
	go func() {
		_, err := conn.Write(request)
		written <- err
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err == nil {
		var content []byte
		content, err = io.ReadAll(resp.Body)
		if err == nil {
			return &Response{Status: resp.StatusCode, Header: resp.Header, Body: content}, nil
		}
	}
	conn.Close()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return nil, fmt.Errorf("rawhttp: %w", errors.Join(err, <-written))
}

// split cuts an http URL into host[:port] and the request target.
func split(url string) (host, target string, err error) {
	rest, ok := strings.CutPrefix(url, "http://")
	if !ok {
		return "", "", errors.New("rawhttp: not an http URL")
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 || rest[end] != '/' {
		return "", "", errors.New("rawhttp: the URL has no path")
	}
	host, target = rest[:end], rest[end:]
	if host == "" {
		return "", "", errors.New("rawhttp: the URL has no host")
	}
	// These would end the request target early, or never be sent. No correct URL has them.
	for i := range len(target) {
		if c := target[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return "", "", fmt.Errorf("rawhttp: byte %d of the request target cannot be sent: %q", i, c)
		}
	}
	return host, target, nil
}

func build(method, host, target string, headers map[string]string, body []byte) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", method, target)
	var hasHost, hasLength bool
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		value := headers[name]
		if strings.ContainsAny(name+value, "\r\n") {
			return nil, fmt.Errorf("rawhttp: a line break in header %q", name)
		}
		hasHost = hasHost || strings.EqualFold(name, "host")
		hasLength = hasLength || strings.EqualFold(name, "content-length")
		fmt.Fprintf(&b, "%s: %s\r\n", name, value)
	}
	if !hasHost {
		// As every client does: the default port of the scheme is not part of the header.
		fmt.Fprintf(&b, "Host: %s\r\n", strings.TrimSuffix(host, ":80"))
	}
	if !hasLength && (len(body) > 0 || method == "PUT" || method == "POST") {
		b.WriteString("Content-Length: " + strconv.Itoa(len(body)) + "\r\n")
	}
	b.WriteString("Connection: close\r\n\r\n")
	b.Write(body)
	return b.Bytes(), nil
}

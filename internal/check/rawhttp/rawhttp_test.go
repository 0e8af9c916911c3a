package rawhttp_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bulkpresign/internal/check/rawhttp"
)

// serveOnce answers one connection and hands over what came in.
func serveOnce(t *testing.T, answer string) (address string, request <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	got := make(chan string, 1)
	go func() {
		defer close(got)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		var head strings.Builder
		r := bufio.NewReader(conn)
		for {
			line, err := r.ReadString('\n')
			head.WriteString(line)
			if err != nil || line == "\r\n" {
				break
			}
		}
		io.WriteString(conn, answer)
		got <- head.String()
	}()
	return l.Addr().String(), got
}

const ok = "HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 2\r\n\r\nhi"

func TestTheRequestIsSentAsGiven(t *testing.T) {
	// What net/url or a browser would change: dots, case of escapes, escapes that are not needed, empty query.
	const target = "//a/../%2f%41%7E+'\\|?&&=a;b"
	address, request := serveOnce(t, ok)
	resp, err := rawhttp.Do(t.Context(), "PUT", "http://"+address+target, map[string]string{"x-amz-meta-a": "b"}, []byte("body"))
	if err != nil {
		t.Fatal(err)
	}
	want := "PUT " + target + " HTTP/1.1\r\nx-amz-meta-a: b\r\nHost: " + address + "\r\nContent-Length: 4\r\nConnection: close\r\n\r\n"
	if got := <-request; got != want {
		t.Errorf("sent %q\nwant %q", got, want)
	}
	if resp.Status != 200 || resp.Header.Get("X-A") != "b" || string(resp.Body) != "hi" {
		t.Errorf("got %d, %v, %q", resp.Status, resp.Header, resp.Body)
	}
}

func TestGivenHeadersWin(t *testing.T) {
	address, request := serveOnce(t, ok)
	_, err := rawhttp.Do(t.Context(), "GET", "http://"+address+"/", map[string]string{"Host": "example.com", "content-length": "0"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "GET / HTTP/1.1\r\nHost: example.com\r\ncontent-length: 0\r\nConnection: close\r\n\r\n"
	if got := <-request; got != want {
		t.Errorf("sent %q\nwant %q", got, want)
	}
}

func TestAnAnswerToHeadHasNoBody(t *testing.T) {
	address, _ := serveOnce(t, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
	resp, err := rawhttp.Do(t.Context(), "HEAD", "http://"+address+"/", nil, nil)
	if err != nil || len(resp.Body) != 0 {
		t.Errorf("got %v, %v", resp, err)
	}
}

// A large upload is refused while it is still being sent: the refusal must come through.
func TestEarlyRefusal(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
	}))
	defer s.Close()
	// Under the 256 KiB that net/http still reads after an answer, so that the connection is not reset.
	resp, err := rawhttp.Do(t.Context(), "PUT", s.URL+"/", nil, make([]byte, 200<<10))
	if err != nil {
		t.Fatal(err)
	}
	if resp.Status != http.StatusForbidden {
		t.Errorf("status %d, want 403", resp.Status)
	}
}

func TestRefusedBeforeSending(t *testing.T) {
	const secret = "X-Amz-Signature=5ec7e7"
	for _, url := range []string{
		"https://127.0.0.1/?" + secret,
		"http://127.0.0.1?" + secret,
		"http:///?" + secret,
		"http://127.0.0.1/a b?" + secret,
		"http://127.0.0.1/a\r\n?" + secret,
		"http://127.0.0.1/é?" + secret,
		"http://127.0.0.1/a#b?" + secret,
	} {
		_, err := rawhttp.Do(t.Context(), "GET", url, nil, nil)
		if err == nil {
			t.Errorf("%q was sent", url)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%q: the error shows the URL", url)
		}
	}
	if _, err := rawhttp.Do(t.Context(), "GET", "http://127.0.0.1/", map[string]string{"a": "b\r\nc: d"}, nil); err == nil {
		t.Error("a header with a line break was sent")
	}
}

func TestContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if conn, err := l.Accept(); err == nil {
			defer conn.Close()
			bufio.NewReader(conn).ReadString('\n')
			cancel()
			io.Copy(io.Discard, conn)
		}
	}()
	if _, err := rawhttp.Do(ctx, "GET", "http://"+l.Addr().String()+"/", nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

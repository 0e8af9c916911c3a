package gatewayevent_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"bulkpresign/internal/gatewayevent"
)

func zipped(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(text))
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func through(t testing.TB, text string, open func(io.Writer) io.WriteCloser) string {
	t.Helper()
	var b bytes.Buffer
	w := open(&b)
	_, err := w.Write([]byte(text))
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What a body may be compressed with, by its bytes and by what its header says: rows where both agree, where an API has
// inflated and left the header, and where they contradict each other.
func TestCompressedRequest(t *testing.T) {
	const request = `{"keys":["a","é b"]}`
	good := zipped(t, request)
	damaged := []byte(good)
	damaged[len(damaged)-6] ^= 1 // in the checksum
	deflated := through(t, request, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) })
	raw := through(t, request, func(w io.Writer) io.WriteCloser { z, _ := flate.NewWriter(w, 6); return z })
	asText := strings.ToValidUTF8(good, "\ufffd") // what an API makes of bytes that it takes for text
	for _, test := range []struct{ name, coding, body, detail string }{
		{"plain", "", request, ""},
		{"identity", "identity", request, ""},
		{"gzip", "gzip", good, ""},
		{"x-gzip, in capitals", "X-GZIP", good, ""},
		{"gzip without a header", "", good, ""},
		{"inflated by a REST API, which leaves the header", "gzip", request, ""},
		{"the same with white space and a mark before it", "gzip", "\ufeff\r\n " + request, ""},
		{"inflated from deflate", "deflate", request, ""},
		{"identity and gzip", "identity, gzip", good, ""},
		{"two members", "gzip", zipped(t, request[:7]) + zipped(t, request[7:]), ""},
		{"twice", "gzip, gzip", zipped(t, good), "gzip within gzip"},
		{"cut off", "gzip", good[:len(good)-9], "cut off"},
		{"only the first bytes", "gzip", good[:2], "cut off"},
		{"another checksum", "gzip", string(damaged), "checksum"},
		{"bytes after it", "gzip", good + strings.Repeat("\x00", 20), "damaged"},
		{"a few bytes after it", "gzip", good + "\x00", "cut off"},
		{"no gzip method", "gzip", "\x1f\x8b\x09" + good[3:], "damaged"},
		{"damaged by being handed over as text", "gzip", asText, "binaryMediaTypes"},
		{"zlib's, named gzip", "gzip", deflated, "neither gzip nor a JSON object"},
		{"a form, named gzip", "gzip", "keys=a", "neither gzip nor a JSON object"},
		{"nothing, named gzip", "gzip", "", "neither gzip nor a JSON object"},
		{"deflate", "deflate", deflated, "compressed with deflate"},
		{"deflate without zlib's head", "deflate", raw, "compressed with deflate"},
		{"brotli", "br", "\x0b\x0a\x80" + request + "\x03", "compressed with gzip"},
		{"zstd", "zstd", "\x28\xb5\x2f\xfd", "compressed with gzip"},
		{"a coding that is none", "utf-8", request, "compressed with gzip"},
		{"not JSON within", "gzip", zipped(t, "keys=a"), "a form"},
	} {
		headers, err := json.Marshal(map[string]string{"Content-Encoding": test.coding})
		if err != nil {
			t.Fatal(err)
		}
		if test.coding == "" {
			headers = []byte("{}")
		}
		for _, event := range []string{
			fmt.Sprintf(`{"version":"2.0","headers":%s,"requestContext":{"http":{"method":"POST"}},"isBase64Encoded":true,"body":%q}`,
				bytes.ToLower(headers), base64.StdEncoding.EncodeToString([]byte(test.body))),
			fmt.Sprintf(`{"httpMethod":"POST","headers":%s,"requestContext":{"stage":"prod"},"isBase64Encoded":true,"body":%q}`,
				headers, base64.StdEncoding.EncodeToString([]byte(test.body))),
		} {
			answer, err := invoke(handler(io.Discard), t.Context(), []byte(event))
			if err != nil {
				t.Fatalf("%s: the function failed", test.name)
			}
			var response struct {
				StatusCode int
				Body       string
			}
			if err := json.Unmarshal(answer, &response); err != nil {
				t.Fatal(err)
			}
			var problem struct{ Code, Detail string }
			if response.StatusCode != 200 {
				_ = json.Unmarshal([]byte(response.Body), &problem)
			}
			switch {
			case test.detail == "" && response.StatusCode != 200:
				t.Errorf("%s: status %d: %s", test.name, response.StatusCode, problem.Detail)
			case test.detail != "" && (problem.Code != "InvalidRequest" || !strings.Contains(problem.Detail, test.detail)):
				t.Errorf("%s: status %d, %q: want %q", test.name, response.StatusCode, problem.Detail, test.detail)
			}
		}
	}
}

// A small body does not become a large one: both bounds, at the last byte that is taken and one beyond.
func TestInflatedBounds(t *testing.T) {
	h := handler(io.Discard)
	sendGzip := func(body string) (detail string) {
		t.Helper()
		answer, err := invoke(h, t.Context(), fmt.Appendf(nil, `{"requestContext":{"http":{"method":"POST"}},"isBase64Encoded":true,"body":%q}`,
			base64.StdEncoding.EncodeToString([]byte(body))))
		if err != nil {
			t.Fatal("the function failed")
		}
		var response struct{ Body string }
		var problem struct{ Detail string }
		_ = json.Unmarshal(answer, &response)
		_ = json.Unmarshal([]byte(response.Body), &problem)
		return problem.Detail
	}
	// Padding in gzip's head makes it larger, and not its text.
	member := func(text string, padding int) string {
		t.Helper()
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Extra = make([]byte, padding)
		if _, err := z.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	send := func(text string, padding int) (size int, detail string) {
		body := member(text, padding)
		return len(body), sendGzip(body)
	}
	padded := func(request string, size int) string {
		return request + strings.Repeat(" ", size-len(request)-1) + "}"
	}

	text := padded(`{"keys":["a"]`, 10_000_000)
	least, detail := send(text, 0)
	if !strings.Contains(detail, "250 times") {
		t.Errorf("%d bytes of gzip for %d: %q", least, len(text), detail)
	}
	enough := (len(text) + gatewayevent.MaxRatio - 1) / gatewayevent.MaxRatio
	for size, want := range map[int]string{enough: "", enough - 1: "250 times"} {
		if got, detail := send(text, size-least); got != size || !strings.Contains(detail, want) || (detail == "") != (want == "") {
			t.Errorf("%d bytes of gzip for %d: %q, want %q", got, len(text), detail, want)
		}
	}
	// A mebibyte of spaces in as little gzip as a ratio under the bound allows, 64 times over: gzip may have several members.
	const piece = 1 << 20
	spaces := strings.Repeat(member(strings.Repeat(" ", piece), 5000), gatewayevent.MaxInflated/piece-1)
	for size, want := range map[int]string{piece: "", piece + 1: "64 MiB"} {
		if detail := sendGzip(spaces + member(padded(`{"keys":["a"]`, size), 5000)); !strings.Contains(detail, want) || (detail == "") != (want == "") {
			t.Errorf("%d bytes of text: %q, want %q", gatewayevent.MaxInflated-piece+size, detail, want)
		}
	}
}

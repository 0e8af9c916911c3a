package gatewayevent_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
)

// restEvent is a REST API's event with what a browser sends.
func restEvent(method, origin, asks string) []byte {
	headers := map[string]string{"Content-Type": "application/json"}
	if origin != "" {
		headers["Origin"] = origin
	}
	if asks != "" {
		headers["Access-Control-Request-Method"] = asks
	}
	text, err := json.Marshal(map[string]any{
		"httpMethod": method, "headers": headers, "body": `{"keys":["a"]}`, "isBase64Encoded": false,
		"requestContext": map[string]any{"httpMethod": method},
	})
	if err != nil {
		panic(err)
	}
	return text
}

// What a REST API's function tells a browser: the question before a call, an answer, a
// problem, in one piece and as a stream.
func TestCORS(t *testing.T) {
	const page, other = "https://app.example.com", "https://evil.example.com"
	for _, test := range []struct {
		name, origins, method, origin, asks string
		status                              int
		allowed                             string // access-control-allow-origin
		methods                             bool
	}{
		{"the question", page, "OPTIONS", page, "POST", 204, page, true},
		{"of one of several", "https://a.example," + page, "OPTIONS", page, "POST", 204, page, true},
		{"of anybody", "*", "OPTIONS", other, "POST", 204, "*", true},
		{"of any page over https", "https://*", "OPTIONS", page, "POST", 204, page, true},
		{"of no page over http", "https://*", "OPTIONS", "http://app.example.com", "POST", 204, "", false},
		{"of a page that may not", page, "OPTIONS", other, "POST", 204, "", false},
		{"of a name that begins alike", page, "OPTIONS", page + ".evil.example", "POST", 204, "", false},
		{"of a page that says null", page, "OPTIONS", "null", "POST", 204, "", false},
		{"no question", page, "OPTIONS", page, "", 405, page, false},
		{"where no page may", "", "OPTIONS", page, "POST", 405, "", false},
		{"an answer", page, "POST", page, "", 200, page, false},
		{"an answer to another page", page, "POST", other, "", 200, "", false},
		{"an answer to no page", page, "POST", "", "", 200, "", false},
		{"a problem", page, "GET", page, "", 405, page, false},
	} {
		for _, streamed := range []bool{false, true} {
			h := handler(io.Discard)
			h.StreamREST = streamed
			if test.origins != "" {
				h.Origins = strings.Split(test.origins, ",")
			}
			answer, err := h.Invoke(t.Context(), restEvent(test.method, test.origin, test.asks))
			if err != nil {
				t.Fatal(err)
			}
			text := answer.Whole
			if (answer.Stream != nil) != streamed {
				t.Errorf("%s: a stream: %v", test.name, answer.Stream != nil)
			}
			if answer.Stream != nil {
				var b bytes.Buffer
				if err := answer.Stream(&b); err != nil {
					t.Fatal(err)
				}
				text, _, _ = bytes.Cut(b.Bytes(), make([]byte, 8))
			}
			var head struct {
				StatusCode int
				Headers    map[string]string
			}
			if err := json.Unmarshal(text, &head); err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprint(head.StatusCode, head.Headers["access-control-allow-origin"], head.Headers["access-control-allow-methods"] == "POST")
			if want := fmt.Sprint(test.status, test.allowed, test.methods); got != want {
				t.Errorf("%s (stream: %v): %s, want %s", test.name, streamed, got, want)
			}
			if varies := head.Headers["vary"] == "origin"; varies != (test.origins != "" && test.origins != "*") {
				t.Errorf("%s: vary: %v", test.name, varies)
			}
		}
	}
}

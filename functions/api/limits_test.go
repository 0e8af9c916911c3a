package main_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"bulkpresign/internal/answer"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/check/batches"
	"bulkpresign/internal/check/rawhttp"
	"bulkpresign/internal/deflate"
	"bulkpresign/internal/standin/runtimeapi"
)

const limit = 6_291_556 // bytes that a synchronous invocation may answer

// A transport sends a request of these keys and gives the payload, or what would fit.
type transport struct {
	name string
	// quote is how many bytes a double quote in a key takes in the payload, twice the
	// key and once the URL: an odd number, with which any size can be made.
	quote int
	send  func(t *testing.T, keys []string) (payload []byte, fits int)
}

var transports = []transport{
	{"direct", len(`\"%22`), func(t *testing.T, keys []string) ([]byte, int) {
		payload, err := open().fn.Invoke(t.Context(), mustJSON(map[string]any{"keys": keys}))
		var f *runtimeapi.FunctionError
		switch {
		case errors.As(err, &f) && f.Type == "ResponseTooLarge":
			return nil, numberIn(t, f.Message)
		case err != nil:
			t.Fatalf("invoke: %v", err)
		}
		return payload, 0
	}},
	{"HTTP", len(`\\\"%22`), func(t *testing.T, keys []string) ([]byte, int) {
		payload, err := open().fn.Invoke(t.Context(), httpAPI("POST", string(mustJSON(map[string]any{"keys": keys})), nil))
		if err != nil {
			t.Fatalf("invoke: %v", err)
		}
		answer := decodeResponse(t, payload)
		if answer.StatusCode == 200 {
			return payload, 0
		}
		p := decodeProblem(t, answer)
		if p.Code != "ResponseTooLarge" || p.Status != 413 || p.Fits == nil {
			t.Fatalf("code %s, status %d", p.Code, p.Status)
		}
		if inDetail := numberIn(t, p.Detail); inDetail != *p.Fits {
			t.Errorf("the detail says that %d fit, the member %d", inDetail, *p.Fits)
		}
		return nil, *p.Fits
	}},
}

// numberIn finds the first number of a detail.
func numberIn(t *testing.T, detail string) int {
	t.Helper()
	for word := range strings.FieldsSeq(detail) {
		if n, err := strconv.Atoi(word); err == nil {
			return n
		}
	}
	t.Fatalf("there is no number in %q", detail)
	return 0
}

// The function knows the size of its answer to the byte.
func TestAnswerAtTheLimit(t *testing.T) {
	t.Parallel()
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			// Long keys make a large answer of few signatures; a short one more is what is
			// made longer until the size is right: each of its letters takes two bytes.
			keys := make([]string, 9000)
			for i := range keys {
				keys[i] = fmt.Sprintf("%04d/%s", i, strings.Repeat("k", 300))
			}
			one, _ := tr.send(t, keys[:1])
			two, _ := tr.send(t, keys[:2])
			each := len(two) - len(one)
			keys = keys[:(limit-len(one))/each] // with the short key there is one more
			short, _ := tr.send(t, append(keys[:len(keys):len(keys)], "x"))
			if short == nil || limit-len(short) > 2*1000 || limit-len(short) < 20 {
				t.Fatalf("%d keys and a short one make an answer of %d bytes", len(keys), len(short))
			}
			for size := limit - 1; size <= limit+1; size++ {
				last, more := "x", size-len(short)
				if more%2 == 1 {
					last += `"`
					more -= tr.quote
				}
				last += strings.Repeat("k", more/2)
				payload, fits := tr.send(t, append(keys[:len(keys):len(keys)], last))
				switch {
				case size <= limit && len(payload) != size:
					t.Errorf("want an answer of %d bytes, got %d (fits %d)", size, len(payload), fits)
				case size > limit && (payload != nil || fits != len(keys)):
					t.Errorf("an answer of %d bytes was given, or fits is %d and not %d", size, fits, len(keys))
				}
			}
		})
	}
}

// fits keys are answered, one more is not.
func TestFits(t *testing.T) {
	t.Parallel()
	keys := make([]string, 10_000)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range keys {
		keys[i] = fmt.Sprintf("%d/%s", i, strings.Repeat(`é "`, r.IntN(100)))
	}
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			_, fits := tr.send(t, keys)
			if fits < 1000 || fits >= len(keys) {
				t.Fatalf("%d of %d keys fit", fits, len(keys))
			}
			if payload, _ := tr.send(t, keys[:fits]); payload == nil {
				t.Errorf("the %d keys that fit do not", fits)
			}
			if payload, again := tr.send(t, keys[:fits+1]); payload != nil || again != fits {
				t.Errorf("%d keys fit although only %d should; now %d are said to", fits+1, fits, again)
			}
		})
	}
}

// gunzip reads a compressed answer back.
func gunzip(t *testing.T, text string) []byte {
	t.Helper()
	zipped, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal("the body is not base64")
	}
	z, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		t.Fatalf("gzip: %v", err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatalf("gzip: %v", err)
	}
	return plain
}

// What is too large as it is goes out compressed where the client takes that.
func TestGzip(t *testing.T) {
	t.Parallel()
	keys := make([]string, 15_000)
	for i := range keys {
		keys[i] = fmt.Sprintf("2026/%06d.jpg", i)
	}
	request := string(mustJSON(map[string]any{"keys": keys}))
	for accept, zipped := range map[string]bool{"br, GZIP": true, "": false, "br, gzip;q=0, *": false} {
		headers := map[string]string{"Accept-Encoding": accept}
		answer := open().send(t, restAPI("POST", request, headers))
		if !zipped {
			if p := decodeProblem(t, answer); p.Code != "ResponseTooLarge" {
				t.Errorf("Accept-Encoding %q: %s", accept, p.Code)
			}
			continue
		}
		if answer.StatusCode != 200 || answer.header("content-encoding") != "gzip" || answer.header("content-type") != "application/json" {
			t.Errorf("Accept-Encoding %q: status %d, content-encoding %q, content-type %q",
				accept, answer.StatusCode, answer.header("content-encoding"), answer.header("content-type"))
			continue
		}
		r := decodeResult(t, gunzip(t, string(mustBase64(t, answer))))
		if len(r.URLs.keys) != len(keys) || r.URLs.keys[0] != keys[0] || r.URLs.keys[len(keys)-1] != keys[len(keys)-1] {
			t.Errorf("Accept-Encoding %q: %d URLs", accept, len(r.URLs.keys))
		}
	}
	// A direct invoke asks for it, and always gets what it asked for.
	for _, n := range []int{1, len(keys)} {
		payload, err := open().fn.Invoke(t.Context(), mustJSON(map[string]any{"keys": keys[:n], "encoding": "gzip"}))
		if err != nil {
			t.Fatalf("invoke: %v", err)
		}
		var answer struct{ Encoding, Body string }
		if err := json.Unmarshal(payload, &answer); err != nil || answer.Encoding != "gzip" {
			t.Fatalf("encoding %q, error: %v", answer.Encoding, err != nil)
		}
		if r := decodeResult(t, gunzip(t, answer.Body)); len(r.URLs.keys) != n {
			t.Errorf("%d URLs, want %d", len(r.URLs.keys), n)
		}
	}
	if r := open().mustSign(t, `{"keys":["k"],"encoding":"identity"}`); len(r.URLs.keys) != 1 {
		t.Error("identity is not answered as it is")
	}
}

func mustBase64(t *testing.T, r *response) []byte {
	t.Helper()
	if !r.IsBase64Encoded {
		t.Fatal("a compressed body must lie in base64")
	}
	return []byte(r.Body)
}

// Where even a compressed answer is too large, fits still means what it says.
func TestFitsCompressed(t *testing.T) {
	t.Parallel()
	// Keys that do not compress, and then many that do.
	r := rand.New(rand.NewPCG(3, 4))
	keys := make([]string, 20_000)
	for i := range keys {
		keys[i] = strconv.Itoa(i)
		if i < 5_000 {
			noise := make([]byte, 760)
			for j := range noise {
				noise[j] = byte(r.Uint32())
			}
			keys[i] = base64.URLEncoding.EncodeToString(noise)
		}
	}
	send := func(n int) (fits int, ok bool) {
		_, err := open().fn.Invoke(t.Context(), mustJSON(map[string]any{"keys": keys[:n], "encoding": "gzip"}))
		var f *runtimeapi.FunctionError
		switch {
		case errors.As(err, &f) && f.Type == "ResponseTooLarge":
			return numberIn(t, f.Message), false
		case err != nil:
			t.Fatalf("invoke: %v", err)
		}
		return n, true
	}
	fits, ok := send(len(keys))
	if ok || fits < 1 || fits >= len(keys) {
		t.Fatalf("%d of %d keys fit", fits, len(keys))
	}
	if _, ok := send(fits); !ok {
		t.Errorf("the %d keys that fit do not", fits)
	}
}

// A small request can ask for a thousand million URLs. It must be refused like any
// other that is too large, before time or memory run out.
func TestPartsBeyondAllMeasure(t *testing.T) {
	t.Parallel()
	parts := make([]int, 10_000)
	for i := range parts {
		parts[i] = i + 1
	}
	keys := make([]string, 20_000)
	for i := range keys {
		keys[i] = strconv.Itoa(i)
	}
	for _, encoding := range []string{"identity", "gzip"} {
		_, f := open().direct(t, string(mustJSON(map[string]any{
			"operation": "UploadPart", "upload_id": "u", "part_numbers": parts, "keys": keys, "encoding": encoding,
		})))
		if f == nil || f.code != "ResponseTooLarge" {
			t.Errorf("%s: %v", encoding, f)
		}
	}
	// One key alone can be too much: then nothing fits.
	_, f := open().direct(t, string(mustJSON(map[string]any{
		"operation": "UploadPart", "upload_id": strings.Repeat("u", 1000), "part_numbers": parts, "keys": []string{"a"},
	})))
	if f == nil || f.code != "ResponseTooLarge" || numberIn(t, f.detail) != 0 {
		t.Errorf("one key of 10,000 parts: %v", f)
	}
}

// Many keys, each the longest there is and nearly each byte escaped.
func TestLargeRequest(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("é", 510)
	keys := make([]string, 2_000)
	for i := range keys {
		keys[i] = fmt.Sprintf("%04d", i) + key
	}
	answer := open().send(t, httpAPI("POST", string(mustJSON(map[string]any{"keys": keys})), map[string]string{"accept-encoding": "gzip"}))
	if answer.StatusCode != 200 {
		t.Fatalf("status %d", answer.StatusCode)
	}
	r := decodeResult(t, gunzip(t, string(mustBase64(t, answer))))
	for i, k := range r.URLs.keys {
		u, err := url.Parse(r.URLs.of[k])
		if k != keys[i] || err != nil || u.Path != "/photos/"+keys[i] {
			t.Fatalf("key %d is another, or its URL is", i)
		}
	}
	if len(r.URLs.keys) != len(keys) {
		t.Errorf("%d URLs, want %d", len(r.URLs.keys), len(keys))
	}
}

// More keys than an event has room for come through it compressed, by each kind of API.
func TestGzipRequest(t *testing.T) {
	t.Parallel()
	keys := make([]string, 100_000)
	for i := range keys {
		keys[i] = fmt.Sprintf("exports/2026/11/%02d/invoices-of-the-western-branches/invoice-%08x.parquet", i%28+1, i*2654435761)
	}
	request := mustJSON(map[string]any{"keys": keys})
	var body bytes.Buffer
	z := gzip.NewWriter(&body)
	if _, err := z.Write(request); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if len(request) < runtimeapi.MaxPayload {
		t.Fatalf("the request has %d bytes: it fits as it is", len(request))
	}
	for name, event := range map[string][]byte{
		"HTTP API":            inBase64(httpAPI("POST", "", map[string]string{"content-encoding": "gzip"})),
		"HTTP API, gzip back": inBase64(httpAPI("POST", "", map[string]string{"content-encoding": "gzip", "accept-encoding": "gzip"})),
		"REST API":            inBase64(restAPI("POST", "", map[string]string{"Content-Encoding": "gzip"})),
	} {
		event = bytes.Replace(event, []byte(`"body":""`), []byte(`"body":"`+base64.StdEncoding.EncodeToString(body.Bytes())+`"`), 1)
		answer := delivering().send(t, event)
		if answer.StatusCode != 200 {
			t.Fatalf("%s: %s", name, decodeProblem(t, answer).Detail)
		}
		r := decodeDelivered(t, answer.body(t))
		if r.Results.Count != len(keys) {
			t.Errorf("%s: %d URLs, want %d", name, r.Results.Count, len(keys))
		}
		got, err := rawhttp.Do(t.Context(), "GET", r.Results.URL, nil, nil)
		if err != nil || got.Header.Get("Content-Encoding") != "gzip" {
			t.Fatalf("%s: the results: error %v, status %d", name, err, statusOf(got))
		}
		if urls := decodeResult(t, gunzip(t, base64.StdEncoding.EncodeToString(got.Body))).URLs; len(urls.keys) != len(keys) || urls.keys[0] != keys[0] || urls.keys[len(keys)-1] != keys[len(keys)-1] {
			t.Errorf("%s: the results have %d URLs, want %d", name, len(urls.keys), len(keys))
		}
	}
}

// What is said to fit is what the tight effort makes fit: that many keys are answered, and the fast one alone would not have been
// enough for them.
func TestFitsTightly(t *testing.T) {
	t.Parallel()
	c := newCredentials()
	c.SessionToken = strings.Repeat("IQoJb3JpZ2luX2Vj/EXAMPLE+", 40)
	s := start(c, append(credentialsOf(c), "PRESIGN_BUCKETS=photos", "PRESIGN_MAX_KEYS=120000")...)
	keys := make([]string, 120_000)
	for i := range keys {
		keys[i] = fmt.Sprintf("my photos/été/IMG %d (small).jpg", i)
	}
	send := func(n int) (fits int, payload []byte) {
		t.Helper()
		payload, err := s.fn.Invoke(t.Context(), mustJSON(map[string]any{"keys": keys[:n], "encoding": "gzip"}))
		var f *runtimeapi.FunctionError
		switch {
		case errors.As(err, &f) && f.Type == "ResponseTooLarge":
			return numberIn(t, f.Message), nil
		case err != nil:
			t.Fatal("the call failed")
		}
		return n, payload
	}
	fits, payload := send(len(keys))
	if payload != nil || fits < len(keys)/2 {
		t.Fatalf("%d of %d keys fit", fits, len(keys))
	}
	if _, payload := send(fits); payload == nil || len(payload) > limit {
		t.Errorf("the %d keys that fit do not", fits)
	}
	in := batches.LambdaInput()
	in.SessionToken = c.SessionToken
	plan, err := batches.Plan(batches.Service(in), mustJSON(map[string]any{"keys": keys[:fits]}))
	if err != nil {
		t.Fatal(err)
	}
	plan.Sign()
	if size := base64.StdEncoding.EncodedLen(len(answer.AppendGzip(nil, plan, bulk.JSON, deflate.Fast))); size <= limit {
		t.Errorf("the %d keys that fit do so with the fast effort, in %d bytes: more would", fits, size)
	}
}

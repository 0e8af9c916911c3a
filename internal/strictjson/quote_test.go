package strictjson_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"bulkpresign/internal/strictjson"
)

// A text comes back out of one JSON string, and out of one in another, wherever in it what needs escaping stands.
func TestAppendEscaped(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	alphabet := []string{"a", "b", "/", "é", "日", "\U0001f600", "\"", "\\", "\n", "\t", "\x00", "\x1f", " ", "!", "\x7f", "\u0080", "<", "&"}
	texts := []string{"", `"`, `\`, strings.Repeat("k", 1024), strings.Repeat(`"`, 100)}
	for at := range 40 { // each of them at each distance from a multiple of eight
		for _, special := range alphabet {
			texts = append(texts, strings.Repeat("x", at)+special+strings.Repeat("y", 40-at))
		}
	}
	for range 20_000 {
		var b strings.Builder
		for range r.IntN(30) {
			if r.IntN(3) == 0 {
				b.WriteString(alphabet[r.IntN(len(alphabet))])
			} else {
				b.WriteByte(byte('a' + r.IntN(26)))
			}
		}
		texts = append(texts, b.String())
	}
	for _, text := range texts {
		var once, twice, inner string
		if err := json.Unmarshal(strictjson.Quote(text), &once); err != nil || once != text {
			t.Fatalf("%q: %q, %v", text, once, err)
		}
		nested := append(strictjson.AppendEscaped([]byte(`"\"`), text, 2), `\""`...)
		if err := json.Unmarshal(nested, &inner); err != nil {
			t.Fatalf("%q twice: %v", text, err)
		}
		if err := json.Unmarshal([]byte(inner), &twice); err != nil || twice != text {
			t.Fatalf("%q twice: %q, %v", text, twice, err)
		}
		if plain := strictjson.AppendEscaped(nil, text, 0); string(plain) != text {
			t.Fatalf("%q not at all: %q", text, plain)
		}
	}
}

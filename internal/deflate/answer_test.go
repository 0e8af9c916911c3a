package deflate_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"

	"bulkpresign/internal/deflate"
)

// An answer has the text of a batch's answer, as the pieces that a Writer is given.
// Each entry is
//
//	before KEY between ORIGIN PATH QUERY SIGNATURE
//
// or, where the format has no URLs, before KEY between SIGNATURE.
type answer struct {
	format
	origin, query []byte
	entries       []entry
}

type format struct {
	name            string
	before, between string
	urls            bool
}

var formats = []format{
	{"json", `","`, `":"`, true},
	{"compact", `","`, `":"`, false},
	{"ndjson", "\"}\n{\"key\":\"", `","url":"`, true},
	{"csv", ",\r\n", ",", true},
}

type entry struct {
	key, path []byte
	sum       [32]byte
}

const letters = "abcdefghijklmnopqrstuvwxyz0123456789"

func randomText(r *rand.Rand, alphabet string, n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(text)
}

// shapes are kinds of keys, as they are and as somebody made them up.
var shapes = []struct {
	name string
	key  func(r *rand.Rand, i int) string
}{
	{"of people", func(r *rand.Rand, _ int) string {
		day := fmt.Sprintf("%04d/%02d/%02d/", 2020+r.IntN(7), 1+r.IntN(12), 1+r.IntN(28))
		folder := []string{"exports/", "photos/", "backups/db/", "reports/"}[r.IntN(4)]
		word := []string{"invoice", "summary", "part", "snapshot", "IMG", "statement"}[r.IntN(6)]
		ending := []string{".parquet", ".jpg", ".pdf", ".json.gz", ".csv"}[r.IntN(5)]
		if r.IntN(4) == 0 {
			word = []string{"été", "Übersicht", "報告書", "отчёт", "año nuevo", "final copy"}[r.IntN(6)]
		}
		key := folder + day + word + "-"
		n := max(4, 40+r.IntN(41)-len(key)-len(ending))
		return key + randomText(r, letters, n) + ending
	}},
	{"of one folder", func(r *rand.Rand, _ int) string {
		return "exports/2024/05/17/invoice-" + randomText(r, letters, 5+r.IntN(41)) + ".parquet"
	}},
	{"random", func(r *rand.Rand, _ int) string {
		return randomText(r, letters+"ABCDEFGHIJKLMNOPQRSTUVWXYZ", 40)
	}},
	{"of an inventory", func(r *rand.Rand, i int) string { // sorted
		return fmt.Sprintf("customers/%05d/orders/2026/%02d/%02d/order-%09d-%s.json", i/300, 1+i/25%12, 1+i%25, i*17, randomText(r, "0123456789abcdef", 8))
	}},
	{"photos in sequence", func(_ *rand.Rand, i int) string {
		return fmt.Sprintf("holiday/2026/11/23/a-walk-along-the-river-side/IMG_%09d.jpg", i)
	}},
	{"escaped", func(_ *rand.Rand, i int) string {
		return fmt.Sprintf("my photos/été/IMG %d (small).jpg", i)
	}},
	{"identifiers", func(r *rand.Rand, _ int) string {
		return fmt.Sprintf("objects/%s-%s-4%s-%s", randomText(r, "0123456789abcdef", 8), randomText(r, "0123456789abcdef", 4), randomText(r, "0123456789abcdef", 3), randomText(r, "0123456789abcdef", 16))
	}},
}

// newAnswer is an answer for n keys, with a token of 1,000 characters of base64, some of
// which are escaped in a query.
func newAnswer(r *rand.Rand, f format, n int, key func(r *rand.Rand, i int) string) *answer {
	token := randomText(r, letters+"ABCDEFGHIJKLMNOPQRSTUVWXYZ+/", 1000)
	a := &answer{
		format: f,
		origin: []byte(`https://amzn-s3-demo-bucket.s3.eu-west-1.amazonaws.com/`),
		query: []byte(`?X-Amz-Algorithm=AWS4-HMAC-SHA256` +
			`&X-Amz-Credential=ASIAIOSFODNN7EXAMPLE%2F20261123%2Feu-west-1%2Fs3%2Faws4_request` +
			`&X-Amz-Date=20261123T080000Z&X-Amz-Expires=900&X-Amz-Security-Token=` + url.QueryEscape(token) +
			`&X-Amz-SignedHeaders=host&x-id=GetObject&X-Amz-Signature=`),
	}
	for i := range n {
		k := key(r, i)
		e := entry{key: []byte(k), path: []byte(strings.ReplaceAll(url.PathEscape(k), "%2F", "/"))}
		for j := range e.sum {
			e.sum[j] = byte(r.Uint32())
		}
		a.entries = append(a.entries, e)
	}
	return a
}

func (a *answer) plain() (text []byte) {
	for i := range a.entries {
		e := &a.entries[i]
		text = append(text, a.before...)
		text = append(text, e.key...)
		text = append(text, a.between...)
		if a.urls {
			text = append(text, a.origin...)
			text = append(text, e.path...)
			text = append(text, a.query...)
		}
		text = hex.AppendEncode(text, e.sum[:])
	}
	return text
}

func (a *answer) gzip(w *deflate.Writer, dst []byte) []byte {
	w.Reset(dst)
	before, between := []byte(a.before), []byte(a.between)
	origin, query := w.Learn(a.origin), w.Learn(a.query)
	for i := range a.entries {
		e := &a.entries[i]
		w.Text(before)
		w.Text(e.key)
		w.Text(between)
		if a.urls {
			w.Run(origin)
			w.Text(e.path)
			w.Run(query)
		}
		w.Hex(e.sum[:])
	}
	return w.Close()
}

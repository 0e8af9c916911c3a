package deflate_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"

	"bulkpresign/internal/deflate"
)

// An answer is shaped as the JSON of a batch: each entry is
//
//	,"KEY":"ORIGIN/PATH?QUERY&X-Amz-Signature=SIGNATURE"
//
// with dummies of the usual lengths.
type answer struct {
	origin, query []byte
	entries       []entry
}

type entry struct {
	key, path []byte
	sum       [32]byte
}

var quote, next, colon = []byte(`"`), []byte(`","`), []byte(`":"`)

const letters = "abcdefghijklmnopqrstuvwxyz0123456789"

func randomText(r *rand.Rand, alphabet string, n int) []byte {
	text := make([]byte, n)
	for i := range text {
		text[i] = alphabet[r.IntN(len(alphabet))]
	}
	return text
}

func newAnswer(n int, key func(r *rand.Rand, i int) (key, path []byte)) *answer {
	r := rand.New(rand.NewPCG(1, 2))
	// 1,000 characters of base64, some of which are escaped in a query.
	token := ""
	for _, c := range randomText(r, letters+"ABCDEFGHIJKLMNOPQRSTUVWXYZ+/", 1000) {
		switch c {
		case '+', '/':
			token += fmt.Sprintf("%%%02X", c)
		default:
			token += string(c)
		}
	}
	a := &answer{
		origin: []byte(`":"https://amzn-s3-demo-bucket.s3.eu-west-1.amazonaws.com/`),
		query: []byte(`?X-Amz-Algorithm=AWS4-HMAC-SHA256` +
			`&X-Amz-Credential=ASIAIOSFODNN7EXAMPLE%2F20261123%2Feu-west-1%2Fs3%2Faws4_request` +
			`&X-Amz-Date=20261123T080000Z&X-Amz-Expires=900&X-Amz-Security-Token=` + token +
			`&X-Amz-SignedHeaders=host&x-id=GetObject&X-Amz-Signature=`),
	}
	for i := range n {
		var e entry
		e.key, e.path = key(r, i)
		for j := range e.sum {
			e.sum[j] = byte(r.Uint32())
		}
		a.entries = append(a.entries, e)
	}
	return a
}

var shapes = []struct {
	name string
	key  func(r *rand.Rand, i int) (key, path []byte)
}{
	{"random keys of 60", func(r *rand.Rand, _ int) ([]byte, []byte) {
		key := randomText(r, letters, 60)
		return key, key
	}},
	{"random keys of 40 to 80", func(r *rand.Rand, _ int) ([]byte, []byte) {
		key := randomText(r, letters, 40+r.IntN(41))
		return key, key
	}},
	{"photos in sequence", func(_ *rand.Rand, i int) ([]byte, []byte) {
		key := fmt.Appendf(nil, "holiday/2026/11/23/a-walk-along-the-river-side/IMG_%09d.jpg", i)
		return key, key
	}},
	{"escaped paths", func(_ *rand.Rand, i int) ([]byte, []byte) {
		return fmt.Appendf(nil, "my photos/été/IMG %d (small).jpg", i),
			fmt.Appendf(nil, "my%%20photos/%%C3%%A9t%%C3%%A9/IMG%%20%d%%20%%28small%%29.jpg", i)
	}},
}

func (a *answer) plain() (text []byte) {
	for i := range a.entries {
		e := &a.entries[i]
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, '"')
		text = append(text, e.key...)
		text = append(text, a.origin...)
		text = append(text, e.path...)
		text = append(text, a.query...)
		text = hex.AppendEncode(text, e.sum[:])
		text = append(text, '"')
	}
	return text
}

func (a *answer) gzip(w *deflate.Writer, dst []byte) []byte {
	w.Reset(dst)
	next, origin, query := w.Learn(next), w.Learn(a.origin), w.Learn(a.query)
	for i := range a.entries {
		e := &a.entries[i]
		if i == 0 {
			w.Text(quote)
		} else {
			w.Run(next)
		}
		w.Similar(e.key)
		w.Run(origin)
		w.Similar(e.path)
		w.Run(query)
		w.Hex(e.sum[:])
	}
	w.Text(quote)
	return w.Close()
}

// The compact form has the signature alone for each key.
func (a *answer) plainCompact() (text []byte) {
	for i := range a.entries {
		e := &a.entries[i]
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, '"')
		text = append(text, e.key...)
		text = append(text, `":"`...)
		text = hex.AppendEncode(text, e.sum[:])
		text = append(text, '"')
	}
	return text
}

func (a *answer) gzipCompact(w *deflate.Writer, dst []byte) []byte {
	w.Reset(dst)
	next, colon := w.Learn(next), w.Learn(colon)
	for i := range a.entries {
		e := &a.entries[i]
		if i == 0 {
			w.Text(quote)
		} else {
			w.Run(next)
		}
		w.Similar(e.key)
		w.Run(colon)
		w.Hex(e.sum[:])
	}
	w.Text(quote)
	return w.Close()
}

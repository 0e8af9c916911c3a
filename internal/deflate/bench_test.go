package deflate_test

import (
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"testing"

	klauspost "github.com/klauspost/compress/gzip"

	"bulkpresign/internal/deflate"
)

// BenchmarkAnswer compresses 10,000 entries; B/URL is what a URL takes. The general
// compressors get the text ready made.
func BenchmarkAnswer(b *testing.B) {
	const n = 10000
	for _, f := range formats {
		for _, shape := range shapes {
			a := newAnswer(rand.New(rand.NewPCG(1, 2)), f, n, shape.key)
			plain := a.plain()
			var out []byte
			report := func(b *testing.B) {
				b.ReportMetric(float64(len(out))/n, "B/URL")
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/URL")
			}
			name := f.name + "/" + shape.name
			for effort, called := range []string{"fast", "tight"} {
				b.Run(name+"/"+called, func(b *testing.B) {
					w := deflate.NewWriter(nil, deflate.Effort(effort))
					for b.Loop() {
						out = a.gzip(w, out[:0])
					}
					report(b)
				})
			}
			b.Run(name+"/base64 of it", func(b *testing.B) {
				text := make([]byte, base64.StdEncoding.EncodedLen(len(out)))
				for b.Loop() {
					base64.StdEncoding.Encode(text, out)
				}
				report(b)
			})
			for _, level := range []int{1, 6} {
				b.Run(fmt.Sprintf("%s/klauspost %d", name, level), func(b *testing.B) {
					to := &appender{}
					w, _ := klauspost.NewWriterLevel(to, level)
					for b.Loop() {
						to.text = to.text[:0]
						w.Reset(to)
						w.Write(plain)
						w.Close()
					}
					out = to.text
					report(b)
				})
				b.Run(fmt.Sprintf("%s/compress-gzip %d", name, level), func(b *testing.B) {
					to := &appender{}
					w, _ := gzip.NewWriterLevel(to, level)
					for b.Loop() {
						to.text = to.text[:0]
						w.Reset(to)
						w.Write(plain)
						w.Close()
					}
					out = to.text
					report(b)
				})
			}
		}
	}
}

type appender struct{ text []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.text = append(a.text, p...)
	return len(p), nil
}

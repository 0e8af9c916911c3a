package sha256x4_test

import (
	"crypto/sha256"
	"testing"

	"bulkpresign/internal/sigv4/sha256x4"
)

// The metric ns/block is the time for one compression of one stream; it is the
// figure to compare, whatever ns/op covers.

// benchBlocks is the number of constant blocks in a canonical request with a
// session token of about 1,000 characters.
const benchBlocks = 23

// BenchmarkOneStream is crypto/sha256, which hashes one message at a time: the
// limit that this package is there to pass.
func BenchmarkOneStream(b *testing.B) {
	msg := make([]byte, benchBlocks*sha256x4.BlockSize)
	h := sha256.New()
	b.ReportAllocs()
	for b.Loop() {
		h.Write(msg)
	}
	perBlock(b, benchBlocks)
}

func BenchmarkBlocks(b *testing.B) {
	for _, c := range []struct {
		name string
		n    int
	}{{"n=1", 1}, {"n=2", 2}, {"n=23", benchBlocks}} {
		b.Run(c.name, func(b *testing.B) {
			s := sha256x4.IV
			var msgs [sha256x4.Streams][]byte
			for i := range msgs {
				msgs[i] = make([]byte, c.n*sha256x4.BlockSize)
			}
			b.ReportAllocs()
			for b.Loop() {
				sha256x4.Blocks(&s, &msgs, c.n)
			}
			perBlock(b, c.n*sha256x4.Streams)
		})
	}
}

func BenchmarkScheduled(b *testing.B) {
	s := sha256x4.IV
	w := make([]sha256x4.Schedule, benchBlocks)
	b.ReportAllocs()
	for b.Loop() {
		sha256x4.Scheduled(&s, w)
	}
	perBlock(b, benchBlocks*sha256x4.Streams)
}

func BenchmarkExpand(b *testing.B) {
	w := make([]sha256x4.Schedule, benchBlocks)
	msg := make([]byte, benchBlocks*sha256x4.BlockSize)
	b.ReportAllocs()
	for b.Loop() {
		sha256x4.Expand(w, msg)
	}
	perBlock(b, benchBlocks)
}

func perBlock(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/block")
}

package sha256x16_test

import (
	"crypto/sha256"
	"strings"
	"testing"

	"bulkpresign/internal/sigv4/sha256x16"
)

// The metric ns/block is the time for one compression of one stream; it is the
// figure to compare, whatever ns/op covers.

// benchBlocks is the number of constant blocks in a canonical request with a
// session token of about 1,000 characters.
const benchBlocks = 21

// BenchmarkOneStream is crypto/sha256, which hashes one message at a time: the
// limit that this package is there to pass.
func BenchmarkOneStream(b *testing.B) {
	msg := make([]byte, benchBlocks*sha256x16.BlockSize)
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
	}{{"n=1", 1}, {"n=2", 2}, {"n=21", benchBlocks}} {
		eachKernel(b, c.name, func(b *testing.B, k *sha256x16.Kernel) {
			s := new(sha256x16.State)
			msgs := new([streams][]byte)
			for i := range msgs {
				msgs[i] = make([]byte, c.n*sha256x16.BlockSize)
			}
			for b.Loop() {
				k.Blocks(s, msgs, streams)
			}
			perBlock(b, c.n*streams)
		})
	}
}

func BenchmarkScheduled(b *testing.B) {
	eachKernel(b, "n=21", func(b *testing.B, k *sha256x16.Kernel) {
		s := new(sha256x16.State)
		w := make([]sha256x16.Schedule, benchBlocks)
		for b.Loop() {
			k.Scheduled(s, w, streams, nil)
		}
		perBlock(b, benchBlocks*streams)
	})
}

func BenchmarkExpand(b *testing.B) {
	eachKernel(b, "n=21", func(b *testing.B, k *sha256x16.Kernel) {
		w := make([]sha256x16.Schedule, benchBlocks)
		msg := make([]byte, benchBlocks*sha256x16.BlockSize)
		for b.Loop() {
			k.Expand(w, msg)
		}
		perBlock(b, benchBlocks)
	})
}

// BenchmarkDigests and BenchmarkHexDigests count a digest as a block.
func BenchmarkDigests(b *testing.B) {
	eachKernel(b, "n=32", func(b *testing.B, k *sha256x16.Kernel) {
		s, digests, dst := new(sha256x16.State), new([streams][sha256x16.Size]byte), new([streams]*[sha256x16.Size]byte)
		for b.Loop() {
			for i := range dst {
				dst[i] = &digests[i]
			}
			k.Digests(dst, s, streams)
		}
		perBlock(b, streams)
	})
}

func BenchmarkHexDigests(b *testing.B) {
	eachKernel(b, "n=32", func(b *testing.B, k *sha256x16.Kernel) {
		s, digests, dst := new(sha256x16.State), new([streams][2 * sha256x16.Size]byte), new([streams]*[2 * sha256x16.Size]byte)
		for b.Loop() {
			for i := range dst {
				dst[i] = &digests[i]
			}
			k.HexDigests(dst, s, streams)
		}
		perBlock(b, streams)
	})
}

// BenchmarkRace is what choosing a kernel by measurement costs, once a process, and says how
// often each kernel was the fastest.
func BenchmarkRace(b *testing.B) {
	kernels := sha256x16.Candidates()
	if len(kernels) == 0 {
		b.Skip("there is no kernel")
	}
	blocks := make([]byte, benchBlocks*sha256x16.BlockSize)
	won := make(map[*sha256x16.Kernel]int)
	b.ReportAllocs()
	for b.Loop() {
		won[sha256x16.Race(kernels, blocks)]++
	}
	for k, n := range won {
		b.ReportMetric(100*float64(n)/float64(b.N), "%:"+strings.ReplaceAll(k.String(), " ", "_"))
	}
}

func eachKernel(b *testing.B, name string, f func(*testing.B, *sha256x16.Kernel)) {
	for _, k := range sha256x16.Kernels()[1:] {
		b.Run(name+"/"+k.String(), func(b *testing.B) {
			b.ReportAllocs()
			f(b, k)
		})
	}
}

func perBlock(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/block")
}

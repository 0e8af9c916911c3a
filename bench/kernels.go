package main

import (
	"crypto/sha256"
	"fmt"
	"math"
	"time"

	"bulkpresign/internal/sigv4/sha256x16"
)

// kernelRows measures what a block of one stream takes with each kernel: the best of many
// short runs, in turn.
func kernelRows() [][]string {
	const (
		runs   = 200
		blocks = 21 // of a canonical request with a session token, so many are constant
	)
	kernels := sha256x16.Kernels()[1:]
	message := make([]byte, blocks*sha256x16.BlockSize)
	var messages [sha256x16.Streams][]byte
	for i := range messages {
		messages[i] = message
	}
	var state sha256x16.State
	schedules := make([]sha256x16.Schedule, blocks)
	h := sha256.New()

	type times struct{ scheduled, whole float64 }
	best := make([]times, len(kernels)+1)
	for i := range best {
		best[i] = times{math.Inf(1), math.Inf(1)}
	}
	best[len(kernels)].scheduled = math.NaN() // crypto/sha256 takes no schedules
	shortest := func(ns *float64, streams int, f func()) {
		began := time.Now()
		f()
		*ns = min(*ns, float64(time.Since(began))/float64(streams*blocks))
	}
	for range runs {
		for i, k := range kernels {
			k.Expand(schedules, message)
			shortest(&best[i].scheduled, sha256x16.Streams, func() { k.Scheduled(&state, schedules, sha256x16.Streams, nil) })
			shortest(&best[i].whole, sha256x16.Streams, func() { k.Blocks(&state, &messages, sha256x16.Streams) })
		}
		shortest(&best[len(kernels)].whole, 1, func() { h.Write(message) })
	}

	cell := func(ns float64) string {
		if math.IsNaN(ns) {
			return ""
		}
		return fmt.Sprintf("%.1f", ns)
	}
	rows := [][]string{{"SHA-256 kernel, ns a block of one stream", "schedule at hand", "with its schedule"}}
	for i, k := range append(kernels, nil) {
		rows = append(rows, []string{k.String(), cell(best[i].scheduled), cell(best[i].whole)})
	}
	return rows
}

//go:build !purego

package sha256x16

import "golang.org/x/sys/cpu"

// hexSupported: the instructions of hex are part of every arm64.
const hexSupported = true

var supported, best = choose()

func choose() (supported []*Kernel, best *Kernel) {
	if cpu.ARM64.HasSHA2 {
		return []*Kernel{&interleaved}, &interleaved
	}
	return nil, nil
}

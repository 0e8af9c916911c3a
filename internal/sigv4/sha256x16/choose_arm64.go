//go:build !purego

package sha256x16

import "golang.org/x/sys/cpu"

func choose() (supported []*Kernel, best *Kernel) {
	if cpu.ARM64.HasSHA2 {
		return []*Kernel{&interleaved}, &interleaved
	}
	return nil, nil
}

//go:build !purego

package sha256x16

import "golang.org/x/sys/cpu"

func supported() (k kernels) {
	if cpu.ARM64.HasSHA2 {
		k.all = []*Kernel{&interleaved}
		k.candidates = k.all
	}
	return k
}

//go:build !purego

package sha256x4

import "golang.org/x/sys/cpu"

var supported = cpu.ARM64.HasSHA2

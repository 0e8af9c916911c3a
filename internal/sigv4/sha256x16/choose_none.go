//go:build !(amd64 || arm64) || purego

package sha256x16

const hexSupported = false

var (
	supported []*Kernel
	best      *Kernel
)

func hex(*byte, *byte) { panic("sha256x16: no assembly") }

const assembled = false

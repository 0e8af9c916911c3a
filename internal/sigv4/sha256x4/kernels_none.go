//go:build !(amd64 || arm64) || purego

package sha256x4

const (
	assembled = false
	supported = false
)

// Never called, since supported is false; here so that the callers compile.

func expand(*Schedule, *byte, int)         { panic("sha256x4: no kernel") }
func blocks(*State, *[Streams][]byte, int) { panic("sha256x4: no kernel") }
func scheduled(*State, *Schedule, int)     { panic("sha256x4: no kernel") }
func hex(*byte, *byte)                     { panic("sha256x4: no kernel") }

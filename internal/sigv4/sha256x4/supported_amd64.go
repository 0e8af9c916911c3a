//go:build !purego

package sha256x4

import "golang.org/x/sys/cpu"

// x/sys/cpu knows SSSE3 but not the SHA extensions: they are bit 29 of EBX in
// leaf 7 of CPUID (Intel SDM, volume 2, CPUID).
var supported = cpu.X86.HasSSSE3 && cpuid7()&(1<<29) != 0

// cpuid7 returns EBX of CPUID leaf 7, subleaf 0; 0 where there is no such leaf.
func cpuid7() uint32

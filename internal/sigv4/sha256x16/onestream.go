//go:build onestream

package sha256x16

// In a build with this tag no kernel is the best, so that everything is hashed with
// crypto/sha256: to measure what the kernels are worth (make bench-kernels).
func init() { oneStream = true }

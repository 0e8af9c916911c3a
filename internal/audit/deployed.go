package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"sync/atomic"
)

// build is the commit that the binary was built from, set by the linker, or empty.
var build string

// policyDigest is of the policy document that decides.
var policyDigest atomic.Pointer[string]

// DecidedBy has the records say which policy document decides: the first 16 hex digits of
// its text's SHA-256. Empty means that there is none.
func DecidedBy(document []byte) {
	digest := ""
	if len(document) > 0 {
		sum := sha256.Sum256(document)
		digest = hex.EncodeToString(sum[:8])
	}
	policyDigest.Store(&digest)
}

// deployed is what answered: the build, and the policy.
func deployed(a []slog.Attr) []slog.Attr {
	if build != "" {
		a = append(a, slog.String("build", build))
	}
	if d := policyDigest.Load(); d != nil && *d != "" {
		a = append(a, slog.String("policy", *d))
	}
	return a
}

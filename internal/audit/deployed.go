package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"sync/atomic"
)

// build is the commit that the binary was built from, set by the linker, or empty.
var build string

// policyDigest is of the policy document that decides, settings the number of the record of
// all settings.
var policyDigest, settings atomic.Pointer[string]

// DecidedBy has the records say which policy document decides, by the first 16 hex digits of
// its text's SHA-256, and which record of the deployment's settings. Empty means that there
// is none.
func DecidedBy(document []byte, record string) {
	digest := ""
	if len(document) > 0 {
		sum := sha256.Sum256(document)
		digest = hex.EncodeToString(sum[:8])
	}
	policyDigest.Store(&digest)
	settings.Store(&record)
}

// deployed is what answered: the build, and the policy.
func deployed(a []slog.Attr) []slog.Attr {
	if build != "" {
		a = append(a, slog.String("build", build))
	}
	if d := policyDigest.Load(); d != nil && *d != "" {
		a = append(a, slog.String("policy", *d))
	}
	if n := settings.Load(); n != nil && *n != "" {
		a = append(a, slog.String("settings", *n))
	}
	return a
}

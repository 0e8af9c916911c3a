package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Principal is the caller in one line, for people: the ARN of an IAM principal (with the
// identity of a Cognito identity pool behind it, whose callers all share one role's
// session), issuer#subject of a token, the ARN of what brought an event. It is empty when
// AWS names nobody.
func (c *Caller) Principal() string {
	switch c.Kind {
	case IAM:
		return joined(c.ARN, c.CognitoID)
	case JWT:
		return joined(strings.TrimPrefix(c.Claims["iss"], "https://"), c.Claims["sub"])
	case Service:
		if c.SourceARN == "" {
			return c.Service
		}
		return c.SourceARN
	}
	return ""
}

func joined(a, b string) string {
	if b == "" {
		return a
	}
	return a + "#" + b
}

// Hash stands for the caller where a principal does not fit or must not be read: 16 hex
// digits, the first of SHA-256 over the kind, a line feed and the principal. Who knows a
// principal can compute it; it hides nobody whose name can be guessed.
func (c *Caller) Hash() string {
	sum := sha256.Sum256([]byte(c.Kind.String() + "\n" + c.Principal()))
	return hex.EncodeToString(sum[:8])
}

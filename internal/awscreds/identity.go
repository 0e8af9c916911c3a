package awscreds

import (
	"strings"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/policy"
)

// Scope says who shares a session of the signing role.
type Scope string

const (
	// ForService is one session for all. CloudTrail and S3's logs name the service.
	ForService Scope = "service"
	// ForCaller is one for each caller, named after the caller.
	ForCaller Scope = "caller"
	// ForRequest is one for each caller, bucket, operation and set of prefixes, which can do
	// nothing else: what this service would sign by mistake, S3 refuses.
	ForRequest Scope = "request"
)

// serviceName is the session's name where all share it.
const serviceName = "bulk-presign"

func (s *Source) identity(need *bulk.Need) identity {
	switch s.Scope {
	case ForCaller:
		return identity{name: SessionName(&need.Caller)}
	case ForRequest:
		return identity{name: SessionName(&need.Caller), policy: s.sessionPolicy(need)}
	}
	return identity{name: serviceName}
}

// maxName is the longest name of a session.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html#API_AssumeRole_RequestParameters
const maxName = 64

// SessionName is the name of a caller's session, 2 to 64 characters of [\w+=,.@-]: the
// last part of the principal's name, for people, and the caller's hash, which no two
// callers share and the audit record has too.
func SessionName(c *policy.Caller) string {
	name := c.Principal()
	if name == "" {
		name = c.Kind.String()
	}
	if i := strings.LastIndexAny(name, "/:#"); i >= 0 && i+1 < len(name) {
		name = name[i+1:]
	}
	name = strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("_+=,.@-", r):
			return r
		}
		return '-'
	}, name)
	hash := "-" + c.Hash()
	return name[:min(len(name), maxName-len(hash))] + hash
}

package bulk

import (
	"math"
	"time"

	"bulkpresign/internal/policy"
)

// Basis says what the figure expires_at rests on.
type Basis string

const (
	BasisSignature   Basis = "signature"   // the signature's own end is the earlier, for certain
	BasisCredentials Basis = "credentials" // the credentials end first
	BasisUnknown     Basis = "unknown"     // nobody knows when the credentials end: the figure is nominal
)

// Lifetime is when URLs were signed and when they end.
type Lifetime struct {
	SignedAt  time.Time `json:"signed_at"`
	ExpiresIn int64     `json:"expires_in"` // seconds
	ExpiresAt time.Time `json:"expires_at"`
	Basis     Basis     `json:"expires_at_basis"`

	CredentialsUntil time.Time `json:"-"` // zero when it is not known; for the log
}

// Lifetime is that of all URLs of the batch.
func (p *Plan) Lifetime() Lifetime {
	return Lifetime{SignedAt: p.SignedAt, ExpiresIn: p.ExpiresIn, ExpiresAt: p.ExpiresAt, Basis: p.Basis, CredentialsUntil: p.CredentialsUntil}
}

// Earlier is the lifetime that ends first.
func Earlier(a, b Lifetime) Lifetime {
	if b.ExpiresAt.Before(a.ExpiresAt) {
		return b
	}
	return a
}

// judgeExpiry finds the lifetime that is asked for.
func (p *Plan) judgeExpiry(limits *policy.Policy) error {
	p.wanted = p.request.ExpiresIn
	if p.wanted == 0 {
		p.wanted = int64(limits.DefaultExpiresIn / time.Second)
		if p.grant != nil {
			p.wanted = p.grant.ShortestExpiresIn(p.wanted)
		}
	}
	if most := int64(limits.MaxExpiresIn / time.Second); p.wanted > most {
		return failf(ExpiryTooLong, `field "expires_in" is over the maximum of %d seconds`, most)
	}
	if p.grant != nil {
		if refusal := p.grant.LimitExpiresIn(p.wanted); refusal != nil {
			return p.refused(refusal)
		}
	}
	return nil
}

// decideExpiry finds the lifetime: what is asked for, or less when the credentials
// are known to end sooner.
func (p *Plan) decideExpiry(c Credentials) error {
	p.ExpiresIn = p.wanted
	p.Basis, p.CredentialsUntil = BasisUnknown, c.Expires
	if !c.Expires.IsZero() {
		p.Basis = BasisSignature
		remaining := int64(math.Floor(c.Expires.Sub(p.SignedAt).Seconds()))
		if remaining < 1 {
			return failf(CredentialsUnavailable, "the service's credentials have ended: try again")
		}
		if remaining < p.ExpiresIn {
			p.Basis = BasisCredentials
			if !p.request.StrictExpiry {
				p.ExpiresIn = remaining
			}
		}
	}
	if p.request.StrictExpiry && p.Basis != BasisSignature {
		if p.Basis == BasisUnknown {
			return failf(ExpiryTooLong, `nobody can tell whether the service's credentials outlive the request: leave out "strict_expiry", or have the service sign with a role of its own (PRESIGN_SIGNING_ROLE_ARN)`)
		}
		return failf(ExpiryTooLong, `the service's credentials end before the URLs would: ask for less, or leave out "strict_expiry"`)
	}
	p.ExpiresAt = p.SignedAt.Add(time.Duration(p.ExpiresIn) * time.Second)
	return nil
}

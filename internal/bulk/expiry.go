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

// judgeExpiry finds the lifetime that is asked for. What may be reused for some time is signed
// for that much longer, so that it has all of its time left whenever it is handed out.
func (p *Plan) judgeExpiry(limits *policy.Policy) error {
	r := p.request
	most := int64(limits.MaxExpiresIn / time.Second)
	p.wanted = r.ExpiresIn
	switch {
	case r.ReuseFor != nil:
		p.reuse = *r.ReuseFor
	case p.grant != nil: // nobody asked for it, so it never is what makes the lifetime too long
		p.reuse = p.grant.ReuseFor(max(1, p.wanted), most)
	}
	if p.wanted == 0 {
		all := most
		if p.grant != nil {
			all = p.grant.ShortestExpiresIn(all)
		}
		p.wanted = max(1, min(int64(limits.DefaultExpiresIn/time.Second), all-p.reuse))
	}
	p.wanted += p.reuse
	if p.wanted > most {
		if p.reuse > 0 {
			return failf(ExpiryTooLong, `fields "expires_in" and "reuse_for" together are over the maximum of %d seconds`, most)
		}
		return failf(ExpiryTooLong, `field "expires_in" is over the maximum of %d seconds`, most)
	}
	if p.grant != nil {
		if refusal := p.grant.LimitExpiresIn(p.wanted, p.reuse > 0); refusal != nil {
			return p.refused(refusal)
		}
	}
	return nil
}

// signingTime is when URLs are said to be signed that are made now: they stay the same until its next multiple.
func (p *Plan) signingTime(now time.Time) time.Time {
	now = now.UTC().Truncate(time.Second)
	if p.reuse == 0 {
		return now
	}
	return time.Unix(now.Unix()-now.Unix()%p.reuse, 0).UTC()
}

// decideExpiry finds the lifetime: what is asked for, or less when the credentials
// are known to end sooner.
func (p *Plan) decideExpiry(c Credentials, now time.Time) error {
	p.ExpiresIn = p.wanted
	p.Basis, p.CredentialsUntil = BasisUnknown, c.Expires
	if !c.Expires.IsZero() {
		p.Basis = BasisSignature
		remaining := int64(math.Floor(c.Expires.Sub(p.SignedAt).Seconds()))
		if c.Expires.Sub(now) < time.Second {
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

package bulk

import (
	"context"
	"time"

	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/sigv4"
)

// Credentials are one reading of the role's credentials.
type Credentials struct {
	sigv4.Credentials
	Expires time.Time // zero when it cannot be known
}

// Need says what credentials are for. A source may hand out some that are good for
// that alone.
type Need struct {
	Caller    policy.Caller
	Bucket    string
	Operation s3op.Operation
	Prefixes  []string      // every key that is signed begins with one of them
	List      bool          // the keys under the prefixes are to be listed, too
	Lifetime  time.Duration // that the credentials should outlive
	Strict    bool          // those that do not are of no use
}

// CredentialsSource hands out the credentials that hold now. Where it can get some that
// outlive the need it does; else it hands out what there is.
type CredentialsSource interface {
	Credentials(ctx context.Context, need *Need) (Credentials, error)
}

// need is what the plan's credentials are for, once its expiry is judged.
func (p *Plan) need(caller policy.Caller, allowed *policy.Policy) Need {
	prefixes := []string{allowed.KeyPrefix}
	if p.grant != nil {
		prefixes = p.grant.Prefixes(allowed.KeyPrefix)
	}
	return Need{
		Caller:    caller,
		Bucket:    p.Bucket,
		Operation: p.Operation,
		Prefixes:  prefixes,
		List:      p.request.Source == Prefix,
		Lifetime:  time.Duration(p.wanted) * time.Second,
		Strict:    p.request.StrictExpiry,
	}
}

// credentials takes a snapshot. The error is an *Error.
func (s *Service) credentials(ctx context.Context, need *Need) (Credentials, error) {
	c, err := s.Credentials.Credentials(ctx, need)
	if err != nil {
		return c, &Error{
			Code:   CredentialsUnavailable,
			Detail: "the service has no valid credentials at the moment: try again, and see the function's log if it lasts",
			Cause:  err,
		}
	}
	return c, nil
}

package awscreds

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"bulkpresign/internal/audit"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/sigv4"
)

const (
	// A role that assumes another gets an hour at most.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining
	sessionLength = time.Hour

	// margin is how much sooner than STS has it a session counts as ended. It is why a
	// URL that ends with its session works until the second that the answer says: its
	// signature ends then, and the session a minute later.
	margin = time.Minute

	// outlived is the longest lifetime that a new session outlives for certain, with
	// margin and with time for the call. Who asks for longer is handed a session that
	// has plenty left, so that an hour, which everybody asks for, does not need a new
	// one each time.
	outlived = 58 * time.Minute
	plenty   = 50 * time.Minute

	// callTimeout bounds all attempts of one call of STS, and maxBackoff each pause between
	// them: a function must answer within seconds, with an error or with the session that
	// still holds.
	callTimeout = 5 * time.Second
	maxBackoff  = 500 * time.Millisecond
	// retryAfter is how long STS is left alone after a call that failed, while there is a
	// session to go on with.
	retryAfter = 10 * time.Second

	maxSessions = 256 // of one environment, some kilobytes each
)

// identity is what tells sessions apart.
type identity struct {
	name   string // RoleSessionName
	policy string // the session policy, or empty
}

// sessions are those of the signing role that this execution environment holds.
type sessions struct {
	assume func(context.Context, identity) (bulk.Credentials, error)
	log    *slog.Logger

	mu    sync.Mutex
	known map[identity]*session
}

// session is one identity's, renewed over and over. Its fields belong to sessions.mu.
type session struct {
	now     bulk.Credentials // with margin taken off its end; zero at first
	used    time.Time
	retry   time.Time // when STS may be asked again
	renewal *renewal  // that is under way, or nil
}

// renewal is one call of STS, for all who wait for it.
type renewal struct {
	done chan struct{} // closed at the end
	err  error
}

// credentials hands out those of an identity. A session that outlives the need is used
// as it is, also while it is being renewed for somebody else. When it cannot be renewed
// it is used as long as it holds, unless the need is strict.
func (s *sessions) credentials(ctx context.Context, id identity, need *bulk.Need) (bulk.Credentials, error) {
	lifetime := need.Lifetime
	if lifetime > outlived {
		lifetime = plenty
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.session(id)
	if e.lasts(lifetime) || time.Now().Before(e.retry) && e.lasts(time.Second) && !need.Strict {
		return e.now, nil
	}
	r := e.renewal
	if r == nil {
		r = &renewal{done: make(chan struct{})}
		e.renewal = r
		go s.renew(context.WithoutCancel(ctx), id, e)
	}
	s.mu.Unlock()
	select {
	case <-r.done:
	case <-ctx.Done():
	}
	s.mu.Lock()
	switch {
	case ctx.Err() != nil:
		return bulk.Credentials{}, fmt.Errorf("assume the signing role: %w", ctx.Err())
	case r.err != nil && (need.Strict || !e.lasts(time.Second)):
		return bulk.Credentials{}, r.err
	}
	return e.now, nil
}

// lasts tells whether a session outlives so much.
func (e *session) lasts(lifetime time.Duration) bool {
	return !e.now.Expires.IsZero() && time.Until(e.now.Expires) >= lifetime
}

// session finds or makes an identity's entry. The one that was not used for longest
// makes room.
func (s *sessions) session(id identity) *session {
	now := time.Now()
	if e := s.known[id]; e != nil {
		e.used = now
		return e
	}
	if s.known == nil {
		s.known = make(map[identity]*session)
	}
	if len(s.known) >= maxSessions {
		var oldest identity
		at := now
		for other, e := range s.known {
			if !e.used.After(at) {
				oldest, at = other, e.used
			}
		}
		delete(s.known, oldest)
	}
	e := &session{used: now}
	s.known[id] = e
	return e
}

// renew asks STS once.
func (s *sessions) renew(ctx context.Context, id identity, e *session) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	c, err := s.assume(ctx, id)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := e.renewal
	e.renewal = nil
	if err == nil {
		e.now, e.retry = c, time.Time{}
	} else {
		e.retry = time.Now().Add(retryAfter)
		r.err = fmt.Errorf("assume the signing role: %w", loggable(err))
		left := max(0, time.Until(e.now.Expires))
		audit.Metric(ctx, s.log, slog.LevelWarn, "the signing role's session could not be renewed", "SessionRenewalsFailed", audit.Count, 1,
			slog.String("session", id.name), slog.Int64("sessionSecondsLeft", int64(left/time.Second)), slog.String("cause", r.err.Error()))
	}
	close(r.done)
}

// newSTS makes a client for STS in the region: the SDK knows its endpoint there, which
// AWS prefers to the global one.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_region-endpoints.html
func newSTS(c aws.Config) *sts.Client {
	return sts.NewFromConfig(c, func(o *sts.Options) { o.Retryer = retry.AddWithMaxBackoffDelay(o.Retryer, maxBackoff) })
}

// assumer calls STS.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func (s *Source) assumer(client *sts.Client) func(context.Context, identity) (bulk.Credentials, error) {
	return func(ctx context.Context, id identity) (bulk.Credentials, error) {
		in := &sts.AssumeRoleInput{
			RoleArn:         aws.String(s.SigningRole),
			RoleSessionName: aws.String(id.name),
			DurationSeconds: aws.Int32(int32(sessionLength / time.Second)),
		}
		if s.ExternalID != "" {
			in.ExternalId = aws.String(s.ExternalID)
		}
		if id.policy != "" {
			in.Policy = aws.String(id.policy)
		}
		out, err := client.AssumeRole(ctx, in)
		if err != nil {
			return bulk.Credentials{}, err
		}
		a := out.Credentials
		if a == nil || aws.ToString(a.AccessKeyId) == "" || aws.ToString(a.SecretAccessKey) == "" || a.Expiration == nil {
			return bulk.Credentials{}, errors.New("an answer of STS without credentials or their end")
		}
		return bulk.Credentials{
			Credentials: sigv4.Credentials{
				AccessKeyID:     *a.AccessKeyId,
				SecretAccessKey: *a.SecretAccessKey,
				SessionToken:    aws.ToString(a.SessionToken),
			},
			Expires: a.Expiration.Add(-margin),
		}, nil
	}
}

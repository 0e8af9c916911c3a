package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"bulkpresign/internal/standin/stsserver"
)

// attribution uses URLs that say who asked for them. No server minds, and nobody can say otherwise.
func (r *run) attribution(ctx context.Context) error {
	f, err := r.function(ctx, r.region, r.signer.AccessKeyID, r.signer.SecretAccessKey, r.signer.SessionToken, "PRESIGN_ATTRIBUTION=true")
	if err != nil {
		return err
	}
	defer f.Close()
	for _, operation := range operations {
		t, err := r.makeTarget(ctx, operation, "attribution")
		if err != nil {
			return err
		}
		q, err := t.signed(ctx, f, 900)
		if err != nil {
			return err
		}
		forged := request{q.method, setParameter(q.url, "x-presign-caller", "0123456789abcdef"), clone(q.headers), q.body}
		if !strings.Contains(q.url, "&x-presign-request=") || forged.url == q.url {
			return errors.New("a URL does not say who asked for it")
		}
		r.refuseForgery(ctx, "another caller", t, forged, q)
	}
	return nil
}

// signingRole signs with sessions that the function gets itself, from the server's own STS.
func (r *run) signingRole(ctx context.Context) error {
	if r.role == "" {
		return nil
	}
	f, err := r.function(ctx, r.region, r.root.AccessKeyID, r.root.SecretAccessKey, "",
		"PRESIGN_SIGNING_ROLE_ARN="+r.role, "AWS_ENDPOINT_URL_STS="+r.endpoint)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, operation := range operations {
		t, err := r.makeTarget(ctx, operation, "signing role")
		if err != nil {
			return err
		}
		b, q, err := t.batch(ctx, f, 900)
		if err != nil {
			return err
		}
		r.record(t.key+", basis", other(b.Basis, "signature"))
		r.record(t.key, r.works(ctx, q, t))
	}

	t, err := r.makeTarget(ctx, "GetObject", "until its signature ends")
	if err != nil {
		return err
	}
	b, q, err := t.batch(ctx, f, 4)
	if err != nil {
		return err
	}
	r.record(t.key, r.until(ctx, q, b.ExpiresAt, 0))

	// An hour is more than a session of an hour has left, so the URL ends when the answer says, and that a minute
	// before the session. Not even that is waited for: it is used where it is later.
	if t, err = r.makeTarget(ctx, "GetObject", "until its session ends"); err != nil {
		return err
	}
	if b, q, err = t.batch(ctx, f, 3600); err != nil {
		return err
	}
	r.record(t.key+", basis", other(b.Basis, "credentials"))
	if r.later != nil {
		const before = 10 * time.Second // for the start and some requests
		ahead := time.Until(b.ExpiresAt) - before
		endpoint, stop, err := r.later(ctx, ahead)
		if err != nil {
			return err
		}
		defer stop()
		q.headers["host"] = strings.TrimPrefix(r.endpoint, "http://") // which was signed
		q.url = strings.Replace(q.url, r.endpoint, endpoint, 1)
		r.record(t.key, r.until(ctx, q, b.ExpiresAt, ahead))
	}
	return r.sessionPolicy(ctx)
}

func other(got, want string) string {
	if got == want {
		return ""
	}
	return got
}

// slack is how far a server may be from the moment: one counts whole seconds.
const slack = time.Second

// until uses a URL over and over while it should work, and until it has ended, by a clock that is ahead.
func (r *run) until(ctx context.Context, q request, end time.Time, ahead time.Duration) string {
	now := func() time.Time { return time.Now().Add(ahead) }
	if now().After(end.Add(-slack)) {
		return "tried too late"
	}
	worked := 0
	for {
		began := now()
		resp, err := q.send(ctx)
		switch {
		case err != nil:
			return "no answer"
		case resp.Status == 200:
			worked++
			if began.After(end.Add(slack)) {
				return fmt.Sprintf("works %v after its end", began.Sub(end))
			}
		case now().Before(end):
			return fmt.Sprintf("%s, %v before its end", outcome(resp), end.Sub(now()))
		case refusal(ctx, q) != "":
			return outcome(resp)
		case worked == 0:
			return "it never worked"
		default:
			return ""
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return "no time"
		}
	}
}

// sessionPolicy has the server judge the policy that the function gives its sessions: what it is for works, and
// anything else does not, although the role may do everything.
func (r *run) sessionPolicy(ctx context.Context) error {
	env := []string{"PRESIGN_SIGNING_ROLE_ARN=" + r.role, "PRESIGN_SIGNING_SESSION=request", "PRESIGN_KEY_PREFIX=GetObject"}
	f, err := r.function(ctx, r.region, r.root.AccessKeyID, r.root.SecretAccessKey, "", append(env, "AWS_ENDPOINT_URL_STS="+r.endpoint)...)
	if err != nil {
		return err
	}
	defer f.Close()
	inside, err := r.makeTarget(ctx, "GetObject", "inside")
	if err != nil {
		return err
	}
	q, err := inside.signed(ctx, f, 900)
	if err != nil {
		return err
	}
	r.record("GetObject session policy", r.works(ctx, q, inside))

	// The function would not sign anything else with this session, so another one does, which has a session of the
	// same policy: the one that the function says to STS.
	sts, err := stsserver.Start(func(int, stsserver.Call) stsserver.Answer { return stsserver.Answer{Code: "AccessDenied"} })
	if err != nil {
		return err
	}
	defer sts.Close()
	asking, err := r.function(ctx, r.region, r.root.AccessKeyID, r.root.SecretAccessKey, "", append(env, "AWS_ENDPOINT_URL_STS="+sts.URL())...)
	if err != nil {
		return err
	}
	defer asking.Close()
	if _, err := inside.signed(ctx, asking, 900); err == nil || len(sts.Calls()) == 0 {
		return errors.New("the function does not ask STS")
	}
	c, err := r.assumeRole(ctx, sessionLength, "RoleArn", r.role, "Policy", sts.Calls()[0].Policy)
	if err != nil {
		return err
	}
	narrow, err := r.function(ctx, r.region, c.AccessKeyID, c.SecretAccessKey, c.SessionToken)
	if err != nil {
		return err
	}
	defer narrow.Close()
	if q, err = inside.signed(ctx, narrow, 900); err != nil {
		return err
	}
	r.record("GetObject session policy, the same session", r.works(ctx, q, inside))
	for _, operation := range operations {
		of := operation
		if of == "GetObject" { // the prefix of which is inside
			of = "HeadObject"
		}
		outside, err := r.makeTarget(ctx, of, "outside of "+operation)
		if err != nil {
			return err
		}
		outside.operation = operation
		forged, err := outside.signed(ctx, narrow, 900)
		if err != nil {
			return err
		}
		good, err := outside.signed(ctx, r.sign, 900)
		if err != nil {
			return err
		}
		r.refuseForgery(ctx, "outside the session policy", outside, forged, good)
	}
	inside.operation = "DeleteObject" // in the prefix, with an operation that was not asked for
	forged, err := inside.signed(ctx, narrow, 900)
	if err != nil {
		return err
	}
	good, err := inside.signed(ctx, r.sign, 900)
	if err != nil {
		return err
	}
	r.refuseForgery(ctx, "another operation than the session policy's", inside, forged, good)
	return nil
}

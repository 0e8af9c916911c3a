package main_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"bulkpresign/internal/check/rawhttp"
	"bulkpresign/internal/standin/s3server"
	"bulkpresign/internal/standin/stsserver"
)

const signingRole = "arn:aws:iam::123456789012:role/signer"

// sessionMargin is how much sooner than STS has it a session counts as ended.
const sessionMargin = time.Minute

// signing is a system whose function assumes a role to sign, and the stand-in for STS
// that hands out sessions, each with so much of it left. After the last, or where nothing
// is left, it throttles.
func signing(t *testing.T, left []time.Duration, env ...string) (*system, *stsserver.Server, []s3server.Credentials) {
	t.Helper()
	base := newCredentials()
	sessions := make([]s3server.Credentials, len(left))
	now := time.Now().Truncate(time.Second)
	for i := range sessions {
		sessions[i] = newCredentials()
		sessions[i].Expires = now.Add(left[i])
	}
	sts, err := stsserver.Start(func(n int, _ stsserver.Call) stsserver.Answer {
		if n > len(sessions) || left[n-1] == 0 {
			return stsserver.Answer{Code: "Throttling"}
		}
		c := sessions[n-1]
		return stsserver.Answer{Session: stsserver.Session{
			AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken, Expires: c.Expires,
		}}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sts.Close)
	for i := range env {
		env[i] = strings.ReplaceAll(env[i], "{sts}", sts.URL())
	}
	s := startWith(append([]s3server.Credentials{base}, sessions...), slices.Concat(credentialsOf(base), []string{
		"PRESIGN_BUCKETS=photos", "PRESIGN_OPERATIONS=GET,PUT", "PRESIGN_SIGNING_ROLE_ARN=" + signingRole, "AWS_ENDPOINT_URL_STS=" + sts.URL(),
	}, env)...)
	if err := s.s3.Put("photos", "k", []byte("k")); err != nil {
		t.Fatal(err)
	}
	return s, sts, sessions
}

// signedBy is the access key id in a URL.
func signedBy(t *testing.T, text string) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal("a URL is none")
	}
	key, _, _ := strings.Cut(u.Query().Get("X-Amz-Credential"), "/")
	return key
}

// get is the status of a URL when the server's clock is ahead by so many seconds.
func (s *system) get(t *testing.T, text string, ahead int64) int {
	t.Helper()
	s.clock.Store(ahead)
	defer s.clock.Store(0)
	answer, err := rawhttp.Do(t.Context(), "GET", text, nil, nil)
	if err != nil {
		t.Fatal("S3 does not answer")
	}
	return answer.Status
}

// Sessions are renewed for requests that they would not outlive, and a URL works until
// the second that the answer says, and not longer.
func TestSigningRole(t *testing.T) {
	t.Parallel()
	s, sts, sessions := signing(t, []time.Duration{10 * time.Minute, time.Hour})
	for _, step := range []struct {
		request string
		session int
		basis   string
	}{
		{`{"keys":["k"],"expires_in":60}`, 0, "signature"},
		{`{"keys":["k"],"expires_in":60,"strict_expiry":true}`, 0, "signature"},
		{`{"keys":["k"],"expires_in":535}`, 0, "signature"}, // of 540
		{`{"keys":["k"],"expires_in":900}`, 1, "signature"},
		{`{"keys":["k"],"expires_in":3480,"strict_expiry":true}`, 1, "signature"},
		{`{"keys":["k"],"expires_in":3600}`, 1, "credentials"},
		{`{"keys":["k"],"expires_in":60}`, 1, "signature"},
	} {
		r := s.mustSign(t, step.request)
		if r.ExpiresAtBasis != step.basis || signedBy(t, r.URLs.of["k"]) != sessions[step.session].AccessKeyID {
			t.Errorf("%s: basis %s, want %s of session %d", step.request, r.ExpiresAtBasis, step.basis, step.session)
		}
		if ends := sessions[step.session].Expires; r.ExpiresAt.After(ends) || step.basis == "credentials" && !r.ExpiresAt.Equal(ends.Add(-sessionMargin)) {
			t.Errorf("%s: until %v before the session's end", step.request, ends.Sub(r.ExpiresAt))
		}
		until := int64(time.Until(r.ExpiresAt) / time.Second)
		if got := s.get(t, r.URLs.of["k"], until-1); got != 200 {
			t.Errorf("%s: status %d a second before the end", step.request, got)
		}
		if got := s.get(t, r.URLs.of["k"], until+2); got != 403 {
			t.Errorf("%s: status %d after the end", step.request, got)
		}
	}
	if n := len(sts.Calls()); n != 2 {
		t.Errorf("%d calls of STS, want 2", n)
	}
	if _, f := s.direct(t, `{"keys":["k"],"expires_in":3600,"strict_expiry":true}`); f == nil || f.code != "ExpiryTooLong" {
		t.Errorf("strict, for an hour: %v, want ExpiryTooLong", f)
	}
}

// STS throttles, or is not there: the session that holds is used on, and the log says so
// once. When it has ended, requests fail as something that passes.
func TestSTSFails(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]string{"throttles": "Throttling", "is down": "connection refused"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const left = 8 * time.Second
			s, sts, sessions := signing(t, []time.Duration{sessionMargin + left})
			end := time.Now().Add(left)
			if r := s.mustSign(t, `{"keys":["k"],"expires_in":1}`); r.ExpiresAtBasis != "signature" {
				t.Fatalf("basis %s", r.ExpiresAtBasis)
			}
			if name == "is down" {
				sts.Close()
			}
			for range 2 {
				r := s.mustSign(t, `{"keys":["k"],"expires_in":600}`)
				if r.ExpiresAtBasis != "credentials" || !r.ExpiresAt.Equal(sessions[0].Expires.Add(-sessionMargin)) || s.get(t, r.URLs.of["k"], 0) != 200 {
					t.Errorf("basis %s, until %v before the session's end", r.ExpiresAtBasis, sessions[0].Expires.Sub(r.ExpiresAt))
				}
			}
			warnings := s.records(t, 1, "SessionRenewalsFailed")
			if w := warnings[0]; len(warnings) != 1 || w["level"] != "WARN" || !strings.Contains(fmt.Sprint(w["cause"]), cause) {
				t.Errorf("%d warnings, of them %v", len(warnings), w)
			}
			// Who insists gets an error that passes, and not the advice to ask for less.
			if _, f := s.direct(t, `{"keys":["k"],"expires_in":600,"strict_expiry":true}`); f == nil || f.code != "CredentialsUnavailable" {
				t.Errorf("strict: %v, want CredentialsUnavailable", f)
			}
			time.Sleep(time.Until(end))
			p := decodeProblem(t, s.send(t, httpAPI("POST", `{"keys":["k"]}`, nil)))
			if p.Code != "CredentialsUnavailable" || p.Status != 503 || !strings.Contains(p.Detail, "try again") {
				t.Errorf("after the end: %+v", p)
			}
			records := s.records(t, 5, "caller")
			if r := records[4]; r["level"] != "ERROR" || r["RequestsFailed"] != 1.0 || !strings.Contains(fmt.Sprint(r["cause"]), cause) {
				t.Errorf("the record says %v at level %v", r["cause"], r["level"])
			}
		})
	}
}

// STS that comes back is asked at once when no session is left.
func TestSTSComesBack(t *testing.T) {
	t.Parallel()
	s, sts, _ := signing(t, []time.Duration{0, 0, 0, time.Hour}) // the SDK tries three times
	if _, f := s.direct(t, `{"keys":["k"]}`); f == nil || f.code != "CredentialsUnavailable" {
		t.Errorf("%v, want CredentialsUnavailable", f)
	}
	if r := s.mustSign(t, `{"keys":["k"]}`); r.ExpiresAtBasis != "signature" || len(sts.Calls()) != 4 {
		t.Errorf("basis %s after %d calls", r.ExpiresAtBasis, len(sts.Calls()))
	}
}

// Credentials that change between any two batches never change within one.
func TestRotation(t *testing.T) {
	t.Parallel()
	// None outlives the request by enough, so each batch has another session.
	left := make([]time.Duration, 5)
	for i := range left {
		left[i] = 30*time.Minute + time.Duration(i)*time.Second
	}
	s, _, sessions := signing(t, left)
	keys := make([]any, 3000)
	for i := range keys {
		keys[i] = fmt.Sprint(i)
		if i%3 == 0 {
			keys[i] = map[string]any{"key": fmt.Sprint(i), "version_id": "v"}
		}
	}
	request := string(mustJSON(map[string]any{"keys": keys, "expires_in": 2000}))
	for _, session := range sessions {
		r := s.mustSign(t, request)
		if len(r.URLs.keys) != len(keys) || r.ExpiresAtBasis != "credentials" {
			t.Fatalf("%d URLs, basis %s", len(r.URLs.keys), r.ExpiresAtBasis)
		}
		for _, key := range r.URLs.keys {
			if signedBy(t, r.URLs.of[key]) != session.AccessKeyID {
				t.Fatalf("key %s is signed with another session", key)
			}
		}
	}
}

// A clock ten minutes off is reported; the role is assumed all
// the same, and expires_at is in AWS's time, as S3 counts.
func TestClockSkew(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{10 * time.Minute, -10 * time.Minute} { // STS and S3
		s, sts, sessions := signing(t, []time.Duration{time.Hour + ahead})
		sts.SetClock(ahead)
		r := s.mustSign(t, `{"keys":["k"],"expires_in":900}`)
		w := s.records(t, 1, "ClockSkew")[0]
		if skew, want := w["ClockSkew"].(float64), -ahead.Seconds(); w["level"] != "WARN" || skew < want-3 || skew > want+3 {
			t.Errorf("%v: %v is reported at level %v", ahead, w["ClockSkew"], w["level"])
		}
		if r.ExpiresAt.After(sessions[0].Expires) || r.ExpiresAtBasis != "signature" {
			t.Errorf("%v: expires_at is after the session's end", ahead)
		}
		// In the server's time: as long as it says, which is ten minutes more or less than 900 s.
		until := int64(time.Until(r.ExpiresAt) / time.Second)
		if a, b := s.get(t, r.URLs.of["k"], until-1), s.get(t, r.URLs.of["k"], until+2); a != 200 || b != 403 {
			t.Errorf("%v: status %d before and %d after expires_at", ahead, a, b)
		}
		if got, want := s.get(t, r.URLs.of["k"], int64(ahead/time.Second)), 200; got != want {
			t.Errorf("%v: status %d at once", ahead, got)
		}
	}
}

// iamEvent is a request of an IAM principal through an HTTP API.
func iamEvent(body, arn string) []byte {
	var e map[string]any
	if err := json.Unmarshal(httpAPI("POST", body, nil), &e); err != nil {
		panic(err)
	}
	e["requestContext"].(map[string]any)["authorizer"] = map[string]any{"iam": map[string]any{"userArn": arn, "accountId": "123456789012"}}
	return mustJSON(e)
}

// Each caller has a session with a name that says who it is, as the audit record does.
// With the scope of a request the session can do nothing but what was asked for.
func TestSessionsOfCallers(t *testing.T) {
	t.Parallel()
	hour := []time.Duration{time.Hour, time.Hour, time.Hour, time.Hour}
	s, sts, _ := signing(t, hour, "PRESIGN_SIGNING_SESSION=request", "PRESIGN_KEY_PREFIX=in/")
	requests := []struct{ body, arn, name string }{
		{`{"keys":["in/a"]}`, "arn:aws:sts::123456789012:assumed-role/web/alice", "alice-8f872a90e2d2c7af"},
		{`{"keys":["in/b"]}`, "arn:aws:sts::123456789012:assumed-role/web/alice", ""},
		{`{"operation":"PUT","keys":["in/b"]}`, "arn:aws:sts::123456789012:assumed-role/web/alice", "alice-8f872a90e2d2c7af"},
		{`{"keys":["in/a"]}`, "arn:aws:iam::123456789012:user/bob", "bob-"},
	}
	n := 0
	for i, q := range requests {
		if r := s.send(t, iamEvent(q.body, q.arn)); r.StatusCode != 200 {
			t.Fatalf("status %d", r.StatusCode)
		}
		record := s.records(t, i+1, "caller")[i]
		caller := record["caller"].(map[string]any)
		if caller["kind"] != "iam" || caller["principal"] != q.arn {
			t.Errorf("the record's caller is %v", caller)
		}
		if q.name == "" { // the session is there
			continue
		}
		n++
		calls := sts.Calls()
		if len(calls) != n {
			t.Fatalf("%d calls of STS, want %d", len(calls), n)
		}
		c := calls[n-1]
		if !strings.HasPrefix(c.Name, q.name) || !strings.HasSuffix(c.Name, caller["hash"].(string)) {
			t.Errorf("the session's name is %s", c.Name)
		}
		action, not := "s3:GetObject", "s3:PutObject"
		if strings.Contains(q.body, "PUT") {
			action, not = not, action
		}
		if !json.Valid([]byte(c.Policy)) || !strings.Contains(c.Policy, `"`+action+`"`) || strings.Contains(c.Policy, not) ||
			!strings.Contains(c.Policy, `["arn:aws:s3:::photos/in/*"]`) {
			t.Errorf("the session's policy is %s", c.Policy)
		}
	}
}

// At AWS, here by the name that STS has in a VPC, such a session may use KMS keys too, but
// through S3 alone: it could not read what is encrypted with one.
func TestSessionPolicyHasKMS(t *testing.T) {
	t.Parallel()
	s, sts, _ := signing(t, []time.Duration{time.Hour}, "PRESIGN_SIGNING_SESSION=request",
		"AWS_ENDPOINT_URL_STS=http://vpce-1.sts.eu-west-1.vpce.amazonaws.com", "HTTP_PROXY={sts}")
	s.mustSign(t, `{"keys":["k"]}`)
	const kms = `{"Effect":"Allow","Action":["kms:Decrypt","kms:GenerateDataKey"],"Resource":"*","Condition":{"StringLike":{"kms:ViaService":"s3.*"}}}`
	if calls := sts.Calls(); len(calls) != 1 || !json.Valid([]byte(calls[0].Policy)) || !strings.Contains(calls[0].Policy, kms) {
		t.Errorf("calls %v", calls)
	}
}

// STS is asked in the region, as AWS recommends, and not at the global endpoint.
func TestRegionalSTS(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	asked := make(chan string, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				asked <- r.Method + " " + r.Host
			}
			c.Close()
		}
	}()
	c := newCredentials()
	s := start(c, append(credentialsOf(c), "PRESIGN_BUCKETS=photos", "PRESIGN_SIGNING_ROLE_ARN="+signingRole, "HTTPS_PROXY=http://"+l.Addr().String())...)
	if _, f := s.direct(t, `{"keys":["k"]}`); f == nil || f.code != "CredentialsUnavailable" {
		t.Errorf("%v, want CredentialsUnavailable", f)
	}
	select {
	case got := <-asked:
		if want := "CONNECT sts." + region + ".amazonaws.com:443"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	default:
		t.Error("nobody was asked")
	}
}

package awscreds_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"bulkpresign/internal/awscreds"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/lambdalog"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/s3url"
	"bulkpresign/internal/standin/stsserver"
)

const role = "arn:aws:iam::123456789012:role/signer"

// early is how much sooner than STS has it a session is said to end.
const early = time.Minute

// session is the n-th, with so much of it left.
func session(n int, left time.Duration) stsserver.Session {
	return stsserver.Session{
		AccessKeyID: "ASIA" + strconv.Itoa(n), SecretAccessKey: secret, SessionToken: token,
		Expires: time.Now().Add(left),
	}
}

// logged collects a log's records.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// figures are the values of a metric, and no line may hold a secret.
func (l *logged) figures(t *testing.T, metric string) (values []float64) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range bytes.Lines(l.text.Bytes()) {
		var r map[string]any
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal("a line is not JSON")
		}
		if v, ok := r[metric].(float64); ok {
			values = append(values, v)
		}
		for _, part := range []string{secret, token, "://", "X-Amz-"} {
			if bytes.Contains(line, []byte(part)) {
				t.Error("a line holds what no log may")
			}
		}
	}
	return values
}

// signing is a source with a stand-in for STS.
func signing(t *testing.T, scope awscreds.Scope, answer func(n int, c stsserver.Call) stsserver.Answer) (*awscreds.Source, *stsserver.Server, *logged) {
	t.Helper()
	sts, err := stsserver.Start(answer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sts.Close)
	clean(t, "AWS_ACCESS_KEY_ID=AKIDBASE", "AWS_SECRET_ACCESS_KEY=base", "AWS_ENDPOINT_URL_STS="+sts.URL())
	log := new(logged)
	return &awscreds.Source{SigningRole: role, Scope: scope, Log: lambdalog.New(log)}, sts, log
}

// plain answers with a new session of an hour each time.
func plain(n int, _ stsserver.Call) stsserver.Answer {
	return stsserver.Answer{Session: session(n, time.Hour)}
}

// A session serves all that it outlives, by a minute; then the role is assumed again.
func TestOutlives(t *testing.T) {
	s, sts, _ := signing(t, awscreds.ForService, func(n int, c stsserver.Call) stsserver.Answer {
		if c.RoleARN != role || c.Name != "bulk-presign" || c.Seconds != "3600" || c.Policy != "" || c.AccessKeyID != "AKIDBASE" {
			t.Errorf("call %+v", c)
		}
		left := []time.Duration{30 * time.Minute, time.Hour, 51*time.Minute + 10*time.Second, time.Hour, time.Hour}[n-1]
		return stsserver.Answer{Session: session(n, left)}
	})
	for _, step := range []struct {
		lifetime time.Duration
		want     string
	}{
		{time.Minute, "ASIA1"},
		{28*time.Minute + 50*time.Second, "ASIA1"}, // 30 minutes, less one, are left
		{29*time.Minute + 10*time.Second, "ASIA2"},
		{58 * time.Minute, "ASIA2"}, // the longest that a session of an hour outlives for certain
		{time.Second, "ASIA2"},
		{time.Hour, "ASIA2"}, // none outlives it, and this one has 50 minutes left
		{7 * 24 * time.Hour, "ASIA2"},
	} {
		c, err := s.Credentials(t.Context(), &bulk.Need{Lifetime: step.lifetime})
		if err != nil || c.AccessKeyID != step.want || c.SecretAccessKey != secret || c.SessionToken != token {
			t.Fatalf("for %v: %s, want %s (error %v)", step.lifetime, c.AccessKeyID, step.want, err)
		}
	}
	if n := len(sts.Calls()); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}

// Who asks for more than any session has is not the reason for a new one each time.
func TestLongestIsNotThrashed(t *testing.T) {
	s, sts, _ := signing(t, awscreds.ForService, func(n int, _ stsserver.Call) stsserver.Answer {
		return stsserver.Answer{Session: session(n, []time.Duration{51*time.Minute + 30*time.Second, 50*time.Minute + 30*time.Second, time.Hour}[n-1])}
	})
	for range 5 {
		if c, err := s.Credentials(t.Context(), &bulk.Need{Lifetime: time.Hour}); err != nil || c.AccessKeyID != "ASIA1" {
			t.Fatalf("%s, error %v", c.AccessKeyID, err)
		}
	}
	if n := len(sts.Calls()); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

// The end that is told is STS's own, less the minute: never later.
func TestEndIsExact(t *testing.T) {
	ends := time.Now().Add(time.Hour).Truncate(time.Second)
	s, _, _ := signing(t, awscreds.ForService, func(int, stsserver.Call) stsserver.Answer {
		a := stsserver.Answer{Session: session(1, 0)}
		a.Session.Expires = ends
		return a
	})
	c, err := s.Credentials(t.Context(), &bulk.Need{Lifetime: time.Minute})
	if err != nil || !c.Expires.Equal(ends.Add(-early)) {
		t.Errorf("the end is %v before STS's (error %v)", ends.Sub(c.Expires), err)
	}
}

// While one renewal is under way nobody starts another; who can do with the session that
// is there does not wait for it.
func TestOneRenewalAtATime(t *testing.T) {
	waiting := make(chan struct{})
	s, sts, _ := signing(t, awscreds.ForService, func(n int, _ stsserver.Call) stsserver.Answer {
		if n == 2 {
			close(waiting)
			return stsserver.Answer{Session: session(n, time.Hour), Silence: time.Second}
		}
		return stsserver.Answer{Session: session(n, 10*time.Minute)}
	})
	get := func(lifetime time.Duration, want string) {
		if c, err := s.Credentials(t.Context(), &bulk.Need{Lifetime: lifetime}); err != nil || c.AccessKeyID != want {
			t.Errorf("for %v: %s, want %s (error %v)", lifetime, c.AccessKeyID, want, err)
		}
	}
	get(time.Minute, "ASIA1")
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() { get(30*time.Minute, "ASIA2") })
	}
	<-waiting
	began := time.Now()
	for range 16 {
		get(5*time.Minute, "ASIA1")
	}
	if d := time.Since(began); d > 500*time.Millisecond {
		t.Errorf("a session that serves was waited for, for %v", d)
	}
	wg.Wait()
	get(5*time.Minute, "ASIA2")
	if n := len(sts.Calls()); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}

// While STS fails, the session that holds is used on, and STS is left alone for a while.
// Who insists on more is refused, and so is everybody when nothing is left.
func TestWithoutSTS(t *testing.T) {
	for _, code := range []string{"Throttling", "AccessDenied"} {
		t.Run(code, func(t *testing.T) {
			s, sts, log := signing(t, awscreds.ForService, func(n int, _ stsserver.Call) stsserver.Answer {
				if n == 1 {
					return stsserver.Answer{Session: session(1, early+3*time.Second)}
				}
				return stsserver.Answer{Code: code}
			})
			get := func(lifetime time.Duration, strict bool) (string, error) {
				c, err := s.Credentials(t.Context(), &bulk.Need{Lifetime: lifetime, Strict: strict})
				return c.AccessKeyID, err
			}
			if key, err := get(time.Second, false); key != "ASIA1" {
				t.Fatalf("%s, error %v", key, err)
			}
			began := time.Now()
			for range 3 {
				if key, err := get(time.Hour, false); key != "ASIA1" {
					t.Errorf("%s, error %v, want the session that holds", key, err)
				}
			}
			if d := time.Since(began); d > 4*time.Second {
				t.Errorf("requests were held up for %v", d)
			}
			attempts := len(sts.Calls()) // the SDK tries again what may pass
			if want := map[string]int{"Throttling": 4, "AccessDenied": 2}[code]; attempts != want {
				t.Errorf("%d calls, want %d", attempts, want)
			}
			if failures := log.figures(t, "SessionRenewalsFailed"); len(failures) != 1 {
				t.Errorf("%d failures are in the log, want 1", len(failures))
			}
			if _, err := get(time.Hour, true); err == nil || !strings.Contains(err.Error(), code) {
				t.Errorf("strict: %v, want a failure with the code", err)
			}
			time.Sleep(3 * time.Second)
			_, err := get(time.Second, false)
			if err == nil || !strings.Contains(err.Error(), code) {
				t.Errorf("with nothing left: %v, want a failure with the code", err)
			}
			if err != nil && (strings.Contains(err.Error(), "://") || strings.Contains(err.Error(), "X-Amz")) {
				t.Error("the failure holds what no log may")
			}
		})
	}
}

// STS that does not answer holds nobody up for long.
func TestSilentSTS(t *testing.T) {
	s, _, log := signing(t, awscreds.ForService, func(n int, _ stsserver.Call) stsserver.Answer {
		if n == 1 {
			return stsserver.Answer{Session: session(1, 10*time.Minute)}
		}
		return stsserver.Answer{Silence: time.Hour}
	})
	if _, err := s.Credentials(t.Context(), &bulk.Need{Lifetime: time.Minute}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	c, err := s.Credentials(t.Context(), &bulk.Need{Lifetime: time.Hour})
	if d := time.Since(began); err != nil || c.AccessKeyID != "ASIA1" || d > 10*time.Second {
		t.Errorf("after %v: %s, error %v", d, c.AccessKeyID, err)
	}
	if failures := log.figures(t, "SessionRenewalsFailed"); len(failures) != 1 {
		t.Errorf("%d failures are in the log, want 1", len(failures))
	}
}

// Each caller has a session, as many as an environment holds.
func TestCallersAreApart(t *testing.T) {
	s, sts, _ := signing(t, awscreds.ForCaller, plain)
	const callers = 300
	get := func(i int) string {
		c, err := s.Credentials(t.Context(), &bulk.Need{Caller: caller(i), Lifetime: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		return c.AccessKeyID
	}
	first := get(0)
	names := map[string]bool{}
	for i := range callers {
		get(i)
		get(0) // is used all the time, so it stays
	}
	if again := get(0); again != first {
		t.Errorf("a caller had %s and then %s", first, again)
	}
	calls := sts.Calls()
	for _, c := range calls {
		names[c.Name] = true
	}
	if len(calls) != callers || len(names) != callers {
		t.Errorf("%d calls under %d names, want %d", len(calls), len(names), callers)
	}
	get(1) // made room long ago
	if n := len(sts.Calls()); n != callers+1 {
		t.Errorf("%d sessions are kept: there is no bound", callers)
	}
}

func caller(i int) policy.Caller {
	return policy.Caller{Kind: policy.IAM, ARN: fmt.Sprintf("arn:aws:iam::123456789012:user/user%d", i)}
}

// The names of sessions, which CloudTrail shows.
func TestSessionName(t *testing.T) {
	for _, test := range []struct {
		caller policy.Caller
		want   string // before the hash
	}{
		{policy.Caller{}, "anonymous"},
		{policy.Caller{Kind: policy.Direct}, "direct"},
		{policy.Caller{Kind: policy.IAM, ARN: "arn:aws:iam::123456789012:user/team/alice"}, "alice"},
		{policy.Caller{Kind: policy.IAM, ARN: "arn:aws:sts::123456789012:assumed-role/web/i-0123"}, "i-0123"},
		{policy.Caller{Kind: policy.IAM, ARN: "arn:aws:iam::123456789012:root"}, "root"},
		{policy.Caller{Kind: policy.IAM, ARN: "arn:aws:sts::1:assumed-role/web/Cognito", CognitoID: "eu-west-1:4711"}, "4711"},
		{policy.Caller{Kind: policy.JWT, Claims: map[string]string{"iss": "https://id.example/", "sub": "auth0|a b\u00fc"}}, "auth0-a-b-"},
		{policy.Caller{Kind: policy.JWT, Claims: map[string]string{"sub": "a@example.com"}}, "a@example.com"},
		{policy.Caller{Kind: policy.JWT, Claims: map[string]string{"iss": "https://id.example/"}}, "id.example-"},
		{policy.Caller{Kind: policy.Service, SourceARN: "arn:aws:sqs:eu-west-1:123456789012:jobs"}, "jobs"},
		{policy.Caller{Kind: policy.IAM, ARN: strings.Repeat("x", 100)}, strings.Repeat("x", 47)},
	} {
		if got, want := awscreds.SessionName(&test.caller), test.want+"-"+test.caller.Hash(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzSessionName(f *testing.F) {
	for _, s := range []string{"", "a", "/", "aws:x", "\x00\xff", strings.Repeat("\u00e9", 99)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name := awscreds.SessionName(&policy.Caller{Kind: policy.JWT, Claims: map[string]string{"sub": s}})
		if len(name) < 2 || len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+=,.@-") != "" {
			t.Errorf("%q makes the name %q", s, name)
		}
	})
}

// statement is one of a session policy.
type statement struct {
	Effect    string
	Action    any
	Resource  any
	Condition map[string]map[string]string `json:",omitempty"`
}

// policyFor is the policy that a need's session gets.
func policyFor(t *testing.T, s *awscreds.Source, sts *stsserver.Server, need *bulk.Need) (text string, statements []statement) {
	t.Helper()
	if _, err := s.Credentials(t.Context(), need); err != nil {
		t.Fatal(err)
	}
	calls := sts.Calls()
	text = calls[len(calls)-1].Policy
	var document struct {
		Version   string
		Statement []statement
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&document); err != nil || document.Version != "2012-10-17" || len(text) > 2048 {
		t.Fatalf("no policy: %v\n%s", err, text)
	}
	for _, r := range text {
		if r < ' ' || r > '~' {
			t.Fatalf("%q is in a policy", r)
		}
	}
	return text, document.Statement
}

// A session for a request can do what is asked for and nothing else.
func TestSessionPolicy(t *testing.T) {
	s, sts, _ := signing(t, awscreds.ForRequest, plain)
	long := strings.Repeat("k", 1000)
	for i, test := range []struct {
		need      bulk.Need
		resources []string
	}{
		{bulk.Need{Bucket: "photos", Prefixes: []string{""}}, []string{"arn:aws:s3:::photos/*"}},
		{bulk.Need{Bucket: "photos"}, []string{"arn:aws:s3:::photos/*"}},
		{bulk.Need{Bucket: "photos", Prefixes: []string{"a/", "b/"}}, []string{"arn:aws:s3:::photos/a/*", "arn:aws:s3:::photos/b/*"}},
		{bulk.Need{Bucket: "photos", Prefixes: []string{`*?${aws:username}"\`}}, []string{"arn:aws:s3:::photos/${*}${?}${$}{aws:username}\"\\*"}},
		{bulk.Need{Bucket: "photos", Prefixes: []string{"\u00fc/\U0001f600"}}, []string{"arn:aws:s3:::photos/\u00fc/\U0001f600*"}},
		{bulk.Need{Bucket: "arn:aws:s3:eu-west-1:123456789012:accesspoint/ap", Prefixes: []string{"a"}}, []string{"arn:aws:s3:eu-west-1:123456789012:accesspoint/ap/object/a*"}},
		// What does not fit is widened as little as it must be.
		{bulk.Need{Bucket: "photos", Prefixes: []string{"a/1" + long, "a/2" + long}}, []string{"arn:aws:s3:::photos/a/*"}},
		{bulk.Need{Bucket: "photos", Prefixes: []string{"\u00fc" + long, "\u00f6" + long}}, []string{"arn:aws:s3:::photos/*"}},
	} {
		test.need.Caller = caller(100 + i) // so that each has a session of its own
		_, got := policyFor(t, s, sts, &test.need)
		if len(got) != 1 || fmt.Sprint(got[0].Resource) != fmt.Sprint(test.resources) || got[0].Condition != nil {
			t.Errorf("%q: %v", test.need.Prefixes, got)
		}
	}
	// A prefix of a kilobyte whose every character takes four or more is cut.
	for _, r := range []string{"*", "\u20ac"} {
		text, got := policyFor(t, s, sts, &bulk.Need{Bucket: "photos", Prefixes: []string{strings.Repeat(r, 1024/len(r))}})
		resource := fmt.Sprint(got[0].Resource)
		if len(text) < 2048-8 || !strings.HasSuffix(resource, "*]") || len(resource) < 300 {
			t.Errorf("%q: a policy of %d characters for %.60s", r, len(text), resource)
		}
	}
	for op, want := range map[s3op.Operation]string{
		s3op.GetObject:    "[s3:GetObject s3:GetObjectVersion]",
		s3op.HeadObject:   "[s3:GetObject s3:GetObjectVersion]",
		s3op.PutObject:    "[s3:PutObject s3:PutObjectTagging s3:PutObjectAcl s3:PutObjectRetention s3:PutObjectLegalHold]",
		s3op.DeleteObject: "[s3:DeleteObject s3:DeleteObjectVersion s3:BypassGovernanceRetention]",
		s3op.UploadPart:   "[s3:PutObject]",
	} {
		_, got := policyFor(t, s, sts, &bulk.Need{Caller: caller(int(op)), Bucket: "photos", Operation: op, Prefixes: []string{"x"}})
		if got[0].Effect != "Allow" || fmt.Sprint(got[0].Action) != want {
			t.Errorf("%s: %v, want %s", op, got[0].Action, want)
		}
	}
	before := len(sts.Calls())
	for range 3 {
		if _, err := s.Credentials(t.Context(), &bulk.Need{Caller: caller(102), Bucket: "photos", Prefixes: []string{"a/", "b/"}, Lifetime: time.Minute}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(sts.Calls()) - before; n != 0 {
		t.Errorf("%d more sessions for the same need", n)
	}
}

// The answer's own URL, where it lies in the results bucket, is signed by the session too.
func TestSessionPolicyHasResults(t *testing.T) {
	s, sts, _ := signing(t, awscreds.ForRequest, plain)
	s.SigningRole = "arn:aws-cn:iam::123456789012:role/signer"
	s.Results = &s3url.Folder{Bucket: "results", Prefix: "r/"}
	_, got := policyFor(t, s, sts, &bulk.Need{Bucket: "photos", Operation: s3op.PutObject, Prefixes: []string{"in/"}})
	if len(got) != 2 || got[1].Action != "s3:GetObject" || got[1].Resource != "arn:aws-cn:s3:::results/r/*" || fmt.Sprint(got[0].Resource) != "[arn:aws-cn:s3:::photos/in/*]" {
		t.Errorf("%+v", got)
	}
}

// A clock that is not AWS's is reported, with how far it is ahead. STS refuses what is
// signed for another time; the SDK corrects for that, so the role is assumed all the same.
func TestClockSkew(t *testing.T) {
	for _, test := range []struct {
		ahead time.Duration // STS's clock
		want  float64       // seconds that ours is ahead
	}{
		{10 * time.Minute, -600},
		{-10 * time.Minute, 600},
		{3 * time.Minute, -180},
		{20 * time.Second, 0},
		{0, 0},
	} {
		s, sts, log := signing(t, awscreds.ForCaller, func(n int, _ stsserver.Call) stsserver.Answer {
			return stsserver.Answer{Session: session(n, time.Hour+test.ahead)}
		})
		sts.SetClock(test.ahead)
		var c bulk.Credentials
		for i := range 3 { // calls, and one report for all that come soon
			var err error
			if c, err = s.Credentials(t.Context(), &bulk.Need{Caller: caller(i), Lifetime: time.Minute}); err != nil {
				t.Fatalf("%v: %v", test.ahead, err)
			}
		}
		if left := time.Until(c.Expires) - (time.Hour + test.ahead - early); left.Abs() > 5*time.Second {
			t.Errorf("%v: the end is moved by %v", test.ahead, left)
		}
		skews := log.figures(t, "ClockSkew")
		switch {
		case test.want == 0 && len(skews) != 0:
			t.Errorf("%v: %v is reported", test.ahead, skews)
		case test.want != 0 && (len(skews) != 1 || skews[0] < test.want-3 || skews[0] > test.want+3):
			t.Errorf("%v: %v is reported, want %v once", test.ahead, skews, test.want)
		}
	}
}

// The external id that a role's trust asks for goes along, and only where there is one: STS
// refuses an empty one.
func TestExternalID(t *testing.T) {
	for _, id := range []string{"", "photos-1"} {
		s, sts, _ := signing(t, awscreds.ForService, plain)
		s.ExternalID = id
		must(t, s)
		if calls := sts.Calls(); len(calls) != 1 || calls[0].ExternalID != id {
			t.Errorf("external id %q: %d calls, or another id", id, len(calls))
		}
	}
}

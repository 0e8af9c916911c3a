package awscreds_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bulkpresign/internal/awscreds"
	"bulkpresign/internal/bulk"
)

const (
	secret = "hunter2hunter2"
	token  = "token2token2"

	// containerMargin is how much sooner the SDK says that container credentials end.
	containerMargin = 5 * time.Minute
)

// clean is an environment in which nothing is found, with what a test sets on top.
func clean(t *testing.T, set ...string) {
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
		"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS",
	} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_REGION", "eu-west-1")
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for _, s := range set {
		name, value, _ := strings.Cut(s, "=")
		t.Setenv(name, value)
	}
}

// must takes a snapshot that has to be there.
func must(t *testing.T, s *awscreds.Source) bulk.Credentials {
	t.Helper()
	c, err := s.Credentials(t.Context(), &bulk.Need{})
	if err != nil {
		t.Fatalf("no credentials: %v", err)
	}
	return c
}

// White space around a key is signed with as it is, and S3 refuses every URL: it is said instead, without the key.
func TestWhiteSpace(t *testing.T) {
	for _, set := range [][3]string{{" AKID", secret, token}, {"AKID", secret + "\n", token}, {"AKID", secret, token + "\r\n"}} {
		clean(t, "AWS_ACCESS_KEY_ID="+set[0], "AWS_SECRET_ACCESS_KEY="+set[1], "AWS_SESSION_TOKEN="+set[2])
		_, err := new(awscreds.Source).Credentials(t.Context(), &bulk.Need{})
		if err == nil || !strings.Contains(err.Error(), "white space") || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), token) {
			t.Errorf("%q: %v", set[0], err != nil)
		}
	}
}

// A Lambda's credentials are in its environment, and nobody knows their end.
func TestEnvironment(t *testing.T) {
	clean(t, "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY="+secret, "AWS_SESSION_TOKEN="+token)
	c := must(t, new(awscreds.Source))
	if c.AccessKeyID != "AKID" || c.SecretAccessKey != secret || c.SessionToken != token {
		t.Error("these are other credentials")
	}
	if !c.Expires.IsZero() {
		t.Errorf("an end is known: %v", c.Expires)
	}
	if s := fmt.Sprintf("%v %+v %#v %s", c, c, c, c); strings.Contains(s, secret) || strings.Contains(s, token) {
		t.Error("a snapshot prints its secrets")
	}
}

func TestNone(t *testing.T) {
	clean(t)
	if _, err := new(awscreds.Source).Credentials(t.Context(), &bulk.Need{}); err == nil {
		t.Error("there are credentials")
	}
	clean(t, "AWS_ACCESS_KEY_ID=AKID")
	if _, err := new(awscreds.Source).Credentials(t.Context(), &bulk.Need{}); err == nil {
		t.Error("half a pair is taken")
	}
}

// endpoint hands out credentials numbered from 1; each lives as long as lifetime says.
func endpoint(t *testing.T, lifetime func(n int64) time.Duration) (url string, asked *atomic.Int64) {
	asked = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := asked.Add(1)
		d := lifetime(n)
		w.Header().Set("Content-Type", "application/json")
		if d == 0 {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, `{"code":"Denied","message":"of %s at %s"}`, token, "https://example.com/secret")
			return
		}
		fmt.Fprintf(w, `{"AccessKeyId":"AKID%d","SecretAccessKey":%q,"Token":%q,"Expiration":%q}`,
			n, secret, token, time.Now().Add(d).UTC().Format(time.RFC3339))
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

// Credentials that hold are read once, whoever asks.
func TestCached(t *testing.T) {
	url, asked := endpoint(t, func(int64) time.Duration { return time.Hour })
	clean(t, "AWS_CONTAINER_CREDENTIALS_FULL_URI="+url)
	s := new(awscreds.Source)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			c, err := s.Credentials(t.Context(), &bulk.Need{})
			if err != nil || c.AccessKeyID != "AKID1" {
				t.Errorf("%s, error %v", c.AccessKeyID, err)
			}
			left := time.Until(c.Expires)
			if left > time.Hour-containerMargin || left < time.Hour-containerMargin-time.Minute {
				t.Errorf("%v are left, want an hour less the SDK's margin", left)
			}
		})
	}
	wg.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// Later requests have the credentials that came in place of those that ended.
func TestChanged(t *testing.T) {
	// The first pair ends about a second from now, by the SDK's reckoning.
	url, asked := endpoint(t, func(n int64) time.Duration {
		if n == 1 {
			return containerMargin + time.Second
		}
		return time.Hour
	})
	clean(t, "AWS_CONTAINER_CREDENTIALS_FULL_URI="+url)
	s := new(awscreds.Source)
	first := must(t, s)
	if first.AccessKeyID != "AKID1" {
		t.Fatalf("first %s", first.AccessKeyID)
	}
	var c bulk.Credentials
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if c = must(t, s); c.AccessKeyID != first.AccessKeyID {
			break
		}
	}
	if c.AccessKeyID != "AKID2" || !c.Expires.After(first.Expires) {
		t.Errorf("then %s, until %v", c.AccessKeyID, c.Expires)
	}
	if again := must(t, s); again.AccessKeyID != "AKID2" || asked.Load() != 2 {
		t.Errorf("at last %s, asked %d times", again.AccessKeyID, asked.Load())
	}
}

// A failure passes, and its text has nothing that a log must not hold.
func TestFailure(t *testing.T) {
	url, _ := endpoint(t, func(n int64) time.Duration {
		if n == 1 {
			return 0
		}
		return time.Hour
	})
	clean(t, "AWS_CONTAINER_CREDENTIALS_FULL_URI="+url)
	s := new(awscreds.Source)
	_, err := s.Credentials(t.Context(), &bulk.Need{})
	if err == nil {
		t.Fatal("there are credentials")
	}
	for _, part := range []string{token, "://", "secret"} {
		if strings.Contains(err.Error(), part) {
			t.Errorf("the error's text holds what no log may")
		}
	}
	if c := must(t, s); c.AccessKeyID != "AKID2" {
		t.Errorf("then %s", c.AccessKeyID)
	}
}

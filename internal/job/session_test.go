package job_test

import (
	"strings"
	"testing"
	"time"

	"bulkpresign/internal/standin/stsserver"
)

// A job is signed with a session that is named after what delivered it, its record says
// how long that lasts, and its URLs say whose they are.
func TestSigningRole(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	var own stsserver.Session // S3 of the bed knows these credentials alone
	for _, e := range b.env {
		name, value, _ := strings.Cut(e, "=")
		switch name {
		case "AWS_ACCESS_KEY_ID":
			own.AccessKeyID = value
		case "AWS_SECRET_ACCESS_KEY":
			own.SecretAccessKey = value
		case "AWS_SESSION_TOKEN":
			own.SessionToken = value
		}
	}
	own.Expires = time.Now().Add(time.Hour)
	sts, err := stsserver.Start(func(int, stsserver.Call) stsserver.Answer { return stsserver.Answer{Session: own} })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sts.Close)
	fn := b.start(t, 20*time.Second, "AWS_ENDPOINT_URL_STS="+sts.URL(), "PRESIGN_ATTRIBUTION=true",
		"PRESIGN_SIGNING_ROLE_ARN=arn:aws:iam::123456789012:role/signer")
	b.put(t, "photos", "a", []byte("a"), nil)
	deliver(t, fn, `{"keys":["a"]}`)
	s, _ := b.only(t)
	if s.Basis != "signature" {
		t.Errorf("basis %s", s.Basis)
	}
	fn.Close() // so that all of its log has been read
	records := b.log.Records("CredentialSecondsLeft")
	calls := sts.Calls()
	if len(records) != 1 || len(calls) != 1 {
		t.Fatalf("%d records with the session's end, %d calls of STS", len(records), len(calls))
	}
	r := records[0]
	caller := r["caller"].(map[string]any)
	if left := r["CredentialSecondsLeft"].(float64); left < 3500 || left > 3600-60 || caller["kind"] != "service" {
		t.Errorf("%v seconds are left, the caller is a %v", left, caller["kind"])
	}
	if hash := caller["hash"].(string); !strings.HasSuffix(calls[0].Name, "-"+hash) {
		t.Errorf("the session is named %s", calls[0].Name)
	}
	url := b.lines(t, s)[0].URL
	if want := "&x-presign-caller=" + caller["hash"].(string) + "&x-presign-request=" + r["requestId"].(string) + "&"; !strings.Contains(url, want) {
		t.Error("the URL does not say whose it is")
	}
	works(t, url, "a")
}

package policy_test

import (
	"testing"

	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
)

// The policy reads as a table: what is asked, and whether it is allowed.
func TestDecisions(t *testing.T) {
	p := policy.Policy{
		Buckets:    []string{"photos", "arn:aws:s3:eu-west-1:123456789012:accesspoint/ap"},
		Operations: []s3op.Operation{s3op.GetObject, s3op.PutObject},
		KeyPrefix:  "team-a/",
	}
	for _, test := range []struct {
		asked   string
		answer  bool
		allowed bool
	}{
		{"bucket photos", p.AllowsBucket("photos"), true},
		{"bucket of an access point", p.AllowsBucket("arn:aws:s3:eu-west-1:123456789012:accesspoint/ap"), true},
		{"bucket in other letters", p.AllowsBucket("Photos"), false},
		{"longer bucket", p.AllowsBucket("photos2"), false},
		{"shorter bucket", p.AllowsBucket("photo"), false},
		{"no bucket", p.AllowsBucket(""), false},
		{"the access point's name alone", p.AllowsBucket("ap"), false},

		{"GetObject", p.AllowsOperation(s3op.GetObject), true},
		{"HeadObject is not GetObject", p.AllowsOperation(s3op.HeadObject), false},
		{"PutObject", p.AllowsOperation(s3op.PutObject), true},
		{"UploadPart is not PutObject", p.AllowsOperation(s3op.UploadPart), false},
		{"DeleteObject", p.AllowsOperation(s3op.DeleteObject), false},

		{"key under the prefix", p.AllowsKey("team-a/x"), true},
		{"the prefix itself", p.AllowsKey("team-a/"), true},
		{"dot segments are another's business", p.AllowsKey("team-a/../team-b/x"), true},
		{"key beside it", p.AllowsKey("team-b/x"), false},
		{"shorter than the prefix", p.AllowsKey("team-a"), false},
		{"the prefix in the middle", p.AllowsKey("x/team-a/x"), false},
		{"leading slash", p.AllowsKey("/team-a/x"), false},
		{"other letters", p.AllowsKey("Team-A/x"), false},
		{"escaped slash", p.AllowsKey("team-a%2Fx"), false},
		{"no key", p.AllowsKey(""), false},
	} {
		if test.answer != test.allowed {
			t.Errorf("%s: allowed is %v, want %v", test.asked, test.answer, test.allowed)
		}
	}
	if !(&policy.Policy{}).AllowsKey("anything") {
		t.Error("without a prefix a key is not allowed")
	}
	if none := (&policy.Policy{}); none.AllowsBucket("") || none.AllowsOperation(s3op.GetObject) {
		t.Error("an empty policy allows something")
	}
}

// A request may leave the bucket out only when there is no choice.
func TestDefaultBucket(t *testing.T) {
	for _, test := range []struct {
		buckets []string
		bucket  string
		ok      bool
	}{
		{nil, "", false},
		{[]string{"a"}, "a", true},
		{[]string{"a", "b"}, "", false},
	} {
		p := policy.Policy{Buckets: test.buckets}
		if bucket, ok := p.DefaultBucket(); bucket != test.bucket || ok != test.ok {
			t.Errorf("of %v: %q, %v", test.buckets, bucket, ok)
		}
	}
}

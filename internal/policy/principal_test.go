package policy_test

import (
	"testing"

	"bulkpresign/internal/policy"
)

func TestPrincipal(t *testing.T) {
	const role = "arn:aws:sts::123456789012:assumed-role/web/CognitoIdentityCredentials"
	hashes := map[string]string{}
	for _, test := range []struct {
		caller policy.Caller
		want   string
	}{
		{policy.Caller{}, ""},
		{policy.Caller{Kind: policy.Direct}, ""},
		{policy.Caller{Kind: policy.IAM, ARN: "arn:aws:iam::123456789012:user/alice"}, "arn:aws:iam::123456789012:user/alice"},
		{policy.Caller{Kind: policy.IAM, ARN: role, CognitoID: "eu-west-1:1"}, role + "#eu-west-1:1"},
		{policy.Caller{Kind: policy.IAM, ARN: role, CognitoID: "eu-west-1:2"}, role + "#eu-west-1:2"},
		{policy.Caller{Kind: policy.JWT, Claims: map[string]string{"iss": "https://id.example", "sub": "4711", "email": "a@example.com"}}, "id.example#4711"},
		{policy.Caller{Kind: policy.JWT, Claims: map[string]string{"iss": "https://id.example"}}, "id.example"},
		{policy.Caller{Kind: policy.JWT}, ""},
		{policy.Caller{Kind: policy.Service, Service: "sqs.amazonaws.com", SourceARN: "arn:aws:sqs:eu-west-1:123456789012:q"}, "arn:aws:sqs:eu-west-1:123456789012:q"},
		{policy.Caller{Kind: policy.Service, Service: "states.amazonaws.com"}, "states.amazonaws.com"},
	} {
		if got := test.caller.Principal(); got != test.want {
			t.Errorf("%v: %q, want %q", test.caller, got, test.want)
		}
		h := test.caller.Hash()
		if other, taken := hashes[h]; taken {
			t.Errorf("%q and %q share a hash", test.want, other)
		}
		if hashes[h] = test.want; len(h) != 16 {
			t.Errorf("hash %q", h)
		}
	}
}

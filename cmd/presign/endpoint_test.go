package main

import "testing"

// Hosts of Lambda, as AWS's table of endpoints has them.
func TestLambdaEndpoint(t *testing.T) {
	for _, test := range []struct {
		region          string
		fips, dualStack bool
		want            string
	}{
		{"eu-west-1", false, false, "https://lambda.eu-west-1.amazonaws.com"},
		{"us-east-1", true, false, "https://lambda-fips.us-east-1.amazonaws.com"},
		{"eu-west-1", false, true, "https://lambda.eu-west-1.api.aws"},
		{"cn-north-1", false, false, "https://lambda.cn-north-1.amazonaws.com.cn"},
		{"cn-north-1", false, true, "https://lambda.cn-north-1.api.amazonwebservices.com.cn"},
	} {
		if got := lambdaEndpoint(test.region, test.fips, test.dualStack); got != test.want {
			t.Errorf("%s: %s, want %s", test.region, got, test.want)
		}
	}
}

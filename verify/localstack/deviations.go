package main

import "maps"

// deviations are the checks that an emulator does not pass, with the reason. docs/localstack.md explains them.
var deviations = map[string]map[string]string{
	"localstack": merge(
		all4("only a slash", "it takes the request for one to the bucket"),
		all4("only slashes", "it takes the request for one to the bucket"),
		map[string]string{"refuses: bucket policy": "it keeps policies and evaluates none"},
	),
	"ministack": merge( // the three keys work with AUTH=false
		all4("only a slash", "its policy evaluation takes the request for one to the bucket"),
		all4("only slashes", "its policy evaluation takes the request for one to the bucket"),
		all4("tab, line feed, carriage return", "the * of a policy does not match a line feed"),
		map[string]string{
			"listed tab, line feed, carriage return": "the * of a policy does not match a line feed",
			"lambda_invoke.py: with another secret":  "it does not look at the signature of an Invoke",
		},
	),
}

// all4 is a reason for all the checks that roundTrips makes of a key.
func all4(key, reason string) map[string]string {
	checks := map[string]string{}
	for _, method := range []string{"PUT", "HEAD", "GET", "DELETE"} {
		checks[method+" "+key] = reason
	}
	return checks
}

func merge(tables ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, table := range tables {
		maps.Copy(all, table)
	}
	return all
}

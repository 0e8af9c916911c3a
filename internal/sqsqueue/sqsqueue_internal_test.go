package sqsqueue

import "testing"

// A function that does the messages of two queues puts off those of either; and it may tell
// a queue of another region, which the endpoint of its own does not know.
func TestURLs(t *testing.T) {
	q := To("https://sqs.eu-west-1.amazonaws.com/123456789012/lists", nil)
	for arn, want := range map[string]string{
		"arn:aws:sqs:eu-west-1:123456789012:requests": "https://sqs.eu-west-1.amazonaws.com/123456789012/requests",
		"arn:aws:sqs:eu-west-1:123456789012:lists":    "https://sqs.eu-west-1.amazonaws.com/123456789012/lists",
		"": "https://sqs.eu-west-1.amazonaws.com/123456789012/lists",
	} {
		if got := q.neighbour(arn); got != want {
			t.Errorf("%s is at %s, want %s", arn, got, want)
		}
	}
	for url, want := range map[string]string{
		"https://sqs.eu-central-1.amazonaws.com/1/q":    "eu-central-1",
		"https://sqs.cn-north-1.amazonaws.com.cn/1/q":   "cn-north-1",
		"http://127.0.0.1:9324/1/q":                     "",
		"https://sqs.example.com/1/q":                   "",
		"https://vpce-1.sqs.eu-west-1.vpce.example/1/q": "",
	} {
		if got := regionOf(url); got != want {
			t.Errorf("%s is in %q, want %q", url, got, want)
		}
	}
}

package logcheck_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"bulkpresign/internal/check/logcheck"
)

func TestProblems(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		bad  bool
	}{
		"nothing":      {"", false},
		"good lines":   {"{\"message\":\"a\"}\n{}\n", false},
		"plain text":   {"hello\n", true},
		"two on one":   {"{}{}\n", true},
		"no end":       {"{}", true},
		"a signature":  {fmt.Sprintf("{\"a\":%q}\n", strings.Repeat("0f", 32)), true},
		"a hash":       {fmt.Sprintf("{\"a\":%q}\n", strings.Repeat("0f", 8)), false},
		"a parameter":  {"{\"a\":\"x-amz-security-token\"}\n", true},
		"a URL":        {"{\"a\":\"see HTTPS://x\"}\n", true},
		"a secret":     {"{\"a\":\"my hunter2 is\"}\n", true},
		"poor metrics": {"{\"_aws\":{}}\n", true},
	} {
		var b logcheck.Book
		b.KeepOut("", "hunter2")
		fmt.Fprint(&b, test.text)
		problems := b.Problems()
		if (len(problems) > 0) != test.bad {
			t.Errorf("%s: %q", name, problems)
		}
		if strings.Contains(fmt.Sprint(problems), "hunter2") {
			t.Errorf("%s: the problems repeat the secret", name)
		}
	}
}

// The example is the specification's own, with the time of now.
func TestMetrics(t *testing.T) {
	example := fmt.Sprintf(`{"_aws":{"Timestamp":%d,"CloudWatchMetrics":[{"Namespace":"lambda-function-metrics",
"Dimensions":[["functionVersion"]],"Metrics":[{"Name":"time","Unit":"Milliseconds","StorageResolution":60}]}]},
"functionVersion":"$LATEST","time":100,"requestId":"989ffbf8-9ace-4817-a57c-e4dd734019ee"}`, time.Now().UnixMilli())
	if err := logcheck.Metrics([]byte(example)); err != nil {
		t.Errorf("the specification's example: %v", err)
	}
	for name, change := range map[string][2]string{
		"no directive":            {`"_aws"`, `"aws"`},
		"no timestamp":            {`"Timestamp"`, `"Time"`},
		"an old timestamp":        {`"Timestamp":1`, `"Timestamp":`},
		"a timestamp of text":     {`"Timestamp":`, `"Timestamp":"x","x":`},
		"no directives":           {`"CloudWatchMetrics":[`, `"CloudWatchMetrics":null,"x":[`},
		"no namespace":            {`"lambda-function-metrics"`, `""`},
		"no dimensions":           {`"Dimensions":[["functionVersion"]],`, ``},
		"a dimension of nothing":  {`["functionVersion"]`, `["version"]`},
		"a dimension of a number": {`"$LATEST"`, `1`},
		"an empty dimension":      {`"$LATEST"`, `""`},
		"no name":                 {`"Name":"time",`, ``},
		"an unknown unit":         {`"Milliseconds"`, `"ms"`},
		"an unknown resolution":   {`Resolution":60`, `Resolution":30`},
		"a metric of nothing":     {`"time":100,`, ``},
		"a metric of null":        {`"time":100`, `"time":null`},
		"a metric of text":        {`"time":100`, `"time":"100"`},
		"a member twice":          {`"requestId"`, `"time"`},
		"a metric twice":          {`"Metrics":[`, `"Metrics":[{"Name":"time"},`},
	} {
		line := strings.Replace(example, change[0], change[1], 1)
		if line == example {
			t.Fatalf("%s: nothing is changed", name)
		}
		if err := logcheck.Metrics([]byte(line)); err == nil {
			t.Errorf("%s: no problem", name)
		}
	}
}

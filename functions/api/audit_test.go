package main_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"bulkpresign/internal/check/logcheck"
)

// Every request leaves one record, however it comes and however it ends, with its metrics
// in CloudWatch's format (which all tests of this package hold every line to). Refused
// keys are in it as hashes alone.
func TestAudit(t *testing.T) {
	t.Parallel()
	c := newCredentials()
	s := start(c, append(credentialsOf(c), "PRESIGN_BUCKETS=photos", "PRESIGN_OPERATIONS=GET,PUT", "PRESIGN_KEY_PREFIX=in/", "PRESIGN_MAX_KEYS=12")...)
	const private = "private-key-of-4711.pdf"
	s.log.KeepOut(private, "in/also-private")
	logs.KeepOut(private, "in/also-private")
	const arn = "arn:aws:iam::123456789012:user/bob"
	direct := func(request string) func() {
		return func() { s.direct(t, request) }
	}
	for i, test := range []struct {
		send func()
		want string // member=value, all of which the record has
	}{
		{direct(`{"keys":["in/also-private","in/also-private","in/b"],"expires_in":60}`),
			"source=direct cold=true caller.kind=direct bucket=photos operation=GetObject expiresIn=60 basis=unknown " +
				"Requests=1 BatchSize=3 KeysRequested=2 KeysSigned=2 KeysRefused=0 RequestsRefused=0 RequestsFailed=0 ColdStarts=1"},
		{direct(`{"operation":"PUT","keys":["in/a","` + private + `","","in/../x"]}`),
			"source=direct cold=false operation=PutObject KeysRequested=4 KeysSigned=1 KeysRefused=3 RefusedKeyNotAllowed=1 RefusedEmptyKey=1 RefusedUnsafeKey=1 " +
				"denied.0.code=KeyNotAllowed denied.0.sha256=e739ec043e46d0be denied.0.bytes=23 denied.2.code=UnsafeKey"},
		{direct(`{"keys":["in/a%20b","in/a ","in/b"]}`), "KeysSigned=3 warned=2"},
		{func() { s.send(t, iamEvent(`{"keys":["in/a"]}`, arn)) },
			"source=http caller.kind=iam caller.principal=" + arn + " KeysSigned=1"},
		{func() { s.send(t, httpAPI("POST", `{"keys":["in/a"]}`, nil)) },
			"source=http caller.kind=anonymous KeysSigned=1"},
		{func() { s.send(t, httpAPI("GET", ``, nil)) },
			"source=http code=MethodNotAllowed RequestsRefused=1 RequestMethodNotAllowed=1 KeysRequested=0"},
		{func() { s.send(t, restAPI("POST", `{"keys":["`+private+`"],"colour":1}`, nil)) },
			"code=InvalidRequest RequestsRefused=1 RequestInvalidRequest=1"},
		{direct(`{"keys":["in/a"],"bucket":"other"}`), "code=BucketNotAllowed BatchSize=1 RequestBucketNotAllowed=1 KeysSigned=0"},
		{direct(`{"keys":["in/a"],"operation":"DELETE"}`), "code=OperationNotAllowed operation=DeleteObject RequestOperationNotAllowed=1"},
		{direct(`{"keys":["in/a"],"expires_in":604800}`), "code=ExpiryTooLong RequestExpiryTooLong=1"},
		{direct(`{"keys":["in/a"],"version_id":""}`), "code=InvalidOption RequestInvalidOption=1"},
		{direct(`{"keys":[` + strings.Repeat(`"in/a",`, 12) + `"in/a"]}`), "code=TooManyKeys RequestTooManyKeys=1"},
		{direct(`not JSON`), "code=InvalidRequest"},
	} {
		test.send()
		records := s.records(t, i+1, "caller")
		if len(records) != i+1 {
			t.Fatalf("request %d left %d records", i, len(records)-i)
		}
		r := records[i]
		for pair := range strings.FieldsSeq(test.want) {
			path, want, _ := strings.Cut(pair, "=")
			if got := fmt.Sprint(member(r, path)); got != want {
				t.Errorf("request %d: %s is %s, want %s", i, path, got, want)
			}
		}
		if r["message"] != "request" || r["level"] != "INFO" || r["requestId"] == "" || r["_aws"] == nil || r["FunctionName"] == "unknown" {
			t.Errorf("request %d: %v at level %v", i, r["message"], r["level"])
		}
	}
	if problems := s.log.Problems(); problems != nil {
		t.Error(problems)
	}
	// All names that occurred are in the table of docs/audit.md.
	var names []string
	for _, r := range s.log.Records("_aws") {
		names = append(names, logcheck.MetricNames(r)...)
	}
	documented := documentedMetrics(t)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if !documented(name) {
			t.Errorf("docs/audit.md does not have metric %s", name)
		}
	}
}

// member is what lies at a path of names and indices.
func member(v any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[name]
		case []any:
			var i int
			fmt.Sscan(name, &i)
			if i >= len(x) {
				return nil
			}
			v = x[i]
		}
	}
	return v
}

// documentedMetrics reads the table of docs/audit.md.
func documentedMetrics(t *testing.T) func(name string) bool {
	text, err := os.ReadFile("../../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| metric | unit |")
	table, _, _ = strings.Cut(table, "\n\n")
	return func(name string) bool {
		for _, family := range []string{"Request", "Refused"} { // and a code
			if code, ok := strings.CutPrefix(name, family); ok && strings.Contains(table, "`"+family+"` + code") && strings.Contains(string(text), "`"+code+"`") {
				return true
			}
		}
		return strings.Contains(table, "`"+name+"`")
	}
}

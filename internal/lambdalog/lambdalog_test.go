package lambdalog_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"testing"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/lambdalog"
	"bulkpresign/internal/sigv4"
)

// lines reads what was written: an object a line.
func lines(t *testing.T, b *bytes.Buffer) (records []map[string]any) {
	t.Helper()
	for line := range bytes.Lines(b.Bytes()) {
		var r map[string]any
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%q is not a JSON object", line)
		}
		if line[len(line)-1] != '\n' {
			t.Fatalf("%q has no end", line)
		}
		records = append(records, r)
	}
	return records
}

func TestEveryLineIsAnObject(t *testing.T) {
	var b bytes.Buffer
	l := lambdalog.New(&b)
	l.Info("two\nlines", "value", "a\r\nb\x00\xff\u2028", "error", errors.New("x\ny"))
	l.With("a", 1).WithGroup("g").Warn("grouped", "b", 2)
	odd := []any{"list", []string{"x"}, "a name without a value"}
	l.Error("", odd...)
	// aws-lambda-go writes through the standard logger, whose default becomes ours.
	defer slog.SetDefault(slog.Default())
	flags, w := log.Flags(), log.Writer()
	defer func() { log.SetFlags(flags); log.SetOutput(w) }()
	slog.SetDefault(l)
	log.Printf("from elsewhere\n%s", "second line")
	if got := len(lines(t, &b)); got != 4 {
		t.Errorf("%d lines, want 4", got)
	}
}

func TestRequestID(t *testing.T) {
	var b bytes.Buffer
	l := lambdalog.New(&b)
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "id-1"})
	l.InfoContext(ctx, "x")
	l.With("a", "b").InfoContext(ctx, "x")
	l.Info("x")
	var got []any
	for _, r := range lines(t, &b) {
		got = append(got, r["requestId"])
	}
	if d := cmp.Diff([]any{"id-1", "id-1", nil}, got); d != "" {
		t.Errorf("request ids (-want +got):\n%s", d)
	}
}

// Credentials that somebody logs by mistake are not there.
func TestCredentialsAreRedacted(t *testing.T) {
	c := sigv4.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "hunter2", SessionToken: "hunter3"}
	var b bytes.Buffer
	l := lambdalog.New(&b)
	l.Info("x", "value", c, "pointer", &c, "struct", struct{ C sigv4.Credentials }{c}, "list", []sigv4.Credentials{c})
	l.Info(fmt.Sprintf("%v %+v %#v %s %q %d %x", c, c, c, c, c, c, c), "error", fmt.Errorf("with %v", c))
	l.Info(fmt.Sprintf("%v %+v %s", &c, []sigv4.Credentials{c}, map[string]any{"c": c}))
	for _, secret := range []string{"hunter2", "hunter3", "68756e746572"} { // the last is hunter in hex
		if bytes.Contains(b.Bytes(), []byte(secret)) {
			t.Error("a secret was logged")
		}
	}
	if len(lines(t, &b)) != 3 {
		t.Error("lines are missing")
	}
}

func TestLines(t *testing.T) {
	err := errors.Join(errors.New("a"), errors.New("b"))
	if d := cmp.Diff([]string{"a", "b"}, lambdalog.Lines(err)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

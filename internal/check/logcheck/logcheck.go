// Package logcheck reads what functions wrote to their logs in a test and knows what
// must never be in a line: a URL, a signature, a token or a secret, at any level.
package logcheck

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// Book collects the lines of any number of functions.
type Book struct {
	mu      sync.Mutex
	text    bytes.Buffer
	secrets []string
}

// Write makes a Book the place that a function logs to.
func (b *Book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// KeepOut names secrets that no line may hold.
func (b *Book) KeepOut(secrets ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range secrets {
		if s != "" {
			b.secrets = append(b.secrets, s)
		}
	}
}

// Records are the lines that have a member, each as an object.
func (b *Book) Records(member string) (records []map[string]any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for line := range bytes.Lines(b.text.Bytes()) {
		var r map[string]any
		if json.Unmarshal(line, &r) == nil && r[member] != nil {
			records = append(records, r)
		}
	}
	return records
}

// Count is how many lines hold a text.
func (b *Book) Count(text string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for line := range bytes.Lines(b.text.Bytes()) {
		if bytes.Contains(line, []byte(text)) {
			n++
		}
	}
	return n
}

// neverLogged is what a signature or a URL looks like.
var neverLogged = map[string]*regexp.Regexp{
	"a signature":           regexp.MustCompile(`[0-9a-f]{64}`),
	"a signature parameter": regexp.MustCompile(`(?i)X-Amz-(Signature|Credential|Security-Token)`),
	"a URL":                 regexp.MustCompile(`(?i)https?://`),
}

// Problems says what is wrong with the lines. It never repeats one.
func (b *Book) Problems() (found []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	lines := strings.SplitAfter(b.text.String(), "\n")
	if last := len(lines) - 1; lines[last] != "" {
		found = append(found, "the last line has no end")
	}
	for i, line := range lines {
		if line == "" {
			continue
		}
		problem := func(format string, args ...any) {
			found = append(found, fmt.Sprintf("line %d ", i+1)+fmt.Sprintf(format, args...))
		}
		var object map[string]json.RawMessage
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			problem("is not a JSON object")
		}
		for _, s := range b.secrets {
			if strings.Contains(line, s) {
				problem("holds a secret or a token (code %s)", object["code"])
			}
		}
		for what, pattern := range neverLogged {
			if pattern.MatchString(line) {
				problem("holds %s (code %s)", what, object["code"])
			}
		}
		if object["_aws"] != nil {
			if err := Metrics([]byte(line)); err != nil {
				problem("has metrics that CloudWatch would not read: %v", err)
			}
		}
	}
	return found
}

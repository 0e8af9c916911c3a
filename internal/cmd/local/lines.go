package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// lines makes one line for people of each record that a function writes, and leaves out what is no news. What is no
// record passes as it is.
type lines struct{ out io.Writer }

func (l lines) Write(text []byte) (int, error) {
	for line := range bytes.Lines(text) {
		if _, err := io.WriteString(l.out, short(line)); err != nil {
			return 0, err
		}
	}
	return len(text), nil
}

// short is the line of a record, or "".
func short(line []byte) string {
	var r map[string]any
	if json.Unmarshal(line, &r) != nil || r["message"] == nil {
		return string(line)
	}
	text := func(name string) string { s, _ := r[name].(string); return s }
	at, err := time.Parse(time.RFC3339, text("timestamp"))
	if err != nil {
		at = time.Now()
	}
	name := strings.TrimPrefix(text("FunctionName"), "bulkpresign-")
	if text("message") != "request" {
		if level := text("level"); level == "INFO" || level == "DEBUG" {
			return ""
		}
		why := text("cause")
		if list, ok := r["problems"]; ok {
			why = fmt.Sprint(list)
		}
		return fmt.Sprintf("%s  %s: %s %s\n", at.Local().Format(time.TimeOnly), text("level"), text("message"), why)
	}
	number := func(name string) int { n, _ := r[name].(float64); return int(n) }
	var refused []string
	for name := range r {
		if code, ok := strings.CutPrefix(name, "Refused"); ok && code != "" {
			refused = append(refused, fmt.Sprintf(", %d %s", number(name), code))
		}
	}
	slices.Sort(refused)
	outcome := fmt.Sprintf("%d of %d keys signed%s", number("KeysSigned"), number("KeysRequested"), strings.Join(refused, ""))
	if code := text("code"); code != "" {
		outcome = code + ": " + text("detail")
	}
	took, _ := r["Duration"].(float64)
	return fmt.Sprintf("%s  %-8s %-6s %-13s %s  (%.1f ms)\n", at.Local().Format(time.TimeOnly), name, text("source"), text("operation"), outcome, took)
}

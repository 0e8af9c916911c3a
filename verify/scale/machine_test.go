package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"bulkpresign/internal/job"
)

// A state, as far as it is looked at here.
type state struct {
	Type, Resource, Next, Label, Default string
	MaxConcurrency                       int
	ToleratedFailurePercentage           *float64
	ResultPath                           *string
	TimeoutSeconds                       int
	Retry                                []struct {
		ErrorEquals                                   []string
		MaxAttempts, IntervalSeconds, MaxDelaySeconds int
		BackoffRate                                   float64
		JitterStrategy                                string
	}
	Catch         []any
	ItemReader    struct{ ReaderConfig struct{ InputType string } }
	ItemProcessor struct {
		ProcessorConfig struct{ Mode, ExecutionType string }
		StartAt         string
		States          map[string]state
	}
}

// What LocalStack takes no notice of is read here: how steps are tried again, that no failure is tolerated, that children are
// executions which may last as long as a function and be redriven, and that nothing they answer is collected.
func TestMachine(t *testing.T) {
	text, err := os.ReadFile("../../statemachine/presign.asl.json")
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		StartAt string
		States  map[string]state
	}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	sign := m.States["Sign"]
	if m.StartAt != "Plan" || m.States["Plan"].Next != "Sign" || sign.Next != "Finish" || sign.Type != "Map" {
		t.Error("the steps are not plan, sign, finish")
	}
	if sign.Label == "" || sign.ToleratedFailurePercentage == nil || *sign.ToleratedFailurePercentage != 0 {
		t.Error("the map tolerates failures, or has no label")
	}
	if sign.MaxConcurrency < 1 || sign.MaxConcurrency > 1000 {
		t.Errorf("%d children at a time: an account has 1,000 of a function", sign.MaxConcurrency)
	}
	if sign.ItemReader.ReaderConfig.InputType != "JSON" || sign.ItemProcessor.ProcessorConfig.Mode != "DISTRIBUTED" ||
		sign.ItemProcessor.ProcessorConfig.ExecutionType != "STANDARD" {
		t.Error("the map does not read JSON, or its children are no executions of their own that may last") // express: 5 minutes
	}
	if !strings.Contains(string(text), `"ResultPath": null`) || sign.ItemProcessor.States["Signed"].Type != "Pass" {
		t.Error("what children answer is collected, and an output may have 256 KiB")
	}
	final := []string{"ManifestNotFound", "ManifestChanged", "InvalidManifest", "NothingToSign", "InvalidRequest", "InvalidOption", "BucketNotAllowed", "States.ALL", "States.TaskFailed"}
	for name, task := range map[string]state{"Plan": m.States["Plan"], "SignShard": sign.ItemProcessor.States["SignShard"], "Finish": m.States["Finish"]} {
		if task.Type != "Task" || len(task.Retry) != 1 || task.TimeoutSeconds <= 900 || len(task.Catch) > 0 {
			t.Errorf("%s: is no task that is tried again, or ends before its function must", name)
			continue
		}
		r := task.Retry[0]
		if r.JitterStrategy != "FULL" || r.BackoffRate < 2 || r.MaxAttempts < 5 || r.MaxDelaySeconds < 30 || r.IntervalSeconds < 1 {
			t.Errorf("%s: is tried again as %+v", name, r)
		}
		for _, code := range []string{string(job.Throttled), "CredentialsUnavailable", "InternalError", "Lambda.TooManyRequestsException", "Lambda.ServiceException", "Sandbox.Timedout", "Runtime.ExitError"} {
			if !slices.Contains(r.ErrorEquals, code) {
				t.Errorf("%s: is not tried again after %s", name, code)
			}
		}
		for _, code := range final {
			if slices.Contains(r.ErrorEquals, code) {
				t.Errorf("%s: is tried again after %s, which never passes", name, code)
			}
		}
	}
}

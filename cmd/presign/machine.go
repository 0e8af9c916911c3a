package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

// scaleFolder is where, in the folder of lists, those lie whose arrival starts no job: the state machine signs them.
const scaleFolder = "scale/"

// execution is one of the state machine that signs a list with many functions. Its name is made of what it asks for, so
// that the same call finds it again.
type execution struct {
	client        *sfn.Client
	machine, name string
}

// run starts the execution, or finds it, and waits for its end. put puts the list, before anything is started.
func (e *execution) run(ctx context.Context, input []byte, put func() error, p *progress, count int) (place, error) {
	if !strings.Contains(e.machine, ":stateMachine:") {
		return place{}, usageError("-state-machine is not the ARN of a state machine", "it is the stack's output ScaleMachineArn")
	}
	told, began := false, time.Now()
	state, looks := "planning", true
	for pause := time.Second; ; pause = min(pause*3/2, 20*time.Second) {
		arn := strings.Replace(e.machine, ":stateMachine:", ":execution:", 1) + ":" + e.name
		seen, err := e.client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &arn})
		var none *types.ExecutionDoesNotExist
		switch {
		case errors.As(err, &none):
			if err := put(); err != nil {
				return place{}, err
			}
			if _, err := e.client.StartExecution(ctx, &sfn.StartExecutionInput{
				StateMachineArn: &e.machine, Name: &e.name, Input: aws.String(string(input)),
			}); err != nil {
				return place{}, fmt.Errorf("start an execution: %w", plain(err))
			}
		case err != nil && ctx.Err() == nil:
			return place{}, fmt.Errorf("look at the execution: %w", plain(err))
		case err != nil:
		case seen.Status == types.ExecutionStatusSucceeded:
			var answer struct {
				Summary   place      `json:"summary"`
				ExpiresAt *time.Time `json:"expires_at"`
			}
			if err := json.Unmarshal([]byte(aws.ToString(seen.Output)), &answer); err != nil || answer.Summary.Key == "" {
				return place{}, errors.New("the execution's output is not one of this service's state machine")
			}
			if answer.ExpiresAt == nil || time.Now().Before(*answer.ExpiresAt) {
				return answer.Summary, nil
			}
			e.again() // its URLs have ended
			continue
		case seen.Status != types.ExecutionStatusRunning && !told:
			e.again() // an earlier one, which failed
			continue
		case seen.Status != types.ExecutionStatusRunning:
			return place{}, usageError(fmt.Sprintf("the execution %s ended as %s: %s %s", e.name, seen.Status,
				oneLine(aws.ToString(seen.Error)), oneLine(aws.ToString(seen.Cause))), "redrive it, and only what is missing is signed; or ask again, from the beginning")
		}
		if !told {
			p.tell("the list of %s is with the state machine; waiting for its result", counted(count, "key"))
			told = true
		}
		if looks && seen != nil {
			now, err := e.shards(ctx, arn)
			switch {
			case err != nil:
				state, looks = "running", false // who may not look at the map waits as well
			case now != "":
				state = now
			}
		}
		if !p.pause(ctx, pause, state, began) {
			p.end()
			return place{}, usageError("stopped waiting; the execution goes on", "the same command finds it again")
		}
	}
}

// shards says how far the map of an execution is, or nothing before it has begun.
func (e *execution) shards(ctx context.Context, arn string) (string, error) {
	runs, err := e.client.ListMapRuns(ctx, &sfn.ListMapRunsInput{ExecutionArn: &arn})
	if err != nil || len(runs.MapRuns) == 0 {
		return "", err
	}
	run, err := e.client.DescribeMapRun(ctx, &sfn.DescribeMapRunInput{MapRunArn: runs.MapRuns[0].MapRunArn})
	if err != nil || run.ItemCounts == nil {
		return "", err
	}
	c := run.ItemCounts
	if c.Total > 0 && c.Succeeded == c.Total {
		return fmt.Sprintf("all %d shards are signed; finishing", c.Total), nil
	}
	return fmt.Sprintf("%d of %s signed, %d under way", c.Succeeded, counted(int(c.Total), "shard"), c.Running), nil
}

// again gives it another name: a name is an execution's for 90 days.
//
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
func (e *execution) again() {
	e.name = e.name[:min(len(e.name), 40)] + time.Now().UTC().Format("-20060102T150405")
}

// inOrder reads objects one behind the other, each opened when the one before has ended.
type inOrder struct {
	open  func(place) (io.ReadCloser, error)
	parts []place
	now   io.ReadCloser
}

func (r *inOrder) Read(p []byte) (int, error) {
	for {
		if r.now == nil {
			if len(r.parts) == 0 {
				return 0, io.EOF
			}
			body, err := r.open(r.parts[0])
			if err != nil {
				return 0, err
			}
			r.now, r.parts = body, r.parts[1:]
		}
		n, err := r.now.Read(p)
		if err == io.EOF {
			r.Close()
			if n == 0 {
				continue
			}
			err = nil
		}
		return n, err
	}
}

// Close closes what is open.
func (r *inOrder) Close() error {
	if r.now != nil {
		r.now.Close()
		r.now = nil
	}
	return nil
}

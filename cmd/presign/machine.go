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
func (e *execution) run(ctx context.Context, input []byte, put func() error, errs io.Writer, count int) (place, error) {
	if !strings.Contains(e.machine, ":stateMachine:") {
		return place{}, usageError("-state-machine is not the ARN of a state machine", "it is the stack's output ScaleMachineArn")
	}
	p := newProgress(errs, false, 0, 0)
	told := false
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
		select {
		case <-ctx.Done():
			return place{}, usageError("stopped waiting; the execution goes on", "the same command finds it again")
		case <-time.After(pause):
		}
	}
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

package job

import (
	"context"
	"errors"
	"maps"
	"time"

	"bulkpresign/internal/answer"
	"bulkpresign/internal/audit"
	"bulkpresign/internal/batchevent"
	"bulkpresign/internal/bucketevent"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
)

// What userArguments may have beside the fields of a request.
const (
	reportArgument  = "report"                // "url": the URL itself goes into the completion report
	missingArgument = "treat_missing_keys_as" // of tasks without a result, of which there are none
)

// batch answers an invocation of S3 Batch Operations: each object is signed for itself, as the
// arguments of the job say, and its result is an object of its own; or its URL is in the answer,
// and so in the job's completion report, when the arguments ask for it.
func (r *Runner) batch(ctx context.Context, payload []byte) ([]byte, error) {
	v, err := batchevent.Decode(payload)
	if err != nil {
		return nil, invalidEvent(err.Error())
	}
	arguments := maps.Clone(v.Arguments)
	var wrong error // with the arguments, which is told of each task
	inReport := arguments[reportArgument] == "url"
	if given, ok := arguments[reportArgument]; ok && given != "url" && given != "place" {
		wrong = &bulk.Error{Code: bulk.InvalidRequest, Detail: `userArguments: "report" must be "url" or "place"`}
	}
	missing := batchevent.PermanentFailure
	if given, ok := arguments[missingArgument]; ok {
		if missing, ok = batchevent.ParseCode(given); !ok {
			missing = batchevent.PermanentFailure
			wrong = &bulk.Error{Code: bulk.InvalidRequest, Detail: `userArguments: "treat_missing_keys_as" must be Succeeded, TemporaryFailure or PermanentFailure`}
		}
	}
	if _, ok := arguments["bucket"]; ok && wrong == nil {
		wrong = &bulk.Error{Code: bulk.InvalidRequest, Detail: `userArguments: field "bucket" has no place there: each object has its own`}
	}
	delete(arguments, reportArgument)
	delete(arguments, missingArgument)
	results := make([]batchevent.Result, len(v.Tasks))
	for i := range v.Tasks {
		text, err := "", wrong
		if err == nil {
			text, err = r.protectedTask(ctx, v, &v.Tasks[i], arguments, inReport)
		}
		results[i] = taskResult(v.Tasks[i].ID, text, err)
		if results[i].Code == batchevent.TemporaryFailure {
			r.Log.ErrorContext(ctx, "a task of S3 Batch Operations failed and may be tried again", "cause", err.Error())
		}
	}
	return v.Answer(results, missing)
}

// taskResult says what became of a task: our code, and what to do.
func taskResult(id, text string, err error) batchevent.Result {
	if err == nil {
		return batchevent.Result{Task: id, Code: batchevent.Succeeded, Text: text}
	}
	var asked *bulk.Error
	failure, permanent := verdict(err)
	switch {
	case permanent:
		return batchevent.Result{Task: id, Code: batchevent.PermanentFailure, Text: string(failure.Code) + ": " + failure.Message}
	case errors.As(err, &asked):
		return batchevent.Result{Task: id, Code: batchevent.TemporaryFailure, Text: asked.Error()}
	}
	return batchevent.Result{Task: id, Code: batchevent.TemporaryFailure, Text: string(bulk.InternalError) + ": the service failed: try again"}
}

func (r *Runner) protectedTask(ctx context.Context, v *batchevent.Invocation, t *batchevent.Task, arguments map[string]string, inReport bool) (text string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = r.panicked(ctx, p, v.Job)
		}
	}()
	return r.task(ctx, v, t, arguments, inReport)
}

// task signs for one object and says where the result is, or gives the URL.
func (r *Runner) task(ctx context.Context, v *batchevent.Invocation, t *batchevent.Task, arguments map[string]string, inReport bool) (text string, err error) {
	rec := audit.Begin("batch")
	rec.ID, rec.Caller = t.ID, policy.Caller{Kind: policy.Service, Service: "batchoperations.s3.amazonaws.com"}
	rec.Job = bucketevent.Identity("batch", v.Job, t.Bucket, t.Key, t.Version)
	defer func() {
		if e := (*bulk.Error)(nil); errors.As(err, &e) {
			rec.Failure = e
		} else if err != nil {
			rec.Failure = &bulk.Error{Code: bulk.InternalError, Detail: "the task is to be tried again", Cause: err}
		}
		rec.End(ctx, r.Log)
	}()
	if t.Err != nil {
		return "", &bulk.Error{Code: bulk.InvalidRequest, Detail: t.Err.Error()}
	}
	request, err := bulk.FromTexts(arguments, "userArguments: ")
	if err != nil {
		return "", err
	}
	if f := request.Format; f != nil && *f != bulk.NDJSON {
		return "", &bulk.Error{Code: bulk.InvalidRequest, Detail: `userArguments: field "format" must be "ndjson", or be left out`}
	}
	request.Bucket, request.Items, request.Count = t.Bucket, []bulk.Item{{Key: t.Key}}, 1
	if t.Version != "" {
		id, _ := s3op.Lookup("version_id")
		request.Options = append(request.Options, s3op.Option{ID: id, Value: t.Version})
		s3op.Sort(request.Options)
	}
	plan, err := r.Service.Plan(ctx, rec.Caller, request)
	if err != nil {
		return "", err
	}
	plan.Sign()
	rec.Add(plan)
	if plan.Is(0, bulk.Failed) {
		f := plan.Failure(0)
		err = &bulk.Error{Code: f.Code, Detail: f.Message}
		if f.Code == bulk.NotVerified { // S3 did not answer
			err = errors.New("S3 was asked about an object and did not answer")
		}
		return "", err
	}
	if inReport {
		if plan.URLs() != 1 {
			return "", &bulk.Error{Code: bulk.InvalidRequest, Detail: `userArguments: with "report": "url" an object has one URL: leave out what makes several`}
		}
		return string(plan.AppendURL(nil, 0, "")), nil
	}
	line := answer.Append(nil, plan, bulk.NDJSON, answer.Bare)
	name := "batch-" + fileName(v.Job) + "/" + rec.Job + ".ndjson"
	key, err := r.Results.Put(ctx, name, line, bulk.NDJSON.MediaType(), "")
	if err != nil {
		return "", inResults(err)
	}
	return "s3://" + r.Results.Folder.Bucket + "/" + key + " until " + plan.ExpiresAt.UTC().Format(time.RFC3339), nil
}

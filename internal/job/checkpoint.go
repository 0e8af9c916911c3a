package job

import (
	"context"
	"encoding/json"
	"fmt"
)

// continuation is the message with which a job hands itself on. It names a checkpoint and
// says nothing else: the checkpoint has the caller that the job began with, and lies where
// only the functions' roles write, so that whoever may send to the queue can neither pass
// for another caller nor write over another's result.
type continuation struct {
	Name string `json:"presign_job"`
}

// checkpoint is where that of a job lies under the results prefix.
func checkpoint(name string) string { return "checkpoints/" + name + ".json" }

// save stores how far a job has come.
func (r *Runner) save(ctx context.Context, in *Input) error {
	text, err := json.Marshal(in)
	if err != nil {
		return err
	}
	_, err = r.Results.Put(ctx, checkpoint(in.Name()), text, "application/json", "")
	return err
}

// load finds the job that a message tells to go on with, as far as it has come by now,
// or nil when it is done.
func (r *Runner) load(ctx context.Context, name string) (*Input, error) {
	// None at all is a failure, too: it cannot be told from one that may not be read just now.
	text, err := r.Results.Get(ctx, checkpoint(name))
	if err != nil {
		return nil, err
	}
	if string(text) == finished {
		return nil, nil
	}
	in := new(Input)
	if err := json.Unmarshal(text, in); err != nil || in.Resume == nil || in.Name() != name {
		return nil, fmt.Errorf("the checkpoint of job %s cannot be read", name)
	}
	return in, nil
}

// finished is what stands in place of the checkpoint of a job that is done. It is written
// over rather than deleted, so that a message that comes again finds a word and not nothing.
const finished = `{"done":true}`

// finish says in place of a checkpoint that the job is done. The bucket's lifecycle rule
// ends it with the result.
func (r *Runner) finish(ctx context.Context, in *Input) {
	if _, err := r.Results.Put(ctx, checkpoint(in.Name()), []byte(finished), "application/json", ""); err != nil {
		r.Log.WarnContext(ctx, "a checkpoint still says that its job goes on: a message that comes again does it again", "job", in.Identity, "cause", err.Error())
	}
}

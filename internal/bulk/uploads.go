package bulk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"bulkpresign/internal/awserr"
	"bulkpresign/internal/parts"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/s3query"
	"bulkpresign/internal/sigv4"
)

const (
	// maxBegun is how many uploads a caller who waits may have begun, or listed: one second's
	// work, and no more than S3 takes of one client.
	maxBegun = 1000
	// maxFirstParts is how many parts are signed of an upload where nobody says which. The
	// plan of parts that nobody asked otherwise for has no more, up to 5 TB.
	maxFirstParts = 1000
)

// Upload is a key's upload in parts.
type Upload struct {
	ID      string
	Plan    parts.Plan
	Numbers []int // of the parts that are signed
	Resume  bool
	There   []s3query.Part // with Resume: the parts that S3 has, and need not be sent again

	isNew bool // it was begun for this request
}

// newUpload reads settled options of a MultipartUpload. The error is for the caller.
func newUpload(settled []s3op.Option) (*Upload, error) {
	u := &Upload{}
	var size, part int64
	for _, o := range settled {
		switch o.ID {
		case s3op.Size:
			size, _ = strconv.ParseInt(o.Value, 10, 64) // these were checked
		case s3op.PartSize:
			part, _ = strconv.ParseInt(o.Value, 10, 64)
			if part == 0 {
				return nil, errors.New(`option "part_size" is 0: leave it out to have it chosen`)
			}
		case s3op.UploadID:
			u.ID = o.Value
		case s3op.Resume:
			u.Resume = o.Value == "true"
		}
	}
	var err error
	if u.Plan, err = parts.Of(size, part); err != nil {
		return nil, err
	}
	if u.Resume && u.ID == "" {
		return nil, errors.New(`option "resume" goes with "upload_id", which says what is to go on`)
	}
	for _, s := range s3op.PartNumbers(settled) {
		n, _ := strconv.Atoi(s)
		if n > u.Plan.N {
			return nil, fmt.Errorf(`option "part_numbers" holds %d, and %d bytes in parts of %d are %d parts`, n, u.Plan.Size, u.Plan.Part, u.Plan.N)
		}
		u.Numbers = append(u.Numbers, n)
	}
	if u.Numbers == nil {
		for n := 1; n <= u.Plan.N && (u.Resume || n <= maxFirstParts); n++ {
			u.Numbers = append(u.Numbers, n)
		}
	}
	return u, nil
}

// begin begins the uploads that have no id yet, and lists the parts of those that are to go
// on: at most so many. What S3 refuses fails its key. The error is an *Error.
func (s *Service) begin(ctx context.Context, p *Plan, most int) error {
	if p.uploads == nil {
		p.uploads = make(map[int32]*Upload)
	}
	type task struct {
		at      int32 // entry
		key     string
		upload  *Upload
		settled []s3op.Option
		failed  *failure
	}
	var tasks []task
	for at, e := range p.entries {
		if e.is.Has(Failed) {
			continue
		}
		settled := slices.Clone(p.settled(e))
		u, err := newUpload(settled)
		if err != nil {
			return err // judge had the same
		}
		p.uploads[e.item] = u
		if u.ID == "" || u.Resume {
			tasks = append(tasks, task{int32(at), p.request.Items[e.item].Key, u, settled, nil})
		}
	}
	if len(tasks) > most {
		return failf(TooManyKeys, "%d uploads would have to be begun or listed, and the most in one request is %d: split it", len(tasks), most)
	}
	bucket := s3query.Bucket{
		Client: s.S3, Location: p.location, Credentials: p.credentials.Credentials, Now: s.Now, Attribution: p.attribution,
	}
	var wg sync.WaitGroup
	next := make(chan *task)
	for range min(len(tasks), s3query.MaxConnections) {
		wg.Go(func() {
			for t := range next {
				if err := t.upload.begin(ctx, &bucket, t.key, t.settled); err != nil {
					t.failed = &failure{code: UploadFailed, message: uploadFailed(t.upload, err)}
				}
			}
		})
	}
	for i := range tasks {
		next <- &tasks[i]
	}
	close(next)
	wg.Wait()
	for _, t := range tasks {
		if t.failed != nil {
			p.fail(t.at, *t.failed)
		}
	}
	return nil
}

// begin creates the upload, or finds out which of its parts are there.
func (u *Upload) begin(ctx context.Context, b *s3query.Bucket, key string, settled []s3op.Option) (err error) {
	if u.ID == "" {
		u.ID, err = b.CreateUpload(ctx, key, only(s3op.CreateMultipartUpload, settled))
		u.isNew = err == nil
		return err
	}
	u.There, err = b.Parts(ctx, key, only(s3op.ListParts, settled))
	if err != nil {
		return err
	}
	u.There = slices.DeleteFunc(u.There, func(part s3query.Part) bool { // one that was cut short is to be sent again
		return part.Number > u.Plan.N || part.Size != u.Plan.Length(part.Number)
	})
	u.Numbers = slices.DeleteFunc(u.Numbers, func(n int) bool {
		return slices.ContainsFunc(u.There, func(part s3query.Part) bool { return part.Number == n })
	})
	if len(u.Numbers) > maxFirstParts {
		u.Numbers = u.Numbers[:maxFirstParts]
	}
	return nil
}

// uploadFailed says what S3 said, in words that may be shown.
func uploadFailed(u *Upload, err error) string {
	what := "begun"
	if u.Resume {
		what = "listed"
	}
	var refused *awserr.Error
	switch {
	case !errors.As(err, &refused) || refused.Status == 0:
		return fmt.Sprintf("the upload could not be %s: S3 did not answer; try again", what)
	case refused.Code == "NoSuchUpload":
		return `there is no such upload: it was completed or aborted, or "upload_id" is another key's`
	case refused.Code != "":
		return fmt.Sprintf("the upload could not be %s: S3 answered %d %s", what, refused.Status, refused.Code)
	}
	return fmt.Sprintf("the upload could not be %s: S3 answered %d", what, refused.Status)
}

// GiveUp aborts what was begun for an answer that is not given. What it cannot abort a
// lifecycle rule of the bucket does.
func (s *Service) GiveUp(ctx context.Context, p *Plan) {
	b := s3query.Bucket{Client: s.S3, Location: p.location, Credentials: p.credentials.Credentials, Now: s.Now, Attribution: p.attribution}
	var wg sync.WaitGroup
	room := make(chan struct{}, s3query.MaxConnections)
	for _, e := range p.entries {
		u := p.uploads[e.item]
		if u == nil || !u.isNew {
			continue
		}
		settled := slices.Clone(p.settled(e))
		key := p.request.Items[e.item].Key
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			_ = b.AbortUpload(ctx, key, ofUpload(s3op.AbortMultipartUpload, settled, u.ID))
		})
	}
	wg.Wait()
}

// only are those of an upload's settled options that one of its operations has.
func only(op s3op.Operation, settled []s3op.Option) []s3op.Option {
	return slices.DeleteFunc(slices.Clone(settled), func(o s3op.Option) bool { return !op.Has(o.ID) })
}

// ofUpload are they with the upload's id, and more.
func ofUpload(op s3op.Operation, settled []s3op.Option, id string, more ...s3op.Option) []s3op.Option {
	options := slices.DeleteFunc(only(op, settled), func(o s3op.Option) bool {
		return o.ID == s3op.UploadID || o.ID.String() == "part_numbers"
	})
	options = append(append(options, s3op.Option{ID: s3op.UploadID, Value: id}), more...)
	s3op.Sort(options)
	return options
}

// uploadURLs is the number of an upload's URLs: its parts', and those to complete, abort and
// list it.
func (p *Plan) uploadURLs(e entry) int { return len(p.uploads[e.item].Numbers) + 3 }

// Upload is that of the key numbered i, which is InUpload.
func (p *Plan) Upload(i int) *Upload { return p.uploads[p.entries[i].item] }

// OfUpload prepares what signs one of the requests of the upload of the key numbered i,
// whose effective options are settled; more are the request's own. It is valid until the
// next call. options are all that the request has.
func (p *Plan) OfUpload(i int, op s3op.Operation, settled []s3op.Option, more ...s3op.Option) (presigner *sigv4.Presigner, path sigv4.Path, options []s3op.Option) {
	options = ofUpload(op, settled, p.Upload(i).ID, more...)
	p.fill(&p.scratch, op, options, "")
	return p.prepared(), sigv4.PathOf(p.Key(i)), options
}

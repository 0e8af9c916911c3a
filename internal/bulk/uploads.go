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

// upload is a key's upload in parts.
type upload struct {
	plan    parts.Plan
	numbers []int // of the parts that are signed
	id      string
	resume  bool
	isNew   bool           // it was begun for this request
	there   []s3query.Part // with resume: the parts that S3 has, and need not be sent again
}

// newUpload reads settled options of a MultipartUpload. The error is for the caller.
func newUpload(settled []s3op.Option) (*upload, error) {
	u := &upload{}
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
			u.id = o.Value
		case s3op.Resume:
			u.resume = o.Value == "true"
		}
	}
	var err error
	if u.plan, err = parts.Of(size, part); err != nil {
		return nil, err
	}
	if u.resume && u.id == "" {
		return nil, errors.New(`option "resume" goes with "upload_id", which says what is to go on`)
	}
	for _, s := range s3op.PartNumbers(settled) {
		n, _ := strconv.Atoi(s)
		if n > u.plan.N {
			return nil, fmt.Errorf(`option "part_numbers" holds %d, and %d bytes in parts of %d are %d parts`, n, u.plan.Size, u.plan.Part, u.plan.N)
		}
		u.numbers = append(u.numbers, n)
	}
	if u.numbers == nil {
		for n := 1; n <= u.plan.N && (u.resume || n <= maxFirstParts); n++ {
			u.numbers = append(u.numbers, n)
		}
	}
	return u, nil
}

// begin begins the uploads that have no id yet, and lists the parts of those that are to go
// on: at most so many. What S3 refuses fails its key. The error is an *Error.
func (s *Service) begin(ctx context.Context, p *Plan, most int) error {
	if p.uploads == nil {
		p.uploads = make(map[int32]*upload)
	}
	type task struct {
		at      int32 // entry
		key     string
		upload  *upload
		settled []s3op.Option
		failed  *failure
	}
	var tasks []task
	for at, e := range p.entries {
		if e.kind == failed {
			continue
		}
		settled := slices.Clone(p.settled(e))
		u, err := newUpload(settled)
		if err != nil {
			return err // judge had the same
		}
		p.uploads[e.item] = u
		if u.id == "" || u.resume {
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
func (u *upload) begin(ctx context.Context, b *s3query.Bucket, key string, settled []s3op.Option) (err error) {
	if u.id == "" {
		u.id, err = b.CreateUpload(ctx, key, only(s3op.CreateMultipartUpload, settled))
		u.isNew = err == nil
		return err
	}
	u.there, err = b.Parts(ctx, key, only(s3op.ListParts, settled))
	if err != nil {
		return err
	}
	u.there = slices.DeleteFunc(u.there, func(part s3query.Part) bool { // one that was cut short is to be sent again
		return part.Number > u.plan.N || part.Size != u.plan.Length(part.Number)
	})
	u.numbers = slices.DeleteFunc(u.numbers, func(n int) bool {
		return slices.ContainsFunc(u.there, func(part s3query.Part) bool { return part.Number == n })
	})
	if len(u.numbers) > maxFirstParts {
		u.numbers = u.numbers[:maxFirstParts]
	}
	return nil
}

// uploadFailed says what S3 said, in words that may be shown.
func uploadFailed(u *upload, err error) string {
	what := "begun"
	if u.resume {
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
			_ = b.AbortUpload(ctx, key, ofUpload(s3op.AbortMultipartUpload, settled, u.id))
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
func (p *Plan) uploadURLs(e entry) int { return len(p.uploads[e.item].numbers) + 3 }

// upload writes the members of a key's upload.
func (w *writer) upload(p *Plan, i int) {
	e := p.entries[i]
	u := p.uploads[e.item]
	settled := slices.Clone(p.settled(e))
	path := sigv4.PathOf(p.request.Items[e.item].Key)
	url := func(op s3op.Operation, more ...s3op.Option) []s3op.Option {
		options := ofUpload(op, settled, u.id, more...)
		p.fill(&p.scratch, op, options, "")
		if p.single == nil {
			p.single = p.signer.Presigner(&p.scratch)
		} else {
			p.single.Reset(p.signer, &p.scratch)
		}
		w.ownURL(p.single, path)
		return options
	}
	number := func(name string, n int64) {
		w.name(name)
		w.dst = strconv.AppendInt(w.dst, n, 10)
	}
	w.member("upload_id", u.id)
	number("part_size", u.plan.Part)
	number("part_count", int64(u.plan.N))
	if u.resume {
		w.name("uploaded_parts")
		w.begin()
		for _, part := range u.there {
			w.member(strconv.Itoa(part.Number), part.ETag)
		}
		w.end()
	}
	w.name("part_urls")
	w.begin()
	var ofPart []s3op.Option
	for _, n := range u.numbers {
		w.name(strconv.Itoa(n))
		ofPart = url(s3op.UploadPart,
			s3op.Option{ID: s3op.PartNumber, Value: strconv.Itoa(n)},
			s3op.Option{ID: s3op.ContentLength, Value: strconv.FormatInt(u.plan.Length(n), 10)})
	}
	w.end()
	w.uploadHeaders("part_headers", ofPart)
	w.name("complete_url")
	w.uploadHeaders("complete_headers", url(s3op.CompleteMultipartUpload))
	w.name("abort_url")
	url(s3op.AbortMultipartUpload)
	w.name("list_parts_url")
	w.uploadHeaders("list_parts_headers", url(s3op.ListParts))
}

// uploadHeaders writes what a client must send with a URL. The length of a part is not among
// it: each has its own, clients send it unasked, and a page may not set it.
func (w *writer) uploadHeaders(name string, options []s3op.Option) {
	sent := slices.DeleteFunc(headers(options), func(o s3op.Option) bool { return o.ID == s3op.ContentLength })
	if len(sent) == 0 {
		return
	}
	w.name(name)
	w.headers(sent)
}

package answer

import (
	"context"
	"maps"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/deflate"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
)

// StreamState is what another invocation must know to write a result on. It holds no
// secret.
type StreamState struct {
	Gzip     deflate.State `json:"gzip"`
	Tally    bulk.Tally    `json:"tally"`
	Lifetime bulk.Lifetime `json:"lifetime"`
}

// Stream writes the result of a batch of any length in flat memory: entries go in, chunk
// by chunk, and one gzip member of NDJSON comes out, piece by piece. It serves one
// goroutine.
//
// What it tells of its lifetime is that of the URLs that end first.
type Stream struct {
	*bulk.Chunks
	out   *rendering
	state StreamState
}

// NewStream judges everything of a caller's request but its keys, of which it takes no
// notice. An error is a *bulk.Error.
func NewStream(ctx context.Context, s *bulk.Service, caller policy.Caller, r *bulk.Request) (*Stream, error) {
	chunks, err := s.Chunks(ctx, caller, r)
	if err != nil {
		return nil, err
	}
	p := chunks.Plan()
	return &Stream{
		Chunks: chunks,
		out:    rendered(p, bulk.NDJSON, writer{zip: newZip(nil, p.Presigner(), deflate.Fast)}),
		state:  StreamState{Lifetime: p.Lifetime()},
	}, nil
}

// Resume goes on where another Stream of the same request stopped. It comes before the
// first Append.
func (t *Stream) Resume(s StreamState) {
	t.state.Tally = s.Tally
	t.state.Tally.Failed = maps.Clone(s.Tally.Failed)
	t.state.Lifetime = bulk.Earlier(s.Lifetime, t.state.Lifetime)
	t.out.zip.Resume(nil, s.Gzip)
	t.out.zip.learn(t.Plan().Presigner())
}

// Append signs entries and adds their lines to the piece, until it has room bytes or
// more. It returns how many entries it took: all, unless they have very many URLs each.
// Some thousands at a time are signed fastest.
func (t *Stream) Append(ctx context.Context, entries []bulk.Entry, room int) (taken int, err error) {
	renewed, err := t.Next(ctx, entries)
	if err != nil {
		return 0, err
	}
	p, ndjson := t.Plan(), layouts[bulk.NDJSON]
	if renewed {
		t.out.zip.learn(p.Presigner())
		t.state.Lifetime = bulk.Earlier(t.state.Lifetime, p.Lifetime())
	}
	defer t.out.flush()
	for i := range entries {
		if i > 0 && t.out.zip.Len() >= room && p.Operation != s3op.MultipartUpload && !t.Verifies() { // what was begun, or looked at, is not to be again
			return i, nil
		}
		t.out.lines(&ndjson, i)
		t.state.Tally.Entries++
		if !p.Is(i, bulk.Failed) {
			t.state.Tally.Signed++
			continue
		}
		failed := p.Failure(i)
		failed.Line = entries[i].Line
		t.state.Tally.Fail(failed)
	}
	return len(entries), nil
}

// Tally is what became of the entries so far. It must not be changed.
func (t *Stream) Tally() *bulk.Tally { return &t.state.Tally }

// Len is about how many bytes the piece has.
func (t *Stream) Len() int { return t.out.zip.Len() }

// Cut ends the piece and returns it; what follows is appended to next.
func (t *Stream) Cut(next []byte) []byte { return t.out.zip.Sync(next) }

// Close ends the member and returns the last piece.
func (t *Stream) Close() []byte { return t.out.zip.Close() }

// State is that of a Stream that was just Cut.
func (t *Stream) State() StreamState {
	s := t.state
	s.Gzip = t.out.zip.State()
	s.Tally.Failed = maps.Clone(s.Tally.Failed)
	return s
}

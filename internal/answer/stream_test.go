package answer_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bulkpresign/internal/answer"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/check/batches"
	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/sigv4"
)

// streamed has a request's entries signed in chunks of n and cut into pieces; where
// handOn is true, each piece is the work of another Stream.
func streamed(t *testing.T, s *bulk.Service, request *bulk.Request, entries []bulk.Entry, n int, handOn bool) ([]byte, answer.StreamState) {
	t.Helper()
	stream := newStream(t, s, request)
	var member []byte
	for len(entries) > 0 {
		taken, err := stream.Append(t.Context(), entries[:min(n, len(entries))], 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		entries = entries[taken:]
		member = append(member, stream.Cut(nil)...)
		if handOn {
			text, err := json.Marshal(stream.State())
			if err != nil {
				t.Fatal(err)
			}
			var state answer.StreamState
			if err := json.Unmarshal(text, &state); err != nil {
				t.Fatal(err)
			}
			stream = newStream(t, s, request)
			stream.Resume(state)
		}
	}
	state := stream.State()
	member = append(member, stream.Close()...)
	r, err := gzip.NewReader(bytes.NewReader(member))
	if err != nil {
		t.Fatal(err)
	}
	r.Multistream(false)
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := io.Copy(io.Discard, r); n > 0 {
		t.Error("something follows the member")
	}
	return text, state
}

func newStream(t *testing.T, s *bulk.Service, request *bulk.Request) *answer.Stream {
	t.Helper()
	stream, err := answer.NewStream(t.Context(), s, policy.Caller{}, request)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// A stream's lines are those of a batch with the same keys, however it is cut.
func TestStreamIsTheBatch(t *testing.T) {
	for _, request := range []string{
		`{"keys":[KEYS]}`,
		`{"keys":[KEYS],"operation":"PutObject","content_type":"image/png","metadata":{"who":"me"}}`,
		`{"keys":[KEYS],"operation":"UploadPart","upload_id":"u","part_numbers":[1,2,3]}`,
	} {
		var keys []string
		for i := range 3000 {
			keys = append(keys, fmt.Sprintf("2026/%d/a b%s.jpg", i*i, strings.Repeat("ü", i%7)))
		}
		keys = append(keys, "../x", "", strings.Repeat("k", 1025), "last\n")
		text, err := json.Marshal(keys)
		if err != nil {
			t.Fatal(err)
		}
		s := batches.Standing()
		s.Policy.MaxKeys = 10_000
		r, err := bulk.Decode([]byte(strings.Replace(request, "[KEYS]", string(text), 1)), 10_000)
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.Plan(context.Background(), policy.Caller{}, r)
		if err != nil {
			t.Fatal(err)
		}
		p.Sign()
		want := answer.Append(nil, p, bulk.NDJSON, answer.Bare)
		var entries []bulk.Entry
		for _, key := range keys {
			entries = append(entries, bulk.Entry{Key: key})
		}
		for _, n := range []int{1000, 4096} {
			for _, handOn := range []bool{false, true} {
				got, state := streamed(t, s, r, entries, n, handOn)
				if !bytes.Equal(got, want) {
					t.Errorf("%.60s... in chunks of %d, handed on: %v: the lines differ", request, n, handOn)
				}
				tally := state.Tally
				if tally.Entries != 3004 || tally.Signed != 3001 {
					t.Errorf("%d entries, %d signed", tally.Entries, tally.Signed)
				}
				if diff := cmp.Diff(map[bulk.Code]int64{"UnsafeKey": 1, "EmptyKey": 1, "KeyTooLong": 1}, tally.Failed); diff != "" {
					t.Error(diff)
				}
			}
		}
	}
}

// Lines say what they say of themselves alone, whatever else is in their chunk.
func TestStreamedLines(t *testing.T) {
	id, _ := s3op.Lookup("content_type")
	own := []s3op.Option{{ID: id, Value: "image/png"}}
	entries := []bulk.Entry{
		{Line: 1, Key: "a"},
		{Line: 2, Key: "b", Options: own},
		{Line: 3, Key: "a"}, // again: each entry has its line
		{Line: 5, Key: "c", Bucket: "another"},
		{Line: 6, Code: "InvalidLine", Message: "the row has one column and needs two"},
		{Line: 7, Key: "./x"},
	}
	s := batches.Standing()
	s.Policy.Operations = []s3op.Operation{s3op.PutObject}
	for _, n := range []int{1, 2, 6} {
		text, state := streamed(t, s, &bulk.Request{Operation: s3op.PutObject}, entries, n, false)
		lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		if len(lines) != len(entries) {
			t.Fatalf("%d lines for %d entries", len(lines), len(entries))
		}
		for i, want := range []struct{ key, code, headers, message string }{
			{"a", "", "", ""},
			{"b", "", `{"content-type":"image/png"}`, ""},
			{"a", "", "", ""},
			{"c", "BucketNotAllowed", "", "line 5: "},
			{"", "InvalidLine", "", "line 6: the row has one column and needs two"},
			{"./x", "UnsafeKey", "", "line 7: "},
		} {
			var got struct {
				Key, URL string
				Headers  json.RawMessage
				Error    struct{ Code, Message string }
			}
			if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
				t.Fatal(err)
			}
			if got.Key != want.key || got.Error.Code != want.code || string(got.Headers) != want.headers ||
				!strings.HasPrefix(got.Error.Message, want.message) || (got.URL == "") != (want.code != "") {
				t.Errorf("line %d is of key %q, headers %s, error %+v", i+1, got.Key, got.Headers, got.Error)
			}
		}
		if first := state.Tally.First; len(first) != 3 || first[0].Line != 5 || first[2].Key != "./x" {
			t.Errorf("the first failures are %+v", first)
		}
	}
}

// changing are credentials that a test changes.
type changing struct{ now bulk.Credentials }

func (c *changing) Credentials(context.Context, *bulk.Need) (bulk.Credentials, error) {
	return c.now, nil
}

// Credentials that change are taken up, the clock is read again before URLs would be
// born old, and the lifetime that is told is the earliest.
func TestStreamRefreshes(t *testing.T) {
	start := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	now := start
	c := &changing{bulk.Credentials{Credentials: sigv4.Credentials{AccessKeyID: "ASIAFIRST", SecretAccessKey: "s", SessionToken: "t"}, Expires: start.Add(500 * time.Second)}}
	s := batches.Standing()
	s.Credentials, s.Now = c, func() time.Time { return now }
	stream := newStream(t, s, &bulk.Request{ExpiresIn: 900})
	want := func(accessKey, date, expires string) {
		t.Helper()
		taken, err := stream.Append(t.Context(), []bulk.Entry{{Key: "k"}}, 1)
		if err != nil || taken != 1 {
			t.Fatal(taken, err)
		}
		text := inflate(t, stream.Cut(nil), stream.State().Gzip.Size)
		for _, part := range []string{accessKey, "X-Amz-Date=" + date, "X-Amz-Expires=" + expires + "&"} {
			if !strings.Contains(text, part) {
				t.Errorf("%v after the start: the URL has no %s", now.Sub(start), part)
			}
		}
	}
	want("ASIAFIRST", "20261124T080000Z", "500")
	now = start.Add(450 * time.Second)
	want("ASIAFIRST", "20261124T080000Z", "500") // a newer reading would end no later
	c.now = bulk.Credentials{Credentials: sigv4.Credentials{AccessKeyID: "ASIASECOND", SecretAccessKey: "s", SessionToken: "u"}, Expires: start.Add(2 * time.Hour)}
	want("ASIASECOND", "20261124T080730Z", "900")
	now = start.Add(880 * time.Second)
	want("ASIASECOND", "20261124T080730Z", "900")
	now = start.Add(901 * time.Second)
	want("ASIASECOND", "20261124T081501Z", "900")
	got := stream.State().Lifetime
	if got.Basis != bulk.BasisCredentials || !got.ExpiresAt.Equal(start.Add(500*time.Second)) || !got.SignedAt.Equal(start) {
		t.Errorf("the lifetime is %+v", got)
	}
}

var pieces []byte // of the member that inflate reads

// inflate adds a piece to a member and returns the last line of its text.
func inflate(t *testing.T, piece []byte, size int) string {
	t.Helper()
	pieces = append(pieces, piece...)
	r, err := gzip.NewReader(bytes.NewReader(pieces))
	if err != nil {
		t.Fatal(err)
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(r, text); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	return lines[len(lines)-1]
}

// A chunk with very many URLs for each key is cut within.
func TestStreamCutsWithinAChunk(t *testing.T) {
	s := batches.Standing()
	s.Policy.Operations = []s3op.Operation{s3op.UploadPart}
	numbers := strings.TrimSuffix(strings.Repeat("1,", 1), ",")
	for i := 2; i <= 2000; i++ {
		numbers += fmt.Sprintf(",%d", i)
	}
	r, err := bulk.Decode([]byte(`{"operation":"UploadPart","upload_id":"u","keys":["a"],"part_numbers":[`+numbers+`]}`), 1)
	if err != nil {
		t.Fatal(err)
	}
	stream := newStream(t, s, r)
	entries := make([]bulk.Entry, 50)
	for i := range entries {
		entries[i].Key = fmt.Sprint(i)
	}
	const room = 100_000
	taken, err := stream.Append(t.Context(), entries, room)
	if err != nil || taken == 0 || taken > 10 {
		t.Fatalf("took %d, %v", taken, err)
	}
	if n := len(stream.Cut(nil)); n < room || n > 6*room {
		t.Errorf("a piece has %d bytes", n)
	}
	if got := stream.State().Tally.Entries; got != int64(taken) {
		t.Errorf("the tally counts %d of %d", got, taken)
	}
}

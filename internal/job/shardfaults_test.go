package job_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bulkpresign/internal/check/faults"
)

// While S3 fails in every way and invocations are killed, steps that are asked for again as the
// state machine does it end with what they end with otherwise: each entry once, in order, and
// nothing is taken for a broken list.
func TestShardsWhileAllFails(t *testing.T) {
	t.Parallel()
	source := faults.New(7, faults.Rates{
		{Kind: faults.InternalError, Share: 0.03}, {Kind: faults.SlowDown, Share: 0.03}, {Kind: faults.CutRequest, Share: 0.03},
		{Kind: faults.CutResponse, Share: 0.03}, {Kind: faults.Lost, Share: 0.03},
	})
	b := newBed(t, func(s3 http.Handler) http.Handler {
		return &faults.Handler{Next: s3, Faults: source, Refuse: faults.RefuseAsS3}
	})
	kills := faults.New(7, faults.Rates{{Kind: faults.Killed, Share: 0.1}})
	fn := &faults.Function{Next: b.start(t, 20*time.Second, "AWS_MAX_ATTEMPTS=1"), Faults: kills, Within: 4 * time.Millisecond}
	var list strings.Builder
	var want []string
	for i := range 700 {
		want = append(want, fmt.Sprintf("é/%d\n", i))
		fmt.Fprintf(&list, "photos,\"é/%d\n\"\n", i)
	}
	b.put(t, "lists", "manifests/f/a.csv", []byte(list.String()), nil)
	_, listed := b.inventory(t, "manifests/f/inventory", true, 2, 300)
	want = append(want, listed...)

	ask := func(event any, answer any) {
		t.Helper()
		for range 100 {
			text, err := fn.Invoke(t.Context(), mustJSON(event))
			if err == nil {
				if err := json.Unmarshal(text, answer); err != nil {
					t.Error(err)
				}
				return
			}
			for _, final := range []string{"Manifest", "Invalid", "NotAllowed", "NothingToSign", "PartMissing", "OutOfTime"} {
				if strings.Contains(err.Error(), final) {
					t.Errorf("a failure that passes became final: %v", err)
					return
				}
			}
		}
		t.Error("a step never ends")
	}
	var p planned
	ask(map[string]any{"step": "plan", "request": map[string]any{"manifest": "s3://lists/manifests/f/"}, "shard_bytes": 3000}, &p)
	text, err := b.s3server.Get(p.Shards.Bucket, p.Shards.Key)
	if err != nil {
		t.Fatal(err)
	}
	var shards []json.RawMessage
	if err := json.Unmarshal(text, &shards); err != nil || len(shards) < 8 {
		t.Fatalf("%d shards, %v", len(shards), err)
	}
	var children sync.WaitGroup
	for i := range 2 {
		children.Go(func() {
			for j := i; j < len(shards); j += 2 {
				var s signedPart
				if ask(map[string]any{"step": "sign", "shard": shards[j]}, &s); !s.Done {
					t.Errorf("shard %d is not done", j)
				}
			}
		})
	}
	children.Wait()
	var f finishedRun
	ask(map[string]any{"step": "finish", "plan": p.Plan}, &f)
	if got := keysOf(b.runLines(t, f)); !slices.Equal(got, want) {
		t.Errorf("%d lines, want %d", len(got), len(want))
	}
	if len(source.Counts()) < 5 || kills.Counts()[faults.Killed] == 0 {
		t.Errorf("not every failure happened: %v, %v", source.Counts(), kills.Counts())
	}
}

package main

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWorkload(t *testing.T) {
	keys := workloadKeys()
	seen := make(map[string]bool)
	for _, key := range keys {
		if len(key) < 40 || len(key) > 80 {
			t.Errorf("%q has %d bytes", key, len(key))
		}
		seen[key] = true
	}
	if len(seen) != numKeys {
		t.Errorf("%d distinct keys, want %d", len(seen), numKeys)
	}
}

// What is checked before a run holds, and the checks see a difference.
func TestChecks(t *testing.T) {
	keys := workloadKeys()
	if err := checkOurs(keys); err != nil {
		t.Error(err)
	}

	now := time.Now()
	o := newOurs(false, now, new(memory))
	o.sign(keys[:20])
	urls := o.list()
	if err := checkSignatures("ours", urls, 20); err != nil {
		t.Error(err)
	}
	later := newOurs(false, now.Add(time.Second), new(memory))
	later.sign(keys[:20])
	if same("a second later", later.list(), urls) == nil {
		t.Error("URLs of another second pass for the same")
	}
	if same("less", urls[:19], urls) == nil {
		t.Error("19 URLs pass for 20")
	}
	urls[19] = strings.Replace(urls[19], keys[19][:4], "1999", 1)
	if checkSignatures("tampered", urls, 20) == nil {
		t.Error("a changed path passes for signed")
	}
}

func TestMinioSigns(t *testing.T) {
	presign, err := minioClient()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inGo("minio-go", presign, workloadKeys(), headline); err != nil {
		t.Error(err)
	}
}

// The contestants in other languages that are installed sign; the log names the others.
func TestProgramsSign(t *testing.T) {
	keys := workloadKeys()[:20]
	for _, rival := range programs() {
		p, err := rival.start()
		if err != nil {
			t.Logf("%s is left out: %v", rival.name, err)
			continue
		}
		urls, err := p.urls(keys)
		if err == nil {
			err = checkSignatures(rival.name, urls, len(keys))
		}
		if err != nil {
			t.Errorf("%s: %v", rival.name, err)
		}
		if ns, err := p.time(keys); err != nil || ns <= 0 {
			t.Errorf("%s takes %v: %v", rival.name, ns, err)
		}
		if p.version == "" {
			t.Errorf("%s does not know its version", rival.name)
		}
		p.stop()
	}
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		in   []float64
		want float64
	}{
		{[]float64{3}, 3},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 9, 2}, 3},
	} {
		if got := median(test.in); got != test.want {
			t.Errorf("median(%v) = %v, want %v", test.in, got, test.want)
		}
	}
}

// Others read the last line, so its form is fixed.
func TestLastLine(t *testing.T) {
	row := func(keys int, ns, allocs float64) *contestant {
		return &contestant{name: "x", cores: 1, keys: keys, costs: []cost{{ns, allocs}}}
	}
	table := table{
		batch:    row(headline, 500, 0.0004),
		portable: row(headline, 1250, 0),
		limits:   []*contestant{row(headline, 1000, 0)},
	}
	for _, n := range batchSizes {
		table.sdk = append(table.sdk, row(n, 30_000, 342))
	}
	table.sdkFor(headline).costs[0].ns = 40_000
	table.ours = []*contestant{table.batch, table.portable}
	table.rivals = append(table.sdk, row(500, 400_000, math.NaN()))

	var out bytes.Buffer
	table.print(&out, 1)
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	const want = "sign 4000 keys: 80.0 x SDK batch, 32.0 x SDK portable, 2.00 x one-stream SHA-256 limit, 0 allocs/URL"
	if got := lines[len(lines)-1]; got != want {
		t.Errorf("last line %q, want %q", got, want)
	}

	folder := t.TempDir()
	if err := table.draw(folder); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sign.svg", "sign-batches.svg"} {
		if picture, err := os.ReadFile(filepath.Join(folder, name)); err != nil || !bytes.Contains(picture, []byte("</svg>")) {
			t.Errorf("%s: %d bytes, %v", name, len(picture), err)
		}
	}
}

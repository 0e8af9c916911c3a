package parts_test

import (
	"errors"
	"strings"
	"testing"

	"bulkpresign/internal/parts"
)

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
	tib = 1 << 40
)

func TestPlan(t *testing.T) {
	for _, test := range []struct {
		size, part int64
		want       int64 // of a part
		n          int
		last       int64
	}{
		// Where nobody asks for a size.
		{0, 0, 16 * mib, 1, 0},
		{1, 0, 16 * mib, 1, 1},
		{16 * mib, 0, 16 * mib, 1, 16 * mib},
		{16*mib + 1, 0, 16 * mib, 2, 1},
		{200_000_000, 0, 16 * mib, 12, 200_000_000 - 11*16*mib},
		{1000 * 16 * mib, 0, 16 * mib, 1000, 16 * mib},
		{1000*16*mib + 1, 0, 32 * mib, 501, 1},
		{100 * gib, 0, 128 * mib, 800, 128 * mib},
		{1 * tib, 0, 2 * gib, 512, 2 * gib},
		{5 * tib, 0, 5 * gib, 1024, 5 * gib},
		{10_000 * 5 * gib, 0, 5 * gib, 10_000, 5 * gib},

		// Where somebody does.
		{0, 1, 1, 1, 0},
		{1, 1, 1, 1, 1}, // the only part is the last
		{1 * mib, 5 * mib, 5 * mib, 1, 1 * mib},
		{5*mib + 1, 5 * mib, 5 * mib, 2, 1},
		{10_000 * 5 * mib, 5 * mib, 5 * mib, 10_000, 5 * mib},
		{5 * gib, 5 * gib, 5 * gib, 1, 5 * gib},
		{10_000 * 5 * gib, 5 * gib, 5 * gib, 10_000, 5 * gib},
		{12_345_678, 6_000_001, 6_000_001, 3, 12_345_678 - 2*6_000_001},
	} {
		p, err := parts.Of(test.size, test.part)
		if err != nil {
			t.Errorf("%d in parts of %d: %v", test.size, test.part, err)
			continue
		}
		if p.Part != test.want || p.N != test.n || p.Length(p.N) != test.last {
			t.Errorf("%d in parts of %d: %+v, the last has %d; want %d parts of %d, the last of %d", test.size, test.part, p, p.Length(p.N), test.n, test.want, test.last)
		}
		sum := int64(0)
		for i := 1; i <= p.N; i++ {
			sum += p.Length(i)
		}
		if sum != test.size {
			t.Errorf("%d in parts of %d: the parts have %d bytes together", test.size, test.part, sum)
		}
	}
}

func TestSizesThatCannotBe(t *testing.T) {
	for _, test := range []struct {
		size, part   int64
		field, words string
	}{
		{-1, 0, "size", "negative"},
		{10_000*5*gib + 1, 0, "size", "48.8 TiB"},
		{6 * mib, 5*mib - 1, "part_size", "5 MiB"},
		{6 * mib, -1, "part_size", "negative"},
		{6 * gib, 5*gib + 1, "part_size", "5 GiB"},
		{10_000*5*mib + 1, 5 * mib, "part_size", "take 6291456 bytes or more"}, // 6 MiB
		{48 * tib, 1 * gib, "part_size", "10000"},
	} {
		_, err := parts.Of(test.size, test.part)
		var refused *parts.Error
		if !errors.As(err, &refused) || refused.Field != test.field || !strings.Contains(refused.Reason, test.words) {
			t.Errorf("%d in parts of %d: %v", test.size, test.part, err)
		}
	}
}

// Whatever the size, there are no more parts than S3 takes, and none is too large or too
// small; a part that fails is a small share of a large object.
func TestSuitedParts(t *testing.T) {
	for size := int64(1); size <= parts.MaxSize; size += size/7 + 1 {
		p, err := parts.Of(size, 0)
		if err != nil {
			t.Fatalf("%d: %v", size, err)
		}
		if p.N > 1000 && p.Part != parts.Most || p.N > 1 && p.Part < parts.Least || p.Part > parts.Most || size > 16*gib && p.N < 500 {
			t.Errorf("%d: %+v", size, p)
		}
		if _, err := parts.Of(size, p.Part); err != nil {
			t.Errorf("%d: its own part size is refused: %v", size, err)
		}
	}
	if _, err := parts.Of(64*kib, 64*kib); err != nil {
		t.Error(err)
	}
}

// Package parts plans how an object is uploaded in parts.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
package parts

import "fmt"

// S3's limits, in bytes and parts.
const (
	Least   = 5 << 20 // of every part but the last
	Most    = 5 << 30
	MaxN    = 10_000
	MaxSize = Most * MaxN // of an object: 48.8 TiB
)

const mib = 1 << 20

// Plan cuts an object into parts.
type Plan struct {
	Size int64 // of the object, in bytes
	Part int64 // of each part but the last, which has what is left over
	N    int   // of parts, from 1; an empty object is one empty part
}

// Error is a size that cannot be. Its text is for the caller.
type Error struct {
	Field  string // "size" or "part_size"
	Reason string
}

func (e *Error) Error() string { return fmt.Sprintf("option %q %s", e.Field, e.Reason) }

// Of plans parts of a size, or of the size that suits where part is 0. The error is an
// *Error.
func Of(size, part int64) (Plan, error) {
	refuse := func(field, format string, args ...any) (Plan, error) {
		return Plan{}, &Error{field, fmt.Sprintf(format, args...)}
	}
	switch {
	case size < 0:
		return refuse("size", "is negative")
	case size > MaxSize:
		return refuse("size", "is over %d bytes (48.8 TiB), which is %d parts of 5 GiB and the most that an object can have", int64(MaxSize), MaxN)
	case part == 0:
		part = Suited(size)
	case part < 0:
		return refuse("part_size", "is negative")
	case part > Most:
		return refuse("part_size", "is over %d bytes (5 GiB), the most that a part can have", int64(Most))
	case part < Least && part < size:
		return refuse("part_size", "is under %d bytes (5 MiB): of the parts of an object only the last may be smaller", Least)
	}
	p := Plan{Size: size, Part: part, N: max(1, int((size+part-1)/part))}
	if p.N > MaxN {
		least := (size + MaxN - 1) / MaxN
		return refuse("part_size", "would make %d parts of the object, and S3 takes %d: take %d bytes or more, or leave it out", p.N, MaxN, (least+mib-1)/mib*mib)
	}
	return p, nil
}

// Suited is the size of a part where nobody asks for one. A part that fails is sent again
// as a whole, so parts should be small; each is a request and a URL, so they should be few:
// 16 MiB, twice as much from 1,000 parts on, and so on up to 5 GiB. What fails of an object
// over 16 GB is then a five-hundredth of it at most, and with fewer than 16 MiB there is one
// part.
func Suited(size int64) int64 {
	const few = 1000
	part := int64(16 * mib)
	for part < Most && (size+part-1)/part > few {
		part *= 2
	}
	return min(part, Most)
}

// Length is the number of bytes of a part, from 1 to N.
func (p Plan) Length(number int) int64 {
	return min(p.Part, p.Size-int64(number-1)*p.Part)
}

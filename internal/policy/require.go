package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bulkpresign/internal/s3op"
)

// requirement is what a signing option must be.
type requirement struct {
	option s3op.ID
	values []string // any of them, of which the last byte may be a "*"; nil is any value
	most   int64    // of a number; 0 is any
}

// check tells what settled options lack for the rule, or "", and whether it is the
// value of an option that is given. A requirement holds for the operations that have
// the option, and for those that would get around it.
func (r *rule) check(settled []s3op.Option, op s3op.Operation) (problem string, isGiven bool) {
	for _, q := range r.require {
		lack, given := q.check(settled, op)
		if given {
			return lack, true
		}
		if problem == "" {
			problem = lack
		}
	}
	return problem, false
}

func (q *requirement) check(settled []s3op.Option, op s3op.Operation) (problem string, isGiven bool) {
	if !op.Has(q.option) {
		return q.checkOther(settled, op)
	}
	option := q.option
	if option == s3op.CreateOnly { // settled options have what it is short for
		option = s3op.IfNoneMatch
	}
	switch value, given := find(settled, option); {
	case !given && op == s3op.PostObject && option == s3op.ContentType:
		return q.checkTypeStart(settled)
	case !given:
		return q.demand(), false
	case !q.accepts(value):
		return q.demand(), true
	case op == s3op.CopyObject:
		return q.checkDirective(settled)
	}
	return "", false
}

// checkOther judges an operation that does not have the option: has it another that means
// the same, or would it get around the rule?
func (q *requirement) checkOther(settled []s3op.Option, op s3op.Operation) (problem string, isGiven bool) {
	other := s3op.ID(0)
	switch {
	case q.option == s3op.ContentLength && op == s3op.PostObject:
		other = s3op.ContentLengthRange
	case q.option == s3op.ContentLength && op == s3op.MultipartUpload:
		other = s3op.Size
	case getsAround(op, q.option):
		return fmt.Sprintf("the policy requires option %q, which %s does not have", q.option, op), true
	default:
		return "", false
	}
	same := requirement{other, q.values, q.most}
	return same.check(settled, op)
}

// getsAround tells whether an operation makes what a PutObject makes, or changes it, and
// lacks an option by which the PutObject would be held to something.
func getsAround(op s3op.Operation, option s3op.ID) bool {
	if !s3op.PutObject.Has(option) || op.Has(option) {
		return false
	}
	switch op {
	case s3op.PostObject:
		return option != expectedBucketOwner && option != requestPayer // these say nothing of the object
	case s3op.CreateMultipartUpload, s3op.CopyObject, s3op.UploadPartCopy, s3op.MultipartUpload:
		return s3op.UploadPart.Has(option) // what the content must be; the rest is asked for where it is decided
	case s3op.PutObjectTagging:
		return option == tagging
	}
	return false
}

// Options of rules that have a part of their own here.
var (
	expectedBucketOwner = lookup("expected_bucket_owner")
	requestPayer        = lookup("request_payer")
	tagging             = lookup("tagging")
)

func lookup(name string) s3op.ID {
	id, ok := s3op.Lookup(name)
	if !ok {
		panic("policy: there is no option " + name)
	}
	return id
}

// checkTypeStart judges a form whose type is any that begins so.
func (q *requirement) checkTypeStart(settled []s3op.Option) (problem string, isGiven bool) {
	start, given := find(settled, s3op.ContentTypeStart)
	if !given {
		return q.demand(), false
	}
	if q.values == nil || slices.ContainsFunc(q.values, func(want string) bool {
		begin, isPattern := strings.CutSuffix(want, "*")
		return isPattern && strings.HasPrefix(start, begin)
	}) {
		return "", false
	}
	return q.demand(), true
}

// checkDirective judges a copy that has what is required: S3 takes no notice of it unless
// the copy is told to replace what its source has.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
func (q *requirement) checkDirective(settled []s3op.Option) (problem string, isGiven bool) {
	directive := s3op.MetadataDirective
	switch {
	case q.option == tagging:
		directive = s3op.TaggingDirective
	case !s3op.IsMetadata(q.option):
		return "", false
	}
	value, given := find(settled, directive)
	if value == "REPLACE" {
		return "", false
	}
	return fmt.Sprintf(`%s, with option %q to be "REPLACE"`, q.demand(), directive), given
}

func find(settled []s3op.Option, id s3op.ID) (value string, given bool) {
	for _, o := range settled {
		if o.ID == id {
			return o.Value, true
		}
	}
	return "", false
}

func (q *requirement) accepts(value string) bool {
	switch {
	case q.option == s3op.CreateOnly:
		return value == "*"
	case q.most > 0:
		if q.option == s3op.ContentLengthRange {
			_, value, _ = strings.Cut(value, ",")
		}
		n, err := strconv.ParseInt(value, 10, 64)
		return err == nil && n <= q.most
	case q.option.Kind() == s3op.Boolean:
		return value == "true"
	}
	return q.values == nil || slices.ContainsFunc(q.values, func(want string) bool {
		begin, isPattern := strings.CutSuffix(want, "*")
		return value == want || isPattern && strings.HasPrefix(value, begin)
	})
}

// demand says what the option must be.
func (q *requirement) demand() string {
	demand := fmt.Sprintf("the policy requires option %q", q.option)
	switch {
	case q.option.Kind() == s3op.Boolean:
		demand += " to be true"
	case q.most > 0:
		demand += fmt.Sprintf(", at most %d", q.most)
	case len(q.values) == 1:
		demand += fmt.Sprintf(" to be %q", q.values[0])
	case len(q.values) > 1:
		demand += " to be one of " + strings.Join(quoted(q.values), ", ")
	}
	return demand
}

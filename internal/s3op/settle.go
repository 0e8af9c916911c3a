package s3op

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"bulkpresign/internal/sigv4"
)

// maxOptionBytes bounds what the options add to a request. S3 takes 8 KB of headers:
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
const maxOptionBytes = 8 << 10

// maxMetadataBytes is what names and values of metadata may have together:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
const maxMetadataBytes = 2 << 10

// Settle judges checked and merged options together and replaces those that are
// short for others, so that options that mean the same are equal. It works in
// place.
func (o Operation) Settle(options []Option) ([]Option, error) {
	size, metadata := 0, 0
	for _, opt := range options {
		if opt.ID != idPartNumbers { // each URL has one of them
			size += len(opt.Name) + len(opt.Value)
		}
		if opt.ID == idMetadata {
			metadata += len(opt.Name) + len(opt.Value)
		}
		if metadata > maxMetadataBytes {
			return nil, refuse(opt.ID, "has more than the %d bytes of names and values that S3 takes", maxMetadataBytes)
		}
		if size > maxOptionBytes {
			return nil, refuse(opt.ID, "makes the options longer than the %d bytes of headers that S3 takes", maxOptionBytes)
		}
	}
	// One pass, since there may be thousands of options and this is done for each item.
	var v values
	for _, opt := range options {
		v[opt.ID] = opt.Value
	}
	if err := o.contradiction(&v); err != nil {
		return nil, err
	}
	for _, rule := range [...]func(Operation, *values) error{Operation.conditions, Operation.checksums, Operation.encryption} {
		if err := rule(o, &v); err != nil {
			return nil, err
		}
	}

	settled := options[:0]
	for _, opt := range options {
		switch opt.ID {
		case CreateOnly:
			if v[CreateOnly] != "true" || v[IfNoneMatch] != "" {
				continue
			}
			opt = Option{ID: IfNoneMatch, Value: "*"}
		case idFilename:
			opt.ID = idContentDisposition
		case idCopySource:
			if version := v[idCopySourceVersion]; version != "" {
				opt.Value += "?versionId=" + string(sigv4.AppendEscaped(nil, version))
			}
		case idCopySourceVersion:
			continue
		}
		settled = append(settled, opt)
	}
	return deriveMD5s(settled, &v), nil
}

// values has the options that are given, "" for the others; of metadata one entry.
type values [len(table)]string

// contradiction finds options that exclude each other.
func (o Operation) contradiction(v *values) error {
	switch {
	case v[idCopySourceVersion] != "" && v[idCopySource] == "":
		return refuse(idCopySourceVersion, "goes with %q, which is missing", idCopySource)
	case v[ContentType] != "" && v[ContentTypeStart] != "":
		return refuse(ContentTypeStart, "and %q exclude each other: give one of them", ContentType)
	case v[idFilename] != "" && v[idContentDisposition] != "":
		return refuse(idFilename, "and %q exclude each other: give one of them", idContentDisposition)
	case v[PartNumber] != "" && v[idPartNumbers] != "":
		return refuse(idPartNumbers, "and %q exclude each other: give one of them", PartNumber)
	case v[CreateOnly] == "true" && v[IfNoneMatch] != "" && v[IfNoneMatch] != "*", v[CreateOnly] == "false" && v[IfNoneMatch] == "*":
		return refuse(CreateOnly, `and %q contradict each other: true is short for "*"`, IfNoneMatch)
	}
	return nil
}

// conditions holds a write to the conditions that S3 knows of one.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
func (o Operation) conditions(v *values) error {
	if !once.has(o) {
		return nil
	}
	if m := v[IfNoneMatch]; m != "" && m != "*" {
		return refuse(IfNoneMatch, `is not "*", all that S3 takes of it in a write`)
	}
	if v[IfMatch] == "" {
		return nil
	}
	if v[CreateOnly] == "true" {
		return refuse(CreateOnly, "and %q exclude each other: a new object has nothing to match", IfMatch)
	}
	if v[IfNoneMatch] != "" {
		return refuse(IfNoneMatch, "and %q exclude each other: a new object has nothing to match", IfMatch)
	}
	return nil
}

// Complete reports what settled options still lack to be signed.
func (o Operation) Complete(settled []Option) error {
	given := func(ids ...ID) bool {
		return slices.ContainsFunc(settled, func(opt Option) bool { return slices.Contains(ids, opt.ID) })
	}
	has := set(1 << o)
	switch {
	case has&(part|ofUpload|partCopy) != 0 && !given(UploadID):
		return refuse(UploadID, "is missing: %s needs the UploadId that CreateMultipartUpload gave", o)
	case has&(part|partCopy) != 0 && !given(PartNumber, idPartNumbers):
		return refuse(PartNumber, "or %q is missing: %s needs one of them", idPartNumbers, o)
	case has&copying != 0 && !given(idCopySource):
		return refuse(idCopySource, `is missing: %s needs the object to copy, written as "bucket/key"`, o)
	case has&attrs != 0 && !given(idObjectAttributes):
		return refuse(idObjectAttributes, `is missing: %s needs to know which, such as ["ETag", "ObjectSize"]`, o)
	case has&upload != 0 && !given(Size):
		return refuse(Size, "is missing: %s needs to know how many bytes the object has", o)
	}
	var v values
	for _, opt := range settled {
		v[opt.ID] = opt.Value
	}
	if err := o.lacksKey(&v); err != nil {
		return err
	}
	return o.lacksLock(&v)
}

// CountParts is the number of PartNumbers.
func CountParts(settled []Option) int {
	for _, opt := range settled {
		if opt.ID == idPartNumbers {
			return strings.Count(opt.Value, ",") + 1
		}
	}
	return 0
}

// PartNumbers are the parts that settled options ask for, nil without part_numbers.
func PartNumbers(settled []Option) []string {
	for _, opt := range settled {
		if opt.ID == idPartNumbers {
			return strings.Split(opt.Value, ",")
		}
	}
	return nil
}

// Fill writes settled options into r as sorted query parameters and headers. A
// part number other than "" is that of an UploadPart with part_numbers.
func (o Operation) Fill(r *sigv4.Request, settled []Option, part string) {
	r.Method = o.Method()
	r.Query, r.Headers = r.Query[:0], r.Headers[:0]
	for _, opt := range settled {
		d := &table[opt.ID]
		switch {
		case opt.ID == idPartNumbers:
			r.Query = append(r.Query, sigv4.Parameter{Name: d.wire, Value: part})
		case d.place == inQuery:
			r.Query = append(r.Query, sigv4.Parameter{Name: d.wire, Value: opt.Value})
		case d.place == inHeader:
			r.Headers = append(r.Headers, sigv4.Parameter{Name: opt.WireName(), Value: opt.Value})
		}
	}
	if c := &operations[o]; c.parameter != "" {
		at := len(r.Query)
		for at > 0 && r.Query[at-1].Name > c.parameter {
			at--
		}
		r.Query = slices.Insert(r.Query, at, sigv4.Parameter{Name: c.parameter, Value: c.value})
	}
}

// FillPrefix writes into r what an operation of a bucket has in place of a key: for
// ListObjectsV2 that is the prefix of the keys that are listed. It comes after Fill.
func (o Operation) FillPrefix(r *sigv4.Request, prefix string) {
	if o != ListObjectsV2 || prefix == "" {
		return
	}
	at, _ := slices.BinarySearchFunc(r.Query, "prefix", func(p sigv4.Parameter, name string) int { return cmp.Compare(p.Name, name) })
	r.Query = slices.Insert(r.Query, at, sigv4.Parameter{Name: "prefix", Value: prefix})
}

// CopySource is the object that settled options have copied, if they do.
func CopySource(settled []Option) (bucket, key string, ok bool) {
	i := slices.IndexFunc(settled, func(o Option) bool { return o.ID == idCopySource })
	if i < 0 {
		return "", "", false
	}
	escaped, _, _ := strings.Cut(settled[i].Value, "?")
	source, err := url.PathUnescape(escaped)
	if err != nil {
		panic("s3op: a source that was checked is not escaped") // copySource escapes it
	}
	bucket, key = cutSource(source)
	return bucket, key, true
}

// cutSource parts bucket and key. An access point stands there as its ARN and "/object/".
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html#API_CopyObject_RequestSyntax
func cutSource(source string) (bucket, key string) {
	separator := "/"
	if strings.HasPrefix(source, "arn:") {
		separator = "/object/"
	}
	bucket, key, _ = strings.Cut(source, separator)
	return bucket, key
}

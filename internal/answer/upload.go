package answer

import (
	"slices"
	"strconv"

	"bulkpresign/internal/s3op"
)

// upload writes a key's upload.
func (w *rendering) upload(i int) {
	w.begin()
	w.uploadMembers(i)
	w.end()
}

// uploadMembers writes the members of a key's upload.
func (w *rendering) uploadMembers(i int) {
	u := w.plan.Upload(i)
	settled := slices.Clone(w.plan.Options(i))
	url := func(op s3op.Operation, more ...s3op.Option) []s3op.Option {
		presigner, path, options := w.plan.OfUpload(i, op, settled, more...)
		w.ownURL(presigner, path)
		return options
	}
	number := func(name string, n int64) {
		w.name(name)
		w.dst = strconv.AppendInt(w.dst, n, 10)
	}
	w.pair("upload_id", u.ID)
	number("part_size", u.Plan.Part)
	number("part_count", int64(u.Plan.N))
	if u.Resume {
		w.name("uploaded_parts")
		w.begin()
		for _, part := range u.There {
			w.pair(strconv.Itoa(part.Number), part.ETag)
		}
		w.end()
	}
	w.name("part_urls")
	w.begin()
	var ofPart []s3op.Option
	for _, n := range u.Numbers {
		w.name(strconv.Itoa(n))
		ofPart = url(s3op.UploadPart,
			s3op.Option{ID: s3op.PartNumber, Value: strconv.Itoa(n)},
			s3op.Option{ID: s3op.ContentLength, Value: strconv.FormatInt(u.Plan.Length(n), 10)})
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
	sent := slices.DeleteFunc(s3op.Headers(options), func(o s3op.Option) bool { return o.ID == s3op.ContentLength })
	if len(sent) == 0 {
		return
	}
	w.name(name)
	w.headers(sent)
}

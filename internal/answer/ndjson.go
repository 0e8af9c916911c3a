package answer

import "bulkpresign/internal/bulk"

// ndjson writes a URL and what goes with it as an object on a line.
func (w *rendering) ndjson(i int, part string) {
	w.begin()
	w.name("key")
	w.key(w.plan.Key(i))
	if part != "" {
		w.name("part_number")
		w.text(part)
	}
	w.name("url")
	w.quote()
	w.url(i, part)
	w.quote()
	if w.withHeaders || w.plan.Is(i, bulk.OwnHeaders) {
		w.name("headers")
		w.headers(w.plan.Options(i))
	}
	if w.plan.Is(i, bulk.Described) {
		w.name("object")
		w.described(w.plan.Object(i))
	}
	w.end()
	w.text("\n")
}

func (w *rendering) ndjsonFailed(i int, f bulk.Failure) {
	w.begin()
	w.pair("key", f.Key)
	w.name("error")
	w.failure(f)
	w.end()
	w.text("\n")
}

// objectLine writes a line about a key that has more than a URL.
func (w *rendering) objectLine(i int) {
	w.begin()
	w.name("key")
	w.key(w.plan.Key(i))
	if w.plan.Is(i, bulk.InUpload) {
		w.uploadMembers(i)
	} else {
		w.formMembers(i)
	}
	w.end()
	w.text("\n")
	w.spill()
}

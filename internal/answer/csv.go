package answer

import (
	"strings"

	"bulkpresign/internal/bulk"
)

// csvTop writes the header row of a table.
//
// https://www.rfc-editor.org/rfc/rfc4180
func (w *rendering) csvTop() {
	w.text("key")
	if w.withParts {
		w.text(",part_number")
	}
	w.text(",url,error")
	if w.withHeaders {
		w.text(",headers")
	}
	w.text("\r\n")
}

// csvRow writes a URL and what goes with it as a row.
func (w *rendering) csvRow(i int, part string) {
	w.csv(w.plan.Key(i))
	if w.withParts {
		w.text("," + part)
	}
	w.text(",")
	w.url(i, part)
	w.text(",")
	if w.withHeaders {
		object := writer{}
		object.headers(w.plan.Options(i))
		w.text(",")
		w.csv(string(object.dst))
	}
	w.text("\r\n")
}

func (w *rendering) csvFailed(i int, f bulk.Failure) {
	w.csv(f.Key)
	if w.withParts {
		w.text(",")
	}
	w.text(",,")
	w.text(string(f.Code))
	if w.withHeaders {
		w.text(",")
	}
	w.text("\r\n")
}

// csv writes a field, quoted where it must be (RFC 4180, section 2).
func (w *writer) csv(field string) {
	if strings.ContainsAny(field, "\",\r\n") || strings.TrimSpace(field) != field {
		field = `"` + strings.ReplaceAll(field, `"`, `""`) + `"`
	}
	w.text(field)
}

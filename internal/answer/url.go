package answer

import (
	"bytes"
	"encoding/hex"
	"slices"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/sigv4"
)

// url writes the URL of the key numbered i; of one of its parts where part is not "". No
// byte of it needs escaping.
func (w *rendering) url(i int, part string) {
	switch shared := w.plan.Is(i, bulk.Shared); {
	case w.counting:
		w.counted += w.plan.URLLen(i, part)
	case w.err != nil:
	case w.places != nil && shared:
		w.plan.Place(w.places, i, len(w.dst))
		size := w.plan.URLLen(i, part)
		w.dst = slices.Grow(w.dst, size)[:len(w.dst)+size]
	case w.zip == nil:
		w.dst = w.plan.AppendURL(w.dst, i, part)
		w.spill()
	case shared:
		w.flush()
		w.zip.Run(w.zip.base)
		w.zip.Text(w.pathText(w.plan.Path(i)))
		w.zip.Run(w.zip.question)
		w.zip.Hex(w.plan.Signature(i)[:])
	default:
		w.zipURL(w.plan.Own(i, part))
	}
}

// zipURL compresses the URL of a presigner that is not the batch's.
func (w *rendering) zipURL(presigner *sigv4.Presigner, path sigv4.Path) {
	w.flush()
	signature := presigner.Sign(path)
	if bytes.Equal(presigner.Base(), w.zip.baseText) {
		w.zip.Run(w.zip.base)
	} else { // an operation of a bucket, whose base may lack the last slash
		w.zip.Text(presigner.Base())
	}
	w.zip.Text(w.pathText(path))
	question := presigner.Question()
	if rest, ok := bytes.CutPrefix(question, w.zip.shared); ok {
		w.zip.Run(w.zip.auth)
		question = rest
	}
	w.zip.Text(question)
	w.zip.Hex(signature[:])
}

// ownURL writes the URL of a presigner that is not the batch's as a JSON string.
func (w *rendering) ownURL(presigner *sigv4.Presigner, path sigv4.Path) {
	w.quote()
	switch {
	case w.counting:
		w.counted += presigner.URLLen(path)
	case w.err != nil:
	case w.zip != nil:
		w.zipURL(presigner, path)
	default:
		signature := presigner.Sign(path)
		w.dst = presigner.AppendURL(w.dst, path, &signature)
		w.spill()
	}
	w.quote()
}

// pathText is a path as it stands in a URL, valid until the next call.
func (w *rendering) pathText(path sigv4.Path) []byte {
	w.path = path.Append(w.path[:0])
	return w.path
}

// signature writes the signature of a Shared key in hex.
func (w *rendering) signature(i int) {
	switch {
	case w.counting:
		w.counted += hex.EncodedLen(sigv4.SignatureSize)
	case w.err != nil:
	case w.zip == nil:
		w.dst = sigv4.AppendHex(w.dst, w.plan.Signature(i))
		w.spill()
	default:
		w.flush()
		w.zip.Hex(w.plan.Signature(i)[:])
	}
}

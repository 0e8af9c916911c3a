package answer

import (
	"encoding/hex"

	"bulkpresign/internal/bulk"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/sigv4"
)

// form writes a key's form.
func (w *rendering) form(i int) {
	w.begin()
	w.formMembers(i)
	w.end()
}

// formMembers writes the members of a form: where it goes, and its fields in the order in which
// they are sent. The key comes first and the file, which is the client's, last.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
func (w *rendering) formMembers(i int) {
	key, forms := w.plan.Key(i), w.plan.FormSigner(i)
	settled := w.plan.Options(i)
	w.pair("url", w.plan.FormURL())
	w.name("fields")
	w.begin()
	w.name("key")
	if s3op.IsKeyStart(settled) {
		w.key(key + s3op.FilenameVariable)
	} else {
		w.key(key)
	}
	if w.formsOf != forms {
		w.formText, w.formsOf = w.commonOf(forms, settled), forms
	}
	if w.counting {
		w.counted += len(w.formText) + forms.PolicyLen(key) - len(forms.PolicyHead())
	} else {
		w.common(i)
		w.dst = forms.AppendPolicyEnd(w.dst, key)
	}
	w.quote()
	w.name("X-Amz-Signature")
	w.quote()
	switch {
	case w.counting:
		w.counted += hex.EncodedLen(sigv4.SignatureSize)
	case w.err != nil:
	default:
		signature := w.plan.FormSignature(i, forms)
		if w.zip != nil {
			w.flush()
			w.zip.Hex(signature[:])
		} else {
			w.dst = sigv4.AppendHex(w.dst, signature)
		}
	}
	w.quote()
	w.end()
	w.spill()
}

// commonOf is the text of the fields that forms have in common, from behind the key to
// where their policies differ.
func (w *writer) commonOf(forms *sigv4.PostSigner, settled []s3op.Option) []byte {
	c := writer{quoting: w.quoting, open: true}
	for _, f := range s3op.FormFields(settled) {
		c.pair(f.Name, f.Value)
	}
	for _, f := range forms.Fields() {
		c.pair(f.Name, f.Value)
	}
	c.name("policy")
	c.quote()
	return append(c.dst, forms.PolicyHead()...)
}

// common writes formText.
func (w *rendering) common(i int) {
	switch {
	case w.zip == nil:
		w.dst = append(w.dst, w.formText...)
	case w.plan.Is(i, bulk.OwnForm):
		w.flush()
		w.zip.Text(w.formText)
	default:
		w.flush()
		if w.zip.formOf != w.formsOf {
			w.zip.form, w.zip.formOf = w.zip.Learn(w.formText), w.formsOf
		}
		w.zip.Run(w.zip.form)
	}
}

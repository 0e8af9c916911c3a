package bulk

import (
	"encoding/hex"

	"bulkpresign/internal/s3op"
	"bulkpresign/internal/sigv4"
)

// formSigner signs the forms of keys with these settled options.
func (p *Plan) formSigner(settled []s3op.Option) *sigv4.PostSigner {
	return p.signer.PostSigner(&sigv4.Post{
		Bucket:        p.Bucket,
		Expiration:    p.ExpiresAt,
		Conditions:    s3op.AppendConditions(nil, settled),
		KeyStartsWith: s3op.IsKeyStart(settled),
	})
}

// writeObjectLine writes a line of NDJSON about a key that has more than a URL.
func (p *Plan) writeObjectLine(w *writer, i int) {
	e := p.entries[i]
	w.begin()
	w.name("key")
	w.key(p.request.Items[e.item].Key)
	if e.in.has(inPosts) {
		w.form(p, e)
	} else {
		w.upload(p, i)
	}
	w.end()
	w.text("\n")
	w.spill()
}

// form writes the members of a form: where it goes, and its fields in the order in which
// they are sent. The key comes first and the file, which is the client's, last.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
func (w *writer) form(p *Plan, e entry) {
	key := p.request.Items[e.item].Key
	settled := p.settled(e)
	forms, signature := p.forms, (*sigv4.Signature)(nil)
	if e.kind != batched {
		forms = p.formSigner(settled)
	}
	w.member("url", p.location.FormURL)
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
		w.common(e)
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
		if e.kind == batched {
			signature = p.signature(e)
		} else {
			own := forms.Sign(key)
			signature = &own
		}
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
		c.member(f.Name, f.Value)
	}
	for _, f := range forms.Fields() {
		c.member(f.Name, f.Value)
	}
	c.name("policy")
	c.quote()
	return append(c.dst, forms.PolicyHead()...)
}

// common writes formText.
func (w *writer) common(e entry) {
	switch {
	case w.zip == nil:
		w.dst = append(w.dst, w.formText...)
	case e.kind != batched:
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

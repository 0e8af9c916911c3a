package bulk

import (
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

// FormURL is where forms are sent to.
func (p *Plan) FormURL() string { return p.location.FormURL }

// FormSigner is what signs the form of the key numbered i, which is a Form or an OwnForm.
func (p *Plan) FormSigner(i int) *sigv4.PostSigner {
	if p.Is(i, Form) {
		return p.forms
	}
	return p.formSigner(p.settled(p.entries[i]))
}

// FormSignature is the signature of that form.
func (p *Plan) FormSignature(i int, signer *sigv4.PostSigner) *sigv4.Signature {
	if p.Is(i, Form) {
		return p.Signature(i)
	}
	own := signer.Sign(p.Key(i))
	return &own
}

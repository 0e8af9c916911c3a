package bulk

// CanonicalRequest is what is hashed for the key numbered i, for comparison with
// another signer's.
func (p *Plan) CanonicalRequest(i int) string {
	if p.Is(i, Shared) {
		return p.presigner.CanonicalRequest(p.Path(i))
	}
	presigner, path := p.Own(i, "")
	return presigner.CanonicalRequest(path)
}

package bulk

// CanonicalRequest is what is hashed for the entry numbered i, for comparison with
// another signer's.
func (p *Plan) CanonicalRequest(i int) string {
	e := p.entries[i]
	if e.kind == batched {
		return p.presigner.CanonicalRequest(p.paths[e.path])
	}
	presigner, path := p.own(e, "")
	return presigner.CanonicalRequest(path)
}

package bulk

import (
	"context"
	"time"

	"bulkpresign/internal/policy"
	"bulkpresign/internal/s3op"
	"bulkpresign/internal/s3url"
	"bulkpresign/internal/sigv4"
)

// signing is the part of a Plan that signs.
type signing struct {
	location    s3url.Location
	credentials Credentials
	signer      *sigv4.Signer
	attribution []sigv4.Parameter
	scratch     sigv4.Request     // of Own
	presigner   *sigv4.Presigner  // for the batch's options
	single      *sigv4.Presigner  // for one key's own, reset for each
	forms       *sigv4.PostSigner // for the batch's options; nil but for PostObject

	paths      []sigv4.Path      // of the entries to be signed with presigner
	signatures []sigv4.Signature // of the paths from signedFrom on
	signedFrom int
}

// signWith makes ready to sign with these credentials, from now on.
func (p *Plan) signWith(credentials Credentials, s *Service) error {
	// One reading of the clock for the whole batch, so that midnight cannot split it.
	now := s.Now().UTC().Truncate(time.Second)
	p.SignedAt = p.signingTime(now)
	if err := p.decideExpiry(credentials, now); err != nil {
		return err
	}
	p.credentials = credentials
	p.signer = sigv4.NewSigner(credentials.Credentials, sigv4.Scope{
		Time:    p.SignedAt,
		Region:  p.location.Region,
		Service: p.location.Service,
	})
	p.scratch = sigv4.Request{
		Origin:     p.location.Origin,
		Host:       p.location.Host,
		PathPrefix: p.location.PathPrefix,
		ExpiresIn:  int(p.ExpiresIn),
	}
	p.fill(&p.scratch, p.Operation, p.options, "")
	p.presigner = p.signer.Presigner(&p.scratch)
	if p.Operation == s3op.PostObject {
		p.forms = p.formSigner(p.options)
	}
	return nil
}

// attribution makes parameters of who asks. S3 takes no notice of parameters that begin
// with "x-" but writes them into its access log; the signature keeps them as they are.
// What is to be the same for each of a caller's requests names none of them.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html#LogFormatCustom
func (s *Service) attribution(ctx context.Context, caller *policy.Caller, isReused bool) []sigv4.Parameter {
	if s.RequestID == nil {
		return nil
	}
	own := []sigv4.Parameter{{Name: "x-presign-caller", Value: caller.Hash()}} // sorted, and behind all parameters of S3
	if !isReused {
		own = append(own, sigv4.Parameter{Name: "x-presign-request", Value: s.RequestID(ctx)})
	}
	return own
}

// fill writes settled options, and who asks, into r.
func (p *Plan) fill(r *sigv4.Request, op s3op.Operation, settled []s3op.Option, part string) {
	op.Fill(r, settled, part)
	r.Query = append(r.Query, p.attribution...)
}

// Presigner is what signs the keys that are Shared. It is for its texts alone: the plan
// signs.
func (p *Plan) Presigner() *sigv4.Presigner { return p.presigner }

// Own prepares what signs the key numbered i, which is Single, or one of its parts where
// it is InParts. It is valid until the next call.
func (p *Plan) Own(i int, part string) (presigner *sigv4.Presigner, path sigv4.Path) {
	p.fill(&p.scratch, p.Operation, p.settled(p.entries[i]), part)
	path = sigv4.PathOf(p.Key(i))
	if p.Operation.OfBucket() {
		p.scratch.PathPrefix = p.location.BucketPath
		p.Operation.FillPrefix(&p.scratch, p.Key(i))
		path = sigv4.Path{}
	}
	return p.prepared(), path
}

// prepared is what signs the request that scratch holds, valid until the next call.
func (p *Plan) prepared() *sigv4.Presigner {
	if p.single == nil {
		p.single = p.signer.Presigner(&p.scratch)
	} else {
		p.single.Reset(p.signer, &p.scratch)
	}
	return p.single
}

// Path is where the key numbered i, which is Shared, lies.
func (p *Plan) Path(i int) sigv4.Path { return p.paths[p.entries[i].path] }

// URLLen is the length of the URL of the key numbered i; of one of its parts where part
// is not "".
func (p *Plan) URLLen(i int, part string) int {
	if p.Is(i, Shared) {
		return p.presigner.URLLen(p.Path(i))
	}
	presigner, path := p.Own(i, part)
	return presigner.URLLen(path)
}

// AppendURL appends the URL of the key numbered i; of one of its parts where part is
// not "".
func (p *Plan) AppendURL(dst []byte, i int, part string) []byte {
	if p.Is(i, Shared) {
		return p.presigner.AppendURL(dst, p.Path(i), p.Signature(i))
	}
	presigner, path := p.Own(i, part)
	signature := presigner.Sign(path)
	return presigner.AppendURL(dst, path, &signature)
}

// Sign computes the signatures of the keys that are Shared or a Form, once. The others' are
// computed where they are written.
func (p *Plan) Sign() {
	if p.signatures != nil {
		return
	}
	p.signatures = make([]sigv4.Signature, len(p.paths))
	p.signAll(p.signatures, p.paths)
}

// signAll signs many keys with the batch's options.
func (p *Plan) signAll(signatures []sigv4.Signature, paths []sigv4.Path) {
	if p.forms != nil {
		p.forms.SignAll(signatures, func(i int) string { return paths[i].Key() })
		return
	}
	p.presigner.SignAll(signatures, paths)
}

// signedAhead is how many keys are signed at a time where Sign did not sign all: enough
// to be fast, few enough that memory does not grow with the batch.
const signedAhead = 4096

// Signature is that of the key numbered i, which is Shared or a Form. Where Sign did not compute
// all, it is computed now, with those that follow.
func (p *Plan) Signature(i int) *sigv4.Signature {
	path := int(p.entries[i].path)
	at := path - p.signedFrom
	if at < 0 || at >= len(p.signatures) {
		p.signFrom(path)
		at = 0
	}
	return &p.signatures[at]
}

func (p *Plan) signFrom(first int) {
	n := min(signedAhead, len(p.paths)-first)
	if cap(p.signatures) < n {
		p.signatures = make([]sigv4.Signature, n)
	}
	p.signatures, p.signedFrom = p.signatures[:n], first
	p.signAll(p.signatures, p.paths[first:first+n])
}

// Places are where in a text the URLs of Shared keys go, once they are signed: that is
// faster than to sign first and write afterwards.
type Places struct{ at []int } // by path; -1 for one that has no URL

// Places is room for those of all keys, or nil if they have been signed already or have
// forms.
func (p *Plan) Places() *Places {
	if p.signatures != nil || p.forms != nil {
		return nil
	}
	p.presigner.Expect(len(p.paths))
	return &Places{make([]int, 0, len(p.paths))}
}

// Place notes that the URL of the key numbered i begins at a byte of the text. Keys come
// in order.
func (p *Plan) Place(in *Places, i, at int) {
	for len(in.at) < int(p.entries[i].path) {
		in.at = append(in.at, -1)
	}
	in.at = append(in.at, at)
}

// Fill signs the keys that have a place in text, and writes their URLs there.
func (p *Plan) Fill(text []byte, places *Places) {
	p.presigner.WriteAll(text, places.at, p.paths[:len(places.at)])
}

// PresignGet signs a download with the batch's credentials, clock and lifetime.
func (p *Plan) PresignGet(at s3url.Location, key string) string {
	r := sigv4.Request{Origin: at.Origin, Host: at.Host, PathPrefix: at.PathPrefix, ExpiresIn: int(p.ExpiresIn)}
	p.fill(&r, s3op.GetObject, nil, "")
	scope := sigv4.Scope{Time: p.SignedAt, Region: at.Region, Service: at.Service}
	presigner := sigv4.NewSigner(p.credentials.Credentials, scope).Presigner(&r)
	path := sigv4.PathOf(key)
	signature := presigner.Sign(path)
	return string(presigner.AppendURL(nil, path, &signature))
}

package main

import "context"

// emptyBody signs uploads of nothing: content_length 0 is a header of the signature, so an empty body is taken, and one
// of a byte is refused, whatever length its sender tells.
func (r *run) emptyBody(ctx context.Context) error {
	for _, key := range []string{"empty/_SUCCESS", "empty/folder/"} {
		name := "content_length 0, " + key
		b, err := sign(ctx, r.sign, map[string]any{"operation": "PutObject", "bucket": plainBucket, "keys": []string{key}, "content_length": 0})
		if err != nil {
			return err
		}
		q, err := b.request(key, nil)
		if err != nil {
			return err
		}
		if q.headers["content-length"] != "0" {
			r.record(name+", headers", "the answer does not tell the client to send the length")
		}
		r.accept(ctx, name+", an empty body", q, 200, nil)
		larger := q
		larger.body, larger.headers = []byte("x"), clone(q.headers)
		larger.headers["content-length"] = "1"
		r.refuse(ctx, name+", a body of one byte", larger)
		b, err = sign(ctx, r.sign, map[string]any{"bucket": plainBucket, "keys": []string{key}})
		if err != nil {
			return err
		}
		if q, err = b.request(key, nil); err != nil {
			return err
		}
		r.accept(ctx, name+", as it lies there", q, 200, holds(nil))
	}
	return nil
}

package answer

import (
	"bytes"

	"bulkpresign/internal/deflate"
	"bulkpresign/internal/sigv4"
)

// zip is a compressor that knows what the URLs of a batch have in common.
type zip struct {
	*deflate.Writer
	base     deflate.Run // the URL before the path
	question deflate.Run // what stands between path and signature
	auth     deflate.Run // the beginning of it that items with other options share
	shared   []byte      // the text of auth
	baseText []byte      // the text of base

	form   deflate.Run // what the batch's forms have in common
	formOf *sigv4.PostSigner
}

func newZip(dst []byte, presigner *sigv4.Presigner, e deflate.Effort) *zip {
	z := &zip{Writer: deflate.NewWriter(dst, e)}
	z.learn(presigner)
	return z
}

// learn tells the compressor what the URLs of a presigner have in common.
func (z *zip) learn(presigner *sigv4.Presigner) {
	z.base, z.baseText = z.Learn(presigner.Base()), presigner.Base()
	z.question = z.Learn(presigner.Question())
	z.shared = nil
	if end := bytes.Index(presigner.Question(), []byte("X-Amz-SignedHeaders=")); end > 0 {
		z.shared = presigner.Question()[:end]
	}
	z.auth = z.Learn(z.shared)
}

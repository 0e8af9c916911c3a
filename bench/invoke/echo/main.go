// Echo takes an event and answers at once, with as many bytes as ANSWER_BYTES says: what
// the transport of an event and of an answer costs by itself. LOOP says whose loop it runs
// in: aws-lambda-go's, or ours.
package main

import (
	"bytes"
	"context"
	"os"
	"strconv"

	"github.com/aws/aws-lambda-go/lambda"

	"bulkpresign/internal/runtimeclient"
)

type handler struct{ answer []byte }

func (h handler) Invoke(context.Context, []byte) ([]byte, error) { return h.answer, nil }

func main() {
	n, err := strconv.Atoi(os.Getenv("ANSWER_BYTES"))
	if err != nil {
		panic(err)
	}
	h := handler{bytes.Repeat([]byte("x"), n)}
	if os.Getenv("LOOP") != "ours" {
		lambda.Start(h)
	}
	panic(runtimeclient.Serve(os.Getenv("AWS_LAMBDA_RUNTIME_API"), func(context.Context, []byte) (runtimeclient.Answer, error) {
		return runtimeclient.Answer{Whole: h.answer}, nil
	}))
}

// Echo takes an event and answers at once, with as many bytes as ANSWER_BYTES says: what
// the transport of an event and of an answer costs by itself.
package main

import (
	"bytes"
	"context"
	"os"
	"strconv"

	"github.com/aws/aws-lambda-go/lambda"
)

type handler struct{ answer []byte }

func (h handler) Invoke(context.Context, []byte) ([]byte, error) { return h.answer, nil }

func main() {
	n, err := strconv.Atoi(os.Getenv("ANSWER_BYTES"))
	if err != nil {
		panic(err)
	}
	lambda.Start(handler{bytes.Repeat([]byte("x"), n)})
}

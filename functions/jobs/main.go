// The jobs function answers later, in the results bucket: requests and S3's notifications
// that come through SQS, lists that are put into S3, jobs that are handed on; and direct
// invokes, whose answer is the summary.
package main

import (
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"bulkpresign/internal/job"
	"bulkpresign/internal/lambdalog"
	"bulkpresign/internal/service"
)

func main() {
	log := lambdalog.New(os.Stdout)
	slog.SetDefault(log) // aws-lambda-go's own lines become JSON too
	c := service.Configure(log, "PRESIGN_RESULTS_BUCKET")
	lambda.Start(&job.Handler{Runner: job.NewRunner(&c, log)})
}

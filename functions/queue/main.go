// The queue function is the jobs function under the name of one of its two sources, for deployments of one's own that
// keep them apart: a function for the queue of requests, another for lists. template.yaml deploys functions/jobs for both.
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

// The queue function takes what comes through SQS: requests, S3 notifications, jobs that
// are handed on.
package main

import (
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"bulkpresign/internal/config"
	"bulkpresign/internal/job"
	"bulkpresign/internal/lambdalog"
)

func main() {
	log := lambdalog.New(os.Stdout)
	slog.SetDefault(log) // aws-lambda-go's own lines become JSON too
	c, err := config.Load(os.Getenv, "PRESIGN_RESULTS_BUCKET")
	if err != nil {
		log.Error("the configuration is not valid", "problems", lambdalog.Lines(err))
		os.Exit(1)
	}
	lambda.Start(&job.Queue{Runner: job.NewRunner(&c, log)})
}

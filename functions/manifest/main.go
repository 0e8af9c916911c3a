// The manifest function signs whole lists that lie in S3, when they are put there or when
// it is asked to: an S3 event, EventBridge, a direct invoke, its own queue.
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
	lambda.Start(&job.Manifest{Runner: job.NewRunner(&c, log)})
}

// The api function answers synchronously: API Gateway, a Function URL, a direct invoke.
package main

import (
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"bulkpresign/internal/awscreds"
	"bulkpresign/internal/bulk"
	"bulkpresign/internal/config"
	"bulkpresign/internal/delivery"
	"bulkpresign/internal/gatewayevent"
	"bulkpresign/internal/lambdalog"
)

func main() {
	log := lambdalog.New(os.Stdout)
	slog.SetDefault(log) // aws-lambda-go's own lines become JSON too
	c, err := config.Load(os.Getenv)
	if err != nil {
		log.Error("the configuration is not valid", "problems", lambdalog.Lines(err))
		os.Exit(1)
	}
	source := &awscreds.Source{SigningRole: c.SigningRole}
	lambda.Start(&gatewayevent.Handler{
		Service: &bulk.Service{Policy: c.Policy, Locate: c.Locate, Credentials: source, Now: time.Now},
		Results: delivery.To(c.Results, source.Config),
		Log:     log,
	})
}

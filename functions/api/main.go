// The api function answers synchronously: API Gateway, a Function URL, a direct invoke.
package main

import (
	"log/slog"
	"os"

	"bulkpresign/internal/delivery"
	"bulkpresign/internal/gatewayevent"
	"bulkpresign/internal/lambdalog"
	"bulkpresign/internal/runtimeclient"
	"bulkpresign/internal/service"
)

func main() {
	log := lambdalog.New(os.Stdout)
	slog.SetDefault(log) // lines of others become JSON too
	c := service.Configure(log)
	s, source := service.New(&c, log)
	h := &gatewayevent.Handler{
		Service: s,
		Results: delivery.To(c.Results, source.Config),
		Log:     log,

		StreamREST: c.StreamREST,
		Origins:    c.AllowedOrigins,
	}
	err := runtimeclient.Serve(os.Getenv("AWS_LAMBDA_RUNTIME_API"), h.Invoke)
	log.Error("the runtime API cannot be served", "cause", err.Error())
	os.Exit(1)
}

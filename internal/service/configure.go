package service

import (
	"errors"
	"log/slog"
	"os"

	"bulkpresign/internal/config"
	"bulkpresign/internal/lambdalog"
)

// checkMode is the argument with which a function's binary only says whether it would
// start. Lambda starts it without arguments.
const checkMode = "check"

// Configure reads the configuration of a function that cannot do without the required
// variables. Where something is wrong it logs every problem and ends the process with
// status 1: before the first event, so that a version that cannot work never answers one.
// As "bootstrap check" the process ends here in any case, with status 0 when all is well.
func Configure(log *slog.Logger, required ...string) config.Config {
	c, err := config.Load(os.Getenv, required...)
	if err = errors.Join(err, config.Unknown(os.Environ())); err != nil {
		log.Error("the configuration is not valid", "problems", lambdalog.Lines(err))
		os.Exit(1)
	}
	if len(os.Args) == 2 && os.Args[1] == checkMode {
		log.Info("the configuration is valid")
		os.Exit(0)
	}
	return c
}

// Jobs runs the asynchronous functions' real binaries against SQS and S3 on this machine.
//
//	jobs chaos   with everything failing that can: nothing may be lost, nothing doubled
//	jobs bench   signs lists of a million keys: how fast, and in how much memory
//	jobs shards  signs the shards of one list: what a second process on a second core is worth
//
// Each ends with one line of figures, and with an error when a figure is not what it must be.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "jobs:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	commands := map[string]func(context.Context, *flag.FlagSet, []string) error{"chaos": runChaos, "bench": runBench, "shards": runShards}
	if len(args) == 0 || commands[args[0]] == nil {
		return errors.New("usage: jobs chaos|bench|shards [flags]; -h lists them")
	}
	flags := flag.NewFlagSet("jobs "+args[0], flag.ContinueOnError)
	return commands[args[0]](ctx, flags, args[1:])
}

func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is too much", flags.Arg(0))
	}
	return nil
}

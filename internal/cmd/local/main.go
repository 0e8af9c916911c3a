// Local runs the whole pre-signer on one machine: the function's real binary under a local Lambda runtime API, with
// an embedded S3 server that verifies every signature. Nothing leaves the machine and no AWS account is needed.
//
//	local demo    uploads and downloads real files through signed URLs, and exits 0 only if every URL worked
//	local serve   stays up, with the function behind HTTP on 127.0.0.1:3000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "local:", err)
		os.Exit(1)
	}
}

const usage = `usage: local demo  [-function path] [-events folder]
       local serve [-function path] [-addr host:port]
`

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("which one?\n%s", usage)
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(stderr)
	function := flags.String("function", "bin/api/bootstrap", "the function's binary")
	switch args[0] {
	case "demo":
		events := flags.String("events", "events", "folder of sample events, *.json")
		if err := parse(flags, args[1:]); err != nil {
			return err
		}
		return demo(ctx, *function, *events, stdout)
	case "serve":
		addr := flags.String("addr", "127.0.0.1:3000", "where to listen")
		if err := parse(flags, args[1:]); err != nil {
			return err
		}
		return serve(ctx, *function, *addr, stdout, stderr)
	}
	return fmt.Errorf("there is no %q\n%s", args[0], usage)
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

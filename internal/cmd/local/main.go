// Local runs the whole pre-signer on one machine: the functions' real binaries under a local Lambda runtime API, with
// an embedded S3 server that verifies every signature, and a queue. Nothing leaves the machine and no AWS account is
// needed.
//
//	local demo    uploads and downloads real files through signed URLs, and exits 0 only if every URL worked
//	local serve   stays up, with the functions behind HTTP on 127.0.0.1:3000, and a queue and S3's notices of lists
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	restore := foreground()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	restore()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "local:", err)
		os.Exit(1)
	}
}

const usage = `usage: local demo  [-functions folder] [-events folder] [-v]
       local serve [-functions folder] [-addr host:port] [-operations list] [-policy file] [-origins list] [-iam] [-v]
`

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("which one?\n%s", usage)
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(stderr)
	functions := flags.String("functions", "bin", "folder of the functions' binaries, such as api/bootstrap")
	verbose := flags.Bool("v", false, "say all: demo its answers, serve the functions' whole log")
	s := setup{operations: "GetObject,HeadObject,PutObject,DeleteObject"}
	switch args[0] {
	case "demo":
		events := flags.String("events", "events", "folder of sample events, *.json")
		if err := parse(flags, args[1:]); err != nil {
			return err
		}
		s.addr = "127.0.0.1:0"
		s.of(*functions)
		return demo(ctx, s, *events, *verbose, stdout)
	case "serve":
		flags.StringVar(&s.addr, "addr", "127.0.0.1:3000", "where to listen")
		flags.StringVar(&s.operations, "operations", s.operations+",PostObject,MultipartUpload", "what may be signed, as in PRESIGN_OPERATIONS")
		flags.StringVar(&s.policy, "policy", "", "a file with rules for callers, as in PRESIGN_POLICY")
		flags.BoolVar(&s.iam, "iam", false, "calls must be signed by the key that is printed, as for API Gateway with IAM and for Lambda")
		flags.StringVar(&s.origins, "origins", "", "origins of pages that may call, comma-separated")
		if err := parse(flags, args[1:]); err != nil {
			return err
		}
		s.of(*functions)
		if s.log = stderr; !*verbose {
			s.log = lines{stdout}
		}
		return serve(ctx, s, stdout)
	}
	return fmt.Errorf("there is no %q\n%s", args[0], usage)
}

// of takes all functions of a folder.
func (s *setup) of(functions string) {
	s.api, s.jobs = filepath.Join(functions, "api", "bootstrap"), filepath.Join(functions, "jobs", "bootstrap")
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

// Presign makes pre-signed URLs for many S3 objects at once: here, with the SDK's own credentials, or by asking a
// deployed service. It also uploads and downloads through such URLs, and takes one that fails apart.
//
// Data goes to standard output, everything else to standard error. The exit status is 0 when all was done, 1 when some
// keys failed, 2 when nothing could be done.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
)

// Exit statuses.
const (
	allDone  = 0
	someDone = 1
	noneDone = 2
)

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // so that a second Ctrl-C ends it at once
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// run is main without the process.
func run(ctx context.Context, args []string, s streams) int {
	if len(args) == 0 {
		fmt.Fprint(s.err, usage)
		return noneDone
	}
	var err error
	switch command := args[0]; command {
	case "get", "head", "put", "delete":
		err = sign(ctx, command, args[1:], s)
	case "fetch":
		err = fetch(ctx, args[1:], s)
	case "doctor":
		err = examine(args[1:], s)
	case "completion":
		err = complete(args[1:], s)
	case "help", "-h", "-help", "--help":
		fmt.Fprint(s.out, usage)
	case "version", "-version", "--version":
		fmt.Fprintln(s.out, version())
	default:
		err = usageError(fmt.Sprintf("there is no command %q", command), "the commands are get, head, put, delete, fetch and doctor; presign -h shows more")
	}
	var some *partial
	switch {
	case err == nil:
		return allDone
	case errors.Is(err, errHelp):
		fmt.Fprint(s.out, helpOf(args[0]))
		return allDone
	case errors.As(err, &some):
		fmt.Fprintln(s.err, "presign:", some)
		return someDone
	case ctx.Err() != nil && strings.Contains(err.Error(), context.Canceled.Error()): // some packages hand on its words alone
		err = errors.New("stopped")
	}
	fmt.Fprintln(s.err, "presign:", signedURL.ReplaceAllString(err.Error(), "[URL]")) // of a file that cannot be opened, say
	var h *hinted
	if errors.As(err, &h) && h.hint != "" {
		fmt.Fprintln(s.err, "  "+h.hint)
	}
	return noneDone
}

var signedURL = regexp.MustCompile(`(?i)https?:[^\s"]*X-Amz-[^\s"]*`)

// hinted is a mistake, with what to do instead on a line of its own.
type hinted struct{ what, hint string }

func (e *hinted) Error() string { return e.what }

func usageError(what, hint string) error { return &hinted{what, hint} }

// partial says that some keys failed. Each was told of when it did.
type partial struct {
	failed, of int
	what, how  string // key, and failed, if they are empty
}

func (e *partial) Error() string {
	return fmt.Sprintf("%d of %s %s", e.failed, counted(e.of, cmp.Or(e.what, "key")), cmp.Or(e.how, "failed"))
}

// counted is a number of things.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// oneLine is a text that cannot end a line, or change a terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '�'
		}
		return r
	}, s)
}

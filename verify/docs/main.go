// Docs runs the commands of a page of the docs, as a reader would who types them one after the other, against the service as
// make local starts it, and compares what they print.
//
//	docs PAGE
//
// A command is a line that begins with four spaces and "$ "; the lines of the block below it are its output, standard error
// included, in which "..." is any text.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// A command takes seconds; one that waits for something that does not come must end.
const patience = time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "docs PAGE")
		os.Exit(2)
	}
	n, err := run(ctx, os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "docs-test:", err)
		os.Exit(1)
	}
	fmt.Printf("docs-test: %d commands of %s do what it says\n", n, os.Args[1])
}

// command is one of a page's, with what it should print.
type command struct {
	line       int
	text, want string
}

func commands(page string) (all []command) {
	inside := false
	for i, line := range strings.Split(page, "\n") {
		text, indented := strings.CutPrefix(line, "    ")
		switch {
		case !indented:
			inside = false
		case strings.HasPrefix(text, "$ "):
			all = append(all, command{line: i + 1, text: text[2:]})
			inside = true
		case inside:
			all[len(all)-1].want += text + "\n"
		}
	}
	return all
}

// matches is whether the output is what the page has, whose "..." is any text, and at an end the rest of it.
func matches(want, got string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(want)), regexp.QuoteMeta("..."), `(?s:.*)`)
	return regexp.MustCompile("^" + pattern + "$").MatchString(strings.TrimSpace(got))
}

var (
	export = regexp.MustCompile(`(AWS_[A-Z0-9_]+)=(\S+)`)
	served = regexp.MustCompile(`HTTP +(http://[0-9.:]+)/presign`)
	secret = regexp.MustCompile(`X-Amz-[A-Za-z-]+=[^&" ]+`)
)

func run(ctx context.Context, page string) (int, error) {
	text, err := os.ReadFile(page)
	if err != nil {
		return 0, err
	}
	all := commands(string(text))
	if len(all) == 0 {
		return 0, fmt.Errorf("%s has no commands", page)
	}
	bin, err := filepath.Abs("bin")
	if err != nil {
		return 0, err
	}
	folder, err := os.MkdirTemp("", "docs")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(folder)
	serve := exec.CommandContext(ctx, filepath.Join(bin, "local"), "serve", "-addr", "127.0.0.1:0")
	serve.Cancel = func() error { return serve.Process.Signal(os.Interrupt) }
	out, err := serve.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := serve.Start(); err != nil {
		return 0, err
	}
	defer func() { serve.Process.Signal(os.Interrupt); serve.Wait() }()
	env := []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + folder, "AWS_EC2_METADATA_DISABLED=true"}
	address := ""
	lines := bufio.NewScanner(out)
	for ready := false; !ready && lines.Scan(); {
		if found := served.FindStringSubmatch(lines.Text()); found != nil {
			address = found[1]
		}
		if strings.Contains(lines.Text(), "export ") {
			for _, found := range export.FindAllStringSubmatch(lines.Text(), -1) {
				env = append(env, found[1]+"="+found[2])
			}
			ready = strings.Contains(lines.Text(), "AWS_ENDPOINT_URL_S3")
		}
	}
	if address == "" {
		return 0, fmt.Errorf("the service does not come up")
	}
	go func() {
		for lines.Scan() { // it must not wait for a reader
		}
	}()
	for _, c := range all {
		ctx, cancel := context.WithTimeout(ctx, patience)
		cmd := exec.CommandContext(ctx, "bash", "-c", strings.ReplaceAll(c.text, "http://127.0.0.1:3000", address))
		cmd.Dir, cmd.Env = folder, env
		got, _ := cmd.CombinedOutput() // what it prints says whether it worked
		cancel()
		if !matches(c.want, string(got)) {
			return 0, fmt.Errorf("%s, line %d: %s\nprints %s\nand the page has %s", page, c.line, c.text,
				secret.ReplaceAllString(string(got), "X-Amz-..."), c.want)
		}
	}
	return len(all), nil
}

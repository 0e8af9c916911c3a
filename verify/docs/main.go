// Docs runs the commands of pages of the docs, as a reader would who types them one after the other, against the service as
// make local starts it, and compares what they print.
//
//	docs PAGE ...
//
// A command is a line of an indented block that begins with "$ "; one that ends in a backslash goes on in the next line. The
// lines below it are its output, standard error included, in which "..." is any text, and a line that begins with a space
// goes on with the one before. A page has a service of its own and an empty folder, in which examples, guardrails and docs
// are those of the project. A comment <!-- docs-test: COMMAND --> prepares what a reader has already.
//
// A block that begins with a program's name is a command too, one that is not run here; elsewhere says why. So a command that
// is neither run nor known fails.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A command takes seconds; one that waits for something that does not come must end.
const patience = time.Minute

// elsewhere are commands, by their beginnings, that are not run here.
var elsewhere = []struct{ begins, why string }{
	{"make ", "a target of its own, which must be there; .ci/run and verify/README.md say which run where"},
	{"sam ", "it deploys; make sam-local and make localstack do so here"},
	{"aws ", "it needs an account; what can be shown at make local has a $"},
	{"terraform ", "it needs an account, and a provider that cannot be had everywhere; make examples reads the files"},
	{"npm install && npx cdk ", "it needs an account; make examples synthesizes it"},
	{"git lfs ", "make git-lfs runs it"},
	{"presign get s3://photos -f keys.txt -job s3://lists/manifests/ -state-machine ", "make scale runs it"},
}

// programs are what a command begins with, whoever is to type it.
var programs = []string{"aws", "curl", "docker", "export", "git", "go", "jq", "make", "npm", "npx", "presign", "printf", "python3", "sam", "sh", "terraform"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "docs PAGE ...")
		os.Exit(2)
	}
	ran, told, failed := 0, 0, false
	for _, page := range os.Args[1:] {
		text, err := os.ReadFile(page)
		if err != nil {
			fmt.Fprintln(os.Stderr, "docs-test:", err)
			os.Exit(1)
		}
		all, others := commands(string(text))
		err = errors.Join(known(page, others), run(ctx, page, all))
		if err != nil {
			fmt.Fprintf(os.Stderr, "docs-test: %v\n", err)
			failed = true
			continue
		}
		for _, c := range all {
			if !c.silent {
				ran++
			}
		}
		told += len(others)
	}
	if failed {
		os.Exit(1)
	}
	fmt.Printf("docs-test: %d commands of %d pages do what they say, %d others are known\n", ran, len(os.Args)-1, told)
}

// command is one of a page's, with what it should print.
type command struct {
	line       int
	text, want string
	silent     bool // it prepares, and may print what it likes
}

var prepares = regexp.MustCompile(`^<!-- docs-test: (.*) -->$`)

// commands are those of a page that are run, and the others.
func commands(page string) (all, others []command) {
	inside, continued, fenced := false, false, false
	for i, line := range strings.Split(page, "\n") {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		if found := prepares.FindStringSubmatch(line); found != nil {
			all = append(all, command{line: i + 1, text: found[1], silent: true})
		}
		text, indented := strings.CutPrefix(line, "    ")
		if fenced || !indented {
			inside, continued = false, false
			continue
		}
		program, _, _ := strings.Cut(text, " ")
		switch {
		case continued:
			all[len(all)-1].text += "\n" + strings.TrimPrefix(text, "> ")
			continued = strings.HasSuffix(text, `\`)
		case strings.HasPrefix(text, "$ make "):
			others = append(others, command{line: i + 1, text: text[2:]})
			inside = false
		case strings.HasPrefix(text, "$ "):
			all = append(all, command{line: i + 1, text: text[2:]})
			inside, continued = true, strings.HasSuffix(text, `\`)
		case inside:
			all[len(all)-1].want += text + "\n"
		case slices.Contains(programs, program):
			others = append(others, command{line: i + 1, text: text})
		}
	}
	return all, others
}

// known looks for the commands that are not run in elsewhere, and for the targets of make.
func known(page string, others []command) error {
	var wrong []error
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		return err
	}
	for _, c := range others {
		if !slices.ContainsFunc(elsewhere, func(e struct{ begins, why string }) bool { return strings.HasPrefix(c.text, e.begins) }) {
			wrong = append(wrong, fmt.Errorf("%s, line %d: %s\nis neither run (begin it with \"$ \") nor known not to be", page, c.line, c.text))
		}
		words := strings.Fields(c.text)
		for _, target := range words[1:] {
			if words[0] != "make" || strings.ContainsAny(target, "#=&") {
				break
			}
			if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(target) + `:`).Match(makefile) {
				wrong = append(wrong, fmt.Errorf("%s, line %d: make has no target %s", page, c.line, target))
			}
		}
	}
	return errors.Join(wrong...)
}

var (
	port = regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)
	date = regexp.MustCompile(`20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-9:]{8}Z`)
)

// same leaves out what differs each time.
func same(text string) string {
	return date.ReplaceAllString(port.ReplaceAllString(strings.TrimSpace(text), "127.0.0.1:PORT"), "TIME")
}

// matches is whether the output is what the page has.
func matches(want, got string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(same(want)), regexp.QuoteMeta("..."), `(?s:.*)`)
	pattern = strings.ReplaceAll(pattern, "\n ", `\s*`)
	return regexp.MustCompile("^" + pattern + "$").MatchString(same(got))
}

var (
	export = regexp.MustCompile(`(AWS_[A-Z0-9_]+)=(\S+)`)
	served = regexp.MustCompile(`HTTP +(http://[0-9.:]+)/presign`)
	secret = regexp.MustCompile(`X-Amz-[A-Za-z-]+=[^&" ]+`)
)

func run(ctx context.Context, page string, all []command) error {
	if len(all) == 0 {
		return nil
	}
	bin, err := filepath.Abs("bin")
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "docs")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	for _, name := range []string{"examples", "guardrails", "docs", "events"} {
		at, err := filepath.Abs(name)
		if err == nil {
			err = os.Symlink(at, filepath.Join(folder, name))
		}
		if err != nil {
			return err
		}
	}
	serve := exec.CommandContext(ctx, filepath.Join(bin, "local"), "serve", "-addr", "127.0.0.1:0")
	serve.Cancel = func() error { return serve.Process.Signal(os.Interrupt) }
	out, err := serve.StdoutPipe()
	if err != nil {
		return err
	}
	if err := serve.Start(); err != nil {
		return err
	}
	defer func() { serve.Process.Signal(os.Interrupt); serve.Wait() }()
	env := []string{"PATH=" + bin + ":" + os.Getenv("DOCS_PATH") + ":" + os.Getenv("PATH"), "HOME=" + folder, "AWS_EC2_METADATA_DISABLED=true", "LC_ALL=C.UTF-8"}
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
		return fmt.Errorf("the service does not come up")
	}
	go func() {
		for lines.Scan() { // it must not wait for a reader
		}
	}()
	own, err := freePort()
	if err != nil {
		return err
	}
	places := strings.NewReplacer("http://127.0.0.1:3000", address, "127.0.0.1:8080", "127.0.0.1:"+own, "PORT=8080", "PORT="+own)
	for _, c := range all {
		ctx, cancel := context.WithTimeout(ctx, patience)
		cmd := exec.CommandContext(ctx, "bash", "-c", places.Replace(c.text))
		cmd.Dir, cmd.Env = folder, env
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		cmd.WaitDelay = time.Second
		got, err := cmd.CombinedOutput() // but for what prepares, what it prints says whether it worked
		cancel()
		defer syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it left in the background
		if c.silent && err == nil || !c.silent && matches(c.want, string(got)) {
			continue
		}
		said := secret.ReplaceAllString(string(got), "X-Amz-...")
		return fmt.Errorf("%s, line %d: %s\nprints %s\nand the page has %s", page, c.line, c.text, said[:min(len(said), 2000)], c.want)
	}
	return nil
}

// freePort is one that nobody listens on.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, number, err := net.SplitHostPort(l.Addr().String())
	return number, err
}

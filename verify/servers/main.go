// Verify signs with the built function and asks real S3 servers whether they agree.
//
// Run it from the repository's root, after `make build`. See docs/verification.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	function := flag.String("function", "bin/api/bootstrap", "the built `binary`")
	bin := flag.String("bin", ".cache/bin", "`folder` for servers that are built")
	table := flag.String("limits", "docs/verification.md", "the `file` with the table of known limits")
	servers := flag.String("servers", "all", "comma-separated `names`, or all")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := verify(ctx, *function, *bin, *table, *servers); err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
		os.Exit(1)
	}
}

func verify(ctx context.Context, function, bin, table, names string) error {
	chosen, err := choose(names)
	if err != nil {
		return err
	}
	if _, err := os.Stat(function); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is not there; `make build` builds it", function)
	}
	limits, err := readLimits(table)
	if err != nil {
		return err
	}
	if bin, err = filepath.Abs(bin); err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "verify")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	presign := filepath.Join(temp, "presign")
	build := exec.CommandContext(ctx, "go", "build", "-o", presign, "./cmd/presign")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if _, err := output(build); err != nil {
		return err
	}
	large := filepath.Join(temp, "large.bin")
	if err := writeLarge(large); err != nil {
		return err
	}

	reports := make([]report, len(chosen))
	var wg sync.WaitGroup
	for i, s := range chosen {
		wg.Go(func() {
			reports[i] = against(ctx, s, function, installation{bin: bin, temp: temp, presign: presign, large: large}, limits)
		})
	}
	wg.Wait()

	var good, all, rows, done int
	failed := false
	for _, r := range reports {
		fmt.Print(r.text())
		good, all, rows = good+r.good, all+r.all, rows+r.rows
		failed = failed || r.failed()
		if r.err == nil {
			done++
		}
	}
	servers := fmt.Sprint(done)
	if done < len(chosen) {
		servers = fmt.Sprintf("%d of %d", done, len(chosen))
	}
	fmt.Printf("verify: %d/%d cases on %s servers (table: %d known limits)\n", good, all, servers, rows)
	if failed {
		return errors.New("not all is as it should be")
	}
	return nil
}

func choose(names string) ([]starter, error) {
	if names == "all" {
		return starters, nil
	}
	var chosen []starter
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(starters, func(s starter) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no server %q", name)
		}
		chosen = append(chosen, starters[i])
	}
	return chosen, nil
}

// against runs all cases against one server, and ends it.
func against(ctx context.Context, s starter, function string, in installation, limits []limit) report {
	begin := time.Now()
	r := report{server: s.name}
	running, err := s.start(ctx, in)
	if err != nil {
		r.err = err
		return r
	}
	defer running.stop()
	running.name = s.name
	r.start = time.Since(begin)
	begin = time.Now()
	log, err := os.Create(filepath.Join(in.temp, s.name+"-function.log"))
	if err != nil {
		r.err = err
		return r
	}
	defer log.Close()
	cases := run{server: running, binary: function, log: log, in: in}
	if err := cases.cases(ctx); err != nil {
		r.err = err
		return r
	}
	if err := cases.checkLog(log.Name()); err != nil {
		r.err = err
		return r
	}
	r.cases = time.Since(begin)
	r.judge(cases.results, limits)
	return r
}

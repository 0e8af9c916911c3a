// Coldstart measures how long the function takes from the start of its process to its
// first poll, against the least that a Go function can be, in turn.
//
//	make bench-coldstart
package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"bulkpresign/bench/fn"
)

func main() {
	rounds := flag.Int("rounds", 200, "how many `times` each is started; the median counts")
	deployed := flag.String("deployed", "", "the `binary` that is deployed, when it is for another processor: its size is told too")
	flag.Parse()
	if flag.NArg() > 0 || *rounds < 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(os.Stdout, *rounds, *deployed); err != nil {
		fmt.Fprintln(os.Stderr, "bench-coldstart:", err)
		os.Exit(1)
	}
}

// A contestant is a function that is started again and again.
type contestant struct {
	name, binary string
	megabytes    float64
	inits        []time.Duration
}

func run(w io.Writer, rounds int, deployed string) error {
	dir, err := os.MkdirTemp("", "coldstart")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ours := &contestant{name: "ours", binary: fn.Ours}
	bare := &contestant{name: "bare aws-lambda-go", binary: filepath.Join(dir, "bare")}
	if err := fn.Build("bare", bare.binary); err != nil {
		return err
	}
	both := []*contestant{ours, bare}
	for _, c := range both {
		if c.megabytes, err = megabytes(c.binary); err != nil {
			return err
		}
	}
	// The first rounds bring the binaries into the page cache.
	const warmUp = 3
	for round := range warmUp + rounds {
		for _, i := range rand.Perm(len(both)) {
			f, err := fn.Start(both[i].binary)
			if err != nil {
				return fmt.Errorf("%s: %w", both[i].name, err)
			}
			p, err := f.Process()
			f.Close()
			if err != nil {
				return fmt.Errorf("%s: %w", both[i].name, err)
			}
			if round >= warmUp {
				both[i].inits = append(both[i].inits, p.Init)
			}
		}
	}

	fmt.Fprintf(w, "from the start of the process to its first poll, medians of %d interleaved starts, warm page cache\n\n", rounds)
	fmt.Fprintln(w, "| function           | binary, MB | start, ms |")
	fmt.Fprintln(w, "|--------------------|-----------:|----------:|")
	for _, c := range both {
		fmt.Fprintf(w, "| %-18s | %10.2f | %9.2f |\n", c.name, c.megabytes, fn.Milliseconds(fn.Median(c.inits)))
	}
	size := ""
	if deployed != "" {
		mb, err := megabytes(deployed)
		if err != nil {
			return err
		}
		size = fmt.Sprintf(" (%.2f MB as deployed)", mb)
	}
	fmt.Fprintf(w, "\ncoldstart: %.2f x bare aws-lambda-go, binary %.2f MB%s\n",
		float64(fn.Median(ours.inits))/float64(fn.Median(bare.inits)), ours.megabytes, size)
	return nil
}

// megabytes are millions of bytes.
func megabytes(file string) (float64, error) {
	info, err := os.Stat(file)
	if err != nil {
		return 0, fmt.Errorf("there is nothing to measure (make build makes it): %w", err)
	}
	return float64(info.Size()) / 1e6, nil
}

package main

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"bulkpresign/internal/sigv4/sha256x16"
)

// A table has the contestants, and those by name that others are compared with.
type table struct {
	ours, rivals    []*contestant
	sdk             []*contestant // among the rivals, by batchSizes
	portable, batch *contestant   // among ours: headline keys on one core
	boto3           *contestant   // among the rivals; nil when it is left out
	limits          []*contestant // one stream of SHA-256 on each of so many processors, from one on
	compressions    float64       // a URL
	processes       []*process
	uploads         []duel
}

func (t *table) all() []*contestant {
	all := slices.Concat(t.limits, t.ours, t.rivals)
	for _, d := range t.uploads {
		all = append(all, d.ours, d.sdk)
	}
	return all
}

// limit is that of one processor.
func (t *table) limit() *contestant { return t.limits[0] }

func (t *table) stop() {
	for _, p := range t.processes {
		p.stop()
	}
}

// sdkFor is the SDK's client with batches of n keys, or of the headline's size.
func (t *table) sdkFor(n int) *contestant {
	var c *contestant
	for i, size := range batchSizes {
		if size == n {
			return t.sdk[i]
		}
		if size == headline {
			c = t.sdk[i]
		}
	}
	return c
}

func (t *table) print(w io.Writer, rounds int) {
	fmt.Fprintf(w, "%s, %d CPUs, %s/%s, %s\n", cpuModel(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	if forced != nil {
		fmt.Fprintf(w, "SHA-256 kernel: %v, as was asked for\n", forced)
	} else {
		fmt.Fprintf(w, "SHA-256 kernel: %v, as the signer chose by measuring\n", sha256x16.Best())
	}
	fmt.Fprintf(w, "GetObject, %d keys of 40 to 80 bytes, a session token of %d characters: "+
		"%.1f compressions of SHA-256 a URL; medians of %d interleaved rounds\n",
		numKeys, tokenLength, t.compressions, rounds)
	fmt.Fprintf(w, "cores: GOMAXPROCS, of which ours uses one for batches under %d keys; "+
		"x: times as fast as the SDK's client in as large batches (else of %d), and as boto3\n\n", splitFrom, headline)

	rows := [][]string{{"signer", "cores", "keys a batch", "ns a URL", "URLs a second", "allocations a URL", "x Go SDK", "x boto3"}}
	for _, c := range t.ours {
		rows = append(rows, t.row(c))
	}
	for _, c := range t.limits {
		limit := t.row(c)
		limit[2], limit[5] = "", ""
		rows = append(rows, limit)
	}
	for _, c := range t.rivals {
		rows = append(rows, t.row(c))
	}
	writeMarkdown(w, rows)
	fmt.Fprintln(w)
	t.printUploads(w)
	fmt.Fprintln(w)
	writeMarkdown(w, kernelRows())

	if fastest, usual := t.limit().fastest(), t.limit().median().ns; usual > 1.2*fastest {
		fmt.Fprintf(w, "\nThe machine was busy: a loop of nothing but SHA-256 usually took %.1f times as long as at best.\n", usual/fastest)
	}

	batch, portable := t.batch.median(), t.portable.median()
	sdk := t.sdkFor(headline).median()
	fmt.Fprintf(w, "\nsign %d keys: %s x SDK batch, %s x SDK portable, %s x one-stream SHA-256 limit, %s allocs/URL\n",
		headline, ratio(sdk, batch), ratio(sdk, portable), ratio(t.limit().median(), batch), allocs(batch))
}

func (t *table) row(c *contestant) []string {
	m := c.median()
	boto3 := ""
	if t.boto3 != nil {
		boto3 = ratio(t.boto3.median(), m)
	}
	return []string{
		c.name, strconv.Itoa(c.cores), thousands(float64(c.keys)),
		thousands(m.ns), thousands(1e9 / m.ns), allocs(m),
		ratio(t.sdkFor(c.keys).median(), m), boto3,
	}
}

// ratio says how many times as fast as slow is fast.
func ratio(slow, fast cost) string {
	r := slow.ns / fast.ns
	switch {
	case r < 10:
		return fmt.Sprintf("%.2f", r)
	case r < 100:
		return fmt.Sprintf("%.1f", r)
	}
	return thousands(r)
}

// allocs rounds to hundredths, since the runtime now and then allocates on its own.
func allocs(c cost) string {
	if math.IsNaN(c.allocs) {
		return ""
	}
	return strconv.FormatFloat(math.Round(c.allocs*100)/100, 'f', -1, 64)
}

func thousands(x float64) string {
	s := strconv.FormatFloat(x, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// writeMarkdown writes a table that also reads well as it is: all columns but the first are
// numbers and stand to the right.
func writeMarkdown(w io.Writer, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for n, row := range rows {
		for i, cell := range row {
			if i == 0 {
				fmt.Fprintf(w, "| %-*s |", widths[i], cell)
			} else {
				fmt.Fprintf(w, " %*s |", widths[i], cell)
			}
		}
		fmt.Fprintln(w)
		if n == 0 {
			for i, width := range widths {
				if i == 0 {
					fmt.Fprintf(w, "|%s|", strings.Repeat("-", width+2))
				} else {
					fmt.Fprintf(w, "%s:|", strings.Repeat("-", width+1))
				}
			}
			fmt.Fprintln(w)
		}
	}
}

// cpuModel is the processor's name, where Linux knows it.
func cpuModel() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range bytes.Lines(info) {
		if name, value, ok := strings.Cut(string(line), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

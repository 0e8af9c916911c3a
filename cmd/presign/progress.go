package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// plainEvery is how often a line of progress is written where there is no terminal.
const plainEvery = 10 * time.Second

// progress tells how far a transfer is, on standard error: a bar on a terminal, with -v lines elsewhere, else nothing.
type progress struct {
	to      io.Writer
	verbose bool

	mu                  sync.Mutex
	bar                 *progressbar.ProgressBar
	files, doneFiles    int
	total, done, before int64 // bytes; before: of the last line
	last                time.Time
}

// newProgress begins for so many files and bytes; a total of -1 is not known.
func newProgress(to io.Writer, verbose bool, files int, total int64) *progress {
	p := &progress{to: to, verbose: verbose, files: files, total: total, last: time.Now()}
	if file, ok := to.(*os.File); ok && term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb" {
		p.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(to), progressbar.OptionShowBytes(true), progressbar.OptionUseANSICodes(true),
			progressbar.OptionEnableColorCodes(false), // so there is nothing that NO_COLOR would have to turn off
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(20), progressbar.OptionSetPredictTime(true))
	}
	return p
}

// add counts bytes; fewer than 0 are those of a try that failed.
func (p *progress) add(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	if p.bar != nil {
		p.bar.Set64(max(0, p.done))
		return
	}
	if now := time.Now(); p.verbose && now.Sub(p.last) >= plainEvery {
		rate := float64(p.done-p.before) / now.Sub(p.last).Seconds()
		fmt.Fprintf(p.to, "presign: %d of %s done, %s, %s/s\n", p.doneFiles, counted(p.files, "file"), size(p.done), size(int64(rate)))
		p.last, p.before = now, p.done
	}
}

// more is what a total that was not known grows by.
func (p *progress) more(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total = max(p.total, 0) + n
	if p.bar != nil {
		p.bar.ChangeMax64(p.total)
	}
}

func (p *progress) file() {
	p.mu.Lock()
	p.doneFiles++
	p.mu.Unlock()
}

// tell writes a sentence, and the bar again behind it.
func (p *progress) tell(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		p.bar.Clear()
	}
	fmt.Fprintf(p.to, "presign: "+format+"\n", args...)
	if p.bar != nil {
		p.bar.RenderBlank()
	}
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		p.bar.Clear()
	}
}

// size is a number of bytes for people.
func size(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n)/1024, 0
	for ; f >= 1024 && unit < len(units)-1; unit++ {
		f /= 1024
	}
	return fmt.Sprintf("%.1f %ciB", f, units[unit])
}

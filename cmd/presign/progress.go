package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// plainEvery is how often a line of progress is written where there is no terminal.
const plainEvery = 10 * time.Second

// drawEvery is how often the bar is drawn.
const drawEvery = 100 * time.Millisecond

// wipe takes away what stands in the terminal's line.
const wipe = "\r\x1b[2K"

// progress tells how far a transfer is, on standard error: a bar on a terminal, with -v lines elsewhere, else nothing.
type progress struct {
	to      io.Writer
	screen  *os.File // nil: no terminal that can be drawn on
	verbose bool

	mu                  sync.Mutex
	bar                 *progressbar.ProgressBar
	drawn               bool // there is a line that is drawn over
	files, doneFiles    int
	total, done, before int64     // bytes; before: of the last line
	fixed               bool      // the total is known from the start
	last                time.Time // of a line, or of the bar
	state               string    // of what is waited for, or the files, as they were last told
}

// newProgress begins for so many files and bytes; a total of -1 is not known. With no files it only tells.
func newProgress(to io.Writer, verbose bool, files int, total int64) *progress {
	p := &progress{to: to, verbose: verbose, files: files, total: max(total, 0), fixed: total >= 0, last: time.Now()}
	if file, ok := to.(*os.File); ok && term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb" {
		p.screen = file
	}
	if p.screen != nil && files > 0 {
		p.bar = progressbar.NewOptions64(max(p.total, 1), progressbar.OptionSetWriter(fitting{p.screen}), progressbar.OptionShowBytes(true), progressbar.OptionUseANSICodes(true),
			progressbar.OptionEnableColorCodes(false), // so there is nothing that NO_COLOR would have to turn off
			progressbar.OptionUseIECUnits(true), progressbar.OptionShowCount(), progressbar.OptionSetWidth(16),
			progressbar.OptionSetPredictTime(p.fixed), progressbar.OptionSetDescription(p.counts()))
		_ = p.bar.RenderBlank() // from now on it counts the time
	}
	return p
}

// fitting cuts what is drawn to the width that the terminal has right now: what wraps into a second line could not be
// drawn over.
type fitting struct{ to *os.File }

func (f fitting) Write(p []byte) (int, error) {
	width, _, err := term.GetSize(int(f.to.Fd()))
	if err != nil || width <= 1 {
		width = 80
	}
	if _, err := f.to.Write(fit(p, width-1)); err != nil { // in the last column some terminals begin the next line
		return 0, err
	}
	return len(p), nil
}

// fit leaves out what is behind so many columns. Sequences of control take none.
func fit(text []byte, columns int) []byte {
	kept, at := make([]byte, 0, len(text)), 0
	for i := 0; i < len(text); {
		n := 1
		switch {
		case text[i] == '\r':
			at = 0
		case text[i] == '\x1b':
			if end := bytes.IndexFunc(text[i:], func(c rune) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }); end > 0 {
				n = end + 1
			}
		default:
			_, n = utf8.DecodeRune(text[i:])
			if at++; at > columns {
				i += n
				continue
			}
		}
		kept = append(kept, text[i:i+n]...)
		i += n
	}
	return kept
}

func (p *progress) counts() string {
	return fmt.Sprintf("%d/%s", p.doneFiles, counted(p.files, "file"))
}

// begin says with -v what there is to do.
func (p *progress) begin(what string) {
	if p.bar == nil && p.verbose {
		text := what + " " + counted(p.files, "file")
		if p.fixed {
			text += ", " + size(p.total)
		}
		p.tell("%s", text)
	}
}

// add counts bytes; fewer than 0 are those of a try that failed.
func (p *progress) add(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	if p.bar != nil {
		p.draw(false)
		return
	}
	if now := time.Now(); p.verbose && now.Sub(p.last) >= plainEvery {
		rate := float64(p.done-p.before) / now.Sub(p.last).Seconds()
		fmt.Fprintf(p.to, "presign: %d of %s done, %s, %s/s\n", p.doneFiles, counted(p.files, "file"), size(p.done), size(int64(max(rate, 0))))
		p.last, p.before = now, p.done
	}
}

// draw shows the bar. It is never full before the end, since a full one is not drawn again, and there may be more to come.
func (p *progress) draw(now bool) {
	if !now && time.Since(p.last) < drawEvery {
		return
	}
	p.last = time.Now()
	if p.bar.GetMax64() != max(p.total, 1) {
		p.bar.ChangeMax64(max(p.total, 1))
	}
	_ = p.bar.Set64(min(max(0, p.done), max(p.total, 1)-1))
	if counts := p.counts(); counts != p.state {
		p.bar.Describe(counts)
		p.state = counts
	}
}

// more is what a total that was not known grows by.
func (p *progress) more(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.fixed {
		p.total += n
	}
}

// file counts a file that has ended.
func (p *progress) file() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doneFiles++
}

// pause waits for a while, and says meanwhile how what it waits for goes. It gives false when the context has ended.
func (p *progress) pause(ctx context.Context, long time.Duration, state string, began time.Time) bool {
	end, tick := time.After(long), time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		p.wait(state, time.Since(began))
		select {
		case <-ctx.Done():
			return false
		case <-end:
			return true
		case <-tick.C:
		}
	}
}

// wait says how a wait goes: on a terminal in a line that is drawn over, elsewhere with -v in a line now and then, and when
// something has changed.
func (p *progress) wait(state string, been time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := fmt.Sprintf("presign: waiting, %v: %s", been.Truncate(time.Second), oneLine(state))
	switch now := time.Now(); {
	case p.screen != nil:
		fmt.Fprint(fitting{p.screen}, wipe+text)
		p.drawn = true
	case p.verbose && (state != p.state || now.Sub(p.last) >= plainEvery):
		fmt.Fprintln(p.to, text)
		p.state, p.last = state, now
	}
}

// tell writes a sentence in lines of its own, and the bar again behind it.
func (p *progress) tell(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintf(p.to, "presign: "+format+"\n", args...)
	if p.bar != nil {
		p.draw(true)
	}
}

// end takes the bar away.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.bar = nil
}

func (p *progress) clear() {
	if p.bar != nil || p.drawn {
		fmt.Fprint(p.to, wipe)
		p.drawn = false
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

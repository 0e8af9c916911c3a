package main_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/creack/pty"
)

// terminal is what somebody sees of what a program writes.
type terminal struct {
	width    int
	rows     [][]rune
	row, col int
	bars     []string // each that was drawn
	unknown  []string // sequences of control that it does not know
}

var controlSequence = regexp.MustCompile(`^\x1b\[([0-9;]*)([A-Za-z])`)

func (s *terminal) write(text string) {
	for len(text) > 0 {
		for len(s.rows) <= s.row {
			s.rows = append(s.rows, nil)
		}
		line := &s.rows[s.row]
		if found := controlSequence.FindStringSubmatch(text); found != nil {
			switch found[1] + found[2] {
			case "2K":
				*line = nil
			case "0K", "K":
				*line = (*line)[:min(s.col, len(*line))]
			default:
				s.unknown = append(s.unknown, found[0])
			}
			if strings.Contains(string(*line), "/2 files") || strings.Contains(string(*line), "/1 file ") {
				s.bars = append(s.bars, string(*line))
			}
			text = text[len(found[0]):]
			continue
		}
		c, n := utf8.DecodeRuneInString(text)
		switch text = text[n:]; {
		case c == '\r':
			s.col = 0
		case c == '\n':
			s.row++
		case c < ' ':
			s.unknown = append(s.unknown, string(c))
		default:
			if s.col == s.width {
				s.row, s.col = s.row+1, 0
				s.rows = append(s.rows, nil)
				line = &s.rows[s.row]
			}
			for len(*line) <= s.col {
				*line = append(*line, ' ')
			}
			(*line)[s.col] = c
			s.col++
		}
	}
}

// lines are those that are left.
func (s *terminal) lines() (all []string) {
	for _, row := range s.rows {
		all = append(all, strings.TrimRight(string(row), " "))
	}
	return slices.DeleteFunc(all, func(line string) bool { return line == "" })
}

// onTerminal runs the command where standard error is a terminal of so many columns. seen is told of what is written.
func (b *bed) onTerminal(t *testing.T, columns int, seen func(s *terminal, cmd *exec.Cmd), args ...string) (s *terminal, raw string, status int) {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	if err := pty.Setsize(slave, &pty.Winsize{Rows: 24, Cols: uint16(columns)}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env, cmd.Dir, cmd.Stderr = b.env, b.home, slave
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	s = &terminal{width: columns}
	var all bytes.Buffer
	for p := make([]byte, 4096); ; {
		n, err := master.Read(p)
		all.Write(p[:n])
		s.write(string(p[:n])) // the command writes characters whole
		if seen != nil {
			seen(s, cmd)
		}
		if err != nil { // the other end is closed
			if !errors.Is(err, syscall.EIO) && err != io.EOF {
				t.Error(err)
			}
			break
		}
	}
	_ = cmd.Wait()
	if strings.Contains(all.String(), "X-Amz-Signature") {
		t.Error("a signature is on the terminal")
	}
	return s, all.String(), cmd.ProcessState.ExitCode()
}

// The bar of a transfer is drawn over in one line of whatever width; what goes wrong stands in lines of its own, and at the
// end nothing of the bar is left.
func TestBar(t *testing.T) {
	b := newBed(t)
	began, refused := make(chan struct{}, 9), make(chan struct{}, 9)
	var bar atomic.Value // a channel: of the bar having been drawn
	over := make(chan struct{})
	wait := func(c <-chan struct{}) {
		select {
		case <-c:
		case <-over:
		}
	}
	b.inFront(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case (r.Method == http.MethodPut || r.Method == http.MethodGet) && strings.HasSuffix(r.URL.Path, "/bad"):
				wait(began) // of the good one
				w.WriteHeader(http.StatusForbidden)
				io.WriteString(w, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
				refused <- struct{}{}
			case r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/good"):
				began <- struct{}{}
				wait(refused)
				wait(bar.Load().(chan struct{}))
				next.ServeHTTP(w, r)
			case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/good"):
				next.ServeHTTP(&halfWriter{ResponseWriter: w, left: 5 << 20, full: func() {
					began <- struct{}{}
					wait(refused)
					wait(bar.Load().(chan struct{}))
				}, on: true}, r)
			default:
				next.ServeHTTP(w, r)
			}
		})
	})
	t.Cleanup(func() { close(over) })
	b.write(t, "up/good", bytesOf(1, 20<<20))
	b.write(t, "up/bad", []byte("b"))
	if err := b.s3.Put("photos", "down/bad", []byte("b")); err != nil {
		t.Fatal(err)
	}
	if err := b.s3.Put("photos", "down/good", bytesOf(1, 20<<20)); err != nil {
		t.Fatal(err)
	}
	list := b.run(t, "", "get", "s3://photos/down/", "-format", "ndjson").out
	b.write(t, "list.ndjson", []byte(list))
	env := b.env
	put, fetched := []string{"put", "up", "s3://photos/in/"}, []string{"fetch", "s3://photos/down/", "-to", "down"}
	for _, test := range []struct {
		name    string
		columns int
		env     string
		args    []string
		bar     bool
	}{
		{"put", 80, "TERM=xterm", put, true},
		{"put, 120 columns", 120, "TERM=xterm", put, true},
		{"put, 30 columns", 30, "TERM=xterm", put, true},
		{"put, 12 columns", 12, "TERM=xterm", put, true},
		{"put, no width", 0, "TERM=xterm", put, true},
		{"put, NO_COLOR", 80, "NO_COLOR=1", put, true},
		{"put, a dumb terminal", 80, "TERM=dumb", put, false},
		{"fetch", 80, "TERM=xterm", fetched, true},
		{"fetch, 30 columns", 30, "TERM=xterm", fetched, true},
		{"fetch, sizes not known", 80, "TERM=xterm", []string{"fetch", "list.ndjson", "-to", "down"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			b.env = append(env, test.env)
			os.RemoveAll(filepath.Join(b.home, "down"))
			shown := make(chan struct{})
			bar.Store(shown)
			drawn := false
			args := slices.Clone(test.args)
			if args[0] == "put" {
				args[2] += test.name + "/"
			}
			if !test.bar {
				close(shown)
			}
			width := test.columns
			if width == 0 {
				width = 200 // what has none wraps nowhere
			}
			s, raw, status := b.onTerminal(t, test.columns, func(s *terminal, _ *exec.Cmd) {
				// Some of the bytes, and behind the failure.
				if s.width = width; test.bar && !drawn && len(s.bars) > 1 && strings.Contains(strings.Join(s.lines(), ""), "AccessDe") {
					drawn = true
					close(shown)
				}
			}, args...)
			if status != 1 {
				t.Errorf("status %d", status)
			}
			if len(s.unknown) > 0 {
				t.Errorf("it writes %q", s.unknown)
			}
			verb := map[string]string{"put": "uploaded", "fetch": "downloaded"}[test.args[0]]
			key := map[string]string{"put": "bad", "fetch": "down/bad"}[test.args[0]]
			want := "presign: " + key + ": S3 answers AccessDenied: Access Denied"
			if test.args[0] == "fetch" && test.args[1] == "list.ndjson" {
				want += " (presign doctor says: "
			}
			left := s.lines()
			text := strings.Join(left, "\n")
			if width < 80 {
				text = strings.Join(left, "") // sentences wrap
			}
			squeezed := strings.ReplaceAll(text, " ", "")
			for _, sentence := range []string{want, "presign: " + verb + " 1 file, 20.0 MiB; 0 there already; 1 failed", "presign: 1 of 2 files failed"} {
				if !strings.Contains(squeezed, strings.ReplaceAll(sentence, " ", "")) {
					t.Errorf("it does not say %q:\n%s", sentence, text)
				}
			}
			for _, line := range left {
				if width >= 80 && !strings.HasPrefix(line, "presign: ") && !strings.Contains(want, "doctor") {
					t.Errorf("a line %q", line)
				}
				if strings.ContainsAny(line, "%█|") {
					t.Errorf("the bar is left: %q", line)
				}
			}
			if !test.bar {
				if strings.ContainsAny(strings.ReplaceAll(raw, "\r\n", "\n"), "\r\x1b") {
					t.Errorf("it draws on a dumb terminal: %q", raw)
				}
				return
			}
			if len(s.bars) == 0 {
				t.Fatal("no bar was drawn")
			}
			for _, one := range s.bars {
				if len([]rune(one)) >= width || !strings.HasPrefix(one, "0/2 files") && !strings.HasPrefix(one, "1/2 files") && !strings.HasPrefix(one, "2/2 files") {
					t.Errorf("a bar %q", one)
				}
			}
			if last := s.bars[len(s.bars)-1]; width >= 80 && (!strings.Contains(last, "% |") || !strings.Contains(last, "MiB")) {
				t.Errorf("the last bar is %q", last)
			}
		})
	}
}

// Ctrl-C takes the bar away and says how to go on.
func TestBarStopped(t *testing.T) {
	b := newBed(t)
	release := make(chan struct{})
	b.inFront(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				<-release
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	t.Cleanup(func() { close(release) })
	b.write(t, "up/a", bytesOf(1, 20<<20))
	b.env = append(b.env, "TERM=xterm")
	sent := false
	s, _, status := b.onTerminal(t, 80, func(s *terminal, cmd *exec.Cmd) {
		if len(s.bars) > 0 && !sent {
			sent = true
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Error(err)
			}
		}
	}, "put", "up", "s3://photos/in/")
	want := []string{"presign: stopped; the same command goes on from here", "presign: uploaded 0 files, 0 B; 0 there already; 0 failed; 1 not done", "presign: none of 1 file was uploaded"}
	if got := s.lines(); status != 2 || !slices.Equal(got, want) {
		t.Errorf("status %d: %q", status, got)
	}
}

// typed types to a program on a terminal, in turn what is typed and what is waited for. It gives what the program wrote if
// that does not come.
func typed(t *testing.T, cmd *exec.Cmd, turns ...string) string {
	t.Helper()
	master, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		master.Close()
	}()
	came := make(chan string)
	go func() {
		defer close(came)
		for p := make([]byte, 4096); ; {
			n, err := master.Read(p)
			if err != nil {
				return
			}
			came <- string(p[:n])
		}
	}()
	defer func() {
		go func() {
			for range came {
			}
		}()
	}()
	deadline := time.After(20 * time.Second)
	for turn := range slices.Chunk(turns, 2) {
		if _, err := io.WriteString(master, turn[0]); err != nil {
			t.Fatal(err)
		}
		for all := ""; !strings.Contains(all, turn[1]); {
			select {
			case text, ok := <-came:
				if all += text; !ok {
					return all
				}
			case <-deadline:
				return all
			}
		}
	}
	return ""
}

package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// Without a terminal -v writes a line at the beginning and one now and then, and nothing else does.
func TestPlainProgress(t *testing.T) {
	for _, verbose := range []bool{false, true} {
		var out bytes.Buffer
		p := newProgress(&out, verbose, 3, 4<<20)
		p.begin("uploading")
		p.add(1 << 20)
		p.last = p.last.Add(-plainEvery)
		p.file()
		p.add(1 << 20)
		p.add(-1 << 20) // a try that failed
		p.tell("a: failed")
		p.last = p.last.Add(-plainEvery)
		p.add(-1 << 20)
		p.last = p.last.Add(-plainEvery)
		p.wait("queued", time.Minute)
		p.wait("queued", 61*time.Second)
		p.wait("half is done", 62*time.Second)
		p.last = p.last.Add(-plainEvery)
		p.wait("half is done", 72*time.Second)
		p.end()
		want := "presign: a: failed\n"
		if verbose {
			want = "presign: uploading 3 files, 4.0 MiB\npresign: 1 of 3 files done, 2.0 MiB, RATE/s\n" + want +
				"presign: 1 of 3 files done, 0 B, RATE/s\npresign: waiting, 1m0s: queued\npresign: waiting, 1m2s: half is done\npresign: waiting, 1m12s: half is done\n"
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			if at := strings.LastIndex(line, ", "); strings.HasSuffix(line, "/s\n") {
				line = line[:at] + ", RATE/s\n"
			}
			got = append(got, line)
		}
		if strings.Join(got, "") != want {
			t.Errorf("verbose %v: %q", verbose, got)
		}
	}
}

// What is drawn is cut to the terminal's columns; sequences of control stay whole.
func TestFit(t *testing.T) {
	for _, test := range []struct {
		text    string
		columns int
		want    string
	}{
		{"\r  12% |███   | (1/2 MiB)\x1b[0K", 10, "\r  12% |███\x1b[0K"},
		{"\rshort\x1b[0K", 10, "\rshort\x1b[0K"},
		{wipe + "presign: waiting", 9, wipe + "presign: "},
	} {
		if got := string(fit([]byte(test.text), test.columns)); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

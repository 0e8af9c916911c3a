//go:build unix

package main

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// foreground makes this process, and those that it starts, the one group that the terminal's Ctrl-C goes to, until
// restore is called. make, which would call the same Ctrl-C an error, does not hear of it, and so "make local" ends as
// this program does: with status 0. Without a terminal nothing is done.
func foreground() (restore func()) {
	terminal, err := os.Open("/dev/tty")
	if err != nil {
		return func() {}
	}
	fd := int(terminal.Fd())
	before, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	if err != nil || before != unix.Getpgrp() { // in the background already
		terminal.Close()
		return func() {}
	}
	// Whoever takes the terminal from the background is stopped, unless the signal is ignored.
	signal.Ignore(unix.SIGTTOU)
	if unix.Setpgid(0, 0) != nil || unix.IoctlSetPointerInt(fd, unix.TIOCSPGRP, unix.Getpid()) != nil {
		terminal.Close()
		return func() {}
	}
	return func() {
		_ = unix.IoctlSetPointerInt(fd, unix.TIOCSPGRP, before)
		terminal.Close()
	}
}

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/status"
)

// terminalPair is a pseudo-terminal (pty(7)): what is written to the one side as to a terminal is read from the other.
func terminalPair(t *testing.T) (screen, terminal *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	return screen, terminal
}

// On a terminal the counter stays on one line, which makes way for how it ended.
func TestDrainWaitOnATerminal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	d := &fake{desk: desk{states: []status.Wishes{draining(3), draining(12), draining(3), draining(1), draining(0)}}}
	socket := filepath.Join(t.TempDir(), "s")
	serve(t, socket, d, nil)
	screen, terminal := terminalPair(t)
	written := make(chan string)
	go func() {
		text, _ := io.ReadAll(screen) // an error is its end: nobody has the other side any more
		written <- string(text)
	}()
	code := run(t.Context(), []string{"--socket", socket, "drain", "web1", "--wait"}, terminal, terminal)
	if err := terminal.Close(); err != nil {
		t.Fatal(err)
	}
	text := <-written
	if err := screen.Close(); err != nil {
		t.Fatal(err)
	}
	const left = ", 9m0s until the deadline\x1b[K"
	want := "198.51.100.1:80 drains for tcp 192.0.2.1:80\r\n\rconnections left: 3" + left + "\rconnections left: 12" + left + "\rconnections left: 3" + left + "\rconnections left: 1" + left + "\r\x1b[Kdrained after "
	if code != 0 || !strings.HasPrefix(text, want) || strings.Count(text, "\n") != 2 {
		t.Errorf("%d\n%q\nwant\n%q", code, text, want)
	}
}

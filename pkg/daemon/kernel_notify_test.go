//go:build kernel

package daemon_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// systemd receives what a service manager is told (sd_notify(3)): messages of one or more lines such as "READY=1".
type systemd struct {
	t        *testing.T
	path     string
	messages chan string
}

func newSystemd(t *testing.T) *systemd {
	t.Helper()
	s := &systemd{t: t, path: filepath.Join(t.TempDir(), "notify"), messages: make(chan string, 1000)}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: s.path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		b := make([]byte, 4096)
		for n, err := conn.Read(b); err == nil; n, err = conn.Read(b) {
			s.messages <- string(b[:n])
		}
	}()
	return s
}

// expect waits for a message with a line that begins so, and skips none but those whose lines all begin as one of the
// others. It returns the message's lines.
func (s *systemd) expect(begin string, others ...string) []string {
	s.t.Helper()
	limit := time.After(ipvsd.Patience)
	for {
		select {
		case m := <-s.messages:
			lines := strings.Split(m, "\n")
			if slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, begin) }) {
				return lines
			}
			for _, l := range lines {
				if !slices.ContainsFunc(others, func(o string) bool { return strings.HasPrefix(l, o) }) {
					s.t.Fatalf("systemd got %q while %q was expected", m, begin)
				}
			}
		case <-limit:
			s.t.Fatalf("systemd got no message with %q", begin)
		}
	}
}

// monotonic is the time that MONOTONIC_USEC is given in.
func monotonic(t *testing.T) int64 {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatal(err)
	}
	return now.Nano() / int64(time.Microsecond)
}

// What systemd is told, and the files that there are meanwhile.
func TestKernelNotifyAndFiles(t *testing.T) {
	director, manager := lab.NewHost(t, "director"), newSystemd(t)
	d := ipvsd.Start(t, director, ipvsd.Unchecked, "NOTIFY_SOCKET="+manager.path, "WATCHDOG_USEC=200000")
	if m := manager.expect("READY=1", "STATUS="); !slices.Contains(m, "STATUS=services: 2, servers alive: 3 of 3") {
		t.Errorf("at the start systemd got %q", m)
	}
	manager.expect("WATCHDOG=1", "STATUS=")
	manager.expect("WATCHDOG=1", "STATUS=")

	for _, f := range []struct {
		name string
		mode fs.FileMode
	}{{"socket", fs.ModeSocket | 0o600}, {"state", fs.ModeDir | 0o700}, {"state/owned.json", 0o600}, {"pid", 0o644}} {
		if info, err := os.Stat(d.Path(f.name)); err != nil || info.Mode() != f.mode {
			t.Errorf("%s: %v %v, want mode %v", f.name, info, err, f.mode)
		}
	}
	if text, err := os.ReadFile(d.Path("pid")); string(text) != fmt.Sprintln(d.Process.PID()) {
		t.Errorf("the pid file holds %q: %v", text, err)
	}

	before := monotonic(t)
	d.Write(ipvsd.Unchecked[strings.LastIndex(ipvsd.Unchecked, "[[virtual_server]]"):])
	d.Process.Signal(syscall.SIGHUP)
	m := manager.expect("RELOADING=1", "WATCHDOG=1", "STATUS=")
	stamp := slices.IndexFunc(m, func(l string) bool { return strings.HasPrefix(l, "MONOTONIC_USEC=") })
	if stamp < 0 {
		t.Fatalf("the message %q has no MONOTONIC_USEC", m)
	}
	_, value, _ := strings.Cut(m[stamp], "=")
	if at, err := strconv.ParseInt(value, 10, 64); err != nil || at < before || at > monotonic(t) {
		t.Errorf("MONOTONIC_USEC=%s: not between %d and now: %v", value, before, err)
	}
	m = manager.expect("READY=1", "WATCHDOG=1", "STATUS=")
	if !slices.Contains(m, "STATUS=services: 1, servers alive: 1 of 1") {
		t.Errorf("after the reload systemd got %q", m)
	}
	ipvsd.WaitSaved(t, director, "-A -u 192.0.2.1:53 -s rr\n-a -u 192.0.2.1:53 -r 198.51.100.1:53 -m -w 1")

	d.Write("wrong")
	d.Process.Signal(syscall.SIGHUP)
	manager.expect("RELOADING=1", "WATCHDOG=1", "STATUS=")
	m = manager.expect("READY=1", "WATCHDOG=1", "STATUS=")
	if !strings.Contains(strings.Join(m, "\n"), "a newer configuration was rejected") {
		t.Errorf("after the reload of a wrong file systemd got %q", m)
	}

	d.Stop()
	manager.expect("STOPPING=1", "WATCHDOG=1", "STATUS=")
	for _, gone := range []string{"socket", "pid"} {
		if _, err := os.Stat(d.Path(gone)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s at the end: %v, want it gone", gone, err)
		}
	}
}

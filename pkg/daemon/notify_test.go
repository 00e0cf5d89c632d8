package daemon

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
)

// listener is a socket for sd_notify(3). It is read without waiting, as a bubble demands.
type listener int

func newListener(t *testing.T) listener {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	path := filepath.Join(t.TempDir(), "notify")
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", path)
	return listener(fd)
}

// told returns what has been said since the last time, a line for each variable.
func (s listener) told() string {
	var all []string
	message := make([]byte, 4096)
	for {
		n, _, err := unix.Recvfrom(int(s), message, unix.MSG_DONTWAIT)
		if err != nil {
			return strings.Join(all, "\n")
		}
		all = append(all, string(message[:n]))
	}
}

// The line of status follows the servers, and says it when the table can't be kept.
func TestStatusLine(t *testing.T) {
	s := newListener(t)
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(time.Second)
		if got := s.told(); !strings.Contains(got, "READY=1") || !strings.HasSuffix(got, "STATUS=services: 1, servers alive: 3 of 3") {
			t.Errorf("start: %q", got)
		}
		h.pass(time.Minute)
		if got := s.told(); got != "" {
			t.Errorf("without news: %q", got)
		}
		h.down.Store(third, true)
		h.pass(5 * time.Second)
		if got := s.told(); got != "STATUS=services: 1, servers alive: 2 of 3" {
			t.Errorf("a server died: %q", got)
		}
		h.kernel.SetLoaded(false)
		h.pass(time.Second)
		if got := s.told(); !strings.HasPrefix(got, "STATUS=") || !strings.Contains(got, "modprobe ip_vs") {
			t.Errorf("no module: %q", got)
		}
		h.kernel.SetLoaded(true)
		h.pass(2 * time.Second)
		if got := s.told(); got != "STATUS=services: 1, servers alive: 2 of 3" {
			t.Errorf("the module is back: %q", got)
		}
		h.stop()
		if got := s.told(); got != "STOPPING=1" {
			t.Errorf("stop: %q", got)
		}
	})
}

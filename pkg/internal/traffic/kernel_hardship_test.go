//go:build kernel

package traffic

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"github.com/ipvsd/ipvsd/pkg/status"
)

const hardConfig = `
[vrrp_instance.VI_1]
interface = "eth0"
virtual_router_id = 51
priority = 200
advert_int = 0.3
version = 3
virtual_ipaddress = ["192.0.2.1/32"]

[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
lb_algo = "rr"
delay_loop = "300ms"
retry = 0
TCP_CHECK = true
real_servers = ["10.0.100.2:80", "10.0.100.3:80"]

[[virtual_server]]
address = "192.0.2.1:81"
protocol = "TCP"
lb_algo = "rr"
delay_loop = 1
MISC_CHECK = { misc_path = "/bin/true", misc_timeout = 60, user = "root" }
real_servers = ["10.0.100.2:81"]
`

const (
	hardTable = `
-A -t 192.0.2.1:80 -s rr
-a -t 192.0.2.1:80 -r 10.0.100.2:80 -m -w 1
-a -t 192.0.2.1:80 -r 10.0.100.3:80 -m -w 1
-A -t 192.0.2.1:81 -s rr
-a -t 192.0.2.1:81 -r 10.0.100.2:81 -m -w 1
`
	secondServer = "-a -t 192.0.2.1:80 -r 10.0.100.3:80 -m -w 1\n"
)

// hard is a director with a virtual router and two servers, one of which can be stopped.
type hard struct {
	t        *testing.T
	director *lab.Host
	servers  *lab.Host
	second   net.Listener
	*ipvsd.Daemon
}

func newHard(t *testing.T) *hard {
	bridge := lab.NewBridge(t, "internal", 1500)
	h := &hard{t: t, director: lab.NewHost(t, "director"), servers: lab.NewHost(t, "servers")}
	h.director.Connect(bridge, "eth0", "10.0.100.1/24")
	h.servers.Connect(bridge, "eth0", "10.0.100.2/24", "10.0.100.3/24")
	h.listen("10.0.100.2:80")
	h.second = h.listen("10.0.100.3:80")
	h.Daemon = ipvsd.New(t, h.director, hardConfig)
	return h
}

func (h *hard) listen(at string) net.Listener {
	h.t.Helper()
	l, err := h.servers.Listen("tcp", at)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = l.Close() })
	go func() {
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			_ = conn.Close()
		}
	}()
	return l
}

// works says that the daemon does its work: it has its address, and a server that dies leaves the table and comes back.
func (h *hard) works(when string) {
	h.t.Helper()
	ipvsd.WaitSaved(h.t, h.director, hardTable)
	_ = h.second.Close()
	ipvsd.WaitSaved(h.t, h.director, strings.Replace(hardTable, secondServer, "", 1))
	h.second = h.listen("10.0.100.3:80")
	ipvsd.WaitSaved(h.t, h.director, hardTable)
	lab.WaitFor(h.t, ipvsd.Patience, "the address "+when, func() error {
		if !h.hasAddress() {
			return errors.New("it isn't there")
		}
		return nil
	})
}

func (h *hard) hasAddress() bool {
	return strings.Contains(h.director.Run("ip", "-o", "address", "show", "dev", "eth0"), " 192.0.2.1/32 ")
}

// gained is how often the instance became active: once, unless it ever ceased to be.
func (h *hard) gained() int { return strings.Count(h.Process.Log(), "to=MASTER") }

// A disk that is full keeps the director from nothing. The status says so, until it is over. Nor does one that is read-only, or becomes it, nor a log
// that nobody reads.
func TestKernelFullDisk(t *testing.T) {
	h := newHard(t)
	state := h.Path("state")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", state, "tmpfs", 0, "size=64k,mode=0700"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(state, unix.MNT_DETACH) })
	h.Start()
	ipvsd.WaitSaved(t, h.director, hardTable)

	filler := filepath.Join(state, "filler")
	if err := os.WriteFile(filler, bytes.Repeat([]byte{1}, 1<<17), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("128 kB on a disk of 64 kB: %v", err)
	}
	h.Load(hardConfig + "\n[[virtual_server]]\naddress = \"192.0.2.2:80\"\nprotocol = \"TCP\"\nTCP_CHECK = false\nreal_servers = [\"10.0.100.2:80\"]\n")
	h.WaitStatus("the status to tell of the full disk", func(s *status.Snapshot) error {
		if !strings.Contains(s.Table.Record, "no space left on device") || len(s.Services) != 3 {
			return fmt.Errorf("it says %q, with %d services", s.Table.Record, len(s.Services))
		}
		return nil
	})
	h.Ctl("drain", "10.0.100.2:80", "--reason", "no disk")
	h.WaitStatus("the drain, which is not written down", func(s *status.Snapshot) error {
		if s.WishesRecord == "" || len(s.Wishes) != 1 {
			return fmt.Errorf("%q, %v", s.WishesRecord, s.Wishes)
		}
		return nil
	})
	h.Ctl("undrain", "10.0.100.2:80")
	h.Load(hardConfig)
	h.works("with a full disk")

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	h.WaitStatus("the records to be written again", func(s *status.Snapshot) error {
		if s.Table.Record != "" || s.WishesRecord != "" {
			return fmt.Errorf("%q, %q", s.Table.Record, s.WishesRecord)
		}
		return nil
	})

	// The audit log is open for writing, which keeps the kernel from making the disk itself read-only. What is opened from now on finds it so.
	if err := unix.Mount(state, state, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(state, unix.MNT_DETACH) })
	if err := unix.Mount("", state, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	h.readOnly("under a daemon that runs")
	h.Stop()
	stuck := h.stuckLog()
	h.Start()
	h.works("with a read-only disk, and a log that nobody reads")
	h.readOnly("from the start on")
	h.Stop()
	text := make([]byte, 1<<20)
	if n, err := stuck.Read(text); err != nil || bytes.Contains(text[:n], []byte("msg=")) {
		t.Errorf("the log that nobody read has, %v:\n%.500s", err, text[:n])
	}
}

// readOnly says that the daemon takes a configuration, tells that its record can't be written, and goes back.
func (h *hard) readOnly(when string) {
	h.t.Helper()
	h.Load(strings.Replace(hardConfig, "192.0.2.1:81", "192.0.2.1:82", 1))
	h.WaitStatus("the status to tell of the disk that is read-only "+when, func(s *status.Snapshot) error {
		if !strings.Contains(s.Table.Record, "read-only file system") {
			return fmt.Errorf("it says %q", s.Table.Record)
		}
		return nil
	})
	h.Load(hardConfig)
}

// stuckLog has the daemon's log go, from its next start on, into a pipe that is full. No line finds room until it is read.
func (h *hard) stuckLog() *os.File {
	h.t.Helper()
	path := h.Path("log")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		h.t.Fatal(err)
	}
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	pipe := os.NewFile(uintptr(fd), path)
	h.t.Cleanup(func() { _ = pipe.Close() })
	for err == nil {
		_, err = unix.Write(fd, bytes.Repeat([]byte("x"), 4096))
	}
	if !errors.Is(err, unix.EAGAIN) {
		h.t.Fatal(err)
	}
	h.Env = append(h.Env, "sh", "-c", `exec "$0" "$@" 2>`+path)
	return pipe
}

// A clock that jumps by years, 10,000 changes of addresses at once, more work than processors, and no descriptors: the virtual router
// stays active, what it lost comes back, and no server is taken for dead because this host is short of something.
func TestKernelHardTimes(t *testing.T) {
	h := newHard(t)
	h.Start()
	h.works("before all")
	// The clock. It is the lab's own.
	var now unix.Timeval
	if err := unix.Gettimeofday(&now); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	jump := func(by time.Duration) {
		t.Helper()
		at := unix.NsecToTimeval(now.Nano() + time.Since(began).Nanoseconds() + by.Nanoseconds())
		if err := unix.Settimeofday(&at); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { jump(0) })
	h.Ctl("drain", "10.0.100.2:80", "--expires", "1h")
	for _, by := range []time.Duration{20 * 365 * 24 * time.Hour, -20 * 365 * 24 * time.Hour} {
		jump(by)
		if s := h.Snapshot(); len(s.Wishes) != 1 {
			t.Errorf("after a jump by %v the drain is gone", by)
		}
		h.Ctl("undrain", "10.0.100.2:80")
		h.works(fmt.Sprintf("after a jump by %v", by))
		h.Ctl("drain", "10.0.100.2:80", "--expires", "1h")
	}
	jump(0)
	h.Ctl("undrain", "10.0.100.2:80")

	// Netlink, with processes that take all there is of the processors.
	for range 3 {
		hog := h.director.Start("sh", "-c", "while :; do :; done")
		defer hog.Kill()
	}
	var batch strings.Builder
	h.director.Run("ip", "link", "add", "dummy0", "type", "dummy")
	for _, verb := range []string{"add", "del"} {
		for i := range 5000 {
			fmt.Fprintf(&batch, "address %s 10.%d.%d.1/32 dev dummy0\n", verb, 1+i>>8, i&255)
		}
		batch.WriteString("address del 192.0.2.1/32 dev eth0\n")
	}
	file := h.Path("batch")
	if err := os.WriteFile(file, []byte(batch.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	h.director.Run("ip", "-force", "-batch", file)
	h.works("after a storm of addresses")

	// Descriptors. The server is checked with those that the daemon has; a script needs new ones. None may be due in the time that one
	// round takes, so that there are as many rounds as it takes. The status itself can't be asked for while there are none.
	lab.WaitFor(t, ipvsd.Patience, "the status to tell of the probes that came to nothing", func() error {
		var was unix.Rlimit
		none := unix.Rlimit{Cur: 3, Max: 1 << 16}
		if err := unix.Prlimit(h.Process.PID(), unix.RLIMIT_NOFILE, &none, &was); err != nil {
			t.Fatal(err)
		}
		h.works("without descriptors")
		if err := unix.Prlimit(h.Process.PID(), unix.RLIMIT_NOFILE, &was, nil); err != nil {
			t.Fatal(err)
		}
		types := h.Snapshot().Engine.Types
		for _, kind := range types {
			if kind.Skipped > 0 && strings.Contains(kind.Want, "too many open files") {
				return nil
			}
		}
		return fmt.Errorf("it has %+v", types)
	})
	h.works("with descriptors again")
	if n := h.gained(); n != 1 {
		t.Errorf("the virtual router became active %d times:\n%s", n, h.Process.Log())
	}
}

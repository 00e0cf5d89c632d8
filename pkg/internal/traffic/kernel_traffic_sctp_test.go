//go:build kernel

package traffic

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
	"golang.org/x/sys/unix"
)

const associations = `
[[virtual_server]]
address = "192.168.1.202:9"
protocol = "SCTP"
lb_algo = "rr"
TCP_CHECK = false
real_servers = ["10.0.100.2:9", "10.0.100.3:9"]
`

const associationsTable = `
-A --sctp-service 192.168.1.202:9 -s rr
-a --sctp-service 192.168.1.202:9 -r 10.0.100.2:9 -m -w 1
-a --sctp-service 192.168.1.202:9 -r 10.0.100.3:9 -m -w 1
`

// sctp opens a socket on a host and binds it to one address: an association is offered all that its socket has, and the
// director translates but one. Go's net knows no SCTP, but takes a socket in the style of TCP, once it is set up, for one.
func sctp(h *lab.Host, at netip.AddrPort, setUp func(fd int) error) (file *os.File, err error) {
	err = h.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP)
		if err != nil {
			return fmt.Errorf("socket: %w", err)
		}
		file = os.NewFile(uintptr(fd), "sctp")
		if err := unix.Bind(fd, inet4(at)); err != nil {
			return fmt.Errorf("bind: %w", err)
		}
		return setUp(fd)
	})
	return file, err
}

func inet4(at netip.AddrPort) unix.Sockaddr {
	return &unix.SockaddrInet4{Addr: at.Addr().As4(), Port: int(at.Port())}
}

// serveSCTP tells everybody its host's name, until the test ends.
func serveSCTP(t *testing.T, h *lab.Host, at netip.AddrPort) {
	t.Helper()
	file, err := sctp(h, at, func(fd int) error { return unix.Listen(fd, 8) })
	if err != nil {
		t.Fatalf("sctp on %s: %v", h.Name, err)
	}
	defer file.Close() //nolint:errcheck // the listener has its own
	listener, err := net.FileListener(file)
	if err != nil {
		t.Fatalf("sctp on %s: %v", h.Name, err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, h.Name)
			_ = conn.Close()
		}
	}()
}

// askSCTP connects from a host and returns what it is told.
func askSCTP(from *lab.Host, source netip.Addr, to netip.AddrPort) (string, error) {
	file, err := sctp(from, netip.AddrPortFrom(source, 0), func(fd int) error { return unix.Connect(fd, inet4(to)) })
	if err != nil {
		return "", err
	}
	defer file.Close() //nolint:errcheck // the connection has its own
	conn, err := net.FileConn(file)
	if err != nil {
		return "", err
	}
	defer conn.Close() //nolint:errcheck // nothing was written
	if err := conn.SetDeadline(time.Now().Add(ipvsd.Patience)); err != nil {
		return "", err
	}
	name := make([]byte, 100)
	n, err := conn.Read(name)
	return string(name[:n]), err
}

// TestKernelTrafficSCTP: associations are balanced as connections are.
func TestKernelTrafficSCTP(t *testing.T) {
	c := lab.NewWebCluster(t)
	c.Client.Run("modprobe", "sctp")
	vip := port(lab.WebVIP, 9)
	for _, s := range c.Web[:2] {
		serveSCTP(t, s.Host, port(s.Addr, 9))
	}
	ipvsd.Start(t, c.Director, associations)
	ipvsd.WaitSaved(t, c.Director, associationsTable)
	ask := func() (string, error) { return askSCTP(c.Client, lab.ClientAddr, vip) }
	if got := asked(t, ask, ask, ask, ask); turns(got) != "abab" {
		t.Errorf("answers of %s, want both in turn", got)
	}
	if lines, err := c.Director.ReadConnections(vip); err != nil || len(lines) != 4 {
		t.Errorf("ipvsadm -Lnc shows %q, %v, want 4 associations", lines, err)
	}
}

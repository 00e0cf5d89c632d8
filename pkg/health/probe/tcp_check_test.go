package probe_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
)

// acceptor returns the address of a server that accepts and closes connections until the test ends.
func acceptor(t testing.TB) netip.AddrPort {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	return addrOf(l)
}

// listen returns a listener that nobody accepts from: the kernel completes the connections by itself.
func listen(t testing.TB, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func addrOf(l net.Listener) netip.AddrPort { return l.Addr().(*net.TCPAddr).AddrPort() }

// nobody returns an address where nobody listens.
func nobody(t testing.TB) netip.AddrPort {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	l.Close()
	return addrOf(l)
}

// hanging returns the address of a listener that lets new connections hang, because its backlog is full.
func hanging(t testing.TB) netip.AddrPort {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	target := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(name.(*unix.SockaddrInet4).Port))
	conn, err := net.Dial("tcp", target.String()) // a backlog of 0 has room for one
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return target
}

// ways are the ways to run one TCP_CHECK. Each returns the error's text. They must tell the same.
var ways = map[string]func(*testing.T, health.Check) string{"TCP": try, "Connector": tryConnector}

func try(t *testing.T, c health.Check) string {
	t.Helper()
	if c.Timeout == 0 {
		c.Timeout = time.Minute
	}
	ctx, cancel := context.WithTimeout(t.Context(), c.Timeout)
	defer cancel()
	c.Spec = health.TCP{}
	if _, err := probe.Probe(ctx, c); err != nil {
		return err.Error()
	}
	return ""
}

// tryConnector has a connector run a check, the second time by a socket that was used before if it does that at all.
func tryConnector(t *testing.T, c health.Check) string {
	t.Helper()
	if c.Timeout == 0 {
		c.Timeout = time.Minute
	}
	k := connector(t)
	first, second := connectBy(t, k, c), connectBy(t, k, c)
	if first != second {
		t.Errorf("%v: %q, and at the second time %q", c.Target, first, second)
	}
	return second
}

func TestTCPCheck(t *testing.T) {
	open, closed := addrOf(listen(t, "127.0.0.1:0")), nobody(t)
	for _, test := range []struct {
		name  string
		check health.Check
		want  string
	}{
		{"a server that listens", health.Check{Target: open}, ""},
		{"one that does not", health.Check{Target: closed}, "connection refused"},
		{"one that does not answer", health.Check{Target: hanging(t), Timeout: 50 * time.Millisecond}, "no answer within 50ms"},
		{"over IPv6", health.Check{Target: addrOf(listen(t, "[::1]:0"))}, ""},
		{"a source of ours", health.Check{Target: open, Source: netip.MustParseAddrPort("127.0.0.9:0")}, ""},
		{"a source that is not", health.Check{Target: open, Source: netip.MustParseAddrPort("192.0.2.77:0")},
			"bindto 192.0.2.77: cannot assign requested address"},
		{"with a port", health.Check{Target: open, Source: netip.MustParseAddrPort("192.0.2.77:99")},
			"bindto 192.0.2.77:99: cannot assign requested address"},
		{"an interface that is not there", health.Check{Target: open, Interface: "nosuch0"}, "bind_if nosuch0: no such device"},
		// Linux connects a socket to its own address if told so.
		{"ourselves", health.Check{Target: closed, Source: closed}, "connection refused"},
	} {
		for way, try := range ways {
			if got := try(t, test.check); got != test.want {
				t.Errorf("%s: %s: %q; want %q", test.name, way, got, test.want)
			}
		}
	}
}

func TestTCPCheckComesFromItsSource(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	source := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.9"), nobody(t).Port())
	for _, test := range []struct{ source, want netip.AddrPort }{
		{source, source},
		{netip.AddrPortFrom(netip.Addr{}, source.Port()), netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), source.Port())},
	} {
		if err := try(t, health.Check{Target: addrOf(l), Source: test.source}); err != "" {
			t.Fatal(err)
		}
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		if got := conn.RemoteAddr().(*net.TCPAddr).AddrPort(); got != test.want {
			t.Errorf("source %v: the connection came from %v; want %v", test.source, got, test.want)
		}
	}
}

// Servers that share a bind_port are probed at the same time.
func TestTCPChecksShareASourcePort(t *testing.T) {
	source := nobody(t)
	targets := []netip.AddrPort{hanging(t), hanging(t), hanging(t)}
	got := make([]string, len(targets))
	var group sync.WaitGroup
	for i, target := range targets {
		group.Go(func() {
			got[i] = try(t, health.Check{Target: target, Source: source, Timeout: 200 * time.Millisecond})
		})
	}
	group.Wait()
	for i := range got {
		if want := "no answer within 200ms"; got[i] != want {
			t.Errorf("%s from %s: %q; want %q", targets[i], source, got[i], want)
		}
	}
}

func TestTCPCheckClosesWithAReset(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	if err := try(t, health.Check{Target: addrOf(l)}); err != "" {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server reads %v; want connection reset by peer", err)
	}
}

func TestTCPCheckEndsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	c := health.Check{Target: hanging(t), Timeout: time.Hour}
	go func() { ended <- probe.TCP(ctx, c) }()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v; want context canceled", err)
	}
}

func TestTCPCheckLeavesNoDescriptor(t *testing.T) {
	open := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	checks := []health.Check{
		{Target: addrOf(listen(t, "127.0.0.1:0"))},
		{Target: nobody(t)},
		{Target: hanging(t), Timeout: time.Millisecond},
		{Target: nobody(t), Interface: "nosuch0"},
		{Target: nobody(t), Source: netip.MustParseAddrPort("192.0.2.77:0")},
		{Target: netip.MustParseAddrPort("[fe80::1%nosuch0]:80")},
	}
	before := open()
	for range 50 {
		for _, c := range checks {
			try(t, c)
		}
	}
	if after := open(); after > before {
		t.Errorf("%d descriptors before and %d after", before, after)
	}
}

func TestUnknownTypeIsAnError(t *testing.T) {
	_, err := probe.Probe(t.Context(), health.Check{Type: "TPC_CHECK"})
	if want := `nothing is known of the check "TPC_CHECK"`; err == nil || err.Error() != want {
		t.Errorf("%v; want %s", err, want)
	}
}

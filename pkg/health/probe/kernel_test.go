//go:build kernel

package probe_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/probe"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// sh runs a script that has to succeed.
func sh(t *testing.T, script string) {
	t.Helper()
	if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// twins makes two hosts, each in a network namespace at the other end of an interface of its name, left and right. Both
// have the address 192.0.2.9, to which our route goes left, and only the left one has a server, on all its addresses.
func twins(t *testing.T) (server netip.AddrPort) {
	t.Helper()
	sh(t, `ip link set lo up
	for i in left right; do
		ip netns add $i
		ip link add $i type veth peer name eth0 netns $i
		ip address add 192.0.2.1/24 dev $i
		ip link set $i up
		ip -n $i address add 192.0.2.9/24 dev eth0
		ip -n $i address add fe80::9/64 dev eth0 nodad
		ip -n $i link set lo up
		ip -n $i link set eth0 up
	done`)
	t.Cleanup(func() { sh(t, "for i in left right; do ip link del $i; ip netns del $i; done") })
	host, err := os.Open("/run/netns/left")
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	listening := make(chan net.Listener)
	go func() {
		defer close(listening)
		runtime.LockOSThread() // for good: the thread ends with this goroutine
		if err := unix.Setns(int(host.Fd()), unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		l, err := net.Listen("tcp", ":80")
		if err != nil {
			t.Error(err)
			return
		}
		listening <- l
	}()
	l := <-listening
	if l == nil {
		t.FailNow()
	}
	t.Cleanup(func() { l.Close() })
	return netip.MustParseAddrPort("192.0.2.9:80")
}

func TestKernelTCPCheckGoesOutOfItsInterface(t *testing.T) {
	server := twins(t)
	// Before, the first of two checks may fail where the second one does not.
	lab.WaitFor(t, 30*time.Second, "IPv6 addresses that may be used", func() error {
		for _, dev := range []string{"left", "right"} {
			out, err := exec.Command("ip", "-6", "address", "show", "dev", dev, "scope", "link", "-tentative").CombinedOutput()
			if err != nil || len(out) == 0 {
				return errors.Join(err, errors.New(dev+" has none"))
			}
		}
		return nil
	})
	for _, test := range []struct {
		target, iface, want string
	}{
		{server.String(), "left", ""},
		{server.String(), "right", "connection refused"},
		{"[fe80::9%left]:80", "", ""},
		{"[fe80::9%right]:80", "", "connection refused"},
		{"[fe80::9]:80", "left", ""},
		{"[fe80::9]:80", "right", "connection refused"},
	} {
		c := health.Check{Target: netip.MustParseAddrPort(test.target), Interface: test.iface}
		for way, try := range ways {
			if got := try(t, c); got != test.want {
				t.Errorf("%s: %s by %q: %q; want %q", way, test.target, test.iface, got, test.want)
			}
		}
	}
}

func TestKernelTCPCheckNamesWhatTheNetworkSays(t *testing.T) {
	twins(t)
	for target, want := range map[string]string{
		"192.0.2.10:80":  "no route to host", // nobody answers ARP
		"198.51.100.1:1": "network is unreachable",
	} {
		for way, try := range ways {
			if got := try(t, health.Check{Target: netip.MustParseAddrPort(target)}); got != want {
				t.Errorf("%s: %s: %q; want %q", way, target, got, want)
			}
		}
	}
}

// Routing is the witness: it sends what carries the mark to the twin without a server.
func TestKernelTCPCheckCarriesItsMark(t *testing.T) {
	server := twins(t)
	sh(t, "ip rule add fwmark 0xc0ffee00 lookup 100; ip route add 192.0.2.0/24 dev right table 100")
	t.Cleanup(func() { sh(t, "ip rule del fwmark 0xc0ffee00") })
	for mark, want := range map[uint32]string{
		0:          "",
		7:          "",
		0xc0ffee00: "connection refused",
	} {
		for way, try := range ways {
			if got := try(t, health.Check{Target: server, FWMark: mark}); got != want {
				t.Errorf("%s: fwmark %#x: %q; want %q", way, mark, got, want)
			}
		}
	}
}

// Without privileges the kernel refuses the mark, and the check says so instead of going out unmarked.
func TestKernelTCPCheckWithoutPrivilege(t *testing.T) {
	server := twins(t)
	got := make(chan string)
	go func() {
		runtime.LockOSThread() // the thread's capabilities go with it
		var none [2]unix.CapUserData
		if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
			t.Error(err)
		}
		got <- try(t, health.Check{Target: server, FWMark: 7})
	}()
	if got, want := <-got, "fwmark 7: operation not permitted"; got != want {
		t.Errorf("%q; want %q", got, want)
	}
}

// A witness sees of each probe by the same socket a SYN from another port, the handshake, and a reset.
func TestKernelConnectorOnTheWire(t *testing.T) {
	for _, target := range []string{twins(t).String(), "[2001:db8::9]:80"} {
		sh(t, `ip -n left address replace 2001:db8::9/64 dev eth0 nodad; ip address replace 2001:db8::1/64 dev left nodad`)
		k := connector(t)
		c := health.Check{Target: netip.MustParseAddrPort(target), Timeout: time.Minute}
		lab.WaitFor(t, time.Minute, "the first connection", func() error { return asError(connectBy(t, k, c)) })
		capture := lab.NewCapture(lab.Here(t), "left", "tcp and port 80")
		for range 3 {
			if got := connectBy(t, k, c); got != "" {
				t.Fatal(got)
			}
		}
		packets := capture.Stop()
		flags := regexp.MustCompile(`IP6? \S+\.(\d+) > \S+\.(\d+): Flags \[(\S+)\]`)
		got := map[string]string{} // by our port
		for _, line := range packets {
			m := flags.FindStringSubmatch(line)
			if m == nil {
				t.Fatalf("tcpdump says %q", line)
			}
			if m[1] == "80" {
				m[1] = m[2]
			}
			got[m[1]] += m[3] + " "
		}
		if len(got) != 3 {
			t.Errorf("%s: connections from %d ports; want 3", target, len(got))
		}
		for port, exchange := range got {
			if want := "S S. . R. "; exchange != want {
				t.Errorf("%s: from port %s: %q; want %q", target, port, exchange, want)
			}
		}
	}
}

func asError(text string) error {
	if text == "" {
		return nil
	}
	return errors.New(text)
}

// With all ports taken, it is this host that lacks something.
func TestKernelWantOfPortsIsLocal(t *testing.T) {
	target := twins(t)
	lab.Here(t).Sysctl("net.ipv4.ip_local_port_range", "40000 40000")
	t.Cleanup(func() { lab.Here(t).Sysctl("net.ipv4.ip_local_port_range", "32768 60999") })
	other, err := net.Dial("tcp", target.String())
	if err != nil {
		t.Fatal(err)
	}
	c := health.Check{Target: target, Timeout: time.Minute, Spec: health.TCP{}}
	ctx, cancel := context.WithTimeout(t.Context(), c.Timeout)
	defer cancel()
	_, byProbe := probe.Probe(ctx, c)
	_, byConnector := connector(t).Connect(c, func(error, time.Time) {})
	for _, err := range []error{byProbe, byConnector} {
		if !probe.Local(err) {
			t.Errorf("%v is not local", err)
		}
	}
	// The next one passes as soon as the port is free.
	if err := errors.Join(other.(*net.TCPConn).SetLinger(0), other.Close()); err != nil {
		t.Fatal(err)
	}
	for way, try := range ways {
		lab.WaitFor(t, time.Minute, way, func() error { return asError(try(t, c)) })
	}
}

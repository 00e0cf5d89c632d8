//go:build kernel

package probe_test

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/health"
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
		// Links need a moment until their IPv6 address may be used.
		got := try(t, c)
		for end := time.Now().Add(30 * time.Second); got == "cannot assign requested address" && time.Now().Before(end); {
			got = try(t, c)
		}
		if got != test.want {
			t.Errorf("%s by %q: %q; want %q", test.target, test.iface, got, test.want)
		}
	}
}

func TestKernelTCPCheckNamesWhatTheNetworkSays(t *testing.T) {
	twins(t)
	for target, want := range map[string]string{
		"192.0.2.10:80":  "no route to host", // nobody answers ARP
		"198.51.100.1:1": "network is unreachable",
	} {
		if got := try(t, health.Check{Target: netip.MustParseAddrPort(target)}); got != want {
			t.Errorf("%s: %q; want %q", target, got, want)
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
		if got := try(t, health.Check{Target: server, FWMark: mark}); got != want {
			t.Errorf("fwmark %#x: %q; want %q", mark, got, want)
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

//go:build kernel

package traffic

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/internal/ipvsd"
	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// asked returns who answered a client's requests or queries.
func asked(t *testing.T, ask ...func() (string, error)) (names []string) {
	t.Helper()
	for _, f := range ask {
		name, err := f()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

// turns is in what turn servers answered, whichever was the first: "abab" are two in turn.
func turns(names []string) string {
	letters := map[string]string{}
	var b strings.Builder
	for _, name := range names {
		if letters[name] == "" {
			letters[name] = string(rune('a' + len(letters)))
		}
		b.WriteString(letters[name])
	}
	return b.String()
}

// page is a request of a host at a web service.
func page(from *lab.Host, at netip.AddrPort) func() (string, error) {
	return func() (string, error) {
		answer, err := from.Get(at)
		return answer.Server, err
	}
}

// query is a query of a host at a name service, from a new port.
func query(from *lab.Host, at netip.AddrPort) func() (string, error) {
	return func() (string, error) { return from.Query(at) }
}

// port is the same address with another port.
func port(at netip.AddrPort, port uint16) netip.AddrPort { return netip.AddrPortFrom(at.Addr(), port) }

const marked = `
[[virtual_server]]
fwmark = 7
lb_algo = "rr"
lb_kind = "DR"
TCP_CHECK = { connect_port = 80, delay_loop = 0.5 }
real_servers = ["192.168.1.21", "192.168.1.22"]

[[virtual_server]]
fwmark = 7
lb_algo = "rr"
lb_kind = "DR"
TCP_CHECK = { connect_port = 80, delay_loop = 0.5 }
real_servers = ["2001:db8:1::21", "2001:db8:1::22"]
`

const markedTable = `
-A -f 7 -s rr
-a -f 7 -r 192.168.1.21:0 -g -w 1
-a -f 7 -r 192.168.1.22:0 -g -w 1
-A -f 7 -6 -s rr
-a -f 7 -6 -r [2001:db8:1::21]:0 -g -w 1
-a -f 7 -6 -r [2001:db8:1::22]:0 -g -w 1
`

// TestKernelTrafficMark: a mark of the firewall makes one service of two ports and two addresses: they take turns
// together, and a persistent client has one server for all.
func TestKernelTrafficMark(t *testing.T) {
	c := lab.NewDirectCluster(t)
	d := ipvsd.Start(t, c.Director, marked)
	ipvsd.WaitSaved(t, c.Director, markedTable)
	families := []struct {
		iptables string
		web, dns netip.AddrPort
	}{
		{"iptables-legacy", lab.WebVIP, lab.DNSVIP},
		{"ip6tables-legacy", lab.WebVIP6, lab.DNSVIP6},
	}
	ways := func(web, other netip.AddrPort) (ask []func() (string, error)) {
		for _, at := range []netip.AddrPort{web, port(web, 443), port(other, 80), port(other, 443), web, port(other, 443)} {
			ask = append(ask, page(c.Client, at))
		}
		return ask
	}
	for _, f := range families {
		for _, vip := range []netip.AddrPort{f.web, f.dns} {
			for _, port := range []string{"80", "443"} {
				c.Director.Run(f.iptables, "-t", "mangle", "-A", "PREROUTING", "-d", vip.Addr().String(), "-p", "tcp", "--dport", port,
					"-j", "MARK", "--set-mark", "7")
			}
		}
		if got := asked(t, ways(f.web, f.dns)...); turns(got) != "ababab" {
			t.Errorf("%s: answers of %s, want both in turn", f.web, got)
		}
	}
	d.Load(strings.ReplaceAll(marked, `lb_kind = "DR"`, "lb_kind = \"DR\"\npersistence_timeout = 300"))
	for _, f := range families {
		if got := asked(t, ways(f.web, f.dns)...); turns(got) != "aaaaaa" {
			t.Errorf("%s with persistence: answers of %s, want one server", f.web, got)
		}
	}
}

// Persistent services: one for all ports, and one whose clients are networks.
const persistent = `
[[virtual_server]]
address = "192.168.1.202:0"
protocol = "TCP"
lb_algo = "rr"
persistence_timeout = 300
persistence_granularity = "255.255.255.0"
TCP_CHECK = false
real_servers = ["10.0.100.2", "10.0.100.3", "10.0.100.4"]

[[virtual_server]]
address = "[2001:db8:1::202]:0"
protocol = "TCP"
lb_algo = "rr"
persistence_timeout = 300
persistence_granularity = 64
TCP_CHECK = false
real_servers = ["2001:db8:100::2", "2001:db8:100::3", "2001:db8:100::4"]

[[virtual_server]]
address = "192.168.1.200:53"
protocol = "UDP"
lb_algo = "rr"
persistence_timeout = 301
TCP_CHECK = false
real_servers = ["10.0.100.5:53", "10.0.100.6:53", "10.0.100.7:53"]
`

// TestKernelTrafficPersistence: a client keeps its server, on every port of a service for all ports, and so does its network
// if that counts; when the client has been away for long enough, it gets a server anew.
func TestKernelTrafficPersistence(t *testing.T) {
	c := lab.NewNATCluster(t)
	d := ipvsd.Start(t, c.Director, persistent)
	for _, prefix := range []string{"192.168.3.%d/24", "2001:db8:3::%d/64"} { // another network on the same wire
		c.Client.AddAddress("eth0", fmt.Sprintf(prefix, 10))
		c.Director.AddAddress("eth0", fmt.Sprintf(prefix, 101))
	}
	neighbour, neighbour6 := netip.MustParseAddr("192.168.1.11"), netip.MustParseAddr("2001:db8:1::11")
	c.Client.AddAddress("eth0", neighbour.String()+"/24")
	c.Client.AddAddress("eth0", neighbour6.String()+"/64")
	for _, f := range []struct {
		web                         netip.AddrPort
		client, neighbour, stranger netip.Addr
	}{
		{lab.WebVIP, lab.ClientAddr, neighbour, netip.MustParseAddr("192.168.3.10")},
		{lab.WebVIP6, lab.ClientAddr6, neighbour6, netip.MustParseAddr("2001:db8:3::10")},
	} {
		var ask []func() (string, error)
		for _, from := range []netip.Addr{f.client, f.neighbour, f.stranger, f.client, f.neighbour, f.stranger} {
			h := c.Client.From(from)
			ask = append(ask, page(h, f.web), page(h, port(f.web, 443)))
		}
		if got := asked(t, ask...); turns(got) != "aaaabbaaaabb" {
			t.Errorf("%s: answers of %s, want one server for client and neighbour, one for the stranger", f.web, got)
		}
	}

	// A connection keeps its client's template: let those of UDP end soon. The timeout is that of the template's start, so that
	// an edit is for clients to come.
	c.Director.Run("ipvsadm", "--set", "0", "0", "1")
	old, young := query(c.Client, lab.DNSVIP), query(c.Client.From(neighbour), lab.DNSVIP)
	got := asked(t, old, old)
	d.Load(strings.Replace(persistent, "timeout = 301", "timeout = 2", 1))
	got = append(got, asked(t, old, young)...)
	absent := 0 // readings in a row: the kernel's list leaves entries out while others before them end, as those of the web do now
	lab.WaitFor(t, ipvsd.Patience, "the client to be forgotten", func() error {
		lines, err := c.Director.ReadConnections(lab.DNSVIP)
		if absent++; err != nil || strings.Contains(fmt.Sprint(lines), neighbour.String()+":") {
			absent = 0
		}
		if err == nil && absent < 10 {
			err = fmt.Errorf("ipvsadm -Lnc shows %q, without it %d times", lines, absent)
		}
		return err
	})
	if got = append(got, asked(t, old, young)...); turns(got) != "aaabac" {
		t.Errorf("queries were answered by %s, want the second client to get another server after the timeout, the first one not", got)
	}
}

// oneByOne is a name service, with what it is about to fill in.
const oneByOne = `
[[virtual_server]]
address = "192.168.1.200:53"
protocol = "UDP"
lb_algo = "rr"
lb_kind = "DR"
ops = %v
TCP_CHECK = false
real_servers = ["192.168.1.21:53", "192.168.1.22:53"]

[[virtual_server]]
address = "[2001:db8:1::200]:53"
protocol = "UDP"
lb_algo = "rr"
lb_kind = "TUN"
ops = %[1]v
TCP_CHECK = false
real_servers = ["192.168.1.21:53", "2001:db8:1::22"]
`

// TestKernelTrafficOPS: with ops every datagram of a socket gets a server anew, without all go to one server; an edit is enough for
// either.
func TestKernelTrafficOPS(t *testing.T) {
	c := lab.NewDirectCluster(t)
	c.Real[0].Decapsulate(c.DNS[0].Addr.Addr(), lab.Tunnel{Type: "ipip", IPv6: true})
	c.Real[1].Decapsulate(c.DNS[1].IPv6.Addr(), lab.Tunnel{Type: "ipip", IPv6: true})
	d := ipvsd.Start(t, c.Director, fmt.Sprintf(oneByOne, true))
	for _, vip := range []netip.AddrPort{lab.DNSVIP, lab.DNSVIP6} {
		socket, err := c.Client.NewResolver(vip)
		if err != nil {
			t.Fatal(err)
		}
		defer socket.Close() //nolint:errcheck // nothing was left unsaid
		d.Load(fmt.Sprintf(oneByOne, true))
		if got, want := fmt.Sprint(c.Director.Table()), fmt.Sprintf("UDP %s rr ops", vip); !strings.Contains(got, want) {
			t.Errorf("ipvsadm shows %s, want %q", got, want)
		}
		ask := socket.Query
		if got := asked(t, ask, ask, ask, ask); turns(got) != "abab" {
			t.Errorf("%s with ops: one socket was answered by %s, want both in turn", vip, got)
		}
		if lines, err := c.Director.ReadConnections(vip); err != nil || len(lines) > 0 {
			t.Errorf("%s with ops: ipvsadm -Lnc shows %q, %v", vip, lines, err)
		}
		d.Load(fmt.Sprintf(oneByOne, false))
		if got := asked(t, ask, ask, ask, ask); turns(got) != "aaaa" {
			t.Errorf("%s without ops: one socket was answered by %s, want one server", vip, got)
		}
	}
}

// TestKernelTrafficOPSOverNAT: what the kernel can't do. It keeps no connection that says whose answer it is, so that the
// answer comes in the server's own name, and clients drop it.
func TestKernelTrafficOPSOverNAT(t *testing.T) {
	c := lab.NewNATCluster(t)
	ipvsd.Start(t, c.Director, strings.NewReplacer("%v", "true", `"DR"`, `"NAT"`, "192.168.1.21", "10.0.100.5", "192.168.1.22", "10.0.100.6").
		Replace(oneByOne[:strings.LastIndex(oneByOne, "[[virtual_server]]")]))
	seen := lab.NewCapture(c.Client, "eth0", "udp and src port 53")
	if name, err := c.Query(); err == nil {
		t.Errorf("%s answered: the kernel has learned it", name)
	}
	if answers := seen.Stop(); len(answers) != 1 || !strings.Contains(answers[0], "IP 10.0.100.") {
		t.Errorf("the client got %q, want one answer of a server's own address", answers)
	}
}

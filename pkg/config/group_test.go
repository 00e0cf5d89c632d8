package config

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// summary lists services, with the first and the last one of many.
func summary(services []ipvs.Service) string {
	var list []string
	for _, s := range services {
		list = append(list, s.ServiceKey.String())
	}
	if n := len(list); n > 6 {
		list = append(list[:2:2], fmt.Sprintf("%d more", n-4), list[n-2], list[n-1])
	}
	return strings.Join(list, ", ")
}

func TestGroup(t *testing.T) {
	for _, test := range []struct {
		name, group, virtual string
		want                 string // name: services
		warnings             []string
	}{
		{name: "one address", group: `address = "192.0.2.1:80"`, virtual: `protocol = "TCP"`,
			want: "group G tcp: tcp 192.0.2.1:80"},
		{name: "last part", group: `address = ["192.0.2.3-5:80"]`, virtual: `protocol = "UDP"`,
			want: "group G udp: udp 192.0.2.3:80, udp 192.0.2.4:80, udp 192.0.2.5:80"},
		{name: "a range of one", group: `address = ["192.0.2.3-3:80"]`, virtual: `protocol = "TCP"`,
			want: "group G tcp: tcp 192.0.2.3:80"},
		{name: "across octets", group: `address = ["192.0.2.254-192.0.3.1:80"]`, virtual: `protocol = "TCP"`,
			want: "group G tcp: tcp 192.0.2.254:80, tcp 192.0.2.255:80, tcp 192.0.3.0:80, tcp 192.0.3.1:80"},
		// keepalived takes all addresses of a network, the first and the last one included (2.2.7, seen in the lab).
		{name: "a network", group: `address = ["198.51.100.4/30:80"]`, virtual: `protocol = "TCP"`,
			want: "group G tcp: tcp 198.51.100.4:80, tcp 198.51.100.5:80, tcp 198.51.100.6:80, tcp 198.51.100.7:80"},
		{name: "a network of one", group: `address = ["198.51.100.4/32:80"]`, virtual: `protocol = "TCP"`,
			want: "group G tcp: tcp 198.51.100.4:80"},
		{name: "sorted by address, then port", group: `address = ["192.0.2.2:80", "192.0.2.1:443", "192.0.2.1-2:53"]`,
			virtual: `protocol = "TCP"`,
			want:    "group G tcp: tcp 192.0.2.1:53, tcp 192.0.2.1:443, tcp 192.0.2.2:53, tcp 192.0.2.2:80"},
		{name: "IPv6, last part", group: `address = ["[2001:db8::fffd-ffff]:80"]`, virtual: "protocol = \"TCP\"\nlb_kind = \"TUN\"",
			want: "group G tcp: tcp [2001:db8::fffd]:80, tcp [2001:db8::fffe]:80, tcp [2001:db8::ffff]:80"},
		{name: "IPv6, beyond the last part", group: `address = ["[2001:db8::ffff-2001:db8::1:1]:80"]`,
			virtual: "protocol = \"TCP\"\nlb_kind = \"TUN\"",
			want:    "group G tcp: tcp [2001:db8::ffff]:80, tcp [2001:db8::1:0]:80, tcp [2001:db8::1:1]:80"},
		{name: "IPv6, a network larger than the last part", group: `address = ["[2001:db8::/111]:80"]`,
			virtual: "protocol = \"TCP\"\nlb_kind = \"TUN\"",
			want: "group G tcp: tcp [2001:db8::]:80, tcp [2001:db8::1]:80, 131068 more, " +
				"tcp [2001:db8::1:fffe]:80, tcp [2001:db8::1:ffff]:80"},
		{name: "IPv6, across 64 bits", group: `address = ["[2001:db8::ffff:ffff:ffff:fffe-2001:db8::ffff:ffff:ffff:ffff]:80"]`,
			virtual: "protocol = \"TCP\"\nlb_kind = \"TUN\"",
			want:    "group G tcp: tcp [2001:db8::ffff:ffff:ffff:fffe]:80, tcp [2001:db8::ffff:ffff:ffff:ffff]:80"},
		{name: "as many as there may be", group: `address = ["10.0.0.0/14:80"]`, virtual: `protocol = "TCP"`,
			want: "group G tcp: tcp 10.0.0.0:80, tcp 10.0.0.1:80, 262140 more, tcp 10.3.255.254:80, tcp 10.3.255.255:80"},
		{name: "marks", group: `fwmark = [9, 7, "8 inet"]`, want: "group G: fwmark 7, fwmark 8, fwmark 9"},
		{name: "a mark of the family of the virtual server", group: `fwmark = 7`, virtual: "ip_family = \"inet6\"\nlb_kind = \"TUN\"",
			want: "group G inet6: fwmark 7 inet6"},
		{name: "everything", group: "fwmark = [\"7 inet6\", \"7 inet\"]\naddress = [\"192.0.2.1:80\", \"[2001:db8::1]:80\"]",
			virtual: "protocol = \"TCP\"\nlb_kind = \"TUN\"",
			want:    "group G tcp: tcp 192.0.2.1:80, tcp [2001:db8::1]:80, fwmark 7, fwmark 7 inet6"},
		{name: "all ports", group: `address = "192.0.2.1"`, virtual: "protocol = \"TCP\"\npersistence_timeout = true",
			want: "group G tcp: tcp 192.0.2.1:0"},
		{name: "words without effect", group: `fwmark = "7 inet"`, virtual: "protocol = \"TCP\"\nip_family = \"inet6\"\nha_suspend = true",
			want: "group G: fwmark 7",
			warnings: []string{
				"5:1 warning: protocol has no effect: a fwmark covers all protocols",
				"6:1 warning: ip_family has no effect: the group says the family of all that is in it",
				"7:1 warning: ha_suspend has no effect: a fwmark has no address"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := accept(t, "[virtual_server_group.G]\n"+test.group+"\n[[virtual_server]]\ngroup = \"G\"\n"+test.virtual+
				"\nreal_servers = [\"10.0.0.2\"]\nTCP_CHECK = false\n", test.warnings...)
			vs := c.VirtualServers[0]
			if got := vs.Name + ": " + summary(vs.Services); got != test.want || vs.Group != "G" {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// A group may be served twice, as TCP and as UDP; its marks then belong to one of them at most, unless by family.
func TestGroupOfTwo(t *testing.T) {
	c := accept(t, `
[virtual_server_group."all of it"]
address = ["192.0.2.1:53", "[2001:db8::1]:53"]
fwmark = 7
[virtual_server_group.idle]
fwmark = 8

[[virtual_server]]
group = "all of it"
protocol = "TCP"
ip_family = "inet"
lb_kind = "TUN"
TCP_CHECK = { connect_port = 53 }
real_servers = ["10.0.0.2"]

[[virtual_server]]
group = "all of it"
protocol = "UDP"
ip_family = "inet6"
lb_kind = "TUN"
TCP_CHECK = { connect_port = 53 }
real_servers = ["10.0.0.2"]
`, "5:1 warning: no virtual_server serves the group")
	if a, b := c.VirtualServers[0].Name, c.VirtualServers[1].Name; a != `group "all of it" tcp` || b != `group "all of it" udp` {
		t.Errorf("they are called %s and %s", a, b)
	}
	got := summary(c.VirtualServers[0].Services) + "; " + summary(c.VirtualServers[1].Services)
	if want := "tcp 192.0.2.1:53, tcp [2001:db8::1]:53, fwmark 7; udp 192.0.2.1:53, udp [2001:db8::1]:53, fwmark 7 inet6"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A server without a port has that of each service; where all have one, it is written out.
func TestPortsOfAGroup(t *testing.T) {
	const group = "[virtual_server_group.G]\naddress = [%s]\n[[virtual_server]]\ngroup = \"G\"\nprotocol = \"TCP\"\n" +
		"real_servers = [\"10.0.0.2\", \"10.0.0.3:8080\", \"[2001:db8::2]\"]\nTCP_CHECK = { connect_port = 81 }\n"
	for addresses, want := range map[string]string{
		`"192.0.2.1-9:80", "[2001:db8::1]:80"`:  "10.0.0.2:80 10.0.0.3:8080 [2001:db8::2]:80",
		`"192.0.2.1-9:80", "[2001:db8::1]:443"`: "10.0.0.2:0 10.0.0.3:8080 [2001:db8::2]:0",
	} {
		vs := accept(t, fmt.Sprintf(group, addresses)).VirtualServers[0]
		var got []string
		for _, rs := range vs.RealServers {
			got = append(got, rs.Destination.Addr.String())
			if k := rs.Checks[0]; k.Check().Target != netip.AddrPortFrom(rs.Destination.Addr.Addr(), 81) {
				t.Errorf("%s is checked at %s", rs.Destination.Addr, k.Check().Target)
			}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: got %s, want %s", addresses, s, want)
		}
	}
}

// Groups that don't overlap: neighbours, another port, another protocol, another family of a mark.
func TestGroupsBesideEachOther(t *testing.T) {
	accept(t, `
[virtual_server_group.A]
address = ["192.0.2.0-9:80", "192.0.2.10-19:80", "192.0.2.0-19:443"]
fwmark = "7 inet"
[virtual_server_group.B]
address = ["192.0.2.20-29:80", "192.0.2.0-19:8080"]
fwmark = "7 inet6"

[[virtual_server]]
group = "A"
protocol = "TCP"
TCP_CHECK = false
lb_kind = "TUN"
real_servers = ["10.0.0.2"]

[[virtual_server]]
group = "B"
protocol = "TCP"
TCP_CHECK = false
lb_kind = "TUN"
real_servers = ["10.0.0.2"]

[[virtual_server]]
address = "192.0.2.0:80"
protocol = "UDP"
TCP_CHECK = false
real_servers = ["10.0.0.2"]
`)
}

func FuzzEntry(f *testing.F) {
	for _, s := range []string{"192.0.2.1:80", "192.0.2.3-10:80", "192.0.2.250-192.0.3.5", "[2001:db8::1-ff]:80", "2001:db8::/120",
		"[2001:db8::ffff-2001:db8::1:0]:1", "0.0.0.0/0", "::/0", "1.1.1.1-", "[]", "[::1", "1.2.3.4/14:0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, w := readEntry(s)
		if w != nil {
			if w.message == "" {
				t.Fatal("refused without a word")
			}
			return
		}
		e := v.(entry)
		if e.to.Less(e.from) || e.from.Is4() != e.to.Is4() || e.count() > mostServices {
			t.Fatalf("%q is %+v", s, e)
		}
		if again, w := readEntry(e.String()); w != nil || again != e {
			t.Fatalf("%q is %+v, printed as %q and read as %+v, %v", s, e, e, again, w)
		}
		if n := e.count(); n <= 1000 {
			for range e.addrs() {
				n--
			}
			if n != 0 {
				t.Fatalf("%q has %d addresses, not %d", s, e.count()-n, e.count())
			}
		}
	})
}

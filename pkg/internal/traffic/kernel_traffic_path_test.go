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

// path is a way from a client by the director to real servers and back.
type path struct {
	kind    string // lb_kind
	clients int    // the family of the service: 4 or 6
	servers int    // the family of the servers
	wire    string // what tcpdump has to see leave the director, as a filter
	tunnel  lab.Tunnel
}

func (p path) String() string { return fmt.Sprintf("%s, IPv%d to IPv%d", p.kind, p.clients, p.servers) }

// pathServices are a web and a name service of one family; to fill in are addresses, the method and servers.
const pathServices = `
[[virtual_server]]
address = %q
protocol = "TCP"
lb_algo = "rr"
lb_kind = %q
delay_loop = 0.5
TCP_CHECK = true
real_servers = %s

[[virtual_server]]
address = %q
protocol = "UDP"
lb_algo = "rr"
lb_kind = %[2]q
delay_loop = 0.5
TCP_CHECK = true
real_servers = %[5]s
`

// config is that of the path's services.
func (p path) config(c *lab.Cluster) string {
	web, dns, _ := p.vips()
	return fmt.Sprintf(pathServices, web, p.kind, p.list(c.Web), dns, p.list(c.DNS))
}

// vips are where the client finds the services, and its own address.
func (p path) vips() (web, dns netip.AddrPort, client netip.Addr) {
	if p.clients == 6 {
		return lab.WebVIP6, lab.DNSVIP6, lab.ClientAddr6
	}
	return lab.WebVIP, lab.DNSVIP, lab.ClientAddr
}

// at is the server's address on this path.
func (p path) at(s *lab.Server) netip.AddrPort {
	if p.servers == 6 {
		return s.IPv6
	}
	return s.Addr
}

// list is a configuration's list of servers.
func (p path) list(servers []*lab.Server) string {
	var words []string
	for _, s := range servers {
		words = append(words, fmt.Sprintf("%q", p.at(s)))
	}
	return "[" + strings.Join(words, ", ") + "]"
}

// rounds is how often each server has its turn.
const rounds = 2

// walk goes the path: all servers have to be reached, equally often, and see the client's own address.
func (p path) walk(t *testing.T, c *lab.Cluster) {
	t.Helper()
	web, dns, client := p.vips()
	lab.WaitFor(t, ipvsd.Patience, "the servers of "+p.String(), func() error {
		rows, err := c.Director.ReadTable()
		if want := 2 + len(c.Web) + len(c.DNS); err == nil && len(rows) != want {
			err = fmt.Errorf("ipvsadm shows %q", rows)
		}
		return err
	})
	// More than one packet holds, so that the longest ones have to pass, too.
	page := make([]byte, 20_000)
	by := map[string]int{}
	for range rounds * len(c.Web) {
		answer, err := c.Client.Post(web, page)
		if err != nil {
			t.Errorf("%s: %v", p, err)
			return
		}
		if answer.Client.Addr() != client {
			t.Errorf("%s: %s saw a request from %s, want %s", p, answer.Server, answer.Client, client)
		}
		by["web of "+answer.Server]++
		name, err := c.Client.Query(dns)
		if err != nil {
			t.Errorf("%s: %v", p, err)
			return
		}
		by["dns of "+name]++
	}
	if len(by) != len(c.Web)+len(c.DNS) {
		t.Errorf("%s: not all servers answered, %v", p, by)
	}
	for name, n := range by {
		if n != rounds {
			t.Errorf("%s: %s answered %d requests: %v", p, name, n, by)
		}
	}
}

// TestKernelTrafficNAT: answers come back through the director, which is what gives them the service's address.
func TestKernelTrafficNAT(t *testing.T) {
	c := lab.NewNATCluster(t)
	v4, v6 := path{kind: "NAT", clients: 4, servers: 4}, path{kind: "NAT", clients: 6, servers: 6}
	d := ipvsd.Start(t, c.Director, v4.config(&c.Cluster))
	v4.walk(t, &c.Cluster)
	d.Load(v6.config(&c.Cluster))
	v6.walk(t, &c.Cluster)
}

// TestKernelTrafficDirect: with DR and TUN, whatever the tunnel and the families, a request arrives as the client sent
// it, and the answer passes the director by.
func TestKernelTrafficDirect(t *testing.T) {
	c := lab.NewDirectCluster(t)
	d := ipvsd.New(t, c.Director, "")
	d.Start()
	for _, p := range directPaths() {
		stop := p.decapsulate(c)
		// With remcsum the kernel spoils the checksums of some packets (InCsumErrors of the server) of those that come as one large one.
		segments := "65535"
		if strings.HasSuffix(p.kind, "remcsum") {
			segments = "1"
		}
		c.Client.Run("ip", "link", "set", "dev", "eth0", "gso_max_segs", segments)
		d.Load(p.config(&c.Cluster))
		_, _, client := p.vips()
		seen := lab.NewCapture(c.Director, "eth0", fmt.Sprintf("(ether src %s and %s) or (dst host %s and (tcp or udp))",
			c.Director.MAC("eth0"), p.wire, client))
		p.walk(t, &c.Cluster)
		there, back := 0, 0
		for _, packet := range seen.Stop() {
			if strings.Contains(packet, " > "+client.String()+".") {
				back++
			} else {
				there++
			}
		}
		stop()
		// A connection takes some four packets, a query one.
		if there < 5*rounds*len(c.Web) || back > 0 {
			t.Errorf("%s: the director sent %d packets that match %q, and saw %d answers", p, there, p.wire, back)
		}
		t.Logf("%s: %d packets", p, there)
	}
}

// directPaths are DR, and TUN with all its types and checksums, in all families.
func directPaths() []path {
	paths := []path{
		{kind: "DR", clients: 4, servers: 4, wire: "ip and dst host 192.168.1.202"},
		{kind: "DR", clients: 6, servers: 6, wire: "ip6 and dst host 2001:db8:1::202"},
	}
	for _, family := range [][2]int{{4, 4}, {6, 6}, {6, 4}, {4, 6}} {
		// What tcpdump has to look at: the outer header, and what follows it.
		ip, header, inside := "ip", 20, 4
		if family[1] == 6 {
			ip, header = "ip6", 40
		}
		if family[0] == 6 {
			inside = 41
		}
		gue := ip + " proto 17 and dst port 6080 and " + ip
		gre := fmt.Sprintf("%s proto 47 and %s[%d] & 0x80", ip, ip, header)
		for _, p := range []path{
			{kind: "TUN", wire: fmt.Sprintf("%s proto %d", ip, inside), tunnel: lab.Tunnel{Type: "ipip"}},
			{kind: "TUN type gue port 6080", wire: fmt.Sprintf("%s[%d:2] = 0", gue, header+6), tunnel: lab.Tunnel{Type: "gue", Port: 6080}},
			{kind: "TUN type gue port 6080 csum", wire: fmt.Sprintf("%s[%d:2] != 0", gue, header+6), tunnel: lab.Tunnel{Type: "gue", Port: 6080}},
			// The option makes the header longer.
			{kind: "TUN type gue port 6080 remcsum", wire: fmt.Sprintf("%s[%d] & 0x1f = 2", gue, header+8), tunnel: lab.Tunnel{Type: "gue", Port: 6080}},
			{kind: "TUN type gre", wire: gre + " = 0", tunnel: lab.Tunnel{Type: "gre"}},
			{kind: "TUN type gre csum", wire: gre + " != 0", tunnel: lab.Tunnel{Type: "gre", Checksum: true}},
		} {
			p.clients, p.servers, p.tunnel.IPv6 = family[0], family[1], family[0] == 6
			paths = append(paths, p)
		}
	}
	return paths
}

// decapsulate has the real servers unwrap what the path wraps, until stop is called.
func (p path) decapsulate(c *lab.DirectCluster) (stop func()) {
	var stops []func()
	for _, s := range c.Web {
		if p.tunnel.Type != "" {
			stops = append(stops, s.Host.Decapsulate(p.at(s).Addr(), p.tunnel))
		}
	}
	return func() {
		for _, f := range stops {
			f()
		}
	}
}

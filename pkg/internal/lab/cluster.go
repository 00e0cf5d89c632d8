package lab

import (
	"fmt"
	"net/netip"
	"slices"
)

// The addresses that the clients of the clusters use, and theirs.
var (
	WebVIP     = netip.MustParseAddrPort("192.168.1.202:80")
	DNSVIP     = netip.MustParseAddrPort("192.168.1.200:53")
	ClientAddr = netip.MustParseAddr("192.168.1.10")

	WebVIP6     = netip.MustParseAddrPort("[2001:db8:1::202]:80")
	DNSVIP6     = netip.MustParseAddrPort("[2001:db8:1::200]:53")
	ClientAddr6 = netip.MustParseAddr("2001:db8:1::10")
)

// The real servers' routers in the NAT cluster.
var (
	GatewayVIP  = netip.MustParseAddr("10.0.100.200")
	GatewayVIP6 = netip.MustParseAddr("2001:db8:100::200")
)

// Cluster is what all clusters have: a client, a director whose IPVS table is empty, web and name servers.
type Cluster struct {
	Client, Director *Host
	Web, DNS         []*Server
}

// Get requests the web service's page as the client.
func (c *Cluster) Get() (Answer, error) { return c.Client.Get(WebVIP) }

// Query asks the name service as the client, and returns the name of the server that answered.
func (c *Cluster) Query() (string, error) { return c.Client.Query(DNSVIP) }

// Resolve is Query as the resolver of a C library does it, which asks a second time when there is no answer (resolv.conf(5), attempts):
// datagrams get lost.
func (c *Cluster) Resolve() (string, error) {
	name, err := c.Query()
	if err != nil {
		name, err = c.Query()
	}
	return name, err
}

// start starts servers; when it returns, they serve.
func (c *Cluster) start(servers ...*Server) {
	for _, s := range servers {
		s.launch()
	}
	for _, s := range servers {
		s.wait()
	}
}

// vips are the addresses of the services, as prefixes.
func vips() (prefixes []string) {
	for _, a := range []netip.AddrPort{WebVIP, DNSVIP, WebVIP6, DNSVIP6} {
		prefixes = append(prefixes, netip.PrefixFrom(a.Addr(), a.Addr().BitLen()).String())
	}
	return prefixes
}

// both gives a server its IPv6 address, whose last number reads like that of the IPv4 one.
func (s *Server) both(network string, last byte) *Server {
	s.IPv6 = netip.AddrPortFrom(netip.MustParseAddr(fmt.Sprintf("%s%d", network, last)), s.Addr.Port())
	return s
}

// NATCluster is a client, a director, three web and three name servers:
//
//	client 192.168.1.10 --- eth0 192.168.1.101, VIPs .200 .202
//	                     director
//	                        eth1 10.0.100.1, VIP .200 --- web1-3 10.0.100.2-4, dns1-3 10.0.100.5-7
//
// and the same in IPv6, with 2001:db8:1:: and 2001:db8:100:: for the networks. The internal network carries frames of
// 9000 bytes.
type NATCluster struct {
	Cluster
	External, Internal *Bridge
}

// NewNATCluster makes the cluster and starts all real servers; when it returns, they serve.
func NewNATCluster(tb TB) *NATCluster {
	tb.Helper()
	c := NewWebCluster(tb)
	c.start(c.DNS...)
	return c
}

// NewWebCluster is NewNATCluster with name servers that do not run yet: in User Mode Linux a bind9 takes half a second of processor time.
func NewWebCluster(tb TB) *NATCluster {
	tb.Helper()
	c := newNATNetworks(tb)
	c.Director = c.newDirector(tb, "director", append(vips(), "192.168.1.101/24", "2001:db8:1::101/64"),
		[]string{"10.0.100.1/24", GatewayVIP.String() + "/32", "2001:db8:100::1/64", GatewayVIP6.String() + "/128"})
	c.start(c.Web...)
	return c
}

// NATPair is a NATCluster with two directors, that have no virtual addresses but those that their daemons give them:
//
//	client 192.168.1.10 --- eth0 192.168.1.101 director1 eth1 10.0.100.1  --- web1-3 10.0.100.2-4, dns1-3 10.0.100.5-7
//	                    --- eth0 192.168.1.102 director2 eth1 10.0.100.50 ---
//
// The servers' router is 10.0.100.200.
type NATPair struct {
	NATCluster
	Directors [2]*Host // the first is also the cluster's
}

// NewNATPair makes the pair and starts all real servers; when it returns, they serve.
func NewNATPair(tb TB) *NATPair {
	tb.Helper()
	p := &NATPair{NATCluster: *newNATNetworks(tb)}
	p.Directors[0] = p.newDirector(tb, "director1", []string{"192.168.1.101/24", "2001:db8:1::101/64"}, []string{"10.0.100.1/24", "2001:db8:100::1/64"})
	p.Directors[1] = p.newDirector(tb, "director2", []string{"192.168.1.102/24", "2001:db8:1::102/64"}, []string{"10.0.100.50/24", "2001:db8:100::50/64"})
	p.Director = p.Directors[0]
	p.start(append(slices.Clone(p.Web), p.DNS...)...)
	return p
}

// Third makes one more director of the pair's kind, at 192.168.1.103 and 10.0.100.51.
func (p *NATPair) Third(tb TB) *Host {
	tb.Helper()
	return p.newDirector(tb, "director3", []string{"192.168.1.103/24", "2001:db8:1::103/64"}, []string{"10.0.100.51/24", "2001:db8:100::51/64"})
}

// newNATNetworks makes all of a cluster but its directors. Nothing runs yet.
func newNATNetworks(tb TB) *NATCluster {
	tb.Helper()
	c := &NATCluster{
		External: NewBridge(tb, "external", 1500),
		Internal: NewBridge(tb, "internal", 9000),
	}
	c.Client = NewHost(tb, "client")
	c.Client.Connect(c.External, "eth0", ClientAddr.String()+"/24", ClientAddr6.String()+"/64")
	for i := range byte(3) {
		h, at := c.newRealServer(tb, fmt.Sprintf("web%d", i+1), 2+i)
		c.Web = append(c.Web, NewNginx(h, at).both("2001:db8:100::", 2+i))
		h, at = c.newRealServer(tb, fmt.Sprintf("dns%d", i+1), 5+i)
		c.DNS = append(c.DNS, NewBind(h, at).both("2001:db8:100::", 5+i))
	}
	return c
}

func (c *NATCluster) newDirector(tb TB, name string, external, internal []string) *Host {
	tb.Helper()
	h := NewHost(tb, name)
	// Before the interfaces exist, so that they inherit: with redirects the servers would learn to bypass the director.
	h.Sysctl("net.ipv4.ip_forward", "1")
	h.Sysctl("net.ipv6.conf.all.forwarding", "1")
	h.Sysctl("net.ipv4.conf.all.send_redirects", "0")
	h.Sysctl("net.ipv4.conf.default.send_redirects", "0")
	h.Connect(c.External, "eth0", external...)
	h.Connect(c.Internal, "eth1", internal...)
	return h
}

func (c *NATCluster) newRealServer(tb TB, name string, last byte) (*Host, netip.Addr) {
	tb.Helper()
	h := NewHost(tb, name)
	at := netip.AddrFrom4([4]byte{10, 0, 100, last})
	h.Connect(c.Internal, "eth0", at.String()+"/24", fmt.Sprintf("2001:db8:100::%d/64", last))
	h.DefaultRoute(GatewayVIP)
	h.DefaultRoute(GatewayVIP6)
	return h, at
}

// DirectCluster is a client, a director and real servers, most often two, each with web and name service, on one network:
//
//	client 192.168.1.10 ---+--- director 192.168.1.101, VIPs .200 .202
//	                       +--- real1-2 192.168.1.21-22, the same VIPs on lo
//
// and the same in IPv6, with 2001:db8:1:: for the network. The real servers take packets for the VIPs, but only the
// director says that it has them; answers go straight to the client.
type DirectCluster struct {
	Cluster
	Network *Bridge
	Real    []*Host
}

// NewDirectCluster makes the cluster and starts all servers; when it returns, they serve.
func NewDirectCluster(tb TB) *DirectCluster {
	tb.Helper()
	return NewDirectClusterOf(tb, 2)
}

// NewDirectClusterOf is NewDirectCluster with so many real servers.
func NewDirectClusterOf(tb TB, servers byte) *DirectCluster {
	tb.Helper()
	c := &DirectCluster{Network: NewBridge(tb, "network", 1500)}
	c.Client = NewHost(tb, "client")
	c.Client.Connect(c.Network, "eth0", ClientAddr.String()+"/24", ClientAddr6.String()+"/64")
	c.Director = NewHost(tb, "director")
	c.Director.Connect(c.Network, "eth0", append(vips(), "192.168.1.101/24", "2001:db8:1::101/64")...)
	for i := range servers {
		h, at := c.newRealServer(tb, fmt.Sprintf("real%d", i+1), 21+i)
		c.Real = append(c.Real, h)
		c.Web = append(c.Web, NewNginx(h, at).both("2001:db8:1::", 21+i))
		c.DNS = append(c.DNS, NewBind(h, at).both("2001:db8:1::", 21+i))
	}
	c.start(append(slices.Clone(c.Web), c.DNS...)...)
	return c
}

func (c *DirectCluster) newRealServer(tb TB, name string, last byte) (*Host, netip.Addr) {
	tb.Helper()
	h := NewHost(tb, name)
	// Who asks on the network for an address of lo gets no answer, and the servers themselves ask in their own name.
	// In IPv6 that is so anyway.
	h.Sysctl("net.ipv4.conf.all.arp_ignore", "1")
	h.Sysctl("net.ipv4.conf.all.arp_announce", "2")
	// What comes out of a tunnel has come in by another interface than answers will leave by.
	h.Sysctl("net.ipv4.conf.all.rp_filter", "0")
	h.Sysctl("net.ipv4.conf.default.rp_filter", "0")
	for _, vip := range vips() {
		h.AddAddress("lo", vip)
	}
	at := netip.AddrFrom4([4]byte{192, 168, 1, last})
	h.Connect(c.Network, "eth0", at.String()+"/24", fmt.Sprintf("2001:db8:1::%d/64", last))
	return h, at
}

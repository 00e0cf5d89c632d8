package lab

import (
	"fmt"
	"net/netip"
)

// The addresses of the NAT cluster that clients and servers use.
var (
	WebVIP     = netip.MustParseAddrPort("192.168.1.202:80")
	DNSVIP     = netip.MustParseAddrPort("192.168.1.200:53")
	ClientAddr = netip.MustParseAddr("192.168.1.10")
	GatewayVIP = netip.MustParseAddr("10.0.100.200") // the real servers' router
)

// NATCluster is a client, a director, three web and three name servers:
//
//	client 192.168.1.10 --- eth0 192.168.1.101, VIPs .200 .202
//	                     director
//	                        eth1 10.0.100.1, VIP .200 --- web1-3 10.0.100.2-4, dns1-3 10.0.100.5-7
//
// The internal network carries frames of 9000 bytes. The director's IPVS table is empty.
type NATCluster struct {
	Client, Director   *Host
	External, Internal *Bridge
	Web, DNS           []*Server
}

// NewNATCluster makes the cluster and starts all real servers; when it returns, they serve.
func NewNATCluster(tb TB) *NATCluster {
	tb.Helper()
	c := &NATCluster{
		External: NewBridge(tb, "external", 1500),
		Internal: NewBridge(tb, "internal", 9000),
		Client:   NewHost(tb, "client"),
	}
	c.Client.Connect(c.External, "eth0", ClientAddr.String()+"/24")
	c.Director = c.newDirector(tb)
	for i := range 3 {
		h, at := c.newRealServer(tb, fmt.Sprintf("web%d", i+1), byte(2+i))
		c.Web = append(c.Web, NewNginx(h, at))
		h, at = c.newRealServer(tb, fmt.Sprintf("dns%d", i+1), byte(5+i))
		c.DNS = append(c.DNS, NewBind(h, at))
	}
	servers := append(append([]*Server(nil), c.Web...), c.DNS...)
	for _, s := range servers {
		s.launch()
	}
	for _, s := range servers {
		s.wait()
	}
	return c
}

func (c *NATCluster) newDirector(tb TB) *Host {
	tb.Helper()
	h := NewHost(tb, "director")
	// Before the interfaces exist, so that they inherit: with redirects the servers would learn to bypass the director.
	h.Sysctl("net.ipv4.ip_forward", "1")
	h.Sysctl("net.ipv4.conf.all.send_redirects", "0")
	h.Sysctl("net.ipv4.conf.default.send_redirects", "0")
	h.Connect(c.External, "eth0", "192.168.1.101/24", WebVIP.Addr().String()+"/32", DNSVIP.Addr().String()+"/32")
	h.Connect(c.Internal, "eth1", "10.0.100.1/24", GatewayVIP.String()+"/32")
	return h
}

func (c *NATCluster) newRealServer(tb TB, name string, last byte) (*Host, netip.Addr) {
	tb.Helper()
	h := NewHost(tb, name)
	at := netip.AddrFrom4([4]byte{10, 0, 100, last})
	h.Connect(c.Internal, "eth0", at.String()+"/24")
	h.DefaultRoute(GatewayVIP)
	return h, at
}

// Get requests the web service's page as the client.
func (c *NATCluster) Get() (Answer, error) { return c.Client.Get(WebVIP) }

// Query asks the name service as the client, and returns the name of the server that answered.
func (c *NATCluster) Query() (string, error) { return c.Client.Query(DNSVIP) }

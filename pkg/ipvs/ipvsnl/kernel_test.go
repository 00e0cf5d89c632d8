//go:build kernel

package ipvsnl

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
)

func TestKernelConformance(t *testing.T) {
	ipvstest.Conformance(t, func(t *testing.T) ipvstest.Subject {
		c := client(t)
		return ipvstest.Subject{Client: c, Traffic: func(t *testing.T, service ipvs.ServiceKey, server netip.AddrPort) {
			traffic(t, c, service, server)
		}}
	})
}

// traffic sends datagrams to a service from its own host, which IPVS balances too, until the kernel has counted some.
func traffic(t *testing.T, c *Client, service ipvs.ServiceKey, server netip.AddrPort) {
	t.Helper()
	l, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(server))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(service.Addr))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("query")); err != nil {
		t.Fatal(err)
	}
	// The kernel adds up its counters every two seconds.
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 400 {
		table, err := c.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s := table.Find(service); s != nil && s.Stats.InPackets > 0 && s.Destinations[0].Stats.InPackets > 0 {
			return
		}
		<-tick.C
	}
	t.Fatal("no packet was counted within 20 s")
}

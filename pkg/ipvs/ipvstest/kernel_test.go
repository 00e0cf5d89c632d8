package ipvstest_test

import (
	"net/netip"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
)

func TestConformance(t *testing.T) {
	ipvstest.Conformance(t, func(*testing.T) ipvstest.Subject {
		k := new(ipvstest.Kernel)
		k.SetInterfaces("eth1")
		return ipvstest.Subject{Client: k, Interface: "eth1", Traffic: func(t *testing.T, service ipvs.ServiceKey, server netip.AddrPort) {
			if err := k.Count(service, server, ipvs.Stats{Connections: 1, InPackets: 3, InBytes: 99}, 0, 1); err != nil {
				t.Fatal(err)
			}
		}}
	})
}

func TestSysctlConformance(t *testing.T) {
	ipvstest.SysctlConformance(t, func(*testing.T) ipvstest.SysctlClient { return new(ipvstest.Kernel) })
}

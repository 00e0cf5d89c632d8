package config_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// A table as a configuration is the same after Format and Load.
func TestOfTable(t *testing.T) {
	addr := netip.MustParseAddrPort
	table := ipvs.Table{
		{
			Service: ipvs.Service{ServiceKey: ipvs.AddressKey(ipvs.SCTP, addr("192.0.2.1:80")), Scheduler: "wlc", Granularity: 32},
			Destinations: []ipvs.DestinationStatus{
				{Destination: ipvs.Destination{Addr: addr("198.51.100.1:8080"), Weight: 70000, UpperThreshold: 9, LowerThreshold: 3}},
				{Destination: ipvs.Destination{Addr: addr("[2001:db8::1]:80"), Forward: ipvs.Tun, Tunnel: ipvs.Tunnel{Type: ipvs.GUE, Port: 6080, Flags: ipvs.Csum}}},
			},
		},
		{Service: ipvs.Service{
			ServiceKey: ipvs.FWMarkKey(7, ipvs.IPv6), Scheduler: "mh", Flags: ipvs.MHPort | ipvs.OnePacket,
			Persistence: time.Minute, Granularity: 64, Engine: "sip",
		}, Destinations: []ipvs.DestinationStatus{
			{Destination: ipvs.Destination{Addr: addr("[2001:db8::1]:0"), Forward: ipvs.DR, Weight: 1}},
		}},
	}
	s := ipvs.Settings{Timeouts: ipvs.Timeouts{TCP: time.Hour, TCPFin: time.Minute, UDP: time.Second}}
	c := config.Of(table, s)
	text := config.Format(c)
	back, problems := config.Load("f", text)
	if problems.Err() != nil {
		t.Fatalf("%s\n%s", problems.Format(text), text)
	}
	same := []cmp.Option{
		cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
		cmpopts.IgnoreUnexported(config.Config{}),
	}
	if diff := cmp.Diff(c, back, same...); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, text)
	}
}

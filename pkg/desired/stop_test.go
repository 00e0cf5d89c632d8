package desired_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// At stop a service is left, quiesced or removed; of what an earlier configuration left the global word decides, and what is quiesced
// gains no server.
func TestAtStop(t *testing.T) {
	at := netip.MustParseAddrPort
	service := func(address, policy string) *config.VirtualServer {
		vs := config.Virtual(ipvs.Service{ServiceKey: ipvs.AddressKey(ipvs.TCP, at(address)), Scheduler: "rr", Granularity: 32})
		vs.OnStop = policy
		vs.RealServers = []config.RealServer{{Destination: ipvs.Destination{Addr: at("10.0.100.2:80"), Weight: 3}}}
		return vs
	}
	leaves, quiesces, removes := service("192.0.2.1:80", config.StopLeaves), service("192.0.2.2:80", config.StopQuiesces), service("192.0.2.3:80", config.StopRemoves)
	former := ipvs.AddressKey(ipvs.TCP, at("192.0.2.4:80"))
	owned := desired.Owned{former: nil, quiesces.Services[0].ServiceKey: {at("10.0.100.2:80"), at("10.0.100.9:80")}}
	for _, tt := range []struct {
		global string
		want   map[string]string
	}{
		{config.StopLeaves, map[string]string{"tcp 192.0.2.2:80": "quiesced", "tcp 192.0.2.3:80": "removed"}},
		{config.StopQuiesces, map[string]string{"tcp 192.0.2.2:80": "quiesced", "tcp 192.0.2.3:80": "removed"}},
		{config.StopRemoves, map[string]string{"tcp 192.0.2.2:80": "quiesced", "tcp 192.0.2.3:80": "removed", "tcp 192.0.2.4:80": "removed"}},
	} {
		cfg := &config.Config{GlobalDefs: config.GlobalDefs{OnStop: tt.global}, VirtualServers: []*config.VirtualServer{leaves, quiesces, removes}}
		got := make(map[string]string)
		for _, s := range desired.AtStop(cfg, desired.Facts{Owned: owned}) {
			got[s.ServiceKey.String()] = "removed"
			if s.Want == desired.Present {
				got[s.ServiceKey.String()] = "quiesced"
				server, stranger := s.Destination(at("10.0.100.2:80")), s.Destination(at("10.0.100.9:80"))
				if server.Want != desired.AsFound || server.Weight != 0 || stranger.Want != desired.Absent {
					t.Errorf("its servers are to be %+v and %+v", server, stranger)
				}
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.global, diff)
		}
	}
}

// Only a stop that leaves nothing of ours ends the sync daemons.
func TestClearsAtStop(t *testing.T) {
	for _, tt := range []struct {
		global   string
		services []string
		want     bool
	}{
		{config.StopLeaves, nil, false},
		{config.StopRemoves, nil, true},
		{config.StopRemoves, []string{config.StopRemoves, config.StopLeaves}, false},
		{config.StopRemoves, []string{config.StopQuiesces}, false},
		{config.StopLeaves, []string{config.StopRemoves, config.StopRemoves}, true},
	} {
		cfg := &config.Config{GlobalDefs: config.GlobalDefs{OnStop: tt.global}}
		for _, policy := range tt.services {
			cfg.VirtualServers = append(cfg.VirtualServers, &config.VirtualServer{OnStop: policy})
		}
		if got := desired.ClearsAtStop(cfg); got != tt.want {
			t.Errorf("%s, %v: %t", tt.global, tt.services, got)
		}
	}
}

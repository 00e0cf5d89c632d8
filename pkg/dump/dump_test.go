package dump

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/internal/golden"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

const text = `
[global_defs]
router_id = "lb1"
[vrrp_script.chk]
script = "/bin/true x"
interval = 1
weight = 5
[vrrp_sync_group.G]
group = ["VI_1", "VI_2"]
[vrrp_instance.VI_1]
state = "MASTER"
interface = "eth0"
virtual_router_id = 51
priority = 100
authentication = { auth_type = "PASS", auth_pass = "secret" }
track_script = ["chk"]
virtual_ipaddress = ["192.0.2.1/24 dev eth0 label eth0:1"]
virtual_ipaddress_excluded = ["192.0.2.2"]
virtual_routes = ["198.51.100.0/24 via 192.0.2.9 dev eth0"]
[vrrp_instance.VI_2]
interface = "eth1"
virtual_router_id = 52
version = 3
advert_int = 0.25
priority = 90
nopreempt = true
virtual_ipaddress = ["2001:db8::1/64"]
[[virtual_server]]
address = "192.0.2.1:80"
protocol = "TCP"
lb_algo = "rr"
persistence_timeout = 60
real_servers = ["198.51.100.1:80"]
TCP_CHECK = true
`

// state is of a configuration with two instances, of which the first is active.
func state(t *testing.T) State {
	t.Helper()
	cfg, found := config.Load("t.toml", []byte(text))
	if cfg == nil {
		t.Fatal(found)
	}
	since := time.Unix(1700000000, 123456000).UTC()
	routers := &status.VRRP{
		Instances: []status.VirtualRouter{
			{Name: "VI_1", State: "MASTER", Since: since, Effective: 105, ActiveDown: 3590 * time.Millisecond, Source: netip.MustParseAddr("192.0.2.3"),
				Counters: status.RouterCounters{Sent: 7, Received: 2, BecameActive: 1, Rejected: map[string]uint64{"ttl": 3, "password": 4, "auth_type": 5}, PriorityZeroSent: 6}},
			{Name: "VI_2", State: "FAULT", Since: since, Effective: 90, Faults: []string{"interface eth1 is down"}, ActivePriority: 150, Learned: 500 * time.Millisecond},
		},
		Groups:  []status.SyncGroup{{Name: "G", State: "FAULT", Members: []string{"VI_1", "VI_2"}}},
		Objects: []status.Tracked{{Object: status.Object{Kind: "script", Name: "chk"}, Known: true, Up: true}, {Object: status.Object{Kind: "process", Name: "p"}, Known: true}},
	}
	services := []status.Service{{
		Key: ipvs.AddressKey(ipvs.TCP, netip.MustParseAddrPort("192.0.2.1:80")), Options: []string{"rr"}, Quorum: status.Quorum{State: health.Up, Live: 1, Needed: 1},
		Servers: []status.Server{{Addr: netip.MustParseAddrPort("198.51.100.1:80"), Forward: "NAT", Weight: 1, EffectiveWeight: 1, InTable: true, Health: health.Up,
			Checks: []status.Check{{Type: "TCP_CHECK", State: health.Up, Probes: 3}}}},
	}}
	return State{cfg, routers, services}
}

func TestDumps(t *testing.T) {
	s := state(t)
	golden.Check(t, "testdata/data.golden", []byte(s.Data()))
	golden.Check(t, "testdata/check.golden", []byte(s.Checks()))
	golden.Check(t, "testdata/stats.golden", []byte(s.Stats()))
	golden.Check(t, "testdata/parent.golden", []byte(s.Global()))
	for version, name := range map[int]string{Version1: "v1.json", Version2: "v2.json"} {
		text, err := s.JSON(version)
		if err != nil || !json.Valid(text) || strings.Contains(string(text), "secret") {
			t.Errorf("%v %s", err, text)
		}
		golden.Check(t, "testdata/"+name, text)
	}
	if strings.Contains(s.Data(), "secret") {
		t.Error("the password is shown")
	}
}

// Without virtual routers there is an empty list, not null.
func TestNoRouters(t *testing.T) {
	s := State{Config: &config.Config{}, Routers: &status.VRRP{}}
	if text, err := s.JSON(Version1); err != nil || string(text) != "[]\n" {
		t.Errorf("%q %v", text, err)
	}
	if text, err := s.JSON(Version2); err != nil || string(text) != `{"vrrp":[],"track_process":[]}`+"\n" {
		t.Errorf("%q %v", text, err)
	}
	if s.Stats() != "" {
		t.Errorf("%q", s.Stats())
	}
}

// Counters that were cleared begin at zero.
func TestSince(t *testing.T) {
	now := status.RouterCounters{Sent: 5, Received: 4, Rejected: map[string]uint64{"ttl": 3}}
	got := Since(now, status.RouterCounters{Sent: 3, Rejected: map[string]uint64{"ttl": 2}})
	if got.Sent != 2 || got.Received != 4 || got.Rejected["ttl"] != 1 || now.Rejected["ttl"] != 3 {
		t.Errorf("%+v", got)
	}
}

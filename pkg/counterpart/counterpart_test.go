package counterpart_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/counterpart"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/internal/golden"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// director returns a director with two services, a virtual router and sync daemons, in good health.
func director(name string) *status.Snapshot {
	server := func(at string) status.Server {
		return status.Server{
			Addr: netip.MustParseAddrPort(at), Forward: "NAT", Weight: 1, EffectiveWeight: 1, InTable: true, TableWeight: 1, Health: health.Up, Since: now,
			Checks: []status.Check{{Type: "HTTP_GET", What: "/", State: health.Up, LastRun: now}},
		}
	}
	service := func(at string, servers ...status.Server) status.Service {
		return status.Service{
			Key: ipvs.AddressKey(ipvs.TCP, netip.MustParseAddrPort(at)), Options: []string{"rr"}, InTable: true, Servers: servers,
			Quorum: status.Quorum{State: health.Up, Live: int64(len(servers)), Needed: 1},
		}
	}
	sync := &status.SyncDaemon{Interface: "eth-" + name, SyncID: 7, Group: ipvs.SyncGroup, Port: 8848}
	return &status.Snapshot{
		RouterID: name, At: now, PID: len(name),
		Services: []status.Service{service("192.0.2.1:80", server("198.51.100.1:80"), server("198.51.100.2:80")), service("192.0.2.1:443", server("198.51.100.1:443"))},
		VRRP: &status.VRRP{Instances: []status.VirtualRouter{{
			Name: "VI_1", VRID: 51, Version: 2, Interface: "eth-" + name, State: "MASTER", Priority: 150, Interval: time.Second,
			Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("192.0.2.2/24")},
		}}},
		Settings: &status.Settings{Timeouts: status.Timeouts{TCP: 15 * time.Minute}, Master: sync, Sysctls: ipvs.Sysctls{"conn_reuse_mode": "0"}},
		Wishes:   []admin.Wish{{Server: admin.Server{AddrPort: netip.MustParseAddrPort("198.51.100.2:80")}, What: admin.Drain, Since: now, Owner: name}},
	}
}

// What may differ between directors is no difference, and each thing that matters is one, marked if it would harm clients.
func TestCompare(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(there *status.Snapshot)
		want   string // of the one difference; empty: there is none
		poorer bool
	}{
		{name: "role", change: func(o *status.Snapshot) {
			r := &o.VRRP.Instances[0]
			r.State, r.Priority, r.Interface = "BACKUP", 100, "eth9"
			o.Settings.Master, o.Settings.Backup = nil, o.Settings.Master
			o.Services[0].Servers[0].ActiveConns, o.Services[0].Servers[0].Since = 7, now.Add(-time.Hour)
		}},
		{"a service less", func(o *status.Snapshot) { o.Services = o.Services[:1] }, "tcp 192.0.2.1:443: service: configured here, - there", true},
		{"a scheduler", func(o *status.Snapshot) { o.Services[0].Options = []string{"wrr"} }, "tcp 192.0.2.1:80: options: rr here, wrr there", false},
		{"not in the table", func(o *status.Snapshot) { o.Services[1].InTable = false }, "tcp 192.0.2.1:443: in the table: yes here, no there", true},
		{"a quorum", func(o *status.Snapshot) { o.Services[1].Quorum.State = health.Down }, "tcp 192.0.2.1:443: quorum: up here, down there", true},
		{"a weight", func(o *status.Snapshot) { o.Services[0].Servers[0].Weight = 3 }, "198.51.100.1:80 of tcp 192.0.2.1:80: weight: 1 here, 3 there", false},
		{"health", func(o *status.Snapshot) { o.Services[0].Servers[0].Health = health.Down }, "198.51.100.1:80 of tcp 192.0.2.1:80: health: up here, down there", true},
		{"a check", func(o *status.Snapshot) { o.Services[0].Servers[0].Checks = nil }, "198.51.100.1:80 of tcp 192.0.2.1:80: checks: HTTP_GET / here, - there", false},
		{"an address", func(o *status.Snapshot) { o.VRRP.Instances[0].Addresses = o.VRRP.Instances[0].Addresses[1:] }, "vrrp_instance VI_1: addresses lacking: - here, 192.0.2.1/24 there", true},
		{"an instance", func(o *status.Snapshot) { o.VRRP.Instances[0].VRID = 52; o.VRRP.Instances = o.VRRP.Instances[:0] }, "vrrp_instance VI_1: virtual_router_id 51: configured here, - there", true},
		{"no instances", func(o *status.Snapshot) { o.VRRP = nil }, "vrrp_instance VI_1: virtual_router_id 51: configured here, - there", true},
		{"a fault", func(o *status.Snapshot) {
			o.VRRP.Instances[0].State, o.VRRP.Instances[0].Faults = "FAULT", []string{"interface eth1 is down"}
		},
			"vrrp_instance VI_1: state: MASTER here, FAULT interface eth1 is down there", true},
		{"a version", func(o *status.Snapshot) { o.VRRP.Instances[0].Version = 3 }, "vrrp_instance VI_1: version: 2 here, 3 there", true},
		{"no sync daemon", func(o *status.Snapshot) { o.Settings.Master = nil }, "sync daemon: id, group, port: 7, 224.0.0.81, 8848 here, - there", true},
		{"a timeout", func(o *status.Snapshot) { o.Settings.Timeouts.TCP = time.Minute }, "lvs_timeouts: tcp, tcpfin, udp: 15m0s, 0s, 0s here, 1m0s, 0s, 0s there", false},
		{"a sysctl", func(o *status.Snapshot) { o.Settings.Sysctls["conn_reuse_mode"] = "1" }, "sysctl conn_reuse_mode: value: 0 here, 1 there", false},
		{"a drain", func(o *status.Snapshot) { o.Wishes = nil }, "server 198.51.100.2:80: wanted by the operator: drain here, - there", true},
		{"a drain that ended", func(o *status.Snapshot) { o.Wishes[0].Cleared = true }, "server 198.51.100.2:80: wanted by the operator: drain here, - there", true},
		{"a table", func(o *status.Snapshot) { o.Table.Error = "modprobe ip_vs" }, "kernel's table: state: fine here, modprobe ip_vs there", true},
		{"a refused file", func(o *status.Snapshot) { o.Config.Rejected = "1:1: no" }, "configuration: newest file: taken here, refused there", false},
		{"virtual routers that don't run", func(o *status.Snapshot) { o.VRRP.Error = "no socket" }, "virtual routers: state: fine here, no socket there", true},
		{"a suspension", func(o *status.Snapshot) {
			s := &o.Services[1]
			s.Suspended, s.Quorum.State, s.Servers[0].Health, s.Servers[0].TableWeight = true, health.Unchecked, health.Unchecked, 0
			o.Services[1].Servers[0].InTable = true
		}, "tcp 192.0.2.1:443: checks: run here, suspended there\ntcp 192.0.2.1:443: servers with clients: 1 here, 0 there", false},
		{"a server less", func(o *status.Snapshot) { o.Services[0].Servers = o.Services[0].Servers[:1] },
			"tcp 192.0.2.1:80: servers with clients: 2 here, 1 there\n198.51.100.2:80 of tcp 192.0.2.1:80: server: configured here, - there", true},
		{"a server that has no clients", func(o *status.Snapshot) { o.Services[1].Servers[0].InTable = false },
			"tcp 192.0.2.1:443: servers with clients: 1 here, 0 there\n198.51.100.1:443 of tcp 192.0.2.1:443: has clients: yes here, no there", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			there := director("lb2")
			tt.change(there)
			c := counterpart.Compare("second", director("lb1"), there)
			var lines []string
			for _, d := range c.Differences {
				lines = append(lines, d.Object+": "+d.What+": "+d.Here+" here, "+d.There+" there")
			}
			if got := strings.Join(lines, "\n"); got != tt.want || len(c.Poorer()) > 0 != tt.poorer {
				t.Errorf("%d of it poorer:\n%s\nwant:\n%s", len(c.Poorer()), got, tt.want)
			}
			back := counterpart.Compare("first", there, director("lb1")) // what is more there than here harms nobody
			if len(back.Differences) != len(c.Differences) {
				t.Errorf("the other way round: %+v", back.Differences)
			}
		})
	}
}

// More than here is told, and harms nobody.
func TestRicherCounterpart(t *testing.T) {
	here := director("lb1")
	here.Services, here.VRRP, here.Wishes = here.Services[:1], nil, nil
	here.Services[0].Servers = here.Services[0].Servers[:1]
	c := counterpart.Compare("second", here, director("lb2"))
	if len(c.Differences) != 5 || len(c.Poorer()) != 0 {
		t.Errorf("%+v", c.Differences)
	}
}

func TestText(t *testing.T) {
	there := director("lb2")
	there.Services[0].Servers = there.Services[0].Servers[:1]
	there.Services[0].Options = []string{"wrr\x1b"}
	all := counterpart.Comparisons{Peers: []counterpart.Comparison{
		counterpart.Compare("second", director("lb1"), there), counterpart.Compare("third", director("lb1"), director("lb3")),
		counterpart.Unknown("fourth", "lb1", errors.New("the host can't be reached")),
	}}
	harmless := director("lb2")
	harmless.Services[0].Options = []string{"wrr"}
	all.Peers = append(all.Peers, counterpart.Compare("second", director("lb1"), harmless))
	for name, style := range map[string]status.Style{"text": {}, "color": {Color: true}} {
		var b bytes.Buffer
		if err := all.Text(&b, style); err != nil {
			t.Fatal(err)
		}
		golden.Check(t, "testdata/"+name+".golden", b.Bytes())
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/json.golden", append(text, '\n'))
}

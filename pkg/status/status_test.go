package status_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/internal/golden"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

// trouble is a director on which everything that can be told is to be told.
func trouble() *status.Snapshot {
	web := status.Service{
		Key: ipvs.AddressKey(ipvs.TCP, netip.MustParseAddrPort("192.0.2.1:80")), Options: []string{"wrr", "persistent 5m0s"},
		InTable: true, Stats: ipvs.Stats{Connections: 12345},
		Servers: []status.Server{
			{
				Addr: netip.MustParseAddrPort("198.51.100.1:80"), Forward: "NAT", Weight: 3, InTable: true, TableWeight: 3,
				ActiveConns: 17, InactiveConns: 120, Stats: ipvs.Stats{Connections: 12000}, Health: health.Up, Since: ago(6*24*time.Hour + 3*time.Hour),
				Checks: []status.Check{{
					Type: "TCP_CHECK", Target: netip.MustParseAddrPort("198.51.100.1:80"), State: health.Up, Since: ago(time.Hour),
					LastRun: ago(time.Second), Took: 350 * time.Microsecond, Probes: 1000,
				}},
			},
			{
				Addr: netip.MustParseAddrPort("198.51.100.2:80"), Forward: "NAT", Weight: 1, Health: health.Down, Since: ago(125 * time.Second),
				Error: "connection refused", Checks: []status.Check{{Type: "TCP_CHECK", State: health.Down, Error: "connection refused", Failures: 40}},
			},
			{
				Addr: netip.MustParseAddrPort("198.51.100.3:80"), Forward: "NAT", Weight: 1, InTable: true, TableWeight: 0, Health: health.Down,
				Since: ago(3 * time.Second), Error: "no answer within 3s", Checks: []status.Check{{Type: "TCP_CHECK", State: health.Down}}, WeightReason: "of no account now",
			},
			{
				Addr: netip.MustParseAddrPort("198.51.100.4:80"), Forward: "NAT", Weight: 1, Health: health.Unchecked, Since: now,
				Checks: []status.Check{{Type: "TCP_CHECK"}},
			},
			{
				Addr: netip.MustParseAddrPort("198.51.100.5:80"), Forward: "NAT", Weight: 10, InTable: true, TableWeight: 2, EffectiveWeight: 2,
				Health: health.Up, Since: ago(time.Second), WeightReason: "AGENT_CHECK advises 50% of the weight", SlowStartUntil: now.Add(9 * time.Second),
				Checks: []status.Check{{Type: "SSL_GET", What: "/", State: health.Up, Warning: "the certificate ends on 2026-12-01"}, {Type: "AGENT_CHECK", State: health.Up}, {Type: "PGSQL_CHECK", What: "shop", State: health.Down, Since: ago(time.Hour), Error: "login refused", Warning: "stale"}},
			},
			{Addr: netip.MustParseAddrPort("198.51.100.6:80"), Forward: "NAT", Weight: 1, Off: true, Health: health.Down, Error: "off in the configuration"},
			{
				Addr: netip.MustParseAddrPort("198.51.100.7:80"), Name: "web7", Tags: []string{"rack1"}, Forward: "NAT", Weight: 1, InTable: true, ActiveConns: 4, Health: health.Up,
				Wishes: []admin.Wish{desk().Wishes[0].Wish, desk().Wishes[1].Wish},
			},
		},
	}
	six := status.Service{
		Key: ipvs.FWMarkKey(7, ipvs.IPv6), Options: []string{"mh", "mh-port"},
		Servers: []status.Server{{Addr: netip.MustParseAddrPort("[2001:db8::1]:0"), Forward: "DR", Weight: 1, Health: health.Up}},
	}
	sorry := status.Service{
		Key: ipvs.AddressKey(ipvs.TCP, netip.MustParseAddrPort("192.0.2.3:80")), Options: []string{"rr"}, InTable: true,
		Servers: []status.Server{
			{Addr: netip.MustParseAddrPort("198.51.100.1:80"), Forward: "NAT", Weight: 1, Health: health.Up},
			{Addr: netip.MustParseAddrPort("198.51.100.9:80"), Sorry: true, Forward: "DR", Weight: 1, InTable: true, TableWeight: 1, Health: health.Up},
			{Addr: netip.MustParseAddrPort("198.51.100.10:80"), Sorry: true, Forward: "DR", Weight: 1, Health: health.Down, Error: "connection refused"},
		},
		Quorum: status.Quorum{State: health.Down, Live: 1, Needed: 3}, Sorry: true, Group: "group WEB tcp",
	}
	sorry2 := sorry
	sorry2.Key.Addr = netip.MustParseAddrPort("192.0.2.4:80")
	open := status.Service{
		Key: ipvs.AddressKey(ipvs.UDP, netip.MustParseAddrPort("192.0.2.3:53")), Options: []string{"rr"}, InTable: true,
		Servers: []status.Server{
			{Addr: netip.MustParseAddrPort("198.51.100.1:53"), Forward: "NAT", Weight: 1, InTable: true, TableWeight: 1, Health: health.Down, Error: "no answer"},
		},
		Quorum: status.Quorum{State: health.Up, Live: 1, Needed: 1}, FailOpen: true, Suspended: true,
	}
	for s, policy := range map[*status.Service]string{&web: "leave", &six: "leave", &sorry: "quiesce", &sorry2: "quiesce", &open: "remove"} {
		s.OnStop = policy
	}
	return &status.Snapshot{
		Version: "v0.1.0", RouterID: "lb1", PID: 4711, Started: ago(4*time.Hour + 10*time.Minute), At: now,
		Config: status.Config{
			File: "/etc/ipvsd/ipvsd.toml", Loaded: ago(time.Hour), Warnings: 2,
			Rejected:   "/etc/ipvsd/ipvsd.toml:4:12: protocol must be \"TCP\", \"UDP\" or \"SCTP\", not \"TPC\"\n  4 | protocol = \"TPC\"\n    |            ^^^^^\n",
			RejectedAt: ago(time.Minute),
		},
		Table: status.Table{
			Version: "1.2.1", ConnBuckets: 4096,
			Read: ago(time.Second), Changed: ago(3 * time.Second), Changes: 42, Drift: 1,
			Refused: []status.Refused{{Reason: "add service fwmark 7 inet6 mh: the kernel has no scheduler \"mh\"", Since: ago(time.Minute), Attempts: 6, Next: now.Add(4 * time.Second)}},
			Foreign: []string{"udp 192.0.2.9:53"},
		},
		Settings: status.SettingsOf(ipvs.Settings{
			Timeouts: ipvs.Timeouts{TCP: 15 * time.Minute, TCPFin: 2 * time.Minute, UDP: 5 * time.Second},
			Master:   ipvs.SyncDaemon{Interface: "eth1", SyncID: 7, MaxLen: 1464, Group: ipvs.SyncGroup, Port: 8848, TTL: 1},
			Sysctls:  ipvs.Sysctls{"expire_nodest_conn": "1", "conntrack": "0", "sloppy_tcp": "0"},
		}, []string{"expire_nodest_conn", "conntrack", "est_nice"}),
		Services: []status.Service{web, six, sorry, sorry2, open}, Engine: engine(),
		Wishes: []admin.Wish{desk().Wishes[0].Wish, desk().Wishes[1].Wish, desk().Wishes[5].Wish}, WishesRecord: "no space left on device",
		Directors: []status.Director{
			{Name: "lb2", Address: "10.0.0.2:9443", Reached: ago(time.Second), InStep: true, Newest: ago(time.Minute)},
			{Name: "lb3", Address: "10.0.0.3:9443", FailingSince: ago(90 * time.Second), Error: "connection refused", Newest: ago(time.Hour)},
			{Name: "lb4", Address: "10.0.0.4:9443", Reached: ago(time.Second), Newest: ago(time.Second), Newer: true, ClockAhead: -7 * time.Second},
			{Name: "lb5", Address: "10.0.0.5:9443", Reached: ago(time.Second), Newest: ago(time.Hour)}, {Name: "lb6", Address: "10.0.0.6:9443"},
		},
	}
}

func TestText(t *testing.T) {
	unreadable := &status.Snapshot{
		Version: "v0.1.0", RouterID: "lb1", PID: 1, Started: now, At: now,
		Config: status.Config{File: "/etc/ipvsd/ipvsd.toml", Loaded: now},
		Table:  status.Table{Error: ipvs.ErrUnavailable.Error()},
	}
	answer := &status.Answer{
		Changes: []string{"add service tcp 192.0.2.1:80 rr", "edit server 198.51.100.1:80 of tcp 192.0.2.1:80: weight 1 -> weight 3", "delete service udp 192.0.2.9:53"},
		Waiting: []string{"for a first check to pass before 198.51.100.4:80 joins tcp 192.0.2.1:80"},
		Refused: []string{"add service tcp 192.0.2.1:80 rr: not permitted"},
	}
	for name, text := range map[string]func(io.Writer, status.Style) error{
		"list":              trouble().List,
		"status":            trouble().Text,
		"list-unreadable":   unreadable.List,
		"status-unreadable": unreadable.Text,
		"answer":            answer.Text,
		"problems":          func(w io.Writer, _ status.Style) error { return answer.Problems(w) },
	} {
		t.Run(name, func(t *testing.T) {
			var plain, color bytes.Buffer
			if err := text(&plain, status.Style{}); err != nil {
				t.Fatal(err)
			}
			if err := text(&color, status.Style{Color: true}); err != nil {
				t.Fatal(err)
			}
			golden.Check(t, "testdata/"+name+".golden", plain.Bytes())
			golden.Check(t, "testdata/"+name+"-color.golden", color.Bytes())
		})
	}
}

// The JSON form is the contract: names don't change, and what is written can be read back.
func TestJSON(t *testing.T) {
	text, err := json.MarshalIndent(trouble(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/snapshot.json.golden", append(text, '\n'))
	back := new(status.Snapshot)
	if err := json.Unmarshal(text, back); err != nil {
		t.Fatal(err)
	}
	addrs := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	if diff := cmp.Diff(trouble(), back, addrs, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

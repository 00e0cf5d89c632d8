package exporter

import (
	"net/netip"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/metrics"
	"github.com/ipvsd/ipvsd/pkg/status"
)

var loaded = time.Date(2026, 11, 22, 12, 0, 0, 500e6, time.UTC)

func histogram(count uint64, sum time.Duration, buckets ...uint64) status.Histogram {
	h := status.Histogram{Count: count, Sum: sum}
	for i, n := range buckets {
		h.Buckets = append(h.Buckets, status.Bucket{Max: time.Duration(1+9*i) * time.Millisecond, Count: n})
	}
	return h
}

// director are facts with something of everything in them.
func director() *metrics.Facts {
	web := status.Service{
		Key: ipvs.AddressKey(ipvs.TCP, netip.MustParseAddrPort("192.0.2.1:80")), Options: []string{"wlc", "persistent 300s"}, InTable: true,
		Stats:  ipvs.Stats{Connections: 1 << 60, InPackets: 22, OutPackets: 33, InBytes: 44, OutBytes: 55},
		Quorum: status.Quorum{State: health.Up, Live: 3, Needed: 1},
		Servers: []status.Server{
			{
				Addr: netip.MustParseAddrPort("198.51.100.1:80"), Forward: "NAT", Weight: 3, EffectiveWeight: 2, InTable: true, TableWeight: 2,
				ActiveConns: 7, InactiveConns: 8, Stats: ipvs.Stats{Connections: 9, InPackets: 10, OutPackets: 11, InBytes: 12, OutBytes: 13}, Health: health.Up,
			},
			{Addr: netip.MustParseAddrPort("[2001:db8::2]:80"), Forward: "TUN", Weight: 1, Wishes: []admin.Wish{{What: admin.Disable}, {What: admin.Drain}, {What: admin.Drain}}, Health: health.Down, Error: "a secret of the server's"},
			{Addr: netip.MustParseAddrPort("198.51.100.3:80"), Forward: "NAT", Off: true},
			{Addr: netip.MustParseAddrPort("198.51.100.9:80"), Forward: "NAT", Sorry: true, Health: health.Up},
		},
	}
	mail := status.Service{
		Key: ipvs.FWMarkKey(7, ipvs.IPv6), Group: "group \"MAIL\\\xff", Options: []string{"rr"}, Quorum: status.Quorum{State: health.Down, Needed: 2},
		Sorry: true, FailOpen: true, Suspended: true,
	}
	return &metrics.Facts{
		Limits: metrics.Limits{PerServer: true, Servers: 4}, Read: true,
		Rounds: metrics.Rounds{Count: 100, Steps: 20, Refused: 3, Drift: 2, Took: histogram(3, 5*time.Millisecond, 2, 3)},
		Alerts: []metrics.Alerts{{To: "mail server localhost:25", Queued: 1, Delivered: 2, Retried: 3, Failed: 4, Dropped: 5}},
		Lost:   1, Wanted: []ipvs.SyncRole{ipvs.SyncMaster, ipvs.SyncBackup},
		Snapshot: &status.Snapshot{
			RouterID: "director1", Wishes: make([]admin.Wish, 3), WishesRecord: "disk full",
			Config: status.Config{Loaded: loaded, Rejected: "no", RejectedAt: loaded.Add(time.Hour), Warnings: 2, Pending: &status.Pending{Revision: 2, Back: 1}},
			Table: status.Table{
				Error: "no IPVS", Record: "disk full", Read: loaded, Changed: loaded, Refused: make([]status.Refused, 2), Foreign: make([]string, 3),
			},
			Audit: "disk full", AuditLost: 4,
			Sources: []status.Source{
				{Source: "dns web.example.org", Servers: 2, Answered: loaded, Held: make([]status.KeptMember, 1)},
				{Source: "etcd", Error: "refused", Failed: loaded, Answered: loaded, Unfit: make([]status.UnfitMember, 3)},
				{Source: "directory /etc/m"},
			},
			Directors: []status.Director{
				{Name: "director2", Reached: loaded, InStep: true, ClockAhead: -3 * time.Second}, {Name: "director3", FailingSince: loaded, Error: "refused"},
			},
			Settings: &status.Settings{Master: &status.SyncDaemon{Interface: "eth1"}},
			Services: []status.Service{web, mail},
			Engine: status.Engine{
				Checks: 4, Running: 1, Waiting: 2, Waited: 3, Lateness: histogram(4, time.Second, 1, 2),
				Types: []status.CheckType{
					{Type: "HTTP_GET", Probes: 3, Failed: 1, Skipped: 2, Want: "a file", Took: histogram(3, 1500*time.Millisecond, 1, 2)},
					{Type: "TCP_CHECK", Took: histogram(0, 0, 0, 0)},
				},
			},
			VRRP: &status.VRRP{
				Instances: []status.VirtualRouter{{
					Name: "VI_1", VRID: 51, Version: 3, IPv6: true, Interface: "eth0", Group: "VG", State: "MASTER", Since: loaded, Priority: 100, Effective: 90,
					Interval: 500 * time.Millisecond, Peers: make([]status.PeerRouter, 1),
					Held: status.Held{Wished: 3, Present: 2, Failed: make([]string, 1), Conflicts: make([]string, 1)},
					Counters: status.RouterCounters{
						Sent: 1, Received: 2, Rejected: map[string]uint64{"wrong TTL": 3, "checksum": 4}, BecameActive: 5, LeftActive: 6, PriorityZeroSent: 7,
						PriorityZeroReceived: 8, LowerWhileActive: 9, SendErrors: 10, Late: 11, Latest: 120 * time.Millisecond, SteppedDown: 13, PutBack: 14,
						Mismatched: 15, IntervalMismatched: 16,
					},
				}},
				Groups:   []status.SyncGroup{{Name: "VG", State: "BACKUP"}},
				Objects:  []status.Tracked{{Object: status.Object{Kind: "script", Name: "chk"}, Known: true, Up: true}, {Object: status.Object{Kind: "file", Name: "f"}}},
				Sessions: []status.BFDSession{{Name: "B", State: "Up"}},
				Thread:   status.Thread{Realtime: 50},
			},
		},
	}
}

package status_test

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/internal/golden"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

var sameAddrs = []cmp.Option{
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
}

// everything is a table with a value in every field, and its settings.
func everything() (ipvs.Table, ipvs.Settings) {
	server := func(a string, d ipvs.Destination, n uint32) ipvs.DestinationStatus {
		d.Addr = netip.MustParseAddrPort(a)
		u := uint64(n)
		return ipvs.DestinationStatus{
			Destination: d, Rank: int(n), ActiveConns: n, InactiveConns: 10 * n, PersistentConns: 100 * n,
			Stats: ipvs.Stats{Connections: 1000 * u, InPackets: 20_000 * u, OutPackets: 300_000 * u, InBytes: 4_000_000 * u, OutBytes: math.MaxUint64 - u},
		}
	}
	table := ipvs.Table{
		{
			Service: ipvs.Service{ServiceKey: ipvs.AddressKey(ipvs.TCP, netip.MustParseAddrPort("192.0.2.1:80")), Scheduler: "wlc", Granularity: 32},
			Stats: ipvs.Stats{Connections: 999, InPackets: 1000, OutPackets: 12_345, InBytes: 999_500, OutBytes: math.MaxUint64,
				ConnectionsPerSec: 1, InPacketsPerSecond: 2, OutPacketsPerSecond: 3, InBytesPerSecond: 4, OutBytesPerSecond: 5},
			Destinations: []ipvs.DestinationStatus{
				server("198.51.100.1:8080", ipvs.Destination{Weight: math.MaxInt32, UpperThreshold: 100, LowerThreshold: 50}, 1),
				server("198.51.100.2:80", ipvs.Destination{Forward: ipvs.DR}, 2),
				server("198.51.100.3:80", ipvs.Destination{Forward: ipvs.Tun, Weight: 1}, 3),
				server("198.51.100.4:80", ipvs.Destination{Forward: ipvs.Tun, Tunnel: ipvs.Tunnel{Type: ipvs.GUE, Port: 6080, Flags: ipvs.RemCsum}}, 4),
				server("198.51.100.5:80", ipvs.Destination{Forward: ipvs.Tun, Tunnel: ipvs.Tunnel{Type: ipvs.GRE, Flags: ipvs.Csum}}, 5),
				server("198.51.100.6:80", ipvs.Destination{Forward: ipvs.Local}, 6),
			},
		},
		{
			Service: ipvs.Service{
				ServiceKey: ipvs.FWMarkKey(7, ipvs.IPv6), Scheduler: "mh", Flags: ipvs.OnePacket | ipvs.MHPort | ipvs.Scheduler3,
				Persistence: 5 * time.Minute, Granularity: 64, Engine: "sip",
			},
			Destinations: []ipvs.DestinationStatus{},
		},
	}
	daemon := ipvs.SyncDaemon{Interface: "eth1", SyncID: 7, MaxLen: 1464, Group: ipvs.SyncGroup, Port: 8848, TTL: 1}
	return table, ipvs.Settings{
		Timeouts: ipvs.Timeouts{TCP: 900 * time.Second, TCPFin: 2 * time.Minute, UDP: 5 * time.Minute}, Master: daemon,
	}
}

func kernel() *status.Kernel {
	table, settings := everything()
	k := status.KernelOf(table, settings, func(k ipvs.ServiceKey, server netip.AddrPort) bool {
		return k.FWMark == 0 && server.Port() != 8080
	})
	k.At, k.Version, k.ConnBuckets = now, "1.2.1", 4096
	return k
}

// A table is the same after its way through JSON.
func TestTableJSON(t *testing.T) {
	text, err := json.MarshalIndent(kernel(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/kernel.json.golden", append(text, '\n'))
	back := new(status.Kernel)
	if err := json.Unmarshal(text, back); err != nil {
		t.Fatal(err)
	}
	table, settings := back.Table()
	wantTable, wantSettings := everything()
	wantTable[1].Destinations = nil
	if diff := cmp.Diff(wantTable, table, sameAddrs...) + cmp.Diff(wantSettings, settings, sameAddrs...); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if back.Service(table[1].ServiceKey) == nil || back.Service(ipvs.FWMarkKey(8, ipvs.IPv4)) != nil {
		t.Error("the service that is there is to be found, and no other")
	}
	if _, s := back.WithoutSettings().Table(); s.Timeouts != (ipvs.Timeouts{}) || s.Master != s.Backup {
		t.Errorf("without settings: %+v", s)
	}
}

func TestTableText(t *testing.T) {
	still := kernel()
	still.Frozen = true
	for name, text := range map[string]func(io.Writer, status.Style) error{
		"stats":       func(w io.Writer, s status.Style) error { return kernel().Stats(w, s, status.StatsStyle{}) },
		"stats-human": func(w io.Writer, s status.Style) error { return kernel().Stats(w, s, status.StatsStyle{Human: true}) },
		"stats-wide":  func(w io.Writer, s status.Style) error { return kernel().Stats(w, s, status.StatsStyle{Wide: true}) },
		"stats-settings": func(w io.Writer, s status.Style) error {
			if err := kernel().Settings(w, s); err != nil {
				return err
			}
			return still.Settings(w, s)
		},
	} {
		var b bytes.Buffer
		if err := text(&b, status.Style{}); err != nil {
			t.Fatal(err)
		}
		golden.Check(t, "testdata/"+name+".golden", b.Bytes())
	}
}

// step returns the table some time after kernel, with counters that grew by n, in units of their own.
func step(after time.Duration, n uint64) *status.Kernel {
	k := kernel()
	k.At = k.At.Add(after)
	grow := func(s *ipvs.Stats) {
		s.Connections, s.InPackets, s.OutPackets = s.Connections+n, s.InPackets+2*n, s.OutPackets+3*n
		s.InBytes += 4 * n
	}
	for i := range k.Services {
		grow(&k.Services[i].Stats)
		for j := range k.Services[i].Servers {
			grow(&k.Services[i].Servers[j].Stats)
		}
	}
	return k
}

func TestRates(t *testing.T) {
	want := status.Rate{Connections: 10, InPackets: 20, OutPackets: 30, InBytes: 40}
	r := status.RatesOf(kernel(), step(2*time.Second, 20))
	if r.Seconds != 2 || len(r.Services) != 2 || len(r.Services[0].Servers) != 6 {
		t.Fatalf("%+v", r)
	}
	for _, s := range r.Services {
		if s.Rate != want {
			t.Errorf("%s: %+v", s.Key, s.Rate)
		}
		for i, v := range s.Servers {
			if v.Rate != want || v.ActiveConns != uint32(i+1) {
				t.Errorf("%s: %+v", v.Addr, v)
			}
		}
	}
	var b bytes.Buffer
	r.Frozen = true
	r.Services[0].Servers[0].Rate = status.Rate{Connections: 0.5, InPackets: 9.96, OutPackets: 12.5, OutBytes: 1e12}
	if err := r.Text(&b, status.Style{}); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/rate.golden", b.Bytes())
	text, err := json.MarshalIndent(r.Services[0].Servers[0], "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/rate.json.golden", append(text, '\n'))
}

// Counters that went back belong to an object that was made anew, or set to zero: it counts from zero. Never is a rate
// negative, or the difference between two numbers that have nothing to do with each other.
func TestRatesOfWhatWasMadeAnew(t *testing.T) {
	after := step(time.Second, 0)
	web := &after.Services[0]
	fresh := ipvs.Stats{Connections: 3, InPackets: 4, OutPackets: 5, InBytes: 6, OutBytes: 7}
	want := status.Rate{Connections: 3, InPackets: 4, OutPackets: 5, InBytes: 6, OutBytes: 7}
	web.Stats = fresh
	for i, back := range []func(*ipvs.Stats){
		func(s *ipvs.Stats) { s.Connections-- }, func(s *ipvs.Stats) { s.InPackets-- }, func(s *ipvs.Stats) { s.OutPackets-- },
		func(s *ipvs.Stats) { s.InBytes-- }, func(s *ipvs.Stats) { s.OutBytes-- },
	} {
		back(&web.Servers[i].Stats)
	}
	web.Servers[5] = status.KernelServer{Addr: netip.MustParseAddrPort("198.51.100.99:80"), Stats: fresh}
	r := status.RatesOf(kernel(), after)
	if r.Services[0].Rate != want || r.Services[0].Servers[5].Rate != want {
		t.Errorf("a service and a server made anew: %+v", r.Services[0])
	}
	for i := range 5 {
		s := &web.Servers[i].Stats
		want := status.Rate{Connections: float64(s.Connections), InPackets: float64(s.InPackets), OutPackets: float64(s.OutPackets),
			InBytes: float64(s.InBytes), OutBytes: float64(s.OutBytes)}
		if got := r.Services[0].Servers[i].Rate; got != want {
			t.Errorf("counter %d went back: %+v, want %+v", i, got, want)
		}
	}
	before := kernel()
	before.Services = before.Services[1:]
	if r := status.RatesOf(before, after); len(r.Services) != 2 || r.Services[0].Rate != want {
		t.Errorf("a service that came: %+v", r.Services[0])
	}
	after.Services = after.Services[1:]
	if r := status.RatesOf(kernel(), after); len(r.Services) != 1 || r.Services[0].Key.FWMark != 7 {
		t.Errorf("a service that went: %+v", r.Services)
	}
	if r := status.RatesOf(kernel(), step(0, 5)); r.Services[0].Rate != (status.Rate{}) {
		t.Errorf("without time between: %+v", r.Services[0].Rate)
	}
}

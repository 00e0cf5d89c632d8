package desired_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// A server's place in the state is decided by its checks' verdicts, alpha and inhibit_on_failure.
func TestServer(t *testing.T) {
	const weight = 5
	for _, tt := range []struct {
		name           string
		alpha, inhibit bool
		states         []health.State
		want           desired.Want
		weight         int32
	}{
		{name: "no check", want: desired.Present, weight: weight},
		{name: "unchecked", states: states(health.Unchecked), want: desired.Present, weight: weight},
		{name: "unchecked, alpha", alpha: true, states: states(health.Unchecked), want: desired.AsFound, weight: weight},
		{name: "unchecked, alpha, inhibit", alpha: true, inhibit: true, states: states(health.Unchecked), want: desired.AsFound, weight: weight},
		{name: "up", alpha: true, states: states(health.Up), want: desired.Present, weight: weight},
		{name: "down", states: states(health.Down), want: desired.Absent, weight: weight},
		{name: "down, inhibit", inhibit: true, states: states(health.Down), want: desired.Present, weight: 0},
		{name: "one of two down", states: states(health.Up, health.Down), want: desired.Absent, weight: weight},
		{name: "one of two unchecked, alpha", alpha: true, states: states(health.Up, health.Unchecked), want: desired.AsFound, weight: weight},
		{name: "one unchecked, one down, alpha", alpha: true, states: states(health.Unchecked, health.Down), want: desired.Absent, weight: weight},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rs := config.RealServer{
				Destination:      ipvs.Destination{Addr: addr("198.51.100.1:80"), Weight: weight},
				InhibitOnFailure: tt.inhibit,
			}
			verdicts := desired.Verdicts{}
			for i, state := range tt.states {
				c := health.Check{FWMark: uint32(i), Policy: health.Policy{Alpha: tt.alpha}}.ID()
				rs.Checks = append(rs.Checks, c)
				verdicts[c] = checker(c, state)
			}
			cfg := &config.Config{VirtualServers: []*config.VirtualServer{{Services: []ipvs.Service{web}, RealServers: []config.RealServer{rs}}}}
			got := desired.Compute(cfg, desired.Facts{Verdicts: verdicts})[0].Destinations[0]
			if got.Want != tt.want || got.Weight != tt.weight {
				t.Errorf("got want %d weight %d, want %d weight %d", got.Want, got.Weight, tt.want, tt.weight)
			}
		})
	}
}

// A check of which nothing was heard yet is unchecked, even before its engine reports it.
func TestNoVerdictIsUnchecked(t *testing.T) {
	cfg := configOf(server("198.51.100.1:80", check(1)))
	if got := desired.Compute(cfg, desired.Facts{})[0].Destinations[0].Want; got != desired.AsFound {
		t.Errorf("got %d", got)
	}
}

// What is ours but not configured any more goes; what was never ours is not mentioned.
func TestOwnedGoes(t *testing.T) {
	gone := ipvs.AddressKey(ipvs.UDP, addr("192.0.2.9:53"))
	owned := desired.Owned{
		gone:           {addr("198.51.100.1:53")},
		web.ServiceKey: {addr("198.51.100.1:80"), addr("198.51.100.7:80")},
	}
	got := desired.Compute(configOf(server("198.51.100.1:80")), desired.Facts{Owned: owned})
	want := desired.State{
		{Service: web, Destinations: []desired.Destination{
			{Destination: ipvs.Destination{Addr: addr("198.51.100.1:80"), Weight: 1}},
			{Destination: ipvs.Destination{Addr: addr("198.51.100.7:80")}, Want: desired.Absent},
		}},
		{Service: ipvs.Service{ServiceKey: gone}, Want: desired.Absent},
	}
	if diff := cmp.Diff(want, got, comparable); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// While no server of the new configuration is known to work, those of the old one stay; the first success ends it, and
// so does the last failure.
func TestLeaversWait(t *testing.T) {
	owned := desired.Owned{web.ServiceKey: {addr("198.51.100.7:80")}}
	cfg := configOf(server("198.51.100.1:80", check(1)), server("198.51.100.2:80", check(2)))
	for _, tt := range []struct {
		first, second health.State
		want          desired.Want
	}{
		{health.Unchecked, health.Unchecked, desired.Kept},
		{health.Down, health.Unchecked, desired.Kept},
		{health.Up, health.Unchecked, desired.Absent},
		{health.Down, health.Down, desired.Absent},
	} {
		v := desired.Verdicts{check(1): checker(check(1), tt.first), check(2): checker(check(2), tt.second)}
		got := desired.Compute(cfg, desired.Facts{Verdicts: v, Owned: owned})[0].Destinations[2]
		if got.Addr != owned[web.ServiceKey][0] || got.Want != tt.want {
			t.Errorf("%v, %v: got %+v, want %d", tt.first, tt.second, got, tt.want)
		}
	}
}

var (
	web        = ipvs.Service{ServiceKey: ipvs.AddressKey(ipvs.TCP, addr("192.0.2.1:80")), Scheduler: "rr", Granularity: 32}
	comparable = cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })
)

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func states(s ...health.State) []health.State { return s }

// checker returns the checker of a check that has been in a state since noon.
func checker(id health.ID, s health.State) health.Checker {
	k, result := health.New(id.Check().Policy, noon, 0), health.Result{}
	if s == health.Unchecked {
		return k
	}
	if s == health.Down {
		result.Err = "connection refused"
	}
	k, _ = k.Start(noon)
	return k.Step(noon, result)
}

func check(n uint32) health.ID {
	return health.Check{FWMark: n, Policy: health.Policy{Alpha: true, DelayLoop: time.Second}}.ID()
}

func server(a string, checks ...health.ID) config.RealServer {
	return config.RealServer{Destination: ipvs.Destination{Addr: addr(a), Weight: 1}, Checks: checks}
}

func configOf(servers ...config.RealServer) *config.Config {
	return &config.Config{VirtualServers: []*config.VirtualServer{{Services: []ipvs.Service{web}, RealServers: servers}}}
}

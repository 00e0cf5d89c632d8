package desired_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// step is one set of verdicts on the real servers and, behind a slash, the sorry servers: u up, d down, ? unchecked. Then what
// is decided: the quorum and what else is in force, and each server as N:WEIGHT, -N absent, ?N as found, =N kept, ~N draining.
// The sorry servers' numbers begin with 9. What was decided of the quorum counts in the next step.
type step struct{ verdicts, want string }

func TestDecide(t *testing.T) {
	quorum := func(needed, hysteresis int64) func(*config.VirtualServer) {
		return func(vs *config.VirtualServer) { vs.Quorum = health.Quorum{Needed: needed, Hysteresis: hysteresis} }
	}
	minimum := func(percent int) func(*config.VirtualServer) {
		return func(vs *config.VirtualServer) { vs.MinimumUp.Percent = percent }
	}
	inhibit := func(vs *config.VirtualServer) {
		for i := range vs.RealServers {
			vs.RealServers[i].InhibitOnFailure = true
		}
	}
	sorryInhibit := func(vs *config.VirtualServer) { vs.SorryInhibit = true }
	scheduler := func(name string, flags ipvs.ServiceFlags) func(*config.VirtualServer) {
		return func(vs *config.VirtualServer) {
			for i := range vs.Services {
				vs.Services[i].Scheduler, vs.Services[i].Flags = name, flags
			}
		}
	}
	weights := func(w ...int32) func(*config.VirtualServer) {
		return func(vs *config.VirtualServer) {
			for i := range w {
				vs.RealServers[i].Destination.Weight = w[i]
			}
		}
	}
	unchecked := func(vs *config.VirtualServer) { // nobody checks the sorry servers
		for i := range vs.SorryServers {
			vs.SorryServers[i].Checks = nil
		}
	}
	for _, tt := range []struct {
		name  string
		with  []func(*config.VirtualServer)
		steps []step
	}{
		{"quorum of one", nil, []step{
			{"???", "unchecked: ?1 ?2 ?3"}, {"d??", "unchecked: -1 ?2 ?3"}, {"dd?", "unchecked: -1 -2 ?3"}, {"ddd", "down: -1 -2 -3"},
			{"ddu", "up: -1 -2 3:1"},
		}},
		{"quorum of two", []func(*config.VirtualServer){quorum(2, 0)}, []step{
			{"u??", "unchecked: 1:1 ?2 ?3"}, {"uu?", "up: 1:1 2:1 ?3"}, {"uud", "up: 1:1 2:1 -3"}, {"udd", "down: 1:1 -2 -3"},
			{"uud", "up: 1:1 2:1 -3"},
		}},
		{"hysteresis", []func(*config.VirtualServer){quorum(2, 1)}, []step{
			{"uud", "down: 1:1 2:1 -3"}, {"uuu", "up: 1:1 2:1 3:1"}, {"udd", "up: 1:1 -2 -3"}, {"ddd", "down: -1 -2 -3"},
			{"uud", "down: 1:1 2:1 -3"},
		}},
		{"weight counts", []func(*config.VirtualServer){quorum(5, 0), weights(5, 3, 1)}, []step{
			{"udd", "up: 1:5 -2 -3"}, {"duu", "down: -1 2:3 3:1"},
		}},
		{"sorry server", nil, []step{
			{"???/u", "unchecked: ?1 ?2 ?3 ?91"}, {"uu?/u", "up: 1:1 2:1 ?3 -91"}, {"ddd/u", "down sorry: -1 -2 -3 91:1"},
			{"ddu/u", "up: -1 -2 3:1 -91"},
		}},
		{"sorry server takes all", []func(*config.VirtualServer){quorum(2, 0)}, []step{
			{"udd/u", "down sorry: -1 -2 -3 91:1"}, {"uud/u", "up: 1:1 2:1 -3 -91"},
		}},
		{"sorry server takes all, also of a server that is found and unchecked", []func(*config.VirtualServer){quorum(2, 0)}, []step{
			{"?dd/u", "down sorry: -1 -2 -3 91:1"}, {"?ud/u", "down sorry: -1 -2 -3 91:1"}, {"uud/u", "up: 1:1 2:1 -3 -91"},
		}},
		{"sorry server takes all, inhibited", []func(*config.VirtualServer){quorum(2, 0), inhibit, sorryInhibit}, []step{
			{"uuu/u", "up: 1:1 2:1 3:1 91:0"}, {"udd/u", "down sorry: 1:0 2:0 3:0 91:1"}, {"uud/u", "up: 1:1 2:1 3:0 91:0"},
		}},
		{"sorry server is down", []func(*config.VirtualServer){quorum(2, 0)}, []step{
			{"udd/d", "down: 1:1 -2 -3 -91"}, {"udd/u", "down sorry: -1 -2 -3 91:1"}, {"udd/d", "down: 1:1 -2 -3 -91"},
		}},
		{"sorry server waits for its check", []func(*config.VirtualServer){quorum(2, 0)}, []step{
			{"udd/?", "down: 1:1 -2 -3 ?91"}, {"udd/u", "down sorry: -1 -2 -3 91:1"},
		}},
		{"two sorry servers", nil, []step{
			{"ddd/uu", "down sorry: -1 -2 -3 91:1 92:1"}, {"ddd/ud", "down sorry: -1 -2 -3 91:1 -92"}, {"ddd/?d", "down: -1 -2 -3 ?91 -92"},
			{"ddd/dd", "down: -1 -2 -3 -91 -92"}, {"udd/uu", "up: 1:1 -2 -3 -91 -92"},
		}},
		{"sorry server without checks", []func(*config.VirtualServer){unchecked}, []step{
			{"dd?/d", "unchecked: -1 -2 ?3 ?91"}, {"ddd/d", "down sorry: -1 -2 -3 91:1"},
		}},
		{"fail-open", []func(*config.VirtualServer){minimum(50)}, []step{
			{"uuuu", "up: 1:1 2:1 3:1 4:1"}, {"uudd", "up: 1:1 2:1 -3 -4"}, {"uddd", "up fail-open: 1:1 2:1 3:1 4:1"},
			{"dddd", "up fail-open: 1:1 2:1 3:1 4:1"}, {"uudd", "up: 1:1 2:1 -3 -4"},
		}},
		{"fail-open before the sorry server", []func(*config.VirtualServer){minimum(50)}, []step{
			{"dddd/u", "up fail-open: 1:1 2:1 3:1 4:1 -91"},
		}},
		{"fail-open is not for those out on purpose", []func(*config.VirtualServer){minimum(50), weights(0, 1, 1)}, []step{
			{"ddu", "up: -1 -2 3:1"}, {"ddd", "up fail-open: 1:0 2:1 3:1"},
		}},
		{"fail-open after a restart", []func(*config.VirtualServer){minimum(50)}, []step{
			{"????", "unchecked: ?1 ?2 ?3 ?4"}, {"d???", "unchecked: ?1 ?2 ?3 ?4"}, {"dd??", "unchecked: ?1 ?2 ?3 ?4"},
			{"ddd?", "up fail-open: 1:1 2:1 3:1 ?4"}, {"dddd", "up fail-open: 1:1 2:1 3:1 4:1"},
		}},
		{"no fail-open after a restart", []func(*config.VirtualServer){minimum(50)}, []step{
			{"d???", "unchecked: ?1 ?2 ?3 ?4"}, {"du??", "up: ?1 2:1 ?3 ?4"}, {"duu?", "up: -1 2:1 3:1 ?4"},
		}},
		{"fail-open, and new servers come", []func(*config.VirtualServer){minimum(50), quorum(3, 0)}, []step{
			{"dddd", "up fail-open: 1:1 2:1 3:1 4:1"}, {"dddd????/u", "up: ?1 ?2 ?3 ?4 ?5 ?6 ?7 ?8 -91"},
			{"dddddd??/u", "up fail-open: 1:1 2:1 3:1 4:1 5:1 6:1 ?7 ?8 -91"}, {"dddduuuu/u", "up: -1 -2 -3 -4 5:1 6:1 7:1 8:1 -91"},
		}},
		{"mh drops what it sends to weight 0", []func(*config.VirtualServer){scheduler("mh", 0), inhibit, sorryInhibit}, []step{
			{"ud?/u", "up: 1:1 -2 ?3 -91"},
		}},
		{"sh drops what it sends to weight 0", []func(*config.VirtualServer){scheduler("sh", 0), inhibit, weights(0, 1)}, []step{
			{"ud", "down: -1 -2"}, {"uu", "up: -1 2:1"},
		}},
		{"dh drops what it sends to weight 0", []func(*config.VirtualServer){scheduler("dh", ipvs.Scheduler1), inhibit}, []step{{"ud", "up: 1:1 -2"}}},
		{"mh falls back", []func(*config.VirtualServer){scheduler("mh", ipvs.MHFallback), inhibit, sorryInhibit}, []step{
			{"ud?/u", "up: 1:1 2:0 ?3 91:0"},
		}},
		{"sh falls back", []func(*config.VirtualServer){scheduler("sh", ipvs.SHFallback), inhibit, weights(0, 1)}, []step{{"ud", "down: 1:0 2:0"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			state := health.Unchecked
			for _, s := range tt.steps {
				vs, verdicts := judged(s.verdicts)
				for _, with := range tt.with {
					with(vs)
				}
				o := desired.Decide(vs, desired.Facts{Verdicts: verdicts, Quorums: map[string]health.State{vs.Name: state}, Now: noon})
				state = o.Quorum
				if got := summary(o) + ": " + layout(o.Services[0]); got != s.want {
					t.Errorf("%s: got %s, want %s", s.verdicts, got, s.want)
				}
			}
		})
	}
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// judged returns a virtual server with a real server for each verdict, and sorry servers for those behind the slash.
func judged(states string) (*config.VirtualServer, desired.Verdicts) {
	vs := &config.VirtualServer{Name: "web", Services: []ipvs.Service{web}, Quorum: health.Quorum{Needed: 1}}
	verdicts := desired.Verdicts{}
	add := func(n int, state rune) config.RealServer {
		c := check(uint32(n))
		verdicts[c] = checker(c, map[rune]health.State{'u': health.Up, 'd': health.Down}[state])
		return server(fmt.Sprintf("198.51.100.%d:80", n), c)
	}
	reals, sorries, _ := strings.Cut(states, "/")
	for i, s := range reals {
		vs.RealServers = append(vs.RealServers, add(i+1, s))
	}
	for i, s := range sorries {
		vs.SorryServers = append(vs.SorryServers, add(91+i, s))
	}
	return vs, verdicts
}

func summary(o desired.Outcome) string {
	s := o.Quorum.String()
	if o.Sorry {
		s += " sorry"
	}
	if o.FailOpen {
		s += " fail-open"
	}
	return s
}

func layout(s desired.Service) string {
	var list []string
	for _, d := range s.Destinations {
		b := d.Addr.Addr().AsSlice()
		n := b[len(b)-1]
		switch d.Want {
		case desired.Present:
			list = append(list, fmt.Sprintf("%d:%d", n, d.Weight))
		case desired.Absent:
			list = append(list, fmt.Sprintf("-%d", n))
		case desired.AsFound:
			list = append(list, fmt.Sprintf("?%d", n))
		case desired.Kept:
			list = append(list, fmt.Sprintf("=%d", n))
		case desired.Draining:
			list = append(list, fmt.Sprintf("~%d", n))
		}
	}
	return strings.Join(list, " ")
}

// A server that left the configuration drains until its time is up, and only where a weight of 0 drops no clients. It waits
// for the first of the others to work, and the clock runs meanwhile.
func TestDraining(t *testing.T) {
	left := noon.Add(-time.Minute)
	for _, tt := range []struct {
		name, verdicts string
		timeout        time.Duration
		scheduler      string
		flags          ipvs.ServiceFlags
		left           desired.Left
		want           string
		until          time.Time
	}{
		{"no time", "u", 0, "rr", 0, nil, "1:1 -7", time.Time{}},
		{"left just now", "u", time.Hour, "rr", 0, nil, "1:1 ~7", noon.Add(time.Hour)},
		{"left a minute ago", "u", time.Hour, "rr", 0, desired.Left{web.ServiceKey: {addr("198.51.100.7:80"): left}}, "1:1 ~7", left.Add(time.Hour)},
		{"time is up", "u", time.Minute, "rr", 0, desired.Left{web.ServiceKey: {addr("198.51.100.7:80"): left}}, "1:1 -7", time.Time{}},
		{"nobody else yet", "?", time.Hour, "rr", 0, nil, "?1 =7", time.Time{}},
		{"nobody else", "d", time.Hour, "rr", 0, nil, "-1 ~7", noon.Add(time.Hour)},
		{"mh", "u", time.Hour, "mh", 0, nil, "1:1 -7", time.Time{}},
		{"mh with fallback", "u", time.Hour, "mh", ipvs.MHFallback, nil, "1:1 ~7", noon.Add(time.Hour)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vs, verdicts := judged(tt.verdicts)
			vs.DrainTimeout = tt.timeout
			vs.Services[0].Scheduler, vs.Services[0].Flags = tt.scheduler, tt.flags
			o := desired.Decide(vs, desired.Facts{
				Verdicts: verdicts, Owned: desired.Owned{web.ServiceKey: {addr("198.51.100.7:80")}}, Left: tt.left, Now: noon,
			})
			if got := layout(o.Services[0]); got != tt.want || !o.Until.Equal(tt.until) {
				t.Errorf("got %s until %v, want %s until %v", got, o.Until, tt.want, tt.until)
			}
		})
	}
}

// A group has services of both families and with ports of their own. Each has the servers that it can reach, and all of them
// count for the quorum.
func TestGroup(t *testing.T) {
	service := func(a string) ipvs.Service {
		k := ipvs.AddressKey(ipvs.TCP, addr(a))
		return ipvs.Service{ServiceKey: k, Scheduler: "rr", Granularity: k.Family.Bits()}
	}
	tunnel := server("198.51.100.3:0", check(3))
	tunnel.Destination.Forward = ipvs.Tun
	vs := &config.VirtualServer{
		Name: "group WEB tcp", Group: "WEB", Quorum: health.Quorum{Needed: 3},
		Services:    []ipvs.Service{service("192.0.2.1:80"), service("192.0.2.1:443"), service("[2001:db8::1]:80")},
		RealServers: []config.RealServer{server("198.51.100.1:0", check(1)), server("[2001:db8::2]:8080", check(2)), tunnel},
	}
	up := func(n uint32) health.Checker { return checker(check(n), health.Up) }
	o := desired.Decide(vs, desired.Facts{Verdicts: desired.Verdicts{check(1): up(1), check(2): up(2), check(3): up(3)}})
	var got []string
	for _, s := range o.Services {
		for _, d := range s.Destinations {
			got = append(got, s.Addr.String()+" "+d.Addr.String())
		}
	}
	want := []string{
		"192.0.2.1:80 198.51.100.1:80", "192.0.2.1:80 198.51.100.3:80",
		"192.0.2.1:443 198.51.100.1:443", "192.0.2.1:443 198.51.100.3:443",
		"[2001:db8::1]:80 198.51.100.3:80", "[2001:db8::1]:80 [2001:db8::2]:8080",
	}
	if !slices.Equal(got, want) || o.Quorum != health.Up || o.Live != 3 || o.Alive != 3 {
		t.Errorf("quorum %v, live %d, alive %d, servers %q", o.Quorum, o.Live, o.Alive, got)
	}
}

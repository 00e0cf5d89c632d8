// Package desired says what the kernel should hold: a pure function of the configuration, the verdicts of the health checks
// and the record of what was ours before.
//
// It does not look at the kernel. Where the answer depends on what is there (a server that no check has judged yet stays
// as it is found), the State says so, and package reconcile, which sees both sides, acts on it.
package desired

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// State is all that is ours and how it should be, sorted by key. What it does not mention is somebody else's.
type State []Service

// Service is one service of ours.
type Service struct {
	ipvs.Service
	Want         Want // Present or Absent; when Absent only the key counts
	Destinations []Destination
}

// Destination is one server of a service of ours.
type Destination struct {
	ipvs.Destination // when Absent only the address counts
	Want             Want
}

// Want is how an object should be found in the kernel.
type Want uint8

const (
	// Present as described.
	Present Want = iota
	// Absent altogether.
	Absent
	// AsFound is for a server without a verdict: not added when absent, kept as described when present, but still at
	// weight 0 if found so. The kernel is the memory of the verdicts that an earlier run of the daemon reached.
	AsFound
	// Kept is for a server that left the configuration and may go as soon as it is known whether another one works:
	// until then it stays as it is found.
	Kept
)

// Verdicts are the states of all checks. A check without an entry is unchecked.
type Verdicts map[health.Check]health.Checker

// For returns the verdicts on the checks of a configuration that follows another. As in the probe engine, which learns of it
// later, a new check takes over what a removed one with the same Subject knew.
func (v Verdicts) For(cfg *config.Config, now time.Time) Verdicts {
	next := make(Verdicts, len(v))
	var added []health.Check
	for i := range cfg.VirtualServers {
		for j := range cfg.VirtualServers[i].RealServers {
			for _, c := range cfg.VirtualServers[i].RealServers[j].Checks {
				if k, ok := v[c]; ok {
					next[c] = k
				} else {
					added = append(added, c)
				}
			}
		}
	}
	removed := make(health.Legacy)
	for c, k := range v {
		if _, stays := next[c]; !stays {
			removed.Add(c, k)
		}
	}
	for _, c := range added {
		if k, known := removed.Heir(c, now); known {
			next[c] = k
		}
	}
	return next
}

// Compute returns the desired state. Owned is what earlier configurations put into the kernel: of that, what the
// configuration no longer names is to go.
func Compute(cfg *config.Config, verdicts Verdicts, owned Owned) State {
	state := make(State, 0, len(cfg.VirtualServers)+len(owned))
	named := make(map[ipvs.ServiceKey]bool, len(cfg.VirtualServers))
	for i := range cfg.VirtualServers {
		vs := &cfg.VirtualServers[i]
		named[vs.Service.ServiceKey] = true
		state = append(state, service(vs, verdicts, owned[vs.Service.ServiceKey]))
	}
	for key := range owned {
		if !named[key] {
			state = append(state, Service{Service: ipvs.Service{ServiceKey: key}, Want: Absent})
		}
	}
	slices.SortFunc(state, func(a, b Service) int { return a.ServiceKey.Compare(b.ServiceKey) })
	return state
}

func service(vs *config.VirtualServer, verdicts Verdicts, owned []netip.AddrPort) Service {
	s := Service{Service: vs.Service, Destinations: make([]Destination, 0, max(len(vs.RealServers), len(owned)))}
	serving, pending := false, false
	for i := range vs.RealServers {
		d := server(&vs.RealServers[i], verdicts)
		serving = serving || d.Want == Present && d.Weight > 0
		pending = pending || d.Want == AsFound
		s.Destinations = append(s.Destinations, d)
	}
	slices.SortFunc(s.Destinations, func(a, b Destination) int { return a.Addr.Compare(b.Addr) })

	// Servers that left the configuration stay until one of the new ones is known to work, or all are known not to, so that
	// replacing all servers of a service does not leave its clients with none for the length of a check.
	leave := Absent
	if pending && !serving {
		leave = Kept
	}
	configured := len(s.Destinations)
	for _, addr := range owned {
		_, found := slices.BinarySearchFunc(s.Destinations[:configured], addr,
			func(d Destination, a netip.AddrPort) int { return d.Addr.Compare(a) })
		if !found {
			s.Destinations = append(s.Destinations, Destination{Destination: ipvs.Destination{Addr: addr}, Want: leave})
		}
	}
	if len(s.Destinations) > configured {
		slices.SortFunc(s.Destinations, func(a, b Destination) int { return a.Addr.Compare(b.Addr) })
	}
	return s
}

func server(rs *config.RealServer, verdicts Verdicts) Destination {
	d := Destination{Destination: rs.Destination}
	for _, check := range rs.Checks {
		switch verdicts[check].State {
		case health.Up:
		case health.Down:
			// One failing check is enough, whatever the others say.
			if !rs.InhibitOnFailure {
				d.Want = Absent
				return d
			}
			d.Weight = 0
			d.Want = Present
			return d
		case health.Unchecked:
			if check.Alpha {
				d.Want = AsFound
			}
		}
	}
	return d
}

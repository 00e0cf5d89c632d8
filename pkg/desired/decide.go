package desired

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/admin"
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Facts are what decisions rest on besides the configuration.
type Facts struct {
	Verdicts Verdicts
	Owned    Owned // what earlier configurations put into the kernel
	Left     Left  // one that is missing leaves just now
	Quorums  Quorums
	Wishes   admin.State // the operator's
	Now      time.Time
}

// Outcome is what was decided of a virtual server.
type Outcome struct {
	Services []Service
	Quorum   health.State // Unchecked while verdicts are missing that it depends on
	Live     int64        // weight of the servers that are alive
	Alive    int          // real servers that may have clients as far as their checks go, also those that the operator keeps from it
	Sorry    bool         // the sorry servers have the clients
	FailOpen bool         // so few servers are up that the checks are not believed: all have clients
	Until    time.Time    // when time alone will change the outcome; zero: never
}

// Compute returns the desired state of a whole configuration.
func Compute(cfg *config.Config, f Facts) State {
	outcomes := make([]Outcome, len(cfg.VirtualServers))
	for i, vs := range cfg.VirtualServers {
		outcomes[i] = Decide(vs, f)
	}
	return Assemble(outcomes, f.Owned)
}

// Assemble puts outcomes together to a state. What is owned and not in any of them is to go.
func Assemble(outcomes []Outcome, owned Owned) State {
	state := make(State, 0, len(outcomes)+len(owned))
	for i := range outcomes {
		state = append(state, outcomes[i].Services...)
	}
	named := make(map[ipvs.ServiceKey]bool, len(state))
	for i := range state {
		named[state[i].ServiceKey] = true
	}
	for key := range owned {
		if !named[key] {
			state = append(state, Service{Service: ipvs.Service{ServiceKey: key}, Want: Absent})
		}
	}
	slices.SortFunc(state, func(a, b Service) int { return a.ServiceKey.Compare(b.ServiceKey) })
	return state
}

// Decide returns what a virtual server and its servers should be in the kernel.
func Decide(vs *config.VirtualServer, f Facts) Outcome {
	var o Outcome
	reals, sorries := o.judge(vs, vs.RealServers, f), o.judge(vs, vs.SorryServers, f)
	believed := credible(vs, reals)
	o.FailOpen = believed == health.Down
	var unchecked int64
	for i := range reals {
		r := &reals[i]
		if r.state == health.Down && !r.off {
			switch believed {
			case health.Up:
			case health.Down:
				r.state, r.alive = health.Up, true
			case health.Unchecked: // it has clients as long as that isn't known, if it has any
				r.state = health.Unchecked
			}
		}
		switch {
		case r.alive:
			o.Alive++
			o.Live += int64(r.weight)
		case r.state == health.Unchecked:
			unchecked += int64(r.weight)
		}
	}
	o.Quorum = attainable(vs.Quorum, reals, f.Quorums[vs.Name]).Step(f.Quorums[vs.Name], o.Live, unchecked)
	o.Sorry = o.Quorum == health.Down && slices.ContainsFunc(sorries, func(s server) bool { return s.alive && s.mode == admin.Serves })
	o.slowStart(vs, reals, f)

	o.Services = make([]Service, len(vs.Services))
	quiet := func(s server) bool { return s.quiet }
	drains := slices.ContainsFunc(reals, quiet) || slices.ContainsFunc(sorries, quiet)
	for i := range vs.Services {
		s := &vs.Services[i]
		if drains {
			passing := Passing(*s)
			s = &passing
		}
		servers := make([]Destination, 0, max(len(reals)+len(sorries), len(f.Owned[s.ServiceKey])))
		for j := range reals {
			if d, reaches := vs.RealServers[j].For(s); reaches {
				d.Weight = reals[j].weight
				servers = append(servers, place(d, &reals[j], o.Sorry, vs.RealServers[j].InhibitOnFailure))
			}
		}
		for j := range sorries {
			if d, reaches := vs.SorryServers[j].For(s); reaches {
				d.Weight = sorries[j].weight
				servers = append(servers, placeSorry(d, &sorries[j], &o, vs.SorryInhibit))
			}
		}
		if s.DropsClients() { // a server with weight 0 is better removed
			for j := range servers {
				if d := &servers[j]; d.Weight == 0 {
					d.Want = Absent
				}
			}
		}
		slices.SortFunc(servers, compare)
		o.Services[i] = Service{Service: *s, Destinations: o.leave(servers, vs, s, f)}
	}
	return o
}

// attainable returns the quorum as it can be gained while the operator keeps servers from serving: with as much of the hysteresis as the
// others' weight allows. Otherwise a restart or a short failure during a drain would lose it until the drain ends.
func attainable(q health.Quorum, reals []server, is health.State) health.Quorum {
	if is == health.Up || !slices.ContainsFunc(reals, func(s server) bool { return s.mode != admin.Serves }) {
		return q
	}
	var most int64
	for i := range reals {
		if !reals[i].off {
			most += int64(reals[i].weight)
		}
	}
	q.Hysteresis = min(q.Hysteresis, max(most-q.Needed, 0))
	return q
}

// StartsSlowly says whether real servers that come back now have a slow start. While all have clients whatever their checks say,
// coming back means nothing; nor does it while sorry servers have the clients.
func (o *Outcome) StartsSlowly() bool { return !o.FailOpen && !o.Sorry }

// slowStart gives servers that came back lately, from a failure or by the operator's wish, less weight than they will have.
func (o *Outcome) slowStart(vs *config.VirtualServer, reals []server, f Facts) {
	if !o.StartsSlowly() {
		return
	}
	for i := range reals {
		rs, r := &vs.RealServers[i], &reals[i]
		if rs.SlowStart == 0 || !r.alive && (r.state != health.Unchecked || r.back.IsZero()) {
			continue // of those that no check has told about since the start, those that the operator has let back may be in the table
		}
		returned := Judge(rs, f.Verdicts.Of).Returned
		if r.back.After(returned) {
			returned = r.back
		}
		if returned.IsZero() {
			continue
		}
		var next time.Duration
		if r.weight, next = slowStart(r.weight, max(f.Now.Sub(returned), 0), rs.SlowStart); next > 0 {
			o.changes(f.Now.Add(next))
		}
	}
}

// changes notes when time alone will change the outcome.
func (o *Outcome) changes(at time.Time) {
	if o.Until.IsZero() || at.Before(o.Until) {
		o.Until = at
	}
}

// credible says whether the checks of a virtual server are to be believed. They aren't where so few servers are up that it is
// more likely that the checks are wrong than that all those servers are. Unchecked: that depends on verdicts still to come.
func credible(vs *config.VirtualServer, reals []server) health.State {
	if vs.MinimumUp == (health.Share{}) {
		return health.Up
	}
	up, pending, all := 0, 0, 0
	for i := range reals {
		if reals[i].off || reals[i].weight == 0 {
			continue // out on purpose
		}
		all++
		switch {
		case reals[i].alive:
			up++
		case reals[i].state == health.Unchecked:
			pending++
		}
	}
	switch minimum := vs.MinimumUp.Of(all); {
	case up >= minimum:
		return health.Up
	case up+pending < minimum:
		return health.Down
	}
	return health.Unchecked
}

// asWanted says how a server should be found that the operator does not let serve. One that drains stays whatever its checks say: a
// server that is about to stop closes its port first, and goes on with the clients that it has.
func asWanted(d ipvs.Destination, v *server) Destination {
	if v.mode == admin.Disabled {
		return Destination{Destination: d, Want: Absent}
	}
	d.Weight = 0
	return Destination{Destination: d}
}

// place says how a real server should be found. While the sorry servers have the clients it has none.
func place(d ipvs.Destination, v *server, sorry, inhibit bool) Destination {
	switch {
	case v.mode != admin.Serves:
		return asWanted(d, v)
	case v.alive && !sorry:
		return Destination{Destination: d}
	case v.state == health.Unchecked && !v.alive && !sorry:
		return Destination{Destination: d, Want: AsFound}
	case inhibit:
		d.Weight = 0
		return Destination{Destination: d}
	}
	return Destination{Destination: d, Want: Absent}
}

// placeSorry says how a sorry server should be found. As long as it isn't known whether the quorum is lost it stays as it is.
func placeSorry(d ipvs.Destination, v *server, o *Outcome, inhibit bool) Destination {
	switch {
	case v.mode != admin.Serves:
		return asWanted(d, v)
	case o.Sorry && v.alive:
		return Destination{Destination: d}
	case o.Quorum == health.Unchecked, o.Quorum == health.Down && v.state == health.Unchecked:
		return Destination{Destination: d, Want: AsFound}
	case inhibit:
		d.Weight = 0
		return Destination{Destination: d}
	}
	return Destination{Destination: d, Want: Absent}
}

// leave adds to the servers of a service those that were in its configuration once, and says how they go.
func (o *Outcome) leave(servers []Destination, vs *config.VirtualServer, s *ipvs.Service, f Facts) []Destination {
	configured := len(servers)
	for _, addr := range f.Owned[s.ServiceKey] {
		if _, found := slices.BinarySearchFunc(servers[:configured], addr, compareAddr); !found {
			servers = append(servers, Destination{Destination: ipvs.Destination{Addr: addr}})
		}
	}
	if len(servers) == configured {
		return servers
	}
	// They stay until one of the new ones is known to work, or all are known not to, so that replacing all servers of a
	// service does not leave its clients with none for the length of a check.
	serving, pending := false, false
	for i := range servers[:configured] {
		serving = serving || servers[i].Want == Present && servers[i].Weight > 0
		pending = pending || servers[i].Want == AsFound
	}
	for i := configured; i < len(servers); i++ {
		servers[i].Want = Absent
		if pending && !serving {
			servers[i].Want = Kept
		} else if until := f.drainedBy(vs, s.ServiceKey, servers[i].Addr); !s.DropsClients() && f.Now.Before(until) {
			servers[i].Want = Draining
			o.changes(until)
		}
	}
	slices.SortFunc(servers, compare)
	return servers
}

// drainedBy returns until when a server that left the configuration may have connections.
func (f Facts) drainedBy(vs *config.VirtualServer, key ipvs.ServiceKey, addr netip.AddrPort) time.Time {
	left := f.Left[key][addr]
	if left.IsZero() {
		left = f.Now
	}
	return left.Add(vs.DrainTimeout)
}

func compare(a, b Destination) int { return a.Addr.Compare(b.Addr) }

func compareAddr(d Destination, a netip.AddrPort) int { return d.Addr.Compare(a) }

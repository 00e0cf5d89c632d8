package reconcile

import (
	"context"
	"net/netip"
	"slices"

	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// The schedulers mh, sh and dh choose a server by a table that they fill by walking over the service's servers, and the
// kernel walks from the last added one to the first. Two directors send a client to the same server only if they walk in the
// same order. The one that needs no agreement is that of the addresses: servers are added from the lowest to the highest.
//
// A server changes its place by being deleted and at once added again: the kernel takes it back from its trash, with its
// connections and counters, and the place is the first of the walk. So those that keep their places are the lowest ones, as
// far as they are in order, and all others follow in turn: no smaller number would do.
//
// In the instant between the two the server has no place for the packets of its connections. With net.ipv4.vs.expire_nodest_conn
// the kernel would end a connection whose packet comes just then on another CPU, and have its worker look for more of them;
// without, it drops the packet, which is sent again. So that sysctl is off for the moment (Spare).

// inOrder says whether a service's clients depend on the order of its servers.
func inOrder(s *ipvs.Service) bool { return slices.Contains([]string{"mh", "sh", "dh"}, s.Scheduler) }

// moves are the steps that bring the servers of a service into order.
type moves struct {
	steps []Step
	from  netip.AddrPort // it, and every server after it, is added by them; not valid: there is nothing to move
}

// covers says whether a server is added by the steps.
func (m moves) covers(a netip.AddrPort) bool { return m.from.IsValid() && m.from.Compare(a) <= 0 }

// place is a server that a service is to have.
type place struct {
	rank    int               // in the walk; -1: it isn't there yet
	have    *ipvs.Destination // nil: it isn't there yet
	wish    *ipvs.Destination
	serving bool // has clients now
}

// reorder returns how the servers of a service come into order, those that are new included; nothing if all that is to do
// is to add new ones behind the others.
//
// No service that has a server for its clients before and after is without one in between: where there is only one, another
// that is to serve comes first, and is moved when it is its turn. Where there is no other the order doesn't matter, because
// all clients have that one, and all stays as it is.
func reorder(actual *ipvs.ServiceStatus, want *desired.Service) moves {
	if !inOrder(&want.Service) {
		return moves{}
	}
	places := placesOf(actual, want)
	kept := 0
	for kept < len(places) && places[kept].have != nil && (kept == 0 || places[kept].rank < places[kept-1].rank) {
		kept++
	}
	rest := places[kept:]
	if !slices.ContainsFunc(rest, func(p place) bool { return p.have != nil }) {
		return moves{}
	}
	serving := 0
	for i := range actual.Destinations {
		if actual.Destinations[i].Weight > 0 {
			serving++
		}
	}
	for i := range places[:kept] {
		if !places[i].serving && places[i].wish.Weight > 0 {
			serving++ // it is raised before anything moves
		}
	}
	m := moves{from: rest[0].wish.Addr}
	step := func(op ipvs.Op, why Reason, d *ipvs.Destination) {
		m.steps = append(m.steps, Step{Op: op, Reason: why, Service: &want.Service, Destination: d})
	}
	for i := range rest {
		p := &rest[i]
		if p.serving && serving == 1 {
			next := slices.IndexFunc(rest[i+1:], func(p place) bool { return p.wish.Weight > 0 })
			switch {
			case next >= 0:
				early := &rest[i+1+next]
				if early.have == nil {
					step(ipvs.NewDestination, Differs, early.wish)
				} else {
					m.steps = append(m.steps, Step{Op: ipvs.SetDestination, Service: &want.Service,
						Destination: early.wish, WasDestination: early.have})
				}
				early.have, early.serving = early.wish, true
				serving++
			case p.wish.Weight > 0:
				return moves{}
			}
		}
		if p.have == nil {
			step(ipvs.NewDestination, Differs, p.wish)
			if p.wish.Weight > 0 {
				serving++
			}
			continue
		}
		again := carried(p.have, p.wish)
		step(ipvs.DelDestination, Order, p.have)
		step(ipvs.NewDestination, Order, again)
		if !p.serving && again.Weight > 0 {
			serving++
		}
	}
	return m
}

// placesOf returns the servers that a service is to have, by address. Strangers, and what goes, have no place.
func placesOf(actual *ipvs.ServiceStatus, want *desired.Service) []place {
	places := make([]place, 0, len(want.Destinations))
	have := actual.Destinations
	for i := range want.Destinations {
		w := &want.Destinations[i]
		for len(have) > 0 && have[0].Addr.Compare(w.Addr) < 0 {
			have = have[1:]
		}
		switch {
		case len(have) > 0 && have[0].Addr == w.Addr:
			if wish, _ := target(&want.Service, &have[0], w); wish != nil {
				places = append(places, place{have[0].Rank, &have[0].Destination, wish, have[0].Weight > 0})
			}
		case w.Want == desired.Present:
			places = append(places, place{-1, nil, &w.Destination, false})
		}
	}
	return places
}

// carried returns how a server is added again: as it is to be, but without losing weight yet, which comes when all others
// have what they need.
func carried(have, wish *ipvs.Destination) *ipvs.Destination {
	if have.Weight <= wish.Weight {
		return wish
	}
	d := *wish
	d.Weight = have.Weight
	return &d
}

// apply runs the steps of a plan, and has connections spared while servers change their places.
func (r *Reconciler) apply(ctx context.Context, p Plan) (refused []*ipvs.Error, err error) {
	cmds := p.Commands()
	first, next := len(cmds), len(cmds)
	for i := range p.Steps {
		if p.Steps[i].Reason == Order {
			first, next = min(first, i), i+1
		}
	}
	if r.spare == nil || first == len(cmds) {
		return r.kernel.Apply(ctx, cmds)
	}
	for _, part := range [][2]int{{0, first}, {first, next}, {next, len(cmds)}} {
		from, to := part[0], part[1]
		if from == to {
			continue
		}
		end := func() {}
		if from == first {
			end = r.spare(ctx)
		}
		some, err := r.kernel.Apply(ctx, cmds[from:to])
		end()
		for _, e := range some {
			e.Index += from
		}
		refused = append(refused, some...)
		if err != nil {
			return refused, err
		}
	}
	return refused, nil
}

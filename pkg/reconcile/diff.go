package reconcile

import (
	"net/netip"

	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Plan is what turns an actual table into a desired state, in the order in which it has to happen.
type Plan struct {
	Steps   []Step
	Foreign []Foreign // found in the table, not ours, left alone
}

// Step is one command, and what it replaces. It points into the state and the table that it was made from.
type Step struct {
	Op             ipvs.Op
	Reason         Reason
	Service        *ipvs.Service
	Destination    *ipvs.Destination // nil in a step on a service
	WasService     *ipvs.Service     // of a SetService
	WasDestination *ipvs.Destination // of a SetDestination
	Servers        int               // that a DelService takes along, strangers too; -1: they were not read
}

// Reason is why a step is to be taken.
type Reason uint8

const (
	// Differs is that what is found is not what is desired.
	Differs Reason = iota
	// Order is that the server has to change its place in the order of its service: it is deleted and, by the next step,
	// added again.
	Order
	// Drained is that a server that left the configuration has no connections any more.
	Drained
)

// Foreign is a service, or a server within a service of ours, that somebody else put into the table.
type Foreign struct {
	Service ipvs.ServiceKey
	Server  netip.AddrPort // zero: the whole service
}

func (f Foreign) String() string {
	if f.Server == (netip.AddrPort{}) {
		return f.Service.String()
	}
	return f.Server.String() + " of " + f.Service.String()
}

// Diff compares the actual table with the desired state; both must be sorted. Fields that the kernel keeps for itself
// (counters, the hashed flag) don't count, and nothing is said of servers that were not read.
//
// The order of the steps is that in which no service that has servers before and after is ever without: what is added or
// gains weight comes before what loses weight or goes, and what goes, goes last. What has to change its place (see reorder)
// does so in between.
func Diff(actual ipvs.Table, want desired.State) Plan {
	var d differ
	for len(actual) > 0 || len(want) > 0 {
		switch order(actual, want) {
		case -1:
			d.foreign = append(d.foreign, Foreign{Service: actual[0].ServiceKey})
			actual = actual[1:]
		case +1:
			d.missing(&want[0])
			want = want[1:]
		default:
			d.both(&actual[0], &want[0])
			actual, want = actual[1:], want[1:]
		}
	}
	steps := d.add // by far the longest of them, if any is long
	for _, stage := range [][]Step{d.raise, d.order, d.lower, d.remove} {
		steps = append(steps, stage...)
	}
	return Plan{Steps: steps, Foreign: d.foreign}
}

// order says which of the two heads has the lower key; 0 if they are the same service.
func order(actual ipvs.Table, want desired.State) int {
	switch {
	case len(want) == 0:
		return -1
	case len(actual) == 0:
		return +1
	}
	return actual[0].ServiceKey.Compare(want[0].ServiceKey)
}

// differ collects the steps by the stage in which they are to be taken.
type differ struct {
	add, raise, order, lower, remove []Step
	foreign                          []Foreign
}

func (d *differ) missing(want *desired.Service) {
	if want.Want == desired.Absent {
		return
	}
	d.add = append(d.add, Step{Op: ipvs.NewService, Service: &want.Service})
	for i := range want.Destinations {
		if want.Destinations[i].Want == desired.Present {
			d.addServer(want, &want.Destinations[i])
		}
	}
}

func (d *differ) both(actual *ipvs.ServiceStatus, want *desired.Service) {
	if want.Want == desired.Absent {
		step := Step{Op: ipvs.DelService, Service: &want.Service, Servers: len(actual.Destinations)}
		if actual.Unread {
			step.Servers = -1
		}
		d.remove = append(d.remove, step)
		return
	}
	if actual.Service != want.Service {
		d.raise = append(d.raise, Step{Op: ipvs.SetService, Service: &want.Service, WasService: &actual.Service})
	}
	if actual.Unread {
		return
	}
	moves := reorder(actual, want)
	d.order = append(d.order, moves.steps...)
	have, wish := actual.Destinations, want.Destinations
	for len(have) > 0 || len(wish) > 0 {
		switch {
		case len(wish) == 0 || len(have) > 0 && have[0].Addr.Compare(wish[0].Addr) < 0:
			d.foreign = append(d.foreign, Foreign{Service: want.ServiceKey, Server: have[0].Addr})
			have = have[1:]
		case len(have) == 0 || have[0].Addr != wish[0].Addr:
			if wish[0].Want == desired.Present && !moves.covers(wish[0].Addr) {
				d.addServer(want, &wish[0])
			}
			wish = wish[1:]
		default:
			d.server(want, &have[0], &wish[0], moves)
			have, wish = have[1:], wish[1:]
		}
	}
}

func (d *differ) addServer(service *desired.Service, want *desired.Destination) {
	d.add = append(d.add, Step{Op: ipvs.NewDestination, Service: &service.Service, Destination: &want.Destination})
}

// server compares a server that is found with how it should be.
func (d *differ) server(service *desired.Service, found *ipvs.DestinationStatus, want *desired.Destination, moves moves) {
	have := &found.Destination
	wish, reason := target(&service.Service, found, want)
	switch {
	case wish == nil:
		d.remove = append(d.remove,
			Step{Op: ipvs.DelDestination, Reason: reason, Service: &service.Service, Destination: have})
		return
	case moves.covers(want.Addr):
		have = carried(have, wish) // that is how it was added again
	}
	if have == wish || *have == *wish {
		return
	}
	step := Step{Op: ipvs.SetDestination, Service: &service.Service, Destination: wish, WasDestination: have}
	if wish.Weight < have.Weight {
		d.lower = append(d.lower, step)
	} else {
		d.raise = append(d.raise, step)
	}
}

// target returns how a server that is found should be, nil if it should not be there.
func target(service *ipvs.Service, found *ipvs.DestinationStatus, want *desired.Destination) (*ipvs.Destination, Reason) {
	quiet := func(d ipvs.Destination) *ipvs.Destination {
		d.Weight = 0
		return &d
	}
	have := &found.Destination
	switch want.Want {
	case desired.Present:
	case desired.Absent:
		return nil, Differs
	case desired.Kept:
		return have, Differs
	case desired.AsFound:
		switch {
		case have.Weight != 0 || want.Weight == 0:
		case service.DropsClients():
			return nil, Differs // it is what would drop them
		default:
			return quiet(want.Destination), Differs
		}
	case desired.Draining:
		if have.Weight != 0 {
			return quiet(*have), Differs // and only what is read after that tells whether it is idle
		}
		if idle(service, found) {
			return nil, Drained
		}
		return have, Differs
	}
	return &want.Destination, Differs
}

// idle says whether a server has no connections left. Those of TCP that are not active are closing, or were never opened; of
// everything else the kernel calls all of them inactive.
func idle(service *ipvs.Service, d *ipvs.DestinationStatus) bool {
	return d.ActiveConns == 0 && (d.InactiveConns == 0 || service.Protocol == ipvs.TCP)
}

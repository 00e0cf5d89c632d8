package reconcile

import (
	"net/netip"
	"slices"

	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Plan is what turns an actual table into a desired state, in the order in which it has to happen.
type Plan struct {
	Steps   []Step
	Foreign []Foreign // found in the table, not ours, left alone
}

// Step is one command and what it replaces.
type Step struct {
	ipvs.Command
	WasService     ipvs.Service     // of a SetService
	WasDestination ipvs.Destination // of a SetDestination or DelDestination
}

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
// (counters, the hashed flag) don't count.
//
// The order of the steps is that in which no service that has servers before and after is ever without: what is added or
// gains weight comes before what loses weight or goes, and what goes, goes last.
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
	return Plan{Steps: slices.Concat(d.add, d.raise, d.lower, d.remove), Foreign: d.foreign}
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
	add, raise, lower, remove []Step
	foreign                   []Foreign
}

func (d *differ) missing(want *desired.Service) {
	if want.Want == desired.Absent {
		return
	}
	d.add = append(d.add, Step{Command: ipvs.Command{Op: ipvs.NewService, Service: want.Service}})
	for i := range want.Destinations {
		if want.Destinations[i].Want == desired.Present {
			d.addServer(want, &want.Destinations[i])
		}
	}
}

func (d *differ) both(actual *ipvs.ServiceStatus, want *desired.Service) {
	if want.Want == desired.Absent {
		d.remove = append(d.remove, Step{
			Command:    ipvs.Command{Op: ipvs.DelService, Service: actual.Service},
			WasService: actual.Service,
		})
		return
	}
	if actual.Service != want.Service {
		d.raise = append(d.raise, Step{
			Command:    ipvs.Command{Op: ipvs.SetService, Service: want.Service},
			WasService: actual.Service,
		})
	}
	have, wish := actual.Destinations, want.Destinations
	for len(have) > 0 || len(wish) > 0 {
		switch {
		case len(wish) == 0 || len(have) > 0 && have[0].Addr.Compare(wish[0].Addr) < 0:
			d.foreign = append(d.foreign, Foreign{Service: want.ServiceKey, Server: have[0].Addr})
			have = have[1:]
		case len(have) == 0 || have[0].Addr != wish[0].Addr:
			if wish[0].Want == desired.Present {
				d.addServer(want, &wish[0])
			}
			wish = wish[1:]
		default:
			d.server(want, have[0].Destination, &wish[0])
			have, wish = have[1:], wish[1:]
		}
	}
}

func (d *differ) addServer(service *desired.Service, want *desired.Destination) {
	d.add = append(d.add, Step{Command: ipvs.Command{
		Op: ipvs.NewDestination, Service: service.Service, Destination: want.Destination,
	}})
}

func (d *differ) server(service *desired.Service, have ipvs.Destination, want *desired.Destination) {
	wish := want.Destination
	switch want.Want {
	case desired.Kept:
		return
	case desired.Absent:
		d.remove = append(d.remove, Step{
			Command:        ipvs.Command{Op: ipvs.DelDestination, Service: service.Service, Destination: have},
			WasDestination: have,
		})
		return
	case desired.AsFound:
		if have.Weight == 0 {
			wish.Weight = 0
		}
	}
	if have == wish {
		return
	}
	step := Step{
		Command:        ipvs.Command{Op: ipvs.SetDestination, Service: service.Service, Destination: wish},
		WasDestination: have,
	}
	if wish.Weight < have.Weight {
		d.lower = append(d.lower, step)
	} else {
		d.raise = append(d.raise, step)
	}
}

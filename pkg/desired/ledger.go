package desired

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Owned records which services and servers are ours, because the kernel can't: IPVS has no room for an owner's name. It
// outlives the process, so that what a configuration dropped while the daemon was not running is still cleared away,
// and what others put into the table never is. Its JSON form is {"tcp 192.0.2.1:80": ["192.0.2.10:80"]}.
type Owned map[ipvs.ServiceKey][]netip.AddrPort

// Left is since when servers of configured services that are no longer in the configuration get no new clients; zero while
// they are kept.
type Left map[ipvs.ServiceKey]map[netip.AddrPort]time.Time

// Ledger keeps what is ours, and what of that the configuration no longer names.
type Ledger struct {
	Owned Owned
	Left  Left
	named map[ipvs.ServiceKey]*config.VirtualServer // by the configuration
}

// NewLedger returns the ledger that goes on from a record, which is the ledger's from then on. It knows no configuration.
func NewLedger(owned Owned) Ledger {
	return Ledger{Owned: owned, Left: make(Left), named: make(map[ipvs.ServiceKey]*config.VirtualServer)}
}

// Follow changes the configuration, and says whether more is ours than before. What is about to enter the kernel is on
// record before it does, so that no crash makes it nobody's.
func (l Ledger) Follow(removed, added []*config.VirtualServer, now time.Time) (grew bool) {
	for _, vs := range removed {
		for i := range vs.Services {
			delete(l.named, vs.Services[i].ServiceKey)
		}
	}
	for _, vs := range added {
		for i := range vs.Services {
			l.named[vs.Services[i].ServiceKey] = vs
			grew = l.name(&vs.Services[i], addresses(vs, &vs.Services[i]), now) || grew
		}
	}
	for _, vs := range removed {
		for i := range vs.Services {
			if key := vs.Services[i].ServiceKey; l.named[key] == nil {
				delete(l.Left, key) // its servers go with it
			}
		}
	}
	return grew
}

// name enters the servers that the configuration has for a service, sorted.
func (l Ledger) name(s *ipvs.Service, servers []netip.AddrPort, now time.Time) (grew bool) {
	key := s.ServiceKey
	ours, known := l.Owned[key]
	left := make(map[netip.AddrPort]time.Time)
	for _, a := range ours {
		if _, stays := slices.BinarySearchFunc(servers, a, netip.AddrPort.Compare); stays {
			continue
		}
		left[a] = now
		if since, before := l.Left[key][a]; before {
			left[a] = since
		}
	}
	delete(l.Left, key)
	if len(left) > 0 {
		l.Left[key] = left
	}
	if known && len(ours) == len(servers)+len(left) {
		return false
	}
	all := slices.Concat(ours, servers)
	slices.SortFunc(all, netip.AddrPort.Compare)
	l.Owned[key] = slices.Compact(all)
	return true
}

// Leave notes since when the servers of a virtual server that leave get no new clients, by what was decided of it.
func (l Ledger) Leave(o *Outcome, now time.Time) {
	for i := range o.Services {
		left := l.Left[o.Services[i].ServiceKey]
		if len(left) == 0 {
			continue
		}
		for _, d := range o.Services[i].Destinations {
			switch since, leaves := left[d.Addr]; {
			case !leaves:
			case d.Want == Kept:
				left[d.Addr] = time.Time{}
			case since.IsZero():
				left[d.Addr] = now
			}
		}
	}
}

// Leaving says whether something is ours that the configuration does not name.
func (l Ledger) Leaving() bool { return len(l.Left) > 0 || len(l.Owned) > len(l.named) }

// Forget drops what the configuration does not name and the table no longer has. It returns the virtual servers of which
// there is less to say now, and whether the record changed. Services that were not read don't count.
func (l Ledger) Forget(table ipvs.Table) (changed []*config.VirtualServer, shrank bool) {
	for key, left := range l.Left {
		found := table.Find(key)
		if found != nil && found.Unread {
			continue
		}
		before := len(left)
		l.Owned[key] = slices.DeleteFunc(l.Owned[key], func(a netip.AddrPort) bool {
			_, leaves := left[a]
			if !leaves || found != nil && found.Destination(a) != nil {
				return false
			}
			delete(left, a)
			return true
		})
		if len(left) < before {
			changed, shrank = append(changed, l.named[key]), true
		}
		if len(left) == 0 {
			delete(l.Left, key)
		}
	}
	for key := range l.Owned {
		if l.named[key] == nil && table.Find(key) == nil {
			delete(l.Owned, key)
			shrank = true
		}
	}
	return changed, shrank
}

// addresses returns the addresses of all servers that a service may have, sorted.
func addresses(vs *config.VirtualServer, s *ipvs.Service) []netip.AddrPort {
	addrs := make([]netip.AddrPort, 0, len(vs.RealServers)+len(vs.SorryServers))
	for rs := range vs.Servers() {
		if d, reaches := rs.For(s); reaches {
			addrs = append(addrs, d.Addr)
		}
	}
	slices.SortFunc(addrs, netip.AddrPort.Compare)
	return slices.Compact(addrs)
}

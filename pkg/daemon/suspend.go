package daemon

import (
	"context"
	"net/netip"
	"slices"
	"sync"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/health"
)

// addresses are the host's.
type addresses interface {
	List() (map[netip.Addr]bool, error)
	Watch(ctx context.Context, report func(map[netip.Addr]bool, error))
}

// located is which addresses the host has, as far as that is known.
type located struct {
	addrs map[netip.Addr]bool
	err   error
}

// suspension is which checks rest because of ha_suspend. The verdicts of those that rest stay what they were.
type suspension struct {
	addresses addresses
	located                      // as known last
	news      chan located       // the newest; nil while nobody watches
	stop      context.CancelFunc // watching
	watching  sync.WaitGroup     // the goroutine that does
	resting   map[health.ID]bool // that the engine was told of
	suspended map[string]bool    // virtual servers, by name
}

// suspends says whether a virtual server of the configuration has ha_suspend.
func (o *owner) suspends() bool {
	return slices.ContainsFunc(o.cfg.VirtualServers, func(vs *config.VirtualServer) bool { return vs.HASuspend })
}

// watch has the addresses watched as long as they matter.
func (o *owner) watch(ctx context.Context) {
	switch needed, s := o.suspends(), &o.suspension; {
	case needed && s.news == nil:
		news := make(chan located, 1)
		ctx, s.stop = context.WithCancel(ctx)
		s.news = news
		s.watching.Go(func() {
			s.addresses.Watch(ctx, func(addrs map[netip.Addr]bool, err error) {
				select {
				case <-news: // it is old
				default:
				}
				news <- located{addrs, err}
			})
		})
	case !needed && s.news != nil:
		s.stop()
		s.news = nil
	}
}

// look reads the addresses if they matter and nobody watches them yet.
func (o *owner) look() {
	if o.suspends() && o.suspension.news == nil {
		addrs, err := o.suspension.addresses.List()
		o.locate(located{addrs, err})
	}
}

// locate keeps the news of the host's addresses.
func (o *owner) locate(l located) {
	switch before := o.suspension.err; {
	case l.err != nil && before == nil:
		o.log.Error("the addresses of this host can't be known; ha_suspend suspends nothing", "err", l.err)
	case l.err == nil && before != nil:
		o.log.Info("the addresses of this host are known again")
	}
	o.suspension.located = l
}

// engage tells the engine which checks there are, and which of them rest: those that only virtual servers have that are
// suspended. Those that a reload removed and added are told in between, so that no check runs that is to rest.
func (o *owner) engage(removed, added []health.ID) {
	s := &o.suspension
	suspended, resting := make(map[string]bool), make(map[health.ID]bool)
	ours := o.virtualAddresses()
	for _, vs := range o.cfg.VirtualServers {
		if vs.HASuspend && !s.serves(vs, ours) {
			suspended[vs.Name] = true
		}
		if vs.HASuspend && suspended[vs.Name] != s.suspended[vs.Name] {
			from, to, reason := "running", "suspended", "no address of the virtual server is on this host"
			if !suspended[vs.Name] {
				from, to, reason = to, from, "an address of the virtual server is on this host"
			}
			o.events.Add(event.Event{Kind: event.Checks, Service: vs.Name, From: from, To: to, Reason: reason})
			o.log.Info("checks changed", "service", vs.Name, "from", from, "to", to, "reason", reason)
		}
	}
	for _, vs := range o.cfg.VirtualServers {
		if !suspended[vs.Name] {
			continue
		}
		for rs := range vs.Servers() {
			for _, c := range rs.Checks {
				if !resting[c] && !slices.ContainsFunc(o.roster.servers[c], func(other server) bool { return !suspended[other.service.Name] }) {
					resting[c] = true
				}
			}
		}
	}
	rest, wake := missing(s.resting, resting), missing(resting, s.resting)
	s.suspended, s.resting = suspended, resting
	if len(rest) > 0 {
		o.checks.Suspend(rest)
	}
	if len(removed)+len(added) > 0 {
		o.checks.Change(removed, added)
	}
	if len(wake) > 0 {
		o.checks.Resume(wake)
	}
}

// serves says whether clients may come to this host for a virtual server with ha_suspend: one of its addresses is here, it has
// none but marks of the firewall, or nobody knows. Those of virtual routers are in ours, and here while those are active: they may
// be on lo otherwise, of a director that is a real server, too.
func (s *suspension) serves(vs *config.VirtualServer, ours map[netip.Addr]bool) bool {
	marks := true
	for i := range vs.Services {
		key := &vs.Services[i].ServiceKey
		if key.FWMark != 0 {
			continue
		}
		marks = false
		addr := key.Addr.Addr()
		if active, is := ours[addr]; active || !is && s.addrs[addr] {
			return true
		}
	}
	return marks || s.err != nil
}

// missing returns what there is in a set beyond another one.
func missing(from, in map[health.ID]bool) []health.ID {
	var list []health.ID
	for c := range in {
		if !from[c] {
			list = append(list, c)
		}
	}
	return list
}

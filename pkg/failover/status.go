package failover

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/status"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// ErrIdle is why there is nothing to ask: no instance is configured, or they could not be started.
var ErrIdle = errors.New("no virtual routers run")

// Status returns all there is to know. It waits for the thread that sends the adverts, which is never long.
func (f *Failover) Status(ctx context.Context) (status.VRRP, error) {
	f.mu.Lock()
	p := f.parts
	f.mu.Unlock()
	var routers []vrrp.Status
	var groups []vrrp.GroupStatus
	if p != nil {
		var err error
		if routers, groups, err = p.runner.Status(ctx); err != nil {
			return status.VRRP{}, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s := status.VRRP{At: time.Now(), Events: f.events.latest(status.MaxEvents)}
	if p != nil {
		if t, runs := p.runner.Thread(); runs {
			s.Thread = status.Thread(t)
		}
	}
	if f.err != nil {
		s.Error = f.err.Error()
	}
	for _, c := range f.cfg.Instances {
		s.Instances = append(s.Instances, f.instanceStatus(c, routers))
	}
	for _, c := range f.cfg.Groups {
		g := vrrp.GroupStatus{Name: c.Name, State: f.groups[c.Name].told, Members: c.Members}
		if i := slices.IndexFunc(groups, func(g vrrp.GroupStatus) bool { return g.Name == c.Name }); i >= 0 {
			g = groups[i]
		}
		s.Groups = append(s.Groups, status.SyncGroupOf(&g))
	}
	for _, o := range slices.SortedFunc(maps.Keys(f.readings), compareObjects) {
		r := f.readings[o]
		s.Objects = append(s.Objects, status.TrackedOf(o, r.Reading, r.since))
	}
	if w := f.cfg.Static; len(w.Addresses)+len(w.Routes)+len(w.Rules) > 0 {
		held := f.heldOf("", w)
		s.Static = &held
	}
	return s, nil
}

func compareObjects(a, b vrrp.Object) int {
	if a.Kind != b.Kind {
		return int(a.Kind) - int(b.Kind)
	}
	return strings.Compare(a.Name, b.Name)
}

func (f *Failover) instanceStatus(c *config.Instance, routers []vrrp.Status) status.VirtualRouter {
	m := f.members[c.Name]
	r := vrrp.Status{Name: c.Name, Group: c.Group, State: m.told, Base: c.Priority, Effective: c.Priority}
	if i := slices.IndexFunc(routers, func(r vrrp.Status) bool { return r.Name == c.Name }); i >= 0 {
		r = routers[i]
	}
	switch {
	case m.unfit != nil:
		r.State, r.Reason, r.Faults = vrrp.Fault, m.unfit.Error(), []string{m.unfit.Error()}
	case f.parts == nil && f.err != nil:
		r.Reason = f.err.Error()
	}
	v := status.VirtualRouterOf(&c.Instance, &r)
	for _, a := range c.Active.Addresses {
		v.Addresses = append(v.Addresses, a.Prefix)
	}
	v.Held = f.heldOf(c.Name, m.seat(f.balanced).wish())
	return v
}

// heldOf returns what of a wish is on the host. Routes and rules count as there unless the kernel refused them: what goes missing is
// put back before anybody could ask.
func (f *Failover) heldOf(owner string, w vip.Wish) status.Held {
	h := f.belongings(owner)
	s := status.Held{Wished: len(w.Addresses) + len(w.Routes) + len(w.Rules), PutBack: slices.Clone(h.putBack)}
	s.Present = s.Wished
	for _, a := range w.Addresses {
		if !f.onHost(a.Dev, a.Prefix.Addr()) {
			s.Present--
		}
	}
	for _, line := range slices.Sorted(maps.Keys(h.failed)) {
		s.Failed = append(s.Failed, line+": "+h.failed[line])
	}
	for _, line := range slices.Sorted(maps.Keys(h.contested)) {
		s.Conflicts = append(s.Conflicts, line+": "+h.contested[line])
	}
	return s
}

func (f *Failover) onHost(dev string, addr netip.Addr) bool {
	links := f.links.Load()
	if links == nil {
		return false
	}
	for _, l := range *links {
		if l.Name == dev {
			return slices.ContainsFunc(l.Addrs, func(p netip.Prefix) bool { return p.Addr() == addr })
		}
	}
	return false
}

// Switchover asks the active instance, or its group with it, to hand over to another router. It returns when that has begun: what came
// of it is in the events.
func (f *Failover) Switchover(ctx context.Context, name string) error {
	f.mu.Lock()
	p := f.parts
	f.mu.Unlock()
	if p == nil {
		return ErrIdle
	}
	if names, _ := f.serving(); len(names) > 0 {
		f.prepare(ctx)
	}
	return p.runner.Switchover(ctx, name)
}

package vrrp

import (
	"container/heap"
	"time"
)

// Identity is by which an instance is the same after a reload. Its name may change.
type Identity struct {
	vrid  uint8
	ipv6  bool
	where string
}

// Identity returns that of an instance.
func (in *Instance) Identity() Identity {
	if in.Interface == "" {
		return Identity{in.VRID, in.IPv6, in.Source.String()}
	}
	return Identity{in.VRID, in.IPv6, in.Interface}
}

// Change takes a whole configuration. Instances that were there before keep their state under their new one, whatever their name: those
// with the same VRID, family and interface. The others that were there end, as by Shutdown, under their old names. New
// ones need a Startup.
func (r *Router) Change(now time.Time, instances []Instance, groups []Group) []Action {
	r.begin(now)
	before := map[Identity]*machine{}
	for _, m := range r.ordered {
		before[m.Identity()] = m
	}
	wanted := map[Identity]bool{}
	for i := range instances {
		wanted[instances[i].Identity()] = true
	}
	for _, m := range r.ordered {
		if !wanted[m.Identity()] {
			m.quit("removed from the configuration")
		}
	}
	clear(r.machines)
	r.ordered = nil
	for i := range instances {
		m := before[instances[i].Identity()]
		if m == nil {
			m = &machine{router: r, since: now, reason: "not started"}
		}
		m.configure(instances[i], i)
		r.machines[m.Name] = m
		r.ordered = append(r.ordered, m)
	}
	r.group(groups)
	r.subscribe()
	for _, m := range r.ordered {
		m.weigh()
		if m.state == Active && !m.handing {
			m.advertise() // whatever the new timers, the others hear nothing of the change
			m.arm(now.Add(m.AdvertInterval))
		}
	}
	heap.Init(&r.timers) // places in the file have changed
	for _, u := range r.units {
		u.settle()
		if u.state == Backup && len(u.members) > 0 {
			u.elect(u.members[0].willing) // those that it waited for may have left
		}
	}
	return r.actions
}

func (m *machine) configure(in Instance, order int) {
	before := m.activeDown()
	m.Instance, m.order, m.mark = in, order, in.Mark()
	if m.state == Initialize {
		m.effective = in.Priority
	}
	if in.Version != 3 {
		m.learned = 0
	}
	m.shift(m.activeDown() - before)
}

// group makes units of the instances. Their state is that of their members. Where those differ, because they were not in
// the same group before, none stays active.
func (r *Router) group(groups []Group) {
	old := map[string]*unit{}
	for _, u := range r.units {
		old[u.Name] = u
	}
	r.units = nil
	grouped := map[*machine]bool{}
	for _, g := range groups {
		u := &unit{Group: g, router: r, since: r.now, reason: "not started"}
		if was := old[g.Name]; was != nil {
			u.state, u.since, u.reason = was.state, was.since, was.reason
		}
		for _, name := range g.Members {
			if m := r.machines[name]; m != nil {
				u.members, grouped[m] = append(u.members, m), true
			}
		}
		r.adopt(u)
	}
	for _, m := range r.ordered {
		if !grouped[m] {
			r.adopt(&unit{router: r, members: []*machine{m}, state: m.state})
		}
	}
}

func (r *Router) adopt(u *unit) {
	r.units = append(r.units, u)
	in := map[State]int{}
	for _, m := range u.members {
		in[m.state]++
		u.yielded = u.yielded || m.state == Backup && m.unit.yielded
		m.unit = u
	}
	switch {
	case in[Fault] > 0 && in[Fault]+in[Initialize] == len(u.members):
		u.enter(Fault, "its members are")
	case in[Fault]+in[Backup] > 0:
		u.unite()
	case in[Active] > 0:
		u.enter(Active, "its members are")
	default:
		u.enter(Initialize, "its members are")
	}
}

// unite takes the role away from members that were not together before. Settle does the rest.
func (u *unit) unite() {
	for _, m := range u.members {
		if m.state == Active {
			m.resign()
			m.becomeBackup(m.activeDown(), "other members of its sync group are not active")
		}
	}
	u.enter(Backup, "its members are")
}

// subscribe connects instances with what they track. What nobody tracks any more is forgotten, what was observed before somebody did is
// not.
func (r *Router) subscribe() {
	tracked := map[Object]*object{}
	for o, known := range r.objects {
		if known.trackers == nil {
			tracked[o] = known
		}
	}
	for _, m := range r.ordered {
		for _, tracks := range [...][]Track{m.Tracks, m.unit.Tracks} {
			for _, t := range tracks {
				o := tracked[t.Object]
				if o == nil {
					o = &object{}
					if known := r.objects[t.Object]; known != nil {
						o.Reading = known.Reading
					}
					tracked[t.Object] = o
				}
				if n := len(o.trackers); n == 0 || o.trackers[n-1] != m {
					o.trackers = append(o.trackers, m)
				}
			}
		}
	}
	r.objects = tracked
}

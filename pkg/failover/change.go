package failover

import (
	"fmt"
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// Change makes a configuration the one in force. What is the same in it goes on as it is: an instance with the same VRID, family and
// interface keeps its role, and addresses that it still has are not touched. It reads the files with keys.
func (f *Failover) Change(cfg *config.VRRP) {
	f.mu.Lock()
	was := f.members
	f.mu.Unlock() // only Change replaces the map, and its callers take turns
	members := make(map[string]*member, len(cfg.Instances))
	before := make(map[vrrp.Identity]*member, len(was))
	for _, m := range was {
		before[m.config.Identity()] = m
	}
	for _, c := range cfg.Instances {
		m := &member{config: c, role: new(role), priority: c.Priority}
		old := before[c.Identity()]
		if m.secrets, m.unfit = readSecrets(c); m.unfit != nil {
			if old != nil && old.secrets.cover(c) {
				f.log.Error("the keys or the password of a virtual router can't be read; those of before stay in force", "instance", c.Name, "err", m.unfit)
				m.secrets, m.unfit = old.secrets, nil
			} else {
				f.log.Error("a virtual router takes no part", "instance", c.Name, "err", m.unfit)
			}
		}
		members[c.Name] = m
	}
	f.holdBack(cfg.Groups, members)
	f.take(cfg, members, before)
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// holdBack has sync groups take no part of which a member can't: it is all of them or none.
func (f *Failover) holdBack(groups []*config.Group, members map[string]*member) {
	for _, g := range groups {
		i := slices.IndexFunc(g.Members, func(name string) bool { return members[name] != nil && members[name].unfit != nil })
		if i < 0 {
			continue
		}
		for _, name := range g.Members {
			if m := members[name]; m != nil && m.unfit == nil {
				m.unfit = fmt.Errorf("%s of its sync group takes no part: %w", g.Members[i], members[g.Members[i]].unfit)
				f.log.Error("a virtual router takes no part", "instance", name, "err", m.unfit)
			}
		}
	}
}

// take puts a configuration in force.
func (f *Failover) take(cfg *config.VRRP, members map[string]*member, before map[vrrp.Identity]*member) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read() // what was reported before
	now := time.Now()
	was, wasGroups := f.cfg, f.groups
	first := len(was.Instances) == 0
	f.cfg, f.members = cfg, members
	f.renamed = make(map[string]string)
	f.groups = make(map[string]*group, len(cfg.Groups))
	for _, c := range cfg.Instances {
		if old := before[c.Identity()]; old != nil {
			m := members[c.Name]
			m.role, m.state, m.priority, m.told, m.warned = old.role, old.state, old.priority, old.told, old.warned
			if members[old.config.Name] == nil {
				f.renamed[old.config.Name] = c.Name
			}
			delete(before, c.Identity())
		}
	}
	for _, c := range cfg.Groups {
		g := &group{config: c}
		if old := wasGroups[c.Name]; old != nil {
			g.told = old.told
		}
		f.groups[c.Name] = g
	}
	for _, c := range was.Instances {
		if old := before[c.Identity()]; old != nil {
			f.sayRemoved(now, old)
		}
	}
	tracked := trackedBy(cfg)
	for o := range f.readings {
		if !tracked[o] {
			delete(f.readings, o)
		}
	}
	for name, is := range f.services {
		if o, r := serviceReading(name, is); tracked[o] && f.readings[o].Reading != r {
			f.readings[o] = reading{r, now}
		}
	}
	f.tracked = tracked
	if f.parts != nil {
		f.brief()
		for _, c := range was.Instances {
			if _, stays := members[c.Name]; !stays {
				f.parts.keeper.Wish(vip.Wish{Owner: c.Name}) // after the wishes of who may have it now
			}
		}
	}
	for owner := range f.held {
		if owner != "" && members[owner] == nil {
			delete(f.held, owner)
		}
	}
	if cfg.AllStates && !first {
		f.sayAll(now)
	}
	f.moved = true
	f.inbox.wake()
}

// brief tells the parts all there is to know.
func (f *Failover) brief() {
	p := f.parts
	p.keeper.Change(setupOf(f.cfg))
	static := f.cfg.Static
	static.Owner = ""
	p.keeper.Wish(static)
	d := &desk{keeper: p.keeper, seats: make(map[string]*seat, len(f.members)), now: make(map[*role]*seat, len(f.members))}
	for name, m := range f.members {
		s := m.seat(f.balanced)
		d.seats[name], d.now[m.role] = s, s
	}
	for old, name := range f.renamed {
		d.seats[old] = d.seats[name]
	}
	f.desk.Store(d)
	instances := make([]vrrp.Instance, 0, len(f.cfg.Instances))
	for _, c := range f.cfg.Instances {
		m := f.members[c.Name]
		d.settle(d.seats[c.Name])
		if m.unfit != nil {
			continue
		}
		i := m.instance()
		i.Grace = grace(f.cfg, c)
		if f.tracked[firstChecks] {
			i.Tracks = append(slices.Clone(i.Tracks), vrrp.Track{Object: firstChecks})
		}
		instances = append(instances, i)
	}
	groups := make([]vrrp.Group, 0, len(f.cfg.Groups))
	for _, g := range f.cfg.Groups {
		groups = append(groups, g.Group)
	}
	p.runner.Change(instances, groups)
	for o, r := range f.readings {
		p.runner.Observe(o, r.Reading)
	}
	p.tracker.Change(f.cfg)
}

// trackedBy returns the objects that somebody depends on.
func trackedBy(cfg *config.VRRP) map[vrrp.Object]bool {
	tracked := make(map[vrrp.Object]bool)
	if cfg.WaitForChecks > 0 {
		tracked[firstChecks] = true
	}
	for _, c := range cfg.Instances {
		for _, t := range c.Tracks {
			tracked[t.Object] = true
		}
	}
	for _, g := range cfg.Groups {
		for _, t := range g.Tracks {
			tracked[t.Object] = true
		}
	}
	return tracked
}

// member returns an instance by its name, or by the one that it had before the last change; nil: there is none.
func (f *Failover) member(name string) *member {
	if now, renamed := f.renamed[name]; renamed {
		name = now
	}
	return f.members[name]
}

// each calls a function for each instance and one for each group, in the order of the file.
func (f *Failover) each(instance func(*member), of func(*group)) {
	for _, c := range f.cfg.Instances {
		instance(f.members[c.Name])
	}
	for _, c := range f.cfg.Groups {
		of(f.groups[c.Name])
	}
}

package failover

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
	"github.com/ipvsd/ipvsd/pkg/vrrp/vrrpio"
)

// A daemon that is started after one that was killed goes on as active where nobody can have missed it: see contrib/decisions/0037-resume.md.

// openRecord returns where the thread that sends the adverts keeps what the next process may need, and what this one can go on with, which is only
// so at its start; nil: there is nothing.
func (f *Failover) openRecord() (*vrrpio.RecordFile, *vrrpio.Remains) {
	first := !f.begun
	f.begun = true
	path := f.record("vrrp")
	if path == "" {
		return nil, nil
	}
	record, remains, err := vrrpio.OpenRecord(path)
	if err != nil {
		f.log.Info("there is no record of the virtual routers' roles: if ipvsd is killed, others take over", "err", err)
		return nil, nil
	}
	if !first || f.await != nil || remains == nil || remains.Left(f.instances(), vrrpio.Uptime()) <= 0 {
		return record, nil
	}
	return record, remains
}

// Presume looks at what a process before has left, after Change and before Run. It returns the roles that instances most likely have, by
// name, for who follows the roles and need not follow a detour: of those that go on, and of those whose addresses are all on the host.
// What is on the host of these stays as it is until the instance has a role, or hears who else has it (decision 0038).
func (f *Failover) Presume() map[string]vrrp.State {
	if f.await != nil {
		return nil
	}
	var remains *vrrpio.Remains
	if path := f.record("vrrp"); path != "" {
		record, found, err := vrrpio.OpenRecord(path)
		if err == nil {
			record.Close()
			remains = found
		}
	}
	placed := f.placed(f.look())
	roles := make(map[string]vrrp.State)
	var left []string
	for _, in := range f.instances() {
		m := f.members[in.Name]
		goesOn := remains != nil && remains.Left([]vrrp.Instance{in}, vrrpio.Uptime()) > 0
		if open := placed[in.Name] && len(m.config.Active.Addresses) > 0; open || goesOn {
			m.role.open.Store(open)
			roles[in.Name] = vrrp.Active
			if !goesOn {
				left = append(left, in.Name)
			}
		}
	}
	if len(left) > 0 {
		f.log.Info("the addresses of virtual routers were left here: they stay until it is known who is active", "instances", left)
	}
	return roles
}

// instances returns those that take part.
func (f *Failover) instances() (list []vrrp.Instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.cfg.Instances {
		if f.members[c.Name].unfit == nil {
			list = append(list, c.Instance)
		}
	}
	return list
}

// recover has those go on that were active a moment ago. Their addresses are looked at, and the sockets are open, before the first word; the keeper
// begins when it is decided who goes on, since it takes away what nobody wishes.
func (f *Failover) recover(ctx context.Context, p *parts) error {
	runner := begin(p.runner.Run)
	watch := f.watch(p)
	select {
	case <-p.runner.Ready():
	case <-time.After(min(p.remains.Left(f.instances(), vrrpio.Uptime()), openTime)): // nobody goes on any more
	case <-runner.done:
	case <-watch.done:
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	var links []vip.Interface
	if l := f.links.Load(); l != nil {
		links = *l
	}
	if err := p.runner.Recover(limit, p.remains, f.placed(links)); err != nil && ctx.Err() == nil {
		f.log.Warn("the virtual routers' thread does not answer", "err", err)
	}
	return f.goOn(ctx, p, begin(p.keeper.Run), begin(p.tracker.Run), runner, watch)
}

// placed tells of each instance whether the addresses of an active one are on the host.
func (f *Failover) placed(links []vip.Interface) map[string]bool {
	has := make(map[string]map[netip.Addr]bool, len(links))
	for _, l := range links {
		has[l.Name] = make(map[netip.Addr]bool, len(l.Addrs))
		for _, p := range l.Addrs {
			has[l.Name][p.Addr()] = true
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	placed := make(map[string]bool, len(f.members))
	for name, m := range f.members {
		all := true
		for _, a := range m.config.Active.Addresses {
			all = all && has[cmp.Or(a.Dev, m.config.Interface)][a.Prefix.Addr()]
		}
		placed[name] = all
	}
	return placed
}

// wentOn takes in that an instance is active without having become it. Scripts were told by the process before.
func (f *Failover) wentOn(at time.Time, m *member, a vrrp.WentOn) {
	m.state, m.told, m.priority = vrrp.Active, vrrp.Active, a.Priority
	if g := f.groups[m.config.Group]; g != nil {
		g.told = vrrp.Active
	}
	f.moved = true
	f.say(news{
		at: at, of: ofInstance, name: m.config.Name, priority: a.Priority, log: instanceWentOn,
		reason: fmt.Sprintf("ipvsd was killed, and its last advert left only %v ago", a.Silent.Round(time.Millisecond)),
	})
}

package failover

import (
	"cmp"
	"fmt"
	"net"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vip/vipnl"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// read takes in what the parts reported.
func (f *Failover) read() {
	for _, l := range f.inbox.take() {
		switch report := l.content.(type) {
		case []vrrp.Action:
			for _, a := range report {
				f.acted(l.at, a)
			}
		case vipnl.Report:
			f.kept(l.at, report)
		case vip.Conflict:
			f.contested(l.at, report)
		}
	}
}

// acted takes in what an instance or a group did.
func (f *Failover) acted(at time.Time, action vrrp.Action) {
	switch a := action.(type) {
	case vrrp.Became:
		if m := f.member(a.Instance); m != nil {
			m.state, m.priority = a.To, a.Priority
			f.moved = true
			f.sayBecame(at, m, a)
		}
	case vrrp.Heard:
		f.moved = true // it may have been presumed to be active
	case vrrp.WentOn:
		if m := f.member(a.Instance); m != nil {
			f.wentOn(at, m, a)
		}
	case vrrp.GroupBecame:
		if g := f.groups[a.Group]; g != nil {
			f.sayGroupBecame(at, g, a)
		}
	case vrrp.Noticed:
		if m := f.member(a.Instance); m != nil {
			m.priority = a.Priority
			f.sayNoticed(at, m, a)
		}
	}
}

// kept takes in what became of something that an owner wishes. The keeper logs it.
func (f *Failover) kept(at time.Time, r vipnl.Report) {
	h, m := f.belongings(r.Owner), f.members[r.Owner]
	switch r.What {
	case vipnl.PutBack:
		h.putBack = append([]string{r.Object}, h.putBack[:min(len(h.putBack), most-1)]...)
		if m != nil && f.parts != nil {
			f.parts.runner.PutBack(r.Owner)
		}
		f.sayKept(at, m, putBack, r.Object+": somebody else had removed it")
	case vipnl.Fought:
		f.sayKept(at, m, putBack, r.Object+": somebody else removes it again and again")
	case vipnl.Failed:
		if _, again := h.failed[r.Object]; !again {
			f.sayKept(at, m, refused, r.Object+": "+r.Err.Error())
		}
		h.failed[r.Object] = r.Err.Error()
	case vipnl.Settled:
		delete(h.failed, r.Object)
	case vipnl.Conflict:
		h.contested[r.Object] = "another host has it"
		f.sayKept(at, m, conflict, r.Object+": another host has it")
	}
}

// contested takes in what another host said of an address of ours.
func (f *Failover) contested(at time.Time, c vip.Conflict) {
	line, mac := c.Addr.String()+" dev "+c.Dev, net.HardwareAddr(c.MAC[:]).String()
	h := f.belongings(c.Owner)
	if c.Over {
		delete(h.contested, line)
		return
	}
	h.contested[line] = mac + " says that it has it"
	n := news{
		at: at, of: ofInstance, name: cmp.Or(c.Owner, "-"), kind: conflict, reason: line + ": " + h.contested[line],
		event: f.members[c.Owner] != nil,
	}
	if at.Sub(h.warned) >= warningEvery {
		h.warned, n.log = at, addressClaimed
	} else {
		n.again = true
	}
	f.say(n)
}

func (f *Failover) belongings(owner string) *belongings {
	h := f.held[owner]
	if h == nil {
		h = &belongings{failed: make(map[string]string), contested: make(map[string]string)}
		f.held[owner] = h
	}
	return h
}

// fail puts all instances at fault: nothing of them runs.
func (f *Failover) fail(err error, again time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	f.err = err
	f.log.Error("the virtual routers have stopped; they are started again", "in", again, "err", err)
	reason := fmt.Sprintf("the virtual routers have stopped: %v", err)
	f.each(func(m *member) {
		if m.told != vrrp.Fault {
			f.sayBecame(now, m, vrrp.Became{From: m.told, To: vrrp.Fault, Priority: m.config.Priority, Reason: reason})
		}
	}, func(g *group) {
		if g.told != vrrp.Fault {
			f.sayGroupBecame(now, g, vrrp.GroupBecame{From: g.told, To: vrrp.Fault, Reason: reason})
		}
	})
}

// config returns the configuration in force.
func (f *Failover) config() *config.VRRP {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cfg
}

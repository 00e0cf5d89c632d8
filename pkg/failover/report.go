package failover

import (
	"fmt"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// report is what the Runner calls, on the thread that sends the adverts. The wishes go out here, all else later.
func (f *Failover) report(actions []vrrp.Action) {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range actions {
		switch a := a.(type) {
		case vrrp.Became:
			if m := f.member(a.Instance); m != nil {
				m.state, m.priority = a.To, a.Priority
				f.parts.keeper.Wish(m.wish())
				f.moved = true
				f.sayBecame(now, m, a)
			}
		case vrrp.GroupBecame:
			if g := f.groups[a.Group]; g != nil {
				g.state = a.To
				f.sayGroupBecame(now, g, a)
			}
		case vrrp.Reannounce:
			if m := f.member(a.Instance); m != nil {
				m.repeat++
				f.parts.keeper.Wish(m.wish())
			}
		case vrrp.Noticed:
			if m := f.member(a.Instance); m != nil {
				m.priority = a.Priority
				f.sayNoticed(now, m, a)
			}
		}
	}
	f.wake()
}

// wake has what is new be told.
func (f *Failover) wake() {
	select {
	case f.dirty <- struct{}{}:
	default:
	}
}

// interfaces takes news of the host's interfaces.
func (f *Failover) interfaces(list []vip.Interface, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.log.Error("the interfaces of this host can't be known; virtual routers go by what was known before", "err", err)
		return
	}
	f.parts.runner.Interfaces(list)
	f.parts.tracker.Interfaces(list)
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

// fifos returns those of the configuration.
func (f *Failover) fifos() []config.FIFO {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cfg.FIFOs
}

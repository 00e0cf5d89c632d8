package failover

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// desk is what the thread that sends the adverts needs of a configuration to know the wishes of instances. It is never changed but
// for the roles, which a desk shares with the next one.
type desk struct {
	keeper keeper
	seats  map[string]*seat // by the name in the configuration, and by the one before, which the Runner may still use
}

// seat is an instance's.
type seat struct {
	*role
	active, idle vip.Wish
}

// role is what an instance is.
type role struct {
	state   atomic.Uint32
	repeat  atomic.Uint64 // see vip.Wish
	lingers atomic.Bool   // it is a backup that still has its addresses
}

// linger is how long an instance that yields keeps its addresses. The other router's advert, which it yields to, comes before that
// one has the addresses and the neighbours know, by a millisecond or by a hundred on a busy host: what they send in between would be
// lost. Who asks for the address in that time may hear of both; few do, since the neighbours have just been told.
const linger = 200 * time.Millisecond

func (r *role) is() vrrp.State { return vrrp.State(r.state.Load()) }

// become changes the state. Who yields to another active router keeps the addresses for a moment.
func (r *role) become(from, to vrrp.State) {
	r.lingers.Store(yields(from, to))
	r.state.Store(uint32(to))
}

func yields(from, to vrrp.State) bool { return from == vrrp.Active && to == vrrp.Backup }

// seat returns an instance's. What it has while it isn't active is for the other director's clients, who go on when our daemon ends.
func (m *member) seat() *seat {
	s := &seat{m.role, m.config.Active, m.config.Idle}
	s.idle.Stays = len(s.idle.Addresses) > 0
	return s
}

// wish returns what an instance wants to be on the host in the role that it has.
func (s *seat) wish() vip.Wish {
	repeat := s.repeat.Load()
	w := s.idle
	if s.is() == vrrp.Active || s.lingers.Load() {
		w = s.active
	}
	w.Repeat = repeat
	return w
}

// report is what the Runner calls, on the thread that sends the adverts. The wishes go out here, all else later.
func (f *Failover) report(actions []vrrp.Action) {
	for _, a := range actions {
		switch a := a.(type) {
		case vrrp.Became:
			f.act(a.Instance, func(r *role) { r.become(a.From, a.To) })
			if yields(a.From, a.To) {
				time.AfterFunc(linger, func() { f.act(a.Instance, func(r *role) { r.lingers.Store(false) }) })
			}
		case vrrp.Reannounce:
			f.act(a.Instance, func(r *role) { r.repeat.Add(1) })
		}
	}
	f.inbox.put(actions)
}

// act changes a role and hands the new wish to the keeper. Where a change of the configuration comes at the same time, who comes last
// sees what the other one has done, and the last wish is of both.
func (f *Failover) act(instance string, change func(*role)) {
	d := f.desk.Load()
	if d == nil {
		return // it has ended
	}
	if s := d.seats[instance]; s != nil {
		change(s.role)
	}
	for d != nil {
		s := d.seats[instance]
		if s == nil {
			return
		}
		d.keeper.Wish(s.wish())
		now := f.desk.Load()
		if now == d {
			return
		}
		d = now
	}
}

// settle hands the wishes of a new desk to the keeper.
func (d *desk) settle(s *seat) {
	for {
		state, repeat := s.is(), s.repeat.Load()
		d.keeper.Wish(s.wish())
		if s.is() == state && s.repeat.Load() == repeat {
			return
		}
	}
}

// inbox is what the parts report, for Run's goroutine. Nobody holds its lock for longer than it takes to put something in.
type inbox struct {
	mu    sync.Mutex
	list  []letter
	dirty chan struct{}
}

// letter is a report and when it came.
type letter struct {
	at      time.Time
	content any // []vrrp.Action, vipnl.Report, vip.Conflict
}

func (b *inbox) put(content any) {
	now := time.Now()
	b.mu.Lock()
	b.list = append(b.list, letter{now, content})
	b.mu.Unlock()
	b.wake()
}

// wake has Run's goroutine look.
func (b *inbox) wake() {
	select {
	case b.dirty <- struct{}{}:
	default:
	}
}

func (b *inbox) take() []letter {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.list
	b.list = nil
	return list
}

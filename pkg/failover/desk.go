package failover

import (
	"net/netip"
	"slices"
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
	now    map[*role]*seat
}

// seat is an instance's.
type seat struct {
	*role
	active, idle vip.Wish
	balanced     []netip.AddrPort // at the addresses
}

// role is what an instance is.
type role struct {
	state   atomic.Uint32
	repeat  atomic.Uint64             // see vip.Wish
	open    atomic.Bool               // see Presume
	lingers atomic.Bool               // it is a backup that still has its addresses
	fresh   atomic.Pointer[time.Time] // until then it is active and hears of the other router's connections; a step of the clock is nothing to it
}

// part is what a wish depends on.
type part struct {
	active, open, lingers, fresh bool
	repeat                       uint64
}

func (r *role) part() part {
	until := r.fresh.Load()
	return part{r.is() == vrrp.Active, r.open.Load(), r.lingers.Load(), until != nil && time.Now().Before(*until), r.repeat.Load()}
}

// linger is how long an instance that yields keeps its addresses. The other router's advert, which it yields to, comes before that
// one has the addresses and the neighbours know, by a millisecond or by a hundred on a busy host: what they send in between would be
// lost. Who asks for the address in that time may hear of both; few do, since the neighbours have just been told.
const linger = 200 * time.Millisecond

// silence is how long an instance that takes the role from a router that is alive keeps from resetting connections that it does not
// know: it hears of them in that time, and what clients send until then they send again.
const silence = 3 * time.Second

func (r *role) is() vrrp.State { return vrrp.State(r.state.Load()) }

// become changes the state. Who yields to another active router keeps the addresses for a moment.
func (r *role) become(b vrrp.Became) {
	r.lingers.Store(yields(b.From, b.To))
	if b.From != vrrp.Initialize || b.To != vrrp.Backup {
		r.open.Store(false)
	}
	if b.Planned {
		until := time.Now().Add(silence)
		r.fresh.Store(&until)
	}
	r.state.Store(uint32(b.To))
}

func yields(from, to vrrp.State) bool { return from == vrrp.Active && to == vrrp.Backup }

// seat returns an instance's. What it has while it isn't active is for the other director's clients, who go on when our daemon ends.
func (m *member) seat(balanced []netip.AddrPort) *seat {
	s := &seat{role: m.role, active: m.config.Active, idle: m.config.Idle}
	for _, at := range balanced {
		if slices.ContainsFunc(s.active.Addresses, func(a vip.Address) bool { return a.Prefix.Addr() == at.Addr() }) {
			s.balanced = append(s.balanced, at)
		}
	}
	s.idle.Stays = len(s.idle.Addresses) > 0
	return s
}

// wish returns what an instance wants to be on the host in the role that it has.
func (s *seat) wish() vip.Wish { return s.wishAs(s.part()) }

func (s *seat) wishAs(p part) vip.Wish {
	w := s.idle
	switch {
	case p.active:
		w = s.active
		if p.fresh {
			w.Silent = s.balanced
		}
	case p.open:
		return vip.Wish{Owner: w.Owner, Denied: s.active.Denied, Undecided: true}
	case p.lingers: // the neighbours have just been told where the addresses are now
		w = s.active
		w.Announce = nil
	}
	w.Repeat = p.repeat
	return w
}

// report is what the Runner calls, on the thread that sends the adverts. The wishes go out here, all else later.
func (f *Failover) report(actions []vrrp.Action) {
	if d := f.desk.Load(); d != nil {
		d.keeper.Together(func() { f.follow(actions) })
	}
	f.inbox.put(actions)
}

// follow has the wishes follow what happened.
func (f *Failover) follow(actions []vrrp.Action) {
	for _, a := range actions {
		switch a := a.(type) {
		case vrrp.Became:
			f.became(a)
		case vrrp.Heard:
			f.act(a.Instance, func(r *role) { r.open.Store(false) })
		case vrrp.WentOn:
			f.act(a.Instance, func(r *role) { r.open.Store(false); r.state.Store(uint32(vrrp.Active)) })
		case vrrp.Reannounce:
			f.act(a.Instance, func(r *role) { r.repeat.Add(1) })
		}
	}
}

// became has the addresses follow a transition, and the connections.
func (f *Failover) became(b vrrp.Became) {
	r := f.act(b.Instance, func(r *role) { r.become(b) })
	switch {
	case r == nil:
	case yields(b.From, b.To):
		f.handover.Gives(b.Instance)
		time.AfterFunc(linger, func() {
			r.lingers.Store(false)
			f.settle(f.desk.Load(), r)
		})
	case b.Planned:
		f.handover.Takes(b.Instance)
		time.AfterFunc(silence, func() { f.settle(f.desk.Load(), r) })
	}
}

// act changes an instance's role, which it returns, and hands the new wish to the keeper.
func (f *Failover) act(instance string, change func(*role)) *role {
	d := f.desk.Load()
	if d == nil {
		return nil // it has ended
	}
	s := d.seats[instance]
	if s == nil {
		return nil
	}
	change(s.role)
	f.settle(d, s.role)
	return s.role
}

// settle hands the wish of the instance that has a role to the keeper. Where a change of the configuration comes at the same time, it
// corrects what it said by the one before: its owner may be gone, or have another name.
func (f *Failover) settle(d *desk, r *role) {
	for d != nil {
		s := d.now[r]
		if s == nil { // it left the configuration
			return
		}
		d.settle(s)
		now := f.desk.Load()
		if now == d || now == nil {
			return
		}
		now.correct(s.active.Owner)
		d = now
	}
}

// settle hands a wish to the keeper. Several do so at the same time: who comes last sees what the others have done, and says what is
// true then.
func (d *desk) settle(s *seat) {
	for {
		as := s.part()
		d.keeper.Wish(s.wishAs(as))
		if s.part() == as {
			return
		}
	}
}

// correct hands the wish of an owner to the keeper, who may have heard one of before.
func (d *desk) correct(owner string) {
	if s := d.seats[owner]; s != nil && s.active.Owner == owner {
		d.settle(s)
		return
	}
	d.keeper.Wish(vip.Wish{Owner: owner})
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

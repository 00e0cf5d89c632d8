package failover

import (
	"context"
	"fmt"
	"time"

	"github.com/ipvsd/ipvsd/pkg/status"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// Standing is what another process needs to go on with the virtual routers: what they are, and what was told of them. Times are the wall
// clock's of one moment.
type Standing struct {
	Router   vrrp.Standing
	Members  []Told
	Groups   []Told
	Readings []ReadingSince
	Events   []status.Event
}

// Told is what is known of an instance or a group by its name.
type Told struct {
	Name     string
	State    vrrp.State // of an instance
	Told     vrrp.State // what scripts heard last
	Priority uint8      // effective, of an instance
	Open     bool       // it is not known yet whose the addresses are that a process before has left
}

// ReadingSince is what is known of a tracked object.
type ReadingSince struct {
	vrrp.Observed
	Since time.Time
}

// Roles returns the states of all instances.
func (s *Standing) Roles() map[string]vrrp.State {
	roles := make(map[string]vrrp.State, len(s.Members))
	for _, m := range s.Members {
		if roles[m.Name] = m.State; m.Open {
			roles[m.Name] = vrrp.Active // as presumed
		}
	}
	return roles
}

// Freeze has the virtual routers stand still, and returns what another process needs to go on. Until thaw is called, which must be once, no
// advert leaves and nothing is done about the host. News of before are told by this process all the same.
func (f *Failover) Freeze(ctx context.Context) (s Standing, thaw func(), err error) {
	f.mu.Lock()
	p, failed := f.parts, f.err
	f.mu.Unlock()
	thaw = func() {}
	if p != nil {
		keeper := p.keeper.Freeze() // which waits for the kernel: adverts don't wait for that
		var runner func()
		s.Router, runner, err = p.runner.Freeze(ctx)
		if err != nil {
			keeper()
			return s, nil, fmt.Errorf("the virtual routers: %w", err)
		}
		thaw = func() { keeper(); runner() }
	} else if failed != nil {
		return s, nil, fmt.Errorf("the virtual routers do not run: %w", failed)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read()
	f.inbox.wake()
	now := time.Now()
	for _, c := range f.cfg.Instances {
		m := f.members[c.Name]
		s.Members = append(s.Members, Told{c.Name, m.role.is(), m.told, m.priority, m.role.open.Load()})
	}
	for _, g := range f.cfg.Groups {
		s.Groups = append(s.Groups, Told{Name: g.Name, Told: f.groups[g.Name].told})
	}
	for o, r := range f.readings {
		s.Readings = append(s.Readings, ReadingSince{vrrp.Observed{Object: o, Reading: r.Reading}, now.Round(0).Add(r.since.Sub(now))})
	}
	s.Events = f.events.after(0)
	return s, thaw, nil
}

// cannot says that the parts can't be made, also to who waits for them.
func (f *Failover) cannot(ctx context.Context, err error) error {
	if f.await != nil {
		_, _ = f.await(ctx, err)
	}
	return err
}

// awaitNothing waits for the other process where there is nothing to run.
func (f *Failover) awaitNothing(ctx context.Context) error {
	if f.await == nil {
		return nil
	}
	if _, err := f.await(ctx, nil); err != nil {
		return err
	}
	f.await = nil
	f.taken()
	return nil
}

// succeed prepares all that does no harm as long as another process takes part, waits until that one stands still, and goes on for it.
func (f *Failover) succeed(ctx context.Context, p *parts) error {
	runner := begin(p.runner.Run)
	watch := f.watch(p)
	s, err := f.awaitTurn(ctx, p, runner, watch)
	if err != nil {
		_ = watch.end()
		_ = runner.end()
		return err
	}
	f.adopt(s) // before the Runner reports what a configuration that is another one changes
	p.runner.Resume(s.Router)
	f.await = nil
	f.taken()
	return f.goOn(ctx, p, begin(p.keeper.Run), begin(p.tracker.Run), runner, watch)
}

// openTime is how long sockets may take to open. Those that don't open by then open later.
const openTime = 5 * time.Second

func (f *Failover) awaitTurn(ctx context.Context, p *parts, runner, watch *task) (*Standing, error) {
	select {
	case <-p.runner.Ready():
	case <-time.After(openTime):
	case <-runner.done:
		return nil, f.cannot(ctx, runner.failure("adverts"))
	case <-watch.done:
		return nil, f.cannot(ctx, watch.failure("interfaces"))
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return f.await(ctx, nil)
}

// adopt takes in what another process knew.
func (f *Failover) adopt(s *Standing) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	states := make(map[vrrp.Identity]vrrp.State, len(s.Router.Instances))
	for i := range s.Router.Instances {
		states[s.Router.Instances[i].Identity()] = s.Router.Instances[i].State
	}
	for _, m := range f.members {
		if state := states[m.config.Identity()]; state <= vrrp.Fault && m.unfit == nil {
			m.state = state
			m.role.state.Store(uint32(state))
		}
	}
	for _, t := range s.Members {
		if m := f.members[t.Name]; m != nil && t.Told <= vrrp.Fault {
			m.told, m.priority = t.Told, t.Priority
			m.role.open.Store(t.Open)
		}
	}
	for _, t := range s.Groups {
		if g := f.groups[t.Name]; g != nil && t.Told <= vrrp.Fault {
			g.told = t.Told
		}
	}
	for _, r := range s.Readings {
		if f.tracked[r.Object] {
			f.readings[r.Object] = reading{r.Reading, now.Add(r.Since.Sub(now.Round(0)))}
		}
	}
	for _, e := range s.Events[max(0, len(s.Events)-kept):] {
		f.events.seq = e.Seq
		f.events.events[e.Seq%kept] = e
	}
	f.brief()
	f.moved = true
	f.inbox.wake()
}

// Part tells what was not told yet, and gives scripts the time to end that run or wait, while the virtual routers stand still for another
// process.
func (f *Failover) Part(ctx context.Context) {
	f.tell()
	f.scripts.Close(ctx)
}

package failover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ipvsd/ipvsd/pkg/vip"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// task is a goroutine that ends with its context.
type task struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error // after done
}

func begin(run func(context.Context) error) *task {
	ctx, cancel := context.WithCancel(context.Background())
	t := &task{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(t.done)
		if err := run(ctx); !errors.Is(err, context.Canceled) {
			t.err = err
		}
	}()
	return t
}

// end ends a task and returns what it could not do.
func (t *task) end() error {
	t.cancel()
	<-t.done
	return t.err
}

// failure returns why a task ended that nobody has told to.
func (t *task) failure(what string) error {
	if t.err == nil {
		return fmt.Errorf("%s: it ended without being told to", what)
	}
	return fmt.Errorf("%s: %w", what, t.err)
}

// session runs the parts until the context is done, until there is nothing for them to do, or until one of them fails, which is
// the error. In the end another router has taken over, if there is one, the others know that no instance is active here, then the
// addresses go, and only then those that watch.
func (f *Failover) session(ctx context.Context) error {
	p, err := f.assemble(f)
	if err != nil {
		return f.cannot(ctx, err)
	}
	f.attach(p)
	switch {
	case f.await != nil:
		return f.succeed(ctx, p)
	case p.remains != nil:
		return f.recover(ctx, p)
	}
	keeper := begin(p.keeper.Run) // first: what an earlier run left is to go
	tracker := begin(p.tracker.Run)
	runner := begin(p.runner.Run)
	return f.goOn(ctx, p, keeper, tracker, runner, f.watch(p))
}

// watch tells the parts of the interfaces of the host.
func (f *Failover) watch(p *parts) *task {
	return begin(func(ctx context.Context) error {
		p.interfaces(ctx, func(list []vip.Interface, err error) {
			if err != nil {
				f.log.Error("the interfaces of this host can't be known; virtual routers go by what was known before", "err", err)
				return
			}
			f.links.Store(&list)
			p.runner.Interfaces(list)
			p.tracker.Interfaces(list)
		})
		return nil
	})
}

// goOn goes on with parts that have begun.
func (f *Failover) goOn(ctx context.Context, p *parts, keeper, tracker, runner, watch *task) error {
	limit := time.AfterFunc(f.config().WaitForChecks, f.Checked)
	err := f.serve(ctx, keeper, tracker, runner, watch)
	switch {
	case ctx.Err() == nil:
	case f.stay:
		f.abandon(p, runner)
	default:
		f.handOver(p, runner)
	}
	limit.Stop()
	for _, t := range []struct {
		*task
		what string
	}{{runner, "adverts"}, {keeper, "addresses"}, {tracker, "tracking"}, {watch, "interfaces"}} {
		if e := t.end(); e != nil && err == nil {
			f.log.Error("the virtual routers did not stop as they should", "part", t.what, "err", e)
		}
		f.tell()
	}
	f.detach()
	return err
}

// serve tells what is new until the session has to end.
func (f *Failover) serve(ctx context.Context, keeper, tracker, runner, watch *task) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.changed:
			if !f.wanted() {
				return nil
			}
		case <-f.inbox.dirty:
			f.tell()
		case <-keeper.done:
			return keeper.failure("addresses")
		case <-tracker.done:
			return tracker.failure("tracking")
		case <-runner.done:
			return runner.failure("adverts")
		case <-watch.done:
			return watch.failure("interfaces")
		}
	}
}

// margin is how much longer than it should take another router may need to take over at the stop.
const margin = 250 * time.Millisecond

// handOver has other routers take over what is active here, and waits for that as long as it should take: a backup waits for its
// skew time after priority 0. Until then clients are served here, so that they miss nothing, whereas with keepalived's way nobody has
// the addresses in the meantime.
func (f *Failover) handOver(p *parts, runner *task) {
	f.mu.Lock()
	f.stopping = true
	f.mu.Unlock()
	names, wait := f.serving()
	if len(names) == 0 {
		return
	}
	f.prepare(context.Background())
	ctx, cancel := context.WithTimeout(context.Background(), wait+margin)
	defer cancel()
	for _, name := range names {
		if err := p.runner.Switchover(ctx, name); err != nil {
			f.log.Debug("nothing to hand over", "name", name, "err", err)
		}
	}
	for len(names) > 0 {
		select {
		case <-ctx.Done():
			return
		case <-runner.done:
			return
		case <-f.inbox.dirty:
			f.tell()
			names, _ = f.serving()
		}
	}
	over := time.After(linger)
	f.prepare(context.Background()) // of what came since
	<-over
}

// abandon ends the protocol without a word, and has what the active instances wish for stay.
func (f *Failover) abandon(p *parts, runner *task) {
	p.runner.Abandon()
	<-runner.done
	f.tell()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopping = true
	f.desk.Store(nil) // whoever had a wish to correct later
	for _, m := range f.members {
		if m.role.is() == vrrp.Active || m.role.open.Load() {
			w := m.seat(nil).wish()
			w.Stays = true
			p.keeper.Wish(w)
		}
	}
}

// preparation is how long a switchover waits for connections to be told at most.
const preparation = 2 * time.Second

func (f *Failover) prepare(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, preparation)
	defer cancel()
	f.handover.Prepare(ctx)
}

// serving returns the groups, and the instances without one, that are active, and how long the last of them takes to be relieved.
func (f *Failover) serving() (names []string, wait time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.cfg.Instances {
		if f.members[c.Name].role.is() != vrrp.Active {
			continue
		}
		name, skew := cmp.Or(c.Group, c.Name), time.Second
		if c.Version == 3 {
			skew = min(c.AdvertInterval, 2*time.Second) // nobody wants to wait for longer
		}
		wait = max(wait, skew)
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, wait
}

// attach makes parts those in charge.
func (f *Failover) attach(p *parts) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.parts, f.err = p, nil
	f.brief()
}

// detach leaves all instances without a role.
func (f *Failover) detach() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read()
	f.parts, f.moved = nil, true
	f.desk.Store(nil)
	f.each(func(m *member) {
		m.state = vrrp.Initialize
		m.role.become(vrrp.Became{From: m.role.is(), To: vrrp.Initialize})
	}, func(*group) {})
	f.inbox.wake()
}

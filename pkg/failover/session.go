package failover

import (
	"context"
	"errors"
	"fmt"
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
// the error. In the end the others know that no instance is active here, then the addresses go, and only then those that watch.
func (f *Failover) session(ctx context.Context) error {
	p, err := f.assemble(f)
	if err != nil {
		return err
	}
	f.attach(p)
	keeper := begin(p.keeper.Run) // first: what an earlier run left is to go
	tracker := begin(p.tracker.Run)
	runner := begin(p.runner.Run)
	watch := begin(func(ctx context.Context) error {
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
	limit := time.AfterFunc(f.config().WaitForChecks, f.Checked)
	err = f.serve(ctx, keeper, tracker, runner, watch)
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
	f.pipes.follow(f.log, f.config().FIFOs)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.changed:
			if !f.wanted() {
				return nil
			}
			f.pipes.follow(f.log, f.config().FIFOs)
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
		m.role.become(vrrp.Initialize)
	}, func(*group) {})
	f.inbox.wake()
}

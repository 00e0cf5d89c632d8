package engine_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/engine"
)

func TestEqualChecksAreOneProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		probes := 0
		e := run(t, func(context.Context, health.Check) error { probes++; return nil })
		e.Set([]health.Check{check(1), check(1), check(1)})
		e.settle(time.Second)
		e.stop()
		equal(t, "reports", e.of(check(1)), []string{"0s unchecked", "0s up"})
		if probes != 1 {
			t.Errorf("%d probes; want 1", probes)
		}
	})
}

func TestChangeKeepsTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := run(t, func(context.Context, health.Check) error { return nil })
		e.Set([]health.Check{check(1)})
		e.settle(4 * time.Second)
		e.Set(checks(3))
		e.settle(12 * time.Second)
		e.stop()
		equal(t, "the kept check", e.of(check(1)), []string{"0s unchecked", "0s up", "10s up"})
		equal(t, "the added check", e.of(check(2)), []string{"4s unchecked", "4s up"})
	})
}

func TestCheckWithChangedTimingKeepsItsState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := run(t, func(_ context.Context, c health.Check) error {
			if c.Subject() == check(0).Subject() {
				return errors.New("connection refused")
			}
			return nil
		})
		e.Set(checks(2))
		e.settle(4 * time.Second)
		changed, other := checks(2), check(1)
		for i := range changed {
			changed[i].DelayLoop, changed[i].Timeout, changed[i].Alpha = 7*time.Second, time.Second, true
		}
		other.FWMark = 7 // another probe altogether
		e.Set(append(changed, other))
		e.settle(8 * time.Second)
		e.stop()
		equal(t, "a server that is down", e.of(changed[0]), []string{"0s down connection refused", "7s down connection refused"})
		equal(t, "a server that is up", e.of(changed[1]), []string{"0s up", "7s up"})
		equal(t, "a check of something else", e.of(other), []string{"4s unchecked", "4s up"})
	})
}

func TestOfReplacedChecksTheLatestKnowsTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fast, slow, heir := check(1), check(1), check(1)
		fast.DelayLoop, slow.DelayLoop = time.Second, time.Minute
		var e *running
		e = run(t, func(context.Context, health.Check) error {
			if e.now() > 0 {
				return errors.New("connection refused")
			}
			return nil
		})
		e.Set([]health.Check{slow, fast})
		e.settle(20 * time.Second)
		e.Set([]health.Check{heir})
		e.settle(20 * time.Second)
		e.stop()
		equal(t, "reports", e.of(heir)[:1], []string{"20s down connection refused"})
	})
}

// Of two virtual servers with the same server one gets another timing.
func TestCheckWithTheSubjectOfOneThatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := run(t, func(context.Context, health.Check) error { return errors.New("connection refused") })
		e.Set([]health.Check{check(1)})
		e.settle(4 * time.Second)
		other := check(1)
		other.DelayLoop = 7 * time.Second
		e.Set([]health.Check{check(1), other})
		e.settle(time.Minute)
		e.stop()
		equal(t, "reports", e.of(other)[:2], []string{"0s down connection refused", "7s down connection refused"})
	})
}

func TestChangeKeepsTheProbeUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := run(t, func(ctx context.Context, _ health.Check) error { return take(ctx, 2*time.Second) })
		e.Set([]health.Check{check(1)})
		e.settle(time.Second)
		e.Set(checks(2))
		e.settle(5 * time.Second)
		e.stop()
		equal(t, "reports", e.of(check(1)), []string{"0s unchecked", "2s up"})
	})
}

func TestRemovedChecksAreProbedNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		probed := map[health.Check]int{}
		e := run(t, func(_ context.Context, c health.Check) error { probed[c]++; return nil }, engine.Places(1))
		e.Set(checks(3))
		e.settle(5 * time.Second)
		e.Set([]health.Check{check(2)})
		e.settle(25 * time.Second)
		e.stop()
		if want := map[health.Check]int{check(0): 1, check(1): 1, check(2): 3}; !maps.Equal(probed, want) {
			t.Errorf("probed %v; want %v", probed, want)
		}
	})
}

func TestRemovedChecksAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cancelled := false
		e := run(t, func(ctx context.Context, _ health.Check) error {
			err := take(ctx, 2*time.Second)
			cancelled = errors.Is(ctx.Err(), context.Canceled)
			return err
		})
		e.Set([]health.Check{check(1)})
		e.settle(time.Second)
		e.Set(nil)
		e.settle(time.Minute)
		if !cancelled {
			t.Error("the probe under way was not cancelled")
		}
		if got := e.Stats(); got != (engine.Stats{}) {
			t.Errorf("%+v; want nothing left", got)
		}
		e.stop()
		equal(t, "reports", e.of(check(1)), []string{"0s unchecked"})
	})
}

func TestCheckThatIsRemovedAndAddedStartsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		probes := 0
		e := run(t, func(context.Context, health.Check) error {
			if probes++; probes == 1 {
				<-hang // whatever the context says
				return errors.New("a late answer")
			}
			return nil
		})
		e.Set([]health.Check{check(1)})
		e.settle(time.Second)
		e.Set(nil)
		e.settle(2 * time.Second)
		e.Set([]health.Check{check(1)})
		e.settle(3 * time.Second)
		close(hang)
		e.settle(4 * time.Second)
		e.stop()
		equal(t, "reports", e.of(check(1)), []string{"0s unchecked", "2s unchecked", "2s up"})
	})
}

func TestChangesAreMadeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := engine.New(func(_ context.Context, c health.Check) (f health.Finding, err error) {
			if c != check(9) {
				t.Errorf("%v was probed", c.Target)
			}
			return f, nil
		}, func(engine.Report) {})
		for i := range 10 {
			e.Change(ids(checks(i)), []health.ID{check(i).ID()}) // nobody listens yet
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		e.Run(ctx)
		if got, want := e.Stats().Checks, 1; got != want {
			t.Errorf("%d checks; want %d", got, want)
		}
		e.Change(nil, ids(checks(2))) // nobody listens any more
	})
}

// A suspended check is not probed, and its last probe does not count. What is known of it stays, and is proved at once when it
// goes on.
func TestSuspend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := run(t, func(ctx context.Context, c health.Check) error {
			select {
			case <-time.After(2 * time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		e.Suspend([]health.Check{check(2)}) // before there is one
		e.Set(checks(3))
		e.settle(11 * time.Second) // the second probe of 0 and 1 is under way
		e.Suspend([]health.Check{check(1)})
		e.Suspend([]health.Check{check(1)})
		e.settle(time.Minute)
		if s := e.Stats(); s.Checks != 3 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
		e.Resume([]health.Check{check(0), check(1), check(2)})
		e.settle(time.Minute + 4*time.Second)
		e.stop()
		equal(t, "one that is not suspended", e.of(check(0))[:3], []string{"0s unchecked", "2s up", "12s up"})
		equal(t, "one that was", e.of(check(1)), []string{"0s unchecked", "2s up", "1m2s up"})
		equal(t, "one that was from the beginning", e.of(check(2)), []string{"0s unchecked", "1m2s up"})
	})
}

// A suspended check may be removed, and its heir suspended.
func TestSuspendedIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := run(t, func(context.Context, health.Check) error { return nil })
		e.Set([]health.Check{check(1)})
		e.settle(time.Second)
		e.Suspend([]health.Check{check(1)})
		heir := check(1)
		heir.DelayLoop = 7 * time.Second
		e.Suspend([]health.Check{heir})
		e.Set([]health.Check{heir})
		e.settle(time.Minute)
		e.Set([]health.Check{heir, check(1)}) // again, and not suspended any more
		e.settle(time.Minute + time.Second)
		e.stop()
		equal(t, "the heir", e.of(heir), []string{"0s up"})
		equal(t, "the new one knows what the heir does, and is not suspended", e.of(check(1))[2:], []string{"0s up", "1m0s up"})
	})
}

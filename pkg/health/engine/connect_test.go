package engine_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/engine"
)

// wires is a connector whose probes end as a function says: with an error after a while, or not at all if that is negative.
type wires struct {
	fate func(health.Check) (time.Duration, error)
	late bool // tells of ends after the probe was abandoned, too

	mu        sync.Mutex
	alarm     *time.Timer
	connects  int
	abandoned int
}

func (w *wires) Run(ctx context.Context) {
	<-ctx.Done()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.alarm != nil {
		w.alarm.Stop()
	}
}

func (w *wires) Talks(c health.Check) bool {
	_, talks := c.Spec.(health.HTTP)
	return talks
}

// Talk has probes end as fate says, or as soon as their time is up.
func (w *wires) Talk(_ context.Context, c health.Check, done func(health.Finding, error, time.Time)) context.CancelFunc {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.connects++
	after, err := w.fate(c)
	var once sync.Once
	end := func(err error) { once.Do(func() { done(health.Finding{Warning: "talked"}, err, time.Now()) }) }
	if after == 0 {
		end(err)
	}
	if after > 0 {
		time.AfterFunc(after, func() { end(err) })
	}
	return func() { go end(errors.New("its time was up")) }
}

func (w *wires) Wake(after time.Duration, f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.alarm != nil {
		w.alarm.Stop()
	}
	w.alarm = time.AfterFunc(after, f)
}

var errNoRoute = errors.New("no route to host")

func (w *wires) Connect(c health.Check, done func(error, time.Time)) (func() error, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.connects++
	after, err := w.fate(c)
	if errors.Is(err, errNoRoute) {
		return nil, err
	}
	var end *time.Timer
	if after >= 0 {
		end = time.AfterFunc(after, func() { done(err, time.Now()) })
	}
	return func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.abandoned++
		if end != nil && !w.late {
			end.Stop()
		}
		return errors.New("no answer")
	}, nil
}

// over runs an engine whose TCP checks are run by these wires. No other check may be.
func (w *wires) over(t *testing.T, opts ...engine.Option) *running {
	t.Helper()
	return run(t, func(_ context.Context, c health.Check) error {
		t.Errorf("%v is probed by a goroutine", c.Target)
		return nil
	}, append(opts, engine.ConnectBy(w))...)
}

func tcp(n int) []health.Check {
	set := checks(n)
	for i := range set {
		set[i].Spec = health.TCP{}
	}
	return set
}

func TestConnectorRunsTCPChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := tcp(5)
		other := check(5) // not a TCP check
		probed := false
		w := &wires{fate: func(c health.Check) (time.Duration, error) {
			switch c {
			case set[0]:
				return time.Millisecond, nil
			case set[1]:
				return time.Second, errors.New("connection refused")
			case set[2]:
				return -1, nil
			case set[3]:
				return 0, errNoRoute
			}
			return 3 * time.Second, nil // at the end of its time
		}}
		e := run(t, func(_ context.Context, c health.Check) error { probed = c == other; return nil }, engine.ConnectBy(w))
		e.Set(append(set, other))
		e.settle(9 * time.Second)
		s := e.Stats()
		e.stop()
		equal(t, "a good one", e.of(set[0]), []string{"0s unchecked", "1ms up"})
		equal(t, "one that refuses", e.of(set[1]), []string{"0s unchecked", "1s down connection refused"})
		equal(t, "one that hangs", e.of(set[2]), []string{"0s unchecked", "3s down no answer"})
		equal(t, "one that can't be reached", e.of(set[3]), []string{"0s unchecked", "0s down no route to host"})
		if got := len(e.of(set[4])); got != 2 {
			t.Errorf("%d reports of one that answers as its time ends; want 2", got)
		}
		if !probed {
			t.Error("the check of another type was not probed")
		}
		if want := (engine.Stats{Checks: 6}); s != want {
			t.Errorf("%+v; want %+v", s, want)
		}
	})
}

// Removed and suspended checks are heard of no more, even if their probes end all the same, and leave their places at once.
func TestRemovedChecksAreAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wires{fate: func(health.Check) (time.Duration, error) { return 2 * time.Second, nil }, late: true}
		e := w.over(t, engine.Places(3))
		set := tcp(3)
		e.Set(set)
		e.settle(time.Second)
		e.Suspend(set[1:2])
		e.Set(set[1:])
		e.settle(1500 * time.Millisecond)
		e.Set(set) // one of them again, which is another job
		e.Resume(set[1:2])
		e.settle(9 * time.Second)
		e.stop()
		equal(t, "removed, and added", e.of(set[0]), []string{"0s unchecked", "1.5s unchecked", "3.5s up"})
		equal(t, "suspended, and resumed", e.of(set[1]), []string{"0s unchecked", "3.5s up"})
		equal(t, "the other", e.of(set[2]), []string{"0s unchecked", "2s up"})
		if w.abandoned != 2 {
			t.Errorf("%d probes were abandoned; want 2", w.abandoned)
		}
	})
}

// 500 services with the same ten servers are ten probes a round.
func TestSharedServersAreProbedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wires{fate: func(health.Check) (time.Duration, error) { return time.Millisecond, nil }}
		e := w.over(t)
		for range 500 {
			e.Engine.Change(nil, ids(tcp(10)))
		}
		e.settle(55 * time.Second) // the rounds at 0, 10, ..., 50 s
		e.stop()
		if w.connects != 60 {
			t.Errorf("%d probes in 6 rounds; want 60", w.connects)
		}
	})
}

// Probes that are due at about the same time start at the same time, none early, and none late by more than a hundredth of
// its interval.
func TestProbesStartTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e *running
		moments := map[time.Duration]bool{}
		w := &wires{fate: func(health.Check) (time.Duration, error) {
			moments[e.now()] = true
			return 0, nil
		}}
		i := 0
		e = w.over(t, engine.Random(func() float64 { i++; return float64(i%1000) / 1000 }))
		set := tcp(1000)
		for i := range set {
			set[i].Warmup = 10 * time.Second
		}
		e.Set(set)
		e.settle(55 * time.Second)
		e.stop()
		for at := range moments {
			if at > 10*time.Second && at%(100*time.Millisecond) != 0 { // after the warm-up
				t.Fatalf("a probe starts at %v", at)
			}
		}
		last := map[health.ID]time.Time{}
		for _, r := range e.reports {
			if before := last[r.Check]; !before.IsZero() {
				if d := r.Checker.LastRun.Sub(before); d < 10*time.Second || d > 10*time.Second*104/100 {
					t.Fatalf("%v between two probes of a check each 10 s, with 3%% of jitter", d)
				}
			}
			last[r.Check] = r.Checker.LastRun
		}
	})
}

// Talks end when their time is up or when they are removed, as probes by goroutines do, and bring what they found.
func TestConnectorTalks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := checks(5)
		for i := range set {
			set[i].Spec = health.HTTP{Protocol: "1.0"}
		}
		w := &wires{fate: func(c health.Check) (time.Duration, error) {
			switch c {
			case set[0]:
				return time.Millisecond, nil
			case set[1]:
				return 2 * time.Second, errors.New("503")
			case set[2]:
				return -1, nil
			case set[3]:
				return 0, errNoRoute
			}
			return 2 * time.Second, nil
		}}
		e := w.over(t)
		e.Set(set)
		e.settle(time.Second)
		e.Set(set[:4])
		e.settle(8 * time.Second)
		s := e.Stats()
		e.stop()
		equal(t, "a good one", e.of(set[0]), []string{"0s unchecked", "1ms up"})
		equal(t, "one that fails", e.of(set[1]), []string{"0s unchecked", "2s down 503"})
		equal(t, "one that hangs", e.of(set[2]), []string{"0s unchecked", "3s down its time was up"})
		equal(t, "one that fails at once", e.of(set[3]), []string{"0s unchecked", "0s down no route to host"})
		equal(t, "one that was removed", e.of(set[4]), []string{"0s unchecked"})
		if want := (engine.Stats{Checks: 4}); s != want {
			t.Errorf("%+v; want %+v", s, want)
		}
		for _, r := range e.reports {
			if r.Check == set[0].ID() && r.Checker.State == health.Up && r.Checker.LastResult.Finding.Warning != "talked" {
				t.Errorf("it found %+v", r.Checker.LastResult.Finding)
			}
		}
	})
}

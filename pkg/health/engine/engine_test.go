package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/engine"
)

// running is an Engine that runs in a bubble, with what it reported. Its clock starts at 0.
type running struct {
	*engine.Engine
	start   time.Time
	checks  []health.Check  // that the last Set asked for
	reports []engine.Report // read it after settle only
	stop    func() error    // ends Run and returns what it returned
}

func run(t *testing.T, f func(context.Context, health.Check) error, opts ...engine.Option) *running {
	t.Helper()
	e := &running{start: time.Now()}
	opts = append([]engine.Option{engine.Random(func() float64 { return 0 })}, opts...)
	probe := func(ctx context.Context, c health.Check) (n health.Finding, err error) { return n, f(ctx, c) }
	e.Engine = engine.New(probe, func(r engine.Report) { e.reports = append(e.reports, r) }, opts...)
	ctx, cancel := context.WithCancel(t.Context())
	returned := make(chan error, 1)
	go func() { returned <- e.Run(ctx) }()
	e.stop = func() error {
		cancel()
		return <-returned
	}
	return e
}

// Set changes the checks to these.
func (e *running) Set(checks []health.Check) {
	without := func(from, which []health.Check) []health.Check {
		return slices.DeleteFunc(slices.Clone(from), func(c health.Check) bool { return slices.Contains(which, c) })
	}
	e.Change(without(e.checks, checks), without(checks, e.checks))
	e.checks = slices.Clone(checks)
}

// Change, Suspend and Resume take checks instead of what stands for them.
func (e *running) Change(removed, added []health.Check) { e.Engine.Change(ids(removed), ids(added)) }
func (e *running) Suspend(checks []health.Check)        { e.Engine.Suspend(ids(checks)) }
func (e *running) Resume(checks []health.Check)         { e.Engine.Resume(ids(checks)) }

func ids(checks []health.Check) (list []health.ID) {
	for _, c := range checks {
		list = append(list, c.ID())
	}
	return list
}

// now returns the bubble's time since the engine was started.
func (e *running) now() time.Duration { return time.Since(e.start) }

// settle lets the bubble's clock run to the given time and all that is due by then happen.
func (e *running) settle(until time.Duration) {
	<-time.After(until - e.now())
	synctest.Wait()
}

// of returns what was reported of a check: its state at a time, one "time state error" each.
func (e *running) of(c health.Check) (trace []string) {
	for _, r := range e.reports {
		if r.Check == c.ID() {
			at := r.Checker.LastRun.Add(r.Checker.LastResult.Took).Sub(e.start)
			if r.Checker.LastRun.IsZero() {
				at = r.Checker.Since.Sub(e.start)
			}
			trace = append(trace, strings.TrimSpace(fmt.Sprint(at, " ", r.Checker.State, " ", r.Checker.LastResult.Err)))
		}
	}
	return trace
}

// check returns the i-th of many checks, without warm-up.
func check(i int) health.Check {
	return health.Check{
		Type:    "TCP_CHECK",
		Target:  netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80),
		Timeout: 3 * time.Second,
		Policy:  health.Policy{DelayLoop: 10 * time.Second, Retry: 1, DelayBeforeRetry: time.Second},
	}
}

func checks(n int) []health.Check {
	s := make([]health.Check, n)
	for i := range s {
		s[i] = check(i)
	}
	return s
}

// take spends time as a probe that obeys its context would.
func take(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return errors.New("timed out")
	case <-time.After(d):
		return nil
	}
}

func equal[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

func TestScheduleIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var starts []time.Duration
		var e *running
		e = run(t, func(ctx context.Context, _ health.Check) error {
			starts = append(starts, e.now())
			return take(ctx, []time.Duration{1, time.Second, time.Hour, time.Hour, time.Second}[len(starts)-1])
		})
		c := check(1)
		c.Warmup = 5 * time.Second
		e.Set([]health.Check{c})
		e.settle(40 * time.Second)
		if err := e.stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v; want context canceled", err)
		}
		s := time.Second
		equal(t, "starts", starts, []time.Duration{0, 10 * s, 20 * s, 24 * s, 34 * s})
		equal(t, "reports", e.of(c), []string{
			"0s unchecked", "1ns up", "11s up", "23s up timed out", "27s down timed out", "35s up",
		})
	})
}

func TestWarmupAndJitterComeFromTheRandomSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := run(t, func(context.Context, health.Check) error { return nil }, engine.Random(func() float64 { return 0.5 }))
		c := check(1)
		c.Warmup, c.DelayLoop = 4*time.Second, 20*time.Second
		e.Set([]health.Check{c})
		e.settle(23 * time.Second)
		e.stop()
		equal(t, "reports", e.of(c), []string{"0s unchecked", "2s up", "22.3s up"})
	})
}

// Scenario 6 of the failures known from others: one server that hangs must not make any other's failure be seen later.
func TestHungServerDelaysNoOther(t *testing.T) {
	const servers = 500
	detection := func(hung bool) (down map[health.Check]time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			seed := rand.New(rand.NewPCG(1, 2))
			sick := check(servers)
			var e *running
			e = run(t, func(ctx context.Context, c health.Check) error {
				switch {
				case c == sick && hung:
					return take(ctx, time.Hour)
				case e.now() > time.Minute:
					return errors.New("connection refused")
				}
				return take(ctx, time.Millisecond)
			}, engine.Random(seed.Float64))
			all := checks(servers + 1)
			for i := range all {
				all[i].Warmup = 10 * time.Second
			}
			sick = all[servers]
			e.Set(all)
			e.settle(2 * time.Minute)
			e.stop()
			down = map[health.Check]time.Duration{}
			for _, r := range e.reports {
				if r.Checker.State == health.Down && r.Check != sick.ID() {
					down[r.Check.Check()] = r.Checker.Since.Sub(e.start)
				}
			}
		})
		return down
	}
	with, without := detection(true), detection(false)
	if len(without) != servers {
		t.Fatalf("%d of %d servers were found down", len(without), servers)
	}
	if !maps.Equal(with, without) {
		t.Error("the moments at which servers are found down differ when another one hangs")
	}
}

func TestPlacesLimitTheProbesUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e *running
		var starts []time.Duration
		turn := make(chan struct{}, 1) // guards starts
		e = run(t, func(ctx context.Context, _ health.Check) error {
			turn <- struct{}{}
			starts = append(starts, e.now())
			<-turn
			return take(ctx, time.Second)
		}, engine.Places(4))
		e.Set(checks(10))
		e.settle(0)
		if got, want := e.Stats(), (engine.Stats{Checks: 10, Running: 4, Waiting: 6, Waited: 6}); got != want {
			t.Errorf("at the start: %+v; want %+v", got, want)
		}
		e.settle(5 * time.Second)
		if got, want := e.Stats(), (engine.Stats{Checks: 10, Waited: 6}); got != want {
			t.Errorf("after the first round: %+v; want %+v", got, want)
		}
		e.stop()
		s := time.Second
		equal(t, "starts", starts, []time.Duration{0, 0, 0, 0, s, s, s, s, 2 * s, 2 * s})
	})
}

func TestProbesThatWaitedLongestStartFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []int
		e := run(t, func(ctx context.Context, c health.Check) error {
			order = append(order, int(c.Warmup/time.Second))
			return take(ctx, 3*time.Second)
		}, engine.Places(1), engine.Random(func() float64 { return 0.5 }))
		all := checks(4)
		for i, second := range []int{6, 2, 8, 4} {
			all[i].Warmup = time.Duration(second) * time.Second
		}
		e.Set(all)
		e.settle(11 * time.Second)
		e.stop()
		equal(t, "the order in which the checks of 1, 2, 3 and 4 s were probed", order, []int{2, 4, 6, 8})
	})
}

func TestWaitingProbesOfRemovedChecksDoNotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		probed := map[health.Check]int{}
		e := run(t, func(ctx context.Context, c health.Check) error {
			probed[c]++
			return take(ctx, time.Second)
		}, engine.Places(1))
		e.Set(checks(3))
		e.settle(0)
		first := e.reports[0].Check.Check()
		e.Set([]health.Check{first, check(2)})
		e.settle(3 * time.Second)
		e.stop()
		if want := map[health.Check]int{first: 1, check(2): 1}; !maps.Equal(probed, want) {
			t.Errorf("probed %v; want %v", probed, want)
		}
	})
}

func TestProbesAreCutOffAtTheirTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := run(t, func(ctx context.Context, _ health.Check) error {
			<-ctx.Done()
			return ctx.Err()
		})
		e.Set([]health.Check{check(1)})
		e.settle(4 * time.Second)
		e.stop()
		equal(t, "reports", e.of(check(1)), []string{"0s unchecked", "3s down context deadline exceeded"})
	})
}

func TestPanicIsAFailedProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := run(t, func(_ context.Context, c health.Check) error {
			if c == check(0) {
				var reply []byte
				reply[c.Retry] = 0
			}
			return nil
		})
		e.Set(checks(2))
		e.settle(time.Second)
		e.stop()
		equal(t, "the other check", e.of(check(1)), []string{"0s unchecked", "0s up"})
		got := e.of(check(0))
		if len(got) != 2 || !strings.Contains(got[1], "down") || !strings.Contains(got[1], "index out of range") ||
			!strings.Contains(got[1], "at engine_test.go:") {
			t.Errorf("reports: %q; want a failure that names the panic and its line", got)
		}
	})
}

func TestErrorWithoutWordsIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := run(t, func(context.Context, health.Check) error { return errors.New("") })
		e.Set([]health.Check{check(1)})
		e.settle(time.Second)
		e.stop()
		equal(t, "reports", e.of(check(1)), []string{"0s unchecked", "0s down no reason given"})
	})
}

// The bubble itself fails if a goroutine is left behind.
func TestRunEndsItsProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		under := make(chan struct{}, 100) // a token for each probe under way
		e := run(t, func(ctx context.Context, _ health.Check) error {
			under <- struct{}{}
			<-ctx.Done()
			<-time.After(time.Second) // even one that takes its time
			<-under
			return ctx.Err()
		}, engine.Places(60))
		e.Set(checks(100))
		e.settle(time.Second)
		if got, want := e.Stats(), (engine.Stats{Checks: 100, Running: 60, Waiting: 40, Waited: 40}); got != want {
			t.Errorf("%+v; want %+v", got, want)
		}
		if err := e.stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v; want context canceled", err)
		}
		if len(under) != 0 {
			t.Errorf("%d probes outlived Run", len(under))
		}
		if got := e.Stats(); got.Running != 0 || got.Waiting != 0 {
			t.Errorf("%+v; want none running or waiting", got)
		}
		if len(e.reports) != 100 {
			t.Errorf("%d reports; want the 100 of the start: a probe that shutdown ended says nothing of its server", len(e.reports))
		}
	})
}

func TestTenThousandChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 10_000
		goroutines := runtime.NumGoroutine()
		e := run(t, func(ctx context.Context, _ health.Check) error { return take(ctx, time.Millisecond) },
			engine.Random(rand.New(rand.NewPCG(3, 4)).Float64))
		all := checks(n)
		for i := range all {
			all[i].Warmup = 10 * time.Second
		}
		e.Set(all)
		e.settle(time.Minute)
		if s := e.Stats(); s.Checks != n || s.Waited != 0 {
			t.Errorf("%+v; want %d checks and none that ever waited", s, n)
		}
		// Besides Run's own only those of probes under way: what starts together, a tenth of a second's 1,000.
		if more := runtime.NumGoroutine() - goroutines; more > 1+2*100 {
			t.Errorf("%d goroutines for checks of which next to none runs", more)
		}
		last := map[health.Check]health.Checker{}
		for _, r := range e.reports {
			last[r.Check.Check()] = r.Checker
		}
		e.stop()
		for c, checker := range last {
			// Each interval is at most 3% longer than 10 s, and the first probe comes within the first 10 s.
			if checker.Probes < 5 || checker.Probes > 6 || checker.Failed != 0 {
				t.Fatalf("%s: %d probes, %d failed in a minute; want 5 or 6, 0", c.Target, checker.Probes, checker.Failed)
			}
		}
		if len(last) != n {
			t.Errorf("%d checks ran; want %d", len(last), n)
		}
	})
}

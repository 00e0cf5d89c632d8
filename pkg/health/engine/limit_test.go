package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/engine"
)

// diary notes when probes start. Its methods may be called by several at once.
type diary struct {
	mu     sync.Mutex
	starts []time.Duration
}

func (d *diary) note(at time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.starts = append(d.starts, at)
}

func TestLimitsChangeWhileProbesRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e *running
		var d diary
		e = run(t, func(ctx context.Context, _ health.Check) error {
			d.note(e.now())
			return take(ctx, time.Second)
		}, engine.Places(4))
		e.Limit(engine.Limits{InFlight: 2})
		e.Set(checks(9))
		e.settle(500 * time.Millisecond)
		e.Limit(engine.Limits{InFlight: 100}) // more than there are places
		e.settle(1500 * time.Millisecond)
		e.Limit(engine.Limits{InFlight: 1})
		e.settle(9 * time.Second)
		e.stop()
		h, s := 500*time.Millisecond, time.Second
		equal(t, "starts", d.starts, []time.Duration{0, 0, h, h, s, s, s + h, s + h, 3*s - h})
	})
}

// In no second do more probes start than the limit says, and no fewer than it lets if there are enough.
func TestPace(t *testing.T) {
	for _, most := range []int{1, 7, 100, 1000} {
		synctest.Test(t, func(t *testing.T) {
			var e *running
			var d diary
			e = run(t, func(context.Context, health.Check) error { d.note(e.now()); return nil })
			e.Limit(engine.Limits{PerSecond: most})
			e.Set(checks(12 * most))
			e.settle(9990 * time.Millisecond) // before the second round
			e.stop()
			for i, at := range d.starts {
				n := 0
				for _, later := range d.starts[i:] {
					if later-at < time.Second {
						n++
					}
				}
				if n > most {
					t.Fatalf("%d probes start within a second of %v; want no more than %d", n, at, most)
				}
			}
			if got := len(d.starts); got < 9*most {
				t.Errorf("%d probes in 10 s of at most %d a second", got, most)
			}
			if s := e.Stats(); s.Waited == 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// Scripts that hang take each other's places and nobody else's, and the reverse.
func TestScriptsHaveTheirOwnPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e *running
		var scripts, others diary
		e = run(t, func(ctx context.Context, c health.Check) error {
			if _, script := c.Spec.(health.Misc); script {
				scripts.note(e.now())
			} else {
				others.note(e.now())
			}
			return take(ctx, time.Hour)
		}, engine.Places(3))
		e.Limit(engine.Limits{Scripts: 2})
		set := checks(9)
		for i := range 5 {
			set[i].Spec = health.Misc{Argv: health.ListOf("/bin/sleep", fmt.Sprint(i))}
		}
		e.Set(set)
		e.settle(7 * time.Second)
		if got, want := e.Stats(), (engine.Stats{Checks: 9, Running: 1, Waited: 4}); got != want {
			t.Errorf("%+v; want %+v", got, want)
		}
		e.stop()
		s := time.Second // each ends after 3
		equal(t, "scripts", scripts.starts, []time.Duration{0, 0, 3 * s, 3 * s, 6 * s})
		equal(t, "others", others.starts, []time.Duration{0, 0, 0, 3 * s})
	})
}

func TestNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := run(t, func(ctx context.Context, _ health.Check) error { return take(ctx, 2*time.Second) })
		e.Set(checks(3))
		e.Suspend([]health.Check{check(2)})
		e.settle(time.Second)
		e.Now(ids(checks(4))) // under way, under way, suspended, unknown
		e.settle(5 * time.Second)
		e.Now(ids(checks(1))) // waits
		e.settle(8 * time.Second)
		e.stop()
		equal(t, "one that waited", e.of(check(0)), []string{"0s unchecked", "2s up", "4s up", "7s up"})
		equal(t, "another", e.of(check(1)), []string{"0s unchecked", "2s up", "4s up"})
		equal(t, "a suspended one", e.of(check(2)), []string{"0s unchecked"})
	})
}

// What this host lacks says nothing of a server: no report, no count, and soon another try.
func TestWantOfThisHostDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		e := run(t, func(context.Context, health.Check) error {
			switch n++; n {
			case 2, 3:
				return fmt.Errorf("socket: %w", syscall.EMFILE)
			case 4:
				return errors.New("connection refused")
			}
			return nil
		})
		e.Set([]health.Check{check(1)})
		e.settle(13500 * time.Millisecond)
		types := e.Types()
		e.stop()
		equal(t, "reports", e.of(check(1)), []string{"0s unchecked", "0s up", "12s up connection refused", "13s up"})
		if len(types) != 1 {
			t.Fatalf("%+v", types)
		}
		got := types[0]
		if got.Type != "TCP_CHECK" || got.Probes != 3 || got.Failures != 1 || got.Skipped != 2 || got.Want != "socket: too many open files" {
			t.Errorf("%+v", got)
		}
	})
}

func TestFigures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := run(t, func(ctx context.Context, c health.Check) error {
			if c.Type == "MISC_CHECK" {
				return take(ctx, time.Hour)
			}
			return take(ctx, 3*time.Millisecond)
		}, engine.Places(1))
		set := checks(3)
		set[2].Type, set[2].Spec = "MISC_CHECK", health.Misc{}
		e.Set(set)
		e.settle(5 * time.Second)
		types, lateness := e.Types(), e.Lateness()
		e.stop()
		if len(types) != 2 || types[0].Type != "MISC_CHECK" || types[1].Type != "TCP_CHECK" {
			t.Fatalf("%+v", types)
		}
		at := func(d time.Duration) int { return slices.Index(engine.Bounds[:], d) }
		for _, c := range []struct {
			what string
			got  engine.Histogram
			sum  time.Duration
			want map[int]uint64
		}{
			{"what timed out took", types[0].Took, 3 * time.Second, map[int]uint64{at(5 * time.Second): 1}},
			{"others took", types[1].Took, 6 * time.Millisecond, map[int]uint64{at(5 * time.Millisecond): 2}},
			{"lateness", lateness, 3 * time.Millisecond, map[int]uint64{0: 2, at(5 * time.Millisecond): 1}},
		} {
			want := engine.Histogram{Sum: c.sum}
			for i, n := range c.want {
				want.Buckets[i] = n
			}
			if c.got != want {
				t.Errorf("%s: %v; want %v", c.what, c.got, want)
			}
		}
		if types[0].Failures != 1 || types[1].Failures != 0 {
			t.Errorf("failures: %+v", types)
		}
	})
}

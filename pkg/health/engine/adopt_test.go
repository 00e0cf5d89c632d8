package engine_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/engine"
)

// An engine that stands still starts no probes, and another one goes on with its verdicts and its schedule.
func TestAdopt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var frozen atomic.Bool
		probe := func(context.Context, health.Check) (health.Finding, error) { //nolint:unparam // what the engine wants
			if frozen.Load() {
				t.Error("a probe starts while the engine stands still")
			}
			return health.Finding{}, nil
		}
		c := check(1)
		begin := func(adopts map[health.ID]health.Checker) (e *engine.Engine, newest *atomic.Pointer[health.Checker], stop func()) {
			newest = new(atomic.Pointer[health.Checker])
			e = engine.New(probe, func(r engine.Report) { newest.Store(&r.Checker) })
			e.Adopt(adopts)
			e.Change(nil, []health.ID{c.ID()})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				_ = e.Run(ctx)
			}()
			return e, newest, func() { cancel(); <-done }
		}
		first, newest, stop := begin(nil)
		time.Sleep(35 * time.Second)
		synctest.Wait()
		before := *newest.Load()

		known, thaw := make(chan map[health.ID]health.Checker, 1), make(chan struct{})
		first.Freeze(func(k map[health.ID]health.Checker) {
			frozen.Store(true)
			known <- k
			<-thaw
			frozen.Store(false)
		})
		k := <-known
		time.Sleep(5 * time.Minute)
		close(thaw)
		stop()

		if len(k) != 1 || k[c.ID()].State != health.Up || k[c.ID()].Probes != before.Probes {
			t.Fatalf("it tells %+v, it was %+v", k, before)
		}
		_, heir, stop := begin(k)
		defer stop()
		synctest.Wait()
		if heir.Load().State != health.Up || heir.Load().Probes < before.Probes || heir.Load().Probes > before.Probes+1 {
			t.Errorf("it goes on with %+v, want %+v", heir.Load(), before)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := heir.Load().Probes - before.Probes; n < 5 || n > 7 {
			t.Errorf("%d probes in a minute", n)
		}
	})
}

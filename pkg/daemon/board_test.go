package daemon

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/engine"
	"github.com/ipvsd/ipvsd/pkg/ipvs/ipvstest"
)

// meanwhile has the owner's goroutine run a function, with the TCP check of the second server and what reports on it.
func (h *house) meanwhile(f func(c health.Checker, post func(health.Checker))) {
	h.t.Helper()
	_, err := ask(h.t.Context(), h.owner, func(context.Context) bool {
		var id health.ID
		for _, id = range h.cfg.VirtualServers[0].RealServers[1].Checks {
			if id.Check().Type == "TCP_CHECK" {
				break
			}
		}
		f(h.board.of(id), func(c health.Checker) { h.board.post(engine.Report{Check: id, Checker: c}) })
		return true
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.pass(100 * time.Millisecond)
}

// A verdict that is reached while a reload or a plan catches up with the verdicts is not taken for one that the owner has acted on.
func TestVerdictWhileCatchingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), web)
		h.pass(10 * time.Second)
		h.meanwhile(func(c health.Checker, post func(health.Checker)) {
			h.takeNews()
			c.State, c.Was, c.Since = health.Down, health.Up, time.Now()
			post(c)
			h.board.copyTo(h.verdicts)
		})
		h.wantServing("the second is down", first, third)
	})
}

// A server that went and came back while the owner was busy starts slowly again.
func TestSlowStartAfterAnAbsenceThatNobodySaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, new(ipvstest.Kernel), t.TempDir(), versatile)
		h.pass(10 * time.Second)
		h.down.Store(second, true)
		h.pass(10 * time.Second)
		h.down.Delete(second)
		h.pass(time.Minute)
		if w := h.server(1).TableWeight; w != 100 {
			t.Fatalf("weight %d after the first slow start", w)
		}
		h.meanwhile(func(c health.Checker, post func(health.Checker)) {
			c.State, c.Was, c.Since = health.Down, health.Up, time.Now()
			post(c)
			c.State, c.Was, c.Since = health.Up, health.Down, time.Now()
			post(c)
		})
		if w := h.server(1).TableWeight; w == 100 {
			t.Errorf("weight %d at once", w)
		}
	})
}

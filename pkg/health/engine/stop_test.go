package engine_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/engine"
)

// That the engine stops says nothing of the servers whose probes come to nothing by it.
func TestStopIsNoFailure(t *testing.T) {
	for range 50 { // of what happens at the same moment either may be seen first
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w := &wires{fate: func(health.Check) (time.Duration, error) {
				cancel()
				return 0, errNoRoute
			}}
			set := tcp(1)
			set[0].Retry = 0
			e := engine.New(nil, func(r engine.Report) {
				if r.Checker.State != health.Unchecked {
					t.Errorf("%v: %s", r.Checker.State, r.Checker.LastResult.Err)
				}
			}, engine.ConnectBy(w))
			e.Change(nil, ids(set))
			_ = e.Run(ctx)
		})
	}
}

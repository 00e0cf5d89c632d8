package track

import (
	"context"
	"sync"

	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/engine"
	"github.com/ipvsd/ipvsd/pkg/vrrp"
)

// most is how many scripts may run at once. They must not wait for each other: that would be a late failover.
const most = 1 << 16

// scripts runs each vrrp_script when it is due. Equal ones share their runs.
type scripts struct {
	engine *engine.Engine
	ended  chan struct{}
	ctx    context.Context
	t      *Tracker
	set    map[health.ID]bool // what the engine runs

	mu    sync.Mutex
	names map[health.ID][]string
	last  map[health.ID]vrrp.Reading // of those that have one
}

func newScripts(ctx context.Context, t *Tracker) *scripts {
	s := &scripts{ctx: ctx, t: t, ended: make(chan struct{}), last: make(map[health.ID]vrrp.Reading)}
	s.engine = engine.New(t.probe, s.report)
	s.engine.Limit(engine.Limits{Scripts: most})
	go func() {
		defer close(s.ended)
		_ = s.engine.Run(ctx) // the context's error
	}()
	return s
}

func (s *scripts) wait() { <-s.ended }

// change runs the scripts among the objects, and no others.
func (s *scripts) change(objects map[vrrp.Object]bool, all map[string]health.ID) {
	names := make(map[health.ID][]string)
	for o := range objects {
		if id, ok := all[o.Name]; ok && o.Kind == vrrp.TrackScript {
			names[id] = append(names[id], o.Name)
		}
	}
	var removed, added []health.ID
	s.mu.Lock()
	for id := range s.names {
		if names[id] == nil {
			removed = append(removed, id)
			delete(s.last, id)
		}
	}
	for id := range names {
		if s.names[id] == nil {
			added = append(added, id)
		} else if r, known := s.last[id]; known { // a name may be new
			s.tell(names[id], r)
		}
	}
	s.names = names
	s.mu.Unlock()
	s.engine.Change(removed, added)
}

// report is what the engine tells. The first result decides; before it, a script is unknown or, with init_fail, fails.
func (s *scripts) report(news engine.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := s.names[news.Check]
	if names == nil {
		return
	}
	r := vrrp.Reading{Known: true, Up: news.Checker.State == health.Up}
	switch {
	case news.Checker.State == health.Down && news.Checker.LastResult.Err == "": // it passes, but not often enough yet
		return
	case news.Checker.State == health.Down:
		r.Reason = news.Checker.LastResult.Err
	case news.Checker.State == health.Unchecked && news.Checker.Alive():
		return
	case news.Checker.State == health.Unchecked:
		r.Reason = "it has not run yet, and init_fail is set"
	}
	if s.last[news.Check] == r {
		return
	}
	s.last[news.Check] = r
	s.tell(names, r)
}

func (s *scripts) tell(names []string, r vrrp.Reading) {
	for _, name := range names {
		s.t.see(s.ctx, vrrp.Object{Kind: vrrp.TrackScript, Name: name}, r)
	}
}

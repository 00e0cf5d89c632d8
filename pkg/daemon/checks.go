package daemon

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/engine"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Checks returns the checks that a query asks for, with their last results if they are asked for.
func (o *owner) Checks(ctx context.Context, q status.CheckQuery, last bool) (*status.Checks, error) {
	f, err := q.Filter()
	if err != nil {
		return nil, err
	}
	return ask(ctx, o, func(context.Context) *status.Checks {
		s := &status.Checks{At: time.Now(), Checks: []status.Check{}, Engine: o.engineStatus()}
		for _, id := range checksOf(o.cfg, f) {
			c := o.check(id, o.board.of(id))
			if !f.Match(&c) {
				continue
			}
			c.Servers = sharers(o.roster.servers[id])
			if last {
				c.History = o.board.history(id)
			}
			s.Checks = append(s.Checks, c)
		}
		slices.SortStableFunc(s.Checks, func(a, b status.Check) int { return a.Servers[0].Server.Compare(b.Servers[0].Server) })
		return s
	})
}

// checksOf returns the checks of those servers of a configuration that are meant, each once.
func checksOf(cfg *config.Config, f *status.CheckFilter) (list []health.ID) {
	seen := make(map[health.ID]bool)
	for _, vs := range cfg.VirtualServers {
		for i, rs := range all(vs) {
			if len(rs.Checks) == 0 || !slices.ContainsFunc(reached(server{vs, rs, i >= len(vs.RealServers)}), f.Serves) {
				continue
			}
			for _, id := range rs.Checks {
				if !seen[id] {
					seen[id] = true
					list = append(list, id)
				}
			}
		}
	}
	return list
}

// sharers returns the servers that share a check, sorted.
func sharers(servers []server) (list []status.CheckedBy) {
	for _, s := range servers {
		list = append(list, reached(s)...)
	}
	slices.SortFunc(list, func(a, b status.CheckedBy) int {
		return cmp.Or(a.Server.Compare(b.Server), a.Service.Compare(b.Service))
	})
	return list
}

// reached returns what a server is in each service of its virtual server.
func reached(s server) (list []status.CheckedBy) {
	for i := range s.service.Services {
		v := &s.service.Services[i]
		d, reaches := s.For(v)
		if !reaches {
			continue
		}
		c := status.CheckedBy{Service: v.ServiceKey, Server: d.Addr, Sorry: s.sorry}
		if s.service.Group != "" {
			c.Group = s.service.Name
		}
		list = append(list, c)
	}
	return list
}

// check returns what there is to know of a check but its servers and its history.
func (o *owner) check(id health.ID, k health.Checker) status.Check {
	c := id.Check()
	return status.Check{
		Type: c.Type, What: what(c.Spec), Target: c.Target, State: k.State, Since: k.Since, LastRun: k.LastRun,
		Took: k.LastResult.Took, Error: k.LastResult.Err, Failures: k.Failures, Probes: k.Probes, Failed: k.Failed,
		Passes: k.Successes, Missing: k.Missing(), HeldUntil: k.Held(), Warning: k.LastResult.Warning, Advice: status.AdviceOf(k.LastResult.Advice),
		NextRun: k.Deadline(), Suspended: o.suspension.resting[id],
	}
}

// services names the virtual servers of servers for the log: the first, and how many others there are.
func services(servers []server) string {
	name := servers[0].service.Name
	if n := len(servers) - 1; n > 0 {
		name += " and " + strconv.Itoa(n) + " more"
	}
	return name
}

// engineStatus returns how the engine keeps up.
func (o *owner) engineStatus() status.Engine {
	s := o.checks.Stats()
	e := status.Engine{
		Checks: s.Checks, Running: s.Running, Waiting: s.Waiting, Waited: s.Waited,
		Lateness: histogramOf(o.checks.Lateness()), Types: []status.CheckType{},
	}
	for _, t := range o.checks.Types() {
		e.Types = append(e.Types, status.CheckType{
			Type: t.Type, Probes: t.Probes, Failed: t.Failures, Skipped: t.Skipped, Want: t.Want, Took: histogramOf(t.Took),
		})
	}
	return e
}

func histogramOf(h engine.Histogram) status.Histogram {
	s := status.Histogram{Buckets: make([]status.Bucket, len(engine.Bounds)), Count: h.Count(), Sum: h.Sum}
	var sum uint64
	for i, limit := range engine.Bounds {
		sum += h.Buckets[i]
		s.Buckets[i] = status.Bucket{Max: limit, Count: sum}
	}
	return s
}

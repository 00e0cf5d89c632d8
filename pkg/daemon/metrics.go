package daemon

import (
	"context"
	"time"

	"github.com/ipvsd/ipvsd/pkg/alert/teller"
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/metrics"
	"github.com/ipvsd/ipvsd/pkg/reconcile"
)

// scraper finds out what Prometheus is told. The table, which takes longest, is read by whoever asks, on a socket of its own; the
// owner only adds what it has in memory, and makes no round of it.
type scraper struct {
	table   func(context.Context) (ipvs.Table, error)
	owner   *owner
	routers control.Routers
	teller  *teller.Teller
}

func (s *scraper) facts(ctx context.Context) (*metrics.Facts, error) {
	table, failed := s.table(ctx) // why is in the status: the owner's rounds meet it, too
	f, err := s.owner.gather(ctx, table)
	if err != nil {
		return nil, err
	}
	f.Read = failed == nil
	v, err := s.routers.Status(ctx)
	if err != nil {
		v.Error = err.Error()
	}
	f.VRRP = &v
	counts, lost := s.teller.Counts()
	for _, c := range counts {
		f.Alerts = append(f.Alerts, metrics.Alerts(c))
	}
	f.Lost = lost
	return f, nil
}

// portion is how many servers the owner tells of at once, and roughly: nothing else of his is done meanwhile.
const portion = 500

// gather asks the owner, a portion at a time, for what he knows, with a table that was just read. If the configuration changes in
// between it begins again.
func (o *owner) gather(ctx context.Context, table ipvs.Table) (*metrics.Facts, error) {
	var cfg *config.Config
	var facts *metrics.Facts
	for next, whole := (mark{}), false; !whole; {
		_, err := ask(ctx, o, func(context.Context) struct{} {
			now := time.Now()
			if o.cfg != cfg {
				cfg, facts, next = o.cfg, o.figures(now), mark{}
			}
			next = o.addServices(facts, table, next, now)
			whole = next.virtual == len(cfg.VirtualServers)
			return struct{}{}
		})
		if err != nil {
			return nil, err
		}
	}
	return facts, nil
}

// mark is where in a configuration a scrape has come to: at a service of a virtual server, which has many if it has a group.
type mark struct{ virtual, service int }

// addServices adds services from one of them on, and returns with which to go on.
func (o *owner) addServices(f *metrics.Facts, table ipvs.Table, next mark, now time.Time) mark {
	for n := 0; n < portion && next.virtual < len(o.cfg.VirtualServers); {
		vs := o.cfg.VirtualServers[next.virtual]
		if next.service == len(vs.Services) {
			next = mark{virtual: next.virtual + 1}
			continue
		}
		f.Services = append(f.Services, o.service(vs, next.service, table, now))
		n += 1 + len(vs.RealServers)
		next.service++
	}
	return next
}

// figures are what the owner knows besides services.
func (o *owner) figures(now time.Time) *metrics.Facts {
	g := &o.cfg.GlobalDefs.Metrics
	f := &metrics.Facts{Snapshot: o.outline(now), Owed: o.keeper.owed(now), Limits: metrics.Limits{PerServer: g.PerServer, Servers: g.MaxServers}}
	for _, t := range []reconcile.Totals{o.reconciler.Totals(), o.settings.tuner.Totals()} {
		f.Rounds.Steps += t.Steps
		f.Rounds.Refused += t.Refused
		f.Rounds.Drift += t.Drift
	}
	f.Rounds.Count = o.reconciler.Totals().Rounds
	f.Rounds.Took = histogramOf(o.took)
	for i := range o.settings.want {
		if role, daemon := desired.SyncRoles[o.settings.want[i].Name]; daemon && o.settings.want[i].Want == desired.Present {
			f.Wanted = append(f.Wanted, role)
		}
	}
	return f
}

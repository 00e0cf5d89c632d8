package daemon

import (
	"context"
	"time"

	"github.com/ipvsd/ipvsd/pkg/alert/teller"
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
	f, err := ask(ctx, s.owner, func(context.Context) *metrics.Facts { return s.owner.metrics(table, time.Now()) })
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

// metrics returns what the owner knows of them, with a table that was just read.
func (o *owner) metrics(table ipvs.Table, now time.Time) *metrics.Facts {
	g := &o.cfg.GlobalDefs.Metrics
	f := &metrics.Facts{Snapshot: o.snapshot(table, now), Limits: metrics.Limits{PerServer: g.PerServer, Servers: g.MaxServers}}
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

package daemon

import (
	"os"
	"time"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// snapshot puts together all there is to know, of a table that was just read; nil if it could not be.
func (o *owner) snapshot(table ipvs.Table, now time.Time) *status.Snapshot {
	s := o.outline(now)
	for _, vs := range o.cfg.VirtualServers {
		for i := range vs.Services {
			s.Services = append(s.Services, o.service(vs, i, table, now))
		}
	}
	return s
}

// outline is a snapshot without services.
func (o *owner) outline(now time.Time) *status.Snapshot {
	file := o.config
	if p := o.shown.Load(); p != nil {
		file.Pending = p.status(p.left(o.uptime()))
	}
	table := o.state
	table.Record = o.keeper.trouble(now, o.files.record, o.files.changed)
	lost, fault := o.audited()
	return &status.Snapshot{
		Version: o.options.Version, RouterID: routerID(o.cfg), PID: os.Getpid(), Started: o.started, At: now,
		Config: file, Table: table, Settings: o.settings.status(), Engine: o.engineStatus(),
		Wishes: o.wishes.All(), WishesRecord: o.keeper.trouble(now, o.files.wishes), Directors: o.directors.Status(),
		Sources: o.members.sourcesNow(), SourcesRecord: o.keeper.trouble(now, o.files.members),
		Audit: fault, AuditLost: lost,
		Services: make([]status.Service, 0, len(o.cfg.VirtualServers)),
	}
}

// service returns what there is to know of one service of a virtual server.
func (o *owner) service(vs *config.VirtualServer, number int, table ipvs.Table, now time.Time) status.Service {
	s, outcome := &vs.Services[number], o.outcomes[vs]
	v := status.Service{
		Key: s.ServiceKey, Options: s.Options(), Servers: make([]status.Server, 0, len(vs.RealServers)+len(vs.SorryServers)),
		Quorum: status.Quorum{State: outcome.Quorum, Live: outcome.Live, Needed: vs.Quorum.Needed},
		Sorry:  outcome.Sorry, FailOpen: outcome.FailOpen, Suspended: o.suspension.suspended[vs.Name],
		OnStop: o.onStop(vs),
	}
	if vs.Group != "" {
		v.Group = vs.Name
	}
	found := table.Find(v.Key)
	if found != nil {
		v.InTable, v.Stats = true, found.Stats
	}
	for i, rs := range all(vs) {
		d, reaches := rs.For(s)
		if !reaches {
			continue
		}
		sorry := i >= len(vs.RealServers)
		r := o.server(vs, rs, d, !sorry && outcome.StartsSlowly(), now)
		if number < len(outcome.Services) { // it was decided
			if d := outcome.Services[number].Destination(r.Addr); d != nil && d.Want != desired.Absent {
				r.EffectiveWeight = d.Weight
			}
		}
		r.Sorry = sorry
		if found != nil {
			if d := found.Destination(r.Addr); d != nil {
				r.InTable, r.TableWeight, r.Stats = true, d.Weight, d.Stats
				r.ActiveConns, r.InactiveConns = d.ActiveConns, d.InactiveConns
			}
		}
		v.Servers = append(v.Servers, r)
	}
	return v
}

func (o *owner) server(vs *config.VirtualServer, rs *config.RealServer, d ipvs.Destination, slowly bool, now time.Time) status.Server {
	verdict := desired.Judge(rs, o.board.of)
	w := weigh(rs, o.wishes.On(rs.Destination.Addr, vs.Name, now), slowly, verdict, o.board.of, now)
	r := status.Server{
		Addr: d.Addr, Forward: d.Forward.String(), Weight: d.Weight, Off: rs.Off,
		From: rs.From, Name: rs.Name, Tags: rs.Tags, Wishes: o.wishes.Of(rs.Destination.Addr, vs.Name, now),
		EffectiveWeight: w.advised, WeightReason: w.reason, SlowStartUntil: w.slow,
		Health: verdict.State, Since: verdict.Since, Error: why(rs, verdict), Needed: rs.Needed,
	}
	for _, c := range rs.Checks {
		r.Checks = append(r.Checks, o.check(c, o.board.of(c)))
	}
	return r
}

// why returns the reason of a verdict, with the check that it is of where a server has several.
func why(rs *config.RealServer, v health.Verdict) string {
	if v.Err == "" || len(rs.Checks) < 2 {
		return v.Err
	}
	return label(rs.Checks[v.Check].Check()) + ": " + v.Err
}

// routerID returns the director's name: the configuration's, or else the host's.
func routerID(cfg *config.Config) string {
	if cfg.GlobalDefs.RouterID != "" {
		return cfg.GlobalDefs.RouterID
	}
	name, err := os.Hostname()
	if err != nil {
		return "?"
	}
	return name
}

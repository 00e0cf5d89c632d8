package daemon

import (
	"log/slog"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/desired"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/health/engine"
)

// takeNews takes what is new of checks.
func (o *owner) takeNews() {
	for _, r := range o.board.take() {
		o.take(r)
	}
}

// take keeps the news of a check, and tells of it and of the servers whose state it changes.
func (o *owner) take(r engine.Report) {
	servers, ours := o.roster.servers[r.Check]
	if !ours {
		return // the late news of a check that a reload removed
	}
	was, is := o.verdicts[r.Check], r.Checker
	changed := is.State != was.State
	var before []health.State
	if changed {
		before = make([]health.State, len(servers))
		for i, s := range servers {
			before[i] = o.judge(s.RealServer, o.verdict).State
		}
	}
	o.verdicts[r.Check] = is
	o.tellCheck(r.Check, servers, &was, &is)
	if !changed && is.LastResult.Advice == was.LastResult.Advice {
		return
	}
	for i, s := range servers {
		delete(o.outcomes, s.service)
		if !changed {
			continue
		}
		if now := o.judge(s.RealServer, o.verdict); now.State != before[i] {
			o.tellServer(s, before[i], now)
		}
	}
	o.stale = true
	o.soon()
}

// catchUp has the verdicts be those of this moment, so that a new check takes over the newest that is known.
func (o *owner) catchUp() {
	o.takeNews()
	o.board.copyTo(o.verdicts)
}

// verdict returns what decisions rest on.
func (o *owner) verdict(c health.ID) health.Checker { return o.verdicts[c] }

// judge returns the verdict on a server, by what is known of its checks.
func (o *owner) judge(rs *config.RealServer, known func(health.ID) health.Checker) health.Verdict {
	return desired.Judge(rs, known)
}

// tellCheck logs what is new of a check.
func (o *owner) tellCheck(id health.ID, servers []server, was, is *health.Checker) {
	c, last := id.Check(), is.LastResult
	warned := last.Warning != was.LastResult.Warning
	changed := is.State != was.State
	failed := c.LogAllFailures && last.Err != "" && !changed
	if !changed && !warned && !failed {
		return
	}
	log := o.paced(id, func() *slog.Logger {
		return o.log.With("service", services(servers), "server", servers[0].Destination.Addr.String(), "check", label(c))
	})
	if changed {
		log.Info("check changed", "from", was.State.String(), "to", is.State.String(), "reason", last.Err, "took", last.Took)
	}
	if failed {
		log.Info("a check failed", "failures", is.Failures, "reason", last.Err, "took", last.Took)
	}
	switch {
	case !warned:
	case last.Warning != "":
		log.Warn("check warns", "reason", last.Warning)
	default:
		log.Info("check warns no longer", "reason", was.LastResult.Warning)
	}
}

// tellServer logs that the state of a server has changed.
func (o *owner) tellServer(s server, from health.State, to health.Verdict) {
	o.paced(s, func() *slog.Logger {
		return o.log.With("service", s.service.Name, "server", s.Destination.Addr.String())
	}).Info("server changed", "from", from.String(), "to", to.State.String(), "reason", to.Err)
}
